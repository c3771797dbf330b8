//! Mean, deviation and extremes of values that are spread over ranks, the same to the last bit on any ranks.
use crate::parallel::Comm;

/// Moments of some values. Merging: Chan, Golub and LeVeque, *Updating formulae and a pairwise algorithm for computing
/// sample variances* (1979), equations 2.1.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Moments {
    count: f64,
    mean: f64,
    /// Sum of squared differences from the mean.
    squares: f64,
    least: f64,
    largest: f64,
}

impl Moments {
    const EMPTY: Self =
        Self { count: 0.0, mean: 0.0, squares: 0.0, least: f64::INFINITY, largest: f64::NEG_INFINITY };

    fn add(&mut self, value: f64) {
        self.merge(Self { count: 1.0, mean: value, squares: 0.0, least: value, largest: value });
    }

    fn merge(&mut self, other: Self) {
        let count = self.count + other.count;
        if other.count == 0.0 {
            return;
        }
        let difference = other.mean - self.mean;
        self.mean += difference * other.count / count;
        self.squares += other.squares + difference * difference * self.count * other.count / count;
        self.count = count;
        self.least = self.least.min(other.least);
        self.largest = self.largest.max(other.largest);
    }
}

/// Moments by plane of a grid and by component. A plane lies on one rank, and planes are merged in their order: so the
/// result does not depend on ranks.
pub(super) struct Statistics {
    components: usize,
    planes: Vec<Moments>,
}

/// One number a component.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Mean.
    pub mean: Vec<f64>,
    /// Standard deviation.
    pub deviation: Vec<f64>,
    /// Smallest value.
    pub least: Vec<f64>,
    /// Largest value.
    pub largest: Vec<f64>,
}

impl Statistics {
    /// Of nothing, for this rank's `planes`.
    pub fn new(planes: usize, components: usize) -> Self {
        Self { components, planes: vec![Moments::EMPTY; planes * components] }
    }

    /// Adds `[plane, point, component]` of this rank; values that are not finite do not count. Local.
    pub fn add(&mut self, values: &[f64]) {
        let planes = self.planes.len() / self.components;
        let width = values.len().checked_div(planes).unwrap_or(0);
        for (plane, values) in values.chunks_exact(width.max(1)).enumerate() {
            for (i, value) in values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
                self.planes[plane * self.components + i % self.components].add(*value);
            }
        }
    }

    /// Over all ranks; zeros when there were no values. Collective.
    pub fn summary(&self, comm: &Comm) -> Summary {
        let flat: Vec<f64> =
            self.planes.iter().flat_map(|m| [m.count, m.mean, m.squares, m.least, m.largest]).collect();
        let mut all = vec![Moments::EMPTY; self.components];
        for (i, m) in comm.all_gather_varied(&flat).chunks_exact(5).enumerate() {
            let part = Moments { count: m[0], mean: m[1], squares: m[2], least: m[3], largest: m[4] };
            all[i % self.components].merge(part);
        }
        let list = |of: fn(&Moments) -> f64| {
            all.iter().map(|m| if m.count > 0.0 { of(m) } else { 0.0 }).collect::<Vec<f64>>()
        };
        Summary {
            mean: list(|m| m.mean),
            deviation: list(|m| (m.squares / m.count).sqrt()),
            least: list(|m| m.least),
            largest: list(|m| m.largest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_many_values_far_from_zero() {
        let mut all = Moments::EMPTY;
        let mut half = Moments::EMPTY;
        for i in 0..1000 {
            let value = 1e9 + f64::from(i % 10);
            if i < 300 { all.add(value) } else { half.add(value) }
        }
        all.merge(half);
        all.merge(Moments::EMPTY);
        assert_eq!((all.count, all.least, all.largest), (1000.0, 1e9, 1e9 + 9.0));
        assert!((all.mean - 1e9 - 4.5).abs() < 1e-6);
        assert!((all.squares / all.count - 8.25).abs() < 1e-6);
    }

    #[test]
    fn components_and_planes_stay_apart() {
        let mut statistics = Statistics::new(2, 2);
        statistics.add(&[1.0, 10.0, 3.0, f64::NAN, 5.0, 30.0, 7.0, 50.0]);
        let counts: Vec<f64> = statistics.planes.iter().map(|m| m.count).collect();
        assert_eq!(counts, [2.0, 1.0, 2.0, 2.0]);
        assert_eq!((statistics.planes[2].mean, statistics.planes[3].mean), (6.0, 40.0));
    }
}
