"""Simulations."""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Mapping, Optional, Sequence

import numpy as np

from . import _native
from ._arguments import Value, address, given
from ._constraint import Constraint
from ._deck import Deck
from ._native import InputError
from ._stage import Stage
from ._trajectory import Trajectory
from ._window import Window

if TYPE_CHECKING:
    from mpi4py import MPI
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class Field:
    """A field: a solution, something that follows from one, or a random field."""

    name: str
    #: Name of the physics on whose nodes it lies.
    stage: str
    #: Values at a node.
    components: int
    unit: str
    meaning: str
    #: Whether it is a solution or part of one, and can be set.
    is_solution: bool


@dataclass(frozen=True)
class Quantity:
    """A quantity of interest."""

    name: str
    unit: str
    meaning: str


class Simulation:
    """A deck's problems on its mesh, ready to be solved for any parameters. Collective, like all that it does.

    :param comm: an mpi4py communicator; ``MPI_COMM_WORLD`` without one.

    It can be used in a ``with`` statement; :meth:`close` frees it. Objects that are dropped by all ranks are freed when the
    next one is made, or at the end.
    """

    def __init__(self, deck: Deck, comm: Optional[MPI.Comm] = None) -> None:
        self._native = _native.Simulation(deck._native, address(comm))
        self.deck = deck
        #: The problems by the names of the physics, in the order in which they are solved.
        self.stages = {row[0]: Stage(self, *row) for row in self._native.stages()}

    @property
    def rank(self) -> int:
        """This process's number in the communicator."""
        return self._native.rank

    @property
    def size(self) -> int:
        """How many processes share it."""
        return self._native.size

    @property
    def parameters(self) -> dict[str, float]:
        """The parameters of the present fields."""
        return dict(zip(self.deck.parameters, self._native.state()[0]))

    @property
    def sample(self) -> int:
        """Which draw of the random fields the present fields are for."""
        return self._native.state()[1]

    @property
    def is_solved(self) -> bool:
        """Whether the present fields are the steady solution for :attr:`parameters` and :attr:`sample`."""
        return self._native.state()[2]

    def fields(self) -> dict[str, Field]:
        """All fields by name."""
        return {row[0]: Field(*row) for row in self._native.fields()}

    def solve(self, parameters: Optional[Mapping[str, Value]] = None, /, *, sample: int = 0, **values: Value) -> None:
        """Solves all problems in their order.

        :param parameters, values: parameters by name; the others have the deck's defaults.
        :param sample: which draw of the random fields.
        :raises Error: when a solver does not converge.
        """
        self._native.solve(given(parameters, values), sample)

    def field(self, name: str, *, own: bool = False) -> Array:
        """The present values of a field at the nodes of its physics."""
        return self._native.field(name, own)

    def set_field(self, name: str, values: ArrayLike, *, own: bool = False) -> None:
        """Sets a solution, or a part of one such as the pressure of a flow: the first guess of the next solve, what
        derived fields and quantities follow from, and what later problems read."""
        self._native.set_field(name, values, own)

    def coordinates(self, field: Optional[str] = None, *, own: bool = False) -> Array:
        """Coordinates of a field's nodes (of the first one without a name), ``[node, dimension]``, m."""
        stage = next(iter(self.stages)) if field is None else self._field(field).stage
        return _rows(self._native.coordinates(stage, own), self.stages[stage].nodes if not own else self.stages[stage].own)

    def _field(self, name: str) -> Field:
        fields = self.fields()
        if name not in fields:
            raise InputError(f'the deck has no field "{name}": {", ".join(fields)}')
        return fields[name]

    def quantities(self) -> dict[str, float]:
        """The quantities of interest of the present fields, by name."""
        return dict(zip(self.deck.quantities, self._native.measure()))

    def quantity_table(self) -> dict[str, Quantity]:
        """Units and meanings of the quantities of interest."""
        return {row[0]: Quantity(*row) for row in self._native.quantities()}

    def gradient(self, quantity: str, parameters: Optional[Sequence[str]] = None,
                 method: Optional[Literal["adjoint", "tangent"]] = None) -> dict[str, float]:
        """The derivatives of a quantity of interest with respect to parameters (all without names), at the solution.

        By the adjoint where the quantity is linear in a solution (a mean, an integral, a value at a point): one transposed
        linear system, however many parameters there are. Other smooth quantities (fluxes, reactions, energies, stresses)
        take one linear system for each parameter, ``method="tangent"``.

        :raises InputError: for a quantity that has no derivative (``minimum``, ``maximum``).
        :raises Error: before :meth:`solve`, for decks in time, and where the solution has no derivative.
        """
        names = list(self.deck.parameters) if parameters is None else list(parameters)
        return dict(zip(names, map(float, self._native.gradient(quantity, names, method))))

    def sensitivity(self, field: str, parameter: str, *, own: bool = False) -> Array:
        """The derivative of a solution with respect to a parameter, at the solution."""
        return self._native.sensitivity(field, parameter, own)

    def pull_back(self, cotangents: Mapping[str, ArrayLike], parameters: Optional[Sequence[str]] = None, *,
                  own: bool = False) -> dict[str, float]:
        """The derivatives with respect to parameters of a function of the solution, from its derivatives with respect to
        the values of fields (``cotangents``, arrays like those of :meth:`field`), by the adjoint."""
        names = list(self.deck.parameters) if parameters is None else list(parameters)
        return dict(zip(names, map(float, self._native.pull_back(list(cotangents.items()), names, own))))

    def constraint(self, level: Literal["none", "boundary", "conservation", "residual", "coupled",
                                        "exact"] = "conservation", *,
                   stage: Optional[str] = None, norm: Optional[Literal["energy", "mass", "euclidean", "variance"]] = None,
                   per_side: Optional[int] = None, overlap: Optional[int] = None, tolerance: Optional[float] = None,
                   scales: Optional[tuple[float, float]] = None, variance: Optional[ArrayLike] = None,
                   known: Optional[Mapping[str, tuple[ArrayLike, float]]] = None, own: bool = False) -> Constraint:
        """A layer that repairs predictions of a steady problem, see ``docs/theory/experts.md``.

        :param level: what repaired states satisfy; each level includes those before it, but for ``"residual"``, which is
            least squares of each expert by itself.
        :param stage: name of the physics, needed if there are several.
        :param norm: in what they are nearest to predictions; the energy where the problem has one, else ``"mass"``.
        :param per_side: the mesh's box is cut so often along each axis, and each part is an expert. Without it the experts
            are those of the deck's ``[partition]``, whose shapes (and number, if the deck does not say it) follow the ranks.
        :param overlap: layers of cells by which experts overlap; the deck's without one.
        :param tolerance: relative residual of the levels ``"coupled"`` and ``"exact"``; the solver's without one.
        :param scales: sizes of velocity and pressure in the mass norm of a flow, else those of each prediction.
        :param variance: of the prediction's unknowns, for the norm of that name; those with zero are not moved.
        :param known: linear functionals whose values are known (level ``"conservation"``): by name the coefficients of all
            unknowns, and the value.
        :param own: arrays hold this rank's nodes alone.
        """
        names = list(self.stages)
        if stage is None and len(names) > 1:
            raise InputError(f"stage: the deck has several physics, choose one: {', '.join(names)}")
        rows = [(name, row) for name, (row, _) in (known or {}).items()]
        native = self._native.constraint(names[0] if stage is None else stage, level, norm, (per_side, overlap), tolerance,
                                         scales, variance, rows, own)
        return Constraint(native, self, {name: float(value) for name, (_, value) in (known or {}).items()})

    def trajectory(self, level: Literal["none", "boundary", "conservation", "residual", "coupled",
                                        "exact"] = "conservation", *, times: Sequence[float],
                   norm: Optional[Literal["energy", "mass", "euclidean"]] = None, per_side: Optional[int] = None,
                   overlap: Optional[int] = None, tolerance: Optional[float] = None,
                   scales: Optional[tuple[float, float]] = None, own: bool = False) -> Trajectory:
        """A layer that repairs predictions of a run in time step by step, for a deck with ``[time]`` and one physics.

        :param level: as of :meth:`constraint`; ``"exact"`` gives the run of the deck's scheme itself.
        :param times: the deck's start, and the ends of the steps, which are as long as this says.
        :param norm, per_side, overlap, tolerance, scales, own: as of :meth:`constraint`.
        """
        steps = [float(time) for time in times]
        native = self._native.trajectory(next(iter(self.stages)), level, norm, (per_side, overlap), tolerance, scales, steps,
                                         own)
        return Trajectory(native, self, steps)

    def window(self, level: Literal["residual", "coupled"] = "coupled", *, times: Sequence[float],
               per_side: Optional[int] = None, overlap: Optional[int] = None, tolerance: Optional[float] = None,
               own: bool = False) -> Window:
        """A layer that repairs all steps of a run in time at once, for a deck with ``[time]`` and one physics, the scheme ``"bdf1"``,
        ``"bdf2"`` or ``"crank_nicolson"``, and no internal variables.

        :param level: ``"residual"``: every expert has the least residual of its own rows; ``"coupled"``: and its balance over
            the window closes, and it meets its neighbours as the deck's ``constraint.ports`` says. What is least is the
            deck's ``constraint.least_squares``.
        :param times: the deck's start, and the ends of the steps.
        :param per_side, overlap, tolerance, own: as of :meth:`constraint`.
        """
        steps = [float(time) for time in times]
        native = self._native.window(next(iter(self.stages)), level, (per_side, overlap), tolerance, steps, own)
        return Window(native, self, steps)

    def run(self, parameters: Optional[Mapping[str, Value]] = None, /, *, fields: Optional[Sequence[str]] = None,
            sample: int = 0, own: bool = False, **values: Value) -> History:
        """Integrates in time from the deck's initial values.

        :param fields: names of the fields to keep at frames (``output.frames`` of the deck); all solutions without.
        :raises Error: when a step fails however short it is.
        """
        frames, kept, times, quantities = self._native.run(
            given(parameters, values), None if fields is None else list(fields), sample, own)
        columns = np.array(quantities, dtype=float).reshape(len(times), -1).T
        return History(frames=np.array(frames), fields={name: np.stack(arrays) for name, arrays in kept},
                       times=np.array(times), quantities=dict(zip(self.deck.quantities, columns)))

    def close(self) -> None:
        """Frees meshes, matrices and solvers."""
        self._native.close()

    def __enter__(self) -> Simulation:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def __getitem__(self, stage: str) -> Stage:
        return self.stages[stage]

    def __repr__(self) -> str:
        return f"<tessera.Simulation {self.deck.title!r}: {', '.join(self.stages)} on {self.size} ranks>"


@dataclass(frozen=True)
class History:
    """A run in time."""

    #: Times of the frames, s.
    frames: Array
    #: Fields at the frames by name, ``[frame, node]`` or ``[frame, node, component]``.
    fields: dict[str, Array]
    #: Times of the steps, the start first, s.
    times: Array
    #: Quantities of interest by name, ``[step]``; those of problems without a time derivative are NaN between frames.
    quantities: dict[str, Array]


def _rows(values: Array, nodes: int) -> Array:
    return values.reshape(nodes, -1) if nodes else values.reshape(0, max(values.shape[-1:] or (1,)))
