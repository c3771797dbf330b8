"""The thermal block of 45,369 unknowns and four parameters with pyMOR and Tessera, in turn, in one run.

usage: python pymor_thermal_block.py [ROUNDS] [TESSERA]

Both make a basis of 20 modes in the energy product from the same 40 samples and a certified reduced model of bilinear
quadrilaterals on the same grid, and predict 10,000 points with their error estimates. pyMOR: the proper orthogonal
decomposition and `CoerciveRBReductor.reduce`, its discretisation and snapshots apart. Tessera: the whole processes of
`tessera train` and `tessera predict`, from their start, with mesh, splitting, files and errors by number of modes.
Prints seconds of wall and processor (one thread each, so that others on the machine disturb the latter little), medians
of all rounds, and ratios, pyMOR over Tessera; and how far snapshots' means and error estimates are apart.
"""
import statistics
import tempfile
import time
from pathlib import Path

from peer import HERE, arguments, processor
from peer import tessera as run

import h5py
import numpy as np
from pymor.algorithms.pod import pod
from pymor.analyticalproblems.thermalblock import thermal_block_problem
from pymor.basic import set_log_levels
from pymor.discretizers.builtin import RectGrid, discretize_stationary_cg
from pymor.parameters.functionals import MinThetaParameterFunctional
from pymor.reductors.coercive import CoerciveRBReductor

CELLS, MODES, PREDICTIONS, CHECKED = 212, 20, 10_000, 200
rounds, program = arguments(5)
folder = Path(tempfile.mkdtemp())
times: dict[str, list[np.ndarray]] = {}


def clock():
    """Seconds of wall and processor, own and those of processes that have ended."""
    return np.array([time.perf_counter(), processor()])


def timed(name, work):
    start = clock()
    result = work()
    times.setdefault(name, []).append(clock() - start)
    return result


def tessera(*words):
    run(program, *words, "--output", folder)


set_log_levels({"pymor": "ERROR"})
timed("Tessera: campaign", lambda: tessera("campaign", HERE / "thermal_block.toml"))
with h5py.File(folder / "dataset.h5") as data:
    parameters, means = data["parameters"][()], np.ravel(data["qoi/mean"])
problem = thermal_block_problem(num_blocks=(2, 2), parameter_range=(0.1, 1.0))
grid = {"diameter": np.sqrt(2.0) / CELLS, "grid_type": RectGrid}
fom, _ = timed("pyMOR: discretisation", lambda: discretize_stationary_cg(problem, **grid))
points = [fom.parameters.parse(list(row)) for row in parameters]


def snapshots():
    solutions = fom.solution_space.empty()
    for mu in points:
        solutions.append(fom.solve(mu))
    return solutions


solutions = timed("pyMOR: snapshots", snapshots)
mass = fom.products["l2"].apply(fom.solution_space.ones())
theirs = np.ravel(mass.inner(solutions))
print(f"unknowns {fom.solution_space.dim}; means of the snapshots are {abs(theirs / means - 1).max():.1e} apart")

reference = fom.parameters.parse([0.55] * 4)
product = fom.operator.assemble(reference)
coercivity = MinThetaParameterFunctional(fom.operator.coefficients, reference)


def reduced():
    modes, _ = timed("pyMOR: POD", lambda: pod(solutions, product=product, modes=MODES))
    # The factors of the product are made anew in each round, as ours are.
    fresh = fom.operator.assemble(reference)
    reductor = CoerciveRBReductor(fom, modes, product=fresh, coercivity_estimator=coercivity, check_orthonormality=False)
    return timed("pyMOR: reduction", reductor.reduce)


for _ in range(rounds):
    model = reduced()
    timed("Tessera: train", lambda: tessera("train", HERE / "thermal_block.toml"))
    timed("Tessera: predict", lambda: tessera("predict", folder / "model.h5", "--samples", PREDICTIONS))
    with h5py.File(folder / "predict.h5") as data:
        unseen, bounds = data["parameters"][()], data["estimate/temperature"][:, 0]
    some = [model.parameters.parse(list(row)) for row in unseen[:CHECKED]]
    one = lambda mu: model.compute(solution=True, solution_error_estimate=True, mu=mu)["solution_error_estimate"][0]
    estimates = timed("pyMOR: predict", lambda: np.array([one(mu) for mu in some]))
    times["pyMOR: predict"][-1] *= PREDICTIONS / CHECKED  # of which some are enough

# pyMOR measures errors in the product, Tessera in the energy of the parameters themselves.
ours = np.array([bound / np.sqrt(coercivity.evaluate(mu)) for mu, bound in zip(some, bounds)])
apart = abs(ours / np.ravel(estimates) - 1)
print(f"estimates of {CHECKED} predictions, {ours.min():.1e} to {ours.max():.1e}, are {np.median(apart):.1e} apart in the "
      f"median, {apart.max():.1e} at most")
print(f"{'':25}     wall  processor")
for name, values in times.items():
    print(f"{name:25} {statistics.median(v[0] for v in values):8.2f} s {statistics.median(v[1] for v in values):8.2f} s")
offline = [a + b for a, b in zip(times["pyMOR: POD"], times["pyMOR: reduction"])]
for what, theirs, ours in [
    ("offline", offline, times["Tessera: train"]),
    (f"{PREDICTIONS} predictions", times["pyMOR: predict"], times["Tessera: predict"]),
]:
    for kind, index in [("wall", 0), ("processor", 1)]:
        ratios = sorted(a[index] / b[index] for a, b in zip(theirs, ours))
        print(f"pyMOR / Tessera, {what}, {kind}: {statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})")
