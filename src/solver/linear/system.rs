//! Linear systems by PETSc's Krylov methods: defaults by problem, and a diagnosis when they fail.
use super::defaults::{self, Elliptic};
use super::options::OwnOptions;
use crate::deck::{Refresh, SolverMethod, SolverOptions};
use crate::fem::{Essential, Space};
use crate::memory::{Entry, Kept, Memory};
use crate::mixture::{Columns, Mixture};
use crate::parallel::Comm;
use crate::physics::Context;
use crate::solver::precondition::{Age, KeptInterpolation, PMultigrid, RestrictedSchwarz, Sample, Schwarz};
use crate::solver::recycle::{Recycler, Solved};
use crate::{Error, Result};
use petsc_rs::{ConvergenceReason, KrylovSolver, Matrix, NormType, Vector};
use std::time::Instant;

/// How a solve went.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Iterations of the outer Krylov method (1 for a factorisation).
    pub iterations: usize,
    /// Norm of the residual on the free unknowns at the end, relative to that of the load.
    pub residual: f64,
    /// Residual norms from the first guess on, in the units of the load; empty for a factorisation.
    pub history: Vec<f64>,
    /// Seconds spent on preconditioner and iteration.
    pub seconds: f64,
    /// What the log should say about it; mostly nothing.
    pub note: String,
}

/// A Krylov solver with its preconditioner, kept for as long as the sparsity stays.
pub struct LinearSolver {
    krylov: KrylovSolver,
    own: OwnOptions,
    comm: Comm,
    name: String,
    /// The PETSc options that define it, as a user could write them.
    pub options: String,
    /// The deck's.
    asked: String,
    tolerance: f64,
    max_iterations: usize,
    experts: Option<Mixture>,
    /// The method of one level, if that is in use.
    restricted: Option<RestrictedSchwarz>,
    /// The coarse level, while the default for degree 2 is in use.
    p_multigrid: Option<PMultigrid>,
    /// When to build anew, and the matrix that the preconditioner was built from, once it serves several.
    age: Option<Age>,
    kept: Option<Matrix>,
    /// Whether it is BoomerAMG by default, and then what is kept of it when matrices change.
    classical: bool,
    interpolation: Option<KeptInterpolation>,
    refresh: Refresh,
    setups: usize,
    /// Whether it is our factorisation that solves; an old one may serve conjugate gradients.
    direct: bool,
    /// The Krylov method that it then preconditions.
    around: &'static str,
    /// Our own Krylov method in the place of PETSc's, when the deck asks for it.
    recycler: Option<Recycler>,
}

impl LinearSolver {
    /// A solver for a symmetric positive definite problem on `space`. The problem's `name` is the
    /// prefix of its options on the command line (`-<name>_ksp_type ...`). Collective.
    ///
    /// # Errors
    /// When PETSc refuses an option.
    pub fn new(space: &Space, name: &str, options: &SolverOptions) -> Result<Self> {
        let mut krylov = KrylovSolver::new(space.mesh.comm.mpi())?;
        krylov.set_prefix(&format!("{name}_"))?;
        let mut chosen = None;
        let own = OwnOptions::new(krylov.prefix(), || {
            krylov.set_options(&chosen.insert(Elliptic::new(space, name, options)?).options)
        })?;
        let Elliptic { options: mut chosen, direct, p_multigrid, classical } = chosen.expect("set above");
        let preconditions_only = krylov.kind() == "preonly";
        krylov.set_initial_guess_nonzero(!preconditions_only)?;
        let comm = space.mesh.comm.clone();
        let recycles = options.recycle.is_on() && options.method != SolverMethod::Direct;
        let recycler = if recycles { Recycler::of(&comm, &options.recycle, true)? } else { None };
        if let Some(recycler) = &recycler {
            if preconditions_only {
                return Err(Error::Failed(format!("{name}: `-ksp_type preonly` leaves nothing to recycle")));
            }
            chosen = format!("{chosen} ({})", recycler.description());
        }
        krylov.keep_history(options.max_iterations + 1)?;
        let p_multigrid = if p_multigrid { Some(PMultigrid::new(space)?) } else { None };
        Ok(Self {
            p_multigrid,
            direct: direct && preconditions_only,
            classical,
            recycler,
            ..Self::plain(krylov, own, space, name, options, chosen)
        })
    }

    /// A solver as its PETSc options make it, and nothing more.
    fn plain(
        krylov: KrylovSolver,
        own: OwnOptions,
        space: &Space,
        name: &str,
        options: &SolverOptions,
        chosen: String,
    ) -> Self {
        Self {
            krylov,
            own,
            comm: space.mesh.comm.clone(),
            name: name.into(),
            options: chosen,
            asked: options.petsc.clone(),
            tolerance: options.tolerance,
            max_iterations: options.max_iterations,
            experts: None,
            restricted: None,
            p_multigrid: None,
            age: None,
            kept: None,
            classical: false,
            interpolation: None,
            refresh: options.refresh,
            setups: 0,
            direct: false,
            around: "cg",
            recycler: None,
        }
    }

    /// A solver for systems of any kind by the factorisation that the PETSc options `chosen` ask for, which is kept for
    /// later matrices as a preconditioner of GMRES; `None` when the options ask for another method. Collective.
    ///
    /// # Errors
    /// When PETSc refuses an option.
    pub fn kept_factorisation(
        space: &Space,
        name: &str,
        options: &SolverOptions,
        chosen: &str,
    ) -> Result<Option<Self>> {
        let mut krylov = KrylovSolver::new(space.mesh.comm.mpi())?;
        krylov.set_prefix(&format!("{name}_"))?;
        let own = OwnOptions::new(krylov.prefix(), || krylov.set_options(chosen))?;
        if krylov.kind() != "preonly" {
            return Ok(None);
        }
        krylov.set_initial_guess_nonzero(false)?;
        krylov.keep_history(options.max_iterations + 1)?;
        let plain = Self::plain(krylov, own, space, name, options, chosen.into());
        let mut solver = Self { direct: true, around: "fgmres", ..plain };
        solver.keep_preconditioner();
        Ok(Some(solver))
    }

    /// Preconditions by the Schwarz method of the experts from the next matrix on. A solver with
    /// `method = "schwarz"` uses algebraic multigrid until this is called.
    pub fn use_experts(&mut self, mixture: Mixture) {
        self.options = "-ksp_type cg -pc_type shell".into();
        self.experts = Some(mixture);
        (self.p_multigrid, self.interpolation, self.classical) = (None, None, false);
    }

    /// Preconditions by the Schwarz method of one level from the next matrix on, each of which is to be
    /// [prepared](LinearSolver::prepare); GMRES takes the place of conjugate gradients. Collective.
    ///
    /// # Errors
    /// When PETSc refuses an option.
    pub fn use_restricted(&mut self, method: RestrictedSchwarz) -> Result<()> {
        // Nothing of another method stays behind.
        self.krylov.set_type("preonly")?;
        self.krylov.preconditioner()?.set_type("none")?;
        let options = format!("{} {}", self.asked, defaults::restricted(true)).trim().to_string();
        self.own = OwnOptions::new(self.krylov.prefix(), || self.krylov.set_options(&options))?;
        self.krylov.set_initial_guess_nonzero(true)?;
        let mut preconditioner = self.krylov.preconditioner()?;
        // A user may have chosen another one.
        self.restricted = (preconditioner.kind() == "asm").then_some(method);
        if let Some(method) = &self.restricted {
            method.attach(&mut preconditioner)?;
        }
        self.options = options;
        (self.p_multigrid, self.interpolation, self.classical) = (None, None, false);
        Ok(())
    }

    /// As [`LinearSolver::set_matrix`] for the matrix of the problem at these parameters. Collective.
    ///
    /// # Errors
    /// As there, and for coefficients that no material can have.
    pub fn prepare(&mut self, context: &Context, matrix: &Matrix) -> Result<f64> {
        let start = Instant::now();
        if let Some(method) = &self.restricted {
            method.update_linear(context)?;
        }
        self.set_matrix(matrix)?;
        Ok(start.elapsed().as_secs_f64())
    }

    /// Whether the solver is a two-level Schwarz method whose coarse space has no earlier solutions yet.
    pub fn wants_solutions(&self) -> bool {
        self.experts.as_ref().is_some_and(|experts| experts.modes.is_some() && experts.columns.count() == 0)
    }

    /// Puts fields of the owned unknowns into the coarse space, cut into the experts' parts; the next
    /// [`LinearSolver::set_matrix`] builds anew.
    pub fn enrich(&mut self, solutions: Columns) {
        if let Some(experts) = &mut self.experts {
            // As large as the other functions.
            experts.columns = solutions.scaled_to_one();
        }
        if let Some(age) = &mut self.age {
            age.expire();
        }
    }

    /// The PETSc solver, to set a preconditioner of one's own.
    pub fn krylov(&mut self) -> &mut KrylovSolver {
        &mut self.krylov
    }

    /// Keeps a preconditioner for later matrices, as the options' `refresh` says; costs a copy of the matrix.
    pub fn keep_preconditioner(&mut self) {
        // A method that only applies the preconditioner cannot do with an old one, except ours.
        let possible = self.krylov.kind() != "preonly" || self.direct;
        self.age = Some(Age::new(self.refresh)).filter(|age| age.keeps() && possible);
        let timed = self.refresh == Refresh::default();
        self.interpolation =
            self.age.as_ref().filter(|_| self.classical).map(|_| KeptInterpolation::new(timed));
    }

    /// Asks for another relative residual than the options do.
    pub fn set_tolerance(&mut self, tolerance: f64) {
        self.tolerance = tolerance;
    }

    /// How many preconditioners were built.
    pub fn setups(&self) -> usize {
        self.setups
    }

    /// Sets the matrix and builds the preconditioner, unless an old one is to serve; returns the seconds it took.
    /// Collective.
    ///
    /// # Errors
    /// When the preconditioner cannot be built (a zero pivot, a matrix that is not positive definite).
    pub fn set_matrix(&mut self, matrix: &Matrix) -> Result<f64> {
        if self.age.as_ref().is_none_or(Age::is_due) {
            return self.build(matrix);
        }
        let start = Instant::now();
        self.own.activate()?;
        if self.direct && self.krylov.kind() == "preonly" {
            // An old factorisation preconditions.
            self.krylov.set_type(self.around)?;
            self.krylov.set_norm_type(NormType::Unpreconditioned)?;
            self.krylov.set_initial_guess_nonzero(true)?;
        }
        self.krylov.set_operators(matrix, self.kept.as_ref().unwrap_or(matrix))?;
        if let Some(recycler) = &mut self.recycler {
            recycler.operator_changed();
        }
        self.krylov.set_up().map_err(|error| self.explain_setup(&error))?;
        Ok(start.elapsed().as_secs_f64())
    }

    fn build(&mut self, matrix: &Matrix) -> Result<f64> {
        let start = Instant::now();
        self.own.activate()?;
        if self.direct && self.krylov.kind() != "preonly" {
            self.krylov.set_initial_guess_nonzero(false)?;
            self.krylov.set_type("preonly")?;
            self.krylov.set_norm_type(NormType::None)?;
        }
        let mut kept = self.kept.take();
        if self.age.is_some() {
            match &mut kept {
                Some(kept) => kept.copy_from(matrix)?,
                None => {
                    let mut copy = matrix.duplicate(true)?;
                    copy.share_near_null_space(matrix)?;
                    kept = Some(copy);
                }
            }
        }
        let result = self.build_from(matrix, kept.as_ref().unwrap_or(matrix));
        self.kept = kept;
        result?;
        self.setups += 1;
        let seconds = start.elapsed().as_secs_f64();
        if let Some(age) = &mut self.age {
            let seconds = self.comm.max(seconds);
            age.built(seconds);
            if let Some(interpolation) = &mut self.interpolation {
                interpolation.built(seconds);
            }
        }
        Ok(seconds)
    }

    fn build_from(&mut self, operator: &Matrix, matrix: &Matrix) -> Result<()> {
        if let Some(interpolation) = &mut self.interpolation {
            interpolation.prepare(&self.krylov)?;
        }
        self.krylov.set_operators(operator, matrix)?;
        if let Some(recycler) = &mut self.recycler {
            recycler.operator_changed();
        }
        if let Some(mixture) = &self.experts {
            Schwarz::new(&self.name, mixture, matrix)
                .and_then(|schwarz| schwarz.attach(&self.krylov))
                .map_err(|error| self.explain_setup(&error))?;
        }
        if let Some(multigrid) = &mut self.p_multigrid
            && self.krylov.preconditioner()?.kind() == "mg"
        {
            multigrid.attach(&self.krylov, matrix).map_err(|error| self.explain_setup(&error))?;
        }
        self.krylov.set_up().map_err(|error| self.explain_setup(&error))?;
        match &self.interpolation {
            Some(interpolation) => interpolation.scale_smoothers(&self.krylov, &self.comm),
            None => Ok(()),
        }
    }

    /// Solves for `load`, starting from `solution`, until the residual on the free unknowns is below
    /// the tolerance times the load there. Collective.
    ///
    /// # Errors
    /// [`Error::Failed`] with the reason in words when the iteration does not converge.
    pub fn solve(
        &mut self,
        matrix: &Matrix,
        load: &Vector,
        essential: &Essential,
        solution: &mut Vector,
    ) -> Result<Outcome> {
        let start = Instant::now();
        self.own.activate()?;
        essential.impose(&mut solution.write()?);
        let reference = essential.free_norm(&self.comm, load)?;
        if !reference.is_finite() {
            return Err(Error::Failed(format!(
                "{}: the load is not finite: an expression of the deck gives NaN or infinity somewhere",
                self.name
            )));
        }
        // An absolute tolerance: the first guess does not change what is asked for.
        let floor = f64::MIN_POSITIVE.sqrt();
        let goal = (self.tolerance * reference).max(floor);
        let mut wasted = 0;
        let (solved, solve_start) = loop {
            let start = Instant::now();
            let patience = self.patience();
            let limits = (goal, patience.unwrap_or(self.max_iterations));
            let solved = self.iterate(matrix, load, solution, limits)?;
            if solved.reason.converged() || patience.is_none() {
                break (solved, start);
            }
            wasted += solved.iterations;
            self.give_up();
            // What was reached is a first guess, unless it is worse than nothing.
            if solved.residual.is_nan() || solved.residual > reference {
                solution.set(0.0)?;
                essential.impose(&mut solution.write()?);
            }
            self.build(matrix)?;
        };
        if !solved.reason.converged() {
            return Err(self.explain(solved.reason, solved.iterations, solved.residual, reference));
        }
        let solve_seconds = solve_start.elapsed().as_secs_f64();
        let (residual, refinements) = self.refine(matrix, load, essential, solution, (goal, reference))?;
        let note = if residual * reference <= MISSED * goal {
            String::new()
        } else {
            format!(
                "{}: rounding keeps the relative residual at {residual:.1e}, above the tolerance {:.0e}",
                self.name, self.tolerance
            )
        };
        solution.ghost_update()?;
        let Solved { iterations, history, .. } = solved;
        let iterations = iterations + refinements;
        if let Some(age) = &mut self.age {
            let ends = history.first().zip(history.last()).filter(|_| iterations > 1);
            let digits = ends.map(|(first, last)| (first / last.max(floor)).log10());
            let sample = Sample { seconds: self.comm.max(solve_seconds), iterations, digits };
            if let Some(interpolation) = self.interpolation.as_mut().filter(|_| age.is_fresh()) {
                interpolation.solved(sample);
            }
            age.solved(sample);
        }
        Ok(Outcome {
            iterations: wasted + iterations,
            residual,
            history,
            seconds: start.elapsed().as_secs_f64(),
            note,
        })
    }

    /// The relative residual that the solution has, whatever the method says of it. While it is above the tolerance the
    /// residual is solved for (iterative refinement); the iterations that took come second. Collective.
    ///
    /// # Errors
    /// [`Error::Failed`] when the tolerance is missed by far all the same: the matrix is singular, or nearly.
    fn refine(
        &mut self,
        matrix: &Matrix,
        load: &Vector,
        essential: &Essential,
        solution: &mut Vector,
        (goal, reference): (f64, f64),
    ) -> Result<(f64, usize)> {
        let mut residual = load.duplicate()?;
        let (mut more, mut last) = (0, f64::INFINITY);
        loop {
            matrix.residual(load, solution, &mut residual)?;
            let norm = essential.free_norm(&self.comm, &residual)?;
            if !norm.is_finite() {
                return Err(Error::Failed(format!("{}: the solution is not finite", self.name)));
            }
            // Rounding may allow no less: systems of high contrast, tolerances near the last digit.
            let stuck = norm > 0.5 * last;
            if norm <= MISSED * goal || stuck && norm <= ROUNDING * reference {
                return Ok((norm / reference.max(f64::MIN_POSITIVE.sqrt()), more));
            }
            if stuck {
                let relative = norm / reference;
                return Err(Error::Failed(format!(
                    "{}: the solution does not satisfy the equations: its relative residual is {relative:.2e}, the \
                     tolerance {:.0e}. The matrix is singular or nearly so: look for parts that are not held (a missing \
                     support or reference value), for pieces that touch in a point, or for coefficients that differ by \
                     many orders of magnitude; a problem that is hard by nature needs a larger solver.tolerance. \
                     Options: {}",
                    self.name, self.tolerance, self.options
                )));
            }
            let solved = if self.krylov.kind() == "preonly" {
                let mut correction = solution.duplicate()?;
                let solved = self.iterate(matrix, &residual, &mut correction, (goal, self.max_iterations))?;
                solution.axpy(1.0, &correction)?;
                essential.impose(&mut solution.write()?);
                solved
            } else {
                // From the present solution on.
                self.iterate(matrix, load, solution, (goal, self.max_iterations))?
            };
            (more, last) = (more + solved.iterations, norm);
        }
    }

    /// Iterations that a preconditioner gets if a better one can be built.
    fn patience(&self) -> Option<usize> {
        match &self.age {
            Some(age) if !age.is_fresh() => Some(age.patience(self.max_iterations)),
            _ => self.interpolation.as_ref()?.patience(self.max_iterations),
        }
    }

    /// The preconditioner was not good enough.
    fn give_up(&mut self) {
        match &mut self.age {
            Some(age) if !age.is_fresh() => age.failed(),
            _ => {
                if let Some(interpolation) = &mut self.interpolation {
                    interpolation.failed();
                }
            }
        }
    }

    /// Iterates until the residual is below a goal or the iterations are used up. Collective.
    fn iterate(
        &mut self,
        matrix: &Matrix,
        load: &Vector,
        solution: &mut Vector,
        (goal, most): (f64, usize),
    ) -> Result<Solved> {
        if let Some(recycler) = &mut self.recycler {
            let preconditioner = self.krylov.preconditioner()?;
            return recycler.solve(matrix, &preconditioner, load, solution, (goal, most));
        }
        self.krylov.set_tolerances(0.0, goal, most)?;
        let convergence = self.krylov.solve(load, solution)?;
        Ok(Solved {
            reason: convergence.reason,
            iterations: convergence.iterations,
            residual: convergence.residual,
            history: self.krylov.history()?,
            recycled: 0,
        })
    }

    fn explain_setup(&self, error: &petsc_rs::Error) -> Error {
        Error::petsc(format!(
            "{}: the preconditioner could not be built: {} (PETSc error {}).\n\
             A zero pivot or an indefinite matrix usually means a missing support (rigid-body motion, no reference \
             value) or a negative coefficient.\nOptions: {}\n{}",
            self.name,
            error.message,
            error.code,
            self.options,
            error.traceback.join("\n")
        ))
    }

    fn explain(&self, reason: ConvergenceReason, iterations: usize, residual: f64, reference: f64) -> Error {
        let relative = residual / reference;
        let advice = match reason {
            ConvergenceReason::DivergedIterations => {
                "it ran out of iterations: raise solver.max_iterations, or choose method = \"amg\" or \"direct\""
            }
            ConvergenceReason::DivergedIndefinitePreconditioner => {
                "the preconditioner is not positive definite: the matrix may be singular (a missing support or reference value) or a coefficient negative"
            }
            ConvergenceReason::DivergedIndefiniteMatrix => {
                "the matrix is not positive definite: check the signs of the coefficients"
            }
            ConvergenceReason::DivergedNan => {
                "a NaN or infinity appeared: check expressions and coefficients"
            }
            ConvergenceReason::DivergedPreconditionerFailed => {
                "the preconditioner failed, most often by a zero pivot: check supports, or choose another method"
            }
            _ => "try method = \"direct\", or look at the residuals with -v",
        };
        Error::Failed(format!(
            "{}: the linear solver stopped after {iterations} iterations at a relative residual of {relative:.2e} \
             ({reason:?}); {advice}. Options: {}",
            self.name, self.options
        ))
    }
}

impl Memory for LinearSolver {
    fn remembered(&self) -> Vec<Entry<'_>> {
        self.recycler.as_ref().map_or(Vec::new(), Memory::remembered)
    }

    fn restore(&mut self, kept: &dyn Kept) -> Result<()> {
        self.recycler.as_mut().map_or(Ok(()), |recycler| recycler.restore(kept))
    }
}

/// Relative residual that rounding may leave.
const ROUNDING: f64 = 1e-6;

/// How many times the tolerance a residual may have: an iteration measures its own, and stops just below.
const MISSED: f64 = 10.0;
