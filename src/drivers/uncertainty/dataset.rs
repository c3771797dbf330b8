//! Full solves of a dataset that a model was not trained on.
use super::trained::Trained;
use crate::campaign;
use crate::deck::{Deck, Design};
use crate::parallel::Comm;
use crate::physics::Context;
use crate::storage::DatasetFile;
use crate::{Error, Result};
use std::path::Path;

/// Samples that a model was not trained on.
pub(super) struct HeldOut {
    /// Parameters and draws, by sample.
    pub points: Vec<Context>,
    /// Quantities of interest of the full solutions, by sample.
    pub full: Vec<Vec<f64>>,
    /// Which samples these are, in words.
    pub source: String,
}

/// Parameters and quantities of the samples of a dataset that are done and were not trained on, and in words which these are.
/// Collective.
///
/// # Errors
/// [`Error::Input`] when the samples are no draws of the deck's distributions, are of another problem, or all but one were
/// trained on.
pub(super) fn read(comm: &Comm, deck: &Deck, path: &Path, trained: Option<&Trained>) -> Result<HeldOut> {
    let label = path.display().to_string();
    let wrong = |text: String| Err(Error::input(&label, text));
    let Some(trained) = trained else {
        return wrong("the model does not say which samples it was trained on: train it anew".into());
    };
    let file = DatasetFile::open(comm, path, false)?;
    comm.agree(campaign::same_for_training(deck, file.file()))?;
    let theirs = Deck::parse(&file.file().text("/", "deck")?, &label, &[])?;
    if let Some(text) = other_draws(deck, &theirs) {
        return wrong(text);
    }
    let samples = file.samples()?;
    let width = samples.names.len();
    let done = file.done()?;
    let row = |sample: usize| samples.values[sample * width..(sample + 1) * width].to_vec();
    let numbers = file.numbers()?;
    let was_trained_on = |sample: usize| match deck.random.is_empty() {
        true => trained.points.contains(&row(sample)),
        false => trained.draws.contains(&(numbers[sample] as u64)),
    };
    let kept: Vec<usize> = done.iter().copied().filter(|&s| !was_trained_on(s)).collect();
    let left_out = done.len() - kept.len();
    if kept.len() < 2 {
        return wrong(format!(
            "{left_out} of {} samples were trained on, where the model errs less than elsewhere: the others are too few",
            done.len()
        ));
    }
    let mut full = vec![Vec::new(); kept.len()];
    for quantity in &deck.quantity {
        let (shape, values) = file.file().read_array::<f64>(&format!("/qoi/{}", quantity.name))?;
        let steps = shape.get(1).map_or(1, |&steps| steps as usize);
        for (row, &sample) in full.iter_mut().zip(&kept) {
            // At the end of a run in time.
            let last = if deck.time.is_some() { file.times(sample)?.len().max(1) - 1 } else { 0 };
            row.push(values[sample * steps + last]);
        }
    }
    if full.iter().flatten().any(|value| !value.is_finite()) {
        return wrong("a quantity of a finished sample is not finite".into());
    }
    file.close()?;
    let source = format!("at {} samples of {label} ({left_out} others were trained on)", kept.len());
    let context = |s: usize| Context { sample: numbers[s] as u64, ..Context::steady(row(s)) };
    Ok(HeldOut { points: kept.into_iter().map(context).collect(), full, source })
}

/// Why samples are not drawn as those of the deck are, or their quantities are others.
fn other_draws(deck: &Deck, theirs: &Deck) -> Option<String> {
    if matches!(theirs.campaign.design, Design::Grid | Design::List | Design::Adaptive) {
        return Some(
            "its samples are no draws of the parameters' distributions (a grid, a list, or adaptive)".into(),
        );
    }
    if deck.random != theirs.random {
        return Some("its random fields are others than the model's".into());
    }
    let names = |deck: &Deck| deck.parameters.keys().cloned().collect::<Vec<_>>();
    if names(deck) != names(theirs) {
        return Some("its parameters are others than the model's".into());
    }
    for (name, p) in &deck.parameters {
        let q = &theirs.parameters[name];
        let fixed = p.varies() || p.default == q.default;
        if (p.range, p.distribution, &p.choices) != (q.range, q.distribution, &q.choices) || !fixed {
            return Some(format!(
                "its parameter \"{name}\" has another range, distribution, choices or value"
            ));
        }
    }
    let other = deck.quantity.iter().find(|quantity| !theirs.quantity.contains(quantity))?;
    Some(format!("it does not have the quantity \"{}\" as the model defines it", other.name))
}
