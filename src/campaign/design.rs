//! Designs of experiments: which parameters a campaign solves at.
//!
//! A design depends on its own settings only, never on ranks or machines.
use crate::deck::Distribution;
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
    /// The range that designs fill; without one and without choices the parameter stays at its default.
    pub range: Option<[f64; 2]>,
    /// How likely values in the range are.
    pub distribution: Distribution,
    /// The values that it may have instead.
    pub choices: Vec<f64>,
}

/// How samples are chosen.
#[derive(Debug, Clone, PartialEq)]
pub enum Design {
    /// Every combination of equally spaced levels, end points included; one level count for each parameter with a range, the
    /// last one running fastest. Logarithms are equally spaced where the distribution is one of logarithms.
    Grid(Vec<usize>),
    /// Latin hypercube (McKay, Beckman, Conover 1979): each of the equal slices of every range is
    /// hit once, at a random place in it. Its first half is the Latin hypercube of half as many samples.
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
    /// Halton's sequence with independent random permutations of all digits (Owen, arXiv:1706.02808).
    Halton {
        /// Number of samples.
        samples: usize,
        /// Seed of the scrambling.
        seed: u64,
    },
    /// Independent values.
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
    /// The samples: full parameter vectors in the deck's order, as many in equally likely parts of the ranges. Those of grids
    /// are equally spaced.
    ///
    /// # Errors
    /// When no parameter has a range, or there would be too many or no samples.
    pub fn samples(&self, variables: &[Variable]) -> Result<Vec<Vec<f64>>> {
        self.placed(variables, matches!(self, Self::Grid(_)))
    }

    /// Samples that cover the ranges evenly, whatever is likely.
    ///
    /// # Errors
    /// As [`Design::samples`].
    pub fn covering(&self, variables: &[Variable]) -> Result<Vec<Vec<f64>>> {
        self.placed(variables, true)
    }

    fn placed(&self, variables: &[Variable], evenly: bool) -> Result<Vec<Vec<f64>>> {
        let varies = |v: &&Variable| v.range.is_some() || !v.choices.is_empty();
        let varied = variables.iter().filter(varies).count();
        if varied == 0 {
            let text = "no parameter has a `range` or `choices`, so a design has nothing to vary";
            return Err(Error::input("", text));
        }
        let points = self.unit_points(varied)?;
        Ok(points
            .into_iter()
            .map(|point| {
                let mut place = point.into_iter();
                let mut next = || place.next().unwrap_or(0.5);
                let value = |v: &Variable| match v.range {
                    Some(range) if evenly => v.distribution.spread(range, next()),
                    Some(range) => v.distribution.quantile(range, next()),
                    None if v.choices.is_empty() => v.default,
                    // Equal parts of the unit interval; its end belongs to the last.
                    None => v.choices[((next() * v.choices.len() as f64) as usize).min(v.choices.len() - 1)],
                };
                variables.iter().map(value).collect()
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
            Self::Halton { samples, seed } => {
                check(*samples, MOST_SAMPLES)?;
                Ok(halton(*samples, dimension, *seed))
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

/// A nested design (Qian, Biometrika 96 (2009) 957): starting with the odd part of `samples`, the points fill one half of
/// each of their slices, and as many new points the other halves in random order, until all are there.
fn latin_hypercube(samples: usize, dimension: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut points = vec![vec![0.0; dimension]; samples];
    for d in 0..dimension {
        let mut random = stream(seed, d);
        let mut slices: Vec<usize> = (0..samples >> samples.trailing_zeros()).collect();
        slices.shuffle(&mut random);
        let mut places: Vec<(usize, f64)> = slices.into_iter().map(|s| (s, random.random())).collect();
        while places.len() < samples {
            // One binary digit moves from the place in the slice to the slice.
            for (slice, place) in &mut places {
                let half = usize::from(*place >= 0.5);
                (*slice, *place) = (2 * *slice + half, 2.0 * *place - half as f64);
            }
            let mut free: Vec<usize> = places.iter().map(|(slice, _)| slice ^ 1).collect();
            free.shuffle(&mut random);
            places.extend(free.into_iter().map(|s| (s, random.random())));
        }
        for (point, (slice, place)) in points.iter_mut().zip(places) {
            point[d] = (slice as f64 + place) / samples as f64;
        }
    }
    points
}

fn halton(samples: usize, dimension: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut points = vec![vec![0.0; dimension]; samples];
    let mut primes: Vec<usize> = Vec::new();
    let mut candidates = 2..;
    while primes.len() < dimension {
        primes.extend(candidates.find(|n| primes.iter().all(|p| n % p != 0)));
    }
    for (d, &base) in primes.iter().enumerate() {
        let mut random = stream(seed, d);
        // As many digits as a number of double precision can tell.
        let digits = (53.0 / (base as f64).log2()).ceil() as usize;
        let mut permutations = vec![(0..base).collect::<Vec<usize>>(); digits];
        permutations.iter_mut().for_each(|permutation| permutation.shuffle(&mut random));
        for (index, point) in points.iter_mut().enumerate() {
            let (mut rest, mut weight) = (index, 1.0);
            for permutation in &permutations {
                weight /= base as f64;
                point[d] += permutation[rest % base] as f64 * weight;
                rest /= base;
            }
            point[d] = point[d].min(1.0 - f64::EPSILON);
        }
    }
    points
}

/// Random numbers for one dimension, whatever the number of dimensions.
fn stream(seed: u64, dimension: usize) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(dimension as u64);
    random
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

    const UNIFORM: Distribution = Distribution::Uniform;

    fn variables() -> Vec<Variable> {
        vec![
            Variable {
                name: "a".into(),
                default: 3.0,
                range: Some([1.0, 5.0]),
                distribution: UNIFORM,
                choices: Vec::new(),
            },
            Variable {
                name: "b".into(),
                default: 7.0,
                range: None,
                distribution: UNIFORM,
                choices: Vec::new(),
            },
            Variable {
                name: "c".into(),
                default: 0.0,
                range: Some([-1.0, 1.0]),
                distribution: UNIFORM,
                choices: Vec::new(),
            },
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
    fn choices_are_taken_equally_often() {
        let choices = vec![2.0, 3.0, 7.0];
        let variables = [Variable {
            name: "n".into(),
            default: 3.0,
            range: None,
            distribution: UNIFORM,
            choices: choices.clone(),
        }];
        let count = |design: Design, n: usize| {
            let samples = design.samples(&variables).unwrap();
            assert_eq!(samples.len(), n);
            choices.iter().map(|c| samples.iter().filter(|s| s[0] == *c).count()).collect::<Vec<_>>()
        };
        assert_eq!(count(Design::LatinHypercube { samples: 12, seed: 1 }, 12), [4, 4, 4]);
        assert_eq!(count(Design::Grid(vec![3]), 3), [1, 1, 1]);
    }

    #[test]
    fn samples_are_where_they_are_likely() {
        let mut variables = variables();
        variables[0].distribution = Distribution::Normal { mean: 3.0, deviation: 0.25 };
        variables[2].range = Some([0.01, 100.0]);
        variables[2].distribution = Distribution::LogUniform;
        for make in [
            |seed| Design::Sobol { samples: 4096, seed },
            |seed| Design::Halton { samples: 4096, seed },
            |seed| Design::LatinHypercube { samples: 4096, seed },
            |seed| Design::Random { samples: 4096, seed },
        ] {
            let samples = make(5).samples(&variables).unwrap();
            let part = |test: &dyn Fn(&[f64]) -> bool| {
                samples.iter().filter(|s| test(s)).count() as f64 / samples.len() as f64
            };
            assert!((part(&|s| (s[0] - 3.0).abs() < 0.25) - 0.6827).abs() < 0.03);
            assert!((part(&|s| s[2] < 1.0) - 0.5).abs() < 0.03);
            assert!(samples.iter().all(|s| s[1] == 7.0));
            // What a model is checked with covers the range.
            let covering = make(5).covering(&variables).unwrap();
            let low = covering.iter().filter(|s| s[0] < 2.0).count();
            assert!((900..1150).contains(&low), "{low}");
        }
        let grid = Design::Grid(vec![3, 3]).samples(&variables).unwrap();
        assert_eq!([grid[0][0], grid[3][0], grid[6][0]], [1.0, 3.0, 5.0]);
        assert!((grid[0][2] - 0.01).abs() + (grid[1][2] - 1.0).abs() + (grid[2][2] - 100.0).abs() < 1e-12);
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
    fn halton_fills_boxes_of_its_bases_and_beats_random_points() {
        // Any 2^3 * 3^2 successive points put one point into each 8 x 9 box, scrambled or not.
        let points = Design::Halton { samples: 216, seed: 3 }.unit_points(2).unwrap();
        for run in points.chunks(72) {
            let mut count = vec![0; 72];
            run.iter().for_each(|p| count[(p[0] * 8.0) as usize * 9 + (p[1] * 9.0) as usize] += 1);
            assert!(count.iter().all(|&c| c == 1));
        }
        // In twelve dimensions unscrambled points of large bases would lie on lines.
        let error = |design: Design| {
            let points = design.unit_points(12).unwrap();
            points.iter().map(|p| p[10] * p[11]).sum::<f64>() / points.len() as f64 - 0.25
        };
        let mean = |make: &dyn Fn(u64) -> Design| (0..20).map(|s| error(make(s)).abs()).sum::<f64>() / 20.0;
        let [halton, random] = [
            mean(&|seed| Design::Halton { samples: 500, seed }),
            mean(&|seed| Design::Random { samples: 500, seed }),
        ];
        assert!(halton < 0.5 * random, "{halton} {random}");
    }

    #[test]
    fn larger_designs_begin_with_the_smaller_ones() {
        for make in [
            |samples| Design::Sobol { samples, seed: 3 },
            |samples| Design::Halton { samples, seed: 3 },
            |samples| Design::Random { samples, seed: 3 },
            |samples| Design::LatinHypercube { samples, seed: 3 },
        ] {
            let large = make(96).unit_points(3).unwrap();
            // The Latin hypercube by doubling.
            for n in [3, 6, 12, 24, 48] {
                assert_eq!(make(n).unit_points(3).unwrap(), large[..n]);
            }
        }
    }

    #[test]
    fn seeds_decide() {
        for make in [
            |seed| Design::Sobol { samples: 8, seed },
            |seed| Design::Halton { samples: 8, seed },
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
