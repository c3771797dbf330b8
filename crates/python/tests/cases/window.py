"""Runs in time repaired at once: what they satisfy, and their derivatives against central differences."""
import sys

import numpy as np
import tessera
from decks import say, simulation, wave

name, kind = sys.argv[1:3]
level = "residual" if kind == "residual" else "coupled"
keys = {"constraint.least_squares.ridge": 1e-3}
if level == "coupled":
    keys.update({"constraint.ports": kind, "constraint.windows": 1})
s = tessera.Simulation(tessera.Deck.parse(simulation(name).deck.to_toml(), set=keys))
times = [0.0, 0.05, 0.12, 0.2]
points = s.coordinates()
order = np.argsort(points[:, 0])
defaults = {key: parameter.default for key, parameter in s.deck.parameters.items()}
run = s.trajectory("exact", times=times).forward()
functions = np.array([[wave(points, 1, 5 + 7 * j + n) for n in range(3)] for j in range(5)])
layer = s.window(level, times=times, per_side=3, tolerance=1e-12)
# Functions that can make the run find it, but for the ridge.
near = run.states.copy()
near[1:] += 0.05 * (functions[0] - 0.3 * functions[1])
found = layer.forward(near, functions)
assert found is layer.last and found.states.shape == run.states.shape and found.least.shape == (3, 2)
before, after = (np.abs(states[1:] - run.states[1:]).max() for states in (near, found.states))
assert after < 0.02 * before and np.array_equal(found.states[0], run.states[0]), (before, after)

prediction = run.states + 0.05 * np.array([(1 + t) * wave(points, 1, 1) for t in times])
weights = np.array([(1 + n) * wave(points, 1, 4 + n) for n in range(4)])
direction = np.array([wave(points, 1, 9 + n) for n in range(4)])
turned = np.array([[wave(points, 1, 30 + 2 * j + n) for n in range(3)] for j in range(5)])
begin = run.states[0] + 0.01 * wave(points, 1, 3)
onward = wave(points, 1, 7)


def value(h=0.0, turn=0.0, parameters={}, initial=None):
    u = layer.forward(prediction + h * direction, functions + turn * turned, parameters, initial=initial).states
    return np.vdot(weights, u) + np.vdot(u, u) / 2


def difference(of, h):
    return sum(weight * of(places * h) for places, weight in [(1, 8), (-1, -8), (2, -1), (-2, 1)]) / (12 * h)


numbers = []
for initial in (None, begin):
    expected = {key: difference(lambda h: value(parameters={key: number + h}, initial=initial), 1e-3 * number)
                for key, number in defaults.items()}
    base = run.states[0] if initial is None else begin
    others = [difference(lambda h: value(h, initial=initial), 1e-3), difference(lambda h: value(turn=h, initial=initial), 1e-3),
              difference(lambda h: value(initial=base + h * onward), 1e-3)]
    value(initial=initial)
    back = layer.vjp(weights + layer.last.states)
    ours = [np.vdot(back.prediction, direction), np.vdot(back.functions, turned), np.vdot(back.initial, onward)]
    pairs = [*zip(ours, others), *((back.parameters[key], theirs) for key, theirs in expected.items())]
    scale = 1e-3 * np.abs([theirs for _, theirs in pairs]).max()
    for found, theirs in pairs:
        assert abs(found - theirs) < 1e-5 * max(abs(theirs), scale), (kind, pairs)
    assert back.prediction.shape == prediction.shape and back.functions.shape == functions.shape
    assert np.all(back.prediction[0] == 0)
    numbers.append([found for found, _ in pairs])
# This rank's rows say the same.
place = {round(x, 9): i for i, x in enumerate(points[:, 0])}
rows = [place[round(x, 9)] for x in s.coordinates(own=True)[:, 0]]
mine = layer.forward(prediction[:, rows], functions[:, :, rows], initial=begin[rows], own=True)
again = layer.vjp(weights[:, rows] + mine.states, own=True)
assert np.allclose(again.functions, back.functions[:, :, rows], rtol=0, atol=1e-8 * np.abs(back.functions).max())
for call, words in [
        (lambda: s.window(level, times=[0.1, 0.2]), "times: expected the first one to be the start, 0 s, found 0.1"),
        (lambda: layer.forward(prediction[:3], functions), "prediction: expected 4 frames, found 3"),
        (lambda: layer.forward(prediction, functions[:, :2]), "function 0: expected 3 frames, found 2"),
        (lambda: layer.forward(prediction, functions * 0), "function 0 of the basis vanishes"),
        (lambda: layer.forward(prediction, functions[:0]), "expected functions in space and time"),
        (lambda: s.window("conservation", times=times).forward(prediction, functions), "expected the level \"residual\""),
        (lambda: s.window(level, times=times).vjp(weights), "call forward() first")]:
    try:
        call()
        raise SystemExit(f"not refused: {words}")
    except tessera.Error as error:
        assert words in str(error), error
say(s, states=layer.forward(prediction, functions).states[:, order], numbers=numbers)
