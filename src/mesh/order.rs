//! Local order of cells and vertices.
use std::collections::VecDeque;

/// Breadth-first order of the cells from a cell at the rim of the mesh (Cuthill & McKee 1969 on the
/// dual graph, whose degrees hardly differ): cells that share vertices get close numbers, and so do
/// vertices numbered in order of first use. `neighbours` is `[cell, facet]` with `u32::MAX` for none.
/// Returns the old numbers in the new order.
pub(super) fn breadth_first(neighbours: &[u32], facets: usize) -> Vec<u32> {
    let cells = neighbours.len() / facets;
    let mut order = Vec::with_capacity(cells);
    let mut seen = vec![false; cells];
    for seed in 0..cells {
        if seen[seed] {
            continue;
        }
        // The last cell reached from anywhere is at the rim; start again from there.
        let start = order.len();
        sweep(seed as u32, neighbours, facets, &mut seen, &mut order);
        let rim = order[order.len() - 1];
        for &cell in &order[start..] {
            seen[cell as usize] = false;
        }
        order.truncate(start);
        sweep(rim, neighbours, facets, &mut seen, &mut order);
    }
    order
}

fn sweep(from: u32, neighbours: &[u32], facets: usize, seen: &mut [bool], order: &mut Vec<u32>) {
    let mut queue = VecDeque::from([from]);
    seen[from as usize] = true;
    while let Some(cell) = queue.pop_front() {
        order.push(cell);
        for &next in &neighbours[cell as usize * facets..(cell as usize + 1) * facets] {
            if next != u32::MAX && !std::mem::replace(&mut seen[next as usize], true) {
                queue.push_back(next);
            }
        }
    }
}

/// Numbers vertices in the order in which `cells` first use them: the new number of each old one.
pub(super) fn first_use(cells: &[u32], vertices: usize) -> Vec<u32> {
    let mut new = vec![u32::MAX; vertices];
    let mut next = 0;
    for &v in cells {
        if new[v as usize] == u32::MAX {
            new[v as usize] = next;
            next += 1;
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_numbered_along_its_length() {
        // Cells 2-0-3-1 in a row.
        let none = u32::MAX;
        let neighbours = [2, 3, 3, none, none, 0, 0, 1];
        let order = breadth_first(&neighbours, 2);
        assert!(order == [2, 0, 3, 1] || order == [1, 3, 0, 2], "{order:?}");
    }

    #[test]
    fn separate_pieces_are_all_visited() {
        let none = u32::MAX;
        assert_eq!(breadth_first(&[none, none, none, none], 2), [0, 1]);
    }
}
