//! Learned basis functions.
use crate::error::{Error, Result, check};
use crate::mlp::{Mlp, multiply, rows};
use faer::Accum;
use std::ops::Range;

/// Functions of a point in space and time that depend on the inputs of a sample (parameters, or the data of the
/// problem) and on parameters that are learned.
///
/// Whatever is computed from the functions and differentiated by other means needs no more of a model than [`vjp`]:
/// with `dB` the derivatives of a number with respect to the values `B`, kept fixed, the gradient of `sum(B * dB)` is
/// the gradient of the number by the chain rule.
///
/// [`vjp`]: BasisModel::vjp
pub trait BasisModel {
    /// Functions for each sample.
    fn functions(&self) -> usize;

    /// The learned parameters.
    fn parameters(&self) -> &[f64];

    /// Replaces the learned parameters.
    ///
    /// # Errors
    /// When there are more or fewer.
    fn set_parameters(&mut self, parameters: &[f64]) -> Result<()>;

    /// The functions `[point, sample, function]` at points `[point, coordinate]` for inputs `[sample, input]`.
    ///
    /// # Errors
    /// When an array has another length.
    fn forward(&self, points: &[f64], inputs: &[f64]) -> Result<Vec<f64>>;

    /// The gradient of `sum(forward(points, inputs) * cotangent)` with respect to the parameters.
    ///
    /// # Errors
    /// When an array has another length.
    fn vjp(&self, points: &[f64], inputs: &[f64], cotangent: &[f64]) -> Result<Vec<f64>>;
}

/// A DeepONet: a trunk gives features `t_f` of a point, a branch coefficients `c_fn` of a sample, row by row, and the
/// functions are `b_n = sum_f t_f c_fn`.
///
/// All samples and functions share one pass of the trunk, which is nearly all of the work. Lu, Jin, Pang, Zhang and
/// Karniadakis, Nature Machine Intelligence 3 (2021) 218-229; that several functions share the trunk and split the branch
/// is the fourth way of Lu et al., Comput. Methods Appl. Mech. Eng. 393 (2022) 114778, section 3.1.6.
#[derive(Debug, Clone, PartialEq)]
pub struct DeepONet {
    trunk: Mlp,
    branch: Mlp,
    functions: usize,
    parameters: Vec<f64>,
}

impl DeepONet {
    /// A network of so many functions, with the parameters of a seed: those of the trunk, then those of the branch.
    ///
    /// # Errors
    /// When the branch does not give one coefficient for each feature of the trunk and each function.
    pub fn new(trunk: Mlp, branch: Mlp, functions: usize, seed: u64) -> Result<Self> {
        if functions == 0 {
            return Err(Error::Widths(vec![0]));
        }
        check("outputs of the branch", branch.outputs(), trunk.outputs() * functions)?;
        let mut parameters = trunk.initial(seed);
        // Another seed, lest equal layers start equal.
        parameters.extend(branch.initial(!seed));
        Ok(Self { trunk, branch, functions, parameters })
    }

    /// The network that gives features of points.
    pub fn trunk(&self) -> &Mlp {
        &self.trunk
    }

    /// The network that gives coefficients for the inputs of samples.
    pub fn branch(&self) -> &Mlp {
        &self.branch
    }

    /// The gradient of a sum over points in one pass of the trunk, as by [`Mlp::pull_back`]: `cotangent(points, basis,
    /// cotangents)` has and fills `[point, sample, function]` of a block of points.
    ///
    /// # Errors
    /// When an array has another length.
    pub fn pull_back<T: Send>(
        &self,
        points: &[f64],
        inputs: &[f64],
        cotangent: impl Fn(Range<usize>, &[f64], &mut [f64]) -> T + Sync,
        take: impl FnMut(T),
    ) -> Result<Vec<f64>> {
        let coefficients = self.coefficients(inputs)?;
        let of_basis = |block: Range<usize>, of_trunk: &[f64], own: &mut [f64]| {
            let mut basis = vec![0.0; own.len()];
            self.combine(of_trunk, &coefficients, &mut basis);
            cotangent(block, &basis, own)
        };
        Ok(self.reverse(points, inputs, &coefficients, false, of_basis, take)?.0)
    }

    /// The same as [`BasisModel::vjp`], and the derivatives with respect to the inputs, `[sample, input]`.
    ///
    /// # Errors
    /// When an array has another length.
    pub fn vjp_with_inputs(
        &self,
        points: &[f64],
        inputs: &[f64],
        cotangent: &[f64],
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        self.vjp_of_inputs(points, inputs, cotangent, true)
    }

    fn vjp_of_inputs(
        &self,
        points: &[f64],
        inputs: &[f64],
        cotangent: &[f64],
        of_inputs: bool,
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let width = inputs.len() / self.branch.inputs() * self.functions;
        check("cotangent", cotangent.len(), points.len() / self.trunk.inputs() * width)?;
        let copy = |block: Range<usize>, _: &[f64], own: &mut [f64]| {
            own.copy_from_slice(&cotangent[block.start * width..block.end * width]);
        };
        self.reverse(points, inputs, &self.coefficients(inputs)?, of_inputs, copy, |()| ())
    }

    /// The gradient, and the cotangents of the inputs if asked for, else nothing. `cotangent(points, features, cotangents)`
    /// fills those of the functions.
    fn reverse<T: Send>(
        &self,
        points: &[f64],
        inputs: &[f64],
        coefficients: &[f64],
        of_inputs: bool,
        cotangent: impl Fn(Range<usize>, &[f64], &mut [f64]) -> T + Sync,
        mut take: impl FnMut(T),
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let (features, width) = (self.trunk.outputs(), coefficients.len() / self.trunk.outputs());
        let of_features = |block: Range<usize>, of_trunk: &[f64], own: &mut [f64]| {
            let mut of_basis = vec![0.0; block.len() * width];
            let mut of_coefficients = vec![0.0; coefficients.len()];
            let result = cotangent(block, of_trunk, &mut of_basis);
            let (of_trunk, of_basis) = (rows(of_trunk, features), rows(&of_basis, width));
            multiply(own, Accum::Replace, of_basis, rows(coefficients, width).transpose());
            multiply(&mut of_coefficients, Accum::Replace, of_trunk.transpose(), of_basis);
            (result, of_coefficients)
        };
        let mut sum = vec![0.0; coefficients.len()];
        let mut gradient =
            self.trunk.pull_back(self.split().0, points, of_features, |(result, of_block)| {
                sum.iter_mut().zip(&of_block).for_each(|(sum, c)| *sum += c);
                take(result);
            })?;
        let of_outputs = self.exchanged(&sum, features, width / self.functions);
        let (_, parameters) = self.split();
        let (of_branch, of_inputs) = if of_inputs {
            self.branch.vjp_with_points(parameters, inputs, &of_outputs)?
        } else {
            (self.branch.vjp(parameters, inputs, &of_outputs)?, Vec::new())
        };
        gradient.extend(of_branch);
        Ok((gradient, of_inputs))
    }

    /// Coefficients `[feature, sample, function]`, so that one product makes all functions.
    fn coefficients(&self, inputs: &[f64]) -> Result<Vec<f64>> {
        if inputs.is_empty() {
            check("inputs of the first sample", 0, self.branch.inputs())?;
        }
        let of_branch = self.branch.forward(self.split().1, inputs)?;
        Ok(self.exchanged(&of_branch, of_branch.len() / self.branch.outputs(), self.trunk.outputs()))
    }

    /// Functions from features.
    fn combine(&self, of_trunk: &[f64], coefficients: &[f64], basis: &mut [f64]) {
        let features = self.trunk.outputs();
        let coefficients = rows(coefficients, coefficients.len() / features);
        multiply(basis, Accum::Replace, rows(of_trunk, features), coefficients);
    }

    /// From `[a, b, function]` to `[b, a, function]`.
    fn exchanged(&self, numbers: &[f64], a: usize, b: usize) -> Vec<f64> {
        let n = self.functions;
        let places = (0..b).flat_map(|j| (0..a).map(move |i| (i * b + j) * n));
        places.flat_map(|start| &numbers[start..start + n]).copied().collect()
    }

    /// The parameters of trunk and branch.
    fn split(&self) -> (&[f64], &[f64]) {
        self.parameters.split_at(self.trunk.count())
    }
}

impl BasisModel for DeepONet {
    fn functions(&self) -> usize {
        self.functions
    }

    fn parameters(&self) -> &[f64] {
        &self.parameters
    }

    fn set_parameters(&mut self, parameters: &[f64]) -> Result<()> {
        check("parameters", parameters.len(), self.parameters.len())?;
        self.parameters.copy_from_slice(parameters);
        Ok(())
    }

    fn forward(&self, points: &[f64], inputs: &[f64]) -> Result<Vec<f64>> {
        let coefficients = self.coefficients(inputs)?;
        let width = coefficients.len() / self.trunk.outputs();
        let combine = |of_trunk: &[f64], basis: &mut [f64]| self.combine(of_trunk, &coefficients, basis);
        self.trunk.map(self.split().0, points, width, combine)
    }

    fn vjp(&self, points: &[f64], inputs: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        Ok(self.vjp_of_inputs(points, inputs, cotangent, false)?.0)
    }
}
