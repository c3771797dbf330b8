//! Experts with fields of their own that meet at ports.
use super::dense;
use super::nonlinear::{decks, layer, solved};
use super::residual::columns;
use super::setup::*;
use faer::Mat;
use faer::linalg::solvers::Solve;
use petsc_rs::Vector;
use tessera::deck::{ConstraintLevel, Norm};
use tessera::experts::{Constraint, Equations, LeastSquares, PortCondition, Repair};
use tessera::mixture::Columns;
use tessera::parallel::Comm;
use tessera::physics::mass::scalar_mass;
use tessera::physics::{FormState, Prepared};

/// Decks with the size of a wrong prediction, and a price of coefficients.
fn all_decks() -> Vec<(&'static str, String, f64, f64)> {
    let parameter = |text: String| text.replace("[solver]", "[parameters]\na = 1.0\n[solver]");
    // An expert downstream knows its level from its neighbours alone.
    let ridge = |name: &str| match name {
        "advection" => 1.0,
        name if name.contains("linear") || name == "block" => 0.0,
        _ => 1.0,
    };
    let nonlinear = decks().into_iter().map(|(name, text, scale)| (name, text, 0.2 * scale));
    let linear = [
        ("linear heat", parameter(heat("triangle", &[9, 7], 1, 1, "direct")), 10.0),
        ("linear heat of degree 2", parameter(heat("triangle", &[4, 4], 2, 1, "direct")), 10.0),
        ("block", parameter(block("triangle", &[7, 5], 1, 1, "direct")), 1e-3),
    ];
    nonlinear.chain(linear).map(|(name, text, scale)| (name, text, scale, ridge(name))).collect()
}

fn meeting(prepared: &Prepared, per_side: usize, condition: PortCondition, given: Columns, ridge: f64) -> Constraint {
    let gating = boxes(&prepared.problem().space, per_side, 1);
    let mut layer = layer(prepared, gating, ConstraintLevel::Coupled, Norm::Euclidean);
    layer.set_columns(given);
    layer.set_least_squares(LeastSquares { ridge, ..LeastSquares::default() });
    layer.set_ports(condition);
    layer
}

/// A number for each expert of a line, and one for each axis otherwise.
fn per_side(dimension: usize) -> usize {
    if dimension == 1 { 4 } else { 2 }
}

fn run(prepared: &Prepared, mut layer: Constraint, from: &Vector) -> (Vector, Repair) {
    let mut state = from.try_clone().unwrap();
    let report = layer.apply(&Equations::steady(prepared), &mut state);
    (state, report.unwrap_or_else(|e| panic!("{e}")))
}

/// Whatever holds at the ports, the balance of every expert is that of its own field, and where fields agree that of the
/// state; more modes make smaller jumps, down to none.
pub fn experts_meet_and_balance(comm: &Comm) {
    for (name, text, scale, ridge) in all_decks() {
        let (simulation, context) = solved(comm, &text);
        let stage = &simulation.stages[0];
        let space = stage.space().clone();
        let prepared = stage.problem.at(&context).unwrap();
        let from = prediction(&space, stage.solution(), scale);
        let (c, side) = (space.components, per_side(space.mesh.dimension));
        let given = || columns(&space, scale, 6 * space.mesh.dimension.min(2) * c.min(2));
        let mut jumps = Vec::new();
        let conditions = [PortCondition::Flux, PortCondition::Weak(1), PortCondition::Weak(2), PortCondition::Strong];
        for condition in conditions {
            let (state, report) = run(&prepared, meeting(&prepared, side, condition, given(), ridge), &from);
            // Rounding of a body's forces.
            let most = if name == "block" { 1e-10 } else { 1e-11 };
            assert!(report.worst_after < most, "{name} {condition:?}: {:.1e}", report.worst_after);
            assert!(report.worst_before > 1e-3 && report.boundary_after == 0.0, "{name}: {report:?}");
            jumps.push(report.jump);
            if condition != PortCondition::Strong {
                continue;
            }
            // The sum over every expert's nodes, written down by itself.
            let gating = boxes(&space, side, 1).divided(&space);
            let mut residual = space.field().unwrap();
            prepared.residual(FormState::steady(&state.local_read().unwrap()), &mut residual).unwrap();
            let mut sums = vec![0.0; gating.global_experts as usize * c];
            for dof in (0..space.owned_dofs()).filter(|&dof| !prepared.essential.fixed[dof]) {
                sums[gating.of(dof / c)[0].0 as usize * c + dof % c] += residual.read().unwrap()[dof];
            }
            comm.sum_into(&mut sums);
            let exchange = comm.max(report.exchange.iter().fold(0.0f64, |m, v| m.max(*v)));
            for (number, sum) in sums.iter().enumerate() {
                assert!(sum.abs() < 1e-11 * exchange, "{name}: balance {number} {sum:.1e} of {exchange:.1e}");
            }
        }
        if comm.rank() == 0 && comm.size() == 1 {
            println!("    {name:24} jumps {jumps:?}");
        }
        let largest = comm.max(from.norm(petsc_rs::Norm::Infinity).unwrap());
        // Modes of velocity and pressure together need not be the largest jump's.
        assert!(jumps[3] < 1e-6 * largest && (c > 1 || jumps[2] < jumps[0] && jumps[1] < jumps[0]), "{name}: {jumps:?}");
    }
}

/// Strong ports of functions that the ports tell apart leave one field with the balances of all experts: least squares under
/// conditions, written down densely.
pub fn strong_ports_make_one_field(comm: &Comm) {
    for (name, text, scale, ridge) in all_decks() {
        if name.contains("line") && !name.contains("linear") || name.contains("3D") {
            continue;
        }
        let (simulation, context) = solved(comm, &text);
        let stage = &simulation.stages[0];
        let space = stage.space().clone();
        let prepared = stage.problem.at(&context).unwrap();
        let from = prediction(&space, stage.solution(), scale);
        let c = space.components;
        let given = columns(&space, scale, 4 * c + 2);
        let (state, report) = run(&prepared, meeting(&prepared, 2, PortCondition::Strong, given.clone(), ridge), &from);
        let fixed = &prepared.essential.fixed;
        let all = |values: &[f64]| comm.all_gather_varied(values);
        let free = all(&fixed[..space.owned_dofs()].iter().map(|f| f64::from(u8::from(!f))).collect::<Vec<_>>());
        let mass = dense(comm, &scalar_mass(&space).unwrap());
        let nodes = mass.nrows();
        let volume: f64 = (0..nodes).flat_map(|i| (0..nodes).map(move |j| (i, j))).map(|(i, j)| mass[(i, j)]).sum();
        let diagonal: f64 = (0..nodes).map(|i| mass[(i, i)]).sum();
        let root = |i: usize| free[i] * (diagonal / volume / mass[(i / c, i / c)]).sqrt();
        let gating = boxes(&space, 2, 1).divided(&space);
        let owner = all(&(0..space.owned_nodes).map(|node| f64::from(gating.of(node)[0].0)).collect::<Vec<_>>());
        // The functions of the level: what it leaves alone, and the columns.
        let modes = tessera::mixture::CoarseModes::of(&stage.problem);
        let coordinates: Vec<f64> = all(&(0..space.owned_nodes).flat_map(|node| space.point(node)).collect::<Vec<_>>());
        let count = modes.count(c);
        let fields: Vec<Vec<f64>> = given.iter().map(all).collect();
        let x = |node: usize| std::array::from_fn(|i| coordinates[3 * node + i]);
        let n = count + fields.len();
        let phi = Mat::from_fn(nodes * c, n, |i, j| {
            free[i] * if j < count { modes.value(c, j, i % c, &x(i / c)).unwrap_or(0.0) } else { fields[j - count][i] }
        });
        let mut start = from.try_clone().unwrap();
        Equations::steady(&prepared).impose(&space, &mut start).unwrap();
        let start = all(&start.read().unwrap());
        let experts = 4;
        let tested = Mat::from_fn(experts * c, nodes * c, |row, i| {
            let its = owner[i / c] as usize == row / c && i % c == row % c;
            if its { free[i] } else { 0.0 }
        });
        let mut w = vec![0.0; n];
        let first = space.first as usize * c;
        let expected = loop {
            let at: Vec<f64> = (0..nodes * c)
                .map(|i| start[i] + w.iter().enumerate().map(|(j, w)| phi[(i, j)] * w).sum::<f64>())
                .collect();
            let mut field = space.field().unwrap();
            field.write().unwrap().iter_mut().enumerate().for_each(|(dof, v)| *v = at[first + dof]);
            field.ghost_update().unwrap();
            let mut tangent = prepared.problem().new_matrix().unwrap();
            let mut residual = space.field().unwrap();
            {
                let local = field.local_read().unwrap();
                prepared.tangent(FormState::steady(&local), &prepared.essential, &mut tangent).unwrap();
                prepared.residual(FormState::steady(&local), &mut residual).unwrap();
            }
            let residual = all(&residual.read().unwrap());
            let images = dense(comm, &tangent) * &phi;
            let weighted = Mat::from_fn(nodes * c, n, |i, j| root(i) * images[(i, j)]);
            let r = Mat::from_fn(nodes * c, 1, |i, _| root(i) * residual[i]);
            let (g, h) = (&tested * &images, &tested * Mat::from_fn(nodes * c, 1, |i, _| residual[i]));
            let (normal, slope) = (weighted.transpose() * &weighted, weighted.transpose() * &r);
            // Balances of a component without rows of its own are left out.
            let rows: Vec<usize> = (0..g.nrows()).filter(|&i| g.row(i).norm_l2() > 0.0).collect();
            let scale = |i: usize| 1.0 / g.row(rows[i]).norm_l2();
            let unit = 1.0 / normal.norm_l2();
            // Four experts share fewer functions than they would have alone: conditions may be more than these.
            let price = |i: usize, j: usize| if i == j { ridge } else { 0.0 };
            let m = rows.len();
            let kkt = Mat::from_fn(n + m, n + m, |i, j| match (i < n, j < n) {
                (true, true) => unit * (normal[(i, j)] + price(i, j) * experts as f64),
                (true, false) => scale(j - n) * g[(rows[j - n], i)],
                (false, true) => scale(i - n) * g[(rows[i - n], j)],
                (false, false) => 0.0,
            });
            let right = Mat::from_fn(n + m, 1, |i, _| match i < n {
                true => -unit * (slope[(i, 0)] + ridge * experts as f64 * w[i]),
                false => -scale(i - n) * h[(rows[i - n], 0)],
            });
            let change = kkt.full_piv_lu().solve(&right);
            (0..n).for_each(|j| w[j] += change[(j, 0)]);
            let moved = (&phi * change.subrows(0, n)).norm_l2();
            let size = (0..nodes * c).map(|i| (at[i] - start[i]).powi(2)).sum::<f64>().sqrt();
            if moved <= 1e-12 * size {
                break at;
            }
        };
        let found = all(&state.read().unwrap());
        let norm = |values: &dyn Fn(usize) -> f64| (0..nodes * c).map(|i| (free[i] * values(i)).powi(2)).sum::<f64>().sqrt();
        let (error, size) = (norm(&|i| found[i] - expected[i]), norm(&|i| expected[i] - start[i]));
        assert!(size > 0.0 && error < 1e-6 * size, "{name}: {error:.1e} of {size:.1e}, {report:?}");
    }
}

/// With functions for every unknown the experts find the solution, and digits double with every step.
pub fn complete_experts_are_exact(comm: &Comm) {
    for (name, text, scale, _) in all_decks() {
        let text = text.replace("[12, 9]", "[4, 4]").replace("[10, 8]", "[4, 4]").replace("[7, 5]", "[4, 4]");
        let text = text.replace("[9, 7]", "[4, 4]").replace("[6, 5]", "[2, 2]").replace("[40]", "[12]").replace("[8, 6]", "[2, 2]");
        let (simulation, context) = solved(comm, &text);
        let stage = &simulation.stages[0];
        let space = stage.space().clone();
        let prepared = stage.problem.at(&context).unwrap();
        let from = prediction(&space, stage.solution(), scale);
        let total = comm.sum(space.owned_dofs() as u64);
        if total > 130 {
            continue;
        }
        let first = space.first * space.components as u64;
        let mut units = Columns::new(comm, space.owned_dofs());
        let fixed = comm.all_gather_varied(&prepared.essential.fixed[..space.owned_dofs()].iter().map(|f| u8::from(*f)).collect::<Vec<_>>());
        for number in (0..total).filter(|number| fixed[*number as usize] == 0) {
            let mut column = vec![0.0; space.owned_dofs()];
            if let Some(value) = number.checked_sub(first).and_then(|i| column.get_mut(i as usize)) {
                *value = 1.0;
            }
            units.push(&column);
        }
        for condition in [PortCondition::Strong, PortCondition::Weak(usize::MAX)] {
            let side = per_side(space.mesh.dimension);
            let (state, report) = run(&prepared, meeting(&prepared, side, condition, units.clone(), 0.0), &from);
            let error = difference(&state, stage.solution());
            assert!(error < 1e-10 && report.iterations < 12, "{name} {condition:?}: {error:.1e} {report:?}");
        }
    }
}

/// States and gradients are those of one rank.
pub fn ports_do_not_show_ranks(comm: &Comm) {
    let alone = Comm::new(mpi::topology::SimpleCommunicator::self_comm());
    for (name, text, scale, ridge) in all_decks() {
        for condition in [PortCondition::Strong, PortCondition::Weak(2), PortCondition::Flux] {
            // A part of a body that hangs on fluxes alone floats.
            if name == "block" && condition == PortCondition::Flux {
                continue;
            }
            let run = |comm: &Comm| {
                let (simulation, context) = solved(comm, &text);
                let stage = &simulation.stages[0];
                let space = stage.space().clone();
                let prepared = stage.problem.at(&context).unwrap();
                let side = per_side(space.mesh.dimension);
                // Fewer than an expert has unknowns, and as many as there are conditions.
                let count = if space.components == 3 { 24 } else { 6 * space.mesh.dimension.min(2) };
                let mut layer = meeting(&prepared, side, condition, columns(&space, scale, count), ridge);
                let mut state = prediction(&space, stage.solution(), scale);
                layer.apply(&Equations::steady(&prepared), &mut state).unwrap_or_else(|e| panic!("{name}: {e}"));
                let cotangent = state.try_clone().unwrap();
                let pulled = layer.pull_back(&Equations::steady(&prepared), &cotangent).unwrap();
                let fields = [state, pulled.prediction, pulled.prescribed].map(|field| field.read().unwrap().to_vec());
                (space, fields, pulled.parameters)
            };
            let (space, fields, parameters) = run(comm);
            let (whole, references, expected) = run(&alone);
            let what = format!("{name} {condition:?}");
            assert_same_fields(&what, 1e-6, (&space, &fields), (&whole, &references));
            for (a, b) in parameters.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-6 * (1.0 + b.abs()), "{name} {condition:?}: {a} {b}");
            }
        }
    }
}

/// More conditions than the functions can meet.
pub fn conditions_that_contradict_are_named(comm: &Comm) {
    let (simulation, context) = solved(comm, &decks().into_iter().find(|deck| deck.0 == "heat").unwrap().1);
    let stage = &simulation.stages[0];
    let space = stage.space().clone();
    let prepared = stage.problem.at(&context).unwrap();
    let mut layer = meeting(&prepared, 2, PortCondition::Strong, Columns::new(comm, space.owned_dofs()), 0.0);
    let mut state = prediction(&space, stage.solution(), 0.05);
    let error = layer.apply(&Equations::steady(&prepared), &mut state).unwrap_err().to_string();
    assert!(error.contains("contradict") && error.contains("more functions"), "{error}");
}
