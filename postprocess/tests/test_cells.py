"""Pieces of cells cover what they should, and linear functions stay linear on them."""
import numpy as np
import pytest
from files import write_run

from tessera_postprocess import Result, cells

SHAPES_3D = ["tetrahedron", "hexahedron"]


def mesh_of(tmp_path, shape, degree):
    return Result(write_run(tmp_path / "run.h5", shape, degree=degree)).mesh(degree)


def area(corners):
    return 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)


def solid(points):
    """Points [..., 2] as points of space, for the cross product."""
    return np.concatenate([points, np.zeros((*points.shape[:-1], 3 - points.shape[-1]))], axis=-1)


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("shape", ["triangle", "quadrilateral"])
def test_triangles_cover_the_square(tmp_path, shape, degree):
    mesh = mesh_of(tmp_path, shape, degree)
    found, owner = cells.triangles(mesh)
    assert area(solid(mesh.points[found])).sum() == pytest.approx(1.0)
    # Each lies in its cell.
    centre = mesh.points[found].mean(axis=1)
    corners = mesh.points[mesh.cells[owner, : cells.VERTICES[shape]]]
    assert (centre >= corners.min(axis=1)).all() and (centre <= corners.max(axis=1)).all()


@pytest.mark.parametrize("shape", ["triangle", "quadrilateral"])
def test_outline_is_the_rim(tmp_path, shape):
    lines = cells.outline(mesh_of(tmp_path, shape, 1))
    assert np.linalg.norm(lines[:, 1] - lines[:, 0], axis=1).sum() == pytest.approx(4.0)


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("shape", SHAPES_3D)
def test_surface_is_that_of_the_cube(tmp_path, shape, degree):
    mesh = mesh_of(tmp_path, shape, degree)
    found, owner, drawn = cells.surface(mesh)
    corners = mesh.points[found]
    assert area(corners).sum() == pytest.approx(6.0)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outwards = corners.mean(axis=1) - mesh.points[mesh.cells[owner]].mean(axis=1)
    assert (np.einsum("ij,ij->i", normal, outwards) > 0).all()
    # Edges of the mesh on the surface: lengths counted from both sides.
    length = [np.linalg.norm(corners[:, k - 2] - corners[:, k - 1], axis=1)[drawn[:, k]].sum() for k in range(3)]
    along = 6 * 2 * 4 + (6 * 3 * np.sqrt(2) if shape == "tetrahedron" else 0)
    assert sum(length) / 2 == pytest.approx(along - 12)      # the edges of the cube belong to two sides


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("shape", SHAPES_3D)
def test_tetrahedra_fill_the_cube(tmp_path, shape, degree):
    mesh = mesh_of(tmp_path, shape, degree)
    p = mesh.points[cells.tetrahedra(mesh)[0]]
    volume = np.linalg.det(p[:, 1:] - p[:, :1]) / 6
    assert (volume > 0).all() and volume.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("shape", SHAPES_3D)
@pytest.mark.parametrize("offset", [0.25, 1 / 3])
def test_cut_gives_the_section_and_keeps_linear_fields(tmp_path, shape, degree, offset):
    mesh = mesh_of(tmp_path, shape, degree)
    normal = np.array([0.0, 0.6, 0.8])
    value = mesh.points @ [1.0, 2.0, 3.0]
    points = np.concatenate([mesh.points, value[:, None]], axis=1)
    (solids, _, faces), (skin, _, edges) = cells.tetrahedra(mesh), cells.surface(mesh)
    solids, skin = points[solids], points[skin]
    face, _ = cells.section(solids, solids[:, :, :3] @ normal - offset, faces)
    rest, _ = cells.clip(skin, skin[:, :, :3] @ normal - offset, edges)
    for part in (face, rest):
        assert np.allclose(part[:, :, 3], part[:, :, :3] @ [1.0, 2.0, 3.0])
    assert np.allclose(face[:, :, :3] @ normal, offset)
    # The plane meets y = 0 at z = offset/0.8 and z = 0 at y = offset/0.6: a prism with that triangle remains.
    a, b = offset / 0.6, offset / 0.8
    assert area(face[:, :, :3]).sum() == pytest.approx(np.hypot(a, b))
    assert area(rest[:, :, :3]).sum() == pytest.approx(a + b + a * b)


def drawn_length(corners, edges):
    return sum(np.linalg.norm(corners[:, k - 2] - corners[:, k - 1], axis=1)[edges[:, k]].sum() for k in range(3))


@pytest.mark.parametrize("degree", [1, 2])
def test_a_cut_keeps_the_edges_of_the_cells_and_no_others(tmp_path, degree):
    mesh = mesh_of(tmp_path, "hexahedron", degree)                        # three cells a side
    (solids, _, faces), (skin, _, edges) = cells.tetrahedra(mesh), cells.surface(mesh)
    solids, skin = mesh.points[solids], mesh.points[skin]
    # Four lines each way, those inside seen from both sides.
    section, drawn = cells.section(solids, solids[:, :, 2] - 0.5, faces)
    assert drawn_length(section[:, :, :2], drawn) == pytest.approx(2 * 8 - 4)
    # Below stay the bottom's eight lines, twelve uprights and a ring at a third, each seen from both sides.
    rest, drawn = cells.clip(skin, skin[:, :, 2] - 0.5, edges)
    assert drawn_length(rest, drawn) == pytest.approx(2 * (8 + 12 * 0.5 + 4))
    # A slanted plane meets cells in triangles, squares and pentagons; none of the inner cuts may show.
    distance = solids @ [1.0, 1.0, 1.0] - 0.5
    section, drawn = cells.section(solids, distance, faces)
    a, b = 0.5 * np.sqrt(2), (0.5 - 1 / 3) * np.sqrt(2)                   # sides of the section and of its corners
    assert drawn_length(section, drawn) == pytest.approx(3 * a + 2 * 3 * b)


@pytest.mark.parametrize("degree", [1, 2])
def test_quadratic_tetrahedra_show_the_edges_of_the_linear_ones(tmp_path, degree):
    mesh = mesh_of(tmp_path, "tetrahedron", degree)
    solids, owner, faces = cells.tetrahedra(mesh)
    linear = mesh_of(tmp_path, "tetrahedron", 1)
    corners = linear.points[linear.cells]
    section, drawn = cells.section(mesh.points[solids], mesh.points[solids] @ [0.3, 0.4, 1.0] - 0.47, faces)
    expected = cells.section(corners, corners @ [0.3, 0.4, 1.0] - 0.47, np.ones((len(corners), 4), bool))
    assert drawn_length(section, drawn) == pytest.approx(drawn_length(*expected))
