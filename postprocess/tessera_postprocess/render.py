"""A small renderer: shaded, anti-aliased pictures of triangles with a z-buffer, in numpy alone.

Triangles come as corners [triangle, 3, 7]: position, value, normal. Values are interpolated inside a triangle
before the colour is looked up, so contours are sharp on coarse meshes.
"""
import numpy as np

POSITION, VALUE, NORMAL = slice(0, 3), 3, slice(4, 7)
SUPERSAMPLING = 2
LINE = np.array([0.16, 0.18, 0.22])
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
STRONG, LIGHT = 0.45, 0.3                  # strength of mesh lines


class Camera:
    """Parallel projection. Azimuth and elevation in degrees, z is up."""

    def __init__(self, azimuth=-60.0, elevation=25.0):
        a, e = np.radians(azimuth), np.radians(elevation)
        self.towards = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
        self.right = np.array([-np.sin(a), np.cos(a), 0.0])
        self.up = np.cross(self.towards, self.right)
        self.axes = np.stack([self.right, self.up, self.towards])

    def project(self, points):
        """Coordinates to the right, up and towards the eye."""
        return points @ self.axes.T


def smooth_normals(points, triangles, crease=40.0):
    """Normals [triangle, 3, 3] averaged over neighbours at a corner whose faces turn by less than `crease` degrees."""
    p = points[triangles]
    area = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
    unit = _normalised(area)
    vertex = triangles.ravel()
    order = np.argsort(vertex, kind="stable")
    starts = np.searchsorted(vertex[order], np.arange(len(points) + 1))
    count = np.diff(starts)[vertex]
    # All pairs (corner, face at the same vertex).
    corner = np.repeat(np.arange(len(vertex)), count)
    offset = np.arange(len(corner)) - np.repeat(np.cumsum(count) - count, count)
    other = order[starts[vertex[corner]] + offset] // 3
    near = np.einsum("ij,ij->i", unit[corner // 3], unit[other]) > np.cos(np.radians(crease))
    total = np.stack([np.bincount(corner[near], area[other[near], k], len(vertex)) for k in range(3)], axis=1)
    return _normalised(total).reshape(-1, 3, 3)


def corners_of(points, triangles, values, normals):
    """Joins positions, values [triangle, 3] and normals to the corners that the renderer takes."""
    return np.concatenate([points[triangles], values[:, :, None], normals], axis=2)


def flat_normals(corners):
    p = corners[:, :, POSITION]
    normal = _normalised(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]))
    corners[:, :, NORMAL] = normal[:, None, :]
    return corners


def _normalised(v):
    length = np.linalg.norm(v, axis=-1, keepdims=True)
    return v / np.where(length > 0, length, 1.0)


def render(corners, camera, colours, pixels, lines=None, strength=STRONG):
    """A picture [row, column, RGBA] with transparent background, and its extent (left, right, bottom, top) in the
    camera's plane. `colours` maps values to RGBA; the longer side has about `pixels` pixels; `lines`
    [triangle, 3] says which edges (opposite the corners) to draw, `strength` (to 1) how dark."""
    xyz = camera.project(corners[:, :, POSITION])
    low, high = xyz[:, :, :2].min(axis=(0, 1)), xyz[:, :, :2].max(axis=(0, 1))
    margin = 0.01 * (high - low).max()
    low, high = low - margin, high + margin
    step = (high - low).max() / (pixels * SUPERSAMPLING)
    width, height = (np.ceil((high - low) / step / SUPERSAMPLING).astype(int) * SUPERSAMPLING)
    high = low + step * np.array([width, height])
    screen = np.stack([(xyz[:, :, 0] - low[0]) / step, (high[1] - xyz[:, :, 1]) / step], axis=2)

    face, weights, depth = _rasterise(screen, xyz[:, :, 2], width, height)
    hit = face >= 0
    attributes = np.einsum("pk,pka->pa", weights[hit], corners[face[hit]])
    picture = np.zeros((height, width, 4))
    normal = _normalised(attributes[:, NORMAL] @ camera.axes.T)
    normal *= np.where(normal[:, 2:] < 0, -1.0, 1.0)
    rgb = np.asarray(colours(attributes[:, VALUE]))[:, :3]
    occlusion = _depth_darkening(depth, hit)[hit]
    picture[hit, :3] = _shade(rgb, normal, occlusion)
    picture[hit, 3] = 1.0
    if lines is not None:
        _draw_lines(picture, screen, face, weights, hit, lines, strength)
    _draw_outlines(picture, face, depth, normal, hit, (high - low).max())
    shape = (height // SUPERSAMPLING, SUPERSAMPLING, width // SUPERSAMPLING, SUPERSAMPLING, 4)
    picture[:, :, :3] *= picture[:, :, 3:]
    picture = picture.reshape(shape).mean(axis=(1, 3))
    alpha = np.where(picture[:, :, 3:] > 0, picture[:, :, 3:], 1.0)
    picture[:, :, :3] /= alpha
    return np.clip(picture, 0, 1), (low[0], high[0], low[1], high[1])


def _rasterise(screen, depth, width, height):
    """Nearest triangle (-1: none), barycentric weights and depth of every pixel."""
    face = np.full(width * height, -1)
    weights = np.zeros((width * height, 3))
    nearest = np.full(width * height, -np.inf)
    lower = np.clip(np.floor(screen.min(axis=1) - 0.5).astype(int), 0, [width - 1, height - 1])
    upper = np.clip(np.ceil(screen.max(axis=1) + 0.5).astype(int), 0, [width - 1, height - 1])
    extent = (upper - lower).max(axis=1) + 1
    a, b, c = screen[:, 0], screen[:, 1], screen[:, 2]
    double_area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    size, largest = 4, extent.max(initial=1)
    previous = 0
    while previous < largest:
        group = np.flatnonzero((extent > previous) & (extent <= size) & (np.abs(double_area) > 1e-12))
        offset = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1).reshape(-1, 2)
        chunk = max(1, 2_000_000 // len(offset))
        for start in range(0, len(group), chunk):
            t = group[start : start + chunk]
            pixel = lower[t][:, None, :] + offset
            x, y = pixel[:, :, 0] + 0.5, pixel[:, :, 1] + 0.5
            w = np.empty((len(t), len(offset), 3))
            for k, (p, q) in enumerate(((b, c), (c, a), (a, b))):
                edge = q[t] - p[t]
                w[:, :, k] = edge[:, :1] * (y - p[t][:, 1:]) - edge[:, 1:] * (x - p[t][:, :1])
            w /= double_area[t][:, None, None]
            inside = (w >= -1e-9).all(axis=2) & (pixel[:, :, 0] < width) & (pixel[:, :, 1] < height)
            i, j = np.nonzero(inside)
            where = pixel[i, j, 1] * width + pixel[i, j, 0]
            w = w[i, j]
            z = np.einsum("pk,pk->p", w, depth[t[i]])
            nearer = z > nearest[where]
            where, w, z, i = where[nearer], w[nearer], z[nearer], i[nearer]
            order = np.argsort(z, kind="stable")          # of several in one pixel the last one assigned stays
            where, w, z, i = where[order], w[order], z[order], i[order]
            nearest[where], face[where], weights[where] = z, t[i], w
        previous, size = size, size * 2
    shape = (height, width)
    return face.reshape(shape), weights.reshape(*shape, 3), nearest.reshape(shape)


def _shade(rgb, normal, occlusion):
    """A soft key light from the upper left, a weak one from the right, and a little gloss."""
    key, fill = _normalised(np.array([-0.45, 0.65, 0.75])), _normalised(np.array([0.8, -0.1, 0.5]))
    half = _normalised(key + np.array([0.0, 0.0, 1.0]))
    wrapped = (0.5 + 0.5 * normal @ key) ** 1.5
    light = 0.58 + 0.44 * wrapped + 0.08 * np.clip(normal @ fill, 0, 1)
    gloss = 0.14 * np.clip(normal @ half, 0, 1) ** 40
    return np.clip(rgb * (light * occlusion)[:, None] + gloss[:, None], 0, 1)


def _depth_darkening(depth, hit):
    """Darkens what lies behind its surroundings (Luft, Colditz and Deussen, 2006)."""
    if not hit.any():
        return np.ones_like(depth)
    z = np.where(hit, depth, np.nan)
    low, high = np.nanmin(z), np.nanmax(z)
    z = np.where(hit, (depth - low) / max(high - low, 1e-300), 0.0)
    radius = max(2, max(z.shape) // 60)
    weight = _blur(hit.astype(float), radius)
    average = _blur(z, radius) / np.maximum(weight, 1e-9)
    return 1.0 - np.clip(1.6 * (average - z), 0.0, 0.3)


def _blur(image, radius):
    """Three box filters, close to a Gaussian one."""
    for _ in range(3):
        for axis in (0, 1):
            pad = [(0, 0), (0, 0)]
            pad[axis] = (radius + 1, radius)
            total = np.cumsum(np.pad(image, pad), axis=axis)
            size = 2 * radius + 1
            image = (total[size:] - total[:-size] if axis == 0 else total[:, size:] - total[:, :-size]) / size
    return image


def _draw_lines(picture, screen, face, weights, hit, lines, strength):
    """Mesh lines half a final pixel wide on each side, dark on light colours and light on dark ones."""
    t = screen[face[hit]]
    w = weights[hit]
    a, b, c = t[:, 0], t[:, 1], t[:, 2]
    area = np.abs((b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]))
    distance = np.stack([w[:, k] * area / np.linalg.norm(t[:, (k + 1) % 3] - t[:, (k + 2) % 3], axis=1)
                         for k in range(3)], axis=1)
    distance = np.where(lines[face[hit]], distance, np.inf).min(axis=1)
    strength = strength * np.clip(1.2 - distance / (0.5 * SUPERSAMPLING), 0, 1)
    ground = picture[hit, :3]
    ink = np.where(ground @ LUMINANCE > 0.25, LINE[:, None], 0.75).T
    picture[hit, :3] += (ink - ground) * strength[:, None]


def _draw_outlines(picture, face, depth, normal, hit, size):
    """Dark lines on the silhouette, at steps in depth and at creases."""
    normals = np.zeros((*hit.shape, 3))
    normals[hit] = normal
    edge = np.zeros(hit.shape, bool)
    for axis in (0, 1):
        one = [slice(None)] * 2
        two = [slice(None)] * 2
        one[axis], two[axis] = slice(None, -1), slice(1, None)
        one, two = tuple(one), tuple(two)
        both = hit[one] & hit[two]
        with np.errstate(invalid="ignore"):
            jump = np.abs(depth[one] - depth[two]) > 0.02 * size
        turn = np.einsum("ijk,ijk->ij", normals[one], normals[two]) < 0.75
        different = (hit[one] != hit[two]) | (both & (jump | turn))
        edge[one] |= different
        edge[two] |= different
    picture[edge & hit, :3] += 0.72 * (LINE - picture[edge & hit, :3])
    picture[edge & ~hit, :3] = LINE
    picture[edge & ~hit, 3] = 0.72
