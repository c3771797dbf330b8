//! Values of a field of one mesh at points of another, both distributed.
use super::Space;
use super::locate::Locator;
use crate::parallel::Comm;
use crate::{Error, Result};

/// Points may lie outside the mesh by this part of the size of the nearest cell: two meshes of one curved
/// boundary do. They get the value of the extended cell.
const OUTSIDE: f64 = 0.5;

/// Interpolation from the nodes of a space to points, wherever both lie.
pub struct Transfer {
    comm: Comm,
    /// For each rank that asked: nodes and weights of its points, `functions` each.
    lists: Vec<Vec<(u32, f64)>>,
    functions: usize,
    /// For each rank that answers: the points that it answers for.
    places: Vec<Vec<u32>>,
    points: usize,
}

impl Transfer {
    /// Finds the points of every rank in the cells of every rank. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] that names a point which no cell is near to.
    pub fn new(from: &Space, points: &[[f64; 3]]) -> Result<Self> {
        let comm = from.mesh.comm.clone();
        let locator = Locator::new(&from.mesh, OUTSIDE);
        // Every rank's box, empty ones turned inside out.
        let [low, high] = locator.bounds().unwrap_or([[f64::INFINITY; 3], [f64::NEG_INFINITY; 3]]);
        let corners = comm.all_gather_varied(&[low, high].concat());
        let mut asked: Vec<Vec<u32>> = vec![Vec::new(); comm.size()];
        for (rank, corner) in corners.chunks_exact(6).enumerate() {
            let near = |p: &[f64; 3]| (0..3).all(|i| p[i] >= corner[i] && p[i] <= corner[3 + i]);
            asked[rank] = (0..points.len() as u32).filter(|&i| near(&points[i as usize])).collect();
        }
        let questions: Vec<Vec<f64>> =
            asked.iter().map(|list| list.iter().flat_map(|&i| points[i as usize]).collect()).collect();
        let found: Vec<Vec<_>> = comm
            .exchange(&questions)
            .iter()
            .map(|list| list.chunks_exact(3).map(|p| locator.find(&[p[0], p[1], p[2]])).collect())
            .collect();
        let distances: Vec<Vec<f64>> = found
            .iter()
            .map(|list| list.iter().map(|f| f.map_or(f64::INFINITY, |f| f.outside)).collect())
            .collect();
        // The rank whose cell is nearest answers, the first of equals.
        let mut best = vec![(f64::INFINITY, 0, 0u32); points.len()];
        for (rank, answers) in comm.exchange(&distances).iter().enumerate() {
            for (place, (&i, &outside)) in asked[rank].iter().zip(answers).enumerate() {
                if outside.max(0.0) < best[i as usize].0 {
                    best[i as usize] = (outside.max(0.0), rank, place as u32);
                }
            }
        }
        let lost = best.iter().position(|b| b.0.is_infinite());
        comm.agree(lost.map_or(Ok(()), |i| {
            let [x, y, z] = points[i];
            let message = format!("no cell of {} is near the point ({x}, {y}, {z})", from.mesh.source);
            Err(Error::input("", message))
        }))?;
        let mut places: Vec<Vec<u32>> = vec![Vec::new(); comm.size()];
        let mut choice: Vec<Vec<u32>> = vec![Vec::new(); comm.size()];
        for (i, &(_, rank, place)) in best.iter().enumerate() {
            places[rank].push(i as u32);
            choice[rank].push(place);
        }
        let lists = comm
            .exchange(&choice)
            .iter()
            .zip(&found)
            .map(|(chosen, found)| {
                let found = chosen.iter().filter_map(|&place| found[place as usize]);
                found
                    .flat_map(|f| {
                        let weights = from.element.tabulate(&[f.reference]).values;
                        from.nodes_of(f.cell).iter().copied().zip(weights).collect::<Vec<_>>()
                    })
                    .collect()
            })
            .collect();
        Ok(Self { comm, lists, functions: from.element.functions(), places, points: points.len() })
    }

    /// The values at this rank's points, from `values` at the local nodes of the space, ghosts included.
    /// Collective.
    pub fn apply(&self, values: &[f64]) -> Vec<f64> {
        let answers: Vec<Vec<f64>> = self
            .lists
            .iter()
            .map(|list| {
                let points = list.chunks_exact(self.functions);
                points.map(|terms| terms.iter().map(|&(node, w)| w * values[node as usize]).sum()).collect()
            })
            .collect();
        let mut result = vec![0.0; self.points];
        for (places, answers) in self.places.iter().zip(self.comm.exchange(&answers)) {
            places.iter().zip(answers).for_each(|(&place, value)| result[place as usize] = value);
        }
        result
    }
}
