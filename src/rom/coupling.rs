//! How one physics' field enters the load of another, and how far its error reaches there.
use super::affine::{Coupled, only};
use super::energy::Energy;
use crate::fem::Values;
use crate::fem::functional::visit;
use crate::mixture::{Orthonormal, eigen};
use crate::physics::coefficient::{NodalField, Sampled, Source};
use crate::physics::{Place, Problem};
use crate::simulation::Stage;
use crate::{Diagnostic, Error, Result};
use faer::Mat;
use petsc_rs::Vector;
use std::rc::Rc;

/// The earlier problem whose field a problem reads.
///
/// # Errors
/// [`Error::Input`] when there are several.
pub fn upstream_of(stages: &[Stage], index: usize) -> Result<Option<usize>> {
    let problem = &stages[index].problem;
    let reads = |field: &Rc<NodalField>| {
        let sources = problem.integrals.iter().flat_map(|i| i.coefficients.inputs.iter().flatten());
        sources.into_iter().any(|s| matches!(s, Source::Nodal(f) if Rc::ptr_eq(f, field)))
    };
    let read: Vec<usize> = (0..index).filter(|&other| stages[other].input().is_some_and(reads)).collect();
    if read.len() > 1 {
        return Err(Error::Input(vec![Diagnostic {
            key: format!("physics.{}", problem.name),
            message: "a reduced model of a problem that reads the fields of several others is not supported"
                .into(),
            ..Diagnostic::default()
        }]));
    }
    Ok(read.first().copied())
}

/// Most steps of Lanczos' method for the norm of a coupling.
const STEPS: usize = 60;

/// Relative change of the norm's square at which it ends.
const SETTLED: f64 = 1e-5;

/// Factor on the norm for what the last steps of Lanczos' method, which approaches from below, leave out.
const SAFETY: f64 = 1.01;

/// The physics whose field another one reads.
pub struct Upstream<'a> {
    /// Its position in the model.
    pub index: usize,
    /// Its field as the other physics sees it.
    pub field: Rc<NodalField>,
    /// Its reference energy.
    pub energy: &'a Energy,
}

/// The load of one coupled term for a field of the upstream physics (this rank's unknowns). Collective.
///
/// # Errors
/// When PETSc fails.
pub fn load(problem: &Problem, term: &Coupled, upstream: &Upstream, field: &[f64]) -> Result<Vec<f64>> {
    let nodal = NodalField::new(upstream.field.space.clone());
    let mut vector = nodal.space.field_of(1)?;
    vector.write()?.copy_from_slice(field);
    vector.ghost_update()?;
    nodal.values.borrow_mut().copy_from_slice(&vector.local_read()?);
    let mut load = problem.space.field()?;
    add_load(problem, term, 1.0, &nodal, &mut load)?;
    Ok(load.read()?.to_vec())
}

/// Adds a multiple of the load of one coupled term for a field. Local.
///
/// # Errors
/// When PETSc fails.
pub fn add_load(
    problem: &Problem,
    term: &Coupled,
    factor: f64,
    field: &NodalField,
    load: &mut Vector,
) -> Result<()> {
    let (integral, output) = term.place;
    let mut values = term.function.clone();
    for group in &problem.integrals[integral].groups {
        let (points, sampled) = (group.rule.weights.len(), Sampled::new(field, &group.rule.points));
        for &(cell, index, _) in &group.entities {
            for (q, value) in values[index as usize * points..][..points].iter_mut().enumerate() {
                *value *= factor * sampled.value(cell as usize, q);
            }
        }
    }
    let values = only(&problem.integrals[integral], output, &Values::ByPoint(values));
    problem.assemble_term(integral, &values, None, load)
}

/// The transpose of [`load`]: what a test function gives on the upstream physics' basis functions, or
/// `None` for a coefficient whose form is not known here. Collective.
fn transposed(
    problem: &Problem,
    term: &Coupled,
    upstream: &Upstream,
    test: &[f64],
) -> Result<Option<Vec<f64>>> {
    let (integral, output) = term.place;
    let part = &problem.integrals[integral];
    let dimension = problem.space.mesh.dimension;
    let axisymmetric = match (problem.is_solid(), part.place) {
        (true, Place::Volume) if part.coefficients.meanings[output].key == "temperature" => {
            Some(problem.space.axisymmetric)
        }
        (false, Place::Volume) => None,
        _ => return Ok(None),
    };
    let mut vector = problem.space.field()?;
    vector.write()?.copy_from_slice(test);
    vector.ghost_update()?;
    let local = vector.local_read()?;
    let space = &upstream.field.space;
    let mut result = space.field_of(1)?;
    {
        let mut sums = vec![0.0; space.local_nodes()];
        for group in &part.groups {
            let table = space.element.tabulate(&group.rule.points);
            let (points, functions) = (group.rule.weights.len(), space.element.functions());
            let owned_cells = space.mesh.owned_cells;
            visit(&problem.space, &local, &group.domain(), |sample| {
                if sample.cell >= owned_cells {
                    return;
                }
                let slope = match axisymmetric {
                    // The thermal stress works on the divergence; around the axis also on u_r / r.
                    Some(axisymmetric) => {
                        let divergence: f64 = (0..dimension).map(|i| sample.gradient[i][i]).sum();
                        if axisymmetric {
                            divergence + sample.value[0] / sample.position()[0]
                        } else {
                            divergence
                        }
                    }
                    None => sample.value[0],
                };
                let place = sample.entity.0 as usize * points + sample.point;
                let factor = sample.weight * slope * term.function[place];
                let shapes = &table.values[sample.point * functions..(sample.point + 1) * functions];
                for (&node, shape) in space.nodes_of(sample.cell).iter().zip(shapes) {
                    sums[node as usize] += factor * shape;
                }
            });
        }
        result.local_write()?.copy_from_slice(&sums);
    }
    result.ghost_accumulate()?;
    Ok(Some(result.read()?.to_vec()))
}

/// `sup |L_m(e)(v)| / (|e| |v|)` over fields e that vanish where the upstream field is prescribed, for
/// every term m: the largest singular value, by Lanczos' method on `X_e^-1 L^T X_v^-1 L` with full
/// reorthogonalisation. The inner `Err` says why there is none. Collective.
///
/// # Errors
/// When a solve fails.
pub fn constants(
    problem: &Problem,
    terms: &[Coupled],
    energy: &Energy,
    upstream: &Upstream,
) -> Result<std::result::Result<Vec<f64>, String>> {
    let mut constants = Vec::new();
    for term in terms {
        match constant(problem, term, energy, upstream)? {
            Some(value) => constants.push(value),
            None => return Ok(Err("the influence of the other physics' error has no known bound".into())),
        }
    }
    Ok(Ok(constants))
}

fn constant(problem: &Problem, term: &Coupled, energy: &Energy, upstream: &Upstream) -> Result<Option<f64>> {
    let space = &upstream.field.space;
    let comm = &space.mesh.comm;
    // A start that no symmetry makes orthogonal to the answer: a load that varies with the node's number.
    let start: Vec<f64> =
        space.node_ids[..space.owned_nodes].iter().map(|&id| 1.0 + 0.5 * (id as f64).sin()).collect();
    let mut basis = Orthonormal::new(comm, space.owned_nodes);
    basis.append(&upstream.energy.representer(&start)?, &upstream.energy.product)?;
    let mut before = 0.0;
    for step in 0..STEPS {
        let image = load(problem, term, upstream, basis.columns.column(step))?;
        let displacement = energy.representer(&image)?;
        let Some(back) = transposed(problem, term, upstream, &displacement)? else { return Ok(None) };
        let more = basis.append(&upstream.energy.representer(&back)?, &upstream.energy.product)?;
        let entry = |i: usize, j: usize| basis.factors[j + 1].get(i).copied().unwrap_or(0.0);
        let projected = Mat::from_fn(step + 1, step + 1, entry);
        let largest = eigen(projected.as_ref(), "norm of the coupling")?.0[0];
        if !more || (largest - before).abs() <= SETTLED * largest {
            before = largest;
            break;
        }
        before = largest;
    }
    Ok(Some(SAFETY * before.max(0.0).sqrt()))
}
