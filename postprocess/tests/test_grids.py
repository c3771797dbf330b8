"""Pairs for learning are the numbers in the file: finished samples only, read one by one, split by seed."""
import pickle

import h5py
import numpy as np
import pytest
from files import write_dataset, write_grid

from tessera_postprocess import FileError, GridDataset
from tessera_postprocess import grids, samples
from tessera_postprocess.files import GridFile, Result


def data(path, **options):
    return GridDataset(path, tensors=False, **options)


def test_pairs_are_channels_on_the_grid(tmp_path):
    path = write_grid(tmp_path / "d.grid.h5")
    pairs = data(path)
    assert len(pairs) == 5 and pairs.input_channels == ["conductivity", "g"] and pairs.output_channels == ["head"]
    x, y = pairs[2]
    assert x.shape == (2, 5, 4) and y.shape == (1, 5, 4) and x.dtype == y.dtype == np.float32
    assert np.array_equal(y[0].ravel()[:-1], 20 + np.arange(19)) and y[0, -1, -1] == 0
    assert set(np.unique(x[0])) <= {0, 3, 12}
    with h5py.File(path) as file:
        inside = file["grid/mask"][...] == 1
        assert np.array_equal(x[1][inside], file["inputs/g"][2].astype("f4")[inside])
    assert np.array_equal(pairs[-1][1], pairs[4][1])
    with pytest.raises(IndexError):
        pairs[5]
    assert sum(1 for _ in pairs) == 5


def test_batches_are_stacked_pairs(tmp_path):
    pairs = data(write_grid(tmp_path / "d.grid.h5"), pairs="dict")
    batch = pairs[1:4]
    assert batch["x"].shape == (3, 2, 5, 4) and batch["y"].shape == (3, 1, 5, 4)
    assert np.array_equal(batch["y"][1], pairs[2]["y"])
    assert np.array_equal(pairs[[3, 1]]["y"][1], pairs[1]["y"])
    assert pairs.arrays()[0].shape == (5, 2, 5, 4)


def test_only_what_is_asked_for_is_read(tmp_path, monkeypatch):
    pairs = data(write_grid(tmp_path / "d.grid.h5"), inputs="g")
    read, get = [], h5py.Dataset.__getitem__
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda self, key, *more: read.append((self.name, key)) or get(self, key, *more))
    pairs[3]
    assert read == [("/inputs/g", 3), ("/outputs/head", 3)]


def test_parameters_coordinates_and_mask_become_channels(tmp_path):
    path = write_grid(tmp_path / "d.grid.h5", hole=False)
    x, _ = data(path, inputs=["k", "x", "y", "mask"])[1]
    assert (x[0] == 2).all() and (x[3] == 1).all()
    assert np.allclose(x[1], np.linspace(0, 2, 5)[:, None]) and np.allclose(x[2], np.linspace(0, 2, 4)[None])
    assert data(write_grid(tmp_path / "p.grid.h5", inputs=())).input_channels == ["k"]        # `fixed` does not vary


def test_normalised_values_have_no_mean_and_deviation_one(tmp_path):
    path = write_grid(tmp_path / "d.grid.h5", fields=(("head", 1), ("flux", 2)), hole=False)
    pairs, raw = data(path, normalise=True, dtype="float64", inputs=["g", "k"]), data(path, dtype="float64")
    x, y = pairs.arrays()
    assert pairs.output_channels == ["flux_x", "flux_y", "head"]
    for values in (x, y):
        assert np.allclose(values.mean(axis=(0, 2, 3)), 0) and np.allclose(values.std(axis=(0, 2, 3)), 1)
    assert np.allclose(pairs.decode(y), raw.arrays()[1]) and np.allclose(pairs.decode(y[0]), raw[0][1])
    assert raw.decode(y) is y


@pytest.mark.parametrize("shape", [(7,), (4, 3), (4, 3, 2)])
def test_steps_are_an_axis_after_the_channels(tmp_path, shape):
    path = write_grid(tmp_path / "d.grid.h5", shape=shape, steps=4, fields=(("u", 2),))
    pairs = data(path)
    x, y = pairs[1]
    assert x.shape == (2, *shape) and y.shape == (2, 4, *shape)
    last = data(path, step=-1)
    assert last[1][1].shape == (2, *shape) and np.array_equal(last[1][1], y[:, -1])
    some = data(path, step=slice(0, 3, 2), normalise=True)
    assert some[1][1].shape == (2, 2, *shape)
    inside = np.broadcast_to(pairs.mask, (2, 2, *shape))
    assert np.allclose(some.decode(some[1][1])[inside], y[:, [0, 2]][inside], rtol=1e-5, atol=1e-5)
    with pytest.raises(IndexError):
        data(path, step=4)


def test_parts_are_disjoint_and_follow_from_the_seed(tmp_path):
    pairs = data(write_grid(tmp_path / "d.grid.h5", samples=21))
    train, test = pairs.split(0.8)
    assert (len(train), len(test)) == (16, 4)
    assert sorted([*train.samples, *test.samples]) == list(range(20))
    assert np.array_equal(train.samples, pairs.split(0.8)[0].samples)
    assert not np.array_equal(train.samples, pairs.split(0.8, seed=1)[0].samples)
    assert [len(part) for part in pairs.split(0.5, 0.25, 0.25)] == [10, 5, 5]
    assert np.array_equal(test[0][1], pairs[int(test.samples[0])][1])
    for wrong in ((), (0.8, 0.3), (-0.1,)):
        with pytest.raises(ValueError):
            pairs.split(*wrong)


def test_workers_open_the_file_themselves(tmp_path):
    pairs = data(write_grid(tmp_path / "d.grid.h5"))
    before = pairs[0][1]
    assert np.array_equal(pickle.loads(pickle.dumps(pairs))[0][1], before)


def test_tensors_with_torch(tmp_path):
    torch = pytest.importorskip("torch")
    pairs = GridDataset(write_grid(tmp_path / "d.grid.h5"), normalise=True)
    loader = torch.utils.data.DataLoader(pairs, batch_size=2, shuffle=True, num_workers=1)
    x, y = next(iter(loader))
    assert x.shape == (2, 2, 5, 4) and y.dtype == torch.float32
    assert pairs.decode(y).shape == y.shape


@pytest.mark.parametrize("options, words", [
    ({"inputs": "permeability"}, ["permeability", "conductivity, g, k, fixed, x, y, mask"]),
    ({"outputs": ["had"]}, ["no had", "head"]),
    ({"step": 0}, ["no steps"]),
])
def test_mistakes_are_named(tmp_path, options, words):
    with pytest.raises(FileError) as error:
        data(write_grid(tmp_path / "d.grid.h5"), **options)
    assert all(word in str(error.value) for word in words), error.value


def test_a_dataset_is_sent_to_export(tmp_path):
    with pytest.raises(FileError, match="export"):
        data(write_dataset(tmp_path / "dataset.h5"))


def test_statistics_are_those_of_the_numbers(tmp_path):
    result = Result(write_grid(tmp_path / "d.grid.h5", hole=False))
    rows = {row[0]: row[2:] for row in samples.table(result)}
    head = 10 * np.arange(5)[:, None] + np.arange(20)
    assert np.allclose(rows["head"], (head.mean(), head.std(), 0, 59))
    assert np.allclose(rows["peak"], (20, np.sqrt(200), 0, 40))
    assert "conductivity" in samples.text(samples.table(result))
    assert GridFile(result.path).components("head") == [""]
    assert grids.GridDataset is GridDataset
