"""Reduced models."""
from __future__ import annotations

from dataclasses import dataclass
from os import PathLike, fspath
from typing import TYPE_CHECKING, Mapping, Optional, Sequence, Union

from . import _native
from ._arguments import Value, address, given
from ._deck import Deck

if TYPE_CHECKING:
    import numpy as np
    from mpi4py import MPI
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class Prediction:
    """What a reduced model says."""

    #: Solutions, or the fields that were asked for.
    fields: dict[str, Array]
    quantities: dict[str, float]
    #: Bounds of the errors of the quantities, where there are any, before a repair.
    bounds: dict[str, float]
    #: Estimate of the energy norm of each physics' error, before a repair.
    estimate: dict[str, float]
    #: The same relative to the energy norm of the solution.
    relative_estimate: dict[str, float]
    #: Why an estimate is no proven bound, where it is none.
    doubts: dict[str, str]


class Model:
    """A reduced model that ``tessera train`` wrote. Collective, like all that it does.

    :param comm: as of :class:`Simulation`.
    :param constraint: what predictions are repaired to: ``"none"``, ``"boundary"``, ``"conservation"``, ``"residual"``,
        ``"coupled"`` or ``"exact"``; the deck's without one.
    :param weight: the norm of that: ``"energy"``, ``"mass"`` or ``"euclidean"``.
    """

    def __init__(self, path: Union[str, PathLike[str]], comm: Optional[MPI.Comm] = None, constraint: Optional[str] = None,
                 weight: Optional[str] = None) -> None:
        self._native = _native.Model(fspath(path), address(comm), constraint, weight)
        #: The deck that it was trained with.
        self.deck = Deck._of(self._native.deck)

    def predict(self, parameters: Optional[Mapping[str, Value]] = None, /, *, modes: Optional[int] = None,
                fields: Optional[Sequence[str]] = None, own: bool = False, **values: Value) -> Prediction:
        """Fields and quantities for parameters, with at most so many modes; outside the ranges of the training look at the
        estimates."""
        found, quantities, bounds, estimates = self._native.predict(
            given(parameters, values), modes, None if fields is None else list(fields), own)
        names = self.deck.quantities
        return Prediction(
            fields=dict(found),
            quantities=dict(zip(names, quantities)),
            bounds={name: bound for name, bound in zip(names, bounds) if bound is not None},
            estimate={name: estimate for name, estimate, _, _ in estimates},
            relative_estimate={name: relative for name, _, relative, _ in estimates},
            doubts={name: doubt for name, _, _, doubt in estimates if doubt is not None},
        )

    def close(self) -> None:
        """Frees it."""
        self._native.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<tessera.Model {self.deck.title!r}: {', '.join(self.deck.fields)}>"
