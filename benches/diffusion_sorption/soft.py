"""A soft constraint: one network u(x, t, u_0) whose penalty is the residual of implicit Euler in steps of 5 s, with the initial
and the boundary values as further penalties, and no solution data; in NumPy, on one core.

    python benches/diffusion_sorption/soft.py [--seconds 600] [--weights unit | published]
"""
import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from column import CELLS, DIFFUSIVITY, H, TESTS, TIMES, errors, solve, stored

STEP = TIMES[1]
#: Rows in a batch; a sixteenth as many points of each condition, as many rows of the last node.
BATCH = 4096
MIDDLE = stored(np.array(0.5))[1]


class Network:
    """Layers of tanh and a linear one, from x, t and u_0 in [-1, 1]."""

    def __init__(self, widths=(3, 64, 64, 64, 1), seed=0):
        random = np.random.default_rng(seed)
        self.parameters = []
        for a, b in zip(widths, widths[1:]):
            self.parameters += [random.normal(0, np.sqrt(2 / (a + b)), (a, b)), np.zeros(b)]

    def __call__(self, x, t, u_0):
        layer = np.stack(np.broadcast_arrays(2 * x - 1, t / 250 - 1, u_0 / 0.1 - 1), axis=-1)
        self.layers = [layer]
        for weights, bias in zip(self.parameters[:-2:2], self.parameters[1:-2:2]):
            layer = np.tanh(layer @ weights + bias)
            self.layers.append(layer)
        return (layer @ self.parameters[-2] + self.parameters[-1])[..., 0]

    def gradient(self, slope):
        """Of a scalar with these derivatives with respect to the last values."""
        slope, result = slope[:, None], []
        for k in range(len(self.layers) - 1, -1, -1):
            layer = self.layers[k]
            result = [layer.T @ slope, slope.sum(axis=0)] + result
            if k:
                slope = slope @ self.parameters[2 * k].T * (1 - layer**2)
        return result


def loss(network, random, published):
    """Mean squares of rows and conditions at random points, and the gradient."""
    few = BATCH // 16
    j = np.concatenate([random.integers(1, CELLS, BATCH), np.full(few, CELLS)])
    n, u_0 = random.integers(1, 101, len(j)), random.uniform(0, 0.2, len(j))
    x, t = j * H, STEP * n
    ends = random.uniform(0, 1, few), random.uniform(0, TIMES[-1], few), random.uniform(0, 0.2, 2 * few)
    points = [(x, t, u_0), (x - H, t, u_0), (np.minimum(x + H, 1), t, u_0), (x, t - STEP, u_0),
              (ends[0], np.zeros(few), ends[2][:few]), (np.zeros(few), ends[1], ends[2][few:])]
    bounds = np.cumsum([len(p[0]) for p in points])[:-1]
    u, left, right, old, initial, inlet = np.split(network(*map(np.concatenate, zip(*points))), bounds)
    last = j == CELLS
    volume = np.where(last, H / 2, H)
    conduct = STEP * DIFFUSIVITY / H / volume
    (now, slope), (before, slope_before) = stored(u), stored(old)
    out = np.where(last, STEP * u / volume, conduct * (u - right))
    rate = np.where(last, STEP / volume, conduct)
    # Published: a rate (1/s) with R of the point, of which we take that of u = 0.5; else the change of u in a step.
    weight = 1 / MIDDLE / (STEP if published else 1)
    rows = weight * (now - before + conduct * (u - left) + out)
    scale = np.maximum(ends[2][:few], 1e-2) if published else 1.0
    start, inflow = (initial - ends[2][:few]) / scale, inlet - 1
    value = (rows**2).mean() + (start**2).mean() + (inflow**2).mean()
    by = 2 * weight * rows / len(rows)
    slopes = [by * (slope + conduct + rate), -by * conduct, np.where(last, 0, -by * conduct), -by * slope_before,
              2 * start / scale / few, 2 * inflow / few]
    return value, network.gradient(np.concatenate(slopes))


def train(seconds, published=False, seed=0, rate=1e-3, report=lambda *_: None):
    """Adam with a rate that falls like a cosine over the time there is; the network and the number of its steps."""
    network, random = Network(seed=seed), np.random.default_rng(seed)
    first = [np.zeros_like(p) for p in network.parameters]
    second = [np.zeros_like(p) for p in network.parameters]
    start, step, part = time.process_time(), 0, 0.0
    while part < 1:
        value, gradients = loss(network, random, published)
        step += 1
        part = (time.process_time() - start) / seconds
        now = 0.5 * rate * (1 + np.cos(np.pi * min(part, 1)))
        for p, g, m, v in zip(network.parameters, gradients, first, second):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            p -= now * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
        if step % 200 == 0:
            report(step, value)
    return network, step


def fields(network, cases):
    """[case, published time, free node]."""
    x = H * np.arange(1, CELLS + 1)
    return np.stack([network(x[None, :], TIMES[:, None], u_0) for u_0 in cases])


def check():
    """The gradient against differences."""
    network = Network(widths=(3, 5, 4, 1))
    for published in (False, True):
        _, gradients = loss(network, np.random.default_rng(1), published)
        for p, g in zip(network.parameters, gradients):
            index = np.unravel_index(np.abs(g).argmax(), g.shape)
            ends = []
            for shift in (1e-6, -1e-6):
                p[index] += shift
                ends.append(loss(network, np.random.default_rng(1), published)[0])
                p[index] -= shift
            assert abs((ends[0] - ends[1]) / 2e-6 - g[index]) < 1e-5 * abs(g[index]) + 1e-9, (published, index)


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--seconds", type=float, default=600)
    options.add_argument("--weights", choices=["unit", "published"], default="unit")
    given = options.parse_args()
    check()
    network, steps = train(given.seconds, given.weights == "published", report=lambda k, v: print(k, f"{v:.3e}", flush=True))
    every, late = errors(fields(network, TESTS), solve(TESTS))
    print(f"{given.weights} weights, {given.seconds:g} s, {steps} steps of Adam: error {every.mean():.3g} (worst {every.max():.3g}), "
          f"after 400 s {late.mean():.3g}")


if __name__ == "__main__":
    main()
