//! Assembly of nonlinear forms beside dolfinx, residual and exact tangent: Navier-Stokes on Taylor-Hood elements,
//! and viscoplasticity with the update of the material at every quadrature point.
//!
//! usage: forms [flow|viscoplasticity N triangle|quadrilateral|tetrahedron|hexahedron]
//!
//! With arguments it prints `name value` lines as `benches/peers/dolfinx_flow.py` and
//! `benches/peers/dolfinx_viscoplasticity.py` do; without, it runs all and prints the ratios.
use std::process::Command;
use std::rc::Rc;
use std::time::Instant;
use tessera::deck::Deck;
use tessera::fem::{Essential, Parts};
use tessera::mesh::Mesh;
use tessera::parallel::Comm;
use tessera::physics::{Context, FormState, build};

type Pairs = Vec<(String, f64)>;

const CASES: [(&str, &str, usize); 6] = [
    ("flow", "triangle", 100),
    ("flow", "quadrilateral", 80),
    ("flow", "tetrahedron", 16),
    ("flow", "hexahedron", 12),
    ("viscoplasticity", "tetrahedron", 32),
    ("viscoplasticity", "hexahedron", 16),
];

fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run() -> tessera::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match &arguments[..] {
        [model, n, cell] => measure(model, n, cell),
        _ => compare(),
    }
}

fn measure(model: &str, n: &str, cell: &str) -> tessera::Result<()> {
    let universe = tessera::parallel::initialize().expect("MPI starts");
    let comm = Comm::new(mpi::traits::Communicator::duplicate(&universe.world()));
    let _petsc = petsc_rs::Petsc::initialize(comm.mpi(), &[])?;
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("first use of rayon");
    let dimension = if matches!(cell, "triangle" | "quadrilateral") { 2 } else { 3 };
    let list = vec![n; dimension].join(", ");
    // The second model needs a section [time]; the step is what `parts` says.
    let physics = match model {
        "flow" => "[[physics]]\nmodel = \"navier_stokes\"\nviscosity = 0.01\n",
        _ => {
            "[time]\nend = 1.0\nstep = 0.1\n[[physics]]\nmodel = \"viscoplasticity\"\n\
             young = 200e9\npoisson = 0.3\nyield_stress = 100e6\ndrag_stress = 200e6\nrate_exponent = 5\n\
             kinematic_modulus = 30e9\ndynamic_recovery = 200\nisotropic_saturation = 40e6\nisotropic_rate = 20\n"
        }
    };
    // Linear tetrahedra, quadratic hexahedra; a flow's degree is fixed.
    let degree = match (model, cell) {
        ("flow", _) => "",
        (_, "tetrahedron") => "degree = 1\n",
        _ => "degree = 2\n",
    };
    let text = format!(
        "[mesh]\nbox = {{ cell = \"{cell}\", cells = [{list}] }}\n{physics}{degree}\
         [[physics.boundary]]\nmarker = \"left\"\nvalue = 0.0\n"
    );
    let deck = Deck::parse(&text, "benchmark", &[])?;
    let mesh = Rc::new(Mesh::build(&comm, &deck.mesh_source(), &deck.partition_options())?);
    let problem = Rc::new(build::build(&deck, 0, &mesh, &[])?);
    let space = &problem.space;
    let mut matrix = problem.new_matrix()?;
    let mut residual = space.field()?;
    let mut state = vec![0.0; space.local_nodes() * space.components];
    for (node, values) in state.chunks_exact_mut(space.components).enumerate() {
        let x = space.point(node);
        // Half of the metal flows.
        let size = if model == "flow" { 1.0 } else { 5e-4 };
        for k in 0..dimension {
            values[k] = size * (x[0] + 2.0 * x[1] + 3.0 * k as f64).sin();
        }
        if model == "flow" {
            values[dimension] = (x[0] - x[1]).cos();
        }
    }
    let essential = Essential::new(space, []);
    let prepared = problem.at(&Context::default())?;
    let history = problem.new_history();
    let parts = if history.is_some() { Parts { storage: 10.0, residual: 1.0 } } else { Parts::REST };
    let at = FormState { state: &state, history: history.as_ref(), parts };
    let best = |work: &mut dyn FnMut() -> tessera::Result<()>| -> tessera::Result<f64> {
        let mut best = f64::INFINITY;
        for _ in 0..5 {
            let start = Instant::now();
            work()?;
            best = best.min(start.elapsed().as_secs_f64());
        }
        Ok(best)
    };
    println!("residual {}", best(&mut || prepared.residual(at, &mut residual))?);
    println!("tangent {}", best(&mut || prepared.tangent(at, &essential, &mut matrix))?);
    println!("points {}", mesh.owned_cells * problem.integrals[0].groups[0].rule.weights.len());
    println!("residual_norm {}", residual.norm(petsc_rs::Norm::Two)?);
    println!("tangent_norm {}", matrix.norm(petsc_rs::Norm::Frobenius)?);
    Ok(())
}

/// What a program printed.
fn pairs(command: &mut Command) -> tessera::Result<Pairs> {
    let output = command.output().map_err(|error| tessera::Error::Failed(error.to_string()))?;
    if !output.status.success() {
        return Err(tessera::Error::Failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let pair = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        Some((name.to_string(), value.trim().parse().ok()?))
    };
    Ok(text.lines().filter_map(pair).collect())
}

fn compare() -> tessera::Result<()> {
    let peer = Command::new("/usr/bin/python3").args(["-c", "import dolfinx"]).output();
    if !peer.is_ok_and(|output| output.status.success()) {
        println!("forms: skipped, there is no dolfinx (Debian: apt install python3-dolfinx-real)");
        return Ok(());
    }
    let this = std::env::current_exe().map_err(|error| tessera::Error::Failed(error.to_string()))?;
    println!("nanoseconds a quadrature point, one core; the best of five");
    println!("{:32}{:>10}{:>10}{:>10}{:>8}", "", "", "tessera", "dolfinx", "ratio");
    for (model, cell, n) in CASES {
        let script = format!("{}/benches/peers/dolfinx_{model}.py", env!("CARGO_MANIFEST_DIR"));
        let n = n.to_string();
        let ours = pairs(Command::new(&this).args([model, &n, cell]))?;
        let theirs = pairs(Command::new("/usr/bin/python3").arg(script).args([&n, cell]))?;
        let get = |list: &Pairs, name: &str| list.iter().find(|p| p.0 == name).map_or(f64::NAN, |p| p.1);
        for what in ["residual", "tangent"] {
            let [a, b] = [&ours, &theirs].map(|list| get(list, what) / get(&ours, "points") * 1e9);
            println!("{:32}{what:>10}{a:>10.1}{b:>10.1}{:>8.2}", format!("{model} {cell}"), b / a);
            let norm = format!("{what}_norm");
            let [a, b] = [&ours, &theirs].map(|list| get(list, &norm));
            if (a - b).abs().is_nan() || (a - b).abs() > 1e-6 * b {
                let message = format!("{model} {cell}: the programs differ: {norm} {a} and {b}");
                return Err(tessera::Error::Failed(message));
            }
        }
    }
    Ok(())
}
