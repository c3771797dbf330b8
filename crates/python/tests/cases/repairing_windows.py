"""The layer for windows of steps inside PyTorch."""
import numpy as np
import tessera
import tessera.torch
import torch
from decks import say, simulation, wave

torch.set_default_dtype(torch.float64)
keys = {"constraint.least_squares.ridge": 1e-3}
s = tessera.Simulation(tessera.Deck.parse(simulation("sorption").deck.to_toml(), set=keys))
times = [0.0, 0.1, 0.2]
points = s.coordinates()
layer = tessera.torch.Window(s.window("residual", times=times, per_side=3))
start = torch.tensor(np.array([0.2 + 0.05 * wave(points, 1, n) for n in range(3)]).tolist())
basis = torch.tensor(np.array([[wave(points, 1, 5 + 7 * j + n) for n in range(2)] for j in range(3)]).tolist())
turned = torch.tensor(np.array([[wave(points, 1, 30 + 2 * j + n) for n in range(2)] for j in range(3)]).tolist())
weights = torch.tensor(np.array([wave(points, 1, 3 + n) for n in range(3)]).tolist())


def loss(prediction, functions, d):
    run = layer(prediction, functions, d=d)
    return (weights * run).sum() + (run ** 2).sum()


functions = basis.clone().requires_grad_()
d = torch.tensor([0.3], requires_grad=True)
value = loss(start, functions, d)
other = loss(start * 1.01, basis, 0.4)  # Something else in between.
value.backward()


def difference(of, h):
    return sum(weight * of(places * h).item() for places, weight in [(1, 8), (-1, -8), (2, -1), (-2, 1)]) / (12 * h)


pairs = [((functions.grad * turned).sum(), difference(lambda h: loss(start, basis + h * turned, 0.3), 1e-3)),
         (d.grad[0], difference(lambda h: loss(start, basis, 0.3 + h), 1e-3))]
for ours, theirs in pairs:
    assert abs(ours.item() - theirs) < 1e-5 * abs(theirs), pairs
say(s, loss=value.item(), other=other.item(), gradients=[ours.item() for ours, _ in pairs])
