"""What stands in a file: mesh, fields, quantities of interest, parameters, log."""
import os
from dataclasses import dataclass, field as default

import h5py
import numpy as np

NEWEST_LAYOUT = 1
AXES = "xyz"
FIELDS = ("/fields", "/inputs", "/basis")


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
        """Names of what can be drawn: solutions, random inputs of a dataset, the basis of a reduced model."""
        return [name for group in FIELDS for name in self.members(group)]

    def field_path(self, name):
        for group in FIELDS:
            if f"{group}/{name}" in self.h5:
                return f"{group}/{name}"
        raise FileError(f"{self.path}: there is no field {name} (fields: {', '.join(self.fields()) or 'none'})")

    def field_info(self, name):
        """Unit, meaning, location, degree and component names of a field."""
        path = self.field_path(name)
        return {
            "unit": self.attribute(path, "unit"),
            "meaning": self.attribute(path, "meaning"),
            "location": self.attribute(path, "location", "node"),
            "degree": int(self.attribute(path, "degree", 1)),
            "components": self.names(f"{path}@component_names"),
            "steps": self.h5[path].shape[0],
        }

    def field(self, name, step=None, sample=None):
        """Values [node or cell, component] of one step of a run or one sample; the last one by default."""
        path = self.field_path(name)
        return self.h5[path][self._place(path, step, sample)]

    def when(self, name, step=None, sample=None):
        """What `field` gives, in words: "t = 0.5 s", "sample 3, t = 0.5 s", "prediction 2", "mode 1"."""
        path = self.field_path(name)
        place = self._place(path, step, sample)
        kind = self._kind(path)
        words = []
        if kind == "mode":
            lifts = int(self.attribute(path, "lifts", 0))
            words.append(f"lifting {place[0] + 1}" if place[0] < lifts else f"mode {place[0] - lifts + 1}")
        elif kind == "sample":
            words.append(f"sample {self.h5['/sample'][place[0]] if '/sample' in self.h5 else place[0]}")
        elif kind == "prediction":
            words.append(f"prediction {place[0]}")
        if (kind == "step" or len(place) == 2) and "/time" in self.h5:
            times = self.times(place[0])
            if len(times) > 1 or times[0] != 0:         # a steady run has the one time 0
                words.append(f"t = {times[place[-1]]:.4g} s")
        return ", ".join(words)

    def times(self, sample=None):
        """Times of the steps, in seconds; where each sample of a dataset has steps of its own, those of a sample."""
        times = self.dataset("/time")
        if times.ndim < 2:
            return times
        if sample is None:
            raise FileError(f"{self.path}: every sample has times of its own; choose one")
        return times[sample][: int(self.h5["/steps"][sample])]

    def _kind(self, path):
        """What the first axis of a field counts."""
        if path.startswith("/basis/"):
            return "mode"
        if self.schema == "tessera-dataset":
            return "sample"
        return "prediction" if self.attribute("/time", "unit") == "1" else "step"

    def _place(self, path, step, sample):
        """Index of a step or sample, or of both. Without steps in time `step` counts samples as well."""
        kind, shape = self._kind(path), self.h5[path].shape
        both = kind == "sample" and len(shape) == 4
        if sample is not None and kind == "step":
            raise FileError(f"{self.path}: a run holds no samples; choose a step")
        if sample is None and not both:
            sample = step
        first = 0 if kind != "mode" else min(int(self.attribute(path, "lifts", 0)), shape[0] - 1)
        if sample is None:
            sample = first if kind == "mode" else -1
            if kind == "sample" and self.done().any():
                sample = int(np.flatnonzero(self.done())[-1])
        place = []
        for number, count, word in ((sample, shape[0], kind), (-1 if step is None else step, shape[1], "step"))[: 1 + both]:
            if place and "/steps" in self.h5:       # of which there may be room for more
                count = int(self.h5["/steps"][place[0]]) or count
            if not -count <= number < count:
                raise FileError(f"{self.path}: {path} has {count} {word}s, so there is no {word} {number}")
            place.append(number % count)
        if kind == "sample" and not self.done()[place[0]]:
            raise FileError(f"{self.path}: sample {place[0]} is not done")
        return tuple(place)

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
        """A table [row] or [..., column] as a dictionary of its columns, in order."""
        values = self.dataset(path)
        columns = self.names(f"{path}@columns")
        if values.ndim == 1:
            return {columns[0] if columns else os.path.basename(path): values}
        return {columns[i] if i < len(columns) else str(i): values[..., i] for i in range(values.shape[-1])}

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
