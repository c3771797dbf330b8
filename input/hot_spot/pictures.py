"""Pictures of this case: plastic strain of the full run and of the prediction, and the error over time beside its bound.

    tessera run hot_spot.toml && tessera campaign hot_spot.toml && tessera train hot_spot.toml
    tessera predict out/model.h5
    python pictures.py
"""

import sys
from pathlib import Path

import h5py
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

out = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
field = "accumulated_plastic_strain"
with h5py.File(out / "run.h5") as run, h5py.File(out / "predict.h5") as prediction:
    times = run["time"][:]
    nodes = run["mesh/geometry"][:]
    full = run[f"fields/{field}"][:].reshape(len(times), -1)
    reduced = prediction[f"fields/{field}"][:].reshape(len(times), -1)
    bound = float(prediction[f"estimate/fields/{field}"][0])

# The mesh is a box: nodes by columns and rows.
order = np.lexsort((nodes[:, 0], nodes[:, 1]))
columns, rows = len(np.unique(nodes[:, 0])), len(np.unique(nodes[:, 1]))
x, y = (nodes[order, i].reshape(rows, columns) for i in range(2))
grid = lambda values: values[order].reshape(rows, columns)

figure, axes = plt.subplots(2, 2, figsize=(10, 5.2), constrained_layout=True)
largest = full[-1].max()
for axis, values, title in [
    (axes[0, 0], full[-1], "full run"),
    (axes[0, 1], reduced[-1], "reduced model"),
]:
    drawn = axis.contourf(x, y, grid(values), np.linspace(0, largest, 21), cmap="magma")
    axis.set(title=f"accumulated plastic strain at the end, {title}", aspect="equal", xlabel="x, m", ylabel="y, m")
figure.colorbar(drawn, ax=axes[0, :].tolist(), shrink=0.8)
difference = reduced[-1] - full[-1]
size = np.abs(difference).max()
drawn = axes[1, 0].contourf(x, y, grid(difference), np.linspace(-size, size, 21), cmap="RdBu_r")
axes[1, 0].set(title="difference", aspect="equal", xlabel="x, m", ylabel="y, m")
figure.colorbar(drawn, ax=axes[1, 0], shrink=0.8)
norm = lambda list_: np.sqrt((list_**2).sum(axis=1))
error = norm(reduced - full) / norm(full).max()
axes[1, 1].semilogy(times[1:], error[1:], "o-", label="error")
axes[1, 1].axhline(bound, color="tab:red", label="calibrated bound (level 0.9)")
axes[1, 1].set(xlabel="time, s", ylabel="relative to the largest norm", title="plastic strain: error and bound")
axes[1, 1].legend()
figure.savefig(out / "hot_spot.png", dpi=110)
print(f"{out / 'hot_spot.png'}: largest error {error.max():.2e}, bound {bound:.2e}")
