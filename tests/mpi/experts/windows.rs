//! Windows of steps in time, repaired at once.
use super::in_time::{again, decks, start};
use super::setup::*;
use faer::Mat;
use faer::linalg::solvers::SolveLstsq;
use petsc_rs::Vector;
use std::rc::Rc;
use tessera::deck::{ConstraintLevel, Norm};
use tessera::experts::{
    CoarseModes, Constraint, Equations, Frames, LeastSquares, PortCondition, StepEquations, WindowPullback, WindowRepair,
};
use tessera::fem::Parts;
use tessera::mixture::Columns;
use tessera::parallel::Comm;
use tessera::physics::mass::scalar_mass;
use tessera::physics::{Context, FormState, Problem};
use tessera::simulation::Simulation;
use tessera::solver::{NewtonSolver, StepEquation, by_newton};

const TIMES: [f64; 6] = [0.0, 0.05, 0.1, 0.2, 0.25, 0.3];
const SCHEMES: [(&str, &[&str]); 3] = [
    ("bdf1", &["linear heat", "heat", "sorption", "Burgers", "flow"]),
    ("bdf2", &["heat", "sorption"]),
    ("crank_nicolson", &["linear heat", "heat"]),
];
const CONDITIONS: [PortCondition; 4] =
    [PortCondition::Open, PortCondition::Strong, PortCondition::Weak(2), PortCondition::Flux];

/// A run with the equations of its steps.
struct Run {
    simulation: Simulation,
    problem: Rc<Problem>,
    states: Vec<Vector>,
}

impl Run {
    fn new(comm: &Comm, text: &str) -> Self {
        let (mut simulation, mut evolution) = start(comm, text);
        let problem = simulation.stages[0].problem.clone();
        let mut states = vec![simulation.stages[0].solution().try_clone().unwrap()];
        let newton = &mut |_: usize, newton: &mut NewtonSolver, equation: &StepEquation, state: &mut Vector| {
            by_newton(newton, equation, state)
        };
        for time in &TIMES[1..] {
            evolution.follow(&mut simulation, *time, newton).unwrap();
            states.push(simulation.stages[0].solution().try_clone().unwrap());
        }
        Self { simulation, problem, states }
    }

    /// The equations along the run itself: what they are does not depend on it.
    fn equations(&mut self, context: &Context) -> StepEquations {
        let mut evolution = again(&mut self.simulation, context.clone());
        let states = self.states.iter().map(|state| state.try_clone().unwrap()).collect();
        let run = Frames { times: TIMES.to_vec(), states };
        StepEquations::record(&mut self.simulation, &mut evolution, &TIMES[1..], &mut |equation, _, state| {
            run.at(equation.context.time, state)?;
            Ok(state.ghost_update()?)
        })
        .unwrap()
    }

    /// States before the window: the initial one, and that of a step of several stages.
    fn before(&self, equations: &StepEquations) -> Vec<Vector> {
        let first = (1..TIMES.len()).find(|&step| equations.is_one_equation(step)).unwrap();
        assert!((first..TIMES.len()).all(|step| equations.is_one_equation(step)));
        self.states[..first].iter().map(|state| state.try_clone().unwrap()).collect()
    }

    /// Smooth functions in space and time, `[state, unknown]`.
    fn functions(&self, count: usize, before: usize) -> Columns {
        let space = &self.problem.space;
        let (c, steps) = (space.components, TIMES.len() - before);
        let mut columns = Columns::new(&space.mesh.comm, space.owned_dofs() * steps);
        for j in 0..count {
            let mut column = Vec::new();
            for time in &TIMES[before..] {
                column.extend((0..space.owned_dofs()).map(|dof| {
                    let [x, y, z] = space.point(dof / c);
                    let (j, i) = (j as f64, (dof % c) as f64);
                    (1.0 + j + (2.0 + j) * x + 3.0 * y + z + i + 4.0 * (j + 1.0) * time).sin() * (1.0 + j * x * y + i * x).cos()
                }));
            }
            columns.push(&column);
        }
        columns
    }

    fn layer(&self, per_side: usize, condition: PortCondition, least_squares: LeastSquares) -> Constraint {
        let space = self.problem.space.clone();
        let alone = condition == PortCondition::Open;
        let level = if alone { ConstraintLevel::Residual } else { ConstraintLevel::Coupled };
        let options = options(level, Norm::Mass, CoarseModes::of(&self.problem));
        let gating = Rc::new(boxes(&space, per_side, 1));
        let mut layer = Constraint::new(&self.problem.name, space, gating, options);
        layer.set_scales(1.0, 2.0);
        layer.set_least_squares(least_squares);
        if !alone {
            layer.set_ports(condition);
        }
        layer
    }

    fn per_side(&self) -> usize {
        if self.problem.space.mesh.dimension == 1 { 4 } else { 2 }
    }

    /// Predictions that functions can mend.
    fn off(&self, functions: &Columns, before: usize, scale: f64) -> Vec<Vector> {
        let owned = self.problem.space.owned_dofs();
        let state = |number: usize| {
            let mut state = self.states[before + number].try_clone().unwrap();
            for (j, column) in functions.iter().enumerate() {
                let factor = scale * (1.0 - 0.3 * j as f64);
                let part = &column[number * owned..][..owned];
                state.write().unwrap().iter_mut().zip(part).for_each(|(v, phi)| *v += factor * phi);
            }
            state.ghost_update().unwrap();
            state
        };
        (0..TIMES.len() - before).map(state).collect()
    }
}

fn all(mut each: impl FnMut(&str, &str, String, f64)) {
    for (scheme, names) in SCHEMES {
        for (name, text, scale) in decks(scheme).into_iter().filter(|deck| names.contains(&deck.0)) {
            each(scheme, name, text, scale);
        }
    }
}

/// Whatever holds between experts, functions that can make the run find it.
pub fn windows_find_the_run(comm: &Comm) {
    all(|scheme, name, text, scale| {
        let mut run = Run::new(comm, &text);
        let context = run.simulation.default_context();
        let equations = run.equations(&context);
        let known = run.before(&equations);
        let functions = run.functions(4, known.len());
        for condition in CONDITIONS {
            for balances in [0.0, 3.0] {
                let least_squares = LeastSquares { balances, ..LeastSquares::default() };
                let mut layer = run.layer(run.per_side(), condition, least_squares);
                let mut states = run.off(&functions, known.len(), 0.5 * scale);
                let problem = run.problem.clone();
                let what = format!("{name}, {scheme}, {condition:?}, {balances}");
                let report = layer
                    .repair_steps(&problem, &equations, &known, &functions, &mut states)
                    .unwrap_or_else(|e| panic!("{what}: {e}"));
                let worst = states.iter().zip(&run.states[known.len()..]).map(|(a, b)| difference(a, b));
                let worst = worst.fold(0.0, f64::max);
                assert!(worst < 1e-8 && report.iterations < 15, "{what}: {worst:.1e}, {}", report.iterations);
                assert!(report.jump < 1e-7, "{what}: {:.1e}", report.jump);
            }
        }
    });
}

/// Objective of each of the experts in a state of its own, `sum_n dt_n sum_i r_ni^2 / m_i` and the same of its sums of rows,
/// and the sums over the window, written down for the implicit Euler method.
fn objective(run: &Run, context: &Context, states: &[Vector], balances: f64, per_side: usize) -> Vec<(f64, f64)> {
    let (space, problem) = (&run.problem.space, &run.problem);
    let (c, comm) = (space.components, &space.mesh.comm);
    let gating = boxes(space, per_side, 1).divided(space);
    let mass = scalar_mass(space).unwrap();
    let mut diagonal = space.field().unwrap();
    mass.diagonal(&mut diagonal).unwrap();
    let mut sums = space.field().unwrap();
    let mut ones = sums.duplicate().unwrap();
    ones.set(1.0).unwrap();
    mass.mult(&ones, &mut sums).unwrap();
    diagonal.scale(sums.sum().unwrap() / diagonal.sum().unwrap()).unwrap();
    let experts = gating.global_experts as usize;
    let mut volumes = vec![0.0; experts];
    (0..space.owned_nodes).for_each(|node| volumes[gating.of(node)[0].0 as usize] += diagonal.read().unwrap()[node]);
    comm.sum_into(&mut volumes);
    let mut result = vec![(0.0, 0.0); experts];
    for step in 1..TIMES.len() {
        let dt = TIMES[step] - TIMES[step - 1];
        let at = |number: usize| problem.at(&Context { time: TIMES[number], ..context.clone() }).unwrap();
        let evaluate = |number: usize, parts: Parts| {
            let mut part = space.field().unwrap();
            let local = states[number].local_read().unwrap();
            at(number).residual(FormState { parts, ..FormState::steady(&local) }, &mut part).unwrap();
            part
        };
        let mut residual = evaluate(step, Parts { storage: 1.0 / dt, residual: 1.0 });
        residual.axpy(-1.0 / dt, &evaluate(step - 1, Parts::STORAGE)).unwrap();
        at(step).essential.clear(&mut residual.write().unwrap());
        let mut parts = vec![0.0; 2 * experts];
        for (dof, r) in residual.read().unwrap().iter().enumerate() {
            let expert = gating.of(dof / c)[0].0 as usize;
            parts[2 * expert] += r * r / diagonal.read().unwrap()[dof / c];
            parts[2 * expert + 1] += r;
        }
        comm.sum_into(&mut parts);
        for ((expert, sums), volume) in result.iter_mut().zip(parts.chunks_exact(2)).zip(&volumes) {
            expert.0 += 0.5 * dt * (sums[0] + balances * sums[1] * sums[1] / volume);
            expert.1 += dt * sums[1];
        }
    }
    result
}

/// Where functions cannot make the run, every expert alone is at the least of its own rows, found again from its nodes; and
/// where fields agree the sums of all experts' rows over the window vanish.
pub fn windows_are_optimal(comm: &Comm) {
    for (name, text, scale) in decks("bdf1").into_iter().filter(|deck| ["sorption", "Burgers"].contains(&deck.0)) {
        let mut run = Run::new(comm, &text);
        let context = run.simulation.default_context();
        let equations = run.equations(&context);
        let known = run.before(&equations);
        let functions = run.functions(3, 1);
        let space = run.problem.space.clone();
        let owned = space.owned_dofs();
        let mut predictions: Vec<Vector> =
            run.states[1..].iter().map(|state| prediction(&space, state, scale)).collect();
        for (number, state) in predictions.iter_mut().enumerate() {
            let prepared = run.problem.at(&equations.contexts[number + 1]).unwrap();
            Equations::steady(&prepared).impose(&space, state).unwrap();
        }
        let states_of = |w: &[f64]| -> Vec<Vector> {
            let mut states = vec![known[0].try_clone().unwrap()];
            for (number, state) in predictions.iter().enumerate() {
                let mut state = state.try_clone().unwrap();
                let prepared = run.problem.at(&equations.contexts[number + 1]).unwrap();
                for (column, w) in functions.iter().zip(w) {
                    let mut part = column[number * owned..][..owned].to_vec();
                    prepared.essential.clear(&mut part);
                    state.write().unwrap().iter_mut().zip(&part).for_each(|(v, phi)| *v += w * phi);
                }
                state.ghost_update().unwrap();
                states.push(state);
            }
            states
        };
        for balances in [0.0, 5.0] {
            let least_squares = LeastSquares { balances, ..LeastSquares::default() };
            let mut layer = run.layer(4, PortCondition::Open, least_squares.clone());
            let mut states: Vec<Vector> = predictions.iter().map(|p| p.try_clone().unwrap()).collect();
            layer.repair_steps(&run.problem, &equations, &known, &functions, &mut states).unwrap();
            let gating = boxes(&space, 4, 1);
            for expert in 0..4u32 {
                // Values at the nodes that are the expert's alone, over all ranks.
                let mut rows = Vec::new();
                for number in 0..states.len() {
                    let prepared = run.problem.at(&equations.contexts[number + 1]).unwrap();
                    let inside = |node: &usize| gating.of(*node) == [(expert, 1.0)] && !prepared.essential.fixed[*node];
                    for node in (0..space.owned_nodes).filter(inside) {
                        rows.extend(functions.iter().map(|column| column[number * owned + node]));
                        rows.push(states[number].read().unwrap()[node] - predictions[number].read().unwrap()[node]);
                    }
                }
                let rows = comm.all_gather_varied(&rows);
                let matrix = Mat::from_fn(rows.len() / 4, 3, |i, j| rows[4 * i + j]);
                let right = Mat::from_fn(rows.len() / 4, 1, |i, _| rows[4 * i + 3]);
                let w = matrix.qr().solve_lstsq(&right);
                let w: Vec<f64> = (0..3).map(|j| w[(j, 0)]).collect();
                let value = |w: &[f64]| objective(&run, &context, &states_of(w), balances, 4)[expert as usize].0;
                let here = value(&w);
                for j in 0..3 {
                    let h = 1e-3 * scale;
                    let moved = |factor: f64| {
                        let mut w = w.clone();
                        w[j] += factor * h;
                        value(&w)
                    };
                    let (up, down) = (moved(1.0), moved(-1.0));
                    let (slope, curvature) = ((up - down) / (2.0 * h), (up - 2.0 * here + down) / (h * h));
                    // How far the least is from here, relative to what was wrong.
                    let away = slope / curvature / scale;
                    assert!(curvature > 0.0 && away.abs() < 1e-4, "{name}, expert {expert}, {j}: {away:.1e} {here:.3e}");
                }
            }
            let mut layer = run.layer(4, PortCondition::Strong, least_squares);
            let functions = run.functions(8, 1);
            let mut states: Vec<Vector> = predictions.iter().map(|p| p.try_clone().unwrap()).collect();
            let report = layer.repair_steps(&run.problem, &equations, &known, &functions, &mut states).unwrap();
            let mut whole = vec![known[0].try_clone().unwrap()];
            whole.extend(states);
            let sums = objective(&run, &context, &whole, balances, 4);
            let largest = sums.iter().fold(0.0f64, |m, sum| m.max(sum.1.abs()));
            assert!(largest < 1e-11 && report.jump < 1e-9, "{name}: balances {sums:?}, jump {:.1e}", report.jump);
            assert!(sums.iter().all(|sum| sum.0 > 1e-8), "{name}: rows are left over, {sums:?}");
        }
    }
}

/// A window of predictions and functions that are displaced, and what a scalar says of everything.
pub fn windows_have_derivatives(comm: &Comm) {
    all(|scheme, name, text, scale| {
        if matches!((scheme, name), ("bdf1", "linear heat" | "Burgers") | ("bdf2", "heat") | ("crank_nicolson", "linear heat")) {
            return;
        }
        let mut run = Run::new(comm, &text);
        let default = run.simulation.default_context();
        let equations = run.equations(&default);
        let known = run.before(&equations);
        let given = run.functions(if name == "flow" { 16 } else { 5 }, known.len());
        let space = run.problem.space.clone();
        let predictions: Vec<Vector> =
            run.states[known.len()..].iter().map(|state| prediction(&space, state, scale)).collect();
        let direction = prediction(&space, &space.field().unwrap(), 1.0);
        let weights = prediction(&space, &space.field().unwrap(), 0.7);
        let along: Vec<f64> = (0..given.rows()).map(|row| direction.read().unwrap()[row % space.owned_dofs()]).collect();
        for condition in CONDITIONS {
            let balances = if condition == PortCondition::Strong { 2.0 } else { 0.0 };
            let what = format!("{name}, {scheme}, {condition:?}");
            let mut value = |moved: [f64; 3], p: f64, pull: bool| -> tessera::Result<(f64, Option<WindowPullback>)> {
                let moved_equations = (p != 0.0).then(|| {
                    let mut context = default.clone();
                    context.parameters[0] += p;
                    run.equations(&context)
                });
                let equations = moved_equations.as_ref().unwrap_or(&equations);
                let least_squares = LeastSquares { balances, ridge: 1e-2, ..LeastSquares::default() };
                let mut layer = run.layer(run.per_side(), condition, least_squares);
                let displaced = |states: &[Vector], h: f64| -> Vec<Vector> {
                    let one = |(number, state): (usize, &Vector)| {
                        let mut state = state.try_clone().unwrap();
                        state.axpy(h * (1.0 + number as f64), &direction).unwrap();
                        state.ghost_update().unwrap();
                        state
                    };
                    states.iter().enumerate().map(one).collect()
                };
                let known = displaced(&known, moved[1]);
                let mut functions = given.clone();
                for j in 0..given.count() {
                    let factor = moved[2] * (1.3 * j as f64).cos();
                    functions.column_mut(j).iter_mut().zip(&along).for_each(|(v, d)| *v += factor * d);
                }
                let mut states = displaced(&predictions, moved[0]);
                let report: WindowRepair = layer.repair_steps(&run.problem, equations, &known, &functions, &mut states)?;
                let mut value = 0.0;
                let mut cotangents = Vec::new();
                for (number, state) in states.iter().enumerate() {
                    let factor = (1.0 + number as f64) / 3.0;
                    value += factor * (weights.dot(state)? + 0.5 * state.dot(state)?);
                    let mut cotangent = weights.try_clone()?;
                    cotangent.axpy(1.0, state)?;
                    cotangent.scale(factor)?;
                    cotangents.push(cotangent);
                }
                let pulled = if pull {
                    Some(layer.pull_back_steps(&run.problem, equations, &known, &functions, &report, &cotangents)?)
                } else {
                    None
                };
                Ok((value, pulled))
            };
            let (size, pulled) = value([0.0; 3], 0.0, true).unwrap_or_else(|e| panic!("{what}: {e}"));
            let pulled = pulled.unwrap();
            let sum = |list: &[Vector]| -> f64 {
                let each = list.iter().enumerate();
                each.map(|(number, said)| (1.0 + number as f64) * said.dot(&direction).unwrap()).sum()
            };
            let of_functions: f64 = pulled
                .functions
                .iter()
                .enumerate()
                .map(|(j, said)| (1.3 * j as f64).cos() * said.iter().zip(&along).map(|(s, d)| s * d).sum::<f64>())
                .sum();
            let h = 1e-4;
            let mut difference = |moved: [f64; 3], p: f64| {
                let mut at = |k: f64| value(moved.map(|m| k * m), k * p, false).unwrap_or_else(|e| panic!("{what}: {e}")).0;
                (at(1.0) - at(-1.0)) / (2.0 * h)
            };
            let mut list = vec![
                ("prediction", sum(&pulled.predictions), difference([h, 0.0, 0.0], 0.0)),
                ("states before", sum(&pulled.known), difference([0.0, h, 0.0], 0.0)),
                ("parameter", pulled.parameters[0], difference([0.0; 3], h)),
            ];
            // The modes at ports count as given.
            if !matches!(condition, PortCondition::Weak(_)) {
                list.push(("functions", comm.sum(of_functions), difference([0.0, 0.0, h], 0.0)));
            }
            for (kind, found, expected) in list {
                assert!(
                    (found - expected).abs() < 1e-5 * size.abs().max(expected.abs()),
                    "{what}, {kind}: {found:.10e} {expected:.10e} of {size:.1e}"
                );
            }
        }
    });
}

/// States, coefficients and gradients are those of one rank.
pub fn windows_do_not_show_ranks(comm: &Comm) {
    let alone = Comm::new(mpi::topology::SimpleCommunicator::self_comm());
    for (name, text, scale) in decks("bdf1").into_iter().filter(|deck| ["heat", "sorption", "flow"].contains(&deck.0)) {
        for condition in CONDITIONS {
            let repaired = |comm: &Comm| {
                let mut run = Run::new(comm, &text);
                let context = run.simulation.default_context();
                let equations = run.equations(&context);
                let known = run.before(&equations);
                let functions = run.functions(if name == "flow" { 16 } else { 5 }, 1);
                let space = run.problem.space.clone();
                let least_squares = LeastSquares { balances: 1.0, ridge: 1e-2, ..LeastSquares::default() };
                let mut layer = run.layer(run.per_side(), condition, least_squares);
                let mut states: Vec<Vector> =
                    run.states[1..].iter().map(|state| prediction(&space, state, scale)).collect();
                let report = layer
                    .repair_steps(&run.problem, &equations, &known, &functions, &mut states)
                    .unwrap_or_else(|e| panic!("{name} {condition:?}: {e}"));
                let pulled = layer
                    .pull_back_steps(&run.problem, &equations, &known, &functions, &report, &states)
                    .unwrap();
                let mut fields: Vec<Vec<f64>> = states.iter().map(|state| state.read().unwrap().to_vec()).collect();
                fields.extend(pulled.predictions.iter().map(|said| said.read().unwrap().to_vec()));
                (space, fields, pulled.parameters)
            };
            let (space, fields, parameters) = repaired(comm);
            let (whole, references, expected) = repaired(&alone);
            assert_same_fields(&format!("{name} {condition:?}"), 1e-6, (&space, &fields), (&whole, &references));
            for (a, b) in parameters.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-6 * (1.0 + b.abs()), "{name} {condition:?}: {a} {b}");
            }
        }
    }
}
