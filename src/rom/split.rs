//! One coefficient of a weak form as a sum of products: factors of the parameters times functions of
//! position, by empirical interpolation over quadrature points (or regions, inside which it is constant).
use super::eim::{EXACT, Interpolation, Limits, interpolate};
use super::theta::{Factor, Ratio};
use super::training::Training;
use crate::fem::Values;
use crate::fem::functional::position;
use crate::parallel::Comm;
use crate::physics::coefficient::{Context, NodalField, Sampled, Source};
use crate::physics::{Integral, Problem};
use crate::{Diagnostic, Error, Result};
use std::rc::Rc;

/// Largest relative interpolation error that a reduced model accepts.
pub const TOLERANCE: f64 = 1e-8;
/// Most terms that one coefficient is split into.
pub(super) const MOST_TERMS: usize = 40;
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

/// One coefficient as a function of quadrature points and parameters.
pub(super) struct Splitting<'a> {
    pub problem: &'a Problem,
    pub integral: usize,
    pub output: usize,
    pub upstream: Option<&'a Rc<NodalField>>,
    /// The slope with respect to the upstream field instead of the value without it.
    pub slope: bool,
}

/// A quadrature point: group, cell, number in the rule, region.
type Spot = (u32, u32, u32, u16);

/// Bounds of a coefficient relative to its reference, `None` for one that does not change; or why there are
/// none.
pub(super) type Bounds = std::result::Result<Option<Ratio>, String>;

/// A fixed function of the expansion with its raw factor.
pub(super) struct Piece {
    pub values: Values,
    pub factor: Factor,
}

impl<'a> Splitting<'a> {
    fn part(&self) -> &'a Integral {
        &self.problem.integrals[self.integral]
    }

    /// The inputs that are the upstream field.
    pub fn coupled_inputs(&self) -> Vec<usize> {
        let coefficients = &self.part().coefficients;
        let Some(upstream) = self.upstream else { return Vec::new() };
        coefficients.outputs[self.output]
            .uses
            .iter()
            .copied()
            .filter(|&i| {
                coefficients.inputs[i]
                    .iter()
                    .any(|s| matches!(s, Source::Nodal(f) if Rc::ptr_eq(f, upstream)))
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
            let one = self.output..self.output + 1;
            let mut found =
                part.coefficients.evaluate_some(one, context, space, &group.domain(), part.entities);
            if let Some(Values::ByPoint(values)) = found.pop() {
                if all.is_empty() {
                    all = values;
                } else {
                    all.iter_mut().zip(values).for_each(|(a, v)| *a += v);
                }
            }
        }
        all
    }

    fn values(&self, context: &Context) -> Vec<f64> {
        let mut values = self.raw(context, if self.slope { 1.0 } else { 0.0 });
        if self.slope {
            values.iter_mut().zip(self.raw(context, 0.0)).for_each(|(v, low)| *v -= low);
        }
        values
    }

    /// Rank-independent names, ownership and places of the positions of [`Splitting::values`].
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
            let position = position(&self.problem.space, cell as usize, rule, q as usize);
            message[..3].copy_from_slice(&position);
            message[3] = f64::from(region);
            for &input in &part.coefficients.outputs[self.output].uses {
                message[4 + input] = match &part.coefficients.inputs[input][region as usize] {
                    Source::Nodal(field) if !self.upstream.is_some_and(|u| Rc::ptr_eq(u, field)) => {
                        Sampled::new(field, &rule.points[q as usize..][..1]).value(cell as usize, 0)
                    }
                    Source::Cellwise(list) => list[cell as usize],
                    _ => 0.0,
                };
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
    pub fn split(&self, set: &Training) -> Result<(Vec<Piece>, Option<Split>, Bounds)> {
        let part = self.part();
        let comm = &self.problem.space.mesh.comm;
        let (ids, owned, spots) = self.positions();
        let reference = self.values(&set.reference);
        if !part.coefficients.changes(self.output) {
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
            interpolate(comm, &ids, &owned, &set.training, limits, &mut |context: &Context| {
                self.values(context)
            })
            .map_err(|e| Error::Input(vec![self.complaint(e.to_string())]))?;
        for context in &set.test {
            let values = self.values(context);
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
        let split = Split { key: self.label(), terms: factors.len(), error: interpolation.error };
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
        if least < 0.0 {
            Err(format!("{} is negative somewhere ({least:.3e})", self.label()))
        } else {
            Ok(())
        }
    }

    /// Bounds of the coefficient relative to its reference. Collective.
    fn ratio(
        &self,
        interpolation: &Interpolation,
        factors: &[Factor],
        owned: &[bool],
        reference: &[f64],
        context: &Context,
    ) -> Bounds {
        let comm = &self.problem.space.mesh.comm;
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
        let at_points: Vec<f64> = factors.iter().map(|f| f.value(self.problem, context)).collect();
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

    pub fn complaint(&self, message: String) -> Diagnostic {
        Diagnostic { key: self.part().key.clone(), message, ..Diagnostic::default() }
    }

    /// The coefficient must be proportional to the other field, apart from an offset. Collective.
    pub fn check_linear(&self, set: &Training) -> Result<()> {
        let comm = &self.problem.space.mesh.comm;
        let [zero, one, two] = [0.0, 1.0, 2.0].map(|v| self.raw(&set.reference, v));
        let mut worst = [0.0f64; 2];
        for i in 0..zero.len() {
            worst[0] = worst[0].max((two[i] - 2.0 * one[i] + zero[i]).abs());
            worst[1] = worst[1].max(two[i].abs()).max(zero[i].abs());
        }
        if comm.max(worst[0]) > 1e-10 * comm.max(worst[1]) {
            return Err(Error::Input(vec![self.complaint(
                "a reduced model needs a load that is linear in the other physics' field".into(),
            )]));
        }
        Ok(())
    }
}
