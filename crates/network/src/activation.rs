//! The hyperbolic tangent of many numbers at once: the library's is called for one at a time and is most of a step.
use multiversion::multiversion;
use std::f64::consts::LOG2_E;

/// Adding it to a number rounds that to an integer, which then stands in the lowest bits.
const ROUND: f64 = 1.5 * (1u64 << 52) as f64;

/// `ln 2` in two parts; the first times an exponent is exact.
const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// Replaces every number by its hyperbolic tangent, to four units in the last place; what is not a number stays so.
///
/// `tanh x = (e^2x - 1) / (e^2x + 1)` with reduction and series of the exponential as in Muller, *Elementary Functions*
/// (3rd ed., 2016), chapters 3 and 11. `e^2x - 1` is summed without its leading one, so that small arguments keep their
/// digits. No branch and no fused operation: the same bits on every machine.
#[multiversion(targets("x86_64+avx512f+avx512dq+fma", "x86_64+avx2+fma"))]
pub(crate) fn tanh_in_place(values: &mut [f64]) {
    for value in values {
        let twice = 2.0 * value.abs();
        // Beyond 2x = 39 the result is one; comparison and choice, as `min` would lose what is not a number.
        let a = if twice > 40.0 { 40.0 } else { twice };
        let shifted = a * LOG2_E + ROUND;
        let k = shifted - ROUND;
        let r = (a - k * LN_2_HIGH) - k * LN_2_LOW;
        // |r| <= ln(2) / 2 leaves 1e-17 after the thirteenth power.
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
        ] {
            sum = sum * r + 1.0 / divisor;
        }
        let power = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
        let less_one = sum * r * power + (power - 1.0);
        *value = (less_one / (less_one + 2.0)).copysign(*value);
    }
}

/// Multiplies by the derivative of the hyperbolic tangent, given the tangents.
#[multiversion(targets("x86_64+avx512f+avx512dq+fma", "x86_64+avx2+fma"))]
pub(crate) fn times_derivative(cotangents: &mut [f64], tangents: &[f64]) {
    for (cotangent, tangent) in cotangents.iter_mut().zip(tangents) {
        *cotangent *= 1.0 - tangent * tangent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest relative distance to the library's.
    fn worst(arguments: impl Iterator<Item = f64>) -> f64 {
        let x: Vec<f64> = arguments.collect();
        let mut ours = x.clone();
        tanh_in_place(&mut ours);
        let error = |(x, ours): (&f64, &f64)| ((ours - x.tanh()) / x.tanh().abs().max(1e-300)).abs();
        x.iter().zip(&ours).map(error).fold(0.0, f64::max)
    }

    #[test]
    fn the_tangent_agrees_with_the_library_to_rounding() {
        let error = worst((-250_001..=250_001).map(|i| f64::from(i) * 1e-4 + 1e-7));
        assert!(error < 1e-15, "{error:e}");
        let small = worst((1..300).flat_map(|e| [-0.7, 0.3, 0.9].map(|x| x * 10f64.powi(-e))));
        assert!(small < 1e-15, "{small:e}");
    }

    #[test]
    fn ends_signs_and_what_is_no_number_are_kept() {
        let mut values = [1e300, f64::INFINITY, -1e300, 0.0, -0.0, f64::NAN, 19.5];
        tanh_in_place(&mut values);
        assert_eq!(values[..4], [1.0, 1.0, -1.0, 0.0]);
        assert!(values[4] == 0.0 && values[4].is_sign_negative() && values[5].is_nan() && values[6] == 1.0);
    }
}
