"""Solves inside PyTorch."""
import tessera.torch
import torch
from decks import say, simulation

s = simulation("thermal")
k = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
alpha = torch.tensor([0.03], requires_grad=True)


def loss(k, alpha):
    temperature, displacement = tessera.torch.solve(s, ["temperature", "displacement"], k=k, alpha=alpha)
    return (temperature ** 2).sum() * 1e-2 + (displacement[:, 0] * 3).exp().sum()


value = loss(k, alpha)
s.solve(k=7)  # Something else in between.
value.backward()


def difference(of, value):
    h = 5e-3 * abs(value)
    return sum(weight * of(value + places * h) for places, weight in [(1, 8), (-1, -8), (2, -1), (-2, 1)]) / (12 * h)


number = float(alpha)
for tensor, expected in [(k, difference(lambda k: loss(k, number).item(), 2.0)),
                         (alpha, difference(lambda alpha: loss(2.0, alpha).item(), number))]:
    assert tensor.grad.shape == tensor.shape and tensor.grad.dtype == tensor.dtype
    assert abs(tensor.grad.item() - expected) < 1e-6 * abs(expected), (tensor.grad.item(), expected)
# One of this rank's part, summed over ranks, is the whole.
p = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
(tessera.torch.solve(s, "temperature", own=True, k=p) ** 2).sum().backward()
q = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
(tessera.torch.solve(s, "temperature", k=q) ** 2).sum().backward()
assert abs(p.grad - q.grad) < 1e-10 * abs(q.grad)
say(s, k=k.grad.item(), alpha=alpha.grad.item(), loss=value.item())
