//! Assembly of Taylor-Hood Navier-Stokes beside dolfinx: residual and exact tangent, time per cell.
//!
//! usage: flow [N triangle|quadrilateral|tetrahedron|hexahedron]
//!
//! With arguments it prints `name value` lines as `benches/peers/dolfinx_flow.py` does; without, it runs both
//! and prints the ratios.
use std::process::Command;
use std::rc::Rc;
use std::time::Instant;
use tessera::deck::Deck;
use tessera::fem::{Essential, Parts};
use tessera::mesh::Mesh;
use tessera::parallel::Comm;
use tessera::physics::{Context, FormState, build};

type Pairs = Vec<(String, f64)>;

const CASES: [(&str, usize); 4] =
    [("triangle", 100), ("quadrilateral", 80), ("tetrahedron", 16), ("hexahedron", 12)];

fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run() -> tessera::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match &arguments[..] {
        [n, cell] => measure(n, cell),
        _ => compare(),
    }
}

fn measure(n: &str, cell: &str) -> tessera::Result<()> {
    let universe = tessera::parallel::initialize().expect("MPI starts");
    let comm = Comm::new(mpi::traits::Communicator::duplicate(&universe.world()));
    let _petsc = petsc_rs::Petsc::initialize(comm.mpi(), &[])?;
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("first use of rayon");
    let dimension = if matches!(cell, "triangle" | "quadrilateral") { 2 } else { 3 };
    let list = vec![n; dimension].join(", ");
    let text = format!(
        "[mesh]\nbox = {{ cell = \"{cell}\", cells = [{list}] }}\n\
         [[physics]]\nmodel = \"navier_stokes\"\nviscosity = 0.01\n\
         [[physics.boundary]]\nmarker = \"left\"\nvalue = 0.0\n"
    );
    let deck = Deck::parse(&text, "benchmark", &[])?;
    let mesh = Rc::new(Mesh::build(&comm, &deck.mesh_source(), &deck.partition_options())?);
    let problem = build::build(&deck, 0, &mesh, &[])?;
    let space = &problem.space;
    let mut matrix = problem.new_matrix()?;
    let mut residual = space.field()?;
    let mut state = vec![0.0; space.local_nodes() * space.components];
    for (node, values) in state.chunks_exact_mut(space.components).enumerate() {
        let x = space.point(node);
        for k in 0..dimension {
            values[k] = (x[0] + 2.0 * x[1] + 3.0 * k as f64).sin();
        }
        values[dimension] = (x[0] - x[1]).cos();
    }
    let essential = Essential::new(space, []);
    let coefficients = problem.evaluate(&Context::default());
    let at = FormState { coefficients: &coefficients, state: &state, history: None, parts: Parts::REST };
    let best = |work: &mut dyn FnMut() -> tessera::Result<()>| -> tessera::Result<f64> {
        let mut best = f64::INFINITY;
        for _ in 0..5 {
            let start = Instant::now();
            work()?;
            best = best.min(start.elapsed().as_secs_f64());
        }
        Ok(best)
    };
    println!("residual {}", best(&mut || problem.form(at, &mut residual))?);
    println!("tangent {}", best(&mut || problem.tangent(at, &essential, &mut matrix))?);
    println!("cells {}", mesh.owned_cells);
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
        println!("flow: skipped, there is no dolfinx (Debian: apt install python3-dolfinx-real)");
        return Ok(());
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/dolfinx_flow.py");
    let this = std::env::current_exe().map_err(|error| tessera::Error::Failed(error.to_string()))?;
    println!("microseconds a cell, one core; the best of five");
    println!("{:16}{:>10}{:>10}{:>10}{:>8}", "cell", "", "tessera", "dolfinx", "ratio");
    for (cell, n) in CASES {
        let n = n.to_string();
        let ours = pairs(Command::new(&this).args([&n, cell]))?;
        let theirs = pairs(Command::new("/usr/bin/python3").arg(script).args([&n, cell]))?;
        let get = |list: &Pairs, name: &str| list.iter().find(|p| p.0 == name).map_or(f64::NAN, |p| p.1);
        for what in ["residual", "tangent"] {
            let [a, b] = [&ours, &theirs].map(|list| get(list, what) / get(list, "cells") * 1e6);
            println!("{cell:16}{what:>10}{a:>10.3}{b:>10.3}{:>8.2}", b / a);
            let norm = format!("{what}_norm");
            let [a, b] = [&ours, &theirs].map(|list| get(list, &norm));
            if (a - b).abs().is_nan() || (a - b).abs() > 1e-6 * b {
                let message = format!("{cell}: the programs differ: {norm} {a} and {b}");
                return Err(tessera::Error::Failed(message));
            }
        }
    }
    Ok(())
}
