"""Linear elasticity on the unit cube with dolfinx: the peer of `benches/elasticity.rs`.

usage: mpirun -n P /usr/bin/python3 dolfinx_elasticity.py N tetrahedron|hexahedron DEGREE

Clamped at x = 0, body force (0, 0, -1), E = 1, nu = 0.3; conjugate gradients with GAMG, the near-null
space of rigid-body modes, Chebyshev/Jacobi smoothing and a drop tolerance of 0.01, to 1e-8.
Prints one `name value` pair a line, times in seconds, the slowest rank's.
"""
import resource
import sys
import time

import numpy as np
import ufl
from dolfinx import fem, mesh
from dolfinx.fem import petsc as fem_petsc
from mpi4py import MPI
from petsc4py import PETSc

comm = MPI.COMM_WORLD
begin = time.perf_counter()


def show(name, value):
    if comm.rank == 0:
        print(name, value, flush=True)


class timed:
    def __init__(self, name):
        self.name = name

    def __enter__(self):
        comm.barrier()
        self.start = time.perf_counter()

    def __exit__(self, *_):
        comm.barrier()
        show(self.name, time.perf_counter() - self.start)


n, kind, degree = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with timed("mesh"):
    box = mesh.create_unit_cube(comm, n, n, n, getattr(mesh.CellType, kind))
with timed("space"):
    V = fem.VectorFunctionSpace(box, ("Lagrange", degree))
E, nu = 1.0, 0.3
mu, lmbda = E / 2 / (1 + nu), E * nu / (1 + nu) / (1 - 2 * nu)
u, v = ufl.TrialFunction(V), ufl.TestFunction(V)


def eps(w):
    return ufl.sym(ufl.grad(w))


def sigma(w):
    return 2 * mu * eps(w) + lmbda * ufl.tr(eps(w)) * ufl.Identity(3)


jit = {"cffi_extra_compile_args": ["-O3", "-march=native"]}
with timed("jit"):
    a = fem.form(ufl.inner(sigma(u), eps(v)) * ufl.dx, jit_params=jit)
    force = fem.Constant(box, np.array([0, 0, -1.0]))
    L = fem.form(ufl.inner(force, v) * ufl.dx, jit_params=jit)
with timed("conditions"):
    facets = mesh.locate_entities_boundary(box, 2, lambda x: np.isclose(x[0], 0))
    bc = fem.dirichletbc(np.zeros(3), fem.locate_dofs_topological(V, 2, facets), V)
with timed("sparsity"):
    A = fem_petsc.create_matrix(a)
for name in ("first_assembly", "assembly"):
    A.zeroEntries()
    with timed(name):
        fem_petsc.assemble_matrix(A, a, bcs=[bc])
        A.assemble()
with timed("load"):
    b = fem_petsc.assemble_vector(L)
    fem_petsc.apply_lifting(b, [a], [[bc]])
    b.ghostUpdate(addv=PETSc.InsertMode.ADD, mode=PETSc.ScatterMode.REVERSE)
    fem_petsc.set_bc(b, [bc])

x = V.tabulate_dof_coordinates()
vectors = [A.createVecLeft() for _ in range(6)]
count = vectors[0].local_size // 3
modes = [np.zeros((count, 3)) for _ in range(6)]
for i in range(3):
    modes[i][:, i] = 1
X = x[:count]
modes[3][:, 0], modes[3][:, 1] = -X[:, 1], X[:, 0]
modes[4][:, 0], modes[4][:, 2] = X[:, 2], -X[:, 0]
modes[5][:, 2], modes[5][:, 1] = X[:, 1], -X[:, 2]
basis = []
for w, mode in zip(vectors, modes):
    w.array[:] = mode.ravel()
    for q in basis:
        w.axpy(-w.dot(q), q)
    w.normalize()
    basis.append(w)
A.setNearNullSpace(PETSc.NullSpace().create(vectors=basis, comm=comm))
options = PETSc.Options()
for key, value in {
    "ksp_type": "cg",
    "ksp_rtol": 1e-8,
    "pc_type": "gamg",
    "mg_levels_ksp_type": "chebyshev",
    "mg_levels_pc_type": "jacobi",
    "pc_gamg_threshold": 0.01,
}.items():
    options[key] = value
for pair in sys.argv[4:]:
    key, value = pair.split("=")
    options[key] = value
ksp = PETSc.KSP().create(comm)
ksp.setOperators(A)
ksp.setFromOptions()
with timed("preconditioner"):
    ksp.setUp()
solution = b.duplicate()
with timed("solve"):
    ksp.solve(b, solution)
show("total", time.perf_counter() - begin)
show("dofs", A.size[0])
show("iterations", ksp.its)
show("norm", solution.norm())
r = b.duplicate()
A.mult(solution, r)
r.axpy(-1, b)
show("residual", r.norm() / b.norm())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
show("memory", comm.allreduce(peak))
