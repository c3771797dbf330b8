#!/usr/bin/env python3
"""Tessera beside dolfinx on the elasticity cube: one table of ratios for each case.

usage: elasticity.py TESSERA_BENCH_BINARY [--repeat K] [--quick]

Runs both programs in turn, K times each, and compares medians, so that drift of the machine's speed
hits both. Needs Debian's python3-dolfinx-real (run with /usr/bin/python3). Both measure convergence by
the true residual: PETSc's default for CG, the preconditioned one, is a thousand times smaller here, and
the peer would stop at a relative residual of 1e-5.
"""
import argparse
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PEER = [sys.executable if "/usr/bin" in sys.executable else "/usr/bin/python3", f"{HERE}/peers/dolfinx_elasticity.py"]
ENVIRONMENT = dict(
    os.environ,
    OMP_NUM_THREADS="1",
    OMPI_ALLOW_RUN_AS_ROOT="1",
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
    OMPI_MCA_rmaps_base_oversubscribe="1",
)


def run(command, ranks):
    result = subprocess.run(
        ["mpirun", "-n", str(ranks), *command], capture_output=True, text=True, env=ENVIRONMENT, timeout=600
    )
    if result.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{result.stderr}")
    pairs = (line.split() for line in result.stdout.splitlines())
    return {p[0]: float(p[1]) for p in pairs if len(p) == 2}


def medians(runs):
    return {key: statistics.median(r[key] for r in runs) for key in runs[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one case, one repetition")
    options = parser.parse_args()
    cases = [(40, "tetrahedron", 1), (20, "tetrahedron", 2), (40, "hexahedron", 1)]
    repeat = options.repeat
    if options.quick:
        cases, repeat = cases[:1], 1
    for n, cell, degree in cases:
        summary = {}
        for ranks in (1, 2):
            ours, theirs = [], []
            for _ in range(repeat):
                ours.append(run([options.binary, str(n), cell, str(degree)], ranks))
                theirs.append(run([*PEER, str(n), cell, str(degree), "ksp_norm_type=unpreconditioned"], ranks))
            a, b = medians(ours), medians(theirs)
            for r in (a, b):
                r["to_matrix"] = r["space"] + r["sparsity"] + r["conditions"]
                r["total"] -= r.get("jit", 0.0)
            summary[ranks] = a, b
            print(f"\n{cell} degree {degree}, N = {n}, {int(a['dofs'])} unknowns, {ranks} rank{'s' if ranks > 1 else ''}")
            print(f"{'':28}{'tessera':>10}{'dolfinx':>10}{'ratio':>8}")
            rows = [
                ("mesh", "mesh"),
                ("space, sparsity, conditions", "to_matrix"),
                ("assembly", "assembly"),
                ("preconditioner", "preconditioner"),
                ("solve", "solve"),
                ("time to solution (no jit)", "total"),
            ]
            for label, key in rows:
                print(f"{label:28}{a[key]:>9.3f}s{b[key]:>9.3f}s{b[key] / a[key]:>8.2f}")
            megabytes = [r["memory"] / 2**20 for r in (a, b)]
            print(f"{'peak memory':28}{megabytes[0]:>8.0f}MB{megabytes[1]:>8.0f}MB{megabytes[1] / megabytes[0]:>8.2f}")
            print(f"{'iterations':28}{a['iterations']:>10.0f}{b['iterations']:>10.0f}")
            print(f"{'relative residual':28}{a['residual']:>10.1e}{b['residual']:>10.1e}")
            difference = abs(a["norm"] - b["norm"]) / b["norm"]
            print(f"norm of the solution {a['norm']:.9g}, relative difference {difference:.1e}")
            if difference > 1e-5:
                sys.exit("the two programs solve different problems")
        one, two = summary[1][0], summary[2][0]
        print(f"\ntwo ranks over one: assembly {one['assembly'] / two['assembly']:.2f}x, whole run {one['total'] / two['total']:.2f}x")


if __name__ == "__main__":
    main()
