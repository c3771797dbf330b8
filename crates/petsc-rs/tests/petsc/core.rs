//! Vectors, matrices, solvers and partitions.
use crate::Test;
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use petsc_rs::*;

pub const TESTS: &[Test] = &[
    ("ghosted_vector", ghosted_vector),
    ("vector_algebra", vector_algebra),
    ("csr_arrays", csr_arrays),
    ("products", products),
    ("solve_poisson", solve_poisson),
    ("partition_grid", partition_grid),
    ("near_null_space_drops_dependent_vectors", near_null_space),
    ("schwarz_and_two_level", schwarz_and_two_level),
    ("shell_preconditioner", shell_preconditioner),
    ("essential_rows", essential_rows),
];

/// Own points of a line of `3 + rank` points a rank.
pub fn line(comm: &SimpleCommunicator) -> (usize, usize, usize) {
    let (rank, size) = (comm.rank() as usize, comm.size() as usize);
    let first = |r: usize| 3 * r + r * r.saturating_sub(1) / 2;
    (first(rank), first(rank + 1), first(size))
}

/// `[-1 2 -1]` on the line.
pub fn laplacian(comm: &SimpleCommunicator) -> Matrix {
    let (first, end, total) = line(comm);
    let (mut start, mut columns, mut values) = (vec![0], Vec::new(), Vec::new());
    for i in first..end {
        for j in i.saturating_sub(1)..(i + 2).min(total) {
            columns.push(j as i32);
            values.push(if i == j { 2.0 } else { -1.0 });
        }
        start.push(columns.len() as i32);
    }
    Matrix::from_csr_values(comm, 1, &start, &columns, &values, end - first).unwrap()
}

fn ghosted_vector(comm: &SimpleCommunicator) {
    let (rank, size) = (comm.rank(), comm.size());
    // Two blocks of three a rank; the ghost is the first block of the next rank.
    let ghosts: Vec<i32> = if size > 1 { vec![2 * ((rank + 1) % size)] } else { vec![] };
    let mut v = Vector::ghosted(comm, 2, 3, &ghosts).unwrap();
    assert_eq!((v.local_size(), v.global_size(), v.block_size()), (6, 6 * size as usize, 3));
    let first = v.range().start;
    v.write().unwrap().iter_mut().enumerate().for_each(|(i, x)| *x = (first + i) as f64);
    v.ghost_update().unwrap();
    {
        let local = v.local_read().unwrap();
        assert_eq!(local.len(), 6 + 3 * ghosts.len());
        for (g, &block) in ghosts.iter().enumerate() {
            for c in 0..3 {
                assert_eq!(local[6 + 3 * g + c], (3 * block as usize + c) as f64);
            }
        }
        assert_eq!(local[..], v.try_clone().unwrap().local_read().unwrap()[..]);
    }
    v.set(0.0).unwrap();
    v.local_write().unwrap().iter_mut().for_each(|x| *x = 1.0);
    v.ghost_accumulate().unwrap();
    assert_eq!(v.sum().unwrap(), (6 * size as usize + 3 * ghosts.len() * size as usize) as f64);
}

fn vector_algebra(comm: &SimpleCommunicator) {
    let mut x = Vector::new(comm, 4, 2).unwrap();
    let mut y = x.duplicate().unwrap();
    let n = x.global_size() as f64;
    x.set(2.0).unwrap();
    y.set(3.0).unwrap();
    y.axpy(2.0, &x).unwrap(); // 7
    y.aypx(2.0, &x).unwrap(); // 16
    y.axpby(1.0, 0.5, &x).unwrap(); // 10
    assert_eq!(x.dot(&y).unwrap(), 20.0 * n);
    assert_eq!(x.dots(&[&x, &y]).unwrap(), [4.0 * n, 20.0 * n]);
    let groups: [(&Vector, &[&Vector]); 3] = [(&x, &[&x, &y]), (&y, &[]), (&y, &[&x])];
    assert_eq!(Vector::fused_dots(&groups).unwrap(), [vec![4.0 * n, 20.0 * n], vec![], vec![20.0 * n]]);
    let mut z = y.try_clone().unwrap();
    z.maxpy(&[1.0, -1.0], &[&x, &y]).unwrap(); // 2
    assert_eq!(z.norm(Norm::Infinity).unwrap(), 2.0);
    let w = z.try_clone().unwrap();
    z.pointwise_divide(&y, &w).unwrap(); // 5
    z.multiply(&w).unwrap(); // 10
    z.reciprocal().unwrap();
    assert!((z.norm(Norm::One).unwrap() - 0.1 * n).abs() < 1e-12);
    let other = Vector::new(comm, 6, 2).unwrap();
    assert!(z.axpy(1.0, &other).is_err());
    assert!(Vector::new(comm, 5, 2).is_err());
}

fn csr_arrays(comm: &SimpleCommunicator) {
    let (first, end, total) = line(comm);
    let mut a = laplacian(comm);
    assert_eq!(a.global_size(), (total, total));
    assert_eq!(a.nonzeros().unwrap(), (3 * total - 2) as f64);
    {
        let arrays = a.arrays_mut().unwrap();
        let off = usize::from(first > 0) + usize::from(end < total);
        assert_eq!(arrays.off_diagonal.len(), off);
        arrays.diagonal.iter_mut().for_each(|v| *v *= 2.0);
        arrays.off_diagonal.iter_mut().for_each(|v| *v *= 2.0);
    }
    a.assemble().unwrap();
    for i in first..end {
        for (j, value) in a.row(i).unwrap() {
            assert_eq!(value, if i == j { 4.0 } else { -2.0 });
        }
    }
    let (mut x, mut y) = a.vectors().unwrap();
    x.set(1.0).unwrap();
    a.mult(&x, &mut y).unwrap();
    assert_eq!(y.sum().unwrap(), 4.0);
    assert!(Matrix::from_csr(comm, 1, &[0, 2], &[0], 1).is_err());
}

fn products(comm: &SimpleCommunicator) {
    let a = laplacian(comm);
    let (first, end, total) = line(comm);
    // One column a rank: ones on its own points.
    let rows = end - first;
    let start: Vec<i32> = (0..=rows as i32).collect();
    let p = Matrix::from_csr_values(comm, 1, &start, &vec![comm.rank(); rows], &vec![1.0; rows], 1).unwrap();
    let coarse = a.ptap(&p).unwrap();
    assert_eq!(coarse.global_size().0, comm.size() as usize);
    let ends = usize::from(first == 0) + usize::from(end == total);
    let joints = 2 - ends;
    let row = coarse.row(comm.rank() as usize).unwrap();
    let diagonal = row.iter().find(|e| e.0 == comm.rank() as usize).unwrap().1;
    assert_eq!(diagonal, (ends + joints) as f64);
    let product = p.transpose_mat_mult(&a.mat_mult(&p).unwrap()).unwrap();
    let mut difference = product.duplicate(true).unwrap();
    difference.axpy(-1.0, &coarse, false).unwrap();
    assert!(difference.norm(Norm::Frobenius).unwrap() < 1e-14);
    assert!(a.is_symmetric(0.0).unwrap());
    let mut dense = Matrix::dense(comm, 2, 3).unwrap();
    dense.dense_mut().unwrap().fill(2.0);
    dense.assemble().unwrap();
    assert_eq!(dense.norm(Norm::Infinity).unwrap(), 6.0);
}

fn solve_poisson(comm: &SimpleCommunicator) {
    let a = laplacian(comm);
    let n = a.global_size().0;
    let (mut x, mut b) = a.vectors().unwrap();
    b.set(1.0).unwrap();
    for options in [
        "-ksp_type cg -pc_type jacobi -ksp_norm_type natural",
        "-ksp_type preonly -pc_type lu -pc_factor_mat_solver_type mumps",
    ] {
        let mut solver = KrylovSolver::new(comm).unwrap();
        let added = solver.set_options(options).unwrap();
        solver.set_operators(&a, &a).unwrap();
        solver.set_tolerances(1e-12, 1e-50, 1000).unwrap();
        solver.keep_history(1000).unwrap();
        let count = std::rc::Rc::new(std::cell::Cell::new(0));
        let seen = count.clone();
        solver.add_monitor(move |_, _| seen.set(seen.get() + 1)).unwrap();
        let outcome = solver.solve(&b, &mut x).unwrap();
        assert!(outcome.reason.converged(), "{}", outcome.reason);
        if options.contains("cg") {
            assert_eq!(count.get(), outcome.iterations + 1);
            assert_eq!(solver.history().unwrap().len(), outcome.iterations + 1);
        }
        let first = x.range().start;
        for (k, &value) in x.read().unwrap().iter().enumerate() {
            let i = (first + k + 1) as f64;
            assert!((value - 0.5 * i * (n as f64 + 1.0 - i)).abs() < 1e-8);
        }
        added.iter().for_each(|option| Options::global().unwrap().clear(option).unwrap());
    }
    let unused = Options::global().unwrap().unused().unwrap();
    assert!(unused.is_empty(), "{unused:?}");
}

fn partition_grid(comm: &SimpleCommunicator) {
    // A 12 x 12 grid graph, dealt out in rows of the grid.
    let n = 12;
    let (rank, size) = (comm.rank(), comm.size());
    let (first, end) = (n * rank / size * n, n * (rank + 1) / size * n);
    let (mut start, mut adjacency) = (vec![0], Vec::new());
    for v in first..end {
        let (i, j) = (v / n, v % n);
        for (a, b) in [(i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)] {
            if (0..n).contains(&a) && (0..n).contains(&b) {
                adjacency.push(a * n + b);
            }
        }
        start.push(adjacency.len() as i32);
    }
    for (kind, parts, weights) in
        [("ptscotch", 4, true), ("ptscotch", 1, false), ("ptscotch", 7, false), ("simple", 4, false)]
    {
        let mut partitioner = Partitioner::new(comm, kind).unwrap();
        let weights = weights.then(|| vec![2; (end - first) as usize]);
        let target = partitioner.partition(parts, &start, &adjacency, weights.as_deref()).unwrap();
        let mut mine = vec![0; parts as usize];
        target.iter().for_each(|&t| mine[t as usize] += 1);
        let mut all = mine.clone();
        comm.all_reduce_into(&mine[..], &mut all[..], mpi::collective::SystemOperation::sum());
        let share = n * n / parts;
        for &count in &all {
            assert!((count - share).abs() <= share / 4 + 1, "{kind}: {all:?}");
        }
    }
    assert!(Partitioner::new(comm, "no_such_partitioner").is_err());
    let mut partitioner = Partitioner::new(comm, "ptscotch").unwrap();
    assert!(partitioner.partition(2, &[0, 3], &[1], None).is_err());
}

fn near_null_space(comm: &SimpleCommunicator) {
    let mut a = laplacian(comm);
    let (mut x, y) = a.vectors().unwrap();
    x.set(1.0).unwrap();
    let mut twice = x.try_clone().unwrap();
    twice.scale(2.0).unwrap();
    assert!(a.near_null_space().unwrap().is_empty());
    a.set_near_null_space(vec![x, twice, y]).unwrap();
    let modes = a.near_null_space().unwrap();
    assert_eq!(modes.len(), 1);
    assert!((modes[0].norm(Norm::Two).unwrap() - 1.0).abs() < 1e-14);
    drop(modes);
    // The modes themselves are locked.
    let mut copy = a.duplicate(true).unwrap();
    copy.share_near_null_space(&a).unwrap();
    assert_eq!(copy.near_null_space().unwrap().len(), 1);
    copy.share_near_null_space(&laplacian(comm)).unwrap();
    assert_eq!(copy.near_null_space().unwrap().len(), 1);
    let (mut x, mut b) = a.vectors().unwrap();
    b.set(1.0).unwrap();
    let mut solver = KrylovSolver::new(comm).unwrap();
    solver.set_options("-ksp_type cg -pc_type gamg -ksp_rtol 1e-10").unwrap();
    solver.set_operators(&a, &a).unwrap();
    assert!(solver.solve(&b, &mut x).unwrap().reason.converged());
}

fn schwarz_and_two_level(comm: &SimpleCommunicator) {
    let a = laplacian(comm);
    let (first, end, total) = line(comm);
    let me = SimpleCommunicator::self_comm();
    let wide: Vec<i32> = (first.saturating_sub(1)..(end + 1).min(total)).map(|i| i as i32).collect();
    let (mut x, mut b) = a.vectors().unwrap();
    b.set(1.0).unwrap();
    let rows = end - first;
    let start: Vec<i32> = (0..=rows as i32).collect();
    let p = Matrix::from_csr_values(comm, 1, &start, &vec![comm.rank(); rows], &vec![1.0; rows], 1).unwrap();
    for coarse in [false, true] {
        let mut solver = KrylovSolver::new(comm).unwrap();
        solver.set_type("cg").unwrap();
        solver.set_operators(&a, &a).unwrap();
        solver.set_tolerances(1e-12, 1e-50, 100).unwrap();
        let mut pc = solver.preconditioner().unwrap();
        let mut asm = if coarse {
            pc.mg_two_level(&p, TwoLevel::Additive).unwrap();
            let mut smoother = pc.mg_smoother(1).unwrap();
            smoother.set_type("preonly").unwrap();
            let mut direct = pc.mg_coarse_solver().unwrap();
            direct.set_type("preonly").unwrap();
            direct.preconditioner().unwrap().set_type("redundant").unwrap();
            smoother.preconditioner().unwrap()
        } else {
            solver.preconditioner().unwrap()
        };
        asm.set_type("asm").unwrap();
        asm.asm_set_subdomains(&[IndexSet::new(&me, &wide).unwrap()], None).unwrap();
        asm.asm_set_type(SchwarzType::Basic).unwrap();
        solver.set_up().unwrap();
        for sub in &mut asm.asm_sub_solvers().unwrap() {
            sub.set_type("preonly").unwrap();
            sub.preconditioner().unwrap().set_type("cholesky").unwrap();
        }
        let outcome = solver.solve(&b, &mut x).unwrap();
        assert!(outcome.reason.converged(), "{outcome:?}");
    }
}

fn shell_preconditioner(comm: &SimpleCommunicator) {
    let a = laplacian(comm);
    let (mut x, mut b) = a.vectors().unwrap();
    b.set(1.0).unwrap();
    let mut solver = KrylovSolver::new(comm).unwrap();
    solver.set_type("cg").unwrap();
    solver.set_operators(&a, &a).unwrap();
    let halve = |r: &Vector, z: &mut Vector| {
        z.copy_from(r)?;
        z.scale(0.5)
    };
    solver.preconditioner().unwrap().set_shell(true, halve).unwrap();
    assert!(solver.solve(&b, &mut x).unwrap().reason.converged());
    solver.preconditioner().unwrap().set_shell(true, |_, _| panic!("deliberate")).unwrap();
    let error = solver.solve(&b, &mut x).unwrap_err();
    assert!(error.message.contains("deliberate"), "{error}");
    assert!(error.traceback.iter().any(|line| line.contains("KSPSolve")), "{error}");
}

fn essential_rows(comm: &SimpleCommunicator) {
    let mut a = laplacian(comm);
    let (mut x, mut b) = a.vectors().unwrap();
    x.set(5.0).unwrap();
    let rows: Vec<i32> = if comm.rank() == 0 { vec![0] } else { vec![] };
    a.zero_rows_columns(&rows, 1.0, Some((&x, &mut b))).unwrap();
    assert!((b.sum().unwrap() - 10.0).abs() < 1e-14);
    let mut d = x.duplicate().unwrap();
    a.diagonal(&mut d).unwrap();
    assert_eq!(d.min().unwrap(), (1.0, 0));
}
