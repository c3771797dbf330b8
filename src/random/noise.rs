//! Standard normal numbers that are addressed, not counted: the same wherever and in whatever order they are asked for.
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Number of low-frequency coefficients by which draws are compared.
pub(super) const SIGNATURE: usize = 16;

/// The numbers of one draw of one field.
pub struct Noise {
    /// Independent sources with their weights, whose squares add up to 1.
    sources: Vec<(f64, ChaCha8Rng)>,
}

impl Noise {
    /// Those of a sample of the field `name`.
    pub fn new(seed: u64, name: &str, sample: u64) -> Self {
        // FNV-1a: two fields of one seed are independent.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut key = [0; 32];
        for (part, number) in key.chunks_exact_mut(8).zip([seed, sample, hash]) {
            part.copy_from_slice(&number.to_le_bytes());
        }
        Self { sources: vec![(1.0, ChaCha8Rng::from_seed(key))] }
    }

    /// A sum of several, which correlates with each of them by its weight.
    pub fn sum(parts: impl IntoIterator<Item = (f64, Self)>) -> Self {
        let weighed = |(weight, part): (f64, Self)| {
            part.sources.into_iter().map(move |(inner, generator)| (weight * inner, generator))
        };
        Self { sources: parts.into_iter().flat_map(weighed).collect() }
    }

    /// Number `index`.
    pub fn normal(&self, index: u64) -> f64 {
        self.numbers().normal(index)
    }

    /// A view for many numbers, quickest where neighbours follow one another.
    pub fn numbers(&self) -> Numbers<'_> {
        Numbers { noise: self, blocks: vec![(u64::MAX, [0.0; BLOCK]); self.sources.len()] }
    }
}

/// Numbers that the generator makes at a time.
const BLOCK: usize = 32;

/// The numbers of one draw, with the last ones at hand.
pub struct Numbers<'a> {
    noise: &'a Noise,
    /// Of each source, the present block and its number.
    blocks: Vec<(u64, [f64; BLOCK])>,
}

impl Numbers<'_> {
    /// Number `index`.
    pub fn normal(&mut self, index: u64) -> f64 {
        let (block, place) = (index / BLOCK as u64, index as usize % BLOCK);
        let mut sum = 0.0;
        for ((weight, generator), (last, numbers)) in self.noise.sources.iter().zip(&mut self.blocks) {
            if *last != block {
                fill(generator, block, numbers);
                *last = block;
            }
            sum += weight * numbers[place];
        }
        sum
    }
}

/// A block, by Box and Muller's method.
fn fill(generator: &ChaCha8Rng, block: u64, numbers: &mut [f64; BLOCK]) {
    let mut generator = generator.clone();
    generator.set_stream(block);
    let mut uniform = || ((generator.next_u64() >> 11) + 1) as f64 * 0.5f64.powi(53);
    for pair in numbers.chunks_exact_mut(2) {
        let (radius, angle) = ((-2.0 * uniform().ln()).sqrt(), 2.0 * std::f64::consts::PI * uniform());
        let (sine, cosine) = angle.sin_cos();
        (pair[0], pair[1]) = (radius * cosine, radius * sine);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_normal_and_independent() {
        let [a, b] = ["a", "b"].map(|name| Noise::new(7, name, 3));
        let n = 20_000;
        let mean = |f: &dyn Fn(u64) -> f64| (0..n).map(f).sum::<f64>() / n as f64;
        assert_eq!(a.normal(5), Noise::new(7, "a", 3).normal(5));
        assert!(mean(&|i| a.normal(i)).abs() < 0.03);
        assert!((mean(&|i| a.normal(i).powi(2)) - 1.0).abs() < 0.04);
        assert!((mean(&|i| a.normal(i).powi(4)) - 3.0).abs() < 0.3);
        assert!(mean(&|i| a.normal(i) * b.normal(i)).abs() < 0.03);
        assert!(mean(&|i| a.normal(i) * a.normal(i + 1)).abs() < 0.03);
        assert!(mean(&|i| a.normal(2 * i).powi(2) * a.normal(2 * i + 1).powi(2) - 1.0).abs() < 0.06);
        let mut numbers = a.numbers();
        assert!((0..100).rev().all(|i| numbers.normal(7 * i) == a.normal(7 * i)));
        let next = Noise::new(7, "a", 4);
        assert!(mean(&|i| a.normal(i) * next.normal(i)).abs() < 0.03);
    }
}
