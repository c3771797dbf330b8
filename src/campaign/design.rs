//! Designs of experiments: which parameters a campaign solves at.
//!
//! A design depends on its own settings only, never on ranks or machines.
use crate::{Error, Result};
use rand::{Rng, RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// One parameter of the deck.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    /// Name.
    pub name: String,
    /// Value outside designs, and of a parameter without a range.
    pub default: f64,
    /// The range that designs fill; `None` keeps the parameter at its default.
    pub range: Option<[f64; 2]>,
}

/// How samples are chosen.
#[derive(Debug, Clone, PartialEq)]
pub enum Design {
    /// Every combination of equally spaced levels, end points included; one level count for each
    /// parameter with a range, the last one running fastest.
    Grid(Vec<usize>),
    /// Latin hypercube (McKay, Beckman, Conover 1979): each of the equal slices of every range is
    /// hit once, at a random place in it.
    LatinHypercube {
        /// Number of samples.
        samples: usize,
        /// Seed.
        seed: u64,
    },
    /// Sobol's sequence with Owen scrambling (Burley 2020).
    Sobol {
        /// Number of samples.
        samples: usize,
        /// Seed of the scrambling.
        seed: u64,
    },
    /// Independent uniform values.
    Random {
        /// Number of samples.
        samples: usize,
        /// Seed.
        seed: u64,
    },
}

/// The generator of Sobol points ends here.
const SOBOL_MOST_SAMPLES: usize = 1 << 16;
/// Dimensions of one scrambled Sobol set; further ones use another seed.
const SOBOL_DIMENSIONS: usize = 256;
/// More samples than this are a slip of the pen.
const MOST_SAMPLES: usize = 10_000_000;

impl Design {
    /// The samples: full parameter vectors in the deck's order.
    ///
    /// # Errors
    /// When no parameter has a range, or there would be too many or no samples.
    pub fn samples(&self, variables: &[Variable]) -> Result<Vec<Vec<f64>>> {
        let ranges: Vec<(usize, [f64; 2])> =
            variables.iter().enumerate().filter_map(|(i, v)| v.range.map(|r| (i, r))).collect();
        if ranges.is_empty() {
            return Err(Error::input("", "no parameter has a `range`, so a design has nothing to vary"));
        }
        let points = self.unit_points(ranges.len())?;
        Ok(points
            .into_iter()
            .map(|point| {
                let mut sample: Vec<f64> = variables.iter().map(|v| v.default).collect();
                for (&(i, [low, high]), t) in ranges.iter().zip(point) {
                    sample[i] = low + t * (high - low);
                }
                sample
            })
            .collect())
    }

    /// Points in the unit cube of `dimension` dimensions.
    ///
    /// # Errors
    /// As [`Design::samples`].
    pub fn unit_points(&self, dimension: usize) -> Result<Vec<Vec<f64>>> {
        match self {
            Self::Grid(levels) => grid(levels, dimension),
            Self::LatinHypercube { samples, seed } => {
                check(*samples, MOST_SAMPLES)?;
                Ok(latin_hypercube(*samples, dimension, *seed))
            }
            Self::Sobol { samples, seed } => {
                check(*samples, SOBOL_MOST_SAMPLES)?;
                Ok(sobol(*samples, dimension, *seed))
            }
            Self::Random { samples, seed } => {
                check(*samples, MOST_SAMPLES)?;
                let mut random = ChaCha8Rng::seed_from_u64(*seed);
                Ok((0..*samples).map(|_| (0..dimension).map(|_| random.random::<f64>()).collect()).collect())
            }
        }
    }
}

fn check(samples: usize, most: usize) -> Result<()> {
    if samples == 0 || samples > most {
        return Err(Error::input("", format!("a design has between 1 and {most} samples, not {samples}")));
    }
    Ok(())
}

fn grid(levels: &[usize], dimension: usize) -> Result<Vec<Vec<f64>>> {
    if levels.len() != dimension {
        let text =
            format!("a grid needs one level count for each of {dimension} parameters, not {}", levels.len());
        return Err(Error::input("", text));
    }
    let total = levels.iter().try_fold(1usize, |product, &level| product.checked_mul(level));
    check(total.unwrap_or(usize::MAX), MOST_SAMPLES)?;
    let mut points = vec![Vec::new()];
    for &level in levels {
        points = points
            .into_iter()
            .flat_map(|point: Vec<f64>| {
                (0..level).map(move |i| {
                    let mut next = point.clone();
                    // One level alone stands in the middle.
                    next.push(if level == 1 { 0.5 } else { i as f64 / (level - 1) as f64 });
                    next
                })
            })
            .collect();
    }
    Ok(points)
}

fn latin_hypercube(samples: usize, dimension: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut points = vec![vec![0.0; dimension]; samples];
    let mut slices: Vec<usize> = (0..samples).collect();
    for d in 0..dimension {
        slices.shuffle(&mut random);
        for (point, &slice) in points.iter_mut().zip(&slices) {
            point[d] = (slice as f64 + random.random::<f64>()) / samples as f64;
        }
    }
    points
}

fn sobol(samples: usize, dimension: usize, seed: u64) -> Vec<Vec<f64>> {
    // One 32-bit seed for each set of dimensions, drawn from the user's.
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let seeds: Vec<u32> = (0..dimension.div_ceil(SOBOL_DIMENSIONS)).map(|_| random.next_u32()).collect();
    (0..samples)
        .map(|i| {
            (0..dimension)
                .map(|d| {
                    let set = seeds[d / SOBOL_DIMENSIONS];
                    f64::from(sobol_burley::sample(i as u32, (d % SOBOL_DIMENSIONS) as u32, set))
                })
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Vec<Variable> {
        vec![
            Variable { name: "a".into(), default: 3.0, range: Some([1.0, 5.0]) },
            Variable { name: "b".into(), default: 7.0, range: None },
            Variable { name: "c".into(), default: 0.0, range: Some([-1.0, 1.0]) },
        ]
    }

    #[test]
    fn grid_has_all_combinations_and_keeps_fixed_parameters() {
        let samples = Design::Grid(vec![3, 2]).samples(&variables()).unwrap();
        let expected = [[1.0, -1.0], [1.0, 1.0], [3.0, -1.0], [3.0, 1.0], [5.0, -1.0], [5.0, 1.0]];
        assert_eq!(samples.len(), 6);
        for (sample, e) in samples.iter().zip(expected) {
            assert_eq!(sample, &vec![e[0], 7.0, e[1]]);
        }
    }

    #[test]
    fn latin_hypercube_hits_every_slice_once() {
        let points = Design::LatinHypercube { samples: 50, seed: 4 }.unit_points(3).unwrap();
        for d in 0..3 {
            let mut slices: Vec<usize> = points.iter().map(|p| (p[d] * 50.0) as usize).collect();
            slices.sort_unstable();
            assert_eq!(slices, (0..50).collect::<Vec<_>>());
        }
    }

    #[test]
    fn sobol_fills_dyadic_boxes_and_beats_random_points() {
        // 2^8 points of a (0, 2)-sequence put one point into each 16 x 16 box.
        let points = Design::Sobol { samples: 256, seed: 11 }.unit_points(2).unwrap();
        let mut count = vec![0; 256];
        for p in &points {
            count[(p[0] * 16.0) as usize * 16 + (p[1] * 16.0) as usize] += 1;
        }
        assert!(count.iter().all(|&c| c == 1));
        let integral = |points: &[Vec<f64>]| {
            points.iter().map(|p| p[0] * p[1]).sum::<f64>() / points.len() as f64 - 0.25
        };
        let random = Design::Random { samples: 256, seed: 11 }.unit_points(2).unwrap();
        assert!(integral(&points).abs() < 0.2 * integral(&random).abs());
    }

    #[test]
    fn seeds_decide() {
        for make in [
            |seed| Design::Sobol { samples: 8, seed },
            |seed| Design::LatinHypercube { samples: 8, seed },
            |seed| Design::Random { samples: 8, seed },
        ] {
            assert_eq!(make(1).unit_points(2).unwrap(), make(1).unit_points(2).unwrap());
            assert_ne!(make(1).unit_points(2).unwrap(), make(2).unit_points(2).unwrap());
        }
    }

    #[test]
    fn impossible_designs_are_refused() {
        assert!(Design::Random { samples: 0, seed: 0 }.samples(&variables()).is_err());
        assert!(Design::Grid(vec![3]).samples(&variables()).is_err());
        assert!(Design::Grid(vec![0, 3]).samples(&variables()).is_err());
        assert!(Design::Sobol { samples: 70_000, seed: 0 }.samples(&variables()).is_err());
        assert!(Design::Random { samples: 3, seed: 0 }.samples(&variables()[1..2]).is_err());
    }
}
