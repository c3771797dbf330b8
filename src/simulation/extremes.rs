//! Where the greatest and the least values of fields stand.
use super::problems::Simulation;
use super::quantities::scalar;
use crate::Result;
use crate::deck::{Quantity, QuantityKind};
use crate::fem::place::{Where, nodes};
use crate::physics::Context;

/// A node among those where a field is greatest, or least.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extreme {
    /// The value there.
    pub value: f64,
    /// Canonical number of the node.
    pub node: u64,
    /// The region by whose cells a derived field is averaged there, if there are several.
    pub region: Option<u16>,
}

impl Simulation {
    /// Where the `count` greatest values of a quantity stand now, the least of a minimum, from the extremum on; of equal ones
    /// those of the lowest numbers. Collective.
    ///
    /// # Errors
    /// When the quantity measures what does not exist.
    pub fn extremes(&self, quantity: &Quantity, context: &Context, count: usize) -> Result<Vec<Extreme>> {
        let (field, stage) = self.measured(quantity)?;
        let place = self.place(quantity)?;
        let (space, width) = (stage.space(), field.components);
        let sign = if quantity.kind == QuantityKind::Minimum { 1.0 } else { -1.0 };
        let first = |list: &mut Vec<Extreme>| {
            let order = |a: &Extreme, b: &Extreme| {
                (sign * a.value)
                    .total_cmp(&(sign * b.value))
                    .then((a.node, a.region).cmp(&(b.node, b.region)))
            };
            list.sort_by(order);
            list.truncate(count);
        };
        let mut own = Vec::new();
        for region in self.regions_of(&field, &place) {
            let values = self.field_values_in(&field, context, region)?;
            let values = values.local_read()?;
            let mut list = nodes(space, &place);
            if let Some(region) = region {
                let inside = nodes(space, &Where::Regions(vec![region]));
                list.retain(|node| inside.binary_search(node).is_ok());
            }
            list.retain(|&node| (node as usize) < space.owned_nodes);
            own.extend(list.iter().map(|&node| Extreme {
                value: scalar(&values[node as usize * width..][..width], quantity.component),
                node: space.node_ids[node as usize],
                region,
            }));
            first(&mut own);
        }
        let numbers: Vec<f64> =
            own.iter().flat_map(|e| [e.value, e.node as f64, e.region.map_or(-1.0, f64::from)]).collect();
        let mut all: Vec<Extreme> = self
            .mesh
            .comm
            .all_gather_varied(&numbers)
            .chunks_exact(3)
            .map(|e| Extreme { value: e[0], node: e[1] as u64, region: (e[2] >= 0.0).then_some(e[2] as u16) })
            .collect();
        first(&mut all);
        Ok(all)
    }
}
