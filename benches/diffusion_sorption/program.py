"""Runs of the program: campaigns, files of predictions, repairs, and datasets of functions that are no solutions."""
import os
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import h5py
import numpy as np

from column import TIMES, errors, mass_defect

HERE = Path(__file__).resolve().parent
FIELD = "/fields/concentration"


class Failed(Exception):
    """What the program said last."""


@dataclass
class Dataset:
    """A file of a campaign, with times [time], fields [sample, time, node] and parameters [sample, parameter]."""
    path: Path
    times: np.ndarray
    fields: np.ndarray
    parameters: np.ndarray
    #: Processor seconds a sample, the start of the program among them.
    seconds: float = np.nan


@dataclass
class Repaired:
    """Runs as `constrain` leaves them, [case, time, node], and what the tables say of them."""
    times: np.ndarray
    fields: np.ndarray
    #: Largest difference of two experts at a port, each case; not a number for blended fields.
    jump: np.ndarray
    #: Iterations of the repair, each case.
    iterations: np.ndarray
    #: Processor seconds a run of the whole command, and wall-clock seconds a run of the repair alone.
    seconds: float
    repair_seconds: float

    def errors(self, reference):
        """Relative errors of each case against fields [case, published time, free node]: all times, and those after 400 s."""
        at = published(self.times)
        return errors(self.fields[:, at, 1:], reference[:, :len(at)])

    def mass(self):
        """See `mass_defect`; of the published case, whose diffusivity is a number."""
        return mass_defect(self.times, self.fields[..., 1:])


class Program:
    """`tessera` with a deck."""

    def __init__(self, path, deck, folder, settings=()):
        self.path, self.deck, self.folder, self.settings = path, Path(deck), Path(folder), list(settings)

    def __call__(self, command, *arguments, settings=()):
        """Processor seconds of a command; `settings` are "key=value" of the deck."""
        def used():
            usage = resource.getrusage(resource.RUSAGE_CHILDREN)
            return usage.ru_utime + usage.ru_stime
        start = used()
        sets = [word for setting in (*self.settings, *settings) for word in ("--set", setting)]
        done = subprocess.run([self.path, command, self.deck, *map(str, arguments), *sets], capture_output=True, text=True)
        if done.returncode:
            raise Failed((done.stderr or done.stdout).strip().splitlines()[-1])
        return used() - start

    def campaign(self, name, values=None, column="u_0", settings=()):
        """A campaign over a list of values of one parameter, or as the deck has it."""
        folder = (self.folder / name).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "dataset.h5").unlink(missing_ok=True)
        settings = list(settings)
        if values is not None:
            np.savetxt(folder / "samples.csv", values, header=column, comments="", fmt="%.17g")
            settings.append(f'campaign.csv="{folder / "samples.csv"}"')
        seconds = self("campaign", "-o", folder, settings=settings)
        return read(folder / "dataset.h5", seconds)

    def constrain(self, predictions, level, basis=None, modes=None, experts=1, settings=(), options=()):
        """Repairs the runs of a file of predictions. `settings` are those of
        the deck, such as `constraint.window="run"` and `constraint.ports="weak"`."""
        folder = self.folder / "repaired"
        settings = [f"partition.experts={experts}", *settings]
        more = (["--basis", basis] if basis else []) + (["--modes", modes] if modes else [])
        seconds = self("constrain", predictions, "--level", level, *more, *options, "-o", folder, "--quiet", settings=settings)
        return repaired(folder / "constrain.h5", seconds)


def read(path, seconds=np.nan):
    """A dataset whose samples have the same times."""
    with h5py.File(path) as file:
        fields, times = file[FIELD][..., 0], file["/time"][...]
        if not np.all(file["/status"][...] == 1):
            raise Failed(f"{path}: not all samples are done")
        if times.ndim == 2:
            assert np.all(times == times[0]), "the samples have times of their own"
            times = times[0]
        return Dataset(Path(path), times, fields, file["/parameters"][...], seconds / len(fields))


def published(times):
    """Where the published times stand among others, as far as these go."""
    at = np.array([np.abs(times - t).argmin() for t in TIMES if t <= times[-1] + 1e-6])
    assert np.abs(times[at] - TIMES[:len(at)]).max() < 1e-6
    return at


def write_predictions(path, times, fields, parameters, names=("u_0",), draws=None):
    """Fields [sample, time, node] for `constrain`; `draws` are the numbers of the samples' random fields."""
    with h5py.File(path, "w") as file:
        file[FIELD], file["/times"] = fields, times
        for name, column in zip(names, np.reshape(parameters, (len(fields), -1)).T):
            file[f"/parameters/{name}"] = column
        if draws is not None:
            file["/sample"] = np.asarray(draws, np.uint64)
    return Path(path)


def write_dataset(path, like, fields, rows=None):
    """A dataset as `campaign` writes it, of any functions [sample, time, node] on the mesh and at the times of another one: what
    else is in the file, the deck and parameters too, is that of the other's samples with the numbers `rows` (the first)."""
    rows = np.zeros(len(fields), int) if rows is None else rows
    numbers = np.arange(len(fields), dtype=np.uint64)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(like.path) as old, h5py.File(path, "w") as file:
        for key, value in old.attrs.items():
            file.attrs[key] = value

        def copy(name, item):
            if isinstance(item, h5py.Group):
                made = file.require_group(name)
            else:
                values = item[...]
                if name.startswith("fields/"):
                    values = np.asarray(fields)[..., None]
                elif name == "sample":
                    values = numbers
                elif not name.startswith("mesh/"):
                    values = values[rows]
                made = file.create_dataset(name, data=values)
            for key, value in item.attrs.items():
                made.attrs[key] = value
        old.visititems(copy)
    return Dataset(Path(path), like.times, np.asarray(fields), like.parameters[rows])


def repaired(path, seconds=np.nan):
    """Reads `constrain.h5`, whose frames of a sample follow one another."""
    with h5py.File(path) as file:
        (problem,) = file["/repair"]
        samples, times = file["/frames"][...].T
        cases = len(np.unique(samples))
        times = times.reshape(cases, -1)[0]
        fields = file[FIELD][..., 0].reshape(cases, len(times), -1)
        table = file[f"/repair/{problem}"]
        columns, numbers = list(table.attrs["columns"]), table[...].reshape(cases, len(times), -1)

    def column(name, join):
        return join(numbers[:, :, columns.index(name)], axis=1)

    return Repaired(times, fields, column("jump", np.fmax.reduce), column("iterations", np.nansum), seconds / cases,
                    column("seconds", np.nansum).mean())
