//! The pieces of a mesh: cells that hang together by facets.
use super::experts::to_ghosts;
use crate::parallel::Comm;

/// The piece of each local cell, numbered over all ranks by their first cells, and how many there are. `around` are the
/// neighbours of local cells, `[cell, facet]`; `ids` and `owners` those of local cells, `owned` ones first. Collective.
pub(super) fn pieces(
    comm: &Comm,
    around: &[u32],
    (ids, owners): (&[u64], &[u32]),
    owned: usize,
) -> (Vec<u32>, u32) {
    let groups = connected(around, ids.len());
    let count = groups.iter().max().map_or(0, |&group| group as usize + 1);
    // Every cell takes the lowest number in its piece: inside a rank at once, over the ranks step by step.
    let mut labels = ids.to_vec();
    loop {
        let mut least = vec![u64::MAX; count];
        labels.iter().zip(&groups).for_each(|(label, &g)| least[g as usize] = least[g as usize].min(*label));
        let new: Vec<u64> = groups[..owned].iter().map(|&group| least[group as usize]).collect();
        let new = to_ghosts(comm, ids, owners, owned, &new);
        let changed = new != labels;
        labels = new;
        if comm.max(u8::from(changed)) == 0 {
            break;
        }
    }
    let distinct = |mut list: Vec<u64>| {
        list.sort_unstable();
        list.dedup();
        list
    };
    let names = distinct(comm.all_gather_varied(&distinct(labels.clone())));
    let piece = |label: &u64| names.partition_point(|name| name < label) as u32;
    (labels.iter().map(piece).collect(), names.len() as u32)
}

/// Cells that facets connect: a number for each.
fn connected(around: &[u32], cells: usize) -> Vec<u32> {
    let nf = around.len() / cells.max(1);
    let mut numbers = vec![u32::MAX; cells];
    let mut count = 0;
    let mut stack = Vec::new();
    for seed in 0..cells {
        if numbers[seed] != u32::MAX {
            continue;
        }
        numbers[seed] = count;
        stack.push(seed);
        while let Some(cell) = stack.pop() {
            for &next in around[cell * nf..][..nf].iter().filter(|&&next| next != u32::MAX) {
                if numbers[next as usize] == u32::MAX {
                    numbers[next as usize] = count;
                    stack.push(next as usize);
                }
            }
        }
        count += 1;
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::connected;

    #[test]
    fn two_pairs_are_two_pieces() {
        let none = u32::MAX;
        assert_eq!(connected(&[1, none, 0, none, none, 3, none, 2], 4), [0, 0, 1, 1]);
    }
}
