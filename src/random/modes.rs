//! The smallest eigenpairs of the operator behind a Matern field: its Karhunen-Loeve modes.
use super::noise::Noise;
use super::operator::Operator;
use crate::fem::Space;
use crate::mixture::{Columns, eigen};
use crate::{Error, Result};
use faer::Mat;

/// Norm of `T q - theta q` relative to theta at which a pair is taken.
const TOLERANCE: f64 = 1e-10;
/// Eigenvalues that differ less, relatively, are one multiple eigenvalue.
const SAME: f64 = 1e-7;
/// Part of a random column that is left when it adds nothing.
const DEPENDENT: f64 = 1e-10;
/// Vectors in a block beyond half the number of modes.
const EXTRA: usize = 12;

/// Eigenpairs `L v = lambda v`, lambda ascending, `v^T D v = 1`.
pub struct Modes {
    /// The eigenvalues.
    pub values: Vec<f64>,
    /// The eigenvectors at the owned nodes, one a column.
    pub vectors: Columns,
}

impl Modes {
    /// The `count` smallest, by block Krylov spaces of the inverse with full orthogonalisation (block Lanczos with
    /// shift and invert: Golub, Underwood, in Mathematical Software III (1977) 361; started at random: Musco, Musco,
    /// NIPS 2015). A block of more than half the modes finds multiple eigenvalues. In their spaces the vectors are those
    /// nearest to fixed random ones, so that signs and bases do not depend on ranks. `numbers` are those of the owned
    /// nodes in canonical order. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when the mesh has not enough nodes; when PETSc fails.
    pub fn smallest(space: &Space, operator: &mut Operator, numbers: &[u64], count: usize) -> Result<Self> {
        if count as u64 >= space.global_dofs() {
            let text = format!("{count} terms of a random field: the mesh has {} nodes", space.global_dofs());
            return Err(Error::input("", text));
        }
        let empty = Columns::new(&operator.comm, numbers.len());
        let roots: Vec<f64> = operator.mass.iter().map(|m| m.sqrt()).collect();
        let noise = Noise::new(0, "modes", 0);
        let start = |count: usize| {
            let values =
                Mat::from_fn(numbers.len(), count, |i, j| noise.normal((numbers[i] << 16) + j as u64));
            Columns::from_matrix(&empty.comm, values.as_ref())
        };
        // T = D^1/2 A^-1 D^1/2 has the eigenvectors D^1/2 v and the eigenvalues 1 / lambda.
        let (mut load, mut result) = (space.field()?, space.field()?);
        let mut apply = |column: &[f64]| -> Result<Vec<f64>> {
            let values = roots.iter().zip(column).map(|(root, v)| root * v);
            load.write()?.iter_mut().zip(values).for_each(|(b, v)| *b = v);
            operator.solve(&load, &mut result)?;
            Ok(result.read()?.iter().zip(&roots).map(|(x, root)| root * x).collect())
        };
        let (mut basis, mut images) = (empty.clone(), empty.clone());
        let mut next = start(count / 2 + EXTRA);
        let (inverses, vectors) = loop {
            let added = orthonormalise(&basis, next);
            let exhausted = added.count() == 0;
            for column in added.iter() {
                images.push(&apply(column)?);
            }
            basis.extend(added.iter());
            let projected = basis.product(&images);
            let n = projected.nrows();
            let (values, vectors) = eigen(projected.as_ref(), "the operator of a random field")?;
            // One more than the last of its multiplicity shows that the eigenvalue is complete.
            let last = (count..n).find(|&k| values[k - 1] - values[k] > SAME * values[k - 1]);
            let wanted = last.unwrap_or(n);
            let ritz = basis.combine(vectors.subcols(0, wanted));
            let mut residual = images.combine(vectors.subcols(0, wanted));
            let whole = n as u64 >= space.global_dofs() || exhausted;
            for (k, ritz) in ritz.iter().enumerate() {
                residual.column_mut(k).iter_mut().zip(ritz).for_each(|(r, v)| *r -= values[k] * v);
            }
            let norms = residual.lengths();
            let converged =
                last.is_some() && norms.iter().zip(&values).all(|(norm, value)| *norm < TOLERANCE * value);
            if converged || whole {
                break (values[..wanted].to_vec(), ritz);
            }
            next = empty.clone();
            next.extend(images.iter().skip(n - added.count()));
        };
        let (mut chosen, mut first) = (empty.clone(), 0);
        while first < count {
            let same = |k: &usize| inverses[*k - 1] - inverses[*k] > SAME * inverses[*k - 1];
            let end = (first + 1..inverses.len()).find(same).unwrap_or(inverses.len());
            let mut space = empty.clone();
            space.extend(vectors.iter().skip(first).take(end - first));
            let nearest = space.combine(space.product(&start(end - first)).as_ref());
            chosen.extend(orthonormalise(&chosen, nearest).iter());
            first = end;
        }
        chosen.truncate(count);
        for k in 0..count {
            chosen.column_mut(k).iter_mut().zip(&roots).for_each(|(v, root)| *v /= root);
        }
        Ok(Self { values: inverses[..count].iter().map(|inverse| 1.0 / inverse).collect(), vectors: chosen })
    }
}

/// What a block adds to orthonormal columns, orthonormal itself; columns that add nothing are left out. Gram-Schmidt
/// twice, against the basis by blocks. Collective.
fn orthonormalise(basis: &Columns, mut block: Columns) -> Columns {
    let before = block.lengths();
    for _ in 0..2 {
        let part = basis.combine(basis.product(&block).as_ref());
        for (j, part) in part.iter().enumerate() {
            block.column_mut(j).iter_mut().zip(part).for_each(|(x, p)| *x -= p);
        }
    }
    let comm = block.comm.clone();
    let length = |column: &[f64]| comm.sum(column.iter().map(|x| x * x).sum::<f64>()).sqrt();
    let mut kept = Columns::new(&comm, block.rows());
    for (j, before) in before.iter().enumerate() {
        let column = block.column_mut(j);
        kept.remove_from(column);
        // A column that has lost much has errors of the first projection in it.
        if length(column) < 0.01 * before {
            basis.remove_from(column);
            kept.remove_from(column);
        }
        let norm = length(column);
        if norm > DEPENDENT * before {
            column.iter_mut().for_each(|x| *x /= norm);
            kept.push(column);
        }
    }
    kept
}
