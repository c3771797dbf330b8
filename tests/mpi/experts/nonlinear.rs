//! Levels of problems that are not linear, norms, and rows that are known.
use super::dense;
use super::setup::*;
use faer::linalg::solvers::Solve;
use petsc_rs::Vector;
use std::rc::Rc;
use tessera::deck::{ConstraintLevel, Deck, Norm};
use tessera::experts::{CoarseModes, Constraint, ConstraintOptions, Equations, Gating, KnownRow, Repair};
use tessera::parallel::Comm;
use tessera::physics::{Context, FormState, Prepared};
use tessera::simulation::Simulation;

/// Steady decks whose equations are not those of a symmetric linear system, with the size of a wrong prediction.
pub fn decks() -> Vec<(&'static str, String, f64)> {
    let deck = |cell: &str, cells: &[usize], physics: &str| {
        format!(
            "[mesh]\nbox = {{ cell = \"{cell}\", cells = {cells:?} }}\n[parameters]\na = 1.1\n[solver]\ntolerance = 1e-13\n\
             [[physics]]\n{physics}"
        )
    };
    let heat = "model = \"diffusion\"\nfield = \"T\"\nconductivity = \"1 + a*0.3*T\"\nsource = \"10*a*x\"\n\
                [[physics.boundary]]\nmarker = \"left\"\nvalue = \"a + y\"\n\
                [[physics.boundary]]\nmarker = \"right\"\ncoefficient = 2.0\nambient = \"3*a\"\n";
    let line = "model = \"diffusion\"\nfield = \"T\"\nconductivity = \"1 + a*0.3*T\"\nsource = \"10*a*x\"\n\
                [[physics.boundary]]\nmarker = \"left\"\nvalue = \"a\"\n";
    let advection = "model = \"advection_diffusion\"\nvelocity = [\"10*a\", 3.0]\ndiffusivity = 1.0\nsource = \"a\"\n\
                     [[physics.boundary]]\nmarker = \"left\"\nvalue = \"1 + y\"\n";
    let flow = "model = \"navier_stokes\"\ndensity = 1.0\nviscosity = \"0.1*a\"\n\
                [[physics.boundary]]\nmarker = \"left\"\nvalue = [\"4*a*y*(1 - y)\", 0]\n\
                [[physics.boundary]]\nmarker = \"top\"\nvalue = [0, 0]\n\
                [[physics.boundary]]\nmarker = \"bottom\"\nvalue = [0, 0]\n";
    let reaction = "model = \"reaction_diffusion\"\ndiffusivity = \"a\"\nrate = 2.0\norder = 2\nsource = \"5*a\"\n\
                    [[physics.boundary]]\nmarker = \"left\"\nvalue = \"1 + a\"\n";
    vec![
        ("heat in a line", deck("interval", &[40], line), 0.3),
        ("heat", deck("triangle", &[12, 9], heat), 0.3),
        ("heat of degree 2", deck("quadrilateral", &[6, 5], &heat.replace("field", "degree = 2\nfield")), 0.3),
        ("heat in 3D", deck("tetrahedron", &[4, 3, 3], heat), 0.3),
        ("reaction", deck("quadrilateral", &[10, 8], reaction), 0.2),
        ("advection", deck("triangle", &[12, 9], advection), 0.5),
        ("flow", deck("quadrilateral", &[8, 6], flow), 0.05),
    ]
}

pub fn solved(comm: &Comm, text: &str) -> (Simulation, Context) {
    let deck = Deck::parse(text, "test.toml", &[]).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let mut simulation = Simulation::new(comm, &deck).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let context = simulation.default_context();
    simulation.solve(&context).unwrap_or_else(|e| panic!("{e}\n{text}"));
    (simulation, context)
}

/// `chi_k^T r` for all experts and components, written down from the gating functions; on all ranks.
fn balances(comm: &Comm, gating: &Gating, prepared: &Prepared, state: &Vector) -> Vec<f64> {
    let space = &prepared.problem().space;
    let c = space.components;
    let mut residual = space.field().unwrap();
    let local = state.local_read().unwrap();
    prepared.residual(FormState::steady(&local), &mut residual).unwrap();
    let mut sums = vec![0.0; gating.global_experts as usize * c];
    let residual = residual.read().unwrap();
    for dof in (0..space.owned_dofs()).filter(|&dof| !prepared.essential.fixed[dof]) {
        for &(expert, chi) in gating.of(dof / c) {
            sums[expert as usize * c + dof % c] += chi * residual[dof];
        }
    }
    comm.sum_into(&mut sums);
    sums
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m: f64, v| m.max(v.abs()))
}

pub fn layer(prepared: &Prepared, gating: Gating, level: ConstraintLevel, weight: Norm) -> Constraint {
    let problem = prepared.problem();
    let options = ConstraintOptions { max_iterations: 2000, ..options(level, weight, CoarseModes::of(problem)) };
    Constraint::new(&problem.name, problem.space.clone(), Rc::new(gating), options)
}

pub fn levels_hold_for_nonlinear_problems(comm: &Comm) {
    for (name, text, scale) in decks() {
        let (simulation, context) = solved(comm, &text);
        let stage = &simulation.stages[0];
        let space = stage.space().clone();
        let prepared = stage.problem.at(&context).unwrap();
        let equations = Equations::steady(&prepared);
        let from = prediction(&space, stage.solution(), scale);
        let gating = || boxes(&space, if space.mesh.dimension == 1 { 4 } else { 2 }, 2);
        let mut start = from.try_clone().unwrap();
        equations.impose(&space, &mut start).unwrap();
        let before = balances(comm, &gating(), &prepared, &start);
        let mut errors = Vec::new();
        let run = |level, weight| -> (Vector, Repair) {
            let mut layer = layer(&prepared, gating(), level, weight);
            let mut state = from.try_clone().unwrap();
            let report = layer.apply(&equations, &mut state).unwrap_or_else(|e| panic!("{name}: {e}"));
            // The layer can be used again.
            let mut again = from.try_clone().unwrap();
            layer.apply(&equations, &mut again).unwrap();
            assert!(difference(&again, &state) < 1e-10, "{name} {level:?}");
            (state, report)
        };
        for (level, weight) in [
            (ConstraintLevel::Boundary, Norm::Euclidean),
            (ConstraintLevel::Conservation, Norm::Euclidean),
            (ConstraintLevel::Conservation, Norm::Mass),
            (ConstraintLevel::Coupled, Norm::Euclidean),
            (ConstraintLevel::Exact, Norm::Euclidean),
        ] {
            let (state, report) = run(level, weight);
            let what = format!("{name} {level:?} {weight:?} {report:?}");
            assert!((report.boundary_before > 0.0 || name.contains("line")) && report.boundary_after == 0.0, "{what}");
            assert!(report.worst_before > 1e-6, "{what}");
            errors.push(difference(&state, stage.solution()));
            let after = balances(comm, &gating(), &prepared, &state);
            if level >= ConstraintLevel::Conservation {
                assert!(report.worst_after < 1e-11, "{what}");
                assert!(largest(&after) < 1e-10 * largest(&before), "{what}: {after:?} of {before:?}");
            }
        }
        assert!(errors[4] < 1e-9, "{name}: {errors:?}");
        // With one expert alone the other ranks have none.
        let mut state = from.try_clone().unwrap();
        layer(&prepared, Gating::whole(&space), ConstraintLevel::Exact, Norm::Euclidean)
            .apply(&equations, &mut state)
            .unwrap_or_else(|e| panic!("{name}, one expert: {e}"));
        let error = difference(&state, stage.solution());
        assert!(error < 1e-9, "{name}, one expert: {error:.1e}");
        // The energy is no norm of these.
        let mut layer = layer(&prepared, gating(), ConstraintLevel::Conservation, Norm::Energy);
        let error = layer.apply(&equations, &mut from.try_clone().unwrap());
        if !stage.problem.facts().is_symmetric_linear() {
            let error = error.unwrap_err().to_string();
            assert!(error.contains("euclidean"), "{name}: {error}");
        }
        if comm.rank() == 0 && comm.size() == 1 {
            println!("    {name}: relative errors boundary, conservation (2), coupled, exact {errors:?}");
        }
    }
}

/// What the correction is made of: `u - u^` lies in the range of `B^T` at the repaired state.
pub fn nearest_state_is_stationary(comm: &Comm) {
    for (name, text, scale) in decks().into_iter().filter(|deck| !deck.0.contains("3D")) {
        let (simulation, context) = solved(comm, &text);
        let stage = &simulation.stages[0];
        let space = stage.space().clone();
        let c = space.components;
        let prepared = stage.problem.at(&context).unwrap();
        let equations = Equations::steady(&prepared);
        let from = prediction(&space, stage.solution(), scale);
        let gating = boxes(&space, 2, 2);
        let mut start = from.try_clone().unwrap();
        equations.impose(&space, &mut start).unwrap();
        let mut state = from.try_clone().unwrap();
        layer(&prepared, boxes(&space, 2, 2), ConstraintLevel::Conservation, Norm::Euclidean)
            .apply(&equations, &mut state)
            .unwrap();
        let mut tangent = stage.problem.new_matrix().unwrap();
        let local = state.local_read().unwrap();
        prepared.tangent(FormState::steady(&local), &prepared.essential, &mut tangent).unwrap();
        let tangent = dense(comm, &tangent);
        let all = |values: &[f64]| comm.all_gather_varied(values);
        let m = gating.global_experts as usize * c;
        let mut rows = vec![0.0; space.owned_dofs() * m];
        let fixed = &prepared.essential.fixed;
        for dof in (0..space.owned_dofs()).filter(|&dof| !fixed[dof]) {
            for &(expert, chi) in gating.of(dof / c) {
                rows[dof * m + expert as usize * c + dof % c] = chi;
            }
        }
        let rows = all(&rows);
        let n = rows.len() / m;
        let z = faer::Mat::from_fn(n, m, |i, j| rows[i * m + j]);
        let mut change = state.try_clone().unwrap();
        change.axpy(-1.0, &start).unwrap();
        prepared.essential.clear(&mut change.write().unwrap());
        let change = all(&change.read().unwrap());
        let change = faer::Mat::from_fn(n, 1, |i, _| change[i]);
        let free: Vec<f64> = fixed[..space.owned_dofs()].iter().map(|f| f64::from(u8::from(!f))).collect();
        let free = all(&free);
        let transposed = tangent.transpose() * &z;
        let transposed = faer::Mat::from_fn(n, m, |i, j| free[i] * transposed[(i, j)]);
        // Normal equations by a decomposition that stands dependent columns.
        let svd = transposed.thin_svd().unwrap();
        let (u, s) = (svd.U(), svd.S().column_vector());
        let rank = (0..s.nrows()).filter(|&i| s[i] > 1e-10 * s[0]).count();
        let u = u.subcols(0, rank);
        let rest = &change - u * (u.transpose() * &change);
        assert!(rest.norm_l2() < 1e-8 * change.norm_l2(), "{name}: {:.1e}", rest.norm_l2() / change.norm_l2());
    }
}

/// `u = u^ - S G^T (G S G^T)^-1 (G u^ - b)` with the variances `S`: Hansen et al. 2023.
pub fn known_rows_agree_with_the_closed_form(comm: &Comm) {
    let (mut simulation, context) = simulation(comm, &heat("triangle", &[9, 7], 1, 1, "direct"));
    simulation.stages[0].solve(&context).unwrap();
    let stage = &simulation.stages[0];
    let space = stage.space().clone();
    let from = prediction(&space, stage.solution(), 3.0);
    let mut variance = space.field().unwrap();
    for (node, v) in variance.write().unwrap().iter_mut().enumerate() {
        let [x, y, _] = space.point(node);
        // Some values are certain.
        *v = if x > 0.8 && y > 0.8 { 0.0 } else { 0.1 + x * y };
    }
    // One expert of which nothing is asked but the rows: its balance is in the comparison as well.
    let gating = boxes(&space, 1, 1);
    let known = || -> Vec<KnownRow> {
        [(1.0, 0.0, 1000.0), (0.0, 1.0, 500.0)]
        .into_iter()
        .enumerate()
        .map(|(k, (a, b, value))| {
            let mut row = space.field().unwrap();
            for (node, v) in row.write().unwrap().iter_mut().enumerate() {
                let [x, y, _] = space.point(node);
                *v = a * x + b * y * y;
            }
            KnownRow { name: format!("row {k}"), row, value }
        })
        .collect()
    };
    let rows = known();
    let prepared = stage.problem.at(&context).unwrap();
    let equations = Equations::steady(&prepared);
    let mut start = from.try_clone().unwrap();
    equations.impose(&space, &mut start).unwrap();
    let all = |values: &[f64]| comm.all_gather_varied(values);
    let fixed = &prepared.essential.fixed;
    let masked = |vector: &Vector| -> Vec<f64> {
        let values = vector.read().unwrap();
        all(&(0..values.len()).map(|i| if fixed[i] { 0.0 } else { values[i] }).collect::<Vec<_>>())
    };
    let mut ones = space.field().unwrap();
    ones.set(1.0).unwrap();
    let free = masked(&ones);
    let k = dense(comm, stage.assembled().matrix);
    let f = all(&stage.assembled().load.read().unwrap());
    let u = all(&start.read().unwrap());
    let n = u.len();
    let s = masked(&variance);
    let full: Vec<Vec<f64>> = rows.iter().map(|row| all(&row.row.read().unwrap())).collect();
    let balance: Vec<f64> = (0..n).map(|j| free[j] * (0..n).map(|i| free[i] * k[(i, j)]).sum::<f64>()).collect();
    let lacking = |i: usize| (0..n).map(|j| full[i][j] * u[j]).sum::<f64>() - rows[i].value;
    let of_balance: f64 = (0..n).map(|i| free[i] * ((0..n).map(|j| k[(i, j)] * u[j]).sum::<f64>() - f[i])).sum();
    let g = faer::Mat::from_fn(3, n, |i, j| if i == 0 { balance[j] } else { free[j] * full[i - 1][j] });
    let c = faer::Mat::from_fn(3, 1, |i, _| if i == 0 { of_balance } else { lacking(i - 1) });
    let sg = faer::Mat::from_fn(n, 3, |i, j| s[i] * g[(j, i)]);
    let change = &sg * (&g * &sg).partial_piv_lu().solve(&c);
    let mut layer = layer(&prepared, gating, ConstraintLevel::Conservation, Norm::Variance);
    layer.set_known(rows);
    let error = layer.apply(&equations, &mut from.try_clone().unwrap()).unwrap_err();
    assert!(error.to_string().contains("without variances"), "{error}");
    layer.set_variance(variance.try_clone().unwrap()).unwrap();
    let mut state = from.try_clone().unwrap();
    let report = layer.apply(&equations, &mut state).unwrap();
    let state = all(&state.read().unwrap());
    let error = (0..n).map(|i| (state[i] - u[i] + change[(i, 0)]).powi(2)).sum::<f64>().sqrt();
    assert!(error < 1e-12 * faer::Mat::from_fn(n, 1, |i, _| u[i]).norm_l2(), "{error:.1e} {report:?}");
    assert!(report.known.iter().all(|[before, after]| before.abs() > 1.0 && after.abs() < 1e-9), "{report:?}");
    // S - S G^T (G S G^T)^-1 G S
    let left = all(&layer.updated_variance().unwrap().read().unwrap());
    let taken = &sg * (&g * &sg).partial_piv_lu().solve(sg.transpose());
    let mut smaller = 0;
    for i in 0..n {
        let expected = s[i] - taken[(i, i)];
        assert!((left[i] - expected).abs() < 1e-12 && left[i] <= s[i], "{i}: {} {expected} {}", left[i], s[i]);
        smaller += usize::from(left[i] < 0.999 * s[i]);
    }
    assert!(smaller > n / 4, "{smaller} of {n}");

    // The rows alone, in every norm that has a closed form here.
    let g = faer::Mat::from_fn(2, n, |i, j| free[j] * full[i][j]);
    let c = faer::Mat::from_fn(2, 1, |i, _| c[(i + 1, 0)]);
    for weight in [Norm::Variance, Norm::Euclidean, Norm::Energy, Norm::Mass] {
        let mut layer = self::layer(&prepared, boxes(&space, 2, 1), ConstraintLevel::Boundary, weight);
        layer.set_known(known());
        layer.set_variance(variance.try_clone().unwrap()).unwrap();
        let mut state = from.try_clone().unwrap();
        let report = layer.apply(&equations, &mut state).unwrap();
        assert!(report.known.iter().all(|[before, after]| before.abs() > 1.0 && after.abs() < 1e-9), "{report:?}");
        let state = all(&state.read().unwrap());
        let sg = match weight {
            Norm::Variance => faer::Mat::from_fn(n, 2, |i, j| s[i] * g[(j, i)]),
            Norm::Euclidean => g.transpose().to_owned(),
            Norm::Energy => {
                let eliminated = faer::Mat::from_fn(n, n, |i, j| if free[i] * free[j] == 1.0 { k[(i, j)] } else { f64::from(u8::from(i == j)) });
                eliminated.partial_piv_lu().solve(&g.transpose().to_owned())
            }
            _ => continue,
        };
        let change = &sg * (&g * &sg).partial_piv_lu().solve(&c);
        if weight == Norm::Variance {
            let left = all(&layer.updated_variance().unwrap().read().unwrap());
            let taken = &sg * (&g * &sg).partial_piv_lu().solve(sg.transpose());
            assert!((0..n).all(|i| (left[i] - s[i] + taken[(i, i)]).abs() < 1e-12));
        } else {
            assert!(layer.updated_variance().is_err());
        }
        let error = (0..n).map(|i| (state[i] - u[i] + change[(i, 0)]).powi(2)).sum::<f64>().sqrt();
        assert!(error < 1e-10 * faer::Mat::from_fn(n, 1, |i, _| u[i]).norm_l2(), "{weight:?}: {error:.1e}");
    }
}

pub fn rows_that_contradict_are_named(comm: &Comm) {
    let (mut simulation, context) = simulation(comm, &heat("triangle", &[9, 7], 1, 1, "direct"));
    simulation.stages[0].solve(&context).unwrap();
    let stage = &simulation.stages[0];
    let space = stage.space().clone();
    let prepared = stage.problem.at(&context).unwrap();
    let equations = Equations::steady(&prepared);
    let row = |name: &str, factor: f64, value: f64| {
        let mut row = space.field().unwrap();
        row.set(factor).unwrap();
        KnownRow { name: name.into(), row, value }
    };
    let mut prescribed = space.field().unwrap();
    for (dof, v) in prescribed.write().unwrap().iter_mut().enumerate() {
        *v = f64::from(u8::from(prepared.essential.fixed[dof]));
    }
    let held = KnownRow { name: "held".into(), row: prescribed, value: 1.0 };
    for (rows, words) in [
        (vec![row("one", 1.0, 3e4), row("other", 2.0, 7e4)], "other"),
        (vec![row("one", 1.0, f64::NAN)], "not finite"),
        (vec![held], "has no unknown"),
    ] {
        for weight in [Norm::Energy, Norm::Mass, Norm::Euclidean] {
            let mut layer = layer(&prepared, boxes(&space, 2, 1), ConstraintLevel::Conservation, weight);
            let copies = rows.iter().map(|row| KnownRow { name: row.name.clone(), row: row.row.try_clone().unwrap(), ..*row });
            layer.set_known(copies.collect());
            let mut state = prediction(&space, stage.solution(), 1.0);
            let error = layer.apply(&equations, &mut state).unwrap_err().to_string();
            assert!(error.contains(words), "{weight:?}: {error}");
        }
    }
    // The same row twice is no contradiction.
    let mut layer = layer(&prepared, boxes(&space, 2, 1), ConstraintLevel::Conservation, Norm::Mass);
    layer.set_known(vec![row("one", 1.0, 3e4), row("again", 2.0, 6e4)]);
    layer.apply(&equations, &mut prediction(&space, stage.solution(), 1.0)).unwrap();
}
