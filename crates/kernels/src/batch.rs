//! Geometry, basis functions and coefficients of eight cells at their quadrature points.
use super::Values;
use super::functions::{Any, Functions};
use super::job::{Entity, Job};
use super::lanes::{LANES, Lanes, dot, vector};
use super::weak_form::{Point, Shape};
use multiversion::multiversion;
use multiversion::target::match_target;
use std::f64::consts::PI;

/// Number of coefficients that any form may have.
const MOST_COEFFICIENTS: usize = 16;

/// What a form sees of a batch of cells, at every quadrature point.
pub(super) struct Batch<const D: usize> {
    /// Basis functions, `[point, function]`.
    pub trial: Vec<Shape<D>>,
    /// The same times quadrature weight and measure.
    pub test: Vec<Shape<D>>,
    /// Quadrature weight times measure.
    pub weights: Vec<Lanes>,
    /// The form's coefficients, positions, normals and gradients of the reference coordinates at every point.
    pub coefficients: Vec<[Lanes; MOST_COEFFICIENTS]>,
    pub positions: Vec<[Lanes; D]>,
    pub normals: Vec<[Lanes; D]>,
    pub inverses: Vec<[[Lanes; D]; D]>,
    /// Internal variables and kept numbers at a point.
    widths: [usize; 2],
    /// Internal variables, `[point, variable]`.
    pub history: Vec<Lanes>,
    /// What the form keeps, `[point, number]`.
    pub local: Vec<Lanes>,
    /// See [`Point::rate`].
    pub rate: f64,
    /// Whether integrals go around the axis.
    axisymmetric: bool,
}

impl<const D: usize> Batch<D> {
    /// Room for the points of the job's rule; `wants_trial` and `wants_test` say which basis functions are wanted.
    pub(super) fn new(job: &Job, axisymmetric: bool, wants_trial: bool, wants_test: bool) -> Self {
        let (points, functions) = (job.rule.weights.len(), job.cells.functions);
        let zero = Shape { value: Lanes::ZERO, gradient: [Lanes::ZERO; D] };
        let shapes = points * functions;
        // What is the same everywhere is set here, the rest for every batch.
        let mut coefficients = [Lanes::ZERO; MOST_COEFFICIENTS];
        for (lanes, values) in coefficients.iter_mut().zip(job.coefficients) {
            if let Values::Uniform(value) = values {
                *lanes = Lanes::splat(*value);
            }
        }
        let mut trial = vec![zero; if wants_trial { shapes } else { 0 }];
        for (shape, value) in trial.iter_mut().zip(&job.rule.basis.values) {
            shape.value = Lanes::splat(*value);
        }
        Self {
            trial,
            test: vec![zero; if wants_test { shapes } else { 0 }],
            weights: vec![Lanes::ZERO; points],
            coefficients: vec![coefficients; points],
            positions: vec![[Lanes::ZERO; D]; points],
            normals: vec![[Lanes::ZERO; D]; points],
            inverses: vec![[[Lanes::ZERO; D]; D]; points],
            widths: [0, 0],
            history: Vec::new(),
            local: Vec::new(),
            rate: 0.0,
            axisymmetric,
        }
    }

    /// Room for one point in every lane, of no cell: without basis functions and weight.
    #[inline(never)]
    pub(super) fn of_points(rate: f64, history: usize, local: usize) -> Self {
        let mut at = Self {
            trial: Vec::new(),
            test: Vec::new(),
            weights: vec![Lanes::ZERO],
            coefficients: vec![[Lanes::ZERO; MOST_COEFFICIENTS]],
            positions: vec![[Lanes::ZERO; D]],
            normals: vec![[Lanes::ZERO; D]],
            inverses: vec![[[Lanes::ZERO; D]; D]],
            widths: [0, 0],
            history: Vec::new(),
            local: Vec::new(),
            rate,
            axisymmetric: false,
        };
        at.keep(history, local);
        at
    }

    #[inline(always)]
    pub(super) fn point(&self, q: usize) -> Point<'_, D> {
        let [history, local] = self.widths;
        Point {
            history: &self.history[q * history..][..history],
            local: &self.local[q * local..][..local],
            ..self.bare_point(q)
        }
    }

    /// A point of forms that keep nothing there.
    #[inline(always)]
    pub(super) fn bare_point(&self, q: usize) -> Point<'_, D> {
        Point {
            coefficients: &self.coefficients[q],
            position: self.positions[q],
            normal: self.normals[q],
            inverse: &self.inverses[q],
            history: &[],
            local: &[],
            rate: self.rate,
        }
    }

    /// Makes room for internal variables and for what the form keeps at a point.
    pub(super) fn keep(&mut self, history: usize, local: usize) {
        self.widths = [history, local];
        self.history = vec![Lanes::ZERO; self.weights.len() * history];
        self.local = vec![Lanes::ZERO; self.weights.len() * local];
    }
}

/// Computes everything for the entities of a batch, of which a short one repeats its last.
///
/// A function of its own, as all that no form takes part in: inlined it would be built again with every form.
#[multiversion(targets("x86_64+avx2+fma"))]
pub(super) fn fill<const D: usize, N: Functions>(
    functions: N,
    at: &mut Batch<D>,
    job: &Job,
    batch: &[Entity],
) {
    match_target! {
        "x86_64+avx2+fma" => fill_inlined(functions, at, job, batch),
        _ => portable(functions.count(), at, job, batch)
    }
}

/// One copy for all numbers of functions.
#[inline(never)]
fn portable<const D: usize>(functions: usize, at: &mut Batch<D>, job: &Job, batch: &[Entity]) {
    fill_inlined(Any(functions), at, job, batch);
}

#[inline(always)]
pub(super) fn fill_inlined<const D: usize, N: Functions>(
    functions: N,
    at: &mut Batch<D>,
    job: &Job,
    batch: &[Entity],
) {
    let entity = |l: usize| batch[l.min(batch.len() - 1)];
    let (cells, rule, n) = (&job.cells, &job.rule, functions.count());
    let points = rule.weights.len();
    let corners = cells.corners;
    let affine = cells.affine;
    let mut x = [[Lanes::ZERO; D]; 8];
    for l in 0..LANES {
        let cell = entity(l).0 as usize;
        for (v, &vertex) in cells.vertices[cell * corners..][..corners].iter().enumerate() {
            for d in 0..D {
                x[v][d].0[l] = cells.coordinates[vertex as usize * D + d];
            }
        }
    }
    for (j, values) in job.coefficients.iter().enumerate() {
        match values {
            Values::Uniform(_) => {}
            Values::ByRegion(list) => {
                let mut lanes = Lanes::ZERO;
                (0..LANES).for_each(|l| lanes.0[l] = list[entity(l).2 as usize]);
                at.coefficients.iter_mut().for_each(|at| at[j] = lanes);
            }
            Values::ByPoint(list) => {
                for l in 0..LANES {
                    let own = &list[entity(l).1 as usize * points..][..points];
                    at.coefficients.iter_mut().zip(own).for_each(|(at, value)| at[j].0[l] = *value);
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
        at.inverses[q] = inverse;
        if at.axisymmetric {
            at.positions[q] = [Lanes::ZERO; D];
            for v in 0..corners {
                let value = rule.geometry.values[q * corners + v];
                for d in 0..D {
                    at.positions[q][d] += x[v][d] * value;
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
            at.normals[q] = vector(|d| normal[d] / length);
            weight *= length;
        }
        if at.axisymmetric {
            weight *= at.positions[q][0] * (2.0 * PI);
        }
        at.weights[q] = weight;
        for a in 0..if at.trial.is_empty() { 0 } else { n } {
            let slope = rule.basis.gradients[q * n + a];
            let value = rule.basis.values[q * n + a];
            let mut gradient = [Lanes::ZERO; D];
            for i in 0..D {
                for j in 0..D {
                    gradient[i] += inverse[j][i] * slope[j];
                }
            }
            at.trial[q * n + a].gradient = gradient;
            if !at.test.is_empty() {
                let gradient = vector(|d| gradient[d] * weight);
                at.test[q * n + a] = Shape { value: weight * value, gradient };
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
