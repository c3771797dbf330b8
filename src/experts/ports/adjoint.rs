//! The derivative of fields that meet at ports, by the implicit function theorem at the conditions of optimality, with the
//! exact matrix: second derivatives of rows and conditions. The modes at ports count as given.
use super::evaluate::Evaluated;
use super::small::{Small, Step};
use super::solve::At;
use super::window::Window;
use crate::Result;
use crate::experts::adjoint::Pullback;
use crate::experts::constraint::{Constraint, Last};
use crate::experts::differences::Differences;
use crate::experts::equations::{DIFFERENCE, Equations, STEP};
use crate::experts::port_condition::PortCondition;
use crate::mixture::{Columns, dot};
use crate::physics::Context;
use petsc_rs::Vector;

/// Multipliers of the rows of every equation, and of the fluxes.
type Multipliers = (Vec<Vec<f64>>, Vec<f64>);

/// What the optimum says of a scalar.
pub(super) struct Adjoint {
    pub at: At,
    /// Adjoint coefficients, `[expert, function]`.
    alpha: Vec<f64>,
    /// Multipliers of rows and fluxes in the optimum, and those of the adjoint.
    zeta: Multipliers,
    pub eta: Multipliers,
    /// Factors of functions that the jumps at every port pull at, in the optimum and the adjoint.
    pulls: [Vec<Vec<f64>>; 2],
}

impl Constraint {
    /// From `dL/du`, with what is said of interpolated values folded in, and the same at the free unknowns.
    pub(in crate::experts) fn pull_met(
        &self,
        equations: &Equations,
        condition: PortCondition,
        last: &Last,
        cotangent: &Vector,
        free: &Vector,
    ) -> Result<Pullback> {
        let prepared = equations.problem_at().map(|(problem, context)| problem.at(context)).transpose()?;
        let steady = prepared.as_ref().map(Equations::steady);
        let equations = steady.as_ref().unwrap_or(equations);
        let window = self.window(equations, condition, &last.start)?;
        let own = last.coefficients.as_ref().expect("of this level").read()?.to_vec();
        let w = window.space.mesh.comm.all_gather_varied(&own);
        let free = [free.read()?.to_vec()];
        let adjoint = self.adjoint_of_ports(&window, condition, w, &free)?;
        let said = window.said(&adjoint, &free)?;
        let space = &window.space;
        let mut whole = cotangent.try_clone()?;
        let mut prediction = cotangent.try_clone()?;
        let image = accumulated(&window, &said[0].prediction)?;
        whole.axpy(-1.0, &image)?;
        prediction.axpy(-1.0, &image)?;
        equations.essential.clear(&mut prediction.write()?);
        let mut prescribed = cotangent.duplicate()?;
        {
            let (whole, mut prescribed) = (whole.read()?, prescribed.write()?);
            equations.prescribed(space).for_each(|dof| prescribed[dof] = whole[dof]);
        }
        let mut offset = cotangent.duplicate()?;
        offset.write()?.iter_mut().zip(&adjoint.eta.0[0]).for_each(|(offset, y)| *offset = -y);
        let mut columns = Columns::new(&space.mesh.comm, space.owned_dofs());
        for column in &said[0].columns {
            let mut column = accumulated(&window, column)?;
            equations.essential.clear(&mut column.write()?);
            columns.push(&column.read()?);
        }
        let mut parameters = window.of_parameters(&adjoint)?;
        if let Some((prepared, _)) = equations.prepared() {
            for (parameter, sum) in parameters.iter_mut().enumerate() {
                let rates = prepared.problem().essential_slope(prepared.context(), parameter)?;
                let rates = &rates.values[..space.owned_dofs()];
                *sum += space.mesh.comm.sum(dot(&prescribed.read()?, rates));
            }
        }
        let known = Vec::new();
        Ok(Pullback { prediction, offset, prescribed, parameters, known, columns, history: None })
    }

    /// Solves for the adjoint coefficients; `free` is what is said of the free owned unknowns of every state. Collective.
    pub(super) fn adjoint_of_ports(
        &self,
        window: &Window,
        condition: PortCondition,
        w: Vec<f64>,
        free: &[Vec<f64>],
    ) -> Result<Adjoint> {
        let (n, c) = (window.functions, window.space.components);
        let first: Evaluated = window.evaluate(&window.local(&vec![0.0; w.len()]))?;
        let ridge = self.least_squares.ridge;
        let small = Small::new(window, condition, &first, ridge)?;
        let at = window.at(&small, w, ridge)?;
        let right: Vec<f64> = at.gradient.iter().map(|g| -g).collect();
        let none = vec![0.0; small.count()];
        let y = small.solve(&at.matrices, &at.evaluated, &right, &none)?.multipliers;
        let local = window.local(&at.w);
        let (balances, fluxes, traces) = small.multipliers(&y);
        let weighted: Vec<Vec<f64>> = window.weighted(&local, &local)?.into_iter().map(|[z, _]| z).collect();
        let zeta = (window.of_rows(&weighted, &balances), fluxes);
        let mut matrices = at.matrices.clone();
        let second = window.curvature(&at.w, (&zeta.0, &zeta.1), Differences::Central)?;
        matrices.iter_mut().zip(&second).for_each(|(sum, v)| *sum += v);
        // Phi_k^T chi_k g.
        let mut tested = vec![0.0; at.w.len()];
        for (state, free) in window.states.iter().zip(free) {
            for (dof, g) in free.iter().enumerate() {
                for &(k, chi) in window.gating.of(dof / c) {
                    let sums = &mut tested[k as usize * n..][..n];
                    sums.iter_mut().zip(state.phi(dof, n)).for_each(|(sum, phi)| *sum += chi * g * phi);
                }
            }
        }
        window.space.mesh.comm.sum_into(&mut tested);
        let Step { change: alpha, multipliers: beta, .. } =
            small.solve(&matrices, &at.evaluated, &tested, &none)?;
        let (balances, fluxes, beta_traces) = small.multipliers(&beta);
        let images = window.weighted(&local, &window.local(&alpha))?.into_iter().map(|[_, y]| y);
        let eta = (window.of_rows(&images.collect::<Vec<_>>(), &balances), fluxes);
        let pulls = [traces, beta_traces]
            .map(|traces| traces.iter().enumerate().map(|(port, y)| small.pulls(port, y)).collect());
        Ok(Adjoint { at, alpha, zeta, eta, pulls })
    }
}

/// What is said of the inputs of one state, at the local unknowns, ghosts to be added to their owners.
pub(super) struct Said {
    /// What is taken off what is said of the prediction.
    pub prediction: Vec<f64>,
    /// Of the columns, what is said.
    pub columns: Vec<Vec<f64>>,
}

impl Window<'_> {
    /// `sum_k P_k v_k + E_k^T beta`, and `s_k w_kj - p_k alpha_kj` of the columns, of every state. Collective.
    pub fn said(&self, adjoint: &Adjoint, free: &[Vec<f64>]) -> Result<Vec<Said>> {
        let (n, c) = (self.functions, self.space.components);
        let unknowns = self.space.local_nodes() * c;
        let count = self.columns;
        let (w, alpha) = (self.local(&adjoint.at.w), self.local(&adjoint.alpha));
        let new = || Said { prediction: vec![0.0; unknowns], columns: vec![vec![0.0; unknowns]; count] };
        let mut said: Vec<Said> = self.states.iter().map(|_| new()).collect();
        // Of the columns chi_k g w_kj first.
        for (said, free) in said.iter_mut().zip(free) {
            for (dof, g) in free.iter().enumerate() {
                for &(k, chi) in self.gating.of(dof / c) {
                    let w = &adjoint.at.w[(k as usize + 1) * n - count..][..count];
                    said.columns.iter_mut().zip(w).for_each(|(column, w)| column[dof] += chi * g * w);
                }
            }
        }
        let add = |said: &mut Vec<Said>, at: &[f64], factors: &Multipliers, weight: f64| {
            self.transposed(at, &factors.0, &factors.1, |state, viewer, dof, value| {
                let said = &mut said[state];
                said.prediction[dof] += weight * value;
                let w = &self.of(&w, viewer)[n - count..];
                said.columns.iter_mut().zip(w).for_each(|(column, w)| column[dof] -= weight * value * w);
            })
        };
        add(&mut said, &w, &adjoint.eta, 1.0)?;
        let moves = if self.linear { Vec::new() } else { self.moves(&w, &alpha) };
        for (moved, weight) in moves {
            add(&mut said, &moved, &adjoint.zeta, weight)?;
        }
        self.transposed(&w, &adjoint.zeta.0, &adjoint.zeta.1, |state, viewer, dof, value| {
            let alpha = &self.of(&alpha, viewer)[n - count..];
            said[state].columns.iter_mut().zip(alpha).for_each(|(column, a)| column[dof] -= value * a);
        })?;
        self.add_jumps(adjoint, &mut said);
        Ok(said)
    }

    /// What the conditions on jumps say of the columns: of continuous predictions they say nothing.
    fn add_jumps(&self, adjoint: &Adjoint, said: &mut [Said]) {
        let (n, c, count) = (self.functions, self.space.components, self.columns);
        let sizes = &self.sizes.1;
        let [in_optimum, in_adjoint] = &adjoint.pulls;
        if in_adjoint.is_empty() {
            return;
        }
        self.regions.traces(&self.space, |port, node| {
            let (a, b) = self.regions.ports[port];
            let jump = |of: &[f64], j: usize| of[a as usize * n + j] - of[b as usize * n + j];
            for (state, said) in self.states.iter().zip(said.iter_mut()) {
                for i in 0..c {
                    let phi = state.phi(node * c + i, n);
                    let weight = 1.0 / (sizes[i] * sizes[i]);
                    let [y, z] = [&in_adjoint[port], &in_optimum[port]].map(|pull| weight * dot(phi, pull));
                    for (j, column) in said.columns.iter_mut().enumerate() {
                        let j = n - count + j;
                        column[node * c + i] -= y * jump(&adjoint.at.w, j) + z * jump(&adjoint.alpha, j);
                    }
                }
            }
        });
    }

    /// Coefficients about `w` along `alpha` with the weights of a central difference of fourth order. Collective.
    fn moves(&self, w: &[f64], alpha: &[f64]) -> Vec<(Vec<f64>, f64)> {
        let n = self.functions;
        let sizes = &self.sizes.0;
        let comm = &self.space.mesh.comm;
        let of = |alpha: &[f64]| alpha.iter().zip(sizes).map(|(a, size)| (a * size).abs()).sum::<f64>();
        let length = comm.max(alpha.chunks_exact(n).map(of).fold(0.0, f64::max));
        if length == 0.0 {
            return Vec::new();
        }
        let step = STEP * self.size() / length;
        let moved = |(places, weight): (f64, f64)| {
            let moved = w.iter().zip(alpha).map(|(w, a)| w + places * step * a).collect();
            (moved, weight / (12.0 * step))
        };
        DIFFERENCE.map(moved).into()
    }

    /// `-eta^T dr/dmu - d/dmu (zeta^T J v)`, with predictions as they are: differences of fourth order in the parameters,
    /// right to about 1e-10. Collective.
    pub fn of_parameters(&self, adjoint: &Adjoint) -> Result<Vec<f64>> {
        let (w, alpha) = (self.local(&adjoint.at.w), self.local(&adjoint.alpha));
        let moves = self.moves(&w, &alpha);
        let contexts: Vec<&Context> = self.pieces.iter().map(|piece| piece.prepared.context()).collect();
        let parameters = contexts[0].parameters.len();
        let mut sums = vec![0.0; parameters];
        for (parameter, sum) in sums.iter_mut().enumerate() {
            let value = contexts[0].parameters[parameter].abs();
            let step = STEP * if value > 0.0 { value } else { 1.0 };
            for (places, weight) in DIFFERENCE {
                let prepared = self.pieces.iter().zip(&contexts).map(|(piece, context)| {
                    let mut context = (*context).clone();
                    context.parameters[parameter] += places * step;
                    piece.prepared.problem().clone().at(&context)
                });
                let prepared = prepared.collect::<Result<Vec<_>>>()?;
                let mut total = self.tested(&prepared, &w, &adjoint.eta.0, &adjoint.eta.1)?;
                for (at, factor) in &moves {
                    total += factor * self.tested(&prepared, at, &adjoint.zeta.0, &adjoint.zeta.1)?;
                }
                *sum -= weight / (12.0 * step) * total;
            }
        }
        self.space.mesh.comm.sum_into(&mut sums);
        Ok(sums)
    }
}

/// What ghosts say goes to their owners. Collective.
pub(super) fn accumulated(window: &Window, values: &[f64]) -> Result<Vector> {
    let mut field = window.space.field()?;
    field.local_write()?.copy_from_slice(values);
    field.ghost_accumulate()?;
    Ok(field)
}
