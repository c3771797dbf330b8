//! What a kernel is given: borrowed arrays of a mesh, a space, a quadrature rule and a matrix.
use super::Values;
use std::ops::Range;

/// `(local cell, index of the entity in [`Values::ByPoint`], region for [`Values::ByRegion`])`.
pub type Entity = (u32, u32, u16);

/// Values and gradients of every basis function at every quadrature point.
#[derive(Debug, Clone)]
pub struct Tabulation {
    /// Number of basis functions.
    pub functions: usize,
    /// `[point, function]`.
    pub values: Vec<f64>,
    /// Derivatives in reference coordinates, `[point, function]`.
    pub gradients: Vec<[f64; 3]>,
}

/// A quadrature rule on the reference cell or one of its facets, with the basis functions at its points.
#[derive(Clone, Copy)]
pub struct Tables<'a> {
    /// Weights of the points.
    pub weights: &'a [f64],
    /// The space's basis.
    pub basis: &'a Tabulation,
    /// The geometry's basis, of degree 1: one function a vertex.
    pub geometry: &'a Tabulation,
    /// On facets the outward normal in reference coordinates, as long as the facet is larger than its reference cell.
    pub normal: Option<[f64; 3]>,
}

/// Cells of one shape with their nodes.
#[derive(Clone, Copy)]
pub struct Cells<'a> {
    /// Nodes of a cell, which are its basis functions.
    pub functions: usize,
    /// Vertices of a cell, which are its first nodes.
    pub corners: usize,
    /// Whether the map from the reference cell is affine: on simplices.
    pub affine: bool,
    /// `[cell, corner]`.
    pub vertices: &'a [u32],
    /// `[cell, function]`.
    pub nodes: &'a [u32],
    /// `[vertex, coordinate]`, m.
    pub coordinates: &'a [f64],
}

/// Set in a position when the column's node is a ghost: the block stands in the off-diagonal part.
pub const OFF_DIAGONAL: u16 = 0x8000;

/// Where every cell's blocks stand in a matrix that is split, as PETSc does, into the columns of the own nodes (the
/// diagonal part) and those of ghosts.
#[derive(Clone, Copy)]
pub struct Sparsity<'a> {
    /// Start of each owned node's row in the diagonal part, in blocks; one more entry than rows.
    pub diagonal_rows: &'a [u32],
    /// The same for the off-diagonal part.
    pub off_diagonal_rows: &'a [u32],
    /// `[cell, a, b]`: the place of column node `b` in the row of node `a`, counted in blocks from the start of the
    /// row's part; [`OFF_DIAGONAL`] marks the part. Unset where `a` is not owned.
    pub positions: &'a [u16],
}

impl Sparsity<'_> {
    /// Of no matrix.
    pub const NONE: Self = Self { diagonal_rows: &[], off_diagonal_rows: &[], positions: &[] };
}

/// Unknowns with a prescribed value.
#[derive(Clone, Copy)]
pub struct Prescribed<'a> {
    /// For each local unknown (ghosts included), whether it is prescribed.
    pub fixed: &'a [bool],
    /// Prescribed values, zero elsewhere.
    pub values: &'a [f64],
    /// For each local cell, whether it has a prescribed unknown.
    pub cells: &'a [bool],
}

/// A thread's part of what is assembled: values of the rows of [`Job::rows`].
pub struct Part<'a> {
    /// Entries of the diagonal part; empty where no matrix is wanted.
    pub diagonal: &'a mut [f64],
    /// Entries of the off-diagonal part.
    pub off_diagonal: &'a mut [f64],
    /// The load, `[row, component]`.
    pub load: &'a mut [f64],
}

/// Internal variables of a form at the quadrature points of the local cells.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Numbers at a point.
    pub width: usize,
    /// Points in a cell.
    pub points: usize,
    /// `[cell, point, variable]`, cells of the ghost layer included.
    pub values: Vec<f64>,
}

/// Factors of the two parts of a form.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parts {
    /// Factor of the storage: what the time scheme multiplies it by, 0 for steady problems.
    pub storage: f64,
    /// Factor of the rest, 1, or 0 where only the storage is wanted.
    pub residual: f64,
}

impl Parts {
    /// What is stored, alone.
    pub const STORAGE: Self = Self { storage: 1.0, residual: 0.0 };
    /// All but the storage: the residual of a steady problem.
    pub const REST: Self = Self { storage: 0.0, residual: 1.0 };
}

/// One thread's work: an integral over some entities, added to some rows.
#[derive(Clone)]
pub struct Job<'a> {
    /// The cells of this rank, those of the ghost layer included.
    pub cells: Cells<'a>,
    /// The rule that all entities share.
    pub rule: Tables<'a>,
    /// Where blocks stand in the matrix.
    pub sparsity: Sparsity<'a>,
    /// What is integrated over: cells, or facets seen from their cells.
    pub entities: &'a [Entity],
    /// The form's coefficients, in its order.
    pub coefficients: &'a [Values],
    /// Unknowns whose rows and columns are left out.
    pub prescribed: Option<Prescribed<'a>>,
    /// Owned nodes whose rows are this thread's.
    pub rows: Range<usize>,
    /// Whether matrix entries are wanted, or the load alone.
    pub wants_matrix: bool,
    /// All local unknowns, `[node, component]`; see [`Kernel::is_linear`](super::Kernel::is_linear) for jobs without.
    pub state: Option<&'a [f64]>,
    /// Internal variables at the start of the step, for forms that have them.
    pub history: Option<&'a History>,
    /// Factors of a form's parts.
    pub parts: Parts,
}
