//! From a deck's problem to an affine expansion: `K(mu) = sum_q theta_q(mu) A_q` and likewise loads
//! and prescribed values.
//!
//! Weak forms are linear in their coefficients, so each coefficient is split on its own, by empirical
//! interpolation over its quadrature points (or its regions, where it does not vary inside them).
//! Terms whose factors turn out proportional over the training parameters are added up.
use super::eim::{EXACT, Interpolation, Limits, interpolate};
use super::theta::{Factor, Ratio, Theta};
use crate::fem::Values;
use crate::fem::functional::geometry;
use crate::parallel::Comm;
use crate::physics::coefficient::{Context, NodalField, Source};
use crate::physics::{Integral, Model, Place, Problem};
use crate::{Diagnostic, Error, Result};
use petsc_rs::{Matrix, Vector};
use std::rc::Rc;

/// Largest relative interpolation error that a reduced model accepts.
pub const TOLERANCE: f64 = 1e-8;
/// Most terms that one coefficient is split into.
const MOST_TERMS: usize = 40;
/// Factors closer than this over all training parameters are the same factor.
const SAME_FACTOR: f64 = 1e-12;

/// Parameters that the expansion is found with and checked on.
#[derive(Debug, Clone)]
pub struct Training {
    /// The parameters X is assembled at.
    pub reference: Vec<f64>,
    /// Parameters to interpolate over.
    pub training: Vec<Vec<f64>>,
    /// Other parameters, to check with.
    pub test: Vec<Vec<f64>>,
}

/// How one coefficient was split.
#[derive(Debug, Clone)]
pub struct Split {
    /// The deck's key.
    pub key: String,
    /// Number of terms.
    pub terms: usize,
    /// Largest relative error over the training and the test parameters.
    pub error: f64,
}

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
    /// Bounds of the coupled coefficient's size, relative to the reference parameters.
    pub coupling: std::result::Result<Vec<Ratio>, String>,
    /// What was split and how well.
    pub splits: Vec<Split>,
}

/// One coefficient as a function of quadrature points and parameters.
struct Coefficient<'a> {
    problem: &'a Problem,
    integral: usize,
    output: usize,
    upstream: Option<&'a Rc<NodalField>>,
    /// The slope with respect to the upstream field instead of the value without it.
    slope: bool,
}

/// A quadrature point: group, cell, number in the rule, region.
type Spot = (u32, u32, u32, u16);

/// A fixed function of the expansion with its raw factor.
struct Piece {
    values: Values,
    factor: Factor,
}

impl<'a> Coefficient<'a> {
    fn part(&self) -> &'a Integral {
        &self.problem.integrals[self.integral]
    }

    /// The inputs that are the upstream field.
    fn coupled_inputs(&self) -> Vec<usize> {
        let coefficients = &self.part().coefficients;
        let Some(upstream) = self.upstream else { return Vec::new() };
        coefficients.outputs[self.output]
            .uses
            .iter()
            .copied()
            .filter(|&i| {
                coefficients.inputs[i].iter().any(|s| matches!(s, Source::Nodal(f) if Rc::ptr_eq(f, upstream)))
            })
            .collect()
    }

    fn by_point(&self) -> bool {
        self.part().coefficients.varies_in_space(self.output)
    }

    /// Values by region, or at all local quadrature points.
    fn raw(&self, context: &Context, upstream: f64) -> Vec<f64> {
        if let Some(field) = self.upstream {
            field.values.borrow_mut().fill(upstream);
        }
        let part = self.part();
        if !self.by_point() {
            let regions = part.coefficients.inputs.first().map_or(1, Vec::len);
            return (0..regions)
                .map(|r| part.coefficients.value(self.output, r, context, &[0.0; 3], &[]))
                .collect();
        }
        let mut all: Vec<f64> = Vec::new();
        for group in &part.groups {
            let space = &self.problem.space;
            let values = part.coefficients.evaluate_one(self.output, context, space, &group.domain(), part.entities);
            if let Values::ByPoint(values) = values {
                if all.is_empty() {
                    all = values;
                } else {
                    all.iter_mut().zip(values).for_each(|(a, v)| *a += v);
                }
            }
        }
        all
    }

    fn values(&self, parameters: &[f64]) -> Vec<f64> {
        let context = Context { parameters: parameters.to_vec(), time: 0.0 };
        let mut values = self.raw(&context, if self.slope { 1.0 } else { 0.0 });
        if self.slope {
            values.iter_mut().zip(self.raw(&context, 0.0)).for_each(|(v, low)| *v -= low);
        }
        values
    }

    /// Rank-independent names, ownership and places of the positions of [`Coefficient::values`].
    fn positions(&self) -> (Vec<u64>, Vec<bool>, Vec<Spot>) {
        let part = self.part();
        let mesh = &self.problem.space.mesh;
        if !self.by_point() {
            // Every rank holds all regions; rank 0 speaks for them.
            let regions = part.coefficients.inputs.first().map_or(1, Vec::len);
            let spots = (0..regions).map(|r| (0, 0, 0, r as u16)).collect();
            return ((0..regions as u64).collect(), vec![mesh.comm.rank() == 0; regions], spots);
        }
        let points = part.groups.first().map_or(0, |g| g.rule.weights.len());
        let total = part.entities * points;
        let (mut ids, mut owned) = (vec![u64::MAX; total], vec![false; total]);
        let mut spots = vec![(0, 0, 0, 0); total];
        // A cell has fewer facets than this.
        const FACETS: u64 = 8;
        for (g, group) in part.groups.iter().enumerate() {
            for &(cell, index, region) in &group.entities {
                for q in 0..points {
                    let at = index as usize * points + q;
                    ids[at] = (mesh.cell_ids[cell as usize] * FACETS + g as u64) * points as u64 + q as u64;
                    owned[at] = (cell as usize) < mesh.owned_cells;
                    spots[at] = (g as u32, cell, q as u32, region);
                }
            }
        }
        (ids, owned, spots)
    }

    /// The factor that evaluates the coefficient at a position of its owner, told to all. Collective.
    fn factor(&self, comm: &Comm, owner: usize, spot: Spot) -> Factor {
        let part = self.part();
        let (group, cell, q, region) = spot;
        let mut message = vec![0.0; 4 + part.coefficients.inputs.len()];
        if comm.rank() == owner && self.by_point() {
            let rule = &part.groups[group as usize].rule;
            let (_, position) = geometry(&self.problem.space, cell as usize, rule, q as usize);
            message[..3].copy_from_slice(&position);
            message[3] = f64::from(region);
            for &input in &part.coefficients.outputs[self.output].uses {
                if let Source::Nodal(field) = &part.coefficients.inputs[input][region as usize] {
                    if !self.upstream.is_some_and(|u| Rc::ptr_eq(u, field)) {
                        let values = field.values.borrow();
                        message[4 + input] = nodal_value(field, &values, cell as usize, &rule.points[q as usize]);
                    }
                }
            }
        } else if comm.rank() == owner {
            message[3] = f64::from(region);
        }
        comm.sum_into(&mut message);
        Factor::Coefficient {
            integral: self.integral,
            output: self.output,
            region: message[3] as usize,
            position: [message[0], message[1], message[2]],
            fields: message[4..].to_vec(),
            slope: if self.slope { self.coupled_inputs() } else { Vec::new() },
        }
    }

    fn as_values(&self, values: Vec<f64>) -> Values {
        match (self.by_point(), values.len()) {
            (true, _) => Values::ByPoint(values),
            (false, 1) => Values::Uniform(values[0]),
            (false, _) => Values::ByRegion(values),
        }
    }

    /// Splits the coefficient. Collective.
    fn split(&self, set: &Training) -> Result<(Vec<Piece>, Option<Split>, std::result::Result<Option<Ratio>, String>)> {
        let part = self.part();
        let comm = &self.problem.space.mesh.comm;
        let (ids, owned, spots) = self.positions();
        let reference = self.values(&set.reference);
        if !part.coefficients.varies_with_parameters(self.output) {
            let size = comm.max(reference.iter().fold(0.0, |m: f64, v| m.max(v.abs())));
            let sign = self.sign(comm, &owned, &reference);
            let pieces = if size == 0.0 {
                Vec::new()
            } else {
                vec![Piece { values: self.as_values(reference), factor: Factor::One }]
            };
            return Ok((pieces, None, sign.map(|()| None)));
        }
        let limits = Limits { tolerance: 0.05 * EXACT, terms: MOST_TERMS };
        let mut interpolation =
            interpolate(comm, &ids, &owned, &set.training, limits, &mut |mu| self.values(mu))
                .map_err(|e| Error::Input(vec![self.complaint(e.to_string())]))?;
        for parameters in &set.test {
            let values = self.values(parameters);
            let error = interpolation.relative_error(comm, &owned, &values);
            interpolation.error = interpolation.error.max(error);
        }
        if interpolation.error > TOLERANCE {
            return Err(Error::Input(vec![self.complaint(format!(
                "its dependence on the parameters cannot be split: {} terms of an empirical interpolation leave a \
                 relative error of {:.1e}, more than {TOLERANCE:.0e}; write it as a sum of few products of a function \
                 of the parameters and a function of position, or narrow the ranges",
                interpolation.points.len(),
                interpolation.error
            ))]));
        }
        let factors: Vec<Factor> = interpolation
            .points
            .iter()
            .map(|&(owner, position)| {
                let spot = if owner == comm.rank() { spots[position] } else { (0, 0, 0, 0) };
                self.factor(comm, owner, spot)
            })
            .collect();
        let ratio = self.ratio(&interpolation, &factors, &owned, &reference, &set.reference);
        let split =
            Split { key: self.label(), terms: factors.len(), error: interpolation.error };
        let pieces = interpolation
            .functions
            .into_iter()
            .zip(factors)
            .map(|(values, factor)| Piece { values: self.as_values(values), factor })
            .collect();
        Ok((pieces, Some(split), ratio))
    }

    /// Whether the coefficient is nowhere negative at the reference. Collective.
    fn sign(&self, comm: &Comm, owned: &[bool], reference: &[f64]) -> std::result::Result<(), String> {
        let least = reference.iter().zip(owned).filter(|(_, o)| **o).fold(0.0, |m: f64, (v, _)| m.min(*v));
        let least = comm.min(least);
        if least < 0.0 { Err(format!("{} is negative somewhere ({least:.3e})", self.label())) } else { Ok(()) }
    }

    /// Bounds of the coefficient relative to its reference. Collective.
    fn ratio(
        &self,
        interpolation: &Interpolation,
        factors: &[Factor],
        owned: &[bool],
        reference: &[f64],
        parameters: &[f64],
    ) -> std::result::Result<Option<Ratio>, String> {
        let comm = &self.problem.space.mesh.comm;
        let context = Context { parameters: parameters.to_vec(), time: 0.0 };
        self.sign(comm, owned, reference)?;
        let stays_zero = |i: usize| interpolation.functions.iter().all(|l| l[i] == 0.0);
        let vanishes = (0..reference.len()).any(|i| owned[i] && reference[i] == 0.0 && !stays_zero(i));
        if comm.max(u8::from(vanishes)) == 1 {
            return Err(format!("{} is zero somewhere at the reference parameters", self.label()));
        }
        if !self.by_point() {
            let factors: Vec<Factor> = (0..reference.len())
                .filter(|&r| reference[r] != 0.0)
                .map(|region| Factor::Coefficient {
                    integral: self.integral,
                    output: self.output,
                    region,
                    position: [0.0; 3],
                    fields: vec![0.0; self.part().coefficients.inputs.len()],
                    slope: if self.slope { self.coupled_inputs() } else { Vec::new() },
                })
                .collect();
            let reference = reference.iter().copied().filter(|&r| r != 0.0).collect();
            return Ok(Some(Ratio { factors, reference, ranges: Vec::new() }));
        }
        let at_points: Vec<f64> = factors.iter().map(|f| f.value(self.problem, &context)).collect();
        let ranges = interpolation
            .functions
            .iter()
            .zip(&at_points)
            .map(|(l, &c)| {
                let weights = (0..reference.len())
                    .filter(|&i| owned[i] && reference[i] != 0.0)
                    .map(|i| l[i] * c / reference[i]);
                let (low, high) = weights
                    .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), w| (low.min(w), high.max(w)));
                [comm.min(low), comm.max(high)]
            })
            .collect();
        Ok(Some(Ratio { factors: factors.to_vec(), reference: at_points, ranges }))
    }

    fn label(&self) -> String {
        let part = if self.slope { ", dependence on the other field" } else { "" };
        format!("{} (coefficient {}{part})", self.part().key, self.output + 1)
    }

    fn complaint(&self, message: String) -> Diagnostic {
        Diagnostic { key: self.part().key.clone(), message, ..Diagnostic::default() }
    }
}

/// Value of a field at a reference point of a cell.
pub fn nodal_value(field: &NodalField, values: &[f64], cell: usize, point: &[f64; 3]) -> f64 {
    let table = field.space.element.tabulate(std::slice::from_ref(point));
    field.space.nodes_of(cell).iter().zip(&table.values).map(|(&node, shape)| shape * values[node as usize]).sum()
}

/// Terms with one factor that are added up.
struct Groups<T> {
    /// Normalised factor over the training parameters, the factor, and what belongs to it.
    list: Vec<(Vec<f64>, Theta, T)>,
}

impl<T> Groups<T> {
    /// The group of a factor, and by how much its function must be multiplied there.
    fn place(
        &mut self,
        problem: &Problem,
        set: &Training,
        factor: Factor,
        new: impl FnOnce() -> Result<T>,
    ) -> Result<Option<(&mut T, f64)>> {
        let values: Vec<f64> = set
            .training
            .iter()
            .map(|mu| factor.value(problem, &Context { parameters: mu.clone(), time: 0.0 }))
            .collect();
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

fn scaled(values: &Values, factor: f64) -> Values {
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
    let one = |_| (0..count).map(|o| if o == output { values.clone() } else { Values::Uniform(0.0) }).collect();
    integral.groups.iter().map(one).collect()
}

impl Expansion {
    /// Finds the expansion of a problem; `upstream` is the other physics' field that it may read.
    /// Collective.
    ///
    /// # Errors
    /// [`Error::Input`] that names the deck's key when a coefficient cannot be split.
    pub fn new(problem: &Problem, set: &Training, upstream: Option<&Rc<NodalField>>) -> Result<Self> {
        let kept = upstream.map(|field| field.values.borrow().clone());
        let result = Self::build(problem, set, upstream);
        if let (Some(field), Some(values)) = (upstream, kept) {
            *field.values.borrow_mut() = values;
        }
        result
    }

    fn build(problem: &Problem, set: &Training, upstream: Option<&Rc<NodalField>>) -> Result<Self> {
        let mut matrices: Groups<Matrix> = Groups { list: Vec::new() };
        let mut loads: Groups<Vector> = Groups { list: Vec::new() };
        let (mut coupled, mut splits) = (Vec::new(), Vec::new());
        let mut coercivity = Ok(Vec::new());
        let mut coupling = Ok(Vec::new());
        let mut scrap = problem.space.field()?;
        for (index, integral) in problem.integrals.iter().enumerate() {
            for output in 0..integral.coefficients.outputs.len() {
                let coefficient = Coefficient { problem, integral: index, output, upstream, slope: false };
                let reads_field = !coefficient.coupled_inputs().is_empty();
                let bilinear = problem.bilinear(output, integral.place);
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
                        let new = || {
                            let mut vector = problem.space.field()?;
                            vector.set(0.0)?;
                            Ok(vector)
                        };
                        if let Some((load, scale)) = loads.place(problem, set, piece.factor, new)? {
                            let values = only(integral, output, &scaled(&piece.values, scale));
                            problem.assemble_term(index, &values, None, load)?;
                        }
                    }
                }
                if reads_field {
                    let slope = Coefficient { slope: true, ..coefficient };
                    slope.check_linear(set)?;
                    let (pieces, split, ratio) = slope.split(set)?;
                    splits.extend(split);
                    note(&mut coupling, ratio, false, pieces.is_empty());
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
        let lifts = Self::lifts(problem, set, &mut splits)?;
        Ok(Self {
            matrices: matrices.list.into_iter().map(|(_, theta, matrix)| (theta, matrix)).collect(),
            loads: loads.list.into_iter().map(|(_, theta, load)| (theta, load)).collect(),
            coupled,
            lifts,
            coercivity,
            coupling,
            splits,
        })
    }

    /// The prescribed values, split over the prescribed unknowns.
    fn lifts(problem: &Problem, set: &Training, splits: &mut Vec<Split>) -> Result<Vec<(Theta, Vec<f64>)>> {
        let space = &problem.space;
        let comm = &space.mesh.comm;
        let c = space.components;
        let essential = problem.essential(&Context { parameters: set.reference.clone(), time: 0.0 })?;
        let dofs: Vec<usize> = essential.owned(space).collect();
        let ids: Vec<u64> = dofs.iter().map(|&d| space.node_ids[d / c] * c as u64 + (d % c) as u64).collect();
        let owned = vec![true; dofs.len()];
        let mut failure = None;
        let mut evaluate = |parameters: &[f64]| -> Vec<f64> {
            match problem.essential(&Context { parameters: parameters.to_vec(), time: 0.0 }) {
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
        for parameters in &set.test {
            let values = evaluate(parameters);
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
        splits.push(Split { key: format!("{key} (prescribed values)"), terms: found.points.len(), error: found.error });
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
    matches!((problem.model, place), (Model::Diffusion { anisotropic: true }, Place::Volume))
        && output < d * d
        && output / d != output % d
}

impl Coefficient<'_> {
    /// The coefficient must be proportional to the other field, apart from an offset. Collective.
    fn check_linear(&self, set: &Training) -> Result<()> {
        let comm = &self.problem.space.mesh.comm;
        let context = Context { parameters: set.reference.clone(), time: 0.0 };
        let [zero, one, two] = [0.0, 1.0, 2.0].map(|v| self.raw(&context, v));
        let mut worst = [0.0f64; 2];
        for i in 0..zero.len() {
            worst[0] = worst[0].max((two[i] - 2.0 * one[i] + zero[i]).abs());
            worst[1] = worst[1].max(two[i].abs()).max(zero[i].abs());
        }
        if comm.max(worst[0]) > 1e-10 * comm.max(worst[1]) {
            return Err(Error::Input(vec![
                self.complaint("a reduced model needs a load that is linear in the other physics' field".into()),
            ]));
        }
        Ok(())
    }
}
