//! Whatever goes wrong arrives as an error, on every rank.
use crate::Test;
use crate::core::{laplacian, line};
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use petsc_rs::*;
use std::error::Error as _;

pub const TESTS: &[Test] = &[
    ("missing_diagonal", missing_diagonal),
    ("not_a_number", not_a_number),
    ("wrong_sizes", wrong_sizes),
    ("wrong_arguments_on_one_rank", wrong_arguments_on_one_rank),
    ("closure_errors", closure_errors),
    ("petsc_only_once", petsc_only_once),
];

/// Where PETSc leaves behind what it was working on when it fails.
pub const LEAKING: &[Test] = &[("zero_pivot", zero_pivot), ("bad_option_value", bad_option_value)];

/// `[0 1; 1 0]` on every rank: regular, but its factorisation needs pivoting.
fn needs_pivoting(comm: &SimpleCommunicator) -> Matrix {
    let f = 2 * comm.rank();
    Matrix::from_csr_values(comm, 1, &[0, 2, 4], &[f, f + 1, f, f + 1], &[0.0, 1.0, 1.0, 0.0], 2).unwrap()
}

fn has_traceback(error: &Error, function: &str) {
    assert!(error.code > 0 && error.traceback.iter().any(|l| l.starts_with(function)), "{error}");
}

fn zero_pivot(comm: &SimpleCommunicator) {
    let a = needs_pivoting(comm);
    let (mut x, mut b) = a.vectors().unwrap();
    b.set(1.0).unwrap();
    let mut solver = KrylovSolver::new(comm).unwrap();
    solver
        .set_options(
            "-ksp_type gmres -pc_type bjacobi -sub_pc_type lu -sub_pc_factor_mat_ordering_type natural",
        )
        .unwrap();
    solver.set_operators(&a, &a).unwrap();
    let outcome = solver.solve(&b, &mut x).unwrap();
    assert_eq!(outcome.reason, ConvergenceReason::DivergedPreconditionerFailed);
    assert_eq!(solver.preconditioner().unwrap().failure().unwrap(), Some("an inner solver failed"));
    // The same as an error.
    let mut solver = KrylovSolver::new(comm).unwrap();
    solver
        .set_options("-ksp_error_if_not_converged -ksp_type gmres -pc_type bjacobi -sub_pc_type lu -sub_pc_factor_mat_ordering_type natural")
        .unwrap();
    solver.set_operators(&a, &a).unwrap();
    let error = solver.solve(&b, &mut x).unwrap_err();
    has_traceback(&error, "KSPSolve()");
    assert!(error.message.contains("ero pivot"), "{error}");
}

fn missing_diagonal(comm: &SimpleCommunicator) {
    let f = 2 * comm.rank();
    let a = Matrix::from_csr_values(comm, 1, &[0, 1, 2], &[f + 1, f], &[1.0, 1.0], 2).unwrap();
    let (mut x, b) = a.vectors().unwrap();
    let mut solver = KrylovSolver::new(comm).unwrap();
    solver.set_options("-ksp_type preonly -pc_type bjacobi -sub_pc_type ilu").unwrap();
    solver.set_operators(&a, &a).unwrap();
    let error = solver.solve(&b, &mut x).unwrap_err();
    has_traceback(&error, "KSPSolve()");
    assert!(error.message.contains("missing diagonal"), "{error}");
}

fn not_a_number(comm: &SimpleCommunicator) {
    let a = laplacian(comm);
    let (mut x, mut b) = a.vectors().unwrap();
    {
        let mut values = b.write().unwrap();
        if comm.rank() == comm.size() - 1 {
            values[0] = f64::NAN;
        }
    }
    for options in ["-ksp_type cg -pc_type jacobi", "-ksp_type gmres -pc_type none"] {
        let mut solver = KrylovSolver::new(comm).unwrap();
        solver.set_options(options).unwrap();
        solver.set_operators(&a, &a).unwrap();
        assert_eq!(solver.solve(&b, &mut x).unwrap().reason, ConvergenceReason::DivergedNan);
        let mut solver = KrylovSolver::new(comm).unwrap();
        solver.set_options(&format!("{options} -ksp_error_if_not_converged")).unwrap();
        solver.set_operators(&a, &a).unwrap();
        has_traceback(&solver.solve(&b, &mut x).unwrap_err(), "KSPSolve()");
    }
}

fn bad_option_value(comm: &SimpleCommunicator) {
    let mut solver = KrylovSolver::new(comm).unwrap();
    solver.set_prefix("bad_").unwrap();
    for (options, word) in [
        ("-ksp_rtol fast", "fast"),
        ("-ksp_max_it 1.5", "1.5"),
        ("-ksp_type nonsense", "nonsense"),
        ("-pc_type nonsense", "nonsense"),
        ("-ksp_norm_type nonsense", "nonsense"),
    ] {
        let error = solver.set_options(options).unwrap_err();
        assert!(error.message.contains(word), "{error}");
        has_traceback(&error, "KSPSetFromOptions()");
        let option = format!("-bad_{}", &options.split(' ').next().unwrap()[1..]);
        assert_eq!(Options::global().unwrap().get(&option).unwrap(), None, "{option} stays");
    }
    assert!(solver.set_options("cg -ksp_rtol 1e-3").unwrap_err().message.contains("cg"));
    solver.set_options("-ksp_type cg").unwrap();
    assert_eq!(solver.kind(), "cg");
    let mut solver = NonlinearSolver::new(comm).unwrap();
    assert!(solver.set_options("-snes_rtol fast").unwrap_err().message.contains("fast"));
}

fn wrong_sizes(comm: &SimpleCommunicator) {
    let mut a = laplacian(comm);
    let (mut x, b) = a.vectors().unwrap();
    let mut longer = Vector::new(comm, b.local_size() + 1, 1).unwrap();
    let mut solver = KrylovSolver::new(comm).unwrap();
    assert!(solver.solve(&b, &mut x).unwrap_err().message.contains("no matrix"));
    solver.set_operators(&a, &a).unwrap();
    assert!(solver.solve(&longer, &mut x).is_err());
    assert!(solver.solve(&b, &mut longer).is_err());
    assert!(a.mult(&longer, &mut x).is_err());
    assert!(a.mult_transpose(&longer, &mut x).is_err());
    assert!(x.copy_from(&longer).is_err() && x.dot(&longer).is_err());
    // As long, but spread differently from the second rank on: rank 0 alone cannot see it.
    let (rank, size) = (comm.rank(), comm.size());
    if size > 2 {
        let own = b.local_size();
        let shifted = own + usize::from(rank == 1) - usize::from(rank == 2);
        let mut y = Vector::new(comm, shifted, 1).unwrap();
        assert_eq!(y.global_size(), b.global_size());
        assert!(b.dot(&y).is_err());
        assert!(a.mult(&y, &mut x).is_err() && solver.solve(&b, &mut y).is_err());
    }
    let (first, end, _) = line(comm);
    let rows: Vec<i32> = (0..=(end - first) as i32).collect();
    let columns: Vec<i32> = (first as i32..end as i32).collect();
    let other = Matrix::from_csr(comm, 1, &rows, &columns, end - first).unwrap();
    assert!(a.axpy(1.0, &other, true).unwrap_err().message.contains("pattern"));
    a.axpy(1.0, &other, false).unwrap();
    let wide = Matrix::dense(comm, 2, 5).unwrap();
    assert!(a.mat_mult(&wide).is_err() && a.ptap(&wide).is_err());
}

fn wrong_arguments_on_one_rank(comm: &SimpleCommunicator) {
    let (rank, size) = (comm.rank(), comm.size());
    let last = rank == size - 1;
    let bad = |good: i32| if last { 99 } else { good };
    assert!(Matrix::from_csr(comm, 1, &[0, 1], &[bad(rank)], 1).is_err());
    assert!(Matrix::from_csr(comm, 1, &[0, 2], &[0, if last { 0 } else { 1 }], 2).is_err());
    assert!(Matrix::coo(comm, 1, 1, 1, &[bad(rank)], &[0]).is_err());
    assert!(Vector::ghosted(comm, 1, 1, &[bad(0)]).is_err());
    assert!(Vector::new(comm, if last { 3 } else { 2 }, 2).is_err());
    assert!(StarForest::new(comm, 1, &[Leaf { local: 0, rank: bad(0), root: 0 }]).is_err());
    let mut a = Matrix::coo(comm, 1, 1, 1, &[rank], &[rank]).unwrap();
    assert!(a.set_coo(if last { &[1.0, 2.0] } else { &[1.0] }).is_err());
    a.set_coo(&[1.0]).unwrap();
    let x = Vector::new(comm, 2, 1).unwrap();
    let set = IndexSet::new(comm, &[bad(0)]).unwrap();
    let y = Vector::new(comm, 1, 1).unwrap();
    assert!(Scatter::new(&x, Some(&set), &y, None).is_err());
    let mut partitioner = Partitioner::new(comm, "simple").unwrap();
    assert!(partitioner.partition(2, if last { &[0, 3] } else { &[0, 0] }, &[], None).is_err());
}

fn closure_errors(comm: &SimpleCommunicator) {
    let n = 4;
    let (mut calls, b) = (0, Vector::new(comm, n, 1).unwrap());
    let (mut b, mut x) = (b.duplicate().unwrap(), b);
    b.set(1.0).unwrap();
    let mut other = Vector::new(comm, n + 1, 1).unwrap();
    // Works once, then fails with an error of its own, then with one of PETSc's wrapper, then with a panic.
    let a = Matrix::shell(comm, n, n, move |x, y| {
        calls += 1;
        match calls {
            1 => y.copy_from(x)?,
            2 => {
                let mut error = Error::caused_by(std::fmt::Error);
                error.code = 76;
                error.message = "out of range".into();
                error.traceback = vec!["mine() at here:1".into()];
                return Err(error);
            }
            3 => other.axpy(1.0, x)?,
            4 => panic!("deliberate"),
            _ => y.copy_from(x)?,
        }
        y.scale(2.0)
    })
    .unwrap();
    let mut solver = KrylovSolver::new(comm).unwrap();
    solver.set_options("-ksp_type richardson -pc_type none -ksp_max_it 1").unwrap();
    solver.set_operators(&a, &a).unwrap();
    a.mult(&b, &mut x).unwrap();
    for words in ["out of range", "different layout", "panic: deliberate"] {
        let error = a.mult(&b, &mut x).unwrap_err();
        assert!(error.message.contains(words), "{error}");
        assert!(error.traceback.iter().any(|line| line.starts_with("MatMult()")), "{error}");
        assert!(
            words != "out of range" || error.traceback[0].starts_with("mine()") && error.code == 76,
            "{error}"
        );
        // The closure's own error is the source, and its source the one behind it.
        let source = error.source().and_then(|source| source.downcast_ref::<Error>()).unwrap();
        assert!(source.message.contains(words), "{source}");
        let is_mine = source.source().is_some_and(|source| source.is::<std::fmt::Error>());
        assert_eq!(is_mine, words == "out of range");
    }
    // What failed before does not stick.
    let mut solver = KrylovSolver::new(comm).unwrap();
    solver.set_options("-ksp_type gmres -pc_type none").unwrap();
    solver.set_operators(&a, &a).unwrap();
    assert!(solver.solve(&b, &mut x).unwrap().reason.converged());
    assert!((x.max().unwrap().0 - 0.5).abs() < 1e-14);
}

fn petsc_only_once(comm: &SimpleCommunicator) {
    assert!(Petsc::initialize(comm, &[]).err().unwrap().message.contains("already"));
    assert!(Petsc::version() >= (3, 18, 0));
    assert!(!Petsc::has_package("no such package"));
}
