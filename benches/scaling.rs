//! What campaigns are made of, for the model of `benches/scaling_model.py`: messages, reductions, the shared counter,
//! memory, and samples on groups of every size; then whole campaigns.
//!
//! `cargo bench --bench scaling` runs on 1 to 4 ranks and prints a line of JSON for each number; best of several.
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use std::process::Command;
use std::time::Instant;
use tessera::campaign::{Groups, HandOut};
use tessera::deck::Deck;
use tessera::drivers::campaign;
use tessera::drivers::shared::RunOptions;
use tessera::parallel::Comm;
use tessera::report::Level;
use tessera::simulation::Simulation;

/// Times everything is repeated; the best counts, as all else on the machine only slows it.
const REPEATS: usize = 4;
/// Cells along each side of the cubes.
const SIDES: [usize; 2] = [12, 20];
/// Samples of a campaign.
const SAMPLES: usize = 36;

fn main() {
    if std::env::var_os("OMPI_COMM_WORLD_SIZE").is_some() {
        return measure();
    }
    for ranks in ["1", "2", "3", "4"] {
        let status = Command::new("mpirun")
            .args(["-n", ranks, "--bind-to", "none"])
            .arg(std::env::current_exe().expect("this program has a path"))
            .envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")])
            .envs([("OMPI_MCA_rmaps_base_oversubscribe", "1"), ("OMPI_MCA_mpi_yield_when_idle", "1")])
            .env("OMP_NUM_THREADS", "1")
            .status()
            .expect("mpirun starts");
        assert!(status.success(), "the benchmark failed on {ranks} ranks");
    }
}

/// Nothing is remembered: the model knows samples that are all alike.
fn deck(side: usize) -> String {
    format!(
        "[mesh]\nbox = {{ cell = \"tetrahedron\", cells = [{side}, {side}, {side}] }}\n\
         [parameters]\nk = {{ default = 2.0, range = [1.0, 5.0] }}\n\
         [[physics]]\nmodel = \"diffusion\"\nconductivity = \"1 + k*x*y\"\nsource = 1\n\
         boundary = [{{ marker = \"left\", value = 0 }}]\n\
         [solver]\nmethod = \"amg\"\nrefresh = \"always\"\n\
         [campaign]\nguess = \"none\"\nsamples = {SAMPLES}\n"
    )
}

/// The least time of some repetitions, the slowest rank counting. Collective.
fn best(comm: &Comm, mut work: impl FnMut()) -> f64 {
    let once = |_| {
        comm.barrier();
        let start = Instant::now();
        work();
        comm.max(start.elapsed().as_secs_f64())
    };
    (0..REPEATS).map(once).fold(f64::INFINITY, f64::min)
}

fn measure() {
    let universe = tessera::parallel::initialize().expect("MPI starts once");
    let comm = Comm::new(universe.world().duplicate());
    let petsc = petsc_rs::Petsc::initialize(comm.mpi(), &[]).expect("PETSc starts");
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("first use of rayon");
    let show = |what: &str, values: &[(&str, f64)]| {
        if comm.rank() == 0 {
            let values: String =
                values.iter().map(|(name, value)| format!(", \"{name}\": {value:e}")).collect();
            println!("{{\"what\": \"{what}\", \"ranks\": {}{values}}}", comm.size());
        }
    };
    machine(&comm, show);
    for side in SIDES {
        for ranks in (1..=comm.size()).filter(|g| comm.size().is_multiple_of(*g)) {
            sample(&comm, side, ranks, show);
            whole(&comm, side, ranks, show);
        }
    }
    drop(petsc);
}

/// Messages, reductions, the counter, and memory.
fn machine(comm: &Comm, show: impl Fn(&str, &[(&str, f64)])) {
    const ROUNDS: usize = 2000;
    if comm.size() > 1 {
        let message = |bytes: usize, rounds: usize| {
            best(comm, || ping_pong(comm.mpi(), bytes, rounds)) / (2 * rounds) as f64
        };
        show(
            "message",
            &[("latency", message(8, ROUNDS)), ("bandwidth", (1 << 22) as f64 / message(1 << 22, 20))],
        );
        let all = best(comm, || (0..ROUNDS).for_each(|i| assert!(comm.sum(i) > 0 || i == 0))) / ROUNDS as f64;
        show("reduction", &[("seconds", all)]);
    }
    let groups = Groups::new(comm, comm.size());
    let counter = best(comm, || {
        let hand_out = HandOut::new(&groups, ROUNDS).expect("a counter");
        while hand_out.next(false).expect("a number").is_some() {}
        comm.barrier();
        hand_out.end().expect("no failure");
    });
    show("counter", &[("seconds", counter / ROUNDS as f64)]);
    let n = 4 << 20;
    let (mut a, b, c) = (vec![0.0f64; n], vec![1.0f64; n], vec![2.0f64; n]);
    let seconds = best(comm, || {
        a.iter_mut().zip(&b).zip(&c).for_each(|((a, b), c)| *a = b + 3.0 * c);
        assert!(std::hint::black_box(&a)[n / 2] > 0.0);
    });
    show("memory", &[("bandwidth", 24.0 * n as f64 / seconds), ("flops", 2.0 * n as f64 / seconds)]);
}

fn ping_pong(comm: &SimpleCommunicator, bytes: usize, rounds: usize) {
    let mut buffer = vec![0u8; bytes];
    for _ in 0..rounds {
        match comm.rank() {
            0 => {
                comm.process_at_rank(1).send(&buffer[..]);
                comm.process_at_rank(1).receive_into(&mut buffer[..]);
            }
            1 => {
                comm.process_at_rank(0).receive_into(&mut buffer[..]);
                comm.process_at_rank(0).send(&buffer[..]);
            }
            _ => return,
        }
    }
}

/// A sample on groups of `ranks` ranks, all at the same time: its parts, in seconds.
fn sample(comm: &Comm, side: usize, ranks: usize, show: impl Fn(&str, &[(&str, f64)])) {
    let groups = Groups::new(comm, comm.size() / ranks);
    let deck = Deck::parse(&deck(side), "benchmark", &[]).expect("a valid deck");
    let mut simulation = Simulation::new(&groups.comm, &deck).expect("a valid mesh");
    let context = simulation.default_context();
    let stage = &mut simulation.stages[0];
    let assembly = best(comm, || stage.assemble(&context).expect("assembly"));
    let mut preparation = f64::INFINITY;
    for _ in 0..REPEATS {
        stage.assemble(&context).expect("assembly");
        comm.barrier();
        let start = Instant::now();
        stage.prepare(&context).expect("a preconditioner");
        preparation = preparation.min(comm.max(start.elapsed().as_secs_f64()));
    }
    let solve = best(comm, || {
        stage.forget_solution().expect("a vector");
        stage.solve_assembled(&context).expect("convergence");
    });
    show(
        "sample",
        &[
            ("group", ranks as f64),
            ("unknowns", stage.space().global_dofs() as f64),
            ("assembly", assembly),
            ("preconditioner", preparation),
            ("solve", solve),
            ("iterations", stage.outcome().iterations as f64),
        ],
    );
}

/// A whole campaign with its file.
fn whole(comm: &Comm, side: usize, ranks: usize, show: impl Fn(&str, &[(&str, f64)])) {
    let size = format!("campaign.group_ranks={ranks}");
    let mut deck = Deck::parse(&deck(side), "benchmark", &[size]).expect("a valid deck");
    deck.output.directory = std::env::temp_dir().join("tessera-scaling");
    let file = deck.output.directory.join("dataset.h5");
    let mut seconds = f64::INFINITY;
    for _ in 0..2 {
        if comm.rank() == 0 {
            let _ = std::fs::remove_file(&file);
        }
        comm.barrier();
        let start = Instant::now();
        let options = RunOptions { level: Level::Quiet, ..RunOptions::default() };
        campaign::run(comm, &deck, &options).expect("a campaign");
        seconds = seconds.min(comm.max(start.elapsed().as_secs_f64()));
    }
    let unknowns = (side + 1).pow(3) as f64;
    show(
        "campaign",
        &[("group", ranks as f64), ("unknowns", unknowns), ("samples", SAMPLES as f64), ("seconds", seconds)],
    );
}
