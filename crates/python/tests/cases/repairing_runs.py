"""The layer for runs in time inside PyTorch."""
import numpy as np
import tessera.torch
import torch
from decks import say, simulation, wave

torch.set_default_dtype(torch.float64)
s = simulation("sorption")
times = [0.0, 0.1, 0.2]
points = s.coordinates()
layer = tessera.torch.Trajectory(s.trajectory("coupled", times=times, per_side=3))
exact = tessera.torch.Trajectory(s.trajectory("exact", times=times))
start = exact(d=0.3).clone() + torch.tensor((0.05 * np.array([wave(points, 1, n) for n in range(3)])).tolist())
weights = torch.tensor(np.array([wave(points, 1, 3 + n) for n in range(3)]).tolist())
direction = torch.tensor(np.array([wave(points, 1, 6 + n) for n in range(3)]).tolist())


def loss(prediction, d, initial):
    run = layer(prediction, d=d, initial=initial)
    return (weights * run).sum() + (run ** 2).sum()


prediction = start.clone().requires_grad_()
d = torch.tensor([0.3], requires_grad=True)
initial = start[0].clone().requires_grad_()
value = loss(prediction, d, initial)
other = loss(start * 1.01, 0.4, start[0])  # Something else in between.
value.backward()


def difference(of, h):
    return sum(weight * of(places * h).item() for places, weight in [(1, 8), (-1, -8), (2, -1), (-2, 1)]) / (12 * h)


pairs = [((prediction.grad * direction).sum(), difference(lambda h: loss(start + h * direction, 0.3, start[0]), 1e-3)),
         (d.grad[0], difference(lambda h: loss(start, 0.3 + h, start[0]), 1e-3)),
         ((initial.grad * direction[0]).sum(), difference(lambda h: loss(start, 0.3, start[0] + h * direction[0]), 1e-3))]
for ours, theirs in pairs:
    assert abs(ours.item() - theirs) < 1e-6 * abs(theirs), pairs
# Without predictions, from the deck's initial state.
begin = torch.tensor(0.2, requires_grad=True)
(weights * exact(start=begin)).sum().backward()
theirs = difference(lambda h: (weights * exact(start=0.2 + h)).sum(), 1e-3)
assert abs(begin.grad.item() - theirs) < 1e-6 * abs(theirs)
say(s, loss=value.item(), other=other.item(), gradients=[ours.item() for ours, _ in pairs], start=begin.grad.item())
