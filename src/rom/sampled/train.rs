//! From training samples to a reduced model with sampled integrals.
use super::data::{ProblemData, SampledPart, TestBlock};
use super::densities::{Densities, DensityModes, ROWS};
use super::expansion::Expansion;
use super::indicator::indicator;
use super::model::{Moment, SampledModel};
use super::observe::{Observation, Seen, see};
use super::points::{Chosen, NO_FACET};
use super::reduction::{Reduction, Samples};
use super::replay::{MOMENTS, Visited, is_close, replay_sample};
use super::rows::Rows;
use super::surroundings::{at_cells, surroundings};
use crate::mixture::{Algorithm, Truncation};
use crate::parallel::Comm;
use crate::physics::{Context, FormState, Place, Problem};
use crate::random::RandomFields;
use crate::rom::eim::EXACT;
use crate::simulation::Simulation;
use crate::{Error, Result};

/// Training samples on which rules are tried.
const TRIALS: usize = 4;
/// Tolerances of the rules that are tried, one after the other.
const TOLERANCES: [f64; 9] = [1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6];
/// Errors that differ by no more than this factor are alike.
const GAIN: f64 = 1.1;
/// A rule is good when the error is no more than this times that of the projection alone.
const NEAR: f64 = 1.2;
/// Integrals over the boundary are of few kinds: their rules are as much finer.
const BOUNDARY: f64 = 1e-3;

/// How a model is trained.
#[derive(Debug, Clone, Copy)]
pub struct SampledOptions {
    /// Where the basis ends.
    pub truncation: Truncation,
    /// How it is computed.
    pub algorithm: Algorithm,
    /// Tolerance of the rules; found by trials where there is none.
    pub cubature: Option<f64>,
    /// Functions that residuals are tested with, at most; none without an indicator.
    pub indicator: usize,
}

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    /// Tolerance of the rules.
    pub tolerance: f64,
    /// Sampled points of all physics.
    pub points: usize,
    /// Largest error of the trial trajectories, relative to their largest norm; infinite where the model failed.
    pub error: f64,
}

/// A trained model with what belongs to it on the whole mesh.
pub struct SampledTraining {
    /// Bases, by physics.
    pub reductions: Vec<Reduction>,
    /// The sampled cells.
    pub part: SampledPart,
    /// What the model is made of.
    pub data: Vec<ProblemData>,
    /// The rules that were tried; the model has the coarsest of those nearly as good as the best.
    pub trials: Vec<Trial>,
    /// The tolerance of the model's rules.
    pub tolerance: f64,
    /// The deck's quantities of interest.
    pub observations: Vec<Observation>,
}

/// Trains on the states of samples at all their steps. The functions that residuals are tested with are those of the samples
/// `tested`, by their numbers, the first of which fixes the product in which residuals are measured. Collective.
///
/// # Errors
/// When the samples do not fit, a law has no value along them, or no model of them can follow them.
pub fn train(
    simulation: &mut Simulation,
    samples: Samples,
    tested: &[usize],
    options: &SampledOptions,
) -> Result<SampledTraining> {
    RandomFields::expect_cut_off(&simulation.deck)?;
    let mut reductions = Vec::new();
    for stage in 0..simulation.stages.len() {
        let reduction = Reduction::new(simulation, stage, samples, options.truncation, options.algorithm)?;
        reductions.push(reduction);
    }
    let exact = reductions
        .iter()
        .map(|reduction| Expansion::new(reduction, samples))
        .collect::<Result<Vec<Option<Expansion>>>>()?;
    let mut seen = Seen::new();
    let densities = densities(simulation, &reductions, &exact, samples, &mut seen)?;
    let (observations, needed) = Observation::all(simulation, &reductions, &seen)?;
    let mut rows: Vec<Vec<Rows>> = Vec::new();
    for (modes, reduction) in densities.iter().zip(&reductions) {
        let of = |modes| Rows::new(modes, &reduction.mode_columns());
        rows.push(modes.iter().map(of).collect::<Result<_>>()?);
    }
    let points: Vec<f64> = samples
        .which
        .iter()
        .flat_map(|&s| [&samples.parameters[s][..], &simulation.random.point(samples.draws[s])].concat())
        .collect();
    let mut parts: Vec<ProblemData> = reductions.iter().map(|own| common(own, points.clone())).collect();
    for ((data, own), reduction) in parts.iter_mut().zip(&exact).zip(&reductions) {
        data.exact = own.as_ref().map(|own| own.project(&reduction.functions, None)).transpose()?;
    }
    let extra: Vec<u64> = needed.iter().flat_map(|(_, cells)| cells.iter().copied()).collect();
    for (stage, reduction) in reductions.iter().enumerate() {
        let own = needed.iter().filter(|(of, _)| *of == stage).flat_map(|(_, cells)| cells.iter().copied());
        parts[stage].followed = followed(&reduction.problem, own.collect());
    }
    let random = simulation.random.functions()?;
    let mut trials: Vec<Trial> = Vec::new();
    let mut models = Vec::new();
    let mut seeds: Vec<Vec<Vec<u64>>> = rows.iter().map(|rows| vec![Vec::new(); rows.len()]).collect();
    let least = reductions.iter().map(|reduction| reduction.error).fold(0.0, f64::max);
    let tolerances = match options.cubature {
        // There are no rules to be tried.
        _ if exact.iter().all(Option::is_some) => vec![EXACT],
        Some(tolerance) => vec![tolerance],
        None => TOLERANCES.to_vec(),
    };
    for tolerance in tolerances {
        let mut data = parts.clone();
        for (stage, data) in data.iter_mut().enumerate() {
            for (integral, rows) in rows[stage].iter().enumerate() {
                let place = reductions[stage].problem.integrals[integral].place;
                let own = if place == Place::Volume { tolerance } else { BOUNDARY * tolerance };
                let found = rows.rule(own, seeds[stage][integral].clone())?;
                seeds[stage][integral] = found.ids;
                data.chosen.extend(found.chosen);
            }
        }
        let part = surroundings(simulation, &reductions, &mut data, &random, &extra)?;
        let error = error(simulation, &reductions, samples, &part, &data)?;
        let points = data.iter().map(|data| data.chosen.len()).sum();
        trials.push(Trial { tolerance, points, error });
        models.push((part, data));
        // What is left is the projection's, or three finer rules in turn have gained nothing.
        let best = |trials: &[Trial]| trials.iter().map(|trial| trial.error).fold(f64::INFINITY, f64::min);
        let stalled = trials.len() > 3 && best(&trials) * GAIN >= best(&trials[..trials.len() - 3]);
        if error <= NEAR * least || stalled && best(&trials).is_finite() {
            break;
        }
    }
    // The coarsest of those that are nearly as good as the best.
    let best = trials.iter().map(|trial| trial.error).fold(f64::INFINITY, f64::min);
    let chosen = trials.iter().position(|trial| trial.error <= GAIN * best && trial.error.is_finite());
    let Some(chosen) = chosen else {
        return Err(Error::Failed(
            "the reduced model does not follow the training samples with any of the cubatures that were tried: train on more \
             samples, or lower rom.tolerance"
                .into(),
        ));
    };
    let (tolerance, (mut part, mut data)) = (trials[chosen].tolerance, models.swap_remove(chosen));
    drop(rows);
    if options.indicator > 0 {
        let tested = Samples { which: tested, ..samples };
        let how = (options.indicator, tolerance);
        let functions = indicator(simulation, &reductions, &densities, tested, (&part, &mut data), how)?;
        part = surroundings(simulation, &reductions, &mut data, &random, &extra)?;
        for (stage, (data, functions)) in data.iter_mut().zip(&functions).enumerate() {
            let reduction = &reductions[stage];
            let list: Vec<&[f64]> = functions.iter().collect();
            data.residual.nodal = at_cells(&reduction.problem.space, &part.mesh, &list)?;
            if let Some(own) = &exact[stage] {
                data.exact = Some(own.project(&reduction.functions, Some(functions))?);
            }
        }
    }
    Ok(SampledTraining { reductions, part, data, trials, tolerance, observations })
}

/// Densities of every integral along the training trajectories, `[physics][integral]`; none of exact ones. Collective.
fn densities(
    simulation: &mut Simulation,
    reductions: &[Reduction],
    exact: &[Option<Expansion>],
    samples: Samples,
    seen: &mut Seen,
) -> Result<Vec<Vec<DensityModes>>> {
    let columns = 2 * MOMENTS * samples.which.len();
    let mut whole: Vec<Vec<Densities>> = Vec::new();
    for (reduction, exact) in reductions.iter().zip(exact) {
        let all = 0..if exact.is_some() { 0 } else { reduction.problem.integrals.len() };
        whole.push(all.map(|integral| Densities::new(reduction, integral, columns)).collect::<Result<_>>()?);
    }
    for (number, &sample) in samples.which.iter().enumerate() {
        let count = samples.times(sample)?.len();
        begin(simulation, reductions, samples, number, &mut whole)?;
        let mut visit = |Visited { stage, prepared, at, moment, .. }: Visited| -> Result<()> {
            let keep = is_close(moment, count);
            whole[stage].iter_mut().try_for_each(|integral| integral.take(prepared, at, keep))
        };
        let mut reached = |simulation: &Simulation, context: &Context, moment: usize| -> Result<()> {
            if is_close(moment, count) { see(simulation, context, seen) } else { Ok(()) }
        };
        replay_sample(simulation, reductions, samples, number, &mut visit, &mut reached)?;
    }
    whole
        .into_iter()
        .zip(reductions)
        .map(|(all, reduction)| {
            let most = ROWS / reduction.modes().max(1);
            all.into_iter().map(|integral| integral.finish(most)).collect()
        })
        .collect()
}

/// What is stored at the start of a sample. Collective.
fn begin(
    simulation: &mut Simulation,
    reductions: &[Reduction],
    samples: Samples,
    number: usize,
    whole: &mut [Vec<Densities>],
) -> Result<()> {
    let sample = samples.which[number];
    let context = samples.context(sample, samples.times(sample)?[0]);
    simulation.random.draw(context.sample)?;
    for (stage, reduction) in reductions.iter().enumerate() {
        let problem = &reduction.problem;
        simulation.stages[stage].set_solution(&reduction.state(&reduction.coefficients[number][0]))?;
        if !problem.evolves() || problem.has_history() || simulation.deck.time.is_none() {
            whole[stage].iter_mut().for_each(|integral| integral.begin(None));
            continue;
        }
        let prepared = simulation.mesh.comm.agree(problem.at(&context))?;
        let state = simulation.stages[stage].solution().local_read()?;
        let at = FormState::steady(&state);
        whole[stage].iter_mut().for_each(|integral| integral.begin(Some((&prepared, at))));
    }
    Ok(())
}

/// What does not depend on the rules.
fn common(reduction: &Reduction, parameters: Vec<f64>) -> ProblemData {
    let functions = &reduction.functions;
    let b = functions.count();
    let gram = functions.product(functions);
    let [lifting, initial] = reduction.values_at();
    let ends = reduction.coefficients.iter().filter_map(|moments| moments.last());
    let start = ends.flatten().copied().collect();
    ProblemData {
        name: reduction.problem.name.clone(),
        field: reduction.problem.field.clone(),
        lifts: reduction.lifts,
        modes: reduction.modes(),
        chosen: Vec::new(),
        nodal: Vec::new(),
        gram: (0..b * b).map(|k| gram[(k / b, k % b)]).collect(),
        lifting,
        initial,
        start,
        parameters,
        singular_values: reduction.singular_values.clone(),
        followed: Vec::new(),
        energy: Vec::new(),
        residual: TestBlock::default(),
        exact: None,
    }
}

/// All points of cells whose internal variables are followed; none of models without.
fn followed(problem: &Problem, mut cells: Vec<u64>) -> Vec<Chosen> {
    cells.sort_unstable();
    cells.dedup();
    let points = match problem.new_history() {
        Some(history) => history.points,
        None => 0,
    };
    let one = |cell: u64, point: usize| Chosen {
        integral: 0,
        cell,
        facet: NO_FACET,
        point: point as u32,
        weight: 0.0,
    };
    cells.into_iter().flat_map(|cell| (0..points).map(move |point| one(cell, point))).collect()
}

/// The largest error of a few training trajectories, relative to their largest norm; infinite where the model fails.
/// Collective.
fn error(
    simulation: &Simulation,
    reductions: &[Reduction],
    samples: Samples,
    part: &SampledPart,
    data: &[ProblemData],
) -> Result<f64> {
    let comm: &Comm = &simulation.mesh.comm;
    let count = samples.which.len();
    let chosen: Vec<usize> = (0..count).step_by(count.div_ceil(TRIALS)).collect();
    let times: Vec<Vec<f64>> =
        chosen.iter().map(|&number| samples.times(samples.which[number])).collect::<Result<_>>()?;
    let mut model = comm.agree(SampledModel::new(&simulation.deck, part, data))?;
    let mut worst = 0.0f64;
    for (turn, (&number, times)) in chosen.iter().zip(&times).enumerate() {
        if turn % comm.size() != comm.rank() {
            continue;
        }
        let context = samples.context(samples.which[number], times[0]);
        let Ok(prediction) = model.follow(&context, times) else {
            worst = f64::INFINITY;
            continue;
        };
        for (stage, reduction) in reductions.iter().enumerate() {
            let deviation = deviation(reduction, stage, &prediction.moments, number);
            worst = worst.max(deviation.hypot(reduction.error));
        }
    }
    Ok(comm.max(worst))
}

/// The largest difference of predicted and projected coefficients, relative to the sample's scale.
fn deviation(reduction: &Reduction, stage: usize, found: &[Moment], number: usize) -> f64 {
    let mut worst = 0.0f64;
    for (moment, expected) in found.iter().zip(&reduction.coefficients[number]) {
        let difference: Vec<f64> =
            moment.coefficients[stage].iter().zip(expected).map(|(a, b)| a - b).collect();
        let apart = reduction.norm(&difference);
        worst = if apart.is_nan() { f64::INFINITY } else { worst.max(apart) };
    }
    worst / reduction.scales[number]
}
