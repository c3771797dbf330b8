//! Sums over the experts' rows: normal equations, balances and fluxes with their derivatives.
use super::window::{Piece, Row, Share, Window};
use crate::Result;
use crate::mixture::dot;
use crate::physics::Prepared;
use std::ops::Range;
use tessera_kernels::Element;

/// What the experts' states say, the same on every rank.
#[derive(Clone)]
pub(super) struct Evaluated {
    /// Of each expert `[J^T W^2 J, J^T W^2 r, r^T W^2 r, balances, their derivatives, sums of magnitudes of what these are the
    /// sums of]`, see [`Layout`].
    pub experts: Vec<f64>,
    /// What flows from the second expert of a port to the first as the first sees it, less what the second sees:
    /// `[port, component]`.
    pub flux: Vec<f64>,
    /// Its derivatives, `[port, component, expert of the two, function]`.
    pub flux_slopes: Vec<f64>,
}

impl Evaluated {
    /// What the balances of some experts lack, `[expert, component]`.
    pub fn balances(&self, layout: Layout, experts: Range<usize>) -> impl Iterator<Item = f64> {
        let width = layout.width();
        let of = move |k: usize| layout.split(&self.experts[k * width..][..width]).3.iter();
        experts.flat_map(of).map(|value| -value)
    }
}

/// Where an expert's numbers are.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub n: usize,
    pub c: usize,
}

impl Layout {
    pub fn width(self) -> usize {
        let Self { n, c } = self;
        n * n + n + 1 + c + 2 * c * n
    }

    /// Normal matrix, gradient, square of the rows, balances, their derivatives.
    pub fn split(self, of_expert: &[f64]) -> (&[f64], &[f64], f64, &[f64], &[f64]) {
        let Self { n, c } = self;
        let (matrix, rest) = of_expert.split_at(n * n);
        let (gradient, rest) = rest.split_at(n);
        let (balances, slopes) = rest[1..].split_at(c);
        (matrix, gradient, rest[0], balances, &slopes[..c * n])
    }

    /// The sums of magnitudes, `[component, function]`.
    pub fn magnitudes(self, of_expert: &[f64]) -> &[f64] {
        &of_expert[self.width() - self.c * self.n..]
    }
}

/// Rows of the owned unknowns and fluxes at the ports, of a piece or an equation.
struct Rows {
    residual: Vec<f64>,
    images: Vec<f64>,
    flux: Vec<f64>,
    flux_slopes: Vec<f64>,
}

impl Rows {
    fn zero(window: &Window) -> Self {
        let (n, c) = (window.functions, window.space.components);
        let (rows, ports) = (window.free.len(), window.regions.ports.len());
        Self {
            residual: vec![0.0; rows],
            images: vec![0.0; rows * n],
            flux: vec![0.0; ports * c],
            flux_slopes: vec![0.0; ports * c * 2 * n],
        }
    }

    fn add(&mut self, factor: f64, other: &Self) {
        let add = |to: &mut [f64], from: &[f64]| to.iter_mut().zip(from).for_each(|(t, f)| *t += factor * f);
        add(&mut self.residual, &other.residual);
        add(&mut self.images, &other.images);
        add(&mut self.flux, &other.flux);
        add(&mut self.flux_slopes, &other.flux_slopes);
    }
}

impl Window<'_> {
    pub fn layout(&self) -> Layout {
        Layout { n: self.functions, c: self.space.components }
    }

    /// The place of row `a` of an element times the functions, added to `image`.
    fn image(&self, piece: usize, element: &Element, a: usize, image: &mut [f64]) {
        let (c, size) = (self.space.components, element.vector.len());
        let state = &self.states[self.pieces[piece].state];
        for (b, entry) in element.matrix[a * size..][..size].iter().enumerate() {
            let phi = state.phi(element.nodes[b / c] as usize * c + b % c, self.functions);
            image.iter_mut().zip(phi).for_each(|(sum, phi)| *sum += entry * phi);
        }
    }

    /// The rows of a piece. Local.
    fn piece(&self, piece: usize, w: &[f64]) -> Result<Rows> {
        let (n, c) = (self.functions, self.space.components);
        let mut rows = Rows::zero(self);
        let mut image = vec![0.0; n];
        self.visit(&self.pieces[piece], w, true, |seen| {
            self.rows(&seen, |a, row, share| {
                image.fill(0.0);
                self.image(piece, seen.element, a, &mut image);
                let value = seen.weight * seen.element.vector[a];
                let mut add_flux = |port: usize, side: usize, factor: f64| {
                    let place = port * c + row % c;
                    rows.flux[place] += factor * value;
                    let slopes = &mut rows.flux_slopes[(place * 2 + side) * n..][..n];
                    slopes.iter_mut().zip(&image).for_each(|(s, v)| *s += factor * seen.weight * v);
                };
                match share {
                    Share::Neighbour(port) => add_flux(port, 1, -1.0),
                    Share::Own(port) => {
                        if let Some(port) = port {
                            add_flux(port, 0, 1.0);
                        }
                        rows.residual[row] += value;
                        let images = &mut rows.images[row * n..][..n];
                        images.iter_mut().zip(&image).for_each(|(s, v)| *s += seen.weight * v);
                    }
                }
            });
        })?;
        Ok(rows)
    }

    /// Calls `each` with every equation and its rows; pieces are evaluated once, and kept as long as equations need them. Local.
    fn each_equation(&self, w: &[f64], mut each: impl FnMut(&Row, &Rows)) -> Result<()> {
        let mut kept: Vec<Option<Rows>> = self.pieces.iter().map(|_| None).collect();
        for (number, equation) in self.equations.iter().enumerate() {
            let mut rows = Rows::zero(self);
            for &(piece, factor) in &equation.terms {
                if kept[piece].is_none() {
                    kept[piece] = Some(self.piece(piece, w)?);
                }
                rows.add(factor, kept[piece].as_ref().expect("set above"));
            }
            rows.residual.iter_mut().zip(&equation.offset).for_each(|(r, o)| *r += o);
            each(equation, &rows);
            let later = &self.equations[number + 1..];
            for (piece, rows) in kept.iter_mut().enumerate() {
                if !later.iter().any(|equation| equation.terms.iter().any(|term| term.0 == piece)) {
                    *rows = None;
                }
            }
        }
        Ok(())
    }

    /// At the coefficients `[place, function]`. Collective.
    pub fn evaluate(&self, w: &[f64]) -> Result<Evaluated> {
        let layout = self.layout();
        let (Layout { n, c }, width) = (layout, layout.width());
        let comm = &self.space.mesh.comm;
        let mut sums = vec![0.0; self.regions.shares.experts.len() * width];
        let ports = self.regions.ports.len();
        let (mut flux, mut flux_slopes) = (vec![0.0; ports * c], vec![0.0; ports * c * 2 * n]);
        let mut of_equations = Vec::new();
        self.each_equation(w, |equation, rows| {
            if self.balances_count() {
                self.add_balances(rows, &mut of_equations);
            }
            for (row, &r) in rows.residual.iter().enumerate().filter(|(row, _)| self.free[*row]) {
                let sums = &mut sums[self.regions.owner[row / c] as usize * width..][..width];
                let image = &rows.images[row * n..][..n];
                let weight = self.weights[row] * equation.duration;
                for (i, a) in image.iter().enumerate() {
                    let a = weight * a;
                    sums[i * n..][..n].iter_mut().zip(image).for_each(|(sum, b)| *sum += a * b);
                    sums[n * n + i] += a * r;
                }
                let rest = &mut sums[n * n + n..];
                rest[0] += weight * r * r;
                rest[1 + row % c] += equation.duration * r;
                let slopes = &mut rest[1 + c..];
                for (j, v) in image.iter().enumerate() {
                    let v = equation.duration * v;
                    slopes[(row % c) * n + j] += v;
                    slopes[(c + row % c) * n + j] += v.abs();
                }
            }
            flux.iter_mut().zip(&rows.flux).for_each(|(s, v)| *s += equation.duration * v);
            flux_slopes.iter_mut().zip(&rows.flux_slopes).for_each(|(s, v)| *s += equation.duration * v);
        })?;
        let mut own = self.regions.shares.gather(&sums, width);
        self.weigh_balances(&of_equations, &mut own);
        comm.sum_into(&mut flux);
        comm.sum_into(&mut flux_slopes);
        Ok(Evaluated { experts: comm.all_gather_varied(&own), flux, flux_slopes })
    }

    /// Whether the balances of single equations count. The same on every rank.
    fn balances_count(&self) -> bool {
        self.balance_weight > 0.0
    }

    /// Appends the sums over the rows of every expert of one equation with their derivatives,
    /// `[place, component, 1 + function]`.
    fn add_balances(&self, rows: &Rows, of_equations: &mut Vec<f64>) {
        let (n, c) = (self.functions, self.space.components);
        let first = of_equations.len();
        of_equations.resize(first + self.regions.shares.experts.len() * c * (1 + n), 0.0);
        for (row, r) in rows.residual.iter().enumerate().filter(|(row, _)| self.free[*row]) {
            let place = self.regions.owner[row / c] as usize * c + row % c;
            let sums = &mut of_equations[first + place * (1 + n)..][..1 + n];
            sums[0] += r;
            sums[1..].iter_mut().zip(&rows.images[row * n..][..n]).for_each(|(sum, v)| *sum += v);
        }
    }

    /// Adds what the balances of all equations say to the sums of this rank's experts. Collective.
    fn weigh_balances(&self, of_equations: &[f64], own: &mut [f64]) {
        if !self.balances_count() {
            return;
        }
        let (n, c, width) = (self.functions, self.space.components, self.layout().width());
        let each = self.regions.shares.experts.len() * c * (1 + n);
        for (number, equation) in self.equations.iter().enumerate() {
            let sums = self.regions.shares.gather(&of_equations[number * each..][..each], c * (1 + n));
            for (place, sums) in sums.chunks_exact(1 + n).enumerate() {
                let to = &mut own[place / c * width..][..width];
                let (balance, image) = (sums[0], &sums[1..]);
                let weight = equation.duration * self.balances[place];
                for (i, a) in image.iter().enumerate() {
                    let a = weight * a;
                    to[i * n..][..n].iter_mut().zip(image).for_each(|(sum, b)| *sum += a * b);
                    to[n * n + i] += a * balance;
                }
                to[n * n + n] += weight * balance * balance;
            }
        }
    }

    /// What the balances of an equation say to each of its rows, from sums over the experts' rows `[place, component]`: every
    /// expert's sum times its weight, `[place, component]`. Collective.
    fn of_balances(&self, sums: &[f64]) -> Vec<f64> {
        let c = self.space.components;
        let mut own = self.regions.shares.gather(sums, c);
        own.iter_mut().zip(&self.balances).for_each(|(sum, weight)| *sum *= weight);
        self.regions.shares.spread(&own, c)
    }

    /// The weighted residuals `W^2 r` of every equation at the coefficients, of the owned unknowns, with the images of
    /// coefficients along `a`: `W^2 J Phi a`. Collective.
    pub fn weighted(&self, w: &[f64], a: &[f64]) -> Result<Vec<[Vec<f64>; 2]>> {
        let (n, c) = (self.functions, self.space.components);
        let mut result = Vec::with_capacity(self.equations.len());
        self.each_equation(w, |equation, rows| {
            let weight = |row: usize| self.weights[row] * equation.duration;
            let along = |row: usize| {
                dot(&rows.images[row * n..][..n], self.of(a, self.regions.owner[row / c] as usize))
            };
            let count = self.free.len();
            let list: [Vec<f64>; 2] =
                [rows.residual.clone(), (0..count).map(along).collect()].map(|mut values: Vec<f64>| {
                    let mut sums = vec![0.0; self.regions.shares.experts.len() * c];
                    let place = |row: usize| self.regions.owner[row / c] as usize * c + row % c;
                    if self.balances_count() {
                        let free = |row: &usize| self.free[*row];
                        (0..count).filter(free).for_each(|row| sums[place(row)] += values[row]);
                        sums = self.of_balances(&sums);
                    }
                    for (row, value) in values.iter_mut().enumerate() {
                        let own = if self.free[row] { equation.duration * sums[place(row)] } else { 0.0 };
                        *value = weight(row) * *value + own;
                    }
                    values
                });
            result.push(list);
        })?;
        Ok(result)
    }

    /// The factors of what an element's rows say, as an expert sees them: those of its own rows, of every equation, and of
    /// the ports, `[port, component]`. Calls `each` with the state, the place of the expert, a local unknown and
    /// `(J^T y)` there. Local.
    pub fn transposed(
        &self,
        w: &[f64],
        own: &[Vec<f64>],
        ports: &[f64],
        mut each: impl FnMut(usize, usize, usize, f64),
    ) -> Result<()> {
        let c = self.space.components;
        for (number, piece) in self.pieces.iter().enumerate() {
            let (of_rows, of_ports) = self.of_piece(number, own);
            let mut sums = Vec::new();
            self.visit(piece, w, true, |seen| {
                let size = seen.element.vector.len();
                sums.clear();
                sums.resize(size, 0.0);
                self.rows(&seen, |a, row, share| {
                    let factor = seen.weight * factor_of(&share, row, c, &of_rows, of_ports, ports);
                    let entries = &seen.element.matrix[a * size..][..size];
                    sums.iter_mut().zip(entries).for_each(|(s, v)| *s += factor * v);
                });
                for (b, &sum) in sums.iter().enumerate() {
                    each(piece.state, seen.viewer, seen.element.nodes[b / c] as usize * c + b % c, sum);
                }
            })?;
        }
        Ok(())
    }

    /// `sum y r` of the same, with other preparations of the pieces. Local.
    pub fn tested(&self, prepared: &[Prepared], w: &[f64], own: &[Vec<f64>], ports: &[f64]) -> Result<f64> {
        let c = self.space.components;
        let mut sum = 0.0;
        for (number, piece) in self.pieces.iter().enumerate() {
            let (of_rows, of_ports) = self.of_piece(number, own);
            let piece = Piece { prepared: &prepared[number], ..*piece };
            self.visit(&piece, w, false, |seen| {
                self.rows(&seen, |a, row, share| {
                    let factor = factor_of(&share, row, c, &of_rows, of_ports, ports);
                    sum += seen.weight * factor * seen.element.vector[a];
                });
            })?;
        }
        Ok(sum)
    }

    /// What the factors of all equations come to for a piece: those of rows, and how often the ports' count.
    fn of_piece(&self, piece: usize, own: &[Vec<f64>]) -> (Vec<f64>, f64) {
        let mut of_rows = vec![0.0; self.free.len()];
        let mut of_ports = 0.0;
        for (equation, own) in self.equations.iter().zip(own) {
            for &(_, factor) in equation.terms.iter().filter(|term| term.0 == piece) {
                of_rows.iter_mut().zip(own).for_each(|(sum, v)| *sum += factor * v);
                of_ports += factor * equation.duration;
            }
        }
        (of_rows, of_ports)
    }

    /// `Phi^T J^T y` of every expert, `[expert, function]`, on every rank. Collective.
    pub fn pulled(&self, w: &[f64], own: &[Vec<f64>], ports: &[f64]) -> Result<Vec<f64>> {
        let n = self.functions;
        let mut sums = vec![0.0; self.regions.shares.experts.len() * n];
        self.transposed(w, own, ports, |state, viewer, dof, value| {
            let sums = &mut sums[viewer * n..][..n];
            let phi = self.states[state].phi(dof, n);
            sums.iter_mut().zip(phi).for_each(|(sum, phi)| *sum += value * phi);
        })?;
        let own = self.regions.shares.gather(&sums, n);
        Ok(self.space.mesh.comm.all_gather_varied(&own))
    }
}

/// The factor of a row.
fn factor_of(share: &Share, row: usize, c: usize, rows: &[f64], of_ports: f64, ports: &[f64]) -> f64 {
    let of_port = |port: usize| of_ports * ports[port * c + row % c];
    match *share {
        Share::Own(port) => rows[row] + port.map_or(0.0, of_port),
        Share::Neighbour(port) => -of_port(port),
    }
}
