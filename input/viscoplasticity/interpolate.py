"""Predicts a flight that was not solved: radial functions |x| with an affine part through the runs of a campaign, by parameter.

    python interpolate.py out/dataset.h5 out/guess.h5 t_gas=1360 speed=1120
"""
import sys

import h5py
import numpy as np


def weights(parameters, wanted):
    """Of the runs; they sum to one and give affine functions exactly."""
    low, high = parameters.min(axis=0), parameters.max(axis=0)
    x, at = (parameters - low) / (high - low), (wanted - low) / (high - low)
    n, d = x.shape
    system, right = np.zeros((n + d + 1, n + d + 1)), np.zeros(n + d + 1)
    system[:n, :n] = np.linalg.norm(x[:, None] - x[None], axis=2)
    system[:n, n:] = np.column_stack([np.ones(n), x])
    system[n:, :n] = system[:n, n:].T
    right[:n], right[n:] = np.linalg.norm(x - at, axis=1), [1.0, *at]
    return np.linalg.solve(system, right)[:n]


def main(dataset, target, *values):
    wanted = dict(value.split("=") for value in values)
    with h5py.File(dataset) as file, h5py.File(target, "w") as made:
        names = list(file["/parameters"].attrs["names"])
        weight = weights(file["/parameters"][:], np.array([float(wanted[name]) for name in names]))
        for field in ("temperature", "displacement"):
            made[f"/fields/{field}"] = np.einsum("s,s...->...", weight, file[f"/fields/{field}"][:])[None]
        # What the interpolation itself says of the plastic strain, to compare with.
        plastic = file["/fields/accumulated_plastic_strain"]
        made["/guess/accumulated_plastic_strain"] = np.einsum("s,s...->...", weight, plastic[:])
        made["/times"] = file["/time"][:]
        made["/nodes"] = file["/mesh/geometry"][:]
        for name in names:
            made[f"/parameters/{name}"] = [float(wanted[name])]


if __name__ == "__main__":
    main(*sys.argv[1:])
