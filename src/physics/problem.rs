//! One model on one space: assembles its matrix, load, residual and essential conditions.
use super::coefficient::{Coefficients, Context, Source};
use super::equation::{Equation, FormState};
use crate::error::{Diagnostic, Error, Result};
use crate::fem::functional::cell_entities;
use crate::fem::{Domain, Essential, LinearKernel, Parts, Pattern, Rule, Space, Target, Values, assemble};
use petsc_rs::{Matrix, Vector};
use std::cell::Cell;
use std::rc::Rc;
use tessera_kernels::Forms;
use tessera_kernels::models::{diffusion, elasticity};

/// The weak forms that a problem is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// [`diffusion`] with a scalar or tensor conductivity.
    Diffusion {
        /// Whether the conductivity is a tensor.
        anisotropic: bool,
    },
    /// [`elasticity`].
    Elasticity {
        /// How Lame's constants follow from Young's modulus.
        reduction: elasticity::Reduction,
    },
    /// A nonlinear or time-dependent model.
    Equation(Equation),
}

impl Model {
    /// The equation of a nonlinear or time-dependent model.
    pub fn equation(self) -> Option<Equation> {
        match self {
            Self::Equation(equation) => Some(equation),
            _ => None,
        }
    }

    /// Whether it is that of a solid, whose field is a displacement.
    pub fn is_solid(self) -> bool {
        matches!(self, Self::Elasticity { .. } | Self::Equation(Equation::Viscoplasticity))
    }

    /// The kernels of a linear model; the others' are their equation's.
    fn linear_forms(self, axisymmetric: bool) -> Option<&'static Forms<dyn LinearKernel>> {
        Some(match (self, axisymmetric) {
            (Self::Diffusion { anisotropic: false }, false) => &diffusion::ISOTROPIC,
            (Self::Diffusion { anisotropic: true }, false) => &diffusion::ANISOTROPIC,
            (Self::Diffusion { anisotropic: false }, true) => &diffusion::ISOTROPIC_AXISYMMETRIC,
            (Self::Diffusion { anisotropic: true }, true) => &diffusion::ANISOTROPIC_AXISYMMETRIC,
            (Self::Elasticity { .. }, false) => &elasticity::SOLID,
            (Self::Elasticity { .. }, true) => &elasticity::AXISYMMETRIC,
            (Self::Equation(_), _) => return None,
        })
    }
}

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

/// A model bound to a space, its coefficients and conditions, with the PETSc objects it fills.
pub struct Problem {
    /// Name in the deck.
    pub name: String,
    /// Name of the field that is solved for.
    pub field: String,
    /// Unit of the field.
    pub unit: String,
    /// Which forms.
    pub model: Model,
    /// Where the unknowns live.
    pub space: Rc<Space>,
    /// The volume integral first, then one for each natural or Robin condition.
    pub integrals: Vec<Integral>,
    /// Essential conditions; later ones win where they overlap.
    pub conditions: Vec<Condition>,
    pattern: Pattern,
    /// See [`Problem::essential_diagonal`]; 0 before there is a matrix.
    essential_diagonal: Cell<f64>,
}

impl Problem {
    /// Binds a model to its space: finds the sparsity and the tables of every integral. The
    /// integrals come as `(place, key, coefficients, facets)`; `facets` are indices into the mesh's.
    pub fn new(
        (name, field, unit): (String, String, String),
        model: Model,
        space: Rc<Space>,
        parts: Vec<(Place, String, Coefficients, Vec<u32>)>,
        conditions: Vec<Condition>,
    ) -> Result<Self> {
        let pattern = Pattern::new(&space, rayon::current_num_threads())?;
        let integrals = parts
            .into_iter()
            .map(|(place, key, coefficients, facets)| {
                Integral::new(&space, model, place, key, coefficients, &facets)
            })
            .collect();
        let essential_diagonal = Cell::new(0.0);
        Ok(Self { name, field, unit, model, space, integrals, conditions, pattern, essential_diagonal })
    }

    /// A zero matrix with the sparsity of the space. Collective.
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
        let space = &self.space;
        let components = space.components;
        let mut fixed = space.field()?;
        let mut values = space.field()?;
        let mut fault = Ok(());
        {
            let (mut fixed, mut values) = (fixed.write()?, values.write()?);
            for condition in &self.conditions {
                let of_fields = |source: &Option<Source>| match source {
                    Some(Source::Fields(formula)) => formula.at_nodes_of(space, context),
                    _ => Vec::new(),
                };
                let formulas: Vec<Vec<f64>> = condition.values.iter().map(of_fields).collect();
                for &node in condition.nodes.iter().filter(|&&n| (n as usize) < space.owned_nodes) {
                    let arguments = context.arguments(&space.point(node as usize));
                    for (component, source) in condition.values.iter().enumerate() {
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
        let (Some(equation), space) = (self.model.equation(), &self.space) else { return Ok(()) };
        let c = space.components;
        let linear = (0..c).filter(|&i| equation.is_linear(i, space.mesh.dimension));
        for i in linear {
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
        if self.essential_diagonal.get() == 0.0 && self.model.equation().is_none() {
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

    /// Matrix and load at these parameters. Essential unknowns are eliminated symmetrically: a
    /// [diagonal](Problem::essential_diagonal) alone, with the prescribed value on the right-hand side. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when a coefficient is not finite or has the wrong sign, see [`Problem::check`].
    pub fn assemble(
        &self,
        context: &Context,
        essential: &Essential,
        matrix: &mut Matrix,
        load: &mut Vector,
    ) -> Result<()> {
        let coefficients = self.evaluate(context);
        self.check(&coefficients)?;
        matrix.zero()?;
        {
            let arrays = matrix.arrays_mut()?;
            let mut values = load.write()?;
            values.fill(0.0);
            let mut target = Target {
                matrix: Some((arrays.diagonal, arrays.off_diagonal)),
                load: &mut values,
                state: None,
            };
            for (integral, groups) in self.integrals.iter().zip(&coefficients) {
                for (group, coefficients) in integral.groups.iter().zip(groups) {
                    self.add(integral.place, &group.domain(), coefficients, Some(essential), &mut target);
                }
            }
            let (diagonal, _) = target.matrix.expect("set above");
            let unit = self.set_essential_diagonal(diagonal, essential);
            essential.owned(&self.space).for_each(|dof| target.load[dof] = unit * essential.values[dof]);
        }
        matrix.assemble()?;
        Ok(())
    }

    /// The load alone, with the lifting of essential values; the matrix must not depend on what
    /// changed. Collective only through its inputs.
    pub fn assemble_load(&self, context: &Context, essential: &Essential, load: &mut Vector) -> Result<()> {
        self.assemble_load_with(&self.evaluate(context), essential, load)
    }

    /// As [`Problem::assemble_load`] with coefficients from [`Problem::evaluate`]. Local.
    pub fn assemble_load_with(
        &self,
        coefficients: &[Vec<Vec<Values>>],
        essential: &Essential,
        load: &mut Vector,
    ) -> Result<()> {
        let mut values = load.write()?;
        values.fill(0.0);
        let mut target = Target { matrix: None, load: &mut values, state: None };
        for (integral, groups) in self.integrals.iter().zip(coefficients) {
            for (group, coefficients) in integral.groups.iter().zip(groups) {
                self.add(integral.place, &group.domain(), coefficients, Some(essential), &mut target);
            }
        }
        let unit = self.essential_diagonal();
        essential.owned(&self.space).for_each(|dof| target.load[dof] = unit * essential.values[dof]);
        Ok(())
    }

    /// The residual `f - K u` of a state, without elimination and without a matrix: on essential
    /// unknowns it is minus the reaction. `state` holds all local unknowns, ghosts updated. Local.
    pub fn residual(&self, context: &Context, state: &[f64], residual: &mut Vector) -> Result<()> {
        if self.model.equation().is_some() {
            let coefficients = &self.evaluate(context);
            self.form(FormState { coefficients, state, history: None, parts: Parts::REST }, residual)?;
            return Ok(residual.scale(-1.0)?);
        }
        self.apply(&self.evaluate(context), state, residual)
    }

    /// As [`Problem::residual`] with coefficients of the caller's choice, as from
    /// [`Problem::evaluate`]. Local.
    pub fn apply(
        &self,
        coefficients: &[Vec<Vec<Values>>],
        state: &[f64],
        residual: &mut Vector,
    ) -> Result<()> {
        let mut values = residual.write()?;
        values.fill(0.0);
        let mut target = Target { matrix: None, load: &mut values, state: Some(state) };
        for (integral, groups) in self.integrals.iter().zip(coefficients) {
            for (group, coefficients) in integral.groups.iter().zip(groups) {
                self.add(integral.place, &group.domain(), coefficients, None, &mut target);
            }
        }
        Ok(())
    }

    pub(super) fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Adds one integral with coefficients of the caller's choice to matrix and load, eliminating
    /// nothing: the building block of an affine expansion, where all coefficients but one are zero.
    /// `coefficients` holds one list for each group. The matrix must be assembled afterwards.
    pub fn assemble_term(
        &self,
        integral: usize,
        coefficients: &[Vec<Values>],
        mut matrix: Option<&mut Matrix>,
        load: &mut Vector,
    ) -> Result<()> {
        let integral = &self.integrals[integral];
        let mut values = load.write()?;
        let mut arrays = matrix.as_mut().map(|matrix| matrix.arrays_mut()).transpose()?;
        let mut target = Target {
            matrix: arrays.as_mut().map(|arrays| (&mut *arrays.diagonal, &mut *arrays.off_diagonal)),
            load: &mut values,
            state: None,
        };
        for (group, coefficients) in integral.groups.iter().zip(coefficients) {
            self.add(integral.place, &group.domain(), coefficients, None, &mut target);
        }
        Ok(())
    }

    /// Number of coefficients of the bilinear form of an integral, which stand first; the others
    /// belong to the load.
    pub fn bilinear(&self, output: usize, place: Place) -> bool {
        match (self.model, place) {
            (Model::Diffusion { anisotropic: false }, Place::Volume) => output < 2,
            (Model::Diffusion { anisotropic: true }, Place::Volume) => {
                output <= self.space.mesh.dimension * self.space.mesh.dimension
            }
            (Model::Diffusion { .. }, Place::Boundary) => output == 1,
            (Model::Elasticity { .. }, Place::Volume) => output < 2,
            (Model::Elasticity { .. }, Place::Boundary) => output == 1,
            (Model::Equation(_), _) => false,
        }
    }

    /// Whether an integral of the given place has a term that holds the level of the field: a
    /// reaction, a Robin condition or an elastic foundation.
    pub fn has_reaction(&self, place: Place) -> bool {
        self.integrals.iter().any(|integral| integral.place == place && integral.coefficients.reaction)
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

    pub(super) fn add(
        &self,
        place: Place,
        domain: &Domain,
        coefficients: &[Values],
        essential: Option<&Essential>,
        target: &mut Target,
    ) {
        // Those of an equation are assembled by `Problem::form`.
        let Some(forms) = self.model.linear_forms(self.space.axisymmetric) else { return };
        let (volume, boundary) = forms.of(self.space.mesh.dimension);
        let form = match place {
            Place::Volume => volume,
            Place::Boundary => boundary,
        };
        assemble(form, &self.space, &self.pattern, domain, coefficients, essential, target);
    }
}

impl Integral {
    fn new(
        space: &Space,
        model: Model,
        place: Place,
        key: String,
        coefficients: Coefficients,
        facets: &[u32],
    ) -> Self {
        let p = space.element.degree;
        let equation = model.equation();
        let varies = coefficients.any_varies_in_space();
        let lumped = equation.is_some_and(Equation::is_lumped) && p == 1;
        match place {
            Place::Volume => {
                // Constant coefficients: the stiffness of P1 needs degree 0, its load degree 1; a
                // reaction or a varying coefficient needs 2p to keep the order of the element.
                let tensor = !space.mesh.cell_type.is_simplex();
                let degree = match equation {
                    Some(equation) => equation.quadrature_degree(p) + usize::from(varies),
                    None if varies || coefficients.reaction || tensor => 2 * p,
                    None => p.max(2 * (p - 1)),
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
                Self { place, key, groups, entities, facets: facets.to_vec(), coefficients, degree }
            }
        }
    }
}

fn not_finite(key: &str, value: f64, at: &[f64; 3]) -> Error {
    Error::Input(vec![Diagnostic {
        key: format!("{key}.value"),
        message: format!("expected a finite number, found {value} at {at:?}"),
        ..Diagnostic::default()
    }])
}
