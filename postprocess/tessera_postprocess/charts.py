"""Charts of tables: quantities of interest, reduced models, constraints, times."""
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

from . import style
from .files import FileError

TINY = 1e-17            # where zeros go on logarithmic axes


def _tables(results, group):
    """The tables in a group of all files as (label, file, name, columns)."""
    found = []
    for result in results:
        for name in result.members(group):
            label = f"{result.title}: {name}" if len(results) > 1 else style.label(name)
            found.append((label, result, name, result.table(f"{group}/{name}")))
    if not found:
        raise FileError(f"{results[0].path}: there is nothing in {group} (it is a {results[0].schema or 'file'})")
    return found


def _chart(title, width=5.4, height=3.6):
    figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
    axes.set_title(title)
    return figure, axes


def _logarithmic(axis):
    """Powers of ten with readable steps, and a few labels between them when the range is short."""
    axis.set_major_locator(LogLocator(numticks=9))
    axis.set_minor_formatter(NullFormatter())


def quantities(results, title=None, names=(), parameters=()):
    """Each quantity of interest against each parameter of a dataset, a dot a sample; the number is Spearman's rank
    correlation."""
    result = results[0]
    every, units, values = result.parameters()
    if len(values) < 2:
        raise FileError(f"{result.path}: one run has no spread to draw; give a dataset of a campaign")
    chosen = list(parameters) or [n for i, n in enumerate(every) if np.ptp(values[:, i]) > 0]
    for name in chosen:
        if name not in every:
            raise FileError(f"{result.path}: there is no parameter {name} (parameters: {', '.join(every)})")
    names = list(names) or result.members("/qoi")
    if not names or not chosen:
        raise FileError(f"{result.path}: holds no {'quantities of interest' if not names else 'varied parameters'}")
    done = result.done()
    shape = (len(names), len(chosen))
    figure, grid = plt.subplots(*shape, figsize=(0.75 + 1.45 * shape[1], 0.65 + 1.25 * shape[0]), sharex="col",
                                sharey="row", squeeze=False, layout="constrained")
    figure.get_layout_engine().set(wspace=0.02, hspace=0.02)
    for row, name in enumerate(names):
        y = result.quantity(name).reshape(len(values), -1)[:, 0]
        good = done & np.isfinite(y)
        factor, unit = style.scaled(np.abs(y[good]).max(initial=0), result.unit(f"/qoi/{name}"))
        for column, parameter in enumerate(chosen):
            axes = grid[row, column]
            x = values[:, every.index(parameter)]
            size, parameter_unit = style.scaled(np.abs(x).max(), units[every.index(parameter)])
            axes.scatter(x[good] * size, y[good] * factor, s=9, alpha=0.75, linewidths=0, color=style.SERIES[0])
            rank = _spearman(x[good], y[good])
            axes.text(1.0, 1.0, f"{rank:+.2f}", transform=axes.transAxes, ha="right", va="bottom", fontsize=7,
                      color=style.INK if abs(rank) > 0.3 else style.GREY)
            axes.margins(0.08, 0.1)
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_locator(MaxNLocator(3))
            axes.tick_params(labelsize=7.5)
            if row == shape[0] - 1:
                unit_text = style.pretty(parameter_unit)
                axes.set_xlabel(f"{parameter}\n({unit_text})" if unit_text else parameter, fontsize=8)
        grid[row, 0].set_ylabel(style.label(name, unit).replace(" (", "\n("), fontsize=8)
    figure.align_labels()
    figure.suptitle(title or f"{result.title}: {done.sum()} samples", x=0.01, ha="left", fontsize=10.5, weight="bold")
    return figure


def _spearman(x, y):
    rank = [np.argsort(np.argsort(v)).astype(float) for v in (x, y)]
    if len(x) < 3 or np.ptp(y) == 0:
        return 0.0
    return float(np.corrcoef(*rank)[0, 1])


def singular_values(results, title=None):
    """Decay of the singular values of each field's snapshots, relative to the largest."""
    figure, axes = _chart(title or style.heading(results, "singular values of the snapshots"))
    drawn = 0
    for result in results:
        for name in result.members("/singular_values"):
            values = result.dataset(f"/singular_values/{name}")
            values = values[values > 0]
            label = style.label(name) if len(results) == 1 else f"{result.title}: {name}"
            axes.semilogy(np.arange(1, len(values) + 1), values / values[0], "o-", markersize=3.2, label=label)
            drawn += 1
    if not drawn:
        raise FileError(f"{results[0].path}: there are no /singular_values; give a reduced model")
    axes.set(xlabel="Number", ylabel="Singular value / largest")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _logarithmic(axes.yaxis)
    axes.legend()
    return figure


def modes(results, title=None):
    """Error of the reduced model over training samples against the number of its modes, with its estimate."""
    figure, axes = _chart(title or style.heading(results, "error against the number of modes"))
    # Parameters and draws of the samples lie beside them.
    found = [(label, table) for label, _, _, table in _tables(results, "/training") if "modes" in table]
    if not found:
        raise FileError(f"{results[0].path}: there are no errors by number of modes (models with sampled integrals have none)")
    for i, (label, table) in enumerate(found):
        colour = style.SERIES[i % len(style.SERIES)]
        axes.semilogy(table["modes"], np.maximum(table["error"], TINY), "-o", color=colour, markersize=3.6, label=label)
        axes.semilogy(table["modes"], np.maximum(table["estimate"], TINY), ":", color=colour,
                      label=f"{label}, estimate")
    axes.set(xlabel="Modes", ylabel="Worst relative error (energy norm)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _logarithmic(axes.yaxis)
    axes.legend()
    return figure


def estimates(results, title=None):
    """Estimated against true error, a dot a prediction; above the diagonal the estimate is an upper bound."""
    figure, axes = _chart(title or style.heading(results, "estimated and true error"), 4.6, 4.2)
    low, high = np.inf, 0.0
    for label, result, name, table in _tables(results, "/truth"):
        error = np.maximum(table["relative_error"], TINY)
        estimate = np.maximum(table["effectivity"] * error, TINY)
        axes.loglog(error, estimate, "o", alpha=0.85,
                    label=f"{label} (median ratio {np.median(table['effectivity']):.2g})")
        low, high = min(low, error.min(), estimate.min()), max(high, error.max(), estimate.max())
    line = np.array([low / 2, high * 2])
    axes.loglog(line, line, color=style.INK, linewidth=1.0, zorder=1)
    axes.loglog(line, 10 * line, color=style.GREY, linewidth=0.8, linestyle="--", zorder=1)
    for factor, text, side in ((1, "estimate = error", "top"), (10, "10 times", "baseline")):
        axes.annotate(text, (line[0] * 1.5, factor * line[0] * 1.5), (2, -4 if side == "top" else 5),
                      textcoords="offset points", rotation=45, rotation_mode="anchor", va=side, fontsize=7.5,
                      transform_rotates_text=True, color=style.GREY)
    axes.set(xlim=line, ylim=line, xlabel="True relative error (energy norm)", ylabel="Estimated relative error")
    axes.set_aspect("equal")
    for axis in (axes.xaxis, axes.yaxis):
        _logarithmic(axis)
    axes.legend(loc="lower right")
    return figure


def violations(results, title=None):
    """How far every expert's balance is from zero, before and after the repair."""
    found = _tables(results, "/violation")
    figure, grid = plt.subplots(len(found), 1, figsize=(6.2, 0.9 + 2.1 * len(found)), squeeze=False, sharex=True,
                                layout="constrained")
    for axes, (label, _, _, table) in zip(grid[:, 0], found):
        # Of several samples the worst.
        before, after = (np.maximum(_worst(table[c]), TINY) for c in ("before", "after"))
        experts = np.arange(len(before))
        axes.vlines(experts, after, before, color="#d5d9e0", linewidth=1.0, zorder=1)
        axes.semilogy(experts, before, "o", color=style.SERIES[1], label="before")
        axes.semilogy(experts, after, "o", color=style.SERIES[0], label="after")
        axes.set_ylabel("Relative imbalance")
        axes.set_title(label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _logarithmic(axes.yaxis)
        axes.margins(y=0.12)
    grid[0, 0].legend(loc="center right", ncols=2)
    grid[-1, 0].set_xlabel("Expert")
    figure.suptitle(title or style.heading(results, "balance of every expert"), x=0.01, ha="left", fontsize=10.5, weight="bold")
    return figure


def _worst(values):
    return values.reshape(-1, values.shape[-1]).max(axis=0)


def _level(result, problem):
    """What a file of `tessera constrain` shows, in words."""
    level = result.attribute(f"/repair/{problem}", "level", "?")
    norm = result.attribute(f"/repair/{problem}", "norm", "")
    return {"none": "prediction", "conservation": f"conservation, {norm}"}.get(level, level)


def repairs(results, title=None):
    """What every level of constraint mends, a file of `tessera constrain` a level: balances of the experts, sorted; errors of
    fields as parts of those of the predictions; errors of quantities of interest."""
    problems = results[0].members("/repair")
    if not problems:
        raise FileError(f"{results[0].path}: there are no repairs; give files of `tessera constrain`")
    figure, grid = plt.subplots(len(problems), 2, figsize=(8.4, 0.9 + 2.7 * len(problems)), squeeze=False,
                                layout="constrained")
    for (balances, errors), problem in zip(grid, problems):
        names = []
        balances.semilogy(np.sort(np.maximum(_worst(results[0].table(f"/violation/{problem}")["before"]), TINY)),
                          color=style.INK, linewidth=2.4, label="prediction")
        for i, result in enumerate(results):
            name, colour = _level(result, problem), style.SERIES[i % len(style.SERIES)]
            if name != "prediction":
                after = _worst(result.table(f"/violation/{problem}")["after"])
                balances.semilogy(np.sort(np.maximum(after, TINY)), "o-", color=colour, markersize=2.6, linewidth=0.8,
                                  label=name)
            own = [f for f in result.members("/truth") if result.attribute(f"/fields/{f}", "physics", "") == problem]
            for field in own if name != "prediction" else []:
                truth = result.table(f"/truth/{field}")
                ratio = truth["l2_after"] / truth["l2_before"]
                errors.plot(np.full(len(ratio), len(names)), ratio, "o", color=colour, alpha=0.55)
                errors.plot([len(names) - 0.3, len(names) + 0.3], [np.median(ratio)] * 2, "-", color=colour)
                names.append(name if len(own) == 1 else f"{name}\n{field}")
        balances.xaxis.set_major_locator(MaxNLocator(integer=True))
        balances.set(xlabel="Experts, sorted", ylabel="Relative imbalance, worst sample", title=style.label(problem))
        _logarithmic(balances.yaxis)
        balances.legend(fontsize=7.5)
        if not names:
            errors.set_axis_off()
            errors.text(0.5, 0.5, "no true errors:\nrun with --truth", ha="center", transform=errors.transAxes)
            continue
        errors.axhline(1, color=style.INK, linewidth=2.4, zorder=1)
        errors.set_xticks(range(len(names)), [n.replace(", ", "\n") for n in names], fontsize=7)
        errors.set(ylabel="Error / prediction's error (L2)", ylim=(0, None),
                   title="Error: a dot a sample, a bar the median")
    figure.suptitle(title or style.heading(results, "what every level mends"), x=0.01, ha="left", fontsize=10.5, weight="bold")
    return figure


def residuals(results, title=None):
    """Relative residual against iteration of the linear solver."""
    figure, axes = _chart(title or style.heading(results, "convergence of the linear solver"))
    for label, _, _, table in _tables(results, "/log/residuals"):
        values = next(iter(table.values()))
        if len(values) < 2:                  # a direct solver
            continue
        look = "-o" if len(values) < 30 else "-"
        axes.semilogy(np.arange(len(values)), np.maximum(values / (values[0] or 1.0), TINY), look, markersize=3.2,
                      label=label)
    if not axes.lines:
        raise FileError(f"{results[0].path}: the solvers kept no residuals (direct solvers have none)")
    axes.set(xlabel="Iteration", ylabel="Residual / first residual")
    _logarithmic(axes.yaxis)
    axes.legend()
    return figure


def phases(result):
    """Times of the phases of a run, "mesh/read" style names: name -> mean over ranks and calls, in seconds."""
    table = result.log("phases")
    names = result.names("/log/phases@names")
    if len(names) != len(table["mean"]):
        raise FileError(f"{result.path}: /log/phases has {len(table['mean'])} rows but {len(names)} names")
    return dict(zip(names, table["mean"])), dict(zip(names, table["max"]))


def timing(results, title=None):
    """Where the time of each run went: a bar a phase, the longest rank's time as a tick."""
    figure, grid = plt.subplots(1, len(results), squeeze=False, layout="constrained",
                                figsize=(0.8 + 4.6 * len(results), 1.0 + 0.24 * max(_rows(r) for r in results)))
    for axes, result in zip(grid[0], results):
        mean, longest = phases(result)
        names = [n for n in mean if n != "total"]
        rows = np.arange(len(names))
        depth = [n.count("/") for n in names]
        axes.barh(rows, [mean[n] for n in names], height=0.62,
                  color=[style.SERIES[0] if d == 0 else "#a9c3e0" for d in depth])
        axes.plot([longest[n] for n in names], rows, "|", color=style.INK, markersize=8, markeredgewidth=1.2)
        axes.set_yticks(rows, ["   " * d + n.rsplit("/", 1)[-1].replace("_", " ") for n, d in zip(names, depth)])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        total = mean.get("total", sum(mean[n] for n in names if "/" not in n))
        ranks = result.attribute("/", "ranks", 1)
        axes.set(xlabel="Wall time (s); bar: mean over ranks, tick: slowest rank", xlim=(0, None))
        axes.set_title(title or f"{result.title}: {total:.3g} s on {ranks} rank{'s' if ranks != 1 else ''}")
    return figure


def _rows(result):
    return len(phases(result)[0])


def scaling(results, title=None, chosen=()):
    """Speed-up of each phase over the run on the fewest ranks, from runs of one deck on several rank counts."""
    runs = sorted(((int(r.attribute("/", "ranks", 1)), phases(r)[1]) for r in results), key=lambda run: run[0])
    if len({ranks for ranks, _ in runs}) < 2:
        raise FileError("scaling: give run files of one deck on at least two different numbers of ranks")
    base, first = runs[0]
    common = [n for n in first if all(n in p for _, p in runs)]
    for name in chosen:
        if name not in common:
            raise FileError(f"scaling: there is no phase {name} in all files (phases: {', '.join(common)})")
    if not chosen:
        top = sorted((n for n in common if "/" not in n and n != "total"), key=lambda n: -first[n])
        chosen = (["total"] if "total" in common else []) + top[:4]
    figure, axes = _chart(title or style.heading(results, "speed-up"), 4.8, 3.8)
    ranks = np.array([r for r, _ in runs])
    axes.plot(ranks, ranks / base, color=style.GREY, linewidth=1.0, linestyle="--", label="ideal")
    for name in chosen:
        times = np.array([p[name] for _, p in runs])
        axes.plot(ranks, times[0] / np.maximum(times, 1e-12), "o-", label=f"{name.replace('_', ' ')} ({times[0]:.3g} s)",
                  linewidth=2.2 if name == "total" else 1.4)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(ScalarFormatter())
        axis.set_minor_formatter(NullFormatter())
    axes.set_xticks(ranks)
    axes.set(xlabel="Ranks", ylabel=f"Speed-up over {base} rank{'s' if base > 1 else ''}")
    axes.legend()
    return figure
