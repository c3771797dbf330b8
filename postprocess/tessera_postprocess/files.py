"""What stands in a file: mesh, fields, quantities of interest, parameters, log."""
import os
from dataclasses import dataclass, field as default

import h5py
import numpy as np

NEWEST_LAYOUT = 1
AXES = "xyz"


class FileError(Exception):
    """A file that cannot be read, or that does not hold what was asked for."""


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


@dataclass
class Mesh:
    """Nodes and cells as the program stores them: canonical order, VTK's order inside a cell."""

    cell_type: str
    points: np.ndarray                     # [node, dimension]
    cells: np.ndarray                      # [cell, node of the cell]
    regions: np.ndarray                    # [cell], index into region_names
    region_names: list = default(default_factory=list)

    @property
    def dimension(self):
        return self.points.shape[1]


class Result:
    """A file written by Tessera, read as it is asked for. Also a context manager."""

    def __init__(self, path):
        self.path = os.fspath(path)
        try:
            self.h5 = h5py.File(self.path, "r")
        except OSError as error:
            reason = "there is no such file" if not os.path.exists(self.path) else f"it is no HDF5 file ({error})"
            raise FileError(f"{self.path}: {reason}") from None
        version = int(self.h5.attrs.get("schema_version", NEWEST_LAYOUT))
        if version > NEWEST_LAYOUT:
            raise FileError(f"{self.path}: written by a newer Tessera (layout {version}); update the package")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.h5.close()

    # ---- what it is

    def attribute(self, path, name, otherwise=""):
        """An attribute as text or number; `otherwise` when it is not there."""
        attributes = self.h5[path].attrs if path in self.h5 else {}
        value = attributes.get(name, otherwise)
        if isinstance(value, (bytes, str)):
            return _text(value)
        if isinstance(value, np.ndarray) and value.dtype.kind in "SO":
            return [_text(v) for v in value]
        return value.item() if isinstance(value, (np.generic, np.ndarray)) and np.size(value) == 1 else value

    def names(self, path):
        """A list of names in an attribute of that dataset ("dataset@attribute")."""
        dataset, attribute = path.split("@")
        value = self.attribute(dataset, attribute, [])
        return [value] if isinstance(value, str) else list(value)

    @property
    def title(self):
        return self.attribute("/", "title") or os.path.basename(self.path)

    @property
    def schema(self):
        return self.attribute("/", "schema")

    def members(self, group):
        """Names of the datasets in a group; none when the group is not there."""
        found = self.h5.get(group)
        return [name for name in sorted(found) if isinstance(found[name], h5py.Dataset)] if found else []

    def dataset(self, path):
        """A dataset as an array."""
        if path not in self.h5:
            group = os.path.dirname(path)
            there = ", ".join(self.members(group)) or "nothing"
            raise FileError(f"{self.path}: there is no {path} (in {group}: {there})")
        return self.h5[path][...]

    # ---- mesh and fields

    def mesh(self, degree=1):
        """The mesh with the nodes of the Lagrange space of that degree."""
        if "/mesh/topology" not in self.h5:
            raise FileError(f"{self.path}: holds no mesh")
        points, cells = self.dataset("/mesh/geometry"), self.dataset("/mesh/topology")
        regions = self.h5["/mesh/cell_markers"][...] if "/mesh/cell_markers" in self.h5 else np.zeros(len(cells), int)
        if degree > 1:
            points = self.dataset(f"/spaces/{degree}/coordinates")
            cells = self.dataset(f"/spaces/{degree}/cell_nodes")
        names = self.names("/mesh/cell_markers@names")
        return Mesh(self.attribute("/mesh", "cell_type"), points, cells.astype(np.int64), regions, names)

    def fields(self):
        return self.members("/fields")

    def field_info(self, name):
        """Unit, meaning, location, degree and component names of a field."""
        path = f"/fields/{name}"
        if path not in self.h5:
            raise FileError(f"{self.path}: there is no field {name} (fields: {', '.join(self.fields()) or 'none'})")
        return {
            "unit": self.attribute(path, "unit"),
            "meaning": self.attribute(path, "meaning"),
            "location": self.attribute(path, "location", "node"),
            "degree": int(self.attribute(path, "degree", 1)),
            "components": self.names(f"{path}@component_names"),
            "steps": self.h5[path].shape[-3],
            "samples": self.h5[path].shape[0] if self.h5[path].ndim > 3 else None,
        }

    def field(self, name, step=-1, sample=None):
        """Values [node or cell, component] of one step or sample; the last one by default. Campaigns in time have steps of
        samples, of which the last that is done is taken."""
        info = self.field_info(name)
        steps, samples = info["steps"], info["samples"]
        if samples is None and sample is not None:
            step = sample
        if not -steps <= step < steps:
            raise FileError(f"{self.path}: /fields/{name} has {steps} steps, so there is no step {step}")
        if samples is None:
            return self.h5[f"/fields/{name}"][step]
        if sample is None:
            done = np.flatnonzero(self.done())
            if len(done) == 0:
                raise FileError(f"{self.path}: no sample is done yet")
            sample = done[-1]
        if not -samples <= sample < samples:
            raise FileError(f"{self.path}: /fields/{name} has {samples} samples, so there is no sample {sample}")
        return self.h5[f"/fields/{name}"][sample, step]

    # ---- tables

    def quantity(self, name):
        return self.dataset(f"/qoi/{name}")

    def unit(self, path):
        return self.attribute(path, "unit")

    def parameters(self):
        """Names, units and values [sample, parameter] of the samples of a dataset."""
        values = self.dataset("/parameters")
        names = self.names("/parameters@names")
        units = self.names("/parameters@units") or [""] * len(names)
        return names, units, values

    def done(self):
        """Which samples of a dataset are complete."""
        count = len(self.dataset("/parameters"))
        return self.h5["/status"][...] == 1 if "/status" in self.h5 else np.ones(count, bool)

    def table(self, path):
        """A table [row] or [row, column] as a dictionary of its columns, in order."""
        values = self.dataset(path)
        columns = self.names(f"{path}@columns")
        if values.ndim == 1:
            return {columns[0] if columns else os.path.basename(path): values}
        return {columns[i] if i < len(columns) else str(i): values[:, i] for i in range(values.shape[1])}

    def log(self, name):
        """A table of the log."""
        return self.table(f"/log/{name}")


class GridFile(Result):
    """What stands in a file of `tessera export --grid`."""

    def __init__(self, path):
        super().__init__(path)
        if self.schema != "tessera-grid":
            hint = "; make one with `tessera export FILE.h5 --grid 64x64`" if self.schema.startswith("tessera") else ""
            raise FileError(f"{self.path}: expected samples on a grid, but it is a {self.schema or 'foreign file'}{hint}")

    def axes(self):
        """Coordinates along each direction."""
        return [self.h5[f"/grid/{axis}"][...] for axis in AXES if f"/grid/{axis}" in self.h5]

    def mask(self):
        """True where the point lies in the mesh."""
        return self.h5["/grid/mask"][...] == 1

    def in_time(self):
        return "/time" in self.h5

    def statistics(self, path):
        """Mean, standard deviation, least and largest value by component over finished samples and the mesh."""
        return {name: np.atleast_1d(self.h5[path].attrs[name]) for name in ("mean", "std", "min", "max")}

    def components(self, name):
        """Names of the components of an output; one without a name for a scalar."""
        count = self.h5[f"/outputs/{name}"].shape[-1]
        names = self.names(f"/outputs/{name}@component_names")
        return names if len(names) == count else [""] if count == 1 else [str(i) for i in range(count)]
