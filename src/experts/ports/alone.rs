//! Experts without conditions: each makes its own rows least, whatever the others do.
use super::evaluate::Layout;
use super::small::{Small, square};
use super::solve::{At, Minimum};
use super::window::Window;
use crate::Result;
use crate::experts::constraint::Constraint;
use crate::experts::differences::Differences;
use crate::experts::residual::levenberg::{Expert, MOST_STEPS, Normal};
use crate::mixture::dot;
use faer::Mat;

impl Constraint {
    /// Finds the coefficients of experts that are alone. Collective.
    pub(super) fn minimise_alone(&self, window: &Window, small: &Small, start: At) -> Result<Minimum> {
        let (layout, ridge) = (window.layout(), self.least_squares.ridge);
        let (Layout { n, .. }, width) = (layout, layout.width());
        let first = start.evaluated.clone();
        let count = start.w.len() / n;
        let mut experts: Vec<Expert> = (0..count)
            .map(|k| Expert::new(small.change(k).ncols(), &vec![true; small.change(k).ncols()]))
            .collect();
        for (expert, of) in experts.iter_mut().zip(first.experts.chunks_exact(width)) {
            expert.first = layout.split(of).2.sqrt();
            expert.goal = self.options.tolerance * expert.first;
        }
        let mut at = start;
        let mut steps = 0;
        loop {
            let slow = |expert: &Expert| expert.wants_second_after(n / 4);
            let mut second = None;
            if !window.linear && experts.iter().any(slow) {
                let local = window.local(&at.w);
                let weighted: Vec<_> = window.weighted(&local, &local)?.into_iter().map(|[z, _]| z).collect();
                let own = window.of_rows(&weighted, &vec![0.0; count * layout.c]);
                let none = vec![0.0; window.regions.ports.len() * layout.c];
                second = Some(window.curvature(&at.w, (&own, &none), Differences::OneSided)?);
            }
            for (k, expert) in experts.iter_mut().enumerate().filter(|(_, expert)| !expert.done) {
                let w = &at.w[k * n..][..n];
                let of = &at.evaluated.experts[k * width..][..width];
                let mut sums = reduced(small.change(k), layout, of, (ridge, w));
                let m = small.change(k).ncols();
                sums.push(layout.split(of).2 + ridge * dot(w, w));
                let change = small.change(k);
                let second = second.as_ref().filter(|_| slow(expert)).map(|second| {
                    let block = change.transpose() * square(&second[k * n * n..][..n * n], n) * change;
                    (0..m * m).map(|i| block[(i / m, i % m)]).collect::<Vec<f64>>()
                });
                expert.judge(Normal::new(&sums, second.as_deref(), &expert.trial, &expert.seen, 0.0)?);
            }
            if experts.iter().all(|expert| expert.done) || steps == MOST_STEPS {
                break;
            }
            steps += 1;
            let w = coefficients(&experts, small, |expert| &expert.trial);
            at = window.at(small, w, ridge)?;
        }
        if let Some(k) = experts.iter().position(|expert| !expert.arrived()) {
            return Err(experts[k].unfinished(&self.name, k));
        }
        let at = window.at(small, coefficients(&experts, small, |expert| &expert.w), ridge)?;
        let jump = window.jump(&at.w);
        Ok(Minimum { at, first, iterations: steps, jump })
    }
}

/// Normal matrix and gradient in orthonormal functions, with the price of coefficients.
fn reduced(change: &Mat<f64>, layout: Layout, of: &[f64], (ridge, w): (f64, &[f64])) -> Vec<f64> {
    let n = layout.n;
    let (matrix, gradient, ..) = layout.split(of);
    let priced = Mat::from_fn(n, n, |i, j| matrix[i * n + j] + if i == j { ridge } else { 0.0 });
    let block = change.transpose() * priced * change;
    let slope = change.transpose() * Mat::from_fn(n, 1, |i, _| gradient[i] + ridge * w[i]);
    let m = change.ncols();
    (0..m * m).map(|i| block[(i / m, i % m)]).chain((0..m).map(|i| slope[(i, 0)])).collect()
}

/// `[expert, function]`.
fn coefficients(experts: &[Expert], small: &Small, of: impl Fn(&Expert) -> &Vec<f64>) -> Vec<f64> {
    let mut w = Vec::new();
    for (k, expert) in experts.iter().enumerate() {
        let (change, v) = (small.change(k), of(expert));
        w.extend(
            (0..change.nrows()).map(|i| (0..change.ncols()).map(|j| change[(i, j)] * v[j]).sum::<f64>()),
        );
    }
    w
}
