"""Tessera in Python: decks, simulations, residuals, tangents, gradients and reduced models as NumPy arrays.

Everything but :class:`Deck` is called by all ranks of a communicator together, in the same order and with the same values
(arrays of a rank's own rows may differ, of course). A fault on any rank is an exception on all.

Arrays of nodal values are ``[node]`` for scalars and ``[node, component]`` for others, in one of two orders:

- *canonical*, the default: all nodes on every rank, in the order of Tessera's files, the same on any number of ranks;
- with ``own=True``: this rank's nodes alone, in the order of PETSc's rows. Nothing is gathered.

On a periodic mesh the nodes of a seam stand once (files show them at every image).
"""
from __future__ import annotations

import atexit
import sys
import traceback
from typing import Any

from . import _native
from ._constraint import Constraint, Pullback, Repair
from ._deck import Deck, Parameter
from ._model import Model, Prediction
from ._native import Error, InputError, __version__
from ._simulation import Field, History, Quantity, Simulation
from ._stage import Stage
from ._trajectory import RepairedRun, RunPullback, Trajectory
from ._window import RepairedWindow, Window, WindowPullback

__all__ = ["Constraint", "Deck", "Error", "Field", "History", "InputError", "Model", "Parameter", "Prediction", "Pullback",
           "Quantity", "Repair", "RepairedRun", "RepairedWindow", "RunPullback", "Simulation", "Stage", "Trajectory", "Window",
           "WindowPullback", "__version__"]


def _watch_exceptions() -> None:
    """An exception that nobody catches on this rank alone must not leave the others waiting."""
    before = sys.excepthook

    def hook(kind: Any, value: BaseException, trace: Any) -> None:
        before(kind, value, trace)
        _native.failed("".join(traceback.format_exception_only(kind, value)).strip())

    sys.excepthook = hook


_watch_exceptions()
atexit.register(_native.finalize)
