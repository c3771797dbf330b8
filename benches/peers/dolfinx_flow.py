"""Assembly of Taylor-Hood Navier-Stokes with dolfinx: the peer of `benches/forms.rs`.

usage: /usr/bin/python3 dolfinx_flow.py N triangle|quadrilateral|tetrahedron|hexahedron

Residual and exact tangent of the steady equations at a smooth state on the unit box, with the same
quadrature (degree 5). Prints one `name value` pair a line; times in seconds, the best of five.
"""
import sys
import time

import numpy as np
import ufl
from dolfinx import fem, mesh
from dolfinx.fem import petsc as fem_petsc
from mpi4py import MPI

comm = MPI.COMM_WORLD
n, kind = int(sys.argv[1]), sys.argv[2]
cell = getattr(mesh.CellType, kind)
plane = kind in ("triangle", "quadrilateral")
box = mesh.create_unit_square(comm, n, n, cell) if plane else mesh.create_unit_cube(comm, n, n, n, cell)
shape = box.ufl_cell()
W = fem.FunctionSpace(box, ufl.MixedElement(ufl.VectorElement("Lagrange", shape, 2), ufl.FiniteElement("Lagrange", shape, 1)))
w = fem.Function(W)
w.sub(0).interpolate(lambda x: np.vstack([np.sin(x[0] + 2 * x[1] + 3 * k) for k in range(box.geometry.dim)]))
w.sub(1).interpolate(lambda x: np.cos(x[0] - x[1]))
u, p = ufl.split(w)
v, q = ufl.TestFunctions(W)
rho, mu = fem.Constant(box, 1.0), fem.Constant(box, 0.01)
dx = ufl.dx(metadata={"quadrature_degree": 5})
F = (
    rho * ufl.inner(ufl.grad(u) * u, v) + mu * ufl.inner(ufl.grad(u), ufl.grad(v)) - p * ufl.div(v) - q * ufl.div(u)
) * dx
options = {"cffi_extra_compile_args": ["-O3", "-march=native"]}
residual = fem.form(F, jit_params=options)
tangent = fem.form(ufl.derivative(F, w), jit_params=options)
A = fem_petsc.create_matrix(tangent)
b = fem_petsc.create_vector(residual)


def best(work):
    times = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def matrix():
    A.zeroEntries()
    fem_petsc.assemble_matrix(A, tangent)
    A.assemble()


def vector():
    with b.localForm() as local:
        local.set(0.0)
    fem_petsc.assemble_vector(b, residual)


print("residual", best(vector))
print("tangent", best(matrix))
print("cells", box.topology.index_map(box.topology.dim).size_global)
print("residual_norm", b.norm())
print("tangent_norm", A.norm())
