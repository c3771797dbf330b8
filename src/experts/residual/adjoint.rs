//! The derivative of level `residual`, by the implicit function theorem at each expert's own optimum:
//! `(Phi^T P_k Phi + ridge) a_k = Phi^T (chi_k g)` with `P_k v = J_k^T W^2 J_k v + (dJ_k/dv)^T W^2 r_k`. Without the second
//! term, as in the iteration, it would be wrong wherever rows are left over.
use super::system::{Evaluated, System};
use crate::experts::adjoint::Pullback;
use crate::experts::constraint::{Constraint, Last};
use crate::experts::differences::Differences;
use crate::experts::equations::{DIFFERENCE, Equations, STEP};
use crate::fem::History;
use crate::mixture::{Columns, dot};
use crate::{Error, Result};
use faer::Mat;
use faer::linalg::solvers::Solve;
use petsc_rs::Vector;

/// What an expert's optimum says of a scalar.
struct Adjoint {
    /// Coefficients of the experts of this rank's nodes, and those of the adjoint fields.
    w: Vec<f64>,
    a: Vec<f64>,
    /// `W^2 J_k Phi a_k` and `W^2 r_k`, of the owned unknowns.
    y: Vec<f64>,
    z: Vec<f64>,
    /// Of each expert the step of differences along `Phi a_k`; zero where that vanishes.
    steps: Vec<f64>,
}

impl Constraint {
    /// From `dL/du`, with what is said of interpolated values folded in, and the same at the free unknowns.
    pub(in crate::experts) fn pull_least(
        &self,
        equations: &Equations,
        last: &Last,
        cotangent: &Vector,
        free: &Vector,
    ) -> Result<Pullback> {
        let (space, comm) = (&self.basis.fields, &self.basis.fields.mesh.comm);
        let tangent = equations.tangent(&last.start, None)?;
        let system = self.system(equations, &tangent, &last.start)?;
        let adjoint = self.adjoint(equations, &system, last, free)?;
        let (n, c, count) = (system.rows.functions, space.components, self.basis.columns.count());
        let Adjoint { w, a, y, z, steps } = &adjoint;

        // P_k v_k for the prediction, and that times w_kj for the columns.
        let lists = 1 + count;
        let times = |values: &[f64], factor: &dyn Fn(usize) -> f64| -> Vec<f64> {
            let mut result = vec![0.0; values.len() * lists];
            for (row, place, _) in system.rows.each(c) {
                let value = factor(place) * values[row];
                result[row * lists] = value;
                (0..count).for_each(|j| result[row * lists + 1 + j] = value * w[place * n + c + j]);
            }
            result
        };
        let mut images = system.transposed(w, &times(y, &|_| 1.0), lists)?;
        if !equations.is_linear() {
            for (places, weight) in DIFFERENCE {
                let moved = displaced(w, a, |place| places * steps[place], n);
                let over =
                    |place: usize| if steps[place] > 0.0 { weight / (12.0 * steps[place]) } else { 0.0 };
                for (sum, part) in
                    images.iter_mut().zip(system.transposed(&moved, &times(z, &over), lists)?)
                {
                    sum.axpy(1.0, &part)?;
                }
            }
        }
        let mut whole = cotangent.try_clone()?;
        whole.axpy(-1.0, &images[0])?;
        let mut prediction = free.try_clone()?;
        prediction.axpy(-1.0, &images[0])?;
        equations.essential.clear(&mut prediction.write()?);
        let mut prescribed = cotangent.duplicate()?;
        {
            let (whole, mut prescribed) = (whole.read()?, prescribed.write()?);
            equations.prescribed(space).for_each(|dof| prescribed[dof] = whole[dof]);
        }
        let mut offset = cotangent.duplicate()?;
        offset.write()?.iter_mut().zip(y).for_each(|(offset, y)| *offset = -y);
        let parameters = self.of_least_parameters(equations, &system, &adjoint, &prescribed)?;
        let history = self.of_least_history(equations, &system, &adjoint)?;

        // chi_k g w_kj - P_k v_k w_kj - p_k a_kj.
        let mut columns = Columns::new(comm, space.owned_dofs());
        let mut of_rows = vec![0.0; space.owned_dofs() * count];
        for (row, place, _) in system.rows.each(c) {
            (0..count).for_each(|j| of_rows[row * count + j] = z[row] * a[place * n + c + j]);
        }
        let of_rows = system.transposed(w, &of_rows, count)?;
        for j in 0..count {
            let (image, rows, free) = (images[1 + j].read()?, of_rows[j].read()?, free.read()?);
            let mut column = vec![0.0; space.owned_dofs()];
            for (dof, value) in column.iter_mut().enumerate() {
                let blended: f64 = self.basis.gating.of(dof / c).iter().fold(0.0, |sum, &(expert, chi)| {
                    sum + chi * w[system.rows.shares.place(expert) * n + c + j]
                });
                *value = free[dof] * blended - image[dof] - rows[dof];
            }
            equations.essential.clear(&mut column);
            columns.push(&column);
        }
        Ok(Pullback { prediction, offset, history, prescribed, parameters, known: Vec::new(), columns })
    }

    /// Solves for the adjoint coefficients. Collective.
    fn adjoint(&self, equations: &Equations, system: &System, last: &Last, free: &Vector) -> Result<Adjoint> {
        let space = &self.basis.fields;
        let (rows, c) = (&system.rows, space.components);
        let (n, experts) = (rows.functions, rows.shares.experts.len());
        let own = self.basis.gating.experts.len();
        let first = system.evaluate(&vec![0.0; experts * n])?;
        let (seen, _) = system.seen(&first)?;
        let coefficients = last.coefficients.as_ref().expect("of this level");
        let w = rows.shares.spread(&coefficients.read()?, n);
        let Evaluated { residual, images } = system.evaluate(&w)?;

        let width = n * n + n;
        let mut sums = vec![0.0; experts * width];
        for (row, place, weight) in rows.each(c) {
            let (sums, image) = (&mut sums[place * width..][..width], &images[row * n..][..n]);
            for (i, a) in image.iter().enumerate() {
                let sums = sums[i * n..][..n].iter_mut();
                sums.zip(image).for_each(|(sum, b)| *sum += weight * a * b);
            }
        }
        {
            let free = free.read()?;
            for dof in 0..space.owned_dofs() {
                for &(expert, chi) in self.basis.gating.of(dof / c) {
                    let sums = &mut sums[rows.shares.place(expert) * width + n * n..][..n];
                    sums.iter_mut().zip(rows.phi(dof)).for_each(|(sum, phi)| *sum += chi * free[dof] * phi);
                }
            }
        }
        let z: Vec<f64> = residual.iter().zip(&rows.weights).map(|(r, weight)| weight * r).collect();
        if !equations.is_linear() {
            let second = system.curvature(&w, &z, Differences::Central)?;
            for (sums, second) in sums.chunks_exact_mut(width).zip(second.chunks_exact(n * n)) {
                sums.iter_mut().zip(second).for_each(|(sum, second)| *sum += second);
            }
        }
        let sums = rows.shares.gather(&sums, width);
        let mut a = vec![0.0; own * n];
        let mut good = true;
        for ((sums, seen), a) in sums.chunks_exact(width).zip(seen.chunks_exact(n)).zip(a.chunks_exact_mut(n))
        {
            let seen: Vec<usize> = (0..n).filter(|&j| seen[j]).collect();
            let ridge = |i, j| if i == j { self.least_squares.ridge } else { 0.0 };
            let full = |i: usize, j: usize| sums[seen[i] * n + seen[j]] + ridge(i, j);
            let scale: Vec<f64> = (0..seen.len()).map(|i| full(i, i).abs().sqrt().recip()).collect();
            let matrix = Mat::from_fn(seen.len(), seen.len(), |i, j| scale[i] * full(i, j) * scale[j]);
            let right = Mat::from_fn(seen.len(), 1, |i, _| scale[i] * sums[n * n + seen[i]]);
            let solution = matrix.partial_piv_lu().solve(&right);
            seen.iter().enumerate().for_each(|(i, &j)| a[j] = scale[i] * solution[(i, 0)]);
            good &= a.iter().all(|a| a.is_finite());
        }
        let fault = Error::Failed(format!("{}: an expert's optimum has no derivative", self.name));
        space.mesh.comm.agree(if good { Ok(()) } else { Err(fault) })?;
        let a = rows.shares.spread(&a, n);
        let mut y = vec![0.0; space.owned_dofs()];
        for (row, place, weight) in rows.each(c) {
            y[row] = weight * dot(&images[row * n..][..n], &a[place * n..][..n]);
        }
        let mut lengths = vec![0.0f64; experts];
        for colour in &rows.colours {
            for &(node, place) in &colour.nodes {
                for dof in node as usize * c..(node as usize + 1) * c {
                    let value = dot(rows.phi(dof), &a[place as usize * n..][..n]).abs();
                    lengths[place as usize] = lengths[place as usize].max(value);
                }
            }
        }
        let size = Equations::size(space, &last.start)?;
        let steps = lengths.iter().map(|l| if *l > 0.0 { STEP * size / l } else { 0.0 }).collect();
        Ok(Adjoint { w, a, y, z, steps })
    }

    /// `dL/dmu = -sum_k (y_k^T dr_k/dmu + z_k^T d(J_k v_k)/dmu) + (dL/dg)^T dg/dmu`. Collective.
    fn of_least_parameters(
        &self,
        equations: &Equations,
        system: &System,
        adjoint: &Adjoint,
        prescribed: &Vector,
    ) -> Result<Vec<f64>> {
        let Some((prepared, at)) = equations.prepared() else { return Ok(Vec::new()) };
        let (space, context) = (&self.basis.fields, prepared.context());
        let Adjoint { w, a, y, z, steps } = adjoint;
        let (c, n) = (space.components, system.rows.functions);
        let mut sums = vec![0.0; context.parameters.len()];
        let mut slope = prescribed.duplicate()?;
        let mut add = |w: &[f64], multipliers: &[f64], factor: &dyn Fn(usize) -> f64| {
            system.at_own_states(w, |number, _, state| {
                for (parameter, sum) in sums.iter_mut().enumerate() {
                    prepared.slope(parameter, crate::physics::FormState { state, ..at }, &mut slope)?;
                    let slope = slope.read()?;
                    let own = system.rows.each(c).filter(|row| system.rows.colour_of[row.1] == number);
                    *sum -=
                        own.map(|(row, place, _)| factor(place) * multipliers[row] * slope[row]).sum::<f64>();
                }
                Ok(())
            })
        };
        add(w, y, &|_| 1.0)?;
        for (places, weight) in DIFFERENCE {
            let moved = displaced(w, a, |place| places * steps[place], n);
            add(&moved, z, &|place| if steps[place] > 0.0 { weight / (12.0 * steps[place]) } else { 0.0 })?;
        }
        for (parameter, sum) in sums.iter_mut().enumerate() {
            let rates = prepared.problem().essential_slope(context, parameter)?;
            *sum += dot(&prescribed.read()?, &rates.values[..space.owned_dofs()]);
        }
        space.mesh.comm.sum_into(&mut sums);
        Ok(sums)
    }
}

impl Constraint {
    /// `dL/dh = -sum_k (y_k^T dr_k/dh + z_k^T d(J_k v_k)/dh)` of the internal variables at the start of a step. Each rank
    /// finds what its own rows say, for one group of experts after the other, as their states differ. Collective.
    fn of_least_history(
        &self,
        equations: &Equations,
        system: &System,
        adjoint: &Adjoint,
    ) -> Result<Option<History>> {
        let Some((prepared, at)) = equations.prepared() else { return Ok(None) };
        let Some(history) = at.history else { return Ok(None) };
        let Adjoint { w, a, y, z, steps } = adjoint;
        let (space, n) = (&self.basis.fields, system.rows.functions);
        let (c, colours) = (space.components, system.rows.colours.len());
        let most = space.mesh.comm.max(colours);
        let mut sum = History { values: vec![0.0; history.values.len()], ..*history };
        let mut multiplier = space.field()?;
        let mut add = |w: &[f64], multipliers: &[f64], factor: &dyn Fn(usize) -> f64| {
            let mut pull = |state: &[f64], number: Option<u32>| -> Result<()> {
                multiplier.set(0.0)?;
                let own = system.rows.each(c).filter(|row| Some(system.rows.colour_of[row.1]) == number);
                {
                    let mut values = multiplier.write()?;
                    own.for_each(|(row, place, _)| values[row] = factor(place) * multipliers[row]);
                }
                let form = crate::physics::FormState { state, ..at };
                let (_, own) = prepared.pull_history(form, history, None, Some(&multiplier))?;
                sum.values.iter_mut().zip(&own.values).for_each(|(sum, v)| *sum -= v);
                Ok(())
            };
            system.at_own_states(w, |number, _, state| pull(state, Some(number)))?;
            // Ranks whose experts are in fewer groups come along.
            let start = system.start.local_read()?;
            (colours..most).try_for_each(|_| pull(&start, None))
        };
        add(w, y, &|_| 1.0)?;
        for (places, weight) in DIFFERENCE {
            let moved = displaced(w, a, |place| places * steps[place], n);
            add(&moved, z, &|place| if steps[place] > 0.0 { weight / (12.0 * steps[place]) } else { 0.0 })?;
        }
        space.mesh.add_cells(history.points * history.width, &mut sum.values);
        Ok(Some(sum))
    }
}

/// Every expert's coefficients and so many of the others.
fn displaced(w: &[f64], a: &[f64], factor: impl Fn(usize) -> f64, functions: usize) -> Vec<f64> {
    w.iter().zip(a).enumerate().map(|(i, (w, a))| w + factor(i / functions) * a).collect()
}
