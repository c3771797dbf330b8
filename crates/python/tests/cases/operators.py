"""Residuals, tangents and slopes at states that solve nothing."""
import sys

import numpy as np
from decks import say, simulation, wave


def norm(values):
    return np.linalg.norm(np.ravel(values))


name, stage_name, size = sys.argv[1], sys.argv[2], float(sys.argv[3])
s = simulation(name)
stage = s[stage_name]
points = s.coordinates(stage.field)
u, v, w = (size * wave(points, stage.components, seed) for seed in (1, 2, 3))
if name == "thermal":
    s.set_field("temperature", 3 + wave(s.coordinates("temperature"), 1, 4))
h = 1e-3
image = stage.tangent_product(u, v)
difference = sum(weight * stage.residual(u + places * h * v)
                 for places, weight in [(1, 8), (-1, -8), (2, -1), (-2, 1)]) / (12 * h)
assert norm(image) > 0 and norm(image - difference) < 1e-8 * norm(image), norm(image - difference) / norm(image)
back = stage.tangent_transpose_product(u, w)
forth = np.vdot(w, image)
assert abs(forth - np.vdot(back, v)) < 1e-12 * norm(image) * norm(w)
# Rows of this rank say the same, put together.
mine = {tuple(np.round(p, 9)): i for i, p in enumerate(points)}
rows = [mine[tuple(np.round(p, 9))] for p in s.coordinates(stage.field, own=True)]
assert np.array_equal(stage.tangent_product(u[rows], v[rows], own=True), image[rows])
slopes = {}
for parameter, value in s.deck.parameters.items():
    slope = stage.slope(u, parameter.strip())
    step = 1e-3 * value.default
    difference = sum(weight * stage.residual(u, {parameter: value.default + places * step})
                     for places, weight in [(1, 8), (-1, -8), (2, -1), (-2, 1)]) / (12 * step)
    assert norm(slope - difference) <= 1e-8 * norm(difference) + 1e-10, parameter
    slopes[parameter] = norm(slope)
# A solution satisfies the equations of its free unknowns.
s.solve()
parts = [s.field(field) for field, what in s.fields().items() if what.stage == stage_name and what.is_solution]
solution = np.concatenate([part.reshape(len(points), -1) for part in parts], axis=1)
solution = solution[:, 0] if stage.components == 1 else solution
fixed, prescribed = stage.essential()
residual = stage.residual(solution)
assert fixed.any() and norm(residual[~fixed]) < 1e-9 * norm(residual[fixed]), norm(residual[~fixed])
if name != "flow":
    assert np.array_equal(solution[fixed], prescribed[fixed])
assert np.all(prescribed[~fixed] == 0)
say(s, image=image, back=back, residual=stage.residual(u), slopes=list(slopes.values()))
