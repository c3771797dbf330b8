"""The constraint layer inside PyTorch."""
import numpy as np
import tessera
import tessera.torch
import torch
from decks import say, simulation, wave

torch.set_default_dtype(torch.float64)
s = simulation("nonlinear")
s.solve()
points = s.coordinates()
row = np.full(len(points), 1 / len(points))
layer = tessera.torch.Constraint(s.constraint(per_side=2, known={"mean": (row, 60.0)}))
start = torch.tensor((s.field("temperature") + 3 * wave(points, 1, 1)).tolist())
weights = torch.tensor(wave(points, 1, 2).tolist())
direction = torch.tensor(wave(points, 1, 3).tolist())


def loss(prediction, hot, mean):
    repaired = layer(prediction, hot=hot, a=0.02, known={"mean": mean})
    assert layer.native.last.worst_after < 1e-11
    return (weights * repaired).sum() + (repaired ** 2).sum() * 1e-3


prediction = start.clone().requires_grad_()
hot = torch.tensor(100.0, requires_grad=True)
mean = torch.tensor([60.0], requires_grad=True)
value = loss(prediction, hot, mean)
other = loss(prediction.detach() * 1.01, 90.0, 61.0)  # Something else in between.
value.backward()
assert abs(row @ layer.native.last.state - 60.0) < 1e-9


def difference(of, h):
    return sum(weight * of(places * h).item() for places, weight in [(1, 8), (-1, -8), (2, -1), (-2, 1)]) / (12 * h)


pairs = [(prediction.grad @ direction, difference(lambda h: loss(start + h * direction, 100.0, 60.0), 0.1)),
         (hot.grad, difference(lambda h: loss(start, 100.0 + h, 60.0), 0.5)),
         (mean.grad, difference(lambda h: loss(start, 100.0, 60.0 + h), 0.1))]
for ours, theirs in pairs:
    assert abs(ours.item() - theirs) < 1e-6 * abs(theirs), pairs
assert mean.grad.shape == mean.shape and prediction.grad.shape == prediction.shape
# Of single precision, and one of this rank's part, summed over ranks.
place = {tuple(np.round(p, 9)): i for i, p in enumerate(points)}
rows = [place[tuple(np.round(p, 9))] for p in s.coordinates(own=True)]
single = start[rows].float().requires_grad_()
mine = tessera.torch.Constraint(layer.native, own=True)
repaired = mine(single)
assert repaired.dtype == torch.float64
((weights[rows] * repaired).sum() + (repaired ** 2).sum() * 1e-3).backward()
assert single.grad.dtype == torch.float32
assert (single.grad - prediction.grad[rows]).abs().max() < 1e-4 * prediction.grad.abs().max()
# A repair that cannot be done again is not differentiated.
t = simulation("thermal")
t.solve()
body = tessera.torch.Constraint(t.constraint(stage="body", per_side=2))
u = torch.tensor((t.field("displacement") + 0.1 * wave(t.coordinates("displacement"), 2, 1)).tolist(), requires_grad=True)
first = body(u)
t.solve(k=9.0)
body(u)
try:
    first.sum().backward()
    raise SystemExit("the derivative of another repair")
except tessera.Error as error:
    assert "cannot be done again" in str(error)
say(s, loss=value.item(), other=other.item(), gradients=[ours.item() for ours, _ in pairs])
