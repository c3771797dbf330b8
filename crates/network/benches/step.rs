//! One step of training beside the plain way: standard tangents, all points at once.
//!
//! usage: cargo bench -p tessera-network
//!
//! A DeepONet with a trunk 3-64-64-64-N on 20,000 points and a branch 8-64-64-N for 16 samples: loss, gradient, Adam.
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use std::time::Instant;
use tessera_network::{Adam, AdamOptions, BasisModel, DeepONet, Mlp, Result};

const POINTS: usize = 20_000;
const SAMPLES: usize = 16;
const INPUTS: usize = 8;
const REPETITIONS: usize = 12;

fn main() -> Result<()> {
    println!("milliseconds a step, least of {REPETITIONS}; {POINTS} points, {SAMPLES} samples");
    println!(
        "  N | plain, 1 thread | 1 thread: one pass | forward, vjp | {} threads: one pass | plain / one pass",
        cores()
    );
    for n in [16, 32, 64] {
        let (points, inputs) = (uniform(POINTS * 3, 1), uniform(SAMPLES * INPUTS, 2));
        let target = vec![0.5; POINTS * SAMPLES];
        let [unit, many] = [3, INPUTS].map(|count| vec![[0.0, 1.0]; count]);
        let (trunk, branch) = (Mlp::new(&[3, 64, 64, 64, n], &unit)?, Mlp::new(&[INPUTS, 64, 64, n], &many)?);
        let model = DeepONet::new(trunk, branch, 1, 1)?;
        let factor = 2.0 / target.len() as f64;

        let one_pass = |model: &DeepONet| {
            let cotangent = |block: std::ops::Range<usize>, u: &[f64], own: &mut [f64]| {
                let target = &target[block.start * SAMPLES..block.end * SAMPLES];
                for ((own, u), t) in own.iter_mut().zip(u).zip(target) {
                    *own = factor * (u - t);
                }
                own.iter().map(|c| c * c).sum::<f64>()
            };
            let mut loss = 0.0;
            model.pull_back(&points, &inputs, cotangent, |part| loss += part)
        };
        let two_passes = |model: &DeepONet| {
            let u = model.forward(&points, &inputs)?;
            let cotangent: Vec<f64> = u.iter().zip(&target).map(|(u, t)| factor * (u - t)).collect();
            model.vjp(&points, &inputs, &cotangent)
        };
        let plain = |model: &DeepONet| Ok(plain_gradient(model, &points, &inputs, &target));

        let (ours, theirs) = (one_pass(&model)?, plain_gradient(&model, &points, &inputs, &target));
        let apart = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let size = theirs.iter().map(|g| g.abs()).fold(0.0, f64::max);
        assert!(apart < 1e-11 * size, "the two ways differ by {apart:e} of {size:e}");

        let slow = on(1, || time(&model, plain))?;
        let [fused, apart] = [on(1, || time(&model, one_pass))?, on(1, || time(&model, two_passes))?];
        let parallel = on(cores(), || time(&model, one_pass))?;
        println!(
            "{n:3} | {slow:15.1} | {fused:18.1} | {apart:12.1} | {parallel:19.1} | {:6.1}",
            slow / fused
        );
    }
    Ok(())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// With so many threads.
fn on<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads").install(work)
}

/// Least milliseconds of a step.
fn time(model: &DeepONet, gradient: impl Fn(&DeepONet) -> Result<Vec<f64>>) -> Result<f64> {
    let (mut model, mut least) = (model.clone(), f64::INFINITY);
    let mut parameters = model.parameters().to_vec();
    let mut adam = Adam::new(AdamOptions::default(), parameters.len())?;
    for _ in 0..REPETITIONS {
        let start = Instant::now();
        adam.step(&mut parameters, &gradient(&model)?)?;
        model.set_parameters(&parameters)?;
        least = least.min(start.elapsed().as_secs_f64());
    }
    Ok(1e3 * least)
}

/// Numbers from 0 to 1 without much order.
fn uniform(count: usize, seed: u64) -> Vec<f64> {
    (0..count).map(|i| ((i as u64 + seed * 7919) as f64 * 0.618_033_988_749_894_9).fract()).collect()
}

/// Derivatives of the mean square distance to the target.
fn plain_gradient(model: &DeepONet, points: &[f64], inputs: &[f64], target: &[f64]) -> Vec<f64> {
    let (of_trunk, of_branch) = model.parameters().split_at(model.trunk().count());
    let trunk = activations(model.trunk(), of_trunk, points);
    let branch = activations(model.branch(), of_branch, inputs);
    let n = model.trunk().outputs();
    let (t, c) = (rows(&trunk[trunk.len() - 1], n), rows(&branch[branch.len() - 1], n));
    let mut u = product(t, c.transpose());
    let factor = 2.0 / target.len() as f64;
    u.iter_mut().zip(target).for_each(|(u, t)| *u = factor * (*u - t));
    let u = rows(&u, SAMPLES);
    let mut gradient = reverse(model.trunk(), of_trunk, &trunk, product(u, c));
    gradient.extend(reverse(model.branch(), of_branch, &branch, product(u.transpose(), t)));
    gradient
}

/// Scaled inputs and the outputs of all layers.
fn activations(network: &Mlp, parameters: &[f64], points: &[f64]) -> Vec<Vec<f64>> {
    let mut layers = vec![points.iter().map(|x| 2.0 * x - 1.0).collect::<Vec<f64>>()];
    let mut start = 0;
    for (k, pair) in network.widths().windows(2).enumerate() {
        let weights = &parameters[start..start + pair[0] * pair[1]];
        let bias = &parameters[start + weights.len()..start + weights.len() + pair[1]];
        let mut outputs = product(rows(&layers[k], pair[0]), rows(weights, pair[1]));
        outputs.chunks_mut(pair[1]).for_each(|row| row.iter_mut().zip(bias).for_each(|(u, b)| *u += b));
        if k + 2 < network.widths().len() {
            outputs.iter_mut().for_each(|u| *u = u.tanh());
        }
        layers.push(outputs);
        start += weights.len() + pair[1];
    }
    layers
}

fn reverse(network: &Mlp, parameters: &[f64], layers: &[Vec<f64>], mut cotangent: Vec<f64>) -> Vec<f64> {
    let mut gradient = Vec::new();
    let mut end = parameters.len();
    for (k, pair) in network.widths().windows(2).enumerate().rev() {
        let mut layer = product(rows(&layers[k], pair[0]).transpose(), rows(&cotangent, pair[1]));
        layer.extend((0..pair[1]).map(|j| cotangent.iter().skip(j).step_by(pair[1]).sum::<f64>()));
        let weights = &parameters[end - layer.len()..end - pair[1]];
        end -= layer.len();
        layer.extend(gradient);
        gradient = layer;
        cotangent = product(rows(&cotangent, pair[1]), rows(weights, pair[1]).transpose());
        if k > 0 {
            cotangent.iter_mut().zip(&layers[k]).for_each(|(c, h)| *c *= 1.0 - h * h);
        }
    }
    gradient
}

fn rows(numbers: &[f64], width: usize) -> MatRef<'_, f64> {
    MatRef::from_row_major_slice(numbers, numbers.len() / width, width)
}

fn product(left: MatRef<'_, f64>, right: MatRef<'_, f64>) -> Vec<f64> {
    let mut to = vec![0.0; left.nrows() * right.ncols()];
    let all = MatMut::from_row_major_slice_mut(&mut to, left.nrows(), right.ncols());
    matmul(all, Accum::Replace, left, right, 1.0, Par::Seq);
    to
}
