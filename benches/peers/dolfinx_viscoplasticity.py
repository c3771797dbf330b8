"""Viscoplasticity with dolfinx: the peer of `benches/forms.rs`.

usage: /usr/bin/python3 dolfinx_viscoplasticity.py N tetrahedron|hexahedron

Norton's flow with kinematic and isotropic hardening, implicit Euler from a virgin state, on the unit cube with
linear tetrahedra or quadratic hexahedra. As is usual with dolfinx, strains are evaluated at the quadrature points, numpy updates all of
them at once, and the forms take stress and consistent tangent as fields at the points. Residual and tangent each
include the update of the material. Prints one `name value` pair a line; times in seconds, the best of five.
"""
import sys
import time

import basix
import numpy as np
import ufl
from dolfinx import fem, mesh
from dolfinx.fem import petsc as fem_petsc
from mpi4py import MPI

comm = MPI.COMM_WORLD
n, kind = int(sys.argv[1]), sys.argv[2]
order = 1 if kind == "tetrahedron" else 2
box = mesh.create_unit_cube(comm, n, n, n, getattr(mesh.CellType, kind))
V = fem.VectorFunctionSpace(box, ("Lagrange", order))
u = fem.Function(V)
u.interpolate(lambda x: np.vstack([5e-4 * np.sin(x[0] + 2 * x[1] + 3 * k) for k in range(3)]))
du, v = ufl.TrialFunction(V), ufl.TestFunction(V)

E, nu, limit, drag, exponent = 200e9, 0.3, 100e6, 200e6, 5.0
kinematic, recall, saturation, speed, rate = 30e9, 200.0, 40e6, 20.0, 10.0
bulk, shear = E / 3 / (1 - 2 * nu), E / 2 / (1 + nu)

# Mandel's notation: the double product of tensors is that of vectors.
ROOT = np.sqrt(2.0)


def mandel(w):
    e = ufl.sym(ufl.grad(w))
    return ufl.as_vector([e[0, 0], e[1, 1], e[2, 2], ROOT * e[0, 1], ROOT * e[0, 2], ROOT * e[1, 2]])


degree = 2 * order
points, _ = basix.make_quadrature(getattr(basix.CellType, kind), degree)
strain = fem.Expression(mandel(u), points)
cells = np.arange(box.topology.index_map(3).size_local, dtype=np.int32)
shape = box.ufl_cell()
stress_field = fem.Function(fem.FunctionSpace(box, ufl.VectorElement("Quadrature", shape, degree, 6, quad_scheme="default")))
tangent_field = fem.Function(
    fem.FunctionSpace(box, ufl.TensorElement("Quadrature", shape, degree, (6, 6), quad_scheme="default"))
)
dx = ufl.dx(metadata={"quadrature_degree": degree, "quadrature_scheme": "default"})
options = {"cffi_extra_compile_args": ["-O3", "-march=native"]}
residual = fem.form(ufl.inner(stress_field, mandel(v)) * dx, jit_params=options)
tangent = fem.form(ufl.inner(ufl.dot(tangent_field, mandel(du)), mandel(v)) * dx, jit_params=options)
A = fem_petsc.create_matrix(tangent)
b = fem_petsc.create_vector(residual)

one = np.array([1.0, 1, 1, 0, 0, 0])
deviatoric = np.eye(6) - np.outer(one, one) / 3


def update(with_tangent):
    total = strain.eval(cells).reshape(-1, 6)
    count = len(total)
    plastic, back, accumulated = np.zeros((count, 6)), np.zeros((count, 6)), np.zeros(count)
    trial = 2 * shear * (total - plastic) @ deviatoric
    back = 2 / 3 * kinematic * back
    ss, sa, aa = 1.5 * (trial * trial).sum(1), 1.5 * (trial * back).sum(1), 1.5 * (back * back).sum(1)

    def flow(y, i):
        power = y ** (exponent - 1) / rate
        dp, slope = power * y, exponent * power
        theta = 1 / (1 + recall * dp)
        j = np.sqrt(np.maximum(ss[i] - 2 * theta * sa[i] + theta**2 * aa[i], 0))
        j_slope = -recall * theta**2 * (theta * aa[i] - sa[i]) / np.maximum(j, 1e-300)
        decay = saturation * np.exp(-speed * (accumulated[i] + dp))
        hard = 3 * shear + kinematic * theta
        value = j - hard * dp - (saturation - decay) - limit - drag * y
        hardening = hard - kinematic * recall * theta**2 * dp + speed * decay
        return value, (j_slope - hardening) * slope - drag, j, j_slope, hardening

    i = np.flatnonzero(np.sqrt(np.maximum(ss - 2 * sa + aa, 0)) > limit + saturation * (1 - np.exp(-speed * accumulated)))
    over = flow(np.zeros(len(i)), i)[0]
    y = np.minimum((over / (3 * shear) * rate) ** (1 / exponent), over / drag)
    for _ in range(50):
        value, slope, *_ = flow(y, i)
        step = value / slope
        y -= step
        if np.all(np.abs(step) <= 1e-14 * y):
            break
    _, _, j, j_slope, hardening = flow(y, i)
    dp = y**exponent / rate
    direction = (trial[i] - back[i] / (1 + recall * dp)[:, None]) / j[:, None]
    stress = trial + (bulk * total[:, :3].sum(1))[:, None] * one
    stress[i] -= 3 * shear * dp[:, None] * direction
    stress_field.x.array[:] = stress.ravel()
    if with_tangent:
        # The back stress is zero here, which shortens the derivative.
        C = np.empty((count, 6, 6))
        C[:] = bulk * np.outer(one, one) + 2 * shear * deviatoric
        slope = 1 / (hardening + drag / exponent * y / dp - j_slope)
        C[i] -= (6 * shear**2 * dp / j)[:, None, None] * deviatoric
        C[i] += (9 * shear**2 * (dp / j - slope))[:, None, None] * np.einsum("qi,qj->qij", direction, direction)
        tangent_field.x.array[:] = C.ravel()


def best(work):
    times = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def matrix():
    update(True)
    A.zeroEntries()
    fem_petsc.assemble_matrix(A, tangent)
    A.assemble()


def vector():
    update(False)
    with b.localForm() as local:
        local.set(0.0)
    fem_petsc.assemble_vector(b, residual)


print("residual", best(vector))
print("tangent", best(matrix))
print("residual_norm", b.norm())
print("tangent_norm", A.norm())
