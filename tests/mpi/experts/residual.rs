//! Level `residual` against least squares that are written down densely, expert by expert.
use super::dense;
use super::nonlinear::{decks, layer, solved};
use super::setup::*;
use faer::Mat;
use faer::linalg::solvers::{Solve, SolveLstsq};
use petsc_rs::Vector;
use std::rc::Rc;
use tessera::deck::{ConstraintLevel, Norm};
use tessera::experts::{Constraint, Equations, Gating, KnownRow, LeastSquares};
use tessera::fem::Space;
use tessera::mixture::Columns;
use tessera::parallel::Comm;
use tessera::physics::mass::scalar_mass;
use tessera::physics::{FormState, Prepared};

/// Decks of all kinds, with the size of a wrong prediction. A rough one is nearest to rows of zero where the conductivity
/// vanishes, far away.
fn all_decks() -> Vec<(&'static str, String, f64)> {
    let parameter = |text: String| text.replace("[solver]", "[parameters]\na = 1.0\n[solver]");
    let mut all: Vec<_> = decks().into_iter().map(|(name, text, scale)| (name, text, 0.2 * scale)).collect();
    all.push(("linear heat", parameter(heat("triangle", &[9, 7], 1, 1, "direct")), 10.0));
    all.push(("linear heat of degree 2", parameter(heat("triangle", &[4, 3], 2, 1, "direct")), 10.0));
    all.push(("block", parameter(block("triangle", &[7, 5], 1, 1, "direct")), 1e-3));
    all
}

/// A price of coefficients that keeps experts without a boundary near the prediction where the equations are not linear.
fn ridge(name: &str) -> f64 {
    if name.contains("linear") || ["block", "advection"].contains(&name) { 0.0 } else { 1.0 }
}

/// Fields that are the same on any number of ranks, of the size of the prediction's error.
pub fn columns(space: &Space, scale: f64, count: usize) -> Columns {
    let c = space.components;
    let mut columns = Columns::new(&space.mesh.comm, space.owned_dofs());
    for j in 0..count {
        let value = |dof: usize| {
            let [x, y, z] = space.point(dof / c);
            let (j, i) = (j as f64, (dof % c) as f64);
            scale * (1.0 + j + (2.0 + j) * x + 3.0 * y + z + i).sin() * (1.0 + (1.0 + j) * x * y + i * x).cos()
        };
        columns.push(&(0..space.owned_dofs()).map(value).collect::<Vec<_>>());
    }
    columns
}

/// A repair by least squares, written down by itself on all ranks: dense matrices, a state for each expert.
struct Reference {
    /// Squares of the weights by row.
    weights: Vec<f64>,
    /// The free unknowns.
    free: Vec<bool>,
    /// Gating functions by node.
    gating: Vec<Vec<(u32, f64)>>,
    phi: Mat<f64>,
    start: Vec<f64>,
    ridge: f64,
}

impl Reference {
    fn new(comm: &Comm, prepared: &Prepared, gating: &Gating, columns: &Columns, start: &Vector) -> Self {
        let space = prepared.problem().space.clone();
        let c = space.components;
        let all = |values: &[f64]| comm.all_gather_varied(values);
        let free: Vec<f64> =
            prepared.essential.fixed[..space.owned_dofs()].iter().map(|f| f64::from(u8::from(!f))).collect();
        let free: Vec<bool> = all(&free).iter().map(|f| *f == 1.0).collect();
        let mass = dense(comm, &scalar_mass(&space).unwrap());
        let nodes = mass.nrows();
        let volume: f64 = (0..nodes).flat_map(|i| (0..nodes).map(move |j| (i, j))).map(|(i, j)| mass[(i, j)]).sum();
        let diagonal: f64 = (0..nodes).map(|i| mass[(i, i)]).sum();
        let weights = (0..nodes * c).map(|i| diagonal / volume / mass[(i / c, i / c)]).collect();
        let experts = gating.global_experts as usize;
        let mut values = vec![0.0; space.owned_nodes * experts];
        for node in 0..space.owned_nodes {
            gating.of(node).iter().for_each(|&(k, chi)| values[node * experts + k as usize] = chi);
        }
        let values = all(&values);
        let gating = values.chunks_exact(experts).map(|row| {
            row.iter().enumerate().filter(|(_, chi)| **chi > 0.0).map(|(k, chi)| (k as u32, *chi)).collect()
        });
        let columns: Vec<Vec<f64>> = columns.iter().map(all).collect();
        let phi = Mat::from_fn(nodes * c, c + columns.len(), |i, j| match (free[i], j < c) {
            (false, _) => 0.0,
            (true, true) => f64::from(u8::from(i % c == j)),
            (true, false) => columns[j - c][i],
        });
        Self { weights, free, gating: gating.collect(), phi, start: all(&start.read().unwrap()), ridge: 0.0 }
    }

    /// The rows of an expert.
    fn rows(&self, expert: u32) -> Vec<usize> {
        let c = self.weights.len() / self.gating.len();
        let largest = |list: &Vec<(u32, f64)>| {
            let most = list.iter().map(|e| e.1).fold(0.0, f64::max);
            list.iter().find(|e| e.1 == most).unwrap().0
        };
        (0..self.free.len()).filter(|&i| self.free[i] && largest(&self.gating[i / c]) == expert).collect()
    }

    /// The state of an expert with these coefficients, as a field.
    fn state(&self, space: &Space, w: &[f64]) -> Vector {
        let mut state = space.field().unwrap();
        let first = space.first as usize * space.components;
        for (dof, value) in state.write().unwrap().iter_mut().enumerate() {
            let i = first + dof;
            *value = self.start[i] + w.iter().enumerate().map(|(j, w)| self.phi[(i, j)] * w).sum::<f64>();
        }
        state.ghost_update().unwrap();
        state
    }

    /// Residual and `J` at a state, on all ranks.
    fn equations(&self, comm: &Comm, prepared: &Prepared, state: &Vector) -> (Vec<f64>, Mat<f64>) {
        let mut tangent = prepared.problem().new_matrix().unwrap();
        let mut residual = state.duplicate().unwrap();
        let local = state.local_read().unwrap();
        prepared.tangent(FormState::steady(&local), &prepared.essential, &mut tangent).unwrap();
        prepared.residual(FormState::steady(&local), &mut residual).unwrap();
        (comm.all_gather_varied(&residual.read().unwrap()), dense(comm, &tangent))
    }

    /// The coefficients of an expert, by Gauss-Newton steps, and the lengths of its rows at first and then.
    fn solve(&self, comm: &Comm, prepared: &Prepared, expert: u32) -> (Vec<f64>, [f64; 2]) {
        let space = &prepared.problem().space;
        let rows = self.rows(expert);
        let mut w = vec![0.0; self.phi.ncols()];
        let mut lengths = [0.0; 2];
        if rows.is_empty() {
            return (w, lengths);
        }
        for step in 0..200 {
            let (residual, tangent) = self.equations(comm, prepared, &self.state(space, &w));
            let images = &tangent * &self.phi;
            let weight = |i: usize| self.weights[rows[i]].sqrt();
            let r = Mat::from_fn(rows.len(), 1, |i, _| weight(i) * residual[rows[i]]);
            lengths[1] = r.norm_l2();
            if step == 0 {
                lengths[0] = lengths[1];
            }
            // Each column divided by its length at the first step; what is no more than round-off there is left out.
            let a = Mat::from_fn(rows.len(), w.len(), |i, j| weight(i) * images[(rows[i], j)]);
            let gross = Mat::from_fn(rows.len(), 1, |i, _| weight(i) * tangent.row(rows[i]).iter().map(|v| v.abs()).sum::<f64>());
            let size = |j: usize| (0..self.phi.nrows()).fold(0.0f64, |m, i| m.max(self.phi[(i, j)].abs()));
            let seen: Vec<usize> =
                (0..w.len()).filter(|&j| a.col(j).norm_l2() > 1e-12 * gross.norm_l2() * size(j)).collect();
            // The ridge as further rows.
            let price = self.ridge.sqrt();
            let (m, all) = (rows.len(), rows.len() + seen.len());
            let a = Mat::from_fn(all, seen.len(), |i, j| match i.checked_sub(m) {
                None => a[(i, seen[j])],
                Some(k) => if k == j { price } else { 0.0 },
            });
            let r = Mat::from_fn(all, 1, |i, _| match i.checked_sub(m) {
                None => r[(i, 0)],
                Some(k) => price * w[seen[k]],
            });
            let change = a.qr().solve_lstsq(&r);
            let moved = &a * change.subrows(0, seen.len());
            seen.iter().enumerate().for_each(|(i, &j)| w[j] -= change[(i, 0)]);
            if moved.norm_l2() <= 1e-12 * lengths[0] {
                break;
            }
        }
        (w, lengths)
    }

    /// The blended field of these coefficients.
    fn blend(&self, w: &[Vec<f64>]) -> Vec<f64> {
        let c = self.weights.len() / self.gating.len();
        let own = |i: usize, w: &[f64]| w.iter().enumerate().map(|(j, w)| self.phi[(i, j)] * w).sum::<f64>();
        let of = |i: usize| self.gating[i / c].iter().map(|&(k, chi)| chi * own(i, &w[k as usize])).sum::<f64>();
        (0..self.start.len()).map(|i| self.start[i] + of(i)).collect()
    }
}

pub fn independent_experts_agree_with_dense_algebra(comm: &Comm) {
    for (name, text, scale) in all_decks().into_iter().filter(|deck| !deck.0.contains("3D")) {
        let (simulation, context) = solved(comm, &text);
        let stage = &simulation.stages[0];
        let space = stage.space().clone();
        let prepared = stage.problem.at(&context).unwrap();
        let from = prediction(&space, stage.solution(), scale);
        let mut start = from.try_clone().unwrap();
        Equations::steady(&prepared).impose(&space, &mut start).unwrap();
        // One expert is the global least squares.
        for per_side in [2, 1] {
            let gating = boxes(&space, per_side, 2);
            let given = columns(&space, scale, 3);
            let mut reference = Reference::new(comm, &prepared, &gating, &given, &start);
            reference.ridge = ridge(name);
            let experts: Vec<(Vec<f64>, [f64; 2])> =
                (0..gating.global_experts).map(|k| reference.solve(comm, &prepared, k)).collect();
            let w: Vec<Vec<f64>> = experts.iter().map(|expert| expert.0.clone()).collect();
            let expected = reference.blend(&w);
            let first = gating.experts.start as usize;
            let mut layer = layer(&prepared, gating, ConstraintLevel::Residual, Norm::Euclidean);
            layer.set_columns(given);
            layer.set_least_squares(LeastSquares { ridge: ridge(name), ..LeastSquares::default() });
            let mut forms = vec![Equations::steady(&prepared)];
            if stage.problem.is_linear_system() && !stage.problem.depends_on_itself() {
                forms.push(Equations::of(stage, &context));
            }
            for equations in forms {
                let mut state = from.try_clone().unwrap();
                let report = layer.apply(&equations, &mut state).unwrap_or_else(|e| panic!("{name}: {e}"));
                let found = comm.all_gather_varied(&state.read().unwrap());
                let used = |i: &usize| reference.free[*i];
                let norm = (0..found.len()).filter(used).map(|i| (expected[i] - reference.start[i]).powi(2)).sum::<f64>();
                let error = (0..found.len()).filter(used).map(|i| (found[i] - expected[i]).powi(2)).sum::<f64>();
                assert!(norm > 0.0 && error.sqrt() < 1e-8 * norm.sqrt(), "{name}, {per_side}: {:.1e} of {:.1e}", error.sqrt(), norm.sqrt());
                assert!(report.boundary_after == 0.0, "{name}");
                for (local, least) in report.least.iter().enumerate() {
                    let expected = experts[first + local].1;
                    for i in 0..2 {
                        assert!((least[i] - expected[i]).abs() <= 1e-8 * expected[0], "{name}: {least:?} {expected:?}");
                    }
                    assert!(least[1] <= least[0] * (1.0 + 1e-12), "{name}: {least:?}");
                }
            }
        }
    }
}

/// All unit vectors but one of each component, whose constant takes its place; all of them depend on one another.
pub fn complete_basis_is_exact(comm: &Comm) {
    let small = |name: &str| {
        let (_, text, scale) = all_decks().into_iter().find(|deck| deck.0 == name).unwrap();
        let text = text.replace("[12, 9]", "[4, 3]").replace("[10, 8]", "[4, 3]").replace("[7, 5]", "[4, 3]").replace("[9, 7]", "[4, 3]");
        (text, scale)
    };
    for name in ["linear heat", "block", "heat", "reaction", "advection"] {
        let (text, scale) = small(name);
        let (simulation, context) = solved(comm, &text);
        let stage = &simulation.stages[0];
        let space = stage.space().clone();
        let prepared = stage.problem.at(&context).unwrap();
        let from = prediction(&space, stage.solution(), scale);
        let fixed = &prepared.essential.fixed;
        let free: Vec<u64> = (0..space.owned_dofs())
            .filter(|&dof| !fixed[dof])
            .map(|dof| space.first * space.components as u64 + dof as u64)
            .collect();
        let free = comm.all_gather_varied(&free);
        let first = space.first as usize * space.components;
        for omitted in [space.components, 0] {
            let mut units = Columns::new(comm, space.owned_dofs());
            // The last node's unknowns are all free.
            for &dof in &free[..free.len() - omitted] {
                let mut column = vec![0.0; space.owned_dofs()];
                if let Some(value) = (dof as usize).checked_sub(first).and_then(|i| column.get_mut(i)) {
                    *value = 1.0;
                }
                units.push(&column);
            }
            let mut layer = layer(&prepared, boxes(&space, 1, 1), ConstraintLevel::Residual, Norm::Euclidean);
            layer.set_columns(units);
            let mut state = from.try_clone().unwrap();
            let result = layer.apply(&Equations::steady(&prepared), &mut state);
            if omitted == 0 {
                let error = result.unwrap_err().to_string();
                assert!(error.contains("depend on one another") && error.contains("ridge"), "{name}: {error}");
                continue;
            }
            let report = result.unwrap_or_else(|e| panic!("{name}: {e}"));
            let error = difference(&state, stage.solution());
            assert!(error < 1e-10, "{name}: {error:.1e} {report:?}");
        }
    }
}

/// With the solution among the states of every expert no row is left over, and digits double with every step.
pub fn rows_that_can_vanish_do_so_quadratically(comm: &Comm) {
    for (name, text, scale) in all_decks() {
        let (simulation, context) = solved(comm, &text);
        let stage = &simulation.stages[0];
        let space = stage.space().clone();
        let prepared = stage.problem.at(&context).unwrap();
        let from = prediction(&space, stage.solution(), scale);
        let mut towards = stage.solution().try_clone().unwrap();
        towards.axpy(-1.0, &from).unwrap();
        let mut given = columns(&space, scale, 2);
        given.push(&towards.read().unwrap());
        let steps = [1e-2, 1e-12].map(|tolerance| {
            // Experts of a coarse mesh in space have fewer rows than functions.
            let gating = boxes(&space, [4, 2, 1][space.mesh.dimension - 1], 2);
            let mut options = options(ConstraintLevel::Residual, Norm::Euclidean, tessera::experts::CoarseModes::Constants);
            options.tolerance = tolerance;
            let mut layer = Constraint::new("test", space.clone(), Rc::new(gating), options);
            layer.set_columns(given.clone());
            let mut state = from.try_clone().unwrap();
            let report = layer.apply(&Equations::steady(&prepared), &mut state).unwrap_or_else(|e| panic!("{name}: {e}"));
            let error = difference(&state, stage.solution());
            assert!(error < if tolerance < 1e-6 { 1e-9 } else { 1e-1 }, "{name}: {error:.1e} {report:?}");
            report.iterations
        });
        assert!(steps[1] <= steps[0] + 3, "{name}: {steps:?}");
    }
}

/// The gradient with the matrix of the iteration in place of the exact one is wrong where rows are left over.
pub fn gauss_newton_has_another_derivative(comm: &Comm) {
    for (name, least) in [("heat", 2e-2), ("reaction", 2e-3)] {
        let (_, text, scale) = decks().into_iter().find(|deck| deck.0 == name).unwrap();
        let (simulation, context) = solved(comm, &text);
        let stage = &simulation.stages[0];
        let space = stage.space().clone();
        let prepared = stage.problem.at(&context).unwrap();
        let equations = Equations::steady(&prepared);
        let mut from = prediction(&space, stage.solution(), 2.0 * scale);
        equations.impose(&space, &mut from).unwrap();
        let given = || columns(&space, 1.0, 2);
        let gating = || boxes(&space, 1, 1);
        let weights = columns(&space, 1.0, 4);
        let of = |j: usize| {
            let mut vector = space.field().unwrap();
            vector.write().unwrap().copy_from_slice(weights.column(j));
            prepared.essential.clear(&mut vector.write().unwrap());
            vector
        };
        let [weights, direction] = [of(2), of(3)];
        let run = |h: f64| {
            let mut layer = layer(&prepared, gating(), ConstraintLevel::Residual, Norm::Euclidean);
            layer.set_columns(given());
            let mut state = from.try_clone().unwrap();
            state.axpy(h, &direction).unwrap();
            layer.apply(&equations, &mut state).unwrap();
            let pulled = layer.pull_back(&equations, &weights).unwrap();
            (weights.dot(&state).unwrap(), pulled.prediction.dot(&direction).unwrap())
        };
        let step = 1e-3;
        let [a, b, c, d] = [1.0, -1.0, 2.0, -2.0].map(|times| run(times * step).0);
        let expected = (8.0 * (a - b) - c + d) / (12.0 * step);
        let exact = run(0.0).1;
        let reference = Reference::new(comm, &prepared, &gating(), &given(), &from);
        let (w, _) = reference.solve(comm, &prepared, 0);
        let (_, tangent) = reference.equations(comm, &prepared, &reference.state(&space, &w));
        let free = |i: usize| f64::from(u8::from(reference.free[i]));
        let n = reference.start.len();
        let all = |vector: &Vector| {
            let values = comm.all_gather_varied(&vector.read().unwrap());
            Mat::from_fn(n, 1, |i, _| values[i])
        };
        let [g, direction] = [all(&weights), all(&direction)];
        let weighted = |x: &Mat<f64>| Mat::from_fn(n, x.ncols(), |i, j| free(i) * reference.weights[i] * x[(i, j)]);
        let images = &tangent * &reference.phi;
        let small = images.transpose() * weighted(&images);
        let a = small.partial_piv_lu().solve(reference.phi.transpose() * &g);
        let rest = &g - tangent.transpose() * weighted(&(&images * &a));
        let gauss_newton = (rest.transpose() * &direction)[(0, 0)];
        if comm.rank() == 0 && comm.size() == 1 {
            println!("    {name}: {expected:.9e} by differences, {exact:.9e} exact, {gauss_newton:.9e} Gauss-Newton");
        }
        assert!((exact - expected).abs() < 1e-8 * expected.abs(), "{name}: {exact} {expected}");
        assert!((gauss_newton - expected).abs() > least * expected.abs(), "{name}: {gauss_newton} {expected}");
    }
}

pub fn ranks_do_not_show_in_least_squares(comm: &Comm) {
    let alone = Comm::new(mpi::topology::SimpleCommunicator::self_comm());
    for (name, text, scale) in all_decks() {
        let ridge = ridge(name);
        for options in [
            LeastSquares { ridge, ..LeastSquares::default() },
            LeastSquares { ridge, fraction: 0.7, seed: 5, ..LeastSquares::default() },
        ] {
            let run = |comm: &Comm| {
                let (simulation, context) = solved(comm, &text);
                let stage = &simulation.stages[0];
                let space = stage.space().clone();
                let prepared = stage.problem.at(&context).unwrap();
                let gating = boxes(&space, if space.mesh.dimension == 3 || options.fraction < 1.0 { 2 } else { 3 }, 2);
                let mut layer = layer(&prepared, gating, ConstraintLevel::Residual, Norm::Euclidean);
                layer.set_columns(columns(&space, scale, 2));
                layer.set_least_squares(options.clone());
                let mut state = prediction(&space, stage.solution(), scale);
                layer.apply(&Equations::steady(&prepared), &mut state).unwrap_or_else(|e| panic!("{name}: {e}"));
                let cotangent = state.try_clone().unwrap();
                let pulled = layer.pull_back(&Equations::steady(&prepared), &cotangent).unwrap();
                let fields = [state, pulled.prediction, pulled.prescribed].map(|field| field.read().unwrap().to_vec());
                (space, fields, pulled.parameters)
            };
            let (space, fields, parameters) = run(comm);
            let (whole, references, expected) = run(&alone);
            assert_same_fields(name, 1e-7, (&space, &fields), (&whole, &references));
            for (a, b) in parameters.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-6 * (1.0 + b.abs()), "{name}: {a} {b}");
            }
        }
    }
}

/// The weighted rows of a function are its strong residual in L2, on any mesh.
pub fn weighted_rows_have_no_mesh_size(comm: &Comm) {
    // -u'' = 0 with u = sin(3 x) as the prediction; the row at the right end has a flux and is left out by the mean of h.
    let exact = (0..100_000).map(|i| (i as f64 + 0.5) / 1e5).map(|x| 81.0 * (3.0 * x).sin().powi(2)).sum::<f64>() / 1e5;
    for (cell, cells) in [("interval", vec![200]), ("interval", vec![400]), ("triangle", vec![60, 20]), ("quadrilateral", vec![80, 10])] {
        let text = format!(
            "[mesh]\nbox = {{ cell = \"{cell}\", cells = {cells:?} }}\n[[physics]]\nmodel = \"diffusion\"\nconductivity = 1.0\n\
             [[physics.boundary]]\nmarker = \"left\"\nvalue = 0.0\n[[physics.boundary]]\nmarker = \"right\"\nvalue = \"sin(3)\"\n"
        );
        let (simulation, context) = solved(comm, &text);
        let space = simulation.stages[0].space().clone();
        let prepared = simulation.stages[0].problem.at(&context).unwrap();
        let mut state = space.field().unwrap();
        for (node, value) in state.write().unwrap().iter_mut().enumerate() {
            *value = (3.0 * space.point(node)[0]).sin();
        }
        let mut layer = layer(&prepared, boxes(&space, 1, 1), ConstraintLevel::Residual, Norm::Euclidean);
        let report = layer.apply(&Equations::steady(&prepared), &mut state).unwrap();
        let found = comm.sum(report.least.iter().map(|least| least[0] * least[0]).sum::<f64>());
        assert!((found - exact).abs() < 0.03 * exact, "{cell}: {found} {exact}");
    }
}

/// A level is greater than those that it includes.
pub fn levels_include_one_another(_: &Comm) {
    use ConstraintLevel::{Boundary, Conservation, Coupled, Exact, None, Residual};
    assert!(None < Boundary && Boundary < Conservation && Conservation < Coupled && Coupled < Exact);
    assert!(Boundary < Residual && None < Residual && Residual < Exact);
    for other in [Conservation, Coupled] {
        assert!(Residual.partial_cmp(&other).is_none() && other.partial_cmp(&Residual).is_none());
    }
}

pub fn least_squares_options_are_checked(comm: &Comm) {
    let (simulation, context) = solved(comm, &decks().into_iter().find(|deck| deck.0 == "heat").unwrap().1);
    let stage = &simulation.stages[0];
    let space = stage.space().clone();
    let prepared = stage.problem.at(&context).unwrap();
    let run = |options: LeastSquares| {
        let mut layer = layer(&prepared, boxes(&space, 2, 2), ConstraintLevel::Residual, Norm::Euclidean);
        layer.set_columns(columns(&space, 1.0, 2));
        layer.set_least_squares(options);
        let mut state = prediction(&space, stage.solution(), 0.06);
        layer.apply(&Equations::steady(&prepared), &mut state).map(|report| (state, report))
    };
    for (options, words) in [
        (LeastSquares { ridge: -1.0, ..LeastSquares::default() }, "ridge"),
        (LeastSquares { fraction: 0.0, ..LeastSquares::default() }, "share of rows"),
        (LeastSquares { scales: vec![1.0, 2.0], ..LeastSquares::default() }, "expected 1 scales"),
        (LeastSquares { scales: vec![0.0], ..LeastSquares::default() }, "positive"),
    ] {
        let error = run(options).map(|found| found.1).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let mut layer = layer(&prepared, boxes(&space, 2, 2), ConstraintLevel::Residual, Norm::Euclidean);
    let mut row = space.field().unwrap();
    row.set(1.0).unwrap();
    layer.set_known(vec![KnownRow { name: "sum".into(), row, value: 1.0 }]);
    let error = layer.apply(&Equations::steady(&prepared), &mut prediction(&space, stage.solution(), 0.06)).unwrap_err();
    assert!(error.to_string().contains("conservation"), "{error}");
    let (plain, report) = run(LeastSquares::default()).unwrap();
    // One unit for all changes nothing; a high price keeps the prediction; other rows are another draw.
    let (scaled, _) = run(LeastSquares { scales: vec![100.0], ..LeastSquares::default() }).unwrap();
    assert!(difference(&scaled, &plain) < 1e-9);
    let (_, held) = run(LeastSquares { ridge: 1e12, ..LeastSquares::default() }).unwrap();
    assert!(held.distance < 1e-6 * report.distance && report.distance > 0.0, "{held:?} {report:?}");
    let draws = [1, 2].map(|seed| run(LeastSquares { fraction: 0.5, seed, ..LeastSquares::default() }).unwrap().0);
    assert!(difference(&draws[0], &draws[1]) > 1e-6 && difference(&draws[0], &plain) > 1e-6);
    let close = draws.iter().map(|state| difference(state, &plain)).fold(0.0, f64::max);
    assert!(close < 0.2, "{close}");
}
