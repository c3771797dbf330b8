//! Quantities of interest that are linear in a solution, as functionals of its unknowns.
use super::problems::Simulation;
use crate::deck::{Quantity, QuantityKind};
use crate::fem::functional::visit;
use crate::fem::locate::interpolation;
use crate::fem::place::{Where, groups};
use crate::fem::{Domain, Space};
use crate::{Error, Result};
use petsc_rs::Vector;

impl Simulation {
    /// Why a quantity is no linear functional of a solution; `None` if it is one.
    ///
    /// # Errors
    /// [`Error::Input`] when it measures a field that does not exist.
    pub fn why_not_linear(&self, quantity: &Quantity) -> Result<Option<&'static str>> {
        let (field, _) = self.measured(quantity)?;
        Ok(match quantity.kind {
            _ if field.derived.is_some() || field.random.is_some() => {
                Some("measures a field that is no solution")
            }
            _ if field.components > 1 && quantity.component.is_none() => {
                Some("measures a magnitude; name a `component`")
            }
            QuantityKind::Average | QuantityKind::Integral | QuantityKind::Point => None,
            _ => Some("is not an average, an integral or a value at a point"),
        })
    }

    /// The problem that a linear quantity measures, and its values on the basis functions of the problem's unknowns: its
    /// product with the solution is the quantity. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when it is not linear, see [`Simulation::why_not_linear`], or names a marker that does not exist or
    /// a point outside the mesh.
    pub fn functional(&self, quantity: &Quantity) -> Result<(usize, Vector)> {
        if let Some(why) = self.why_not_linear(quantity)? {
            return Err(Error::input("", format!("quantity \"{}\": {why}", quantity.name)));
        }
        let (field, stage) = self.measured(quantity)?;
        let (problem, space) = (&stage.problem, &stage.problem.space);
        let (c, component) = (space.components, field.first + quantity.component.unwrap_or(0));
        let mut functional = space.field()?;
        {
            let mut sums = functional.local_write()?;
            let mut add = |node: usize, weight: f64| sums[node * c + component] += weight;
            match quantity.kind {
                QuantityKind::Point => {
                    for (point, sign) in [(&quantity.point, 1.0), (&quantity.minus_point, -1.0)] {
                        let Some(point) = point else { continue };
                        let point = std::array::from_fn(|i| point.get(i).copied().unwrap_or(0.0));
                        let terms = interpolation(space, &point);
                        if space.mesh.comm.max(u8::from(terms.is_some())) == 0 {
                            let message = format!(
                                "quantity \"{}\": the point {point:?} is outside the mesh",
                                quantity.name
                            );
                            return Err(Error::input("", message));
                        }
                        let terms = terms.map_or(Vec::new(), |(_, terms)| terms);
                        terms.into_iter().for_each(|(node, weight)| add(node, sign * weight));
                    }
                }
                kind => {
                    let place = self.place(quantity)?;
                    let [mut measure, mut plane] = integrals(space, &place, |_, _| {});
                    (measure, plane) = (space.mesh.comm.sum(measure), space.mesh.comm.sum(plane));
                    // On the axis a circle has no length: the mean there is that along the axis.
                    let on_axis = kind == QuantityKind::Average && measure == 0.0;
                    let whole = match kind {
                        QuantityKind::Average if on_axis => plane,
                        QuantityKind::Average => measure,
                        _ => 1.0,
                    };
                    integrals(space, &place, |node, [weight, plane]| {
                        add(node, if on_axis { plane } else { weight } / whole);
                    });
                }
            }
        }
        functional.ghost_accumulate()?;
        functional.scale(quantity.factor.unwrap_or(1.0))?;
        functional.ghost_update()?;
        problem.fold_unused(&mut functional)?;
        Ok((field.stage, functional))
    }
}

/// The measure of this rank's part of a place, with and without the circle of a body of revolution; `each` gets the same
/// weighted with the basis functions, by local node.
fn integrals(space: &Space, place: &Where, mut each: impl FnMut(usize, [f64; 2])) -> [f64; 2] {
    let (state, functions) = (vec![0.0; space.local_nodes()], space.element.functions());
    let mut measure = [0.0; 2];
    for (rule, entities) in groups(space, place, 2 * space.element.degree) {
        visit(space, &state, &Domain { rule: &rule, entities: &entities }, |sample| {
            let weights = [sample.weight, sample.plane_weight];
            measure.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
            for (a, &node) in space.nodes_of(sample.cell).iter().enumerate() {
                let shape = rule.basis.values[sample.point * functions + a];
                each(node as usize, weights.map(|weight| weight * shape));
            }
        });
    }
    measure
}
