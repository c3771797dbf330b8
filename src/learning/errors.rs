//! Fields on learned functions against full solutions.
use super::training::Training;
use crate::Result;
use crate::campaign::Groups;
use crate::fem::Space;
use crate::mixture::{Form, InnerProduct, MatrixProduct, dot};
use crate::physics::Context;
use crate::physics::mass::scalar_mass;
use crate::simulation::Simulation;

/// Relative residual and relative error in L2 of each test of a training. Collective over all groups.
///
/// # Errors
/// When a solve fails.
pub fn errors(
    groups: &Groups,
    training: &mut Training,
    simulation: &mut Simulation,
) -> Result<Vec<[f64; 2]>> {
    let mut all = vec![0.0; 2 * training.tests().len()];
    let own = (0..training.tests().len()).filter(|i| i % groups.count == groups.index);
    let found = own.map(|i| -> Result<_> {
        let parameters = training.tests()[i].clone();
        let (state, residual) = training.field(&parameters)?;
        let state = state.expect("a steady problem");
        simulation.stages[0].forget_solution()?;
        simulation.solve(&Context::steady(parameters))?;
        let stage = &simulation.stages[0];
        let error = relative_error(stage.space(), &stage.solution().read()?, &state)?;
        Ok((i, [residual, error]))
    });
    for (i, row) in groups.world.agree(found.collect::<Result<Vec<_>>>())? {
        if groups.comm.rank() == 0 {
            all[2 * i..2 * i + 2].copy_from_slice(&row);
        }
    }
    groups.world.sum_into(&mut all);
    Ok(all.chunks_exact(2).map(|row| [row[0], row[1]]).collect())
}

/// Distance of two fields in L2, over that of the first from its mean. Collective.
///
/// # Errors
/// When PETSc fails.
pub fn relative_error(space: &Space, exact: &[f64], found: &[f64]) -> Result<f64> {
    let (c, comm) = (space.components, &space.mesh.comm);
    let product = MatrixProduct::with(scalar_mass(space)?, Form::Components(c))?;
    let inner = |a: &[f64], b: &[f64]| -> Result<f64> {
        let mut image = vec![0.0; a.len()];
        product.apply(a, &mut image)?;
        Ok(comm.sum(dot(b, &image)))
    };
    let mut apart = exact.to_vec();
    for component in 0..c {
        let one: Vec<f64> = (0..exact.len()).map(|dof| f64::from(u8::from(dof % c == component))).collect();
        let mean = inner(exact, &one)? / inner(&one, &one)?;
        apart.iter_mut().skip(component).step_by(c).for_each(|value| *value -= mean);
    }
    let error: Vec<f64> = exact.iter().zip(found).map(|(a, b)| a - b).collect();
    Ok((inner(&error, &error)? / inner(&apart, &apart)?).sqrt())
}
