"""Bases and points are the arrays in the file, cut into experts; blends are the sums that the documentation defines."""
import h5py
import numpy as np
import pytest

from tessera_postprocess import FileError, read_basis, read_points

NODES = [np.array([0, 1, 2]), np.array([2, 3])]             # of two experts on four nodes
GATING = [np.array([1, 1, 0.25]), np.array([0.75, 1])]
COUNT = [2, 1]


def write(path, group="/bases/u", steps=(), schema="tessera-model"):
    g = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        file.attrs.update(schema=schema, schema_version=1)
        put = file.create_group(group)
        put["lifting"] = g.random((*(steps or (1,)), 4, 2))
        put["modes"] = g.random((3, *steps, 4, 2))
        put["singular_values"] = np.array([3.0, 2, 1])
        put["essential"] = np.array([[1, 0]] + 3 * [[0, 0]], "u1")
        if steps:
            put["time"] = np.arange(steps[0]) * 0.5
        put["experts/start"] = np.array([0, 3, 5], "u8")
        put["experts/nodes"] = np.concatenate(NODES).astype("u8")
        put["experts/gating"] = np.concatenate(GATING)
        put["experts/count"] = np.array(COUNT, "u8")
        put["experts/modes"] = g.random((2, *steps, 5, 2))
    return path


@pytest.mark.parametrize("steps", [(), (6,)])
def test_blends_are_sums_over_experts(tmp_path, steps):
    group = "/bases/u" + ("/window_0" if steps else "")
    path = write(tmp_path / "model.h5", group, steps)
    basis = read_basis(path, "u", 0 if steps else None)
    assert basis.modes.shape == (3, *steps, 4, 2) and basis.essential.sum() == 1
    assert (basis.times is None) if not steps else np.array_equal(basis.times, np.arange(6) * 0.5)
    with h5py.File(path) as file:
        lifting = file[f"{group}/lifting"][...].reshape(*steps, 4, 2)
        modes, local = file[f"{group}/modes"][...], file[f"{group}/experts/modes"][...]
    assert np.allclose(basis.field([1.0, -2.0]), lifting + modes[0] - 2 * modes[1], atol=1e-15)
    weights = [[0.5, 2.0], [3.0]]
    expected = lifting.copy()
    for k, first in enumerate([0, 3]):
        for place, (node, chi) in enumerate(zip(NODES[k], GATING[k])):
            for j in range(COUNT[k]):
                expected[..., node, :] += chi * weights[k][j] * local[j][..., first + place, :]
    assert np.allclose(basis.blend(weights), expected, atol=1e-14)
    assert [len(expert.modes) for expert in basis.experts] == COUNT
    with pytest.raises(ValueError):
        basis.blend(weights[:1])


def test_what_is_not_there_is_named(tmp_path):
    space, windows = write(tmp_path / "space.h5"), write(tmp_path / "time.h5", "/bases/u/window_0", (6,))
    for path, field, window, words in [
        (space, "v", None, "no bases of v (there: u)"),
        (space, "u", 1, "in space and have no windows"),
        (windows, "u", None, "over 1 windows; choose one from 0"),
        (windows, "u", 1, "over 1 windows"),
    ]:
        with pytest.raises(FileError, match="h5") as error:
            read_basis(path, field, window)
        assert words in str(error.value)
    with pytest.raises(FileError, match="no points of u"):
        read_points(space, "u")


def test_points_have_experts_without_functions(tmp_path):
    path = write(tmp_path / "a.points.h5", "/points/u", schema="tessera-points")
    with h5py.File(path, "a") as file:
        del file["/points/u/experts/modes"], file["/points/u/experts/count"]
        file["/points/u/coordinates"] = np.linspace(0, 1, 4)[:, None]
        file["/points/u/weights"] = np.array([1, 2, 2, 1]) / 6
    points = read_points(path, "u")
    assert points.coordinates.shape == (4, 1) and points.weights.sum() == pytest.approx(1)
    total = np.zeros(4)
    for expert in points.experts:
        assert expert.modes is None
        total[expert.nodes] += expert.gating
    assert np.array_equal(total, np.ones(4)) and points.essential.sum() == 1
