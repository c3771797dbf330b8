//! Quantities of interest from what a reduced model has at hand.
use super::data::cell_of;
use super::file::group_of;
use super::reduction::{Reduction, cells_of};
use crate::deck::{Quantity, QuantityKind};
use crate::fem::locate::interpolation;
use crate::physics::Context;
use crate::simulation::Simulation;
use crate::simulation::quantities::scalar;
use crate::storage::File;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Places of an extremum on training trajectories that are kept, at most: those where it stands most often.
const PLACES: usize = 16;

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
    /// The greatest: that of the nodes where it stood on training trajectories.
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

/// Where extrema stand on training trajectories, by quantity of interest: nodes and regions with how often.
pub(super) type Seen = Vec<BTreeMap<(u64, Option<u16>), usize>>;

/// Cells that quantities need, with the physics whose internal variables they read there.
pub(super) type Needed = Vec<(usize, Vec<u64>)>;

/// Whether a quantity is an extremum that is to be seen.
fn is_extremum(simulation: &Simulation, quantity: &Quantity) -> bool {
    matches!(quantity.kind, QuantityKind::Minimum | QuantityKind::Maximum)
        && simulation.mesh.identified.is_none()
}

/// Notes where extrema stand now. Collective.
pub(super) fn see(simulation: &Simulation, context: &Context, seen: &mut Seen) -> Result<()> {
    seen.resize(simulation.deck.quantity.len(), BTreeMap::new());
    for (quantity, seen) in simulation.deck.quantity.iter().zip(seen) {
        if is_extremum(simulation, quantity)
            && let Some(place) = simulation.extremum(quantity, context)?
        {
            *seen.entry(place).or_default() += 1;
        }
    }
    Ok(())
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
                let mut places: Vec<_> = seen.get(number).into_iter().flatten().collect();
                places.sort_by_key(|&(place, count)| (std::cmp::Reverse(*count), *place));
                nodes.extend(places.iter().take(PLACES).map(|(place, _)| (place.0, place.1, 1.0)));
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
