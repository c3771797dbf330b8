//! What becomes of an integral besides entries of a distributed matrix.
//!
//! All of these are made of element vectors and matrices ([`ByCell`]), which the kernels that assemble compute: there are
//! no others. Numbers of nodes are those of the job, ghosts included; nothing here communicates. Cells are computed by
//! all threads in groups of a fixed size, and what they give is added in the order of the entities: sums do not depend on
//! the number of threads.
mod local;
mod product;
mod projected;

pub use local::{Coupling, LocalNodes};
pub use product::{add_product, add_transposed_product, add_vector};
pub use projected::Projected;

use rayon::prelude::*;
use tessera_kernels::{ByCell, Element, Elements, Job, Kernel};

/// An integral over some entities.
#[derive(Clone)]
pub struct Integral<'a> {
    /// The form.
    pub kernel: &'a dyn Kernel,
    /// Where it is taken and at which state. Places in a matrix (`sparsity`, `rows`) are not looked at, nor is
    /// `wants_matrix`; rows and columns of prescribed unknowns are left out of element matrices.
    pub job: Job<'a>,
    /// Factors of the entities' parts, `[entity]` as in the job; none where all are 1.
    pub weights: Option<&'a [f64]>,
}

/// Chunks of entities that a thread takes at once.
const GROUP: usize = 16;

/// A chunk of an integral's entities with their element vectors and matrices.
struct Chunk<'a> {
    job: &'a Job<'a>,
    weights: Option<&'a [f64]>,
    elements: Elements<'a>,
}

impl Chunk<'_> {
    /// Elements and their weights.
    fn each(&self) -> impl Iterator<Item = (Element<'_>, f64)> {
        let weight = |e: usize| self.weights.map_or(1.0, |weights| weights[e]);
        self.elements.each(self.job).enumerate().map(move |(e, element)| (element, weight(e)))
    }
}

impl<'a> Integral<'a> {
    /// Calls `visit` for every entity in order with its element vector `[function, component]`, its element matrix
    /// `[row, column]` (empty unless wanted) and its weight, by which neither is multiplied.
    pub fn visit(&self, wants_matrix: bool, mut visit: impl FnMut(&Element, f64)) {
        let job = Job { wants_matrix, ..self.job.clone() };
        let mut entity = 0;
        ByCell::new(self.kernel.components(), &job.cells).visit(self.kernel, &job, |element| {
            visit(element, self.weights.map_or(1.0, |weights| weights[entity]));
            entity += 1;
        });
    }

    /// Calls `compute` for the chunks of each group, one after the other, with what the group gathers, then `take` with
    /// the groups' jobs and what they gathered, in order.
    fn gather<T: Send>(
        &self,
        wants_matrix: bool,
        start: impl Fn() -> T + Sync,
        compute: impl Fn(&mut T, &Chunk) + Sync,
        mut take: impl FnMut(&Job, T),
    ) {
        assert!(
            self.weights.is_none_or(|weights| weights.len() == self.job.entities.len()),
            "one weight each"
        );
        let job = Job { wants_matrix, ..self.job.clone() };
        let (components, cells) = (self.kernel.components(), &job.cells);
        let chunk = ByCell::chunk(components, cells);
        let group = |first: usize, entities: usize| {
            let part = |from: usize, to: usize| {
                let weights = self.weights.map(|weights| &weights[from..to]);
                (Job { entities: &job.entities[from..to], ..job.clone() }, weights)
            };
            let mut gathered = start();
            let mut room = ByCell::new(components, cells);
            for from in (first..first + entities).step_by(chunk) {
                let (job, weights) = part(from, (from + chunk).min(first + entities));
                let elements = room.compute(self.kernel, &job);
                compute(&mut gathered, &Chunk { job: &job, weights, elements });
            }
            gathered
        };
        let groups: Vec<(usize, usize)> = (0..job.entities.len())
            .step_by(GROUP * chunk)
            .map(|first| (first, (GROUP * chunk).min(job.entities.len() - first)))
            .collect();
        // Few groups at a time: what they gather may be as large as all element matrices.
        for some in groups.chunks(4 * rayon::current_num_threads()) {
            let gathered: Vec<T> = match some {
                [(first, entities)] => vec![group(*first, *entities)],
                _ => some.par_iter().map(|&(first, entities)| group(first, entities)).collect(),
            };
            for (&(first, entities), gathered) in some.iter().zip(gathered) {
                take(&Job { entities: &job.entities[first..first + entities], ..job.clone() }, gathered);
            }
        }
    }
}

/// Unknowns of the nodes of a cell with `components` at each, in the order of an element vector.
fn unknowns(nodes: &[u32], components: usize) -> impl Iterator<Item = usize> {
    nodes.iter().flat_map(move |&node| (0..components).map(move |i| node as usize * components + i))
}

#[cfg(test)]
mod tests;
