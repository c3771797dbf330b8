"""The family of Hansen et al. (ICML 2023): solutions, masses and draws of u_t = (k(u) u_x)_x.

Each family has the name of its parameter, its range in training, the values it is tested at, the domain, the times of the
context points, and the time at which fields are compared.
"""
import math
from dataclasses import dataclass
from typing import Callable

import numpy as np

erf = np.vectorize(math.erf, otypes=[float])


def diffusion(c, t, x):
    return np.exp(-c * t) * np.sin(x)


def porous(m, t, x):
    """k = u^m with u(t, 0) = (m t)^(1/m): a front that moves with speed 1."""
    return (m * np.maximum(t - x, 0.0)) ** (1 / m)


def front(threshold):
    """z of the similarity solution: the front is at 2 z sqrt(t)."""
    low, high = 0.0, 10.0
    for _ in range(200):
        z = 0.5 * (low + high)
        if threshold * math.erf(z) * z * math.exp(min(z * z, 700.0)) < (1 - threshold) / math.sqrt(math.pi):
            low = z
        else:
            high = z
    return z


def stefan(threshold, t, x):
    """k = 1 above the threshold and 0 below: u falls from the threshold to 0 at the front."""
    z, root = front(threshold), 2 * np.sqrt(np.maximum(t, 1e-300))
    inside = 1 - (1 - threshold) / math.erf(z) * erf(np.minimum(x / root, 10.0))
    return np.where(x == 0, 1.0, np.where(x <= z * root, inside, 0.0))


@dataclass
class Family:
    name: str
    solution: Callable
    mass: Callable
    trained: tuple
    tested: tuple
    length: float
    end: float

    @property
    def time(self):
        return self.end / 2


FAMILIES = [
    Family("diffusion", diffusion, lambda c, t: 0.0, (1, 5), (1, 5), 2 * math.pi, 1.0),
    Family("porous medium", porous, lambda m, t: m ** (1 + 1 / m) / (m + 1) * t ** (1 + 1 / m), (1, 6), (1, 3, 6), 1.0, 1.0),
    Family("Stefan", stefan, lambda s, t: 2 * (1 - s) / math.erf(front(s)) * math.sqrt(t / math.pi), (0.55, 0.7), (0.6, 0.5),
           1.0, 0.1),
]


def contexts(random, family, parameter, count=10):
    """`count` x `count` points of a solution: a time in each of `count` intervals, places uniform; as in the authors' code."""
    t = family.end * (np.arange(count) + random.uniform(size=count)) / count
    x = family.length * np.sort(random.uniform(size=count))
    t, x = (grid.ravel() for grid in np.meshgrid(t, x, indexing="ij"))
    return np.stack([t, x], axis=1), family.solution(parameter, t, x)
