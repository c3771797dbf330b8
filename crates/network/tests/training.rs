//! Training: against an implementation of its own, on known functions, and in parts.
mod common;

use common::{Random, bits, dot};
use tessera_network::{Adam, AdamOptions, AdamState, BasisModel, DeepONet, Error, Mlp, Schedule};

const SAMPLES: usize = 16;

/// Initial parameters by another generator.
fn initial(network: &Mlp, random: &mut Random) -> Vec<f64> {
    let layer = |pair: &[usize]| {
        let bound = (6.0 / (pair[0] + pair[1]) as f64).sqrt();
        let mut parameters = random.within(pair[0] * pair[1], [-1.0, 1.0]);
        parameters.iter_mut().for_each(|w| *w *= bound);
        parameters.extend(vec![0.0; pair[1]]);
        parameters
    };
    network.widths().windows(2).flat_map(layer).collect()
}

/// Losses and squared norms of gradients in steps on `sin(3 x + a) (1 + b y) + c exp(-10 (z - d)^2)`.
fn losses(points: usize, features: usize, steps: usize) -> Vec<[f64; 2]> {
    let mut random = Random::new();
    let x = random.within(points * 3, [0.0, 1.0]);
    let inputs = random.within(SAMPLES * 8, [0.0, 1.0]);
    let target = |p: &[f64], a: &[f64]| {
        let bump = (-10.0 * (p[2] - a[3]).powi(2)).exp();
        (3.0 * p[0] + a[0]).sin() * (1.0 + a[1] * p[1]) + a[2] * bump
    };
    let target: Vec<f64> = x.chunks(3).flat_map(|p| inputs.chunks(8).map(move |a| target(p, a))).collect();

    let trunk = Mlp::new(&[3, 64, 64, 64, features], &[[-1.0, 1.0]; 3]).unwrap();
    let branch = Mlp::new(&[8, 64, 64, features], &[[-1.0, 1.0]; 8]).unwrap();
    let mut parameters = initial(&trunk, &mut random);
    parameters.extend(initial(&branch, &mut random));
    let mut model = DeepONet::new(trunk, branch, 1, 0).unwrap();
    let mut adam = Adam::new(AdamOptions::default(), parameters.len()).unwrap();
    let cotangent = |block: std::ops::Range<usize>, u: &[f64], own: &mut [f64]| {
        let target = &target[block.start * SAMPLES..block.end * SAMPLES];
        let apart = u.iter().zip(target).map(|(u, t)| u - t);
        own.iter_mut().zip(apart).for_each(|(own, e)| *own = 2.0 * e / (points * SAMPLES) as f64);
        u.iter().zip(target).map(|(u, t)| (u - t).powi(2)).sum::<f64>()
    };
    (0..steps)
        .map(|_| {
            model.set_parameters(&parameters).unwrap();
            let mut loss = 0.0;
            let gradient = model.pull_back(&x, &inputs, cotangent, |part: f64| loss += part).unwrap();
            let norm = adam.step(&mut parameters, &gradient).unwrap();
            [loss / (points * SAMPLES) as f64, norm * norm]
        })
        .collect()
}

/// The figures are of a program of its own; those of the first step also of burn and candle, to 13 digits.
#[test]
fn losses_and_gradients_are_those_of_another_implementation() {
    let close = |ours: [f64; 2], other: [f64; 2], tolerance: f64| {
        for (ours, other) in ours.iter().zip(other) {
            assert!((ours - other).abs() < tolerance * other, "{ours:.17e}, expected {other:.17e}");
        }
    };
    close(losses(20_000, 32, 1)[0], [1.681_117_441_848_965, 156.660_943_173_659_1], 1e-12);
    let many = losses(2000, 16, 100);
    close(many[0], [1.175_194_688_869_659_6, 26.001_403_596_354_137], 1e-12);
    close(many[99], [9.329_144_988_156_242e-2, 2.936_665_695_104_242_3e-2], 1e-8);
}

#[test]
fn a_network_learns_a_sine() {
    let network = Mlp::new(&[1, 16, 16, 1], &[[0.0, 6.3]]).unwrap();
    let points: Vec<f64> = (0..64).map(|i| 0.1 * f64::from(i)).collect();
    let mut parameters = network.initial(2);
    let options =
        AdamOptions { rate: 3e-3, schedule: Schedule::Cosine { steps: 30_000 }, ..Default::default() };
    let mut adam = Adam::new(options, network.count()).unwrap();
    for _ in 0..30_000 {
        let values = network.forward(&parameters, &points).unwrap();
        let apart: Vec<f64> = values.iter().zip(&points).map(|(u, x)| (u - x.sin()) / 64.0).collect();
        let gradient = network.vjp(&parameters, &points, &apart).unwrap();
        adam.step(&mut parameters, &gradient).unwrap();
    }
    let between: Vec<f64> = (0..630).map(|i| 0.01 * f64::from(i)).collect();
    let values = network.forward(&parameters, &between).unwrap();
    let worst = values.iter().zip(&between).fold(0.0f64, |worst, (u, x)| worst.max((u - x.sin()).abs()));
    assert!(worst < 1e-3, "{worst:e}");
}

#[test]
fn a_deep_o_net_learns_a_family_of_one_parameter() {
    let exact = |x: f64, a: f64| (-a * x).exp();
    let trunk = Mlp::new(&[1, 32, 32, 16], &[[0.0, 1.0]]).unwrap();
    let branch = Mlp::new(&[1, 32, 32, 16], &[[1.0, 5.0]]).unwrap();
    let mut model = DeepONet::new(trunk, branch, 1, 3).unwrap();
    let points: Vec<f64> = (0..=40).map(|i| f64::from(i) / 40.0).collect();
    let inputs: Vec<f64> = (0..9).map(|i| 1.0 + 0.5 * f64::from(i)).collect();
    let mut parameters = model.parameters().to_vec();
    let options =
        AdamOptions { rate: 1e-2, schedule: Schedule::Cosine { steps: 10_000 }, ..Default::default() };
    let mut adam = Adam::new(options, parameters.len()).unwrap();
    let target: Vec<f64> = points.iter().flat_map(|&x| inputs.iter().map(move |&a| exact(x, a))).collect();
    for _ in 0..10_000 {
        let values = model.forward(&points, &inputs).unwrap();
        let apart: Vec<f64> =
            values.iter().zip(&target).map(|(u, t)| (u - t) / target.len() as f64).collect();
        adam.step(&mut parameters, &model.vjp(&points, &inputs, &apart).unwrap()).unwrap();
        model.set_parameters(&parameters).unwrap();
    }
    let values = model.forward(&[0.0, 0.31, 0.77], &[1.3, 2.72, 4.6]).unwrap();
    for (i, x) in [0.0, 0.31, 0.77].into_iter().enumerate() {
        for (j, a) in [1.3, 2.72, 4.6].into_iter().enumerate() {
            let (value, exact) = (values[3 * i + j], exact(x, a));
            assert!((value - exact).abs() < 1e-2, "x = {x}, a = {a}: {value}, expected {exact}");
        }
    }
}

/// A gradient that changes from step to step.
fn gradient(parameters: &[f64]) -> Vec<f64> {
    parameters.iter().enumerate().map(|(k, p)| (k as f64 + 1.0) * p + (7.0 * p).sin()).collect()
}

#[test]
fn going_on_from_a_state_gives_the_same_bits() {
    for schedule in [Schedule::Constant, Schedule::Cosine { steps: 50 }, Schedule::Halving { every: 8 }] {
        let options = AdamOptions { rate: 0.02, schedule, clip: Some(3.0), ..Default::default() };
        let mut whole = Random::new().within(40, [-1.0, 1.0]);
        let mut parts = whole.clone();
        let mut adam = Adam::new(options, 40).unwrap();
        for step in 0..30 {
            let gradient = gradient(&whole);
            adam.step(&mut whole, &gradient).unwrap();
            assert_eq!(adam.state().step, step + 1);
        }
        let mut state = AdamState { step: 0, first: vec![0.0; 40], second: vec![0.0; 40] };
        for _ in 0..30 {
            // Through bytes, as in a file.
            let through = |x: &f64| f64::from_le_bytes(x.to_le_bytes());
            state.first = state.first.iter().map(through).collect();
            let mut adam = Adam::resume(options, state).unwrap();
            let gradient = gradient(&parts);
            adam.step(&mut parts, &gradient).unwrap();
            state = adam.state().clone();
        }
        assert_eq!(bits(&whole), bits(&parts));
        assert_eq!(adam.state(), &state);
    }
}

#[test]
fn the_first_steps_are_those_of_the_paper() {
    let options = AdamOptions { rate: 0.1, ..Default::default() };
    let (mut adam, mut parameters) = (Adam::new(options, 2).unwrap(), [1.0, 2.0]);
    assert_eq!(adam.step(&mut parameters, &[3.0, -4.0]).unwrap(), 5.0);
    // The corrected means are the gradient and its square: a step of the rate against the sign.
    assert!((parameters[0] - 0.9).abs() < 1e-9 && (parameters[1] - 2.1).abs() < 1e-9, "{parameters:?}");
    adam.step(&mut parameters, &[1.0, -4.0]).unwrap();
    let (m, v) = ((0.09 * 3.0 + 0.1) / 0.19, (0.000_999 * 9.0 + 0.001) / 0.001_999f64);
    assert!((parameters[0] - (0.9 - 0.1 * m / v.sqrt())).abs() < 1e-9, "{parameters:?}");
}

#[test]
fn rates_follow_their_schedules_and_long_gradients_are_cut() {
    let rates = |schedule, steps: &[u64]| -> Vec<f64> {
        let rate = |&step| {
            let state = AdamState { step, first: vec![], second: vec![] };
            Adam::resume(AdamOptions { rate: 8.0, schedule, ..Default::default() }, state).unwrap().rate()
        };
        steps.iter().map(rate).collect()
    };
    assert_eq!(rates(Schedule::Constant, &[0, 9]), [8.0, 8.0]);
    assert_eq!(rates(Schedule::Halving { every: 3 }, &[0, 2, 3, 9]), [8.0, 8.0, 4.0, 1.0]);
    let cosine = rates(Schedule::Cosine { steps: 6 }, &[0, 2, 3, 6, 7]);
    cosine
        .iter()
        .zip([8.0, 6.0, 4.0, 0.0, 0.0])
        .for_each(|(a, b)| assert!((a - b).abs() < 1e-14, "{cosine:?}"));

    let options = AdamOptions { clip: Some(2.0), first: 0.0, ..Default::default() };
    let mut adam = Adam::new(options, 2).unwrap();
    assert_eq!(adam.step(&mut [0.0, 0.0], &[3.0, -4.0]).unwrap(), 5.0);
    assert!((dot(&adam.state().first, &adam.state().first) - 4.0).abs() < 1e-14);
    adam.step(&mut [0.0, 0.0], &[1.0, 1.0]).unwrap();
    assert_eq!(adam.state().first, [1.0, 1.0]);
}

#[test]
fn what_cannot_be_trained_is_an_error() {
    let mut adam = Adam::new(AdamOptions::default(), 2).unwrap();
    let (mut parameters, before) = ([1.0, 2.0], adam.clone());
    let error = adam.step(&mut parameters, &[f64::NAN, 0.0]).unwrap_err();
    assert_eq!(error, Error::NotFinite { step: 1 });
    assert!(adam.step(&mut parameters, &[1.0]).is_err() && adam.step(&mut [1.0], &[1.0]).is_err());
    assert_eq!((parameters, &adam), ([1.0, 2.0], &before));
    for options in [
        AdamOptions { rate: 0.0, ..Default::default() },
        AdamOptions { first: 1.0, ..Default::default() },
        AdamOptions { second: -0.1, ..Default::default() },
        AdamOptions { epsilon: f64::NAN, ..Default::default() },
        AdamOptions { clip: Some(0.0), ..Default::default() },
        AdamOptions { schedule: Schedule::Halving { every: 0 }, ..Default::default() },
    ] {
        assert!(matches!(Adam::new(options, 1), Err(Error::Setting { .. })), "{options:?}");
    }
    let state = AdamState { step: 1, first: vec![0.0; 2], second: vec![0.0; 3] };
    assert!(Adam::resume(AdamOptions::default(), state).is_err());
}
