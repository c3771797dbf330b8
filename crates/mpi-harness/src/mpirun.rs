//! Starting programs under `mpirun`.
use std::path::Path;
use std::process::{Command, Stdio};

/// `mpirun` with a watchdog (0 seconds: none): some ranks of `program`, on whatever processors there are.
pub fn mpirun(seconds: u64, ranks: usize, program: impl AsRef<Path>) -> Command {
    let mut command = Command::new("timeout");
    command
        .args(["-k", "5", &seconds.to_string(), "mpirun", "-n", &ranks.to_string()])
        .arg(program.as_ref())
        .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
        .env("OMPI_MCA_rmaps_base_oversubscribe", "1")
        .env("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe")
        .env("OMPI_MCA_mpi_yield_when_idle", "1")
        // Shared memory alone (Open MPI 5 takes the old name, too): of an absent network it complains once a rank. Excluding
        // `tcp` instead makes every start a second longer.
        .env("OMPI_MCA_btl", "self,vader")
        .env("OMP_NUM_THREADS", "1")
        .stdin(Stdio::null());
    command
}
