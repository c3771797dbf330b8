//! Exponential and logarithm of all lanes at once: the library's are called for one number at a time.
//!
//! Branches would keep the compiler from using vector instructions, so arguments outside the stated ranges give
//! nonsense. Reduction and series as in Muller, *Elementary Functions* (3rd ed., 2016), chapters 3 and 11.
use super::Lanes;
use std::f64::consts::{LOG2_E, SQRT_2};

/// Adding it to a number rounds that to an integer, which then stands in the lowest bits.
const ROUND: f64 = 1.5 * (1u64 << 52) as f64;

/// `ln 2` in two parts; the first times an exponent is exact.
const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// Bits of the fraction of a number, and those of 1.
const FRACTION: u64 = (1 << 52) - 1;
const ONE: u64 = 1023 << 52;

impl Lanes {
    /// `e^x` to two units in the last place; below -708 it is `e^-708`, above 709 `e^709`.
    #[inline(always)]
    pub fn exp(self) -> Self {
        self.map(|x| {
            let x = x.clamp(-708.0, 709.0);
            let shifted = x * LOG2_E + ROUND;
            let k = shifted - ROUND;
            let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
            // Taylor's series: |r| <= ln(2) / 2 leaves 1e-17 after the thirteenth power.
            let mut sum = 1.0 / 6_227_020_800.0;
            for divisor in [
                479_001_600.0,
                39_916_800.0,
                3_628_800.0,
                362_880.0,
                40_320.0,
                5_040.0,
                720.0,
                120.0,
                24.0,
                6.0,
                2.0,
                1.0,
                1.0,
            ] {
                sum = sum * r + 1.0 / divisor;
            }
            sum * f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52)
        })
    }

    /// The natural logarithm of positive normal numbers, to two units in the last place.
    #[inline(always)]
    pub fn ln(self) -> Self {
        self.map(|x| {
            let bits = x.to_bits();
            let fraction = f64::from_bits((bits & FRACTION) | ONE);
            let large = fraction > SQRT_2;
            let m = if large { 0.5 * fraction } else { fraction };
            // The exponent as the fraction of 2^52, which avoids a conversion.
            let exponent =
                f64::from_bits((bits >> 52) | 0x4330_0000_0000_0000) - ((1u64 << 52) + 1023) as f64;
            let k = if large { exponent + 1.0 } else { exponent };
            let f = m - 1.0;
            let s = f / (m + 1.0);
            let square = s * s;
            // ln m = 2 (s + s^3 / 3 + s^5 / 5 + ...), |s| < 0.1716; 2 s = f - s f keeps the leading digits.
            let mut sum = 1.0 / 23.0;
            for divisor in [21.0, 19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0] {
                sum = sum * square + 1.0 / divisor;
            }
            let tail = 2.0 * s * square * sum;
            k * LN_2_HIGH + (f + (k * LN_2_LOW + tail - s * f))
        })
    }

    /// `other` where `condition` is positive, else this.
    #[inline(always)]
    pub fn replaced_where_positive(self, condition: Self, other: Self) -> Self {
        let mut result = self;
        for l in 0..super::LANES {
            result.0[l] = if condition.0[l] > 0.0 { other.0[l] } else { self.0[l] };
        }
        result
    }

    /// The smaller of two numbers in every lane.
    #[inline(always)]
    pub fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }

    /// The larger of two numbers in every lane.
    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worst(arguments: impl Iterator<Item = f64>, ours: fn(Lanes) -> Lanes, exact: fn(f64) -> f64) -> f64 {
        let error = |x: f64| {
            let value = exact(x);
            (ours(Lanes::splat(x)).0[0] - value).abs() / value.abs().max(f64::MIN_POSITIVE)
        };
        arguments.map(error).fold(0.0, f64::max)
    }

    #[test]
    fn exponential_and_logarithm_agree_with_the_library() {
        let exp = worst((-70_000..=70_000).map(|i| f64::from(i) * 0.01), Lanes::exp, f64::exp);
        assert!(exp < 5e-16, "{exp:e}");
        let wide = (-300..300).flat_map(|e| (1..40).map(move |i| f64::from(i) * 0.37 * 10f64.powi(e)));
        let ln = worst(wide, Lanes::ln, f64::ln);
        assert!(ln < 5e-16, "{ln:e}");
        let near = worst((1..1000).map(|i| 1.0 + f64::from(i) * 1e-6), Lanes::ln, f64::ln);
        assert!(near < 5e-16, "{near:e}");
        assert_eq!(Lanes::splat(0.0).exp().0[3], 1.0);
        assert_eq!(Lanes::splat(1.0).ln().0[3], 0.0);
        assert!(Lanes::splat(-1e9).exp().0[0] < 1e-300 && Lanes::splat(1e9).exp().0[0] > 1e300);
    }
}
