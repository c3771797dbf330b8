"""The published case of diffusion with sorption (`diff-sorp` of PDEBench) in NumPy: its spatial scheme, a solution that is
independent of the program, and what counts as error.

    d/dt S(u) = (D u_x)_x on (0, 1),  S = u + C ((u + 1e-6)^n - 1e-6^n),  u(0) = 1,  -D u_x(1) = u(1),  u(t = 0) = u_0

Nodes j/1024, the first one prescribed, the other 1024 free; lumped storage; 101 times of 5 s.
"""
import numpy as np
from scipy.linalg import solve_banded

CELLS = 1024
H = 1 / CELLS
DIFFUSIVITY = 5e-4
EXPONENT = 0.874
SORPTION = (1 - 0.29) / 0.29 * 2880 * 3.5e-4
SHIFT = 1e-6
#: The published times (s).
TIMES = 5.0 * np.arange(101)
#: Volumes that belong to the free nodes.
VOLUME = np.full(CELLS, H)
VOLUME[-1] = H / 2
TESTS = np.random.default_rng(1234).uniform(0, 0.2, 50)


def stored(u):
    """S and its derivative R; below zero along the tangent."""
    shifted = np.maximum(u, 0) + SHIFT
    power = shifted**EXPONENT
    slope = 1 + SORPTION * EXPONENT * power / shifted
    return np.maximum(u, 0) + SORPTION * (power - SHIFT**EXPONENT) + slope * np.minimum(u, 0), slope


def linear(retardation):
    """Linear storage, R u."""
    return lambda u: (retardation * u, np.full_like(u, retardation))


def outflow(u):
    """What leaves the volumes of the free nodes (1/s), [..., node]."""
    left = np.concatenate([np.ones_like(u[..., :1]), u[..., :-1]], axis=-1)
    flux = DIFFUSIVITY / H * (left - u)
    return np.concatenate([flux[..., 1:], u[..., -1:]], axis=-1) - flux


def training(count):
    """Chebyshev's points of u_0."""
    return 0.1 + 0.1 * np.cos((2 * np.arange(count) + 1) * np.pi / (2 * count))


# Hairer and Wanner, Solving Ordinary Differential Equations II, table IV.6.5: order 4, five stages, L-stable.
STAGES = np.array([[1 / 4, 0, 0, 0, 0], [1 / 2, 1 / 4, 0, 0, 0], [17 / 50, -1 / 25, 1 / 4, 0, 0],
                   [371 / 1360, -137 / 2720, 15 / 544, 1 / 4, 0], [25 / 24, -49 / 48, 125 / 16, -85 / 12, 1 / 4]])


def implicit(old, guess, length, storage):
    """u with V S(u) + length * outflow(u) = V old, by Newton's method for all cases [case, node] at once."""
    u, (cases, nodes) = guess.copy(), guess.shape
    band = np.zeros((3, cases, nodes))
    conduct = length * DIFFUSIVITY / H
    band[0, :, 1:] = band[2, :, :-1] = -conduct
    fixed = np.full(nodes, 2 * conduct)
    fixed[-1] = conduct + length
    for _ in range(40):
        value, slope = storage(u)
        rest = VOLUME * (value - old) + length * outflow(u)
        band[1] = VOLUME * slope + fixed
        step = solve_banded((1, 1), band.reshape(3, -1), rest.ravel()).reshape(u.shape)
        u -= step
        if np.abs(step).max() < 1e-13:
            return u
    raise RuntimeError("Newton's method does not converge")


def substeps(times, scale):
    """Times from the first to the last of these, through all of them: 24 steps of ratio 1.35 up to 5 s, 2 for each of the next
    two 5 s, then 5 s; `scale` times as many."""
    ratio, count = 1.35 ** (1 / scale), 24 * scale
    first = 5 * (ratio ** np.arange(count + 1) - 1) / (ratio**count - 1)
    rest = [np.linspace(5, 15, 4 * scale + 1)[1:], np.linspace(15, TIMES[-1], 97 * scale + 1)[1:]]
    return np.unique(np.concatenate([first, *rest, times]).round(12))


def solve(initial, times=TIMES, scale=2, storage=stored):
    """Solutions [case, time, free node] from the values u_0 [case]; the error in time is 4e-9 for scale 4, 6e-8 for scale 2."""
    u = np.repeat(np.asarray(initial, float)[:, None], CELLS, axis=1)
    result, now, old = [u], times[0], storage(u)[0]
    grid = substeps(times, scale)
    for end in grid[grid > times[0]]:
        dt, rates = end - now, []
        for row in STAGES:
            known = old - dt * sum((a * rate for a, rate in zip(row, rates)), np.zeros_like(u))
            u = implicit(known, u, dt * 0.25, storage)
            rates.append(outflow(u) / VOLUME)
        now, old = end, storage(u)[0]
        if np.abs(times - now).min() < 1e-9:
            result.append(u)
    return np.stack(result, axis=1)


def errors(fields, truth):
    """Relative errors of each case, of arrays [case, time, free node]: all times and those after 400 s."""
    def relative(part):
        return np.linalg.norm((fields - truth)[:, part], axis=(1, 2)) / np.linalg.norm(truth[:, part], axis=(1, 2))
    return relative(slice(None)), relative(slice(81, None))


def mass_defect(times, fields):
    """What all steps of BDF2 together leave of the balance of each case, over the change of what is stored. Without the
    first step, which has another formula."""
    storage = stored(fields)[0] @ VOLUME
    through = outflow(fields).sum(axis=-1)
    left = np.zeros(len(fields))
    for n in range(2, len(times)):
        dt, before = times[n] - times[n - 1], times[n - 1] - times[n - 2]
        w = dt / before
        left += ((1 + 2 * w) / (1 + w) * storage[:, n] - (1 + w) * storage[:, n - 1]
                 + w * w / (1 + w) * storage[:, n - 2] + dt * through[:, n])
    return np.abs(left) / np.abs(storage[:, -1] - storage[:, 0])


def lagrange(points, fields, targets):
    """The polynomial in u_0 through solutions at points."""
    weights = [[np.prod([(t - q) / (p - q) for q in points if q != p]) for p in points] for t in targets]
    return np.tensordot(np.array(weights), fields, 1)
