//! Linear quantities of interest as functionals, whose dual norm bounds their error.
use super::energy::Energy;
use crate::Result;
use crate::deck::{Quantity, QuantityKind};
use crate::fem::Domain;
use crate::fem::functional::visit;
use crate::fem::locate::interpolation;
use crate::fem::place::{Where, groups};
use crate::mixture::dot;
use crate::simulation::Simulation;

/// A quantity's dual norm in the reference energy: `|Q(e)| <= norm |e|` for every e that vanishes where values
/// are prescribed. `None` for a quantity that is not linear in a solution (an extremum, a magnitude, a derived
/// field). Collective.
///
/// # Errors
/// When a solve fails.
pub fn dual_norm(
    simulation: &Simulation,
    quantity: &Quantity,
    energies: &[&Energy],
) -> Result<Option<(usize, f64)>> {
    let (field, stage) = simulation.measured(quantity)?;
    let space = &stage.problem.space;
    let components = space.components;
    let component = match (components, quantity.component) {
        _ if field.derived.is_some() => return Ok(None),
        (1, _) => 0,
        (_, Some(component)) => component.min(components - 1),
        (_, None) => return Ok(None),
    };
    let functions = space.element.functions();
    let mut sums = vec![0.0; space.local_nodes() * components];
    let comm = &space.mesh.comm;
    match quantity.kind {
        QuantityKind::Integral | QuantityKind::Average => {
            let place: Where = simulation.place(quantity)?;
            let mut measure = 0.0;
            let state = vec![0.0; sums.len()];
            for (rule, entities) in groups(space, &place, 2 * space.element.degree) {
                visit(space, &state, &Domain { rule: &rule, entities: &entities }, |sample| {
                    measure += sample.weight;
                    for (a, &node) in space.nodes_of(sample.cell).iter().enumerate() {
                        let shape = rule.basis.values[sample.point * functions + a];
                        sums[node as usize * components + component] += sample.weight * shape;
                    }
                });
            }
            let measure = comm.sum(measure);
            if quantity.kind == QuantityKind::Average {
                sums.iter_mut().for_each(|s| *s /= measure);
            }
        }
        QuantityKind::Point => {
            let point = quantity.point.as_deref().unwrap_or_default();
            let point = std::array::from_fn(|i| point.get(i).copied().unwrap_or(0.0));
            let terms = interpolation(space, &point).map_or(Vec::new(), |(_, terms)| terms);
            for (node, weight) in terms {
                sums[node * components + component] += weight;
            }
        }
        _ => return Ok(None),
    }
    let mut functional = space.field()?;
    functional.local_write()?.copy_from_slice(&sums);
    functional.ghost_accumulate()?;
    let functional = functional.read()?;
    let representer = energies[field.stage].representer(&functional)?;
    Ok(Some((field.stage, comm.sum(dot(&functional, &representer)).max(0.0).sqrt())))
}
