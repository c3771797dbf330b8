//! Repairs of predicted runs in time, and their derivatives.
use super::setup::*;
use petsc_rs::Vector;
use std::rc::Rc;
use tessera::deck::{ConstraintLevel, Deck, Norm};
use tessera::experts::{CoarseModes, Constraint, Cotangents, Frames, Repair, Tape, TrajectoryPullback, repair_step};
use tessera::fem::{History, Parts};
use tessera::parallel::Comm;
use tessera::physics::{Context, FormState};
use tessera::simulation::{Evolution, Simulation, Step};
use tessera::solver::{NewtonSolver, StepEquation, by_newton};

const TIMES: [f64; 4] = [0.0, 0.1, 0.2, 0.25];
/// With the decks that they are tried on.
const SCHEMES: [(&str, &[&str]); 5] = [
    ("bdf1", &["linear heat", "heat", "sorption", "Burgers", "flow", "metal"]),
    ("bdf2", &["heat", "sorption"]),
    ("crank_nicolson", &["linear heat", "heat"]),
    ("sdirk2", &["Burgers"]),
    ("sdirk3", &["heat"]),
];

/// Name, deck, size of what is wrong with a prediction.
pub fn decks(scheme: &str) -> Vec<(&'static str, String, f64)> {
    let deck = |cell: &str, cells: &[usize], physics: &str| {
        format!(
            "[mesh]\nbox = {{ cell = \"{cell}\", cells = {cells:?} }}\n[parameters]\na = 1.1\n[time]\nend = 0.3\nstep = 0.1\n\
             scheme = \"{scheme}\"\n[solver]\nmethod = \"direct\"\ntolerance = 1e-12\n[[physics]]\n{physics}"
        )
    };
    let heat = "model = \"diffusion\"\nfield = \"T\"\nconductivity = \"1 + a*0.3*T\"\ncapacity = \"a + x\"\nsource = \"10*a*x\"\n\
                [[physics.boundary]]\nmarker = \"left\"\nvalue = \"a*(1 + t) + y\"\n\
                [[physics.boundary]]\nmarker = \"right\"\ncoefficient = 2.0\nambient = \"3*a\"\n[[initial]]\nvalue = \"1 + x*y\"\n";
    let linear = heat.replace("1 + a*0.3*T", "1 + a*x");
    let sorption = "model = \"diffusion_sorption\"\ndiffusivity = \"0.3*a\"\nporosity = 0.29\ndensity = 2880.0\n\
                    partition = 3.5e-4\nexponent = 0.874\n[[physics.boundary]]\nmarker = \"left\"\nvalue = \"a\"\n\
                    [[physics.boundary]]\nmarker = \"right\"\ncoefficient = 1.0\nambient = 0.0\n[[initial]]\nvalue = 0.3\n";
    let burgers = "model = \"burgers\"\nviscosity = \"0.1*a\"\n[[physics.boundary]]\nmarker = [\"left\", \"right\"]\nvalue = 0.0\n\
                   [[initial]]\nvalue = \"sin(pi*x)\"\n";
    let flow = "model = \"navier_stokes\"\ndensity = 1.0\nviscosity = \"0.1*a\"\n\
                [[physics.boundary]]\nmarker = \"left\"\nvalue = [\"4*a*y*(1 - y)*min(1, 5*t)\", 0]\n\
                [[physics.boundary]]\nmarker = [\"top\", \"bottom\"]\nvalue = [0, 0]\n";
    let mut list = vec![
        ("linear heat", deck("triangle", &[6, 5], &linear), 0.2),
        ("heat", deck("quadrilateral", &[4, 3], &heat.replace("field", "degree = 2\nfield")), 0.2),
        ("sorption", deck("interval", &[20], sorption), 0.05),
        ("Burgers", deck("interval", &[20], burgers), 0.05),
        ("flow", deck("quadrilateral", &[4, 3], flow), 0.01),
    ];
    if scheme == "bdf1" {
        let metal = "model = \"viscoplasticity\"\nyoung = 2e5\npoisson = 0.3\nyield_stress = 100.0\ndrag_stress = 50.0\n\
                     rate_exponent = 3.0\n[[physics.boundary]]\nmarker = \"left\"\nvalue = [0, 0]\n\
                     [[physics.boundary]]\nmarker = \"right\"\nvalue = [\"a*0.01*t\", \"a*0.005*t\"]\n";
        list.push(("metal", deck("quadrilateral", &[4, 3], metal), 1e-5));
    }
    list
}

pub fn start(comm: &Comm, text: &str) -> (Simulation, Evolution) {
    let deck = Deck::parse(text, "test.toml", &[]).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let mut simulation = Simulation::new(comm, &deck).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let context = simulation.default_context();
    let evolution = again(&mut simulation, context);
    (simulation, evolution)
}

pub fn again(simulation: &mut Simulation, context: Context) -> Evolution {
    let time = simulation.deck.time.clone().unwrap();
    let context = Context { time: 0.0, ..context };
    simulation.reset(&context).unwrap();
    Evolution::start(simulation, &time, context).unwrap()
}

/// The run itself.
fn solved(name: &str, simulation: &mut Simulation, evolution: &mut Evolution) -> Frames {
    let mut states = vec![simulation.stages[0].solution().try_clone().unwrap()];
    let newton = &mut |_: usize, newton: &mut NewtonSolver, equation: &StepEquation, state: &mut Vector| {
        by_newton(newton, equation, state)
    };
    for time in &TIMES[1..] {
        evolution.follow(simulation, *time, newton).unwrap_or_else(|e| panic!("{name}: {e}"));
        states.push(simulation.stages[0].solution().try_clone().unwrap());
    }
    Frames { times: TIMES.to_vec(), states }
}

/// The run with something wrong, more so with time.
fn predicted(simulation: &Simulation, run: &Frames, scale: f64) -> Frames {
    let space = simulation.stages[0].space();
    let wrong = |(time, state): (&f64, &Vector)| prediction(space, state, scale * (1.0 + time));
    Frames { times: run.times.clone(), states: run.times.iter().zip(&run.states).map(wrong).collect() }
}

fn layer(simulation: &Simulation, level: ConstraintLevel, weight: Norm) -> Constraint {
    let stage = &simulation.stages[0];
    let space = stage.space().clone();
    let gating = boxes(&space, if space.mesh.dimension == 1 { 4 } else { 2 }, 2);
    let options = options(level, weight, CoarseModes::of(&stage.problem));
    let mut layer = Constraint::new(&stage.problem.name, space, Rc::new(gating), options);
    layer.set_scales(1.0, 2.0);
    layer
}

/// A step with the repairs of its equations, by problem.
type Reported = (Step, Vec<(usize, Repair)>);

/// The repaired run from the state of the simulation on, with the repairs of each step.
fn repaired(
    simulation: &mut Simulation,
    evolution: &mut Evolution,
    layer: &mut Constraint,
    prediction: &Frames,
    mut tape: Option<&mut Tape>,
) -> tessera::Result<(Frames, Vec<Reported>)> {
    let mut states = vec![simulation.stages[0].solution().try_clone()?];
    let mut reports = Vec::new();
    for time in &TIMES[1..] {
        let predict = &mut |_: usize, time: f64, field: &mut Vector| prediction.at(time, field);
        let tapes = tape.as_deref_mut().map(std::slice::from_mut);
        reports.push(repair_step(simulation, evolution, std::slice::from_mut(layer), *time, predict, tapes)?);
        states.push(simulation.stages[0].solution().try_clone()?);
    }
    Ok((Frames { times: TIMES.to_vec(), states }, reports))
}

pub fn levels_hold_in_time(comm: &Comm) {
    for (scheme, names) in SCHEMES {
        for (name, text, scale) in decks(scheme).into_iter().filter(|deck| names.contains(&deck.0)) {
            let (mut simulation, mut evolution) = start(comm, &text);
            let run = solved(name, &mut simulation, &mut evolution);
            let prediction = predicted(&simulation, &run, scale);
            let mut errors = Vec::new();
            for (level, weight) in [
                (ConstraintLevel::None, Norm::Euclidean),
                (ConstraintLevel::Boundary, Norm::Euclidean),
                (ConstraintLevel::Conservation, Norm::Euclidean),
                (ConstraintLevel::Conservation, Norm::Mass),
                (ConstraintLevel::Coupled, Norm::Euclidean),
                (ConstraintLevel::Exact, Norm::Euclidean),
            ] {
                let context = evolution.context.clone();
                evolution = again(&mut simulation, context);
                let mut layer = layer(&simulation, level, weight);
                let what = format!("{name}, {scheme}, {level:?} {weight:?}");
                let mut history = simulation.stages[0].history().map(|history| history.clone());
                let (states, reports) = repaired(&mut simulation, &mut evolution, &mut layer, &prediction, None)
                    .unwrap_or_else(|e| panic!("{what}: {e}"));
                errors.push(difference(&states.states[3], &run.states[3]));
                for (number, (step, repairs)) in reports.iter().enumerate() {
                    assert!((step.time - TIMES[number + 1]).abs() < 1e-15, "{what}");
                    assert!(!repairs.is_empty() && repairs.iter().all(|r| r.0 == 0), "{what}");
                    if level >= ConstraintLevel::Conservation {
                        let worst = repairs.iter().map(|r| r.1.worst_after).fold(0.0, f64::max);
                        assert!(worst < 1e-10, "{what}: {worst:.1e}");
                        if !matches!(name, "flow" | "metal") {
                            let gross = step.conserved.abs().max(step.length * (step.supplied.abs() + step.inflow.abs()));
                            assert!(step.imbalance.abs() < 1e-10 * gross, "{what}: {step:?}");
                        }
                    }
                }
                // Written down for the implicit Euler method.
                if scheme == "bdf1" && level >= ConstraintLevel::Conservation {
                    for number in 1..4 {
                        let (after, gross) = balances(comm, &simulation, &states, number, &mut history);
                        // A body at rest stores nothing: its forces are of the size of the yield stress.
                        let scale = if name == "metal" { 100.0 } else { largest(&gross) };
                        let worst = largest(&after);
                        assert!(worst < 1e-9 * scale, "{what}, step {number}: {worst:.1e} of {scale:.1e}");
                    }
                }
            }
            assert!(errors[1] > 1e-5 && errors[5] < 1e-8, "{name}, {scheme}: {errors:?}");
            if comm.size() == 1 {
                println!("    {name}, {scheme}: errors none, boundary, conservation (2), coupled, exact {errors:?}");
            }
        }
    }
}

/// `chi_k^T ((S(u_n) - S(u_(n-1)))/dt + F(u_n))` of all experts and components, and the parts with `S` and `F` alone.
fn balances(
    comm: &Comm,
    simulation: &Simulation,
    states: &Frames,
    number: usize,
    history: &mut Option<History>,
) -> (Vec<f64>, Vec<f64>) {
    let stage = &simulation.stages[0];
    let space = stage.space();
    let c = space.components;
    let gating = boxes(space, if space.mesh.dimension == 1 { 4 } else { 2 }, 2);
    let dt = TIMES[number] - TIMES[number - 1];
    let at = |number: usize| {
        let context = Context { time: TIMES[number], ..simulation.default_context() };
        stage.problem.at(&context).unwrap()
    };
    let prepared = at(number);
    let evaluate = |prepared: &tessera::physics::Prepared, number: usize, parts: Parts, history: &Option<History>| {
        let mut result = space.field().unwrap();
        let local = states.states[number].local_read().unwrap();
        prepared.residual(FormState { state: &local, history: history.as_ref(), parts }, &mut result).unwrap();
        result
    };
    let now = Parts { storage: 1.0 / dt, residual: 1.0 };
    let mut residual = evaluate(&prepared, number, now, history);
    residual.axpy(-1.0 / dt, &evaluate(&at(number - 1), number - 1, Parts::STORAGE, history)).unwrap();
    let rest = evaluate(&prepared, number, Parts { storage: 1.0 / dt, residual: 0.0 }, history);
    if let Some(before) = history.clone() {
        let local = states.states[number].local_read().unwrap();
        let form = FormState { state: &local, history: Some(&before), parts: now };
        *history = Some(prepared.next_history(form, &before));
    }
    let mut sums = vec![0.0; gating.global_experts as usize * c];
    let mut gross = vec![0.0; gating.global_experts as usize * c];
    let (residual, rest) = (residual.read().unwrap(), rest.read().unwrap());
    for dof in (0..space.owned_dofs()).filter(|&dof| !prepared.essential.fixed[dof]) {
        for &(expert, chi) in gating.of(dof / c) {
            sums[expert as usize * c + dof % c] += chi * residual[dof];
            gross[expert as usize * c + dof % c] += (chi * rest[dof]).abs() + (chi * (residual[dof] - rest[dof])).abs();
        }
    }
    comm.sum_into(&mut sums);
    comm.sum_into(&mut gross);
    (sums, gross)
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m: f64, v| m.max(v.abs()))
}

/// `dL` of predictions and parameters against central differences, for all schemes.
pub fn repaired_runs_have_derivatives(comm: &Comm) {
    for (scheme, names) in SCHEMES {
        for (name, text, scale) in decks(scheme).into_iter().filter(|deck| names.contains(&deck.0)) {
            let (mut simulation, mut evolution) = start(comm, &text);
            let run = solved(name, &mut simulation, &mut evolution);
            let from = predicted(&simulation, &run, scale);
            let space = simulation.stages[0].space().clone();
            let problem = simulation.stages[0].problem.clone();
            let [direction, weights] = [prediction(&space, &space.field().unwrap(), 1.0), prediction(&space, &run.states[1], 2.0)];
            let default = simulation.default_context();
            let mut value = |level: ConstraintLevel, weight: Norm, h: f64, p: f64, pull: bool| -> tessera::Result<(f64, Option<TrajectoryPullback>)> {
                let mut context = default.clone();
                context.parameters[0] += p;
                let mut evolution = again(&mut simulation, context);
                let mut layer = layer(&simulation, level, weight);
                let mut moved = Frames { times: from.times.clone(), states: Vec::new() };
                for (number, state) in from.states.iter().enumerate() {
                    let mut state = state.try_clone()?;
                    state.axpy(h * (1.0 + number as f64), &direction)?;
                    moved.states.push(state);
                }
                let mut tape = Tape::default();
                let tapes = if pull { Some(&mut tape) } else { None };
                let (states, _) = repaired(&mut simulation, &mut evolution, &mut layer, &moved, tapes)?;
                // L = sum_n n/3 (weights . u_n + 1/2 |u_n|^2)
                let mut value = 0.0;
                let mut cotangents = Vec::new();
                for (number, state) in states.states.iter().enumerate().skip(1) {
                    let factor = number as f64 / 3.0;
                    value += factor * (weights.dot(state)? + 0.5 * state.dot(state)?);
                    let mut cotangent = weights.try_clone()?;
                    cotangent.axpy(1.0, state)?;
                    cotangent.scale(factor)?;
                    cotangents.push(cotangent);
                }
                let pulled = if pull { Some(tape.pull_back(&mut layer, &problem, &cotangents)?) } else { None };
                Ok((value, pulled))
            };
            if name == "metal" {
                // See the test of internal variables.
                continue;
            }
            for (level, weight) in [
                (ConstraintLevel::Boundary, Norm::Euclidean),
                (ConstraintLevel::Conservation, Norm::Mass),
                (ConstraintLevel::Coupled, Norm::Euclidean),
                (ConstraintLevel::Exact, Norm::Euclidean),
            ] {
                let what = format!("{name}, {scheme}, {level:?}");
                let (size, pulled) = value(level, weight, 0.0, 0.0, true).unwrap_or_else(|e| panic!("{what}: {e}"));
                let pulled = pulled.unwrap();
                let mut frames: Vec<Vector> = from.states.iter().map(|_| space.field().unwrap()).collect();
                for (time, cotangent) in &pulled.predictions {
                    from.pull_back(*time, cotangent, &mut frames).unwrap();
                }
                let along: f64 = frames
                    .iter()
                    .enumerate()
                    .map(|(number, frame)| (1.0 + number as f64) * frame.dot(&direction).unwrap())
                    .sum();
                let step = 1e-4;
                let mut difference = |h: f64, p: f64| {
                    let mut at = |k: f64| value(level, weight, k * h, k * p, false).unwrap_or_else(|e| panic!("{what}: {e}")).0;
                    (at(1.0) - at(-1.0)) / (2.0 * step)
                };
                for (kind, found, expected) in [
                    ("prediction", along, difference(step, 0.0)),
                    ("parameter", pulled.parameters[0], difference(0.0, step)),
                ] {
                    assert!(
                        (found - expected).abs() < 1e-6 * size.abs().max(expected.abs()),
                        "{what}, {kind}: {found:.10e} {expected:.10e} of {size:.1e}"
                    );
                }
            }
        }
    }
}

/// `dL` of a run of a body that flows against central differences of fourth order of the whole repair. It stores nothing, so
/// what the last state owes to the first prediction it owes to the internal variables alone.
pub fn internal_variables_have_derivatives(comm: &Comm) {
    let (name, text, scale) = decks("bdf1").into_iter().find(|deck| deck.0 == "metal").unwrap();
    let hard = "rate_exponent = \"3 + 0.2*a\"\nkinematic_modulus = 3e4\ndynamic_recovery = \"80*a\"\nisotropic_saturation = 40.0\nisotropic_rate = 20.0";
    let text = text.replace("rate_exponent = 3.0", hard).replace("yield_stress = 100.0", "yield_stress = \"40*a\"");
    // Slow flow, which remembers.
    let text = text.replace("drag_stress = 50.0", "drag_stress = 400.0");
    let (mut simulation, mut evolution) = start(comm, &text);
    let run = solved(name, &mut simulation, &mut evolution);
    let from = predicted(&simulation, &run, scale);
    let space = simulation.stages[0].space().clone();
    let problem = simulation.stages[0].problem.clone();
    // Of the size of the displacements.
    let direction = prediction(&space, &space.field().unwrap(), 1e-4);
    let weights = prediction(&space, &space.field().unwrap(), 1.0);
    let default = simulation.default_context();
    let mut value = |level: ConstraintLevel, of_residuals: bool, moved: [f64; 3], p: f64, pull: bool| -> tessera::Result<(f64, Option<TrajectoryPullback>)> {
        let mut context = default.clone();
        context.parameters[0] += p;
        let mut evolution = again(&mut simulation, context);
        let mut layer = layer(&simulation, level, Norm::Mass);
        let mut predictions = Frames { times: from.times.clone(), states: Vec::new() };
        for (number, state) in from.states.iter().enumerate() {
            let mut state = state.try_clone()?;
            if number > 0 {
                state.axpy(moved[number - 1], &direction)?;
            }
            predictions.states.push(state);
        }
        let mut tape = Tape::default();
        let tapes = if pull || of_residuals { Some(&mut tape) } else { None };
        let (states, _) = repaired(&mut simulation, &mut evolution, &mut layer, &predictions, tapes)?;
        if of_residuals {
            // L = 1/2 |r_3|^2
            let mut residuals: Vec<Vector> = tape.residuals(&problem)?.into_iter().map(|(.., residual)| residual).collect();
            residuals[..2].iter_mut().try_for_each(|residual| residual.set(0.0))?;
            let states = [space.field()?, space.field()?, space.field()?];
            let said = Cotangents { states: &states, residuals: Some(&residuals), ..Cotangents::default() };
            let pulled = if pull { Some(tape.pull_back_all(&mut layer, &problem, &said)?) } else { None };
            return Ok((0.5 * residuals[2].dot(&residuals[2])?, pulled));
        }
        // L = weights . u_3 + 1000/2 |u_3|^2
        let last = &states.states[3];
        let size = weights.dot(last)? + 500.0 * last.dot(last)?;
        let mut cotangent = weights.try_clone()?;
        cotangent.axpy(1000.0, last)?;
        let cotangents = vec![space.field()?, space.field()?, cotangent];
        let pulled = if pull { Some(tape.pull_back(&mut layer, &problem, &cotangents)?) } else { None };
        Ok((size, pulled))
    };
    for (level, of_residuals) in [
        (ConstraintLevel::Conservation, false),
        (ConstraintLevel::Conservation, true),
        (ConstraintLevel::Residual, false),
        (ConstraintLevel::Residual, true),
        (ConstraintLevel::Coupled, false),
        (ConstraintLevel::Exact, false),
    ] {
        let what = format!("{level:?}{}", if of_residuals { " of residuals" } else { "" });
        let (size, pulled) = value(level, of_residuals, [0.0; 3], 0.0, true).unwrap_or_else(|e| panic!("{what}: {e}"));
        let pulled = pulled.unwrap();
        let mut frames: Vec<Vector> = from.states.iter().map(|_| space.field().unwrap()).collect();
        for (time, cotangent) in &pulled.predictions {
            from.pull_back(*time, cotangent, &mut frames).unwrap();
        }
        let mut difference = |moved: [f64; 3], p: f64| {
            let mut at = |k: f64| value(level, of_residuals, moved.map(|m| k * m), k * p, false).unwrap_or_else(|e| panic!("{what}: {e}")).0;
            (8.0 * (at(1.0) - at(-1.0)) - at(2.0) + at(-2.0)) / 12.0
        };
        let mut list = vec![("parameter", pulled.parameters[0], difference([0.0; 3], 1e-3) / 1e-3)];
        if level != ConstraintLevel::Exact {
            for number in 0..3 {
                let mut moved = [0.0; 3];
                moved[number] = 1e-2;
                list.push((["first", "second", "third"][number], frames[number + 1].dot(&direction).unwrap(), difference(moved, 0.0) / 1e-2));
            }
        }
        if comm.size() == 1 {
            list.iter().for_each(|(kind, found, expected)| println!("    {what}, {kind}: {found:.10e} {expected:.10e} of {size:.1e}"));
        }
        for (kind, found, expected) in list {
            assert!(expected.abs() > 1e-6, "{what}, {kind}: {expected:.1e} tells nothing");
            // Where rows are left over their second derivatives count, which are differences across points that begin to flow.
            let bound = if level == ConstraintLevel::Residual { 1e-5 } else { 1e-6 };
            assert!((found - expected).abs() < bound * expected.abs(), "{what}, {kind}: {found:.10e} {expected:.10e}");
        }
    }
}
