//! The products of experts' own columns.
use super::gating::Gating;
use super::product::InnerProduct;
use crate::Result;
use crate::fem::Space;
use petsc_rs::Matrix;

/// `(x, y) = (chi x)^T A (chi y)` of columns at the nodes of one expert, all components of a node together, with a matrix
/// `A` of one component: how large `chi_k x` is in the whole field. It stands on the expert's rank and takes no other.
pub struct LocalProduct {
    components: usize,
    /// `start[node]..start[node + 1]` of `entries` belong to a node of the expert.
    start: Vec<u32>,
    /// Place among the expert's nodes, and `chi_i A_ij chi_j`.
    entries: Vec<(u32, f64)>,
}

impl LocalProduct {
    /// Those of each expert of this rank from a distributed matrix of one component on the nodes of the space. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn of_experts(gating: &Gating, space: &Space, matrix: &Matrix) -> Result<Vec<Self>> {
        let comm = &space.mesh.comm;
        let mut messages: Vec<Vec<f64>> = vec![Vec::new(); comm.size()];
        for node in 0..space.owned_nodes {
            let row = matrix.row(space.first as usize + node)?;
            for &(expert, _) in gating.of(node) {
                let message = &mut messages[gating.owner(expert)];
                message.push(row.len() as f64);
                message.extend(row.iter().flat_map(|&(column, value)| [column as f64, value]));
            }
        }
        let chi = gating.values(comm);
        let new = |_| Self { components: space.components, start: vec![0], entries: Vec::new() };
        let mut products: Vec<Self> = (0..chi.len()).map(new).collect();
        for (rows, places) in comm.exchange(&messages).iter().zip(&gating.arrivals) {
            let mut rest = &rows[..];
            for &place in places {
                let [count, tail @ ..] = rest else { break };
                let (row, tail) = tail.split_at(2 * *count as usize);
                rest = tail;
                let (expert, place) = (&mut products[place as usize], place as usize);
                let (support, chi) = (gating.support(place), &chi[place]);
                let node = expert.start.len() - 1;
                for pair in row.chunks_exact(2) {
                    if let Ok(other) = support.binary_search(&(pair[0] as i32)) {
                        expert.entries.push((other as u32, chi[node] * pair[1] * chi[other]));
                    }
                }
                expert.start.push(expert.entries.len() as u32);
            }
        }
        Ok(products)
    }
}

impl InnerProduct for LocalProduct {
    fn apply(&self, x: &[f64], y: &mut [f64]) -> Result<()> {
        let c = self.components;
        for (node, y) in y.chunks_exact_mut(c).enumerate() {
            y.fill(0.0);
            for &(other, value) in &self.entries[self.start[node] as usize..self.start[node + 1] as usize] {
                let x = &x[other as usize * c..][..c];
                y.iter_mut().zip(x).for_each(|(y, x)| *y += value * x);
            }
        }
        Ok(())
    }
}
