//! Level `residual`: every expert by itself, all of them side by side.
use super::levenberg::{Expert, MOST_STEPS, Normal};
use super::rows::{Rows, lumped_mass};
use super::system::System;
use crate::experts::constraint::{Constraint, Found};
use crate::experts::differences::Differences;
use crate::experts::equations::Equations;
use crate::mixture::dot;
use crate::{Error, Result};
use petsc_rs::{Matrix, Vector};

impl Constraint {
    /// The rows of the experts around a state.
    pub(super) fn system<'a>(
        &self,
        equations: &Equations<'a>,
        tangent: &'a Matrix,
        start: &'a Vector,
    ) -> Result<System<'a>> {
        let (space, gating) = (self.basis.fields.clone(), &self.basis.gating);
        if self.lumped.get().is_none() {
            let _ = self.lumped.set(lumped_mass(&space)?);
        }
        let lumped = self.lumped.get().expect("set above");
        let rows = Rows::new(&space, gating, &self.basis.columns, equations, &self.least_squares, lumped)?;
        Ok(System::new(rows, space, equations, tangent, start))
    }

    /// From `state`, which has the essential values and the tangent, to the experts' least squares, blended. Collective.
    pub(in crate::experts) fn least(
        &self,
        equations: &Equations,
        tangent: &Matrix,
        state: &mut Vector,
    ) -> Result<Found> {
        self.check_columns(equations)?;
        let start = state.try_clone()?;
        let system = self.system(equations, tangent, &start)?;
        let (rows, comm, c) = (&system.rows, &self.basis.fields.mesh.comm, self.basis.fields.components);
        let (n, ridge) = (rows.functions, self.least_squares.ridge);
        let width = n * n + n + 1;
        let mut experts: Vec<Expert> = Vec::new();
        let mut steps = 0;
        loop {
            let trials: Vec<f64> = experts.iter().flat_map(|expert| expert.trial.iter().copied()).collect();
            let own = self.basis.gating.experts.len();
            let w = if steps == 0 { vec![0.0; own * n] } else { trials };
            let w = rows.shares.spread(&w, n);
            let evaluated = system.evaluate(&w)?;
            let mut sums = vec![0.0; rows.shares.experts.len() * width];
            for (row, place, weight) in rows.each(c) {
                let (r, image) = (evaluated.residual[row], &evaluated.images[row * n..][..n]);
                let sums = &mut sums[place * width..][..width];
                for (i, a) in image.iter().enumerate() {
                    let a = weight * a;
                    sums[i * n..][..n].iter_mut().zip(image).for_each(|(sum, b)| *sum += a * b);
                    sums[n * n + i] += a * r;
                }
                sums[n * n + n] += weight * r * r;
            }
            let sums = rows.shares.gather(&sums, width);
            let mut second = None;
            if comm.max(u8::from(!equations.is_linear() && experts.iter().any(Expert::wants_second))) == 1 {
                let z: Vec<f64> =
                    evaluated.residual.iter().zip(&rows.weights).map(|(r, weight)| weight * r).collect();
                second = Some(rows.shares.gather(&system.curvature(&w, &z, Differences::OneSided)?, n * n));
            }
            let mut fault = Ok(());
            if steps == 0 {
                let (seen, noise) = system.seen(&evaluated)?;
                experts = seen.chunks_exact(n).map(|seen| Expert::new(n, seen)).collect();
                for ((expert, sums), noise) in experts.iter_mut().zip(sums.chunks_exact(width)).zip(noise) {
                    expert.first = sums[width - 1].sqrt();
                    expert.goal = self.options.tolerance * expert.first + noise;
                }
            }
            for (local, (expert, sums)) in experts.iter_mut().zip(sums.chunks_exact(width)).enumerate() {
                if expert.done {
                    continue;
                }
                let second = second.as_ref().filter(|_| expert.wants_second());
                let second = second.map(|second| &second[local * n * n..][..n * n]);
                match Normal::new(sums, second, &expert.trial, &expert.seen, ridge) {
                    Ok(then) if steps == 0 && !then.determined() => {
                        fault = Err(self.dependent(local, expert));
                    }
                    Ok(then) => expert.judge(then),
                    Err(error) => fault = Err(error),
                }
            }
            comm.agree(fault)?;
            if comm.min(u8::from(experts.iter().all(|expert| expert.done))) == 1 {
                break;
            }
            steps += 1;
            if steps > MOST_STEPS {
                break;
            }
        }
        let first = self.basis.gating.experts.start as usize;
        let late = experts.iter().position(|expert| !expert.arrived());
        comm.agree(late.map_or(Ok(()), |local| Err(experts[local].unfinished(&self.name, first + local))))?;
        let w: Vec<f64> = experts.iter().flat_map(|expert| expert.w.iter().copied()).collect();
        self.blend_experts(rows, &w, state)?;
        let mut coefficients = Vector::new(comm.mpi(), w.len(), 1)?;
        coefficients.write()?.copy_from_slice(&w);
        let lengths = |expert: &Expert| {
            let now = expert.normal.as_ref().expect("judged");
            [expert.first, (2.0 * now.objective - ridge * dot(&expert.w, &expert.w)).max(0.0).sqrt()]
        };
        let least = experts.iter().map(lengths).collect();
        Ok(Found { iterations: steps, coefficients: Some(coefficients), least, ..Found::default() })
    }

    /// `u += sum_k chi_k Phi w_k` at the free unknowns. Collective.
    fn blend_experts(&self, rows: &Rows, w: &[f64], state: &mut Vector) -> Result<()> {
        let (gating, c, n) = (&self.basis.gating, self.basis.fields.components, rows.functions);
        let w = rows.shares.spread(w, n);
        {
            let mut state = state.write()?;
            for node in 0..self.basis.fields.owned_nodes {
                for &(expert, chi) in gating.of(node) {
                    let w = &w[rows.shares.place(expert) * n..][..n];
                    (node * c..(node + 1) * c).for_each(|dof| state[dof] += chi * dot(rows.phi(dof), w));
                }
            }
        }
        Ok(state.ghost_update()?)
    }

    /// What is said where an expert's functions are too many.
    fn dependent(&self, local: usize, expert: &Expert) -> Error {
        let (number, count) = (self.basis.gating.experts.start as usize + local, expert.seen.len());
        Error::Failed(format!(
            "{}: the {count} functions that the rows of expert {number} see depend on one another there, or are not \
             finite: fewer functions, fewer experts, or a ridge",
            self.name
        ))
    }
}
