//! The tuning that a deck asks for: arms as PETSc options, contexts as expressions, losses from solves.
use super::chebyshev::ChebyshevBandit;
use super::range::LossRange;
use super::tsallis::{Estimator, TsallisInf};
use super::tuner::{Bandit, Summary, Tuner};
use crate::deck::{COORDINATES, Deck, Expression, SolverOptions, TuneLoss, TuneSection};
use crate::memory::{Entry, Kept, Memory, Value};
use crate::parallel::Comm;
use crate::physics::Context;
use crate::{Error, Result};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Total degree of the Chebyshev polynomials: that of the paper's experiments.
const DEGREE: usize = 5;
/// Random points of parameters and time at which the range of a context is found.
const RANGE_POINTS: usize = 4096;
/// How often a system is solved anew with another arm after a failure.
pub const TRIES: usize = 3;

/// Which arm serves the next system of one problem. All ranks make the same choices.
pub struct Tuning {
    /// PETSc options of the arms.
    pub arms: Vec<String>,
    /// Whether every system is solved with all arms, for study.
    pub oracle: bool,
    tuner: Tuner,
    /// Expressions, and the range of each.
    contexts: Vec<(Expression, [f64; 2])>,
    loss: TuneLoss,
    comm: Comm,
    /// Largest loss of a solve that did not fail.
    worst: Option<f64>,
    /// What a failure costs while nothing else is known.
    most: f64,
    context: Vec<f64>,
    /// Number of the arm, loss and context of every system so far.
    rounds: Vec<Vec<f64>>,
}

impl Tuning {
    /// That of a problem's solver, if it asks for one.
    ///
    /// # Errors
    /// [`Error::Input`] when a context cannot be computed.
    pub fn of(deck: &Deck, options: &SolverOptions, comm: &Comm) -> Result<Option<Self>> {
        let Some(section) = &options.tune else { return Ok(None) };
        let (arms, positions) = arms(section);
        let contexts: Vec<(Expression, [f64; 2])> =
            section.context.iter().map(|text| context(deck, text)).collect::<Result<_>>()?;
        let bandit = if contexts.is_empty() {
            Bandit::Tsallis(TsallisInf::new(arms.len(), Estimator::ReducedVariance, LossRange::seen()))
        } else {
            let dimension = contexts.len();
            let range = LossRange::seen();
            Bandit::Chebyshev(ChebyshevBandit::new(arms.len(), positions, dimension, DEGREE, range))
        };
        Ok(Some(Self {
            tuner: Tuner::new(section.seed, arms.len(), bandit),
            arms,
            oracle: section.oracle,
            contexts,
            loss: section.loss,
            comm: comm.clone(),
            worst: None,
            most: options.max_iterations as f64,
            context: Vec::new(),
            rounds: Vec::new(),
        }))
    }

    /// The arm for the next system. Collective.
    pub fn choose(&mut self, context: &Context) -> usize {
        self.context = self.scaled(context).collect();
        let arm = self.tuner.choose(&self.context);
        // Ranks on unlike processors may round differently: that of rank 0 counts.
        let arm = self.comm.max(if self.comm.rank() == 0 { arm as u64 } else { 0 }) as usize;
        self.tuner.force(arm);
        arm
    }

    /// The contexts at parameters and time, each from -1 to 1 over its range.
    fn scaled(&self, context: &Context) -> impl Iterator<Item = f64> {
        let arguments = context.arguments(&[0.0; 3]);
        self.contexts.iter().map(move |(expression, [low, high])| {
            2.0 * (expression.eval(&arguments) - low) / (high - low).max(f64::MIN_POSITIVE) - 1.0
        })
    }

    /// The loss of a solve, the same on all ranks. Collective.
    pub fn measure(&self, iterations: usize, seconds: f64) -> f64 {
        match self.loss {
            TuneLoss::Iterations => iterations as f64,
            TuneLoss::Seconds => self.comm.max(seconds),
        }
    }

    /// Learns the loss of the last choice, and with an oracle those of all arms (not a number for one that failed).
    pub fn learn(&mut self, loss: f64, all: Option<&[f64]>) {
        self.worst = Some(self.worst.map_or(loss, |worst| worst.max(loss)));
        let penalty = self.penalty();
        let all =
            all.map(|all| all.iter().map(|l| if l.is_finite() { *l } else { penalty }).collect::<Vec<_>>());
        self.take(loss, all.as_deref());
    }

    /// Learns that the last choice failed: it counts as twice the worst that did not.
    pub fn fail(&mut self) {
        let penalty = self.penalty();
        let all = self.oracle.then(|| vec![penalty; self.arms.len()]);
        self.take(penalty, all.as_deref());
    }

    fn penalty(&self) -> f64 {
        self.worst.map_or(self.most, |worst| 2.0 * worst)
    }

    fn take(&mut self, loss: f64, all: Option<&[f64]>) {
        let Some(arm) = self.tuner.pending() else { return };
        let mut row = vec![arm as f64, loss];
        row.append(&mut self.context);
        self.rounds.push(row);
        self.tuner.learn(loss, all);
    }

    /// Arm and loss of the newest system.
    pub fn newest(&self) -> Option<(usize, f64)> {
        self.rounds.last().map(|row| (row[0] as usize, row[1]))
    }

    /// All systems so far, a row each: arm, loss, context.
    pub fn rounds(&self) -> &[Vec<f64>] {
        &self.rounds
    }

    /// Takes in a system of an earlier run (arm, loss, context), after which the choices are those that it would have made.
    /// What does not fit is left out.
    pub fn replay(&mut self, row: &[f64]) {
        let [arm, loss, context @ ..] = row else { return };
        if !(0.0..self.arms.len() as f64).contains(arm) || context.len() != self.contexts.len() {
            return;
        }
        self.tuner.choose(context);
        self.tuner.force(*arm as usize);
        self.context = context.to_vec();
        self.worst = Some(self.worst.map_or(*loss, |worst| worst.max(*loss)));
        self.take(*loss, None);
    }

    /// As [`Tuning::replay`] for a system at these parameters and time.
    pub fn replay_at(&mut self, context: &Context, arm: f64, loss: f64) {
        let row: Vec<f64> = [arm, loss].into_iter().chain(self.scaled(context)).collect();
        self.replay(&row);
    }

    /// How it fared so far.
    pub fn summary(&self) -> Summary {
        self.tuner.summary(self.oracle)
    }

    /// How it fared against the best fixed arm and, with an oracle, against the best arm of every system.
    pub fn report(&self, name: &str) -> Vec<String> {
        if self.rounds.is_empty() {
            return Vec::new();
        }
        let summary = self.summary();
        let what = match self.loss {
            TuneLoss::Iterations => "iterations",
            TuneLoss::Seconds => "s",
        };
        let mut lines =
            vec![format!("{name}: tuning of {} systems: {:.4} {what} each", summary.rounds, summary.mean)];
        if let Some((best, loss)) = summary.best() {
            let how = if self.oracle { "" } else { ", estimated" };
            lines.push(format!(
                "  best fixed arm `{}`: {loss:.4}{how}; regret {:.1} %",
                self.arms[best],
                100.0 * (summary.mean / loss - 1.0)
            ));
        }
        if let Some(optimum) = summary.optimum {
            let regret = 100.0 * (summary.mean / optimum - 1.0);
            lines.push(format!("  best arm of every system: {optimum:.4}; regret {regret:.1} %"));
        }
        for (arm, (rounds, loss)) in self.arms.iter().zip(&summary.arms) {
            lines.push(format!("  {rounds:6} x `{arm}`: {loss:.4}"));
        }
        lines
    }
}

impl Memory for Tuning {
    fn remembered(&self) -> Vec<Entry<'_>> {
        vec![Entry("tuning".into(), Value::Rows(&self.rounds))]
    }

    fn restore(&mut self, kept: &dyn Kept) -> Result<()> {
        kept.rows("tuning")?.into_iter().flatten().for_each(|row| self.replay(&row));
        Ok(())
    }
}

/// All arms, and their positions in [-1, 1] when they are the levels of a relaxation parameter alone.
fn arms(section: &TuneSection) -> (Vec<String>, Option<Vec<f64>>) {
    let texts = section.arms.clone().unwrap_or_default();
    let Some(relaxation) = &section.relaxation else { return (texts, None) };
    let levels: Vec<f64> = (0..relaxation.levels)
        .map(|i| {
            let share = i as f64 / (relaxation.levels - 1) as f64;
            relaxation.from + share * (relaxation.to - relaxation.from)
        })
        .collect();
    let option = |level: &f64| format!("{} {level}", relaxation.option);
    if texts.is_empty() {
        let positions = (0..levels.len()).map(|i| 2.0 * i as f64 / (levels.len() - 1) as f64 - 1.0).collect();
        return (levels.iter().map(option).collect(), Some(positions));
    }
    let product = |text: &String| levels.iter().map(|l| format!("{text} {}", option(l))).collect::<Vec<_>>();
    (texts.iter().flat_map(product).collect(), None)
}

/// A context's expression and its range over parameters and time.
fn context(deck: &Deck, text: &str) -> Result<(Expression, [f64; 2])> {
    let expression = Expression::parse(text, &deck.variables())
        .map_err(|error| Error::input("", format!("solver.tune.context: {}", error.message)))?;
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for _ in 0..RANGE_POINTS {
        let mut values = [0.0; COORDINATES.len()].to_vec();
        let mut between = |[from, to]: [f64; 2]| from + (to - from) * random.random::<f64>();
        if let (Some(time), Some(last)) = (&deck.time, values.last_mut()) {
            *last = between([time.start, time.end]);
        }
        values.extend(deck.parameters.values().map(|p| p.range.map_or(p.default, &mut between)));
        let value = expression.eval(&values);
        if value.is_finite() {
            (low, high) = (low.min(value), high.max(value));
        }
    }
    if low >= high {
        let message = format!("the context `{text}` does not vary over parameters and time");
        return Err(deck.fault("solver.tune.context", message));
    }
    Ok((expression, [low, high]))
}
