//! Gram-Schmidt in any inner product, distributed, stable to round-off.
use super::block::{self, dot};
use super::columns::Columns;
use super::product::InnerProduct;
use crate::parallel::Comm;
use crate::{Error, Result};
use faer::Mat;

/// What is left of a column after projection, relative to the column, below which it counts as a
/// combination of the others: a few hundred roundings.
const DEPENDENT: f64 = 1e-14;

/// What is left of a column of a block after projection on those before it in the block, below which it is projected on all
/// others once more.
const LITTLE: f64 = 0.1;

/// Columns that are orthonormal in an inner product, built one after the other, with the triangular
/// factor `V = Q R` of what was appended.
pub struct Orthonormal {
    /// The orthonormal columns `Q`.
    pub columns: Columns,
    /// Column `j` of `R`: the coefficients of the `j`th appended column, as many as `Q` had then.
    pub factors: Vec<Vec<f64>>,
}

impl Orthonormal {
    /// Nothing yet.
    pub fn new(comm: &Comm, rows: usize) -> Self {
        Self { columns: Columns::new(comm, rows), factors: Vec::new() }
    }

    /// Orthonormalises columns in their order; dependent ones add no direction. Collective.
    ///
    /// # Errors
    /// When the product fails.
    pub fn of(columns: &Columns, product: &dyn InnerProduct) -> Result<Self> {
        let mut result = Self::new(&columns.comm, columns.rows());
        result.extend(columns.clone(), product)?;
        Ok(result)
    }

    /// Appends one column: classical Gram-Schmidt, repeated while a pass takes away much of the
    /// column (Giraud, Langou, Rozloznik 2005: twice is enough; a nearly dependent column, which
    /// Buhr, Engwer, Ohlberger and Rave 2014 meet in residuals, gets a third pass). Returns whether
    /// it added a direction. Collective.
    ///
    /// # Errors
    /// When the column holds a number that is not finite, or the inner product is not positive.
    pub fn append(&mut self, column: &[f64], product: &dyn InnerProduct) -> Result<bool> {
        let (mut v, mut image) = (column.to_vec(), vec![0.0; column.len()]);
        product.apply(&v, &mut image)?;
        let length = norm(&self.columns.comm, &v, &image)?;
        self.add((&mut v, &mut image), (Vec::new(), length), product)
    }

    /// Appends columns, as [`Orthonormal::append`] does one after the other; their parts along the columns that are there
    /// already are taken from all of them at once. Collective.
    ///
    /// # Errors
    /// As [`Orthonormal::append`].
    pub fn extend(&mut self, mut block: Columns, product: &dyn InnerProduct) -> Result<()> {
        let known = self.columns.count();
        let mut images = block.image(product)?;
        let comm = &self.columns.comm;
        let lengths: Vec<f64> =
            block.iter().zip(images.iter()).map(|(v, image)| norm(comm, v, image)).collect::<Result<_>>()?;
        let mut factors = Mat::zeros(known, block.count());
        for _ in 0..if known > 0 { 2 } else { 0 } {
            let part = self.columns.product(&images);
            self.columns.add_products(part.as_ref(), -1.0, &mut block);
            factors += &part;
            images = block.image(product)?;
        }
        for (j, length) in lengths.into_iter().enumerate() {
            let column = (block.column_mut(j), images.column_mut(j));
            self.add(column, (factors.col(j).iter().copied().collect(), length), product)?;
        }
        Ok(())
    }

    /// Appends a column and its image, from which the parts `factors` along the first columns are taken already; `original`
    /// is its length before that.
    fn add(
        &mut self,
        (v, image): (&mut [f64], &mut [f64]),
        (mut factors, original): (Vec<f64>, f64),
        product: &dyn InnerProduct,
    ) -> Result<bool> {
        let columns: Vec<&[f64]> = self.columns.iter().collect();
        let comm = &self.columns.comm;
        let mut first = factors.len();
        factors.resize(columns.len(), 0.0);
        let start = norm(comm, v, image)?;
        let mut before = start;
        for _ in 0..4 {
            if before <= DEPENDENT * original || first == columns.len() {
                break;
            }
            let part = block::products(comm, &columns[first..], &[image]);
            let part: Vec<f64> = part.col(0).iter().map(|h| -h).collect();
            block::add(&columns[first..], &part, v);
            factors[first..].iter_mut().zip(&part).for_each(|(f, h)| *f -= h);
            product.apply(v, image)?;
            let after = norm(comm, v, image)?;
            let settled = after > 0.5 * before;
            before = after;
            if first > 0 && after < LITTLE * start {
                // What is left of the parts taken before has grown beside it.
                first = 0;
            } else if settled {
                break;
            }
        }
        let adds = before > DEPENDENT * original;
        if adds {
            v.iter_mut().for_each(|v| *v /= before);
            self.columns.push(v);
            factors.push(before);
        }
        self.factors.push(factors);
        Ok(adds)
    }

    /// `R` as a dense matrix (directions by appended columns).
    pub fn triangle(&self) -> Mat<f64> {
        let rows = self.columns.count();
        Mat::from_fn(rows, self.factors.len(), |i, j| self.factors[j].get(i).copied().unwrap_or(0.0))
    }
}

fn norm(comm: &Comm, v: &[f64], image: &[f64]) -> Result<f64> {
    let square = comm.sum(dot(v, image));
    if square.is_nan() || square.is_infinite() {
        return Err(Error::Failed("a column to be orthonormalised holds a number that is not finite".into()));
    }
    // Round-off may leave a square just below zero; a truly negative one shows as dependent.
    Ok(square.max(0.0).sqrt())
}
