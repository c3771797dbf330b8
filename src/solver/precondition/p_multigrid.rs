//! Two-level p-multigrid: an element of degree 2 over the one of degree 1 on the same cells.
//!
//! The interpolation `P` gives every node of degree 2 the value of the linear (multilinear) function
//! there: 1 at a vertex, a half from each end of an edge, a quarter and an eighth in faces and cells. The
//! coarse matrix is `P^T A P`, which on straight cells is the matrix of degree 1 and as sparse; algebraic
//! multigrid then has an eighth of the unknowns and a fifth of the entries a row to coarsen. What `P` does not
//! reach is local to a few cells, and a polynomial smoother damps it at a rate that does not depend on the
//! mesh (B. Helenbrook, H. Atkins, *Application of p-multigrid to discontinuous Galerkin formulations of
//! the Poisson equation*, AIAA J. 44 (2006); H. Sundar, G. Stadler, G. Biros, *Comparison of multigrid
//! algorithms for high-order continuous finite element discretizations*, Numer. Linear Algebra Appl. 22
//! (2015)).
//!
//! Essential unknowns have a unit row and column in `A`. Their row of `P` is zero, except that a vertex
//! keeps its 1; no other row refers to them. So `P^T A P` has unit rows and columns there too, and `P` has
//! full rank whatever is prescribed.
use crate::fem::{Element, Space};
use crate::mixture::coupled;
use petsc_rs::{KrylovSolver, Matrix, Result, Vector};

/// Weights of the coarse nodes at the owned fine nodes.
struct Nodal {
    row_ptr: Vec<u32>,
    /// Local coarse nodes.
    nodes: Vec<u32>,
    weights: Vec<f64>,
}

/// The coarse level of a space of degree 2.
pub struct PMultigrid {
    coarse: Space,
    nodal: Nodal,
    /// Coarse node of each fine node that is an owned vertex, as `(fine, coarse)`.
    vertices: Vec<(u32, u32)>,
    level: Option<Level>,
}

/// What depends on the matrix.
struct Level {
    free: Vec<bool>,
    interpolation: Matrix,
    matrix: Matrix,
}

impl PMultigrid {
    /// Numbers the vertices and finds the weights. Collective.
    ///
    /// # Errors
    /// As [`Space::new`].
    pub fn new(fine: &Space) -> crate::Result<Self> {
        let coarse = Space::new(fine.mesh.clone(), 1, fine.components)?;
        let corners = coarse.element.functions();
        let functions = fine.element.functions();
        let table = Element::new(fine.mesh.cell_type, 1).tabulate(&fine.element.nodes);
        // A cell and a function of it for every owned node.
        let mut place = vec![u32::MAX; fine.owned_nodes];
        for (k, &node) in fine.cell_nodes.iter().enumerate() {
            if let Some(place) = place.get_mut(node as usize) {
                *place = k as u32;
            }
        }
        let mut nodal = Nodal { row_ptr: vec![0], nodes: Vec::new(), weights: Vec::new() };
        let mut vertices = Vec::with_capacity(coarse.owned_nodes);
        for (node, place) in place.into_iter().enumerate() {
            let (cell, a) = (place as usize / functions, place as usize % functions);
            let mut row: Vec<(u32, f64)> = coarse.cell_nodes[cell * corners..][..corners]
                .iter()
                .zip(&table.values[a * corners..][..corners])
                .filter(|(_, weight)| **weight != 0.0)
                .map(|(&vertex, &weight)| (vertex, weight))
                .collect();
            if a < corners {
                vertices.push((node as u32, row[0].0));
            }
            row.sort_unstable_by_key(|&(vertex, _)| coarse.number(vertex));
            nodal.nodes.extend(row.iter().map(|r| r.0));
            nodal.weights.extend(row.iter().map(|r| r.1));
            nodal.row_ptr.push(nodal.nodes.len() as u32);
        }
        Ok(Self { coarse, nodal, vertices, level: None })
    }

    /// The coarse space.
    pub fn coarse_space(&self) -> &Space {
        &self.coarse
    }

    /// The interpolation, where `free` tells which owned fine unknowns are not essential. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn interpolation(&self, free: &[bool]) -> Result<Matrix> {
        let c = self.coarse.components;
        let flags: Vec<f64> = free.iter().map(|&free| f64::from(u8::from(free))).collect();
        let mut coarse_free = self.field()?;
        self.inject(&flags, &mut coarse_free.write()?);
        coarse_free.ghost_update()?;
        let coarse_free = coarse_free.local_read()?;
        let Nodal { row_ptr, nodes, weights } = &self.nodal;
        let mut start = Vec::with_capacity(free.len() + 1);
        start.push(0);
        let (mut columns, mut values) = (Vec::new(), Vec::new());
        for (node, row) in row_ptr.windows(2).enumerate() {
            let row = row[0] as usize..row[1] as usize;
            for i in 0..c {
                for k in row.clone() {
                    let vertex = nodes[k] as usize;
                    let reaches = free[node * c + i] && coarse_free[vertex * c + i] == 1.0;
                    if reaches || row.len() == 1 {
                        columns.push(self.coarse.number(nodes[k]) * c as i32 + i as i32);
                        values.push(weights[k]);
                    }
                }
                start.push(columns.len() as i32);
            }
        }
        let comm = self.coarse.mesh.comm.mpi();
        Matrix::from_csr_values(comm, c, &start, &columns, &values, self.coarse.owned_dofs())
    }

    /// Gives the two levels of `solver`'s multigrid their operators for this matrix of the fine space: the
    /// interpolation, `P^T A P`, and the fine matrix's near null space at the vertices, which algebraic
    /// multigrid takes from the coarse one. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn attach(&mut self, solver: &KrylovSolver, matrix: &Matrix) -> Result<()> {
        let free = coupled(matrix)?;
        let comm = &self.coarse.mesh.comm;
        let changed = self.level.as_ref().is_none_or(|level| level.free != free);
        if comm.max(f64::from(u8::from(changed))) > 0.0 {
            self.level = None;
            let interpolation = self.interpolation(&free)?;
            let mut coarse = matrix.ptap(&interpolation)?;
            let modes = matrix.near_null_space()?;
            let modes = modes.iter().map(|mode| self.restrict(mode)).collect::<Result<Vec<_>>>()?;
            coarse.set_near_null_space(modes)?;
            self.level = Some(Level { free, interpolation, matrix: coarse });
        } else if let Some(level) = &mut self.level {
            level.matrix.ptap_again(matrix, &level.interpolation)?;
        }
        if let Some(level) = &self.level {
            let mut pc = solver.preconditioner()?;
            pc.mg_set_level(1, matrix, &level.interpolation)?;
            pc.mg_coarse_solver()?.set_operators(&level.matrix, &level.matrix)?;
        }
        Ok(())
    }

    /// A zero field of the coarse space.
    fn field(&self) -> Result<Vector> {
        let Space { nodes, components, .. } = &self.coarse;
        Vector::ghosted(nodes.mesh.comm.mpi(), nodes.owned_nodes, *components, &nodes.ghosts)
    }

    /// The values of a fine field at the vertices.
    fn restrict(&self, fine: &Vector) -> Result<Vector> {
        let mut coarse = self.field()?;
        self.inject(&fine.read()?, &mut coarse.write()?);
        Ok(coarse)
    }

    /// Copies the owned vertices' values. A vertex has the same owner in both spaces.
    fn inject(&self, fine: &[f64], coarse: &mut [f64]) {
        let c = self.coarse.components;
        for &(from, to) in &self.vertices {
            coarse[to as usize * c..][..c].copy_from_slice(&fine[from as usize * c..][..c]);
        }
    }
}
