"""Small files laid out as the program writes them."""
import itertools

import h5py
import numpy as np

CUBE = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)]
KUHN = list(itertools.permutations(range(3)))
EDGES = {
    "interval": [(0, 1)],
    "triangle": [(0, 1), (1, 2), (2, 0)],
    "quadrilateral": [(0, 1), (1, 2), (2, 3), (3, 0)],
    "tetrahedron": [(0, 1), (1, 2), (2, 0), (0, 3), (1, 3), (2, 3)],
    "hexahedron": [(0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7)],
}
FACES = {
    "quadrilateral": [(0, 1, 2, 3)],
    "hexahedron": [(0, 3, 7, 4), (1, 2, 6, 5), (0, 1, 5, 4), (3, 2, 6, 7), (0, 1, 2, 3), (4, 5, 6, 7)],
}


def unit_box(cell_type, n):
    """The unit interval, square or cube in n pieces a side: points and cells."""
    dimension = {"interval": 1, "triangle": 2, "quadrilateral": 2, "tetrahedron": 3, "hexahedron": 3}[cell_type]
    axes = [np.linspace(0, 1, n + 1)] * dimension
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, dimension)

    def number(place):
        return int(np.ravel_multi_index(place, (n + 1,) * dimension))

    cells = []
    for start in itertools.product(range(n), repeat=dimension):
        start = np.array(start)
        corner = [number(start + np.array(c[:dimension])) for c in (CUBE if dimension == 3 else CUBE[:4])[: 2**dimension]]
        if cell_type == "triangle":
            cells += [[corner[0], corner[1], corner[2]], [corner[0], corner[2], corner[3]]]
        elif cell_type == "tetrahedron":
            for path in KUHN:                      # 0 -> 7 along the axes in this order
                place, cell = start.copy(), [number(start)]
                for axis in path:
                    place[axis] += 1
                    cell.append(number(place))
                if np.linalg.det(points[cell[1:]] - points[cell[0]]) < 0:
                    cell[2], cell[3] = cell[3], cell[2]
                cells.append(cell)
        else:
            cells.append(corner[: 2**dimension] if dimension > 1 else [number(start), number(start + 1)])
    return points, np.array(cells)


def quadratic(cell_type, points, cells):
    """Nodes of degree 2: vertices, then the middles of edges, faces and cells, in VTK's order."""
    tuples = EDGES[cell_type] + FACES.get(cell_type, [])
    if cell_type == "hexahedron":
        tuples = tuples + [tuple(range(8))]
    nodes, known, rows = list(points), {}, []
    for cell in cells:
        row = list(cell)
        for entity in tuples:
            key = tuple(sorted(cell[list(entity)]))
            if key not in known:
                known[key] = len(nodes)
                nodes.append(points[list(key)].mean(axis=0))
            row.append(known[key])
        rows.append(row)
    return np.array(nodes), np.array(rows)


def write_run(path, cell_type, n=3, degree=1):
    """A run with a scalar, a vector, a tensor and a field of the cells; `linear` is 1 + x + 2y + 3z."""
    points, cells = unit_box(cell_type, n)
    dimension = points.shape[1]
    with h5py.File(path, "w") as file:
        file.attrs.update(schema="tessera-run", schema_version=1, title="Box", ranks=2)
        mesh = file.create_group("mesh")
        mesh.attrs.update(cell_type=cell_type, dimension=dimension)
        mesh["geometry"], mesh["topology"] = points, cells.astype("u8")
        mesh["cell_markers"] = np.zeros(len(cells), "i4")
        mesh["cell_markers"].attrs["names"] = ["domain"]
        if degree == 2:
            points, nodes = quadratic(cell_type, points, cells)
            file["spaces/2/coordinates"], file["spaces/2/cell_nodes"] = points, nodes.astype("u8")
        linear = 1 + points @ np.arange(1.0, dimension + 1)
        fields = {
            "linear": (linear[:, None], "K", {}),
            "displacement": (1e-3 * points, "m", {"component_names": list("xyz"[:dimension])}),
            "stress": (1e6 * linear[:, None] * np.ones(6), "Pa", {"component_names": ["xx", "xy", "xz", "yy", "yz", "zz"]}),
        }
        for name, (values, unit, more) in fields.items():
            dataset = file.create_dataset(f"fields/{name}", data=values[None])
            dataset.attrs.update(unit=unit, location="node", degree=degree, **more)
        dataset = file.create_dataset("fields/rate", data=np.arange(len(cells), dtype=float)[None, :, None])
        dataset.attrs.update(unit="1", location="cell")
        file["partition/expert"] = (np.arange(len(cells)) * 4 // len(cells)).astype("u4")
        write_phases(file, 2)
    return path


def write_evolution(path, steps=12):
    """A run in time on an interval: a decaying field and the log of its steps."""
    write_run(path, "interval", n=8)
    with h5py.File(path, "a") as file:
        values = file["fields/linear"][0]
        del file["fields/linear"]
        times = np.linspace(0, 1, 5)
        dataset = file.create_dataset("fields/linear", data=values * np.exp(-times)[:, None, None])
        dataset.attrs.update(unit="K", location="node", degree=1)
        file["time"] = times
        file.create_dataset("qoi/mean", data=np.exp(-times)).attrs["unit"] = "K"
        end = np.linspace(0, 1, steps + 1)[1:]
        one = np.ones(steps)
        columns = {"time": end, "length": one / steps, "newton": 2 * one, "linear": 9 * one, "error": 1e-5 * one,
                   "conserved": np.exp(-end), "supplied": 0 * one, "inflow": -np.exp(-end), "imbalance": 0 * one,
                   "mean": np.exp(-end)}
        columns["error"][0] = np.nan
        columns["peak"] = np.where(np.arange(steps) % 3 == 2, end, np.nan)
        table(file, "log/steps", list(columns), list(columns.values()))
    return path


def write_campaign_in_time(path):
    """Samples 10, 11, 12 of a run in time, the last of which has failed; values of a sample are all its number."""
    write_run(path, "quadrilateral")
    with h5py.File(path, "a") as file:
        file.attrs["schema"] = "tessera-dataset"
        values = file["fields/linear"][0]
        for name in list(file["fields"]):
            del file[f"fields/{name}"]
        numbers = np.arange(10.0, 13.0)[:, None, None, None] + np.linspace(0, 0.5, 4)[None, :, None, None]
        dataset = file.create_dataset("fields/linear", data=numbers + 0 * values)
        dataset.attrs.update(unit="K", location="node", degree=1)
        file.create_dataset("inputs/g", data=np.stack([values, 2 * values, values])).attrs.update(unit="", location="node")
        file["time"] = np.linspace(0, 3, 4)
        file["time"].attrs["unit"] = "s"
        file["sample"] = np.arange(10, 13, dtype="u8")
        file["status"] = np.array([1, 1, 2], "u1")
        file["parameters"] = np.arange(3.0)[:, None]
        file["parameters"].attrs["names"] = ["k"]
    return path


def write_phases(file, ranks):
    names = ["mesh", "mesh/read", "heat", "total"]
    mean = np.array([2.0, 1.5, 3.0, 5.0]) / ranks
    table(file, "log/phases", ["calls", "mean", "min", "max", "percent"], [np.ones(4), mean, mean, 1.1 * mean, mean])
    file["log/phases"].attrs["names"] = names


def write_dataset(path, samples=12):
    g = np.random.default_rng(3)
    with h5py.File(path, "w") as file:
        file.attrs.update(schema="tessera-dataset", schema_version=1, title="Campaign")
        values = g.random((samples, 2)) * [100, 0] + [1000, 5]
        dataset = file.create_dataset("parameters", data=values)
        dataset.attrs.update(names=["h_gas", "fixed"], units=["W/(m2 K)", ""])
        status = np.ones(samples, "u1")
        status[-1] = 2
        file["status"] = status
        quantity = np.where(status == 1, values[:, 0] ** 2, np.nan)
        file.create_dataset("qoi/peak", data=quantity).attrs["unit"] = "Pa"
    return path


def write_grid(path, shape=(5, 4), samples=6, steps=0, inputs=("g", "conductivity"), fields=(("head", 1),), hole=True):
    """Samples on a grid as `tessera export --grid` writes them; the last one has failed, a corner is outside the mesh.
    Output `head` of sample i at step s is 10 i + s + the number of the point."""
    g = np.random.default_rng(5)
    mask = np.ones(shape, "u1")
    if hole:
        mask[(-1,) * len(shape)] = 0
    done = np.arange(samples) < samples - 1
    lead = (samples, steps) if steps else (samples,)
    with h5py.File(path, "w") as file:
        file.attrs.update(schema="tessera-grid", schema_version=1, title="Grid")
        for axis, count in zip("xyz", shape):
            file[f"grid/{axis}"] = np.linspace(0, 2, count)
        file["grid/mask"] = mask
        file["status"] = np.where(done, 1, 2).astype("u1")
        file["sample"] = np.arange(100, 100 + samples, dtype="u8")
        dataset = file.create_dataset("parameters", data=np.stack([np.arange(samples) + 1.0, np.full(samples, 3.0)], 1))
        dataset.attrs.update(names=["k", "fixed"], units=["W/(m K)", ""])
        if steps:
            file["time"] = np.linspace(0, 1, steps)
        file.create_dataset("qoi/peak", data=np.where(done, 10.0 * np.arange(samples), np.nan)).attrs["unit"] = "m"

        def put(name, values, unit):
            values = np.where(done.reshape([-1] + [1] * (values.ndim - 1)), values, np.nan)
            inside = mask.reshape(shape + (1,) * (values.ndim - len(lead) - len(shape))) == 1
            values = np.where(inside, values, np.nan)
            dataset = file.create_dataset(name, data=values, chunks=True, compression="gzip")
            flat = values.reshape(-1, values.shape[-1] if name.startswith("outputs") else 1)
            dataset.attrs.update(unit=unit, mean=np.nanmean(flat, 0), std=np.nanstd(flat, 0),
                                 min=np.nanmin(flat, 0), max=np.nanmax(flat, 0))
            return dataset

        if inputs:
            field = g.standard_normal((samples, *shape))
            kept, lead_all = {"g": field, "conductivity": np.where(field > 0, 12.0, 3.0)}, lead
            lead = (samples,)
            for name in inputs:
                put(f"inputs/{name}", kept[name], "")
            lead = lead_all
        for name, components in fields:
            number = np.arange(np.prod(shape), dtype=float).reshape(shape)
            values = 10.0 * np.arange(samples).reshape([-1] + [1] * (len(lead) - 1 + len(shape))) + number
            if steps:
                values = values + np.arange(steps).reshape([1, -1] + [1] * len(shape))
            values = np.stack([values * (c + 1) for c in range(components)], -1)
            dataset = put(f"outputs/{name}", values, "m")
            if components > 1:
                dataset.attrs["component_names"] = list("xyz"[:components])
    return path


def write_model(path, cell_type="quadrilateral"):
    """A reduced model with a lifting and three modes of a temperature, and two modes of a displacement."""
    write_run(path, cell_type)
    with h5py.File(path, "a") as file:
        points = file["mesh/geometry"][...]
        for group in ("fields", "log"):
            del file[group]
        file.attrs.update(schema="tessera-model", schema_version=1, title="Model")
        waves = np.stack([np.cos(k * np.pi * points[:, :1]) for k in range(4)])
        dataset = file.create_dataset("basis/temperature", data=waves)
        dataset.attrs.update(unit="K", location="node", degree=1, lifts=1)
        dataset = file.create_dataset("basis/displacement", data=np.stack([points, points**2]))
        dataset.attrs.update(unit="m", location="node", degree=1, lifts=0)
        file["singular_values/temperature"] = 10.0 ** -np.arange(8.0)
        k = np.arange(1.0, 9.0)
        table(file, "training/temperature", ["modes", "estimate", "error"], [k, 3 * 10.0**-k, 10.0**-k])
        file["training/parameters"], file["training/draws"] = np.ones((4, 6)), np.arange(4)
    return path


def write_prediction(path):
    g = np.random.default_rng(4)
    with h5py.File(path, "w") as file:
        file.attrs.update(schema="tessera-run", schema_version=1, title="Prediction")
        error = 10.0 ** g.uniform(-6, -4, 10)
        table(file, "truth/temperature", ["error", "relative_error", "effectivity"], [2 * error, error, 3 + 0 * error])
        file["truth/quantities/peak"] = error
        table(file, "violation/heat", ["before", "after"], [1e-3 * g.random(6), np.zeros(6)])
        file["log/residuals/heat"] = 10.0 ** -np.arange(10.0)
    return path


def write_uncertainty(path, sobol=True):
    """Two quantities of 500 draws; of one a quantile has no upper end, the other does not vary."""
    g = np.random.default_rng(6)
    with h5py.File(path, "w") as file:
        file.attrs.update(schema="tessera-run", schema_version=1, title="Draws")
        columns = ["first", "first_error", "total", "total_error", "first_model", "total_model"]
        for name, values in (("peak", g.normal(5e8, 1e7, 500)), ("steady", np.full(500, 2.0))):
            file[f"qoi/{name}"] = values
            file[f"qoi/{name}"].attrs["unit"] = "Pa"
            q = np.quantile(values, [0.05, 0.5, 0.999])
            table(file, f"uncertainty/quantiles/{name}", ["level", "value", "low", "high"],
                  [np.array([0.05, 0.5, 0.999]), q, 0.999 * q, np.array([1.001 * q[0], 1.001 * q[1], np.inf])])
            m = np.array([values.mean()])
            table(file, f"uncertainty/mean/{name}", ["value", "low", "high"], [m, 0.999 * m, 1.001 * m])
            if sobol:
                part = np.array([0.7, 0.2]) if name == "peak" else np.full(2, np.nan)
                table(file, f"uncertainty/sobol/{name}", columns, [part, 0.01 + 0 * part, part + 0.1, 0.02 + 0 * part,
                                                                   0 * part, 1 + 0 * part])
                file[f"uncertainty/sobol/{name}"].attrs["names"] = ["load", "modulus"]
        file["uncertainty"].attrs["samples"] = 500
    return path


def write_repair(path, level="conservation", truth=True):
    """Three samples of five experts."""
    g = np.random.default_rng(5)
    with h5py.File(path, "w") as file:
        file.attrs.update(schema="tessera-run", schema_version=1, title="Repairs")
        before = 1e-3 * (1 + g.random((3, 5)))
        table(file, "violation/heat", ["before", "after"], [before, before if level == "none" else 1e-9 * before])
        table(file, "repair/heat", ["worst_before", "worst_after"], [before.max(axis=1), 1e-9 * before.max(axis=1)])
        file["repair/heat"].attrs.update(level=level, norm="energy")
        file["fields/temperature"] = np.zeros((3, 4, 1))
        file["fields/temperature"].attrs["physics"] = "heat"
        if truth:
            error = np.array([0.1, 0.2, 0.3])
            table(file, "truth/temperature",
                  [f"{norm}_{what}" for norm in ("l2", "energy") for what in ("before", "after", "of_solution")],
                  [error, 0.1 * error, 1 + 0 * error, error, 0.1 * error, 1 + 0 * error])
    return path


def table(file, path, columns, values):
    dataset = file.create_dataset(path, data=np.stack(values, axis=-1))
    dataset.attrs["columns"] = columns
