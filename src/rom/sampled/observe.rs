//! Quantities of interest from what a reduced model has at hand.
use super::data::cell_of;
use super::file::group_of;
use super::reduction::{Reduction, cells_of};
use crate::deck::{Quantity, QuantityKind};
use crate::fem::locate::interpolation;
use crate::physics::Context;
use crate::simulation::quantities::scalar;
use crate::simulation::{Extreme, Simulation};
use crate::storage::File;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Nodes that an extremum is read off, at most.
const PLACES: usize = 16;

/// Nodes that are looked at for each extremum of a training trajectory.
const CANDIDATES: usize = 64;

/// By how much of its range over training an extremum may be missed there, so that one node serves for its neighbours.
const MISSED: f64 = 2e-4;

/// What of a quantity of interest is known without fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Observation {
    /// It is linear in the solution of a physics: its values on the functions.
    Linear {
        /// The physics.
        stage: usize,
        /// `[function]`.
        row: Vec<f64>,
    },
    /// It is read off nodes of the sampled cells, where the field is what it is on the whole mesh.
    Nodes {
        /// How.
        reading: Reading,
        /// The nodes.
        nodes: Vec<Sentinel>,
    },
    /// Nothing.
    Fields,
}

/// How a quantity follows from values at nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reading {
    /// The least.
    Least,
    /// The greatest: that of nodes which had it on training trajectories.
    Greatest,
    /// The sum with the nodes' weights: a value at a point.
    Sum,
}

/// A node, by a cell at it, with all of whose neighbours the sampled cells hold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sentinel {
    /// Canonical number of the cell.
    pub cell: u64,
    /// Node of the cell.
    pub node: u64,
    /// The region by whose cells a derived field is averaged, if by those of one.
    pub region: Option<u16>,
    /// Factor of its value.
    pub weight: f64,
}

/// The nodes of the most extreme values at moments of training trajectories, `[quantity][moment]`; none of other quantities.
pub(super) type Seen = Vec<Vec<Vec<Extreme>>>;

/// Cells that quantities need, with the physics whose internal variables they read there.
pub(super) type Needed = Vec<(usize, Vec<u64>)>;

/// Whether a quantity is an extremum that is to be seen.
fn is_extremum(simulation: &Simulation, quantity: &Quantity) -> bool {
    matches!(quantity.kind, QuantityKind::Minimum | QuantityKind::Maximum)
        && simulation.mesh.identified.is_none()
}

/// Notes where extrema stand now. Collective.
pub(super) fn see(simulation: &Simulation, context: &Context, seen: &mut Seen) -> Result<()> {
    seen.resize(simulation.deck.quantity.len(), Vec::new());
    for (quantity, seen) in simulation.deck.quantity.iter().zip(seen) {
        if is_extremum(simulation, quantity) {
            let now = simulation.extremes(quantity, context, CANDIDATES)?;
            seen.extend((!now.is_empty()).then_some(now));
        }
    }
    Ok(())
}

/// Nodes that have the extremum, or nearly, at all moments (greedy set cover): each is the one that serves most of those which
/// the nodes before it do not. Local.
fn places(seen: &[Vec<Extreme>]) -> Vec<(u64, Option<u16>)> {
    let extrema = || seen.iter().map(|moment| moment[0].value);
    let range = extrema().fold(f64::NEG_INFINITY, f64::max) - extrema().fold(f64::INFINITY, f64::min);
    let serves =
        |moment: &&Vec<Extreme>, node: &Extreme| (node.value - moment[0].value).abs() <= MISSED * range;
    let mut open: Vec<&Vec<Extreme>> = seen.iter().collect();
    let mut chosen = Vec::new();
    while !open.is_empty() && chosen.len() < PLACES {
        let mut counts: BTreeMap<(u64, Option<u16>), usize> = BTreeMap::new();
        for moment in &open {
            for node in moment.iter().take_while(|node| serves(moment, node)) {
                *counts.entry((node.node, node.region)).or_default() += 1;
            }
        }
        let best = counts.into_iter().min_by_key(|&(place, count)| (std::cmp::Reverse(count), place));
        let Some((best, _)) = best else { break };
        open.retain(|moment| {
            !moment.iter().any(|node| (node.node, node.region) == best && serves(moment, node))
        });
        chosen.push(best);
    }
    chosen
}

impl Observation {
    /// Those of a deck's quantities, with the cells that they need besides. Collective.
    ///
    /// # Errors
    /// When a quantity measures what does not exist.
    pub(super) fn all(
        simulation: &Simulation,
        reductions: &[Reduction],
        seen: &Seen,
    ) -> Result<(Vec<Self>, Needed)> {
        let (mut list, mut needed) = (Vec::new(), Vec::new());
        for (number, quantity) in simulation.deck.quantity.iter().enumerate() {
            let (field, stage) = simulation.measured(quantity)?;
            let space = stage.space();
            // A pressure follows from a solve on the whole mesh alone.
            if field.derived.is_none()
                && stage.problem.facts().pressure
                && field.first + field.components == space.components
            {
                list.push(Self::Fields);
                continue;
            }
            if simulation.why_not_linear(quantity)?.is_none() {
                let (stage, functional) = simulation.functional(quantity)?;
                let factor = quantity.factor.unwrap_or(1.0);
                let row = reductions[stage].functions.coefficients(&functional.read()?);
                list.push(Self::Linear { stage, row: row.iter().map(|v| factor * v).collect() });
                continue;
            }
            let mut nodes: Vec<(u64, Option<u16>, f64)> = Vec::new();
            let reading = match quantity.kind {
                QuantityKind::Minimum => Reading::Least,
                QuantityKind::Maximum => Reading::Greatest,
                _ => Reading::Sum,
            };
            if is_extremum(simulation, quantity) && field.random.is_none() {
                let found = seen.get(number).map_or_else(Vec::new, |seen| places(seen));
                nodes.extend(found.into_iter().map(|(node, region)| (node, region, 1.0)));
            }
            if quantity.kind == QuantityKind::Point
                && field.random.is_none()
                && simulation.mesh.identified.is_none()
            {
                for (point, sign) in [(&quantity.point, 1.0), (&quantity.minus_point, -1.0)] {
                    let Some(point) = point else { continue };
                    let point = std::array::from_fn(|i| point.get(i).copied().unwrap_or(0.0));
                    // Every rank that holds the point has the same terms, by its own numbers.
                    let Some((region, terms)) = interpolation(space, &point) else { continue };
                    let many = simulation.mesh.region_names.len() > 1 && field.derived.is_some();
                    let mut mine: Vec<f64> = Vec::new();
                    for (node, weight) in terms {
                        mine.extend([space.node_ids[node] as f64, sign * weight]);
                    }
                    let all = simulation.mesh.comm.all_gather_varied(&mine);
                    let mut known: BTreeMap<u64, f64> = BTreeMap::new();
                    known.extend(all.chunks_exact(2).map(|pair| (pair[0] as u64, pair[1])));
                    nodes.extend(
                        known.into_iter().map(|(node, weight)| (node, many.then_some(region), weight)),
                    );
                }
            }
            if nodes.is_empty() {
                list.push(Self::Fields);
                continue;
            }
            let mut sentinels = Vec::new();
            for (id, region, weight) in nodes {
                let (cells, [cell, node]) = cells_of(space, id);
                needed.push((field.stage, cells));
                sentinels.push(Sentinel { cell, node, region, weight });
            }
            list.push(Self::Nodes { reading, nodes: sentinels });
        }
        Ok((list, needed))
    }

    /// The nodes that it reads.
    pub(super) fn nodes(&self) -> &[Sentinel] {
        if let Self::Nodes { nodes, .. } = self { nodes } else { &[] }
    }

    /// Whether the fields of the whole mesh are needed.
    pub fn needs_fields(&self) -> bool {
        matches!(self, Self::Fields)
    }

    /// Its value from coefficients by physics and the present state of the sampled cells, which are numbered in the order of
    /// `cell_ids`; not a number where fields are needed. Local.
    pub(super) fn value(
        &self,
        quantity: &Quantity,
        coefficients: &[Vec<f64>],
        (simulation, context): (&Simulation, &Context),
        cell_ids: &[u64],
    ) -> Result<f64> {
        let (reading, nodes) = match self {
            Self::Linear { stage, row } => {
                return Ok(row.iter().zip(&coefficients[*stage]).map(|(r, c)| r * c).sum());
            }
            Self::Fields => return Ok(f64::NAN),
            Self::Nodes { reading, nodes } => (reading, nodes),
        };
        let (field, stage) = simulation.measured(quantity)?;
        let (space, width) = (stage.space(), field.components);
        let mut sum = vec![0.0; width];
        let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
        for group in nodes.chunk_by(|a, b| a.region == b.region) {
            let values = simulation.field_values_in(&field, context, group[0].region)?;
            let values = values.local_read()?;
            for sentinel in group {
                let cell = cell_of(&space.mesh, cell_ids, sentinel.cell);
                let own = &values[space.nodes_of(cell)[sentinel.node as usize] as usize * width..][..width];
                let value = scalar(own, quantity.component);
                (least, greatest) = (least.min(value), greatest.max(value));
                sum.iter_mut().zip(own).for_each(|(sum, v)| *sum += sentinel.weight * v);
            }
        }
        let found = match reading {
            Reading::Least => least,
            Reading::Greatest => greatest,
            Reading::Sum => scalar(&sum, quantity.component),
        };
        Ok(quantity.factor.unwrap_or(1.0) * found)
    }

    /// Writes all, for the model of a cluster. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when HDF5 or the file system refuses.
    pub fn write(list: &[Self], file: &File, cluster: usize) -> Result<()> {
        let text = serde_json::to_string(list)
            .map_err(|error| Error::Failed(format!("cannot describe the quantities of interest: {error}")))?;
        file.set(&group_of(cluster), "quantities", text)
    }

    /// Reads what [`Observation::write`] wrote, for physics with so many functions. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when the file does not hold what it should.
    pub fn read(file: &File, cluster: usize, quantities: usize, functions: &[usize]) -> Result<Vec<Self>> {
        let group = group_of(cluster);
        let broken = |what: String| Error::storage(format!("{}: {group}: quantities: {what}", file.label()));
        let list: Vec<Self> = serde_json::from_str(&file.text(&group, "quantities")?)
            .map_err(|error| broken(error.to_string()))?;
        let fits = |observation: &Self| match observation {
            Self::Linear { stage, row } => functions.get(*stage) == Some(&row.len()),
            _ => true,
        };
        if list.len() != quantities || !list.iter().all(fits) {
            return Err(broken("they do not fit the deck".into()));
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_an_extremum_serve_for_it_and_places_far_below_do_not() {
        let moment = |values: &[(u64, f64)]| -> Vec<Extreme> {
            values.iter().map(|&(node, value)| Extreme { value, node, region: None }).collect()
        };
        // Node 4 is nearly the highest where 3 and 5 are; 9 stands alone; a range of 100 allows 0.02.
        let seen = [
            moment(&[(3, 0.0), (4, 0.0), (9, -50.0)]),
            moment(&[(3, 60.0), (4, 59.99), (5, 59.0)]),
            moment(&[(5, 80.01), (4, 80.0), (3, 79.98)]),
            moment(&[(9, 100.0), (4, 99.9)]),
        ];
        assert_eq!(places(&seen), [(4, None), (9, None)]);
        // Of a minimum the list ascends; without a range equal values alone serve.
        let seen = [moment(&[(7, 2.0), (8, 2.0)]), moment(&[(8, 2.0), (6, 2.0 + 1e-9)])];
        assert_eq!(places(&seen), [(8, None)]);
        assert!(places(&[]).is_empty());
    }
}
