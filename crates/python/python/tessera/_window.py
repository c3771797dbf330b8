"""Constraint layers for runs in time that repair all steps at once, with functions in space and time."""
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
class RepairedWindow:
    """A repaired run, and what its experts made of it."""

    #: Times of the frames, s.
    times: Array
    #: The repaired states, ``[frame, node]`` or ``[frame, node, component]``; the first is the initial one.
    states: Array
    #: Length of every expert's weighted rows at the prediction and in its own states, ``[expert, 2]``.
    least: Array
    #: Iterations.
    iterations: int
    #: The largest difference of two experts where they meet, in the unit of the field.
    jump: float


@dataclass(frozen=True)
class WindowPullback:
    """The derivatives of a function of a repaired run with respect to what it was made from."""

    #: With respect to the predicted frames; zero of the first one, where values are prescribed, and of steps that were taken
    #: in full.
    prediction: Array
    #: With respect to the functions, of their shape.
    functions: Array
    #: With respect to the initial state; zero where values are prescribed.
    initial: Array
    #: With respect to the deck's parameters by name.
    parameters: dict[str, float]


class Window:
    """A layer that repairs all steps of a run in time at once, made by :meth:`Simulation.window`: every expert has coefficients of
    functions in space and time. Collective, like all that it does.
    """

    def __init__(self, native: Any, simulation: Simulation, times: Sequence[float]) -> None:
        self._native = native
        #: Whose problem it is.
        self.simulation = simulation
        #: Times of the frames, s: the start, and the ends of all steps.
        self.times = np.array(times, dtype=float)
        #: What the last :meth:`forward` found, which :meth:`vjp` differentiates.
        self.last: Optional[RepairedWindow] = None

    def forward(self, prediction: ArrayLike, functions: ArrayLike, parameters: Optional[Mapping[str, Value]] = None, /, *,
                initial: Optional[ArrayLike] = None, sample: int = 0, own: bool = False, **values: Value) -> RepairedWindow:
        """Repairs a prediction.

        :param prediction: all unknowns at :attr:`times`, ``[frame, node]`` or ``[frame, node, component]``; the first frame is
            not used.
        :param functions: ``[function, step, node]`` or ``[function, step, node, component]``, at the ends of all steps; zero is
            taken where values are prescribed.
        :param parameters, values: parameters by name; the others have the deck's defaults.
        :param initial: the state from which it starts; that of the deck without one.
        :param sample: which draw of the random fields.
        :raises Error: when conditions contradict one another, or the iteration does not converge.
        """
        self.last = None
        columns = [list(function) for function in functions]
        states, least, numbers = self._native.forward(list(prediction), columns, initial, given(parameters, values), sample, own)
        self.last = RepairedWindow(self.times, np.stack(states), least, *numbers)
        return self.last

    def vjp(self, cotangent: ArrayLike, *, own: bool = False) -> WindowPullback:
        """The derivatives of a function of the last repaired run, from its derivatives ``cotangent`` with respect to the states, of
        their shape. Modes at ``"weak"`` ports count as given.

        :raises Error: before :meth:`forward`.
        """
        prediction, functions, initial, parameters = self._native.vjp(list(cotangent), own)
        first = np.zeros_like(prediction[0])
        names = self.simulation.deck.parameters
        return WindowPullback(prediction=np.stack([first, *prediction]), functions=np.array(functions), initial=initial,
                              parameters=dict(zip(names, parameters)))

    def close(self) -> None:
        """Frees it."""
        self._native.close()

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()
