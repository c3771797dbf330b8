//! The system of a problem with affine dependence on the parameters, summed instead of assembled.
use crate::fem::Essential;
use crate::physics::coefficient::{NodalField, Source};
use crate::physics::{Context, Problem};
use crate::rom::affine::Expansion;
use crate::rom::{Training, coupling};
use crate::{Error, Result};
use petsc_rs::{Matrix, Vector};
use std::cell::RefCell;
use std::rc::Rc;

/// Most terms: each holds a matrix.
const MOST_TERMS: usize = 16;
/// Parameters that the expansion is found with, and further ones that it is checked with.
const TRAINING: usize = 24;
const TEST: usize = 12;

/// `A(mu) = sum_q theta_q(mu) A_q` and, where it can be split as well, the load; no conditions applied.
pub struct AffineOperator {
    expansion: Expansion,
    /// Whether the load is split as well, and the field of another problem that it then reads.
    load: Option<Option<Rc<NodalField>>>,
    /// Global numbers of the owned unknowns with prescribed values.
    rows: Vec<i32>,
    work: RefCell<Vector>,
    /// Prescribed values, zero elsewhere.
    lift: RefCell<Vector>,
    /// See [`Problem::essential_diagonal`].
    unit: f64,
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
        if !problem.is_linear_system() {
            return Ok(Err("its model is not split".into()));
        }
        if let Some(key) = moving_coefficient(problem, moving) {
            return Ok(Err(format!("{key}: the stiffness depends on a field that changes")));
        }
        let chosen = spread(samples, TRAINING + TEST);
        let (test, training): (Vec<_>, Vec<_>) =
            chosen.into_iter().enumerate().partition(|(i, _)| i % 3 == 2);
        let strip = |list: Vec<(usize, Vec<f64>)>| list.into_iter().map(|(_, mu)| mu).collect::<Vec<_>>();
        let set = Training::steady(samples[0].clone(), strip(training), strip(test));
        let (expansion, load) = match whole(problem, &set, moving)? {
            Some((expansion, upstream)) => (expansion, Some(upstream)),
            None => match Expansion::operators(problem, &set) {
                Ok(expansion) if expansion.inexact() > 0.0 => {
                    let error = expansion.inexact();
                    return Ok(Err(format!("its affine expansion leaves a relative error of {error:.1e}")));
                }
                Ok(expansion) => (expansion, None),
                Err(error @ (Error::Input(_) | Error::Failed(_))) => return Ok(Err(error.to_string())),
                Err(error) => return Err(error),
            },
        };
        let terms = expansion.matrices.len();
        if terms > MOST_TERMS {
            return Ok(Err(format!("its affine expansion has {terms} terms")));
        }
        let space = &problem.space;
        let rows = essential.rows(space);
        let (work, lift) = (RefCell::new(space.field()?), RefCell::new(space.field()?));
        let unit = problem.essential_diagonal();
        Ok(Ok(Self { expansion, load, rows, work, lift, unit, summed: None }))
    }

    /// Number of terms.
    pub fn terms(&self) -> usize {
        self.expansion.matrices.len()
    }

    /// The matrix of a term, no conditions applied.
    pub fn matrix(&self, term: usize) -> &Matrix {
        &self.expansion.matrices[term].1
    }

    /// The factors at these parameters. Local.
    pub fn factors(&self, problem: &Problem, context: &Context) -> Vec<f64> {
        self.expansion.matrices.iter().map(|(theta, _)| theta.value(problem, context)).collect()
    }

    /// The load at these parameters and the present field of the other problem, no conditions applied. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn load(&self, problem: &Problem, context: &Context, load: &mut Vector) -> Result<()> {
        load.set(0.0)?;
        let Some(upstream) = &self.load else {
            return problem.assemble_load(context, &Essential::new(&problem.space, []), load);
        };
        for (theta, vector) in &self.expansion.loads {
            load.axpy(theta.value(problem, context), vector)?;
        }
        if let Some(field) = upstream {
            for term in &self.expansion.coupled {
                let factor = term.theta.value(problem, context);
                coupling::add_load(problem, term, factor, field, load)?;
            }
        }
        Ok(())
    }

    /// Subtracts the image of a field, whose ghosts do not matter, from a load. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn subtract(&self, factors: &[f64], field: &Vector, load: &mut Vector) -> Result<()> {
        let work = &mut *self.work.borrow_mut();
        for ((_, matrix), &factor) in self.expansion.matrices.iter().zip(factors) {
            matrix.mult(field, work)?;
            load.axpy(-factor, work)?;
        }
        Ok(())
    }

    /// The load with the prescribed values eliminated, from one without conditions. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn lift(
        &self,
        problem: &Problem,
        factors: &[f64],
        essential: &Essential,
        load: &mut Vector,
    ) -> Result<()> {
        let lift = &mut *self.lift.borrow_mut();
        essential.impose(&mut lift.write()?);
        let any = lift.read()?.iter().any(|value| *value != 0.0);
        if problem.space.mesh.comm.max(u8::from(any)) == 1 {
            self.subtract(factors, lift, load)?;
        }
        essential.impose_times(self.unit, &mut load.write()?);
        Ok(())
    }

    /// Makes `matrix` that of these factors, essential unknowns eliminated; returns whether it changed. It must be the
    /// same at every call. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn sum(&mut self, factors: &[f64], matrix: &mut Matrix) -> Result<bool> {
        if self.summed.as_deref() == Some(factors) {
            return Ok(false);
        }
        self.summed = None;
        matrix.zero()?;
        for ((_, term), &factor) in self.expansion.matrices.iter().zip(factors) {
            matrix.axpy(factor, term, true)?;
        }
        matrix.zero_rows_columns(&self.rows, self.unit, None)?;
        self.summed = Some(factors.to_vec());
        Ok(true)
    }
}

/// The expansion of matrix and load and the field that the load reads, if both are exact; loads of more than one other
/// problem are not.
fn whole(
    problem: &Problem,
    set: &Training,
    moving: &[Rc<NodalField>],
) -> Result<Option<(Expansion, Option<Rc<NodalField>>)>> {
    let mut upstream: Option<Rc<NodalField>> = None;
    for source in problem.integrals.iter().flat_map(|integral| integral.coefficients.inputs.iter().flatten())
    {
        match source {
            Source::Nodal(field) if is_moved(source, moving) => match &upstream {
                Some(other) if !Rc::ptr_eq(other, field) => return Ok(None),
                _ => upstream = Some(field.clone()),
            },
            _ if is_moved(source, moving) => return Ok(None),
            _ => {}
        }
    }
    match Expansion::new(problem, set, upstream.as_ref()) {
        Ok(expansion) if expansion.inexact() > 0.0 => Ok(None),
        Ok(expansion) => Ok(Some((expansion, upstream))),
        Err(Error::Input(_) | Error::Failed(_)) => Ok(None),
        Err(error) => Err(error),
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
