"""Spectra of fields whose waves are known."""
import h5py
import numpy as np
import pytest
from files import quadratic, unit_box, write_run

from tessera_postprocess.cli import main
from tessera_postprocess.files import Mesh
from tessera_postprocess.spectra import energy, on_grid


def vortices(points):
    """Waves of length 1/3 and 1/5 (energies 1/4 and 1/16) on a mean flow."""
    x, y = 2 * np.pi * points[:, 0], 2 * np.pi * points[:, 1]
    velocity = np.zeros((len(points), points.shape[1]))
    velocity[:, 0] = 7 + np.sin(3 * y)
    velocity[:, 1] = 0.5 * np.sin(3 * x + 4 * y)
    return velocity


@pytest.mark.parametrize("shape, n", [("triangle", 8), ("quadrilateral", 8), ("tetrahedron", 6), ("hexahedron", 6)])
def test_every_wave_lands_in_its_shell(shape, n):
    points, cells = unit_box(shape, n)
    points, cells = quadratic(shape, points, cells)
    mesh = Mesh(shape, points, cells, np.zeros(len(cells), int))
    grid, length = on_grid(mesh, vortices(points))
    assert grid.shape == (2 * n + 1,) * points.shape[1] + (points.shape[1],)
    k, e = energy(grid, length)
    width = 2 * np.pi
    np.testing.assert_allclose(k, width * np.arange(1, n + 1))
    expected = np.zeros(n)
    expected[2], expected[4] = 0.25 / width, 0.0625 / width
    np.testing.assert_allclose(e, expected, atol=1e-14)


def test_the_integral_is_the_kinetic_energy():
    random = np.random.default_rng(5)
    values = np.zeros((17, 17, 2))
    # Waves up to the sixth, so that all lie in the shells.
    x = np.arange(17) / 16 * 2 * np.pi
    for _ in range(9):
        i, j = random.integers(-4, 5, 2)
        values += random.normal(size=2) * np.cos(i * x[:, None] + j * x + random.random())[..., None]
    k, e = energy(values, np.array([2.0, 2.0]))
    inner = values[:-1, :-1]
    fluctuation = inner - inner.mean(axis=(0, 1))
    np.testing.assert_allclose(e.sum() * k[0], 0.5 * (fluctuation**2).sum(axis=-1).mean())


def test_interpolation_is_close():
    points, cells = unit_box("triangle", 60)
    mesh = Mesh("triangle", points, cells, np.zeros(len(cells), int))
    k, e = energy(*on_grid(mesh, vortices(points), 40))
    np.testing.assert_allclose(e[[2, 4]] * k[0], [0.25, 0.0625], rtol=0.05)
    # Nodes that are no grid are interpolated unasked.
    inner = (points > 0).all(axis=1) & (points < 1).all(axis=1)
    points = points + inner[:, None] * 1e-3 * np.sin(50 * points)
    mesh = Mesh("triangle", points, cells, np.zeros(len(cells), int))
    k, e = energy(*on_grid(mesh, vortices(points)))
    np.testing.assert_allclose(e[[2, 4]] * k[0], [0.25, 0.0625], rtol=0.1)


def write_flow(path, periodic=True):
    write_run(path, "quadrilateral", n=12)
    with h5py.File(path, "a") as file:
        velocity = vortices(file["mesh/geometry"][...])
        if not periodic:
            velocity[:, 0] += file["mesh/geometry"][:, 0]
        file["time"] = np.array([0.0, 1.0, 2.0])
        dataset = file.create_dataset("fields/velocity", data=velocity * np.array([1, 0.7, 0.5])[:, None, None])
        dataset.attrs.update(unit="m/s", location="node", degree=1)
        file.create_dataset("fields/rest", data=0 * velocity[None]).attrs.update(unit="m/s", location="node", degree=1)
    return str(path)


def test_the_command_draws(tmp_path):
    run, picture = write_flow(tmp_path / "run.h5"), tmp_path / "e.png"
    for more in ([], ["--count", "3"], ["--grid", "20"]):
        assert main(["spectrum", run, "velocity", *more, "-o", str(picture)]) == 0
        assert picture.stat().st_size > 5000
        picture.unlink()


@pytest.mark.parametrize("name, message", [
    ("velocity", "not periodic along x"), ("rest", "at rest"), ("rate", "lives on cells"), ("speed", "no field speed"),
])
def test_mistakes_are_named(tmp_path, capsys, name, message):
    run = write_flow(tmp_path / "run.h5", periodic=False)
    assert main(["spectrum", run, name, "-o", str(tmp_path / "e.png")]) == 2
    assert message in capsys.readouterr().err
