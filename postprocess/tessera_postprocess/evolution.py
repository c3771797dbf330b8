"""Pictures of runs in time: steps, quantities, profiles in 1D."""
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from . import style
from .files import FileError

LOG = "/log/steps"
# What the log says of a step itself; the other columns are quantities of interest.
OWN = ("time", "length", "newton", "linear", "error", "conserved", "supplied", "inflow", "imbalance")
TINY = 1e-17            # where zeros go on logarithmic axes


def _log(result):
    if LOG not in result.h5:
        raise FileError(f"{result.path}: there is no {LOG}; give a run of a deck with [time]")
    return result.table(LOG)


def _panels(count, title, height=1.6):
    figure, grid = plt.subplots(count, 1, figsize=(5.8, 0.7 + height * count), sharex=True, squeeze=False,
                                layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10.5, weight="bold")
    grid[-1, 0].set_xlabel("Time (s)")
    return figure, grid[:, 0]


def steps(results, title=None):
    """Length of the steps, iterations, and the estimated error and that of the balance."""
    figure, panels = _panels(3, title or style.heading(results, "time steps"))
    for i, result in enumerate(results):
        log, colour = _log(result), style.SERIES[i % len(style.SERIES)]
        label = result.title if len(results) > 1 else None
        time = log["time"]
        panels[0].semilogy(time, log["length"], "o-", markersize=2.5, linewidth=1.0, color=colour, label=label)
        panels[1].plot(time, log["newton"], drawstyle="steps-pre", color=colour)
        if np.any(log["linear"] > 1.5 * log["newton"]):
            panels[1].plot(time, log["linear"], ":", drawstyle="steps-pre", color=colour)
        size = max(np.abs(log["conserved"]).max(initial=0), 1e-300)
        panels[2].semilogy(time, log["error"], "-", color=colour, label="estimated error" if i == 0 else None)
        panels[2].semilogy(time, np.maximum(np.abs(log["imbalance"]) / size, TINY), ".", markersize=3,
                           color=colour, alpha=0.6, label="balance" if i == 0 else None)
    for axes, text in zip(panels, ("Step (s)", "Iterations", "Relative error")):
        axes.set_ylabel(text)
    panels[1].set_ylim(bottom=0)
    panels[1].yaxis.set_major_locator(MaxNLocator(4, integer=True))
    panels[2].legend(ncols=2, loc="best")
    if len(results) > 1:
        panels[0].legend()
    figure.align_labels()
    return figure


def history(results, title=None, names=()):
    """Quantities of interest, or any columns of the log of steps, against time."""
    log = _log(results[0])
    there = [name for name in log if name != "time"]
    names = list(names) or [name for name in there if name not in OWN] or ["conserved"]
    for name in names:
        if name not in there:
            raise FileError(f"{results[0].path}: the steps have no column {name} (columns: {', '.join(there)})")
    figure, panels = _panels(len(names), title or style.heading(results, "history"))
    logs = [_log(result) for result in results]
    for axes, name in zip(panels, names):
        largest = max(np.abs(log[name][np.isfinite(log[name])]).max(initial=0) for log in logs)
        factor, unit = style.scaled(largest, results[0].unit(f"/qoi/{name}"))
        for i, (result, log) in enumerate(zip(results, logs)):
            # Problems that are solved at frames only have no numbers between them.
            there = np.isfinite(log[name])
            line = "-" if there.all() else "o-"
            axes.plot(log["time"][there], factor * log[name][there], line, markersize=2.5, color=style.SERIES[i % len(style.SERIES)],
                      label=result.title if len(results) > 1 else None)
        axes.set_ylabel(style.label(name, unit).replace(" (", "\n("))
        axes.yaxis.set_major_locator(MaxNLocator(4))
    if len(results) > 1:
        panels[0].legend()
    figure.align_labels()
    return figure


def profiles(result, name, title=None, component=0, count=7, colours="viridis"):
    """A field of a mesh in 1D at some times, early ones dark."""
    info = result.field_info(name)
    mesh = result.mesh(info["degree"])
    if mesh.dimension != 1:
        raise FileError(f"{result.path}: profiles are for meshes in one dimension; draw a `field`")
    times = result.dataset("/time")
    chosen = np.unique(np.linspace(0, len(times) - 1, min(count, len(times))).round().astype(int))
    order = np.argsort(mesh.points[:, 0])
    figure, axes = plt.subplots(figsize=(5.8, 3.6), layout="constrained")
    norm = Normalize(times[0], times[-1] if times[-1] > times[0] else times[0] + 1)
    # The brightest end of most maps does not show on white.
    shades = plt.get_cmap(colours)
    for step in chosen:
        values = result.field(name, step)[:, component]
        axes.plot(mesh.points[order, 0], values[order], color=shades(0.92 * norm(times[step])), linewidth=1.4,
                  label=f"t = {times[step]:.4g} s")
    names = info["components"] or [str(i) for i in range(result.field(name).shape[1])]
    text = f"{name} {names[component]}" if len(names) > 1 else name
    axes.set(xlabel="x (m)", ylabel=style.label(text, info["unit"]))
    axes.set_title(title or style.heading([result], f"{style.words(text)}, t = {times[0]:.4g} to {times[-1]:.4g} s"))
    axes.legend(loc="best")
    return figure
