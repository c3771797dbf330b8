//! Which rank owns which cell, and which expert: graph partitions with PT-Scotch through PETSc.
use super::distribute::LocalCells;
use super::experts::{Graph, quotas, slabs};
use super::facets::NONE;
use super::raw::RawMesh;
use crate::parallel::{Comm, block, block_owner};
use crate::{Diagnostic, Error, Result};
use mpi::topology::SimpleCommunicator;
use petsc_rs::{Partitioner, Petsc};

/// Experts may exceed their rank's mean number of cells by this fraction.
const EXPERT_IMBALANCE: f64 = 0.05;

/// The rank of every cell of this rank's block; `neighbours` is the dual graph. Collective.
pub(super) fn ranks_of_cells(
    comm: &Comm,
    raw: &RawMesh,
    neighbours: &[u64],
    method: PartitionMethod,
) -> Result<Vec<i32>> {
    let size = comm.size();
    let range = block(raw.global_cells, size, comm.rank());
    let simple = || range.clone().map(|id| block_owner(raw.global_cells, size, id) as i32).collect();
    if size == 1 || method == PartitionMethod::Simple {
        return Ok(simple());
    }
    let facets = raw.cell_type.facets();
    let (start, adjacency) = rows(neighbours, facets, NONE, |n| i32::try_from(n).ok()).ok_or_else(|| {
        Error::Failed(format!("{} cells are too many for PETSc's 32-bit indices", raw.global_cells))
    })?;
    let parts = partition(comm.mpi(), size as u32, &start, &adjacency);
    let parts = comm.agree(parts)?;
    // A graph partitioner may leave a rank of a tiny mesh without cells.
    let mut sizes = vec![0.0; size];
    parts.iter().for_each(|&part| sizes[part as usize] += 1.0);
    comm.sum_into(&mut sizes);
    Ok(if sizes.contains(&0.0) { simple() } else { parts })
}

/// Compressed rows of a graph that lists `facets` neighbours or `none` for each vertex.
fn rows<T: Copy + PartialEq>(
    neighbours: &[T],
    facets: usize,
    none: T,
    number: impl Fn(T) -> Option<i32>,
) -> Option<(Vec<i32>, Vec<i32>)> {
    let mut start = Vec::with_capacity(neighbours.len() / facets + 1);
    let mut adjacency = Vec::with_capacity(neighbours.len());
    start.push(0);
    for around in neighbours.chunks_exact(facets) {
        for &n in around.iter().filter(|&&n| n != none) {
            adjacency.push(number(n)?);
        }
        start.push(i32::try_from(adjacency.len()).ok()?);
    }
    Some((start, adjacency))
}

fn partition(comm: &SimpleCommunicator, parts: u32, start: &[i32], adjacency: &[i32]) -> Result<Vec<i32>> {
    require(PACKAGE)?;
    let result =
        Partitioner::new(comm, PACKAGE).and_then(|mut p| p.partition(parts as i32, start, adjacency, None));
    result.map_err(|error| Error::petsc(error.to_string()).because(error))
}

/// PETSc's name for PT-Scotch, as a package and as a partitioner.
const PACKAGE: &str = "ptscotch";

/// PETSc must have been built with the partitioner; if not, no rank has it.
fn require(package: &str) -> Result<()> {
    if Petsc::has_package(package) {
        return Ok(());
    }
    let message = format!(
        "this PETSc was built without {package}: choose \"simple\", or install a PETSc that has it \
         (configure with --download-{package}; Debian's and Spack's default have it)"
    );
    Err(Error::Input(vec![Diagnostic { key: "partition.method".into(), message, ..Default::default() }]))
}

/// Hands small disconnected pieces of this rank's cells to the rank that surrounds them, so that a
/// rank's cells hang together where the mesh does. `around` is `[local cell, facet]` with `u32::MAX`
/// for none. Changes `parts` of this rank's block; returns whether anything changed anywhere. Collective.
pub(super) fn join_pieces(
    comm: &Comm,
    local: &LocalCells,
    around: &[u32],
    inside: &[u32],
    facets: usize,
    global_cells: u64,
    parts: &mut [i32],
) -> bool {
    let graph = Graph { neighbours: inside, facets };
    let (piece, list) = graph.pieces(&vec![0; local.owned]);
    let largest = (0..list.len()).max_by_key(|&p| (list[p].1, std::cmp::Reverse(p))).unwrap_or(0);
    // (piece, neighbouring rank) for each facet between them.
    let mut contacts: Vec<(u32, u32)> = Vec::new();
    for (cell, &mine) in piece.iter().enumerate().filter(|&(_, &p)| p as usize != largest) {
        let others = around[cell * facets..(cell + 1) * facets].iter().map(|&n| n as usize);
        contacts.extend(
            others.filter(|&n| n >= local.owned && n < local.ids.len()).map(|n| (mine, local.owners[n])),
        );
    }
    contacts.sort_unstable();
    let mut target = vec![(u32::MAX, 0); list.len()];
    for group in contacts.chunk_by(|a, b| a == b) {
        let best = &mut target[group[0].0 as usize];
        if group.len() > best.1 {
            *best = (group[0].1, group.len());
        }
    }
    let mut moves = vec![Vec::new(); comm.size()];
    for (cell, &mine) in piece.iter().enumerate() {
        let to = target[mine as usize].0;
        if to != u32::MAX {
            moves[block_owner(global_cells, comm.size(), local.ids[cell])]
                .extend([local.ids[cell], u64::from(to)]);
        }
    }
    if comm.max(u64::from(!contacts.is_empty())) == 0 {
        return false;
    }
    let first = block(global_cells, comm.size(), comm.rank()).start;
    for pair in comm.exchange(&moves).iter().flat_map(|part| part.chunks_exact(2)) {
        parts[(pair[0] - first) as usize] = pair[1] as i32;
    }
    true
}

/// Cells of an expert, and fewest experts, where they are wanted and the deck does not say how many. The number must not depend on
/// that of the ranks: iterations and balances would.
const EXPERT_CELLS: u64 = 4000;

const FEWEST_EXPERTS: u64 = 8;

/// So many experts has a mesh of so many cells; more where there are more ranks.
fn usual_experts(cells: u64) -> u64 {
    (cells / EXPERT_CELLS).max(FEWEST_EXPERTS)
}

/// The expert of every owned cell, numbered over all ranks, and how many there are. Collective.
pub(super) fn experts(comm: &Comm, graph: &Graph, options: &PartitionOptions) -> Result<(Vec<u32>, u32)> {
    let cells = graph.neighbours.len() / graph.facets;
    let counts = comm.all_gather(cells as u64);
    let wanted = match options.experts {
        Experts::Ranks => 0,
        Experts::Size => usual_experts(counts.iter().sum()),
        Experts::Number(number) => number.into(),
    };
    let quotas = quotas(wanted, &counts);
    let mine = quotas[comm.rank()] as u32;
    let first = quotas[..comm.rank()].iter().sum::<u64>() as u32;
    let mut parts = comm.agree(match options.method {
        PartitionMethod::PtScotch if mine > 1 => inside_rank(graph, mine),
        _ => Ok(slabs(cells, mine)),
    })?;
    if mine > 1 {
        graph.connect(&mut parts, mine);
        graph.fill(&mut parts, mine);
        // What is left of a part that gave half away may have come apart.
        graph.connect(&mut parts, mine);
        graph.balance(&mut parts, mine, EXPERT_IMBALANCE);
    }
    parts.iter_mut().for_each(|part| *part += first);
    Ok((parts, quotas.iter().sum::<u64>() as u32))
}

fn inside_rank(graph: &Graph, count: u32) -> Result<Vec<u32>> {
    let (start, adjacency) = rows(graph.neighbours, graph.facets, u32::MAX, |n| i32::try_from(n).ok())
        .ok_or_else(|| Error::Failed("too many cells on one rank for PETSc's 32-bit indices".into()))?;
    let parts = partition(&SimpleCommunicator::self_comm(), count, &start, &adjacency)?;
    Ok(parts.into_iter().map(|part| part as u32).collect())
}

/// How cells are shared out over ranks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PartitionMethod {
    /// PT-Scotch on the graph of cells that share a facet (Chevalier & Pellegrini 2008).
    #[default]
    PtScotch,
    /// Equal blocks of cells in the order of the mesh.
    Simple,
}

/// Partition into ranks and experts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartitionOptions {
    /// Partitioner for ranks, and for the experts inside each.
    pub method: PartitionMethod,
    /// Experts over all ranks. Each rank has at least one.
    pub experts: Experts,
}

/// How many experts there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Experts {
    /// One a rank: where nothing asks for experts, as dividing ranks takes longer than all else of a mesh.
    #[default]
    Ranks,
    /// As many as suit the number of cells, on any number of ranks.
    Size,
    /// So many.
    Number(u32),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partitioner_that_petsc_lacks_is_named() {
        let error = require("no_such_package").unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("partition.method: ") && text.contains("no_such_package"), "{text}");
        assert_eq!(error.exit_code(), 2);
    }
}
