//! What a layer says of errors, and what it needs for that: bounds of linear symmetric problems in the energy of a reference.
use crate::Result;
use crate::fem::{Parts, Values};
use crate::physics::{Context, Evaluated, FormState, Place, Problem};
use crate::solver::FactorisedEnergy;
use petsc_rs::Vector;
use std::rc::Rc;

/// The product `X` of a dual norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DualProduct {
    /// The energy of a linear symmetric problem: at the reference's parameters where there is one, else at the present ones;
    /// in a step in time with what is stored.
    Energy,
    /// The symmetric part of the tangent at the repaired state, in a step in time with what is stored.
    Tangent,
    /// Of flows: of velocities the symmetric part of the tangent at rest (viscosity, and what is stored); of pressures the
    /// diagonal of `B diag(A)^-1 B^T`, which is like the mass over the viscosity.
    Flow,
    /// Of complex fields: the mass.
    Mass,
}

impl DualProduct {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Energy => "energy",
            Self::Tangent => "tangent",
            Self::Flow => "flow",
            Self::Mass => "mass",
        }
    }

    /// That of a problem's equations.
    pub fn of(problem: &Problem) -> Self {
        let facts = problem.facts();
        match (facts.complex, facts.pressure) {
            (true, _) => Self::Mass,
            (_, true) => Self::Flow,
            _ if facts.linear && facts.symmetric && !problem.depends_on_itself() => Self::Energy,
            _ => Self::Tangent,
        }
    }
}

/// The residual's dual norm, and what follows for the error; numbers that cannot be found are not a number.
pub struct ErrorEstimate {
    /// The product.
    pub product: DualProduct,
    /// The dual norm before, with the essential values set, and afterwards.
    pub dual: [f64; 2],
    /// Of linear symmetric problems, bounds of the error in the energy norm before and after; of a step in time the error of
    /// this step alone, with the states before it as they are.
    pub bound: Option<[f64; 2]>,
    /// The length in the product of the correction `-J^-1 r` at the repaired state, where there is no bound: an estimate of
    /// the error to first order.
    pub correction: f64,
    /// The correction itself.
    pub field: Option<Vector>,
}

/// A linear symmetric problem's energy at fixed parameters, factorised once for all others.
pub struct Reference {
    pub(super) energy: FactorisedEnergy,
    coefficients: Evaluated,
}

impl Reference {
    /// At these parameters; fields of other problems are those of now. Collective.
    ///
    /// # Errors
    /// When a coefficient cannot be evaluated or the energy is not positive.
    pub fn new(problem: &Rc<Problem>, context: &Context) -> Result<Self> {
        let prepared = problem.at(context)?;
        let zero = problem.space.field()?;
        let mut matrix = problem.new_matrix()?;
        let state = zero.local_read()?;
        let at = FormState { parts: Parts::REST, ..FormState::steady(&state) };
        prepared.tangent(at, &prepared.essential, &mut matrix)?;
        let coefficients = prepared.coefficients(&state).clone();
        Ok(Self { energy: FactorisedEnergy::new(&problem.space.mesh.comm, &matrix)?, coefficients })
    }

    /// A lower bound of the energy at other parameters over that of the reference: the least ratio of their coefficients at
    /// any quadrature point, where every coefficient's form is positive. Collective.
    pub(super) fn coercivity(&self, problem: &Problem, context: &Context) -> Option<f64> {
        let now = problem.evaluate(context);
        let d = problem.space.mesh.dimension;
        let mut least = f64::INFINITY;
        for ((integral, now), reference) in problem.integrals.iter().zip(&now).zip(&self.coefficients) {
            for (now, reference) in now.iter().zip(reference) {
                for (output, (now, reference)) in now.iter().zip(reference).enumerate() {
                    if !problem.bilinear(output, integral.place) || now.is_zero() && reference.is_zero() {
                        continue;
                    }
                    let volume = integral.place == Place::Volume;
                    let mixed = output < d * d && output / d != output % d;
                    let no_sign = problem.equation.tensor && volume && mixed;
                    least = if no_sign { f64::NEG_INFINITY } else { least.min(ratio(now, reference)) };
                }
            }
        }
        let least = problem.space.mesh.comm.min(least);
        (least > 0.0 && least.is_finite()).then_some(least)
    }
}

/// The least ratio of two coefficients; minus infinity where one has the wrong sign.
fn ratio(now: &Values, reference: &Values) -> f64 {
    let list = |values: &Values| match values {
        Values::Uniform(value) => (1, vec![*value]),
        Values::ByRegion(list) => (list.len(), list.clone()),
        Values::ByPoint(list) => (list.len(), list.clone()),
    };
    let ((m, now), (n, reference)) = (list(now), list(reference));
    let one = |now: f64, reference: f64| match reference {
        _ if now < 0.0 || reference < 0.0 || now.is_nan() || reference.is_nan() => f64::NEG_INFINITY,
        0.0 => f64::INFINITY,
        _ => now / reference,
    };
    let least = |pairs: &mut dyn Iterator<Item = (f64, f64)>| {
        pairs.map(|(a, b)| one(a, b)).fold(f64::INFINITY, f64::min)
    };
    match (m, n) {
        (m, n) if m == n => least(&mut now.into_iter().zip(reference)),
        (1, _) => least(&mut reference.into_iter().map(|b| (now[0], b))),
        (_, 1) => least(&mut now.into_iter().map(|a| (a, reference[0]))),
        // Both follow from the same inputs.
        _ => f64::NEG_INFINITY,
    }
}

/// What a layer needs for its estimates, and the last one.
#[derive(Default)]
pub(super) struct Estimates {
    pub reference: Option<Reference>,
    /// The energy of a step's equations, as long as the matrix stays.
    pub kept: Option<(Vec<f64>, FactorisedEnergy)>,
    pub last: Option<ErrorEstimate>,
}
