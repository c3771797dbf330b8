//! Moving distributed values between any ownership and equal blocks of canonical numbers.
use super::comm::{Comm, block, block_owner};
use mpi::traits::Equivalence;
use std::ops::Range;
use std::rc::Rc;

/// A reusable plan: this rank owns the values of the canonical numbers `ids` (in any order); in
/// files, and wherever ranks must not show, they stand in canonical order in equal blocks. Copies share one plan.
#[derive(Clone)]
pub struct Redistribution(Rc<Plan>);

struct Plan {
    comm: Comm,
    range: Range<u64>,
    total: u64,
    /// Number of values that this rank owns.
    owned: usize,
    /// Local positions in the order they are sent, and how many go to each rank.
    order: Vec<u32>,
    send: Vec<i32>,
    /// Where each received value stands in this rank's block.
    place: Vec<u32>,
}

impl Redistribution {
    /// Builds the plan for the owned canonical numbers `ids` out of `0..total`. Collective.
    pub fn new(comm: &Comm, ids: &[u64], total: u64) -> Self {
        let mut order: Vec<u32> = (0..ids.len() as u32).collect();
        order.sort_unstable_by_key(|&i| ids[i as usize]);
        let sorted: Vec<u64> = order.iter().map(|&i| ids[i as usize]).collect();
        Self::with_images(comm, (&sorted, &order), ids.len(), total)
    }

    /// Builds the plan for values that may stand in several places: the canonical numbers `ids`, increasing,
    /// of all places, and which of the `owned` values stands in each. From canonical order comes the value of
    /// the first place. Collective.
    pub fn with_images(comm: &Comm, (ids, values): (&[u64], &[u32]), owned: usize, total: u64) -> Self {
        let size = comm.size();
        let mut send = vec![0i32; size];
        for &id in ids {
            send[block_owner(total, size, id)] += 1;
        }
        let (received, _) = comm.exchange_flat(ids, &send);
        let range = block(total, size, comm.rank());
        let place = received.iter().map(|id| (id - range.start) as u32).collect();
        let order = values.to_vec();
        Self(Rc::new(Plan { comm: comm.clone(), range, total, owned, order, send, place }))
    }

    /// The ranks that share the values.
    pub fn comm(&self) -> &Comm {
        &self.0.comm
    }

    /// This rank's block of canonical numbers.
    pub fn range(&self) -> Range<u64> {
        self.0.range.clone()
    }

    /// How many values this rank owns.
    pub fn owned(&self) -> usize {
        self.0.owned
    }

    /// How many canonical numbers there are over all ranks.
    pub fn total(&self) -> u64 {
        self.0.total
    }

    /// Owned values (`width` to a number, in the order of `ids`) to this rank's canonical block.
    pub fn to_canonical<T: Equivalence + Copy + Default>(&self, values: &[T], width: usize) -> Vec<T> {
        let packed: Vec<T> = self
            .0
            .order
            .iter()
            .flat_map(|&i| values[i as usize * width..(i as usize + 1) * width].iter().copied())
            .collect();
        let counts: Vec<i32> = self.0.send.iter().map(|&c| c * width as i32).collect();
        let (received, _) = self.0.comm.exchange_flat(&packed, &counts);
        let mut block = vec![T::default(); (self.0.range.end - self.0.range.start) as usize * width];
        for (chunk, &place) in received.chunks_exact(width).zip(&self.0.place) {
            block[place as usize * width..(place as usize + 1) * width].copy_from_slice(chunk);
        }
        block
    }

    /// The inverse of [`Redistribution::to_canonical`].
    pub fn from_canonical<T: Equivalence + Copy + Default>(&self, block: &[T], width: usize) -> Vec<T> {
        let packed: Vec<T> = self
            .0
            .place
            .iter()
            .flat_map(|&p| block[p as usize * width..(p as usize + 1) * width].iter().copied())
            .collect();
        // What was received from rank r goes back to it: count the places by source.
        let sources = self.0.comm.exchange_flat(&self.0.send, &vec![1; self.0.comm.size()]).0;
        let counts: Vec<i32> = sources.iter().map(|&c| c * width as i32).collect();
        let (received, _) = self.0.comm.exchange_flat(&packed, &counts);
        let mut values = vec![T::default(); self.0.owned * width];
        for (chunk, &i) in received.chunks_exact(width).zip(&self.0.order).rev() {
            values[i as usize * width..(i as usize + 1) * width].copy_from_slice(chunk);
        }
        values
    }
}
