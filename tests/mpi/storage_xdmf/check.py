"""Checks XDMF files: every array that they name is in the HDF5 file, with that shape and kind of numbers.
HDF5 files: h5py reads all of them, and they say what they hold. VTU files: with VTK only.

usage: check.py FILE...

Where VTK is installed, its XDMF reader reads them too: cells are not inverted, and the fields "linear"
(x + 2 y + 3 z) and "quadratic" (x^2 - 2 y^2 + 3 z^2 + x y + y z), where present, have these values inside the cells.
"""
import pathlib
import sys
import xml.etree.ElementTree as ElementTree

import h5py
import numpy as np

try:
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy
except ImportError:
    vtk = None

KINDS = {"Float": "f", "Int": "iu", "UInt": "u"}
NODES = {"Polyline": 2, "Edge_3": 3, "Triangle": 3, "Triangle_6": 6, "Quadrilateral": 4, "Quadrilateral_9": 9,
         "Tetrahedron": 4, "Tetrahedron_10": 10, "Hexahedron": 8, "Hexahedron_27": 27}


def numbers(text):
    return [int(word) for word in text.split()]


class Document:
    def __init__(self, path):
        self.path = path
        self.files = {}

    def shape(self, item):
        """The shape of what a DataItem gives, after comparing it with the HDF5 file."""
        dimensions = numbers(item.get("Dimensions"))
        if item.get("ItemType") == "HyperSlab":
            selection, source = item
            start, stride, count = np.array(numbers(selection.text)).reshape(3, -1)
            available = np.array(self.shape(source))
            assert len(available) == len(start) and (stride == 1).all()
            assert (start + count <= available).all(), f"{start} + {count} is outside {available}"
            assert np.prod(count) == np.prod(dimensions), f"{count} seen as {dimensions}"
        elif item.get("Format") == "HDF":
            name, path = item.text.strip().rsplit(":", 1)
            if name not in self.files:
                self.files[name] = h5py.File(self.path.parent / name, "r")
            dataset = self.files[name][path]
            assert list(dataset.shape) == dimensions, f"{path}: {dataset.shape} in the file, {dimensions} in the XDMF"
            assert dataset.dtype.kind in KINDS[item.get("NumberType")], f"{path}: {dataset.dtype}"
            assert dataset.dtype.itemsize == int(item.get("Precision")), f"{path}: {dataset.dtype}"
        else:
            assert len(item.text.split()) == np.prod(dimensions)
        return dimensions

    def check(self):
        root = ElementTree.parse(self.path).getroot()
        grids = root.findall("./Domain/Grid/Grid")
        assert grids, "no grids"
        times = [float(grid.find("Time").get("Value")) for grid in grids]
        assert sorted(times) == times
        for grid in grids:
            topology, geometry = grid.find("Topology"), grid.find("Geometry")
            cells, width = self.shape(topology[0])
            assert cells == int(topology.get("NumberOfElements"))
            assert width == NODES[topology.get("TopologyType")]
            points = self.shape(geometry[0])
            assert len(geometry) == (3 if geometry.get("GeometryType") == "X_Y_Z" else 1)
            for attribute in grid.findall("Attribute"):
                entities = self.shape(attribute[0])[0]
                expected = points[0] if attribute.get("Center") == "Node" else cells
                assert entities == expected, f"{attribute.get('Name')}: {entities} values for {expected}"
        for file in self.files.values():
            file.close()
        return len(grids), [a.get("Name") for a in grids[0].findall("Attribute")]


def check_with_vtk(path, times):
    if path.suffix == ".vtu":
        reader = vtk.vtkXMLUnstructuredGridReader()
        reader.SetFileName(str(path))
        reader.Update()
        return compare(reader.GetOutput())
    reader = vtk.vtkXdmfReader()
    reader.SetFileName(str(path))
    reader.UpdateInformation()
    steps = reader.GetOutputInformation(0).Get(vtk.vtkStreamingDemandDrivenPipeline.TIME_STEPS())
    assert steps is None or len(steps) == times, f"VTK sees the times {steps}"
    reader.Update()
    grid = reader.GetOutputDataObject(0)
    while not isinstance(grid, vtk.vtkUnstructuredGrid):
        grid = grid.GetBlock(0)
    return compare(grid)


def compare(grid):
    sizes = vtk.vtkCellSizeFilter()
    sizes.SetInputData(grid)
    sizes.Update()
    data = sizes.GetOutput().GetCellData()
    volume = sum(vtk_to_numpy(data.GetArray(name)) for name in ("Length", "Area", "Volume") if data.GetArray(name))
    assert (volume > 0).all(), "inverted cells"
    functions = {
        "linear": lambda p: p[0] + 2 * p[1] + 3 * p[2],
        "quadratic": lambda p: p[0] ** 2 - 2 * p[1] ** 2 + 3 * p[2] ** 2 + p[0] * p[1] + p[1] * p[2],
    }
    compared = []
    for name, function in functions.items():
        array = grid.GetPointData().GetArray(name)
        if array is None or (name == "quadratic" and grid.GetCell(0).IsLinear()):
            continue
        compared.append(name)
        for index in range(min(grid.GetNumberOfCells(), 200)):
            cell = grid.GetCell(index)
            for at in ((0.2, 0.3, 0.1), (0.4, 0.15, 0.3)):
                point, weights = [0.0] * 3, [0.0] * cell.GetNumberOfPoints()
                cell.EvaluateLocation(vtk.reference(0), at, point, weights)
                value = sum(w * array.GetValue(cell.GetPointId(i)) for i, w in enumerate(weights))
                assert abs(value - function(point)) < 1e-9, f"{name} is {value}, not {function(point)}, at {point}"
    arrays = [grid.GetPointData().GetArray(i) for i in range(grid.GetPointData().GetNumberOfArrays())]
    components = {a.GetName(): a.GetNumberOfComponents() for a in arrays}
    cells = [grid.GetCellData().GetArrayName(i) for i in range(grid.GetCellData().GetNumberOfArrays())]
    return f"{grid.GetCell(0).GetClassName()}, compared {compared}, nodes {components}, cells {cells}"


def check_hdf5(path):
    """Every dataset can be read and says what it is; fields have a unit."""
    counted = []

    def visit(name, item):
        for key, value in item.attrs.items():
            assert value is not None, f"{name}@{key}"
        if isinstance(item, h5py.Dataset):
            values = item[...]
            assert values.shape == item.shape
            assert isinstance(item.attrs["meaning"], str), f"{name} does not say what it is"
            if name.startswith(("fields/", "qoi/", "log/", "cost/")):
                assert isinstance(item.attrs["unit"], str), f"{name} has no unit"
            counted.append(name)

    with h5py.File(path, "r") as file:
        for key in ("schema", "created_by", "created", "title", "deck"):
            assert isinstance(file.attrs[key], str), key
        assert file.attrs["schema_version"] == 1 and file.attrs["ranks"] >= 1
        file.visititems(visit)
    return counted


for argument in sys.argv[1:]:
    if argument.endswith(".h5"):
        print(f"{argument}: {len(check_hdf5(argument))} datasets")
        continue
    count, names = (1, []) if argument.endswith(".vtu") else Document(pathlib.Path(argument)).check()
    print(f"{argument}: {count} grids of {', '.join(names)}")
    if vtk:
        print("  VTK:", check_with_vtk(pathlib.Path(argument), count))
