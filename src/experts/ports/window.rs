//! The experts' rows at states of their own: one equation, or those of the steps of a window in time.
use super::regions::Regions;
use crate::Result;
use crate::fem::{History, Parts, Restriction, Space};
use crate::mixture::{Gating, dot};
use crate::parallel::Comm;
use crate::physics::{FormState, Prepared};
use faer::Mat;
use std::rc::Rc;
use tessera_kernels::Element;

/// Equations `sum_p factor_p r_p(u) + offset = 0` at the experts' own states, which share the coefficients `w`.
pub(super) struct Window<'a> {
    pub space: Rc<Space>,
    pub regions: Regions,
    /// Number of functions of each expert, and of those among them that were given.
    pub functions: usize,
    pub columns: usize,
    /// Squares of the weights of the rows of owned unknowns; zero of those that do not count.
    pub weights: Vec<f64>,
    /// Squares of the weights of the balances of this rank's experts in every equation, `[expert, component]`; zero if they
    /// do not count.
    pub balances: Vec<f64>,
    /// Price of balances relative to that of rows.
    pub balance_weight: f64,
    /// How the experts' fields become one.
    pub gating: Rc<Gating>,
    /// Which owned unknowns are free.
    pub free: Vec<bool>,
    pub states: Vec<State>,
    pub pieces: Vec<Piece<'a>>,
    pub equations: Vec<Row>,
    /// Whether rows have no second derivatives.
    pub linear: bool,
    /// The largest magnitudes of every function, and of every component of any of them; 1 of what is zero.
    pub sizes: (Vec<f64>, Vec<f64>),
}

/// A state of every expert.
pub(super) struct State {
    /// `u^` with its essential values, at the local unknowns.
    pub start: Vec<f64>,
    /// `Phi`, `[local unknown, function]`.
    pub phi: Vec<f64>,
}

/// Parts of the equations at one of the states.
pub(super) struct Piece<'a> {
    pub state: usize,
    pub prepared: &'a Prepared,
    pub history: Option<&'a History>,
    pub parts: Parts,
}

/// An equation.
pub(super) struct Row {
    /// Pieces with their factors.
    pub terms: Vec<(usize, f64)>,
    /// What is added to the rows of the owned unknowns; empty for nothing.
    pub offset: Vec<f64>,
    /// How long it holds (s), 1 at rest: balances are summed with it.
    pub duration: f64,
}

impl State {
    /// The functions at a local unknown.
    pub fn phi(&self, dof: usize, functions: usize) -> &[f64] {
        &self.phi[dof * functions..][..functions]
    }
}

/// The largest magnitudes of every one of `n` functions, and of every one of `c` components. Collective.
pub(super) fn sizes(comm: &Comm, states: &[State], n: usize, c: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut functions, mut components) = (vec![0.0f64; n], vec![0.0f64; c]);
    for state in states {
        for (dof, phi) in state.phi.chunks_exact(n).enumerate() {
            for (size, phi) in functions.iter_mut().zip(phi) {
                *size = size.max(phi.abs());
                components[dof % c] = components[dof % c].max(phi.abs());
            }
        }
    }
    let all = |sizes: Vec<f64>| {
        sizes.into_iter().map(|size| comm.max(size)).map(|size| if size > 0.0 { size } else { 1.0 }).collect()
    };
    (all(functions), all(components))
}

/// An element as an expert sees it.
pub(super) struct Seen<'e> {
    /// The place of the expert.
    pub viewer: usize,
    pub element: &'e Element<'e>,
    pub weight: f64,
}

/// Whose a row is in an element that an expert sees.
pub(super) enum Share {
    /// The expert's own, with its port if the cell is another one's.
    Own(Option<usize>),
    /// That of another expert in a cell of this one, with the port.
    Neighbour(usize),
}

impl Window<'_> {
    /// The coefficients of the expert at a place.
    pub fn of<'w>(&self, w: &'w [f64], place: usize) -> &'w [f64] {
        &w[place * self.functions..][..self.functions]
    }

    /// Products of the functions over the cells that each expert has to do with, `[expert, function, function]`, on every rank;
    /// components relative to their largest magnitude. Collective.
    pub fn grams(&self) -> Vec<f64> {
        let (n, c, space) = (self.functions, self.space.components, &self.space);
        let components = &self.sizes.1;
        let add = |sums: &mut [f64], node: usize| {
            for state in &self.states {
                for (i, size) in components.iter().enumerate() {
                    let phi = state.phi(node * c + i, n);
                    for (sums, a) in sums.chunks_exact_mut(n).zip(phi) {
                        let a = a / (size * size);
                        sums.iter_mut().zip(phi).for_each(|(sum, b)| *sum += a * b);
                    }
                }
            }
        };
        let mut of_experts = vec![0.0; self.regions.shares.experts.len() * n * n];
        for cell in 0..space.mesh.local_cells() {
            let nodes = space.nodes_of(cell);
            for &node in nodes.iter().filter(|&&node| (node as usize) < space.owned_nodes) {
                let owner = self.regions.owner[node as usize];
                // What an expert does not see binds it at its ports.
                let neighbour = Some(self.regions.cell[cell]).filter(|place| *place != owner);
                for place in [owner].into_iter().chain(neighbour) {
                    let sums = &mut of_experts[place as usize * n * n..][..n * n];
                    nodes.iter().for_each(|&other| add(sums, other as usize));
                }
            }
        }
        let own = self.regions.shares.gather(&of_experts, n * n);
        space.mesh.comm.all_gather_varied(&own)
    }

    /// The triangular factors of the functions' values over the cells of each port, functions and components relative to their
    /// largest magnitudes; on every rank. Collective.
    pub fn traces(&self) -> Vec<Mat<f64>> {
        let (n, c, comm) = (self.functions, self.space.components, &self.space.mesh.comm);
        let (functions, components) = &self.sizes;
        let mut rows: Vec<Vec<f64>> = vec![Vec::new(); self.regions.ports.len()];
        self.regions.traces(&self.space, |port, node| {
            for state in &self.states {
                for (i, size) in components.iter().enumerate() {
                    let phi = state.phi(node * c + i, n).iter().zip(functions);
                    rows[port].extend(phi.map(|(phi, function)| phi / (size * function)));
                }
            }
        });
        let triangle = |rows: &[f64]| -> Mat<f64> {
            let values =
                Mat::from_fn((rows.len() / n).max(n), n, |i, j| rows.get(i * n + j).copied().unwrap_or(0.0));
            values.qr().thin_R().to_owned()
        };
        let mut message = Vec::new();
        for (port, rows) in rows.iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
            let factor = triangle(rows);
            message.push(port as f64);
            message.extend((0..n * n).map(|i| factor[(i / n, i % n)]));
        }
        let mut factors: Vec<Vec<f64>> = vec![Vec::new(); rows.len()];
        for part in comm.all_gather_varied(&message).chunks_exact(1 + n * n) {
            factors[part[0] as usize].extend_from_slice(&part[1..]);
        }
        factors.iter().map(|rows| triangle(rows)).collect()
    }

    /// Calls `each` with the elements of a piece at the experts' own states, as each of them sees them; coefficients are
    /// `[place, function]`. Local.
    ///
    /// # Errors
    /// None so far.
    pub fn visit(&self, piece: &Piece, w: &[f64], matrix: bool, mut each: impl FnMut(Seen)) -> Result<()> {
        let state = &self.states[piece.state];
        let c = self.space.components;
        let mut values = state.start.clone();
        let mut viewer = vec![0u32; self.space.local_nodes()];
        for colour in &self.regions.colours {
            for &(node, place) in &colour.nodes {
                viewer[node as usize] = place;
                let w = self.of(w, place as usize);
                for dof in node as usize * c..(node as usize + 1) * c {
                    values[dof] += dot(state.phi(dof, self.functions), w);
                }
            }
            let cells = Restriction::Cells { list: &colour.cells, weights: &[] };
            let at = FormState { state: &values, history: piece.history, parts: piece.parts };
            piece.prepared.visit(at, cells, None, false, |integral| {
                integral.visit(matrix, |element, weight| {
                    let viewer = viewer[element.nodes[0] as usize] as usize;
                    each(Seen { viewer, element, weight });
                });
            });
            for &(node, _) in &colour.nodes {
                let dofs = node as usize * c..(node as usize + 1) * c;
                values[dofs.clone()].copy_from_slice(&state.start[dofs]);
            }
        }
        Ok(())
    }

    /// Calls `each` with the free rows of an element that are this rank's and that the expert has to do with: the row's
    /// place in the element, its unknown, and whose it is.
    pub fn rows(&self, seen: &Seen, mut each: impl FnMut(usize, usize, Share)) {
        let c = self.space.components;
        let of_cell = self.regions.cell[seen.element.entity.0 as usize];
        for (a, &node) in seen.element.nodes.iter().enumerate() {
            let Some(&owner) = self.regions.owner.get(node as usize) else { continue };
            let port = || self.regions.port(owner, of_cell);
            let share = || match owner as usize == seen.viewer {
                true => Some(Share::Own((of_cell != owner).then(port))),
                false => (of_cell as usize == seen.viewer).then(|| Share::Neighbour(port())),
            };
            for i in 0..c {
                let row = node as usize * c + i;
                if let Some(share) = share().filter(|_| self.free[row]) {
                    each(a * c + i, row, share);
                }
            }
        }
    }
}
