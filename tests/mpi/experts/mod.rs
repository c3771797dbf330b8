//! Experts: gating functions, constraint levels against dense algebra and the direct solver, Schwarz.
mod derivatives;
mod dual;
mod in_time;
mod mixture;
mod nonlinear;
mod ports;
mod residual;
mod restricted;
mod schwarz;
mod setup;
mod windows;

use crate::common::Suite;
use faer::linalg::solvers::Solve;
use petsc_rs::{Matrix, Vector};
use setup::*;
use std::rc::Rc;
use tessera::deck::{ConstraintLevel, Norm};
use tessera::experts::{CoarseModes, Constraint, Equations, Gating};
use tessera::parallel::Comm;
use tessera::physics::mass::mass_matrix;

fn gating_on_a_line(comm: &Comm) {
    for (degree, layers) in [(1, 1), (1, 3), (2, 1), (2, 2), (1, 25)] {
        let (simulation, _) = simulation(comm, &heat("interval", &[40], degree, 4, "direct"));
        let space = &simulation.stages[0].problem.space;
        let gating = boxes(space, 4, layers);
        for node in 0..space.owned_nodes {
            let at = space.point(node)[0] * 40.0;
            // Distance in layers: a mid-node counts with the far end of its cell.
            let weight = |k: usize| {
                let (from, to) = (10.0 * k as f64, 10.0 * (k + 1) as f64);
                let distance = (from - at.floor()).max(at.ceil() - to).max(0.0);
                let inside = at >= from && at <= to;
                if inside { f64::from(layers) } else { (f64::from(layers) - distance.round()).max(0.0) }
            };
            let sum: f64 = (0..4).map(weight).sum();
            let expected: Vec<(u32, f64)> =
                (0..4).filter(|&k| weight(k) > 0.0).map(|k| (k as u32, weight(k) / sum)).collect();
            assert_eq!(gating.of(node), &expected[..], "x = {at}, degree {degree}, {layers} layers");
        }
    }
}

fn gating_sums_to_one(comm: &Comm) {
    let cases: [(&str, &[usize], usize, u32); 5] = [
        ("triangle", &[16, 16], 1, 64),
        ("quadrilateral", &[12, 12], 2, 16),
        ("tetrahedron", &[6, 6, 6], 1, 27),
        ("hexahedron", &[4, 4, 4], 2, 8),
        ("triangle", &[10, 10], 2, 1),
    ];
    for (cell, cells, degree, experts) in cases {
        let (simulation, _) = simulation(comm, &heat(cell, cells, degree, experts, "direct"));
        let space = &simulation.stages[0].problem.space;
        for layers in [1, 2, 4] {
            let gating = Gating::new(space, layers).unwrap();
            assert!(gating.global_experts >= experts.min(comm.size() as u32));
            let mut entries = 0;
            for node in 0..space.owned_nodes {
                let list = gating.of(node);
                let sum: f64 = list.iter().map(|e| e.1).sum();
                assert!((sum - 1.0).abs() <= 4.0 * f64::EPSILON, "{sum}");
                assert!(list.iter().all(|e| e.1 > 0.0) && list.windows(2).all(|w| w[0].0 < w[1].0));
                entries += list.len();
            }
            let mut listed = 0;
            for local in 0..gating.experts.len() {
                let nodes = gating.support(local);
                assert!(nodes.windows(2).all(|w| w[0] < w[1]));
                listed += nodes.len();
            }
            assert_eq!(comm.sum(entries as u64), comm.sum(listed as u64));
        }
    }
    let (simulation, _) = simulation(comm, &heat("triangle", &[4, 4], 1, 4, "direct"));
    let error = Gating::new(&simulation.stages[0].problem.space, 0).err().unwrap();
    assert!(error.to_string().contains("overlap"), "{error}");
}

fn energy_of_difference(matrix: &Matrix, a: &Vector, b: &Vector) -> f64 {
    let mut d = a.try_clone().unwrap();
    d.axpy(-1.0, b).unwrap();
    let mut image = d.duplicate().unwrap();
    matrix.mult(&d, &mut image).unwrap();
    d.dot(&image).unwrap()
}

fn conservation_balances_every_expert(comm: &Comm) {
    let decks = [
        (heat("triangle", &[16, 16], 1, 1, "direct"), 1.0),
        (heat("triangle", &[16, 16], 1, 16, "direct"), 1.0),
        (heat("triangle", &[20, 20], 1, 64, "direct"), 1.0),
        (heat("quadrilateral", &[10, 10], 2, 8, "direct"), 1.0),
        (heat("tetrahedron", &[6, 6, 6], 1, 12, "direct"), 1.0),
        (block("triangle", &[16, 12], 1, 12, "direct"), 1e-3),
        (block("tetrahedron", &[5, 4, 4], 1, 9, "direct"), 1e-3),
        (block("quadrilateral", &[9, 7], 2, 5, "direct"), 1e-3),
    ];
    for (number, (deck, scale)) in decks.iter().enumerate() {
        let (mut simulation, context) = simulation(comm, deck);
        simulation.stages[0].solve(&context).unwrap();
        let stage = &simulation.stages[0];
        let space = &stage.problem.space;
        let from = prediction(space, stage.solution(), *scale);
        for weight in [Norm::Energy, Norm::Mass, Norm::Euclidean] {
            for layers in [1, 2] {
                let gating = Gating::new(space, layers).unwrap();
                let options =
                    options(ConstraintLevel::Conservation, weight, CoarseModes::of(&stage.problem));
                let (state, report) = repair(&simulation, &context, gating, options, &from);
                let what = format!("deck {number}, {weight:?}, {layers} layers: {report:?}");
                assert!(report.worst_before > 1e-6 && report.boundary_before > 0.0, "{what}");
                assert!(report.worst_after <= 1e-12 && report.boundary_after == 0.0, "{what}");
                assert!(report.distance > 0.0 && report.relative_distance < 1.0, "{what}");
                assert_eq!(report.after.len(), report.experts.len() * space.components);
                if weight == Norm::Energy {
                    // The repaired state is the best one in the coarse space around the prediction.
                    let error = |state: &Vector| energy_of_difference(stage.assembled().matrix, state, stage.solution());
                    let mut start = from.try_clone().unwrap();
                    for dof in stage.assembled().essential.owned(space) {
                        start.write().unwrap()[dof] = stage.assembled().essential.values[dof];
                    }
                    assert!(error(&state) < error(&start), "{what}");
                }
            }
        }
    }
}

/// All rows of a distributed matrix, on every rank.
fn dense(comm: &Comm, matrix: &Matrix) -> faer::Mat<f64> {
    let (mut rows, mut columns, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for row in matrix.row_range() {
        for (column, value) in matrix.row(row).unwrap() {
            rows.push(row as u64);
            columns.push(column as u64);
            values.push(value);
        }
    }
    let rows = comm.all_gather_varied(&rows);
    let columns = comm.all_gather_varied(&columns);
    let values = comm.all_gather_varied(&values);
    let mut full = faer::Mat::zeros(matrix.global_size().0, matrix.global_size().1);
    for ((row, column), value) in rows.iter().zip(&columns).zip(&values) {
        full[(*row as usize, *column as usize)] = *value;
    }
    full
}

/// Against `[W -B^T; B 0]` solved densely, with constraints written down from the gating functions.
fn nearest_state_agrees_with_dense_algebra(comm: &Comm) {
    for (deck, scale) in
        [(heat("triangle", &[8, 8], 1, 4, "direct"), 1.0), (block("triangle", &[7, 5], 1, 4, "direct"), 1e-3)]
    {
        let (mut simulation, context) = simulation(comm, &deck);
        simulation.stages[0].solve(&context).unwrap();
        let stage = &simulation.stages[0];
        let space = &stage.problem.space;
        let c = space.components;
        let n = space.global_dofs() as usize;
        let gating = boxes(space, 2, 2);
        let m = gating.global_experts as usize * c;
        let from = prediction(space, stage.solution(), scale);
        let all = |values: &[f64]| comm.all_gather_varied(values);
        let fixed: Vec<f64> =
            stage.assembled().essential.fixed[..space.owned_dofs()].iter().map(|&f| f64::from(u8::from(f))).collect();
        let (fixed, prescribed) = (all(&fixed), all(&stage.assembled().essential.values[..space.owned_dofs()]));
        let (load, guess) = (all(&stage.assembled().load.read().unwrap()), all(&from.read().unwrap()));
        let mut rows = vec![0.0; space.owned_dofs() * m];
        for node in 0..space.owned_nodes {
            for i in 0..c {
                for &(expert, chi) in gating.of(node) {
                    rows[(node * c + i) * m + expert as usize * c + i] = chi;
                }
            }
        }
        let z = all(&rows);
        let k = dense(comm, stage.assembled().matrix);
        let mass = dense(comm, &mass_matrix(space, stage.assembled().essential).unwrap());
        let start: Vec<f64> =
            (0..n).map(|i| if fixed[i] == 1.0 { prescribed[i] } else { guess[i] }).collect();
        for weight in [Norm::Energy, Norm::Mass, Norm::Euclidean] {
            let mut kkt = faer::Mat::<f64>::zeros(n + m, n + m);
            let mut right = faer::Mat::<f64>::zeros(n + m, 1);
            for i in 0..n {
                for j in 0..n {
                    kkt[(i, j)] = match weight {
                        Norm::Energy => k[(i, j)],
                        Norm::Mass => mass[(i, j)],
                        Norm::Euclidean | Norm::Variance => f64::from(u8::from(i == j)),
                    };
                }
                for q in (0..m).filter(|_| fixed[i] == 0.0) {
                    // Row q of B against a free unknown j; b - B u_hat on the right.
                    let chi = z[i * m + q];
                    let mut row = load[i];
                    for j in 0..n {
                        row -= k[(i, j)] * start[j];
                        if fixed[j] == 0.0 {
                            kkt[(n + q, j)] += chi * k[(i, j)];
                            kkt[(j, n + q)] -= chi * k[(i, j)];
                        }
                    }
                    right[(n + q, 0)] += chi * row;
                }
            }
            let change = kkt.partial_piv_lu().solve(&right);
            let options =
                options(ConstraintLevel::Conservation, weight, CoarseModes::of(&stage.problem));
            let (state, report) = repair(&simulation, &context, boxes(space, 2, 2), options, &from);
            let state = all(&state.read().unwrap());
            let norm = (0..n).map(|i| change[(i, 0)].powi(2)).sum::<f64>().sqrt();
            let error = (0..n).map(|i| (state[i] - start[i] - change[(i, 0)]).powi(2)).sum::<f64>().sqrt();
            assert!(error < 1e-9 * norm, "{weight:?}: {error:.1e} of {norm:.1e}; {report:?}");
        }
    }
}

fn exact_equals_the_direct_solution(comm: &Comm) {
    for (deck, scale, per_side) in [
        (heat("triangle", &[16, 16], 1, 4, "direct"), 10.0, 4),
        (heat("quadrilateral", &[10, 10], 2, 4, "direct"), 10.0, 3),
        (block("triangle", &[12, 12], 1, 4, "direct"), 1e-2, 3),
        (block("tetrahedron", &[5, 5, 5], 1, 4, "direct"), 1e-2, 2),
    ] {
        let (mut simulation, context) = simulation(comm, &deck);
        simulation.stages[0].solve(&context).unwrap();
        let stage = &simulation.stages[0];
        let space = &stage.problem.space;
        let from = prediction(space, stage.solution(), scale);
        let options = options(ConstraintLevel::Exact, Norm::Energy, CoarseModes::of(&stage.problem));
        // With one expert alone the other ranks have none.
        for gating in [Gating::new(space, 1).unwrap(), boxes(space, per_side, 2), Gating::whole(space)] {
            let (state, report) = repair(&simulation, &context, gating, options, &from);
            let error = difference(&state, stage.solution());
            assert!(error < 1e-9, "{error:.1e}, {report:?}");
            assert!(report.worst_after < 1e-9 && report.boundary_after == 0.0, "{report:?}");
            assert!((1..80).contains(&report.iterations), "{report:?}");
        }
    }
}

/// The same experts on these ranks and on one: the same repaired state and the same balances.
fn ranks_do_not_show(comm: &Comm) {
    let alone = Comm::new(mpi::topology::SimpleCommunicator::self_comm());
    let deck = block("triangle", &[12, 9], 1, 4, "direct");
    for (level, weight) in [
        (ConstraintLevel::Conservation, Norm::Energy),
        (ConstraintLevel::Conservation, Norm::Mass),
        (ConstraintLevel::Exact, Norm::Energy),
    ] {
        let run = |comm: &Comm| {
            let (simulation, context) = simulation(comm, &deck);
            let stage = &simulation.stages[0];
            let space = stage.problem.space.clone();
            let from = prediction(&space, &space.field().unwrap(), 1e-3);
            let options = options(level, weight, CoarseModes::of(&stage.problem));
            let (state, report) = repair(&simulation, &context, boxes(&space, 3, 2), options, &from);
            (space, state.read().unwrap().to_vec(), report)
        };
        let (space, state, report) = run(comm);
        let (whole, reference, serial) = run(&alone);
        let largest = reference.iter().fold(0.0f64, |a, v| a.max(v.abs()));
        let mut place = vec![0; whole.owned_nodes];
        (0..whole.owned_nodes).for_each(|node| place[whole.node_ids[node] as usize] = node);
        for node in 0..space.owned_nodes {
            let there = place[space.node_ids[node] as usize];
            for i in 0..2 {
                let (a, b) = (state[node * 2 + i], reference[there * 2 + i]);
                assert!((a - b).abs() < 1e-9 * largest, "{level:?} {weight:?}: {a} {b}");
            }
        }
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-8 * b.abs();
        assert!(close(report.worst_before, serial.worst_before), "{report:?} {serial:?}");
        assert!(close(report.distance, serial.distance), "{report:?} {serial:?}");
        let first = report.experts.start as usize * 2;
        for (i, value) in report.before.iter().enumerate() {
            let there = serial.before[first + i];
            assert!((value - there).abs() < 1e-9 * serial.exchange[first + i], "{value} {there}");
        }
    }
}

fn lower_levels_do_what_they_say(comm: &Comm) {
    let (mut simulation, context) = simulation(comm, &heat("triangle", &[10, 10], 1, 6, "direct"));
    simulation.stages[0].solve(&context).unwrap();
    let stage = &simulation.stages[0];
    let space = &stage.problem.space;
    let from = prediction(space, stage.solution(), 1.0);
    let gating = || Gating::new(space, 1).unwrap();
    let with = |level| options(level, Norm::Energy, CoarseModes::Constants);
    let (state, report) = repair(&simulation, &context, gating(), with(ConstraintLevel::None), &from);
    assert_eq!(&state.read().unwrap()[..], &from.read().unwrap()[..]);
    assert!(
        report.worst_before == report.worst_after && report.boundary_after > 0.0 && report.distance == 0.0
    );
    let (state, report) = repair(&simulation, &context, gating(), with(ConstraintLevel::Boundary), &from);
    let (state, from_values) = (state.read().unwrap(), from.read().unwrap());
    for dof in 0..space.owned_dofs() {
        let fixed = stage.assembled().essential.fixed[dof];
        assert_eq!(state[dof], if fixed { stage.assembled().essential.values[dof] } else { from_values[dof] });
    }
    assert!(report.boundary_before > 0.0 && report.boundary_after == 0.0);
    // The solution itself passes through unharmed, and a prediction that is not finite is refused.
    let options = with(ConstraintLevel::Conservation);
    let (state, report) = repair(&simulation, &context, gating(), options, stage.solution());
    assert!(difference(&state, stage.solution()) < 1e-12 && report.worst_before < 1e-10, "{report:?}");
    let mut broken = from.try_clone().unwrap();
    if comm.rank() == 0 {
        broken.write().unwrap()[0] = f64::NAN;
    }
    let mut layer = Constraint::new("heat", space.clone(), Rc::new(gating()), options);
    let error = layer.apply(&Equations::of(stage, &context), &mut broken).unwrap_err();
    assert!(error.to_string().contains("not finite"), "{error}");
}

/// Experts without free unknowns or with more functions than unknowns: one cell each.
fn tiny_experts(comm: &Comm) {
    for (deck, scale) in [
        (heat("quadrilateral", &[4, 4], 1, 16, "direct"), 1.0),
        (block("quadrilateral", &[3, 3], 1, 9, "direct"), 1e-3),
    ] {
        let (mut simulation, context) = simulation(comm, &deck);
        simulation.stages[0].solve(&context).unwrap();
        let stage = &simulation.stages[0];
        let space = &stage.problem.space;
        let from = prediction(space, stage.solution(), scale);
        for weight in [Norm::Energy, Norm::Mass, Norm::Euclidean] {
            let modes = CoarseModes::of(&stage.problem);
            let per_side = if space.components == 1 { 4 } else { 3 };
            let gating = boxes(space, per_side, 1);
            let options = options(ConstraintLevel::Conservation, weight, modes);
            let (_, report) = repair(&simulation, &context, gating, options, &from);
            assert!(report.worst_after <= 1e-12, "{weight:?} {report:?}");
        }
        let options = options(ConstraintLevel::Exact, Norm::Energy, CoarseModes::of(&stage.problem));
        let (state, _) = repair(&simulation, &context, Gating::new(space, 1).unwrap(), options, &from);
        assert!(difference(&state, stage.solution()) < 1e-9);
    }
}

/// A row without entries: its experts are named by what they are, not by PETSc, on every rank, and none waits for another.
fn singular_experts_are_named(comm: &Comm) {
    for linear in [true, false] {
        let text = heat("triangle", &[9, 8], 1, 4, "direct");
        let text = if linear { text } else { text.replace("\"diffusion\"", "\"advection_diffusion\"\nvelocity = [1.0, 0.5]").replace("conductivity", "diffusivity") };
        let (mut simulation, context) = simulation(comm, &text);
        let stage = &mut simulation.stages[0];
        let space = stage.problem.space.clone();
        let mut scale = space.field().unwrap();
        for (node, v) in scale.write().unwrap().iter_mut().enumerate() {
            let [x, y, _] = space.point(node);
            *v = if (x - 5.0 / 9.0).abs() + (y - 0.5).abs() < 1e-9 { 0.0 } else { 1.0 };
        }
        assert_eq!(space.global_dofs() as f64 - scale.sum().unwrap(), 1.0);
        stage.workplace().matrix.diagonal_scale(Some(&scale), Some(&scale)).unwrap();
        let options = options(ConstraintLevel::Exact, Norm::Euclidean, CoarseModes::Constants);
        let gating = Rc::new(Gating::new(&space, 1).unwrap());
        let mut layer = Constraint::new("heat", space.clone(), gating, options);
        let mut state = prediction(&space, &space.field().unwrap(), 1.0);
        let error = layer.apply(&Equations::of(stage, &context), &mut state).unwrap_err().to_string();
        assert!(error.contains("singular") && !error.contains("PETSc"), "{error}");
    }
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
            ("gating_on_a_line", gating_on_a_line),
            ("gating_sums_to_one", gating_sums_to_one),
            ("conservation_balances_every_expert", conservation_balances_every_expert),
            ("nearest_state_agrees_with_dense_algebra", nearest_state_agrees_with_dense_algebra),
            ("exact_equals_the_direct_solution", exact_equals_the_direct_solution),
            ("ranks_do_not_show", ranks_do_not_show),
            ("lower_levels_do_what_they_say", lower_levels_do_what_they_say),
            ("tiny_experts", tiny_experts),
            ("singular_experts_are_named", singular_experts_are_named),
            ("parts_blend_to_the_field", mixture::parts_blend_to_the_field),
            ("blending_does_not_depend_on_ranks", mixture::blending_does_not_depend_on_ranks),
            ("space_holds_its_functions", mixture::space_holds_its_functions),
            ("projections_find_what_is_in_the_space", mixture::projections_find_what_is_in_the_space),
            ("least_squares_solve_the_normal_equations", mixture::least_squares_solve_the_normal_equations),
            ("another_matrix_is_noticed", mixture::another_matrix_is_noticed),
            ("levels_hold_for_nonlinear_problems", nonlinear::levels_hold_for_nonlinear_problems),
            ("nearest_state_is_stationary", nonlinear::nearest_state_is_stationary),
            ("known_rows_agree_with_the_closed_form", nonlinear::known_rows_agree_with_the_closed_form),
            ("rows_that_contradict_are_named", nonlinear::rows_that_contradict_are_named),
            ("independent_experts_agree_with_dense_algebra", residual::independent_experts_agree_with_dense_algebra),
            ("complete_basis_is_exact", residual::complete_basis_is_exact),
            ("rows_that_can_vanish_do_so_quadratically", residual::rows_that_can_vanish_do_so_quadratically),
            ("gauss_newton_has_another_derivative", residual::gauss_newton_has_another_derivative),
            ("ranks_do_not_show_in_least_squares", residual::ranks_do_not_show_in_least_squares),
            ("weighted_rows_have_no_mesh_size", residual::weighted_rows_have_no_mesh_size),
            ("levels_include_one_another", residual::levels_include_one_another),
            ("least_squares_options_are_checked", residual::least_squares_options_are_checked),
            ("experts_meet_and_balance", ports::experts_meet_and_balance),
            ("strong_ports_make_one_field", ports::strong_ports_make_one_field),
            ("complete_experts_are_exact", ports::complete_experts_are_exact),
            ("ports_do_not_show_ranks", ports::ports_do_not_show_ranks),
            ("conditions_that_contradict_are_named", ports::conditions_that_contradict_are_named),
            ("repairs_have_derivatives", derivatives::repairs_have_derivatives),
            ("linear_errors_are_bounded", dual::linear_errors_are_bounded),
            ("nonlinear_errors_are_estimated", dual::nonlinear_errors_are_estimated),
            ("levels_hold_in_time", in_time::levels_hold_in_time),
            ("repaired_runs_have_derivatives", in_time::repaired_runs_have_derivatives),
            ("internal_variables_have_derivatives", in_time::internal_variables_have_derivatives),
            ("windows_find_the_run", windows::windows_find_the_run),
            ("windows_are_optimal", windows::windows_are_optimal),
            ("windows_have_derivatives", windows::windows_have_derivatives),
            ("windows_do_not_show_ranks", windows::windows_do_not_show_ranks),
            ("two_levels_scale", schwarz::two_levels_scale),
            ("coarse_space_takes_up_solutions", schwarz::coarse_space_takes_up_solutions),
            ("method_schwarz_solves_decks", schwarz::method_schwarz_solves_decks),
            ("schwarz_is_symmetric", schwarz::schwarz_is_symmetric),
            ("iterations_are_those_of_a_prototype", restricted::iterations_are_those_of_a_prototype),
            ("the_formula_is_near_the_best_parameter", restricted::the_formula_is_near_the_best_parameter),
            ("subdomains_are_decks_of_their_own", restricted::subdomains_are_decks_of_their_own),
            ("decks_with_interfaces_agree_with_factorisations", restricted::decks_with_interfaces_agree_with_factorisations),
            ("waves_in_space_choose_the_method", restricted::waves_in_space_choose_the_method),
        ],
}];
