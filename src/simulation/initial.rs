//! The state from which a run in time starts.
use super::problems::Simulation;
use crate::deck::{COORDINATES, FileField, InitialValue};
use crate::physics::coefficient::Source;
use crate::physics::file_field::FileSource;
use crate::physics::{Context, build};
use crate::{Error, Result};
use petsc_rs::Vector;

/// Number of the first parameter among the variables of formulas.
const PARAMETERS: usize = COORDINATES.len();

impl Simulation {
    /// Sets the solutions that evolve in time to the deck's initial values at the start. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when an initial value is not finite.
    pub fn set_initial(&mut self, context: &Context) -> Result<()> {
        for (number, index) in self.initials().collect::<Vec<_>>() {
            let values = self.initial(number, index, context, None)?;
            let stage = &mut self.stages[index];
            stage.solution.write()?.copy_from_slice(&values.read()?);
            stage.solution.ghost_update()?;
            stage.publish()?;
        }
        Ok(())
    }

    /// The derivative of a problem's initial values with respect to a parameter; random fields count as given. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when it is not finite.
    pub fn initial_slope(&self, stage: usize, context: &Context, parameter: usize) -> Result<Vector> {
        let mut slope = self.stages[stage].space().field()?;
        for (number, _) in self.initials().filter(|(_, index)| *index == stage) {
            slope = self.initial(number, stage, context, Some(parameter))?;
        }
        Ok(slope)
    }

    /// Whether a problem's initial values come from a file.
    pub fn starts_from_file(&self, stage: usize) -> bool {
        let file = |number: usize| matches!(self.deck.initial[number].value, InitialValue::File(_));
        self.initials().any(|(number, index)| index == stage && file(number))
    }

    /// Numbers of initial values, and of the problems that they are of.
    fn initials(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let of = |(number, initial): (usize, &crate::deck::Initial)| {
            Some((number, self.deck.field_of(initial.field.as_deref(), None)?.0))
        };
        self.deck.initial.iter().enumerate().filter_map(of)
    }

    /// Initial values, or their derivatives with respect to a parameter, at the owned nodes.
    fn initial(
        &self,
        number: usize,
        index: usize,
        context: &Context,
        parameter: Option<usize>,
    ) -> Result<Vector> {
        let space = self.stages[index].space();
        let key = format!("initial[{number}].value");
        let value = match &self.deck.initial[number].value {
            InitialValue::Formulas(value) => value,
            InitialValue::File(_) if parameter.is_some() => return space.field(),
            InitialValue::File(source) => return self.stored(source, &key, index),
        };
        let functions = value
            .parse(&self.deck.field_variables())
            .map_err(|error| Error::input("", format!("{key}: {error}")))?;
        let present = &self.stages[index].solution;
        let mut result = if parameter.is_none() { present.try_clone()? } else { present.duplicate()? };
        let mut finite = true;
        {
            let mut values = result.write()?;
            for (i, function) in functions.into_iter().enumerate().take(space.components) {
                let source = build::source(&self.deck, function, &self.random.inputs());
                let source = match parameter {
                    None => source,
                    Some(parameter) => source.derivative(PARAMETERS + parameter),
                };
                let of_nodes = match source {
                    Source::Fields(formula) => formula.at_nodes_of(space, context),
                    source => (0..space.owned_nodes)
                        .map(|node| source.evaluate(&context.arguments(&space.point(node)), 0.0))
                        .collect(),
                };
                for (node, value) in of_nodes.into_iter().enumerate().take(space.owned_nodes) {
                    finite &= value.is_finite();
                    values[node * space.components + i] = value;
                }
            }
        }
        let fault = self.deck.fault(&key, "the initial value is not finite somewhere");
        self.mesh.comm.agree(if finite { Ok(()) } else { Err(fault) })?;
        Ok(result)
    }

    /// Initial values from a file, those of a flow's velocity without its pressure. Collective.
    fn stored(&self, source: &FileField, key: &str, index: usize) -> Result<Vector> {
        let stage = &self.stages[index];
        let (space, c) = (stage.space(), stage.space().components);
        let components = c - usize::from(stage.problem.facts().pressure);
        let path = self.deck.resolve(&source.file);
        let file = FileSource { path: &path, dataset: &source.dataset, positive: false, interval: None };
        let values =
            file.read_vector(space, components).map_err(|error| self.deck.fault(key, error.to_string()))?;
        let mut result = stage.solution.try_clone()?;
        {
            let mut own = result.write()?;
            let nodes = own.chunks_exact_mut(c).zip(values.chunks_exact(components));
            nodes.for_each(|(own, values)| own[..components].copy_from_slice(values));
        }
        Ok(result)
    }
}
