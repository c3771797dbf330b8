"""Solutions and layers of Tessera inside PyTorch's automatic differentiation.

``solve`` is a function of parameters whose derivative is that of the discrete equations, by one transposed solve. ``Layer``
puts anything with ``forward`` and ``vjp`` between other layers. Numbers are double precision on the processor; tensors of
other kinds are converted, and gradients come back in their kind.

Under MPI all ranks call the same. Where fields are gathered (the default) every rank computes the same loss; with
``own=True`` a rank's loss is its part of a sum over ranks. Gradients are those of the whole loss on every rank.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional, Protocol, Sequence, Union

import numpy as np
import torch

from . import Error

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from . import Simulation

__all__ = ["Differentiable", "Layer", "solve"]


# By DLPack: the versions of NumPy and PyTorch need not know one another.
def _array(tensor: torch.Tensor) -> NDArray[np.float64]:
    return np.array(np.from_dlpack(tensor.detach().to("cpu", torch.float64).contiguous()))


def _tensor(array: NDArray[np.float64]) -> torch.Tensor:
    return torch.from_dlpack(np.array(array, dtype=float, order="C"))


class _Solve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, simulation: Simulation, fields: Sequence[str], names: Sequence[str], others: Mapping[str, float],
                own: bool, *values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        parameters = {**others, **{name: float(value) for name, value in zip(names, values)}}
        simulation.solve(parameters)
        ctx.simulation, ctx.fields, ctx.names, ctx.own = simulation, fields, names, own
        ctx.parameters, ctx.like = simulation.parameters, [(value.dtype, value.device) for value in values]
        return tuple(_tensor(simulation.field(name, own=own)) for name in fields)

    @staticmethod
    def backward(ctx: Any, *cotangents: Optional[torch.Tensor]) -> tuple[Any, ...]:
        simulation = ctx.simulation
        if not simulation.is_solved or simulation.parameters != ctx.parameters:
            simulation.solve(ctx.parameters)
        given = {name: _array(cotangent) for name, cotangent in zip(ctx.fields, cotangents) if cotangent is not None}
        wanted = [name for name, needed in zip(ctx.names, ctx.needs_input_grad[5:]) if needed]
        found = simulation.pull_back(given, wanted, own=ctx.own)
        gradients = [torch.tensor(found[name], dtype=dtype, device=device) if name in found else None
                     for name, (dtype, device) in zip(ctx.names, ctx.like)]
        return (None, None, None, None, None, *gradients)


def solve(simulation: Simulation, fields: Union[str, Sequence[str]], parameters: Optional[Mapping[str, Any]] = None, /, *,
          own: bool = False, **values: Any) -> Any:
    """Solves for parameters and returns solutions as tensors through which gradients flow back to the parameters.

    :param fields: the name of a solution, which is returned, or several, which are returned as a tuple.
    :param parameters, values: parameters by name, numbers or tensors of one number; the others have the deck's defaults.
    :param own: fields of this rank's nodes alone, see :mod:`tessera`.
    """
    given = {**(parameters or {}), **values}
    names = [name for name, value in given.items() if isinstance(value, torch.Tensor)]
    for name in names:
        if given[name].numel() != 1:
            raise Error(f"parameter {name}: expected a tensor of one number, found the shape {tuple(given[name].shape)}")
    tensors = [given[name].reshape(()) for name in names]
    others = {name: value for name, value in given.items() if name not in names}
    wanted = [fields] if isinstance(fields, str) else list(fields)
    found = _Solve.apply(simulation, wanted, names, others, own, *tensors)
    return found[0] if isinstance(fields, str) else found


class Differentiable(Protocol):
    """Something of Tessera's that maps arrays to arrays, with the transpose of its derivative."""

    def forward(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The value."""

    def vjp(self, cotangent: NDArray[np.float64]) -> NDArray[np.float64]:
        """The transposed derivative at the values of the last ``forward`` times an array of the shape of its result."""


class _Apply(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, layer: Layer, values: torch.Tensor) -> torch.Tensor:
        ctx.layer, ctx.values, ctx.like = layer, _array(values), (values.dtype, values.device)
        result = layer._forward(ctx.values)
        ctx.calls = layer._calls
        return _tensor(result).to(values.device)

    @staticmethod
    def backward(ctx: Any, cotangent: torch.Tensor) -> tuple[Any, ...]:
        if ctx.calls != ctx.layer._calls:
            # Another forward has been since.
            ctx.layer._forward(ctx.values)
            ctx.calls = ctx.layer._calls
        dtype, device = ctx.like
        return None, _tensor(ctx.layer.native.vjp(_array(cotangent))).to(device=device, dtype=dtype)


class Layer(torch.nn.Module):
    """A :class:`Differentiable` as a layer of a network, such as one that repairs predictions."""

    def __init__(self, native: Differentiable) -> None:
        super().__init__()
        self.native = native
        self._calls = 0

    def _forward(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        self._calls += 1
        return self.native.forward(values)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """The layer's value in double precision."""
        return _Apply.apply(self, values)
