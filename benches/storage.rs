//! Bandwidth of collective field writes and reads against one process that writes and reads the same bytes on the
//! same disk; then the same for checkpoints, with checksums written and checked. Reading comes from the system's cache
//! either way.
//!
//! `cargo bench --bench storage [-- MEGABYTES [DIRECTORY]]` runs on 1, 2 and 4 ranks.
use mpi::traits::*;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use tessera::parallel::{Comm, block};
use tessera::storage::{File, Sealed, Sealing};

/// Times each way is tried; the best counts, as everything else on the machine only slows it.
const REPEATS: usize = 10;

fn main() {
    let numbers: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let megabytes: u64 = numbers.first().and_then(|a| a.parse().ok()).unwrap_or(400);
    let directory = numbers.get(1).map_or_else(std::env::temp_dir, Into::into);
    if std::env::var_os("OMPI_COMM_WORLD_SIZE").is_some() {
        measure(megabytes * 1_000_000 / 24, &directory);
        return;
    }
    println!("{megabytes} MB, best of {REPEATS}, in {}", directory.display());
    println!("                    write MB/s               read MB/s");
    println!("ranks    what    plain   HDF5  ratio    plain   HDF5  ratio");
    for ranks in ["1", "2", "4"] {
        let status = Command::new("mpirun")
            .args(["-n", ranks, "--bind-to", "none"])
            .arg(std::env::current_exe().expect("this program has a path"))
            .args([megabytes.to_string(), directory.display().to_string()])
            .envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")])
            .envs([("OMPI_MCA_rmaps_base_oversubscribe", "1"), ("OMPI_MCA_mpi_yield_when_idle", "1")])
            .status()
            .expect("mpirun starts");
        assert!(status.success(), "the benchmark failed on {ranks} ranks");
    }
}

/// Writes and reads a field of `nodes` nodes and three components both ways, with and without waiting for the disk.
fn measure(nodes: u64, directory: &Path) {
    let universe = tessera::parallel::initialize().expect("MPI starts once");
    let comm = Comm::new(universe.world().duplicate());
    let path = directory.join("tessera-bandwidth.h5");
    let range = block(nodes, comm.size(), comm.rank());
    let values: Vec<f64> = (range.start * 3..range.end * 3).map(|i| i as f64).collect();
    // What the one process writes: as many bytes, which do not stay in the processor's cache either.
    let all = vec![1u8; if comm.rank() == 0 { nodes as usize * 24 } else { 0 }];
    let megabytes = nodes as f64 * 24e-6;
    for what in ["cached", "synced", "sealed"] {
        let synced = what != "cached";
        let [mut plain, mut plain_read, mut hdf5, mut read] = [f64::INFINITY; 4];
        for _ in 0..REPEATS {
            if comm.rank() == 0 {
                plain = plain.min(sequential(&path, &all, synced));
                let start = Instant::now();
                let back = std::fs::read(&path).expect("the file was just written");
                plain_read = plain_read.min(start.elapsed().as_secs_f64());
                assert_eq!(back.len() as u64, nodes * 24);
                std::fs::remove_file(&path).expect("the file was just written");
            }
            comm.barrier();
            let (written, taken) = match what {
                "sealed" => sealed(&comm, &path, nodes, &values),
                _ => field(&comm, &path, nodes, &values, synced),
            };
            (hdf5, read) = (hdf5.min(comm.max(written)), read.min(comm.max(taken)));
            if comm.rank() == 0 {
                std::fs::remove_file(&path).expect("the file was just written");
            }
            comm.barrier();
        }
        if comm.rank() == 0 {
            let speed = |seconds: f64| megabytes / seconds;
            println!(
                "{:5}  {what:6}  {:7.0}  {:5.0}  {:5.2}  {:7.0}  {:5.0}  {:5.2}",
                comm.size(),
                speed(plain),
                speed(hdf5),
                plain / hdf5,
                speed(plain_read),
                speed(read),
                plain_read / read
            );
        }
    }
}

/// Seconds to write and to read a field.
fn field(comm: &Comm, path: &Path, nodes: u64, values: &[f64], synced: bool) -> (f64, f64) {
    let range = block(nodes, comm.size(), comm.rank());
    let start = Instant::now();
    let file = File::create(comm, path).expect("the file can be created");
    file.create_dataset::<f64>("/fields/u", &[1, nodes, 3]).expect("the dataset can be created");
    file.write_step("/fields/u", 0, range.start, values).expect("the field can be written");
    if synced {
        file.flush().expect("the file can be flushed");
    }
    file.close().expect("the file can be closed");
    let written = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let file = File::open(comm, path).expect("the file can be opened");
    let back = file.read_step::<f64>("/fields/u", 0, range).expect("the field can be read");
    file.close().expect("the file can be closed");
    let read = start.elapsed().as_secs_f64();
    assert!(back == values, "what was read is not what was written");
    (written, read)
}

/// Seconds to write a checkpoint with that array and to check and read it.
fn sealed(comm: &Comm, path: &Path, nodes: u64, values: &[f64]) -> (f64, f64) {
    let range = block(nodes, comm.size(), comm.rank());
    let start = Instant::now();
    let mut file = Sealing::create(comm, path, nodes * 24).expect("the file can be created");
    file.write("/u", &[nodes, 3], range.start, values).expect("the array can be written");
    file.finish().expect("the file can be sealed");
    let written = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let file = Sealed::open(comm, path, |_| Ok(())).expect("the file is whole");
    let read = start.elapsed().as_secs_f64();
    assert!(
        file.array("/u").is_some_and(|array| array.values == values),
        "what was read is not what was written"
    );
    (written, read)
}

/// Seconds for a plain write of `bytes` in large pieces.
fn sequential(path: &Path, bytes: &[u8], synced: bool) -> f64 {
    let start = Instant::now();
    let mut file = std::fs::File::create(path).expect("the file can be created");
    bytes.chunks(8 << 20).for_each(|piece| file.write_all(piece).expect("the disk has room"));
    if synced {
        file.sync_all().expect("the file can be synced");
    }
    drop(file);
    start.elapsed().as_secs_f64()
}
