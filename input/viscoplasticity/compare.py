"""A table of repaired flights against the run itself.

    python compare.py out/run/run.h5 out/guess.h5 out/boundary/constrain.h5 ...
"""
import sys

import h5py
import numpy as np

FIELDS = ("temperature", "displacement", "accumulated_plastic_strain")


def fields(path):
    with h5py.File(path) as file:
        guess = "/guess/accumulated_plastic_strain" in file
        read = lambda name: file["/guess/" + name if guess and name == FIELDS[2] else "/fields/" + name][:]
        found = {name: read(name) for name in FIELDS}
        repair = {name: file[f"/repair/{name}"][:] for name in ("heat", "stress")} if "/repair" in file else None
    return {name: values[0] if guess and name != FIELDS[2] else values for name, values in found.items()}, repair


def main(truth, *paths):
    exact, _ = fields(truth)
    print("| | " + " | ".join(FIELDS) + " | violation, heat | violation, stress | seconds |\n" + "| --- " * 7 + "|")
    for path in paths:
        found, repair = fields(path)
        cells = []
        for name in FIELDS:
            a, b = found[name].reshape(len(found[name]), -1), exact[name].reshape(len(exact[name]), -1)
            change = a - b
            if name == "temperature":
                b = b - 293.15
            # The worst frame, of what is largest in any.
            cells.append(f"{np.linalg.norm(change, axis=1).max() / np.linalg.norm(b, axis=1).max():.1e}")
        if repair is None:
            cells += ["", "", ""]
        else:
            cells += [f"{np.nanmax(repair[name][:, 0]):.1e} -> {np.nanmax(repair[name][:, 1]):.1e}" for name in ("heat", "stress")]
            cells.append(f"{sum(np.nansum(rows[:, 9]) for rows in repair.values()):.0f}")
        print(f"| {path} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(*sys.argv[1:])
