//! Quantities of interest that are linear in a solution, as functionals of its unknowns.
use super::problems::Simulation;
use crate::Result;
use crate::deck::{Quantity, QuantityKind};
use crate::fem::functional::visit;
use crate::fem::locate::interpolation;
use crate::fem::place::groups;
use crate::fem::{Domain, Space};
use petsc_rs::Vector;

impl Simulation {
    /// A quantity that is linear in the solution of a problem (a mean, an integral, a value at a point of one of its
    /// components): the problem's number, and by what the quantity grows with each of its unknowns. `None` for others: an
    /// extremum, a magnitude, an energy, an exchange, anything of a derived or a random field. Collective.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) when the quantity names what does not exist.
    pub fn functional(&self, quantity: &Quantity) -> Result<Option<(usize, Vector)>> {
        let (field, stage) = self.measured(quantity)?;
        let space = stage.space();
        let component = match (field.components, quantity.component) {
            _ if field.derived.is_some() || field.random.is_some() => return Ok(None),
            (1, _) => field.first,
            (count, Some(component)) => field.first + component.min(count - 1),
            (_, None) => return Ok(None),
        };
        let (c, comm) = (space.components, &space.mesh.comm);
        let mut sums = vec![0.0; space.local_nodes() * c];
        match quantity.kind {
            QuantityKind::Integral | QuantityKind::Average => {
                let functions = space.element.functions();
                let place = self.place(quantity)?;
                // As of `Simulation::quantities`: on the axis of a body of revolution means go without the circle.
                let (mut plane, mut measures) = (sums.clone(), [0.0; 2]);
                let state = sums.clone();
                for (rule, entities) in groups(space, &place, 2 * space.element.degree) {
                    visit(space, &state, &Domain { rule: &rule, entities: &entities }, |sample| {
                        measures[0] += sample.weight;
                        measures[1] += sample.plane_weight;
                        for (a, &node) in space.nodes_of(sample.cell).iter().enumerate() {
                            let shape = rule.basis.values[sample.point * functions + a];
                            let dof = node as usize * c + component;
                            sums[dof] += sample.weight * shape;
                            plane[dof] += sample.plane_weight * shape;
                        }
                    });
                }
                if quantity.kind == QuantityKind::Average {
                    comm.sum_into(&mut measures);
                    let on_axis = measures[0] <= 0.0;
                    let measure = measures[usize::from(on_axis)];
                    sums = if on_axis { plane } else { sums };
                    sums.iter_mut().for_each(|sum| *sum /= measure);
                }
            }
            QuantityKind::Point => {
                for (point, sign) in [(&quantity.point, 1.0), (&quantity.minus_point, -1.0)] {
                    let Some(point) = point else { continue };
                    for (node, weight) in at_point(space, point) {
                        sums[node * c + component] += sign * weight;
                    }
                }
            }
            _ => return Ok(None),
        }
        let factor = quantity.factor.unwrap_or(1.0);
        let mut functional = space.field()?;
        functional.local_write()?.iter_mut().zip(&sums).for_each(|(entry, sum)| *entry = factor * sum);
        functional.ghost_accumulate()?;
        Ok(Some((field.stage, functional)))
    }
}

/// Local nodes and weights of the value at a point, which lies in the mesh. Collective.
fn at_point(space: &Space, point: &[f64]) -> Vec<(usize, f64)> {
    let padded = std::array::from_fn(|i| point.get(i).copied().unwrap_or(0.0));
    interpolation(space, &padded).map_or(Vec::new(), |(_, terms)| terms)
}
