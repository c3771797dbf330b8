"""A look at a data set on a grid: a sheet of samples, and statistics."""
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from . import style
from .files import FileError, GridFile

MAPS = {"inputs": "cividis", "outputs": "viridis"}
MOST_COLUMNS = 12
VALUES = 200_000        # for a histogram


class _Column:
    """One quantity on the grid: an input, or a component of an output at a step."""

    def __init__(self, file, group, name, component=None, step=None):
        self.file, self.group, self.name, self.component, self.step = file, group, name, component, step
        self.path = f"/{group}/{name}"
        self.unit = file.unit(self.path)

    def values(self, sample):
        dataset = self.file.h5[self.path]
        if self.group == "inputs":
            values = dataset[sample]
        elif self.step is None:
            values = dataset[sample, ..., self.component]
        else:
            values = dataset[sample, self.step, ..., self.component]
        return np.where(self.file.mask(), values, np.nan)

    def label(self):
        text = style.label(self.name)
        if self.component is not None and len(names := self.file.components(self.name)) > 1:
            text += f" {names[self.component]}"
        return text

    def when(self):
        if self.step is None:
            return ""
        times = self.file.h5["/time"]
        # Where each sample has times of its own a step has none in common.
        return f"t = {times[self.step]:.4g} s" if times.ndim == 1 else f"step {self.step}"


def _columns(file, names, steps):
    there = {name: group for group in ("inputs", "outputs") for name in file.members(f"/{group}")}
    for name in names:
        if name not in there:
            raise FileError(f"{file.path}: there is no {name} (there: {', '.join(there)})")
    times = file.h5["/time"].shape[-1] if file.in_time() else 0
    for step in steps:
        if not -times <= step < times:
            raise FileError(f"{file.path}: there are {times} steps, so there is no step {step}")
    columns = []
    for name in names or there:
        if there[name] == "inputs":
            columns.append(_Column(file, "inputs", name))
            continue
        for component in range(len(file.components(name))):
            for step in ([s % times for s in steps] or [times - 1]) if times else [None]:
                columns.append(_Column(file, "outputs", name, component, step))
    if not columns:
        raise FileError(f"{file.path}: holds neither inputs nor outputs")
    if len(columns) > MOST_COLUMNS:
        raise FileError(f"{file.path}: {len(columns)} columns are too many for a sheet; choose some with --name")
    return columns


def _done(file):
    done = np.flatnonzero(file.done())
    if not len(done):
        raise FileError(f"{file.path}: no sample is done")
    return done


def sheet(result, title=None, count=4, names=(), steps=()):
    """A row a sample, a column an input, field component or step; one colour scale a column."""
    file = GridFile(result.path)
    done, columns = _done(file), _columns(file, names, steps)
    chosen = done[np.unique(np.linspace(0, len(done) - 1, min(count, len(done))).round().astype(int))]
    axes_of_grid, plane = file.axes(), ""
    if len(axes_of_grid) == 3:
        middle = len(axes_of_grid[2]) // 2
        plane = f", z = {axes_of_grid[2][middle]:.3g} m"
    x = axes_of_grid[0]
    line = len(axes_of_grid) == 1
    ratio = 0.62 if line else np.clip(np.ptp(axes_of_grid[1]) / max(np.ptp(x), 1e-300), 0.25, 2.5)
    width = 1.9 if line else 1.55
    height = (0.28 if line else 0.08) + width * ratio
    size = (0.55 + (width + (0.45 if line else 0.12)) * len(columns), 1.15 + height * len(chosen))
    figure, grid = plt.subplots(len(chosen), len(columns), figsize=size, squeeze=False, layout="constrained",
                                sharex=line, sharey="col" if line else False)
    figure.get_layout_engine().set(wspace=0.02, hspace=0.02)
    for number, column in enumerate(columns):
        pictures = [column.values(sample) for sample in chosen]
        if plane:
            pictures = [picture[:, :, middle] for picture in pictures]
        finite = np.concatenate([p[np.isfinite(p)] for p in pictures] + [np.zeros(0)])
        low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 1.0)
        factor, unit = style.scaled(max(abs(low), abs(high)), column.unit)
        panels, image = grid[:, number], None
        for axes, picture in zip(panels, pictures):
            if line:
                axes.plot(x, picture * factor, color=style.SERIES[0 if column.group == "outputs" else 1], linewidth=1.2)
                axes.margins(x=0)
                axes.yaxis.set_major_locator(MaxNLocator(3))
                axes.xaxis.set_major_locator(MaxNLocator(3))
                axes.tick_params(labelsize=7)
                continue
            norm = Normalize(low * factor, high * factor if high > low else low * factor + 1)
            image = axes.imshow(picture.T * factor, origin="lower", aspect="equal", interpolation="nearest", norm=norm,
                                cmap=MAPS[column.group],
                                extent=(x[0], x[-1], axes_of_grid[1][0], axes_of_grid[1][-1]))
            axes.set(xticks=[], yticks=[])
            axes.grid(False)
            for spine in axes.spines.values():
                spine.set_visible(True)
        heading = column.label() + (f" ({style.pretty(unit)})" if line and style.pretty(unit) else "")
        panels[0].set_title("\n".join(t for t in (heading, column.when()) if t), fontsize=8.5, pad=4)
        if line:
            panels[-1].set_xlabel("x (m)", fontsize=8)
        else:
            bar = figure.colorbar(image, ax=list(panels), location="bottom", fraction=0.05, pad=0.02, aspect=16)
            bar.ax.tick_params(labelsize=7, length=2)
            bar.ax.xaxis.set_major_locator(MaxNLocator(3))
            bar.outline.set_linewidth(0.5)
            bar.set_label(column.label() + (f" ({style.pretty(unit)})" if style.pretty(unit) else ""), fontsize=7.5, labelpad=1)
    numbers = file.h5["/sample"][...] if "/sample" in file.h5 else np.arange(len(file.done()))
    for axes, sample in zip(grid[:, 0], chosen):
        axes.set_ylabel(f"sample {numbers[sample]}", fontsize=7.5)
    points = " × ".join(str(len(axis)) for axis in axes_of_grid)
    figure.suptitle(title or result.title, x=0.01, ha="left", fontsize=10, weight="bold")
    figure.supxlabel(f"{len(done)} samples on {points} points{plane}", x=0.99, ha="right", fontsize=6.5, color=style.GREY)
    return figure


def table(result):
    """Rows (name, unit, mean, deviation, least, largest) of all inputs, outputs by component, and quantities."""
    file = GridFile(result.path)
    rows = []
    for group in ("inputs", "outputs"):
        for name in file.members(f"/{group}"):
            found = file.statistics(f"/{group}/{name}")
            names = [""] if group == "inputs" else file.components(name)
            for i, component in enumerate(names):
                numbers = [found[key][i] for key in ("mean", "std", "min", "max")]
                rows.append((f"{name} {component}".strip(), file.unit(f"/{group}/{name}"), *numbers))
    done = file.done()
    for name in file.members("/qoi"):
        values = file.quantity(name)[done]
        values = values[np.isfinite(values)]
        if len(values):
            rows.append((name, file.unit(f"/qoi/{name}"), values.mean(), values.std(), values.min(), values.max()))
    return rows


def text(rows):
    """The table for a terminal."""
    head = ("name", "unit", "mean", "std", "min", "max")
    cells = [head] + [(r[0], r[1], *(f"{v:.6g}" for v in r[2:])) for r in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    align = ["<", "<", ">", ">", ">", ">"]
    return "\n".join("  ".join(f"{c:{a}{w}}" for c, a, w in zip(row, align, widths)).rstrip() for row in cells)


def statistics(result, title=None, names=()):
    """A histogram of each input, output component and quantity of interest, with mean and deviation."""
    file = GridFile(result.path)
    done = _done(file)
    panels = []
    for column in _columns(file, [n for n in names if n not in file.members("/qoi")], ()) \
            if not names or any(n not in file.members("/qoi") for n in names) else []:
        # All steps count in the statistics; for the histogram a spread of samples will do.
        each = max(int(np.prod(file.h5[column.path].shape[1:])), 1)
        picks = done[np.unique(np.linspace(0, len(done) - 1, max(min(len(done), VALUES // each), 1)).astype(int))]
        dataset, mask = file.h5[column.path], file.mask()
        parts = []
        for sample in picks:
            values = dataset[sample] if column.group == "inputs" else dataset[sample][..., column.component]
            parts.append(values[..., mask].ravel())
        found = file.statistics(column.path)
        i = column.component or 0
        panels.append((column.label(), column.unit, column.group, np.concatenate(parts), found["mean"][i], found["std"][i]))
    for name in file.members("/qoi"):
        if not names or name in names:
            values = file.quantity(name)[done].ravel()
            values = values[np.isfinite(values)]
            if len(values):
                panels.append((style.label(name), file.unit(f"/qoi/{name}"), "qoi", values, values.mean(), values.std()))
    columns = min(len(panels), 4)
    rows = -(-len(panels) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(0.4 + 2.15 * columns, 0.5 + 1.75 * rows), squeeze=False,
                                layout="constrained")
    colours = {"inputs": style.SERIES[1], "outputs": style.SERIES[0], "qoi": style.SERIES[2]}
    for axes, (label, unit, group, values, mean, std) in zip(grid.flat, panels):
        values = values[np.isfinite(values)]
        factor, unit = style.scaled(np.abs(values).max(initial=0), unit)
        bins = int(np.clip(np.sqrt(len(values)), 8, 40))
        axes.hist(values * factor, bins=bins, color=colours[group], alpha=0.85, weights=np.full(len(values), 100 / len(values)))
        axes.axvline(mean * factor, color=style.INK, linewidth=1)
        axes.axvspan((mean - std) * factor, (mean + std) * factor, color=style.GREY, alpha=0.15, linewidth=0)
        axes.set_title(label, fontsize=8.5, pad=4)
        axes.set_xlabel(style.pretty(unit) or " ", fontsize=8, labelpad=1)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_locator(MaxNLocator(3))
        axes.tick_params(labelsize=7)
    for axes in grid.flat[len(panels):]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("% of values", fontsize=8)
    heading = f"{result.title}: {len(done)} samples; line: mean, band: standard deviation"
    figure.suptitle(title or heading, x=0.01, ha="left", fontsize=9.5, weight="bold")
    return figure
