"""Energy spectra of velocities on periodic boxes."""
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.tri import LinearTriInterpolator, Triangulation

from . import cells, style
from .files import FileError

PERIODIC = 1e-6         # relative difference of the sides from which a field counts as not periodic
TINY = 1e-12            # of the largest energy: below it a shell is empty
SLOPES = ((-3.0, r"$k^{-3}$"), (-5.0 / 3.0, r"$k^{-5/3}$"))


def on_grid(mesh, values, count=None):
    """Values [node, component] on a regular grid of the mesh's box: array [i, (j, (k,)) component], the sides
    included, and the lengths of the box.

    The nodes of a generated box are such a grid by themselves and are taken as they are, unless `count` asks for
    so many intervals along each side; that and other meshes in 2D are interpolated linearly between the nodes.
    """
    low, high = mesh.points.min(axis=0), mesh.points.max(axis=0)
    length = high - low
    if count is None:
        places = np.round((mesh.points - low) / length * 2**40).astype(np.int64)
        axes = [np.unique(axis, return_inverse=True) for axis in places.T]
        shape = tuple(len(axis) for axis, _ in axes)
        even = all(np.ptp(np.diff(axis)) <= 2**12 for axis, _ in axes)
        if even and np.prod(shape) == len(values):
            grid = np.empty(shape + values.shape[1:])
            grid[tuple(index.ravel() for _, index in axes)] = values
            return grid, length
        count = int(len(values) ** (1 / mesh.dimension))
    if mesh.dimension != 2:
        raise ValueError("only meshes in 2D can be interpolated; leave out --grid and use a generated box")
    triangulation = Triangulation(*mesh.points.T, cells.triangles(mesh)[0])
    x, y = np.meshgrid(*(np.linspace(a, b, count + 1) for a, b in zip(low, high)), indexing="ij")
    # Points on the rim must not fall out of the mesh by rounding.
    inside = [np.clip(v, a + 1e-9 * s, b - 1e-9 * s) for v, a, b, s in zip((x, y), low, high, length)]
    parts = [LinearTriInterpolator(triangulation, column)(*inside) for column in values.T]
    if any(np.ma.is_masked(part) for part in parts):
        raise ValueError("the mesh does not fill its box")
    return np.stack([np.asarray(part) for part in parts], axis=-1), length


def energy(grid, length):
    """Wave numbers k (rad/m) and the kinetic-energy spectrum E(k) per unit of mass of a periodic velocity.

    `grid` is [i, j, (k,) component] with the sides included; the integral of E over k is half the mean square of
    the velocity. Shells are as wide as the smallest wave number of the longest side, from their middle at that
    wave number up to the grid's limit; the mean flow (k = 0) belongs to none.
    """
    dimension = grid.ndim - 1
    scale = np.abs(grid).max(initial=0)
    for axis in range(dimension):
        if np.abs(grid.take(0, axis) - grid.take(-1, axis)).max(initial=0) > PERIODIC * scale:
            raise ValueError(f"the field is not periodic along {'xyz'[axis]}")
    grid = grid[(slice(-1),) * dimension]
    waves = np.fft.fftn(grid, axes=range(dimension)) / np.prod(grid.shape[:dimension])
    density = 0.5 * (np.abs(waves) ** 2).sum(axis=-1)
    numbers = [2 * np.pi * np.fft.fftfreq(n, side / n) for n, side in zip(grid.shape, length)]
    k = np.sqrt(sum(part**2 for part in np.meshgrid(*numbers, indexing="ij")))
    width = 2 * np.pi / np.max(length)
    shell = np.round(k / width).astype(int)
    sums = np.bincount(shell.ravel(), density.ravel())
    last = int(round(min(np.pi * n / side for n, side in zip(grid.shape, length)) / width))
    shells = np.arange(1, min(last, len(sums) - 1) + 1)
    return width * shells, sums[shells] / width


def spectrum(result, name, title=None, count=1, grid=None, colours="viridis"):
    """The spectrum of a velocity at some times of a run, early ones dark."""
    info = result.field_info(name)
    if info["location"] != "node":
        raise FileError(f"{result.path}: /fields/{name} lives on cells; a spectrum needs values at nodes")
    mesh = result.mesh(info["degree"])
    steps = info["steps"]
    chosen = np.unique(np.linspace(0, steps - 1, count).round().astype(int)) if count > 1 else [steps - 1]
    times = result.dataset("/time") if "/time" in result.h5 else np.arange(float(steps))
    figure, axes = plt.subplots(figsize=(5.8, 4.2), layout="constrained")
    shades = plt.get_cmap(colours)(np.linspace(0, 0.88, len(chosen)))
    envelope = 0.0
    for step, shade in zip(chosen, shades):
        try:
            k, e = energy(*on_grid(mesh, result.field(name, step), grid))
        except ValueError as error:
            raise FileError(f"{result.path}: /fields/{name}: {error}") from None
        envelope = np.maximum(envelope, e)
        seen = e > TINY * e.max(initial=0)
        if seen.any():
            axes.loglog(k[seen], e[seen], "o-", markersize=2.5, linewidth=1.3, color=shade,
                        label=f"t = {times[step]:.4g} s")
    if not axes.lines:
        raise FileError(f"{result.path}: /fields/{name} is at rest or uniform, so it has no spectrum")
    _slopes(axes, k, envelope)
    if info["degree"] > 1 and grid is None:
        limit = k[-1] / info["degree"]
        axes.axvspan(limit, k[-1], color=style.GREY, alpha=0.12, linewidth=0)
        axes.annotate("shorter than\ntwo cells", (limit, 0.98), xycoords=("data", "axes fraction"), xytext=(3, 0),
                      textcoords="offset points", va="top", fontsize=7.5, color=style.GREY)
    axes.set_xlim(0.9 * k[0], k[-1])
    unit = info["unit"] or "m/s"
    axes.set(xlabel="Wave number k (rad/m)", ylabel="E(k) (m³/s²)" if unit == "m/s" else f"E(k) (({unit})² m)")
    axes.set_title(title or f"{result.title}: energy spectrum, {style.words(name)}")
    axes.legend(loc="lower left")
    return figure


def _slopes(axes, k, e):
    """Reference slopes as lines just above the curves, whose largest values are `e`."""
    ends = k[0] * (k[-1] / k[0]) ** np.array([0.3, 0.72])
    between = (k >= ends[0]) & (k <= ends[1]) & (e > 0)
    for (slope, label), distance in zip(SLOPES, (2.5, 6.0)):
        level = distance * (e[between] * (k[between] / ends[0]) ** -slope).max(initial=TINY * e.max())
        line = level * (ends / ends[0]) ** slope
        axes.loglog(ends, line, "--", color=style.INK, linewidth=0.9, alpha=0.75)
        axes.annotate(label, (ends[1], line[1]), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9)
