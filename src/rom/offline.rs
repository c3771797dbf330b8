//! The offline side of a reduced model: snapshots to a basis, and the projection of an affine expansion.
use super::affine::Expansion;
use super::columns::{Columns, Euclidean, InnerProduct};
use super::coupling::{self, Upstream};
use super::energy::{Energy, Mass};
use super::galerkin::{Description, Reduced};
use super::orthonormal::Orthonormal;
use super::pod::{Algorithm, Pod, Truncation, pod};
use super::theta::{Theta, values};
use crate::deck::Norm;
use crate::physics::{Context, Problem};
use crate::{Error, Result};
use faer::Mat;
use petsc_rs::Matrix;

/// How a basis is made.
#[derive(Debug, Clone, Copy)]
pub struct BasisOptions {
    /// Inner product of the decomposition.
    pub inner_product: Norm,
    /// How it is computed.
    pub algorithm: Algorithm,
    /// Where it ends.
    pub truncation: Truncation,
}

/// The basis of one physics.
pub struct Basis {
    /// Liftings of the prescribed values, then modes.
    pub functions: Columns,
    /// How many of them are liftings.
    pub lifts: usize,
    /// Singular values of the snapshots without their liftings, descending.
    pub singular_values: Vec<f64>,
}

/// `sum_q theta_q A_q x` on this rank's rows. Collective.
fn apply(problem: &Problem, matrices: &[(Theta, Matrix)], thetas: &[f64], x: &[f64]) -> Result<Vec<f64>> {
    let (mut from, mut to) = (problem.space.field()?, problem.space.field()?);
    from.write()?.copy_from_slice(x);
    let mut sum = vec![0.0; x.len()];
    for ((_, matrix), theta) in matrices.iter().zip(thetas) {
        matrix.mult(&from, &mut to)?;
        sum.iter_mut().zip(to.read()?.iter()).for_each(|(s, v)| *s += theta * v);
    }
    Ok(sum)
}

impl Basis {
    /// Finds a basis of snapshots (this rank's unknowns, one column for each of `parameters`). The
    /// prescribed values are lifted with the least reference energy. Collective.
    ///
    /// # Errors
    /// When the snapshots do not fit or are not finite.
    pub fn new(
        problem: &Problem,
        expansion: &Expansion,
        energy: &Energy,
        reference: &Context,
        (mut snapshots, parameters): (Columns, &[Vec<f64>]),
        options: BasisOptions,
    ) -> Result<Self> {
        let comm = &problem.space.mesh.comm;
        let list: Vec<Theta> = expansion.matrices.iter().map(|(theta, _)| theta.clone()).collect();
        let thetas = values(&list, problem, reference);
        let mut functions = Columns::new(comm, problem.space.owned_dofs());
        for (_, lift) in &expansion.lifts {
            let mut lift = lift.clone();
            let image = apply(problem, &expansion.matrices, &thetas, &lift)?;
            energy.extend(&mut lift, &image)?;
            functions.push(&lift);
        }
        let lifts = functions.count();
        for (j, parameters) in parameters.iter().enumerate() {
            let context = Context::steady(parameters.clone());
            let factors: Vec<f64> =
                expansion.lifts.iter().map(|(theta, _)| -theta.value(problem, &context)).collect();
            let column = snapshots.column_mut(j);
            functions.add_to(&factors, column);
            for (dof, value) in column.iter_mut().enumerate() {
                if energy.essential.fixed[dof] {
                    *value = 0.0;
                }
            }
        }
        let mass;
        let product: &dyn InnerProduct = match options.inner_product {
            Norm::Energy => energy,
            Norm::Mass => {
                mass = Mass::new(&problem.space)?;
                &mass
            }
            Norm::Euclidean => &Euclidean,
        };
        let Pod { modes, singular_values } = pod(&snapshots, product, options.algorithm, options.truncation)?;
        for j in 0..modes.count() {
            functions.push(modes.column(j));
        }
        Ok(Self { functions, lifts, singular_values })
    }

    /// Number of modes.
    pub fn modes(&self) -> usize {
        self.functions.count() - self.lifts
    }
}

/// Representers of all terms of the residual, orthonormalised as they come.
struct Representers<'a> {
    energy: &'a Energy,
    all: Orthonormal,
}

impl Representers<'_> {
    fn add(&mut self, functional: &[f64]) -> Result<()> {
        let representer = self.energy.representer(functional)?;
        self.all.append(&representer, self.energy)?;
        Ok(())
    }
}

/// Projects a problem on its basis. Collective.
///
/// # Errors
/// When a representer cannot be solved for.
pub fn project(
    problem: &Problem,
    expansion: &Expansion,
    energy: &Energy,
    basis: &Basis,
    upstream: Option<&Upstream>,
) -> Result<Reduced> {
    let space = &problem.space;
    let comm = &space.mesh.comm;
    let w = &basis.functions;
    let mut representers = Representers { energy, all: Orthonormal::new(comm, space.owned_dofs()) };
    let mut loads = Vec::new();
    for (_, load) in &expansion.loads {
        let load = load.read()?.to_vec();
        loads.push(w.coefficients(&load));
        representers.add(&load)?;
    }
    let mut coupled = Vec::new();
    if let Some(upstream) = upstream {
        for term in &expansion.coupled {
            let mut images = Columns::new(comm, space.owned_dofs());
            for k in 0..upstream.basis.count() {
                let load = coupling::load(problem, term, upstream, upstream.basis.column(k))?;
                representers.add(&load)?;
                images.push(&load);
            }
            coupled.push(w.product(&images));
        }
    } else if !expansion.coupled.is_empty() {
        return Err(Error::Failed(format!("{}: the field it reads has no reduced model", problem.name)));
    }
    let (mut from, mut to) = (space.field()?, space.field()?);
    let mut matrices = Vec::new();
    for (_, matrix) in &expansion.matrices {
        let mut images = Columns::new(comm, space.owned_dofs());
        for k in 0..w.count() {
            from.write()?.copy_from_slice(w.column(k));
            matrix.mult(&from, &mut to)?;
            let image = to.read()?.to_vec();
            representers.add(&image)?;
            images.push(&image);
        }
        let product = w.product(&images);
        let symmetric = |i, j| 0.5 * (product[(i, j)] + product[(j, i)]);
        matrices.push(Mat::from_fn(w.count(), w.count(), symmetric));
    }
    let coupling = match upstream {
        Some(upstream) if !expansion.coupled.is_empty() => {
            coupling::constants(problem, &expansion.coupled, energy, upstream)
        }
        _ => Ok(Ok(Vec::new())),
    }?;
    let thetas = |list: &mut dyn Iterator<Item = &Theta>| list.cloned().collect::<Vec<_>>();
    let description = Description {
        name: problem.name.clone(),
        field: problem.field.clone(),
        upstream: upstream.map(|u| u.index).filter(|_| !expansion.coupled.is_empty()),
        upstream_basis: upstream.map_or(0, |u| u.basis.count()),
        modes: basis.modes(),
        lifts: thetas(&mut expansion.lifts.iter().map(|(t, _)| t)),
        matrices: thetas(&mut expansion.matrices.iter().map(|(t, _)| t)),
        loads: thetas(&mut expansion.loads.iter().map(|(t, _)| t)),
        coupled: thetas(&mut expansion.coupled.iter().map(|c| &c.theta)),
        coercivity: expansion.coercivity.clone(),
        coupling,
        interpolation: expansion.inexact(),
    };
    Ok(Reduced { description, matrices, loads, coupled, residual: representers.all.triangle() })
}
