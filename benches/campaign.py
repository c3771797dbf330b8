#!/usr/bin/env python3
"""Campaigns with everything remembered beside independent solves by PETSc's best configuration.

usage: campaign.py BENCH_BINARY [--case NAME] [--samples N] [--ranks P] [--groups G] [--peer-samples N]

Each configuration solves the same samples to the same true residual. "fresh" builds its preconditioner for every
matrix, "kept" only for the first, whose time is spread over all samples of the campaign, so that a few samples tell what
a configuration takes. The best is chosen for each problem by itself: a campaign of two problems may use two
configurations. All of them share our assembly, output and quantities of interest. With `--groups` as many samples are
solved at the same time, by ours and by the others.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import tomllib

from elasticity import ENVIRONMENT

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = {
    "CG + ICC(0)": ["solver.method=options", "solver.petsc=-ksp_type cg -ksp_norm_type unpreconditioned -pc_type bjacobi -sub_pc_type icc"],
    "CG + GAMG": ["solver.method=options", "solver.petsc=-ksp_type cg -ksp_norm_type unpreconditioned -pc_type gamg"],
    "CG + BoomerAMG": ["solver.method=options", "solver.petsc=-ksp_type cg -ksp_norm_type unpreconditioned -pc_type hypre -pc_hypre_type boomeramg"],
    "MUMPS Cholesky": ["solver.method=direct"],
    "Tessera's amg": ["solver.method=amg"],
}
# In the plane PETSc's own Cholesky method, by every rank for itself, beats MUMPS: it is what "direct" means there.
PLANE_PEERS = {("Cholesky" if name == "MUMPS Cholesky" else name): words for name, words in PEERS.items()}
WAVE_PEERS = {
    "MUMPS LDL^T": ["solver.method=direct"],
    "MUMPS LU": ["solver.method=options", "solver.petsc=-ksp_type preonly -pc_type lu -pc_factor_mat_solver_type mumps"],
}
# In time a preconditioner stays for all steps.
STEPS = "solver.petsc=-ksp_type cg -ksp_rtol 1e-9"
STEP_PEERS = {
    "CG + ICC(0)": ["solver.method=options", f"{STEPS} -pc_type bjacobi -sub_pc_type icc"],
    "CG + GAMG": ["solver.method=options", f"{STEPS} -pc_type gamg"],
    "CG + BoomerAMG": ["solver.method=options", f"{STEPS} -pc_type hypre"],
    "Cholesky": ["solver.method=direct", "solver.petsc="],
    "MUMPS LU": ["solver.method=options", "solver.petsc=-ksp_type preonly -pc_type lu -pc_factor_mat_solver_type mumps"],
}
BOTH = (("fresh", '"always"'), ("kept", "1000000"))
ONE = (("", '"always"'),)
DARCY = """
[mesh]
box = { cell = "triangle", cells = [200, 200] }
[random.g]
kind = "matern"
range = 0.3
deviation = 1.0
[[physics]]
name = "flow"
model = "diffusion"
conductivity = "exp(g)"
source = 1.0
[[physics.boundary]]
marker = ["left", "right", "bottom", "top"]
value = 0.0
[solver]
method = "amg"
[campaign]
"""
# Four uncertain parameters each, the others keep their defaults: gas and cooling air, which leave the stiffness of the
# metal as it is, or the metal itself.
with open(os.path.join(HERE, "../input/blade/blade.toml"), "rb") as file:
    DECK = tomllib.load(file)


def fixed(*names):
    return [f"parameters.{name}={{ default = {DECK['parameters'][name]['default']} }}" for name in names]


BLADE = fixed("speed", "pressure")
ALLOY = fixed(*DECK["parameters"])
HEAT, STRESS = DECK["physics"]
for part, modulus in STRESS["young"].items():
    ALLOY.append(f"parameters.E_{part}={{ default = {modulus}, range = [120e9, 220e9] }}")
    ALLOY.append(f"parameters.k_{part}={{ default = {HEAT['conductivity'][part]}, range = [15.0, 30.0] }}")
ALLOY.append('physics.stress.young={ airfoil = "E_airfoil", root = "E_root" }')
ALLOY.append('physics.heat.conductivity={ airfoil = "k_airfoil", root = "k_root" }')
CASES = {
    "blade": ("input/blade/blade.toml", BLADE, PEERS, BOTH, 100, 6),
    "alloy": ("input/blade/blade.toml", ALLOY, PEERS, BOTH, 100, 6),
    "darcy": (DARCY, [], PLANE_PEERS, BOTH, 60, 20),
    "helmholtz": ("input/helmholtz/helmholtz.toml", ["campaign.basis=250"], WAVE_PEERS, ONE, 240, 10),
    "heat": ("benches/heat.toml", [], STEP_PEERS, ONE, 6, 3),
}


def run(binary, deck, samples, settings, processes):
    ranks, groups = processes
    command = ["mpirun", "-n", str(ranks), binary, deck, str(samples), *settings, f"groups={groups}"]
    result = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=3600)
    if result.returncode:
        return None, result.stderr.strip().splitlines()[:1]
    pairs = (line.split() for line in result.stdout.splitlines())
    return {p[0]: float(p[1]) for p in pairs if len(p) == 2}, None


def cost(figures, problem, samples=None):
    """Seconds a sample of one problem; with `samples` a set-up that was made once serves so many."""
    parts = ("guess", "assembly", "solve", "learning")
    setup = figures[f"{problem}.setup"]
    setup /= samples if samples and figures[f"{problem}.setups"] == 1 else figures["samples"]
    return sum(figures[f"{problem}.{part}"] for part in parts) / figures["samples"] + setup


def others(figures, problems):
    """Seconds a sample of everything but the problems."""
    return figures["seconds"] / figures["samples"] - sum(cost(figures, p) for p in problems)


def show(name, figures, problems, groups, samples=None):
    each = (others(figures, problems) + sum(cost(figures, p, samples) for p in problems)) / groups
    line = f"{name:24}{1e3 * each:>10.1f}"
    for p in problems:
        line += f"{1e3 * cost(figures, p, samples):>12.1f}{figures[f'{p}.iterations'] / figures['samples']:>8.1f}"
        line += f"{figures[f'{p}.setups']:>8.0f}"
    print(line, flush=True)


def compare(binary, name, samples, peer_samples, processes):
    ranks, groups = processes
    deck, settings, peers, words, default, few = CASES[name]
    samples, few = samples or default, peer_samples or few
    with tempfile.TemporaryDirectory() as folder:
        if "\n" in deck:
            path = os.path.join(folder, "deck.toml")
            with open(path, "w") as file:
                file.write(deck)
        else:
            path = os.path.join(HERE, "..", deck)
        ours, error = run(binary, path, samples, settings, processes)
        if error:
            sys.exit(f"{name}: {error}")
        problems = [key[: -len(".setups")] for key in ours if key.endswith(".setups")]
        print(f"\n{name}: {ours['dofs']:.0f} unknowns, {ranks} rank(s) in {groups} group(s), {samples} samples; milliseconds a sample, of one group for the parts")
        heads = "".join(f"{p:>12}{'iter.':>8}{'set-ups':>8}" for p in problems)
        print(f"{'':24}{'whole':>10}{heads}")
        best, rest, least = {}, [], (float("inf"), "")
        for peer, options in peers.items():
            for word, refresh in words:
                label = ", ".join(filter(None, (peer, word)))
                off = [*settings, *options, 'campaign.guess="none"', f"solver.refresh={refresh}"]
                figures, error = run(binary, path, few, off, processes)
                if error:
                    print(f"{label:24}failed: {error}")
                    continue
                show(label, figures, problems, groups, samples // groups)
                least = min(least, (figures["seconds"] / figures["samples"], label))
                rest.append(others(figures, problems))
                for p in problems:
                    best[p] = min(best.get(p, (float("inf"), "")), (cost(figures, p, samples), label))
        # Before and after the others, as the machine is not always equally fast.
        again, error = run(binary, path, samples, settings, processes)
        if error:
            sys.exit(f"{name}: {error}")
        ours = {key: 0.5 * (value + again[key]) for key, value in ours.items()}
        show("ours, mean of two", ours, problems, groups)
        peer = statistics.median(rest) + sum(seconds for seconds, _ in best.values())
        each, late = ours["seconds"] / ours["samples"], ours["late"]
        if all(cost(ours, p) == 0 for p in problems):
            # In time the parts are not measured one by one.
            peer, best = least[0], {p: (0.0, least[1]) for p in problems}
        peer, each, late = peer / groups, each / groups, late / groups
        print("best: " + "; ".join(f"{p}: {label}" for p, (_, label) in best.items()) + f": {1e3 * peer:.1f} ms")
        print(f"samples an hour: best {3600 / peer:.0f}, ours {3600 / each:.0f}: {peer / each:.2f} times as many; "
              f"{peer / late:.2f} times in the later half")
        for p in problems:
            print(f"  {p}: {ours[f'{p}.accepted']:.0f} guesses accepted, {ours[f'{p}.solved']:.0f} solved, basis {ours[f'{p}.basis']:.0f}; "
                  + ", ".join(f"{k} {ours[f'{p}.{k}']:.2f} s" for k in ("guess", "assembly", "setup", "solve", "learning")))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--samples", type=int)
    parser.add_argument("--peer-samples", type=int)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--groups", type=int, default=1)
    options = parser.parse_args()
    for name in options.case or CASES:
        compare(options.binary, name, options.samples, options.peer_samples, (options.ranks, options.groups))


if __name__ == "__main__":
    main()
