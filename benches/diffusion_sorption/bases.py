"""Poor functions of space and time for the experts of windows, on the graded times, and how near fields come to a basis."""
import numpy as np

from column import CELLS, H, TIMES, VOLUME, linear, solve, stored, training

X = H * np.arange(CELLS + 1)


def with_inlet(fields):
    """With the value 1 of the prescribed node."""
    return np.concatenate([np.ones_like(fields[..., :1]), fields], axis=-1)


def linear_diffusion(times):
    """Solutions with linear sorption, 8 retardations between those of u = 1 and 0.005 for 2 values of u_0."""
    few, many = stored(np.array([1.0, 0.005]))[1]
    retardations, initial = np.meshgrid(np.geomspace(few, many, 8), training(2))
    return with_inlet(solve(initial.ravel(), times, storage=linear(retardations.reshape(-1, 1))))


def chebyshev(times):
    """T_i(x) T_j(t), i and j up to 3."""
    columns = [np.cos(np.arange(4)[:, None] * np.arccos(np.clip(2 * s - 1, -1, 1))) for s in (X, times / TIMES[-1])]
    return np.einsum("ix,jt->ijtx", *columns).reshape(16, len(times), len(X))


def gaussian(times, count=16, length=0.3):
    """Draws of Gaussian random fields in x and t / 500 s with the covariance exp(-d^2 / 2 length^2)."""
    def root(s):
        values, vectors = np.linalg.eigh(np.exp(-((s[:, None] - s) ** 2) / (2 * length**2)))
        keep = values > 1e-14 * values[-1]
        return vectors[:, keep] * np.sqrt(values[keep])
    along_x, along_t = root(X), root(times / TIMES[-1])
    noise = np.random.default_rng(0).normal(size=(count, along_t.shape[1], along_x.shape[1]))
    return along_t @ noise @ along_x.T


POOR = {"linear diffusion": (linear_diffusion, 11), "Chebyshev": (chebyshev, 16), "Gaussian": (gaussian, 16)}


def modes(fields, count=None, least=1e-7):
    """Orthonormal columns that span functions [sample, time, node] best, at most `count`, of singular values above `least` of the
    first."""
    left, values, _ = np.linalg.svd(fields.reshape(len(fields), -1).T, full_matrices=False)
    return left[:, values > least * values[0]][:, :count]


def projection_errors(fields, functions, experts=1, count=None):
    """Relative errors of the best fit of each case by so many boxes of equal length, each with coefficients of its own for the
    `count` leading modes (all) of functions [sample, time, node]."""
    columns = modes(functions, count).T.reshape(-1, *functions.shape[1:])
    rest = 0.0
    for box in np.array_split(np.arange(fields.shape[-1]), experts):
        flat = fields[..., box].reshape(len(fields), -1)
        own = modes(columns[..., box])
        rest = rest + ((flat - (flat @ own) @ own.T) ** 2).sum(axis=1)
    return np.sqrt(rest) / np.linalg.norm(fields.reshape(len(fields), -1), axis=1)
