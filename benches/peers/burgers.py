"""Burgers' equation with one parameter: reduced models of Tessera, of pyMOR (POD and DEIM) and of EZyRB (POD and radial basis
functions or a Gaussian process), in one run.

usage: python burgers.py [MODES] [TESSERA]

500 linear elements, 100 steps of implicit Euler, viscosities from 0.002 to 0.05. Everybody trains on the same 16 viscosities
with all of their steps, and predicts 20 others. pyMOR's full model is written here, with the same elements and steps, and
compared with Tessera's. Errors are of nodal values, the largest over the steps relative to the largest norm. Seconds of
processor (one thread each): Tessera's are of whole processes, with mesh, files and tables.
"""
import csv
import tempfile
from pathlib import Path

from peer import HERE, arguments, processor
from peer import tessera as run

import h5py
import numpy as np
from ezyrb import GPR, POD, RBF, Database, ReducedOrderModel
from pymor.algorithms.ei import interpolate_operators
from pymor.algorithms.pod import pod
from pymor.algorithms.timestepping import ImplicitEulerTimeStepper
from pymor.basic import set_log_levels
from pymor.models.basic import InstationaryModel
from pymor.operators.interface import Operator
from pymor.operators.numpy import NumpyMatrixOperator
from pymor.reductors.basic import InstationaryRBReductor
from pymor.solvers.newton import NewtonSolver
from pymor.vectorarrays.numpy import NumpyVectorSpace
from scipy.sparse import coo_matrix

CELLS, STEPS, UNSEEN, MANY = 500, 100, 20, 1000
modes, program = arguments(10)
folder = Path(tempfile.mkdtemp())


def timed(work):
    start = processor()
    result = work()
    return result, processor() - start


def tessera(*words):
    run(program, *words)


def error(found, exact):
    """Of trajectories `[step, node]`."""
    return np.linalg.norm(found - exact, axis=1).max() / np.linalg.norm(exact, axis=1).max()


class Burgers(Operator):
    """`u u_x - viscosity u_xx` of linear elements between nodes, at some rows; ends that are no unknowns are zero."""

    linear = False

    def __init__(self, rows=None):
        self.__auto_init(locals())
        inside = CELLS - 1
        self.rows_ = np.arange(inside) if rows is None else np.asarray(rows)
        needed = np.unique(np.clip(self.rows_[:, None] + [-1, 0, 1], 0, inside - 1))
        self.dofs = np.arange(inside) if rows is None else needed
        self.source, self.range = NumpyVectorSpace(len(self.dofs)), NumpyVectorSpace(len(self.rows_))
        self.parameters_own = {"viscosity": 1}
        # Neighbours' places among the unknowns; one past the last is zero.
        place = {dof: k for k, dof in enumerate(self.dofs)}
        self.around = np.array([[place.get(r + d, len(self.dofs)) for d in (-1, 0, 1)] for r in self.rows_])

    def stencil(self, u):
        return np.vstack([u, np.zeros((1, u.shape[1]))])[self.around]

    def apply(self, U, mu=None):
        left, own, right = np.moveaxis(self.stencil(U.to_numpy().reshape(len(self.dofs), -1)), 1, 0)
        carried = (own - left) * (left + 2 * own) / 6 + (right - own) * (2 * own + right) / 6
        spread = mu["viscosity"][0] * CELLS * (2 * own - left - right)
        return self.range.make_array(carried + spread)

    def jacobian(self, U, mu=None):
        left, own, right = self.stencil(U.to_numpy().reshape(len(self.dofs), -1))[:, :, 0].T
        k = mu["viscosity"][0] * CELLS
        slopes = [(-2 * left - own) / 6 - k, (right - left) / 6 + 2 * k, (own + 2 * right) / 6 - k]
        rows, columns = np.repeat(np.arange(len(self.rows_)), 3), self.around.ravel()
        known = columns < len(self.dofs)
        values = np.array(slopes).T.ravel()
        shape = (len(self.rows_), len(self.dofs))
        return NumpyMatrixOperator(coo_matrix((values[known], (rows[known], columns[known])), shape).tocsc())

    def restricted(self, dofs):
        part = Burgers(tuple(self.rows_[dofs]))
        return part, part.dofs


def full_model():
    n = CELLS - 1
    h = 1 / CELLS
    mass = coo_matrix((n, n)).tolil()
    mass.setdiag(2 * h / 3)
    mass.setdiag(h / 6, 1)
    mass.setdiag(h / 6, -1)
    operator = Burgers()
    start = operator.source.make_array(np.sin(2 * np.pi * np.arange(1, CELLS) * h)[:, None])
    stepper = ImplicitEulerTimeStepper(STEPS, solver=NewtonSolver(rtol=1e-10, atol=1e-13))
    return InstationaryModel(
        T=1.0, initial_data=start, operator=operator, rhs=None, mass=NumpyMatrixOperator(mass.tocsc()), time_stepper=stepper
    )


def rows(trajectory):
    """`[step, inner node]`."""
    return trajectory.to_numpy().T


set_log_levels({"pymor": "ERROR"})
deck, out = HERE / "burgers.toml", ["--output", folder, "--set", f"rom.modes={modes}"]
_, campaign = timed(lambda: tessera("campaign", deck, *out))
_, offline = timed(lambda: tessera("train", deck, *out))
with h5py.File(folder / "dataset.h5") as data:
    viscosities = data["parameters"][()].ravel()
unseen = np.exp(np.linspace(np.log(0.0022), np.log(0.048), UNSEEN))


def table(name, values):
    with open(folder / name, "w", newline="") as file:
        csv.writer(file).writerows([["viscosity"], *[[repr(float(v))] for v in values]])
    return folder / name


single = []
for value in unseen:
    tessera("predict", folder / "model.h5", "-p", f"viscosity={value}", "--truth", "--output", folder / "one")
    with h5py.File(folder / "one" / "predict.h5") as file:
        single.append(float(np.ravel(file["truth/fields/u"])[0]))
many = np.exp(np.random.default_rng(1).uniform(np.log(0.002), np.log(0.05), MANY))
few, lots = table("few.csv", many[:10]), table("many.csv", many)
_, short = timed(lambda: tessera("predict", folder / "model.h5", "--table", few, "--output", folder / "few"))
_, long = timed(lambda: tessera("predict", folder / "model.h5", "--table", lots, "--output", folder / "many"))
results = [("Tessera", np.array(single), offline, (long - short) / (MANY - 10))]

model = full_model()
points = [model.parameters.parse({"viscosity": v}) for v in viscosities]
trajectories = [model.solve(mu) for mu in points]
truth, full = timed(lambda: [model.solve(model.parameters.parse({"viscosity": v})) for v in unseen])
with h5py.File(folder / "dataset.h5") as data:
    mine = np.array([np.ravel(data["qoi/before_the_front"][k])[-1] for k in range(len(viscosities))])
theirs = np.array([rows(own)[-1, round(0.45 * CELLS) - 1] for own in trajectories])
print(f"full models: u(0.45) at the end of the training runs differs by {abs(mine / theirs - 1).max():.1e} at most")


def pymor_offline(points_of_deim):
    every = model.solution_space.empty()
    for own in trajectories:
        every.append(own)
    basis, _ = pod(every, product=model.mass, modes=modes, rtol=0, l2_err=0)
    interpolated, _ = interpolate_operators(
        model, ["operator"], points, product=None, atol=0, rtol=0, max_interpolation_dofs=points_of_deim, alg="deim"
    )
    reductor = InstationaryRBReductor(interpolated, basis, product=model.mass)
    return reductor, reductor.reduce()


for count in (2 * modes, 4 * modes):
    (reductor, reduced), offline = timed(lambda count=count: pymor_offline(count))

    def online(reduced=reduced):
        return [reduced.solve(reduced.parameters.parse({"viscosity": v})) for v in unseen]

    try:
        found, seconds = timed(online)
        errors = [error(rows(reductor.reconstruct(u)), rows(v)) for u, v in zip(found, truth)]
    except Exception as failure:
        print(f"pyMOR, {count} points of DEIM: {failure}")
        continue
    results.append((f"pyMOR, POD and {count} points of DEIM", np.array(errors), offline, seconds / UNSEEN))

flat = np.array([rows(own).ravel() for own in trajectories])
inputs = np.log(viscosities)[:, None]
for name, regression in (("radial basis functions", RBF), ("a Gaussian process", GPR)):
    rom, offline = timed(
        lambda kind=regression: ReducedOrderModel(Database(inputs, flat), POD("svd", rank=min(modes, 16)), kind()).fit()
    )
    found, seconds = timed(lambda rom=rom: [rom.predict([[np.log(v)]]) for v in unseen])
    found = [np.ravel(getattr(u, "snapshots_matrix", u)).reshape(STEPS + 1, -1) for u in found]
    errors = [error(u, rows(v)) for u, v in zip(found, truth)]
    results.append((f"EZyRB, POD and {name}", np.array(errors), offline, seconds / UNSEEN))

print(f"a full run: pyMOR {full / UNSEEN:.3f} s, Tessera's {len(viscosities)} and their file {campaign:.2f} s; {modes} modes")
print(f"{'':42}{'median':>9}{'worst':>9}{'offline s':>11}{'online ms':>11}")
for name, errors, offline, online in results:
    print(f"{name:42}{np.median(errors):9.1e}{errors.max():9.1e}{offline:11.2f}{1e3 * online:11.2f}")
