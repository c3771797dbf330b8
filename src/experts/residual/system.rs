//! The experts' rows at states of their own, and their derivatives.
use super::rows::{Colour, Rows};
use crate::Result;
use crate::experts::differences::{Differences, second_derivatives};
use crate::experts::equations::Equations;
use crate::fem::{Restriction, Space};
use crate::mixture::dot;
use crate::physics::FormState;
use petsc_rs::{Matrix, Vector};
use std::cell::OnceCell;
use std::rc::Rc;
use tessera_kernels::Element;

/// The rows of every expert `k` at `u^ + Phi w_k`.
pub(super) struct System<'a> {
    pub rows: Rows,
    space: Rc<Space>,
    equations: Equations<'a>,
    /// The tangent at `u^`.
    tangent: &'a Matrix,
    /// `u^` with its essential values.
    pub start: &'a Vector,
    /// Of linear equations the rows at `u^`.
    linear: OnceCell<Evaluated>,
}

/// Rows of the owned unknowns, zero where there are none: `r_k`, and `J_k Phi`, `[row, function]`.
#[derive(Clone)]
pub(super) struct Evaluated {
    pub residual: Vec<f64>,
    pub images: Vec<f64>,
}

impl<'a> System<'a> {
    /// Of the equations around a state whose tangent is given.
    pub fn new(
        rows: Rows,
        space: Rc<Space>,
        equations: &Equations<'a>,
        tangent: &'a Matrix,
        start: &'a Vector,
    ) -> Self {
        Self { rows, space, equations: *equations, tangent, start, linear: OnceCell::new() }
    }

    /// The coefficients of the expert at `place`.
    fn of<'w>(&self, w: &'w [f64], place: usize) -> &'w [f64] {
        &w[place * self.rows.functions..][..self.rows.functions]
    }

    /// Rows and images at these coefficients, `[expert of this rank's nodes, function]`. Collective.
    pub fn evaluate(&self, w: &[f64]) -> Result<Evaluated> {
        if !self.equations.is_linear() {
            return self.visited(w);
        }
        if self.linear.get().is_none() {
            let first = match self.equations.prepared() {
                Some(_) => self.visited(&vec![0.0; w.len()])?,
                None => self.assembled()?,
            };
            let _ = self.linear.set(first);
        }
        let mut result = self.linear.get().expect("set above").clone();
        let n = self.rows.functions;
        for (row, place, _) in self.rows.each(self.space.components) {
            result.residual[row] += dot(&result.images[row * n..][..n], self.of(w, place));
        }
        Ok(result)
    }

    /// From the matrix of a linear system.
    fn assembled(&self) -> Result<Evaluated> {
        let (n, owned) = (self.rows.functions, self.space.owned_dofs());
        let mut result = Evaluated { residual: vec![0.0; owned], images: vec![0.0; owned * n] };
        let [mut column, mut image] = [self.start.duplicate()?, self.start.duplicate()?];
        self.equations.residual_inside(self.start, &mut image)?;
        let some = |values: &[f64], to: &mut dyn FnMut(usize, f64)| {
            self.rows.each(self.space.components).for_each(|(row, ..)| to(row, values[row]));
        };
        some(&image.read()?, &mut |row, value| result.residual[row] = value);
        for j in 0..n {
            column.write()?.iter_mut().enumerate().for_each(|(dof, v)| *v = self.rows.phi[dof * n + j]);
            self.tangent.mult(&column, &mut image)?;
            some(&image.read()?, &mut |row, value| result.images[row * n + j] = value);
        }
        Ok(result)
    }

    /// From the elements that the rows see, at the experts' own states.
    fn visited(&self, w: &[f64]) -> Result<Evaluated> {
        let (n, c, owned) = (self.rows.functions, self.space.components, self.space.owned_dofs());
        let mut result = Evaluated { residual: vec![0.0; owned], images: vec![0.0; owned * n] };
        self.visit(w, |element, weight, row_of| {
            let size = element.vector.len();
            for (a, row) in row_of.iter().enumerate().filter_map(|(a, row)| row.map(|row| (a, row))) {
                result.residual[row] += weight * element.vector[a];
                let image = &mut result.images[row * n..][..n];
                for (b, entry) in element.matrix[a * size..][..size].iter().enumerate() {
                    let phi = self.rows.phi(element.nodes[b / c] as usize * c + b % c);
                    image.iter_mut().zip(phi).for_each(|(sum, phi)| *sum += weight * entry * phi);
                }
            }
        })?;
        if let Some(offset) = self.equations.offset() {
            let offset = offset.read()?;
            self.rows.each(c).for_each(|(row, ..)| result.residual[row] += offset[row]);
        }
        Ok(result)
    }

    /// `sum_k J_k^T y_k` for each of `count` lists of multipliers of the rows, `[row, list]`; at prescribed unknowns as
    /// well, as far as the equations are known there. Collective.
    pub fn transposed(&self, w: &[f64], multipliers: &[f64], count: usize) -> Result<Vec<Vector>> {
        let mut results = Vec::with_capacity(count);
        if self.equations.prepared().is_none() {
            let mut y = self.start.duplicate()?;
            for j in 0..count {
                y.write()?.iter_mut().enumerate().for_each(|(row, y)| *y = multipliers[row * count + j]);
                let mut image = y.duplicate()?;
                self.tangent.mult_transpose(&y, &mut image)?;
                results.push(image);
            }
            return Ok(results);
        }
        let c = self.space.components;
        let mut sums = vec![0.0; self.space.local_nodes() * c * count];
        self.visit(w, |element, weight, row_of| {
            let size = element.vector.len();
            for (a, row) in row_of.iter().enumerate().filter_map(|(a, row)| row.map(|row| (a, row))) {
                let y = &multipliers[row * count..][..count];
                for (b, entry) in element.matrix[a * size..][..size].iter().enumerate() {
                    let dof = element.nodes[b / c] as usize * c + b % c;
                    let sum = &mut sums[dof * count..][..count];
                    sum.iter_mut().zip(y).for_each(|(sum, y)| *sum += weight * entry * y);
                }
            }
        })?;
        for j in 0..count {
            let mut image = self.start.duplicate()?;
            image.local_write()?.iter_mut().enumerate().for_each(|(dof, v)| *v = sums[dof * count + j]);
            image.ghost_accumulate()?;
            results.push(image);
        }
        Ok(results)
    }

    /// Calls `each` with every element at the state of the expert whose rows it has, its weight and, for each entry of the
    /// element vector, the row that it adds to. Elements between experts come once for each. Local.
    fn visit(&self, w: &[f64], mut each: impl FnMut(&Element, f64, &[Option<usize>])) -> Result<()> {
        let (prepared, at) = self.equations.prepared().expect("not of assembled systems");
        let (c, owned) = (self.space.components, self.space.owned_nodes);
        let mut row_of = Vec::new();
        self.at_own_states(w, |number, colour, state| {
            let row = |node: usize, i: usize| -> Option<usize> {
                let its = node < owned && self.rows.colour_of[self.rows.expert[node] as usize] == number;
                (its && self.rows.weights[node * c + i] > 0.0).then_some(node * c + i)
            };
            let cells = Restriction::Cells { list: &colour.cells, weights: &[] };
            prepared.visit(FormState { state, ..at }, cells, None, false, |integral| {
                integral.visit(true, |element, weight| {
                    row_of.clear();
                    let rows = |&node: &u32| (0..c).map(move |i| (node as usize, i));
                    row_of.extend(element.nodes.iter().flat_map(rows).map(|(node, i)| row(node, i)));
                    each(element, weight, &row_of);
                });
            });
            Ok(())
        })
    }

    /// Calls `each` for every group of experts with a local state that is `u^ + Phi w_k` at the nodes of each of them. Local.
    pub fn at_own_states(
        &self,
        w: &[f64],
        mut each: impl FnMut(u32, &Colour, &[f64]) -> Result<()>,
    ) -> Result<()> {
        let c = self.space.components;
        let start = self.start.local_read()?;
        let mut state = start.to_vec();
        for (number, colour) in self.rows.colours.iter().enumerate() {
            let dofs = || {
                let of = move |&(node, place): &(u32, u32)| {
                    (0..c).map(move |i| (node as usize * c + i, place as usize))
                };
                colour.nodes.iter().flat_map(of)
            };
            dofs().for_each(|(dof, place)| state[dof] += dot(self.rows.phi(dof), self.of(w, place)));
            each(number as u32, colour, &state)?;
            dofs().for_each(|(dof, _)| state[dof] = start[dof]);
        }
        Ok(())
    }

    /// `[i, j] = z^T d^2 r_k / dw_i dw_j` of every expert of this rank's nodes, from its rows here, by
    /// [`second_derivatives`]. Collective.
    pub fn curvature(&self, w: &[f64], z: &[f64], differences: Differences) -> Result<Vec<f64>> {
        let (n, experts) = (self.rows.functions, self.rows.shares.experts.len());
        if self.equations.is_linear() {
            return Ok(vec![0.0; experts * n * n]);
        }
        let sizes = (&self.rows.largest[..], Equations::size(&self.space, self.start)?);
        second_derivatives(w, sizes, experts, differences, |w| self.pulled(w, z))
    }

    /// `z^T J_k Phi` of every expert of this rank's nodes, from its rows here, `[expert, function]`. Local.
    fn pulled(&self, w: &[f64], z: &[f64]) -> Result<Vec<f64>> {
        let (n, c) = (self.rows.functions, self.space.components);
        let mut sums = vec![0.0; self.rows.shares.experts.len() * n];
        let mut of_rows = Vec::new();
        self.visit(w, |element, weight, row_of| {
            let size = element.vector.len();
            of_rows.clear();
            of_rows.resize(size, 0.0);
            let mut expert = None;
            for (a, row) in row_of.iter().enumerate().filter_map(|(a, row)| row.map(|row| (a, row))) {
                let z = weight * z[row];
                of_rows
                    .iter_mut()
                    .zip(&element.matrix[a * size..][..size])
                    .for_each(|(sum, k)| *sum += z * k);
                // Rows that an element adds to at the same time are of one expert.
                expert = Some(self.rows.expert[row / c] as usize);
            }
            let Some(expert) = expert else { return };
            let sums = &mut sums[expert * n..][..n];
            for (b, value) in of_rows.iter().enumerate() {
                let phi = self.rows.phi(element.nodes[b / c] as usize * c + b % c);
                sums.iter_mut().zip(phi).for_each(|(sum, phi)| *sum += value * phi);
            }
        })?;
        Ok(sums)
    }

    /// Which functions the rows of each of this rank's own experts see, `[expert, function]`, and for each expert what
    /// round-off in its rows comes to. Collective.
    pub fn seen(&self, first: &Evaluated) -> Result<(Vec<bool>, Vec<f64>)> {
        let (n, c) = (self.rows.functions, self.space.components);
        let state = Equations::size(&self.space, self.start)?;
        let before = self.tangent.row_range().start;
        // Squares of the images' lengths, and of the rows' sums of magnitudes.
        let width = n + 1;
        let mut sums = vec![0.0; self.rows.shares.experts.len() * width];
        for (row, place, weight) in self.rows.each(c) {
            let sums = &mut sums[place * width..][..width];
            let image = &first.images[row * n..][..n];
            sums.iter_mut().zip(image).for_each(|(sum, v)| *sum += weight * v * v);
            let gross: f64 = self.tangent.row(before + row)?.iter().map(|(_, v)| v.abs()).sum();
            sums[n] += weight * gross * gross;
        }
        let sums = self.rows.shares.gather(&sums, width);
        let each = sums.chunks_exact(width);
        let seen = each.clone().flat_map(|sums| {
            let gross = sums[n].sqrt();
            sums[..n].iter().zip(&self.rows.largest).map(move |(v, size)| v.sqrt() > UNSEEN * gross * size)
        });
        Ok((seen.collect(), each.map(|sums| f64::EPSILON * sums[n].sqrt() * state).collect()))
    }
}

/// What an expert's rows make of a function, relative to their entries, that is nothing but round-off.
const UNSEEN: f64 = 1e-12;
