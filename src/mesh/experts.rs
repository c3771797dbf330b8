//! Experts: the subdomains of each rank, connected and balanced.
use crate::parallel::Comm;
use mpi::traits::Equivalence;

/// How many of `total` experts each rank gets: in proportion to its cells (largest remainders), at
/// least one each.
pub(super) fn quotas(total: u64, cells: &[u64]) -> Vec<u64> {
    let ranks = cells.len() as u64;
    let all = cells.iter().sum::<u64>().max(1);
    let total = total.clamp(ranks, all.max(ranks));
    let mut quota: Vec<u64> = cells.iter().map(|&c| (total * c / all).clamp(1, c.max(1))).collect();
    loop {
        let given: u64 = quota.iter().sum();
        let fraction = |r: usize| cells[r] as f64 / (quota[r] as f64 + 0.5);
        if given < total {
            // The rank whose experts are largest takes one more.
            let best = (0..cells.len())
                .filter(|&r| quota[r] < cells[r])
                .max_by(|&a, &b| fraction(a).total_cmp(&fraction(b)));
            let Some(best) = best else { return quota };
            quota[best] += 1;
        } else if given > total {
            let best = (0..cells.len())
                .filter(|&r| quota[r] > 1)
                .min_by(|&a, &b| fraction(a).total_cmp(&fraction(b)));
            let Some(best) = best else { return quota };
            quota[best] -= 1;
        } else {
            return quota;
        }
    }
}

/// Splits a rank's cells into `count` parts by their order: the starting point where no graph
/// partitioner is wanted.
pub(super) fn slabs(cells: usize, count: u32) -> Vec<u32> {
    (0..cells).map(|cell| (cell as u64 * u64::from(count) / cells as u64) as u32).collect()
}

/// The graph of one rank's cells: `neighbours` is `[cell, facet]` with `u32::MAX` for none.
pub(super) struct Graph<'a> {
    /// Neighbours through facets.
    pub neighbours: &'a [u32],
    /// Facets of a cell.
    pub facets: usize,
}

impl Graph<'_> {
    fn cells(&self) -> usize {
        self.neighbours.len() / self.facets
    }

    fn around(&self, cell: u32) -> impl Iterator<Item = u32> {
        let cell = cell as usize * self.facets;
        self.neighbours[cell..cell + self.facets].iter().copied().filter(|&n| n != u32::MAX)
    }

    /// Connected pieces of the parts: for each cell its piece, and for each piece its part and size.
    pub fn pieces(&self, parts: &[u32]) -> (Vec<u32>, Vec<(u32, u32)>) {
        let mut piece = vec![u32::MAX; self.cells()];
        let mut list = Vec::new();
        let mut stack = Vec::new();
        for seed in 0..self.cells() as u32 {
            if piece[seed as usize] != u32::MAX {
                continue;
            }
            let (number, part) = (list.len() as u32, parts[seed as usize]);
            let mut size = 0;
            piece[seed as usize] = number;
            stack.push(seed);
            while let Some(cell) = stack.pop() {
                size += 1;
                for next in self.around(cell) {
                    if piece[next as usize] == u32::MAX && parts[next as usize] == part {
                        piece[next as usize] = number;
                        stack.push(next);
                    }
                }
            }
            list.push((part, size));
        }
        (piece, list)
    }

    /// Makes parts connected: every piece but the largest of each part joins the neighbouring part it
    /// shares most facets with. Pieces without neighbours stay (the rank's cells do not hang together).
    pub fn connect(&self, parts: &mut [u32], count: u32) {
        // Merging a piece can only leave fewer pieces, so this ends; a few rounds do.
        loop {
            let (piece, list) = self.pieces(parts);
            let mut largest = vec![u32::MAX; count as usize];
            for (number, &(part, size)) in list.iter().enumerate() {
                let best = &mut largest[part as usize];
                if *best == u32::MAX || list[*best as usize].1 < size {
                    *best = number as u32;
                }
            }
            let stray = |p: u32| largest[list[p as usize].0 as usize] != p;
            // (stray piece, part beyond) for each facet between a stray piece and the body of a part.
            let mut contacts: Vec<(u32, u32)> = Vec::new();
            for cell in 0..self.cells() as u32 {
                let mine = piece[cell as usize];
                if stray(mine) {
                    let others =
                        self.around(cell).map(|n| piece[n as usize]).filter(|&p| p != mine && !stray(p));
                    contacts.extend(others.map(|p| (mine, list[p as usize].0)));
                }
            }
            if contacts.is_empty() {
                return;
            }
            contacts.sort_unstable();
            let mut target: Vec<(u32, usize)> = vec![(u32::MAX, 0); list.len()];
            for group in contacts.chunk_by(|a, b| a == b) {
                let best = &mut target[group[0].0 as usize];
                if group.len() > best.1 {
                    *best = (group[0].1, group.len());
                }
            }
            for (part, &mine) in parts.iter_mut().zip(&piece) {
                if target[mine as usize].0 != u32::MAX {
                    *part = target[mine as usize].0;
                }
            }
        }
    }

    /// Gives every empty part half of the largest one (the half furthest from its first cell).
    pub fn fill(&self, parts: &mut [u32], count: u32) {
        loop {
            let mut sizes = vec![0u32; count as usize];
            parts.iter().for_each(|&part| sizes[part as usize] += 1);
            let Some(empty) = sizes.iter().position(|&size| size == 0) else { return };
            let Some((large, &size)) = sizes.iter().enumerate().max_by_key(|&(_, &size)| size) else {
                return;
            };
            let Some(first) = parts.iter().position(|&part| part == large as u32) else { return };
            if size < 2 {
                return;
            }
            let order = self.sweep(first as u32, parts);
            let rim = order.last().copied().unwrap_or(first as u32);
            let order = self.sweep(rim, parts);
            for &cell in order.iter().take(size as usize / 2) {
                parts[cell as usize] = empty as u32;
            }
        }
    }

    fn sweep(&self, from: u32, parts: &[u32]) -> Vec<u32> {
        let part = parts[from as usize];
        let mut seen = vec![false; self.cells()];
        let mut order = vec![from];
        seen[from as usize] = true;
        let mut next = 0;
        while next < order.len() {
            for cell in self.around(order[next]) {
                if parts[cell as usize] == part && !std::mem::replace(&mut seen[cell as usize], true) {
                    order.push(cell);
                }
            }
            next += 1;
        }
        order
    }

    /// Moves cells one by one from parts above `1 + tolerance` times the mean to smaller neighbours
    /// while that keeps both connected. Gives up quietly after a bounded amount of work.
    pub fn balance(&self, parts: &mut [u32], count: u32, tolerance: f64) {
        let cells = self.cells();
        let mean = cells as f64 / f64::from(count);
        let limit = (mean * (1.0 + tolerance)).max(mean.ceil()) as u32;
        let mut sizes = vec![0u32; count as usize];
        parts.iter().for_each(|&part| sizes[part as usize] += 1);
        let mut work = 200 * cells + 100_000;
        let mut marks = vec![0u32; cells];
        let mut round = 0;
        loop {
            let mut moved = false;
            for cell in 0..cells as u32 {
                let part = parts[cell as usize];
                if sizes[part as usize] <= limit {
                    continue;
                }
                // Downhill only: the receiver must stay smaller than the giver was.
                let better = self
                    .around(cell)
                    .map(|n| parts[n as usize])
                    .filter(|&p| sizes[p as usize] + 1 < sizes[part as usize])
                    .min_by_key(|&p| sizes[p as usize]);
                let Some(to) = better else { continue };
                round += 1;
                let used = self.reach(cell, parts, &mut marks, round);
                work = work.saturating_sub(used.1);
                if used.0 {
                    parts[cell as usize] = to;
                    sizes[part as usize] -= 1;
                    sizes[to as usize] += 1;
                    moved = true;
                }
                if work == 0 {
                    return;
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// Whether the neighbours of `cell` in its own part stay connected without it, and the cells visited.
    fn reach(&self, cell: u32, parts: &[u32], marks: &mut [u32], round: u32) -> (bool, usize) {
        let part = parts[cell as usize];
        let mut wanted: Vec<u32> = self.around(cell).filter(|&n| parts[n as usize] == part).collect();
        let Some(start) = wanted.pop() else { return (false, 1) };
        marks[cell as usize] = round;
        marks[start as usize] = round;
        let mut queue = vec![start];
        let mut next = 0;
        while next < queue.len() && !wanted.is_empty() {
            for n in self.around(queue[next]) {
                if parts[n as usize] == part && marks[n as usize] != round {
                    marks[n as usize] = round;
                    wanted.retain(|&w| w != n);
                    queue.push(n);
                }
            }
            next += 1;
        }
        (wanted.is_empty(), queue.len())
    }
}

/// Values of the ghosts from their owners. `ids` and `owners` of all local cells, the first `owned` of
/// which belong to this rank; `values` of the owned cells. Returns values of all local cells. Collective.
pub(super) fn to_ghosts<T: Equivalence + Copy + Default>(
    comm: &Comm,
    ids: &[u64],
    owners: &[u32],
    owned: usize,
    values: &[T],
) -> Vec<T> {
    let mut questions = vec![Vec::new(); comm.size()];
    for (&id, &owner) in ids[owned..].iter().zip(&owners[owned..]) {
        questions[owner as usize].push(id);
    }
    let mut sorted: Vec<(u64, T)> = ids[..owned].iter().copied().zip(values.iter().copied()).collect();
    sorted.sort_unstable_by_key(|pair| pair.0);
    let answers: Vec<Vec<T>> = comm
        .exchange(&questions)
        .iter()
        .map(|part| {
            let find = |id: &u64| {
                sorted.binary_search_by_key(id, |pair| pair.0).map_or(T::default(), |i| sorted[i].1)
            };
            part.iter().map(find).collect()
        })
        .collect();
    let answers = comm.exchange(&answers);
    let mut next = vec![0; comm.size()];
    let mut all = values.to_vec();
    for &owner in &owners[owned..] {
        let place = &mut next[owner as usize];
        all.push(answers[owner as usize][*place]);
        *place += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rank_gets_an_expert() {
        assert_eq!(quotas(8, &[100, 100]), [4, 4]);
        assert_eq!(quotas(1, &[100, 100]), [1, 1]);
        assert_eq!(quotas(10, &[300, 100, 100]), [6, 2, 2]);
        assert_eq!(quotas(5, &[1000, 1, 1]), [3, 1, 1]);
        assert_eq!(quotas(100, &[3, 2]), [3, 2]);
        for total in 3..40 {
            assert_eq!(quotas(total, &[977, 1024, 1003]).iter().sum::<u64>(), total);
        }
    }

    /// A row of `n` cells.
    fn row(n: u32) -> Vec<u32> {
        (0..n).flat_map(|i| [i.wrapping_sub(1), if i + 1 < n { i + 1 } else { u32::MAX }]).collect()
    }

    #[test]
    fn strays_join_and_parts_level_out() {
        let neighbours = row(12);
        let graph = Graph { neighbours: &neighbours, facets: 2 };
        let mut parts = vec![0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1];
        graph.connect(&mut parts, 2);
        assert_eq!(graph.pieces(&parts).1.len(), 2);
        graph.balance(&mut parts, 2, 0.05);
        assert_eq!(parts.iter().filter(|&&p| p == 0).count(), 6);
        assert_eq!(graph.pieces(&parts).1.len(), 2);
        let mut parts = vec![0; 12];
        graph.fill(&mut parts, 3);
        assert_eq!(graph.pieces(&parts).1.len(), 3);
    }
}
