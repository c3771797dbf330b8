"""Constraint layers for runs in time: predictions repaired step by step."""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence

import numpy as np

from ._arguments import Value, given

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ._simulation import Simulation

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class RepairedRun:
    """A repaired run, and what was wrong with the prediction."""

    #: Times of the frames, s.
    times: Array
    #: The repaired states, ``[frame, node]`` or ``[frame, node, component]``; the first is the initial one.
    states: Array
    #: Largest imbalance of a step relative to what its experts exchange, before, ``[step]``.
    worst_before: Array
    #: The same afterwards.
    worst_after: Array
    #: Iterations of a step, ``[step]``.
    iterations: Array


@dataclass(frozen=True)
class RunPullback:
    """The derivatives of a function of a repaired run with respect to what it was made from."""

    #: With respect to the predicted frames; zero where values are prescribed.
    prediction: Array
    #: With respect to the initial state; zero where values are prescribed.
    initial: Array
    #: With respect to the deck's parameters by name: through the equations, the prescribed values, and the deck's initial
    #: values where the run started from these.
    parameters: dict[str, float]


class Trajectory:
    """A layer that repairs predictions of a run in time step by step, made by :meth:`Simulation.trajectory`: the equations of
    a step hold the repaired states before it. Collective, like all that it does.
    """

    def __init__(self, native: Any, simulation: Simulation, times: Sequence[float]) -> None:
        self._native = native
        #: Whose problem it is.
        self.simulation = simulation
        #: Times of the frames, s: the start, and the ends of all steps.
        self.times = np.array(times, dtype=float)
        #: What the last :meth:`forward` found, which :meth:`vjp` differentiates.
        self.last: Optional[RepairedRun] = None

    def forward(self, prediction: Optional[ArrayLike] = None, parameters: Optional[Mapping[str, Value]] = None, /, *,
                initial: Optional[ArrayLike] = None, sample: int = 0, own: bool = False, **values: Value) -> RepairedRun:
        """Repairs a prediction: all unknowns of the problem at :attr:`times`, ``[frame, node]`` or
        ``[frame, node, component]``. At the level ``"exact"`` the run is that of the scheme whatever is predicted, and the
        prediction may be left out.

        :param parameters, values: parameters by name; the others have the deck's defaults.
        :param initial: the state from which it starts; that of the deck without one. The first frame of a prediction is used
            for the stages of a first step alone.
        :param sample: which draw of the random fields.
        :raises Error: when the balances of a step cannot be met, or an iteration does not converge.
        """
        self.last = None
        frames = [] if prediction is None else list(prediction)
        states, numbers = self._native.forward(frames, initial, given(parameters, values), sample, own)
        self.last = RepairedRun(self.times, np.stack(states), *numbers)
        return self.last

    def vjp(self, cotangent: ArrayLike, *, own: bool = False) -> RunPullback:
        """The derivatives of a function of the last repaired run, from its derivatives ``cotangent`` with respect to the
        states, of their shape: one transposed system for each equation, from the last to the first.

        :raises Error: before :meth:`forward`, and for models with internal variables.
        """
        prediction, initial, parameters = self._native.vjp(list(cotangent), own)
        names = self.simulation.deck.parameters
        return RunPullback(prediction=np.stack(prediction), initial=initial, parameters=dict(zip(names, parameters)))

    def close(self) -> None:
        """Frees it."""
        self._native.close()

    def __enter__(self) -> Trajectory:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()
