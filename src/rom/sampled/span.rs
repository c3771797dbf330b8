//! Empirical interpolation of columns that come one after the other (Barrault, Maday, Nguyen, Patera 2004).
use super::data::ValuesAt;
use crate::mixture::Columns;
use crate::parallel::Comm;
use crate::{Error, Result};

/// What of a column counts as a combination of those before it, relative to the largest value so far.
const ROUND_OFF: f64 = 1e-9;
/// More functions than these are no few.
const MOST: usize = 60;

/// Functions by which all columns so far are given by their values at as many rows.
pub(super) struct Span {
    /// The functions; each has the value 1 at its own row and vanishes at those of the functions before it.
    pub functions: Columns,
    /// The numbers of these rows over all ranks.
    pub rows: Vec<u64>,
    /// Values of the functions at these rows, `[row][function]`.
    values: Vec<Vec<f64>>,
    scale: f64,
    /// Numbers of this rank's rows.
    ids: Vec<u64>,
}

impl Span {
    /// Nothing yet, of columns with these rows on this rank.
    pub fn new(comm: &Comm, ids: Vec<u64>) -> Self {
        let functions = Columns::new(comm, ids.len());
        Self { functions, rows: Vec::new(), values: Vec::new(), scale: 0.0, ids }
    }

    /// The coefficients of a column, which becomes a function itself if it is no combination of those there. Those of earlier
    /// columns stay, zero for later functions. Collective.
    ///
    /// # Errors
    /// When a value is not finite, or there are too many functions.
    pub fn take(&mut self, column: &[f64], what: &str) -> Result<Vec<f64>> {
        let comm = self.functions.comm.clone();
        let largest = |list: &[f64]| {
            comm.max(list.iter().fold(0.0f64, |m, v| if v.is_nan() { f64::NAN } else { m.max(v.abs()) }))
        };
        let size = largest(column);
        if !size.is_finite() {
            return Err(Error::Failed(format!("{what}: a value is not finite")));
        }
        self.scale = self.scale.max(size);
        let mut coefficients = self.solve(&self.at_rows(column));
        let mut rest = column.to_vec();
        self.functions.subtract_from(&coefficients, &mut rest);
        let left = largest(&rest);
        if left <= ROUND_OFF * self.scale {
            return Ok(coefficients);
        }
        if self.rows.len() == MOST {
            return Err(Error::Failed(format!(
                "{what}: over the training samples and steps they are no combination of {MOST} functions"
            )));
        }
        // Of equal values the lowest number, whoever owns it.
        let near = |v: &f64| v.abs() >= (1.0 - ROUND_OFF) * left;
        let own = self.ids.iter().zip(&rest).filter(|(_, v)| near(v)).map(|(id, _)| *id).min();
        let row = comm.min(own.unwrap_or(u64::MAX));
        self.rows.push(row);
        let pivot = self.value_at(&rest, row);
        rest.iter_mut().for_each(|v| *v /= pivot);
        self.functions.push(&rest);
        let values = self.functions.iter().map(|function| self.value_at(function, row)).collect();
        self.values.push(values);
        coefficients.push(pivot);
        Ok(coefficients)
    }

    fn value_at(&self, column: &[f64], row: u64) -> f64 {
        let own = self.ids.iter().position(|&id| id == row).map_or(0.0, |place| column[place]);
        self.functions.comm.sum(own)
    }

    /// Values of a column at the rows. Collective.
    pub fn at_rows(&self, column: &[f64]) -> Vec<f64> {
        let mut values = vec![0.0; self.rows.len()];
        for (value, &row) in values.iter_mut().zip(&self.rows) {
            if let Some(place) = self.ids.iter().position(|&id| id == row) {
                *value = column[place];
            }
        }
        self.functions.comm.sum_into(&mut values);
        values
    }

    /// Coefficients from values at the rows: a triangular system.
    fn solve(&self, at_rows: &[f64]) -> Vec<f64> {
        let mut coefficients: Vec<f64> = Vec::with_capacity(at_rows.len());
        for (row, value) in self.values.iter().zip(at_rows) {
            let known: f64 = row.iter().zip(&coefficients).map(|(l, c)| l * c).sum();
            coefficients.push(value - known);
        }
        coefficients
    }

    /// `factors` (rows by functions, `[number][function]`) times the coefficients, as numbers from the values at the rows;
    /// `places` says where these are.
    pub fn values_at(&self, factors: &[Vec<f64>], places: Vec<[u64; 3]>) -> ValuesAt {
        let q = self.rows.len();
        let unit = |k: usize| (0..q).map(|i| f64::from(u8::from(i == k))).collect::<Vec<f64>>();
        let inverse: Vec<Vec<f64>> = (0..q).map(|k| self.solve(&unit(k))).collect();
        let entry = |row: &Vec<f64>, k: usize| row.iter().zip(&inverse[k]).map(|(f, c)| f * c).sum::<f64>();
        let matrix = factors
            .iter()
            .flat_map(|row| (0..q).map(move |k| (row, k)))
            .map(|(row, k)| entry(row, k))
            .collect();
        ValuesAt { places, matrix, ..ValuesAt::default() }
    }
}
