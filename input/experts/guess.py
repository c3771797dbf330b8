"""Predictions as a cheap surrogate makes them: for parameters that were not solved, the mean of the dataset's samples
weighted by the inverse square of the distance of their parameters, and a little noise.

    python guess.py out/dataset.h5 out/guess.h5
"""
import sys

import h5py
import numpy as np

SAMPLES, NOISE, SEED = 8, 2e-3, 7


def guess(dataset, target):
    random = np.random.default_rng(SEED)
    with h5py.File(dataset) as file:
        parameters, names = file["/parameters"][:], list(file["/parameters"].attrs["names"])
        fields = file["/fields/temperature"][:, :, 0]
        nodes = file["/mesh/geometry"][:]
    low, high = parameters.min(axis=0), parameters.max(axis=0)
    points = low + (high - low) * random.uniform(0.1, 0.9, (SAMPLES, len(names)))
    distance = np.linalg.norm((points[:, None] - parameters[None]) / (high - low), axis=2)
    weights = distance ** -2
    weights /= weights.sum(axis=1, keepdims=True)
    predicted = weights @ fields
    predicted += NOISE * np.ptp(fields) * random.standard_normal(predicted.shape)
    with h5py.File(target, "w") as file:
        file["/fields/temperature"] = predicted                 # [sample, node], in the order of the dataset's nodes
        file["/nodes"] = nodes                                  # compared with those of the deck's mesh
        for name, column in zip(names, points.T):
            file[f"/parameters/{name}"] = column


if __name__ == "__main__":
    guess(sys.argv[1], sys.argv[2])
