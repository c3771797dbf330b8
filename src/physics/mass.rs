//! Mass matrices: the L2 product of fields.
use super::coefficient::{Coefficients, Context, Output, Source};
use super::{Model, Place, Problem};
use crate::Result;
use crate::fem::{Essential, Space};
use petsc_rs::Matrix;
use std::rc::Rc;

/// The consistent mass matrix of one component on the nodes of `space`, `[i, j] = int phi_i phi_j dx`
/// (m^dimension). Collective.
///
/// # Errors
/// When PETSc fails.
pub fn scalar_mass(space: &Space) -> Result<Matrix> {
    // The reaction form of diffusion, by itself.
    let scalar = Rc::new(Space::new(space.mesh.clone(), space.element.degree, 1)?);
    let constant = |value| vec![Source::Constant(value); scalar.mesh.region_names.len()];
    let inputs = vec![constant(0.0), constant(1.0), constant(0.0)];
    let coefficients = Coefficients { reaction: true, inputs, outputs: (0..3).map(Output::input).collect() };
    let names = ("mass".into(), "mass".into(), String::new());
    let parts = vec![(Place::Volume, String::new(), coefficients, Vec::new())];
    let model = Model::Diffusion { anisotropic: false };
    let problem = Problem::new(names, model, scalar.clone(), parts, Vec::new())?;
    let mut matrix = problem.new_matrix()?;
    let mut load = scalar.field()?;
    problem.assemble_term(0, &problem.evaluate(&Context::default())[0], Some(&mut matrix), &mut load)?;
    matrix.assemble()?;
    Ok(matrix)
}

/// The mass matrix of all components of `space`, with the identity on the rows and columns of
/// essential unknowns. Collective.
///
/// # Errors
/// When PETSc fails.
pub fn mass_matrix(space: &Space, essential: &Essential) -> Result<Matrix> {
    let scalar = scalar_mass(space)?;
    let c = space.components;
    let mut row_pointers = vec![0i32];
    let (mut columns, mut values) = (Vec::new(), Vec::new());
    for row in scalar.row_range() {
        let mut entries = scalar.row(row)?;
        entries.sort_unstable_by_key(|e| e.0);
        for component in 0..c {
            columns.extend(entries.iter().map(|e| (e.0 * c + component) as i32));
            values.extend(entries.iter().map(|e| e.1));
            row_pointers.push(columns.len() as i32);
        }
    }
    let comm = space.mesh.comm.mpi();
    let mut matrix = Matrix::from_csr_values(comm, c, &row_pointers, &columns, &values, space.owned_dofs())?;
    let first = matrix.row_range().start;
    let fixed: Vec<i32> = essential.owned(space).map(|dof| (first + dof) as i32).collect();
    matrix.zero_rows_columns(&fixed, 1.0, None)?;
    Ok(matrix)
}
