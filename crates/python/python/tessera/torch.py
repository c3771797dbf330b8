"""Solves and repairs inside PyTorch's automatic differentiation.

``solve`` is a function of parameters whose derivative is that of the discrete equations, by one transposed solve.
``Constraint`` is a layer that makes predictions satisfy balances or equations, ``Trajectory`` the same of runs in time, step by step,
and ``Window`` of all steps at once. Numbers are double precision on the processor; tensors of other kinds are converted, and gradients come back in their kind.

Under MPI all ranks call the same. Where fields are gathered (the default) every rank computes the same loss; with
``own=True`` a rank's loss is its part of a sum over ranks. Gradients are those of the whole loss on every rank.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence, Union

import numpy as np
import torch

from . import Error, InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    import tessera

__all__ = ["Constraint", "Trajectory", "Window", "solve"]


# By DLPack: the versions of NumPy and PyTorch need not know one another.
def _array(tensor: torch.Tensor) -> NDArray[np.float64]:
    return np.array(np.from_dlpack(tensor.detach().to("cpu", torch.float64).contiguous()))


def _tensor(array: NDArray[np.float64]) -> torch.Tensor:
    return torch.from_dlpack(np.array(array, dtype=float, order="C"))


def _parted(given: Mapping[str, Any], what: str) -> tuple[list[str], list[torch.Tensor], dict[str, Any]]:
    """Names and values of the tensors among numbers, and the other numbers."""
    names = [name for name, value in given.items() if isinstance(value, torch.Tensor)]
    for name in names:
        if given[name].numel() != 1:
            raise InputError(f"{what} {name}: expected a tensor of one number, found the shape {tuple(given[name].shape)}")
    return names, [given[name].reshape(()) for name in names], {n: value for n, value in given.items() if n not in names}


class _Solve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, simulation: tessera.Simulation, fields: Sequence[str], names: Sequence[str],
                others: Mapping[str, Any], sample: int, own: bool, *values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        parameters = {**others, **{name: float(value) for name, value in zip(names, values)}}
        simulation.solve(parameters, sample=sample)
        ctx.simulation, ctx.fields, ctx.names, ctx.own = simulation, fields, names, own
        ctx.parameters, ctx.sample = simulation.parameters, sample
        ctx.like = [(value.dtype, value.device) for value in values]
        return tuple(_tensor(simulation.field(name, own=own)) for name in fields)

    @staticmethod
    def backward(ctx: Any, *cotangents: Optional[torch.Tensor]) -> tuple[Any, ...]:
        simulation = ctx.simulation
        if not simulation.is_solved or (simulation.parameters, simulation.sample) != (ctx.parameters, ctx.sample):
            simulation.solve(ctx.parameters, sample=ctx.sample)
        given = {name: _array(cotangent) for name, cotangent in zip(ctx.fields, cotangents) if cotangent is not None}
        wanted = [name for name, needed in zip(ctx.names, ctx.needs_input_grad[6:]) if needed]
        found = simulation.pull_back(given, wanted, own=ctx.own)
        gradients = [torch.tensor(found[name], dtype=dtype, device=device) if name in found else None
                     for name, (dtype, device) in zip(ctx.names, ctx.like)]
        return None, None, None, None, None, None, *gradients


def solve(simulation: tessera.Simulation, fields: Union[str, Sequence[str]],
          parameters: Optional[Mapping[str, Any]] = None, /, *, sample: int = 0, own: bool = False, **values: Any) -> Any:
    """Solves for parameters and returns solutions as tensors through which gradients flow back to the parameters.

    :param fields: the name of a solution, which is returned, or several, which are returned as a tuple.
    :param parameters, values: parameters by name, numbers or tensors of one number; the others have the deck's defaults.
    :param sample: which draw of the random fields.
    :param own: fields of this rank's nodes alone, see :mod:`tessera`.
    """
    names, tensors, others = _parted({**(parameters or {}), **values}, "parameter")
    wanted = [fields] if isinstance(fields, str) else list(fields)
    found = _Solve.apply(simulation, wanted, names, others, sample, own, *tensors)
    return found[0] if isinstance(fields, str) else found


class _Repair(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, layer: Constraint, names: Sequence[str], rows: Sequence[str], others: Mapping[str, Any],
                known: Mapping[str, float], prediction: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        numbers = [float(value) for value in values]
        parameters = {**others, **dict(zip(names, numbers))}
        known = {**known, **dict(zip(rows, numbers[len(names):]))}
        ctx.layer, ctx.names, ctx.rows, ctx.arguments = layer, names, rows, (_array(prediction), parameters, known)
        ctx.like = [(value.dtype, value.device) for value in (prediction, *values)]
        ctx.repair = layer._repair(*ctx.arguments)
        return _tensor(ctx.repair.state).to(prediction.device)

    @staticmethod
    def backward(ctx: Any, cotangent: torch.Tensor) -> tuple[Any, ...]:
        native = ctx.layer.native
        if native.last is not ctx.repair:
            # Another repair has been since: this one again.
            again = ctx.layer._repair(*ctx.arguments)
            before, difference = np.abs(ctx.repair.state), np.abs(again.state - ctx.repair.state)
            if difference.max(initial=0.0) > 1e-7 * before.max(initial=0.0):
                raise Error("backward: the simulation's fields have changed since the repair, which cannot be done again")
            ctx.repair = again
        found = native.vjp(_array(cotangent), own=ctx.layer.own)
        numbers = [found.parameters[name] for name in ctx.names] + [found.known[name] for name in ctx.rows]
        (dtype, device), *like = ctx.like
        gradients = [torch.tensor(number, dtype=dtype, device=device) for number, (dtype, device) in zip(numbers, like)]
        return None, None, None, None, None, _tensor(found.prediction).to(device=device, dtype=dtype), *gradients


class Constraint(torch.nn.Module):
    """A :class:`tessera.Constraint` as a layer: predictions go in, repaired states come out, and gradients flow back to
    predictions, parameters and values of known rows, exact up to the solvers' tolerances.

    :param native: of :meth:`tessera.Simulation.constraint`; ``native.last`` tells what the last repair found.
    :param own: predictions are this rank's rows alone, see :mod:`tessera`.
    """

    def __init__(self, native: tessera.Constraint, own: bool = False) -> None:
        super().__init__()
        self.native, self.own = native, own

    def _repair(self, prediction: NDArray[np.float64], parameters: Mapping[str, Any], known: Mapping[str, float]) -> Any:
        return self.native.forward(prediction, parameters, known=known, own=self.own)

    def forward(self, prediction: torch.Tensor, parameters: Optional[Mapping[str, Any]] = None, /, *,
                known: Optional[Mapping[str, Any]] = None, **values: Any) -> torch.Tensor:
        """The repaired prediction, in double precision.

        :param parameters, values: parameters by name, numbers or tensors of one number.
        :param known: values of known rows by name, likewise.
        """
        names, tensors, others = _parted({**(parameters or {}), **values}, "parameter")
        rows, more, fixed = _parted(known or {}, "known")
        return _Repair.apply(self, names, rows, others, fixed, prediction, *tensors, *more)


class _Run(torch.autograd.Function):
    """Of layers in time: a layer's ``fields`` are the inputs that are arrays, by their names in what ``vjp`` finds."""

    @staticmethod
    def forward(ctx: Any, layer: Any, names: Sequence[str], others: Mapping[str, Any], sample: int,
                *given: Optional[torch.Tensor]) -> torch.Tensor:
        arrays, values = given[:len(layer.fields)], given[len(layer.fields):]
        parameters = {**others, **{name: float(value) for name, value in zip(names, values)}}
        fields = [None if array is None else _array(array) for array in arrays]
        ctx.layer, ctx.names, ctx.arguments = layer, names, (fields, parameters, sample)
        ctx.like = [None if tensor is None else (tensor.dtype, tensor.device) for tensor in given]
        ctx.run = layer._repair(*ctx.arguments)
        return _tensor(ctx.run.states)

    @staticmethod
    def backward(ctx: Any, cotangent: torch.Tensor) -> tuple[Any, ...]:
        native = ctx.layer.native
        if native.last is not ctx.run:
            # Another run has been since: this one again.
            ctx.run = ctx.layer._repair(*ctx.arguments)
        found = native.vjp(_array(cotangent), own=ctx.layer.own)
        arrays = [getattr(found, name) for name in ctx.layer.fields] + [found.parameters[name] for name in ctx.names]
        gradients = [None if like is None else _tensor(array).to(dtype=like[0], device=like[1])
                     for array, like in zip(arrays, ctx.like)]
        return None, None, None, None, *gradients


class Trajectory(torch.nn.Module):
    """A :class:`tessera.Trajectory` as a layer: predicted frames go in, repaired runs come out, ``[frame, node]`` or
    ``[frame, node, component]``, and gradients flow back to predictions, initial states and parameters.

    :param native: of :meth:`tessera.Simulation.trajectory`; ``native.last`` tells what the last repair found.
    :param own: arrays hold this rank's rows alone, see :mod:`tessera`.
    """

    fields = ("prediction", "initial")

    def __init__(self, native: tessera.Trajectory, own: bool = False) -> None:
        super().__init__()
        self.native, self.own = native, own

    def _repair(self, fields: Sequence[Any], parameters: Mapping[str, Any], sample: int) -> Any:
        prediction, initial = fields
        return self.native.forward(prediction, parameters, initial=initial, sample=sample, own=self.own)

    def forward(self, prediction: Optional[torch.Tensor] = None, parameters: Optional[Mapping[str, Any]] = None, /, *,
                initial: Optional[torch.Tensor] = None, sample: int = 0, **values: Any) -> torch.Tensor:
        """The repaired run, in double precision.

        :param prediction: frames; may be left out at the level ``"exact"``.
        :param parameters, values: parameters by name, numbers or tensors of one number.
        :param initial: the state from which it starts; that of the deck without one.
        :param sample: which draw of the random fields.
        """
        names, tensors, others = _parted({**(parameters or {}), **values}, "parameter")
        return _Run.apply(self, names, others, sample, prediction, initial, *tensors)


class Window(torch.nn.Module):
    """A :class:`tessera.Window` as a layer: predicted frames and functions in space and time go in, repaired runs come out, and
    gradients flow back to predictions, functions, initial states and parameters.

    :param native: of :meth:`tessera.Simulation.window`; ``native.last`` tells what the last repair found.
    :param own: arrays hold this rank's rows alone, see :mod:`tessera`.
    """

    fields = ("prediction", "functions", "initial")

    def __init__(self, native: tessera.Window, own: bool = False) -> None:
        super().__init__()
        self.native, self.own = native, own

    def _repair(self, fields: Sequence[Any], parameters: Mapping[str, Any], sample: int) -> Any:
        prediction, functions, initial = fields
        return self.native.forward(prediction, functions, parameters, initial=initial, sample=sample, own=self.own)

    def forward(self, prediction: torch.Tensor, functions: torch.Tensor, parameters: Optional[Mapping[str, Any]] = None, /, *,
                initial: Optional[torch.Tensor] = None, sample: int = 0, **values: Any) -> torch.Tensor:
        """The repaired run, in double precision.

        :param prediction: frames.
        :param functions: ``[function, step, node]`` or ``[function, step, node, component]``.
        :param parameters, values: parameters by name, numbers or tensors of one number.
        :param initial: the state from which it starts; that of the deck without one.
        :param sample: which draw of the random fields.
        """
        names, tensors, others = _parted({**(parameters or {}), **values}, "parameter")
        return _Run.apply(self, names, others, sample, prediction, functions, initial, *tensors)
