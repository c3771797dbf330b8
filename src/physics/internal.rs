//! Fields from internal variables: from quadrature points to nodes.
use super::derived::Derived;
use super::operator::At;
use super::problem::Problem;
use crate::fem::functional::Sample;
use crate::fem::{History, Rule, Space};
use crate::{Error, Result};
use faer::{Mat, linalg::solvers::SolveLstsq};
use petsc_rs::Vector;
use tessera_kernels::model::Origin;
use tessera_kernels::models::viscoplasticity::STRESS;

impl Problem {
    /// Nodal values of a field of a model with internal variables: in every cell a linear function fitted to
    /// the values at the quadrature points, averaged over the cells of a node, those of one region alone if one is given.
    /// Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn derive_internal(&self, field: &Derived, history: &History, region: Option<u16>) -> Result<Vector> {
        let (Origin::History(first), width) = self.source_of(field) else {
            return Err(Error::Failed(format!("{} does not follow from internal variables", field.name)));
        };
        let space = &self.space;
        let fit = to_nodes(&self.integrals[0].groups[0].rule, &space.element.nodes, space.mesh.dimension);
        let mut sums = vec![0.0; space.owned_nodes * width];
        let mut counts = vec![0.0f64; space.owned_nodes];
        for cell in 0..space.mesh.local_cells() {
            if region.is_some_and(|region| space.mesh.cell_regions[cell] != region) {
                continue;
            }
            let values = &history.values[cell * history.points * history.width..];
            for (a, &node) in space.nodes_of(cell).iter().enumerate() {
                let node = node as usize;
                if node >= space.owned_nodes {
                    continue;
                }
                counts[node] += 1.0;
                for (i, sum) in sums[node * width..][..width].iter_mut().enumerate() {
                    *sum += (0..history.points)
                        .map(|q| fit[(a, q)] * values[q * history.width + first + i])
                        .sum::<f64>();
                }
            }
        }
        self.nodal_means(field, &sums, &counts)
    }
}

/// The stress of a model with internal variables: in every cell a linear function fitted to that at the quadrature points.
pub struct InternalStress<'a> {
    /// `[node, quadrature point]`, see [`to_nodes`], and the variables.
    fitted: Option<(Mat<f64>, &'a History)>,
    space: &'a Space,
}

impl InternalStress<'_> {
    /// The stress at a sample `[xx, xy, xz, yy, yz, zz]`; zero where there are no internal variables.
    pub fn at(&self, sample: &Sample, stress: &mut [f64; 6]) {
        stress.fill(0.0);
        let Some((fit, history)) = &self.fitted else { return };
        let values = &history.values[sample.cell * history.points * history.width..];
        for (a, shape) in sample.shapes(self.space).iter().enumerate() {
            for (i, sum) in stress.iter_mut().enumerate() {
                let at_node: f64 =
                    (0..history.points).map(|q| fit[(a, q)] * values[q * history.width + STRESS + i]).sum();
                *sum += shape * at_node;
            }
        }
    }
}

impl Problem {
    /// The stress of internal variables at a state; nothing for other models.
    pub(super) fn stress_of<'a>(&'a self, at: &At<'a>) -> InternalStress<'a> {
        let (space, rule) = (&*self.space, &self.integrals[0].groups[0].rule);
        let fit = |history| (to_nodes(rule, &space.element.nodes, space.mesh.dimension), history);
        InternalStress { fitted: at.history.map(fit), space }
    }
}

/// The matrix `[node, quadrature point]` that fits a linear function to values at the points by least
/// squares and evaluates it at the nodes of the reference cell.
fn to_nodes(rule: &Rule, nodes: &[[f64; 3]], dimension: usize) -> Mat<f64> {
    let points = &rule.points;
    let basis = |x: &[f64; 3], j: usize| if j == 0 { 1.0 } else { x[j - 1] };
    // With a single point the fit is its value.
    let terms = if points.len() > dimension { dimension + 1 } else { 1 };
    let at_points = Mat::from_fn(points.len(), terms, |q, j| basis(&points[q], j));
    let at_nodes = Mat::from_fn(nodes.len(), terms, |a, j| basis(&nodes[a], j));
    let identity = Mat::<f64>::identity(points.len(), points.len());
    at_nodes * at_points.qr().solve_lstsq(identity)
}
