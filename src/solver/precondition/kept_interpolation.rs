//! Multigrid for a sequence of matrices that keeps the coarse unknowns and the interpolation of an earlier one.
//!
//! BoomerAMG chooses them for one matrix (Ruge and Stueben, *Algebraic multigrid*, in: *Multigrid methods*, SIAM 1987);
//! a later matrix only gets new Galerkin products, in a quarter of the time. As the choice depends more on the mesh than
//! on the coefficients, few iterations are lost. The smoother is a step of Jacobi's method before and after, so short
//! that a cycle is positive definite whatever the matrix. Two iterations with it take as long as one of BoomerAMG's.
//!
//! It pays or not: the seconds of set-up and solve are compared with those of BoomerAMG, or, where times are not to
//! decide, the iterations, of which three times as many are allowed. When it does not pay BoomerAMG is
//! set up anew, and the next matrix takes over its interpolation, at once or, when that does not help either, after a
//! pause that doubles each time.
use super::refresh::Sample;
use crate::Result;
use crate::parallel::Comm;
use petsc_rs::{KrylovSolver, Preconditioner};

/// Levels with fewer unknowns are left to a factorisation.
const COARSEST: usize = 500;
/// Iterations that are worth one of BoomerAMG's, with the rest of its set-up.
const WORTH: f64 = 3.0;
/// Longest pause between trials, in set-ups.
const LONGEST_PAUSE: usize = 64;

/// What is known of the two ways to set up. Seconds are the slowest rank's, so that all ranks decide alike.
#[derive(Debug, Clone)]
pub(crate) struct KeptInterpolation {
    /// Whether seconds decide.
    timed: bool,
    /// Whether the present preconditioner has another matrix's interpolation.
    kept: bool,
    classical: Least,
    galerkin: Least,
    /// The first solve with the present interpolation, by BoomerAMG.
    fresh: Option<Sample>,
    /// Matrices that the interpolation was kept for.
    uses: usize,
    lost: bool,
    pause: usize,
    next_pause: usize,
}

/// Least seconds so far: other work on the machine only makes them longer.
#[derive(Debug, Clone, Copy)]
struct Least {
    setup: f64,
    iteration: f64,
}

impl KeptInterpolation {
    /// Nothing yet; with `timed` seconds decide, so that runs may differ in last digits.
    pub fn new(timed: bool) -> Self {
        let unknown = Least { setup: f64::INFINITY, iteration: f64::INFINITY };
        Self {
            timed,
            kept: false,
            classical: unknown,
            galerkin: unknown,
            fresh: None,
            uses: 0,
            lost: false,
            pause: 0,
            next_pause: 1,
        }
    }

    /// Makes the solver's preconditioner the one that the next matrix is to have. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn prepare(&mut self, krylov: &KrylovSolver) -> Result<()> {
        let mut preconditioner = krylov.preconditioner()?;
        let kept = self.keeps();
        match (self.kept, kept) {
            (false, true) => take_over(&mut preconditioner)?,
            (true, false) => {
                preconditioner.set_type("hypre")?;
                preconditioner.set_from_options()?;
            }
            _ => {}
        }
        self.kept = kept;
        Ok(())
    }

    /// Whether the next matrix is to have the present interpolation.
    fn keeps(&self) -> bool {
        self.fresh.is_some() && !self.lost && self.pause == 0
    }

    /// Gives the smoothers of a new matrix their damping: `4/3` of the inverse of Gershgorin's bound of the eigenvalues of
    /// `D^-1 A`, so that each step contracts. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn scale_smoothers(&self, krylov: &KrylovSolver, comm: &Comm) -> Result<()> {
        if !self.kept {
            return Ok(());
        }
        let preconditioner = krylov.preconditioner()?;
        for level in 1..preconditioner.mg_levels()? {
            let mut smoother = preconditioner.mg_smoother(level)?;
            let bound = comm.max(smoother.operator()?.jacobi_bound()?);
            smoother.set_richardson_scale(4.0 / (3.0 * bound.max(1.0)))?;
        }
        Ok(())
    }

    /// The set-up took so long.
    pub fn built(&mut self, seconds: f64) {
        match self.kept {
            // The first products with an interpolation find their patterns as well.
            true if self.uses > 0 => self.galerkin.setup = self.galerkin.setup.min(seconds),
            true => {}
            false => {
                self.classical.setup = self.classical.setup.min(seconds);
                self.pause = self.pause.saturating_sub(1);
                (self.fresh, self.uses, self.lost) = (None, 0, false);
            }
        }
    }

    /// How the first solve after a set-up went.
    pub fn solved(&mut self, sample: Sample) {
        let least = if self.kept { &mut self.galerkin } else { &mut self.classical };
        if sample.iterations > 0 {
            least.iteration = least.iteration.min(sample.seconds / sample.iterations as f64);
        }
        let Some(fresh) = self.fresh.filter(|_| self.kept) else {
            self.fresh = Some(sample);
            return;
        };
        let setup = if self.uses > 0 { self.galerkin.setup } else { 0.0 };
        self.uses += 1;
        let iterations = sample.iterations as f64;
        let ours = setup + iterations * self.galerkin.iteration;
        let theirs = self.classical.setup + sample.expected(&fresh) * self.classical.iteration;
        let pays =
            if self.timed { ours <= theirs } else { iterations <= WORTH * sample.expected(&fresh) + 1.0 };
        if !pays {
            self.lose();
        } else if self.uses > 2 {
            self.next_pause = 1;
        }
    }

    /// Iterations that a kept interpolation gets.
    pub fn patience(&self, most: usize) -> Option<usize> {
        let fresh = self.fresh.filter(|_| self.kept)?;
        Some(most.min(50 + 10 * fresh.iterations))
    }

    /// A solve took more than these.
    pub fn failed(&mut self) {
        self.lose();
    }

    fn lose(&mut self) {
        self.lost = true;
        self.pause = self.next_pause;
        self.next_pause = (2 * self.next_pause).min(LONGEST_PAUSE);
    }
}

/// Turns BoomerAMG into PETSc's multigrid with the same interpolation.
fn take_over(preconditioner: &mut Preconditioner) -> Result<()> {
    let mut interpolations = preconditioner.take_interpolations()?;
    // The first is that from the coarsest level; the finest stays in any case.
    let small = interpolations.iter().take_while(|p| p.global_size().0 <= COARSEST).count();
    interpolations.drain(..small.min(interpolations.len().saturating_sub(1)));
    preconditioner.mg_galerkin(&interpolations)?;
    for level in 1..=interpolations.len() {
        let mut smoother = preconditioner.mg_smoother(level)?;
        smoother.set_type("richardson")?;
        smoother.set_tolerances(0.0, 0.0, 1)?;
        smoother.preconditioner()?.set_type("jacobi")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of a sequence in which a matrix with the interpolation of the `k`-th one before takes `iterations(k)`; an
    /// iteration takes a second, BoomerAMG's set-up ten, products three, the first of them ten.
    fn total(count: usize, iterations: impl Fn(usize) -> usize) -> (f64, usize) {
        let mut choice = KeptInterpolation::new(true);
        let (mut sum, mut age, mut kept) = (0.0, 0, 0);
        for _ in 0..count {
            choice.kept = choice.keeps();
            age = if choice.kept { age + 1 } else { 0 };
            kept += usize::from(choice.kept);
            let setup = if age < 2 { 10.0 } else { 3.0 };
            choice.built(setup);
            let iterations = iterations(age);
            let sample = Sample { seconds: iterations as f64, iterations, digits: Some(8.0) };
            sum += setup + sample.seconds;
            choice.solved(sample);
        }
        (sum, kept)
    }

    #[test]
    fn what_pays_is_kept() {
        let (_, kept) = total(100, |age| if age == 0 { 7 } else { 10 });
        assert_eq!(kept, 99);
    }

    #[test]
    fn what_does_not_pay_is_tried_rarely() {
        let (sum, kept) = total(400, |age| if age == 0 { 7 } else { 30 });
        assert!(kept < 20, "{kept}");
        assert!(sum < 1.1 * 400.0 * 17.0, "{sum}");
    }

    #[test]
    fn a_drift_is_followed() {
        let (sum, kept) = total(400, |age| if age == 0 { 7 } else { 7 + age });
        // Anew every seven matrices: 10 + 7, and six times 3 + 7 + age, the first 10 instead of 3.
        let best = 400.0 / 7.0 * (17.0 + 7.0 + 60.0 + 21.0);
        assert!(kept > 300 && sum < 1.15 * best, "{kept}: {sum} against {best}");
    }
}
