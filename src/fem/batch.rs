//! Geometry, basis functions and coefficients of eight cells at their quadrature points.
use super::assembly::{Rule, Values};
use super::lanes::{LANES, Lanes, dot, vector};
use super::weak_form::{Point, Shape};
use crate::mesh::CellType;

/// What a kernel needs of the mesh and the space; unlike those it can be shared by threads.
#[derive(Clone, Copy)]
pub(super) struct Cells<'a> {
    pub shape: CellType,
    pub degree: usize,
    pub vertices: &'a [u32],
    pub nodes: &'a [u32],
    pub coordinates: &'a [f64],
}

/// Number of coefficients that any form may have.
const MOST_COEFFICIENTS: usize = 16;

/// What a form sees of a batch of cells, at every quadrature point.
pub(super) struct Batch<const D: usize, const N: usize> {
    /// Basis functions.
    pub trial: Vec<[Shape<D>; N]>,
    /// The same times quadrature weight and measure.
    pub test: Vec<[Shape<D>; N]>,
    /// Quadrature weight times measure.
    pub weights: Vec<Lanes>,
    /// Whether `test` is filled, and `trial`.
    wants_test: bool,
    wants_trial: bool,
    wants_position: bool,
    coefficients: Vec<[Lanes; MOST_COEFFICIENTS]>,
    positions: Vec<[Lanes; D]>,
    normals: Vec<[Lanes; D]>,
    inverses: Vec<[[Lanes; D]; D]>,
    /// Internal variables and kept numbers at a point.
    widths: [usize; 2],
    /// Internal variables, `[point, variable]`.
    pub history: Vec<Lanes>,
    /// What the form keeps, `[point, number]`.
    pub local: Vec<Lanes>,
    /// See [`Point::rate`].
    pub rate: f64,
}

impl<const D: usize, const N: usize> Batch<D, N> {
    pub(super) fn new(points: usize, wants_position: bool, wants_trial: bool, wants_test: bool) -> Self {
        let zero = Shape { value: Lanes::ZERO, gradient: [Lanes::ZERO; D] };
        Self {
            trial: vec![[zero; N]; if wants_trial { points } else { 0 }],
            test: vec![[zero; N]; if wants_test { points } else { 0 }],
            weights: vec![Lanes::ZERO; points],
            wants_test,
            wants_trial,
            wants_position,
            coefficients: vec![[Lanes::ZERO; MOST_COEFFICIENTS]; points],
            positions: vec![[Lanes::ZERO; D]; points],
            normals: vec![[Lanes::ZERO; D]; points],
            inverses: vec![[[Lanes::ZERO; D]; D]; points],
            widths: [0, 0],
            history: Vec::new(),
            local: Vec::new(),
            rate: 0.0,
        }
    }

    #[inline(always)]
    pub(super) fn point(&self, q: usize) -> Point<'_, D> {
        let [history, local] = self.widths;
        Point {
            coefficients: &self.coefficients[q],
            position: self.positions[q],
            normal: self.normals[q],
            inverse: &self.inverses[q],
            history: &self.history[q * history..][..history],
            local: &self.local[q * local..][..local],
            rate: self.rate,
        }
    }

    /// Makes room for internal variables and for what the form keeps at a point.
    pub(super) fn keep(&mut self, history: usize, local: usize) {
        self.widths = [history, local];
        self.history = vec![Lanes::ZERO; self.weights.len() * history];
        self.local = vec![Lanes::ZERO; self.weights.len() * local];
    }

    /// Computes everything for the entities of the lanes.
    #[inline(always)]
    pub(super) fn fill(
        &mut self,
        cells: &Cells,
        rule: &Rule,
        values: &[Values],
        count: usize,
        entity: impl Fn(usize) -> (u32, u32, u16),
        measure: impl Fn(&Point<D>) -> Lanes,
    ) {
        let points = rule.weights.len();
        let corners = cells.shape.vertices();
        let affine = cells.shape.is_simplex();
        let mut x = [[Lanes::ZERO; D]; 8];
        for l in 0..LANES {
            let cell = entity(l).0 as usize;
            for (v, &vertex) in cells.vertices[cell * corners..][..corners].iter().enumerate() {
                for d in 0..D {
                    x[v][d].0[l] = cells.coordinates[vertex as usize * D + d];
                }
            }
        }
        for j in 0..count {
            match &values[j] {
                Values::Uniform(value) => {
                    self.coefficients.iter_mut().for_each(|at| at[j] = Lanes::splat(*value));
                }
                Values::ByRegion(list) => {
                    let mut lanes = Lanes::ZERO;
                    (0..LANES).for_each(|l| lanes.0[l] = list[entity(l).2 as usize]);
                    self.coefficients.iter_mut().for_each(|at| at[j] = lanes);
                }
                Values::ByPoint(list) => {
                    for l in 0..LANES {
                        let own = &list[entity(l).1 as usize * points..][..points];
                        self.coefficients.iter_mut().zip(own).for_each(|(at, value)| at[j].0[l] = *value);
                    }
                }
            }
        }
        let mut inverse = [[Lanes::ZERO; D]; D];
        let mut determinant = Lanes::ZERO;
        for q in 0..points {
            if q == 0 || !affine {
                let mut jacobian = [[Lanes::ZERO; D]; D];
                for v in 0..corners {
                    let slope = rule.geometry.gradients[q * corners + v];
                    for i in 0..D {
                        for j in 0..D {
                            jacobian[i][j] += x[v][i] * slope[j];
                        }
                    }
                }
                (inverse, determinant) = invert(&jacobian);
            }
            self.inverses[q] = inverse;
            if self.wants_position {
                self.positions[q] = [Lanes::ZERO; D];
                for v in 0..corners {
                    let value = rule.geometry.values[q * corners + v];
                    for d in 0..D {
                        self.positions[q][d] += x[v][d] * value;
                    }
                }
            }
            let mut weight = determinant * rule.weights[q];
            if let Some(reference) = &rule.normal {
                let mut normal = [Lanes::ZERO; D];
                for i in 0..D {
                    for j in 0..D {
                        normal[i] += inverse[j][i] * reference[j];
                    }
                }
                let length = dot(&normal, &normal).sqrt();
                self.normals[q] = vector(|d| normal[d] / length);
                weight *= length;
            }
            weight *= measure(&self.point(q));
            self.weights[q] = weight;
            for a in 0..if self.wants_trial { N } else { 0 } {
                let slope = rule.basis.gradients[q * N + a];
                let value = rule.basis.values[q * N + a];
                let mut gradient = [Lanes::ZERO; D];
                for i in 0..D {
                    for j in 0..D {
                        gradient[i] += inverse[j][i] * slope[j];
                    }
                }
                self.trial[q][a] = Shape { value: Lanes::splat(value), gradient };
                if self.wants_test {
                    let gradient = vector(|d| gradient[d] * weight);
                    self.test[q][a] = Shape { value: weight * value, gradient };
                }
            }
        }
    }
}

/// Inverse and determinant of the Jacobian of every lane.
#[inline(always)]
pub(super) fn invert<const D: usize>(m: &[[Lanes; D]; D]) -> ([[Lanes; D]; D], Lanes) {
    let one = Lanes::splat(1.0);
    let mut inverse = [[Lanes::ZERO; D]; D];
    let determinant;
    match D {
        1 => {
            determinant = m[0][0];
            inverse[0][0] = one / determinant;
        }
        2 => {
            determinant = m[0][0] * m[1][1] - m[0][1] * m[1][0];
            let r = one / determinant;
            inverse[0][0] = m[1][1] * r;
            inverse[0][1] = -m[0][1] * r;
            inverse[1][0] = -m[1][0] * r;
            inverse[1][1] = m[0][0] * r;
        }
        _ => {
            let cofactor = |i: usize, j: usize| {
                let (p, q) = ((i + 1) % 3, (i + 2) % 3);
                let (r, s) = ((j + 1) % 3, (j + 2) % 3);
                m[p][r] * m[q][s] - m[p][s] * m[q][r]
            };
            let first = [cofactor(0, 0), cofactor(0, 1), cofactor(0, 2)];
            determinant = m[0][0] * first[0] + m[0][1] * first[1] + m[0][2] * first[2];
            let r = one / determinant;
            for i in 0..D {
                for j in 0..D {
                    inverse[j][i] = cofactor(i, j) * r;
                }
            }
        }
    }
    (inverse, determinant)
}
