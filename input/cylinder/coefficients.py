#!/usr/bin/env python3
"""Largest drag and lift and the Strouhal number of a vortex street, from the steps of a run or the frames of a prediction.

usage: coefficients.py RUN.h5 | PREDICT.h5 [FROM_TIME]
"""
import sys

import h5py
import numpy as np

with h5py.File(sys.argv[1]) as file:
    if "/log/steps" in file:
        steps = file["/log/steps"]
        names = [name.decode() if isinstance(name, bytes) else name for name in steps.attrs["columns"]]
        values = steps[:]
        time, drag, lift = (values[:, names.index(name)] for name in ("time", "drag", "lift"))
    else:
        time = file["/time"][:]
        drag, lift = (file[f"/history/{name}"][0] for name in ("drag", "lift"))
late = time >= (float(sys.argv[2]) if len(sys.argv) > 2 else 0.75 * time[-1])
time, drag, lift = time[late], drag[late], lift[late]
# Periods between upward crossings of zero, by linear interpolation.
up = np.flatnonzero((lift[:-1] < 0) & (lift[1:] >= 0))
crossings = time[up] - lift[up] * (time[up + 1] - time[up]) / (lift[up + 1] - lift[up])
print(f"largest drag {drag.max():.4f}, largest lift {lift.max():.4f}")
if len(crossings) > 1:
    print(f"Strouhal number {0.1 / np.diff(crossings).mean():.4f} over {len(crossings) - 1} periods")
