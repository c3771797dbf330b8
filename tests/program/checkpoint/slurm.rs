//! `jobscripts/chain.sh` under a Slurm of its own.
use super::cluster::Cluster;
use super::decks::LONG;
use crate::program::{Place, compare};
use std::path::PathBuf;

#[test]
fn a_job_at_its_time_limit_goes_back_to_the_queue_and_finishes() {
    let Some(cluster) = Cluster::start() else { return };
    let whole = Place::new(LONG);
    whole.run(2, &CHANGES).expect(0);
    // mpirun, and a signal as soon as the program runs.
    chain(&cluster, &whole, "mpirun --oversubscribe --allow-run-as-root", &["--batch", "--signal=USR1"]);
    // srun, and the time limit: Slurm looks at it every 30 seconds, so the signal comes after 2 to 32. However fast the
    // machine is, the program does not get ready before, because it is stopped; its time goes on.
    chain(&cluster, &whole, "", &["--signal=STOP"]);
}

/// 1000 steps, and no checkpoint without a signal.
const CHANGES: [&str; 4] = ["--set", "time.step=0.001", "--set", "checkpoint.every_steps=1000000"];

/// Submits the chain and waits for its end; the job is sent a signal once it takes steps.
fn chain(cluster: &Cluster, whole: &Place, launch: &str, signal: &[&str]) {
    let place = Place::new(LONG);
    let log = place.file("job.log");
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("jobscripts/chain.sh");
    let deck = place.file("deck.toml");
    let [output, folder] =
        [format!("--output={}", log.display()), format!("--chdir={}", place.path().display())];
    let exports = format!(
        "--export=ALL,TESSERA={},LAUNCH={launch},RAYON_NUM_THREADS=1,OMPI_MCA_mpi_yield_when_idle=1",
        env!("CARGO_BIN_EXE_tessera")
    );
    let limits = ["--parsable", "--ntasks-per-node=2", "--time=1", "--signal=B:USR1@58"];
    let mut arguments = limits.to_vec();
    arguments.extend([output.as_str(), &folder, &exports, script.to_str().unwrap(), deck.to_str().unwrap()]);
    arguments.extend(CHANGES);
    let job = cluster.run("sbatch", &arguments).unwrap();
    let job = job.trim();
    let send = |signal: &[&str]| cluster.run("scancel", &[signal, &[job]].concat());
    let read = || std::fs::read_to_string(&log).unwrap_or_default();
    let mut sent = false;
    cluster.wait(read, |text| {
        if text.contains("imbalance\n     1 ") && !sent {
            send(signal).unwrap();
            sent = true;
        }
        if text.contains("== time is nearly up") {
            // There may be none to wake.
            let _ = send(&["--signal=CONT"]);
        }
    });
    let text = read();
    assert!(text.contains("== link 0 of job ") && text.contains("== link 1 of job "), "{text}");
    assert!(text.contains("back to the queue") && text.contains("restart      from "), "{text}");
    // MUMPS on two ranks.
    let same = compare(&whole.file("out/run.h5"), &place.file("out/run.h5"), 1e-10);
    assert!(same.is_ok(), "{}\n{text}", same.unwrap_err());
    println!("`{launch}`: {} links", text.matches("== link ").count());
}
