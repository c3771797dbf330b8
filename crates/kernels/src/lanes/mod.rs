//! Eight `f64` side by side: the unit in which cells are assembled.
//!
//! Plain arrays on purpose: inside a function compiled for AVX2 the compiler turns every operation into
//! vector instructions, and the same source runs on a machine without them.
mod functions;

use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub};

/// Number of cells that are assembled together.
pub const LANES: usize = 8;

/// One value for each cell of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub struct Lanes(pub [f64; LANES]);

impl Lanes {
    /// Zero in every lane.
    pub const ZERO: Self = Self([0.0; LANES]);

    /// The same value in every lane.
    #[inline(always)]
    pub fn splat(value: f64) -> Self {
        Self([value; LANES])
    }

    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        let mut result = Self::ZERO;
        for l in 0..LANES {
            result.0[l] = f(self.0[l], other.0[l]);
        }
        result
    }

    #[inline(always)]
    fn map(self, f: impl Fn(f64) -> f64) -> Self {
        let mut result = Self::ZERO;
        for l in 0..LANES {
            result.0[l] = f(self.0[l]);
        }
        result
    }

    /// Square root of every lane.
    #[inline(always)]
    pub fn sqrt(self) -> Self {
        self.map(f64::sqrt)
    }

    /// Any function of every lane.
    #[inline(always)]
    pub fn apply(self, f: impl Fn(f64) -> f64) -> Self {
        self.map(f)
    }

    /// Absolute value of every lane.
    #[inline(always)]
    pub fn abs(self) -> Self {
        self.map(f64::abs)
    }
}

impl Add for Lanes {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
}

impl Sub for Lanes {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
}

impl Mul for Lanes {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
}

impl Mul<f64> for Lanes {
    type Output = Self;
    #[inline(always)]
    fn mul(self, factor: f64) -> Self {
        self.map(|a| a * factor)
    }
}

impl Div for Lanes {
    type Output = Self;
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }
}

impl Neg for Lanes {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.map(|a| -a)
    }
}

impl AddAssign for Lanes {
    #[inline(always)]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl MulAssign for Lanes {
    #[inline(always)]
    fn mul_assign(&mut self, other: Self) {
        *self = *self * other;
    }
}

/// The vector whose component `d` is `component(d)`. Always part of the loop in which it stands: a call of the closures
/// of [`std::array::from_fn`] and `map`, compiled without that loop's vector instructions, cost a sixth of an assembly.
#[inline(always)]
pub fn vector<const D: usize>(component: impl Fn(usize) -> Lanes) -> [Lanes; D] {
    let mut vector = [Lanes::ZERO; D];
    for d in 0..D {
        vector[d] = component(d);
    }
    vector
}

/// Scalar product of two vectors, lane by lane.
#[inline(always)]
pub fn dot<const D: usize>(a: &[Lanes; D], b: &[Lanes; D]) -> Lanes {
    let mut sum = a[0] * b[0];
    for d in 1..D {
        sum += a[d] * b[d];
    }
    sum
}
