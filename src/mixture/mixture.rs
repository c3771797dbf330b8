//! The mixture of experts.
use super::columns::Columns;
use super::gating::Gating;
use super::modes::CoarseModes;
use super::projection::Projection;
use crate::Result;
use crate::fem::Space;
use petsc_rs::{Matrix, Vector};
use std::rc::Rc;

/// A field as a mixture of K local experts, blended by a partition of unity,
///
/// `u(x) = sum_k chi_k(x) u_k(x)`, `chi_k >= 0`, `sum_k chi_k = 1`,
///
/// each `u_k` any field on the nodes of expert `k`, or one in the span of a few functions `Phi_k`: `u_k = Phi_k w_k`.
/// The fields of that kind are `X w` with `X = [chi_k Phi_k]` (N x n: N unknowns, the same number of functions for
/// each expert). `Phi_k` = 1 is the space of Nicolaides, rigid motions that of elasticity, parts of earlier solutions
/// or modes a learned one; with one expert, `chi = 1`, `X` is a global basis.
pub struct Mixture {
    /// The finite element space of the fields.
    pub fields: Rc<Space>,
    /// `chi_k`.
    pub gating: Rc<Gating>,
    /// Functions that every expert has.
    pub modes: Option<CoarseModes>,
    /// Further ones: fields on the owned unknowns, of which every expert takes its part.
    pub columns: Columns,
}

/// Writes columns of owned unknowns to the local ones, `[unknown, function]`, as the functions from number `first` on; what is
/// `fixed` stays. Collective.
///
/// # Errors
/// When PETSc fails.
pub(crate) fn spread<'a>(
    space: &Space,
    columns: impl ExactSizeIterator<Item = &'a [f64]>,
    fixed: &[bool],
    (values, first): (&mut [f64], usize),
) -> Result<()> {
    let n = first + columns.len();
    let mut field = space.field()?;
    for (number, column) in columns.enumerate() {
        field.write()?.copy_from_slice(column);
        field.ghost_update()?;
        let column = field.local_read()?;
        let free = (0..fixed.len()).filter(|&dof| !fixed[dof]);
        free.for_each(|dof| values[dof * n + first + number] = column[dof]);
    }
    Ok(())
}

impl Mixture {
    /// Experts with these functions and no further ones. Local.
    pub fn new(fields: Rc<Space>, gating: Rc<Gating>, modes: Option<CoarseModes>) -> Self {
        let columns = Columns::new(&fields.mesh.comm, fields.owned_dofs());
        Self { fields, gating, modes, columns }
    }

    /// Number of functions of each expert.
    pub fn functions(&self) -> usize {
        self.modes.map_or(0, |modes| modes.count(self.fields.components)) + self.columns.count()
    }

    /// The experts' parts of a field whose ghosts do not matter: `u_k` for each expert of this rank, at the nodes of
    /// [`Gating::support`], all components of a node together. For all at once, since other ranks have values of them.
    /// Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn restrict(&self, u: &Vector) -> Result<Vec<Vec<f64>>> {
        Ok(self.gating.restrict(&self.fields.mesh.comm, &u.read()?, self.fields.components))
    }

    /// `u = sum_k chi_k u_k` from parts as [`Mixture::restrict`] gives them, the same to the last bit on any number of
    /// ranks; ghosts are updated. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn blend(&self, parts: &[Vec<f64>], u: &mut Vector) -> Result<()> {
        let (gating, c, comm) = (&self.gating, self.fields.components, &self.fields.mesh.comm);
        let mut rest: Vec<_> = parts.iter().map(|part| part.chunks_exact(c)).collect();
        let of_rank = |places: &Vec<u32>| -> Vec<f64> {
            let next = |&place: &u32| rest[place as usize].next().unwrap_or(&[]);
            places.iter().flat_map(next).copied().collect()
        };
        let messages: Vec<Vec<f64>> = gating.arrivals.iter().map(of_rank).collect();
        let answers = comm.exchange(&messages);
        let mut answers: Vec<_> = answers.iter().map(|values| values.chunks_exact(c)).collect();
        for (node, value) in u.write()?.chunks_exact_mut(c).enumerate() {
            value.fill(0.0);
            for &(expert, chi) in gating.of(node) {
                let part = answers[gating.owner(expert)].next().unwrap_or(&[]);
                value.iter_mut().zip(part).for_each(|(value, part)| *value += chi * part);
            }
        }
        Ok(u.ghost_update()?)
    }

    /// `X = [chi_k Phi_k]` at the owned unknowns that are `free`, zero at the others: column `k * functions + i` is
    /// function `i` of expert `k`, on the expert's rank; first the modes, then the columns. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn space(&self, free: &[bool]) -> petsc_rs::Result<Matrix> {
        let Self { fields: space, gating, modes, columns: given } = self;
        let (c, count) = (space.components, self.functions());
        let own = count - given.count();
        let (centre, size) = extent(space);
        let mut row_pointers = vec![0i32];
        let (mut columns, mut values) = (Vec::new(), Vec::new());
        for node in 0..space.owned_nodes {
            let point = space.point(node);
            // Rotations about the middle, as large as translations.
            let x = std::array::from_fn(|i| (point[i] - centre[i]) / size);
            for component in 0..c {
                if free[node * c + component] {
                    for &(expert, chi) in gating.of(node) {
                        let first = expert as usize * count;
                        for mode in 0..own {
                            let value = modes.and_then(|modes| modes.value(c, mode, component, &x));
                            columns.extend(value.map(|_| (first + mode) as i32));
                            values.extend(value.map(|value| chi * value));
                        }
                        for (number, field) in given.iter().enumerate() {
                            columns.push((first + own + number) as i32);
                            values.push(chi * field[node * c + component]);
                        }
                    }
                }
                row_pointers.push(columns.len() as i32);
            }
        }
        let comm = space.mesh.comm.mpi();
        Matrix::from_csr_values(comm, 1, &row_pointers, &columns, &values, gating.experts.len() * count)
    }

    /// The functions themselves, not multiplied by the gating functions, at the local unknowns: `[unknown, function]`, zero
    /// where an unknown is `fixed`. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn values(&self, fixed: &[bool]) -> Result<Vec<f64>> {
        let Self { fields: space, modes, columns, .. } = self;
        let (c, n) = (space.components, self.functions());
        let own = n - columns.count();
        let (centre, size) = extent(space);
        let free = |dof: &usize| !fixed[*dof];
        let unknowns = space.local_nodes() * c;
        let mut values = vec![0.0; unknowns * n];
        for dof in (0..unknowns).filter(free) {
            let point = space.point(dof / c);
            let x = std::array::from_fn(|i| (point[i] - centre[i]) / size);
            for mode in 0..own {
                let value = modes.and_then(|modes| modes.value(c, mode, dof % c, &x));
                values[dof * n + mode] = value.unwrap_or(0.0);
            }
        }
        spread(space, columns.iter(), fixed, (&mut values, own))?;
        Ok(values)
    }

    /// Galerkin's projection of a symmetric matrix on `X` at the unknowns that are `free`; `prefix` names PETSc's
    /// options of the small problem. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn galerkin(&self, prefix: &str, matrix: &Matrix, free: &[bool]) -> petsc_rs::Result<Projection> {
        Projection::new(&self.fields.mesh.comm, prefix, matrix, self.space(free)?, None)
    }

    /// As [`Mixture::galerkin`] of a matrix that need not be symmetric. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn petrov(&self, prefix: &str, matrix: &Matrix, free: &[bool]) -> petsc_rs::Result<Projection> {
        Projection::petrov(&self.fields.mesh.comm, prefix, matrix, self.space(free)?)
    }

    /// The least squares of the residual of any matrix (the tangent of an equation) on `X`, each row with its weight, 1
    /// without `weights`. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn least_squares(
        &self,
        prefix: &str,
        matrix: &Matrix,
        free: &[bool],
        weights: Option<&Vector>,
    ) -> petsc_rs::Result<Projection> {
        Projection::new(&self.fields.mesh.comm, prefix, matrix, self.space(free)?, Some(weights))
    }
}

/// Middle and half the longest side of the box around all nodes. Collective.
fn extent(space: &Space) -> ([f64; 3], f64) {
    let (mut lower, mut upper) = ([f64::MAX; 3], [f64::MIN; 3]);
    for node in 0..space.owned_nodes {
        for (i, x) in space.point(node).into_iter().enumerate() {
            (lower[i], upper[i]) = (lower[i].min(x), upper[i].max(x));
        }
    }
    let comm = &space.mesh.comm;
    let lower = lower.map(|x| comm.min(x));
    let upper = upper.map(|x| comm.max(x));
    let size = (0..3).map(|i| (upper[i] - lower[i]) / 2.0).fold(0.0, f64::max);
    (std::array::from_fn(|i| (lower[i] + upper[i]) / 2.0), if size > 0.0 { size } else { 1.0 })
}
