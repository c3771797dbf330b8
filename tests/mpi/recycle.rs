//! Recycled Krylov methods: against dense solutions and PETSc's own methods, over sequences of systems, and where they
//! could break.

use crate::common::Suite;
use faer::Mat;
use faer::linalg::solvers::Solve;
use mpi::topology::SimpleCommunicator;
use mpi::traits::Communicator;
use petsc_rs::{ConvergenceReason, Int, KrylovSolver, Matrix, Norm, Preconditioner, Vector};
use tessera::deck::{Deck, TimeScheme};
use tessera::parallel::{Comm, block};
use tessera::simulation::Simulation;
use tessera::solver::{RecycleMethod, Recycler, Solved, TimeIntegrator};

const METHODS: [RecycleMethod; 2] = [RecycleMethod::GcroDr, RecycleMethod::Cg];

/// A sparse matrix from its rows.
fn matrix(comm: &Comm, rows: usize, row: impl Fn(usize) -> Vec<(usize, f64)>) -> Matrix {
    let own = block(rows as u64, comm.size(), comm.rank());
    let (mut starts, mut columns, mut values) = (vec![0 as Int], Vec::new(), Vec::new());
    for i in own.start as usize..own.end as usize {
        let mut entries = row(i);
        entries.sort_by_key(|entry| entry.0);
        for (column, value) in entries {
            columns.push(column as Int);
            values.push(value);
        }
        starts.push(columns.len() as Int);
    }
    let local = (own.end - own.start) as usize;
    Matrix::from_csr_values(comm.mpi(), 1, &starts, &columns, &values, local).unwrap()
}

/// `-div(exp(c sin(4x) cos(3y)) grad u) + wind . grad u` by finite differences on n x n points.
fn transport(comm: &Comm, n: usize, c: f64, wind: f64) -> Matrix {
    let h = 1.0 / (n + 1) as f64;
    let a = |x: f64, y: f64| (c * (4.0 * x).sin() * (3.0 * y).cos()).exp();
    matrix(comm, n * n, |row| {
        let (i, j) = (row / n, row % n);
        let (x, y) = ((i + 1) as f64 * h, (j + 1) as f64 * h);
        let mut entries = Vec::new();
        let mut diagonal = 0.0;
        for (di, dj) in [(-1i64, 0i64), (1, 0), (0, -1), (0, 1)] {
            let flux = a(x + 0.5 * h * di as f64, y + 0.5 * h * dj as f64);
            let carried = 0.5 * h * wind * (di as f64 * (1.0 - y) + dj as f64 * x);
            diagonal += flux;
            let (p, q) = (i as i64 + di, j as i64 + dj);
            if (0..n as i64).contains(&p) && (0..n as i64).contains(&q) {
                entries.push((p as usize * n + q as usize, carried - flux));
            }
        }
        entries.push((row, diagonal));
        entries
    })
}

/// A right-hand side that does not depend on the ranks.
fn load(matrix: &Matrix, shift: f64) -> Vector {
    let mut b = matrix.vectors().unwrap().1;
    let first = b.range().start;
    for (i, value) in b.write().unwrap().iter_mut().enumerate() {
        let t = (first + i) as f64;
        *value = 1.0 + (0.37 * t + shift).sin() + 0.3 * (0.011 * t * t).cos();
    }
    b
}

fn krylov(comm: &Comm, matrix: &Matrix, options: &str) -> KrylovSolver {
    let mut krylov = KrylovSolver::new(comm.mpi()).unwrap();
    krylov.set_options(&format!("{options} -ksp_norm_type unpreconditioned")).unwrap();
    krylov.set_operators(matrix, matrix).unwrap();
    krylov.set_up().unwrap();
    krylov
}

fn preconditioner(comm: &Comm, matrix: &Matrix, options: &str) -> Preconditioner {
    krylov(comm, matrix, options).preconditioner().unwrap()
}

/// One system from the guess zero, to a relative tolerance. The claimed residual is checked.
fn solve(
    memory: &mut Recycler,
    matrix: &Matrix,
    pc: &Preconditioner,
    b: &Vector,
    tolerance: f64,
) -> (Vector, Solved) {
    let mut x = b.duplicate().unwrap();
    let goal = tolerance * b.norm(Norm::Two).unwrap();
    let solved = memory.solve(matrix, pc, b, &mut x, (goal, 2000)).unwrap();
    if solved.reason.converged() {
        let mut r = b.duplicate().unwrap();
        matrix.residual(b, &x, &mut r).unwrap();
        let norm = r.norm(Norm::Two).unwrap();
        assert!(norm <= 1.01 * goal + 1e-15, "claimed {}, asked {goal}, found {norm}", solved.residual);
        assert_eq!(solved.history.len(), solved.iterations + 1);
    }
    (x, solved)
}

fn the_solution_is_that_of_a_dense_factorisation(comm: &Comm) {
    let n = 9;
    for method in METHODS {
        let wind = if method == RecycleMethod::Cg { 0.0 } else { 30.0 };
        let mut memory = Recycler::new(comm, method, 5, 12).unwrap();
        for c in [0.0, 0.5, 1.0, 1.0, -2.0] {
            let a = transport(comm, n, c, wind);
            let b = load(&a, c);
            memory.operator_changed();
            let (x, solved) = solve(&mut memory, &a, &preconditioner(comm, &a, "-pc_type jacobi"), &b, 1e-12);
            assert!(solved.reason.converged(), "{method:?}, c = {c}: {solved:?}");
            // Every rank knows all rows.
            let alone = Comm::new(SimpleCommunicator::self_comm().duplicate());
            let whole = transport(&alone, n, c, wind);
            let mut dense = Mat::<f64>::zeros(n * n, n * n);
            for i in 0..n * n {
                whole.row(i).unwrap().into_iter().for_each(|(j, value)| dense[(i, j)] = value);
            }
            let right = load(&whole, c);
            let right = right.read().unwrap();
            let exact = dense.partial_piv_lu().solve(&Mat::from_fn(n * n, 1, |i, _| right[i]));
            let first = x.range().start;
            for (i, value) in x.read().unwrap().iter().enumerate() {
                assert!(
                    (value - exact[(first + i, 0)]).abs() < 1e-9 * exact.norm_l2(),
                    "{method:?}, c = {c}"
                );
            }
        }
    }
}

/// With nothing to remember the methods are PETSc's.
fn without_memory_the_iterations_are_those_of_petsc(comm: &Comm) {
    for (method, kind, options) in [
        (RecycleMethod::GcroDr, "gmres", "-pc_type none"),
        (RecycleMethod::GcroDr, "gmres", "-pc_type jacobi"),
        (RecycleMethod::GcroDr, "gmres", "-pc_type bjacobi -sub_pc_type ilu"),
        (RecycleMethod::Cg, "cg", "-pc_type none"),
        (RecycleMethod::Cg, "cg", "-pc_type jacobi"),
        (RecycleMethod::Cg, "cg", "-pc_type bjacobi -sub_pc_type icc"),
        (RecycleMethod::Cg, "cg", "-pc_type gamg"),
    ] {
        for (n, c, tolerance) in [(15, 0.0, 1e-8), (24, 1.5, 1e-5), (30, 1.0, 1e-10)] {
            let wind = if kind == "cg" { 0.0 } else { 20.0 };
            let a = transport(comm, n, c, wind);
            let b = load(&a, 0.0);
            let line = match kind {
                "cg" => format!("-ksp_type cg {options}"),
                _ => format!("-ksp_type gmres -ksp_gmres_restart 20 -ksp_pc_side right {options}"),
            };
            let mut petsc = krylov(comm, &a, &line);
            let goal = tolerance * b.norm(Norm::Two).unwrap();
            petsc.set_tolerances(0.0, goal, 2000).unwrap();
            petsc.keep_history(2001).unwrap();
            let mut x = b.duplicate().unwrap();
            let theirs = petsc.solve(&b, &mut x).unwrap();
            let mut memory = Recycler::new(comm, method, 0, 20).unwrap();
            let (_, ours) = solve(&mut memory, &a, &petsc.preconditioner().unwrap(), &b, tolerance);
            assert!(theirs.reason.converged() && ours.reason.converged());
            // Round-off may decide the last of many.
            let slack = theirs.iterations / 100;
            let (ours_count, count) = (ours.iterations, theirs.iterations);
            assert!(
                ours_count.abs_diff(count) <= slack,
                "{line}, n = {n}, c = {c}: {ours_count} and {count}"
            );
            for (ours, theirs) in ours.history.iter().zip(petsc.history().unwrap()).take(30) {
                assert!((ours - theirs).abs() < 1e-4 * theirs, "{line}: {ours} and {theirs}");
            }
            assert_eq!(memory.remembered(), 0);
        }
    }
}

/// Over a sequence whose matrix and preconditioner change the memory saves a good part of the iterations.
fn a_changing_sequence_takes_fewer_iterations(comm: &Comm) {
    for (method, wind, options) in [
        (RecycleMethod::GcroDr, 15.0, "-pc_type jacobi"),
        (RecycleMethod::GcroDr, 0.0, "-pc_type bjacobi -sub_pc_type ilu"),
        (RecycleMethod::Cg, 0.0, "-pc_type jacobi"),
        (RecycleMethod::Cg, 0.0, "-pc_type bjacobi -sub_pc_type icc"),
    ] {
        let (mut memory, mut blank) =
            (Recycler::new(comm, method, 10, 30).unwrap(), Recycler::new(comm, method, 0, 30).unwrap());
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for step in 0..8 {
            let a = transport(comm, 32, 1.0 + 0.05 * f64::from(step), wind);
            let b = load(&a, 1.7 * f64::from(step));
            let pc = preconditioner(comm, &a, options);
            memory.operator_changed();
            let (x, one) = solve(&mut memory, &a, &pc, &b, 1e-8);
            let (mut y, other) = solve(&mut blank, &a, &pc, &b, 1e-8);
            assert!(one.reason.converged() && other.reason.converged());
            y.axpy(-1.0, &x).unwrap();
            assert!(y.norm(Norm::Two).unwrap() < 1e-4 * x.norm(Norm::Two).unwrap());
            assert_eq!(one.recycled > 0, step > 0);
            with.push(one.iterations);
            without.push(other.iterations);
        }
        if comm.rank() == 0 {
            println!("    {method:?} {options}: {without:?} without memory, {with:?} with");
        }
        let sum = |list: &[usize]| list[3..].iter().sum::<usize>() as f64;
        assert!(sum(&with) < 0.7 * sum(&without), "{method:?} {options}: {with:?}, {without:?}");
    }
}

/// The same matrix with another load: the memory needs no renewal, and helps most.
fn the_same_operator_again(comm: &Comm) {
    for method in METHODS {
        let a = transport(comm, 30, 1.0, 0.0);
        let pc = preconditioner(comm, &a, "-pc_type jacobi");
        let mut memory = Recycler::new(comm, method, 12, 40).unwrap();
        let counts: Vec<usize> = (0..4)
            .map(|i| {
                let (_, solved) = solve(&mut memory, &a, &pc, &load(&a, f64::from(i)), 1e-9);
                assert!(solved.reason.converged());
                solved.iterations
            })
            .collect();
        assert!(
            counts[1] < counts[0] && (counts[3] as f64) < 0.7 * counts[0] as f64,
            "{method:?}: {counts:?}"
        );
        // What it solved last it knows: the guess is the solution.
        let b = load(&a, 3.0);
        let (mut x, _) = solve(&mut memory, &a, &pc, &b, 1e-9);
        let goal = 1e-8 * b.norm(Norm::Two).unwrap();
        assert_eq!(memory.solve(&a, &pc, &b, &mut x, (goal, 100)).unwrap().iterations, 0);
    }
}

/// Every rank solves the whole system too: as many iterations, and the same solution.
fn ranks_make_no_difference(comm: &Comm) {
    let alone = Comm::new(SimpleCommunicator::self_comm().duplicate());
    for method in METHODS {
        let wind = if method == RecycleMethod::Cg { 0.0 } else { 10.0 };
        let (mut memory, mut single) =
            (Recycler::new(comm, method, 8, 25).unwrap(), Recycler::new(&alone, method, 8, 25).unwrap());
        for step in 0..5 {
            let c = 0.8 + 0.1 * f64::from(step);
            let (a, whole) = (transport(comm, 24, c, wind), transport(&alone, 24, c, wind));
            memory.operator_changed();
            single.operator_changed();
            let pc = preconditioner(comm, &a, "-pc_type jacobi");
            let (x, many) = solve(&mut memory, &a, &pc, &load(&a, c), 1e-8);
            let pc = preconditioner(&alone, &whole, "-pc_type jacobi");
            let (y, one) = solve(&mut single, &whole, &pc, &load(&whole, c), 1e-8);
            assert!(many.iterations.abs_diff(one.iterations) <= 1, "{method:?}: {many:?} and {one:?}");
            assert_eq!(many.recycled, one.recycled);
            let (y, scale) = (y.read().unwrap(), y.norm(Norm::Infinity).unwrap());
            let first = x.range().start;
            for (i, value) in x.read().unwrap().iter().enumerate() {
                assert!((value - y[first + i]).abs() < 1e-6 * scale, "{method:?}");
            }
        }
    }
}

fn breakdowns_are_happy(comm: &Comm) {
    let n = 40;
    for method in METHODS {
        // Three eigenvalues: three iterations; deflation with vectors that are none may add as many eigenvalues.
        let a = matrix(comm, n, |i| vec![(i, [1.0, 2.0, 5.0][i % 3])]);
        let pc = preconditioner(comm, &a, "-pc_type none");
        let mut memory = Recycler::new(comm, method, 4, 10).unwrap();
        for step in 0..4 {
            let (_, solved) = solve(&mut memory, &a, &pc, &load(&a, f64::from(step)), 1e-12);
            assert!(
                solved.reason.converged() && solved.iterations <= 3 + solved.recycled,
                "{method:?}: {solved:?}"
            );
        }
        // Nothing to do.
        let zero = a.vectors().unwrap().1;
        let (x, solved) = solve(&mut memory, &a, &pc, &zero, 1e-8);
        assert!(solved.reason.converged() && solved.iterations == 0 && x.norm(Norm::Two).unwrap() == 0.0);
        // The identity, of which every vector is an eigenvector.
        let identity = matrix(comm, n, |i| vec![(i, 1.0)]);
        memory.operator_changed();
        for step in 0..3 {
            let (_, solved) = solve(&mut memory, &identity, &pc, &load(&a, f64::from(step)), 1e-12);
            assert!(solved.reason.converged() && solved.iterations <= 1, "{method:?}: {solved:?}");
        }
        // Another size: what is remembered does not fit.
        let a = transport(comm, 12, 0.0, 0.0);
        memory.operator_changed();
        let pc = preconditioner(comm, &a, "-pc_type jacobi");
        let (_, solved) = solve(&mut memory, &a, &pc, &load(&a, 0.0), 1e-10);
        assert!(solved.reason.converged() && solved.recycled == 0);
    }
    assert!(Recycler::new(comm, RecycleMethod::GcroDr, 20, 20).is_err());
}

fn nearly_singular_systems_are_solved(comm: &Comm) {
    for method in METHODS {
        let mut memory = Recycler::new(comm, method, 6, 24).unwrap();
        for step in 0..6 {
            // Four eigenvalues close to zero, which move.
            let a = matrix(comm, 200, |i| {
                let value = if i < 4 { 1e-7 * (1 + i + step) as f64 } else { 1.0 + (i as f64 / 20.0) };
                vec![(i, value)]
            });
            memory.operator_changed();
            let pc = preconditioner(comm, &a, "-pc_type none");
            let (x, solved) = solve(&mut memory, &a, &pc, &load(&a, 0.0), 1e-6);
            assert!(solved.reason.converged(), "{method:?}: {solved:?}");
            assert!(x.norm(Norm::Two).unwrap().is_finite());
        }
        // Singular: pure Neumann conditions. A load in the range is solved for, another is refused.
        let n = 60;
        let a = matrix(comm, n, |i| {
            let mut row = vec![(i, if i == 0 || i == n - 1 { 1.0 } else { 2.0 })];
            row.extend((i > 0).then(|| (i - 1, -1.0)));
            row.extend((i + 1 < n).then_some((i + 1, -1.0)));
            row
        });
        let pc = preconditioner(comm, &a, "-pc_type none");
        let mut memory = Recycler::new(comm, method, 6, 70).unwrap();
        for step in 0..3 {
            let mut b = load(&a, f64::from(step));
            let mean = b.sum().unwrap() / n as f64;
            b.shift(-mean).unwrap();
            let (_, solved) = solve(&mut memory, &a, &pc, &b, 1e-8);
            assert!(solved.reason.converged(), "{method:?}: {solved:?}");
        }
        let (_, solved) = solve(&mut memory, &a, &pc, &load(&a, 0.0), 1e-8);
        assert!(!solved.reason.converged(), "{method:?}: {solved:?}");
    }
}

fn what_cannot_be_solved_is_named(comm: &Comm) {
    let a = transport(comm, 10, 0.0, 0.0);
    let pc = preconditioner(comm, &a, "-pc_type none");
    for method in METHODS {
        let mut memory = Recycler::new(comm, method, 4, 12).unwrap();
        solve(&mut memory, &a, &pc, &load(&a, 0.0), 1e-8);
        assert!(memory.remembered() > 0);
        let broken = matrix(comm, 100, |i| vec![(i, if i == 57 { f64::NAN } else { 1.0 + i as f64 })]);
        memory.operator_changed();
        let (_, solved) = solve(&mut memory, &broken, &pc, &load(&a, 0.0), 1e-8);
        assert_eq!(solved.reason, ConvergenceReason::DivergedNan, "{method:?}");
        assert_eq!(memory.remembered(), 0);
        let mut b = load(&a, 0.0);
        if comm.rank() == 0 {
            b.write().unwrap()[0] = f64::INFINITY;
        }
        let mut x = b.duplicate().unwrap();
        let solved = memory.solve(&a, &pc, &b, &mut x, (1e-8, 100)).unwrap();
        assert_eq!(solved.reason, ConvergenceReason::DivergedNan, "{method:?}");
        // And it works again afterwards.
        let (_, solved) = solve(&mut memory, &a, &pc, &load(&a, 0.0), 1e-8);
        assert!(solved.reason.converged());
        let mut x = b.duplicate().unwrap();
        let solved = memory.solve(&a, &pc, &load(&a, 7.0), &mut x, (1e-12, 3)).unwrap();
        assert_eq!((solved.reason, solved.iterations), (ConvergenceReason::DivergedIterations, 3));
    }
    // An indefinite matrix is no matter for CG; GCRO-DR solves it.
    let indefinite =
        matrix(comm, 100, |i| vec![(i, if i % 10 == 3 { -2.0 - i as f64 } else { 1.0 + i as f64 })]);
    let mut memory = Recycler::new(comm, RecycleMethod::Cg, 4, 12).unwrap();
    let (_, solved) = solve(&mut memory, &indefinite, &pc, &load(&a, 0.0), 1e-8);
    assert_eq!(solved.reason, ConvergenceReason::DivergedIndefiniteMatrix);
    let mut memory = Recycler::new(comm, RecycleMethod::GcroDr, 10, 40).unwrap();
    for step in 0..3 {
        let (_, solved) = solve(&mut memory, &indefinite, &pc, &load(&a, f64::from(step)), 1e-8);
        assert!(solved.reason.converged(), "{solved:?}");
    }
}

/// A preconditioner that is another one at each call.
fn varying_preconditioners_are_allowed(comm: &Comm) {
    let mut memory = Recycler::new(comm, RecycleMethod::GcroDr, 6, 20).unwrap();
    for step in 0..4 {
        let a = transport(comm, 20, 0.5 + 0.1 * f64::from(step), 10.0);
        let mut d = a.vectors().unwrap().1;
        a.diagonal(&mut d).unwrap();
        let mut calls = 0;
        let mut outer = KrylovSolver::new(comm.mpi()).unwrap();
        outer.set_operators(&a, &a).unwrap();
        let mut pc = outer.preconditioner().unwrap();
        pc.set_shell(false, move |x, y| {
            calls += 1;
            y.pointwise_divide(x, &d)?;
            y.scale(if calls % 3 == 0 { 0.5 } else { 1.0 })?;
            if calls % 2 == 0 {
                y.axpy(0.05, x)?;
            }
            Ok(())
        })
        .unwrap();
        memory.operator_changed();
        let (_, solved) = solve(&mut memory, &a, &pc, &load(&a, 0.0), 1e-8);
        assert!(solved.reason.converged(), "{solved:?}");
    }
}

/// A plate whose conductivity has a parameter, as a deck.
fn plate(recycle: &str, rest: &str) -> String {
    format!(
        "[mesh]\nbox = {{ cell = \"triangle\", cells = [24, 24] }}\n[parameters]\na = 1.0\n\
         [solver]\nmethod = \"options\"\npetsc = \"-ksp_type cg -pc_type jacobi\"\ntolerance = 1e-9\n{recycle}\n{rest}"
    )
}

const STEADY: &str = "[[physics]]\nmodel = \"diffusion\"\nconductivity = \"1 + a*x*y\"\nsource = \"1 + sin(9*x)\"\n\
    boundary = [{ marker = \"left\", value = 0 }]\n";

/// The linear solver of a deck keeps what it learnt from sample to sample.
fn samples_share_the_memory(comm: &Comm) {
    let run = |recycle: &str| {
        let deck = Deck::parse(&plate(recycle, STEADY), "plate", &[]).unwrap();
        let mut simulation = Simulation::new(comm, &deck).unwrap();
        let mut context = simulation.default_context();
        let mut iterations = Vec::new();
        for a in [1.0, 1.3, 1.6, 1.9, 2.2] {
            context.parameters.iter_mut().for_each(|value| *value = a);
            // No help from the solution before.
            simulation.stages[0].forget_solution().unwrap();
            simulation.solve(&context).unwrap();
            let outcome = simulation.stages[0].outcome();
            assert!(outcome.residual <= 1.01e-9, "{}", outcome.residual);
            iterations.push(outcome.iterations);
        }
        (iterations, simulation.stages[0].solution().try_clone().unwrap())
    };
    let (without, expected) = run("");
    for method in ["auto", "cg", "gcro_dr"] {
        let (with, mut solution) =
            run(&format!("recycle = {{ method = \"{method}\", dimension = 12, restart = 36 }}"));
        let (first, later) = (without[0], &with[2..]);
        assert!(
            later.iter().all(|&count| (count as f64) < 0.7 * first as f64),
            "{method}: {with:?}, {without:?}"
        );
        solution.axpy(-1.0, &expected).unwrap();
        assert!(solution.norm(Norm::Two).unwrap() < 1e-6 * expected.norm(Norm::Two).unwrap());
    }
}

/// The linear solves of Newton's method and of time steps share it too.
fn time_and_newton_steps_share_the_memory(comm: &Comm) {
    for (method, saving, physics) in [
        ("auto", 0.5, "model = \"porous_medium\"\nexponent = 1\n"),
        ("gcro_dr", 1.0, "model = \"burgers\"\nviscosity = 0.05\n"),
    ] {
        let rest = format!(
            "[time]\nend = 1.0\nstep = 0.05\n[[initial]]\nvalue = {}\n[[physics]]\n{physics}\
             boundary = [{{ marker = \"left\", value = {} }}]\n",
            if method == "auto" { "\"1 + x*y\"" } else { "[\"sin(3*x)*y\", 0.1]" },
            if method == "auto" { "1" } else { "[0, 0]" },
        );
        let run = |recycle: &str| {
            let text = plate(recycle, &rest).replace("-ksp_type cg", "-ksp_type gmres");
            let deck = Deck::parse(&text, "steps", &[]).unwrap_or_else(|e| panic!("{e}\n{text}"));
            let mut simulation = Simulation::new(comm, &deck).unwrap();
            let mut context = simulation.default_context();
            simulation.set_initial(&context).unwrap();
            let stage = &mut simulation.stages[0];
            let initial = stage.solution().try_clone().unwrap();
    let Some(newton) = stage.newton() else { panic!("it is nonlinear") };
            let mut integrator =
                TimeIntegrator::new(TimeScheme::Bdf1, newton, &context, &initial).unwrap();
            let mut iterations = 0;
            for _ in 0..6 {
                let trial = integrator.attempt(newton, &context, 0.05, &mut tessera::solver::by_newton).unwrap();
                assert_eq!(trial.newton.failure, None, "{text}");
                iterations += trial.newton.linear_iterations;
                integrator.accept(newton, &trial, 0.05).unwrap();
                context.time = integrator.time();
            }
            stage.set_solution(&integrator.solution().read().unwrap()).unwrap();
            (iterations, simulation.stages[0].solution().try_clone().unwrap())
        };
        let (without, expected) = run("");
        let (with, mut solution) = run(&format!("recycle = {{ method = \"{method}\" }}"));
        if comm.rank() == 0 {
            println!("    {method}: {without} linear iterations without memory, {with} with");
        }
        assert!((with as f64) < saving * without as f64, "{method}: {with} and {without}");
        solution.axpy(-1.0, &expected).unwrap();
        assert!(solution.norm(Norm::Two).unwrap() < 1e-5 * expected.norm(Norm::Two).unwrap());
    }
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
            ("the_solution_is_that_of_a_dense_factorisation", the_solution_is_that_of_a_dense_factorisation),
            (
                "without_memory_the_iterations_are_those_of_petsc",
                without_memory_the_iterations_are_those_of_petsc,
            ),
            ("a_changing_sequence_takes_fewer_iterations", a_changing_sequence_takes_fewer_iterations),
            ("the_same_operator_again", the_same_operator_again),
            ("ranks_make_no_difference", ranks_make_no_difference),
            ("breakdowns_are_happy", breakdowns_are_happy),
            ("nearly_singular_systems_are_solved", nearly_singular_systems_are_solved),
            ("what_cannot_be_solved_is_named", what_cannot_be_solved_is_named),
            ("varying_preconditioners_are_allowed", varying_preconditioners_are_allowed),
            ("samples_share_the_memory", samples_share_the_memory),
            ("time_and_newton_steps_share_the_memory", time_and_newton_steps_share_the_memory),
        ],
}];
