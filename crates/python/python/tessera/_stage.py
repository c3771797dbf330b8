"""Problems of a simulation."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Mapping, Optional

import numpy as np

from ._arguments import Value, given

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ._simulation import Simulation

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class Stage:
    """One problem of a simulation: ``R(u) = 0`` for the unknowns that have no prescribed value.

    A state ``u`` holds all unknowns, ``[node]`` or ``[node, component]`` (a flow's pressure is the last component), in
    either order; so do results. Nothing is eliminated: at prescribed unknowns the residual is what the support gives, and
    products take all rows and columns; :meth:`essential` tells which unknowns these are. Fields of earlier problems are
    those of the simulation. A parameter that is not given has the deck's default. In a run in time the residual is that
    of the terms without a time derivative.
    """

    simulation: Simulation = field(repr=False)
    #: Name of the physics.
    name: str
    #: Name of its (first) field.
    field: str
    #: Unknowns at a node.
    components: int
    #: Nodes over all ranks.
    nodes: int
    #: Nodes of this rank.
    own: int
    #: Whether it is one linear system: ``R(u) = K u - f``.
    is_linear: bool

    def residual(self, u: ArrayLike, parameters: Optional[Mapping[str, Value]] = None, /, *, own: bool = False,
                 **values: Value) -> Array:
        """``R(u)``, tested with every basis function."""
        return self.simulation._native.residual(self.name, u, given(parameters, values), own)

    def tangent_product(self, u: ArrayLike, v: ArrayLike, parameters: Optional[Mapping[str, Value]] = None, /, *,
                        own: bool = False, **values: Value) -> Array:
        """``J(u) v`` with the derivative J of the residual; no matrix is assembled."""
        return self.simulation._native.product(self.name, u, v, given(parameters, values), own, False)

    def tangent_transpose_product(self, u: ArrayLike, v: ArrayLike, parameters: Optional[Mapping[str, Value]] = None, /, *,
                                  own: bool = False, **values: Value) -> Array:
        """``J(u)^T v``."""
        return self.simulation._native.product(self.name, u, v, given(parameters, values), own, True)

    def slope(self, u: ArrayLike, parameter: str, parameters: Optional[Mapping[str, Value]] = None, /, *,
              own: bool = False, **values: Value) -> Array:
        """The derivative of ``R(u)`` with respect to a parameter, with ``u`` and the fields of other problems fixed."""
        return self.simulation._native.slope(self.name, u, parameter, given(parameters, values), own)

    def essential(self, parameters: Optional[Mapping[str, Value]] = None, /, *, own: bool = False,
                  **values: Value) -> tuple[NDArray[np.bool_], Array]:
        """Which unknowns have a prescribed value, and the values (zero elsewhere)."""
        fixed, prescribed = self.simulation._native.essential(self.name, given(parameters, values), own)
        return fixed != 0, prescribed
