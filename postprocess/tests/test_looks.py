"""Titles say what is drawn and are cut nowhere; squares are squares."""
import matplotlib.pyplot as plt
import numpy as np
import pytest
from files import write_campaign_in_time, write_dataset, write_evolution, write_grid, write_model, write_run
from matplotlib.font_manager import FontProperties

from tessera_postprocess import Result, charts, samples, style
from tessera_postprocess.fields import Picture, basis

LONG = "A title of many words that no picture of this width can hold in one line, nor in two of them " * 2


def heading(figure):
    return figure._suptitle.get_text() if figure._suptitle else figure.axes[0].get_title("left")


def drawn(path, name, **options):
    return Picture(**options).draw(Result(path), name)


def test_titles_name_field_sample_and_time(tmp_path):
    run = write_run(tmp_path / "run.h5", "triangle")
    assert heading(drawn(run, "linear")) == "Box: linear"
    assert heading(drawn(run, "stress", component="yy")) == "Box: stress yy"
    assert heading(drawn(run, "displacement", warp=("displacement", 50))) == "Box: displacement magnitude, displacement ×\u00a050"
    assert heading(drawn(run, "expert")) == "Box: expert"
    time = write_evolution(tmp_path / "time.h5")
    assert heading(drawn(time, "linear")) == "Box: linear, t = 1 s"
    assert heading(drawn(time, "linear", step=1)) == "Box: linear, t = 0.25 s"
    campaign = write_campaign_in_time(tmp_path / "campaign.h5")
    assert heading(drawn(campaign, "linear")) == "Box: linear, sample 11, t = 3 s"          # the last that is done
    assert heading(drawn(campaign, "linear", sample=0, step=1)) == "Box: linear, sample 10, t = 1 s"
    assert heading(drawn(campaign, "g", sample=1)) == "Box: g, sample 11"
    model = write_model(tmp_path / "model.h5")
    assert heading(drawn(model, "temperature")) == "Model: temperature, mode 1"
    assert heading(drawn(model, "temperature", sample=0)) == "Model: temperature, lifting 1"
    assert heading(drawn(model, "displacement", sample=1)) == "Model: displacement magnitude, mode 2"
    body = write_run(tmp_path / "body.h5", "tetrahedron")
    normal = np.array([0, 0.6, -0.8])
    assert heading(drawn(body, "linear", cut=(np.eye(3)[2], 0.5), width=3)) == "Box: linear, cut at z = 0.5 m"
    assert heading(drawn(body, "linear", cut=(normal, 0.03), width=3)) == "Box: linear, cut at y - 1.33 z = 0.05 m"
    plt.close("all")


def test_fields_of_samples_are_those_of_the_file(tmp_path):
    campaign = Result(write_campaign_in_time(tmp_path / "campaign.h5"))
    assert np.all(campaign.field("linear") == 11.5) and np.all(campaign.field("linear", 0, 0) == 10)


def test_labels_name_field_and_unit(tmp_path):
    run = write_run(tmp_path / "run.h5", "triangle")
    assert [drawn(run, name, component=c).axes[1].get_ylabel() for name, c in
            (("linear", None), ("displacement", None), ("stress", "yy"))] == ["Linear (K)", "Displacement magnitude (mm)", "Stress yy (MPa)"]
    assert style.label("u", "m/s") == "u (m/s)" and style.label("von_mises", "Pa") == "Von Mises stress (Pa)"
    plt.close("all")


def test_wrapped_lines_are_short_and_whole():
    font = FontProperties(size=10.5, weight="bold")
    for width in (0.5, 2.0, 5.0):
        lines = style.wrap(LONG + "w" * 200, width, font).split("\n")
        assert "".join(lines).replace(" ", "") == (LONG + "w" * 200).replace(" ", "")
        assert all(style.text_to_path.get_text_width_height_descent(line, font, False)[0] / 72 <= width for line in lines)
    assert style.wrap("short", 3, font) == "short"


def ink_on_the_rim(path):
    pixels = plt.imread(path)[:, :, :3]
    rim = np.concatenate([pixels[:3].reshape(-1, 3), pixels[-3:].reshape(-1, 3), pixels[:, :3].reshape(-1, 3), pixels[:, -3:].reshape(-1, 3)])
    return (rim < 0.99).any()


@pytest.mark.parametrize("small", [False, True])
def test_long_titles_are_not_cut(tmp_path, small):
    run, grid = write_run(tmp_path / "run.h5", "triangle"), write_grid(tmp_path / "d.grid.h5")
    body, line = write_run(tmp_path / "body.h5", "tetrahedron"), write_run(tmp_path / "line.h5", "interval")
    model, dataset = write_model(tmp_path / "model.h5"), write_dataset(tmp_path / "dataset.h5")
    figures = [drawn(run, "linear", title=LONG), drawn(body, "linear", title=LONG, width=4), drawn(line, "linear", title=LONG),
               basis(Result(model), title=LONG), charts.quantities([Result(dataset)], LONG), charts.modes([Result(model)], LONG),
               samples.sheet(Result(grid), LONG), samples.statistics(Result(grid), LONG)]
    for figure in figures:
        width = figure.get_size_inches()[0]
        style.save(figure, tmp_path / "p.png", small)
        assert heading(figure).count("\n") > 0
        pixels = plt.imread(tmp_path / "p.png")
        assert not ink_on_the_rim(tmp_path / "p.png") and pixels.shape[1] < 1.05 * width * 150


def test_squares_are_squares(tmp_path):
    run = write_run(tmp_path / "run.h5", "quadrilateral")
    grid = write_grid(tmp_path / "d.grid.h5", (9, 9))
    figures = [drawn(run, "linear"), basis(Result(write_model(tmp_path / "model.h5"))), samples.sheet(Result(grid))]
    for figure in figures:
        figure.draw_without_rendering()
        panels = [a for a in figure.axes if (a.images or a.collections) and not hasattr(a, "_colorbar")]
        assert panels
        for axes in panels:
            (x0, y0), (x1, y1) = axes.transData.transform([(0, 0), (1, 1)])
            assert x1 - x0 == pytest.approx(y1 - y0, rel=0.01)
    plt.close("all")


def test_small_pictures_keep_rare_colours(tmp_path):
    run = write_run(tmp_path / "run.h5", "tetrahedron")
    for small in (False, True):
        style.save(drawn(run, "linear", colours="inferno"), tmp_path / f"{small}.png", small)
    whole, few = (plt.imread(tmp_path / f"{small}.png")[:, :, :3] for small in (False, True))
    triad = (slice(-100, None), slice(None, 110))           # blue, red and green, which are nowhere else
    assert np.abs(whole - few)[triad].max() < 0.2
