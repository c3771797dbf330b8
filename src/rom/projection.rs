//! The projection of an affine expansion on a basis, which may grow a function at a time.
use super::coupling::{self, Upstream};
use super::galerkin::{Description, Reduced};
use super::offline::{Offline, Prepared};
use super::theta::Theta;
use crate::mixture::{Columns, InnerProduct, MatrixProduct, Orthonormal};
use crate::{Error, Result};
use faer::Mat;
use petsc_rs::Matrix;

/// Functionals whose representers are found together, about: enough for products of matrices.
const TOGETHER: usize = 16;

/// A reduced system under construction: what a further basis function costs does not grow with those that are there,
/// but for the orthonormalisation of the residual's terms.
pub struct Projection<'a> {
    prepared: &'a Prepared,
    upstream: Option<Upstream<'a>>,
    /// Those of the expansion's matrices.
    products: Vec<MatrixProduct<&'a Matrix>>,
    functions: Columns,
    lifts: usize,
    /// For each term, columns of the upper triangle of `W^T A_q W`.
    matrices: Vec<Vec<Vec<f64>>>,
    loads: Vec<Vec<f64>>,
    load_vectors: Columns,
    /// For each term, the loads of the functions of the upstream basis, and their products with this one.
    coupled: Vec<(Columns, Vec<Vec<f64>>)>,
    coupling: std::result::Result<Vec<f64>, String>,
    /// All terms of the residual by their [dual](super::Energy::dual) columns, orthonormalised as they come.
    representers: Orthonormal,
    /// Which of them belong to coupled loads (by term, then upstream function) and to matrices (by term, then function).
    of_coupled: Vec<Vec<usize>>,
    of_matrices: Vec<Vec<usize>>,
}

impl<'a> Projection<'a> {
    /// The projection on no functions yet. Collective.
    ///
    /// # Errors
    /// When a representer cannot be solved for.
    pub fn new(offline: &'a Offline, index: usize) -> Result<Self> {
        let prepared = &offline.stages[index];
        let (expansion, space) = (&prepared.expansion, &prepared.problem.space);
        let comm = &space.mesh.comm;
        let upstream = offline.upstream(index).filter(|_| !expansion.coupled.is_empty());
        let coupling = match &upstream {
            Some(upstream) => {
                coupling::constants(&prepared.problem, &expansion.coupled, &prepared.energy, upstream)?
            }
            None if !expansion.coupled.is_empty() => {
                let name = &prepared.problem.name;
                return Err(Error::Failed(format!("{name}: the field it reads has no reduced model")));
            }
            None => Ok(Vec::new()),
        };
        let empty = || Columns::new(comm, space.owned_dofs());
        let mut projection = Self {
            prepared,
            upstream,
            products: expansion.matrices.iter().map(|(_, a)| MatrixProduct::new(a)).collect::<Result<_>>()?,
            functions: empty(),
            lifts: 0,
            matrices: vec![Vec::new(); expansion.matrices.len()],
            loads: vec![Vec::new(); expansion.loads.len()],
            load_vectors: empty(),
            coupled: expansion.coupled.iter().map(|_| (empty(), Vec::new())).collect(),
            coupling,
            representers: Orthonormal::new(comm, 0),
            of_coupled: vec![Vec::new(); expansion.coupled.len()],
            of_matrices: vec![Vec::new(); expansion.matrices.len()],
        };
        let mut loads = empty();
        for (_, load) in &expansion.loads {
            loads.push(&load.read()?);
        }
        projection.represent(&loads)?;
        projection.load_vectors = loads;
        Ok(projection)
    }

    /// Takes in functionals; the number of the first one's representer. Collective.
    fn represent(&mut self, functionals: &Columns) -> Result<usize> {
        let energy = &self.prepared.energy;
        let first = self.representers.factors.len();
        if functionals.count() == 0 {
            return Ok(first);
        }
        let dual = energy.dual(functionals)?;
        if first == 0 {
            self.representers = Orthonormal::new(&dual.comm, dual.rows());
        }
        self.representers.extend(dual, energy.dual_product())?;
        Ok(first)
    }

    /// Further functions of the basis (this rank's unknowns): first all liftings, then modes. Collective.
    ///
    /// # Errors
    /// When a representer cannot be solved for.
    pub fn add(&mut self, functions: &[&[f64]], are_lifts: bool) -> Result<()> {
        let terms = self.products.len();
        functions.chunks(TOGETHER.div_ceil(terms.max(1))).try_for_each(|part| self.add_together(part))?;
        self.lifts += if are_lifts { functions.len() } else { 0 };
        Ok(())
    }

    fn add_together(&mut self, functions: &[&[f64]]) -> Result<()> {
        let mut images = Columns::new(&self.functions.comm, self.functions.rows());
        for function in functions {
            self.functions.push(function);
            let products = self.load_vectors.coefficients(function);
            self.loads.iter_mut().zip(products).for_each(|(load, product)| load.push(product));
            for (loads, products) in &mut self.coupled {
                products.push(loads.coefficients(function));
            }
            for product in &self.products {
                images.push(&product.image(function)?);
            }
        }
        let products = self.functions.product(&images);
        let first = self.represent(&images)?;
        for (k, product) in products.col_iter().enumerate() {
            let term = k % self.products.len();
            self.matrices[term].push(product.iter().copied().collect());
            self.of_matrices[term].push(first + k);
        }
        Ok(())
    }

    /// Further functions of the upstream basis. Collective.
    ///
    /// # Errors
    /// When a representer cannot be solved for.
    pub fn add_upstream(&mut self, functions: &[&[f64]]) -> Result<()> {
        let terms = self.coupled.len();
        functions
            .chunks(TOGETHER.div_ceil(terms.max(1)))
            .try_for_each(|part| self.add_upstream_together(part))
    }

    fn add_upstream_together(&mut self, functions: &[&[f64]]) -> Result<()> {
        let Self { prepared, upstream: Some(upstream), .. } = self else { return Ok(()) };
        let mut loads = Columns::new(&self.functions.comm, self.functions.rows());
        for function in functions {
            for term in &prepared.expansion.coupled {
                loads.push(&coupling::load(&prepared.problem, term, upstream, function)?);
            }
        }
        let first = self.represent(&loads)?;
        for (k, load) in loads.iter().enumerate() {
            let term = k % self.coupled.len();
            let products = self.functions.coefficients(load);
            let (loads, rows) = &mut self.coupled[term];
            loads.push(load);
            rows.iter_mut().zip(products).for_each(|(row, product)| row.push(product));
            self.of_coupled[term].push(first + k);
        }
        Ok(())
    }

    /// The basis.
    pub fn functions(&self) -> &Columns {
        &self.functions
    }

    /// The reduced system as it is now. Local.
    pub fn reduced(&self, upstream_basis: usize) -> Reduced {
        let (problem, expansion) = (&self.prepared.problem, &self.prepared.expansion);
        let n = self.functions.count();
        let square = |columns: &Vec<Vec<f64>>| Mat::from_fn(n, n, |i, j| columns[i.max(j)][i.min(j)]);
        let wide =
            |(loads, rows): &(Columns, Vec<Vec<f64>>)| Mat::from_fn(n, loads.count(), |i, j| rows[i][j]);
        let order: Vec<usize> = (0..self.loads.len())
            .chain(self.of_coupled.iter().flatten().copied())
            .chain(self.of_matrices.iter().flatten().copied())
            .collect();
        let triangle = self.representers.triangle();
        let residual = Mat::from_fn(triangle.nrows(), order.len(), |i, j| triangle[(i, order[j])]);
        let thetas = |list: &mut dyn Iterator<Item = &Theta>| list.cloned().collect::<Vec<_>>();
        let description = Description {
            name: problem.name.clone(),
            field: problem.field.clone(),
            upstream: self.upstream.as_ref().map(|u| u.index),
            upstream_basis,
            modes: n - self.lifts,
            lifts: thetas(&mut expansion.lifts.iter().map(|(t, _)| t)),
            matrices: thetas(&mut expansion.matrices.iter().map(|(t, _)| t)),
            loads: thetas(&mut expansion.loads.iter().map(|(t, _)| t)),
            coupled: thetas(&mut expansion.coupled.iter().map(|c| &c.theta)),
            coercivity: expansion.coercivity.clone(),
            coupling: self.coupling.clone(),
            interpolation: expansion.inexact(),
        };
        Reduced {
            description,
            matrices: self.matrices.iter().map(square).collect(),
            loads: self.loads.clone(),
            coupled: self.coupled.iter().map(wide).collect(),
            residual,
        }
    }
}
