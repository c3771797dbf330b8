//! A Slurm of its own for a test: one node, this machine; own ports, key and configuration, taken down at the end. Needs
//! Slurm, munge and root, as in the container of the continuous integration; tests skip elsewhere.
use crate::program::signal;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One at a time: a machine has one `slurmd`, and time limits mean little when several compete.
static ONE: Mutex<()> = Mutex::new(());

/// Seconds for jobs to go through all their links.
const PATIENCE: u64 = 400;

pub struct Cluster {
    folder: tempfile::TempDir,
    _only: MutexGuard<'static, ()>,
}

impl Cluster {
    /// Starts the daemons; says why when that is not possible here.
    pub fn start() -> Option<Self> {
        Self::try_start().map_err(|why| println!("skipped: {why}")).ok()
    }

    fn try_start() -> Result<Self, String> {
        for program in ["munged", "slurmctld", "slurmd", "sbatch", "scontrol"] {
            let found = Command::new("sh").arg("-c").arg(format!("command -v {program}")).output();
            if !found.is_ok_and(|output| output.status.success()) {
                return Err(format!("{program} is not installed"));
            }
        }
        if !std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0) {
            return Err("only root can start a Slurm of its own".into());
        }
        let only = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::Builder::new().prefix("slurm").tempdir().map_err(|e| e.to_string())?;
        let cluster = Self { folder, _only: only };
        let at = |name: &str| cluster.folder.path().join(name);
        let put = |name: &str, bytes: &[u8]| std::fs::write(at(name), bytes).map_err(|e| e.to_string());
        let key: Vec<u8> = (0..128).map(|_| rand::random()).collect();
        put("munge.key", &key)?;
        let only_ours = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(at("munge.key"), only_ours).map_err(|e| e.to_string())?;
        std::fs::create_dir(at("state"))
            .and_then(|()| std::fs::create_dir(at("spool")))
            .map_err(|e| e.to_string())?;
        let host = cluster.run("hostname", &["-s"])?;
        put("slurm.conf", cluster.configuration(host.trim()).as_bytes())?;
        // Newer versions start no daemon without control groups, which a container may lack, unless told to; older ones do
        // not know the word.
        let version = cluster.run("slurmd", &["-V"])?;
        let major = version.split([' ', '.']).find_map(|word| word.parse::<u32>().ok());
        if major.is_some_and(|major| major >= 24) {
            put("cgroup.conf", b"CgroupPlugin=disabled\n")?;
        }
        let option = |name: &str, file: &str| format!("--{name}={}", at(file).display());
        let munge = [
            "--force".to_string(),
            option("socket", "munge.sock"),
            option("key-file", "munge.key"),
            option("pid-file", "munged.pid"),
            option("log-file", "munged.log"),
            option("seed-file", "munged.seed"),
        ];
        cluster.run("munged", &munge.each_ref().map(String::as_str))?;
        cluster.run("slurmctld", &[])?;
        let log = || std::fs::read_to_string(at("slurmd.log")).unwrap_or_default();
        cluster.run("slurmd", &[]).map_err(|why| format!("{why}\n{}", log()))?;
        let start = Instant::now();
        while !cluster.run("sinfo", &["-h", "-o", "%t"]).is_ok_and(|state| state.trim() == "idle") {
            if start.elapsed() > Duration::from_secs(60) {
                return Err(format!("the node does not come up: {:?}\n{}", cluster.run("sinfo", &[]), log()));
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        Ok(cluster)
    }

    /// A command that talks to this cluster.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("SLURM_CONF", self.folder.path().join("slurm.conf"));
        command
    }

    /// Output of a command that talks to this cluster; what it says when it fails.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
        let output = self.command(program).args(arguments).output();
        let output = output.map_err(|e| format!("{program}: {e}"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        Err(format!("{program} {arguments:?}: {}{}", text(&output.stdout), text(&output.stderr)))
    }

    /// Calls `watch` again and again until no job waits or runs; `log` gives what the jobs have printed.
    #[track_caller]
    pub fn wait(&self, log: impl Fn() -> String, mut watch: impl FnMut(&str)) {
        let start = Instant::now();
        while !self.run("squeue", &["-h"]).is_ok_and(|list| list.trim().is_empty()) {
            watch(&log());
            let late = start.elapsed() > Duration::from_secs(PATIENCE);
            assert!(!late, "the jobs do not end:\n{:?}\n{}", self.run("squeue", &[]), log());
            std::thread::sleep(Duration::from_millis(100));
        }
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
             KillWait=10\nSchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=1\n\
             NodeName={host} NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN\n\
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
                if let Ok(daemon) = number.trim().parse() {
                    signal("TERM", &[daemon]);
                }
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
