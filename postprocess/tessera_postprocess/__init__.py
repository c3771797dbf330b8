"""Reads Tessera's HDF5 files and draws them.

>>> from tessera_postprocess import Result
>>> run = Result("out/run.h5")
>>> temperature = run.field("temperature")        # array [node, component]
>>> table = run.log("timings")                    # dictionary of columns
"""
from .files import FileError, Result

__all__ = ["FileError", "Result"]
__version__ = "0.1.0"
