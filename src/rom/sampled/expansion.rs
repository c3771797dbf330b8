//! Problems that are linear, with coefficients that split into sums of factors of parameters and time times functions of
//! position: nothing has to be sampled.
use super::exact::ExactForm;
use super::reduction::{Reduction, Samples};
use crate::Result;
use crate::fem::Parts;
use crate::mixture::{Columns, MatrixProduct};
use crate::physics::coefficient::Source;
use crate::physics::{Context, Prepared, Problem};
use crate::rom::affine::{Groups, only, scaled};
use crate::rom::split::Splitting;
use crate::rom::theta::Theta;
use crate::rom::training::Training;
use petsc_rs::{Matrix, Norm, Vector};

/// Moments that coefficients are interpolated over, at most, and others that they are checked at.
const MOMENTS: usize = 400;
/// Relative difference to the form itself from which on the expansion is wrong.
const SAME: f64 = 1e-9;

/// What belongs to one factor on the whole mesh.
struct Operators {
    storage: Matrix,
    rest: Matrix,
    load: Vector,
}

/// The expansion on the whole mesh.
pub(super) struct Expansion {
    terms: Vec<(Theta, Operators)>,
}

impl Expansion {
    /// Of a problem along training samples; `None` where it has none that is exact to [`TOLERANCE`](crate::rom::split::TOLERANCE). Collective.
    ///
    /// # Errors
    /// When PETSc fails, or times cannot be read.
    pub fn new(reduction: &Reduction, samples: Samples) -> Result<Option<Self>> {
        let problem = &reduction.problem;
        if !applies(problem) {
            return Ok(None);
        }
        let set = moments(samples)?;
        let mut groups = Groups::new();
        let zero = vec![0.0; problem.space.local_nodes() * problem.space.components];
        let mut unused = problem.space.field()?;
        for (index, integral) in problem.integrals.iter().enumerate() {
            for output in 0..integral.coefficients.outputs.len() {
                let one = Splitting { problem, integral: index, output, upstream: None, slope: false };
                // What cannot be split is sampled.
                let Ok((pieces, ..)) = one.split(&set) else { return Ok(None) };
                for piece in pieces {
                    let new = || {
                        let (storage, rest) = (problem.new_matrix()?, problem.new_matrix()?);
                        Ok(Operators { storage, rest, load: problem.space.field()? })
                    };
                    let Some((own, scale)) = groups.place(problem, &set, piece.factor, new)? else {
                        continue;
                    };
                    let values = only(integral, output, &scaled(&piece.values, scale));
                    let add = |parts, matrix: &mut Matrix, load: &mut Vector| {
                        problem.assemble_term_at(index, &values, (Some(&zero), parts), Some(matrix), load)
                    };
                    add(Parts::REST, &mut own.rest, &mut own.load)?;
                    if problem.evolves() {
                        add(Parts::STORAGE, &mut own.storage, &mut unused)?;
                    }
                }
            }
        }
        let mut terms = Vec::new();
        for (theta, mut own) in groups.finish() {
            own.storage.assemble()?;
            own.rest.assemble()?;
            terms.push((theta, own));
        }
        let result = Self { terms };
        Ok(result.is_right(reduction, samples, &set)?.then_some(result))
    }

    /// Whether it gives the form at the ends of a few samples, where nothing is special. Collective.
    fn is_right(&self, reduction: &Reduction, samples: Samples, set: &Training) -> Result<bool> {
        let problem = &reduction.problem;
        let count = reduction.coefficients.len();
        let kinds: &[Parts] = if problem.evolves() { &[Parts::REST, Parts::STORAGE] } else { &[Parts::REST] };
        for number in (0..count).step_by(count.div_ceil(3)) {
            let moments = samples.times(samples.which[number])?;
            let context = samples.context(samples.which[number], moments[moments.len() - 1]);
            let mut state = problem.space.field()?;
            let last = &reduction.coefficients[number][moments.len() - 1];
            state.write()?.copy_from_slice(&reduction.state(last));
            state.ghost_update()?;
            for context in [&context, &set.test[number * set.test.len() / count]] {
                let Ok(prepared) = problem.space.mesh.comm.agree(problem.at(context)) else {
                    return Ok(false);
                };
                for &parts in kinds {
                    if self.error(&prepared, parts, &state)? > SAME {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// How far it is from a form at a state, relative to the form or the largest of its terms. Collective.
    fn error(&self, prepared: &Prepared, parts: Parts, state: &Vector) -> Result<f64> {
        let mut rest = prepared.form(parts, &state.local_read()?)?;
        let (mut image, mut size) = (rest.duplicate()?, rest.norm(Norm::Two)?);
        for (theta, own) in &self.terms {
            let factor = theta.value(&**prepared.problem(), prepared.context());
            if parts.storage > 0.0 {
                own.storage.mult(state, &mut image)?;
            } else {
                own.rest.mult(state, &mut image)?;
                image.axpy(-1.0, &own.load)?;
            }
            size = size.max(factor.abs() * image.norm(Norm::Two)?);
            rest.axpy(-factor, &image)?;
        }
        Ok(rest.norm(Norm::Two)? / size.max(f64::MIN_POSITIVE))
    }

    /// Tested with functions and combinations of the same, and with those of `tests`. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn project(&self, functions: &Columns, tests: Option<&Columns>) -> Result<ExactForm> {
        let mut rows = functions.clone();
        tests.into_iter().for_each(|tests| rows.extend(tests.iter()));
        let mut result = ExactForm::default();
        for (theta, own) in &self.terms {
            result.factors.push(theta.clone());
            for (matrix, into) in [(&own.storage, &mut result.storage), (&own.rest, &mut result.rest)] {
                let product = rows.product(&functions.image(&MatrixProduct::new(matrix)?)?);
                into.extend(
                    (0..product.nrows()).flat_map(|i| product.row(i).iter().copied().collect::<Vec<_>>()),
                );
            }
            result.load.extend(rows.coefficients(&own.load.read()?));
        }
        Ok(result)
    }
}

/// Whether the problem's form is one that an expansion may hold: fields are read at points.
fn applies(problem: &Problem) -> bool {
    let facts = problem.facts();
    let plain = |source: &Source| matches!(source, Source::Constant(_) | Source::Expression(_));
    let sources = || problem.integrals.iter().flat_map(|own| own.coefficients.inputs.iter().flatten());
    facts.linear
        && !(facts.pressure || facts.complex || problem.depends_on_itself())
        && !problem.has_history()
        && sources().all(plain)
        && problem.integrals.iter().all(|own| problem.form(own.place).is_linear_in_coefficients())
}

/// Moments of the samples, and others halfway between two of them and between two samples.
fn moments(samples: Samples) -> Result<Training> {
    let (mut own, mut between) = (Vec::new(), Vec::new());
    for (number, &sample) in samples.which.iter().enumerate() {
        let times = samples.times(sample)?;
        own.extend(times.iter().map(|&time| samples.context(sample, time)));
        let next = &samples.parameters[samples.which[(number + 1) % samples.which.len()]];
        let parameters: Vec<f64> =
            samples.parameters[sample].iter().zip(next).map(|(a, b)| 0.5 * (a + b)).collect();
        let halfway =
            |pair: &[f64]| Context { time: 0.5 * (pair[0] + pair[1]), ..Context::steady(parameters.clone()) };
        match times.len() {
            1 => between.push(halfway(&[times[0]; 2])),
            _ => between.extend(times.windows(2).map(halfway)),
        }
    }
    let reference = own[0].clone();
    Ok(Training { reference, training: thinned(own), test: thinned(between) })
}

fn thinned(list: Vec<Context>) -> Vec<Context> {
    let step = list.len().div_ceil(MOMENTS).max(1);
    list.into_iter().step_by(step).collect()
}
