//! The parameter-dependent factors of an affine expansion, computed without the mesh.
use crate::physics::coefficient::{Coefficients, Context, Source};
use crate::physics::{Condition, Problem};
use serde::{Deserialize, Serialize};

/// Where a factor comes from: the value of one of the deck's inputs at an interpolation point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Factor {
    /// Always one.
    One,
    /// A coefficient of an integral at a point.
    Coefficient {
        /// The integral.
        integral: usize,
        /// The coefficient of the form.
        output: usize,
        /// Region of the point.
        region: usize,
        /// Position in metres.
        position: [f64; 3],
        /// Values there of inputs that are fields on nodes, by input; zero for other inputs.
        fields: Vec<f64>,
        /// Inputs that are another physics' field, to whose value the coefficient is proportional:
        /// the factor is then the slope. Empty: the factor is the coefficient itself.
        slope: Vec<usize>,
    },
    /// A prescribed value.
    Essential {
        /// The essential condition.
        condition: usize,
        /// Component of the field.
        component: usize,
        /// Position in metres.
        position: [f64; 3],
        /// Value there when it is a field on nodes.
        field: f64,
    },
}

/// What factors are evaluated with: a problem's inputs, without its mesh.
pub trait Inputs {
    /// Inputs and coefficients of an integral.
    fn coefficients(&self, integral: usize) -> &Coefficients;
    /// An essential condition.
    fn condition(&self, condition: usize) -> &Condition;
}

impl Inputs for Problem {
    fn coefficients(&self, integral: usize) -> &Coefficients {
        &self.integrals[integral].coefficients
    }

    fn condition(&self, condition: usize) -> &Condition {
        &self.conditions[condition]
    }
}

impl Factor {
    /// Whether the problem has what the factor names: one from a damaged file may name anything. Local.
    pub fn fits(&self, problem: &Problem) -> bool {
        match self {
            Self::One => true,
            Self::Coefficient { integral, output, region, fields, slope, .. } => {
                let coefficients = problem.integrals.get(*integral).map(|i| &i.coefficients);
                let has_region = |c: &Coefficients, i: usize| *region < c.inputs[i].len();
                slope.iter().all(|&input| input < fields.len())
                    && coefficients.is_some_and(|c| {
                        c.outputs.get(*output).is_some_and(|o| o.uses.iter().all(|&i| has_region(c, i)))
                    })
            }
            Self::Essential { condition, component, .. } => {
                problem.conditions.get(*condition).is_some_and(|c| *component < c.values.len())
            }
        }
    }

    /// The value at these parameters. Local, independent of the mesh's size.
    pub fn value(&self, inputs: &dyn Inputs, context: &Context) -> f64 {
        match self {
            Self::One => 1.0,
            Self::Coefficient { integral, output, region, position, fields, slope } => {
                let coefficients = inputs.coefficients(*integral);
                let at = |fields: &[f64]| coefficients.value(*output, *region, context, position, fields);
                if slope.is_empty() {
                    return at(fields);
                }
                let mut raised = fields.clone();
                for &input in slope {
                    raised[input] = 1.0;
                }
                at(&raised) - at(fields)
            }
            Self::Essential { condition, component, position, field } => {
                match &inputs.condition(*condition).values[*component] {
                    Some(Source::Nodal(_)) => *field,
                    Some(source) => source.evaluate(&context.arguments(position), *field),
                    None => 0.0,
                }
            }
        }
    }
}

/// A factor divided by a fixed scale, so that terms of one dependence can be told to be equal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Theta {
    /// The factor.
    pub factor: Factor,
    /// What it is divided by.
    pub scale: f64,
}

impl Theta {
    /// The value at these parameters.
    pub fn value(&self, inputs: &dyn Inputs, context: &Context) -> f64 {
        self.factor.value(inputs, context) / self.scale
    }
}

/// Values of a list of factors.
pub fn values(thetas: &[Theta], inputs: &dyn Inputs, context: &Context) -> Vec<f64> {
    thetas.iter().map(|theta| theta.value(inputs, context)).collect()
}

/// Bounds of `c(x; mu) / c(x; reference)` over all points x of a coefficient, at a cost that does not
/// depend on how many points there are.
///
/// With `c(x; mu) = sum_m c(x_m; mu) l_m(x)` the ratio is `sum_m t_m w_m(x)`, where
/// `t_m = c(x_m; mu) / c(x_m; ref)`, `w_m(x) = l_m(x) c(x_m; ref) / c(x; ref)` and `sum_m w_m = 1`. So
/// it is `t_k + sum_m (t_m - t_k) w_m(x)` for every k, which the ranges of the w_m bound. For one and
/// two terms, and for values by region, the bounds are attained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// Values at the interpolation points.
    pub factors: Vec<Factor>,
    /// The same at the reference parameters.
    pub reference: Vec<f64>,
    /// Range of each `w_m`; empty when the points are all there are.
    pub ranges: Vec<[f64; 2]>,
}

impl Ratio {
    /// Smallest and largest ratio at these parameters.
    pub fn bounds(&self, inputs: &dyn Inputs, context: &Context) -> [f64; 2] {
        let t: Vec<f64> =
            self.factors.iter().zip(&self.reference).map(|(f, r)| f.value(inputs, context) / r).collect();
        let low = t.iter().copied().fold(f64::INFINITY, f64::min);
        let high = t.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if self.ranges.is_empty() {
            return [low, high];
        }
        let mut bounds = [f64::NEG_INFINITY, f64::INFINITY];
        for &base in &t {
            let (mut least, mut most) = (base, base);
            for (&t, range) in t.iter().zip(&self.ranges) {
                let ends = [(t - base) * range[0], (t - base) * range[1]];
                least += ends[0].min(ends[1]);
                most += ends[0].max(ends[1]);
            }
            bounds = [bounds[0].max(least), bounds[1].min(most)];
        }
        bounds
    }
}
