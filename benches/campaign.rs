//! A campaign of one deck with given settings: seconds a sample, by problem. Without arguments the whole comparison,
//! `campaign.py`, which runs this program again and again.
//!
//! usage: campaign DECK SAMPLES [KEY=VALUE ...] [groups=N]
//!
//! With groups of ranks the samples are dealt out to them beforehand, and what is printed is that of the slowest group.
use mpi::traits::Communicator;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use tessera::campaign::{Campaign, Groups, Selection, campaign_samples};
use tessera::deck::Deck;
use tessera::drivers::output;
use tessera::parallel::Comm;
use tessera::simulation::Simulation;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let result = match arguments.as_slice() {
        [] => compare(),
        [deck, samples, overrides @ ..] => measure(deck, samples, overrides),
        _ => Err(tessera::Error::Failed("usage: campaign DECK SAMPLES [KEY=VALUE ...]".into())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("campaign: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Solves the samples into a file that is thrown away.
fn measure(path: &str, samples: &str, overrides: &[String]) -> tessera::Result<()> {
    let failed = |error: std::io::Error| tessera::Error::Failed(error.to_string());
    let universe = tessera::parallel::initialize().expect("MPI starts");
    let comm = Comm::new(universe.world().duplicate());
    let _petsc = petsc_rs::Petsc::initialize(comm.mpi(), &[])?;
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let mut overrides = overrides.to_vec();
    let mut groups = 1;
    overrides.retain(|word| match word.strip_prefix("groups=").and_then(|count| count.parse().ok()) {
        Some(count) => {
            groups = count;
            false
        }
        None => true,
    });
    let groups = Groups::new(&comm, groups);
    overrides.push(format!("campaign.samples={samples}"));
    let deck = Deck::parse(&text, path, &overrides)?;
    let selection = Selection::new(&deck, &campaign_samples(&comm, &deck)?, None)?;
    let mut simulation = Simulation::new(&groups.comm, &deck)?;
    let dofs: u64 = simulation.stages.iter().map(|s| s.problem.space.global_dofs()).sum();
    let provenance = output::provenance(&simulation, &[]);
    let mut name = std::process::id().to_string().into_bytes();
    comm.broadcast_bytes(0, &mut name);
    let file = std::env::temp_dir().join(format!("tessera-bench-{}.h5", String::from_utf8_lossy(&name)));
    let processor = processor_seconds();
    // The first group makes the file.
    if groups.index > 0 {
        comm.barrier();
    }
    let mut campaign = Campaign::open(&mut simulation, Path::new(&file), &provenance, &selection)?;
    if groups.index == 0 {
        comm.barrier();
    }
    if groups.count > 1 {
        campaign.share();
    }
    let mut failures = 0;
    let mut laps = Vec::new();
    let pending = campaign.ordered()?;
    let pending: Vec<usize> = pending.into_iter().skip(groups.index).step_by(groups.count).collect();
    comm.barrier();
    let start = Instant::now();
    campaign.run(&pending, |report| {
        failures += usize::from(report.failure.is_some());
        laps.push(start.elapsed().as_secs_f64());
        true
    })?;
    let seconds = comm.max(start.elapsed().as_secs_f64());
    let efforts = campaign.efforts();
    campaign.close()?;
    let show = |key: &str, value: f64| {
        if comm.rank() == 0 {
            println!("{key} {value:.9e}");
        }
    };
    show("dofs", dofs as f64);
    show("samples", laps.len() as f64);
    show("failures", failures as f64);
    show("seconds", seconds);
    show("processor", comm.max(processor_seconds() - processor));
    // The later half, when a memory has filled.
    let half = laps.len() / 2;
    if half > 0 {
        show("late", comm.max((laps[laps.len() - 1] - laps[half - 1]) / (laps.len() - half) as f64));
    }
    for effort in &efforts {
        let parts = [
            ("accepted", effort.accepted as f64),
            ("solved", effort.solved as f64),
            ("iterations", effort.iterations as f64),
            ("setups", effort.setups as f64),
            ("basis", effort.basis as f64),
            ("guess", effort.guess_seconds),
            ("assembly", effort.assembly_seconds),
            ("setup", effort.setup_seconds),
            ("solve", effort.solve_seconds),
            ("learning", effort.learning_seconds),
        ];
        for (key, value) in parts {
            show(&format!("{}.{key}", effort.name), comm.max(value));
        }
    }
    comm.barrier();
    if comm.rank() == 0 {
        std::fs::remove_file(&file).map_err(failed)?;
    }
    Ok(())
}

/// Seconds of processor time of this process, from the system's table: what counts on a machine that others use as well.
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0) * 1e-9
}

fn compare() -> tessera::Result<()> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/campaign.py");
    let failed = |error: std::io::Error| tessera::Error::Failed(error.to_string());
    let this = std::env::current_exe().map_err(failed)?;
    let status = std::process::Command::new("python3").arg(script).arg(this).status().map_err(failed)?;
    if status.success() { Ok(()) } else { Err(tessera::Error::Failed("the comparison failed".into())) }
}
