//! Values of a field of one mesh at points of another, both distributed.
use super::locate::{Found, Locator};
use super::space::Space;
use crate::parallel::Comm;
use crate::{Error, Result};

/// Points may lie outside the mesh by this part of the size of the nearest cell: two meshes of one curved
/// boundary do. They get the value of the extended cell.
const OUTSIDE: f64 = 0.5;

/// A point in a cell's closure by this part of its size belongs to the mesh, see [`Transfer::inside`].
const CLOSURE: f64 = 1e-6;

/// Interpolation from the nodes of a space to points, wherever both lie.
pub struct Transfer {
    comm: Comm,
    /// For each rank that asked: nodes and weights of its points, `functions` each.
    lists: Vec<Vec<(u32, f64)>>,
    /// And the cells that they lie in.
    cells: Vec<Vec<u32>>,
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
        let transfer = Self::within(from, points, OUTSIDE);
        let lost = transfer.found().iter().position(|found| !found);
        from.mesh.comm.agree(lost.map_or(Ok(transfer), |i| {
            let [x, y, z] = points[i];
            let message = format!("no cell of {} is near the point ({x}, {y}, {z})", from.mesh.source);
            Err(Error::input("", message))
        }))
    }

    /// The same for points that may lie outside the mesh: those get no number. Collective.
    pub fn inside(from: &Space, points: &[[f64; 3]]) -> Self {
        Self::within(from, points, CLOSURE)
    }

    /// For points that are in a cell or outside by no more than `tolerance` of its size.
    fn within(from: &Space, points: &[[f64; 3]], tolerance: f64) -> Self {
        let comm = from.mesh.comm.clone();
        let locator = Locator::new(&from.mesh, tolerance);
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
        // Distance and number of the cell: of cells equally near that of the lowest number answers, whoever owns it.
        let distances: Vec<Vec<f64>> = found
            .iter()
            .map(|list| {
                let distance = |f: &Option<Found>| {
                    f.map_or([f64::INFINITY; 2], |f| [f.outside, from.mesh.cell_ids[f.cell] as f64])
                };
                list.iter().flat_map(distance).collect()
            })
            .collect();
        let mut best = vec![([f64::INFINITY; 2], 0, 0u32); points.len()];
        for (rank, answers) in comm.exchange(&distances).iter().enumerate() {
            for (place, (&i, answer)) in asked[rank].iter().zip(answers.chunks_exact(2)).enumerate() {
                if answer < &best[i as usize].0[..] {
                    best[i as usize] = ([answer[0], answer[1]], rank, place as u32);
                }
            }
        }
        let mut places: Vec<Vec<u32>> = vec![Vec::new(); comm.size()];
        let mut choice: Vec<Vec<u32>> = vec![Vec::new(); comm.size()];
        for (i, &(_, rank, place)) in best.iter().enumerate().filter(|(_, b)| b.0[0].is_finite()) {
            places[rank].push(i as u32);
            choice[rank].push(place);
        }
        let chosen: Vec<Vec<Found>> = comm
            .exchange(&choice)
            .iter()
            .zip(&found)
            .map(|(chosen, found)| chosen.iter().filter_map(|&place| found[place as usize]).collect())
            .collect();
        let cells = chosen.iter().map(|list| list.iter().map(|f| f.cell as u32).collect()).collect();
        let terms = |f: &Found| {
            let weights = from.element.tabulate(&[f.reference]).values;
            from.nodes_of(f.cell).iter().copied().zip(weights).collect::<Vec<_>>()
        };
        let lists = chosen.iter().map(|list| list.iter().flat_map(terms).collect()).collect();
        Self { comm, lists, cells, functions: from.element.functions(), places, points: points.len() }
    }

    /// Which of this rank's points have a cell. Local.
    pub fn found(&self) -> Vec<bool> {
        let mut found = vec![false; self.points];
        self.places.iter().flatten().for_each(|&place| found[place as usize] = true);
        found
    }

    /// The values at this rank's points, from `values` at the local nodes of the space, ghosts included; not a number
    /// where there is no cell. Collective.
    pub fn apply(&self, values: &[f64]) -> Vec<f64> {
        self.apply_to(values, 1)
    }

    /// As [`Transfer::apply`] for fields of several components, `[node, component]` to `[point, component]`. Collective.
    pub fn apply_to(&self, values: &[f64], components: usize) -> Vec<f64> {
        let answers: Vec<Vec<f64>> = self
            .lists
            .iter()
            .map(|list| {
                let mut answers = Vec::with_capacity(list.len() / self.functions * components);
                for terms in list.chunks_exact(self.functions) {
                    let component = |c| {
                        let terms = terms.iter();
                        terms.map(|&(node, w)| w * values[node as usize * components + c]).sum::<f64>()
                    };
                    answers.extend((0..components).map(component));
                }
                answers
            })
            .collect();
        self.spread(&answers, components)
    }

    /// The values at this rank's points, from values by local cell; not a number where there is no cell. Collective.
    pub fn apply_cells(&self, value: impl Fn(usize) -> f64) -> Vec<f64> {
        let of = |list: &Vec<u32>| list.iter().map(|&cell| value(cell as usize)).collect();
        let answers: Vec<Vec<f64>> = self.cells.iter().map(of).collect();
        self.spread(&answers, 1)
    }

    /// What was found for the points of each rank, to these ranks. Collective.
    fn spread(&self, answers: &[Vec<f64>], components: usize) -> Vec<f64> {
        let mut result = vec![f64::NAN; self.points * components];
        for (places, answers) in self.places.iter().zip(self.comm.exchange(answers)) {
            for (&place, answer) in places.iter().zip(answers.chunks_exact(components)) {
                result[place as usize * components..][..components].copy_from_slice(answer);
            }
        }
        result
    }
}
