//! The sequences.
use super::darcy::{field, finite_volumes};
use petsc_rs::{Matrix, Vector};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tessera::Result;
use tessera::deck::Deck;
use tessera::parallel::Comm;
use tessera::simulation::Simulation;

/// Systems that belong together.
pub struct Case {
    pub name: String,
    pub note: String,
    pub matrices: Vec<Matrix>,
    /// One for each system, or one for all.
    pub loads: Vec<Vector>,
    /// What systems are compared by for sorting.
    pub parameters: Vec<Vec<f64>>,
    /// Symmetric and positive definite.
    pub definite: bool,
}

pub fn all(comm: &Comm, systems: usize) -> Result<Vec<Case>> {
    Ok(vec![
        darcy(comm, 80, 1.0, systems)?,
        darcy(comm, 100, 1.0, systems)?,
        darcy(comm, 100, 3.2, systems)?,
        helmholtz(comm, 100, systems)?,
        thermal(comm, systems)?,
        poisson(comm, systems)?,
    ])
}

/// `-lap u - k^2 u = 1` with k = 12 (1 + g / 5), zero on the boundary: a few negative eigenvalues.
fn helmholtz(comm: &Comm, n: usize, systems: usize) -> Result<Case> {
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let (mut matrices, mut parameters) = (Vec::new(), Vec::new());
    for _ in 0..systems {
        let g = field(&mut random, n);
        let h = 1.0 / n as f64;
        let reaction: Vec<f64> = g.iter().map(|g| -(12.0 * (1.0 + 0.2 * g) * h).powi(2)).collect();
        matrices.push(finite_volumes(comm, n, &vec![1.0; n * n], &reaction)?);
        parameters.push(g);
    }
    let mut load = matrices[0].vectors()?.1;
    load.set(1.0 / (n * n) as f64)?;
    Ok(Case {
        name: format!("Helmholtz {}", n * n),
        note: "finite volumes, random wave number about 12, indefinite".into(),
        matrices,
        loads: vec![load],
        parameters,
        definite: false,
    })
}

/// A plate of two materials, cooled on one side: conductivity of the inclusion, film coefficient, source.
fn thermal(comm: &Comm, systems: usize) -> Result<Case> {
    let deck = "[mesh]\nbox = { cell = \"triangle\", cells = [104, 104] }\n\
        [parameters]\na = 1.0\nb = 1.0\nc = 1.0\n[[physics]]\nmodel = \"diffusion\"\n\
        conductivity = \"1 + a*exp(-40*((x-0.4)^2 + (y-0.6)^2))\"\nsource = \"c*x\"\n\
        boundary = [{ marker = \"left\", value = \"y\" }, { marker = \"right\", coefficient = \"b\", ambient = 0 }]\n";
    from_deck(comm, "thermal", "P1 triangles; conductivity, film coefficient and source vary", deck, systems)
}

/// One matrix, many sources.
fn poisson(comm: &Comm, systems: usize) -> Result<Case> {
    let deck = "[mesh]\nbox = { cell = \"triangle\", cells = [101, 101] }\n\
        [parameters]\na = 1.0\nb = 1.0\nc = 1.0\n[[physics]]\nmodel = \"diffusion\"\n\
        conductivity = 1\nsource = \"sin(a*x + b*y) + c*x*y\"\n\
        boundary = [{ marker = \"left\", value = \"a*y\" }, { marker = \"right\", value = 0 }]\n";
    from_deck(
        comm,
        "Poisson",
        "P1 triangles; the matrix stays, source and boundary values vary",
        deck,
        systems,
    )
}

/// The systems of a deck with three parameters between 0.5 and 8.
fn from_deck(comm: &Comm, name: &str, note: &str, deck: &str, systems: usize) -> Result<Case> {
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let mut simulation = Simulation::new(comm, &Deck::parse(deck, "recycling", &[])?)?;
    let mut context = simulation.default_context();
    let (mut matrices, mut loads, mut parameters) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..systems {
        let values: Vec<f64> = (0..3).map(|_| 0.5 * 16.0_f64.powf(random.random::<f64>())).collect();
        context.parameters = values.clone();
        let stage = &mut simulation.stages[0];
        stage.assemble(&context)?;
        matrices.push(stage.assembled().matrix.duplicate(true)?);
        loads.push(stage.assembled().load.try_clone()?);
        parameters.push(values.iter().map(|v| v.ln()).collect());
    }
    let name = format!("{name} {}", matrices[0].global_size().0);
    Ok(Case { name, note: note.into(), matrices, loads, parameters, definite: true })
}

/// `-div(a grad u) = 1`, zero on the boundary, by finite volumes with harmonic means on n x n cells; a = exp(scale g)
/// with the Gaussian field g of covariance `tau^2 (-lap + tau^2)^-2`, tau = 3, without its mean, free of
/// flux at the boundary.
fn darcy(comm: &Comm, n: usize, scale: f64, systems: usize) -> Result<Case> {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let (mut matrices, mut parameters, mut contrast) = (Vec::new(), Vec::new(), 0.0);
    for _ in 0..systems {
        let log: Vec<f64> = field(&mut random, n).iter().map(|g| scale * g).collect();
        let a: Vec<f64> = log.iter().map(|g| g.exp()).collect();
        contrast += a.iter().copied().fold(0.0, f64::max) / a.iter().copied().fold(f64::INFINITY, f64::min);
        matrices.push(finite_volumes(comm, n, &a, &[])?);
        parameters.push(log);
    }
    let contrast = contrast / systems as f64;
    let mut load = matrices[0].vectors()?.1;
    load.set(1.0 / (n * n) as f64)?;
    Ok(Case {
        name: format!("Darcy {} {}", n * n, if scale > 1.0 { "strong" } else { "mild" }),
        note: format!("finite volumes, log-normal coefficient, mean contrast {contrast:.0}"),
        matrices,
        loads: vec![load],
        parameters,
        definite: true,
    })
}
