"""Pictures of fields: curves in 1D, maps in 2D, shaded surfaces and sections in 3D; sheets of a reduced basis."""
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize, hsv_to_rgb

from . import cells, render, style
from .files import FileError

TENSOR = ["xx", "xy", "xz", "yy", "yz", "zz"]
AXES = "xyz"
# Parts of the mesh, drawn with a colour for each.
PARTS = {"expert": "/partition/expert", "rank": "/partition/rank", "region": "/mesh/cell_markers"}


def choose(result, name, step=None, component=None, sample=None):
    """Values [node or cell] to draw, the label and what is known of the field. Vectors are drawn by their length
    unless a component (number or name) is asked for."""
    if name in PARTS and f"/fields/{name}" not in result.h5:
        values = result.dataset(PARTS[name]).astype(float)
        return values, name, {"unit": "", "location": "cell", "degree": 1}
    info, values = result.field_info(name), result.field(name, step, sample)
    count = values.shape[1]
    names = info["components"] or {1: [""], 6: TENSOR}.get(count, list(AXES[:count]))
    if component is None and count in (2, 3):
        return np.linalg.norm(values, axis=1), f"{name} magnitude", info
    if component is None and count > 1:
        raise FileError(f"{result.path}: {name} has {count} components; choose one of {', '.join(names)}")
    index = 0
    if component is not None:
        index = names.index(component) if component in names else int(component) if component.isdigit() else count
        if index >= count:
            raise FileError(f"{result.path}: {name} has no component {component} (there are {', '.join(names)})")
    return values[:, index], f"{name} {names[index]}".strip() if count > 1 else name, info


class Picture:
    """What to draw and how; every attribute is an option of the command line. `mesh` None: edges on a cut alone, if
    the cells are large enough to be seen."""

    def __init__(self, step=None, component=None, colours=None, limits=None, title=None, mesh=None, warp=None,
                 cut=None, view=(-60.0, 25.0), contours=0, width=6.4, sample=None):
        self.step, self.component, self.limits, self.title, self.sample = step, component, limits, title, sample
        self.mesh, self.warp, self.cut, self.view, self.contours, self.width = mesh, warp, cut, view, contours, width
        self.colours = colours or "viridis"

    def draw(self, result, name):
        """A figure of the field `name`."""
        values, text, info = choose(result, name, self.step, self.component, self.sample)
        mesh = result.mesh(info["degree"] if info["location"] == "node" else 1)
        finite = values[np.isfinite(values)]
        if len(finite) == 0:
            raise FileError(f"{result.path}: {name} holds no numbers at this step")
        limits = self.limits or (finite.min(), finite.max())
        factor, unit = style.scaled(max(abs(limits[0]), abs(limits[1])), info["unit"])
        values = values * factor
        low, high = limits[0] * factor, limits[1] * factor
        if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):
            low, high = low - 0.5 * max(abs(low), 1.0), high + 0.5 * max(abs(high), 1.0)
        norm = Normalize(low, high)
        at_cells = info["location"] == "cell"
        self.cmap = plt.get_cmap(self.colours)
        if name in PARTS:
            count = int(values.max()) + 1
            self.cmap, norm = _distinct(count), BoundaryNorm(np.arange(-0.5, count), max(count, 2))
        label = style.label(text, unit)
        title = self.title if self.title is not None else self._heading(result, name, text)
        if mesh.dimension == 1:
            figure, axes = plt.subplots(figsize=(self.width, 0.6 * self.width), layout="constrained")
            self.curve(axes, mesh, values, at_cells)
            axes.set(ylabel=label, title=title)
            return figure
        if self.warp:
            mesh.points = mesh.points + self._displacement(result, mesh)
        if mesh.dimension == 2:
            extent = np.ptp(mesh.points, axis=0)
            figure = plt.figure(figsize=_figure_size(extent, self.width))
            axes, bar = _panels(figure, extent)
            drawn = self.map(axes, mesh, values, at_cells, norm)
        else:
            drawn = plt.cm.ScalarMappable(norm, self.cmap)
            picture, extent, camera = self.body(mesh, values, at_cells, norm)
            span = np.array([extent[1] - extent[0], extent[3] - extent[2]])
            figure = plt.figure(figsize=_figure_size(span, self.width, framed=False))
            axes, bar = _panels(figure, span, framed=False)
            axes.imshow(picture, extent=extent, interpolation="antialiased")
            axes.set_axis_off()
            _scale_bar(axes, extent)
            _triad(figure, camera)
        axes.set_title(title)
        _colour_bar(figure, drawn, bar, label)
        return figure

    def _heading(self, result, name, text):
        """File, field, and which sample, time or mode of it; what was done to the body."""
        parts = [f"{result.title}: {style.words(text)}"]
        if f"/fields/{name}" in result.h5 or name not in PARTS:
            parts.append(result.when(name, self.step, self.sample))
        if self.warp and self.warp[1] != 1:
            parts.append(f"{style.words(self.warp[0])} ×\u00a0{self.warp[1]:g}")
        if self.cut and "/mesh" in result.h5 and result.attribute("/mesh", "dimension") == 3:
            parts.append(f"cut at {_plane(*self.cut)}")
        return ", ".join(part for part in parts if part)

    def _displacement(self, result, mesh):
        field, scale = self.warp
        moved = result.field(field, self.step, self.sample)
        if moved.shape != mesh.points.shape:
            raise FileError(
                f"{result.path}: {field} has the shape {moved.shape}, the nodes of the drawn field {mesh.points.shape}")
        return scale * moved

    def curve(self, axes, mesh, values, at_cells):
        x = mesh.points[:, 0]
        if at_cells:
            ends = np.sort(x[mesh.cells[:, :2]], axis=1)
            axes.add_collection(LineCollection([[(a, v), (b, v)] for (a, b), v in zip(ends, values)],
                                               colors=style.SERIES[0]))
            axes.autoscale()
        else:
            order = np.argsort(x)
            axes.plot(x[order], values[order])
        factor, unit = style.scaled(np.abs(x).max(), "m")
        axes.xaxis.set_major_formatter(lambda v, _: f"{v * factor:g}")
        axes.set_xlabel(f"x ({unit})")
        axes.margins(x=0.01)

    def map(self, axes, mesh, values, at_cells, norm):
        triangles, owner = cells.triangles(mesh)
        x, y = mesh.points.T
        if at_cells:
            drawn = axes.tripcolor(x, y, triangles, facecolors=values[owner], cmap=self.cmap, norm=norm)
        else:
            drawn = axes.tripcolor(x, y, triangles, values, shading="gouraud", cmap=self.cmap, norm=norm)
            drawn.set_rasterized(True)
            if self.contours:
                axes.tricontour(x, y, triangles, values, levels=np.linspace(norm.vmin, norm.vmax, self.contours + 2)[1:-1],
                                colors="white", linewidths=0.6, alpha=0.75)
        if self.mesh:
            corners = mesh.cells[:, : cells.VERTICES[mesh.cell_type]]
            loop = mesh.points[np.concatenate([corners, corners[:, :1]], axis=1)]
            axes.add_collection(LineCollection(loop, colors=style.INK, linewidths=0.25, alpha=0.5))
        axes.add_collection(LineCollection(cells.outline(mesh), colors=style.INK, linewidths=0.8))
        factor, unit = style.scaled(np.abs(mesh.points).max(), "m")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda v, _: f"{v * factor:g}")
        axes.grid(False)
        axes.set(xlabel=f"x ({unit})", ylabel=f"y ({unit})")
        axes.set_aspect("equal")
        for side in axes.spines.values():
            side.set_visible(False)
        return drawn

    def body(self, mesh, values, at_cells, norm):
        """The picture of a body, its extent in the camera's plane, and the camera."""
        camera = render.Camera(*self.view)
        triangles, owner, edges = cells.surface(mesh)
        at = np.repeat(values[owner][:, None], 3, axis=1) if at_cells else values[triangles]
        corners = render.corners_of(mesh.points, triangles, at, render.smooth_normals(mesh.points, triangles))
        pixels = int(150 * self.width)
        strength = render.STRONG if self.mesh else 0.0
        if self.cut:
            normal, offset = self.cut
            if np.dot(normal, camera.towards) < 0:       # show the open side
                normal, offset = -np.asarray(normal), -offset
            solids, owner, faces = cells.tetrahedra(mesh)
            at = np.repeat(values[owner][:, None], 4, axis=1) if at_cells else values[solids]
            inner = np.concatenate([mesh.points[solids], at[:, :, None], np.zeros((*at.shape, 3))], axis=2)
            distance = inner[:, :, :3] @ normal - offset
            met = len(np.unique(owner[(distance.min(axis=1) <= 0) & (distance.max(axis=1) > 0)]))
            inner, inner_edges = cells.section(inner, distance, faces)
            corners, edges = cells.clip(corners, corners[:, :, :3] @ normal - offset, edges)
            corners = np.concatenate([corners, render.flat_normals(inner)])
            edges = np.concatenate([edges, inner_edges])
            if len(corners) == 0:
                raise FileError("the cut leaves nothing of the body")
            if self.mesh is None and _cell_pixels(inner, met, corners, camera, pixels) > VISIBLE:
                strength = render.LIGHT
        picture, extent = render.render(corners, camera, lambda v: self.cmap(norm(v)), pixels,
                                        edges if strength else None, strength)
        return picture, extent, camera


VISIBLE = 7             # pixels across a cell from which edges on a cut are drawn unasked


def _cell_pixels(section, count, corners, camera, pixels):
    """Pixels across a typical one of `count` cells on a section, as it is seen."""
    if count == 0:
        return 0
    flat = camera.project(section[:, :, :3])[:, :, :2]
    u, v = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    area = 0.5 * np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]).sum()
    size = np.ptp(camera.project(corners[:, :, :3]).reshape(-1, 3)[:, :2], axis=0).max()
    return np.sqrt(area / count) * pixels / size


def _plane(normal, offset):
    """The plane in words: "x = 0.05 m", "x - 2 z = 0.1 m"."""
    size = next(n for n in normal if abs(n) > 1e-12)
    terms = [(round(n / size, 12), axis) for n, axis in zip(normal, AXES) if abs(n) > 1e-12]
    text = " ".join(f"{'-' if n < 0 else '+'} {axis if abs(n) == 1 else f'{abs(n):.3g} {axis}'}" for n, axis in terms)
    return f"{text.removeprefix('+ ')} = {offset / size:.4g} m"


def basis(result, names=(), title=None, count=6, component=None, colours=None, view=(-60.0, 25.0), width=None):
    """The first modes of a reduced model: a row a field, a column a mode. A mode has no size of its own, so each is
    drawn relative to its largest value."""
    there = result.members("/basis")
    if not there:
        raise FileError(f"{result.path}: there is no /basis; give a reduced model")
    names = list(names) or there
    for name in names:
        if name not in there:
            raise FileError(f"{result.path}: there is no basis of {name} (there: {', '.join(there)})")
    lifts = {name: int(result.attribute(f"/basis/{name}", "lifts", 0)) for name in names}
    most = {name: result.field_info(name)["steps"] - lifts[name] for name in names}
    columns = max(1, min(count, max(most.values())))
    mesh = result.mesh()
    line = mesh.dimension == 1
    width = width or 0.6 + columns * (1.9 if line else 1.55)
    each = (width - (0.3 if line else 0.9)) / columns
    picture = Picture(view=view, width=max(2.0, each))
    ratio = 0.75
    if mesh.dimension > 1:
        points = mesh.points if mesh.dimension == 2 else render.Camera(*view).project(mesh.points)
        ratio = np.clip(np.ptp(points[:, 1]) / np.ptp(points[:, 0]), 0.2, 2.5)
    figure, grid = plt.subplots(len(names), columns, figsize=(width, 0.5 + len(names) * (each * ratio + 0.35)),
                                squeeze=False, layout="constrained")
    figure.get_layout_engine().set(wspace=0.02, hspace=0.02)
    for row, name in zip(grid, names):
        drawn = None
        for number, axes in enumerate(row):
            if number >= most[name]:
                axes.set_visible(False)
                continue
            values, text, info = choose(result, name, lifts[name] + number, component)
            mesh = result.mesh(info["degree"])
            largest = np.abs(values).max(initial=0)
            values = values / (largest if largest > 0 else 1.0)
            signed = "magnitude" not in text
            picture.cmap = plt.get_cmap(colours or ("RdBu_r" if signed else "viridis"))
            norm = Normalize(-1.0 if signed else 0.0, 1.0)
            if line:
                picture.curve(axes, mesh, values, False)
                axes.tick_params(labelsize=7)
                axes.xaxis.label.set_size(7.5)
            elif mesh.dimension == 2:
                drawn = picture.map(axes, mesh, values, False, norm)
            else:
                image, extent, _ = picture.body(mesh, values, False, norm)
                axes.imshow(image, extent=extent, interpolation="antialiased")
                drawn = plt.cm.ScalarMappable(norm, picture.cmap)
            if not line:
                axes.set_axis_off()
            heading = f"mode {number + 1}"
            axes.set_title(f"{style.label(text)}\n{heading}" if number == 0 else heading, fontsize=8.5, pad=4)
        if drawn is not None:
            bar = figure.colorbar(drawn, ax=list(row), fraction=0.03, pad=0.01, aspect=18)
            bar.outline.set_visible(False)
            bar.ax.tick_params(labelsize=7, length=2)
            bar.set_label(f"{style.label(text)} / largest", fontsize=7.5)
    if line:
        for axes, name in zip(grid[:, 0], names):
            axes.set_ylabel(f"{style.label(name)} / largest", fontsize=7.5)
    figure.suptitle(title or f"{result.title}: modes of the reduced model", x=0.01, ha="left", fontsize=10.5, weight="bold")
    return figure


def _distinct(count):
    """Colours that differ between neighbours in number: steps of the golden ratio around the hues."""
    k = np.arange(max(count, 2))
    hsv = np.stack([0.58 + k * 0.618034, 0.42 + 0.16 * (k % 2), 0.90 - 0.14 * (k // 2 % 2)], axis=1) % [1.0, 1.01, 1.01]
    return ListedColormap(hsv_to_rgb(hsv))


# Margins in inches around the drawing: left, right (with the colour bar), bottom, top.
FRAMED, BARE = (0.72, 1.25, 0.58, 0.42), (0.25, 1.25, 0.72, 0.42)


def _figure_size(extent, width, framed=True):
    left, right, bottom, top = FRAMED if framed else BARE
    inner = width - left - right
    height = inner * extent[1] / extent[0]
    if height > 1.05 * width:
        inner *= 1.05 * width / height
        height = 1.05 * width
    return max(inner, 2.2) + left + right, max(height, 1.5) + bottom + top


def _panels(figure, extent, framed=True):
    """Axes for the drawing and for the colour bar."""
    left, right, bottom, top = FRAMED if framed else BARE
    width, height = figure.get_size_inches()
    inner = (width - left - right, height - bottom - top)
    axes = figure.add_axes([left / width, bottom / height, inner[0] / width, inner[1] / height])
    tall = min(inner[1], 3.4)
    bar = figure.add_axes([(width - right + 0.18) / width, (bottom + 0.5 * (inner[1] - tall)) / height,
                           0.14 / width, tall / height])
    return axes, bar


def _colour_bar(figure, drawn, axes, label):
    bar = figure.colorbar(drawn, cax=axes)
    if isinstance(drawn.norm, BoundaryNorm):
        last = drawn.norm.N - 1
        bar.set_ticks(np.arange(0, last, max(1, (last + 7) // 8)))
        bar.minorticks_off()
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2.5, width=0.7)
    bar.set_label(label)


def _scale_bar(axes, extent):
    """A bar of a round length below the body."""
    width = extent[1] - extent[0]
    length = 10.0 ** np.floor(np.log10(0.35 * width))
    length *= max(m for m in (1, 2, 5) if m * length <= 0.35 * width)
    factor, unit = style.scaled(length, "m")
    y = extent[2] - 0.02 * (extent[3] - extent[2])
    x = extent[1] - length
    axes.plot([x, x + length], [y, y], color=style.INK, linewidth=1.6, clip_on=False, solid_capstyle="butt")
    axes.annotate(f"{length * factor:g} {unit}", (x + length / 2, y), (0, -4), textcoords="offset points",
                  ha="center", va="top", fontsize=8.5, annotation_clip=False)
    axes.set(xlim=extent[:2], ylim=extent[2:])


def _triad(figure, camera):
    """The directions of x, y and z in the lower left corner."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes([0.06 / width, 0.06 / height, 0.74 / width, 0.74 / height])
    axes.set_axis_off()
    axes.set(xlim=(-1.35, 1.35), ylim=(-1.35, 1.35), aspect="equal")
    for k in np.argsort(camera.axes[2]):                  # the nearest last
        tip = camera.axes[:2, k]
        if np.hypot(*tip) < 0.08:
            continue
        colour = style.SERIES[(1, 2, 0)[k]]
        axes.annotate("", tip, (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.3,
                                                   "shrinkA": 0, "shrinkB": 0, "mutation_scale": 7})
        axes.text(*(tip * (1 + 0.28 / np.hypot(*tip))), AXES[k], color=colour, ha="center", va="center", fontsize=8.5)
