"""The family of random initial values and diffusivities: its samples, and predictions of some from others."""
import h5py
import numpy as np

from program import read


def samples(program, name="fields"):
    """A campaign of the deck, and the coefficients [sample, 24] of its fields."""
    dataset = program.campaign(name)
    with h5py.File(dataset.path) as file:
        return dataset, np.concatenate([file[f"/coefficients/{field}"][...] for field in ("a", "b")], axis=1)


def mean(known, fields, wanted):
    return np.repeat(fields.mean(axis=0)[None], len(wanted), axis=0)


def nearest(known, fields, wanted):
    return fields[((wanted[:, None] - known) ** 2).sum(axis=-1).argmin(axis=1)]


def combine(weights, fields):
    return (weights.T @ fields.reshape(len(fields), -1)).reshape(-1, *fields.shape[1:])


def left_out(inverse, flat):
    return np.linalg.norm((inverse @ flat) / np.diag(inverse)[:, None])


def linear(known, fields, wanted):
    """Linear regression with a ridge, which leaving one out chooses."""
    flat = (fields - fields.mean(axis=0)).reshape(len(fields), -1)
    kernel = 1 + known @ known.T

    def inverse(ridge):
        return np.linalg.inv(kernel + ridge * np.eye(len(known)))
    best = inverse(min(np.geomspace(1e-8, 1e4, 40), key=lambda ridge: left_out(inverse(ridge), flat)))
    return fields.mean(axis=0) + combine(best @ (1 + known @ wanted.T), fields - fields.mean(axis=0))


def gaussian_process(known, fields, wanted):
    """Squared exponentials of distances in coefficients times their deviations to a power, length and power by leaving one out."""
    flat = (fields - fields.mean(axis=0)).reshape(len(fields), -1)
    order = np.tile(1.0 + np.arange(known.shape[1] // 2), 2)

    def kernel(a, b, length, power):
        scale = order**-power / length
        return np.exp(-(((a * scale)[:, None] - b * scale) ** 2).sum(axis=-1) / 2)

    def inverse(choice):
        return np.linalg.inv(kernel(known, known, *choice) + 1e-8 * np.eye(len(known)))
    choices = [(length, power) for length in np.geomspace(0.5, 50, 20) for power in (0, 0.5, 1, 1.5, 2)]
    choice = min(choices, key=lambda choice: left_out(inverse(choice), flat))
    return fields.mean(axis=0) + combine(inverse(choice) @ kernel(known, wanted, *choice), fields - fields.mean(axis=0))


PREDICTIONS = {"mean": mean, "nearest run": nearest, "linear regression": linear, "Gaussian process": gaussian_process}
