//! Preconditioner of a flow's Schur complement.
//!
//! The flow's matrix is `[A, -B^T; -B, 0]`, its Schur complement `S = -B A^-1 B^T`. With `A` made of friction
//! and `sigma` times the mass, `-S^-1` is close to `mu M^-1 + sigma (B D^-1 B^T)^-1` with the mass `M` of the
//! pressure and the diagonal `D` of the velocity's, whatever the mesh and the step (Cahouet and Chabard, IJNMF 8
//! (1988)). Convection is left out: iterations grow with the Reynolds number, but not with the mesh (Elman,
//! Silvester, Wathen, *Finite Elements and Fast Iterative Solvers*, section 9.2).
use super::blocks::Blocks;
use crate::Result;
use crate::fem::{Parts, Space, Values};
use crate::physics::mass::scalar_mass;
use crate::physics::{FormState, Prepared, Problem};
use petsc_rs::{IndexSet, KrylovSolver, Matrix, Vector};
use std::cell::RefCell;
use std::rc::Rc;

/// What stands for the inverse of the Schur complement.
pub(crate) struct Schur {
    viscosity: f64,
    sigma: f64,
    mass: Option<KrylovSolver>,
    laplacian: Option<KrylovSolver>,
    work: Vector,
}

impl Schur {
    /// Nothing yet, and the matrix that PETSc applies. Collective.
    pub(crate) fn new(problem: &Problem, blocks: &Blocks) -> Result<(Rc<RefCell<Self>>, Matrix)> {
        let comm = problem.space.mesh.comm.mpi();
        let size = blocks.pressure.len();
        let work = Vector::new(comm, size, 1)?;
        let schur =
            Rc::new(RefCell::new(Self { viscosity: 0.0, sigma: 0.0, mass: None, laplacian: None, work }));
        let shared = schur.clone();
        let matrix = Matrix::shell(comm, size, size, move |x, y| shared.borrow_mut().apply(x, y))?;
        Ok((schur, matrix))
    }

    fn apply(&mut self, x: &Vector, y: &mut Vector) -> petsc_rs::Result<()> {
        let Some(mass) = &mut self.mass else { return Err(petsc_rs::Error::user("the mass is missing")) };
        mass.solve(x, y)?;
        y.scale(-self.viscosity)?;
        if let (Some(laplacian), true) = (&mut self.laplacian, self.sigma > 0.0) {
            laplacian.solve(x, &mut self.work)?;
            y.axpy(-self.sigma, &self.work)?;
        }
        Ok(())
    }

    /// Builds what a solve with this factor of the storage needs and is not there yet. Collective.
    pub(crate) fn prepare(&mut self, blocks: &Blocks, prepared: &Prepared, sigma: f64) -> Result<()> {
        let problem = prepared.problem();
        // The volume's second coefficient.
        (self.viscosity, self.sigma) = (mean(problem, &prepared.coefficients(&[])[0][0][1]), sigma);
        let comm = problem.space.mesh.comm.mpi();
        if self.mass.is_none() {
            let mut solver = KrylovSolver::new(comm)?;
            let mass = pressure_mass(problem, blocks)?;
            solver.set_operators(&mass, &mass)?;
            // The outer method is flexible: a rough solve will do.
            solver.set_type("cg")?;
            solver.set_tolerances(1e-2, 0.0, 20)?;
            solver.preconditioner()?.set_type("jacobi")?;
            self.mass = Some(solver);
        }
        if self.laplacian.is_none() && sigma > 0.0 {
            let mut solver = KrylovSolver::new(comm)?;
            let laplacian = discrete_laplacian(blocks, prepared)?;
            solver.set_operators(&laplacian, &laplacian)?;
            solver.set_type("preonly")?;
            solver.preconditioner()?.set_type("hypre")?;
            self.laplacian = Some(solver);
        }
        Ok(())
    }
}

/// Mean of the viscosity over all places where it is known.
fn mean(problem: &Problem, values: &Values) -> f64 {
    let list: &[f64] = match values {
        Values::Uniform(value) => &[*value],
        Values::ByRegion(list) | Values::ByPoint(list) => list,
    };
    let comm = &problem.space.mesh.comm;
    comm.sum(list.iter().sum::<f64>()) / comm.sum(list.len() as f64)
}

/// The mass of the free pressures, whose numbers it takes.
fn pressure_mass(problem: &Problem, blocks: &Blocks) -> Result<Matrix> {
    let space = &problem.space;
    let linear = Space::new(space.mesh.clone(), 1, 1)?;
    let mass = scalar_mass(&linear)?;
    let vertices = space.at_vertices(&linear);
    let row = |&dof: &usize| linear.number(vertices[dof / space.components]);
    let rows: Vec<petsc_rs::Int> = blocks.pressure.iter().map(row).collect();
    let set = IndexSet::new(space.mesh.comm.mpi(), &rows)?;
    Ok(mass.submatrix(&set, &set)?)
}

/// `B D^-1 B^T`: a Laplacian with the conditions that the velocity's imply.
fn discrete_laplacian(blocks: &Blocks, prepared: &Prepared) -> Result<Matrix> {
    let problem = prepared.problem();
    let space = &problem.space;
    let mut matrix = problem.new_matrix()?;
    let rest = vec![0.0; space.local_nodes() * space.components];
    let mut assemble = |storage: f64, residual: f64| {
        let parts = Parts { storage, residual };
        let at = FormState { state: &rest, history: None, parts };
        prepared.tangent(at, &prepared.essential, &mut matrix)?;
        Ok::<_, crate::Error>(matrix.duplicate(true)?)
    };
    let [velocity, pressure] = blocks.sets(space)?;
    let coupling = assemble(0.0, 1.0)?;
    let divergence = coupling.submatrix(&pressure, &velocity)?;
    let mut gradient = coupling.submatrix(&velocity, &pressure)?;
    drop(coupling);
    let mut diagonal = space.field()?;
    assemble(1.0, 0.0)?.diagonal(&mut diagonal)?;
    let mut inverse = Vector::new(space.mesh.comm.mpi(), blocks.velocity.len(), 1)?;
    {
        let (all, mut inverse) = (diagonal.read()?, inverse.write()?);
        for (value, &dof) in inverse.iter_mut().zip(&blocks.velocity) {
            *value = if all[dof] == 0.0 { 1.0 } else { 1.0 / all[dof] };
        }
    }
    gradient.diagonal_scale(Some(&inverse), None)?;
    Ok(divergence.mat_mult(&gradient)?)
}
