//! The multilayer perceptron, forward and in reverse, over blocks of points.
use crate::activation::{tanh_in_place, times_derivative};
use crate::error::{Error, Result, check};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::ops::Range;

/// Points that are worked on at once, so that their activations stay in the cache of a core.
const BLOCK: usize = 256;

/// Blocks for each thread whose gradients wait until they are added in order.
const WAITING: usize = 16;

/// A multilayer perceptron: affine layers with hyperbolic tangents between them, the last one affine.
///
/// It has a shape but no parameters: these are given with each call, so that several networks can share one flat array.
/// Layer after layer they are the weights `[input, output]`, row by row, and then the biases `[output]`. Inputs are
/// scaled from their ranges to `[-1, 1]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Mlp {
    widths: Vec<usize>,
    ranges: Vec<[f64; 2]>,
    layers: Vec<Layer>,
}

/// An affine layer and where its parameters stand.
#[derive(Debug, Clone, PartialEq)]
struct Layer {
    inputs: usize,
    outputs: usize,
    weights: Range<usize>,
    bias: Range<usize>,
}

/// What a block leaves for the reverse pass: scaled inputs, activations, outputs; and space for that pass.
#[derive(Default)]
struct Tape {
    layers: Vec<Vec<f64>>,
    cotangent: Vec<f64>,
    next: Vec<f64>,
}

impl Mlp {
    /// A network with so many numbers in its layers, from the inputs to the outputs, and the range of each input.
    ///
    /// # Errors
    /// When a layer is empty, there are fewer than two, or a range is missing, empty or not finite.
    pub fn new(widths: &[usize], ranges: &[[f64; 2]]) -> Result<Self> {
        if widths.len() < 2 || widths.contains(&0) {
            return Err(Error::Widths(widths.to_vec()));
        }
        check("ranges of the inputs", ranges.len(), widths[0])?;
        for (input, &range) in ranges.iter().enumerate() {
            let slope = slope(&range);
            if !(range[0] < range[1] && slope > 0.0 && slope.is_finite()) {
                return Err(Error::Range { input, range });
            }
        }
        let mut start = 0;
        let layer = |pair: &[usize]| {
            let (inputs, outputs) = (pair[0], pair[1]);
            let weights = start..start + inputs * outputs;
            start = weights.end + outputs;
            Layer { inputs, outputs, bias: weights.end..start, weights }
        };
        let layers = widths.windows(2).map(layer).collect();
        Ok(Self { widths: widths.to_vec(), ranges: ranges.to_vec(), layers })
    }

    /// Numbers in each layer, from the inputs to the outputs.
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// The range of each input.
    pub fn ranges(&self) -> &[[f64; 2]] {
        &self.ranges
    }

    /// How many inputs a point has.
    pub fn inputs(&self) -> usize {
        self.widths[0]
    }

    /// How many outputs a point has.
    pub fn outputs(&self) -> usize {
        self.widths[self.widths.len() - 1]
    }

    /// How many parameters there are.
    pub fn count(&self) -> usize {
        self.layers[self.layers.len() - 1].bias.end
    }

    /// Parameters to start from: weights uniform with variance `2 / (inputs + outputs)` (Glorot and Bengio, AISTATS
    /// 2010, equation 16), biases uniform up to `1 / sqrt(inputs)`, lest the network be odd about the middle of its
    /// inputs. A seed gives the same on every machine.
    pub fn initial(&self, seed: u64) -> Vec<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut parameters = vec![0.0; self.count()];
        for layer in &self.layers {
            let bounds =
                [(6.0 / (layer.inputs + layer.outputs) as f64).sqrt(), 1.0 / (layer.inputs as f64).sqrt()];
            for (range, bound) in [&layer.weights, &layer.bias].into_iter().zip(bounds) {
                let uniform = |parameter: &mut f64| *parameter = bound * (2.0 * random.random::<f64>() - 1.0);
                parameters[range.clone()].iter_mut().for_each(uniform);
            }
        }
        parameters
    }

    /// Outputs `[point, output]` at points `[point, input]`.
    ///
    /// # Errors
    /// When an array has another length.
    pub fn forward(&self, parameters: &[f64], points: &[f64]) -> Result<Vec<f64>> {
        self.map(parameters, points, self.outputs(), |outputs, mapped| mapped.copy_from_slice(outputs))
    }

    /// What `to` makes of the outputs of each block of points: from `[point, output]` to `[point, width]`.
    pub(crate) fn map(
        &self,
        parameters: &[f64],
        points: &[f64],
        width: usize,
        to: impl Fn(&[f64], &mut [f64]) + Sync,
    ) -> Result<Vec<f64>> {
        let count = self.points(parameters, points)?;
        let mut mapped = vec![0.0; count * width];
        let blocks = mapped.par_chunks_mut(BLOCK * width).zip(points.par_chunks(BLOCK * self.inputs()));
        blocks.with_min_len(4).for_each_init(Tape::default, |tape, (mapped, points)| {
            self.record(parameters, points, tape);
            to(tape.outputs(), mapped);
        });
        Ok(mapped)
    }

    /// Vector-Jacobian product: the gradient of `sum(outputs * cotangent)` with respect to the parameters, `cotangent`
    /// `[point, output]` being kept fixed.
    ///
    /// # Errors
    /// When an array has another length.
    pub fn vjp(&self, parameters: &[f64], points: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        Ok(self.vjp_of_points(parameters, points, cotangent, false)?.0)
    }

    /// The same, and with respect to the points: `[point, input]`.
    ///
    /// # Errors
    /// When an array has another length.
    pub fn vjp_with_points(
        &self,
        parameters: &[f64],
        points: &[f64],
        cotangent: &[f64],
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        self.vjp_of_points(parameters, points, cotangent, true)
    }

    fn vjp_of_points(
        &self,
        parameters: &[f64],
        points: &[f64],
        cotangent: &[f64],
        of_points: bool,
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let n = self.outputs();
        check("cotangent", cotangent.len(), self.points(parameters, points)? * n)?;
        let copy = |block: Range<usize>, _: &[f64], own: &mut [f64]| {
            own.copy_from_slice(&cotangent[block.start * n..block.end * n]);
        };
        self.reverse(parameters, points, of_points, copy, |()| ())
    }

    /// The gradient of a sum over points in one pass, as activations are still in cache: for each block of points
    /// `cotangent(points, outputs, cotangents)` fills the derivatives `[point, output]` of its part of the sum and
    /// returns what `take` then gets, block after block in order, such as that part.
    ///
    /// # Errors
    /// When an array has another length.
    pub fn pull_back<T: Send>(
        &self,
        parameters: &[f64],
        points: &[f64],
        cotangent: impl Fn(Range<usize>, &[f64], &mut [f64]) -> T + Sync,
        take: impl FnMut(T),
    ) -> Result<Vec<f64>> {
        Ok(self.reverse(parameters, points, false, cotangent, take)?.0)
    }

    /// The gradient, and the cotangents of the points if asked for, else nothing. Gradients of blocks are added in
    /// order, so that the bits do not depend on the number of threads.
    fn reverse<T: Send>(
        &self,
        parameters: &[f64],
        points: &[f64],
        of_points: bool,
        cotangent: impl Fn(Range<usize>, &[f64], &mut [f64]) -> T + Sync,
        mut take: impl FnMut(T),
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let count = self.points(parameters, points)?;
        let (mut gradient, mut all) = (vec![0.0; self.count()], Vec::new());
        let blocks: Vec<Range<usize>> =
            (0..count).step_by(BLOCK).map(|start| start..count.min(start + BLOCK)).collect();
        for some in blocks.chunks(WAITING * rayon::current_num_threads()) {
            let work = |tape: &mut Tape, block: &Range<usize>| {
                let points = &points[block.start * self.inputs()..block.end * self.inputs()];
                self.record(parameters, points, tape);
                let mut own = std::mem::take(&mut tape.cotangent);
                own.clear();
                own.resize(block.len() * self.outputs(), 0.0);
                let result = cotangent(block.clone(), tape.outputs(), &mut own);
                tape.cotangent = own;
                let mut gradient = vec![0.0; self.count()];
                let of_block = self.replay(parameters, tape, &mut gradient, of_points);
                (result, gradient, of_block)
            };
            let results: Vec<_> = some.par_iter().with_min_len(4).map_init(Tape::default, work).collect();
            for (result, of_block, points) in results {
                gradient.iter_mut().zip(&of_block).for_each(|(sum, g)| *sum += g);
                all.extend(points);
                take(result);
            }
        }
        Ok((gradient, all))
    }

    /// How many points these are.
    fn points(&self, parameters: &[f64], points: &[f64]) -> Result<usize> {
        check("parameters", parameters.len(), self.count())?;
        let count = points.len() / self.inputs();
        check("points", points.len(), count * self.inputs())?;
        Ok(count)
    }

    /// The forward pass over one block.
    fn record(&self, parameters: &[f64], points: &[f64], tape: &mut Tape) {
        let count = points.len() / self.inputs();
        tape.layers.resize(self.widths.len(), Vec::new());
        tape.layers[0].clear();
        for point in points.chunks_exact(self.inputs()) {
            let scaled = point.iter().zip(&self.ranges).map(|(x, range)| (x - middle(range)) * slope(range));
            tape.layers[0].extend(scaled);
        }
        for (k, layer) in self.layers.iter().enumerate() {
            let (before, after) = tape.layers.split_at_mut(k + 1);
            let (from, to) = (rows(&before[k], layer.inputs), &mut after[0]);
            let (weights, bias) = (&parameters[layer.weights.clone()], &parameters[layer.bias.clone()]);
            to.clear();
            (0..count).for_each(|_| to.extend_from_slice(bias));
            multiply(to, Accum::Add, from, rows(weights, layer.outputs));
            if k + 1 < self.layers.len() {
                tanh_in_place(to);
            }
        }
    }

    /// The reverse pass over one block, from the tape's cotangent: fills the gradient, and returns the cotangents of the
    /// points or nothing.
    fn replay(&self, parameters: &[f64], tape: &mut Tape, gradient: &mut [f64], of_points: bool) -> Vec<f64> {
        let Tape { layers, cotangent, next } = tape;
        for (k, layer) in self.layers.iter().enumerate().rev() {
            let (from, of_outputs) = (rows(&layers[k], layer.inputs), rows(cotangent, layer.outputs));
            multiply(&mut gradient[layer.weights.clone()], Accum::Replace, from.transpose(), of_outputs);
            let bias = &mut gradient[layer.bias.clone()];
            for row in cotangent.chunks_exact(layer.outputs) {
                bias.iter_mut().zip(row).for_each(|(sum, c)| *sum += c);
            }
            if k == 0 && !of_points {
                return Vec::new();
            }
            next.clear();
            next.resize(layers[k].len(), 0.0);
            let weights = rows(&parameters[layer.weights.clone()], layer.outputs);
            multiply(next, Accum::Replace, of_outputs, weights.transpose());
            if k > 0 {
                times_derivative(next, &layers[k]);
            }
            std::mem::swap(cotangent, next);
        }
        for point in cotangent.chunks_exact_mut(self.inputs()) {
            point.iter_mut().zip(&self.ranges).for_each(|(c, range)| *c *= slope(range));
        }
        cotangent.clone()
    }
}

impl Tape {
    fn outputs(&self) -> &[f64] {
        &self.layers[self.layers.len() - 1]
    }
}

/// The number that is scaled to 0. Not of the sum of the ends, which may overflow.
fn middle(range: &[f64; 2]) -> f64 {
    0.5 * range[0] + 0.5 * range[1]
}

/// The derivative of the scaled number.
fn slope(range: &[f64; 2]) -> f64 {
    2.0 / (range[1] - range[0])
}

/// Rows of so many numbers as a matrix.
pub(crate) fn rows(numbers: &[f64], width: usize) -> MatRef<'_, f64> {
    MatRef::from_row_major_slice(numbers, numbers.len() / width, width)
}

/// The product of two matrices, row by row.
pub(crate) fn multiply(to: &mut [f64], accum: Accum, left: MatRef<'_, f64>, right: MatRef<'_, f64>) {
    let to = MatMut::from_row_major_slice_mut(to, left.nrows(), right.ncols());
    matmul(to, accum, left, right, 1.0, Par::Seq);
}
