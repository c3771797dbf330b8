//! Many subdomains a rank, with a coarse space of a few vectors each.
use crate::Test;
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use petsc_rs::*;

pub const TESTS: &[Test] = &[
    ("many_subdomains_and_coarse_space", many_subdomains_and_coarse_space),
    ("schwarz_is_symmetric", schwarz_is_symmetric),
    ("multigrid_with_operators_of_ones_own", multigrid_with_operators_of_ones_own),
];

/// Points along each side of the grid, and of each square subdomain.
const N: usize = 48;
const SIDE: usize = 6;

/// Poisson's equation on an `N x N` grid whose rows of subdomains are dealt out to the ranks.
struct Grid {
    comm: SimpleCommunicator,
    rows: std::ops::Range<usize>,
}

impl Grid {
    fn new(comm: &SimpleCommunicator) -> Self {
        let (rank, size, strips) = (comm.rank() as usize, comm.size() as usize, N / SIDE);
        let rows = strips * rank / size * SIDE..strips * (rank + 1) / size * SIDE;
        Self { comm: comm.duplicate(), rows }
    }

    fn matrix(&self) -> Matrix {
        let (mut start, mut columns, mut values) = (vec![0], Vec::new(), Vec::new());
        for i in self.rows.clone() {
            for j in 0..N {
                let around = [(i.wrapping_sub(1), j), (i, j.wrapping_sub(1)), (i, j), (i, j + 1), (i + 1, j)];
                for (a, b) in around.into_iter().filter(|&(a, b)| a < N && b < N) {
                    columns.push((a * N + b) as i32);
                    values.push(if (a, b) == (i, j) { 4.0 } else { -1.0 });
                }
                start.push(columns.len() as i32);
            }
        }
        Matrix::from_csr_values(&self.comm, 1, &start, &columns, &values, self.rows.len() * N).unwrap()
    }

    /// This rank's subdomains, `layers` points wider than their squares.
    fn subdomains(&self, layers: usize) -> Vec<IndexSet> {
        let me = SimpleCommunicator::self_comm();
        let widen = |first: usize| first.saturating_sub(layers)..(first + SIDE + layers).min(N);
        let mut sets = Vec::new();
        for i in self.rows.clone().step_by(SIDE) {
            for j in (0..N).step_by(SIDE) {
                let points: Vec<i32> =
                    widen(i).flat_map(|a| widen(j).map(move |b| (a * N + b) as i32)).collect();
                sets.push(IndexSet::new(&me, &points).unwrap());
            }
        }
        sets
    }

    /// A partition of unity times constant and linear functions: three columns a subdomain. Rows at the
    /// edge of a rank have columns of its neighbours.
    fn coarse_space(&self) -> Matrix {
        const VECTORS: usize = 3;
        let per_row = N / SIDE;
        // In one dimension: the subdomains that a point is in, with their share of it.
        let shares = |i: usize| -> Vec<(usize, f64)> {
            let weight = |s: usize| {
                let (lower, upper) = ((s * SIDE) as f64 - 2.0, ((s + 1) * SIDE) as f64 + 1.0);
                (i as f64 - lower).min(upper - i as f64).clamp(0.0, 3.0)
            };
            let inside: Vec<_> = (0..per_row).map(|s| (s, weight(s))).filter(|w| w.1 > 0.0).collect();
            let sum: f64 = inside.iter().map(|w| w.1).sum();
            inside.into_iter().map(|(s, w)| (s, w / sum)).collect()
        };
        let (mut start, mut columns, mut values) = (vec![0], Vec::new(), Vec::new());
        for i in self.rows.clone() {
            for j in 0..N {
                for (si, wi) in shares(i) {
                    for (sj, wj) in shares(j) {
                        let subdomain = si * per_row + sj;
                        columns.extend((0..VECTORS).map(|c| (VECTORS * subdomain + c) as i32));
                        let away =
                            |i: usize, s: usize| i as f64 - (s * SIDE) as f64 - 0.5 * (SIDE - 1) as f64;
                        values.extend([1.0, away(i, si), away(j, sj)].map(|v| wi * wj * v));
                    }
                }
                start.push(columns.len() as i32);
            }
        }
        let local = VECTORS * self.rows.len() / SIDE * per_row;
        Matrix::from_csr_values(&self.comm, 1, &start, &columns, &values, local).unwrap()
    }

    /// Sets up additive Schwarz with direct subdomain solves.
    fn schwarz(&self, a: &Matrix, mut pc: Preconditioner, kind: SchwarzType) {
        pc.set_type("asm").unwrap();
        pc.asm_set_subdomains(&self.subdomains(1), Some(&self.subdomains(0))).unwrap();
        pc.asm_set_type(kind).unwrap();
        pc.set_operators(a, a).unwrap();
        pc.set_up().unwrap();
        for mut sub in pc.asm_sub_solvers().unwrap() {
            sub.set_type("preonly").unwrap();
            sub.preconditioner().unwrap().set_type("cholesky").unwrap();
        }
    }

    fn direct(&self, mut coarse: KrylovSolver) {
        coarse.set_type("preonly").unwrap();
        coarse.preconditioner().unwrap().set_type("redundant").unwrap();
    }

    /// A solver with the preconditioner called `method`.
    fn solver(&self, a: &Matrix, method: &str) -> KrylovSolver {
        let mut solver = KrylovSolver::new(&self.comm).unwrap();
        solver.set_type(if method == "restricted" { "gmres" } else { "cg" }).unwrap();
        solver.set_operators(a, a).unwrap();
        solver.set_tolerances(1e-10, 1e-50, 200).unwrap();
        let mut pc = solver.preconditioner().unwrap();
        let p = self.coarse_space();
        match method {
            "one level" => self.schwarz(a, pc, SchwarzType::Basic),
            "restricted" => self.schwarz(a, pc, SchwarzType::Restricted),
            "additive" => {
                pc.mg_two_level(&p, TwoLevel::Additive).unwrap();
                let mut smoother = pc.mg_smoother(1).unwrap();
                smoother.set_type("preonly").unwrap();
                self.schwarz(a, smoother.preconditioner().unwrap(), SchwarzType::Basic);
                self.direct(pc.mg_coarse_solver().unwrap());
            }
            "multiplicative" => {
                pc.mg_two_level(&p, TwoLevel::Multiplicative).unwrap();
                let mut smoother = pc.mg_smoother(1).unwrap();
                // Scaled by the number of subdomains that share a point, the smoother contracts.
                smoother
                    .set_options("-ksp_type richardson -ksp_max_it 1 -ksp_richardson_scale 0.25")
                    .unwrap();
                self.schwarz(a, smoother.preconditioner().unwrap(), SchwarzType::Basic);
                self.direct(pc.mg_coarse_solver().unwrap());
            }
            "balancing" => {
                pc.set_type("composite").unwrap();
                pc.composite_symmetric_multiplicative(true).unwrap();
                let mut coarse = pc.composite_add("galerkin").unwrap();
                self.direct(coarse.galerkin(&p, &a.ptap(&p).unwrap()).unwrap());
                self.schwarz(a, pc.composite_add("asm").unwrap(), SchwarzType::Basic);
            }
            other => panic!("no method {other}"),
        }
        solver
    }
}

fn many_subdomains_and_coarse_space(comm: &SimpleCommunicator) {
    let grid = Grid::new(comm);
    let a = grid.matrix();
    let (mut x, mut b) = a.vectors().unwrap();
    b.set(1.0).unwrap();
    let mut r = b.duplicate().unwrap();
    let mut iterations = Vec::new();
    for method in ["one level", "restricted", "additive", "multiplicative", "balancing"] {
        let outcome = grid.solver(&a, method).solve(&b, &mut x).unwrap();
        assert!(outcome.reason.converged(), "{method}: {outcome:?}");
        a.residual(&b, &x, &mut r).unwrap();
        assert!(r.norm(Norm::Two).unwrap() < 1e-7 * b.norm(Norm::Two).unwrap(), "{method}");
        iterations.push((method, outcome.iterations));
    }
    if comm.rank() == 0 {
        println!("{iterations:?}");
    }
    // The coarse space pays, and the count does not depend on the ranks.
    let count = |name: &str| iterations.iter().find(|i| i.0 == name).unwrap().1;
    assert!(count("additive") < count("one level"), "{iterations:?}");
    assert!(count("balancing") < count("additive"), "{iterations:?}");
    let mut spread = [count("additive"), count("balancing")];
    comm.all_reduce_into(
        &[count("additive"), count("balancing")][..],
        &mut spread[..],
        mpi::collective::SystemOperation::max(),
    );
    assert_eq!(spread, [count("additive"), count("balancing")]);
}

fn schwarz_is_symmetric(comm: &SimpleCommunicator) {
    let grid = Grid::new(comm);
    let a = grid.matrix();
    let (mut x, mut y) = a.vectors().unwrap();
    let first = x.range().start;
    for (shift, v) in [(0.3, &mut x), (0.7, &mut y)] {
        v.write().unwrap().iter_mut().enumerate().for_each(|(i, v)| *v = (shift * (first + i) as f64).sin());
    }
    let (mut mx, mut my) = (x.duplicate().unwrap(), x.duplicate().unwrap());
    for method in ["one level", "restricted", "additive", "multiplicative", "balancing"] {
        let mut solver = grid.solver(&a, method);
        solver.set_up().unwrap();
        let pc = solver.preconditioner().unwrap();
        pc.apply(&x, &mut mx).unwrap();
        pc.apply(&y, &mut my).unwrap();
        let (left, right) = (mx.dot(&y).unwrap(), my.dot(&x).unwrap());
        let symmetric =
            (left - right).abs() < 1e-11 * mx.norm(Norm::Two).unwrap() * y.norm(Norm::Two).unwrap();
        assert_eq!(symmetric, method != "restricted", "{method}: {left} against {right}");
        assert!(mx.dot(&x).unwrap() > 0.0 && my.dot(&y).unwrap() > 0.0, "{method}");
    }
}

/// Levels from the options and a coarse matrix of the caller's do what PETSc's own Galerkin product does,
/// also after the matrix has changed.
fn multigrid_with_operators_of_ones_own(comm: &SimpleCommunicator) {
    let grid = Grid::new(comm);
    let mut a = grid.matrix();
    let p = grid.coarse_space();
    let mut coarse = a.ptap(&p).unwrap();
    let options = "-ksp_type cg -ksp_rtol 1e-10 -mg_levels_ksp_type chebyshev -mg_levels_pc_type jacobi \
         -mg_coarse_ksp_type preonly -mg_coarse_pc_type redundant";
    let mut ours = KrylovSolver::new(comm).unwrap();
    ours.set_options(&format!("-pc_type mg -pc_mg_levels 2 {options}")).unwrap();
    let (mut x, mut b) = a.vectors().unwrap();
    b.set(1.0).unwrap();
    for shift in [0.0, 1.0] {
        // Another matrix, not only other values.
        a = a.duplicate(true).unwrap();
        let mut d = b.duplicate().unwrap();
        d.set(shift).unwrap();
        a.add_diagonal(&d).unwrap();
        coarse.ptap_again(&a, &p).unwrap();
        let mut theirs = KrylovSolver::new(comm).unwrap();
        theirs.preconditioner().unwrap().mg_two_level(&p, TwoLevel::Multiplicative).unwrap();
        theirs.set_options(options).unwrap();
        let mut pc = ours.preconditioner().unwrap();
        pc.mg_set_level(1, &a, &p).unwrap();
        pc.mg_coarse_solver().unwrap().set_operators(&coarse, &coarse).unwrap();
        let [theirs, ours] = [&mut theirs, &mut ours].map(|solver| {
            solver.set_operators(&a, &a).unwrap();
            let outcome = solver.solve(&b, &mut x).unwrap();
            assert!(outcome.reason.converged(), "{outcome:?}");
            outcome.iterations
        });
        assert_eq!(theirs, ours);
    }
    let mut pc = ours.preconditioner().unwrap();
    assert!(pc.mg_set_level(0, &a, &p).is_err() && pc.mg_set_level(2, &a, &p).is_err());
    pc.set_type("jacobi").unwrap();
    assert!(pc.mg_set_level(1, &a, &p).is_err() && pc.mg_coarse_solver().is_err());
}
