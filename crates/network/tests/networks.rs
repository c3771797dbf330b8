//! Networks against plain loops, differences and an implementation of its own.
mod common;

use common::{Random, bits, derivative, dot, falls_with_the_square, moved, on};
use tessera_network::{BasisModel, DeepONet, Error, Mlp};

const RANGES: [[f64; 2]; 2] = [[-3.0, 1.0], [2.0, 6.0]];

fn points(count: usize, random: &mut Random) -> Vec<f64> {
    (0..count).flat_map(|_| RANGES.map(|range| random.within(1, range)[0])).collect()
}

/// Three blocks of points, a network and a cotangent.
fn case() -> (Mlp, Vec<f64>, Vec<f64>, Vec<f64>, Random) {
    let mut random = Random::new();
    let network = Mlp::new(&[2, 5, 4, 3], &RANGES).unwrap();
    let (points, cotangent) = (points(600, &mut random), random.within(1800, [-1.0, 1.0]));
    let parameters = random.within(network.count(), [-1.0, 1.0]);
    (network, parameters, points, cotangent, random)
}

fn deep_o_net() -> (DeepONet, Vec<f64>, Vec<f64>, Vec<f64>, Random) {
    let mut random = Random::new();
    let trunk = Mlp::new(&[2, 6, 5], &RANGES).unwrap();
    let branch = Mlp::new(&[3, 7, 20], &[[0.0, 2.0]; 3]).unwrap();
    let mut model = DeepONet::new(trunk, branch, 4, 1).unwrap();
    model.set_parameters(&random.within(model.parameters().len(), [-1.0, 1.0])).unwrap();
    let (points, inputs) = (points(600, &mut random), random.within(2 * 3, [0.0, 2.0]));
    let cotangent = random.within(600 * 2 * 4, [-1.0, 1.0]);
    (model, points, inputs, cotangent, random)
}

#[test]
fn outputs_are_those_of_plain_loops() {
    let (network, parameters, points, ..) = case();
    let ours = network.forward(&parameters, &points).unwrap();
    for (point, ours) in points.chunks(2).zip(ours.chunks(3)) {
        let mut values = vec![(point[0] + 1.0) / 2.0, (point[1] - 4.0) / 2.0];
        let mut rest = &parameters[..];
        for (inputs, outputs) in [(2, 5), (5, 4), (4, 3)] {
            let sum = |j: usize| (0..inputs).map(|i| values[i] * rest[i * outputs + j]).sum::<f64>();
            let next: Vec<f64> = (0..outputs).map(|j| rest[inputs * outputs + j] + sum(j)).collect();
            values = if outputs == 3 { next } else { next.into_iter().map(f64::tanh).collect() };
            rest = &rest[(inputs + 1) * outputs..];
        }
        assert!(rest.is_empty());
        ours.iter().zip(&values).for_each(|(a, b)| assert!((a - b).abs() < 1e-14, "{a} {b}"));
    }
}

#[test]
fn every_derivative_is_that_of_differences() {
    let (network, parameters, points, cotangent, _) = case();
    let value =
        |parameters: &[f64], points: &[f64]| dot(&network.forward(parameters, points).unwrap(), &cotangent);
    let (gradient, of_points) = network.vjp_with_points(&parameters, &points, &cotangent).unwrap();
    assert_eq!(bits(&gradient), bits(&network.vjp(&parameters, &points, &cotangent).unwrap()));
    let size = dot(&gradient, &gradient).sqrt();
    for k in 0..network.count() {
        let mut direction = vec![0.0; network.count()];
        direction[k] = 1.0;
        let exact = derivative(|t| value(&moved(&parameters, t, &direction), &points));
        assert!((gradient[k] - exact).abs() < 1e-8 * size, "parameter {k}: {} {exact}", gradient[k]);
    }
    let size = of_points.iter().fold(0.0f64, |most, c| most.max(c.abs()));
    for k in (0..points.len()).step_by(37) {
        let mut direction = vec![0.0; points.len()];
        direction[k] = 1.0;
        let exact = derivative(|t| value(&parameters, &moved(&points, t, &direction)));
        assert!((of_points[k] - exact).abs() < 1e-8 * size, "coordinate {k}: {} {exact}", of_points[k]);
    }
}

#[test]
fn derivatives_of_learned_bases_are_those_of_differences() {
    let (model, points, inputs, cotangent, mut random) = deep_o_net();
    let value = |parameters: &[f64], inputs: &[f64]| {
        let mut model = model.clone();
        model.set_parameters(parameters).unwrap();
        dot(&model.forward(&points, inputs).unwrap(), &cotangent)
    };
    let (gradient, of_inputs) = model.vjp_with_inputs(&points, &inputs, &cotangent).unwrap();
    let parameters = model.parameters();
    for _ in 0..3 {
        let direction = random.within(parameters.len(), [-0.3, 0.3]);
        let along = |t: f64| value(&moved(parameters, t, &direction), &inputs);
        let (slope, exact) = (dot(&gradient, &direction), derivative(along));
        assert!((slope - exact).abs() < 1e-8 * exact.abs(), "{slope} {exact}");
        falls_with_the_square(along, slope);
        let direction = random.within(inputs.len(), [-1.0, 1.0]);
        let exact = derivative(|t| value(parameters, &moved(&inputs, t, &direction)));
        let slope = dot(&of_inputs, &direction);
        assert!((slope - exact).abs() < 1e-8 * exact.abs(), "{slope} {exact}");
    }
    // One pass gives the same, and the values.
    let mut sum = 0.0;
    let copy = |block: std::ops::Range<usize>, basis: &[f64], own: &mut [f64]| {
        own.copy_from_slice(&cotangent[8 * block.start..8 * block.end]);
        dot(basis, own)
    };
    let fused = model.pull_back(&points, &inputs, copy, |part| sum += part).unwrap();
    assert_eq!(bits(&fused), bits(&gradient));
    assert!((sum - value(parameters, &inputs)).abs() < 1e-12 * sum.abs());
}

#[test]
fn functions_are_features_times_coefficients_of_their_sample() {
    let (model, points, inputs, ..) = deep_o_net();
    let (of_trunk, of_branch) = model.parameters().split_at(model.trunk().count());
    let features = model.trunk().forward(of_trunk, &points).unwrap();
    let coefficients = model.branch().forward(of_branch, &inputs).unwrap();
    let basis = model.forward(&points, &inputs).unwrap();
    for (p, s, n) in [(0, 0, 0), (300, 0, 3), (300, 1, 0), (599, 1, 2)] {
        let sum: f64 = (0..5).map(|f| features[5 * p + f] * coefficients[20 * s + 4 * f + n]).sum();
        assert!((basis[(2 * p + s) * 4 + n] - sum).abs() < 1e-14);
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    let mut random = Random::new();
    let trunk = Mlp::new(&[2, 32, 32, 16], &RANGES).unwrap();
    let branch = Mlp::new(&[3, 8, 64], &[[0.0, 2.0]; 3]).unwrap();
    let model = DeepONet::new(trunk, branch, 4, 5).unwrap();
    // More blocks than wait at once on one thread, the last one short.
    let (points, inputs) = (points(9001, &mut random), random.within(3, [0.0, 2.0]));
    let cotangent = random.within(9001 * 4, [-1.0, 1.0]);
    let results = [1, 2, 4].map(|threads| {
        on(threads, || {
            let mut numbers = model.forward(&points, &inputs).unwrap();
            numbers.extend(model.vjp(&points, &inputs, &cotangent).unwrap());
            bits(&numbers)
        })
    });
    assert!(results[0] == results[1] && results[0] == results[2]);
}

#[test]
fn initial_parameters_are_glorots_and_of_their_seed() {
    let network = Mlp::new(&[60, 140, 60], &[[0.0, 1.0]; 60]).unwrap();
    let parameters = network.initial(3);
    let (bound, weights) = ((6.0f64 / 200.0).sqrt(), &parameters[..60 * 140]);
    assert!(weights.iter().all(|w| w.abs() < bound) && weights.iter().any(|w| w.abs() > 0.999 * bound));
    let variance = dot(weights, weights) / weights.len() as f64;
    assert!((variance * 100.0 - 1.0).abs() < 0.05, "{variance}");
    assert!(weights.iter().sum::<f64>().abs() < 3.0 * (weights.len() as f64 / 100.0).sqrt());
    let (biases, bound) = (&parameters[60 * 140..61 * 140], 1.0 / 60.0f64.sqrt());
    assert!(biases.iter().all(|b| b.abs() < bound) && biases.iter().any(|b| b.abs() > 0.9 * bound));
    // Not odd about the middle.
    let [left, right] = [0.2, 0.8].map(|x| network.forward(&parameters, &[x; 60]).unwrap());
    assert!((left[0] + right[0]).abs() > 0.01);
    assert_ne!(parameters, network.initial(4));
    // ChaCha with 8 rounds and a seed spread by PCG32, computed apart: files of learned parameters name the seed alone.
    assert_eq!(bits(&network.initial(3)[..2]), [0x3fa5_cf4c_25ce_049e, 0xbfc2_90b7_004f_2c5b]);
}

#[test]
fn what_does_not_fit_is_an_error() {
    assert_eq!(Mlp::new(&[2], &RANGES).unwrap_err(), Error::Widths(vec![2]));
    assert_eq!(Mlp::new(&[2, 0, 1], &RANGES).unwrap_err(), Error::Widths(vec![2, 0, 1]));
    for range in [[1.0, 1.0], [2.0, 1.0], [f64::NAN, 1.0], [0.0, f64::INFINITY], [-1e308, 1.5e308]] {
        let error = Mlp::new(&[2, 3], &[[0.0, 1.0], range]).unwrap_err();
        assert!(matches!(error, Error::Range { input: 1, .. }), "{error}");
    }
    let (network, parameters, points, cotangent, _) = case();
    let words = |error: Error| error.to_string();
    assert_eq!(
        words(network.forward(&parameters[1..], &points).unwrap_err()),
        "parameters: expected 54 numbers, found 53"
    );
    assert_eq!(
        words(network.forward(&parameters, &points[1..]).unwrap_err()),
        "points: expected 1198 numbers, found 1199"
    );
    assert_eq!(
        words(network.vjp(&parameters, &points, &cotangent[3..]).unwrap_err()),
        "cotangent: expected 1800 numbers, found 1797"
    );
    assert!(network.forward(&parameters, &[]).unwrap().is_empty());
    assert_eq!(network.vjp(&parameters, &[], &[]).unwrap(), vec![0.0; 54]);

    let (mut model, points, inputs, cotangent, _) = deep_o_net();
    assert!(model.set_parameters(&[0.0]).is_err());
    assert!(model.vjp(&points, &inputs, &cotangent[8..]).is_err());
    assert!(model.forward(&points, &inputs[1..]).is_err());
    assert!(model.forward(&points, &[]).is_err());
    let (trunk, branch) = (model.trunk().clone(), model.branch().clone());
    assert!(DeepONet::new(trunk.clone(), branch.clone(), 3, 1).is_err());
    assert!(DeepONet::new(trunk, branch, 0, 1).is_err());
}
