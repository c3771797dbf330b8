//! The projection of an affine expansion on a basis, which may grow a function at a time.
use super::coupling::{self, Upstream};
use super::galerkin::{Description, Reduced};
use super::offline::{Offline, Prepared};
use super::theta::Theta;
use crate::mixture::{Columns, InnerProduct, MatrixProduct, Orthonormal};
use crate::{Error, Result};
use faer::Mat;

/// A reduced system under construction: what a further basis function costs does not grow with those that are there,
/// but for the orthonormalisation of the residual's representers.
pub struct Projection<'a> {
    prepared: &'a Prepared,
    upstream: Option<Upstream<'a>>,
    functions: Columns,
    lifts: usize,
    /// For each term, columns of the upper triangle of `W^T A_q W`.
    matrices: Vec<Vec<Vec<f64>>>,
    loads: Vec<Vec<f64>>,
    load_vectors: Columns,
    /// For each term, the loads of the functions of the upstream basis, and their products with this one.
    coupled: Vec<(Columns, Vec<Vec<f64>>)>,
    coupling: std::result::Result<Vec<f64>, String>,
    /// Representers of all terms of the residual, orthonormalised as they come.
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
            functions: empty(),
            lifts: 0,
            matrices: vec![Vec::new(); expansion.matrices.len()],
            loads: vec![Vec::new(); expansion.loads.len()],
            load_vectors: empty(),
            coupled: expansion.coupled.iter().map(|_| (empty(), Vec::new())).collect(),
            coupling,
            representers: Orthonormal::new(comm, space.owned_dofs()),
            of_coupled: vec![Vec::new(); expansion.coupled.len()],
            of_matrices: vec![Vec::new(); expansion.matrices.len()],
        };
        for (_, load) in &expansion.loads {
            let load = load.read()?.to_vec();
            projection.represent(&load)?;
            projection.load_vectors.push(&load);
        }
        Ok(projection)
    }

    /// Number of the representer of a functional.
    fn represent(&mut self, functional: &[f64]) -> Result<usize> {
        let energy = &self.prepared.energy;
        let representer = energy.representer(functional)?;
        self.representers.append(&representer, &energy.product)?;
        Ok(self.representers.factors.len() - 1)
    }

    /// A further function of the basis (this rank's unknowns): first all liftings, then modes. Collective.
    ///
    /// # Errors
    /// When a representer cannot be solved for.
    pub fn add(&mut self, function: &[f64], is_lift: bool) -> Result<()> {
        self.functions.push(function);
        self.lifts += usize::from(is_lift);
        let products = self.load_vectors.coefficients(function);
        self.loads.iter_mut().zip(products).for_each(|(load, product)| load.push(product));
        for (loads, products) in &mut self.coupled {
            products.push(loads.coefficients(function));
        }
        let mut images = Columns::new(&self.functions.comm, self.functions.rows());
        for (_, matrix) in &self.prepared.expansion.matrices {
            images.push(&MatrixProduct::new(matrix)?.image(function)?);
        }
        let products = self.functions.product(&images);
        for (q, image) in images.iter().enumerate() {
            self.matrices[q].push(products.col(q).iter().copied().collect());
            let place = self.represent(image)?;
            self.of_matrices[q].push(place);
        }
        Ok(())
    }

    /// A further function of the upstream basis. Collective.
    ///
    /// # Errors
    /// When a representer cannot be solved for.
    pub fn add_upstream(&mut self, function: &[f64]) -> Result<()> {
        let prepared = self.prepared;
        for (m, term) in prepared.expansion.coupled.iter().enumerate() {
            let Some(upstream) = &self.upstream else { return Ok(()) };
            let load = coupling::load(&prepared.problem, term, upstream, function)?;
            let products = self.functions.coefficients(&load);
            let (loads, rows) = &mut self.coupled[m];
            loads.push(&load);
            rows.iter_mut().zip(products).for_each(|(row, product)| row.push(product));
            let place = self.represent(&load)?;
            self.of_coupled[m].push(place);
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
