//! The derivative of every level against central differences.
use super::nonlinear::{decks, layer, solved};
use super::setup::*;
use petsc_rs::Vector;
use tessera::deck::{ConstraintLevel, Norm};
use tessera::experts::{Equations, LeastSquares, PortCondition};
use tessera::fem::Space;
use tessera::mixture::Columns;
use tessera::parallel::Comm;

/// A field that is the same on any number of ranks.
fn field(space: &Space, seed: f64) -> Vector {
    let mut vector = space.field().unwrap();
    let c = space.components;
    for (dof, value) in vector.write().unwrap().iter_mut().enumerate() {
        let [x, y, z] = space.point(dof / c);
        // On a line as well none is a sum of others.
        let y = if space.mesh.dimension == 1 { 0.7 * x * (1.0 - seed * x) } else { y };
        *value = (seed + 2.0 * x + 3.0 * y + z + (dof % c) as f64).sin() * (1.0 + seed * x * y).cos();
    }
    vector
}

pub fn repairs_have_derivatives(comm: &Comm) {
    let linear = (
        "linear heat",
        heat("triangle", &[8, 6], 1, 1, "direct").replace("[solver]", "[parameters]\na = 1.1\n[solver]").replace("1 + 5*x", "a + 5*x").replace("300 + 20*y", "300*a + 20*y"),
        10.0,
    );
    for (name, text, scale) in std::iter::once(linear).chain(decks()).filter(|deck| !deck.0.contains("3D")) {
        let (simulation, context) = solved(comm, &text);
        let stage = &simulation.stages[0];
        let space = stage.space().clone();
        let [weights, direction, mode, tilt] = [1.0, 2.0, 3.0, 4.0].map(|seed| field(&space, seed));
        let symmetric = stage.problem.facts().is_symmetric_linear() && !stage.problem.depends_on_itself();
        let cases = [
            (ConstraintLevel::Boundary, Norm::Euclidean, None),
            (ConstraintLevel::Conservation, Norm::Energy, None),
            (ConstraintLevel::Conservation, Norm::Euclidean, None),
            (ConstraintLevel::Conservation, Norm::Mass, None),
            (ConstraintLevel::Residual, Norm::Euclidean, None),
            (ConstraintLevel::Coupled, Norm::Euclidean, None),
            (ConstraintLevel::Exact, Norm::Euclidean, None),
            (ConstraintLevel::Coupled, Norm::Euclidean, Some(PortCondition::Strong)),
            (ConstraintLevel::Coupled, Norm::Euclidean, Some(PortCondition::Weak(1))),
            (ConstraintLevel::Coupled, Norm::Euclidean, Some(PortCondition::Flux)),
        ];
        let costly = ["heat of degree 2", "advection"].contains(&name);
        for (level, weight, ports) in cases.into_iter().filter(|case| (symmetric || case.1 != Norm::Energy) && (case.2.is_none() || !costly)) {
            // Least squares of the rows of a rough prediction lead far away.
            let near = if level == ConstraintLevel::Residual || ports.is_some() { 0.2 } else { 1.0 };
            let from = prediction(&space, stage.solution(), near * scale);
            // L(u) = weights . u + 1/2 |u|^2 / size
            let size = 1.0 + from.norm(petsc_rs::Norm::Infinity).unwrap();
            let columns = |h: f64| {
                let mut column = mode.try_clone().unwrap();
                column.axpy(h, &tilt).unwrap();
                let mut columns = Columns::new(comm, space.owned_dofs());
                columns.push(&column.read().unwrap());
                if ports.is_some() {
                    // As many functions as conditions need.
                    (5..8 + 4 * space.components as u32).for_each(|seed| columns.push(&field(&space, f64::from(seed)).read().unwrap()));
                }
                columns
            };
            let run = |h: f64, k: f64, p: f64| {
                let mut context = context.clone();
                context.parameters[0] += p;
                let prepared = stage.problem.at(&context).unwrap();
                let equations = Equations::steady(&prepared);
                let mut layer = layer(&prepared, boxes(&space, if space.mesh.dimension == 1 { 4 } else { 2 }, 2), level, weight);
                layer.set_scales(1.0, 2.0);
                layer.set_columns(columns(k));
                layer.set_least_squares(LeastSquares { ridge: 1.0, ..LeastSquares::default() });
                if let Some(condition) = ports {
                    layer.set_ports(condition);
                }
                let mut state = from.try_clone().unwrap();
                state.axpy(h, &direction).unwrap();
                layer.apply(&equations, &mut state).unwrap_or_else(|e| panic!("{name} {level:?}: {e}"));
                let value = weights.dot(&state).unwrap() + 0.5 * state.dot(&state).unwrap() / size;
                let mut cotangent = state.try_clone().unwrap();
                cotangent.scale(1.0 / size).unwrap();
                cotangent.axpy(1.0, &weights).unwrap();
                let pulled = layer.pull_back(&equations, &cotangent).unwrap_or_else(|e| panic!("{name} {level:?}: {e}"));
                (value, pulled)
            };
            let (value, pulled) = run(0.0, 0.0, 0.0);
            let step = 1e-3 * if level == ConstraintLevel::Exact { 10.0 } else { 1.0 };
            let difference = |at: &dyn Fn(f64) -> f64| {
                (8.0 * (at(step) - at(-step)) - at(2.0 * step) + at(-2.0 * step)) / (12.0 * step)
            };
            let found = [
                pulled.prediction.dot(&direction).unwrap(),
                comm.sum(pulled.columns.iter().take(1).map(|c| c.iter().zip(tilt.read().unwrap().iter()).map(|(a, b)| a * b).sum::<f64>()).sum::<f64>()),
                pulled.parameters[0],
            ];
            let expected = [
                difference(&|h| run(h, 0.0, 0.0).0),
                if matches!(level, ConstraintLevel::Residual | ConstraintLevel::Coupled) && !matches!(ports, Some(PortCondition::Weak(_))) { difference(&|h| run(0.0, h, 0.0).0) } else { 0.0 },
                difference(&|h| run(0.0, 0.0, h).0),
            ];
            let scale = value.abs().max(size);
            // Leading modes at the ports are held, but would follow the columns.
            let held = matches!(ports, Some(PortCondition::Weak(_)));
            for (what, (found, expected)) in ["prediction", "columns", "parameter"].iter().zip(found.iter().zip(&expected)) {
                assert!(
                    held && *what == "columns" || (found - expected).abs() < 1e-7 * scale.max(expected.abs()),
                    "{name} {level:?} {weight:?} {ports:?} {what}: {found:.10e} {expected:.10e}"
                );
            }
        }
    }
}
