//! Mass matrices, the L2 product of fields, and the operator of reaction and diffusion that they are a case of.
use super::coefficient::{Coefficients, Context, Given, Source};
use super::problem::{Equation, Names, Place, Problem, Term};
use crate::Result;
use crate::fem::{Essential, Space};
use petsc_rs::Matrix;
use std::rc::Rc;
use tessera_kernels::model::Choice;
use tessera_kernels::models::diffusion;

/// `-div(conductivity grad u) + reaction u = source` with constants (given in this order) and, on some facets of the
/// mesh, `conductivity du/dn + coefficient u = 0`; no essential conditions.
///
/// # Errors
/// As [`Problem::new`].
pub fn reaction_diffusion(
    name: &str,
    space: &Rc<Space>,
    constants: [f64; 3],
    side: Option<(f64, Vec<u32>)>,
) -> Result<Problem> {
    let dimension = space.mesh.dimension;
    let choice = Choice { dimension, ..Choice::PLAIN };
    let law = (diffusion::MODEL.law)(&choice);
    let regions = space.mesh.region_names.len();
    let [conductivity, reaction, source] = constants;
    let coefficients = Coefficients::new(&law.coefficients, &[], |name| {
        let value = match name {
            "conductivity" => conductivity,
            "reaction" => reaction,
            _ => source,
        };
        Ok(Given::Sources(vec![Source::Constant(value); regions]))
    })?;
    let term = |place, coefficients, facets| Term { place, key: String::new(), coefficients, facets };
    let mut terms = vec![term(Place::Volume, coefficients, Vec::new())];
    if let Some((coefficient, facets)) = side {
        let coefficients = Coefficients::new(&law.surface, &[], |name| {
            let value = if name == "coefficient" { coefficient } else { 0.0 };
            Ok(Given::Sources(vec![Source::Constant(value)]))
        })?;
        terms.push(term(Place::Boundary, coefficients, facets));
    }
    let equation = Equation { model: &diffusion::MODEL, law, tensor: false, plane: None };
    let names = Names { problem: name.into(), field: name.into(), unit: String::new() };
    Problem::new(names, equation, space.clone(), terms, Vec::new())
}

/// The consistent mass matrix of one component on the nodes of `space`, `[i, j] = int phi_i phi_j dx`
/// (m^dimension). Collective.
///
/// # Errors
/// When PETSc fails.
pub fn scalar_mass(space: &Space) -> Result<Matrix> {
    // The reaction form of diffusion, by itself.
    let scalar = Rc::new(space.with_components(1)?.around_axis(false));
    let problem = reaction_diffusion("mass", &scalar, [0.0, 1.0, 0.0], None)?;
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
    matrix.zero_rows_columns(&essential.rows(space), 1.0, None)?;
    Ok(matrix)
}
