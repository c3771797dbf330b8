"""Bases of fields that `tessera train` made, and the points at which an outside program gives its own."""
import os
from dataclasses import dataclass, field as default

import numpy as np

from .files import FileError, Result


@dataclass
class Expert:
    """The nodes of an expert, its gating function there, and its functions."""

    nodes: np.ndarray                      # [node], canonical numbers, ascending
    gating: np.ndarray                     # [node], positive; over all experts they sum to one
    modes: np.ndarray = None               # [mode, (step,) node, component]; none for points


@dataclass
class Basis:
    """Bases of one field: in space, or in space and time over a window of steps, where arrays have an axis of steps."""

    lifting: np.ndarray                    # [(step,) node, component], to which functions are added
    modes: np.ndarray                      # [mode, (step,) node, component]
    singular_values: np.ndarray
    essential: np.ndarray                  # [node, component], True where functions are zero
    times: np.ndarray = None               # [step], seconds; none in space
    experts: list = default(default_factory=list)

    def field(self, weights):
        """lifting + sum_j w_j phi_j."""
        return self.lifting + np.tensordot(weights, self.modes[: len(weights)], 1)

    def blend(self, weights):
        """lifting + sum_k chi_k sum_j w_kj Phi_kj, with a row of weights for each expert."""
        field = self.lifting.copy()
        for expert, w in zip(self.experts, weights, strict=True):
            field[..., expert.nodes, :] += expert.gating[:, None] * np.tensordot(w, expert.modes[: len(w)], 1)
        return field


@dataclass
class Points:
    """Where an outside program gives the functions of a field."""

    coordinates: np.ndarray                # [node, dimension], m, in canonical order
    weights: np.ndarray                    # [node]: times nodal values they sum to the integral
    essential: np.ndarray                  # [node, component], True where functions are zero
    experts: list = default(default_factory=list)


def _experts(file, group):
    """Those of a group; none when it is not there."""
    if group not in file.h5:
        return []
    start, nodes, gating = (file.dataset(f"{group}/{name}") for name in ("start", "nodes", "gating"))
    modes = file.dataset(f"{group}/modes") if f"{group}/modes" in file.h5 else None
    count = file.dataset(f"{group}/count") if modes is not None else np.zeros(len(start) - 1, int)
    return [Expert(nodes[a:b], gating[a:b], None if modes is None else modes[:n, ..., a:b, :])
            for a, b, n in zip(start[:-1], start[1:], count)]


def read_basis(path, field, window=None):
    """The bases of a field; of those over windows of steps, one, from 0."""
    with Result(path) as file:
        there = sorted(file.h5["/bases"]) if "/bases" in file.h5 else []
        if field not in there:
            raise FileError(f"{os.fspath(path)}: there are no bases of {field} (there: {', '.join(there) or 'none'})")
        windows = sum(name.startswith("window_") for name in file.h5[f"/bases/{field}"])
        if windows and (window is None or not 0 <= window < windows):
            raise FileError(f"{os.fspath(path)}: the bases of {field} are over {windows} windows; choose one from 0")
        if window is not None and not windows:
            raise FileError(f"{os.fspath(path)}: the bases of {field} are in space and have no windows")
        group = f"/bases/{field}" + (f"/window_{window}" if windows else "")
        read = {name: file.dataset(f"{group}/{name}") for name in ("lifting", "modes", "singular_values", "essential")}
        times = file.dataset(f"{group}/time") if windows else None
        lifting = read["lifting"] if windows else read["lifting"][0]
        return Basis(lifting, read["modes"], read["singular_values"], read["essential"] == 1, times,
                     _experts(file, f"{group}/experts"))


def read_points(path, field):
    """The points of a field in a file of `tessera export --points`."""
    with Result(path) as file:
        there = sorted(file.h5["/points"]) if "/points" in file.h5 else []
        if field not in there:
            raise FileError(f"{os.fspath(path)}: there are no points of {field} (there: {', '.join(there) or 'none'})")
        group = f"/points/{field}"
        coordinates, weights, essential = (
            file.dataset(f"{group}/{name}") for name in ("coordinates", "weights", "essential"))
        return Points(coordinates, weights, essential == 1, _experts(file, f"{group}/experts"))
