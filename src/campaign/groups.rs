//! Ranks in groups, each of which solves one sample at a time.
//!
//! Samples do not depend on one another, so the least work is done by the smallest groups that have the memory for a
//! sample: a group of `g` ranks is less than `g` times as quick as one rank. Larger groups pay when there are not enough
//! samples to keep all small ones busy.
use crate::Result;
use crate::deck::{Deck, GroupRanks, GroupRanksWord};
use crate::format::duration;
use crate::mesh::MeshSource;
use crate::parallel::{Comm, block_owner};
use crate::report::{Report, Table};
use crate::simulation::Simulation;
use std::time::Instant;

/// Up to so many unknowns a sample stays on one rank: there a solve is about a second, and more ranks would wait for one
/// another more than they gain.
const UNKNOWNS: u64 = 100_000;

/// Memory that an unknown takes with its row of the matrix and the preconditioner, in bytes: what P1 elasticity with
/// algebraic multigrid takes, rounded up.
const BYTES: u64 = 4000;

/// Bytes of a mesh file for a vertex with its share of the cells: tetrahedra in Gmsh's formats and in HDF5 have 200 to
/// 250.
const FILE_BYTES: u64 = 200;

/// So many samples are timed for each group size; the quickest counts, as other work on the machine only slows them.
const TIMED: usize = 2;

/// All ranks, divided into groups of consecutive ones whose sizes differ by one at most.
pub struct Groups {
    /// All ranks.
    pub world: Comm,
    /// The ranks of this group.
    pub comm: Comm,
    /// The first ranks of all groups; `None` on the others.
    pub leaders: Option<Comm>,
    /// This group's number, from 0.
    pub index: usize,
    /// How many groups there are.
    pub count: usize,
}

impl Groups {
    /// Makes so many groups. Collective.
    pub fn new(world: &Comm, count: usize) -> Self {
        let index = block_owner(world.size() as u64, count, world.rank() as u64);
        let comm = if count == 1 { world.clone() } else { world.split(index) };
        let leads = comm.rank() == 0;
        let alike = world.split(usize::from(leads));
        Self { world: world.clone(), comm, leaders: leads.then_some(alike), index, count }
    }

    /// Makes groups of the size that the deck asks for, or that suits it, for `samples` samples; `probe` solves one of
    /// them, should times be asked for. The choice is the same on all ranks, and logged. Collective.
    ///
    /// # Errors
    /// When the deck cannot be set up to measure.
    pub fn choose(
        world: &Comm,
        deck: &Deck,
        samples: usize,
        probe: impl Fn(&mut Simulation, usize) -> Result<()>,
        report: &Report,
    ) -> Result<Self> {
        let size = world.size();
        let ranks = match deck.campaign.group_ranks {
            Some(GroupRanks::Number(ranks)) => ranks.min(size),
            Some(GroupRanks::Word(GroupRanksWord::All)) => size,
            None => {
                let unknowns = unknowns(world, deck);
                let ranks = (unknowns.div_ceil(UNKNOWNS) as usize).max(least(world, unknowns)).min(size);
                // Every rank has work, should there be few samples.
                ranks.max(size / samples.max(1))
            }
            Some(GroupRanks::Word(GroupRanksWord::Auto)) => {
                let least = least(world, unknowns(world, deck)).min(size);
                report.phase("group size", || measured(world, deck, (least, samples), probe, report))?
            }
        };
        let groups = Self::new(world, count(size, ranks, samples));
        if size > 1 {
            let sizes = match (size / groups.count, size % groups.count) {
                (ranks, 0) => format!("{ranks}"),
                (ranks, _) => format!("{ranks} to {}", ranks + 1),
            };
            report.line(format!(
                "{} group{} of {sizes} rank{}, each solves a sample at a time",
                groups.count,
                if groups.count == 1 { "" } else { "s" },
                if sizes == "1" { "" } else { "s" }
            ));
        }
        Ok(groups)
    }
}

/// How many groups of at least `ranks` ranks there are: no more than samples.
fn count(size: usize, ranks: usize, samples: usize) -> usize {
    (size / ranks.max(1)).min(samples).max(1)
}

/// Unknowns of a sample, from the size of its box or of its mesh file. Collective.
fn unknowns(world: &Comm, deck: &Deck) -> u64 {
    let (source, mut dimension) = (deck.mesh_source(), 3);
    let cells: Vec<u64> = match &source {
        MeshSource::Box(source) => {
            dimension = source.cells.len();
            source.cells.clone()
        }
        MeshSource::File { path, .. } => {
            // Rank 0 looks. A missing file is reported when the mesh is read.
            let bytes = if world.rank() == 0 { std::fs::metadata(path).map_or(0, |m| m.len()) } else { 0 };
            vec![world.max(bytes) / FILE_BYTES, 0, 0]
        }
    };
    let nodes = |degree: u64| match &source {
        MeshSource::Box(_) => cells.iter().fold(1u64, |n, c| n.saturating_mul(c * degree + 1)),
        MeshSource::File { .. } => cells[0].saturating_mul(degree.pow(3)),
    };
    let of = |physics: &crate::deck::Physics| {
        nodes(physics.degree() as u64).saturating_mul(physics.components(dimension) as u64)
    };
    deck.physics.iter().map(of).max().unwrap_or(1)
}

/// The fewest ranks whose share of the memory holds a sample of that size. Collective.
fn least(world: &Comm, unknowns: u64) -> usize {
    let share = world.share_of_memory().unwrap_or(u64::MAX);
    unknowns.saturating_mul(BYTES).div_ceil(share.max(1)) as usize
}

/// The group size for which the whole campaign is expected to be quickest, from the time of a sample on groups of
/// `least`, 2 `least`, 4 `least`, ... ranks, until they get worse. All groups measure at the same time, as they will
/// work. Collective.
fn measured(
    world: &Comm,
    deck: &Deck,
    (least, samples): (usize, usize),
    probe: impl Fn(&mut Simulation, usize) -> Result<()>,
    report: &Report,
) -> Result<usize> {
    let mut table = Table::new(&["ranks a group", "groups", "a sample", "campaign"]);
    let mut best: Option<(usize, f64)> = None;
    let mut ranks = least.max(world.size() / samples.max(1)).max(1);
    while ranks <= world.size() && samples > 1 {
        let groups = Groups::new(world, count(world.size(), ranks, samples));
        let mut simulation = world.agree(Simulation::new(&groups.comm, deck))?;
        // What is set up once is paid with the first; a sample that fails takes time as well.
        let _ = probe(&mut simulation, 0);
        let mut sample = f64::INFINITY;
        for i in 1..=TIMED {
            world.barrier();
            let start = Instant::now();
            let _ = probe(&mut simulation, i);
            sample = sample.min(world.max(start.elapsed().as_secs_f64()));
        }
        let campaign = samples.div_ceil(groups.count) as f64 * sample;
        table.row(&[ranks.to_string(), groups.count.to_string(), duration(sample), duration(campaign)]);
        if best.is_some_and(|(_, other)| campaign >= other) {
            break;
        }
        best = Some((ranks, campaign));
        ranks *= 2;
    }
    if !table.is_empty() {
        report.table(&table);
    }
    Ok(best.map_or(ranks.min(world.size()), |(ranks, _)| ranks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_at_least_their_ranks_and_a_sample() {
        assert_eq!(count(8, 2, 100), 4);
        assert_eq!(count(7, 3, 100), 2);
        assert_eq!(count(4, 9, 100), 1);
        assert_eq!(count(64, 1, 10), 10);
        assert_eq!(count(64, 1, 0), 1);
        // Consecutive ranks; sizes 4 and 3.
        let owners: Vec<usize> = (0..7).map(|rank| block_owner(7, 2, rank)).collect();
        assert_eq!(owners, [0, 0, 0, 0, 1, 1, 1]);
    }
}
