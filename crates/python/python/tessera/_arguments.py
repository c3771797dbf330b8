"""What callers give, as the native half takes it."""
from __future__ import annotations

from typing import TYPE_CHECKING, Mapping, Optional, Union

from . import _native
from ._native import Error, InputError

if TYPE_CHECKING:
    from mpi4py import MPI

#: Of a parameter: a number, or the name of a choice.
Value = Union[float, str]


def given(parameters: Optional[Mapping[str, Value]], values: Mapping[str, Value]) -> dict[str, Value]:
    return {**(parameters or {}), **values}


def address(comm: Optional[MPI.Comm]) -> Optional[int]:
    """Where the handle of a communicator lies, after a look at whose it is."""
    if comm is None:
        return None
    from mpi4py import MPI

    if not isinstance(comm, MPI.Intracomm) or comm == MPI.COMM_NULL:
        raise InputError(f"comm: expected an intracommunicator of mpi4py, found {comm!r}")
    ours, theirs = _native.mpi_library(), MPI.Get_library_version().rstrip("\0")
    if ours.rstrip("\0").split("\0")[0].strip() != theirs.strip():
        raise Error(f"mpi4py uses another MPI library than Tessera: {theirs!r} and {ours!r}")
    return MPI._addressof(comm)
