//! A form of which nothing is sampled, without a mesh: sums of few projected matrices and vectors.
use crate::fem::Parts;
use crate::physics::{Context, Problem};
use crate::rom::theta::{Theta, values};
use faer::Mat;

/// The expansion as a reduced model has it, `[term, ...]`: rows are the tested functions, then those that residuals are tested
/// with besides.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExactForm {
    /// Factors of the terms.
    pub factors: Vec<Theta>,
    /// What is stored, `[term, row, function]`.
    pub storage: Vec<f64>,
    /// The rest, `[term, row, function]`.
    pub rest: Vec<f64>,
    /// Loads, `[term, row]`: what the rest is less at the state zero.
    pub load: Vec<f64>,
}

/// An expansion with its sums at parameters and a time.
pub(super) struct ExactSums {
    form: ExactForm,
    functions: usize,
    /// `[row, function]`.
    storage: Vec<f64>,
    rest: Vec<f64>,
    /// `[row]`.
    load: Vec<f64>,
}

impl ExactForm {
    /// Whether it fits a problem with so many functions, and so many that are tested with besides. Local.
    pub fn fits(&self, problem: &Problem, functions: usize, tests: usize) -> bool {
        let (terms, rows) = (self.factors.len(), functions + tests);
        self.factors.iter().all(|theta| theta.factor.fits(problem) && theta.scale.is_finite())
            && self.storage.len() == terms * rows * functions
            && self.rest.len() == self.storage.len()
            && self.load.len() == terms * rows
    }
}

impl ExactSums {
    /// Nothing is summed yet.
    pub fn new(form: ExactForm, functions: usize) -> Self {
        Self { form, functions, storage: Vec::new(), rest: Vec::new(), load: Vec::new() }
    }

    /// Sums at parameters and a time. Local.
    pub fn set(&mut self, problem: &Problem, context: &Context) {
        let factors = values(&self.form.factors, problem, context);
        let sum = |terms: &[f64]| {
            let size = terms.len() / factors.len().max(1);
            let mut sum = vec![0.0; size];
            for (factor, term) in factors.iter().zip(terms.chunks_exact(size.max(1))) {
                sum.iter_mut().zip(term).for_each(|(s, t)| *s += factor * t);
            }
            sum
        };
        self.storage = sum(&self.form.storage);
        self.rest = sum(&self.form.rest);
        self.load = sum(&self.form.load);
    }

    /// Adds the rows from one on to `vector`, at coefficients of the functions, and their derivative. Local.
    pub fn add(
        &self,
        parts: Parts,
        c: &[f64],
        first: usize,
        vector: &mut [f64],
        mut matrix: Option<&mut Mat<f64>>,
    ) {
        let b = self.functions;
        for (i, value) in vector.iter_mut().enumerate() {
            let Some(load) = self.load.get(first + i) else { continue };
            *value -= parts.residual * load;
            let row = (first + i) * b..(first + i + 1) * b;
            for (j, (stored, rest)) in self.storage[row.clone()].iter().zip(&self.rest[row]).enumerate() {
                let slope = parts.storage * stored + parts.residual * rest;
                *value += slope * c[j];
                if let Some(matrix) = &mut matrix {
                    matrix[(i, j)] += slope;
                }
            }
        }
    }
}
