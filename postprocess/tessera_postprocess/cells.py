"""Cells cut up for drawing: facets, linear pieces of quadratic cells, surfaces, sections."""
import numpy as np

# Vertices of the edges and of the faces of each shape, in VTK's order.
EDGES = {
    "interval": [(0, 1)],
    "triangle": [(0, 1), (1, 2), (2, 0)],
    "quadrilateral": [(0, 1), (1, 2), (2, 3), (3, 0)],
    "tetrahedron": [(0, 1), (1, 2), (2, 0), (0, 3), (1, 3), (2, 3)],
    "hexahedron": [(0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7)],
}
FACES = {
    "tetrahedron": [(1, 2, 3), (0, 3, 2), (0, 1, 3), (0, 2, 1)],
    "hexahedron": [(0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)],
}
FACETS = {"interval": [(0,), (1,)], "triangle": EDGES["triangle"], "quadrilateral": EDGES["quadrilateral"], **FACES}
VERTICES = {"interval": 2, "triangle": 3, "quadrilateral": 4, "tetrahedron": 4, "hexahedron": 8}

# The six tetrahedra around the diagonal 0-6 of a hexahedron, and the octahedron in a quadratic tetrahedron.
HEXAHEDRON_SPLIT = [(0, 1, 2, 6), (0, 2, 3, 6), (0, 3, 7, 6), (0, 7, 4, 6), (0, 4, 5, 6), (0, 5, 1, 6)]


def _finder(cell_type, points, cells):
    """A function from a set of vertices of the cell to the cell's node in the middle of them.

    The place of every middle node is found in the first cell, so any order of nodes will do.
    """
    corners = points[cells[0, : VERTICES[cell_type]]]
    nodes = points[cells[0]]

    def middle(*vertices):
        centre = corners[list(vertices)].mean(axis=0)
        return int(np.argmin(np.linalg.norm(nodes - centre, axis=1)))

    return middle


def _split_triangle(a, b, c, middle):
    ab, bc, ca = middle(a, b), middle(b, c), middle(c, a)
    return [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]


def _split_quadrilateral(corners, middle):
    a, b, c, d = corners
    ab, bc, cd, da, o = middle(a, b), middle(b, c), middle(c, d), middle(d, a), middle(a, b, c, d)
    return [(a, ab, o, da), (ab, b, bc, o), (o, bc, c, cd), (da, o, cd, d)]


def _halves(quadrilateral):
    a, b, c, d = quadrilateral
    return [(a, b, c), (a, c, d)]


def _quadratic(cell_type, cells):
    return cells.shape[1] > VERTICES[cell_type]


def facets(cell_type, cells):
    """Facets on the boundary: cell and number of the facet in it, both [facet]."""
    table = FACETS[cell_type]
    rows = np.concatenate([np.sort(cells[:, list(f)], axis=1) for f in table])
    order = np.lexsort(rows.T)
    rows = rows[order]
    fresh = np.concatenate([[True], (rows[1:] != rows[:-1]).any(axis=1), [True]])
    alone = np.sort(order[fresh[1:] & fresh[:-1]])
    return alone % len(cells), alone // len(cells)


def triangles(mesh):
    """Linear triangles [triangle, 3] (node numbers) that cover a 2D mesh, and the cell of each."""
    kind, cells = mesh.cell_type, mesh.cells
    if kind == "triangle":
        pieces = [(0, 1, 2)]
        if _quadratic(kind, cells):
            pieces = _split_triangle(0, 1, 2, _finder(kind, mesh.points, cells))
    else:
        quads = [(0, 1, 2, 3)]
        if _quadratic(kind, cells):
            quads = _split_quadrilateral((0, 1, 2, 3), _finder(kind, mesh.points, cells))
        pieces = [t for q in quads for t in _halves(q)]
    return _take(cells, pieces)


def surface(mesh):
    """Linear triangles that cover the skin of a 3D mesh, the cell of each, and which of their edges [triangle, 3]
    are edges of the mesh (the k-th lies opposite corner k)."""
    kind, cells = mesh.cell_type, mesh.cells
    owner, number = facets(kind, cells)
    middle = _finder(kind, mesh.points, cells) if _quadratic(kind, cells) else None
    found, of_cell, edges = [], [], []
    for i, face in enumerate(FACES[kind]):
        rim = _rim(face, middle)
        if len(face) == 3:
            pieces = _split_triangle(*face, middle) if middle else [face]
        else:
            pieces = [t for q in (_split_quadrilateral(face, middle) if middle else [face]) for t in _halves(q)]
        here = owner[number == i]
        corners, which = _take(cells[here], pieces)
        found.append(corners)
        of_cell.append(here[which])
        drawn = [[{t[k - 2], t[k - 1]} in rim for k in range(3)] for t in pieces]
        edges.append(np.tile(np.array(drawn), (len(here), 1)))
    return np.concatenate(found), np.concatenate(of_cell), np.concatenate(edges)


def _rim(face, middle):
    """The pairs of neighbouring nodes on the edges of a face."""
    pairs = []
    for a, b in zip(face, face[1:] + face[:1]):
        pairs += [{a, middle(a, b)}, {middle(a, b), b}] if middle else [{a, b}]
    return pairs


def tetrahedra(mesh):
    """Linear tetrahedra [tetrahedron, 4] that fill a 3D mesh, the cell of each, and which of their faces
    [tetrahedron, 4] lie on faces of the cell (the k-th lies opposite corner k)."""
    kind, cells = mesh.cell_type, mesh.cells
    m = _finder(kind, mesh.points, cells) if _quadratic(kind, cells) else None
    if kind == "tetrahedron":
        pieces = [(0, 1, 2, 3)]
        if m:
            a, b, c, d, e, f = m(0, 1), m(1, 2), m(0, 2), m(0, 3), m(1, 3), m(2, 3)
            pieces = [(0, a, c, d), (a, 1, b, e), (c, b, 2, f), (d, e, f, 3)]
            pieces += [(a, f, x, y) for x, y in ((b, c), (c, d), (d, e), (e, b))]
    elif not m:
        pieces = HEXAHEDRON_SPLIT
    else:
        pieces = []
        for corner in range(8):
            # The eighth of the cell at this corner, as a hexahedron with the cell's orientation.
            eighth = [m(*_span(corner, other)) for other in range(8)]
            pieces += [tuple(eighth[i] for i in t) for t in HEXAHEDRON_SPLIT]
    faces = [set(face).union(*_rim(face, m), [m(*face)] if m and len(face) == 4 else []) for face in FACES[kind]]
    outer = np.array([[any(set(t) - {t[k]} <= face for face in faces) for k in range(4)] for t in pieces])
    return *_take(cells, pieces), np.tile(outer, (len(cells), 1))


def _span(corner, other):
    """Vertices of a hexahedron that agree with both corners wherever those agree."""
    place = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)]
    fixed = [x == y for x, y in zip(place[corner], place[other])]
    return [v for v in range(8) if all(place[v][k] == place[corner][k] for k in range(3) if fixed[k])]


def _take(cells, pieces):
    count = len(pieces)
    return cells[:, np.array(pieces)].reshape(-1, len(pieces[0])), np.repeat(np.arange(len(cells)), count)


def outline(mesh):
    """Boundary edges of a 2D mesh as lines [line, 2, dimension]."""
    owner, number = facets(mesh.cell_type, mesh.cells[:, : VERTICES[mesh.cell_type]])
    ends = np.array(EDGES[mesh.cell_type])[number]
    return mesh.points[mesh.cells[owner[:, None], ends]]


def clip(corners, distance, edges):
    """The part of triangles where `distance` [triangle, 3] is at most 0, and which of their edges are among `edges`
    [triangle, 3]; all attributes of the corners [triangle, 3, attribute] are interpolated."""
    inside = distance <= 0
    count = inside.sum(axis=1)
    parts, drawn = [corners[count == 3]], [edges[count == 3]]
    for wanted in (1, 2):
        some = count == wanted
        c, (d, e) = _turned(corners[some], (distance[some], edges[some]), inside[some], wanted == 1)
        first, second = (_between(c[:, 0], c[:, k], d[:, 0], d[:, k]) for k in (1, 2))
        none = np.zeros(len(e), bool)
        if wanted == 1:
            parts.append(np.stack([c[:, 0], first, second], axis=1))
            drawn.append(np.stack([none, e[:, 1], e[:, 2]], axis=1))
        else:
            parts += [np.stack([first, c[:, 1], c[:, 2]], axis=1), np.stack([first, c[:, 2], second], axis=1)]
            drawn += [np.stack([e[:, 0], none, e[:, 2]], axis=1), np.stack([e[:, 1], none, none], axis=1)]
    return np.concatenate(parts), np.concatenate(drawn)


def section(corners, distance, faces):
    """Triangles where the plane `distance` = 0 cuts tetrahedra with corners [tetrahedron, 4, attribute], and which of
    their edges lie on `faces` [tetrahedron, 4]."""
    below = distance <= 0
    count = below.sum(axis=1)
    parts, drawn = [], []
    for wanted in (1, 3):
        some = count == wanted
        c, (d, f) = _turned(corners[some], (distance[some], faces[some]), below[some], wanted == 1)
        parts.append(np.stack([_between(c[:, 0], c[:, k], d[:, 0], d[:, k]) for k in (1, 2, 3)], axis=1))
        drawn.append(f[:, 1:])
    some = count == 2
    turn = np.argsort(~below[some], axis=1, kind="stable")
    c = np.take_along_axis(corners[some], turn[:, :, None], 1)
    d, f = (np.take_along_axis(v[some], turn, 1) for v in (distance, faces))
    quad = [_between(c[:, i], c[:, j], d[:, i], d[:, j]) for i, j in ((0, 2), (0, 3), (1, 3), (1, 2))]
    none = np.zeros(len(f), bool)
    parts += [np.stack([quad[0], quad[1], quad[2]], axis=1), np.stack([quad[0], quad[2], quad[3]], axis=1)]
    # Its sides lie on the faces opposite corners 1, 2, 0 and 3.
    drawn += [np.stack([f[:, 2], none, f[:, 1]], axis=1), np.stack([f[:, 0], f[:, 3], none], axis=1)]
    return np.concatenate(parts), np.concatenate(drawn)


def _turned(corners, more, flag, wanted):
    """Corners and what belongs to them, with the one whose flag is `wanted`, unlike the others', in front."""
    size = flag.shape[1]
    turn = (np.argmax(flag == wanted, axis=1)[:, None] + np.arange(size)) % size
    return np.take_along_axis(corners, turn[:, :, None], 1), tuple(np.take_along_axis(v, turn, 1) for v in more)


def _between(a, b, da, db):
    t = (da / np.where(da == db, 1.0, da - db))[:, None]
    return a + t * (b - a)
