"""The z-buffer shows the nearest triangle, at the right place and with the right value."""
import numpy as np

from tessera_postprocess import render


def triangle(points, value):
    corners = np.zeros((1, 3, 7))
    corners[0, :, :3], corners[0, :, 3], corners[0, :, 4:] = points, value, (0, 0, 1)
    return corners


def test_projection_keeps_lengths_and_z_points_up():
    camera = render.Camera(30, 20)
    assert np.allclose(camera.axes @ camera.axes.T, np.eye(3))
    assert np.linalg.det(camera.axes) > 0
    x, y, _ = camera.project(np.array([0.0, 0, 1]))
    assert abs(x) < 1e-12 and y > 0


def test_nearest_triangle_wins():
    low = triangle([(0, 0, 0), (4, 0, 0), (0, 4, 0)], 0.0)
    high = triangle([(0, 0, 1), (2, 0, 1), (0, 2, 1)], 1.0)
    colours = lambda v: np.where(v[:, None] > 0.5, [[1.0, 0, 0, 1]], [[0, 0, 1.0, 1]])  # noqa: E731
    for order in ([low, high], [high, low]):
        picture, extent = render.render(np.concatenate(order), render.Camera(-90, 90), colours, 200)
        rows, columns = picture.shape[:2]

        def at(x, y):
            column = int((x - extent[0]) / (extent[1] - extent[0]) * columns)
            row = int((extent[3] - y) / (extent[3] - extent[2]) * rows)
            return picture[row, column]

        assert at(0.5, 0.5)[0] > at(0.5, 0.5)[2]
        assert at(2.5, 0.5)[2] > at(2.5, 0.5)[0]
        assert at(3.5, 3.5)[3] == 0


def test_covered_area_is_that_of_the_triangle():
    picture, extent = render.render(triangle([(0, 0, 0), (3, 0, 0), (0, 2, 0)], 0.0), render.Camera(-90, 90),
                                    lambda v: np.ones((len(v), 4)), 300)
    covered = (picture[:, :, 3] >= 0.99).mean() * (extent[1] - extent[0]) * (extent[3] - extent[2])
    assert abs(covered - 3.0) < 0.06


def test_normals_are_smooth_on_a_ball_and_sharp_on_a_cube():
    g = np.linspace(0, 2 * np.pi, 25)[:-1]
    h = np.linspace(0.2, np.pi - 0.2, 13)
    points = np.array([(np.sin(b) * np.cos(a), np.sin(b) * np.sin(a), np.cos(b)) for b in h for a in g])
    faces = np.array([t for i in range(12) for j in range(24) for k in [(j + 1) % 24]
                      for t in ((24 * i + j, 24 * i + 24 + j, 24 * i + k), (24 * i + k, 24 * i + 24 + j, 24 * i + 24 + k))])
    inner = ((faces >= 24) & (faces < 288)).all(axis=1)
    normals = render.smooth_normals(points, faces)[inner]
    assert np.einsum("ijk,ijk->ij", normals, points[faces[inner]]).min() > 0.99
    corner = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1.0)])
    sharp = render.smooth_normals(corner, np.array([(0, 2, 1), (0, 1, 3)]))
    assert np.allclose(sharp[0], (0, 0, -1)) and np.allclose(sharp[1], (0, -1, 0))
