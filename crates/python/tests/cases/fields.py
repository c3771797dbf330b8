"""Every field of a solution, by name, in a file."""
import sys

import numpy as np
from decks import simulation

s = simulation(sys.argv[1])
s.solve()
found = {name: s.field(name) for name in s.fields()}
quantities = s.quantities()
# The rows of a rank are those of its nodes.
for name, values in found.items():
    points, own = s.coordinates(name), s.coordinates(name, own=True)
    place = {tuple(np.round(p, 9)): i for i, p in enumerate(points)}
    rows = [place[tuple(np.round(p, 9))] for p in own]
    assert np.array_equal(values[rows], s.field(name, own=True)), name
# What was given can be set.
for name, field in s.fields().items():
    if field.is_solution:
        s.set_field(name, found[name])
        assert np.array_equal(s.field(name), found[name]), name
        s.set_field(name, 2 * s.field(name, own=True), own=True)
        assert np.array_equal(s.field(name), 2 * found[name]), name
        s.set_field(name, found[name])
assert not s.is_solved
if s.rank == 0:
    np.savez("fields.npz", **found, **{f"quantity_{name}": value for name, value in quantities.items()})
