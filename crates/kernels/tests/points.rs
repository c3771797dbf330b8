//! Forms at points that belong to no mesh give what the loops over cells do: densities times weights and basis functions
//! are residual and matrix, derivatives are exact, internal variables the same. All forms, dimensions and elements.
mod common;

use common::{CELLS, Case, ELEMENTS, Numbers, POINTS, for_all_forms};
use tessera_kernels::{Densities, Job, Kernel, Points, Values};

/// A form at all quadrature points of a case, computed cell by cell, and the basis there.
#[derive(Default)]
struct Sampled {
    // As in [`Points`].
    values: Vec<f64>,
    gradients: Vec<f64>,
    positions: Vec<f64>,
    normals: Vec<f64>,
    inverses: Vec<f64>,
    coefficients: Vec<f64>,
    history: Vec<f64>,
    /// Weight times measure.
    weights: Vec<f64>,
    /// Value and gradient of the function of node `a` and component `i`, `[point, a, i, 1 + D]`.
    tests: Vec<f64>,
    /// The same times the slope of the potential in the gradient.
    trials: Vec<f64>,
}

impl Sampled {
    fn new(kernel: &dyn Kernel, case: &Case, job: &Job, flow: bool) -> Self {
        let (d, c, n) = (kernel.dimension(), kernel.components(), case.functions);
        let needs = kernel.needs();
        let mut all = Self::default();
        for cell in 0..CELLS {
            let nodal = &case.state[cell * n * c..][..n * c];
            let region = job.entities[cell].2 as usize;
            for q in 0..POINTS {
                let at: Vec<f64> =
                    case.coefficients.iter().map(|values| values.at(cell, region, q, POINTS)).collect();
                let (mut potentials, mut slopes) = (nodal.to_vec(), vec![1.0; n * c]);
                kernel.potential(&at, nodal, &mut potentials, &mut slopes);
                let (inverse, determinant, position) = geometry(case, d, cell, q);
                let mut weight = determinant * common::WEIGHTS[q];
                let mut normal = [0.0; 3];
                if case.facets {
                    normal = along(&inverse, &common::NORMAL);
                    let length = normal.iter().map(|x| x * x).sum::<f64>().sqrt();
                    normal = normal.map(|x| x / length);
                    weight *= length;
                }
                if needs.positions {
                    weight *= std::f64::consts::TAU * position[0];
                }
                let (mut value, mut gradient) = (vec![0.0; c], vec![0.0; c * d]);
                for a in 0..n {
                    for i in 0..c {
                        // The pressure has degree 1.
                        let (shape, slope) = match flow && i == d {
                            true if a < case.corners => {
                                let place = q * case.corners + a;
                                (case.geometry.values[place], case.geometry.gradients[place])
                            }
                            true => (0.0, [0.0; 3]),
                            false => (case.basis.values[q * n + a], case.basis.gradients[q * n + a]),
                        };
                        let slope = along(&inverse, &slope);
                        value[i] += shape * nodal[a * c + i];
                        for k in 0..d {
                            gradient[i * d + k] += slope[k] * potentials[a * c + i];
                        }
                        all.tests.push(shape);
                        all.tests.extend(&slope[..d]);
                        all.trials.push(shape);
                        all.trials.extend(slope[..d].iter().map(|s| s * slopes[a * c + i]));
                    }
                }
                all.values.extend(value);
                all.gradients.extend(gradient);
                all.weights.push(weight);
                all.positions.extend(&position[..d]);
                all.normals.extend(&normal[..d]);
                inverse[..d].iter().for_each(|row| all.inverses.extend(&row[..d]));
                all.coefficients.extend(at);
            }
        }
        all.history.clone_from(&case.history.values);
        all
    }

    fn points(&self, job: &Job) -> Points<'_> {
        Points {
            count: self.weights.len(),
            values: &self.values,
            gradients: &self.gradients,
            positions: &self.positions,
            normals: &self.normals,
            inverses: &self.inverses,
            coefficients: &self.coefficients,
            history: &self.history,
            parts: job.parts,
        }
    }
}

/// Gradients of the reference coordinates, determinant of the Jacobian, and position.
fn geometry(case: &Case, d: usize, cell: usize, q: usize) -> ([[f64; 3]; 3], f64, [f64; 3]) {
    let (mut jacobian, mut position) = ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [0.0; 3]);
    jacobian[..d].iter_mut().for_each(|row| row[..d].fill(0.0));
    for v in 0..case.corners {
        let x = &case.coordinates[case.vertices[cell * case.corners + v] as usize * d..][..d];
        for i in 0..d {
            position[i] += case.geometry.values[q * case.corners + v] * x[i];
            for j in 0..d {
                jacobian[i][j] += case.geometry.gradients[q * case.corners + v][j] * x[i];
            }
        }
    }
    let minor = |i: usize, j: usize| {
        let at = |r: usize, s: usize| jacobian[(i + r) % 3][(j + s) % 3];
        at(1, 1) * at(2, 2) - at(1, 2) * at(2, 1)
    };
    let determinant: f64 = (0..3).map(|j| jacobian[0][j] * minor(0, j)).sum();
    let mut inverse = [[0.0; 3]; 3];
    for i in 0..3 {
        for j in 0..3 {
            inverse[j][i] = minor(i, j) / determinant;
        }
    }
    (inverse, determinant, position)
}

/// A gradient in physical coordinates from one in reference coordinates.
fn along(inverse: &[[f64; 3]; 3], slope: &[f64; 3]) -> [f64; 3] {
    [0, 1, 2].map(|i| (0..3).map(|k| inverse[k][i] * slope[k]).sum())
}

/// Densities and derivatives.
fn evaluate(kernel: &dyn Kernel, points: &Points) -> [Vec<f64>; 3] {
    let (d, c) = (kernel.dimension(), kernel.components());
    let list = |width: usize| vec![f64::NAN; points.count * width];
    let [mut sources, mut fluxes, mut derivatives] = [list(c), list(c * d), list((c * (d + 1)).pow(2))];
    let into = Densities {
        sources: &mut sources,
        fluxes: &mut fluxes,
        derivatives: &mut derivatives,
        history: &mut [],
    };
    kernel.evaluate(points, into);
    [sources, fluxes, derivatives]
}

fn apart(a: &[f64], b: &[f64]) -> (f64, f64) {
    assert_eq!(a.len(), b.len());
    let size = a.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    (a.iter().zip(b).fold(0.0f64, |m, (a, b)| m.max((a - b).abs())), size)
}

/// Numbers of a density or state at a point in the order of derivatives: value or slope `k` of component `i`.
fn number(d: usize, c: usize, i: usize, k: usize) -> usize {
    if k == 0 { i } else { c + i * d + k - 1 }
}

/// Element vectors and matrices from densities and their derivatives.
fn assemble(kernel: &dyn Kernel, case: &Case, sampled: &Sampled, densities: &[Vec<f64>; 3]) -> [Vec<f64>; 2] {
    let (d, c, n) = (kernel.dimension(), kernel.components(), case.functions);
    let (numbers, dofs) = (c * (d + 1), n * c);
    let (mut load, mut matrix) = (vec![0.0; CELLS * dofs], vec![0.0; CELLS * dofs * dofs]);
    let [sources, fluxes, derivatives] = densities;
    for p in 0..CELLS * POINTS {
        let (cell, weight) = (p / POINTS, sampled.weights[p]);
        let tests = &sampled.tests[p * dofs * (d + 1)..][..dofs * (d + 1)];
        let trials = &sampled.trials[p * dofs * (d + 1)..][..dofs * (d + 1)];
        let derivative = &derivatives[p * numbers * numbers..][..numbers * numbers];
        for (row, test) in tests.chunks_exact(d + 1).enumerate() {
            let i = row % c;
            let flux = &fluxes[(p * c + i) * d..][..d];
            let along: f64 = flux.iter().zip(&test[1..]).map(|(f, t)| f * t).sum();
            load[cell * dofs + row] += weight * (test[0] * sources[p * c + i] + along);
            for (column, trial) in trials.chunks_exact(d + 1).enumerate() {
                let j = column % c;
                for (k, t) in test.iter().enumerate() {
                    for (l, s) in trial.iter().enumerate() {
                        let entry = derivative[number(d, c, i, k) * numbers + number(d, c, j, l)];
                        matrix[(cell * dofs + row) * dofs + column] += weight * t * entry * s;
                    }
                }
            }
        }
    }
    for (row, values) in matrix.chunks_exact_mut(dofs).enumerate() {
        for (column, value) in values.iter_mut().enumerate() {
            if case.fixed[row] || case.fixed[row / dofs * dofs + column] {
                *value = 0.0;
            }
        }
    }
    [matrix, load]
}

/// Calls `visit` for all forms and elements that they have.
fn for_all_cases(mut visit: impl FnMut(&str, &dyn Kernel, &Case, bool)) {
    for_all_forms(|name, dimension, kernel, facets| {
        let flow = name.starts_with("navier_stokes") && !facets;
        for &(functions, simplex) in ELEMENTS[dimension - 1] {
            let sizes = [kernel.components(), kernel.coefficients(), kernel.history()];
            let mut case = Case::new(dimension, functions, simplex, facets, sizes);
            if kernel.needs().potential {
                // Those of a potential are uniform.
                for (j, values) in case.coefficients.iter_mut().enumerate() {
                    *values = Values::Uniform(0.5 + 0.1 * j as f64);
                }
            }
            if name.contains("tensor") && !facets {
                // Which is symmetric.
                for (i, j) in [(1, 0), (2, 0), (2, 1)].into_iter().filter(|&(i, _)| i < dimension) {
                    case.coefficients[i * dimension + j] = case.coefficients[j * dimension + i].clone();
                }
            }
            let about = format!("{name}, {dimension}D, {functions} functions, facets: {facets}");
            visit(&about, kernel, &case, flow);
        }
    });
}

#[test]
fn densities_add_up_to_residual_and_matrix() {
    let mut worst = 0.0f64;
    for_all_cases(|about, kernel, case, flow| {
        let job = case.job();
        let sampled = Sampled::new(kernel, case, &job, flow);
        let ours = assemble(kernel, case, &sampled, &evaluate(kernel, &sampled.points(&job)));
        let theirs = case.run(kernel.components(), &|job, part| kernel.add(job, part));
        for (what, (a, b)) in ["matrix", "load"].iter().zip(theirs.iter().zip(&ours)) {
            let (apart, size) = apart(a, b);
            worst = worst.max(apart / size.max(f64::MIN_POSITIVE));
            assert!(size.is_finite() && apart <= 1e-12 * size, "{about}, {what}: {apart:e} of {size:e}");
        }
    });
    println!("densities: {worst:e}");
}

#[test]
fn derivatives_are_exact() {
    for_all_cases(|about, kernel, case, flow| {
        // Where coefficients follow the solution, whoever evaluates them has to move them along.
        if about.contains("of the solution") {
            return;
        }
        let job = case.job();
        let mut sampled = Sampled::new(kernel, case, &job, flow);
        let (d, c) = (kernel.dimension(), kernel.components());
        let count = sampled.weights.len();
        let mut numbers = Numbers(3);
        // Away from where powers are not smooth.
        sampled.values = numbers.list(count * c, 0.2, 1.0);
        sampled.gradients = numbers.list(count * c * d, -1.0, 1.0);
        let [values, gradients] = [c, c * d].map(|width| numbers.list(count * width, -1.0, 1.0));
        let points = sampled.points(&job);
        let [sources, fluxes, derivatives] = evaluate(kernel, &points);
        let n = c * (d + 1);
        let remainder = |h: f64| {
            let moved = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + h * b).collect::<Vec<_>>();
            let [v, g] = [moved(points.values, &values), moved(points.gradients, &gradients)];
            let [s, f, _] = evaluate(kernel, &Points { values: &v, gradients: &g, ..points });
            let (mut worst, mut size) = (0.0f64, 0.0f64);
            for p in 0..count {
                let all = |a: &[f64], b: &[f64]| [&a[p * c..][..c], &b[p * c * d..][..c * d]].concat();
                let (old, new, direction) = (all(&sources, &fluxes), all(&s, &f), all(&values, &gradients));
                for (i, row) in derivatives[p * n * n..][..n * n].chunks_exact(n).enumerate() {
                    let slope: f64 = row.iter().zip(&direction).map(|(a, b)| a * b).sum();
                    worst = worst.max((new[i] - old[i] - h * slope).abs());
                    size = size.max(new[i].abs());
                }
            }
            (worst, size)
        };
        let h = 1e-4;
        let ((once, size), (half, _)) = (remainder(h), remainder(0.5 * h));
        let rounding = 1e-13 * size;
        assert!(
            once < 1e-5 * size && half <= 0.26 * once + rounding,
            "{about}: {once:e} {half:e} of {size:e}"
        );
    });
}

#[test]
fn slopes_of_potentials_are_exact() {
    for_all_forms(|name, _, kernel, _| {
        let coefficients = vec![0.7; kernel.coefficients()];
        let values: Vec<f64> = (0..11).map(|i| -0.93 + 0.2 * f64::from(i)).collect();
        let at = |h: f64| {
            let moved: Vec<f64> = values.iter().map(|value| value + h).collect();
            let (mut potentials, mut slopes) = (vec![0.0; 11], vec![0.0; 11]);
            kernel.potential(&coefficients, &moved, &mut potentials, &mut slopes);
            if !kernel.needs().potential {
                assert!(potentials == moved && slopes == [1.0; 11], "{name}");
            }
            (potentials, slopes)
        };
        let ((up, _), (down, _), (_, slopes)) = (at(1e-5), at(-1e-5), at(0.0));
        for i in 0..11 {
            let difference = (up[i] - down[i]) / 2e-5;
            assert!((difference - slopes[i]).abs() < 1e-8, "{name}: {difference} {}", slopes[i]);
        }
    });
}

#[test]
fn internal_variables_are_those_of_the_cells() {
    let mut compared = 0;
    for_all_cases(|about, kernel, case, flow| {
        if kernel.history() == 0 {
            return;
        }
        let job = case.job();
        let sampled = Sampled::new(kernel, case, &job, flow);
        let [mut ours, mut theirs] = [(); 2].map(|()| vec![0.0; CELLS * POINTS * kernel.history()]);
        kernel.update(&job, &mut theirs);
        kernel.evaluate(&sampled.points(&job), Densities { history: &mut ours, ..Default::default() });
        let (apart, size) = apart(&theirs, &ours);
        assert!(size > 0.0 && apart <= 1e-12 * size, "{about}: {apart:e} of {size:e}");
        compared += 1;
    });
    assert_eq!(compared, 12);
}

#[test]
#[should_panic(expected = "inverses: 0 numbers for 2 points of 4")]
fn what_a_form_needs_has_to_be_there() {
    let (kernel, _) = tessera_kernels::models::advection_diffusion::FORMS.of(2);
    assert!(kernel.needs().inverses);
    let empty: &[f64] = &[];
    let coefficients = vec![1.0; 2 * kernel.coefficients()];
    let points = Points {
        count: 2,
        values: empty,
        gradients: empty,
        positions: empty,
        normals: empty,
        inverses: empty,
        coefficients: &coefficients,
        history: empty,
        parts: tessera_kernels::Parts::REST,
    };
    kernel.evaluate(&points, Densities::default());
}
