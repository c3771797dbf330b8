"""Constraint layers: predictions repaired until they satisfy balances or equations."""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Mapping, Optional

from ._arguments import Value, given
from ._native import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from ._simulation import Simulation

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class Repair:
    """A repaired prediction, and what was wrong with it."""

    #: The repaired state, all unknowns of the problem.
    state: Array
    #: Imbalance of every expert before, ``[expert]`` or ``[expert, component]``, in the unit of the load (W, N, kg/s).
    before: Array
    #: The same afterwards.
    after: Array
    #: What every expert exchanges, to which the imbalances are compared.
    exchange: Array
    #: Largest imbalance relative to the exchange, before.
    worst_before: float
    #: The same afterwards.
    worst_after: float
    #: Largest error of a prescribed value before.
    boundary_before: float
    #: The same afterwards.
    boundary_after: float
    #: Euclidean norm of the residual at the free unknowns before, with the prescribed values set.
    residual_before: float
    #: The same afterwards.
    residual_after: float
    #: What known rows lack of their values before, by name.
    known_before: dict[str, float]
    #: The same afterwards.
    known_after: dict[str, float]
    #: How far the free unknowns moved, in the layer's norm.
    distance: float
    #: The same relative to the norm of the repaired state.
    relative_distance: float


@dataclass(frozen=True)
class Pullback:
    """The derivatives of a function of the repaired state with respect to what the repair was made from."""

    #: With respect to the prediction; zero where values are prescribed (but for the level ``"none"``).
    prediction: Array
    #: With respect to the deck's parameters by name, through the equations and the prescribed values.
    parameters: dict[str, float]
    #: With respect to the prescribed values; zero elsewhere.
    prescribed: Array
    #: With respect to the values of known rows, by name.
    known: dict[str, float]


class Constraint:
    """A layer that replaces a prediction by the nearest state that satisfies a problem's equations to some level, made by
    :meth:`Simulation.constraint`. Collective, like all that it does.

    Fields of earlier problems are those of the simulation at :meth:`forward`, and are not differentiated.
    """

    def __init__(self, native: Any, simulation: Simulation, known: Mapping[str, float]) -> None:
        self._native = native
        #: Whose problem it is.
        self.simulation = simulation
        #: Values of the known rows where a call gives no other.
        self.known = dict(known)
        #: What the last :meth:`forward` found, which :meth:`vjp` differentiates.
        self.last: Optional[Repair] = None

    def forward(self, prediction: ArrayLike, parameters: Optional[Mapping[str, Value]] = None, /, *,
                known: Optional[Mapping[str, float]] = None, own: bool = False, **values: Value) -> Repair:
        """Repairs a prediction: all unknowns of the problem, as of :class:`Stage`.

        :param parameters, values: parameters by name; the others have the deck's defaults.
        :param known: values of known rows by name, instead of those that the layer was made with.
        :raises Error: when the balances cannot be met, or an iteration does not converge.
        """
        unknown = [name for name in known or {} if name not in self.known]
        if unknown:
            raise InputError(f'known: the layer has no row "{unknown[0]}": {", ".join(self.known) or "it has none"}')
        wanted = {**self.known, **(known or {})}
        self.last = None
        state, (before, after, exchange), numbers, lacking = self._native.forward(
            prediction, given(parameters, values), [float(value) for value in wanted.values()], own)
        self.last = Repair(state=state, before=before, after=after, exchange=exchange,
                           known_before={name: pair[0] for name, pair in zip(wanted, lacking)},
                           known_after={name: pair[1] for name, pair in zip(wanted, lacking)}, **dict(numbers))
        return self.last

    def vjp(self, cotangent: ArrayLike, *, own: bool = False) -> Pullback:
        """The derivatives of a function of the last repaired state, from its derivatives ``cotangent`` with respect to that
        state, by one transposed system.

        For a flow in the mass norm the sizes of velocity and pressure count as given; give ``scales`` to make them so.

        :raises Error: before :meth:`forward`, and when the simulation's fields that the equations read have changed since.
        """
        prediction, parameters, prescribed, known = self._native.vjp(cotangent, own)
        names = self.simulation.deck.parameters
        return Pullback(prediction=prediction, parameters=dict(zip(names, parameters)), prescribed=prescribed,
                        known=dict(zip(self.known, known)))

    def close(self) -> None:
        """Frees it."""
        self._native.close()

    def __enter__(self) -> Constraint:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()
