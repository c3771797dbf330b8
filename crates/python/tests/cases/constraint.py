"""A level of the constraint layer: what repaired states satisfy, and their derivatives against central differences."""
import sys

import numpy as np
import tessera
from decks import say, simulation, wave

name, stage_name, level, norm = sys.argv[1:5]
s = simulation(name)
s.solve()
stage = s[stage_name]
points = s.coordinates(stage.field)
parts = [s.field(field) for field, what in s.fields().items() if what.stage == stage_name and what.is_solution]
shape = (len(points),) if stage.components == 1 else (len(points), stage.components)
solution = np.concatenate([part.reshape(len(points), -1) for part in parts], axis=1).reshape(shape)
size = np.abs(solution).max()
prediction = solution + 0.02 * size * wave(points, stage.components, 1)
flow = stage.components == 3
options = dict(stage=stage_name, norm=norm, per_side=2, overlap=2, tolerance=1e-12, scales=(1.0, 2.0) if flow else None)
known = {}
if level == "conservation":
    row = np.abs(wave(points, stage.components, 3))
    known = {"sum": (row, 1.01 * np.vdot(row, solution))}
layer = s.constraint(level, known=known, **options)
repair = layer.forward(prediction)
state, (fixed, prescribed) = repair.state, stage.essential()
assert state.shape == shape and repair is layer.last
experts = 4
assert len(repair.before) == len(repair.after) == len(repair.exchange) == experts
# Said by the residual, which is tested elsewhere.
residual = np.where(fixed, 0, stage.residual(state))
if level == "none":
    assert np.array_equal(state, prediction) and repair.worst_before == repair.worst_after > 1e-6
    assert repair.distance == 0 and repair.boundary_after == repair.boundary_before > 0
else:
    assert repair.boundary_before > 0 and repair.boundary_after == 0
    if not flow:
        assert np.array_equal(state[fixed], prescribed[fixed])
if level in ("conservation", "coupled", "exact"):
    before = np.where(fixed, 0, stage.residual(np.where(fixed, prescribed, prediction)))
    assert repair.worst_before > 1e-4 and repair.worst_after < 1e-10
    whole = np.abs(residual.reshape(len(points), -1).sum(axis=0))
    assert whole.max() < 1e-10 * np.abs(before).sum(), whole
if level == "conservation":
    value = known["sum"][1]
    assert abs(np.vdot(row, state) - value) < 1e-11 * abs(value)
    # Pressures between vertices are no unknowns, and are not read.
    assert flow or abs(repair.known_before["sum"] - (value - np.vdot(row, prediction))) < 1e-6 * abs(value)
    assert abs(repair.known_after["sum"]) < 1e-11 * abs(value)
    # One condition less lets it be nearer.
    plain = s.constraint(level, **options).forward(prediction)
    assert 0 < plain.distance < repair.distance
if level == "exact":
    assert np.linalg.norm(state - solution) < 1e-9 * np.linalg.norm(solution)
# L = weights . u + |u|^2 / 2 size
weights, direction = wave(points, stage.components, 4), 0.02 * size * wave(points, stage.components, 5)
defaults = {key: parameter.default for key, parameter in s.deck.parameters.items()}


def value(h=0.0, parameters={}, lacking=0.0):
    values = {key: 1.01 * np.vdot(row, solution) * (1 + lacking) for key in known}
    u = layer.forward(prediction + h * direction, parameters, known=values).state
    return np.vdot(weights, u) + np.vdot(u, u) / (2 * size)


def difference(of, h):
    return sum(weight * of(places * h) for places, weight in [(1, 8), (-1, -8), (2, -1), (-2, 1)]) / (12 * h)


expected = {key: difference(lambda h: value(parameters={key: number + h}), 1e-2 * abs(number))
            for key, number in defaults.items()}
along, of_known = difference(value, 0.1), difference(lambda h: value(lacking=h), 1e-3) if known else 0.0
try:
    s.constraint(level, **options).vjp(weights)
    raise SystemExit("a derivative of nothing")
except tessera.Error as error:
    assert "call forward() first" in str(error)
total = value()
state = layer.last.state
found = layer.vjp(weights + state / size)
scale = max(np.abs(list(expected.values())).max(), abs(along), np.linalg.norm(weights) * np.linalg.norm(direction) * 1e-2)
mine = np.vdot(found.prediction, direction)
assert abs(mine - along) < 1e-6 * max(abs(along), 1e-3 * scale), (mine, along)
for key, theirs in expected.items():
    if level == "none":
        assert found.parameters[key] == theirs == 0
    else:
        assert abs(found.parameters[key] - theirs) < 1e-6 * max(abs(theirs), 1e-3 * scale), (key, found.parameters[key], theirs)
for key, (_, number) in known.items():
    theirs = of_known / number
    assert abs(found.known[key] - theirs) < 1e-6 * abs(theirs), (found.known[key], theirs)
assert np.all(found.prescribed[~fixed] == 0) and (level == "none" or np.all(found.prediction[fixed] == 0))
# As often as a network needs it.
for _ in range(200 if (name, level, norm) == ("heat", "conservation", "energy") else 0):
    layer.forward(prediction)
    layer.vjp(weights)
# This rank's rows say the same.
place = {tuple(np.round(p, 9)): i for i, p in enumerate(points)}
rows = [place[tuple(np.round(p, 9))] for p in s.coordinates(stage.field, own=True)]
assert np.allclose(layer.forward(prediction[rows], own=True).state, state[rows], rtol=0, atol=1e-9 * size)
again = layer.vjp((weights + state / size)[rows], own=True)
assert np.allclose(again.prediction, found.prediction[rows], rtol=0, atol=1e-7 * np.abs(found.prediction).max())
say(s, state=state, total=total, before=repair.before, prediction=found.prediction,
    parameters=list(found.parameters.values()))
