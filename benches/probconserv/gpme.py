"""The table of ProbConserv (Hansen et al., ICML 2023) for the generalised porous medium equation, with predictions of a
Gaussian process in place of a network: masses, likelihoods and errors before and after `tessera constrain`.

    python benches/probconserv/gpme.py [--draws 50] [--folder out/probconserv] [--program target/release/tessera]

CE is the mass of a field less the exact one (1e-3), LL the mean logarithm of the density of the exact values under the
predicted means and variances, MSE the mean square error (1e-4), all at one time on 201 points and over all draws of
context points.
"""
import argparse
import math
import os
import subprocess
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")                  # matrices of 100 rows are for one core

import h5py
import numpy as np

from equations import FAMILIES, contexts
from regression import Regression

HERE = Path(__file__).resolve().parent
NODES, TRAINING = 201, 40
#: Table 1 of the paper, diffusion: c in [1, 5] is trained; attentive neural processes.
PUBLISHED = {"diffusion": {"prediction": (4.68, 2.72, 1.71), "euclidean": (0, 3.08, 1.37), "variance": (0, 2.74, 1.55)}}


def predictions(family, parameter, regression, random, draws):
    """Means, variances and whole covariances at the nodes for each draw of context points."""
    x = np.linspace(0, family.length, NODES)
    targets = np.stack([np.full(NODES, family.time), x], axis=1)
    found = [regression.predict(*contexts(random, family, parameter), targets) for _ in range(draws)]
    return x, np.array([mean for mean, _ in found]), np.array([covariance for _, covariance in found])


def weights(x):
    """The integral of what is linear between the nodes."""
    h = np.diff(x)
    return 0.5 * (np.append(h, 0) + np.append(0, h))


def conditioned(means, covariances, row, mass):
    """ProbConserv's update in dense algebra, with the whole covariance of the prediction."""
    gain = covariances @ row
    gain /= (gain @ row)[:, None]
    mean = means - gain * (means @ row - mass)[:, None]
    left = np.einsum("sii->si", covariances) - gain * (covariances @ row)
    return mean, np.maximum(left, 0)


def write(path, x, means, variances, mass):
    with h5py.File(path, "w") as file:
        file["/fields/u"], file["/nodes"], file["/parameters/mass"] = means, x[:, None], np.full(len(means), mass)
        if variances is not None:
            file["/variance/u"] = variances


def repair(program, input_file, folder, length, weight):
    """`tessera constrain` of all draws; fields, what is left of the variances, and seconds a draw."""
    start = time.perf_counter()
    subprocess.run([program, "constrain", HERE / "gpme.toml", input_file, "--weight", weight, "-o", folder, "--quiet",
                    "--set", f"mesh.box.upper=[{length!r}]"], check=True)
    seconds = time.perf_counter() - start
    with h5py.File(folder / "constrain.h5") as file:
        fields = file["/fields/u"][...]
        left = file["/variance/u"][...] if "/variance/u" in file else None
    shape = (len(fields), -1)
    return fields.reshape(shape), None if left is None else left.reshape(shape), seconds / len(fields)


def score(fields, variances, exact, row, mass):
    """CE, LL, MSE, and the largest error of the mass, relative to it or to 1, over all draws."""
    off = fields @ row - mass
    square = (fields - exact) ** 2
    with np.errstate(divide="ignore"):
        log_density = -0.5 * (square / variances + np.log(2 * np.pi * variances))
    return off.mean(), log_density.mean(), square.mean(), np.abs(off).max() / max(abs(mass), 1.0)


def rows(family, parameter, regression, random, draws, folder, program):
    """(what, scores, seconds a field) of one value of the parameter."""
    start = time.perf_counter()
    x, means, covariances = predictions(family, parameter, regression, random, draws)
    seconds = (time.perf_counter() - start) / draws
    exact = family.solution(parameter, np.full(NODES, family.time), x)
    row, mass = weights(x), family.mass(parameter, family.time)
    variances = np.einsum("sii->si", covariances)
    folder.mkdir(parents=True, exist_ok=True)
    for weight, what in (("euclidean", None), ("variance", variances)):
        write(folder / f"{weight}.h5", x, means, what, mass)
    result = [("prediction", score(means, variances, exact, row, mass), seconds)]
    for weight in ("euclidean", "variance"):
        fields, left, seconds = repair(program, folder / f"{weight}.h5", folder / weight, family.length, weight)
        diagonal = variances if weight == "variance" else np.ones_like(variances)
        by_hand, hand_left = conditioned(means, np.einsum("si,ij->sij", diagonal, np.eye(NODES)), row, mass)
        apart = np.abs(fields - by_hand).max()
        if weight == "variance":
            apart = max(apart, np.abs(left - hand_left).max())
        assert apart < 1e-12, f"{family.name}, {weight}: {apart:.1e} from the closed form"
        # The Euclidean repair says nothing of variances: those of the prediction stay.
        kept = left if weight == "variance" else variances
        result.append((weight, score(fields, kept, exact, row, mass), seconds))
    start = time.perf_counter()
    fields, left = conditioned(means, covariances, row, mass)
    result.append(("whole covariance", score(fields, left, exact, row, mass), (time.perf_counter() - start) / draws))
    return result


def table(draws, folder, program):
    """(family, parameter, rows) of the whole family, and what was learned."""
    for family in FAMILIES:
        random = np.random.default_rng(2023)
        parameters = random.uniform(*family.trained, TRAINING)
        start = time.perf_counter()
        regression = Regression([contexts(random, family, parameter) for parameter in parameters])
        learned = (f"smoothness {regression.smoothness}, lengths {regression.lengths[0]:.3g} in time, "
                   f"{regression.lengths[1]:.3g} in space, {time.perf_counter() - start:.1f} s")
        for parameter in family.tested:
            place = folder / f"{family.name.replace(' ', '-')}-{parameter}"
            yield family, parameter, learned, rows(family, parameter, regression, random, draws, place, program)


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--draws", type=int, default=50)
    options.add_argument("--folder", type=Path, default=Path("out/probconserv"))
    options.add_argument("--program", default="target/release/tessera")
    given = options.parse_args()
    print("| family | | CE 1e-3 | LL | MSE 1e-4 | mass, relative | ms | published CE / LL / MSE |\n" + "| --- " * 8 + "|")
    notes = {}
    for family, parameter, learned, found in table(given.draws, given.folder, given.program):
        notes[family.name] = learned
        for what, (off, likelihood, square, mass), seconds in found:
            published = PUBLISHED.get(family.name, {}).get(what) if math.isclose(parameter, 1) else None
            published = " / ".join(f"{v:.2f}" for v in published) if published else ""
            print(f"| {family.name} {parameter} | {what} | {1e3 * off:.2g} | {likelihood:.2f} | {1e4 * square:.3g} | {mass:.1e} "
                  f"| {1e3 * seconds:.2g} | {published} |")
            assert what == "prediction" or mass < 1e-12, f"{family.name} {parameter}, {what}: mass off by {mass:.1e}"
    for name, learned in notes.items():
        print(f"{name}: {learned}")


if __name__ == "__main__":
    main()
