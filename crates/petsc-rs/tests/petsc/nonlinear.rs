//! Newton's method with closures.
use crate::Test;
use crate::core::laplacian;
use mpi::topology::SimpleCommunicator;
use petsc_rs::*;
use std::cell::RefCell;
use std::rc::Rc;

pub const TESTS: &[Test] = &[
    ("newton_converges_quadratically", newton_converges_quadratically),
    ("line_search_leaves_bad_regions", line_search_leaves_bad_regions),
    ("nonlinear_errors", nonlinear_errors),
];

/// `A x + x^3 = b` on the line.
fn cubic(comm: &SimpleCommunicator) -> (NonlinearSolver, Vector) {
    let a = Rc::new(laplacian(comm));
    let tangent = a.duplicate(true).unwrap();
    let (like, _) = a.vectors().unwrap();
    let mut solver = NonlinearSolver::new(comm).unwrap();
    solver.set_options("-ksp_type preonly -pc_type lu -pc_factor_mat_solver_type mumps").unwrap();
    let linear = a.clone();
    solver
        .set_residual(&like, move |x, f| {
            linear.mult(x, f)?;
            let x = x.read()?;
            f.write()?.iter_mut().zip(&*x).for_each(|(f, x)| *f += x * x * x);
            Ok(())
        })
        .unwrap();
    let mut d = like.duplicate().unwrap();
    solver
        .set_jacobian(&tangent, &tangent, move |x, p| {
            p.copy_from(&a)?;
            d.write()?.iter_mut().zip(&*x.read()?).for_each(|(d, x)| *d = 3.0 * x * x);
            p.add_diagonal(&d)
        })
        .unwrap();
    (solver, like)
}

fn newton_converges_quadratically(comm: &SimpleCommunicator) {
    let (mut solver, mut x) = cubic(comm);
    let mut b = x.duplicate().unwrap();
    b.set(1.0).unwrap();
    let norms = Rc::new(RefCell::new(Vec::new()));
    let seen = norms.clone();
    solver.set_monitor(move |_, norm| seen.borrow_mut().push(norm)).unwrap();
    solver.set_tolerances(1e-14, 1e-12, 0.0, 20).unwrap();
    let outcome = solver.solve(Some(&b), &mut x).unwrap();
    assert!(outcome.reason.converged(), "{}", outcome.reason);
    assert_eq!(norms.borrow().len(), outcome.iterations + 1);
    assert!(outcome.iterations <= 9 && outcome.linear_iterations == outcome.iterations, "{outcome:?}");
    // Quadratic: each norm is about the square of the one before, once small.
    let norms = norms.borrow();
    let steep = norms.windows(2).filter(|w| w[0] < 0.1 && w[0] > 1e-6).all(|w| w[1] < 10.0 * w[0] * w[0]);
    assert!(steep, "{norms:?}");
    assert_eq!(solver.krylov().unwrap().kind(), "preonly");
}

fn line_search_leaves_bad_regions(comm: &SimpleCommunicator) {
    // log x = -1 from x = 3: the full step goes to a negative x, where the residual is no number.
    let mut x = Vector::new(comm, 2, 1).unwrap();
    let start: Vec<i32> = vec![0, 1, 2];
    let first = x.range().start as i32;
    let tangent = Matrix::from_csr(comm, 1, &start, &[first, first + 1], 2).unwrap();
    let mut solver = NonlinearSolver::new(comm).unwrap();
    solver
        .set_options("-ksp_type preonly -pc_type jacobi -snes_linesearch_type bt -snes_rtol 1e-12")
        .unwrap();
    solver
        .set_residual(&x, |x, f| {
            f.write()?.iter_mut().zip(&*x.read()?).for_each(|(f, x)| *f = x.ln() + 1.0);
            Ok(())
        })
        .unwrap();
    solver
        .set_jacobian(&tangent, &tangent, |x, p| {
            p.arrays_mut()?.diagonal.iter_mut().zip(&*x.read()?).for_each(|(d, x)| *d = 1.0 / x);
            p.assemble()
        })
        .unwrap();
    x.set(3.0).unwrap();
    let outcome = solver.solve(None, &mut x).unwrap();
    assert!(outcome.reason.converged(), "{outcome:?}");
    assert!((x.max().unwrap().0 - (-1.0f64).exp()).abs() < 1e-10);
}

fn nonlinear_errors(comm: &SimpleCommunicator) {
    let mut empty = NonlinearSolver::new(comm).unwrap();
    let mut x = Vector::new(comm, 2, 1).unwrap();
    assert!(empty.solve(None, &mut x).unwrap_err().message.contains("no residual"));
    let (mut solver, mut x) = cubic(comm);
    let mut long = Vector::new(comm, x.local_size() + 1, 1).unwrap();
    assert!(solver.solve(None, &mut long).is_err() && solver.solve(Some(&long), &mut x).is_err());
    solver.set_tolerances(1e-14, 1e-12, 0.0, 1).unwrap();
    x.set(5.0).unwrap();
    let outcome = solver.solve(None, &mut x).unwrap();
    assert_eq!((outcome.reason, outcome.iterations), (NonlinearReason::DivergedIterations, 1));
    solver.set_residual(&x, |_, _| panic!("deliberate")).unwrap();
    let error = solver.solve(None, &mut x).unwrap_err();
    assert!(error.message.contains("deliberate"), "{error}");
    assert!(error.traceback.iter().any(|line| line.starts_with("SNESSolve()")), "{error}");
}
