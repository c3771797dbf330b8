//! What is predicted, and for which parameters.
use super::shared::RunOptions;
use super::uncertainty::UncertaintyOptions;
use crate::campaign::{Design, design_samples, read_table};
use crate::deck::{ConstraintLevel, Deck, Norm, Parameter};
use crate::parallel::Comm;
use crate::physics::Context;
use crate::report::Report;
use crate::{Error, Result, deck};
use std::path::PathBuf;

/// Where the predictions go below the output folder.
pub(super) const FILE: &str = "predict.h5";

/// Which parameters to predict for.
#[derive(Debug, Clone)]
pub enum Points {
    /// One point: values by name, `name=value`; the deck's defaults for the others.
    One(Vec<String>),
    /// The rows of a file of comma-separated values, whose first line names parameters.
    Table(PathBuf),
    /// A Latin hypercube of the parameters' distributions.
    LatinHypercube {
        /// Number of points.
        samples: usize,
        /// Seed.
        seed: u64,
    },
    /// Independent draws of the parameters' distributions, which statistics are made of.
    Random {
        /// Number of points.
        samples: usize,
        /// Seed.
        seed: u64,
    },
}

impl Default for Points {
    fn default() -> Self {
        Self::One(Vec::new())
    }
}

/// How to predict.
#[derive(Debug, Clone, Default)]
pub struct PredictOptions {
    /// What every run has.
    pub run: RunOptions,
    /// For which parameters.
    pub points: Points,
    /// Whether the fields of many points are written, too; those of one point always are.
    pub fields: bool,
    /// At most so many modes; all of them when left out.
    pub modes: Option<usize>,
    /// Whether to solve the full model as well and report the true errors.
    pub truth: bool,
    /// Where the indicator of a prediction is above this, the full model is run instead, guarded; of models with sampled
    /// integrals.
    pub accept: Option<f64>,
    /// Until when problems in time are predicted, s, instead of the end that the model was trained to; of models with sampled
    /// integrals.
    pub end: Option<f64>,
    /// Whether the residuals of predictions are looked at on the whole mesh, and errors bounded where that is proven; of models
    /// with sampled integrals.
    pub verify: bool,
    /// What predictions are repaired to, instead of the deck's `constraint.level`.
    pub constraint: Option<ConstraintLevel>,
    /// The norm of that, instead of the deck's `constraint.weight`.
    pub weight: Option<Norm>,
    /// What is found out about uncertain quantities, of independent draws.
    pub uncertainty: UncertaintyOptions,
    /// Output folder instead of the deck's.
    pub output: Option<PathBuf>,
}

impl PredictOptions {
    /// Whether fields are written.
    pub(super) fn writes_fields(&self) -> bool {
        self.fields || matches!(self.points, Points::One(_))
    }

    /// Number and seed of independent draws, if that is what is predicted.
    pub(super) fn draws(&self) -> Option<(usize, u64)> {
        match self.points {
            Points::Random { samples, seed } => Some((samples, seed)),
            _ => None,
        }
    }
}

/// The number of the first draw of random fields by a prediction with some seed: far from those of campaigns.
fn first_draw(seed: u64) -> u64 {
    (seed.wrapping_add(1)).wrapping_shl(32)
}

/// Points with their draws of random fields: of several points those that follow the seed, of one the first of a campaign.
pub(super) fn contexts(points: &[Vec<f64>], of: &Points) -> Vec<Context> {
    let first = match of {
        Points::One(_) => 0,
        Points::Table(_) => first_draw(0),
        Points::LatinHypercube { seed, .. } | Points::Random { seed, .. } => first_draw(*seed),
    };
    (first..).zip(points).map(|(sample, p)| Context { sample, ..Context::steady(p.clone()) }).collect()
}

pub(super) fn points(comm: &Comm, deck: &Deck, points: &Points) -> Result<Vec<Vec<f64>>> {
    if let Points::LatinHypercube { samples, .. } | Points::Random { samples, .. } = points
        && !deck.random.is_empty()
        && !deck.parameters.values().any(Parameter::varies)
    {
        // Random fields alone make the points differ.
        return Ok(vec![deck.default_parameters(); *samples]);
    }
    match points {
        Points::Table(path) => read_table(comm, deck, path),
        Points::LatinHypercube { samples, seed } => {
            design_samples(deck, &Design::LatinHypercube { samples: *samples, seed: *seed })
        }
        Points::Random { samples, seed } => {
            design_samples(deck, &Design::Random { samples: *samples, seed: *seed })
        }
        Points::One(list) => {
            let mut point = deck.default_parameters();
            for text in list {
                let wrong = |message: String| Error::input("--parameter", message);
                let (name, value) = text
                    .split_once('=')
                    .ok_or_else(|| wrong(format!("`{text}` is not of the form name=value")))?;
                let place = deck.parameters.get_index_of(name.trim()).ok_or_else(|| {
                    let known: Vec<&str> = deck.parameters.keys().map(String::as_str).collect();
                    let hint = deck::did_you_mean(name.trim(), &known, "parameters");
                    wrong(format!("the model has no parameter \"{}\"{hint}", name.trim()))
                })?;
                point[place] = deck.parameters[place]
                    .value(value.trim())
                    .ok_or_else(|| wrong(format!("`{}` in `{text}` is no number", value.trim())))?;
            }
            Ok(vec![point])
        }
    }
}

/// Outside the ranges the basis was not trained; the estimate still holds.
pub(super) fn warn_outside(report: &Report, deck: &Deck, points: &[Vec<f64>]) {
    for (i, (name, parameter)) in deck.parameters.iter().enumerate() {
        if let Some(choices) = &parameter.choices {
            let values = choices.values();
            if let Some(point) = points.iter().find(|p| !values.contains(&p[i])) {
                report.warn(format!("{name} = {} is none of the choices of the training", point[i]));
            }
            continue;
        }
        let Some([low, high]) = parameter.range else {
            if points.iter().any(|p| p[i] != parameter.default) {
                report.warn(format!("{name} was fixed at {} in training", parameter.default));
            }
            continue;
        };
        if points.iter().any(|p| p[i] < low || p[i] > high) {
            report.warn(format!(
                "{name} lies outside the range [{low}, {high}] of the training; look at the error estimate"
            ));
        }
    }
}
