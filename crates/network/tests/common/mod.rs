//! What the tests share.
#![allow(dead_code)]

/// Random numbers from 0 to 1 (Marsaglia's xorshift, of its own so that it does not follow the crate's).
pub struct Random(u64);

impl Random {
    pub fn new() -> Self {
        Self(88_172_645_463_325_252)
    }

    pub fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn within(&mut self, count: usize, [lower, upper]: [f64; 2]) -> Vec<f64> {
        (0..count).map(|_| lower + (upper - lower) * self.next()).collect()
    }
}

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `a + t b`.
pub fn moved(a: &[f64], t: f64, b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + t * b).collect()
}

/// Derivative at 0 by differences of fourth order.
pub fn derivative(mut of: impl FnMut(f64) -> f64) -> f64 {
    let h = 1e-3;
    (8.0 * (of(h) - of(-h)) - (of(2.0 * h) - of(-2.0 * h))) / (12.0 * h)
}

/// Asserts that the remainder of Taylor's series after the slope falls with the square of the step.
pub fn falls_with_the_square(mut of: impl FnMut(f64) -> f64, slope: f64) {
    let start = of(0.0);
    let rest = [1e-3, 1e-4].map(|t| (of(t) - start - t * slope).abs());
    let order = (rest[0] / rest[1]).log10();
    assert!(
        rest[1] > 1e-13 * start.abs() && (order - 2.0).abs() < 0.06,
        "order {order}, remainders {rest:?}"
    );
}

pub fn on<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

pub fn bits(numbers: &[f64]) -> Vec<u64> {
    numbers.iter().map(|x| x.to_bits()).collect()
}
