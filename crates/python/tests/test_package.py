"""The package on 1 and 2 ranks: against the program, against differences, and against itself on another number."""
import json
import sys

import numpy as np
import pytest

sys.path.insert(0, str(__import__("pathlib").Path(__file__).resolve().parent / "cases"))
h5py = pytest.importorskip("h5py")
tessera = pytest.importorskip("tessera", reason="the module is not built: make python")

import decks  # noqa: E402

RANKS = [1, 2]


def close(ours, theirs, tolerance):
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    assert ours.shape == theirs.shape
    scale = max(np.abs(theirs).max(), np.finfo(float).tiny)
    assert np.abs(ours - theirs).max() <= tolerance * scale, np.abs(ours - theirs).max() / scale


def test_a_deck_says_what_it_holds():
    deck = tessera.Deck.parse(decks.HEAT, set={"parameters.side": 2.5})
    assert deck.title == "A plate" and deck.fields == ["temperature", "flux"] and not deck.is_in_time
    k, side = deck.parameters["k"], deck.parameters["side"]
    assert (k.default, k.range, k.unit, k.meaning, k.choices) == (2.0, (1.0, 10.0), "W/(m K)", "conductivity", None)
    assert side.default == 2.5 and side.range is None
    assert deck.quantities == ["mean", "probe", "flow", "peak"]
    assert tessera.Deck.parse(deck.to_toml()).to_toml() == deck.to_toml()
    assert tessera.Deck.parse(decks.HEAT, set=["parameters.side=3"]).parameters["side"].default == 3


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("name", ["heat", "nonlinear", "thermal", "flow"])
def test_fields_are_those_of_the_program(name, ranks, case, program, tmp_path):
    case("fields", ranks, name)
    (tmp_path / "deck.toml").write_text(decks.ALL[name])
    program(ranks, "run", "deck.toml", "-q")
    ours = np.load(tmp_path / "fields.npz")
    with h5py.File(tmp_path / "out" / "run.h5") as file:
        assert set(file["fields"]) == {key for key in ours if not key.startswith("quantity_")}
        for field, dataset in file["fields"].items():
            theirs = dataset[0]
            close(ours[field].reshape(theirs.shape), theirs, 1e-12)
        names = [key for key in ours if key.startswith("quantity_")]
        for key in names:
            close(ours[key], np.ravel(file["qoi"][key.removeprefix("quantity_")])[0], 1e-12)


def test_fields_are_the_same_on_any_ranks(case, tmp_path):
    found = []
    for ranks in RANKS:
        case("fields", ranks, "thermal")
        found.append({key: value for key, value in np.load(tmp_path / "fields.npz").items()})
    for key, value in found[0].items():
        close(found[1][key], value, 1e-10)


@pytest.mark.parametrize("name, stage, size", [
    ("heat", "heat", 1), ("nonlinear", "heat", 30), ("thermal", "body", 1), ("flow", "flow", 1)])
def test_tangents_are_derivatives_and_transposes(name, stage, size, case):
    one, two = (json.loads(case("operators", ranks, name, stage, size).stdout) for ranks in RANKS)
    for key, value in one.items():
        close(two[key], value, 1e-12)


@pytest.mark.parametrize("name", ["heat", "nonlinear", "thermal"])
def test_gradients_are_differences(name, case):
    one, two = (json.loads(case("gradients", ranks, name).stdout) for ranks in RANKS)
    for key, value in one.items():
        close(two[key], value, 1e-8)


@pytest.mark.parametrize("ranks", [None, *RANKS])
@pytest.mark.parametrize("order", ["", "first", "last", "first comm", "last comm", "first split", "close", "cycle", "first cycle"])
def test_who_starts_mpi_does_not_matter(order, ranks, case):
    pytest.importorskip("mpi4py")
    # A communicator of one rank each comes after one of all, or all start with their own.
    done = case("order", ranks, *order.split())
    assert done.stdout.split() == ["done"] * (ranks or 1)


@pytest.mark.parametrize("ranks", RANKS)
def test_what_is_wrong_is_said_on_all_ranks(ranks, case):
    case("faults", ranks)


def test_an_exception_of_one_rank_ends_all(case):
    done = case("alone", 2, ends_well=False)
    assert done.returncode != 0
    assert "rank 1 failed alone: ValueError: only here" in done.stderr


@pytest.mark.parametrize("ranks", RANKS)
def test_a_run_in_time_is_that_of_the_program(ranks, case, program, tmp_path):
    case("in_time", ranks)
    (tmp_path / "deck.toml").write_text(decks.IN_TIME)
    program(ranks, "run", "deck.toml", "-q")
    ours = np.load(tmp_path / "run.npz")
    with h5py.File(tmp_path / "out" / "run.h5") as file:
        close(ours["temperature"], file["fields/temperature"][..., 0], 1e-12)
        close(ours["frames"], file["time"][()], 1e-14)
        steps, columns = file["log/steps"][()], list(file["log/steps"].attrs["columns"])
        close(ours["times"][1:], steps[:, columns.index("time")], 1e-14)
        close(ours["mean"][::2], np.ravel(file["qoi/mean"]), 1e-12)


@pytest.mark.parametrize("ranks", RANKS)
def test_predictions_are_those_of_the_program(ranks, case, program, tmp_path):
    (tmp_path / "deck.toml").write_text(decks.HEAT)
    program(ranks, "campaign", "deck.toml", "-q", "--set", "campaign.samples=6")
    program(ranks, "train", "deck.toml", "-q", "--set", "rom.modes=4")
    program(ranks, "predict", "out/model.h5", "-q", "--parameter", "k=3.3")
    case("model", ranks)
    ours = np.load(tmp_path / "model.npz")
    with h5py.File(tmp_path / "out" / "predict.h5") as file:
        close(ours["temperature"], file["fields/temperature"][0, :, 0], 1e-12)
        close(ours["mean"], np.ravel(file["qoi/mean"])[0], 1e-12)
        close(ours["estimate"], np.ravel(file["estimate/temperature"])[0], 1e-6)
    close(ours["temperature"], ours["truth"], 1e-4)


@pytest.mark.parametrize("name, stage, norm", [
    ("heat", "heat", "energy"), ("heat", "heat", "mass"), ("nonlinear", "heat", "mass"), ("nonlinear", "heat", "euclidean"),
    ("thermal", "body", "energy"), ("flow", "flow", "mass")])
@pytest.mark.parametrize("level", ["none", "boundary", "conservation", "coupled", "exact"])
def test_repairs_satisfy_their_level_and_have_derivatives(level, name, stage, norm, case):
    one, two = (json.loads(case("constraint", ranks, name, stage, level, norm).stdout) for ranks in RANKS)
    for key, value in one.items():
        close(two[key], value, 1e-8)


@pytest.mark.parametrize("level", ["boundary", "conservation", "coupled", "exact"])
@pytest.mark.parametrize("name", ["in_time", "sorption"])
def test_repaired_runs_satisfy_their_level_and_have_derivatives(name, level, case):
    one, two = (json.loads(case("trajectory", ranks, name, level).stdout) for ranks in RANKS)
    for key, value in one.items():
        close(two[key], value, 1e-8)


@pytest.mark.parametrize("kind", ["residual", "strong", "flux"])
@pytest.mark.parametrize("name", ["in_time", "sorption"])
def test_repaired_windows_have_derivatives(name, kind, case):
    one, two = (json.loads(case("window", ranks, name, kind).stdout) for ranks in RANKS)
    for key, value in one.items():
        close(two[key], value, 1e-6)


@pytest.mark.parametrize("name", ["learning", "repairing", "repairing_runs", "repairing_windows"])
def test_pytorch_differentiates_through_solves_and_repairs(name, case):
    pytest.importorskip("torch", reason="PyTorch is not there: pip install torch")
    one, two = (json.loads(case(name, ranks).stdout) for ranks in RANKS)
    for key, value in one.items():
        close(two[key], value, 1e-6)
