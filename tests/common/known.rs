//! Problems with known answers: what the page of verification lists.
#![allow(dead_code)] // Each test program reads some of the tables.

/// A quantity of interest of a deck: its value, and by how much of it ours may differ (of 1 where it is zero).
pub struct Known {
    /// The deck, from the root of the repository.
    pub deck: &'static str,
    /// Name of the quantity.
    pub quantity: &'static str,
    /// What it must be.
    pub value: f64,
    /// Relative tolerance.
    pub tolerance: f64,
    /// Where the value is from.
    pub source: &'static str,
}

impl Known {
    /// Whether a value is the known one within the tolerance.
    pub fn holds(&self, found: f64) -> bool {
        let size = if self.value == 0.0 { 1.0 } else { self.value.abs() };
        (found - self.value).abs() <= self.tolerance * size
    }
}

const fn known(
    deck: &'static str,
    quantity: &'static str,
    value: f64,
    tolerance: f64,
    source: &'static str,
) -> Known {
    Known { deck, quantity, value, tolerance, source }
}

const LAME: &str = "Lame: thick cylinder, plane strain";
const TIMOSHENKO: &str = "Timoshenko and Goodier: hollow cylinder, logarithmic temperature";
const UNIAXIAL: &str = "Hooke: uniform tension";
const KIRCHHOFF: &str = "Kirchhoff's transformation";
const SYMMETRY: &str = "symmetry and the balance with the source";

/// Decks in `tests/faults`, on any number of ranks.
pub const SMALL: &[Known] = &[
    known("tests/faults/e02_thick_cylinder_axi/deck.toml", "u_a", 9.079365e-6, 1e-5, LAME),
    known("tests/faults/e02_thick_cylinder_axi/deck.toml", "force_top_flux", 1.884_956e6, 1e-5, LAME),
    known("tests/faults/e02_thick_cylinder_axi/deck.toml", "support_top", 1.884_956e6, 1e-5, LAME),
    known("tests/faults/e02_thick_cylinder_axi/deck.toml", "mean_radial_displacement", 6.7866e-6, 1e-5, LAME),
    known("tests/faults/e03_axi_thermal/deck.toml", "T_mid", 41.503_75, 1e-5, TIMOSHENKO),
    known("tests/faults/e03_axi_thermal/deck.toml", "hoop_a", -2.098_24e8, 1e-3, TIMOSHENKO),
    known("tests/faults/e03_axi_thermal/deck.toml", "hoop_b", 1.330_34e8, 1e-3, TIMOSHENKO),
    known("tests/faults/e03_axi_thermal/deck.toml", "heat_flow", 9064.720, 1e-5, TIMOSHENKO),
    known("tests/faults/e10_components/deck.toml", "stress_none", 1e6, 1e-9, UNIAXIAL),
    known("tests/faults/e10_components/deck.toml", "reaction_left", 5e5, 1e-9, UNIAXIAL),
    known("tests/faults/e14_plane_stress_ezz/deck.toml", "ezz", -1.5e-4, 1e-9, UNIAXIAL),
    known("tests/faults/e14_plane_stress_ezz/deck.toml", "energy", 2.5e4, 1e-9, UNIAXIAL),
    known("tests/faults/e15_free_expansion/deck.toml", "energy", 0.0, 1e-9, "free expansion: no stress"),
    known("tests/faults/e15_free_expansion/deck.toml", "exx", 1.2e-3, 1e-9, "free expansion: no stress"),
    known("tests/faults/e17_rigid_modes/onlyx.toml", "uy_max", 1.95e-4, 1e-9, UNIAXIAL),
    known("tests/faults/e17_rigid_modes/onlyx.toml", "ux_max", 9.1e-4, 1e-9, UNIAXIAL),
    known("tests/faults/f11_advective_flux/deck.toml", "leaves_right", 1.0, 1e-9, "velocity times height"),
    known("tests/faults/h01_nafems_t1/deck.toml", "syy_outside_1p05", 45.35e6, 1.5e-2, "NAFEMS T1"),
    known("tests/faults/h02_nafems_t3/deck.toml", "T_08", 36.60, 2e-3, "NAFEMS T3"),
    known("tests/faults/h03_nafems_t4/deck.toml", "T_E", 18.25, 1e-3, "NAFEMS T4"),
    known("tests/faults/h03_nafems_t4/deck.toml", "in_reaction", 10_296.0, 1e-3, "NAFEMS T4, refined mesh"),
    known("tests/faults/h08_own_conductivity/deck.toml", "T_mid", 61.803_398_9, 1e-4, KIRCHHOFF),
    known("tests/faults/h08_own_conductivity/deck.toml", "in_right", 200.0, 1e-9, KIRCHHOFF),
    known("tests/faults/h08_own_conductivity/table.toml", "T_mid", 61.803_398_9, 1e-4, KIRCHHOFF),
    known("tests/faults/h08_own_conductivity/table.toml", "in_right", 200.0, 1e-9, KIRCHHOFF),
    known("tests/faults/h08_own_conductivity/capacity.toml", "T_end", 100.0, 1e-9, "heat that came in"),
    known("tests/faults/h08_own_conductivity/capacity_table.toml", "T_end", 100.0, 1e-9, "heat that came in"),
    known("tests/faults/h10_nafems_t2/deck.toml", "T_end", 927.0, 1e-5, "NAFEMS T2"),
    known("tests/faults/h10_nafems_t2/deck.toml", "radiated", 40_585.8, 1e-6, "sigma epsilon (T^4 - 300^4)"),
    known("tests/faults/h10_nafems_t2/in_time.toml", "T_end", 927.0, 1e-5, "NAFEMS T2"),
    known("tests/faults/r01_reaction/steady.toml", "u_mid", 0.444_444_4, 1e-4, "exact solution"),
    known("tests/faults/r01_reaction/steady.toml", "in_left", 2.0, 1e-3, "exact solution"),
    known("tests/faults/r01_reaction/in_time.toml", "u_end", 0.2, 1e-6, "exact solution"),
    known("tests/faults/h11_embedded_line/deck.toml", "through_strip", 50.0, 1e-9, "uniform conduction"),
    known("tests/faults/h11_embedded_line/deck.toml", "out_right", 100.0, 1e-9, "uniform conduction"),
    known("tests/faults/h11_embedded_line/deck.toml", "in_left", -100.0, 1e-9, "uniform conduction"),
    known("tests/faults/h11_embedded_line/heater.toml", "heat_in_left", -250.0, 1e-6, SYMMETRY),
    known("tests/faults/h11_embedded_line/heater.toml", "heat_in_right", -250.0, 1e-6, SYMMETRY),
    known("tests/faults/h12_corner_reactions/deck.toml", "left", -0.25, 1e-9, SYMMETRY),
    known("tests/faults/h12_corner_reactions/deck.toml", "top", -0.25, 1e-9, SYMMETRY),
    known("tests/faults/h12_corner_reactions/deck.toml", "flux_left", 0.25, 1e-9, SYMMETRY),
    known("tests/faults/m02_overlapping_markers/deck.toml", "out_left", -30.0, 1e-9, "flux times length"),
    known("tests/faults/v01_norton_creep/deck.toml", "u_end", 1.5e-3, 1e-6, "Norton: constant stress"),
    known("tests/faults/v01_norton_creep/deck.toml", "force_flux", -1e8, 1e-6, "Norton: constant stress"),
    known("tests/faults/v01_norton_creep/deck.toml", "force_reaction", -1e8, 1e-6, "Norton: constant stress"),
];

/// Decks in `tests/faults` that have no answer, and words of the message that says why.
pub const REFUSED: &[(&str, &str)] = &[
    ("tests/faults/h08_own_conductivity/short.toml", "outside of the table, which goes from 0 to 80"),
    ("tests/faults/h08_own_conductivity/falls.toml", "conductivity: expected a positive number"),
    ("tests/faults/h10_nafems_t2/celsius.toml", "radiation goes with the absolute temperature"),
    ("tests/faults/e03_axi_thermal/plane_heat.toml", "is solved on a plane section"),
    ("tests/faults/e17_rigid_modes/disconnected.toml", "are connected to nothing that is held"),
    ("tests/faults/e17_rigid_modes/onlyx_pushed.toml", "may still move along y"),
    ("tests/faults/e17_rigid_modes/pinned.toml", "may still turn about"),
    ("tests/faults/e18_axis_negative/cross.toml", "x is the radius"),
    ("tests/faults/e18_axis_negative/negative.toml", "x is the radius"),
    ("tests/faults/h09_tensor/indef.toml", "not positive definite"),
    ("tests/faults/h09_tensor/nonsym.toml", "symmetric"),
    ("tests/faults/h14_steady_with_t/deck.toml", "[time]"),
    ("tests/faults/m06_one_part/deck.toml", "part"),
    ("tests/faults/h11_embedded_line/crackpressure.toml", "two sides"),
    ("tests/faults/m03_far_from_origin/deck.toml", "no node is there"),
    ("tests/faults/m03_far_from_origin/between.toml", "no node is there"),
    ("tests/faults/m03_far_from_origin/near.toml", "no node is there"),
];

/// The cases in `input/`.
pub const CASES: &[Known] = &[
    known(
        "input/bar/bar.toml",
        "peak_temperature",
        478.125,
        1e-4,
        "400 + g x - source x^2 / (2 k) at its top",
    ),
    known(
        "input/bar/bar.toml",
        "heat_out",
        15_000.0,
        1e-9,
        "balance with the source and the flux at the left",
    ),
    known("input/cook/cook.toml", "rise", 23.96, 2e-3, "Cook (1974), converged mesh"),
    known("input/cook/cook.toml", "support", -1.0, 1e-6, "balance with the load"),
    known("input/plate/plate.toml", "stress_at_hole", 3e6, 1e-2, "Kirsch (1898): three times the tension"),
    known("input/cylinder/steady.toml", "drag", 5.5795, 1e-2, "Schaefer and Turek (1996), 2D-1"),
    known("input/cylinder/steady.toml", "lift", 0.01062, 1e-2, "Schaefer and Turek (1996), 2D-1"),
    known("input/cylinder/steady.toml", "pressure_drop", 0.11752, 1e-2, "Schaefer and Turek (1996), 2D-1"),
    known("input/cavity/cavity.toml", "u_low", -0.3886, 5e-3, "Botella and Peyret (1998)"),
    known("input/nafems/le1/le1.toml", "stress_yy_at_D", 92.7e6, 2e-2, "NAFEMS LE1"),
    known("input/nafems/le10/le10.toml", "stress_yy_at_D", -5.38e6, 2e-2, "NAFEMS LE10"),
    known("input/nafems/le11/le11.toml", "stress_zz_at_A", -105e6, 2e-2, "NAFEMS LE11"),
    known(
        "input/blade/blade.toml",
        "cooling_heat",
        2457.5,
        1e-4,
        "h times the integral of T - T_ambient, computed apart",
    ),
    known(
        "input/porous_medium/stefan.toml",
        "stored",
        0.40734,
        1e-3,
        "Neumann: 2 (1 - u*) t^(1/2)/(pi^(1/2) erf(0.6201))",
    ),
    known("input/porous_medium/barenblatt.toml", "mass", 3.37193, 3e-3, "Barenblatt: 12 pi 0.2^(3/2)"),
    known("input/sorption/sorption.toml", "mean", 0.33873, 1e-3, "self-convergence in space and time"),
    known("input/burgers/burgers.toml", "before_the_front", 0.37328, 2e-3, "Cole and Hopf"),
];
