//! Models in time and Helmholtz' equation against known solutions: orders, fronts, bounds, balances, and the same
//! answer on any number of ranks.
mod coupled;
mod degenerate;
mod iterations;
mod schemes;
mod setup;
mod sorption;
mod transport;
mod waves;

use crate::common::Suite;
use tessera::parallel::Comm;

type Test = fn(&Comm);

/// `ranks` compares numbers of ranks; in the others each rank takes its share of the cases.
const TESTS: &[crate::common::Test] = &[
    ("ranks", setup::ranks as Test),
    ("time_orders", schemes::time_orders as Test),
    ("variable_steps", schemes::variable_steps as Test),
    ("graded_steps", schemes::graded_steps as Test),
    ("step_control", schemes::step_control as Test),
    ("jumps_of_the_loads", schemes::jumps_of_the_loads as Test),
    ("space_orders", schemes::space_orders as Test),
    ("maximum_principle", schemes::maximum_principle as Test),
    ("balances", schemes::balances as Test),
    ("advection_orders", transport::advection_orders as Test),
    ("boundary_layer", transport::boundary_layer as Test),
    ("rotating_hill", transport::rotating_hill as Test),
    ("burgers", transport::burgers as Test),
    ("sorption_converges", sorption::converges as Test),
    ("sorption_balance", sorption::balance as Test),
    ("barenblatt", degenerate::barenblatt as Test),
    ("barenblatt_in_the_plane", degenerate::barenblatt_in_the_plane as Test),
    ("stefan", degenerate::stefan as Test),
    ("helmholtz_orders", waves::orders as Test),
    ("plane_wave", waves::plane_wave as Test),
    ("pollution", waves::pollution as Test),
    ("history_of_another_run", coupled::history_of_another_run as Test),
    ("wave_number_from_a_file", coupled::wave_number_from_a_file as Test),
    ("initial_values_from_a_file", coupled::initial_values_from_a_file as Test),
    ("iterations", iterations::iterations as Test),
];

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[4],
    tests: TESTS,
}];
