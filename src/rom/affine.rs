//! From a deck's problem to an affine expansion: `K(mu) = sum_q theta_q(mu) A_q` and likewise loads
//! and prescribed values.
//!
//! Weak forms are linear in their coefficients, so each coefficient is split on its own, by empirical
//! interpolation over its quadrature points (or its regions, where it does not vary inside them).
//! Terms whose factors turn out proportional over the training parameters are added up.
use super::eim::{EXACT, Limits, interpolate};
use super::split::{MOST_TERMS, Split, Splitting, TOLERANCE};
use super::theta::{Factor, Ratio, Theta};
use super::training::Training;
use crate::fem::Values;
use crate::physics::coefficient::{NodalField, Source};
use crate::physics::{Context, Integral, Place, Problem};
use crate::{Diagnostic, Error, Result};
use petsc_rs::{Matrix, Vector};
use std::rc::Rc;

/// Factors closer than this over all training parameters are the same factor.
const SAME_FACTOR: f64 = 1e-12;

/// A load that is proportional to another physics' field: `theta(mu) * L(field)`.
pub struct Coupled {
    /// The factor.
    pub theta: Theta,
    /// Integral and coefficient of the form.
    pub place: (usize, usize),
    /// The fixed function that multiplies the field, as `[entity, quadrature point]`.
    pub function: Vec<f64>,
}

/// An affine expansion; matrices and loads have no conditions applied.
pub struct Expansion {
    /// `theta_q` and `A_q`.
    pub matrices: Vec<(Theta, Matrix)>,
    /// Factors and load vectors.
    pub loads: Vec<(Theta, Vector)>,
    /// Loads that depend on the field of `upstream`.
    pub coupled: Vec<Coupled>,
    /// Factors and prescribed values on this rank's unknowns, ghosts excluded.
    pub lifts: Vec<(Theta, Vec<f64>)>,
    /// Bounds from which the coercivity constant follows; `None` with the reason when some
    /// coefficient's form is not positive.
    pub coercivity: std::result::Result<Vec<Ratio>, String>,
    /// What was split and how well.
    pub splits: Vec<Split>,
}

/// Terms with one factor that are added up.
pub(super) struct Groups<T> {
    /// Normalised factor over the training parameters, the factor, and what belongs to it.
    list: Vec<(Vec<f64>, Theta, T)>,
}

impl<T> Groups<T> {
    pub fn new() -> Self {
        Self { list: Vec::new() }
    }

    /// Factors, and what belongs to them.
    pub fn finish(self) -> impl Iterator<Item = (Theta, T)> {
        self.list.into_iter().map(|(_, theta, own)| (theta, own))
    }

    /// The group of a factor, and by how much its function must be multiplied there.
    pub fn place(
        &mut self,
        problem: &Problem,
        set: &Training,
        factor: Factor,
        new: impl FnOnce() -> Result<T>,
    ) -> Result<Option<(&mut T, f64)>> {
        let values: Vec<f64> = set.training.iter().map(|context| factor.value(problem, context)).collect();
        let scale = values.iter().copied().fold(0.0, |m: f64, v| if v.abs() > m.abs() { v } else { m });
        if scale == 0.0 {
            return Ok(None);
        }
        let normal: Vec<f64> = values.iter().map(|v| v / scale).collect();
        let known = self
            .list
            .iter()
            .position(|(other, _, _)| other.iter().zip(&normal).all(|(a, b)| (a - b).abs() <= SAME_FACTOR));
        let index = match known {
            Some(index) => index,
            None => {
                self.list.push((normal, Theta { factor, scale }, new()?));
                self.list.len() - 1
            }
        };
        Ok(Some((&mut self.list[index].2, scale)))
    }
}

pub(super) fn scaled(values: &Values, factor: f64) -> Values {
    let times = |list: &[f64]| list.iter().map(|v| v * factor).collect();
    match values {
        Values::Uniform(value) => Values::Uniform(value * factor),
        Values::ByRegion(list) => Values::ByRegion(times(list)),
        Values::ByPoint(list) => Values::ByPoint(times(list)),
    }
}

/// The coefficients of an integral's groups: all zero but one.
pub fn only(integral: &Integral, output: usize, values: &Values) -> Vec<Vec<Values>> {
    let count = integral.coefficients.outputs.len();
    let one =
        |_| (0..count).map(|o| if o == output { values.clone() } else { Values::Uniform(0.0) }).collect();
    integral.groups.iter().map(one).collect()
}

impl Expansion {
    /// The largest interpolation error of a coefficient; zero when all are exact to round-off.
    pub fn inexact(&self) -> f64 {
        self.splits.iter().map(|s| s.error).filter(|&e| e > EXACT).fold(0.0, f64::max)
    }

    /// Finds the expansion of a problem; `upstream` is the other physics' field that it may read.
    /// Collective.
    ///
    /// # Errors
    /// [`Error::Input`] that names the deck's key when a coefficient cannot be split.
    pub fn new(problem: &Problem, set: &Training, upstream: Option<&Rc<NodalField>>) -> Result<Self> {
        let kept = upstream.map(|field| field.values.borrow().clone());
        let result = Self::build(problem, set, upstream, true);
        if let (Some(field), Some(values)) = (upstream, kept) {
            *field.values.borrow_mut() = values;
        }
        result
    }

    /// The matrices only, `K(mu) = sum_q theta_q(mu) A_q`; fields of other physics must not enter. Collective.
    ///
    /// # Errors
    /// As [`Expansion::new`].
    pub fn operators(problem: &Problem, set: &Training) -> Result<Self> {
        Self::build(problem, set, None, false)
    }

    fn build(
        problem: &Problem,
        set: &Training,
        upstream: Option<&Rc<NodalField>>,
        whole: bool,
    ) -> Result<Self> {
        let mut matrices: Groups<Matrix> = Groups::new();
        let mut loads: Groups<Vector> = Groups::new();
        let (mut coupled, mut splits) = (Vec::new(), Vec::new());
        let mut coercivity = Ok(Vec::new());
        let mut scrap = problem.space.field()?;
        for (index, integral) in problem.integrals.iter().enumerate() {
            for output in 0..integral.coefficients.outputs.len() {
                let coefficient = Splitting { problem, integral: index, output, upstream, slope: false };
                let reads_field = !coefficient.coupled_inputs().is_empty();
                let bilinear = problem.bilinear(output, integral.place);
                if !(bilinear || whole) {
                    continue;
                }
                if reads_field && bilinear {
                    return Err(Error::Input(vec![coefficient.complaint(
                        "a reduced model needs a stiffness that does not depend on another physics' field".into(),
                    )]));
                }
                let (pieces, split, ratio) = coefficient.split(set)?;
                splits.extend(split);
                if bilinear {
                    let sign_free = off_diagonal(problem, integral.place, output);
                    note(&mut coercivity, ratio, sign_free, pieces.is_empty());
                }
                for piece in pieces {
                    if bilinear {
                        let place = matrices.place(problem, set, piece.factor, || problem.new_matrix())?;
                        if let Some((matrix, scale)) = place {
                            let values = only(integral, output, &scaled(&piece.values, scale));
                            problem.assemble_term(index, &values, Some(matrix), &mut scrap)?;
                        }
                    } else {
                        let new = || problem.space.field();
                        if let Some((load, scale)) = loads.place(problem, set, piece.factor, new)? {
                            let values = only(integral, output, &scaled(&piece.values, scale));
                            problem.assemble_term(index, &values, None, load)?;
                        }
                    }
                }
                if reads_field {
                    let slope = Splitting { slope: true, ..coefficient };
                    slope.check_linear(set)?;
                    let (pieces, split, _) = slope.split(set)?;
                    splits.extend(split);
                    for piece in pieces {
                        let Values::ByPoint(function) = piece.values else { continue };
                        let theta = Theta { factor: piece.factor, scale: 1.0 };
                        coupled.push(Coupled { theta, place: (index, output), function });
                    }
                }
            }
        }
        for (_, _, matrix) in &mut matrices.list {
            matrix.assemble()?;
        }
        let lifts = if whole { Self::lifts(problem, set, &mut splits)? } else { Vec::new() };
        Ok(Self {
            matrices: matrices.finish().collect(),
            loads: loads.finish().collect(),
            coupled,
            lifts,
            coercivity,
            splits,
        })
    }

    /// The prescribed values, split over the prescribed unknowns.
    fn lifts(problem: &Problem, set: &Training, splits: &mut Vec<Split>) -> Result<Vec<(Theta, Vec<f64>)>> {
        let space = &problem.space;
        let comm = &space.mesh.comm;
        let c = space.components;
        let essential = problem.essential(&set.reference)?;
        let dofs: Vec<usize> = essential.owned(space).collect();
        let ids: Vec<u64> = dofs.iter().map(|&d| space.node_ids[d / c] * c as u64 + (d % c) as u64).collect();
        let owned = vec![true; dofs.len()];
        let mut failure = None;
        let mut evaluate = |context: &Context| -> Vec<f64> {
            match problem.essential(context) {
                Ok(essential) => dofs.iter().map(|&d| essential.values[d]).collect(),
                Err(error) => {
                    failure = Some(error);
                    vec![f64::NAN; dofs.len()]
                }
            }
        };
        let limits = Limits { tolerance: 0.05 * EXACT, terms: MOST_TERMS };
        let key = problem.conditions.first().map_or(String::new(), |c| c.key.clone());
        let complain = |message: String| {
            Error::Input(vec![Diagnostic { key: key.clone(), message, ..Diagnostic::default() }])
        };
        let found = interpolate(comm, &ids, &owned, &set.training, limits, &mut evaluate);
        let mut found = found.map_err(|e| complain(format!("prescribed values: {e}")))?;
        for context in &set.test {
            let values = evaluate(context);
            found.error = found.error.max(found.relative_error(comm, &owned, &values));
        }
        if let Some(error) = failure {
            return Err(error);
        }
        if found.error > TOLERANCE {
            return Err(complain(format!(
                "the prescribed values' dependence on the parameters cannot be split: {} terms leave a relative error \
                 of {:.1e}",
                found.points.len(),
                found.error
            )));
        }
        if found.points.is_empty() {
            return Ok(Vec::new());
        }
        splits.push(Split {
            key: format!("{key} (prescribed values)"),
            terms: found.points.len(),
            error: found.error,
        });
        let mut result = Vec::new();
        for (&(owner, position), function) in found.points.iter().zip(&found.functions) {
            let mut message = [0.0; 6];
            if owner == comm.rank() {
                let dof = dofs[position];
                let (node, component) = (dof / c, dof % c);
                let holds = |k: &crate::physics::Condition| {
                    k.nodes.contains(&(node as u32)) && k.values[component].is_some()
                };
                let condition = problem.conditions.iter().rposition(holds).unwrap_or(0);
                let field = match &problem.conditions[condition].values[component] {
                    Some(Source::Nodal(field)) => field.values.borrow()[node],
                    _ => 0.0,
                };
                let x = space.point(node);
                message = [condition as f64, component as f64, x[0], x[1], x[2], field];
            }
            comm.sum_into(&mut message);
            let factor = Factor::Essential {
                condition: message[0] as usize,
                component: message[1] as usize,
                position: [message[2], message[3], message[4]],
                field: message[5],
            };
            let mut values = vec![0.0; space.owned_dofs()];
            for (&dof, &value) in dofs.iter().zip(function) {
                values[dof] = value;
            }
            result.push((Theta { factor, scale: 1.0 }, values));
        }
        Ok(result)
    }
}

/// Keeps the first reason why bounds do not exist. A coefficient whose form has no sign of its own
/// (`sign_free`) spoils them unless it is absent.
fn note(
    all: &mut std::result::Result<Vec<Ratio>, String>,
    ratio: std::result::Result<Option<Ratio>, String>,
    sign_free: bool,
    absent: bool,
) {
    if absent {
        return;
    }
    let ratio = if sign_free { Err("the conductivity has entries off the diagonal".into()) } else { ratio };
    match (&mut *all, ratio) {
        (Ok(list), Ok(new)) => {
            // A coefficient that does not change keeps the ratio one.
            let unit = Ratio { factors: vec![Factor::One], reference: vec![1.0], ranges: Vec::new() };
            list.push(new.unwrap_or(unit));
        }
        (Ok(_), Err(reason)) => *all = Err(reason),
        (Err(_), _) => {}
    }
}

/// Whether a coefficient is an entry off the diagonal of a conductivity tensor.
fn off_diagonal(problem: &Problem, place: Place, output: usize) -> bool {
    let d = problem.space.mesh.dimension;
    problem.equation.tensor && place == Place::Volume && output < d * d && output / d != output % d
}
