//! Fields computed from a solution: fluxes, vorticities, strains, stresses.
//!
//! Gradients jump between cells. Nodal values are the averages of the surrounding cells' values at
//! the node, weighted with the cells' volumes (Zienkiewicz and Taylor, vol. 1, section 13.3: simple
//! averaging). At the interface of two materials that average has no physical meaning; refine there
//! or look at the cells of one side.
use super::coefficient::Context;
use super::problem::Problem;
use crate::fem::functional::{Sample, cell_entities, nodal_rule, visit};
use crate::fem::{Domain, Values};
use crate::{Error, Result};
use petsc_rs::Vector;
pub use tessera_kernels::model::Derived;
use tessera_kernels::model::{Components, Local, Origin};

/// Von Mises' equivalent stress of a symmetric tensor `[xx, xy, xz, yy, yz, zz]`.
pub fn von_mises(s: &[f64]) -> f64 {
    let (xx, xy, xz, yy, yz, zz) = (s[0], s[1], s[2], s[3], s[4], s[5]);
    let normal = (xx - yy).powi(2) + (yy - zz).powi(2) + (zz - xx).powi(2);
    (0.5 * normal + 3.0 * (xy * xy + xz * xz + yz * yz)).sqrt()
}

impl Problem {
    /// A derived field at the nodes, averaged over the cells of one region alone if one is given (and zero at nodes that
    /// have none of it). `state` holds all local unknowns, ghosts updated. Collective.
    ///
    /// # Errors
    /// When PETSc fails, and for fields that follow from internal variables, see [`Problem::derive_internal`].
    pub fn derive(
        &self,
        field: &Derived,
        context: &Context,
        state: &[f64],
        region: Option<u16>,
    ) -> Result<Vector> {
        let space = &self.space;
        let (of, width) = self.source_of(field);
        let Origin::Point(of) = of else {
            return Err(Error::Failed(format!("{} does not follow from values at a point", field.name)));
        };
        self.set_own(state);
        let rule = nodal_rule(&space.element);
        let functions = space.element.functions();
        let cells = space.mesh.cell_ids.len();
        let within = |&cell: &usize| region.is_none_or(|region| space.mesh.cell_regions[cell] == region);
        let entities = cell_entities(space, (0..cells).filter(within));
        let domain = Domain { rule: &rule, entities: &entities };
        let coefficients = self.local_values(context, &domain, cells);
        let mut sums = vec![0.0; space.owned_nodes * width];
        let mut weights = vec![0.0; space.owned_nodes];
        let mut local = vec![0.0; width];
        visit(space, state, &domain, |sample| {
            let node = space.cell_nodes[sample.cell * functions + sample.point] as usize;
            if node < space.owned_nodes {
                self.at_point(of, &coefficients, sample, functions, &mut local);
                weights[node] += sample.plane_weight;
                for (sum, value) in sums[node * width..].iter_mut().zip(&local) {
                    *sum += sample.plane_weight * value;
                }
            }
        });
        self.nodal_means(field, &sums, &weights)
    }

    /// The field from sums and weights at the owned nodes. Collective.
    pub(super) fn nodal_means(&self, field: &Derived, sums: &[f64], weights: &[f64]) -> Result<Vector> {
        let mut result = self.space.field_of(field.components.count(self.space.mesh.dimension))?;
        {
            let mut values = result.write()?;
            let width = sums.len() / weights.len().max(1);
            let mut mean = vec![0.0; width];
            for (node, &weight) in weights.iter().enumerate() {
                for (mean, sum) in mean.iter_mut().zip(&sums[node * width..]) {
                    *mean = if weight > 0.0 { sum / weight } else { 0.0 };
                }
                match (field.from, field.components) {
                    (Origin::VonMises(_), _) => values[node] = von_mises(&mean),
                    // A fit may undershoot what never falls below zero.
                    (Origin::History(_), Components::Scalar) => values[node] = mean[0].max(0.0),
                    _ => values[node * width..][..width].copy_from_slice(&mean),
                }
            }
        }
        result.ghost_update()?;
        Ok(result)
    }

    /// What a field follows from, by way of another one if need be, and the number of its values there.
    pub(super) fn source_of(&self, field: &Derived) -> (Origin, usize) {
        let field = match field.from {
            Origin::VonMises(name) => self.derived(name).unwrap_or(field),
            _ => field,
        };
        (field.from, field.components.count(self.space.mesh.dimension))
    }

    /// A field of the model by its name.
    pub fn derived(&self, name: &str) -> Option<&'static Derived> {
        self.equation.model.derived.iter().find(|field| field.name == name)
    }

    /// The coefficients that derived fields read, on entities numbered `0..entities`.
    pub(super) fn local_values(&self, context: &Context, domain: &Domain, entities: usize) -> Vec<Values> {
        let all = &self.integrals[0].coefficients;
        let read = all.outputs[..self.equation.law.local].iter().chain(&all.further);
        all.evaluate_outputs(read, context, &self.space, domain, entities)
    }

    /// A derived field at a quadrature point, from the coefficients there.
    pub fn at_point(
        &self,
        of: fn(&Local, &mut [f64]),
        coefficients: &[Values],
        sample: &Sample,
        points: usize,
        result: &mut [f64],
    ) {
        let (index, region) = (sample.entity.0 as usize, sample.entity.1 as usize);
        let k = |output: usize| coefficients[output].at(index, region, sample.point, points);
        of(&self.local(&k, sample, &[0.0; 6]), result);
    }
}
