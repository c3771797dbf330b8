//! The residual's dual norm, and what is said of the error.
use super::setup::*;
use super::{dense, energy_of_difference};
use faer::linalg::solvers::Solve;
use petsc_rs::Vector;
use std::rc::Rc;
use tessera::deck::{ConstraintLevel, Norm};
use tessera::experts::{CoarseModes, Constraint, DualProduct, Equations, ErrorEstimate, Reference};
use tessera::parallel::Comm;
use tessera::physics::{Context, FormState};
use tessera::simulation::Simulation;

/// Repairs a prediction of a deck of one problem, wrong by so much; the state, the solution and what is said of the error.
fn estimated(
    comm: &Comm,
    text: &str,
    parameters: &[f64],
    (level, scale): (ConstraintLevel, f64),
    reference: bool,
) -> (Simulation, Context, [Vector; 3], ErrorEstimate) {
    let (mut simulation, default) = simulation(comm, text);
    let context = Context::steady(parameters.to_vec());
    let reference = reference.then(|| Reference::new(&simulation.stages[0].problem, &default).unwrap());
    simulation.stages[0].solve(&context).unwrap();
    let stage = &simulation.stages[0];
    let space = stage.space().clone();
    let options = options(level, Norm::Euclidean, CoarseModes::of(&stage.problem));
    let mut layer = Constraint::new("dual", space.clone(), Rc::new(boxes(&space, 2, 2)), options);
    layer.set_estimates(reference);
    let solution = stage.solution().try_clone().unwrap();
    let mut state = prediction(&space, &solution, scale);
    let mut start = state.try_clone().unwrap();
    if stage.problem.is_linear_system() {
        let equations = Equations::of(stage, &context);
        layer.apply(&equations, &mut state).unwrap();
        equations.impose(&space, &mut start).unwrap();
    } else {
        let prepared = stage.problem.at(&context).unwrap();
        layer.apply(&Equations::steady(&prepared), &mut state).unwrap();
        Equations::steady(&prepared).impose(&space, &mut start).unwrap();
    }
    let estimate = layer.take_estimate().unwrap();
    assert!(layer.take_estimate().is_none());
    (simulation, context, [start, state, solution], estimate)
}

/// In the energy at the same parameters the dual norm is the error; at others a bound no further off than coefficients vary.
pub fn linear_errors_are_bounded(comm: &Comm) {
    let head = "[parameters]\na = 2.0\n";
    let heat = format!("{head}{}", heat("triangle", &[9, 7], 1, 4, "direct").replace("1 + 5*x", "1 + a*x"));
    let block = format!("{head}{}", block("quadrilateral", &[7, 5], 1, 4, "direct").replace("young = 1e5", "young = \"1e5*(1 + a*x)\""));
    for (text, scale) in [(heat, 1.0), (block, 1e-3)] {
        for level in [ConstraintLevel::Boundary, ConstraintLevel::Conservation] {
            for (a, reference, worst) in [(2.0, true, 1.0), (5.0, false, 1.0), (5.0, true, 2f64.sqrt()), (0.5, true, 2f64.sqrt())] {
                let (simulation, _, [start, state, solution], found) = estimated(comm, &text, &[a], (level, scale), reference);
                let matrix = simulation.stages[0].assembled().matrix;
                assert_eq!(found.product, DualProduct::Energy);
                let bound = found.bound.unwrap();
                for (state, bound) in [(&start, bound[0]), (&state, bound[1])] {
                    let effectivity = bound / energy_of_difference(matrix, state, &solution).sqrt();
                    let most = worst + 1e-7;
                    assert!((1.0 - 1e-7..=most).contains(&effectivity), "{a} {level:?}: {effectivity} of {most}");
                    if worst > 1.0 {
                        // The reference is another one.
                        assert!(effectivity > 1.0 + 1e-3, "{effectivity}");
                    }
                }
            }
        }
    }
}

/// `r^T X^-1 r` and the Newton step of dense algebra with `X` written down from the tangent.
pub fn nonlinear_errors_are_estimated(comm: &Comm) {
    let law = "[mesh]\nbox = { cell = \"triangle\", cells = [6, 5] }\n[parameters]\na = 1.0\n[solver]\nmethod = \"direct\"\ntolerance = 1e-12\n\
               [[physics]]\nmodel = \"diffusion\"\nconductivity = \"1 + 0.3*a*diffusion\"\nsource = \"10*x\"\n\
               [[physics.boundary]]\nmarker = \"left\"\nvalue = \"1 + y\"\n\
               [[physics.boundary]]\nmarker = \"right\"\ncoefficient = 2.0\nambient = 3.0\n";
    let law = law.replace("model = \"diffusion\"", "model = \"diffusion\"\nname = \"heat\"\nfield = \"diffusion\"");
    let wind = "[mesh]\nbox = { cell = \"triangle\", cells = [6, 5] }\n[parameters]\na = 1.0\n[solver]\nmethod = \"direct\"\ntolerance = 1e-12\n\
                [[physics]]\nmodel = \"advection_diffusion\"\nfield = \"c\"\ndiffusivity = \"a\"\nvelocity = [1.0, 0.5]\nsource = 1.0\n\
                [[physics.boundary]]\nmarker = \"left\"\nvalue = \"y\"\n";
    let flow = "[mesh]\nbox = { cell = \"triangle\", cells = [4, 3] }\n[parameters]\na = 1.0\n[solver]\ntolerance = 1e-12\n\
                [[physics]]\nmodel = \"navier_stokes\"\ndensity = 1.0\nviscosity = \"0.2*a\"\n\
                [[physics.boundary]]\nmarker = \"left\"\nvalue = [\"4*y*(1 - y)\", 0]\n\
                [[physics.boundary]]\nmarker = [\"top\", \"bottom\"]\nvalue = [0, 0]\n";
    let all = |values: &[f64]| comm.all_gather_varied(values);
    for (text, product, near) in [
        (law.as_str(), DualProduct::Tangent, 5e-2),
        (wind, DualProduct::Tangent, 1e-8),
        (flow, DualProduct::Flow, 5e-2),
    ] {
        let what = product.name();
        let (simulation, context, [start, state, solution], found) =
            estimated(comm, text, &[1.0], (ConstraintLevel::Boundary, 1e-2), false);
        assert!(found.product == product && found.bound.is_none(), "{what}");
        let stage = &simulation.stages[0];
        let space = stage.space();
        let c = space.components;
        let prepared = stage.problem.at(&context).unwrap();
        let tangent = |state: &Vector| {
            let mut matrix = stage.problem.new_matrix().unwrap();
            let local = state.local_read().unwrap();
            prepared.tangent(FormState::steady(&local), &prepared.essential, &mut matrix).unwrap();
            dense(comm, &matrix)
        };
        let residual = |state: &Vector| {
            let mut r = space.field().unwrap();
            Equations::steady(&prepared).residual(state, &mut r).unwrap();
            all(&r.read().unwrap())
        };
        let n = space.global_dofs() as usize;
        let mut at = state.try_clone().unwrap();
        let is_flow = product == DualProduct::Flow;
        if is_flow {
            for (dof, v) in at.write().unwrap().iter_mut().enumerate() {
                *v = if dof % c == c - 1 { *v } else { 0.0 };
            }
            at.ghost_update().unwrap();
        }
        let j = tangent(&at);
        let mut x = faer::Mat::<f64>::from_fn(n, n, |a, b| 0.5 * (j[(a, b)] + j[(b, a)]));
        if is_flow {
            let pressure = |dof: usize| dof % c == c - 1;
            let full = x.clone();
            for a in 0..n {
                for b in (0..n).filter(|&b| pressure(a) || pressure(b)) {
                    x[(a, b)] = 0.0;
                    x[(b, a)] = 0.0;
                }
            }
            for a in (0..n).filter(|&a| pressure(a)) {
                let sum: f64 = (0..n).filter(|&b| !pressure(b)).map(|b| j[(a, b)].powi(2) / full[(b, b)]).sum();
                x[(a, a)] = if sum > 0.0 { sum } else { full[(a, a)] };
            }
        }
        let column = |values: &[f64]| faer::Mat::from_fn(n, 1, |i, _| values[i]);
        for (state, dual) in [(&start, found.dual[0]), (&state, found.dual[1])] {
            let r = residual(state);
            let y = x.partial_piv_lu().solve(&column(&r));
            let expected = (0..n).map(|i| r[i] * y[(i, 0)]).sum::<f64>().sqrt();
            assert!((dual - expected).abs() < 1e-9 * expected, "{what}: {dual} {expected}");
        }
        let step = tangent(&state).partial_piv_lu().solve(&column(&residual(&state)));
        let image = &x * &step;
        let length = (0..n).map(|i| step[(i, 0)] * image[(i, 0)]).sum::<f64>().sqrt();
        assert!((found.correction - length).abs() < 1e-8 * length, "{what}: {} {length}", found.correction);
        // It estimates the true error: exactly for linear equations, else to first order.
        let mut error = solution.try_clone().unwrap();
        error.axpy(-1.0, &state).unwrap();
        let mut left = found.field.unwrap();
        left.axpy(-1.0, &error).unwrap();
        let apart = size(&left) / size(&error);
        assert!(apart < near && size(&error) > 1e-4, "{what}: {apart:.1e}");
    }
}
