"""Uncertain quantities of interest: how they are distributed, and which parameters that comes from."""
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from . import style
from .files import FileError

GROUP = "/uncertainty"


def uncertainty(results, title=None, names=()):
    """A row a quantity: the histogram of the draws with mean, quantiles and their brackets; beside it the Sobol indices."""
    result = results[0]
    every = result.members(f"{GROUP}/quantiles")
    if not every:
        raise FileError(f"{result.path}: there is nothing in {GROUP}; predict with --samples")
    for name in names:
        if name not in every:
            raise FileError(f"{result.path}: there is no quantity {name} (quantities: {', '.join(every)})")
    names = list(names) or every
    indices = bool(result.members(f"{GROUP}/sobol"))
    figure, grid = plt.subplots(len(names), 2 if indices else 1, squeeze=False, layout="constrained",
                                figsize=(7.2 if indices else 4.4, 0.5 + 2.0 * len(names)))
    for row, (name, axes) in enumerate(zip(names, grid)):
        _distribution(axes[0], result, name)
        if indices:
            _indices(axes[1], result, name, row == 0, row == len(names) - 1)
    count = int(result.attribute(GROUP, "samples"))
    figure.suptitle(title or f"{result.title}: {count:,} draws", x=0.01, ha="left", fontsize=10.5, weight="bold")
    return figure


def _distribution(axes, result, name):
    values, unit = result.quantity(name).ravel(), result.unit(f"/qoi/{name}")
    factor, unit = style.scaled(np.abs(values).max(), unit)
    bins = int(np.clip(np.sqrt(len(values)), 8, 60))
    axes.hist(values * factor, bins=bins, density=True, color=style.SERIES[0], alpha=0.3)
    quantiles = result.table(f"{GROUP}/quantiles/{name}")
    mean = {key: values[0] for key, values in result.table(f"{GROUP}/mean/{name}").items()}
    # A mean that full solves have corrected may lie outside of the draws.
    shown = factor * np.array([*values, *quantiles["value"], mean["value"]])
    margin = 0.05 * np.ptp(shown)
    if margin > 0:
        axes.set_xlim(shown.min() - margin, shown.max() + margin)
    for level, value, low, high in zip(*(quantiles[c] for c in ("level", "value", "low", "high"))):
        _place(axes, factor * value, factor * low, factor * high, style.SERIES[0], f"{100 * level:g} %")
    _place(axes, *(factor * mean[c] for c in ("value", "low", "high")), style.SERIES[1], "mean", 0.9)
    axes.set(xlabel=style.label(name, unit), yticks=[])
    axes.set_ylim(top=1.32 * axes.get_ylim()[1])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.grid(axis="y", visible=False)


def _place(axes, value, low, high, colour, text, height=1.0):
    """A line, and its bracket, which is open where it has no end."""
    left, right = axes.get_xlim()
    axes.axvspan(max(low, left), min(high, right), ymax=0.8, color=colour, alpha=0.25, linewidth=0)
    axes.axvline(value, ymax=0.8, color=colour, linewidth=1.1)
    axes.set_xlim(left, right)
    axes.text(value, 0.82 if height == 1.0 else 0.92, text, transform=axes.get_xaxis_transform(), ha="center",
              va="bottom", fontsize=7.5, color=colour)


def _indices(axes, result, name, first, last):
    path = f"{GROUP}/sobol/{name}"
    table, parameters = result.table(path), result.names(f"{path}@names")
    places = np.arange(len(parameters))
    for shift, key, label, alpha in ((-0.2, "first", "alone", 1.0), (0.2, "total", "with others", 0.45)):
        # Sampling error at 95 %, and what the model's error may do to it.
        error = 1.96 * table[f"{key}_error"] + table[f"{key}_model"]
        value = np.nan_to_num(table[key])
        axes.barh(places + shift, value, 0.38, color=style.SERIES[2], alpha=alpha, label=label)
        ends = np.clip([value - error, value + error], 0, 1)
        axes.errorbar(value, places + shift, xerr=np.abs(ends - value), fmt="none", ecolor=style.INK, elinewidth=0.9,
                      capsize=1.8)
    axes.set(yticks=places, yticklabels=parameters, xlim=(0, 1.02))
    axes.set_ylim(len(parameters) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    if last:
        axes.set_xlabel("Part of the variance (Sobol index)")
    if first:
        axes.legend(loc="lower right", fontsize=7.5)
