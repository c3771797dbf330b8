//! The first lines of a run.
use crate::parallel::Comm;
use crate::storage::created_by;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Version, processes, libraries, host and title. Collective.
pub(super) fn text(comm: &Comm, title: &str) -> String {
    let host = mpi::environment::processor_name().unwrap_or_else(|_| "?".into());
    let hosts = distinct(comm, &host);
    let threads = rayon::current_num_threads();
    let version = created_by();
    let version = version.strip_prefix("tessera ").unwrap_or(&version);
    let title = if title.is_empty() { String::new() } else { format!(": {title}") };
    let place = if hosts == 1 { format!("on {host}") } else { format!("on {hosts} hosts from {host} on") };
    format!(
        "Tessera {version}{title}\n{} with {} each, {place}\n{}\n",
        several(comm.size(), "rank"),
        several(threads, "thread"),
        libraries()
    )
}

/// Versions of the libraries that a run depends on, on one line. Local.
pub(super) fn libraries() -> String {
    let (major, minor, patch) = petsc_rs::Petsc::version();
    let (h, d, f) = hdf5::library_version();
    format!("PETSc {major}.{minor}.{patch}, {}, HDF5 {h}.{d}.{f}", mpi_library())
}

/// The MPI library's name and version: the head of what it says of itself.
fn mpi_library() -> String {
    let full = mpi::environment::library_version().unwrap_or_default();
    let head = full.split([',', '\n']).next().unwrap_or_default().trim_matches(['\0', ' ']);
    let head = head.replace(" v", " ");
    let words: Vec<&str> = head.split_whitespace().collect();
    if words.is_empty() { "MPI".into() } else { words.join(" ") }
}

fn several(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// How many different names the ranks give. Collective.
fn distinct(comm: &Comm, name: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    comm.all_gather(hasher.finish()).into_iter().collect::<BTreeSet<u64>>().len()
}
