//! What a judge of trajectories is given, and what it finds.
use crate::Result;
use crate::physics::Prepared;
use crate::rom::sampled::replay::Visited;
use petsc_rs::Vector;

/// What the numbers of a physics are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A bound in the energy norm over time.
    Energy,
    /// A bound in a discrete norm of negative order.
    Potential,
    /// The same of what is left without its mean, where nothing holds the level; the mean is known.
    PotentialWithoutMean,
    /// Residuals without a bound.
    Indicator,
}

impl Kind {
    /// Whether the error cannot be larger.
    pub fn is_proven(self) -> bool {
        self != Self::Indicator
    }

    /// In words.
    pub fn name(self) -> &'static str {
        if self.is_proven() { "proven bound" } else { "indicator" }
    }

    /// The norm of errors and what the residual is measured in, in words.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Energy => {
                "(|e|_M^2 + sum of dt |e|_X^2 over the steps)^(1/2) with M of the capacity and X the energy at the prediction's \
                 parameters, over free unknowns; the residual in the dual norm of X"
            }
            Self::Potential => {
                "(d^T K^-1 d)^(1/2) with d the error of what is stored at the nodes and K the matrix of the potential, over free \
                 unknowns; the residual in the same norm"
            }
            Self::PotentialWithoutMean => {
                "(d^T K^-1 d)^(1/2) with d the error of what is stored at the nodes without its mean and K the matrix of the \
                 potential; the residual, with the mean put right, in the same norm"
            }
            Self::Indicator => {
                "dual norm of the residual in the product of the basis over the largest norm of the state; no bound of the error"
            }
        }
    }
}

/// Numbers by moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    pub residuals: Vec<f64>,
    pub bounds: Vec<f64>,
    pub sizes: Vec<f64>,
    pub errors: Vec<f64>,
}

/// A step of a physics: the problem, its parts, and a state with the prescribed values.
pub(super) struct Step<'a> {
    pub prepared: &'a Prepared,
    /// All local unknowns.
    pub state: &'a [f64],
    pub moment: usize,
    /// Its length, s.
    pub dt: f64,
}

/// One way to judge a physics.
pub(super) trait Judge {
    /// The predicted state at the end of a step; `visited` is the same without the prescribed values. Collective.
    fn step(&mut self, step: &Step, visited: &Visited) -> Result<()>;

    /// The predicted state and the exact one there. Collective.
    fn error(&mut self, step: &Step, exact: &[f64]) -> Result<()>;

    fn finish(self: Box<Self>) -> Numbers;
}

/// Where a trajectory begins.
pub(super) struct Start<'a> {
    pub prepared: &'a Prepared,
    pub ours: &'a Vector,
    pub exact: &'a Vector,
    pub times: &'a [f64],
}

/// Puts a number in the place of a moment.
pub(super) fn put(list: &mut Vec<f64>, moment: usize, value: f64) {
    list.resize(list.len().max(moment + 1), f64::NAN);
    list[moment] = value;
}
