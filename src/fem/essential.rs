//! Essential (Dirichlet) conditions as a list of fixed unknowns.
use super::space::Space;
use crate::Result;
use crate::parallel::Comm;
use petsc_rs::Vector;
use tessera_kernels::Prescribed;

/// Which local unknowns have a prescribed value, and the values.
#[derive(Debug, Clone)]
pub struct Essential {
    /// For each local unknown (ghosts included), whether it is prescribed.
    pub fixed: Vec<bool>,
    /// Prescribed values, zero elsewhere.
    pub values: Vec<f64>,
    /// For each local cell, whether it has a prescribed unknown.
    pub cells: Vec<bool>,
}

impl Essential {
    /// Conditions from `(local unknown, value)` pairs; every rank must list its ghosts as well.
    pub fn new(space: &Space, list: impl IntoIterator<Item = (usize, f64)>) -> Self {
        let components = space.components;
        let mut fixed = vec![false; space.local_nodes() * components];
        let mut values = vec![0.0; fixed.len()];
        for (dof, value) in list {
            fixed[dof] = true;
            values[dof] = value;
        }
        let cells = space
            .cell_nodes
            .chunks_exact(space.element.functions())
            .map(|nodes| {
                nodes.iter().any(|&node| fixed[node as usize * components..][..components].contains(&true))
            })
            .collect();
        Self { fixed, values, cells }
    }

    /// Gives the prescribed ones of the leading unknowns (the owned or all local ones) their values.
    pub fn impose(&self, state: &mut [f64]) {
        self.set(state, |value| value);
    }

    /// Gives them `unit` times their values, as loads have them in the rows of prescribed unknowns.
    pub fn impose_times(&self, unit: f64, load: &mut [f64]) {
        self.set(load, |value| unit * value);
    }

    /// Sets the prescribed ones of the leading unknowns to zero.
    pub fn clear(&self, vector: &mut [f64]) {
        self.set(vector, |_| 0.0);
    }

    fn set(&self, vector: &mut [f64], new: impl Fn(f64) -> f64) {
        for ((entry, value), &fixed) in vector.iter_mut().zip(&self.values).zip(&self.fixed) {
            if fixed {
                *entry = new(*value);
            }
        }
    }

    /// As kernels take it.
    pub fn prescribed(&self) -> Prescribed<'_> {
        Prescribed { fixed: &self.fixed, values: &self.values, cells: &self.cells }
    }

    /// PETSc's numbers of the owned prescribed unknowns.
    pub fn rows(&self, space: &Space) -> Vec<i32> {
        let first = space.first as usize * space.components;
        self.owned(space).map(|dof| (first + dof) as i32).collect()
    }

    /// The owned prescribed unknowns.
    pub fn owned<'a>(&'a self, space: &Space) -> impl Iterator<Item = usize> + 'a {
        (0..space.owned_dofs()).filter(|&dof| self.fixed[dof])
    }

    /// Euclidean norm of a vector over the free unknowns. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn free_norm(&self, comm: &Comm, vector: &Vector) -> Result<f64> {
        let values = vector.read()?;
        let free = values.iter().zip(&self.fixed).filter(|(_, fixed)| !**fixed);
        Ok(comm.sum(free.map(|(v, _)| v * v).sum::<f64>()).sqrt())
    }
}
