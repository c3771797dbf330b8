"""Every command makes a picture, and mistakes are named with exit code 2."""
import h5py
import matplotlib.pyplot as plt
import numpy as np
import pytest
from files import write_campaign_in_time, write_dataset, write_evolution, write_grid, write_model, write_phases, write_prediction, write_repair, write_run, write_uncertainty

from tessera_postprocess import fields
from tessera_postprocess.cli import main


def plot(tmp_path, *arguments):
    picture = tmp_path / "picture.png"
    small = ["--width", "4"] if arguments[0] == "field" else []
    assert main([str(a) for a in arguments] + small + ["-o", str(picture)]) == 0
    pixels = plt.imread(picture)[:, :, :3]
    assert min(pixels.shape[:2]) > 200
    assert (np.abs(pixels - 1) > 0.05).any(axis=2).mean() > 0.01      # not an empty page
    return pixels


@pytest.mark.parametrize("shape", ["interval", "triangle", "quadrilateral", "tetrahedron", "hexahedron"])
@pytest.mark.parametrize("degree", [1, 2])
def test_fields_of_every_cell(tmp_path, shape, degree):
    run = write_run(tmp_path / "run.h5", shape, degree=degree)
    plot(tmp_path, "field", run, "linear")


@pytest.mark.parametrize("shape, more", [
    ("triangle", ["displacement"]),
    ("triangle", ["displacement", "--component", "y"]),
    ("quadrilateral", ["stress", "--component", "yy", "--mesh", "--contours", "5"]),
    ("quadrilateral", ["rate", "--limits", "0,10"]),
    ("quadrilateral", ["expert"]),
    ("tetrahedron", ["expert"]),
    ("tetrahedron", ["rate", "--mesh", "--small"]),
    ("hexahedron", ["linear", "--mesh", "--warp", "displacement=100"]),
])
def test_options_of_fields(tmp_path, shape, more):
    plot(tmp_path, "field", write_run(tmp_path / "run.h5", shape), *more)


def test_a_cut_shows_the_inside(tmp_path):
    run = write_run(tmp_path / "run.h5", "tetrahedron", n=4)
    whole = plot(tmp_path, "field", run, "linear", "--view=30,20")
    cut = plot(tmp_path, "field", run, "linear", "--view=30,20", "--cut", "x=0.5")
    assert whole.shape != cut.shape or (np.abs(whole - cut).max(axis=2) > 0.1).mean() > 0.02


def test_cuts_show_edges_where_cells_are_large(tmp_path, monkeypatch):
    cut = ["field", write_run(tmp_path / "run.h5", "hexahedron", n=8), "linear", "--view=30,20", "--cut", "x=0.5"]
    default, bare, drawn = (plot(tmp_path, *cut, *more) for more in ([], ["--no-mesh"], ["--mesh"]))
    for picture in (default, drawn):
        assert (np.abs(picture - bare).max(axis=2) > 0.02).mean() > 0.005
    monkeypatch.setattr(fields, "VISIBLE", 100)
    assert np.array_equal(plot(tmp_path, *cut), bare)


def test_uncertain_quantities(tmp_path):
    whole = plot(tmp_path, "uncertainty", write_uncertainty(tmp_path / "predict.h5"))
    one = plot(tmp_path, "uncertainty", tmp_path / "predict.h5", "--quantity", "peak")
    assert one.shape[0] < whole.shape[0]
    alone = plot(tmp_path, "uncertainty", write_uncertainty(tmp_path / "alone.h5", sobol=False))
    assert alone.shape[1] < whole.shape[1]
    # A mean that full solves have corrected, far from draws that hardly differ, stays in the picture.
    with h5py.File(write_uncertainty(tmp_path / "corrected.h5", sobol=False), "r+") as file:
        file["qoi/steady"][:] += 1e-6 * np.arange(500)
        file["uncertainty/mean/steady"][:] = 1.9
    assert plot(tmp_path, "uncertainty", tmp_path / "corrected.h5").shape == alone.shape
    for wrong in ([tmp_path / "predict.h5", "--quantity", "peek"], [write_prediction(tmp_path / "other.h5")]):
        assert main(["uncertainty", *map(str, wrong), "-o", str(tmp_path / "p.png")]) == 2


def test_modes_of_reduced_models(tmp_path):
    for shape in ("interval", "triangle", "hexahedron"):
        model = write_model(tmp_path / f"{shape}.h5", shape)
        sheet = plot(tmp_path, "basis", model)
        one = plot(tmp_path, "basis", model, "--field", "temperature", "--count", "1", "--component", "0")
        assert one.shape[0] < sheet.shape[0] and one.shape[1] < sheet.shape[1]
    plot(tmp_path, "field", model, "temperature", "--sample", "2")


def test_samples_of_campaigns_in_time(tmp_path):
    dataset = write_campaign_in_time(tmp_path / "dataset.h5")
    plot(tmp_path, "field", dataset, "linear", "--sample", "0", "--step", "2")
    plot(tmp_path, "field", dataset, "g")


def test_charts(tmp_path):
    dataset, model = write_dataset(tmp_path / "dataset.h5"), write_model(tmp_path / "model.h5")
    plot(tmp_path, "qoi", dataset)
    plot(tmp_path, "qoi", dataset, "--quantity", "peak", "--parameter", "fixed")
    prediction = write_prediction(tmp_path / "predict.h5")
    for command in ("singular", "modes"):
        plot(tmp_path, command, model)
    for command in ("estimate", "violation", "residual"):
        plot(tmp_path, command, prediction)
    runs = [write_run(tmp_path / f"{ranks}.h5", "interval") for ranks in (1, 2, 4)]
    for run, ranks in zip(runs, (1, 2, 4)):
        import h5py

        with h5py.File(run, "a") as file:
            file.attrs["ranks"] = ranks
            del file["log"]
            write_phases(file, ranks)
    plot(tmp_path, "timing", runs[1])
    plot(tmp_path, "scaling", *runs)


def test_repairs_of_several_levels(tmp_path):
    levels = [write_repair(tmp_path / f"{level}.h5", level) for level in ("none", "conservation", "exact")]
    plot(tmp_path, "violation", levels[1])
    one, all_levels = plot(tmp_path, "repair", levels[1]), plot(tmp_path, "repair", *levels)
    assert one.shape != all_levels.shape or (np.abs(one - all_levels).max(axis=2) > 0.1).mean() > 0.002
    plot(tmp_path, "repair", write_repair(tmp_path / "bare.h5", truth=False))


def test_runs_in_time(tmp_path):
    run = write_evolution(tmp_path / "run.h5")
    plot(tmp_path, "steps", run)
    plot(tmp_path, "steps", run, run)
    plot(tmp_path, "history", run)
    plot(tmp_path, "history", run, run, "--column", "conserved", "--column", "mean")
    # Of a problem that is solved at every third step.
    some, none = (plot(tmp_path, "history", run, "--column", column) for column in ("peak", "supplied"))
    assert some.shape != none.shape or np.abs(some - none).max() > 0.1
    few, many = (plot(tmp_path, "profiles", run, "linear", "--count", count) for count in (2, 5))
    assert few.shape != many.shape or (np.abs(few - many).max(axis=2) > 0.1).mean() > 0.005


@pytest.mark.parametrize("shape, steps", [((30,), 0), ((9, 7), 0), ((9, 7), 3), ((6, 5, 4), 0)])
def test_samples_on_grids(tmp_path, capsys, shape, steps):
    grid = write_grid(tmp_path / "d.grid.h5", shape, steps=steps, fields=(("head", 1), ("velocity", len(shape))))
    sheet = plot(tmp_path, "samples", grid)
    one = plot(tmp_path, "samples", grid, "--count", "1", "--name", "head", *(["--step", "0"] if steps else []))
    assert one.shape[0] < sheet.shape[0] and one.shape[1] < sheet.shape[1]
    plot(tmp_path, "statistics", grid)
    assert "head" in capsys.readouterr().out
    plot(tmp_path, "statistics", grid, "--name", "peak")


@pytest.mark.parametrize("arguments, words", [
    (["samples", "dataset.h5"], ["tessera export", "--grid"]),
    (["samples", "grid.h5", "--name", "had"], ["no had", "head"]),
    (["samples", "grid.h5", "--step", "1"], ["no step 1"]),
    (["statistics", "text.h5"], ["text.h5"]),
    (["statistics", "grid.h5", "--name", "had"], ["no had"]),
    (["field", "none.h5", "linear"], ["none.h5", "no such file"]),
    (["field", "run.h5", "linaer"], ["linaer", "displacement, linear"]),
    (["field", "run.h5", "stress"], ["6 components", "xx, xy"]),
    (["field", "run.h5", "displacement", "--component", "q"], ["no component q"]),
    (["field", "run.h5", "linear", "--step", "3"], ["no step 3"]),
    (["field", "run.h5", "linear", "--colours", "nocolour"], ["nocolour"]),
    (["field", "run.h5", "linear", "--warp", "nothing=1"], ["no field nothing"]),
    (["field", "run.h5", "linear", "--sample", "0"], ["no samples"]),
    (["field", "campaign.h5", "linear", "--sample", "2"], ["sample 2 is not done"]),
    (["field", "campaign.h5", "linear", "--step", "4"], ["4 steps", "no step 4"]),
    (["field", "model.h5", "temperature", "--sample", "4"], ["4 modes", "no mode 4"]),
    (["basis", "run.h5"], ["no /basis"]),
    (["basis", "model.h5", "--field", "pressure"], ["pressure", "displacement, temperature"]),
    (["qoi", "run.h5"], ["/parameters"]),
    (["qoi", "dataset.h5", "--parameter", "g"], ["no parameter g", "h_gas"]),
    (["singular", "run.h5"], ["singular_values"]),
    (["modes", "run.h5"], ["nothing in /training", "tessera-run"]),
    (["steps", "run.h5"], ["/log/steps", "[time]"]),
    (["history", "time.h5", "--column", "peek"], ["no column peek", "mean"]),
    (["profiles", "run.h5", "linear"], ["one dimension"]),
    (["timing", "model.h5"], ["/log/phases"]),
    (["scaling", "run.h5"], ["two different"]),
    (["field", "text.h5", "linear"], ["text.h5", "no HDF5"]),
])
def test_mistakes_are_named(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    write_run("run.h5", "triangle")
    write_evolution("time.h5")
    write_dataset("dataset.h5")
    write_model("model.h5")
    write_campaign_in_time("campaign.h5")
    write_grid("grid.h5")
    (tmp_path / "text.h5").write_text("nothing")
    assert main(arguments + ["-o", "picture.png"]) == 2
    message = capsys.readouterr().err
    assert all(word in message for word in words), message
    assert not (tmp_path / "picture.png").exists()


@pytest.mark.parametrize("arguments", [["--limits", "5,1"], ["--cut", "w=1"], ["--cut", "x"], ["--view", "1"]])
def test_malformed_options_exit_with_2(tmp_path, arguments):
    with pytest.raises(SystemExit) as stop:
        main(["field", "run.h5", "linear", "-o", "p.png", *arguments])
    assert stop.value.code == 2
