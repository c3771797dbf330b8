//! Shell and nested operators, coordinate assembly, products.
use crate::Test;
use crate::core::{laplacian, line};
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use petsc_rs::*;
use std::cell::Cell;
use std::rc::Rc;

pub const TESTS: &[Test] = &[
    ("shell_matrix", shell_matrix),
    ("shell_is_dropped_with_the_matrix", shell_is_dropped_with_the_matrix),
    ("nested_system", nested_system),
    ("block_elimination", block_elimination),
    ("coordinates", coordinates),
    ("triple_product", triple_product),
    ("dense_products", dense_products),
    ("interpolation_of_boomeramg", interpolation_of_boomeramg),
];

fn distance(a: &Vector, b: &Vector) -> f64 {
    let mut d = a.try_clone().unwrap();
    d.axpy(-1.0, b).unwrap();
    d.norm(Norm::Infinity).unwrap()
}

fn ramp(v: &mut Vector) {
    let first = v.range().start;
    v.write().unwrap().iter_mut().enumerate().for_each(|(i, x)| *x = 1.0 + ((first + i) as f64).sin());
}

fn shell_matrix(comm: &SimpleCommunicator) {
    let a = Rc::new(laplacian(comm));
    let n = a.local_size().0;
    let (product, transpose) = (a.clone(), a.clone());
    let mut shell = Matrix::shell(comm, n, n, move |x, y| product.mult(x, y)).unwrap();
    let (mut x, mut y) = a.vectors().unwrap();
    let mut expected = y.duplicate().unwrap();
    ramp(&mut x);
    a.mult(&x, &mut expected).unwrap();
    shell.mult(&x, &mut y).unwrap();
    assert_eq!(distance(&y, &expected), 0.0);
    assert!(shell.mult_transpose(&x, &mut y).is_err());
    shell.shell_set_transpose(move |x, y| transpose.mult_transpose(x, y)).unwrap();
    shell.mult_transpose(&x, &mut y).unwrap();
    assert_eq!(distance(&y, &expected), 0.0);
    shell.shell_set_diagonal(|d| d.set(2.0)).unwrap();
    shell.set_option(MatrixOption::Symmetric, true).unwrap();
    // Matrix-free outside, preconditioned by Jacobi from the diagonal closure.
    let mut solver = KrylovSolver::new(comm).unwrap();
    solver.set_options("-ksp_type cg -pc_type jacobi -ksp_rtol 1e-12").unwrap();
    solver.set_operators(&shell, &shell).unwrap();
    let mut solution = x.duplicate().unwrap();
    assert!(solver.solve(&expected, &mut solution).unwrap().reason.converged());
    assert!(distance(&solution, &x) < 1e-9);
    let mut plain = laplacian(comm);
    assert!(plain.shell_set_diagonal(|d| d.set(2.0)).is_err());
}

fn shell_is_dropped_with_the_matrix(comm: &SimpleCommunicator) {
    struct Flag(Rc<Cell<u32>>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let drops = Rc::new(Cell::new(0));
    let flag = Flag(drops.clone());
    let mut a = Matrix::shell(comm, 2, 2, move |x, y| {
        let _ = &flag;
        y.copy_from(x)
    })
    .unwrap();
    for count in 0..3 {
        let flag = Flag(drops.clone());
        a.shell_set_diagonal(move |d| d.set(f64::from(flag.0.get()))).unwrap();
        assert_eq!(drops.get(), count, "an earlier closure is dropped when it is replaced");
    }
    drop(a);
    assert_eq!(drops.get(), 4);
}

/// `[A B^T; B 0]` as in [`nested_system`], by field split with a shell in the place of the Schur complement's
/// inverse. The complement has as many rows as there are ranks, and GMRES needs no more iterations than that.
fn block_elimination(comm: &SimpleCommunicator) {
    let a = laplacian(comm);
    let n = a.local_size().0;
    let columns: Vec<i32> = a.column_range().map(|c| c as i32).collect();
    let b = Matrix::from_csr_values(comm, 1, &[0, n as i32], &columns, &vec![1.0; n], n).unwrap();
    let bt = b.transpose().unwrap();
    let k = Matrix::nest(comm, 2, 2, vec![Some(a), Some(bt), Some(b), None]).unwrap().convert("aij").unwrap();
    let first = k.row_range().start as i32;
    let sets = [0..n as i32, n as i32..n as i32 + 1]
        .map(|rows| IndexSet::new(comm, &rows.map(|r| first + r).collect::<Vec<_>>()).unwrap());
    let calls = Rc::new(Cell::new(0));
    let counter = calls.clone();
    let inverse = Matrix::shell(comm, 1, 1, move |x, y| {
        counter.set(counter.get() + 1);
        y.copy_from(x)
    })
    .unwrap();
    let mut solver = KrylovSolver::new(comm).unwrap();
    let mut preconditioner = solver.preconditioner().unwrap();
    preconditioner.set_type("fieldsplit").unwrap();
    for (name, set) in ["first", "second"].iter().zip(&sets) {
        preconditioner.field_split(name, set).unwrap();
    }
    preconditioner.field_split_schur(&inverse).unwrap();
    let options = "-ksp_type fgmres -ksp_rtol 1e-12 -pc_type fieldsplit -pc_fieldsplit_schur_fact_type upper \
        -fieldsplit_first_ksp_type preonly -fieldsplit_first_pc_type lu -fieldsplit_first_pc_factor_mat_solver_type mumps \
        -fieldsplit_second_ksp_type preonly -fieldsplit_second_pc_type mat";
    let added = solver.set_options(options).unwrap();
    solver.set_operators(&k, &k).unwrap();
    let (mut x, mut r) = k.vectors().unwrap();
    ramp(&mut r);
    let outcome = solver.solve(&r, &mut x).unwrap();
    assert!(outcome.reason.converged() && calls.get() > 0);
    assert!(outcome.iterations <= comm.size() as usize + 2, "{} iterations", outcome.iterations);
    let mut check = r.duplicate().unwrap();
    k.mult(&x, &mut check).unwrap();
    assert!(distance(&check, &r) < 1e-8);
    let mut database = Options::global().unwrap();
    added.iter().for_each(|option| database.clear(option).unwrap());
}

fn nested_system(comm: &SimpleCommunicator) {
    // [A B^T; B 0] with B = the sum of the entries of each rank.
    let a = laplacian(comm);
    let n = a.local_size().0;
    let columns: Vec<i32> = a.column_range().map(|c| c as i32).collect();
    let b = Matrix::from_csr_values(comm, 1, &[0, n as i32], &columns, &vec![1.0; n], n).unwrap();
    let bt = b.transpose().unwrap();
    let k = Matrix::nest(comm, 2, 2, vec![Some(a), Some(bt), Some(b), None]).unwrap();
    assert_eq!(k.local_size(), (n + 1, n + 1));
    assert!(k.nested(1, 1).unwrap().is_none());
    assert_eq!(k.nested(1, 0).unwrap().unwrap().local_size(), (1, n));
    let parts = || vec![Vector::new(comm, n, 1).unwrap(), Vector::new(comm, 1, 1).unwrap()];
    let mut x = Vector::nest(comm, parts()).unwrap();
    let mut y = Vector::nest(comm, parts()).unwrap();
    x.nested_mut(0).unwrap().set(1.0).unwrap();
    x.nested_mut(1).unwrap().set(3.0).unwrap();
    assert!(x.nested(2).is_err() && x.nested(0).unwrap().nested(0).is_err());
    assert_eq!(x.sum().unwrap(), x.nested(0).unwrap().global_size() as f64 + 3.0 * f64::from(comm.size()));
    k.mult(&x, &mut y).unwrap();
    assert_eq!(*y.nested(1).unwrap().read().unwrap(), [n as f64]);
    // A x + B^T l: 1 at both ends of the line, 0 inside; plus 3.
    let sum = y.nested(0).unwrap().sum().unwrap();
    assert_eq!(sum, 2.0 + 3.0 * x.nested(0).unwrap().global_size() as f64);
    // The same in one matrix, solved directly.
    let whole = k.convert("aij").unwrap();
    let (mut u, mut r) = whole.vectors().unwrap();
    ramp(&mut r);
    let mut solver = KrylovSolver::new(comm).unwrap();
    solver
        .set_options("-ksp_type gmres -ksp_rtol 1e-12 -pc_type lu -pc_factor_mat_solver_type mumps")
        .unwrap();
    solver.set_operators(&whole, &whole).unwrap();
    assert!(solver.solve(&r, &mut u).unwrap().reason.converged());
    let mut check = r.duplicate().unwrap();
    whole.mult(&u, &mut check).unwrap();
    assert!(distance(&check, &r) < 1e-9);
    assert!(Matrix::nest(comm, 1, 2, vec![None, None]).is_err());
    assert!(Matrix::nest(comm, 2, 2, vec![None]).is_err());
    assert!(
        Matrix::nest(comm, 2, 1, vec![Some(laplacian(comm)), Some(Matrix::dense(comm, 1, 1).unwrap())])
            .is_err()
    );
}

fn coordinates(comm: &SimpleCommunicator) {
    // Every rank adds the bars that start at its points, and the last one's end belongs to the next rank.
    let (first, end, total) = line(comm);
    let (mut rows, mut columns, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let mut add = |i: i32, j: i32, value: f64| {
        rows.push(i);
        columns.push(j);
        values.push(value);
    };
    for i in first as i32..end as i32 {
        for (a, b, value) in [(i, i, 1.0), (i, i + 1, -1.0), (i + 1, i, -1.0), (i + 1, i + 1, 1.0)] {
            let outside = a.max(b) as usize >= total;
            add(if outside { -1 } else { a }, b.min(total as i32 - 1), value);
        }
    }
    add(if first == 0 { 0 } else { -1 }, 0, 1.0); // the bar before the first point
    let mut a = Matrix::coo(comm, 1, end - first, end - first, &rows, &columns).unwrap();
    for factor in [1.0, 2.0] {
        let values: Vec<f64> = values.iter().map(|v| factor * v).collect();
        a.set_coo(&values).unwrap();
        let mut expected = laplacian(comm);
        if end == total {
            // The line's last point has no bar after it here, but the bar's own end.
            assert_eq!(a.row(total - 1).unwrap().last().unwrap().1, 2.0 * factor);
        }
        expected.axpy(-1.0 / factor, &a, false).unwrap();
        assert!(expected.norm(Norm::Frobenius).unwrap() < 1e-14);
    }
    assert!(laplacian(comm).set_coo(&[1.0]).is_err());
}

fn triple_product(comm: &SimpleCommunicator) {
    let mut a = laplacian(comm);
    let (rows, rank) = (a.local_size().0, comm.rank());
    // Two coarse vectors a rank: constant and linear.
    let start: Vec<i32> = (0..=rows as i32).map(|i| 2 * i).collect();
    let columns: Vec<i32> = (0..rows).flat_map(|_| [2 * rank, 2 * rank + 1]).collect();
    let values: Vec<f64> = (0..rows).flat_map(|i| [1.0, i as f64]).collect();
    let p = Matrix::from_csr_values(comm, 1, &start, &columns, &values, 2).unwrap();
    let mut coarse = a.ptap(&p).unwrap();
    assert_eq!(coarse.local_size(), (2, 2));
    let mut ap = a.mat_mult(&p).unwrap();
    for factor in [1.0, 3.0] {
        a.scale(factor).unwrap();
        coarse.ptap_again(&a, &p).unwrap();
        ap.mat_mult_again(&a, &p).unwrap();
        let mut check = p.transpose_mat_mult(&ap).unwrap();
        check.axpy(-1.0, &coarse, false).unwrap();
        assert!(check.norm(Norm::Frobenius).unwrap() < 1e-13);
        // Constants of a rank meet 1 at each of its ends.
        let row = coarse.row(2 * rank as usize).unwrap();
        assert!(
            row.iter().any(|&(c, v)| c == 2 * rank as usize && (v - 2.0 * factor).abs() < 1e-12),
            "{row:?}"
        );
    }
    let (mut x, mut y) = p.vectors().unwrap();
    let (mut u, mut v) = (x.duplicate().unwrap(), y.duplicate().unwrap());
    ramp(&mut u);
    ramp(&mut v);
    p.mult(&u, &mut y).unwrap();
    p.mult_transpose(&v, &mut x).unwrap();
    let (left, right) = (y.dot(&v).unwrap(), x.dot(&u).unwrap());
    assert!((left - right).abs() < 1e-12 * left.abs());
}

fn dense_products(comm: &SimpleCommunicator) {
    let a = laplacian(comm);
    let rows = a.local_size().0;
    let mut z = Matrix::dense(comm, rows, 2).unwrap();
    {
        let mut values = z.dense_mut().unwrap();
        values[..rows].fill(1.0);
        values[rows..].fill(-2.0);
    }
    z.assemble().unwrap();
    let az = a.mat_mult(&z).unwrap();
    let gram = z.transpose_mat_mult(&az).unwrap();
    // 1^T A 1 = 2.
    for row in gram.row_range() {
        let expected = if row == 0 { [2.0, -4.0] } else { [-4.0, 8.0] };
        assert_eq!(gram.row(row).unwrap(), [(0, expected[0]), (1, expected[1])]);
    }
    if comm.size() == 1 {
        let outer = z.mat_transpose_mult(&z).unwrap();
        assert_eq!(outer.norm(Norm::Infinity).unwrap(), 5.0 * rows as f64);
    }
}

/// BoomerAMG's interpolation in PETSc's multigrid, with a smoother that Gershgorin's bound makes safe.
fn interpolation_of_boomeramg(comm: &SimpleCommunicator) {
    const OWN: usize = 50;
    let (first, total) = (OWN * comm.rank() as usize, OWN * comm.size() as usize);
    let row = |i: usize| i.saturating_sub(1)..(i + 2).min(total);
    let entries =
        (first..first + OWN).flat_map(|i| row(i).map(move |j| (j as i32, if i == j { 2.0 } else { -1.0 })));
    let (columns, values): (Vec<i32>, Vec<f64>) = entries.unzip();
    let mut start = vec![0];
    (first..first + OWN).for_each(|i| start.push(start[start.len() - 1] + row(i).len() as i32));
    let a = Matrix::from_csr_values(comm, 1, &start, &columns, &values, OWN).unwrap();
    let mut bounds = [a.jacobi_bound().unwrap(), 0.0];
    let [local, global] = &mut bounds;
    comm.all_reduce_into(local, global, mpi::collective::SystemOperation::max());
    assert!((bounds[1] - 2.0).abs() < 1e-14, "{bounds:?}");
    let (mut x, mut b) = a.vectors().unwrap();
    ramp(&mut b);
    let mut solver = KrylovSolver::new(comm).unwrap();
    solver.set_options("-ksp_type cg -ksp_rtol 1e-10 -pc_type hypre -pc_hypre_type boomeramg").unwrap();
    solver.set_operators(&a, &a).unwrap();
    let classical = solver.solve(&b, &mut x).unwrap();
    let expected = x.try_clone().unwrap();
    let mut pc = solver.preconditioner().unwrap();
    let interpolations = pc.take_interpolations().unwrap();
    assert_eq!(interpolations.last().unwrap().global_size().0, a.global_size().0);
    let chain = interpolations.windows(2).all(|pair| pair[1].global_size().1 == pair[0].global_size().0);
    assert!(chain, "from the coarsest level up");
    pc.mg_galerkin(&interpolations).unwrap();
    assert_eq!(pc.mg_levels().unwrap(), interpolations.len() + 1);
    for level in 1..pc.mg_levels().unwrap() {
        let mut smoother = pc.mg_smoother(level).unwrap();
        smoother.set_type("richardson").unwrap();
        smoother.set_richardson_scale(2.0 / 3.0).unwrap();
        smoother.set_tolerances(0.0, 0.0, 1).unwrap();
        smoother.preconditioner().unwrap().set_type("jacobi").unwrap();
    }
    solver.set_operators(&a, &a).unwrap();
    let kept = solver.solve(&b, &mut x).unwrap();
    assert!(classical.reason.converged() && kept.reason.converged());
    assert!(kept.iterations <= 12, "{kept:?} after {classical:?}");
    assert!(distance(&x, &expected) < 1e-6 * expected.norm(Norm::Infinity).unwrap());
    pc.set_type("jacobi").unwrap();
    assert!(pc.take_interpolations().is_err() && pc.mg_levels().unwrap() == 0);
}
