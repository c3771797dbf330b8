//! One problem of a campaign: its basis, its operator, and how a sample of it is solved.
use super::basis::SolutionBasis;
use super::intake::is_harmless;
use super::least_residual::LeastResidual;
use super::operator::AffineOperator;
use crate::Result;
use crate::deck::FirstGuess;
use crate::fem::Space;
use crate::physics::Context;
use crate::physics::coefficient::NodalField;
use crate::simulation::{Stage, System, Workplace};
use crate::solver::{LinearSolver, Outcome};
use petsc_rs::Vector;
use std::rc::Rc;
use std::time::Instant;

/// Solutions that enter a basis are solved to this share of the tolerance, so that what they leave out does not keep
/// guesses from meeting it.
const SHARPER: f64 = 0.1;
/// Most functions of a basis that each matrix has to be multiplied with.
const MOST_WITHOUT_EXPANSION: usize = 30;
/// One in so many accepted guesses is verified with the deck's coefficients instead of their expansion.
const VERIFIED: usize = 16;
/// Once it has so many functions, the basis enters the coarse space of a two-level method: the preconditioner is built anew
/// for it once, and the coarse problem stays small.
const COARSE: usize = 8;
/// So many guesses in a row that cost more than they save end them.
const TRIALS: usize = 5;

/// What one problem has cost in a campaign.
#[derive(Debug, Clone, Default)]
pub struct Effort {
    /// The problem's name.
    pub name: String,
    /// Samples whose first guess met the tolerance.
    pub accepted: usize,
    /// Samples that were solved.
    pub solved: usize,
    /// Their Krylov iterations.
    pub iterations: usize,
    /// Preconditioners built.
    pub setups: usize,
    /// Functions in the basis.
    pub basis: usize,
    /// Terms of the affine operator, or why there is none.
    pub operator: Option<std::result::Result<usize, String>>,
    /// Seconds for loads, guesses and their residuals.
    pub guess_seconds: f64,
    /// Seconds to assemble or sum matrices.
    pub assembly_seconds: f64,
    /// Seconds to build preconditioners.
    pub setup_seconds: f64,
    /// Seconds of iterations.
    pub solve_seconds: f64,
    /// Seconds to find the affine operator and to enlarge the basis.
    pub learning_seconds: f64,
}

/// The memory of one problem.
pub struct StageMemory {
    guess: FirstGuess,
    most: usize,
    operator: Option<std::result::Result<AffineOperator, String>>,
    basis: Option<SolutionBasis>,
    /// For linear forms that Newton's method solves.
    least: Option<Option<LeastResidual>>,
    /// Solves their systems with a factorisation of an earlier one.
    kept: Option<LinearSolver>,
    residual: Option<Vector>,
    /// The tolerance that the deck asks for.
    tolerance: f64,
    /// Guesses in a row that did not pay.
    losses: usize,
    /// Whether the preconditioner is to be built anew with the basis in its coarse space.
    stale: bool,
    /// What became of the samples so far.
    pub effort: Effort,
}

impl StageMemory {
    /// Nothing yet.
    pub fn new(stage: &mut Stage, guess: FirstGuess, most: usize, tolerance: f64) -> Self {
        let mut guess = guess;
        if let Some(solver) = stage.linear() {
            solver.keep_preconditioner();
            if guess == FirstGuess::Galerkin {
                solver.set_tolerance(SHARPER * tolerance);
            }
        }
        let is_linear = stage.problem.facts().linear;
        let is_tuned = stage.problem.is_linear_system() && stage.tuning().is_some();
        if guess == FirstGuess::Galerkin && (!is_linear || is_tuned) {
            // Newton's method goes on from the nearest solution, and so do the arms of a tuned solver.
            guess = FirstGuess::Nearest;
        }
        let effort = Effort { name: stage.problem.name.clone(), ..Effort::default() };
        Self {
            guess,
            most,
            operator: None,
            basis: None,
            least: None,
            kept: None,
            residual: None,
            tolerance,
            losses: 0,
            stale: false,
            effort,
        }
    }

    /// The first guess of this problem.
    pub fn guess(&self) -> FirstGuess {
        self.guess
    }

    /// Whether more solutions would improve the guesses: there is a basis that costs little to extend, and it is not full.
    pub fn has_room(&self) -> bool {
        let cheap = matches!(self.operator, Some(Ok(_))) || matches!(self.least, Some(Some(_)));
        cheap && self.guess == FirstGuess::Galerkin && self.effort.basis < self.most
    }

    /// Solves a sample, starting from `stage.solution` or from the basis. Collective.
    ///
    /// # Errors
    /// As [`Stage::solve`].
    pub fn solve(
        &mut self,
        stage: &mut Stage,
        context: &Context,
        samples: &[Vec<f64>],
        moving: &[Rc<NodalField>],
    ) -> Result<()> {
        self.residual = stage.replace_residual(None).or(self.residual.take());
        if stage.linear().is_none() {
            return self.solve_by_newton(stage, context, moving);
        }
        if self.guess == FirstGuess::Galerkin {
            self.find_operator(stage, context, samples, moving)?;
        }
        match self.operator {
            Some(Ok(_)) => self.solve_affine(stage, context),
            _ => self.solve_assembled(stage, context),
        }
    }

    /// Takes a solution that is stored already into the basis. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn learn(
        &mut self,
        stage: &mut Stage,
        context: &Context,
        samples: &[Vec<f64>],
        moving: &[Rc<NodalField>],
    ) -> Result<()> {
        stage.set_conditions(context)?;
        if stage.linear().is_none() {
            self.find_least(stage, moving)?;
            if let Some(Some(least)) = &mut self.least {
                let (solution, problem) = (stage.solution().try_clone()?, stage.problem.clone());
                let work = stage.workplace();
                least.guess(&problem, context, work.essential, work.solution)?;
                least.append(&solution, work.essential)?;
            }
            return Ok(());
        }
        self.find_operator(stage, context, samples, moving)?;
        if self.basis.is_none() {
            match &mut self.operator {
                Some(Ok(operator)) => {
                    let factors = operator.factors(&stage.problem, context);
                    operator.sum(&factors, stage.workplace().matrix)?;
                }
                _ => stage.assemble(context)?,
            }
        }
        self.append(stage)
    }

    fn solve_by_newton(
        &mut self,
        stage: &mut Stage,
        context: &Context,
        moving: &[Rc<NodalField>],
    ) -> Result<()> {
        let start = Instant::now();
        if self.guess == FirstGuess::Galerkin {
            self.find_least(stage, moving)?;
        }
        if let Some(Some(least)) = &mut self.least {
            stage.set_conditions(context)?;
            let problem = stage.problem.clone();
            let work = stage.workplace();
            let found = least.guess(&problem, context, work.essential, work.solution)?;
            self.effort.operator = Some(Ok(least.terms()));
            let seconds = start.elapsed().as_secs_f64();
            self.effort.guess_seconds += seconds;
            if let Some(residual) = found.filter(|&residual| residual <= self.tolerance) {
                self.effort.accepted += 1;
                return stage.accept(Outcome { residual, seconds, ..Outcome::default() });
            }
        }
        let start = Instant::now();
        match (&mut self.least, &mut self.kept) {
            (Some(Some(least)), Some(solver)) => {
                let before = solver.setups();
                let problem = stage.problem.clone();
                let work = stage.workplace();
                let (matrix, load) = least.system(&problem, work.essential)?;
                let seconds = solver.set_matrix(matrix)?;
                let outcome = solver.solve(matrix, load, work.essential, work.solution)?;
                self.effort.setups += solver.setups() - before;
                self.effort.setup_seconds += seconds;
                self.effort.solve_seconds -= seconds;
                stage.accept(outcome)?;
            }
            _ => stage.solve(context)?,
        }
        self.effort.solved += 1;
        self.effort.iterations += stage.outcome().iterations;
        self.effort.solve_seconds += start.elapsed().as_secs_f64();
        if let Some(Some(least)) = &mut self.least {
            let start = Instant::now();
            least.append(stage.solution(), stage.assembled().essential)?;
            self.effort.basis = least.count();
            self.effort.learning_seconds += start.elapsed().as_secs_f64();
        }
        Ok(())
    }

    fn find_least(&mut self, stage: &mut Stage, moving: &[Rc<NodalField>]) -> Result<()> {
        if self.least.is_none() {
            let least = LeastResidual::new(&stage.problem, moving, self.most)?;
            if let (Some(newton), Some(_)) = (stage.newton(), &least) {
                self.kept = newton.kept_factorisation(SHARPER * self.tolerance)?;
            }
            self.least = Some(least);
        }
        Ok(())
    }

    fn find_operator(
        &mut self,
        stage: &Stage,
        context: &Context,
        samples: &[Vec<f64>],
        moving: &[Rc<NodalField>],
    ) -> Result<()> {
        if self.operator.is_none() {
            let start = Instant::now();
            let essential = stage.problem.essential(context)?;
            let found = AffineOperator::new(&stage.problem, &essential, samples, moving)?;
            self.effort.operator = Some(found.as_ref().map(AffineOperator::terms).map_err(String::clone));
            self.operator = Some(found);
            self.effort.learning_seconds += start.elapsed().as_secs_f64();
        }
        Ok(())
    }

    /// The matrix is summed, and only when the guess is not good enough.
    fn solve_affine(&mut self, stage: &mut Stage, context: &Context) -> Result<()> {
        let start = Instant::now();
        let problem = stage.problem.clone();
        let Some(Ok(operator)) = &mut self.operator else { return self.solve_assembled(stage, context) };
        stage.set_conditions(context)?;
        stage.check_support(context)?;
        if stage.is_partly_free() {
            return self.solve_assembled(stage, context);
        }
        problem.check_stiffness(context)?;
        let factors = operator.factors(&problem, context);
        let residual = room(&mut self.residual, &problem.space)?;
        operator.load(&problem, context, residual)?;
        let Workplace { load, essential, solution, .. } = stage.workplace();
        load.copy_from(residual)?;
        operator.lift(&problem, &factors, essential, load)?;
        if let Some(basis) = &mut self.basis {
            match basis.project(&factors, load) {
                Ok(found) => {
                    basis.expand(&found, essential, solution)?;
                    operator.subtract(&factors, solution, residual)?;
                    if self.accept(stage, start)? && self.verify(stage, context)? {
                        // Reactions are read off `K u - f`.
                        let mut residual = self.residual.take();
                        residual.as_mut().map_or(Ok(()), |residual| residual.scale(-1.0))?;
                        stage.replace_residual(residual);
                        if let Some(basis) = &mut self.basis {
                            basis.note_use(&found);
                        }
                        return Ok(());
                    }
                }
                Err(error) if is_harmless(&error) => {}
                Err(error) => return Err(error),
            }
        }
        self.effort.guess_seconds += start.elapsed().as_secs_f64();
        let start = Instant::now();
        let Some(Ok(operator)) = &mut self.operator else { return self.solve_assembled(stage, context) };
        let changed = operator.sum(&factors, stage.workplace().matrix)?;
        self.effort.assembly_seconds += start.elapsed().as_secs_f64();
        self.operator_solve(stage, context, changed)?;
        let start = Instant::now();
        self.append(stage)?;
        self.effort.learning_seconds += start.elapsed().as_secs_f64();
        Ok(())
    }

    /// Now and then, whether an accepted guess meets the tolerance with the deck's coefficients, too, cell by cell; an
    /// expansion that does not hold there is given up.
    fn verify(&mut self, stage: &mut Stage, context: &Context) -> Result<bool> {
        if self.effort.accepted % VERIFIED != 1 {
            return Ok(true);
        }
        let mut residual = stage.problem.space.field()?;
        stage.problem.residual(context, &stage.solution().local_read()?, &mut residual)?;
        if self.relative(stage, &residual)? <= 2.0 * self.tolerance {
            return Ok(true);
        }
        let reason = "its affine expansion does not hold at a sample";
        self.effort.accepted -= 1;
        self.effort.operator = Some(Err(reason.into()));
        (self.operator, self.basis) = (Some(Err(reason.into())), None);
        Ok(false)
    }

    /// The matrix is assembled first.
    fn solve_assembled(&mut self, stage: &mut Stage, context: &Context) -> Result<()> {
        stage.assemble(context)?;
        self.effort.assembly_seconds += stage.assembly_seconds();
        let start = Instant::now();
        if let Some(basis) = self.basis.as_mut().filter(|_| self.losses < TRIALS) {
            let Workplace { matrix, load, essential, solution } = stage.workplace();
            match basis.project_on(matrix, load) {
                Ok(found) => {
                    basis.expand(&found, essential, solution)?;
                    basis.note_use(&found);
                }
                Err(error) if is_harmless(&error) => {}
                Err(error) => return Err(error),
            }
        } else {
            let work = stage.workplace();
            work.essential.impose(&mut work.solution.write()?);
        }
        let projection = start.elapsed().as_secs_f64();
        let residual = room(&mut self.residual, &stage.problem.space)?;
        let system = stage.assembled();
        system.matrix.residual(system.load, stage.solution(), residual)?;
        if self.accept(stage, start)? {
            return Ok(());
        }
        self.effort.guess_seconds += start.elapsed().as_secs_f64();
        self.operator_solve(stage, context, true)?;
        if self.guess == FirstGuess::Galerkin && self.losses < TRIALS {
            self.judge(stage, projection);
        }
        if self.guess == FirstGuess::Galerkin && self.losses < TRIALS {
            let start = Instant::now();
            self.append(stage)?;
            self.effort.learning_seconds += start.elapsed().as_secs_f64();
        }
        Ok(())
    }

    /// The norm of a residual on the free unknowns relative to that of the load.
    fn relative(&self, stage: &Stage, residual: &Vector) -> Result<f64> {
        let (System { load, essential, .. }, comm) = (stage.assembled(), &stage.space().mesh.comm);
        let reference = essential.free_norm(comm, load)?;
        Ok(essential.free_norm(comm, residual)? / reference.max(f64::MIN_POSITIVE.sqrt()))
    }

    /// Whether the guess, whose residual stands ready, meets the tolerance; it is the solution then.
    fn accept(&mut self, stage: &mut Stage, start: Instant) -> Result<bool> {
        let Some(residual) = &self.residual else { return Ok(false) };
        let relative = self.relative(stage, residual)?;
        if relative.is_nan() || relative > self.tolerance {
            return Ok(false);
        }
        let seconds = start.elapsed().as_secs_f64();
        self.effort.accepted += 1;
        self.effort.guess_seconds += seconds;
        stage.accept(Outcome { residual: relative, seconds, ..Outcome::default() })?;
        Ok(true)
    }

    /// Solves the system that stands in the stage.
    fn operator_solve(&mut self, stage: &mut Stage, context: &Context, changed: bool) -> Result<()> {
        let before = stage.linear().map_or(0, |solver| solver.setups());
        let start = Instant::now();
        let stale = std::mem::take(&mut self.stale);
        if changed || before == 0 || stale {
            stage.prepare(context)?;
            self.effort.setup_seconds += start.elapsed().as_secs_f64();
        }
        let start = Instant::now();
        stage.solve_assembled(context)?;
        self.effort.solve_seconds += start.elapsed().as_secs_f64();
        self.effort.setups += stage.linear().map_or(0, |solver| solver.setups()) - before;
        self.effort.solved += 1;
        self.effort.iterations += stage.outcome().iterations;
        Ok(())
    }

    /// Takes the solution into the basis.
    fn append(&mut self, stage: &mut Stage) -> Result<()> {
        let (operator, most) = match &self.operator {
            Some(Ok(operator)) => (Some(operator), self.most),
            _ => (None, self.most.min(MOST_WITHOUT_EXPANSION)),
        };
        if self.basis.is_none() {
            let comm = &stage.problem.space.mesh.comm;
            let matrix = stage.assembled().matrix;
            let new = SolutionBasis::new(comm, matrix, stage.solution(), most, self.tolerance)?;
            self.basis = Some(new);
        }
        if let Some(basis) = &mut self.basis {
            basis.append(stage.solution(), stage.assembled().essential, operator)?;
            self.effort.basis = basis.count();
            let coarse = stage.linear().filter(|solver| solver.wants_solutions());
            if let Some(solver) = coarse.filter(|_| basis.count() == COARSE) {
                solver.enrich(basis.functions().clone());
                self.stale = true;
            }
        }
        Ok(())
    }

    /// Whether the guess's projection saved more than it cost: its digits, at the rate of the solve that followed.
    fn judge(&mut self, stage: &mut Stage, projection: f64) {
        let Some(basis) = &self.basis else { return };
        let outcome = stage.outcome().clone();
        let comm = &stage.problem.space.mesh.comm;
        let [first, last] =
            [outcome.history.first(), outcome.history.last()].map(|v| v.copied().unwrap_or(0.0));
        // A factorisation does not care for a first guess.
        let saved = if outcome.iterations > 1 && last > 0.0 && outcome.residual > 0.0 {
            let done = (first / last).log10();
            // The residual at the end belongs to `last`; zero would have started from one.
            let gained = -(outcome.residual * first / last).log10();
            outcome.seconds * gained / done.max(0.1)
        } else {
            0.0
        };
        let pays = comm.max(saved) > comm.max(projection);
        self.losses = if pays || basis.count() < 2 { 0 } else { self.losses + 1 };
        if let (TRIALS, Some(solver)) = (self.losses, stage.linear()) {
            self.basis = None;
            self.effort.basis = 0;
            solver.set_tolerance(self.tolerance);
        }
    }
}

/// A vector that is made when it is first needed. Collective.
fn room<'a>(vector: &'a mut Option<Vector>, space: &Space) -> Result<&'a mut Vector> {
    if vector.is_none() {
        *vector = Some(space.field()?);
    }
    Ok(vector.as_mut().expect("made above"))
}
