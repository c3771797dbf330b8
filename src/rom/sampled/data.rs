//! What a reduced physics is made of, as it lies in a file.
use super::exact::ExactForm;
use super::points::Chosen;
use crate::deck::Deck;
use crate::fem::Space;
use crate::mesh::{Mesh, MeshPart};
use crate::physics::Problem;
use crate::random::{Expansion, RandomFields};
use crate::{Error, Result};
use std::rc::Rc;

/// Numbers that follow from values at few nodes, as those of an empirical interpolation do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ValuesAt {
    /// Canonical cell, node of the cell, component.
    pub places: Vec<[u64; 3]>,
    /// `[number, place]`.
    pub matrix: Vec<f64>,
    /// The values at the places where they are no formulas of the deck but come from a file; empty otherwise.
    pub given: Vec<f64>,
    /// The unknowns of the places on the sampled cells, once these are there.
    pub dofs: Vec<usize>,
}

/// Functions that the forms are tested with besides the modes, by points of their own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TestBlock {
    /// Number of functions.
    pub count: usize,
    /// Points of all integrals.
    pub chosen: Vec<Chosen>,
    /// The functions at the nodes of the sampled cells, as [`ProblemData::nodal`].
    pub nodal: Vec<f64>,
}

/// What is sampled of a mesh.
#[derive(Debug, Clone)]
pub struct SampledPart {
    /// The sampled cells.
    pub mesh: MeshPart,
    /// The deck's random fields there: functions `[cell, vertex of the cell, function]`, cells by canonical number.
    pub random: Vec<Expansion>,
}

impl SampledPart {
    /// The random fields on the sampled cells. Local.
    ///
    /// # Errors
    /// When they do not fit the deck.
    pub fn random_fields(&self, deck: &Deck, mesh: &Rc<Mesh>) -> Result<RandomFields> {
        let space = Rc::new(Space::new(mesh.clone(), 1, 1)?);
        let mut expansions = self.random.clone();
        for own in &mut expansions {
            let count = own.numbers.len();
            if own.values.len() != self.mesh.cell_ids.len() * space.element.functions() * count {
                return Err(Error::storage(format!(
                    "the random field \"{}\" does not fit the cells",
                    own.name
                )));
            }
            own.values = at_nodes(&own.values, count, &space, &self.mesh.cell_ids);
        }
        RandomFields::expanded(deck, &space, expansions)
    }
}

/// One physics of a reduced model with sampled integrals.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProblemData {
    /// Name of the physics.
    pub name: String,
    /// Name of its field.
    pub field: String,
    /// Liftings of the prescribed values.
    pub lifts: usize,
    /// Modes.
    pub modes: usize,
    /// Sampled points of all integrals.
    pub chosen: Vec<Chosen>,
    /// Liftings, then modes at the nodes of the sampled cells, `[cell, node of the cell, component, function]`, cells by
    /// canonical number.
    pub nodal: Vec<f64>,
    /// Products of the functions' nodal values, `[function, function]`.
    pub gram: Vec<f64>,
    /// Factors of the liftings, from prescribed values.
    pub lifting: ValuesAt,
    /// Coefficients of the modes at the start, from initial values without liftings.
    pub initial: ValuesAt,
    /// Coefficients of all functions at the ends of the training samples, `[sample, function]`: where Newton's method begins in
    /// steady problems.
    pub start: Vec<f64>,
    /// Parameters of these samples, then the coefficients of their random fields, `[sample, number]`.
    pub parameters: Vec<f64>,
    /// Of the snapshots without their liftings.
    pub singular_values: Vec<f64>,
    /// Points of whole cells whose internal variables are followed, for fields that quantities of interest read there; without
    /// weights.
    pub followed: Vec<Chosen>,
    /// Products of the functions in the energy in which residuals are measured, `[function, function]`; empty where none
    /// are.
    pub energy: Vec<f64>,
    /// Functions that residuals are tested with; none without an indicator.
    pub residual: TestBlock,
    /// The whole form, of problems of which nothing is sampled.
    pub exact: Option<ExactForm>,
}

impl ValuesAt {
    /// The numbers, from the values of unknowns on the sampled cells. Local.
    pub fn read(&self, value: impl Fn(usize) -> f64) -> Vec<f64> {
        let values: Vec<f64> = self.dofs.iter().map(|&dof| value(dof)).collect();
        match values.len() {
            0 => self.matrix.clone(),
            n => self
                .matrix
                .chunks_exact(n)
                .map(|row| row.iter().zip(&values).map(|(m, v)| m * v).sum())
                .collect(),
        }
    }

    /// Finds the places on the sampled cells, which are numbered in the order of `cell_ids`. Local.
    pub fn locate(&mut self, problem: &Problem, cell_ids: &[u64]) {
        let space = &problem.space;
        let dof = |&[cell, node, component]: &[u64; 3]| {
            space.nodes_of(cell_of(&space.mesh, cell_ids, cell))[node as usize] as usize * space.components
                + component as usize
        };
        self.dofs = self.places.iter().map(dof).collect();
    }
}

impl ProblemData {
    /// Number of functions.
    pub fn functions(&self) -> usize {
        self.lifts + self.modes
    }

    /// Whether it fits a problem on so many sampled cells. Local.
    ///
    /// # Errors
    /// [`Error::Storage`] with what does not.
    pub fn check(&self, problem: &Problem, cells: usize) -> Result<()> {
        let space = &problem.space;
        let (around, c, b) = (space.element.functions(), space.components, self.functions());
        let rows = cells * around * c;
        let inside = |place: &[u64; 3]| (place[1] as usize) < around && (place[2] as usize) < c;
        let known = |chosen: &Chosen| (chosen.integral as usize) < problem.integrals.len();
        let numbers =
            |values: &ValuesAt, count: usize| values.matrix.len() == count * values.places.len().max(1);
        let points = self.chosen.iter().chain(&self.residual.chosen).chain(&self.followed);
        let what = match () {
            () if self.nodal.len() != rows * b => "nodal",
            () if self.residual.nodal.len() != rows * self.residual.count => "residual_nodal",
            () if self.gram.len() != b * b
                || b > 0 && !self.start.len().is_multiple_of(b)
                || self.start.len() < b =>
            {
                "gram or start"
            }
            () if self.residual.count > 0 && self.energy.len() != b * b => "energy",
            () if !self.lifting.places.iter().chain(&self.initial.places).all(inside) => "places",
            () if !numbers(&self.lifting, self.lifts) || !numbers(&self.initial, self.modes) => {
                "lifting or initial"
            }
            () if !points.into_iter().all(known) => "points",
            () if self.exact.as_ref().is_some_and(|own| !own.fits(problem, b, self.residual.count)) => {
                "exact"
            }
            () => return Ok(()),
        };
        Err(Error::storage(format!("the reduced model of \"{}\" does not fit the deck: {what}", self.name)))
    }

    /// The functions at the nodes of a problem on the sampled cells, `[node, component, function]`. Local.
    pub fn at_nodes(&self, problem: &Problem, cell_ids: &[u64]) -> Vec<f64> {
        at_nodes(&self.nodal, self.functions(), &problem.space, cell_ids)
    }
}

/// The local cell with a canonical number in the whole mesh, of sampled cells that are numbered in the order of `cell_ids`.
pub(super) fn cell_of(mesh: &Mesh, cell_ids: &[u64], id: u64) -> usize {
    let number = cell_ids.partition_point(|&other| other < id) as u64;
    mesh.cell_ids.iter().position(|&cell| cell == number).unwrap_or(0)
}

/// Functions `[cell, node of the cell, component, function]` at the nodes of a space on these cells. Local.
pub(super) fn at_nodes(nodal: &[f64], count: usize, space: &Space, cell_ids: &[u64]) -> Vec<f64> {
    let width = space.components * count;
    let mut result = vec![0.0; space.local_nodes() * width];
    let around = space.element.functions();
    for cell in 0..cell_ids.len() {
        let number = space.mesh.cell_ids[cell] as usize;
        for (a, &node) in space.nodes_of(cell).iter().enumerate() {
            let own = &nodal[(number * around + a) * width..][..width];
            result[node as usize * width..][..width].copy_from_slice(own);
        }
    }
    result
}
