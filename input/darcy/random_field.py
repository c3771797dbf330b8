#!/usr/bin/env python3
"""Writes permeability.h5 for file.toml: a log-normal field with an exponential-like spectrum.

    .venv/bin/python input/darcy/random_field.py [--cells 64] [--seed 1] [--deviation 1.0] [--length 0.1]

The dataset holds one value a node in canonical order: for a box mesh x runs fastest, then y.
"""
import argparse
from pathlib import Path

import h5py
import numpy as np


def gaussian_field(points, length, rng):
    """A periodic Gaussian field of mean 0 and deviation 1 on a grid twice as wide, cut to [points, points]."""
    wide = 2 * points
    wave = 2 * np.pi * np.fft.fftfreq(wide, d=1 / (points - 1))
    kx, ky = np.meshgrid(wave, wave)
    spectrum = (1 + (length**2) * (kx**2 + ky**2)) ** -1.0   # amplitude; its square is Matern of smoothness 1
    field = np.fft.ifft2(np.fft.fft2(rng.standard_normal((wide, wide))) * spectrum).real
    return field[:points, :points] / field.std()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--deviation", type=float, default=1.0, help="of the logarithm")
    parser.add_argument("--length", type=float, default=0.1, help="of correlation, metres")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("permeability.h5"))
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    field = np.exp(arguments.deviation * gaussian_field(arguments.cells + 1, arguments.length, rng))
    with h5py.File(arguments.output, "w") as file:
        data = file.create_dataset("/fields/permeability", data=field.ravel())
        data.attrs["unit"] = "m/d"
        data.attrs["meaning"] = "log-normal hydraulic conductivity, one value a node"
    print(f"{arguments.output}: {field.size} nodes, {field.min():.3g} to {field.max():.3g} m/d")


if __name__ == "__main__":
    main()
