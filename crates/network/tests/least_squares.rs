//! Bases that are learned through a constraint: weights of the functions by least squares on the equations of each
//! sample, derivatives by the implicit function theorem, no solutions given.
//!
//! For functions `B` at the nodes and equations `A u = f` a sample's field is `u = B w` with
//! `w = argmin |A B w - f|^2 + ridge |w|^2`. With `g` the derivatives of a loss with respect to `u`, `H = B^T A^T A B +
//! ridge`, `H alpha = B^T g` and `v = B alpha`, those with respect to the functions are `s w^T - p alpha^T`, where
//! `s = g - A^T A v` and `p = A^T (A u - f)`.
mod common;

use common::{Random, derivative, dot, falls_with_the_square, moved};
use faer::{Col, ColRef, Mat, MatRef};
use std::f64::consts::PI;
use tessera_network::{Adam, AdamOptions, BasisModel, DeepONet, Mlp, Schedule};

/// Cells of `-u'' = f` on the unit interval, `u` zero at both ends.
const CELLS: usize = 64;
const NODES: usize = CELLS - 1;
/// Sines in a right-hand side; their factors are the inputs of a sample.
const SINES: usize = 6;
/// Functions for each sample, fewer than solutions have dimensions.
const FUNCTIONS: usize = 4;

/// The equations at the nodes, scaled so that squared residuals are integrals.
struct Poisson {
    matrix: Mat<f64>,
    points: Vec<f64>,
    ridge: f64,
}

struct Solution {
    weights: Col<f64>,
    field: Col<f64>,
    residual: Col<f64>,
    /// `A B = U diag(sigma) V^T`.
    sigma: Vec<f64>,
    right: Mat<f64>,
}

impl Poisson {
    fn new(ridge: f64) -> Self {
        let h = 1.0 / CELLS as f64;
        let entry = |i: usize, j: usize| match i.abs_diff(j) {
            0 => 2.0,
            1 => -1.0,
            _ => 0.0,
        };
        let matrix = Mat::from_fn(NODES, NODES, |i, j| h.sqrt() / (h * h) * entry(i, j));
        Self { matrix, points: (1..CELLS).map(|i| i as f64 * h).collect(), ridge }
    }

    fn load(&self, factors: &[f64]) -> Col<f64> {
        let sine = |(j, c): (usize, &f64), x: f64| c * ((j + 1) as f64 * PI * x).sin();
        let value = |x: f64| factors.iter().enumerate().map(|pair| sine(pair, x)).sum::<f64>();
        Col::from_fn(NODES, |i| value(self.points[i]) / (CELLS as f64).sqrt())
    }

    /// The functions of a sample, zero at both ends.
    fn functions(&self, basis: &[f64], samples: usize, sample: usize) -> Mat<f64> {
        let n = basis.len() / NODES / samples;
        let bubble = |i: usize| self.points[i] * (1.0 - self.points[i]);
        Mat::from_fn(NODES, n, |i, k| bubble(i) * basis[(i * samples + sample) * n + k])
    }

    fn solve(&self, functions: MatRef<'_, f64>, load: ColRef<'_, f64>) -> Solution {
        let svd = (&self.matrix * functions).thin_svd().unwrap();
        let sigma: Vec<f64> = svd.S().column_vector().iter().copied().collect();
        let along = svd.U().transpose() * load;
        let scaled = Col::from_fn(sigma.len(), |k| along[k] * sigma[k] / (sigma[k].powi(2) + self.ridge));
        let weights = svd.V() * &scaled;
        let field = functions * &weights;
        let residual = &self.matrix * &field - load;
        Solution { weights, field, residual, sigma, right: svd.V().to_owned() }
    }

    /// Derivatives of a loss with respect to the functions, from those with respect to the field.
    fn cotangent(&self, functions: MatRef<'_, f64>, solution: &Solution, g: ColRef<'_, f64>) -> Mat<f64> {
        let along = solution.right.transpose() * (functions.transpose() * g);
        let inverse = |k: usize| along[k] / (solution.sigma[k].powi(2) + self.ridge);
        let alpha = &solution.right * Col::from_fn(along.nrows(), inverse);
        let s = g - self.matrix.transpose() * (&self.matrix * (functions * &alpha));
        let p = self.matrix.transpose() * &solution.residual;
        let pair = |i: usize, k: usize| s[i] * solution.weights[k] - p[i] * alpha[k];
        Mat::from_fn(NODES, alpha.nrows(), pair)
    }

    /// The mean over samples of the squared residual, and its gradient with respect to the model's parameters.
    fn loss(&self, model: &impl BasisModel, inputs: &[f64]) -> (f64, Vec<f64>) {
        let residual = |solution: &Solution| {
            let g = self.matrix.transpose() * &solution.residual * 2.0;
            (solution.residual.squared_norm_l2(), g)
        };
        self.mean(model, inputs, residual)
    }

    /// The mean over samples of a number that depends on the field, given with its derivatives.
    fn mean(
        &self,
        model: &impl BasisModel,
        inputs: &[f64],
        number: impl Fn(&Solution) -> (f64, Col<f64>),
    ) -> (f64, Vec<f64>) {
        let samples = inputs.len() / SINES;
        let basis = model.forward(&self.points, inputs).unwrap();
        let (mut sum, mut cotangent) = (0.0, vec![0.0; basis.len()]);
        for (sample, factors) in inputs.chunks(SINES).enumerate() {
            let functions = self.functions(&basis, samples, sample);
            let solution = self.solve(functions.as_ref(), self.load(factors).as_ref());
            let (value, g) = number(&solution);
            sum += value / samples as f64;
            let of_functions = self.cotangent(functions.as_ref(), &solution, g.as_ref());
            for (i, x) in self.points.iter().enumerate() {
                for k in 0..model.functions() {
                    cotangent[(i * samples + sample) * model.functions() + k] =
                        x * (1.0 - x) * of_functions[(i, k)] / samples as f64;
                }
            }
        }
        (sum, model.vjp(&self.points, inputs, &cotangent).unwrap())
    }
}

fn model(features: usize, seed: u64) -> DeepONet {
    let trunk = Mlp::new(&[1, 32, 32, features], &[[0.0, 1.0]]).unwrap();
    let branch = Mlp::new(&[SINES, 48, 48, features * FUNCTIONS], &[[-1.0, 1.0]; SINES]).unwrap();
    DeepONet::new(trunk, branch, FUNCTIONS, seed).unwrap()
}

/// A complete basis leaves nothing to choose: the field is the discrete solution.
#[test]
fn as_many_functions_as_nodes_give_the_discrete_solution() {
    let problem = Poisson::new(0.0);
    let factors = [1.0, 0.0, -0.5, 0.0, 0.0, 0.25];
    let solution =
        problem.solve(Mat::<f64>::identity(NODES, NODES).as_ref(), problem.load(&factors).as_ref());
    for (i, x) in problem.points.iter().enumerate() {
        // Sines are eigenvectors of the second difference.
        let exact = |(j, c): (usize, &f64)| {
            let wave = (j + 1) as f64 * PI;
            c * (wave * x).sin() / (2.0 * CELLS as f64 * (0.5 * wave / CELLS as f64).sin()).powi(2)
        };
        let exact: f64 = factors.iter().enumerate().map(exact).sum();
        assert!((solution.field[i] - exact).abs() < 1e-12, "{} {exact}", solution.field[i]);
    }
}

/// Of the residual, on which the weights' own derivatives act through the ridge alone, and of the distance to another
/// field, on which they act in full.
#[test]
fn gradients_through_least_squares_are_those_of_differences() {
    let mut random = Random::new();
    let inputs = random.within(2 * SINES, [-1.0, 1.0]);
    let start = model(8, 3);
    for (ridge, to_field) in [(1e-4, false), (0.1, false), (1e-4, true), (0.1, true)] {
        let problem = Poisson::new(ridge);
        let target = Col::from_fn(NODES, |i| problem.points[i].powi(2));
        let distance = |solution: &Solution| {
            let apart = &solution.field - &target;
            (apart.squared_norm_l2(), apart * 2.0)
        };
        let loss = |model: &DeepONet| match to_field {
            true => problem.mean(model, &inputs, distance),
            false => problem.loss(model, &inputs),
        };
        let gradient = loss(&start).1;
        for _ in 0..3 {
            let direction = random.within(gradient.len(), [-0.01, 0.01]);
            let along = |t: f64| {
                let mut model = start.clone();
                model.set_parameters(&moved(start.parameters(), t, &direction)).unwrap();
                loss(&model).0
            };
            let (slope, exact) = (dot(&gradient, &direction), derivative(along));
            assert!((slope - exact).abs() < 1e-7 * exact.abs(), "ridge {ridge}: {slope:e} {exact:e}");
            falls_with_the_square(along, slope);
        }
    }
}

/// Four functions that are the same for all samples cannot leave less than two of the six sines: each has 1/6 of the
/// mean square of the load, as the mean square of a factor is 1/3 and that of a sine 1/2.
const BEST_FIXED: f64 = 2.0 / 6.0;

#[test]
fn a_basis_is_learned_from_the_equations_alone() {
    let problem = Poisson::new(1e-10);
    let mut random = Random::new();
    let unseen = random.within(40 * SINES, [-1.0, 1.0]);
    let mut model = model(24, 1);
    let mut parameters = model.parameters().to_vec();
    let before = problem.loss(&model, &unseen).0;
    let steps = 3000;
    let options = AdamOptions {
        rate: 3e-3,
        schedule: Schedule::Cosine { steps },
        clip: Some(1.0),
        ..Default::default()
    };
    let mut adam = Adam::new(options, parameters.len()).unwrap();
    for _ in 0..steps {
        let inputs = random.within(8 * SINES, [-1.0, 1.0]);
        let gradient = problem.loss(&model, &inputs).1;
        adam.step(&mut parameters, &gradient).unwrap();
        model.set_parameters(&parameters).unwrap();
    }
    let after = problem.loss(&model, &unseen).0;
    assert!(after < 0.01 * before && after < 0.01 * BEST_FIXED, "from {before:e} to {after:e}");

    // The solutions, which nobody gave.
    let basis = model.forward(&problem.points, &unseen).unwrap();
    let [mut apart, mut size] = [0.0; 2];
    for (sample, factors) in unseen.chunks(SINES).enumerate() {
        let (functions, load) = (problem.functions(&basis, 40, sample), problem.load(factors));
        let solution = problem.solve(functions.as_ref(), load.as_ref());
        let exact = problem.solve(Mat::<f64>::identity(NODES, NODES).as_ref(), load.as_ref());
        apart += (&solution.field - &exact.field).squared_norm_l2();
        size += exact.field.squared_norm_l2();
    }
    assert!(apart < 1e-4 * size, "relative error {:e}", (apart / size).sqrt());
}
