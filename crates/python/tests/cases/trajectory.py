"""Runs in time repaired step by step: what they satisfy, and their derivatives against central differences."""
import sys

import numpy as np
import tessera
from decks import say, simulation, wave

name, level = sys.argv[1:3]
s = simulation(name)
times = [0.0, 0.05, 0.12, 0.2]
points = s.coordinates()[:, 0]
order = np.argsort(points)
defaults = {key: parameter.default for key, parameter in s.deck.parameters.items()}
exact = s.trajectory("exact", times=times, per_side=4)
run = exact.forward()
# The deck's own steps of the same length.
own = tessera.Simulation(tessera.Deck.parse(s.deck.to_toml(), set={"time.step": 0.05, "time.end": 0.2, "output.frames": 4}))
theirs = next(iter(own.run().fields.values()))
twin = own.trajectory("exact", times=np.linspace(0, 0.2, 5), per_side=4).forward()
assert np.abs(twin.states - theirs).max() < 1e-9, np.abs(twin.states - theirs).max()

prediction = run.states + 0.05 * np.array([(1 + t) * wave(s.coordinates(), 1, 1) for t in times])
layer = s.trajectory(level, times=times, norm="mass", per_side=4, overlap=2, tolerance=1e-12)
repaired = layer.forward(prediction)
assert repaired is layer.last and repaired.states.shape == (4, len(points)) and list(repaired.times) == times
assert np.array_equal(repaired.states[0], run.states[0]) and len(repaired.worst_before) == len(repaired.iterations) == 3
left = points.argmin()
assert np.abs(repaired.states[:, left] - run.states[:, left]).max() < 1e-14
if level != "boundary":
    assert repaired.worst_before.min() > 1e-4 and repaired.worst_after.max() < 1e-11
    # A step as it is written down, of the first one (its first stage where the scheme has two): the balances say it.
    assert np.abs(repaired.states - run.states).max() < np.abs(prediction - run.states).max()
if level == "exact":
    assert np.abs(repaired.states - run.states).max() < 1e-9
# L = sum_n n (weights . u_n + |u_n|^2 / 2), with the initial state.
weights = np.array([(1 + n) * wave(s.coordinates(), 1, 4 + n) for n in range(4)])
direction = np.array([wave(s.coordinates(), 1, 9 + n) for n in range(4)])
begin = run.states[0] + 0.01 * wave(s.coordinates(), 1, 3)
onward = wave(s.coordinates(), 1, 7)


def value(h=0.0, parameters={}, initial=None):
    u = layer.forward(prediction + h * direction, parameters, initial=initial).states
    return np.vdot(weights, u) + np.vdot(u, u) / 2


def difference(of, h):
    return sum(weight * of(places * h) for places, weight in [(1, 8), (-1, -8), (2, -1), (-2, 1)]) / (12 * h)


found = []
for initial in (None, begin):
    expected = {key: difference(lambda h: value(parameters={key: number + h}, initial=initial), 1e-3 * number)
                for key, number in defaults.items()}
    along = difference(lambda h: value(h, initial=initial), 1e-3)
    base = run.states[0] if initial is None else begin
    of_initial = difference(lambda h: value(initial=base + h * onward), 1e-3)
    try:
        s.trajectory(level, times=times).vjp(weights)
        raise SystemExit("a derivative of nothing")
    except tessera.Error as error:
        assert "call forward() first" in str(error)
    value(initial=initial)
    back = layer.vjp(weights + layer.last.states)
    scale = 1e-3 * np.abs([along, of_initial, *expected.values()]).max()
    pairs = [(np.vdot(back.prediction, direction), along), (np.vdot(back.initial, onward), of_initial),
             *((back.parameters[key], theirs) for key, theirs in expected.items())]
    for ours, theirs in pairs:
        assert abs(ours - theirs) < 1e-6 * max(abs(theirs), scale), (level, pairs)
    assert back.prediction.shape == prediction.shape and back.initial[left] == 0
    assert level != "exact" or np.all(back.prediction == 0)
    found.append([ours for ours, _ in pairs])
# This rank's rows say the same.
place = {round(x, 9): i for i, x in enumerate(points)}
rows = [place[round(x, 9)] for x in s.coordinates(own=True)[:, 0]]
mine = layer.forward(prediction[:, rows], initial=begin[rows], own=True)
again = layer.vjp((weights[:, rows] + mine.states), own=True)
assert np.allclose(again.prediction, back.prediction[:, rows], rtol=0, atol=1e-8 * max(1, np.abs(back.prediction).max()))
# What is wrong is said.
for call, words in [
        (lambda: s.trajectory(level, times=[0.1, 0.2]), "times: expected the first one to be the start, 0 s, found 0.1"),
        (lambda: s.trajectory(level, times=[0.0]), "times: expected two numbers at least"),
        (lambda: layer.forward(prediction[:3]), "prediction: expected 4 frames, found 3"),
        (lambda: s.trajectory("coupled", times=times).forward(), "left out at the level"),
        (lambda: s.constraint(), "take trajectory()"),
        (lambda: simulation("heat").trajectory(times=times), "take constraint()")]:
    try:
        call()
        raise SystemExit(f"not refused: {words}")
    except tessera.Error as error:
        assert words in str(error), error
say(s, states=repaired.states[:, order], numbers=found, prediction=back.prediction[:, order])
