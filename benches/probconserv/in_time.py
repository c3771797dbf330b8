"""Runs in time of the generalised porous medium equation, as a Gaussian process predicts them from 10 x 10 points, and
repaired step by step by `tessera constrain`: errors against the exact solutions.

    python benches/probconserv/in_time.py [--draws 10] [--folder out/probconserv] [--program target/release/tessera]
"""
import argparse
import os
import subprocess
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import h5py
import numpy as np

from equations import FAMILIES, contexts
from gpme import NODES, TRAINING, weights
from regression import Regression

HERE = Path(__file__).resolve().parent
FRAMES = 21
LEVELS = [("boundary",), ("conservation", "--weight", "euclidean"), ("conservation", "--weight", "mass"),
          ("coupled",), ("exact",)]


def predictions(family, parameter, regression, random, draws):
    x, times = np.linspace(0, family.length, NODES), np.linspace(0, family.time, FRAMES)
    points = np.stack([grid.ravel() for grid in np.meshgrid(times, x, indexing="ij")], axis=1)
    fields = [regression.predict(*contexts(random, family, parameter), points)[0] for _ in range(draws)]
    return x, times, np.reshape(fields, (draws, FRAMES, NODES))


def repair(program, deck, level, input_file, folder):
    """Fields, the worst imbalance of an expert before and after, relative to what it exchanges, and seconds a run."""
    start = time.perf_counter()
    done = subprocess.run([program, "constrain", HERE / f"{deck}.toml", input_file, "--level", *level, "-o", folder, "--quiet"],
                          capture_output=True, text=True)
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    seconds = time.perf_counter() - start
    with h5py.File(folder / "constrain.h5") as file:
        fields = file["/fields/u"][...].reshape(-1, FRAMES, NODES)
        violation = file["/violation/medium"][...] if "/violation/medium" in file else np.full((1, 2), np.nan)
    return fields, np.nanmax(violation.reshape(-1, 2), axis=0), seconds / len(fields)


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--draws", type=int, default=10)
    options.add_argument("--folder", type=Path, default=Path("out/probconserv"))
    options.add_argument("--program", default="target/release/tessera")
    given = options.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    print("| | | CE at the end, 1e-3 | MSE 1e-4 | worst imbalance | ms a run |\n" + "| --- " * 6 + "|")
    for family in FAMILIES:
        random = np.random.default_rng(7)
        regression = Regression([contexts(random, family, p) for p in random.uniform(*family.trained, TRAINING)])
        for parameter in family.tested:
            for line in lines(given, family, parameter, regression, random):
                print(f"| {family.name} {parameter} | {line}")


def lines(given, family, parameter, regression, random):
    """Of the prediction and of every level."""
    start = time.perf_counter()
    x, times, fields = predictions(family, parameter, regression, random, given.draws)
    seconds = (time.perf_counter() - start) / given.draws
    deck = family.name.replace(" ", "-")
    path, row = given.folder / f"{deck}-in-time.h5", weights(x)
    with h5py.File(path, "w") as file:
        file["/fields/u"], file["/times"], file["/nodes"] = fields, times, x[:, None]
        file["/parameters/p"] = np.full(given.draws, float(parameter))
    exact, mass = family.solution(parameter, family.time, x), family.mass(parameter, family.time)

    def line(what, found, imbalance, seconds):
        last = found[:, -1]
        return (f"{what} | {1e3 * np.abs(last @ row - mass).mean():.2g} | {1e4 * ((last - exact) ** 2).mean():.3g} "
                f"| {imbalance} | {1e3 * seconds:.2g} |")

    yield line("prediction", fields, "", seconds)
    for level in LEVELS:
        what = " ".join(level).replace("--weight ", "")
        found = repair(given.program, deck, level, path, given.folder / "in-time")
        if isinstance(found, str):
            yield f"{what} | {found} |"
        else:
            yield line(what, found[0], f"{found[1][0]:.1g}, then {found[1][1]:.1g}", found[2])


if __name__ == "__main__":
    main()
