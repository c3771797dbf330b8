//! The fields that a deck can ask of its simulation.
use super::problems::Simulation;
use crate::physics::Context;
use crate::physics::derived::Derived;
use crate::{Error, Result, deck};
use petsc_rs::Vector;
use tessera_kernels::model::Origin;

/// A field that can be written or measured: a solution, or something derived from one.
#[derive(Debug, Clone)]
pub struct FieldInfo {
    /// Name in decks and files.
    pub name: String,
    /// Which problem it belongs to.
    pub stage: usize,
    /// How it follows from the solution; `None` for components of the solution itself.
    pub derived: Option<&'static Derived>,
    /// Number of the random field that it is; not any problem's then, but on the nodes of the first.
    pub random: Option<usize>,
    /// First component of the solution, where nothing is derived.
    pub first: usize,
    /// Values at a node.
    pub components: usize,
    /// Dimension of its mesh.
    pub dimension: usize,
    /// Unit.
    pub unit: String,
}

impl FieldInfo {
    /// Whether it is part of a problem's solution.
    pub fn is_solution(&self) -> bool {
        self.derived.is_none() && self.random.is_none()
    }

    /// What it is, in words.
    pub fn meaning(&self) -> &str {
        match (&self.derived, self.random) {
            (Some(derived), _) => derived.meaning,
            (None, Some(_)) => "Gaussian random field",
            (None, None) => "solution",
        }
    }

    /// What its components are.
    pub fn component_names(&self) -> Vec<&'static str> {
        match self.derived {
            Some(derived) => derived.components.names(self.dimension).to_vec(),
            None if self.components > 1 => ["x", "y", "z"][..self.components].to_vec(),
            None => Vec::new(),
        }
    }
}

impl Simulation {
    /// Every field of the deck, each solution followed by what derives from it. A derived field has
    /// the bare name (`stress`) when one problem has it, otherwise that of its solution before it
    /// (`displacement_stress`). Random fields come last.
    pub fn fields(&self) -> Vec<FieldInfo> {
        let dimension = self.mesh.dimension;
        let available = self.stages.iter().flat_map(|stage| stage.problem.equation.model.derived);
        let all: Vec<&str> = available.map(|derived| derived.name).collect();
        let mut list = Vec::new();
        for (index, stage) in self.stages.iter().enumerate() {
            let problem = &stage.problem;
            // The pressure of a flow is a field of its own.
            let components = problem.space.components - usize::from(problem.facts().pressure);
            list.push(FieldInfo {
                name: problem.field.clone(),
                stage: index,
                derived: None,
                first: 0,
                random: None,
                components,
                dimension,
                unit: problem.unit.clone(),
            });
            for derived in problem.equation.model.derived {
                let owners = all.iter().filter(|name| **name == derived.name).count();
                let own = matches!(derived.from, Origin::Component);
                list.push(FieldInfo {
                    name: match owners {
                        1 => derived.name.into(),
                        _ => format!("{}_{}", problem.field, derived.name),
                    },
                    stage: index,
                    components: derived.components.count(dimension),
                    dimension,
                    first: if own { components } else { 0 },
                    random: None,
                    unit: match derived.name {
                        "flux" if problem.unit == "K" => "W/m2".into(),
                        _ => derived.unit.into(),
                    },
                    derived: (!own).then_some(derived),
                });
            }
        }
        list.extend(self.deck.random.keys().enumerate().map(|(number, name)| FieldInfo {
            name: name.clone(),
            stage: 0,
            derived: None,
            random: Some(number),
            first: 0,
            components: 1,
            dimension,
            unit: String::new(),
        }));
        list
    }

    /// A field's values at the nodes of its problem's space, for given solutions. Collective.
    ///
    /// # Errors
    /// When PETSc fails, or the field does not follow from the solution.
    pub fn field_values(&self, field: &FieldInfo, context: &Context) -> Result<Vector> {
        self.field_values_in(field, context, None)
    }

    /// As [`Simulation::field_values`]; a derived field is averaged over the cells of one region alone, if one is given.
    /// Collective.
    ///
    /// # Errors
    /// As for [`Simulation::field_values`].
    pub fn field_values_in(
        &self,
        field: &FieldInfo,
        context: &Context,
        region: Option<u16>,
    ) -> Result<Vector> {
        let stage = &self.stages[field.stage];
        if let Some(number) = field.random {
            let space = stage.space();
            let mut values = space.field_of(1)?;
            values.local_write()?.copy_from_slice(&self.random.field(number).at_nodes_of(space));
            return Ok(values);
        }
        match &field.derived {
            None if field.components == stage.problem.space.components => Ok(stage.solution.try_clone()?),
            None => {
                let (c, width) = (stage.problem.space.components, field.components);
                let mut part = stage.problem.space.field_of(width)?;
                {
                    let all = stage.solution.local_read()?;
                    let mut values = part.local_write()?;
                    for (target, source) in values.chunks_exact_mut(width).zip(all.chunks_exact(c)) {
                        target.copy_from_slice(&source[field.first..][..width]);
                    }
                }
                Ok(part)
            }
            Some(derived) => match stage.history() {
                Some(history) => stage.problem.derive_internal(derived, &history, region),
                None => stage.problem.derive(derived, context, &stage.solution.local_read()?, region),
            },
        }
    }

    /// L2 norm and H1 seminorm of the error of a field of which the deck knows the solution. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when the deck has no `[[exact]]` for it.
    pub fn error_norms(&self, field: &FieldInfo, context: &Context) -> Result<(f64, f64)> {
        let stage = field.stage;
        let problem = &self.stages[stage].problem;
        let exact = self.deck.exact.iter().find(|exact| match &exact.field {
            Some(name) => *name == field.name,
            None => self.stages.len() == 1,
        });
        let exact = exact.ok_or_else(|| {
            Error::input("", format!("there is no [[exact]] solution for the field \"{}\"", field.name))
        })?;
        let functions = exact
            .value
            .parse(&self.deck.variables())
            .map_err(|error| Error::input("", format!("exact: {error}")))?;
        let derivatives: Vec<Vec<deck::Expression>> =
            functions.iter().map(|f| (0..3).map(|d| f.derivative(d)).collect()).collect();
        let state = self.stages[stage].solution.local_read()?;
        // An entry for a field lists its own components, one without a name all of the solution.
        let skipped = if exact.field.is_some() { field.first } else { 0 };
        Ok(problem.error_norms(
            &state,
            field.first..field.first + field.components,
            |x| {
                let arguments = context.arguments(x);
                let values = functions.iter().map(|f| f.eval(&arguments));
                std::iter::repeat_n(0.0, skipped).chain(values).collect()
            },
            |x| {
                let arguments = context.arguments(x);
                let rows = derivatives.iter().map(|row| std::array::from_fn(|d| row[d].eval(&arguments)));
                std::iter::repeat_n([0.0; 3], skipped).chain(rows).collect()
            },
        ))
    }
}
