"""Vortices on a periodic square (the second case of PI-HC-MoE, Chalapathi, Du and Krishnapriyan, ICLR 2024, in velocity and
pressure): runs in time predicted from 24 others, or by a mesh of half the resolution, and repaired by `tessera constrain`.

    python benches/vorticity/vorticity.py [--cells 32] [--reynolds 1000 10000] [--train 24] [--test 3]
                                          [--folder out/vorticity] [--program target/release/tessera]

Errors are those of all frames but the first, relative and in the L2 norm of a spectral derivative on the grid of the
velocity's nodes. Seconds are of processors, a run each, the start of the program among them.
"""
import argparse
import os
import resource
import subprocess
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import h5py
import numpy as np

HERE = Path(__file__).resolve().parent
NAMES = ["a", "b", "c", "d"]
SEED = 11
#: Seconds after which a repair is given up.
PATIENCE = 300


def seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Program:
    def __init__(self, path, folder, cells, reynolds):
        self.path, self.folder, self.cells, self.reynolds = path, folder, cells, reynolds

    def __call__(self, command, *arguments, cells=None):
        """Seconds of a command with the deck, and what it says where it fails."""
        start, cells = seconds(), cells or self.cells
        sets = [f"mesh.box.cells=[{cells},{cells}]", f"parameters.viscosity.default={1 / self.reynolds!r}"]
        try:
            done = subprocess.run([self.path, command, HERE / "flow.toml", *arguments, *(a for s in sets for a in ("--set", s))],
                                  capture_output=True, text=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            return seconds() - start, f"not done in {PATIENCE} s"
        return seconds() - start, (done.stderr or done.stdout).strip() if done.returncode else None

    def campaign(self, name, points, cells):
        """Velocity and pressure on the grid of the nodes of the fine mesh, [sample, frame, x, y, component], and seconds."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        np.savetxt(folder / "samples.csv", points, delimiter=",", header=",".join(NAMES), comments="", fmt="%.17g")
        (folder / "dataset.h5").unlink(missing_ok=True)
        table = (folder / "samples.csv").resolve()
        spent, error = self("campaign", "-o", folder, "--set", f'campaign.csv="{table}"', cells=cells)
        assert error is None, error
        grid = f"{2 * self.cells + 1}x{2 * self.cells + 1}"
        subprocess.run([self.path, "export", folder / "dataset.h5", "--grid", grid], check=True, capture_output=True)
        with h5py.File(folder / "dataset.grid.h5") as file:
            fields = [file["/outputs/velocity"][...], file["/outputs/pressure"][...]]
            return np.concatenate(fields, axis=-1), file["/time"][...], spent / len(points)


def regression(points, fields, targets):
    """A Gaussian process over the parameters, one length and variance for all nodes, the length by leaving one out."""
    flat = fields.reshape(len(fields), -1)
    mean = flat.mean(axis=0)

    def kernel(a, b, length):
        return np.exp(-((a[:, None] - b[None]) ** 2).sum(-1) / (2 * length ** 2))

    def left_out(length):
        inverse = np.linalg.inv(kernel(points, points, length) + 1e-8 * np.eye(len(points)))
        return np.linalg.norm((inverse @ (flat - mean)) / np.diag(inverse)[:, None])

    length = min(np.geomspace(0.05, 10, 25), key=left_out)
    weights = np.linalg.solve(kernel(points, points, length) + 1e-8 * np.eye(len(points)), kernel(points, targets, length))
    return (mean + weights.T @ (flat - mean)).reshape(len(targets), *fields.shape[1:])


def vorticity(velocity):
    """Of [..., x, y, component], the last point of each axis being the first again."""
    u = velocity[..., :-1, :-1, :]
    n = u.shape[-2]
    k = 2j * np.pi * np.fft.fftfreq(n, 1 / n)
    k[n // 2] = 0
    hats = np.fft.fft2(u, axes=(-3, -2))
    return np.fft.ifft2(k[:, None] * hats[..., 1] - k[None, :] * hats[..., 0], axes=(-2, -1)).real


def errors(fields, truth):
    """Relative errors of vorticity and velocity, and that of the vorticity at the end."""
    def relative(a, b):
        return np.linalg.norm(a - b) / np.linalg.norm(b)
    w, exact = vorticity(fields[..., :2]), vorticity(truth[..., :2])
    velocity = relative(fields[:, 1:, ..., :2], truth[:, 1:, ..., :2])
    return relative(w[:, 1:], exact[:, 1:]), velocity, relative(w[:, -1], exact[:, -1])


def write(path, points, times, fields):
    n = fields.shape[2]
    with h5py.File(path, "w") as file:
        file["/fields/velocity"], file["/fields/pressure"] = fields[..., :2], fields[..., 2]
        file["/times"] = times
        file["/grid/x"] = file["/grid/y"] = np.linspace(0, 1, n)
        for name, column in zip(NAMES, points.T):
            file[f"/parameters/{name}"] = column


def repaired(path, shape):
    """The velocity on the grid, and the worst imbalance after."""
    with h5py.File(path) as file:
        values, at = file["/fields/velocity"][..., :2], file["/spaces/2/coordinates"][:, :2]
        imbalance = np.nanmax(file["/violation/flow"][...].reshape(-1, 2)[:, 1]) if "/violation/flow" in file else np.nan
    place = np.rint(at * (shape[2] - 1)).astype(int)
    grid = np.empty((*shape[:4], 2))
    grid[:, :, place[:, 0], place[:, 1]] = values.reshape(shape[0], shape[1], len(at), 2)
    return grid, imbalance


def levels(train):
    yield "boundary", ()
    for experts in (1, 4, 16):
        yield "conservation", ("--set", f"partition.experts={experts}", "--weight", "mass")
    for level in ("coupled", "residual"):
        for experts in (1, 4, 16):
            yield level, ("--set", f"partition.experts={experts}", "--modes", str(train // 2))
    for level, ports in (("residual", ()), ("coupled", ("--set", 'constraint.ports="weak"', "--set", "constraint.port_modes=6"))):
        for experts in (1, 4):
            yield level, ("--set", f"partition.experts={experts}", "--set", "constraint.windows=1",
                          "--set", f'constraint.level="{level}"', *ports)
    yield "exact", ()


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--cells", type=int, default=32)
    options.add_argument("--reynolds", type=float, nargs="+", default=[1e3, 1e4])
    options.add_argument("--train", type=int, default=24)
    options.add_argument("--test", type=int, default=3)
    options.add_argument("--folder", type=Path, default=Path("out/vorticity"))
    options.add_argument("--program", default="target/release/tessera")
    given = options.parse_args()
    random = np.random.default_rng(SEED)
    train, test = (random.uniform(-0.25, 0.25, (count, len(NAMES))) for count in (given.train, given.test))
    print("| Re | prediction | level | vorticity | velocity | vorticity at the end | worst imbalance | s a run |")
    print("| --- " * 8 + "|")
    for reynolds in given.reynolds:
        folder = given.folder / f"{reynolds:g}"
        program = Program(given.program, folder, given.cells, reynolds)

        def line(what, level, found, imbalance, spent):
            print(f"| {reynolds:g} | {what} | {level} | " + " | ".join(f"{100 * e:.3g} %" for e in found)
                  + f" | {imbalance} | {spent:.2f} |", flush=True)

        known, times, _ = program.campaign("train", train, given.cells)
        truth, _, full = program.campaign("test", test, given.cells)
        line("full solve", "", (0, 0, 0), "", full)
        coarse, _, cheap = program.campaign("coarse", test, given.cells // 2)
        trained, error = program("train", "-o", folder / "train")
        assert error is None, error
        _, error = program("train", "--dataset", folder / "train" / "dataset.h5", "-o", folder / "windows", "--set", "rom.windows=1")
        assert error is None, error
        start = time.process_time()
        guessed = regression(train, known, test)
        regressed = (time.process_time() - start) / len(test)
        for what, fields, spent in (("regression", guessed, regressed), ("coarse mesh", coarse, cheap)):
            line(what, "", errors(fields, truth), "", spent)
            path = folder / f"{what.replace(' ', '-')}.h5"
            write(path, test, times, fields)
            for level, more in levels(given.train):
                model = folder / ("windows" if "constraint.windows=1" in more else "train") / "model.h5"
                basis = ("--basis", model) if level in ("coupled", "residual") else ()
                spent, error = program("constrain", path, "--level", level, *more, *basis, "-o", folder / "out", "--quiet")
                label = " ".join([level, *(str(a).replace("partition.", "").replace("constraint.", "") for a in more
                                           if not str(a).startswith(("--set", "constraint.level")))])
                if error is not None:
                    print(f"| {reynolds:g} | {what} | {label} | {error.splitlines()[-1]} |", flush=True)
                    continue
                found, imbalance = repaired(folder / "out" / "constrain.h5", fields.shape)
                line(what, label, errors(found, truth), f"{imbalance:.0e}", spent / len(test))
        print(f"modes: {trained:.1f} s")


if __name__ == "__main__":
    main()
