//! Integrals as vectors, and products with their derivative without a matrix.
use super::{Integral, unknowns};

/// Adds the weighted integral to `result`, `[node, component]` over the local nodes. Rows of owned nodes are whole where
/// the entities are all local ones; of owned entities alone, ghosts' rows have to be added to their owners'.
pub fn add_vector(integral: &Integral, result: &mut [f64]) {
    let own = |target: &mut [f64], vector: &[f64], _: &[f64], weight: f64| {
        target.iter_mut().zip(vector).for_each(|(target, value)| *target = weight * value);
    };
    add(integral, None, own, result);
}

/// Adds `J x` to `result`, both `[node, component]` over the local nodes, with the weighted integral's derivative J; whose
/// rows are whole is as in [`add_vector`].
pub fn add_product(integral: &Integral, x: &[f64], result: &mut [f64]) {
    let own = |target: &mut [f64], x: &[f64], matrix: &[f64], weight: f64| {
        for (target, row) in target.iter_mut().zip(matrix.chunks_exact(x.len())) {
            *target = weight * row.iter().zip(x).map(|(entry, x)| entry * x).sum::<f64>();
        }
    };
    add(integral, Some(x), own, result);
}

/// Adds `J^T x` to `result`: exactly the transpose of [`add_product`] over the same entities. With owned entities alone
/// `x` has to be known on ghosts, and their rows of the result are to be added to their owners'; with all local entities
/// `x` has to be zero on ghosts.
pub fn add_transposed_product(integral: &Integral, x: &[f64], result: &mut [f64]) {
    let own = |target: &mut [f64], x: &[f64], matrix: &[f64], weight: f64| {
        target.fill(0.0);
        for (x, row) in x.iter().zip(matrix.chunks_exact(x.len())) {
            target.iter_mut().zip(row).for_each(|(target, entry)| *target += weight * entry * x);
        }
    };
    add(integral, Some(x), own, result);
}

/// Adds what `own(target, vector, matrix, weight)` makes of every entity: with `x` its values at the cell's nodes and the
/// element matrix, without the element vector alone.
fn add(
    integral: &Integral,
    x: Option<&[f64]>,
    own: impl Fn(&mut [f64], &[f64], &[f64], f64) + Sync,
    result: &mut [f64],
) {
    let components = integral.kernel.components();
    let size = integral.job.cells.functions * components;
    integral.gather(
        x.is_some(),
        || (Vec::new(), vec![0.0; size]),
        |(parts, values), chunk| {
            for (element, weight) in chunk.each() {
                let start = parts.len();
                parts.resize(start + size, 0.0);
                match x {
                    None => own(&mut parts[start..], element.vector, &[], weight),
                    Some(x) => {
                        let dofs = unknowns(element.nodes, components);
                        values.iter_mut().zip(dofs).for_each(|(value, dof)| *value = x[dof]);
                        own(&mut parts[start..], values, element.matrix, weight);
                    }
                }
            }
        },
        |job, (parts, _)| {
            let n = job.cells.functions;
            for (part, entity) in parts.chunks_exact(size).zip(job.entities) {
                let nodes = &job.cells.nodes[entity.0 as usize * n..][..n];
                part.iter().zip(unknowns(nodes, components)).for_each(|(value, dof)| result[dof] += value);
            }
        },
    );
}
