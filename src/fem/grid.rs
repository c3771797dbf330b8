//! Regular grids of points over the box around a mesh.
use crate::mesh::Mesh;
use crate::parallel::block;
use crate::{Error, Result};
use std::ops::Range;
use std::str::FromStr;

/// Where the points of a grid lie in its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Placement {
    /// `n` points from side to side, both sides included.
    #[default]
    Ends,
    /// The middles of `n` equal cells.
    Centres,
}

/// Number of points along each direction, written 64x64; one number counts for all directions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts(pub Vec<usize>);

impl FromStr for Counts {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let number = |word: &str| word.trim().parse().ok().filter(|n| (2..=MOST).contains(n));
        let counts: Option<Vec<usize>> = text.split('x').map(number).collect();
        match counts {
            Some(counts) if counts.len() <= 3 => Ok(Self(counts)),
            _ => Err(format!("expected whole numbers from 2 to {MOST} such as 64x64, one a direction")),
        }
    }
}

/// Most points along a direction.
const MOST: usize = 1_000_000;

/// A tensor grid of points. Ranks share it by its first axis: each has a block of the planes of equal x.
#[derive(Debug, Clone)]
pub struct Grid {
    /// Coordinates along each direction of the mesh, ascending.
    pub axes: Vec<Vec<f64>>,
    /// This rank's indices along the first axis.
    pub planes: Range<u64>,
}

impl Grid {
    /// So many points along each direction; one number counts for all. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when there are not as many numbers as directions.
    pub fn over(mesh: &Mesh, counts: &Counts, placement: Placement) -> Result<Self> {
        let (d, comm) = (mesh.dimension, &mesh.comm);
        let counts = match &counts.0[..] {
            [one] => vec![*one; d],
            all if all.len() == d => all.to_vec(),
            all => {
                let wanted = ["64", "64x64", "32x32x32"][d - 1];
                let message = format!("{} numbers for {d} directions; expected such as {wanted}", all.len());
                return Err(Error::input("--grid", message));
            }
        };
        let axes: Vec<Vec<f64>> = (0..d)
            .map(|i| {
                let along = mesh.coordinates.iter().skip(i).step_by(d).copied();
                let (low, high) =
                    along.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
                axis((comm.min(low), comm.max(high)), counts[i], placement)
            })
            .collect();
        let planes = block(counts[0] as u64, comm.size(), comm.rank());
        Ok(Self { axes, planes })
    }

    /// Number of points along each direction.
    pub fn shape(&self) -> Vec<u64> {
        self.axes.iter().map(|axis| axis.len() as u64).collect()
    }

    /// This rank's points, the last direction fastest; unused coordinates zero.
    pub fn points(&self) -> Vec<[f64; 3]> {
        let along = |i: usize| self.axes.get(i).map_or(&[0.0][..], |axis| axis);
        let first = &self.axes[0][self.planes.start as usize..self.planes.end as usize];
        let mut points = Vec::with_capacity(first.len() * along(1).len() * along(2).len());
        for &x in first {
            for &y in along(1) {
                points.extend(along(2).iter().map(|&z| [x, y, z]));
            }
        }
        points
    }
}

fn axis((low, high): (f64, f64), count: usize, placement: Placement) -> Vec<f64> {
    let place = |k: usize| match placement {
        // Exact at the sides.
        Placement::Ends if k + 1 == count => high,
        Placement::Ends => low + (high - low) * k as f64 / (count - 1) as f64,
        Placement::Centres => low + (high - low) * (k as f64 + 0.5) / count as f64,
    };
    (0..count).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_meet_the_sides_or_the_middles() {
        assert_eq!(axis((1.0, 3.0), 5, Placement::Ends), [1.0, 1.5, 2.0, 2.5, 3.0]);
        assert_eq!(axis((1.0, 3.0), 4, Placement::Centres), [1.25, 1.75, 2.25, 2.75]);
        assert_eq!(axis((0.0, 0.1), 4, Placement::Ends)[3], 0.1);
        assert_eq!(axis((0.0, 2.0), 1, Placement::Ends), [2.0]);
    }

    #[test]
    fn counts_are_read() {
        assert_eq!("64".parse(), Ok(Counts(vec![64])));
        assert_eq!("64x32x8".parse(), Ok(Counts(vec![64, 32, 8])));
        for text in ["", "64x", "1x4", "a", "-3", "4x4x4x4", "64,64"] {
            assert!(text.parse::<Counts>().is_err(), "{text}");
        }
    }

    #[test]
    fn points_are_in_row_major_order() {
        let axes = vec![vec![0.0, 1.0, 2.0], vec![5.0, 6.0]];
        let grid = Grid { axes, planes: 1..3 };
        assert_eq!(grid.points(), [[1.0, 5.0, 0.0], [1.0, 6.0, 0.0], [2.0, 5.0, 0.0], [2.0, 6.0, 0.0]]);
        assert_eq!(grid.shape(), [3, 2]);
    }
}
