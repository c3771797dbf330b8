//! `jobscripts/chain.sh` under a Slurm of its own: one node, this machine; own ports, key and configuration, taken down
//! at the end. Needs Slurm, munge and root, as in the container of the continuous integration; skipped elsewhere.
use super::decks::LONG;
use super::program::{Place, compare};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Seconds for a job to go through its links.
const PATIENCE: u64 = 400;

struct Cluster {
    folder: tempfile::TempDir,
}

impl Cluster {
    /// Starts the daemons; in words why that is not possible here.
    fn start() -> Result<Self, String> {
        for program in ["munged", "slurmctld", "slurmd", "sbatch", "scontrol"] {
            let found = Command::new("sh").arg("-c").arg(format!("command -v {program}")).output();
            if !found.is_ok_and(|output| output.status.success()) {
                return Err(format!("{program} is not installed"));
            }
        }
        if !std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0) {
            return Err("only root can start a Slurm of its own".into());
        }
        let folder = tempfile::Builder::new().prefix("slurm").tempdir().map_err(|e| e.to_string())?;
        let cluster = Self { folder };
        let at = |name: &str| cluster.folder.path().join(name);
        let put = |name: &str, bytes: &[u8]| std::fs::write(at(name), bytes).map_err(|e| e.to_string());
        let key: Vec<u8> = (0..128).map(|_| rand::random()).collect();
        put("munge.key", &key)?;
        let only_ours = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(at("munge.key"), only_ours).map_err(|e| e.to_string())?;
        std::fs::create_dir(at("state"))
            .and_then(|()| std::fs::create_dir(at("spool")))
            .map_err(|e| e.to_string())?;
        let host = run("hostname", &["-s"], &cluster)?;
        put("slurm.conf", cluster.configuration(host.trim()).as_bytes())?;
        let option = |name: &str, file: &str| format!("--{name}={}", at(file).display());
        let munge = [
            "--force".to_string(),
            option("socket", "munge.sock"),
            option("key-file", "munge.key"),
            option("pid-file", "munged.pid"),
            option("log-file", "munged.log"),
            option("seed-file", "munged.seed"),
        ];
        run("munged", &munge.each_ref().map(String::as_str), &cluster)?;
        run("slurmctld", &[], &cluster)?;
        run("slurmd", &[], &cluster)?;
        let start = Instant::now();
        while !run("sinfo", &["-h", "-o", "%t"], &cluster).is_ok_and(|state| state.trim() == "idle") {
            if start.elapsed() > Duration::from_secs(60) {
                return Err(format!("the node does not come up: {:?}", run("sinfo", &[], &cluster)));
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        Ok(cluster)
    }

    fn configuration(&self, host: &str) -> String {
        let folder = self.folder.path().display();
        // Freed at once: another program may take them, but hardly will.
        let [controller, node] = [(); 2].map(|()| {
            TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).map_or(26_817, |a| a.port())
        });
        format!(
            "ClusterName=tessera\nSlurmctldHost={host}(127.0.0.1)\nSlurmctldPort={controller}\nSlurmdPort={node}\n\
             SlurmUser=root\nAuthType=auth/munge\nAuthInfo=socket={folder}/munge.sock,cred_expire=5\n\
             StateSaveLocation={folder}/state\nSlurmdSpoolDir={folder}/spool\n\
             SlurmctldPidFile={folder}/slurmctld.pid\nSlurmdPidFile={folder}/slurmd.pid\n\
             SlurmctldLogFile={folder}/slurmctld.log\nSlurmdLogFile={folder}/slurmd.log\n\
             ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nSelectType=select/cons_tres\n\
             SelectTypeParameters=CR_Core\nSlurmdParameters=config_overrides\nReturnToService=2\nMpiDefault=none\n\
             KillWait=10\nNodeName={host} NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN\n\
             PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n"
        )
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Those that this test has started, by their numbers.
        for daemon in ["slurmd", "slurmctld", "munged"] {
            let file = self.folder.path().join(format!("{daemon}.pid"));
            if let Ok(number) = std::fs::read_to_string(&file) {
                let _ = Command::new("kill").arg(number.trim()).status();
                let start = Instant::now();
                while Path::new("/proc").join(number.trim()).exists()
                    && start.elapsed() < Duration::from_secs(10)
                {
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        }
    }
}

/// Output of a command that talks to the cluster.
fn run(program: &str, arguments: &[&str], cluster: &Cluster) -> Result<String, String> {
    let configuration = cluster.folder.path().join("slurm.conf");
    let mut command = Command::new(program);
    let output = command.args(arguments).env("SLURM_CONF", configuration).output();
    let output = output.map_err(|e| format!("{program}: {e}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(format!("{program} {arguments:?}: {}{}", text(&output.stdout), text(&output.stderr)))
}

#[test]
fn a_job_at_its_time_limit_goes_back_to_the_queue_and_finishes() {
    let cluster = match Cluster::start() {
        Ok(cluster) => cluster,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
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
    let limits = ["--parsable", "--ntasks-per-node=2", "--overcommit", "--time=1", "--signal=B:USR1@58"];
    let mut arguments = limits.to_vec();
    arguments.extend([output.as_str(), &folder, &exports, script.to_str().unwrap(), deck.to_str().unwrap()]);
    arguments.extend(CHANGES);
    let job = run("sbatch", &arguments, cluster).unwrap();
    let job = job.trim();
    let start = Instant::now();
    let send = |signal: &[&str]| run("scancel", &[signal, &[job]].concat(), cluster);
    let mut sent = false;
    while !run("squeue", &["-h", "-j", job], cluster).unwrap_or_default().trim().is_empty() {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        if text.contains("imbalance\n     1 ") && !sent {
            send(signal).unwrap();
            sent = true;
        }
        if text.contains("== time is nearly up") {
            // There may be none to wake.
            let _ = send(&["--signal=CONT"]);
        }
        assert!(start.elapsed() < Duration::from_secs(PATIENCE), "the job does not end:\n{text}");
        std::thread::sleep(Duration::from_millis(200));
    }
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    assert!(text.contains("== link 0 of job ") && text.contains("== link 1 of job "), "{text}");
    assert!(text.contains("back to the queue") && text.contains("restart      from "), "{text}");
    // MUMPS on two ranks.
    let same = compare(&whole.file("out/run.h5"), &place.file("out/run.h5"), 1e-10);
    assert!(same.is_ok(), "{}\n{text}", same.unwrap_err());
    println!("`{launch}`: {} links", text.matches("== link ").count());
}
