//! The smallest eigenpairs of the operator behind a Matern field: its Karhunen-Loeve modes.
use super::noise::Noise;
use super::operator::Operator;
use crate::fem::Space;
use crate::parallel::Comm;
use crate::{Error, Result};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par, Side};

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
    pub vectors: Mat<f64>,
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
        let comm = operator.comm.clone();
        let roots: Vec<f64> = operator.mass.iter().map(|m| m.sqrt()).collect();
        let noise = Noise::new(0, "modes", 0);
        let start = |columns: usize| {
            Mat::from_fn(numbers.len(), columns, |i, j| noise.normal((numbers[i] << 16) + j as u64))
        };
        // T = D^1/2 A^-1 D^1/2 has the eigenvectors D^1/2 v and the eigenvalues 1 / lambda.
        let mut apply = |block: MatRef<'_, f64>| -> Result<Mat<f64>> {
            let mut image = Mat::zeros(block.nrows(), block.ncols());
            let (mut load, mut result) = (space.field()?, space.field()?);
            for j in 0..block.ncols() {
                let values = roots.iter().enumerate().map(|(i, root)| root * block[(i, j)]);
                load.write()?.iter_mut().zip(values).for_each(|(b, v)| *b = v);
                operator.solve(&load, &mut result)?;
                result.read()?.iter().zip(&roots).enumerate().for_each(|(i, (x, r))| image[(i, j)] = r * x);
            }
            Ok(image)
        };
        let mut basis = Mat::<f64>::zeros(numbers.len(), 0);
        let mut images = basis.clone();
        let mut next = start(count / 2 + EXTRA);
        let (inverses, vectors) = loop {
            let added = orthonormalise(&comm, &basis, next);
            let exhausted = added.ncols() == 0;
            images = beside(&images, &apply(added.as_ref())?);
            basis = beside(&basis, &added);
            let projected = product(&comm, &basis, &images);
            let n = projected.nrows();
            let symmetric = Mat::from_fn(n, n, |i, j| 0.5 * (projected[(i, j)] + projected[(j, i)]));
            let eigen = symmetric.self_adjoint_eigen(Side::Lower).map_err(|e| {
                Error::Failed(format!("the eigenvalues of a random field's operator were not found: {e:?}"))
            })?;
            // faer sorts ascending: the last are the largest of T.
            let values: Vec<f64> = (0..n).map(|k| eigen.S().column_vector()[n - 1 - k]).collect();
            let vectors = Mat::from_fn(n, n, |i, k| eigen.U()[(i, n - 1 - k)]);
            // One more than the last of its multiplicity shows that the eigenvalue is complete.
            let last = (count..n).find(|&k| values[k - 1] - values[k] > SAME * values[k - 1]);
            let wanted = last.unwrap_or(n);
            let ritz = combine(&basis, vectors.subcols(0, wanted));
            let mut residual = combine(&images, vectors.subcols(0, wanted));
            let whole = n as u64 >= space.global_dofs() || exhausted;
            for k in 0..wanted {
                for i in 0..residual.nrows() {
                    residual[(i, k)] -= values[k] * ritz[(i, k)];
                }
            }
            let norms = column_norms(&comm, &residual);
            let converged =
                last.is_some() && norms.iter().zip(&values).all(|(norm, value)| *norm < TOLERANCE * value);
            if converged || whole {
                break (values[..wanted].to_vec(), ritz);
            }
            next = images.subcols(n - added.ncols(), added.ncols()).to_owned();
        };
        let mut chosen = Mat::<f64>::zeros(numbers.len(), 0);
        let mut first = 0;
        while first < count {
            let same = |k: &usize| inverses[*k - 1] - inverses[*k] > SAME * inverses[*k - 1];
            let end = (first + 1..inverses.len()).find(same).unwrap_or(inverses.len());
            let space = vectors.subcols(first, end - first).to_owned();
            let nearest = combine(&space, product(&comm, &space, &start(end - first)).as_ref());
            chosen = beside(&chosen, &orthonormalise(&comm, &chosen, nearest));
            first = end;
        }
        let vectors = Mat::from_fn(numbers.len(), count, |i, k| chosen[(i, k)] / roots[i]);
        Ok(Self { values: inverses[..count].iter().map(|inverse| 1.0 / inverse).collect(), vectors })
    }
}

/// What a block adds to orthonormal columns, orthonormal itself; columns that add nothing are left out. Gram-Schmidt
/// twice, against the basis by blocks. Collective.
fn orthonormalise(comm: &Comm, basis: &Mat<f64>, mut block: Mat<f64>) -> Mat<f64> {
    let before = column_norms(comm, &block);
    remove(comm, basis, &mut block);
    let mut kept = Mat::<f64>::zeros(block.nrows(), 0);
    for (j, before) in before.iter().enumerate() {
        let mut column = block.subcols(j, 1).to_owned();
        remove(comm, &kept, &mut column);
        // A column that has lost much has errors of the first projection in it.
        if column_norms(comm, &column)[0] < 0.01 * before {
            remove(comm, basis, &mut column);
            remove(comm, &kept, &mut column);
        }
        let norm = column_norms(comm, &column)[0];
        if norm > DEPENDENT * before {
            column.as_mut().col_mut(0).iter_mut().for_each(|x| *x /= norm);
            kept = beside(&kept, &column);
        }
    }
    kept
}

/// Takes the part along orthonormal columns from a block, twice. Collective.
fn remove(comm: &Comm, basis: &Mat<f64>, block: &mut Mat<f64>) {
    for _ in 0..2 {
        let overlap = product(comm, basis, block);
        matmul(block.as_mut(), Accum::Add, basis.as_ref(), overlap.as_ref(), -1.0, Par::Seq);
    }
}

/// `a^T b`, on every rank. Collective.
fn product(comm: &Comm, a: &Mat<f64>, b: &Mat<f64>) -> Mat<f64> {
    let mut flat = vec![0.0; a.ncols() * b.ncols()];
    let (rows, columns) = (a.ncols(), b.ncols());
    let result = faer::MatMut::from_column_major_slice_mut(&mut flat, rows, columns);
    matmul(result, Accum::Replace, a.transpose(), b.as_ref(), 1.0, Par::Seq);
    comm.sum_into(&mut flat);
    MatRef::from_column_major_slice(&flat, rows, columns).to_owned()
}

fn combine(a: &Mat<f64>, factors: MatRef<'_, f64>) -> Mat<f64> {
    let mut result = Mat::zeros(a.nrows(), factors.ncols());
    matmul(result.as_mut(), Accum::Replace, a.as_ref(), factors, 1.0, Par::Seq);
    result
}

fn beside(a: &Mat<f64>, b: &Mat<f64>) -> Mat<f64> {
    let n = a.ncols();
    Mat::from_fn(b.nrows(), n + b.ncols(), |i, j| if j < n { a[(i, j)] } else { b[(i, j - n)] })
}

/// Collective.
fn column_norms(comm: &Comm, a: &Mat<f64>) -> Vec<f64> {
    let mut squares: Vec<f64> = (0..a.ncols()).map(|j| a.col(j).squared_norm_l2()).collect();
    comm.sum_into(&mut squares);
    squares.iter().map(|square| square.sqrt()).collect()
}
