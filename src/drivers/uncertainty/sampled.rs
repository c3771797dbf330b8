//! Models whose integrals are sampled, as what statistics are made with: quantities at the end, with calibrated bounds.
use super::ensemble::{Bound, Models};
use crate::deck::Deck;
use crate::parallel::{Comm, block};
use crate::physics::Context;
use crate::rom::sampled::{Bounds, Dictionary};
use crate::simulation::Simulation;
use crate::{Error, Result};

/// A model, and what is read off it.
pub struct SampledModels<'a> {
    /// All ranks, each with the whole model.
    pub comm: &'a Comm,
    /// The model.
    pub model: &'a mut Dictionary,
    /// Calibrated bounds.
    pub bounds: &'a Bounds,
    /// Times of frames, the end last.
    pub frames: &'a [f64],
    /// Places of the quantities among the bounds.
    pub targets: Vec<Option<usize>>,
}

/// Where the bounds of the quantities of interest stand among a model's.
pub fn targets(deck: &Deck, bounds: &Bounds) -> Vec<Option<usize>> {
    let place = |name: &str| bounds.targets.iter().position(|target| !target.field && target.name == name);
    deck.quantity.iter().map(|quantity| place(&quantity.name)).collect()
}

/// What is known of the errors of a quantity, from the bounds of all predictions.
pub fn known<'a>(
    bounds: &Bounds,
    target: Option<usize>,
    predictions: impl Iterator<Item = &'a Vec<f64>>,
) -> Bound {
    match target {
        None => Bound::Unknown,
        Some(k) => {
            let values = predictions.map(|prediction| prediction[k]).collect();
            Bound::Calibrated(values, bounds.targets[k].calibration.level)
        }
    }
}

impl SampledModels<'_> {
    fn one(&mut self, point: &Context) -> Result<Vec<f64>> {
        let prediction = self.model.predict(point, self.frames)?;
        let end = prediction.moments.iter().rfind(|moment| moment.on_frame);
        let end = end.ok_or_else(|| Error::Failed("a prediction without an end".into()))?;
        let bounds = self.bounds.of(&self.model.indicators(&prediction));
        let mut row = end.quantities.clone();
        row.extend(self.targets.iter().map(|target| target.map_or(f64::NAN, |k| bounds[k])));
        Ok(row)
    }
}

impl Models for SampledModels<'_> {
    fn simulation(&self) -> &Simulation {
        self.model.simulation()
    }

    fn reduced(&mut self, points: &[Context]) -> Result<Vec<[Vec<f64>; 2]>> {
        let comm = self.comm;
        let mine = block(points.len() as u64, comm.size(), comm.rank());
        let mut values = Vec::new();
        let solved = points[mine.start as usize..mine.end as usize].iter().try_for_each(|point| {
            values.extend(self.one(point)?);
            Ok(())
        });
        comm.agree(solved)?;
        let (all, count) = (comm.all_gather_varied(&values), self.targets.len());
        Ok(all.chunks_exact(2 * count).map(|row| [row[..count].to_vec(), row[count..].to_vec()]).collect())
    }

    fn full(&mut self, _: &[f64]) -> Result<Vec<f64>> {
        // Refused before; a full run has steps of its own.
        Err(Error::input("--full-solves", "models with sampled integrals take the full runs of a --dataset"))
    }
}
