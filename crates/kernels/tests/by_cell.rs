//! Element vectors and matrices one by one are what assembly adds: all forms and elements, cells that share nodes, with
//! prescribed unknowns and without a state.
mod common;

use common::{CELLS, Case, ELEMENTS, for_all_forms};
use tessera_kernels::{ByCell, Entity, Job, Kernel, Part};

/// Adds element vectors and matrices where the nodes stand, into a dense matrix, `[matrix, load]`.
fn assemble(kernel: &dyn Kernel, job: &Job, nodes: usize) -> [Vec<f64>; 2] {
    let (c, n) = (kernel.components(), job.cells.functions);
    let size = nodes * c;
    let (mut matrix, mut load) = (vec![0.0; size * size], vec![0.0; size]);
    let dof = |nodes: &[u32], place: usize| nodes[place / c] as usize * c + place % c;
    ByCell::new(c, &job.cells).visit(kernel, job, |element| {
        assert_eq!(element.matrix.is_empty(), !job.wants_matrix);
        for (a, value) in element.vector.iter().enumerate() {
            load[dof(element.nodes, a)] += value;
            for b in 0..if job.wants_matrix { n * c } else { 0 } {
                let entry = dof(element.nodes, a) * size + dof(element.nodes, b);
                matrix[entry] += element.matrix[a * n * c + b];
            }
        }
    });
    [matrix, load]
}

/// The same by [`Kernel::add`], every node being coupled to every other.
fn added(kernel: &dyn Kernel, job: &Job, nodes: usize) -> [Vec<f64>; 2] {
    let (c, n) = (kernel.components(), job.cells.functions);
    let size = nodes * c;
    let cells = job.cells.nodes.chunks_exact(n);
    let positions: Vec<u16> =
        cells.flat_map(|nodes| (0..n).flat_map(move |_| nodes.iter().map(|&node| node as u16))).collect();
    let rows: Vec<u32> = (0..=nodes).map(|row| (row * nodes) as u32).collect();
    let none = vec![0; nodes + 1];
    let (mut matrix, mut load) = (vec![0.0; size * size], vec![0.0; size]);
    let part = Part { diagonal: &mut matrix, off_diagonal: &mut [], load: &mut load };
    let sparsity =
        tessera_kernels::Sparsity { diagonal_rows: &rows, off_diagonal_rows: &none, positions: &positions };
    kernel.add(&Job { sparsity, rows: 0..nodes, ..job.clone() }, part);
    [matrix, load]
}

fn compare(about: &str, kernel: &dyn Kernel, job: &Job, nodes: usize) {
    let ours = assemble(kernel, job, nodes);
    for (a, b) in ours.iter().zip(&added(kernel, job, nodes)) {
        let size = b.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let apart = a.iter().zip(b).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
        assert!(apart <= 1e-13 * size, "{about}: {apart:e} of {size:e}");
    }
}

#[test]
fn elements_add_up_to_what_is_assembled() {
    for_all_forms(|name, dimension, kernel, facets| {
        for &(functions, simplex) in ELEMENTS[dimension - 1] {
            let sizes = [kernel.components(), kernel.coefficients(), kernel.history()];
            let mut case = Case::new(dimension, functions, simplex, facets, sizes);
            // Neighbours share nodes; the state is the same at all nodes of one number.
            let nodes = (CELLS * functions).div_ceil(2);
            case.nodes.iter_mut().for_each(|node| *node /= 2);
            for (cell, constrained) in case.constrained.iter_mut().enumerate() {
                let own = &case.nodes[cell * functions..][..functions];
                let c = sizes[0];
                *constrained = own.iter().any(|&node| case.fixed[node as usize * c..][..c].contains(&true));
            }
            let about = format!("{name}, {dimension}D, {functions} functions, facets: {facets}");
            let job = case.job();
            compare(&about, kernel, &job, nodes);
            compare(&about, kernel, &Job { prescribed: None, ..job.clone() }, nodes);
            compare(&about, kernel, &Job { wants_matrix: false, ..job.clone() }, nodes);
            // Some entities, in another order.
            let some: Vec<Entity> = case.entities.iter().rev().step_by(2).copied().collect();
            compare(&about, kernel, &Job { entities: &some, ..job.clone() }, nodes);
            if kernel.is_linear() {
                compare(&about, kernel, &Job { state: None, ..job.clone() }, nodes);
            }
        }
    });
}
