"""Reads Tessera's HDF5 files and draws them.

>>> from tessera_postprocess import Result
>>> run = Result("out/run.h5")
>>> temperature = run.field("temperature")        # array [node, component]
>>> table = run.log("timings")                    # dictionary of columns

>>> from tessera_postprocess import GridDataset
>>> train, test = GridDataset("out/dataset.grid.h5", normalise=True).split(0.8)
>>> x, y = train[0]                               # [channel, x, y, z], tensors with PyTorch at hand

>>> from tessera_postprocess import read_basis
>>> basis = read_basis("out/model.h5", "temperature")
>>> field = basis.field([1.0, 0.5])               # lifting and two modes
"""
from .bases import Basis, Expert, Points, read_basis, read_points
from .files import FileError, GridFile, Result

__all__ = ["Basis", "Expert", "FileError", "GridDataset", "GridFile", "Points", "Result", "read_basis", "read_points"]
__version__ = "0.1.0"


def __getattr__(name):
    # Only when asked for: it may import PyTorch, which takes seconds.
    if name == "GridDataset":
        from .grids import GridDataset

        return GridDataset
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
