"""Maps of the error of one sample: of the prediction and what levels leave of it.

    python pictures.py out/guess.h5 out 0 errors.png      # out/<level>/constrain.h5 of levels.sh
"""
import sys

import h5py
import matplotlib.pyplot as plt
import numpy as np
from tessera_postprocess import style

LEVELS = ["boundary", "conservation"]


def errors(guess, folder, sample):
    def field(path):
        with h5py.File(path) as file:
            return file["/fields/temperature"][sample].reshape(-1)

    with h5py.File(f"{folder}/exact/constrain.h5") as file:
        nodes = file["/mesh/geometry"][:]
    truth = field(f"{folder}/exact/constrain.h5")
    shown = {"prediction": field(guess), **{level: field(f"{folder}/{level}/constrain.h5") for level in LEVELS}}
    shape = tuple(len(np.unique(nodes[:, d])) for d in (0, 1))
    order = np.lexsort((nodes[:, 1], nodes[:, 0]))
    figure, grid = plt.subplots(1, 3, figsize=(10.0, 2.2), sharex=True, sharey=True, layout="constrained")
    largest = np.abs(shown["prediction"] - truth).max()
    for axes, (name, values) in zip(grid.flat, shown.items()):
        error = (values - truth)[order].reshape(shape).T
        image = axes.imshow(error, origin="lower", extent=(0, 200, 0, 100), cmap="RdBu_r", vmin=-largest, vmax=largest)
        axes.set_title(f"{name}: {np.sqrt((error**2).mean()):.1f} K")
        axes.grid(False)
    grid[0].set(xlabel="x (mm)", ylabel="y (mm)")
    figure.colorbar(image, ax=grid, label="Error of the temperature (K)", shrink=0.8)
    return figure


if __name__ == "__main__":
    style.save(errors(sys.argv[1], sys.argv[2], int(sys.argv[3])), sys.argv[4], True)
