//! What a learned preconditioner could be worth: iterations and costs of incomplete factors, the best that training finds on
//! their pattern, and algebraic multigrid, for diffusion with random coefficients.
//!
//! usage: cargo bench --bench learned_preconditioner [-- fields=N] [steps=N]
//!
//! No network is trained. Each stands in its best light instead: a factor with the pattern of the matrix is fitted to the
//! very matrix that it then preconditions, which no network that has to guess it can beat at the same loss; what networks of
//! published sizes cost is that of their products at the speed of dense matrices, without memory traffic.
#[path = "recycling/darcy.rs"]
mod darcy;
#[path = "learned_preconditioner/factor.rs"]
mod factor;

use factor::{Factor, Stencil};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use mpi::traits::*;
use petsc_rs::{KrylovSolver, Matrix, Options, Vector};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::time::Instant;
use tessera::Result;
use tessera::parallel::Comm;

const SHARES: [f64; 4] = [0.9, 0.97, 0.99, 1.0];
const BOOMERAMG: &str = "-pc_type hypre -pc_hypre_boomeramg_relax_type_all symmetric-SOR/Jacobi";

fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let number = |key: &str, usual: usize| {
        arguments.iter().find_map(|a| a.strip_prefix(key)?.strip_prefix('=')?.parse().ok()).unwrap_or(usual)
    };
    let universe = tessera::parallel::initialize().expect("MPI starts");
    let comm = Comm::new(universe.world().duplicate());
    let _petsc = petsc_rs::Petsc::initialize(comm.mpi(), &[])?;
    if comm.size() > 1 {
        return Err(tessera::Error::Failed("this benchmark runs on one rank".into()));
    }
    let (fields, steps) = (number("fields", 4), number("steps", 2000));
    println!("five-point diffusion, conjugate gradients to 1e-8, mean iterations of {fields} fields");
    println!(
        "trained: the factor on the pattern of the matrix after {steps} steps of Adam on this matrix alone"
    );
    for (n, kind) in [(64, "12 or 3"), (128, "12 or 3"), (128, "exp(1.5 g)")] {
        table(&comm, n, kind, fields, steps)?;
    }
    costs(&comm)
}

/// Coefficients of the cells: two materials or log-normal, from a field of deviation 1.
fn coefficients(n: usize, kind: &str, seed: u64) -> Vec<f64> {
    let g = darcy::field(&mut ChaCha8Rng::seed_from_u64(seed), n);
    let deviation = (g.iter().map(|v| v * v).sum::<f64>() / g.len() as f64).sqrt();
    let value = |g: &f64| match kind {
        "12 or 3" => {
            if *g > 0.0 {
                12.0
            } else {
                3.0
            }
        }
        _ => (1.5 * g / deviation).exp(),
    };
    g.iter().map(value).collect()
}

fn table(comm: &Comm, n: usize, kind: &str, fields: usize, steps: usize) -> Result<()> {
    let mut rows: Vec<(String, usize)> = Vec::new();
    let mut add = |name: &str, iterations: usize| match rows.iter_mut().find(|row| row.0 == name) {
        Some(row) => row.1 += iterations,
        None => rows.push((name.into(), iterations)),
    };
    let mut kept: Option<KrylovSolver> = None;
    for seed in 0..fields as u64 {
        let a = coefficients(n, kind, seed);
        let matrix = darcy::finite_volumes(comm, n, &a, &[])?;
        let stencil = Stencil::of(&matrix, n)?;
        let mut load = matrix.vectors()?.1;
        load.set(1.0)?;
        let solve = |options: &str| count(&mut krylov(comm, &matrix, options)?, &load);
        add("Jacobi", solve("-pc_type jacobi")?);
        add("IC(0), PETSc's", solve("-pc_type icc")?);
        let with = |factor: Factor| -> Result<usize> {
            let mut krylov = krylov(comm, &matrix, "-pc_type none")?;
            krylov.preconditioner()?.set_shell(true, move |x: &Vector, y: &mut Vector| {
                factor.solve(&x.read()?, &mut y.write()?);
                Ok(())
            })?;
            count(&mut krylov, &load)
        };
        add("MIC(0)", with(Factor::modified(&stencil, 0.0))?);
        let mut best = usize::MAX;
        for share in SHARES {
            let iterations = with(Factor::modified(&stencil, share))?;
            best = best.min(iterations);
            add(&format!("MIC({share})"), iterations);
        }
        add("MIC, best share of each", best);
        for (name, start) in [("trained from IC(0)", 0.0), ("trained from MIC(0.97)", 0.97)] {
            let mut krylov = krylov(comm, &matrix, BOOMERAMG)?;
            let pairs = factor::pairs(&mut krylov, &load, 32, seed)?;
            add(name, with(Factor::modified(&stencil, start).trained(&stencil, &pairs, steps))?);
        }
        add("BoomerAMG", solve(BOOMERAMG)?);
        let first = match &mut kept {
            Some(first) => {
                first.set_reuse_preconditioner(true)?;
                first.set_operators(&matrix, &matrix)?;
                first
            }
            None => kept.insert(self::krylov(comm, &matrix, BOOMERAMG)?),
        };
        add("BoomerAMG of the first field", count(first, &load)?);
    }
    println!("\n{n} x {n}, coefficients {kind}");
    for (name, sum) in rows {
        println!("  {name:<30} {:6.1}", sum as f64 / fields as f64);
    }
    Ok(())
}

fn krylov(comm: &Comm, matrix: &Matrix, options: &str) -> Result<KrylovSolver> {
    let mut krylov = KrylovSolver::new(comm.mpi())?;
    krylov.set_prefix("bench_")?;
    krylov.set_operators(matrix, matrix)?;
    let added = krylov.set_options(&format!("-ksp_type cg -ksp_norm_type unpreconditioned {options}"))?;
    // The next solver has others.
    let mut all = Options::global()?;
    added.iter().try_for_each(|option| all.clear(option))?;
    krylov.set_tolerances(1e-8, 0.0, 5000)?;
    Ok(krylov)
}

/// Iterations; 5000 are those of a solve that does not converge.
fn count(krylov: &mut KrylovSolver, load: &Vector) -> Result<usize> {
    let mut x = load.duplicate()?;
    Ok(krylov.solve(load, &mut x)?.iterations)
}

/// The least seconds of some calls.
fn seconds(times: usize, mut call: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..times {
        let start = Instant::now();
        call()?;
        least = least.min(start.elapsed().as_secs_f64());
    }
    Ok(least)
}

/// Costs in products with the matrix, for 40,000 unknowns.
fn costs(comm: &Comm) -> Result<()> {
    let n = 200;
    let matrix = darcy::finite_volumes(comm, n, &coefficients(n, "12 or 3", 0), &[])?;
    let mut load = matrix.vectors()?.1;
    load.set(1.0)?;
    let mut y = load.duplicate()?;
    let product = seconds(200, || Ok(matrix.mult(&load, &mut y)?))?;
    let of = |options: &str| -> Result<(f64, usize)> {
        let mut iterations = 0;
        let time = seconds(5, || {
            iterations = count(&mut krylov(comm, &matrix, options)?, &load)?;
            Ok(())
        })?;
        Ok((time / product, iterations))
    };
    let (amg, amg_iterations) = of(BOOMERAMG)?;
    let (icc, icc_iterations) = of("-pc_type icc")?;
    // Single precision at twice the speed of double.
    let m = 256;
    let (a, mut c) = (Mat::from_fn(m, m, |i, j| (i * 7 + j) as f64 / 1e4), Mat::zeros(m, m));
    let dense = seconds(50, || {
        matmul(c.as_mut(), Accum::Replace, a.as_ref(), a.as_ref(), 1.0, Par::Seq);
        Ok(())
    })?;
    let rate = 2.0 * 2.0 * (m as f64).powi(3) / dense;
    let (cells, edges) = ((n * n) as f64, 3.0 * (n * n) as f64 - 2.0 * n as f64);
    // Three blocks of two graph networks: an edge goes from 18 numbers to 8 to 1, a node from 9 to 8 to 8.
    let graph = 2.0 * 6.0 * (edges * (18.0 * 8.0 + 8.0) + cells * (9.0 * 8.0 + 8.0 * 8.0));
    // Eight convolutions on the grid, six on one of half as many cells a side, 16 to 16 channels, 3 x 3 cells.
    let convolution = 2.0 * cells * (8.0 + 6.0 / 4.0) * 16.0 * 16.0 * 9.0;
    let products = |flops: f64| flops / rate / product;
    println!(
        "\n{} unknowns; a product with the matrix takes {:.3} ms; dense products {:.0} GFLOP/s in single precision",
        n * n,
        1e3 * product,
        1e-9 * rate
    );
    println!("  in products with the matrix:");
    println!("  CG with BoomerAMG, set-up and solve     {amg:8.0}   ({amg_iterations} iterations)");
    println!("  CG with IC(0), set-up and solve         {icc:8.0}   ({icc_iterations} iterations)");
    println!("  graph network (NeuralIF), one inference {:8.0}   {:.0} MFLOP", products(graph), 1e-6 * graph);
    println!(
        "  convolutions (DCDM), one application    {:8.0}   {:.0} MFLOP",
        products(convolution),
        1e-6 * convolution
    );
    let step = icc / icc_iterations as f64;
    println!(
        "  an iteration with a factor on the pattern costs {step:.1}: next to BoomerAMG it may take {:.0}",
        amg / step
    );
    Ok(())
}
