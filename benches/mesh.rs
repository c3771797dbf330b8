//! Time and memory to generate, read and distribute a mesh.
//!
//! `cargo bench --bench mesh [-- PARTS]` cuts a cube into 6 PARTS^3 tetrahedra (55: a million) on 1, 2 and
//! 4 ranks. Memory is the largest of the ranks while the mesh is built, everything included.
use mpi::traits::*;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use tessera::mesh::{BoxSource, CellType, Experts, Mesh, MeshSource, PartitionMethod, PartitionOptions};
use tessera::parallel::Comm;
use tessera::storage::File;

/// Times each is tried; the best counts, as everything else on the machine only slows it.
const REPEATS: usize = 3;
const EXPERTS: u32 = 16;

fn main() {
    let argument = std::env::args().skip(1).find(|a| !a.starts_with('-'));
    let parts: u64 = argument.and_then(|a| a.parse().ok()).unwrap_or(55);
    let [gmsh, hdf5] = ["msh", "h5"].map(|end| std::env::temp_dir().join(format!("tessera-mesh.{end}")));
    match std::env::var("TESSERA_BENCH").as_deref() {
        Ok("write") => return start(|comm| write(comm, &cube(parts), &gmsh, &hdf5)),
        Ok(_) => return start(|comm| measure(comm, &cube(parts), &gmsh, &hdf5)),
        Err(_) => {}
    }
    run("1", parts, "write");
    println!("{} tetrahedra, {EXPERTS} experts, best of {REPEATS}", 6 * parts.pow(3));
    println!("ranks  what                              seconds  MB a rank  edge cut  imbalance  of experts");
    ["1", "2", "4"].iter().for_each(|ranks| run(ranks, parts, "measure"));
    [gmsh, hdf5].iter().for_each(|path| std::fs::remove_file(path).expect("the file was just written"));
}

/// Runs this program under `mpirun`.
fn run(ranks: &str, parts: u64, stage: &str) {
    let status = Command::new("mpirun")
        .args(["-n", ranks])
        .arg(std::env::current_exe().expect("this program has a path"))
        .arg(parts.to_string())
        .env("TESSERA_BENCH", stage)
        .envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")])
        .envs([("OMPI_MCA_rmaps_base_oversubscribe", "1"), ("OMPI_MCA_mpi_yield_when_idle", "1")])
        .status()
        .expect("mpirun starts");
    assert!(status.success(), "the benchmark failed on {ranks} ranks");
}

fn start(work: impl FnOnce(&Comm)) {
    let universe = tessera::parallel::initialize().expect("MPI starts once");
    let world = universe.world();
    let _petsc = petsc_rs::Petsc::initialize(&world, &[]).expect("PETSc starts");
    work(&Comm::new(world.duplicate()));
}

fn cube(parts: u64) -> MeshSource {
    MeshSource::Box(BoxSource {
        cell: CellType::Tetrahedron,
        cells: vec![parts; 3],
        lower: vec![0.0; 3],
        upper: vec![1.0; 3],
        periodic: [false; 3],
    })
}

fn measure(comm: &Comm, cube: &MeshSource, gmsh: &Path, hdf5: &Path) {
    let (simple, graph) = (PartitionMethod::Simple, PartitionMethod::PtScotch);
    row(comm, "box, equal blocks, no experts", cube, simple, 0);
    row(comm, "box, PT-Scotch, no experts", cube, graph, 0);
    row(comm, "box, PT-Scotch", cube, graph, EXPERTS);
    row(comm, "HDF5, PT-Scotch", &file(hdf5), graph, EXPERTS);
    // Rank 0 holds the whole mesh for a while.
    row(comm, "Gmsh 4.1 binary, PT-Scotch", &file(gmsh), graph, EXPERTS);
}

fn file(path: &Path) -> MeshSource {
    MeshSource::File { path: PathBuf::from(path), scale: 1.0 }
}

fn row(comm: &Comm, what: &str, source: &MeshSource, method: PartitionMethod, experts: u32) {
    let options = PartitionOptions { method, experts: Experts::Number(experts) };
    let (mut seconds, mut report) = (f64::INFINITY, None);
    // Forgets the peak so far (Linux only; elsewhere the column shows 0).
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    for _ in 0..REPEATS {
        drop(report.take());
        comm.barrier();
        let start = Instant::now();
        let mesh = Mesh::build(comm, source, &options).expect("the mesh can be built");
        seconds = seconds.min(comm.max(start.elapsed().as_secs_f64()));
        report = Some(mesh.report());
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak =
        status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    let memory = comm.max(peak.unwrap_or(0u64)) as f64 / 1e3;
    if let (0, Some(r)) = (comm.rank(), report) {
        println!(
            "{:5}  {what:32}  {seconds:7.2}  {memory:9.0}  {:8}  {:9.3}  {:10.3}",
            comm.size(),
            r.edge_cut,
            r.imbalance,
            r.expert_imbalance
        );
    }
}

/// Writes the mesh in both formats, on one rank.
fn write(comm: &Comm, cube: &MeshSource, gmsh: &Path, hdf5: &Path) {
    let options = PartitionOptions { method: PartitionMethod::Simple, experts: Experts::Ranks };
    let mesh = Mesh::build(comm, cube, &options).expect("the mesh can be built");
    write_gmsh(&mesh, gmsh).expect("the mesh can be written");
    let file = File::create(comm, hdf5).expect("the file can be created");
    mesh.write(&file).expect("the mesh can be written");
    file.close().expect("the file can be closed");
}

/// One volume with one physical group in Gmsh's binary format 4.1.
fn write_gmsh(mesh: &Mesh, path: &Path) -> std::io::Result<()> {
    let mut out = BufWriter::new(std::fs::File::create(path)?);
    let sizes = |out: &mut BufWriter<_>, list: &[u64]| -> std::io::Result<()> {
        list.iter().try_for_each(|n| Write::write_all(out, &n.to_ne_bytes()))
    };
    let ints = |out: &mut BufWriter<_>, list: &[i32]| -> std::io::Result<()> {
        list.iter().try_for_each(|n| Write::write_all(out, &n.to_ne_bytes()))
    };
    let (cells, nodes) = (mesh.global_cells, mesh.global_vertices);
    out.write_all(b"$MeshFormat\n4.1 1 8\n")?;
    ints(&mut out, &[1])?;
    out.write_all(b"\n$EndMeshFormat\n$Entities\n")?;
    sizes(&mut out, &[0, 0, 0, 1])?;
    ints(&mut out, &[1])?;
    [0.0f64, 0.0, 0.0, 1.0, 1.0, 1.0].iter().try_for_each(|x| out.write_all(&x.to_ne_bytes()))?;
    sizes(&mut out, &[1])?;
    ints(&mut out, &[1])?;
    sizes(&mut out, &[0])?;
    out.write_all(b"\n$EndEntities\n$Nodes\n")?;
    sizes(&mut out, &[1, nodes, 1, nodes])?;
    ints(&mut out, &[3, 1, 0])?;
    sizes(&mut out, &[nodes])?;
    mesh.vertex_ids.iter().try_for_each(|id| sizes(&mut out, &[id + 1]))?;
    mesh.coordinates.iter().try_for_each(|x| out.write_all(&x.to_ne_bytes()))?;
    out.write_all(b"\n$EndNodes\n$Elements\n")?;
    sizes(&mut out, &[1, cells, 1, cells])?;
    ints(&mut out, &[3, 1, 4])?;
    sizes(&mut out, &[cells])?;
    for (cell, id) in mesh.cell_ids.iter().enumerate() {
        sizes(&mut out, &[id + 1])?;
        let vertices = mesh.cell_vertices(cell).iter();
        vertices.map(|&v| mesh.vertex_ids[v as usize] + 1).try_for_each(|v| sizes(&mut out, &[v]))?;
    }
    out.write_all(b"\n$EndElements\n")?;
    out.flush()
}
