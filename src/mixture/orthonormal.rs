//! Gram-Schmidt in any inner product, distributed, stable to round-off.
use super::block::dot;
use super::columns::Columns;
use super::product::InnerProduct;
use crate::parallel::Comm;
use crate::{Error, Result};
use faer::Mat;

/// What is left of a column after projection, relative to the column, below which it counts as a
/// combination of the others: a few hundred roundings.
const DEPENDENT: f64 = 1e-14;

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
        columns.iter().try_for_each(|column| result.append(column, product).map(drop))?;
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
        let comm = self.columns.comm.clone();
        let mut v = column.to_vec();
        let mut image = vec![0.0; v.len()];
        let mut factors = vec![0.0; self.columns.count()];
        product.apply(&v, &mut image)?;
        let original = norm(&comm, &v, &image)?;
        let mut before = original;
        for _ in 0..4 {
            if before <= DEPENDENT * original {
                break;
            }
            let h = self.columns.coefficients(&image);
            self.columns.subtract_from(&h, &mut v);
            factors.iter_mut().zip(&h).for_each(|(f, h)| *f += h);
            product.apply(&v, &mut image)?;
            let after = norm(&comm, &v, &image)?;
            let settled = after > 0.5 * before;
            before = after;
            if settled {
                break;
            }
        }
        let adds = before > DEPENDENT * original;
        if adds {
            v.iter_mut().for_each(|v| *v /= before);
            self.columns.push(&v);
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
