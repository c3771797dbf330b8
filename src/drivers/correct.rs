//! Predictions whose indicator is above a tolerance: runs of the full model instead, guarded by the model's modes and by all that
//! such runs have learnt.
use super::predict_fields::Fields;
use crate::campaign::integrate;
use crate::deck::Deck;
use crate::physics::Context;
use crate::report::Report;
use crate::reuse::{Guard, GuardOptions};
use crate::rom::sampled::{Dictionary, Prediction};
use crate::storage::{Moments, ResultFile};
use crate::{Error, Result};
use std::path::Path;

/// What is corrected, and what it has cost.
pub(super) struct Corrections {
    options: GuardOptions,
    guard: Option<Guard>,
    count: usize,
    steps: usize,
    full: usize,
}

impl Corrections {
    /// Nothing corrected yet. Local.
    ///
    /// # Errors
    /// A tolerance that is none, or a model without an indicator for every physics.
    pub fn new(accept: f64, path: &Path, deck: &Deck, model: &Dictionary) -> Result<Self> {
        let options = GuardOptions { accept, model: Some(path.to_path_buf()) };
        if deck.time.is_some() {
            options.check(deck)?;
        } else if !(accept > 0.0 && accept < 1.0) {
            let text = format!("expected a number between 0 and 1, found {accept}");
            return Err(Error::input("--accept", text));
        }
        if !model.has_indicators() {
            let text =
                "the indicator says which predictions are good enough, and a physics of the model has none";
            return Err(Error::input("--accept", text));
        }
        Ok(Self { options, guard: None, count: 0, steps: 0, full: 0 })
    }

    /// What is accepted.
    pub fn accept(&self) -> f64 {
        self.options.accept
    }

    /// Whether a prediction is not good enough. Local.
    pub fn refuses(&self, model: &Dictionary, prediction: &Result<Prediction>) -> bool {
        prediction.as_ref().map_or(true, |found| model.score(found) > self.options.accept)
    }

    /// Runs the full model and writes its fields, if there is room for them in a file, as those of prediction `number` of
    /// `count`; its quantities at the frames, and the steps. Collective.
    ///
    /// # Errors
    /// When a solve fails.
    pub fn run(
        &mut self,
        fields: &mut Fields,
        room: Option<(&ResultFile, (usize, usize))>,
        (context, frames): (&Context, &[f64]),
    ) -> Result<(Vec<Vec<f64>>, usize)> {
        let Fields { simulation, fields, .. } = fields;
        let mut quantities = Vec::new();
        let mut store = |simulation: &crate::simulation::Simulation, context: &Context, frame: usize| {
            quantities.push(simulation.quantities(context)?);
            let Some((file, (number, count))) = room else { return Ok(()) };
            match (count, frame + 1 == frames.len()) {
                (1, _) => Fields::write_frame(fields, file, (simulation, context), frame),
                (_, true) => Fields::write_frame(fields, file, (simulation, context), number),
                _ => Ok(()),
            }
        };
        self.count += 1;
        let Some(time) = simulation.deck.time.clone() else {
            simulation.stages.iter_mut().try_for_each(|stage| stage.forget_solution())?;
            simulation.solve(context)?;
            store(simulation, context, 0)?;
            self.full += simulation.stages.len();
            self.steps += 1;
            return Ok((quantities, 1));
        };
        let guard = match &mut self.guard {
            Some(guard) => guard,
            none => none.insert(Guard::new(simulation, &self.options)?),
        };
        let context = Context { time: time.start, ..context.clone() };
        let moments = Moments::Shared(frames.to_vec());
        let went = integrate(simulation, guard, &moments, &context, store)?;
        self.steps += went.steps;
        self.full += went.full.iter().sum::<f64>() as usize;
        Ok((quantities, went.steps))
    }

    /// What was corrected, in words.
    pub fn print(&self, report: &Report, predictions: usize) {
        let (accept, count, steps, full) = (self.options.accept, self.count, self.steps, self.full);
        report.line(match count {
            0 => format!("all indicators are below {accept:e}: nothing to correct"),
            _ => format!(
                "{count} of {predictions} predictions had an indicator above {accept:e}: full runs instead, {full} equations solved \
                 in full in {steps} steps; more samples there would spare them"
            ),
        });
    }
}
