//! Random fields by the eigenfunctions of the Laplacian on a box.
use super::noise::{Noise, SIGNATURE};
use crate::deck::{self, Deck};
use crate::fem::Space;
use std::f64::consts::{PI, SQRT_2};

/// Most wave numbers along a direction unless the deck says otherwise, in one, two and three dimensions.
const MOST: [usize; 3] = [1024, 256, 64];
/// Numbers of the noise from one function to the next along the second and third direction.
const STRIDE: u64 = 1 << 20;

/// `g = scale * sum_k (lambda_k + tau^2)^(-alpha/2) xi_k phi_k` with the eigenvalues `lambda_k > 0` of the negative
/// Laplacian, its eigenfunctions `phi_k` of L2 norm 1 and independent standard normal `xi_k`.
pub struct Spectral {
    axes: Vec<Axis>,
    /// The owned nodes, each with the place of its coordinates among those of the axes; by the last coordinates first.
    nodes: Vec<(usize, [u32; 3])>,
    /// `scale * (lambda_k + tau^2)^(-alpha/2)` and the number of the noise, `[third][second][first]` direction.
    amplitudes: Vec<(f64, u64)>,
    /// Places of the largest amplitudes, descending: those kept when the expansion is cut off, otherwise a few.
    leading: Vec<usize>,
    /// Whether the expansion is cut off after them.
    cut_off: bool,
}

/// The functions of one direction at the coordinates that occur.
struct Axis {
    eigenvalues: Vec<f64>,
    /// `[coordinate][function]`.
    values: Vec<Vec<f64>>,
}

impl Spectral {
    /// Tabulates the eigenfunctions at the owned nodes. Local.
    pub fn new(space: &Space, deck: &Deck, section: &deck::Spectral) -> Self {
        let d = space.mesh.dimension;
        let points: Vec<[f64; 3]> = (0..space.owned_nodes).map(|node| space.point(node)).collect();
        let mut nodes: Vec<(usize, [u32; 3])> = (0..points.len()).map(|node| (node, [0; 3])).collect();
        let mut axes = Vec::new();
        let block = deck.mesh.block.as_ref();
        for axis in 0..d {
            let mut places: Vec<f64> = points.iter().map(|x| x[axis]).collect();
            places.sort_unstable_by(f64::total_cmp);
            places.dedup();
            for ((_, at), x) in nodes.iter_mut().zip(&points) {
                at[axis] = places.partition_point(|&place| place < x[axis]) as u32;
            }
            // The deck has been checked: there is a box.
            let (lower, upper, cells, periodic) = block.map_or((0.0, 1.0, 1, false), |b| {
                (b.lower()[axis], b.upper()[axis], b.cells[axis], b.is_periodic()[axis])
            });
            let modes = section.modes.unwrap_or((cells as usize).min(MOST[d - 1]));
            axes.push(Axis::new(&places, (lower, upper - lower), modes, periodic));
        }
        let (tau, alpha) = (section.tau, section.alpha);
        let scale = section.scale.unwrap_or_else(|| tau.powf(alpha - 0.5 * d as f64));
        let amplitude = |eigenvalue: f64| match eigenvalue {
            0.0 => 0.0,
            _ => scale * (eigenvalue + tau * tau).powf(-0.5 * alpha),
        };
        let eigenvalues = |d: usize| axes.get(d).map_or(&[0.0][..], |axis: &Axis| &axis.eigenvalues);
        let mut amplitudes = Vec::new();
        for (c, third) in (0..).zip(eigenvalues(2)) {
            for (b, second) in (0..).zip(eigenvalues(1)) {
                for (a, first) in (0..).zip(eigenvalues(0)) {
                    amplitudes.push((amplitude(first + second + third), (c * STRIDE + b) * STRIDE + a));
                }
            }
        }
        nodes.sort_unstable_by_key(|&(_, [a, b, c])| [c, b, a]);
        let mut leading: Vec<usize> = (0..amplitudes.len()).filter(|&k| amplitudes[k].0 > 0.0).collect();
        // Stable, and equal to single precision is equal: the order does not depend on rounding.
        leading.sort_by(|&j, &k| (amplitudes[k].0 as f32).total_cmp(&(amplitudes[j].0 as f32)));
        leading.truncate(section.terms.unwrap_or(SIGNATURE));
        let cut_off = section.terms.is_some();
        if cut_off {
            let mut kept = vec![false; amplitudes.len()];
            leading.iter().for_each(|&k| kept[k] = true);
            amplitudes.iter_mut().zip(kept).filter(|(_, kept)| !kept).for_each(|(a, _)| a.0 = 0.0);
        }
        Self { axes, nodes, amplitudes, leading, cut_off }
    }

    /// Standard deviations of the coefficients of the Karhunen-Loeve expansion, if it is cut off. Local.
    pub fn deviations(&self) -> Option<Vec<f64>> {
        self.cut_off.then(|| self.leading.iter().map(|&k| self.amplitudes[k].0).collect())
    }

    /// The coefficients of a draw that belong to the largest amplitudes. Local.
    pub fn coefficients(&self, noise: &Noise) -> Vec<f64> {
        self.leading.iter().map(|&k| noise.normal(self.amplitudes[k].1)).collect()
    }

    /// The leading parts of a draw. Local.
    pub fn signature(&self, noise: &Noise) -> Vec<f64> {
        let first = &self.leading[..self.leading.len().min(SIGNATURE)];
        let total: f64 = first.iter().map(|&k| self.amplitudes[k].0.powi(2)).sum();
        let part = |&k: &usize| {
            let (amplitude, number) = self.amplitudes[k];
            amplitude * noise.normal(number) / total.sqrt()
        };
        first.iter().map(part).collect()
    }

    /// Function `k` of the expansion that is cut off, with its amplitude, at the owned nodes. Local.
    pub fn function(&self, k: usize, result: &mut [f64]) {
        let mut coefficients = vec![0.0; self.amplitudes.len()];
        coefficients[self.leading[k]] = self.amplitudes[self.leading[k]].0;
        self.combine(&coefficients, result);
    }

    /// The numbers of the noise that belong to the largest amplitudes.
    pub fn numbers(&self) -> Vec<u64> {
        self.leading.iter().map(|&k| self.amplitudes[k].1).collect()
    }

    /// One draw at the owned nodes. Local.
    pub fn draw(&self, noise: &Noise, result: &mut [f64]) {
        let mut numbers = noise.numbers();
        let coefficients: Vec<f64> = self
            .amplitudes
            .iter()
            .map(|&(amplitude, number)| match amplitude {
                0.0 => 0.0,
                _ => amplitude * numbers.normal(number),
            })
            .collect();
        self.combine(&coefficients, result);
    }

    fn combine(&self, coefficients: &[f64], result: &mut [f64]) {
        // Direction after direction: nodes with the same last coordinates share the sums over them.
        let count = |d: usize| self.axes.get(d).map_or(1, |axis| axis.eigenvalues.len());
        let (mut second, mut first) = (vec![0.0; count(0) * count(1)], vec![0.0; count(0)]);
        let mut last: Option<[u32; 3]> = None;
        for &(node, at) in &self.nodes {
            let new_plane = last.is_none_or(|l| l[2] != at[2]);
            if new_plane {
                self.sum(2, at[2], coefficients, &mut second);
            }
            if new_plane || last.is_none_or(|l| l[1] != at[1]) {
                self.sum(1, at[1], &second, &mut first);
            }
            let values = &self.axes[0].values[at[0] as usize];
            result[node] = values.iter().zip(&first).map(|(v, c)| v * c).sum();
            last = Some(at);
        }
    }

    /// Sums `terms` over the functions of a direction at one of its coordinates.
    fn sum(&self, direction: usize, place: u32, terms: &[f64], sums: &mut [f64]) {
        let Some(axis) = self.axes.get(direction) else {
            sums.copy_from_slice(terms);
            return;
        };
        sums.fill(0.0);
        for (value, row) in axis.values[place as usize].iter().zip(terms.chunks_exact(sums.len())) {
            for (sum, term) in sums.iter_mut().zip(row) {
                *sum += value * term;
            }
        }
    }
}

impl Axis {
    fn new(places: &[f64], (lower, length): (f64, f64), modes: usize, periodic: bool) -> Self {
        let functions = if periodic { 2 * modes - 1 } else { modes };
        // Wave number of a function: 0, 1, 2, ... or 0, 1, 1, 2, 2, ...
        let wave = |k: usize| match periodic {
            true => 2.0 * PI * k.div_ceil(2) as f64 / length,
            false => PI * k as f64 / length,
        };
        let norm = 1.0 / length.sqrt();
        let value = |k: usize, x: f64| match k {
            0 => norm,
            k if periodic && k % 2 == 0 => SQRT_2 * norm * (wave(k) * (x - lower)).sin(),
            k => SQRT_2 * norm * (wave(k) * (x - lower)).cos(),
        };
        Self {
            eigenvalues: (0..functions).map(|k| wave(k).powi(2)).collect(),
            values: places.iter().map(|&x| (0..functions).map(|k| value(k, x)).collect()).collect(),
        }
    }
}
