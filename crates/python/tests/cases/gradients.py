"""Gradients against central differences of solves."""
import sys

import numpy as np
from decks import say, simulation

s = simulation(sys.argv[1])
defaults = {name: parameter.default for name, parameter in s.deck.parameters.items()}
smooth = [name for name in s.deck.quantities if name != "peak"]


def at(**values):
    s.solve(values)
    return np.array([s.quantities()[name] for name in smooth]), {f: s.field(f) for f, w in s.fields().items() if w.is_solution}


def difference(name):
    h = 1e-4 * abs(defaults[name])
    (above, fields_above), (below, fields_below) = at(**{name: defaults[name] + h}), at(**{name: defaults[name] - h})
    return (above - below) / (2 * h), {f: (fields_above[f] - fields_below[f]) / (2 * h) for f in fields_above}


differences = {name: difference(name) for name in defaults}
s.solve()
found = {}
for i, quantity in enumerate(smooth):
    gradient, tangent = s.gradient(quantity), s.gradient(quantity, method="tangent")
    scale = max(abs(d[0][i]) for d in differences.values())
    for name in defaults:
        expected = differences[name][0][i]
        assert abs(gradient[name] - expected) < 1e-6 * scale, (quantity, name, gradient[name], expected)
        assert abs(tangent[name] - gradient[name]) < 1e-8 * scale, (quantity, name, gradient[name], tangent[name])
    found[quantity] = list(gradient.values())
# A function of all fields at once, by the fields' sensitivities and pulled back.
fields = list(differences[next(iter(defaults))][1])
weights = {field: np.cos(np.arange(s.field(field).size)).reshape(s.field(field).shape) for field in fields}
pulled = s.pull_back(weights)
for name in defaults:
    forward = {field: s.sensitivity(field, name) for field in fields}
    for field in fields:
        expected = differences[name][1][field]
        assert np.abs(forward[field] - expected).max() < 1e-6 * max(np.abs(expected).max(), 1e-3), (field, name)
    total = sum(np.vdot(weights[field], forward[field]) for field in fields)
    scale = sum(np.linalg.norm(weights[field]) * np.linalg.norm(forward[field]) for field in fields)
    assert abs(pulled[name] - total) < 1e-10 * scale, (name, pulled[name], total)
say(s, **found, pulled=list(pulled.values()))
