//! One sample after the other.
use super::estimates::Estimate;
use super::header::{Header, Place};
use super::input::Predictions;
use super::results::{Results, Sample};
use super::truth::Truth;
use crate::Result;
use crate::drivers::repair::Layers;
use crate::physics::Context;
use crate::simulation::Simulation;
use crate::storage::File;

/// What a group repairs with.
pub struct Work<'a> {
    /// The problems, on the ranks of the group.
    pub simulation: &'a mut Simulation,
    /// Their constraint layers.
    pub layers: Layers,
    /// What the file of predictions says of its samples.
    pub header: &'a Header,
    /// The predictions.
    pub predictions: &'a Predictions,
    /// Where repairs are written.
    pub results: &'a Results,
}

impl Work<'_> {
    /// Repairs a sample, a problem after the other, and writes what became of it. Collective over the group.
    ///
    /// # Errors
    /// When a prediction cannot be read or repaired, or the file not be written.
    pub fn sample(&mut self, file: &File, number: usize, context: &Context) -> Result<()> {
        let Self { simulation, layers, predictions, results, .. } = self;
        simulation.random.draw(context.sample)?;
        let mut predicted = Vec::new();
        let mut sample = Sample::new(simulation.stages.len());
        let frame = Place { sample: number, frame: 0 };
        for stage in 0..simulation.stages.len() {
            let state = predictions.state(simulation, stage, frame)?;
            let variance = match results.updates(stage) {
                true => predictions.variance(simulation, stage, frame)?,
                false => None,
            };
            simulation.stages[stage].set_solution(&state.read()?)?;
            sample.repairs[stage] = Some(layers.repair(simulation, stage, context, variance)?);
            sample.known[stage] = layers.known_values(stage, context);
            if results.updates(stage) {
                sample.variances[stage] = Some(layers.updated_variance(stage)?);
            }
            sample.estimates[stage] =
                layers.take_estimate(stage).map(|e| Estimate::of(simulation, stage, &e)).transpose()?;
            predicted.push(state);
        }
        sample.quantities = simulation.quantities(context)?;
        results.write_fields(file, simulation, number, context)?;
        if results.truth {
            sample.truth = Some(Truth::find(simulation, context, &predicted)?);
        }
        results.write(file, simulation, layers, (number, &sample))
    }
}
