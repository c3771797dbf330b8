//! What subdomains tell one another: iterations of the restricted Schwarz method with values from the neighbours and with
//! optimised conditions, and its time next to factorisation and multigrid.
//!
//! usage: mpirun -n P interfaces [iterations] [seconds] [full]
//!
//! `iterations` takes boxes as experts, as published tables do, and runs on one rank; `seconds` solves whole decks with the
//! experts that the program makes of the mesh; `full` adds larger meshes.
use mpi::traits::*;
use petsc_rs::{KrylovSolver, Matrix, Options, Vector};
use std::rc::Rc;
use std::time::Instant;
use tessera::deck::Deck;
use tessera::fem::Space;
use tessera::mixture::{CoarseModes, Gating, Mixture, Subdomains};
use tessera::parallel::Comm;
use tessera::physics::interface::measures;
use tessera::physics::{FormState, Prepared};
use tessera::simulation::Simulation;
use tessera::solver::{RestrictedSchwarz, Schwarz};

type Result<T> = tessera::Result<T>;

const SIDES: &str = "[[physics.boundary]]\nmarker = [\"left\", \"right\", \"bottom\", \"top\"]\n";
const FACTORS: [f64; 5] = [0.25, 0.5, 1.0, 2.0, 4.0];
const MOST: usize = 400;

fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let asked = |word: &str| arguments.iter().any(|a| a == word);
    let all = !asked("iterations") && !asked("seconds");
    let universe = tessera::parallel::initialize().expect("MPI starts");
    let comm = Comm::new(universe.world().duplicate());
    let _petsc = petsc_rs::Petsc::initialize(comm.mpi(), &[])?;
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("first use of rayon");
    if (all || asked("iterations")) && comm.size() == 1 {
        iterations(&comm)?;
    }
    if all || asked("seconds") {
        seconds(&comm, asked("full"))?;
    }
    Ok(())
}

/// A square of squares with a bump as source.
fn square(cells: usize, physics: &str) -> String {
    format!(
        "[mesh]\nbox = {{ cell = \"quadrilateral\", cells = [{cells}, {cells}] }}\n\
         [[physics]]\nsource = \"exp(-200*((x - 0.3)^2 + (y - 0.62)^2))\"\ndegree = 1\n{physics}"
    )
}

fn diffusion(cells: usize, conductivity: &str) -> String {
    square(cells, &format!("model = \"diffusion\"\nconductivity = \"{conductivity}\"\n{SIDES}value = 0.0\n"))
}

fn waves(cells: usize, k: f64) -> String {
    square(cells, &format!("model = \"helmholtz\"\nwave_number = {k:?}\n{SIDES}absorbing = {k:?}\n"))
}

fn transport(cells: usize, diffusivity: f64, velocity: &str) -> String {
    square(
        cells,
        &format!(
            "model = \"advection_diffusion\"\ndiffusivity = {diffusivity:?}\nvelocity = {velocity}\n{SIDES}value = 0.0\n"
        ),
    )
}

/// Values of 8 x 8 blocks that differ by this factor at most.
fn blocks(contrast: f64) -> String {
    format!("exp({:?}*sin(12.9898*floor(8*x) + 78.233*floor(8*y)))", 0.5 * contrast.ln())
}

fn iterations(comm: &Comm) -> Result<()> {
    println!(
        "GMRES without restart to 1e-8, P1 squares, boxes as experts; factors of the formula's parameter"
    );
    println!("{:<44} values | {FACTORS:?} | experts' two levels | BoomerAMG", "problem");
    let slanted = "[1.0, 0.5]";
    let round = "[\"0.5 - y\", \"x - 0.5\"]";
    for (name, deck, along, layers) in [
        ("diffusion 64, 2 x 2, 1 layer", diffusion(64, "1"), 2, 1),
        ("diffusion 128, 4 x 4, 1 layer", diffusion(128, "1"), 4, 1),
        ("diffusion 128, 4 x 4, 2 layers", diffusion(128, "1"), 4, 2),
        ("diffusion 96, 12 x 12, 1 layer", diffusion(96, "1"), 12, 1),
        ("contrast 1e2, 128, 4 x 4, 1 layer", diffusion(128, &blocks(1e2)), 4, 1),
        ("contrast 1e6, 128, 4 x 4, 1 layer", diffusion(128, &blocks(1e6)), 4, 1),
        ("waves k = 20, 64, 4 x 4, 1 layer", waves(64, 20.0), 4, 1),
        ("waves k = 20, 64, 4 x 4, 2 layers", waves(64, 20.0), 4, 2),
        ("waves k = 40, 128, 4 x 4, 1 layer", waves(128, 40.0), 4, 1),
        ("waves k = 40, 128, 4 x 4, 2 layers", waves(128, 40.0), 4, 2),
        ("waves k = 40, 128, 8 x 8, 2 layers", waves(128, 40.0), 8, 2),
        ("waves k = 80, 256, 16 x 16, 2 layers", waves(256, 80.0), 16, 2),
        ("long waves k = 0.5, 64, 4 x 4, 1 layer", waves(64, 0.5), 4, 1),
        ("long waves k = 0.5, 64, 8 x 8, 1 layer", waves(64, 0.5), 8, 1),
        ("transport 1e-1, slanted, 128, 4 x 4, 1 layer", transport(128, 1e-1, slanted), 4, 1),
        ("transport 1e-2, slanted, 128, 4 x 4, 1 layer", transport(128, 1e-2, slanted), 4, 1),
        ("transport 1e-4, slanted, 128, 4 x 4, 1 layer", transport(128, 1e-4, slanted), 4, 1),
        ("transport 1e-2, turning, 128, 4 x 4, 1 layer", transport(128, 1e-2, round), 4, 1),
        ("transport 1e-4, turning, 128, 4 x 4, 1 layer", transport(128, 1e-4, round), 4, 1),
    ] {
        let linear = Linear::new(comm, &deck)?;
        let values = linear.restricted(along, layers, None)?;
        let robin: Vec<String> =
            FACTORS.iter().map(|&f| linear.restricted(along, layers, Some(f))).collect::<Result<_>>()?;
        let two = linear.two_levels(along, layers)?;
        println!("{name:<44} {values:>6} | {} | {two} | {}", robin.join(" "), linear.multigrid()?);
    }
    Ok(())
}

/// A linear system and what it is assembled from.
struct Linear {
    prepared: Prepared,
    state: Vec<f64>,
    matrix: Matrix,
    load: Vector,
}

impl Linear {
    fn new(comm: &Comm, deck: &str) -> Result<Self> {
        let simulation = Simulation::new(comm, &Deck::parse(deck, "benchmark", &[])?)?;
        let problem = simulation.stages[0].problem.clone();
        let prepared = problem.at(&simulation.default_context())?;
        let (mut matrix, mut load) = (problem.new_matrix()?, problem.space.field()?);
        let state = vec![0.0; problem.space.local_nodes() * problem.space.components];
        prepared.tangent(FormState::steady(&state), &prepared.essential, &mut matrix)?;
        prepared.residual(FormState::steady(&state), &mut load)?;
        load.scale(-1.0)?;
        prepared.essential.clear(&mut load.write()?);
        Ok(Self { prepared, state, matrix, load })
    }

    fn krylov(&self, prefix: &str, options: &str) -> Result<KrylovSolver> {
        let mut krylov = KrylovSolver::new(self.prepared.problem().space.mesh.comm.mpi())?;
        // Options stay with a prefix.
        krylov.set_prefix(prefix)?;
        krylov.set_operators(&self.matrix, &self.matrix)?;
        krylov.set_options(options)?;
        Ok(krylov)
    }

    /// Iterations from zero, or a dash where they are too many.
    fn count(&self, krylov: &mut KrylovSolver) -> Result<String> {
        krylov.set_tolerances(1e-8, 0.0, MOST)?;
        let mut solution = self.load.duplicate()?;
        let outcome = krylov.solve(&self.load, &mut solution)?;
        Ok(if outcome.reason.converged() { outcome.iterations.to_string() } else { "-".into() })
    }

    fn restricted(&self, along: usize, layers: u32, robin: Option<f64>) -> Result<String> {
        let problem = self.prepared.problem();
        let space = &problem.space;
        let measures = measures(space);
        let (experts, ends) = (boxes(space, along), [(along * along) as u32]);
        let subdomains = Subdomains::with_experts(space, layers, &measures, &experts, &ends)?;
        let schwarz = RestrictedSchwarz::with_subdomains(problem, subdomains, robin, &measures)?;
        let mut krylov = self.krylov(
            "restricted_",
            "-ksp_type gmres -ksp_gmres_restart 400 -ksp_pc_side right -pc_type asm -sub_ksp_type preonly \
             -sub_pc_type lu -sub_pc_factor_mat_solver_type mumps",
        )?;
        schwarz.attach(&mut krylov.preconditioner()?)?;
        schwarz.update(&self.prepared, FormState::steady(&self.state))?;
        self.count(&mut krylov)
    }

    /// The two-level method with constants on the experts, of symmetric matrices.
    fn two_levels(&self, along: usize, layers: u32) -> Result<String> {
        let problem = self.prepared.problem();
        let facts = problem.facts();
        if !facts.symmetric && !facts.complex {
            return Ok("-".into());
        }
        let space = &problem.space;
        let gating = Gating::with_experts(space, layers, &boxes(space, along), &[(along * along) as u32])?;
        let mixture = Mixture::new(space.clone(), Rc::new(gating), Some(CoarseModes::Constants));
        Options::global()?.set("-two_experts_sub_pc_type", "lu")?;
        let mut krylov = self.preconditioned("two", "none")?;
        Schwarz::new("two", &mixture, &self.matrix)?.attach(&krylov)?;
        self.count(&mut krylov)
    }

    fn multigrid(&self) -> Result<String> {
        self.count(&mut self.preconditioned("multigrid", "hypre")?)
    }

    /// Conjugate gradients, or GMRES from the right.
    fn preconditioned(&self, name: &str, kind: &str) -> Result<KrylovSolver> {
        let method = match self.prepared.problem().facts().symmetric {
            true => "cg",
            false => "gmres -ksp_gmres_restart 400 -ksp_pc_side right",
        };
        let options = format!("-ksp_type {method} -ksp_norm_type unpreconditioned -pc_type {kind}");
        self.krylov(&format!("{name}_{}_", &method[..2]), &options)
    }
}

/// The expert of each cell of a square in boxes.
fn boxes(space: &Space, along: usize) -> Vec<u32> {
    let mesh = &space.mesh;
    let place = |cell: usize, axis: usize| {
        let corners = mesh.cell_vertices(cell);
        let sum: f64 = corners.iter().map(|&v| mesh.vertex(v as usize)[axis]).sum();
        (sum / corners.len() as f64 * along as f64) as usize
    };
    (0..mesh.local_cells()).map(|cell| (place(cell, 1) * along + place(cell, 0)) as u32).collect()
}

/// Whole decks with the methods that a deck can choose.
fn seconds(comm: &Comm, full: bool) -> Result<()> {
    let solid = |cells: usize, physics: &str, condition: &str| {
        let sides = SIDES.replace("\"top\"", "\"top\", \"front\", \"back\"");
        format!(
            "[mesh]\nbox = {{ cell = \"hexahedron\", cells = [{cells}, {cells}, {cells}] }}\n\
             [[physics]]\nsource = \"exp(-200*((x - 0.3)^2 + (y - 0.62)^2 + (z - 0.4)^2))\"\n{physics}{sides}{condition}\n"
        )
    };
    let wave = |k: f64| format!("degree = 1\nmodel = \"helmholtz\"\nwave_number = {k:?}\n");
    let carried = |k: f64| {
        format!(
            "degree = 1\nmodel = \"advection_diffusion\"\ndiffusivity = {k:?}\nvelocity = [1.0, 0.5, 0.25]\n"
        )
    };
    let mut cases = vec![
        ("waves in the plane, 128, k = 40", waves(128, 40.0), "direct"),
        ("waves in the plane, 256, k = 80", waves(256, 80.0), "direct"),
        ("waves in space, 14, k = 8", solid(14, &wave(8.0), "absorbing = 8.0"), "direct"),
        ("waves in space, 20, k = 12", solid(20, &wave(12.0), "absorbing = 12.0"), "direct"),
        ("waves in space, 28, k = 17", solid(28, &wave(17.0), "absorbing = 17.0"), "direct"),
        ("transport in the plane, 256, 1e-2", transport(256, 1e-2, "[1.0, 0.5]"), "amg"),
        ("transport in the plane, 256, 1e-4", transport(256, 1e-4, "[1.0, 0.5]"), "amg"),
        ("transport in space, 40, 1e-2", solid(40, &carried(1e-2), "value = 0.0"), "amg"),
        ("transport in space, 40, 1e-4", solid(40, &carried(1e-4), "value = 0.0"), "amg"),
    ];
    if full {
        cases.push(("waves in space, 40, k = 25", solid(40, &wave(25.0), "absorbing = 25.0"), "direct"));
    }
    if comm.rank() == 0 {
        println!("\nwhole decks, residual 1e-8, {} ranks: seconds of a solve (experts)", comm.size());
    }
    for (name, deck, other) in cases {
        let mut line = format!("{name:<36}");
        for (label, solver) in [
            ("schwarz, robin", "method = \"schwarz\""),
            ("schwarz, overlap", "method = \"schwarz\"\ninterface = \"overlap\""),
            (other, &format!("method = \"{other}\"")),
        ] {
            let deck = Deck::parse(&format!("[solver]\n{solver}\n{deck}"), "benchmark", &[])?;
            let mut simulation = Simulation::new(comm, &deck)?;
            let context = simulation.default_context();
            comm.barrier();
            let start = Instant::now();
            let said = match simulation.solve(&context) {
                Ok(()) => format!("{:.2}", start.elapsed().as_secs_f64()),
                Err(_) => "fails".into(),
            };
            line += &format!(" | {label} {said}");
            if label.ends_with("robin") {
                line += &format!(" ({})", simulation.stages[0].problem.space.mesh.global_experts);
            }
        }
        if comm.rank() == 0 {
            println!("{line}");
        }
    }
    Ok(())
}
