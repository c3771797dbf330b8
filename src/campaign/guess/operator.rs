//! The matrix of a problem with affine dependence on the parameters, summed instead of assembled.
use crate::fem::Essential;
use crate::physics::coefficient::{NodalField, Source};
use crate::physics::{Context, Model, Problem};
use crate::rom::affine::{Training, operators};
use crate::rom::eim::EXACT;
use crate::rom::theta::Theta;
use crate::{Error, Result};
use petsc_rs::{Matrix, Vector};
use std::rc::Rc;

/// Most terms: each holds a matrix.
const MOST_TERMS: usize = 16;
/// Parameters that the expansion is found with, and further ones that it is checked with.
const TRAINING: usize = 24;
const TEST: usize = 12;

/// `A(mu) = sum_q theta_q(mu) A_q + D` with essential unknowns eliminated, where D is one on them.
pub struct AffineOperator {
    terms: Vec<(Theta, Matrix)>,
    fixed: Vector,
    /// The factors for which the problem's matrix was summed last.
    summed: Option<Vec<f64>>,
}

impl AffineOperator {
    /// Finds the expansion of a problem over a campaign's samples; `moving` are fields that differ from sample to
    /// sample. `Err` inside says why there is none. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn new(
        problem: &Problem,
        essential: &Essential,
        samples: &[Vec<f64>],
        moving: &[Rc<NodalField>],
    ) -> Result<std::result::Result<Self, String>> {
        if matches!(problem.model, Model::Equation(_)) {
            return Ok(Err("its model is not split".into()));
        }
        if let Some(key) = moving_coefficient(problem, moving) {
            return Ok(Err(format!("{key}: the stiffness depends on a field that changes")));
        }
        let chosen = spread(samples, TRAINING + TEST);
        let (test, training): (Vec<_>, Vec<_>) =
            chosen.into_iter().enumerate().partition(|(i, _)| i % 3 == 2);
        let strip = |list: Vec<(usize, Vec<f64>)>| list.into_iter().map(|(_, mu)| mu).collect::<Vec<_>>();
        let set = Training { reference: samples[0].clone(), training: strip(training), test: strip(test) };
        let (mut terms, error) = match operators(problem, &set) {
            Ok(found) => found,
            Err(error @ (Error::Input(_) | Error::Failed(_))) => return Ok(Err(error.to_string())),
            Err(error) => return Err(error),
        };
        if error > EXACT {
            return Ok(Err(format!("its affine expansion leaves a relative error of {error:.1e}")));
        }
        if terms.len() > MOST_TERMS {
            return Ok(Err(format!("its affine expansion has {} terms", terms.len())));
        }
        let space = &problem.space;
        let mut fixed = space.field()?;
        {
            let mut values = fixed.write()?;
            values.fill(0.0);
            essential.owned(space).for_each(|dof| values[dof] = 1.0);
        }
        let first = space.first as usize * space.components;
        let rows: Vec<i32> = essential.owned(space).map(|dof| (first + dof) as i32).collect();
        for (_, matrix) in &mut terms {
            matrix.zero_rows_columns(&rows, 0.0, None)?;
        }
        Ok(Ok(Self { terms, fixed, summed: None }))
    }

    /// Number of terms.
    pub fn terms(&self) -> usize {
        self.terms.len()
    }

    /// The matrix of a term.
    pub fn matrix(&self, term: usize) -> &Matrix {
        &self.terms[term].1
    }

    /// The factors at these parameters. Local.
    pub fn factors(&self, problem: &Problem, context: &Context) -> Vec<f64> {
        self.terms.iter().map(|(theta, _)| theta.value(problem, context)).collect()
    }

    /// Makes `matrix` that of these factors; returns whether it changed. It must be the same at every call.
    /// Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn sum(&mut self, factors: &[f64], matrix: &mut Matrix) -> Result<bool> {
        if self.summed.as_deref() == Some(factors) {
            return Ok(false);
        }
        self.summed = None;
        matrix.zero()?;
        for ((_, term), &factor) in self.terms.iter().zip(factors) {
            matrix.axpy(factor, term, true)?;
        }
        matrix.add_diagonal(&self.fixed)?;
        self.summed = Some(factors.to_vec());
        Ok(true)
    }
}

/// The deck's key of a stiffness that reads one of these fields.
fn moving_coefficient(problem: &Problem, moving: &[Rc<NodalField>]) -> Option<String> {
    let moves = |source: &Source| is_moved(source, moving);
    let reads = |integral: &&crate::physics::Integral| {
        let coefficients = &integral.coefficients;
        (0..coefficients.outputs.len()).filter(|&output| problem.bilinear(output, integral.place)).any(
            |output| {
                coefficients.outputs[output].uses.iter().any(|&i| coefficients.inputs[i].iter().any(moves))
            },
        )
    };
    problem.integrals.iter().find(reads).map(|integral| integral.key.clone())
}

/// Whether a source reads one of these fields.
pub(super) fn is_moved(source: &Source, moving: &[Rc<NodalField>]) -> bool {
    match source {
        Source::Nodal(field) => moving.iter().any(|other| Rc::ptr_eq(field, other)),
        Source::Fields(_) => true,
        _ => false,
    }
}

/// At most `count` of the samples, spread over the list.
fn spread(samples: &[Vec<f64>], count: usize) -> Vec<Vec<f64>> {
    let count = count.min(samples.len());
    (0..count).map(|i| samples[i * samples.len() / count].clone()).collect()
}
