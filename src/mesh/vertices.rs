//! Which ranks use a vertex, kept by the rank that holds the vertex's block of canonical numbers.
use crate::parallel::{Comm, block, block_owner};

/// For this rank's block of vertices, the ranks that were named with each.
pub(super) struct VertexDirectory {
    comm: Comm,
    total: u64,
    /// First canonical number of the block.
    first: u64,
    start: Vec<u32>,
    ranks: Vec<u32>,
}

impl VertexDirectory {
    /// Collects pairs (canonical vertex out of `total`, rank) from all ranks. Collective.
    pub fn new(comm: &Comm, total: u64, pairs: impl Iterator<Item = (u64, u32)>) -> Self {
        let mut parts = vec![Vec::new(); comm.size()];
        for (vertex, rank) in pairs {
            parts[block_owner(total, comm.size(), vertex)].extend([vertex, u64::from(rank)]);
        }
        let share = block(total, comm.size(), comm.rank());
        let first = share.start;
        let mut pairs: Vec<(u64, u32)> = comm
            .exchange(&parts)
            .iter()
            .flat_map(|part| part.chunks_exact(2).map(|pair| (pair[0], pair[1] as u32)))
            .collect();
        pairs.sort_unstable();
        pairs.dedup();
        let mut start = vec![0u32; (share.end - share.start) as usize + 1];
        pairs.iter().for_each(|pair| start[(pair.0 - first) as usize + 1] += 1);
        for i in 1..start.len() {
            start[i] += start[i - 1];
        }
        let ranks = pairs.into_iter().map(|pair| pair.1).collect();
        Self { comm: comm.clone(), total, first, start, ranks }
    }

    /// The ranks named with a vertex of this rank's block, in increasing order. Local.
    pub fn ranks_of(&self, vertex: u64) -> &[u32] {
        let i = (vertex - self.first) as usize;
        &self.ranks[self.start[i] as usize..self.start[i + 1] as usize]
    }

    /// The lowest rank named with each vertex of this rank's block; `u32::MAX` for none. Local.
    pub fn lowest(&self) -> Vec<u32> {
        self.start
            .windows(2)
            .map(|w| if w[0] == w[1] { u32::MAX } else { self.ranks[w[0] as usize] })
            .collect()
    }

    /// For each of the canonical numbers `vertices` (sorted), the ranks named with it where there are
    /// several: offsets into a list of ranks. Collective.
    pub fn shared(&self, vertices: &[u64]) -> (Vec<u32>, Vec<u32>) {
        let size = self.comm.size();
        let mut asked = vec![0i32; size];
        vertices.iter().for_each(|&v| asked[block_owner(self.total, size, v)] += 1);
        let (questions, counts) = self.comm.exchange_flat(vertices, &asked);
        let mut rest = &questions[..];
        let mut answers = vec![Vec::new(); size];
        for (answer, &count) in answers.iter_mut().zip(&counts) {
            let (mine, others) = rest.split_at(count as usize);
            rest = others;
            for (i, &vertex) in mine.iter().enumerate() {
                let ranks = self.ranks_of(vertex);
                if ranks.len() > 1 {
                    answer.extend([i as u32, ranks.len() as u32]);
                    answer.extend_from_slice(ranks);
                }
            }
        }
        let mut start = Vec::with_capacity(vertices.len() + 1);
        let mut list = Vec::new();
        start.push(0);
        for (answer, &count) in self.comm.exchange(&answers).iter().zip(&asked) {
            let mut rest = &answer[..];
            for i in 0..count as u32 {
                match rest {
                    [place, length, ranks @ ..] if *place == i => {
                        let (ranks, others) = ranks.split_at(*length as usize);
                        list.extend_from_slice(ranks);
                        rest = others;
                    }
                    _ => {}
                }
                start.push(list.len() as u32);
            }
        }
        (start, list)
    }
}
