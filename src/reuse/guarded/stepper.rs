//! What steps in a guarded run.
use super::problem::{Counts, GuardedProblem};
use crate::deck::Deck;
use crate::memory::{Entry, Kept};
use crate::mixture::bases::{BASES, Bases};
use crate::physics::Context;
use crate::reuse::Effort;
use crate::simulation::{Evolution, Progress, Simulation, Stage, Stepper};
use crate::solver::{NewtonSolver, StepEquation};
use crate::storage::ModelFile;
use crate::{Error, Result};
use petsc_rs::Vector;
use std::path::PathBuf;

/// The solver's tolerance may be this share of what is accepted: else accepted and solved steps would be equally wrong.
const SHARPER: f64 = 1e-2;

/// How a run is guarded.
#[derive(Debug, Clone, PartialEq)]
pub struct GuardOptions {
    /// A reduced state is accepted when the dual norm of its residual is at most this share of the largest solution so far.
    pub accept: f64,
    /// A file of bases to begin with.
    pub model: Option<PathBuf>,
}

impl GuardOptions {
    /// Refuses what cannot be guarded.
    ///
    /// # Errors
    /// [`Error::Input`] that says why.
    pub fn check(&self, deck: &Deck) -> Result<()> {
        let accept = self.accept;
        if !(accept > 0.0 && accept < 1.0) {
            return Err(Error::input(
                "--accept",
                format!("expected a number between 0 and 1, found {accept}"),
            ));
        }
        if deck.time.is_none() {
            return Err(Error::input(
                "--accept",
                "only the steps of runs in time are guarded: there is no [time]",
            ));
        }
        for (index, physics) in deck.physics.iter().enumerate() {
            let tolerance = deck.solver_options(index).tolerance;
            if tolerance > SHARPER * accept {
                let text = format!(
                    "{}: with --accept {accept:e} expected at most {:e}, a hundredth, found {tolerance:e}: steps that are \
                     solved would be as wrong as those that are accepted",
                    physics.name(),
                    SHARPER * accept
                );
                return Err(Error::input("solver.tolerance", text));
            }
        }
        Ok(())
    }

    /// What is allowed but hardly meant.
    pub fn doubts(&self, deck: &Deck) -> Option<String> {
        let tolerance = deck.time.as_ref()?.tolerance?;
        (self.accept > tolerance).then(|| {
            format!(
                "--accept {:e} is above time.tolerance, {tolerance:e}: what reduced solutions lack counts as errors of steps, \
                 which become shorter",
                self.accept
            )
        })
    }
}

/// The memory of a guarded run, or of one run after the other.
pub struct Guard {
    options: GuardOptions,
    most: usize,
    tolerances: Vec<f64>,
    duration: f64,
    /// By problem; none of those that do not evolve.
    problems: Vec<Option<GuardedProblem>>,
    names: Vec<String>,
    /// Where the inner products were made.
    begun: Option<Context>,
    /// By problem, whether the newest step was solved in full; none before the first.
    newest: Vec<Counts>,
}

impl Guard {
    /// Nothing learnt yet. Local.
    ///
    /// # Errors
    /// As [`GuardOptions::check`].
    pub fn new(simulation: &Simulation, options: &GuardOptions) -> Result<Self> {
        let deck = &simulation.deck;
        options.check(deck)?;
        let count = simulation.stages.len();
        let duration = deck.time.as_ref().map_or(1.0, |time| time.end - time.start);
        Ok(Self {
            options: options.clone(),
            most: deck.campaign.basis,
            tolerances: (0..count).map(|index| deck.solver_options(index).tolerance).collect(),
            duration,
            problems: (0..count).map(|_| None).collect(),
            names: simulation.stages.iter().map(|stage| stage.problem.name.clone()).collect(),
            begun: None,
            newest: vec![Counts::default(); count],
        })
    }

    /// What is accepted.
    pub fn accept(&self) -> f64 {
        self.options.accept
    }

    /// The modes of the model file. Collective.
    fn read_model(&mut self, simulation: &Simulation, fresh: &[usize]) -> Result<()> {
        let Some(path) = &self.options.model else { return Ok(()) };
        let file = ModelFile::open(&simulation.mesh.comm, path)?;
        let there = file.members(BASES);
        for &index in fresh {
            let stage = &simulation.stages[index];
            let field = &stage.problem.field;
            // Of several problems any may have learnt beforehand.
            if simulation.stages.len() > 1 && !there.contains(field) && !there.is_empty() {
                continue;
            }
            let bases = Bases::read(&file, (field, None), stage.space(), None)?;
            let essential = stage.assembled().essential;
            if let Some(problem) = &mut self.problems[index] {
                problem.learn(&bases.lifting, essential)?;
                bases.global.modes.iter().try_for_each(|mode| problem.learn(mode, essential))?;
            }
        }
        file.close()
    }

    /// The parameters at which the inner products were made; none before the first run.
    pub fn begun(&self) -> Option<&Context> {
        self.begun.as_ref()
    }

    /// Functions of all problems.
    pub fn modes(&self) -> usize {
        self.problems.iter().flatten().map(GuardedProblem::modes).sum()
    }

    /// What each problem has cost, with modes.
    pub fn efforts(&self) -> Vec<Effort> {
        let guarded = self.problems.iter().zip(&self.names);
        guarded
            .filter_map(|(problem, name)| {
                let problem = problem.as_ref()?;
                Some(Effort {
                    name: name.clone(),
                    accepted: problem.counts.reduced,
                    solved: problem.counts.full,
                    basis: problem.modes(),
                    guess_seconds: problem.seconds[0],
                    solve_seconds: problem.seconds[1],
                    learning_seconds: problem.seconds[2],
                    ..Effort::default()
                })
            })
            .collect()
    }

    fn prepare(&mut self, stage: &Stage, index: usize, context: &Context) -> Result<bool> {
        let comm = &stage.space().mesh.comm;
        let essential = stage.assembled().essential;
        let fits = self.problems[index].as_ref().is_some_and(|problem| problem.fits(essential));
        let fresh = comm.min(u8::from(fits)) == 0;
        if fresh {
            let options = (self.options.accept, self.most, self.tolerances[index]);
            let at = (context, stage.solution(), self.duration);
            self.problems[index] = Some(GuardedProblem::new(&stage.problem, at, options)?);
        }
        if let Some(problem) = &mut self.problems[index] {
            problem.begin(stage.solution(), essential)?;
        }
        Ok(fresh)
    }
}

impl Stepper for Guard {
    fn start(&mut self, simulation: &Simulation, context: &Context) -> Result<()> {
        let mut fresh = Vec::new();
        for (index, stage) in simulation.stages.iter().enumerate().filter(|(_, stage)| stage.evolves()) {
            if self.prepare(stage, index, context)? {
                fresh.push(index);
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        self.begun = Some(context.clone());
        self.read_model(simulation, &fresh)
    }

    fn advance(&mut self, simulation: &mut Simulation, evolution: &mut Evolution) -> Result<Progress> {
        let problems = &mut self.problems;
        problems.iter_mut().flatten().for_each(GuardedProblem::begin_step);
        let solve = &mut |number: usize,
                          newton: &mut NewtonSolver,
                          equation: &StepEquation,
                          solution: &mut Vector| {
            match &mut problems[number] {
                Some(problem) => problem.solve(newton, equation, solution),
                None => crate::solver::by_newton(newton, equation, solution),
            }
        };
        let progress = evolution.advance_with(simulation, solve)?;
        if matches!(progress, Progress::Accepted(..)) {
            for (problem, newest) in self.problems.iter_mut().zip(&mut self.newest) {
                let Some(problem) = problem else { continue };
                problem.accept_step();
                *newest = problem.attempted;
            }
        }
        Ok(progress)
    }

    fn remembered(&self, problem: usize) -> Vec<Entry<'_>> {
        self.problems[problem].as_ref().map_or(Vec::new(), GuardedProblem::remembered)
    }

    fn restore(&mut self, problem: usize, kept: &dyn Kept) -> Result<()> {
        self.problems[problem].as_mut().map_or(Ok(()), |problem| problem.restore(kept))
    }

    fn note(&self) -> String {
        let words = self.problems.iter().zip(&self.names).zip(&self.newest).filter_map(
            |((problem, name), newest)| {
                let modes = problem.as_ref()?.modes();
                let how = if newest.full > 0 { "full" } else { "reduced" };
                Some(format!("{name} {how}, {modes} modes"))
            },
        );
        words.collect::<Vec<_>>().join("; ")
    }

    fn summary(&self) -> Vec<String> {
        let words = self.problems.iter().zip(&self.names).filter_map(|(problem, name)| {
            let problem = problem.as_ref()?;
            let (Counts { reduced, full }, modes) = (problem.counts, problem.modes());
            let [guesses, solves, _] = problem.seconds;
            Some(format!(
                "{name}: {full} of {} equations solved in full ({solves:.1} s), {reduced} accepted on up to {modes} modes \
                 to {:e} ({guesses:.1} s)",
                full + reduced,
                self.options.accept
            ))
        });
        words.collect()
    }
}
