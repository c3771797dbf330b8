"""The independent solution and the network of `benches/diffusion_sorption`."""
import math
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benches" / "diffusion_sorption"))

import bases  # noqa: E402
import column  # noqa: E402
import soft  # noqa: E402


def test_steps_twice_as_many_leave_a_sixteenth_of_the_error():
    fine, *coarse = (column.solve([0.003, 0.17], scale=scale) for scale in (8, 1, 2))
    errors = [column.errors(u, fine)[0].max() for u in coarse]
    assert errors[1] < 1e-7 and 12 < errors[0] / errors[1] < 20, errors


def test_what_is_stored_is_what_came_in():
    """With linear sorption R there is an exact balance, of which the integral over time is right to the order of the steps."""
    times = np.linspace(0, 500, 4001)
    u = column.solve([0.1], times, storage=column.linear(3.0))[0]
    stored = 3.0 * u @ column.VOLUME
    through = -column.outflow(u).sum(axis=-1)
    after = times >= 20
    change = stored[-1] - stored[after][0]
    came = np.trapezoid(through[after], times[after])
    assert abs(change - came) < 1e-6 * abs(change), (change, came)


def test_linear_diffusion_before_the_wall_is_felt_is_the_error_function():
    u = column.solve([0.0], np.array([0.0, 5.0, 10.0]), scale=4, storage=column.linear(3.0))[0, -1]
    x = column.H * np.arange(1, column.CELLS + 1)
    exact = [math.erfc(s / math.sqrt(4 * column.DIFFUSIVITY / 3.0 * 10.0)) for s in x]
    assert np.abs(u - exact).max() < 1e-4


def test_interpolation_has_the_errors_of_the_guide():
    cases = column.TESTS[:10]
    truth = column.solve(cases, scale=1)
    points = column.training(4)
    found, _ = column.errors(column.lagrange(points, column.solve(points, scale=1), cases), truth)
    # The mean of 50 is 2.9e-4, the worst 2.1e-3.
    assert 1e-5 < found.mean() < 1e-3 and found.max() < 2.2e-3
    exact = column.lagrange(points, column.solve(points, scale=1), points[:1])
    assert column.errors(exact, column.solve(points[:1], scale=1))[0].max() < 1e-12


def test_more_boxes_fit_better_and_members_fit_exactly():
    runs = column.solve(column.training(4), scale=1)
    truth = column.solve([0.05], scale=1)
    one, four = (bases.projection_errors(truth, runs, experts)[0] for experts in (1, 4))
    assert four < one < 1e-4
    assert bases.projection_errors(runs[:1], runs)[0] < 1e-12


def test_gradient_of_the_soft_constraint():
    soft.check()
