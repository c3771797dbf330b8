//! Which part of a domain an integral is taken over, and with which weights.
use super::Space;
use super::rule::Domain;
use super::sink::Integral;
use std::borrow::Cow;
use tessera_kernels::{Entity, Job, Kernel};

/// Part of a domain.
#[derive(Debug, Clone, Copy)]
pub enum Restriction<'a> {
    /// All of it.
    All,
    /// The cells of an expert, numbered over all ranks, and the facets that are seen from them.
    Expert(u32),
    /// Some local cells, in any order, and the facets that are seen from them.
    Cells {
        /// Their numbers, each once.
        list: &'a [u32],
        /// Factor of a cell's part of the integral, `[place in the list]`; empty where all are 1.
        weights: &'a [f64],
    },
}

/// The entities of a domain that a restriction leaves.
#[derive(Debug, Clone)]
pub struct Selection<'a> {
    /// In the domain's order.
    pub entities: Cow<'a, [Entity]>,
    /// Factors of their parts of the integral, `[entity]`; none where all are 1.
    pub weights: Option<Vec<f64>>,
}

impl Restriction<'_> {
    /// What it leaves of a domain; with `owned` only what is seen from cells that this rank owns, so that every cell is
    /// there once over all ranks. Local.
    ///
    /// # Panics
    /// When there are weights, but not one for each cell of the list.
    pub fn select<'d>(&self, space: &Space, domain: &Domain<'d>, owned: bool) -> Selection<'d> {
        let cells = if owned { space.mesh.owned_cells } else { space.mesh.local_cells() };
        let inside = move |entity: &Entity| (entity.0 as usize) < cells;
        match *self {
            Self::All if domain.entities.iter().all(inside) => {
                Selection { entities: Cow::Borrowed(domain.entities), weights: None }
            }
            Self::All => Selection::of(domain.entities.iter().copied().filter(inside)),
            Self::Expert(expert) => {
                let experts = &space.mesh.cell_experts;
                let its = |entity: &Entity| inside(entity) && experts[entity.0 as usize] == expert;
                Selection::of(domain.entities.iter().copied().filter(its))
            }
            Self::Cells { list, weights } => {
                let (entities, weights) = of_cells(domain.entities, list, weights, inside);
                Selection { entities: Cow::Owned(entities), weights }
            }
        }
    }
}

/// One cell in so many makes a list long.
const LONG: usize = 16;

/// Entities that are `inside` and seen from cells of a list, with the weights of their cells.
fn of_cells(
    entities: &[Entity],
    list: &[u32],
    weights: &[f64],
    inside: impl Fn(&Entity) -> bool,
) -> (Vec<Entity>, Option<Vec<f64>>) {
    assert!(weights.is_empty() || weights.len() == list.len(), "one weight a cell");
    let mut chosen = Vec::new();
    let mut factors = (!weights.is_empty()).then(Vec::new);
    let mut choose = |place_of: &dyn Fn(u32) -> Option<u32>| {
        for entity in entities.iter().filter(|entity| inside(entity)) {
            if let Some(place) = place_of(entity.0) {
                chosen.push(*entity);
                if let Some(factors) = &mut factors {
                    factors.push(weights[place as usize]);
                }
            }
        }
    };
    // Places in the list by cells: all of them where the list is long, or in order.
    let cells = list.iter().max().map_or(0, |&last| last as usize + 1);
    if list.len() > cells / LONG {
        let mut places = vec![u32::MAX; cells];
        list.iter().enumerate().for_each(|(place, &cell)| places[cell as usize] = place as u32);
        choose(&|cell| places.get(cell as usize).copied().filter(|&place| place != u32::MAX));
    } else {
        let mut order: Vec<u32> = (0..list.len() as u32).collect();
        order.sort_unstable_by_key(|&place| list[place as usize]);
        choose(&|cell| {
            let at = order.binary_search_by_key(&cell, |&place| list[place as usize]).ok()?;
            Some(order[at])
        });
    }
    (chosen, factors)
}

impl<'a> Selection<'a> {
    fn of(entities: impl Iterator<Item = Entity>) -> Self {
        Self { entities: Cow::Owned(entities.collect()), weights: None }
    }

    /// The integral of a form over these entities of a domain, whose job `job` makes.
    pub fn integral<'b>(
        &'b self,
        kernel: &'b dyn Kernel,
        domain: &Domain<'b>,
        job: impl FnOnce(&Domain<'b>) -> Job<'b>,
    ) -> Integral<'b> {
        let domain = Domain { rule: domain.rule, entities: &self.entities };
        Integral { kernel, job: job(&domain), weights: self.weights.as_deref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_and_short_ones_choose_alike() {
        let entities: Vec<Entity> = (0..500).map(|cell| (cell, cell, 0)).collect();
        for list in [vec![499, 3, 40], (0..400).rev().collect()] {
            let weights: Vec<f64> = list.iter().map(|&cell| f64::from(cell) + 0.5).collect();
            let (chosen, found) = of_cells(&entities, &list, &weights, |entity| entity.0 != 3);
            let mut expected: Vec<u32> = list.iter().copied().filter(|&cell| cell != 3).collect();
            expected.sort_unstable();
            assert_eq!(chosen.iter().map(|entity| entity.0).collect::<Vec<_>>(), expected);
            assert_eq!(found, Some(expected.iter().map(|&cell| f64::from(cell) + 0.5).collect()));
        }
    }

    #[test]
    fn cells_keep_their_weights_in_any_order() {
        let entities = [(0, 0, 1), (2, 1, 1), (3, 2, 0), (5, 3, 0), (9, 4, 0)];
        let list = [9, 2, 7, 5];
        let inside = |entity: &Entity| entity.0 < 6;
        let (chosen, weights) = of_cells(&entities, &list, &[0.9, 0.2, 0.7, 0.5], inside);
        assert_eq!(chosen, [(2, 1, 1), (5, 3, 0)]);
        assert_eq!(weights, Some(vec![0.2, 0.5]));
        let (chosen, weights) = of_cells(&entities, &list, &[], |_| true);
        assert_eq!(chosen.len(), 3);
        assert_eq!(weights, None);
    }
}
