//! Quadrature on the reference cells, by the polynomial degree that is integrated exactly.
//!
//! Reference cells: `[0,1]^d` for tensor cells, the unit simplex for the others.
use crate::mesh::CellType;

/// Points and weights on a reference cell; the weights sum to its volume.
#[derive(Debug, Clone)]
pub struct Quadrature {
    /// Coordinates, unused ones zero.
    pub points: Vec<[f64; 3]>,
    /// One weight a point.
    pub weights: Vec<f64>,
}

impl Quadrature {
    /// A rule that is exact for polynomials of total degree `degree` (in each variable for tensor
    /// cells).
    ///
    /// Simplices: symmetric rules of Strang and Fix, *An Analysis of the Finite Element Method*
    /// (1973), table 4.1, and Keast, CMAME 55 (1986), up to the degrees that the elements here need;
    /// beyond them the conical product of Gauss rules (Stroud, 1971).
    pub fn new(cell: CellType, degree: usize) -> Self {
        match cell {
            CellType::Interval => Self::tensor(1, degree),
            CellType::Quadrilateral => Self::tensor(2, degree),
            CellType::Hexahedron => Self::tensor(3, degree),
            CellType::Triangle => match degree {
                0 | 1 => Self::orbits(&[(0.5, Orbit::S3)]),
                2 => Self::orbits(&[(1.0 / 6.0, Orbit::S21(1.0 / 6.0))]),
                3 | 4 => Self::orbits(&[
                    (0.5 * 0.223_381_589_678_011_47, Orbit::S21(0.445_948_490_915_964_9)),
                    (0.5 * 0.109_951_743_655_321_87, Orbit::S21(0.091_576_213_509_770_74)),
                ]),
                5 => {
                    let s = 15f64.sqrt();
                    Self::orbits(&[
                        (0.1125, Orbit::S3),
                        ((155.0 + s) / 2400.0, Orbit::S21((6.0 + s) / 21.0)),
                        ((155.0 - s) / 2400.0, Orbit::S21((6.0 - s) / 21.0)),
                    ])
                }
                _ => Self::conical(2, degree),
            },
            CellType::Tetrahedron => match degree {
                0 | 1 => Self::orbits(&[(1.0 / 6.0, Orbit::S4)]),
                2 => Self::orbits(&[(1.0 / 24.0, Orbit::S31((5.0 - 5f64.sqrt()) / 20.0))]),
                // Walkington's 14 points, degree 5 (Quadrature on simplices of arbitrary dimension, 2000).
                3..=5 => Self::orbits(&[
                    (0.112_687_925_718_015_85 / 6.0, Orbit::S31(0.310_885_919_263_300_6)),
                    (0.073_493_043_116_361_94 / 6.0, Orbit::S31(0.092_735_250_310_891_23)),
                    (0.042_546_020_777_081_47 / 6.0, Orbit::S22(0.454_496_295_874_350_34)),
                ]),
                _ => Self::conical(3, degree),
            },
        }
    }

    /// The vertices with equal weights (the trapezoidal rule): exact for degree 1. With elements of degree 1
    /// it lumps masses (Thomee, *Galerkin Finite Element Methods for Parabolic Problems*, chapter 15).
    pub fn vertices(cell: CellType) -> Self {
        let d = cell.dimension();
        let points = super::element::Element::new(cell, 1).nodes;
        let volume = if cell.is_simplex() { 1.0 / (1..=d).product::<usize>() as f64 } else { 1.0 };
        Self { weights: vec![volume / points.len() as f64; points.len()], points }
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Whether the rule has no points (never).
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// One weight on the single vertex: the "facet rule" of one-dimensional cells.
    pub fn point() -> Self {
        Self { points: vec![[0.0; 3]], weights: vec![1.0] }
    }

    fn tensor(dimension: usize, degree: usize) -> Self {
        let (x, w) = gauss_legendre(degree / 2 + 1);
        let n = x.len();
        let mut rule = Self { points: Vec::new(), weights: Vec::new() };
        for index in 0..n.pow(dimension as u32) {
            let mut point = [0.0; 3];
            let mut weight = 1.0;
            let mut rest = index;
            for coordinate in point.iter_mut().take(dimension) {
                *coordinate = x[rest % n];
                weight *= w[rest % n];
                rest /= n;
            }
            rule.points.push(point);
            rule.weights.push(weight);
        }
        rule
    }

    /// Duffy's map of a tensor rule; the Jacobian raises the degree by `dimension - 1`.
    fn conical(dimension: usize, degree: usize) -> Self {
        let cube = Self::tensor(dimension, degree + dimension - 1);
        let mut rule = Self { points: Vec::new(), weights: Vec::new() };
        for (p, w) in cube.points.iter().zip(&cube.weights) {
            if dimension == 2 {
                rule.points.push([p[0], p[1] * (1.0 - p[0]), 0.0]);
                rule.weights.push(w * (1.0 - p[0]));
            } else {
                let (a, b) = (1.0 - p[0], 1.0 - p[1]);
                rule.points.push([p[0], p[1] * a, p[2] * a * b]);
                rule.weights.push(w * a * a * b);
            }
        }
        rule
    }

    fn orbits(list: &[(f64, Orbit)]) -> Self {
        let mut rule = Self { points: Vec::new(), weights: Vec::new() };
        for &(weight, orbit) in list {
            for point in orbit.points() {
                rule.points.push(point);
                rule.weights.push(weight);
            }
        }
        rule
    }
}

/// Points of a simplex that its symmetries map on each other, by barycentric coordinates.
#[derive(Clone, Copy)]
enum Orbit {
    /// Centroid of the triangle.
    S3,
    /// `(a, a, 1 - 2a)` on the triangle.
    S21(f64),
    /// Centroid of the tetrahedron.
    S4,
    /// `(a, a, a, 1 - 3a)` on the tetrahedron.
    S31(f64),
    /// `(a, a, 1/2 - a, 1/2 - a)` on the tetrahedron.
    S22(f64),
}

impl Orbit {
    fn points(self) -> Vec<[f64; 3]> {
        match self {
            Self::S3 => vec![[1.0 / 3.0, 1.0 / 3.0, 0.0]],
            Self::S21(a) => {
                let b = 1.0 - 2.0 * a;
                vec![[a, a, 0.0], [b, a, 0.0], [a, b, 0.0]]
            }
            Self::S4 => vec![[0.25; 3]],
            Self::S31(a) => {
                let b = 1.0 - 3.0 * a;
                vec![[a, a, a], [b, a, a], [a, b, a], [a, a, b]]
            }
            Self::S22(a) => {
                let b = 0.5 - a;
                vec![[a, a, b], [a, b, a], [b, a, a], [a, b, b], [b, a, b], [b, b, a]]
            }
        }
    }
}

/// Gauss-Legendre rule with `n` points on `[0,1]`, by Newton's method on the Legendre polynomial
/// (Davis and Rabinowitz, *Methods of Numerical Integration*, section 2.7).
pub fn gauss_legendre(n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut x = vec![0.0; n];
    let mut w = vec![0.0; n];
    for i in 0..n {
        let mut t = -(std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..100 {
            let (mut p, mut before) = (1.0, 0.0);
            for k in 0..n {
                let next = ((2 * k + 1) as f64 * t * p - k as f64 * before) / (k + 1) as f64;
                (before, p) = (p, next);
            }
            slope = n as f64 * (t * p - before) / (t * t - 1.0);
            let step = p / slope;
            t -= step;
            if step.abs() < 1e-16 {
                break;
            }
        }
        x[i] = 0.5 * (t + 1.0);
        w[i] = 1.0 / ((1.0 - t * t) * slope * slope);
    }
    (x, w)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factorial(n: usize) -> f64 {
        (1..=n).map(|k| k as f64).product()
    }

    /// Every monomial up to the degree, against the exact integral.
    #[test]
    fn rules_are_exact_to_their_degree() {
        use CellType::*;
        for cell in [Interval, Triangle, Quadrilateral, Tetrahedron, Hexahedron] {
            let simplex = matches!(cell, Triangle | Tetrahedron);
            let dimension = match cell {
                Interval => 1,
                Triangle | Quadrilateral => 2,
                _ => 3,
            };
            for degree in 0..=8 {
                let rule = Quadrature::new(cell, degree);
                for a in 0..=degree {
                    for b in 0..=(if dimension > 1 { degree } else { 0 }) {
                        for c in 0..=(if dimension > 2 { degree } else { 0 }) {
                            if simplex && a + b + c > degree {
                                continue;
                            }
                            let exact = if simplex {
                                factorial(a) * factorial(b) * factorial(c) / factorial(a + b + c + dimension)
                            } else {
                                1.0 / ((a + 1) * (b + 1) * (c + 1)) as f64
                            };
                            let sum: f64 = rule
                                .points
                                .iter()
                                .zip(&rule.weights)
                                .map(|(p, w)| {
                                    w * p[0].powi(a as i32) * p[1].powi(b as i32) * p[2].powi(c as i32)
                                })
                                .sum();
                            assert!(
                                (sum - exact).abs() < 1e-14,
                                "{cell:?} degree {degree}, x^{a} y^{b} z^{c}: {sum} instead of {exact}"
                            );
                        }
                    }
                }
            }
        }
    }
}
