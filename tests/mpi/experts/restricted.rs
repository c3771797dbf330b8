//! The restricted Schwarz method with optimised conditions at the interfaces, against classical ones.
use petsc_rs::{KrylovSolver, Matrix, Vector};
use tessera::fem::Space;
use tessera::mixture::Subdomains;
use tessera::parallel::Comm;
use tessera::physics::interface::measures;
use tessera::physics::{FormState, Prepared};
use tessera::simulation::Simulation;
use tessera::solver::RestrictedSchwarz;

const BUMP: &str = "exp(-200*((x - 0.3)^2 + (y - 0.62)^2))";

/// Poisson's equation on a square with zero around it, for a bump.
fn poisson(cells: usize, conductivity: &str) -> String {
    format!(
        "[mesh]\nbox = {{ cell = \"quadrilateral\", cells = [{cells}, {cells}] }}\n\
         [partition]\nmethod = \"simple\"\n[[physics]]\nmodel = \"diffusion\"\n\
         conductivity = \"{conductivity}\"\nsource = \"{BUMP}\"\n\
         [[physics.boundary]]\nmarker = [\"left\", \"right\", \"bottom\", \"top\"]\nvalue = 0.0\n"
    )
}

/// Waves from a bump that leave the square.
fn waves(cells: usize, k: f64) -> String {
    format!(
        "[mesh]\nbox = {{ cell = \"quadrilateral\", cells = [{cells}, {cells}] }}\n\
         [partition]\nmethod = \"simple\"\n[[physics]]\nmodel = \"helmholtz\"\n\
         degree = 1\nwave_number = {k}\nsource = \"{BUMP}\"\n\
         [[physics.boundary]]\nmarker = [\"left\", \"right\", \"bottom\", \"top\"]\nabsorbing = {k}\n"
    )
}

/// The expert of each local cell of a square in boxes, so many along x and y, and the number one above the last expert of
/// each rank: as cells are dealt out in the order of the mesh, ranks are layers along y.
fn boxes(space: &Space, along: [usize; 2]) -> (Vec<u32>, Vec<u32>) {
    let mesh = &space.mesh;
    let corners = mesh.cell_type.vertices();
    let place = |cell: usize, axis: usize| {
        let sum: f64 = mesh.cell_vertices(cell).iter().map(|&v| mesh.vertex(v as usize)[axis]).sum();
        (sum / corners as f64 * along[axis] as f64) as usize
    };
    let experts = (0..mesh.local_cells()).map(|cell| (place(cell, 1) * along[0] + place(cell, 0)) as u32);
    let (total, ranks) = (along[0] * along[1], mesh.comm.size());
    (experts.collect(), (1..=ranks).map(|r| (total * r / ranks) as u32).collect())
}

/// A linear system and what it is assembled from.
struct Linear {
    prepared: Prepared,
    state: Vec<f64>,
    matrix: Matrix,
    load: Vector,
}

impl Linear {
    fn new(comm: &Comm, deck: &str) -> Self {
        let deck = tessera::deck::Deck::parse(deck, "test.toml", &[]).unwrap();
        let simulation = Simulation::new(comm, &deck).unwrap();
        let problem = simulation.stages[0].problem.clone();
        let prepared = problem.at(&simulation.default_context()).unwrap();
        let (mut matrix, mut load) = (problem.new_matrix().unwrap(), problem.space.field().unwrap());
        let state = vec![0.0; problem.space.local_nodes() * problem.space.components];
        prepared.tangent(FormState::steady(&state), &prepared.essential, &mut matrix).unwrap();
        prepared.residual(FormState::steady(&state), &mut load).unwrap();
        load.scale(-1.0).unwrap();
        prepared.essential.clear(&mut load.write().unwrap());
        Self { prepared, state, matrix, load }
    }

    /// Iterations of GMRES to 1e-8 from zero with boxes as experts, and the solution.
    fn solve(&self, boxes_along: [usize; 2], layers: u32, robin: Option<f64>) -> (usize, Vector) {
        let problem = self.prepared.problem();
        let space = &problem.space;
        let (experts, ends) = boxes(space, boxes_along);
        let measures = measures(space);
        let subdomains = Subdomains::with_experts(space, layers, &measures, &experts, &ends).unwrap();
        let schwarz = RestrictedSchwarz::with_subdomains(problem, subdomains, robin, &measures).unwrap();
        let mut krylov = KrylovSolver::new(space.mesh.comm.mpi()).unwrap();
        krylov.set_prefix("restricted_").unwrap();
        krylov.set_operators(&self.matrix, &self.matrix).unwrap();
        let options = "-ksp_type gmres -ksp_gmres_restart 400 -ksp_pc_side right -pc_type asm -sub_ksp_type preonly \
                       -sub_pc_type lu -sub_pc_factor_mat_solver_type mumps";
        krylov.set_options(options).unwrap();
        schwarz.attach(&mut krylov.preconditioner().unwrap()).unwrap();
        schwarz.update(&self.prepared, FormState::steady(&self.state)).unwrap();
        krylov.set_tolerances(1e-8, 0.0, 400).unwrap();
        let mut solution = self.load.duplicate().unwrap();
        let outcome = krylov.solve(&self.load, &mut solution).unwrap();
        assert!(outcome.reason.converged(), "{outcome:?}");
        (outcome.iterations, solution)
    }
}

pub fn tables(comm: &Comm) {
    for (cells, boxes, layers) in [(64, 2, 1), (128, 4, 1), (128, 4, 2)] {
        let poisson = Linear::new(comm, &poisson(cells, "1"));
        let count = |robin| poisson.solve([boxes, boxes], layers, robin).0;
        eprintln!("poisson {cells} {boxes} {layers}: {} {:?}", count(None), [0.25, 0.5, 1.0, 2.0, 4.0].map(|f| count(Some(f))));
    }
    for (cells, boxes, layers, k) in [(64, 4, 1, 20.0), (64, 4, 2, 20.0), (128, 4, 1, 40.0), (128, 4, 2, 40.0)] {
        let waves = Linear::new(comm, &waves(cells, k));
        let count = |robin| waves.solve([boxes, boxes], layers, robin).0;
        eprintln!("waves {cells} {boxes} {layers} {k}: {} {:?}", count(None), [0.75, 1.0, 1.5].map(|f| count(Some(f))));
    }
}
