//! Batched assembly: eight cells at a time, straight into PETSc's CSR arrays.
//!
//! Each thread owns a range of rows and computes every cell that touches it; each rank does the
//! same with its rows and its ghost cells. So nothing is sent, nothing is locked, and the element
//! blocks go from registers to their place in the matrix, which was found once for the mesh (see
//! [`Pattern`]).
use super::essential::Essential;
use super::pattern::{Pattern, Share};
use super::rule::Domain;
use super::space::Space;
use rayon::prelude::*;
use tessera_kernels::lanes::LANES;
use tessera_kernels::{Cells, Entity, History, Job, Kernel, Part, Parts, Sparsity, Values};

/// What is assembled into: PETSc's arrays and the load of the owned unknowns.
pub struct Target<'a> {
    /// Diagonal and off-diagonal CSR values; `None` when only the load is wanted.
    pub matrix: Option<(&'a mut [f64], &'a mut [f64])>,
    /// The owned unknowns' part of the load vector.
    pub load: &'a mut [f64],
    /// A state on the local unknowns, ghosts included.
    pub state: Option<&'a [f64]>,
}

/// What a form is evaluated with, beside the place.
#[derive(Clone, Copy)]
pub struct Data<'a> {
    /// The form's coefficients, in its order.
    pub coefficients: &'a [Values],
    /// Unknowns whose rows and columns are left out of matrices.
    pub essential: Option<&'a Essential>,
    /// Internal variables at the start of the step, for forms that have them.
    pub history: Option<&'a History>,
    /// Factors of the form's parts.
    pub parts: Parts,
}

/// Adds `parts.storage * storage + parts.residual * residual` of a form at `target.state` to the load of the target, and
/// the derivative to its matrix. A linear form needs no state: it then is at that of the essential values. Local (no
/// communication).
///
/// # Panics
/// When a nonlinear form has no state.
pub fn assemble(
    form: &dyn Kernel,
    space: &Space,
    pattern: &Pattern,
    domain: &Domain,
    data: Data,
    target: &mut Target,
) {
    let job = Job {
        sparsity: pattern.sparsity(),
        wants_matrix: target.matrix.is_some(),
        ..job_at(space, domain, data, target.state)
    };
    by_share(space.components, pattern, &job, target, |job, part| form.add(job, part));
}

/// The internal variables at the end of a step whose solution is `state`; `rate` is 1 over the step. Local.
///
/// # Panics
/// When the history is not that of the form.
pub fn update_history(
    form: &dyn Kernel,
    space: &Space,
    domain: &Domain,
    coefficients: &[Values],
    (history, next): (&History, &mut History),
    rate: f64,
    state: &[f64],
) {
    let size = history.points * history.width;
    let parts = Parts { storage: rate, residual: 1.0 };
    let (state, history) = (Some(state), Some(history));
    let job = Job { coefficients, state, history, parts, ..job(space, domain) };
    // Whole batches to a thread, so that each writes its own part of `next`.
    let batches = domain.entities.par_chunks(64 * LANES);
    batches.zip(next.values.par_chunks_mut(64 * LANES * size)).for_each(|(entities, next)| {
        form.update(&Job { entities, ..job.clone() }, next);
    });
}

/// An integral over a domain at a state, into nothing yet.
pub fn job_at<'a>(
    space: &'a Space,
    domain: &Domain<'a>,
    data: Data<'a>,
    state: Option<&'a [f64]>,
) -> Job<'a> {
    Job {
        coefficients: data.coefficients,
        prescribed: data.essential.map(Essential::prescribed),
        state,
        history: data.history,
        parts: data.parts,
        ..job(space, domain)
    }
}

/// The same without anything to evaluate it with.
fn job<'a>(space: &'a Space, domain: &Domain<'a>) -> Job<'a> {
    let shape = space.mesh.cell_type;
    Job {
        cells: Cells {
            functions: space.element.functions(),
            corners: shape.vertices(),
            affine: shape.is_simplex(),
            vertices: &space.mesh.cells,
            nodes: &space.cell_nodes,
            coordinates: &space.mesh.coordinates,
        },
        rule: domain.rule.tables(),
        sparsity: Sparsity::NONE,
        entities: domain.entities,
        coefficients: &[],
        prescribed: None,
        rows: 0..0,
        wants_matrix: false,
        state: None,
        history: None,
        parts: Parts::REST,
    }
}

/// Calls `run` for every thread's share of the rows, with the part of the target that belongs to them.
fn by_share(
    components: usize,
    pattern: &Pattern,
    job: &Job,
    target: &mut Target,
    run: impl Fn(&Job, Part) + Sync,
) {
    let mut parts = Vec::with_capacity(pattern.shares.len());
    let (mut diagonal, mut off_diagonal) = match &mut target.matrix {
        Some((d, o)) => (&mut **d, &mut **o),
        None => (&mut [][..], &mut [][..]),
    };
    let mut load = &mut *target.load;
    for share in &pattern.shares {
        let block = components * components;
        let count = |rows: &[u32]| (rows[share.rows.end] - rows[share.rows.start]) as usize * block;
        let (d, o) = if job.wants_matrix {
            (count(&pattern.diagonal_rows), count(&pattern.off_diagonal_rows))
        } else {
            (0, 0)
        };
        let part;
        (part, diagonal) = diagonal.split_at_mut(d);
        let off_part;
        (off_part, off_diagonal) = off_diagonal.split_at_mut(o);
        let load_part;
        (load_part, load) = load.split_at_mut(share.rows.len() * components);
        parts.push((share, Part { diagonal: part, off_diagonal: off_part, load: load_part }));
    }
    let one = |(share, part): (&Share, Part)| {
        let rows = share.rows.clone();
        if job.entities.len() == share.cells.len() && pattern.shares.len() == 1 {
            run(&Job { rows, ..job.clone() }, part);
        } else {
            run(&Job { rows, entities: &within(job.entities, &share.cells), ..job.clone() }, part);
        }
    };
    if parts.len() == 1 {
        parts.into_iter().for_each(one);
    } else {
        parts.into_par_iter().for_each(one);
    }
}

/// The entities whose cell is in the ascending list `cells`.
fn within(entities: &[Entity], cells: &[u32]) -> Vec<Entity> {
    entities.iter().filter(|e| cells.binary_search(&e.0).is_ok()).copied().collect()
}
