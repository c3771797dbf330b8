//! One model on one space: its forms with their coefficients, conditions, and the sparsity of its matrix.
use super::coefficient::{Coefficients, Context, NodalField, Source};
use crate::error::{Diagnostic, Error, Result};
use crate::fem::functional::{cell_entities, nodal_rule};
use crate::fem::{Data, Domain, Essential, Kernel, Parts, Pattern, Rule, Space, Target, Values, assemble};
use petsc_rs::{Matrix, Vector};
use std::cell::Cell;
use std::rc::Rc;
use tessera_kernels::model::{Facts, Law, Local, Model, Motions, Role, Time};

/// Which form an integral evaluates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The model's volume form on all cells.
    Volume,
    /// The model's boundary form on some facets.
    Boundary,
}

/// One integral of the weak form with its coefficients.
pub struct Integral {
    /// Volume or boundary.
    pub place: Place,
    /// The deck's key, for messages.
    pub key: String,
    /// Groups that share a quadrature rule: all cells, or the facets with one number in their cells.
    pub groups: Vec<Group>,
    /// Number of entities over all groups.
    pub entities: usize,
    /// Entries of the mesh's facets, by the number of the entity; none for cells.
    pub facets: Vec<u32>,
    /// Inputs and coefficients.
    pub coefficients: Coefficients,
    /// Degree that the quadrature integrates exactly.
    pub degree: usize,
}

/// Entities that share a rule.
pub struct Group {
    /// The quadrature rule with basis tables.
    pub rule: Rule,
    /// See [`Domain::entities`].
    pub entities: Vec<(u32, u32, u16)>,
}

impl Group {
    /// As a domain of integration.
    pub fn domain(&self) -> Domain<'_> {
        Domain { rule: &self.rule, entities: &self.entities }
    }
}

/// An essential condition: prescribed values on some nodes.
pub struct Condition {
    /// The deck's key, for messages.
    pub key: String,
    /// Local nodes.
    pub nodes: Vec<u32>,
    /// The facets on which they lie, as from [`Facets::distinct`](crate::mesh::Facets::distinct); none for a point.
    pub facets: Vec<u32>,
    /// Value of each component; `None` where it is free.
    pub values: Vec<Option<Source>>,
}

/// What a problem and its solution are called.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Of the problem, in the deck.
    pub problem: String,
    /// Of the field that is solved for.
    pub field: String,
    /// The field's unit.
    pub unit: String,
}

/// A law of a model, as a deck chose it.
pub struct Equation {
    /// The model.
    pub model: &'static Model,
    /// Its forms, and what is to be known of them.
    pub law: Law,
    /// Whether its material has a tensor.
    pub tensor: bool,
    /// What a two-dimensional mesh stands for, if the deck says so.
    pub plane: Option<&'static str>,
}

/// An integral to be.
pub struct Term {
    /// Volume or boundary.
    pub place: Place,
    /// The deck's key, for messages.
    pub key: String,
    /// Inputs and coefficients.
    pub coefficients: Coefficients,
    /// Entries of the mesh's facets; none for cells.
    pub facets: Vec<u32>,
}

/// A model bound to a space, its coefficients and conditions, with the PETSc objects it fills.
pub struct Problem {
    /// Name in the deck.
    pub name: String,
    /// Name of the field that is solved for.
    pub field: String,
    /// Unit of the field.
    pub unit: String,
    /// Which forms.
    pub equation: Equation,
    /// Where the unknowns live.
    pub space: Rc<Space>,
    /// The volume integral first, then one for each natural or Robin condition.
    pub integrals: Vec<Integral>,
    /// Essential conditions; later ones win where they overlap.
    pub conditions: Vec<Condition>,
    /// The solution as what coefficients depend on, if they do.
    pub(super) own: Option<Rc<NodalField>>,
    pattern: Rc<Pattern>,
    /// See [`Problem::essential_diagonal`]; 0 before there is a matrix.
    essential_diagonal: Cell<f64>,
}

impl Problem {
    /// Binds a model to its space: finds the sparsity and the tables of every integral. The volume's term stands first.
    ///
    /// # Errors
    /// See [`Pattern::new`].
    pub fn new(
        names: Names,
        equation: Equation,
        space: Rc<Space>,
        terms: Vec<Term>,
        conditions: Vec<Condition>,
    ) -> Result<Self> {
        let pattern = Pattern::of(&space)?;
        let integrals = terms.into_iter().map(|term| Integral::new(&space, &equation, term)).collect();
        let Names { problem: name, field, unit } = names;
        let essential_diagonal = Cell::new(0.0);
        Ok(Self {
            name,
            field,
            unit,
            equation,
            space,
            integrals,
            conditions,
            own: None,
            pattern,
            essential_diagonal,
        })
    }

    /// Facts of its law.
    pub fn facts(&self) -> &Facts {
        &self.equation.law.facts
    }

    /// The form of the volume or of the boundary.
    pub fn form(&self, place: Place) -> &'static dyn Kernel {
        let (volume, boundary) = self.equation.law.forms.of(self.space.mesh.dimension);
        match place {
            Place::Volume => volume,
            Place::Boundary => boundary,
        }
    }

    /// Whether a coefficient or a prescribed value is that of a field, or follows from it.
    pub fn reads(&self, field: &Rc<NodalField>) -> bool {
        let inputs = self.integrals.iter().flat_map(|integral| integral.coefficients.inputs.iter().flatten());
        let prescribed = self.conditions.iter().flat_map(|condition| condition.values.iter().flatten());
        inputs.chain(prescribed).any(|source| source.reads(field))
    }

    /// Whether it is one linear system for each set of parameters: its form is linear, has no time derivative and blocks
    /// for pairs of functions.
    pub fn is_linear_system(&self) -> bool {
        self.form(Place::Volume).is_linear()
    }

    /// Whether it has a time derivative.
    pub fn evolves(&self) -> bool {
        matches!(self.equation.model.time, Time::Optional | Time::Always)
    }

    /// Whether the solution is a displacement.
    pub fn is_solid(&self) -> bool {
        self.facts().motions == Motions::Rigid
    }

    /// A zero matrix with the sparsity of the space. Collective.
    ///
    /// # Errors
    /// When PETSc is out of memory.
    pub fn new_matrix(&self) -> Result<Matrix> {
        let [diagonal, off_diagonal] = self.pattern.expand(&self.space);
        let (comm, owned) = (self.space.mesh.comm.mpi(), self.space.owned_dofs());
        Ok(Matrix::from_parts(comm, self.space.components, owned, diagonal, off_diagonal)?)
    }

    /// The essential conditions at these parameters, ghosts included. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when a prescribed value is not finite.
    pub fn essential(&self, context: &Context) -> Result<Essential> {
        self.prescribe(context, None)
    }

    /// The derivatives of the prescribed values with respect to parameter number `parameter` of the deck, with fields as
    /// they are. Collective.
    ///
    /// # Errors
    /// As [`Problem::essential`].
    pub fn essential_slope(&self, context: &Context, parameter: usize) -> Result<Essential> {
        self.prescribe(context, Some(parameter))
    }

    /// The prescribed values, or their derivatives.
    fn prescribe(&self, context: &Context, derivative: Option<usize>) -> Result<Essential> {
        let space = &self.space;
        let components = space.components;
        let mut fixed = space.field()?;
        let mut values = space.field()?;
        let mut fault = Ok(());
        {
            let (mut fixed, mut values) = (fixed.write()?, values.write()?);
            for condition in &self.conditions {
                let slopes: Vec<Option<Source>>;
                let given = match derivative {
                    None => &condition.values,
                    Some(parameter) => {
                        let slope = |source: &Source| source.derivative(PARAMETERS + parameter);
                        slopes = condition.values.iter().map(|s| s.as_ref().map(slope)).collect();
                        &slopes
                    }
                };
                let of_fields = |source: &Option<Source>| match source {
                    Some(Source::Fields(formula)) => formula.at_nodes_of(space, context),
                    _ => Vec::new(),
                };
                let formulas: Vec<Vec<f64>> = given.iter().map(of_fields).collect();
                for &node in condition.nodes.iter().filter(|&&n| (n as usize) < space.owned_nodes) {
                    let arguments = context.arguments(&space.point(node as usize));
                    for (component, source) in given.iter().enumerate() {
                        if let Some(source) = source {
                            let dof = node as usize * components + component;
                            fixed[dof] = 1.0;
                            values[dof] = match source {
                                Source::Nodal(field) => field.values.borrow()[node as usize],
                                Source::Fields(_) => formulas[component][node as usize],
                                other => other.evaluate(&arguments, 0.0),
                            };
                            if !values[dof].is_finite() {
                                fault =
                                    Err(not_finite(&condition.key, values[dof], &space.point(node as usize)));
                            }
                        }
                    }
                }
            }
        }
        self.fix_unused(&mut fixed, &mut values)?;
        space.mesh.comm.agree(fault)?;
        fixed.ghost_update()?;
        values.ghost_update()?;
        let (fixed, values) = (fixed.local_read()?, values.local_read()?);
        let list = (0..fixed.len()).filter(|&dof| fixed[dof] != 0.0).map(|dof| (dof, values[dof]));
        Ok(Essential::new(space, list))
    }

    /// Components of degree 1 have no unknowns at the inner nodes of cells of degree 2: those are fixed.
    fn fix_unused(&self, fixed: &mut Vector, values: &mut Vector) -> Result<()> {
        let (space, c) = (&self.space, self.space.components);
        for i in self.linear_components() {
            let (mut fixed, mut values) = (fixed.write()?, values.write()?);
            for node in (0..space.owned_nodes).filter(|&n| !space.is_vertex(n)) {
                (fixed[node * c + i], values[node * c + i]) = (1.0, 0.0);
            }
        }
        Ok(())
    }

    /// What stands on the diagonal of matrices at essential unknowns, whose rows and columns hold nothing else, and what
    /// their values have as a factor in loads: a power of two like the other entries of the diagonal, whatever the units,
    /// so that no preconditioner takes one for zero beside the other. The same for all matrices of a linear problem; 1 in
    /// tangents of others.
    pub fn essential_diagonal(&self) -> f64 {
        let known = self.essential_diagonal.get();
        if known > 0.0 { known } else { 1.0 }
    }

    /// Sets those entries, and finds them at the first matrix with any. Collective.
    pub(super) fn set_essential_diagonal(&self, diagonal: &mut [f64], essential: &Essential) -> f64 {
        let space = &self.space;
        let entry = |dof: usize| self.pattern.diagonal_entry(space, dof);
        // Not for tangents: with GMRES and aggregation a viscoplastic body's Newton steps came to a halt.
        if self.essential_diagonal.get() == 0.0 && self.is_linear_system() {
            let free = (0..space.owned_dofs()).filter(|&dof| !essential.fixed[dof]);
            let sizes = free.map(|dof| diagonal[entry(dof)].abs()).filter(|size| *size > 0.0);
            let mut sums = [0.0, 0.0, essential.owned(space).count() as f64];
            sizes.for_each(|size| (sums[0], sums[1]) = (sums[0] + size.log2(), sums[1] + 1.0));
            space.mesh.comm.sum_into(&mut sums);
            if sums[1] > 0.0 && sums[2] > 0.0 {
                self.essential_diagonal.set((sums[0] / sums[1]).round().exp2());
            }
        }
        let unit = self.essential_diagonal();
        essential.owned(space).for_each(|dof| diagonal[entry(dof)] = unit);
        unit
    }

    /// The components of degree 1 on elements of degree 2.
    fn linear_components(&self) -> impl Iterator<Item = usize> {
        let (facts, dimension) = (*self.facts(), self.space.mesh.dimension);
        (0..self.space.components).filter(move |&i| facts.is_linear_component(i, dimension))
    }

    /// Whether an unknown is one: components of degree 1 have none at the inner nodes of cells of degree 2.
    pub fn is_used(&self, dof: usize) -> bool {
        let (space, c) = (&self.space, self.space.components);
        space.is_vertex(dof / c) || !self.facts().is_linear_component(dof % c, space.mesh.dimension)
    }

    /// Gives components of degree 1 their interpolated values at the inner nodes of cells of degree 2, where
    /// they have no unknowns: whoever reads the state finds the same field. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn fill_unused(&self, state: &mut Vector) -> Result<()> {
        let mut values = state.local_write()?;
        if !self.each_unused(|into, from| {
            values[into] = from.iter().map(|(dof, weight)| weight * values[*dof]).sum()
        }) {
            return Ok(());
        }
        drop(values);
        Ok(state.ghost_update()?)
    }

    /// The transpose of [`Problem::fill_unused`]: what is said of interpolated values is said of those that they are
    /// interpolated from. Ghosts are not up to date afterwards. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn fold_unused(&self, cotangent: &mut Vector) -> Result<()> {
        {
            let owned = self.space.owned_dofs();
            let mut values = cotangent.local_write()?;
            values[owned..].fill(0.0);
            let some = self.each_unused(|from, into| {
                // Several cells know a node, its owner once.
                let value = std::mem::take(&mut values[from]);
                if from < owned {
                    into.iter().for_each(|(dof, weight)| values[*dof] += weight * value);
                }
            });
            if !some {
                return Ok(());
            }
        }
        Ok(cotangent.ghost_accumulate()?)
    }

    /// Every local unknown that only stands for what is interpolated, with those it is interpolated from and their
    /// weights, once in each cell; whether there can be any.
    fn each_unused(&self, mut visit: impl FnMut(usize, &[(usize, f64)])) -> bool {
        let (space, c) = (&self.space, self.space.components);
        let linear: Vec<usize> = self.linear_components().collect();
        if linear.is_empty() || space.element.degree == 1 {
            return false;
        }
        let vertices = nodal_rule(&space.element).geometry;
        let corners = space.mesh.cell_type.vertices();
        let mut from = vec![(0, 0.0); corners];
        for cell in 0..space.mesh.local_cells() {
            let nodes = space.nodes_of(cell);
            for (a, &node) in nodes.iter().enumerate().skip(corners) {
                for &i in &linear {
                    for (v, from) in from.iter_mut().enumerate() {
                        *from = (nodes[v] as usize * c + i, vertices.values[a * corners + v]);
                    }
                    visit(node as usize * c + i, &from);
                }
            }
        }
        true
    }

    /// Has coefficients that depend on the solution read this state from now on. Local.
    pub fn set_own(&self, state: &[f64]) {
        if let Some(own) = &self.own {
            own.values.borrow_mut().copy_from_slice(state);
        }
    }

    /// Whether coefficients depend on the solution.
    pub fn depends_on_itself(&self) -> bool {
        self.own.is_some()
    }

    /// The sparsity of the space.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Adds one integral with coefficients of the caller's choice to matrix and load, eliminating
    /// nothing: the building block of an affine expansion, where all coefficients but one are zero.
    /// `coefficients` holds one list for each group. The matrix must be assembled afterwards.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn assemble_term(
        &self,
        integral: usize,
        coefficients: &[Vec<Values>],
        matrix: Option<&mut Matrix>,
        load: &mut Vector,
    ) -> Result<()> {
        self.assemble_term_at(integral, coefficients, (None, Parts::REST), matrix, load)
    }

    /// [`Problem::assemble_term`] for parts of the form: its derivative at a state (all local unknowns), and less what it is
    /// there.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn assemble_term_at(
        &self,
        integral: usize,
        coefficients: &[Vec<Values>],
        (state, parts): (Option<&[f64]>, Parts),
        mut matrix: Option<&mut Matrix>,
        load: &mut Vector,
    ) -> Result<()> {
        let integral = &self.integrals[integral];
        let mut values = load.write()?;
        // What kernels add is the residual.
        values.iter_mut().for_each(|value| *value = -*value);
        let mut arrays = matrix.as_mut().map(|matrix| matrix.arrays_mut()).transpose()?;
        let mut target = Target {
            matrix: arrays.as_mut().map(|arrays| (&mut *arrays.diagonal, &mut *arrays.off_diagonal)),
            load: &mut values,
            state,
        };
        for (group, coefficients) in integral.groups.iter().zip(coefficients) {
            let data = Data { coefficients, essential: None, history: None, parts };
            self.add(integral.place, &group.domain(), data, &mut target);
        }
        values.iter_mut().for_each(|value| *value = -*value);
        Ok(())
    }

    /// Whether a coefficient belongs to the bilinear form of a linear system, and not to its load.
    pub fn bilinear(&self, output: usize, place: Place) -> bool {
        let meanings = match place {
            Place::Volume => &self.equation.law.coefficients,
            Place::Boundary => &self.equation.law.surface,
        };
        self.is_linear_system() && meanings[output].role != Role::Load
    }

    /// Whether coefficients and prescribed values may change while the parameters stay.
    pub fn varies_in_time(&self) -> bool {
        let inputs = self.integrals.iter().flat_map(|integral| integral.coefficients.inputs.iter().flatten());
        let prescribed = self.conditions.iter().flat_map(|condition| condition.values.iter().flatten());
        inputs.chain(prescribed).any(Source::varies_in_time)
    }

    /// Every integral's coefficients at these parameters: `[integral][group][coefficient]`.
    pub fn evaluate(&self, context: &Context) -> Vec<Vec<Vec<Values>>> {
        self.integrals
            .iter()
            .map(|integral| {
                integral
                    .groups
                    .iter()
                    .map(|g| {
                        integral.coefficients.evaluate(context, &self.space, &g.domain(), integral.entities)
                    })
                    .collect()
            })
            .collect()
    }

    /// Adds the form of the volume or the boundary on a domain.
    pub(super) fn add(&self, place: Place, domain: &Domain, data: Data, target: &mut Target) {
        assemble(self.form(place), &self.space, &self.pattern, domain, data, target);
    }

    /// What derived fields and fluxes see at a sample; `k` reads the coefficients there.
    pub(super) fn local<'a>(
        &'a self,
        k: &'a dyn Fn(usize) -> f64,
        sample: &'a crate::fem::functional::Sample,
        stress: &'a [f64; 6],
    ) -> Local<'a> {
        Local {
            dimension: self.space.mesh.dimension,
            k,
            value: sample.value,
            gradient: sample.gradient,
            tensor: self.equation.tensor,
            plane: self.equation.plane,
            radius: self.space.axisymmetric.then(|| sample.position()[0]),
            stress,
        }
    }
}

impl Integral {
    fn new(space: &Space, equation: &Equation, term: Term) -> Self {
        let Term { place, key, coefficients, facets } = term;
        let p = space.element.degree;
        let facts = &equation.law.facts;
        let linear = equation.law.forms.of(space.mesh.dimension).0.is_linear();
        let varies = coefficients.any_varies_in_space();
        let lumped = facts.lumped && p == 1;
        match place {
            Place::Volume => {
                // Constant coefficients: the stiffness of P1 needs degree 0, its load degree 1; a
                // reaction or a varying coefficient needs 2p to keep the order of the element.
                let tensor = !space.mesh.cell_type.is_simplex();
                let degree = match linear {
                    false => facts.quadrature_degree(p) + usize::from(varies),
                    true if varies || coefficients.holds() || tensor => 2 * p,
                    true => p.max(2 * (p - 1)),
                };
                let rule = match lumped {
                    true => Rule::vertices(&space.element),
                    false => Rule::cells(&space.element, degree),
                };
                let entities = cell_entities(space, 0..space.mesh.cell_ids.len());
                let count = entities.len();
                let groups = vec![Group { rule, entities }];
                Self { place, key, groups, entities: count, facets: Vec::new(), coefficients, degree }
            }
            Place::Boundary => {
                let degree = 2 * p + usize::from(varies);
                let mesh = &space.mesh;
                let by_region = coefficients.inputs.first().is_some_and(|sources| sources.len() > 1);
                let groups = (0..mesh.cell_type.facets())
                    .map(|local| {
                        let entities: Vec<_> = facets
                            .iter()
                            .enumerate()
                            .filter(|&(_, &f)| mesh.facets.local[f as usize] as usize == local)
                            .map(|(index, &f)| {
                                let cell = mesh.facets.cell[f as usize];
                                let region = if by_region { mesh.cell_regions[cell as usize] } else { 0 };
                                (cell, index as u32, region)
                            })
                            .collect();
                        (local, entities)
                    })
                    .filter(|(_, entities)| !entities.is_empty())
                    .map(|(local, entities)| Group {
                        rule: match lumped {
                            true => Rule::facet_vertices(&space.element, local),
                            false => Rule::facet(&space.element, local, degree),
                        },
                        entities,
                    })
                    .collect();
                let entities = facets.len();
                Self { place, key, groups, entities, facets, coefficients, degree }
            }
        }
    }
}

/// The number of the first parameter among the variables of formulas, after coordinates and time.
const PARAMETERS: usize = 4;

fn not_finite(key: &str, value: f64, at: &[f64; 3]) -> Error {
    Error::Input(vec![Diagnostic {
        key: format!("{key}.value"),
        message: format!("expected a finite number, found {value} at {at:?}"),
        ..Diagnostic::default()
    }])
}
