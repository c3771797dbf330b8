"""The predictions of `input/experts`: what `tessera constrain` reads, in the range of the samples they come from."""
import importlib.util
from pathlib import Path

import h5py
import numpy as np

CASE = Path(__file__).resolve().parents[2] / "input" / "experts"


def module(name):
    spec = importlib.util.spec_from_file_location(name, CASE / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_guesses_are_means_of_samples(tmp_path):
    guess = module("guess")
    g = np.random.default_rng(1)
    fields, nodes = 300 + 50 * g.random((6, 12)), g.random((12, 2))
    with h5py.File(tmp_path / "dataset.h5", "w") as file:
        file["/fields/temperature"] = fields[:, :, None]
        file["/parameters"] = g.random((6, 3))
        file["/parameters"].attrs["names"] = ["place", "power", "inlet"]
        file["/mesh/geometry"] = nodes
    guess.guess(tmp_path / "dataset.h5", tmp_path / "guess.h5")
    with h5py.File(tmp_path / "guess.h5") as file:
        predicted = file["/fields/temperature"][...]
        assert predicted.shape == (guess.SAMPLES, 12)
        assert (file["/nodes"][...] == nodes).all()
        assert all(file[f"/parameters/{name}"].shape == (guess.SAMPLES,) for name in ("place", "power", "inlet"))
    room = 6 * guess.NOISE * np.ptp(fields)
    assert (predicted > fields.min(axis=0) - room).all() and (predicted < fields.max(axis=0) + room).all()
    # Neither one sample nor the mean of all.
    assert np.ptp(predicted, axis=0).max() > room / 3
