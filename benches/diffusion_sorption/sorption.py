"""Diffusion with sorption (the first case of PI-HC-MoE, Chalapathi, Du and Krishnapriyan, ICLR 2024): baselines without a
repair, windows of steps with good and with poor functions, times that were not trained on, a soft constraint, and a family with
24 parameters in place of one.

    python benches/diffusion_sorption/sorption.py [baselines] [windows] [poor] [late] [soft] [fields]
                                                  [--folder out/sorption] [--program target/release/tessera] [--cases 50]
                                                  [--seconds 600]

Errors are relative and in the Euclidean norm of all free nodes and all published times, mean and worst of 50 values of u_0 that
were not trained on: against a solution of another program and scheme (`column.solve`, 6e-8), and against full runs of the
deck in the same steps, which is what a repair aims at. Seconds are of a processor.
"""
import argparse
import time
from pathlib import Path

import numpy as np

import bases
import fields as family
import soft
from column import TESTS, TIMES, errors, lagrange, mass_defect, solve, training
from program import HERE, Failed, Program, published, write_dataset, write_predictions

#: One window over the whole run, and functions of it: all that the runs have.
WINDOW = "constraint.windows=1"
SPACE_TIME = ["rom.windows=1", "rom.tolerance=1e-20", "rom.modes=64"]
#: Scheme and steps of the runs beyond the times of training, from scratch and up to 400 s.
LATE = ['time.scheme="sdirk2"', "time.step=0.1", "time.growth=1.5"]
TRAINED = ["time.end=400", "output.frames=80", 'campaign.frames="all"']


def levels(modes, prices=()):
    """Windows of all kinds: label, level and settings of the deck; `prices` of balances as rows."""
    def ports(kind, *more):
        return "coupled", [WINDOW, f'constraint.ports="{kind}"', *more]
    yield "residual", "residual", [WINDOW]
    yield "strong ports", *ports("strong")
    yield f"weak ports, {max(1, modes // 2)}", *ports("weak", f"constraint.port_modes={max(1, modes // 2)}")
    for price in prices:
        yield (f"weak ports, {max(1, modes // 2)}, balances {price}",
               *ports("weak", f"constraint.port_modes={max(1, modes // 2)}", f"constraint.least_squares.balances={price}"))
    yield "fluxes", *ports("flux")


def head(*columns):
    print("\n| " + " | ".join(columns) + " |\n" + "| --- " * len(columns) + "|")


def line(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def both(values):
    return f"{values.mean():.2g} ({values.max():.2g})"


class Case:
    """Training runs, test runs and predictions of the published case."""

    def __init__(self, given):
        given.folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.program = given.folder, Program(given.program, HERE / "sorption.toml", given.folder)
        self.train = {count: self.program.campaign(f"train-{count}", training(count)) for count in (2, 4, 8)}
        self.cases = TESTS[:given.cases]
        self.test = self.program.campaign("test", self.cases)
        self.times, self.at = self.test.times, published(self.test.times)
        self.full = self.test.fields[:, self.at, 1:]
        self.truth = solve(self.cases)

    def predictions(self, count, how):
        """A file of predictions from so many runs: their `mean`, or their Lagrange `interpolation`."""
        runs = self.train[count]
        if how == "mean":
            values = np.repeat(runs.fields.mean(axis=0)[None], len(self.cases), axis=0)
        else:
            values = lagrange(training(count), runs.fields, self.cases)
        return write_predictions(self.folder / f"{how}-{count}.h5", runs.times, values, self.cases)

    def baselines(self):
        """What costs no repair."""
        head("", "runs", "error", "worst", "against runs in the same steps", "after 400 s", "mass", "s a run")

        def row(what, runs, values, seconds):
            every, late = errors(values[:, self.at, 1:], self.truth)
            own, _ = errors(values[:, self.at, 1:], self.full)
            line(what, runs, f"{every.mean():.3g}", f"{every.max():.3g}", both(own), both(late),
                 f"{mass_defect(self.times, values[..., 1:]).max():.1g}", seconds)

        row(f"full run, {len(self.times) - 1} steps", "", self.test.fields, f"{self.test.seconds:.2g}")
        for count, runs in self.train.items():
            row("mean", f"{count}", np.repeat(runs.fields.mean(axis=0)[None], len(self.cases), axis=0), "")
            start = time.process_time()
            values = lagrange(training(count), runs.fields, self.cases)
            row("interpolation", f"{count}", values, f"{(time.process_time() - start) / len(self.cases):.1g}")
        head("independent solution", "runs", "interpolation: error (worst)", "best fit of its modes", "s a run")
        for count in self.train:
            start = time.process_time()
            runs = solve(training(count))
            seconds = (time.process_time() - start) / count
            line("", f"{count}", both(errors(lagrange(training(count), runs, self.cases), self.truth)[0]),
                 both(bases.projection_errors(self.truth, runs)), f"{seconds:.2g}")

    def functions(self, runs):
        """Functions in space and time of a dataset."""
        self.program("train", "-o", runs.path.parent, settings=SPACE_TIME)
        return runs.path.parent / "model.h5"

    def repairs(self, what, basis, modes, predictions, experts, kinds=None, prices=()):
        """Rows of a table: windows of the levels of `kinds` (all) with so many experts, the basis a file of `train`."""
        for label, level, settings in levels(modes, prices):
            for count in experts:
                if (kinds and label.split(",")[0] not in kinds) or (count == 1 and "ports" in label):
                    continue
                try:
                    found = self.program.constrain(predictions, level, basis, modes, count, settings)
                except Failed as error:
                    line(what, label, f"{count}", str(error))
                    continue
                (own, late), (every, _) = found.errors(self.full), found.errors(self.truth)
                jump = "" if np.all(np.isnan(found.jump)) else f"{found.jump.mean():.1g}"
                line(what, label, f"{count}", both(own), both(every), both(late), jump, f"{found.mass().max():.1g}",
                     f"{found.iterations.mean():.3g}", f"{found.seconds:.2g}")

    COLUMNS = ("functions", "level", "experts", "error against runs in the same steps", "against the solution", "after 400 s",
               "jump", "mass", "iterations", "s a run")

    def windows(self):
        """Modes of the training runs."""
        head(*self.COLUMNS)
        for count, runs in self.train.items():
            self.repairs(f"modes of {count} runs", self.functions(runs), count, self.predictions(count, "mean"), (1, 4, 16))

    def poor(self):
        """Functions that are no solutions."""
        head(*self.COLUMNS)
        predictions = self.predictions(2, "mean")
        for name, (functions, modes) in bases.POOR.items():
            values = functions(self.times)
            for experts in (1, 4, 16):
                fit = bases.projection_errors(self.full, values[:, self.at, 1:], experts, modes)
                line(f"{name}, {modes}", "best fit", f"{experts}", both(fit))
            basis = write_dataset(self.folder / name.replace(" ", "-") / "dataset.h5", self.train[8], values)
            self.repairs(f"{name}, {modes}", self.functions(basis), modes, predictions, (1, 4, 16), prices=(10, 100))

    def late(self):
        """Modes in space of runs up to 400 s, step by step to 500 s."""
        head("", "experts, modes", "after 400 s (worst)", "all times", "iterations", "s a run")
        program = Program(self.program.path, HERE / "sorption.toml", self.folder, LATE)
        full = program.campaign("late", self.cases)
        every, late = errors(full.fields[:, published(full.times), 1:], self.truth)
        line(f"full run, {len(full.times) - 1} steps", "", both(late), both(every), "", f"{full.seconds:.2g}")
        runs = program.campaign("late-train", training(8), settings=TRAINED)
        program("train", "-o", runs.path.parent, settings=TRAINED)
        middle = runs.fields.mean(axis=(0, 1))
        values = np.broadcast_to(middle, (len(self.cases), len(full.times), len(middle)))
        predictions = write_predictions(self.folder / "late.h5", full.times, values, self.cases)
        for experts, modes in ((1, 8), (1, 16), (4, 4), (4, 8)):
            try:
                found = program.constrain(predictions, "coupled", runs.path.parent / "model.h5", modes, experts,
                                          ["partition.overlap=8"])
            except Failed as error:
                line("`coupled`", f"{experts}, {modes}", str(error))
                continue
            every, late = found.errors(self.truth)
            line("`coupled`", f"{experts}, {modes}", both(late), both(every), f"{found.iterations.mean():.4g}",
                 f"{found.seconds:.2g}")

    def soft(self, seconds):
        """A network whose penalty is the residual."""
        soft.check()
        head("weights", "steps of Adam", "error (worst)", "after 400 s", "s of training")
        for weights in ("unit", "published"):
            network, steps = soft.train(seconds, weights == "published")
            every, late = errors(soft.fields(network, self.cases), self.truth)
            line(weights, f"{steps}", both(every), both(late), f"{seconds:g}")


def random_fields(given, tests=20):
    """Initial values and diffusivities as random fields."""
    program = Program(given.program, HERE / "fields.toml", given.folder)
    runs, coefficients = family.samples(program)
    at, wanted = published(runs.times), coefficients[-tests:]
    draws = np.arange(len(coefficients))[-tests:]
    full = runs.fields[-tests:][:, at, 1:]
    print(f"\nfull run: {runs.seconds:.2g} s")
    head("runs", "prediction", "error", "after 400 s")
    for count in (16, 32, 64):
        known = runs.fields[:count]
        for name, predict in family.PREDICTIONS.items():
            values = predict(coefficients[:count], known, wanted)
            every, late = errors(values[:, at, 1:], full)
            line(f"{count}", name, both(every), both(late))
            write_predictions(given.folder / f"fields-{name.replace(' ', '-')}-{count}.h5", runs.times, values,
                              np.empty((tests, 0)), (), draws)
        for modes in (8, 16, 32, 64):
            if modes <= count:
                fit = bases.projection_errors(full, known[:, at, 1:], count=modes)
                line(f"{count}", f"best fit of {modes} modes", both(fit), "")
        own = write_dataset(given.folder / f"fields-{count}" / "dataset.h5", runs, known, np.arange(count))
        program("train", "-o", own.path.parent, settings=SPACE_TIME)
    return program, full


def field_windows(given, modes=((16, 16), (32, 32), (64, 32)), predictions=("Gaussian-process",), experts=(1, 4)):
    """Windows with modes of the runs, beside the predictions of `random_fields`."""
    program, full = random_fields(given)
    head("runs, modes", "prediction", "level", "experts", "error", "after 400 s", "iterations", "s a run")
    for count, number in modes:
        for how in predictions:
            for label, level, settings in levels(number):
                for k in experts:
                    if k == 1 and "ports" in label:
                        continue
                    start = given.folder / f"fields-{how}-{count}.h5", level, given.folder / f"fields-{count}" / "model.h5"
                    try:
                        found = program.constrain(*start, number, k, settings)
                    except Failed as error:
                        line(f"{count}, {number}", how, label, f"{k}", str(error))
                        continue
                    every, late = found.errors(full)
                    line(f"{count}, {number}", how, label, f"{k}", both(every), both(late), f"{found.iterations.mean():.3g}",
                         f"{found.seconds:.2g}")


def main():
    tables = ["baselines", "windows", "poor", "late", "soft", "fields", "field-windows"]
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("tables", nargs="*", metavar="table", help=", ".join(tables))
    options.add_argument("--folder", type=Path, default=Path("out/sorption"))
    options.add_argument("--program", default="target/release/tessera")
    options.add_argument("--cases", type=int, default=len(TESTS), help="values of u_0, the first of them")
    options.add_argument("--seconds", type=float, default=600, help="of training under a soft constraint")
    given = options.parse_args()
    unknown = set(given.tables) - set(tables)
    if unknown:
        options.error(f"no table {unknown.pop()}; expected some of {', '.join(tables)}")
    case = None
    for table in given.tables or tables:
        if table == "fields":
            random_fields(given)
        elif table == "field-windows":
            field_windows(given)
        else:
            case = case or Case(given)
            getattr(case, table)(*([given.seconds] if table == "soft" else []))


if __name__ == "__main__":
    main()
