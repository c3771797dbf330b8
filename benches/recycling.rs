//! Sequences of linear systems: what carrying a Krylov space from one to the next is worth, beside the best that
//! PETSc does for each system by itself.
//!
//! usage: cargo bench --bench recycling [-- CASE...] [full] [systems=N]
//!
//! The published comparison (Wang and others, ICLR 2024) takes GMRES restarted at 40 as the baseline. Here are its
//! parts: GMRES without restart and CG show what the restart costs, `reset` is GCRO-DR without memory, `carried` and
//! `sorted` add the memory and an order of the systems.
#[path = "recycling/cases.rs"]
mod cases;
#[path = "recycling/darcy.rs"]
mod darcy;

use cases::Case;
use mpi::traits::Communicator;
use petsc_rs::{KrylovSolver, Norm, Vector};
use std::time::Instant;
use tessera::Result;
use tessera::parallel::Comm;
use tessera::solver::{RecycleMethod, Recycler};

const RESTART: usize = 40;
const DIMENSION: usize = 20;
/// Iterations after which a solve counts as failed; with a preconditioner that was kept: 400.
const MOST: usize = 4000;

fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let full = arguments.iter().any(|a| a == "full");
    let systems = arguments.iter().find_map(|a| a.strip_prefix("systems=")?.parse().ok()).unwrap_or(20);
    let universe = tessera::parallel::initialize().expect("MPI starts");
    let comm = Comm::new(universe.world().duplicate());
    let _petsc = petsc_rs::Petsc::initialize(comm.mpi(), &[])?;
    let names: Vec<&String> = arguments.iter().filter(|a| *a != "full" && !a.contains('=')).collect();
    for case in cases::all(&comm, systems)? {
        if names.is_empty() || names.iter().any(|name| case.name.contains(name.as_str())) {
            compare(&comm, &case, full)?;
        }
    }
    Ok(())
}

fn compare(comm: &Comm, case: &Case, full: bool) -> Result<()> {
    let (preconditioners, tolerances): (&[&str], &[f64]) = match full {
        true => (&["none", "jacobi", "ilu", "asm"], &[1e-5, 1e-8, 1e-11]),
        false => (&["ilu"], &[1e-8]),
    };
    let order = nearest_neighbours(&case.parameters);
    let line = |text: String| {
        if comm.rank() == 0 {
            println!("{text}");
        }
    };
    line(format!(
        "\n{}: {} systems of {} unknowns; {}",
        case.name,
        case.matrices.len(),
        case.matrices[0].global_size().0,
        case.note
    ));
    let unsorted: Vec<usize> = (0..order.len()).collect();
    for &tolerance in tolerances {
        for &pc in preconditioners {
            line(format!("  tolerance {tolerance:.0e}, preconditioner {pc:<26} iterations   ms/solve"));
            let mut rows: Vec<(String, Run)> = Vec::new();
            let gmres = |restart| {
                format!(
                    "-ksp_type gmres -ksp_gmres_restart {restart} -ksp_pc_side right -pc_type {}",
                    named(pc, false)
                )
            };
            rows.push(("GMRES(40)".into(), Run::petsc(&gmres(40), false)));
            rows.push(("GMRES, no restart".into(), Run::petsc(&gmres(2000), false)));
            let gcro = format!("-pc_type {}", named(pc, false));
            let cg = format!("-ksp_type cg -pc_type {}", named(pc, true));
            if case.definite {
                rows.push(("CG".into(), Run::petsc(&cg, false)));
            }
            let memory = |method, keep, order: &[usize], options: &str| Run {
                options: options.into(),
                reuse: false,
                memory: Some((method, keep)),
                order: order.to_vec(),
            };
            rows.push((
                "GCRO-DR(40,20), reset".into(),
                memory(RecycleMethod::GcroDr, false, &unsorted, &gcro),
            ));
            rows.push((
                "GCRO-DR(40,20), carried".into(),
                memory(RecycleMethod::GcroDr, true, &unsorted, &gcro),
            ));
            rows.push(("GCRO-DR(40,20), sorted".into(), memory(RecycleMethod::GcroDr, true, &order, &gcro)));
            if case.definite {
                rows.push((
                    "deflated CG(20), carried".into(),
                    memory(RecycleMethod::Cg, true, &unsorted, &cg),
                ));
                rows.push(("deflated CG(20), sorted".into(), memory(RecycleMethod::Cg, true, &order, &cg)));
            }
            for (name, run) in rows {
                line(measure(comm, case, &name, &run, tolerance)?);
            }
        }
        line(format!(
            "  tolerance {tolerance:.0e}, the best of PETSc                       iterations   ms/solve"
        ));
        for (name, options) in peers(case) {
            for reuse in [false, true] {
                let name = if reuse { format!("{name}, first kept") } else { name.to_string() };
                line(measure(comm, case, &name, &Run::petsc(options, reuse), tolerance)?);
            }
        }
    }
    Ok(())
}

/// Preconditioners by PETSc's names; ICC is ILU for symmetric matrices.
fn named(pc: &str, symmetric: bool) -> &str {
    match (pc, symmetric) {
        ("ilu", true) => "icc",
        ("asm", true) => "asm -pc_asm_type basic -pc_asm_local_blocks 4 -sub_pc_type icc",
        ("asm", false) => "asm -pc_asm_local_blocks 4",
        (pc, _) => pc,
    }
}

fn peers(case: &Case) -> Vec<(&'static str, &'static str)> {
    if !case.definite {
        return vec![
            ("LU, MUMPS", "-ksp_type gmres -ksp_pc_side right -pc_type lu -pc_factor_mat_solver_type mumps"),
            (
                "LDL^T, MUMPS",
                "-ksp_type gmres -ksp_pc_side right -pc_type cholesky -pc_factor_mat_solver_type mumps",
            ),
            ("LU, PETSc's", "-ksp_type gmres -ksp_pc_side right -pc_type redundant -redundant_pc_type lu"),
        ];
    }
    vec![
        ("CG, ICC", "-ksp_type cg -pc_type icc"),
        ("CG, GAMG", "-ksp_type cg -pc_type gamg"),
        ("CG, BoomerAMG", "-ksp_type cg -pc_type hypre -pc_hypre_type boomeramg"),
        ("Cholesky, MUMPS", "-ksp_type cg -pc_type cholesky -pc_factor_mat_solver_type mumps"),
        ("Cholesky, PETSc's", "-ksp_type cg -pc_type redundant -redundant_pc_type cholesky"),
    ]
}

/// A way to solve the sequence.
struct Run {
    options: String,
    /// Keep the preconditioner of the first system.
    reuse: bool,
    /// Our method, and whether it remembers.
    memory: Option<(RecycleMethod, bool)>,
    order: Vec<usize>,
}

impl Run {
    fn petsc(options: &str, reuse: bool) -> Self {
        Self { options: options.into(), reuse, memory: None, order: Vec::new() }
    }
}

fn measure(comm: &Comm, case: &Case, name: &str, run: &Run, tolerance: f64) -> Result<String> {
    let mut krylov = KrylovSolver::new(comm.mpi())?;
    let added = krylov.set_options(&format!("{} -ksp_norm_type unpreconditioned", run.options))?;
    let mut memory = match run.memory {
        Some((method, _)) => Some(Recycler::new(comm, method, DIMENSION, RESTART)?),
        None => None,
    };
    let order: Vec<usize> = match run.order.is_empty() {
        true => (0..case.matrices.len()).collect(),
        false => run.order.clone(),
    };
    let (mut iterations, mut failed, mut worst) = (Vec::new(), 0, 0.0_f64);
    comm.barrier();
    let start = Instant::now();
    let mut checking = 0.0;
    for (number, &index) in order.iter().enumerate() {
        let (matrix, load) = (&case.matrices[index], &case.loads[index.min(case.loads.len() - 1)]);
        krylov.set_reuse_preconditioner(run.reuse && number > 0)?;
        krylov.set_operators(matrix, matrix)?;
        krylov.set_up()?;
        let mut x = load.duplicate()?;
        let goal = tolerance * load.norm(Norm::Two)?;
        let most = if run.reuse { 400 } else { MOST };
        krylov.set_tolerances(0.0, goal, most)?;
        let reason = match (&mut memory, run.memory) {
            (Some(memory), Some((_, keep))) => {
                if keep {
                    memory.operator_changed()
                } else {
                    memory.reset()
                }
                let solved = memory.solve(matrix, &krylov.preconditioner()?, load, &mut x, (goal, most))?;
                iterations.push(solved.iterations);
                solved.reason
            }
            _ => {
                let solved = krylov.solve(load, &mut x)?;
                iterations.push(solved.iterations);
                solved.reason
            }
        };
        failed += usize::from(!reason.converged());
        let check = Instant::now();
        worst = worst.max(residual(matrix, load, &x)? / goal);
        checking += check.elapsed().as_secs_f64();
    }
    let milliseconds = 1e3 * (start.elapsed().as_secs_f64() - checking) / order.len() as f64;
    let mean = iterations.iter().sum::<usize>() as f64 / iterations.len() as f64;
    let mut options = petsc_rs::Options::global()?;
    added.iter().try_for_each(|option| options.clear(option))?;
    let mut note = String::new();
    if failed > 0 {
        note = format!("   {failed} not solved");
    } else if worst > 1.1 {
        note = format!("   true residual {worst:.1} times what was asked for");
    }
    if std::env::var_os("RECYCLING_VERBOSE").is_some() {
        note += &format!("   {iterations:?}");
    }
    Ok(format!("    {name:<50} {mean:>11.1} {milliseconds:>10.2}{note}"))
}

fn residual(matrix: &petsc_rs::Matrix, b: &Vector, x: &Vector) -> Result<f64> {
    let mut r = b.duplicate()?;
    matrix.residual(b, x, &mut r)?;
    Ok(r.norm(Norm::Two)?)
}

/// A greedy chain: from each system to the nearest one that is left.
fn nearest_neighbours(parameters: &[Vec<f64>]) -> Vec<usize> {
    let mut left: Vec<usize> = (1..parameters.len()).collect();
    let mut order = vec![0];
    while !left.is_empty() {
        let here = &parameters[order[order.len() - 1]];
        let distance =
            |i: &usize| -> f64 { parameters[*i].iter().zip(here).map(|(a, b)| (a - b) * (a - b)).sum() };
        let best = (0..left.len()).min_by(|&a, &b| distance(&left[a]).total_cmp(&distance(&left[b])));
        order.push(left.swap_remove(best.expect("some are left")));
    }
    order
}
