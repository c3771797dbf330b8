"""The generalised porous medium equation of `benches/probconserv`: its solutions solve it, and repaired masses are exact."""
import math
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target" / "release" / "tessera"
sys.path.insert(0, str(ROOT / "benches" / "probconserv"))

from equations import FAMILIES, contexts, diffusion, erf, front, porous, stefan  # noqa: E402
import gpme  # noqa: E402


def residual(u, k, t, x, h=1e-4):
    """u_t - (k(u) u_x)_x by differences."""
    flux = [k(u(t, x + s / 2)) * (u(t, x + s / 2 + h / 2) - u(t, x + s / 2 - h / 2)) / h for s in (-h, h)]
    return (u(t + h, x) - u(t - h, x)) / (2 * h) - (flux[1] - flux[0]) / h


def test_solutions_solve_their_equations():
    x = np.linspace(0.02, 0.4, 20)
    assert np.abs(residual(lambda t, x: diffusion(3, t, x), lambda u: 3 + 0 * u, 0.2, 10 * x)).max() < 1e-5
    for m in (1, 3, 6):
        assert np.abs(residual(lambda t, x: porous(m, t, x), lambda u: u ** m, 0.5, x)).max() < 1e-4
    s, t = 0.6, 0.05
    inside = np.linspace(0.02, 0.9 * 2 * front(s) * math.sqrt(t), 20)
    assert np.abs(residual(lambda t, x: stefan(s, t, x), lambda u: 1 + 0 * u, t, inside)).max() < 1e-3
    # At the front u is the threshold, and what flows in moves it: -u_x = s dX/dt.
    z, h = front(s), 1e-6
    place = 2 * z * math.sqrt(t)
    before, there = stefan(s, t, np.array([place - h, place * (1 - 1e-12)]))
    assert abs(there - s) < 1e-9 and abs((before - there) / h - s * z / math.sqrt(t)) < 1e-4


def test_masses_are_the_integrals():
    assert np.abs(erf(np.array([0.5])) - 0.5204998778130465) < 1e-15
    for family in FAMILIES:
        for parameter in family.tested:
            x = (np.arange(400_000) + 0.5) * family.length / 400_000
            mean = family.solution(parameter, family.time, x).mean() * family.length
            assert abs(mean - family.mass(parameter, family.time)) < 1e-5, (family.name, parameter)


def test_context_points_are_of_the_solution():
    points, values = contexts(np.random.default_rng(0), FAMILIES[1], 3)
    assert points.shape == (100, 2) and np.ptp(points[:, 0]) > 0.8
    assert (values == porous(3, points[:, 0], points[:, 1])).all()
    assert (np.floor(10 * points[::10, 0]) == np.arange(10)).all()


@pytest.mark.skipif(not PROGRAM.exists(), reason="the program is not built")
def test_repaired_masses_are_exact(tmp_path, monkeypatch):
    monkeypatch.setattr(gpme, "TRAINING", 4)
    for family, parameter, _, rows in gpme.table(2, tmp_path, PROGRAM):
        found = {what: scores for what, scores, _ in rows}
        # `gpme` itself compares fields and variances with the closed form.
        assert found["prediction"][3] > 1e-4, (family.name, parameter)
        assert found["variance"][3] < 1e-12 and found["euclidean"][3] < 1e-12, (family.name, parameter)
