//! Batched assembly: eight cells at a time, straight into PETSc's CSR arrays.
//!
//! Each thread owns a range of rows and computes every cell that touches it; each rank does the
//! same with its rows and its ghost cells. So nothing is sent, nothing is locked, and the element
//! blocks go from registers to their place in the matrix, which was found once for the mesh (see
//! [`Pattern`]).
use super::batch::Cells;
use super::element::{Element, FacetRule, Tabulation};
use super::kernel::Job;
use super::pattern::Pattern;
use super::quadrature::Quadrature;
use super::scatter::Part;
use super::weak_form::WeakForm;
use super::{Essential, Space};
use rayon::prelude::*;

/// The values of one coefficient on a domain.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// The same everywhere.
    Uniform(f64),
    /// One value for each region of the mesh (for each group of facets on a boundary).
    ByRegion(Vec<f64>),
    /// `[cell, quadrature point]` over local cells (`[facet, quadrature point]` on a boundary).
    ByPoint(Vec<f64>),
}

impl Values {
    /// Whether every value is zero.
    pub fn is_zero(&self) -> bool {
        match self {
            Self::Uniform(value) => *value == 0.0,
            Self::ByRegion(values) | Self::ByPoint(values) => values.iter().all(|&v| v == 0.0),
        }
    }

    /// Whether the values differ from point to point.
    pub fn is_by_point(&self) -> bool {
        matches!(self, Self::ByPoint(_))
    }

    /// The value at a quadrature point (`points` to an entity).
    #[inline(always)]
    pub fn at(&self, entity: usize, region: usize, point: usize, points: usize) -> f64 {
        match self {
            Self::Uniform(value) => *value,
            Self::ByRegion(values) => values[region],
            Self::ByPoint(values) => values[entity * points + point],
        }
    }
}

/// Basis functions and geometry at the quadrature points of a reference cell or one of its facets.
pub struct Rule {
    /// Reference coordinates of the points.
    pub points: Vec<[f64; 3]>,
    /// Weights.
    pub weights: Vec<f64>,
    /// The space's basis.
    pub basis: Tabulation,
    /// The geometry's basis (degree 1).
    pub geometry: Tabulation,
    /// Reference normal, on facets (see [`FacetRule`]).
    pub normal: Option<[f64; 3]>,
}

impl Rule {
    /// The rule of that degree on cells.
    pub fn cells(element: &Element, degree: usize) -> Self {
        Self::new(element, Quadrature::new(element.cell, degree), None)
    }

    /// The vertices of cells, see [`Quadrature::vertices`].
    pub fn vertices(element: &Element) -> Self {
        Self::new(element, Quadrature::vertices(element.cell), None)
    }

    /// The rule of that degree on facet number `facet` of the cells.
    pub fn facet(element: &Element, facet: usize, degree: usize) -> Self {
        let rule = FacetRule::new(element.cell, facet, degree);
        Self::new(element, rule.quadrature, Some(rule.normal))
    }

    /// The vertices of facet number `facet` of the cells.
    pub fn facet_vertices(element: &Element, facet: usize) -> Self {
        let rule = FacetRule::vertices(element.cell, facet);
        Self::new(element, rule.quadrature, Some(rule.normal))
    }

    fn new(element: &Element, quadrature: Quadrature, normal: Option<[f64; 3]>) -> Self {
        Self {
            basis: element.tabulate(&quadrature.points),
            geometry: Element::new(element.cell, 1).tabulate(&quadrature.points),
            weights: quadrature.weights,
            points: quadrature.points,
            normal,
        }
    }
}

/// Where an integral is taken: local cells, or facets seen from their cells.
pub struct Domain<'a> {
    /// The rule on the reference cell.
    pub rule: &'a Rule,
    /// `(local cell, index of the entity in `ByPoint` values, region for `ByRegion` values)`.
    pub entities: &'a [(u32, u32, u16)],
}

/// What is assembled into: PETSc's arrays and the load of the owned unknowns.
pub struct Target<'a> {
    /// Diagonal and off-diagonal CSR values; `None` when only the load is wanted.
    pub matrix: Option<(&'a mut [f64], &'a mut [f64])>,
    /// The owned unknowns' part of the load vector.
    pub load: &'a mut [f64],
    /// A state on the local unknowns (ghosts included): its image under the bilinear form is
    /// subtracted from the load, which becomes the residual `f - K u`, without a matrix.
    pub state: Option<&'a [f64]>,
}

/// Adds one integral to the target. Unknowns in `essential` are eliminated symmetrically: their rows
/// and columns are left out and their values moved to the load. Local (no communication).
pub fn assemble<const D: usize, const C: usize, F: WeakForm<D, C>>(
    form: &F,
    space: &Space,
    pattern: &Pattern,
    domain: &Domain,
    coefficients: &[Values],
    essential: Option<&Essential>,
    target: &mut Target,
) {
    debug_assert_eq!(coefficients.len(), F::COEFFICIENTS);
    let wants_matrix = target.matrix.is_some();
    let state = target.state;
    by_share(C, space, pattern, domain, target, |cells, entities, rows, part| {
        let rule = domain.rule;
        let job =
            Job { form, cells, pattern, rule, entities, coefficients, essential, rows, wants_matrix, state };
        job.dispatch(part);
    });
}

/// What kernels need of a space.
pub(super) fn cells(space: &Space) -> Cells<'_> {
    Cells {
        shape: space.mesh.cell_type,
        degree: space.element.degree,
        vertices: &space.mesh.cells,
        nodes: &space.cell_nodes,
        coordinates: &space.mesh.coordinates,
    }
}

/// Calls `run(cells, entities, rows, part of the target)` for every thread's share of the rows.
pub(super) fn by_share(
    components: usize,
    space: &Space,
    pattern: &Pattern,
    domain: &Domain,
    target: &mut Target,
    run: impl Fn(Cells, &[(u32, u32, u16)], std::ops::Range<usize>, Part) + Sync,
) {
    let wants_matrix = target.matrix.is_some();
    let mut parts = Vec::with_capacity(pattern.shares.len());
    let (mut diagonal, mut off_diagonal) = match &mut target.matrix {
        Some((d, o)) => (&mut **d, &mut **o),
        None => (&mut [][..], &mut [][..]),
    };
    let mut load = &mut *target.load;
    for (share, s) in pattern.shares.iter().enumerate() {
        let block = components * components;
        let count = |rows: &[u32]| (rows[s.rows.end] - rows[s.rows.start]) as usize * block;
        let (d, o) = if wants_matrix {
            (count(&pattern.diagonal_rows), count(&pattern.off_diagonal_rows))
        } else {
            (0, 0)
        };
        let part;
        (part, diagonal) = diagonal.split_at_mut(d);
        let off_part;
        (off_part, off_diagonal) = off_diagonal.split_at_mut(o);
        let load_part;
        (load_part, load) = load.split_at_mut(s.rows.len() * components);
        parts.push(Part { share, diagonal: part, off_diagonal: off_part, load: load_part });
    }
    let cells = cells(space);
    let entities = domain.entities;
    let one = |part: Part| {
        let share = &pattern.shares[part.share];
        if entities.len() == share.cells.len() && pattern.shares.len() == 1 {
            run(cells, entities, share.rows.clone(), part);
        } else {
            run(cells, &within(entities, &share.cells), share.rows.clone(), part);
        }
    };
    if parts.len() == 1 {
        parts.into_iter().for_each(one);
    } else {
        parts.into_par_iter().for_each(one);
    }
}

/// The entities whose cell is in the ascending list `cells`.
fn within(entities: &[(u32, u32, u16)], cells: &[u32]) -> Vec<(u32, u32, u16)> {
    entities.iter().filter(|e| cells.binary_search(&e.0).is_ok()).copied().collect()
}
