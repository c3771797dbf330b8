//! Quantities of interest from the coefficients alone.
use super::reduction::Reduction;
use super::{Moment, file::SAMPLED};
use crate::simulation::Simulation;
use crate::storage::File;
use crate::{Error, Result};

/// What of a quantity of interest is known without fields.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// It is linear in the solution of a physics: its values on the functions.
    Linear {
        /// The physics.
        stage: usize,
        /// `[function]`.
        row: Vec<f64>,
    },
    /// Nothing.
    Fields,
}

impl Observation {
    /// Those of a deck's quantities. Collective.
    ///
    /// # Errors
    /// When a quantity measures what does not exist.
    pub fn all(simulation: &Simulation, reductions: &[Reduction]) -> Result<Vec<Self>> {
        let one = |quantity| {
            if simulation.why_not_linear(quantity)?.is_some() {
                return Ok(Self::Fields);
            }
            let (stage, functional) = simulation.functional(quantity)?;
            let factor = quantity.factor.unwrap_or(1.0);
            let row = reductions[stage].functions.coefficients(&functional.read()?);
            Ok(Self::Linear { stage, row: row.iter().map(|v| factor * v).collect() })
        };
        simulation.deck.quantity.iter().map(one).collect()
    }

    /// Its value; not a number where fields are needed. Local.
    pub fn value(&self, moment: &Moment) -> f64 {
        match self {
            Self::Linear { stage, row } => {
                row.iter().zip(&moment.coefficients[*stage]).map(|(r, c)| r * c).sum()
            }
            Self::Fields => f64::NAN,
        }
    }

    /// Writes all. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when HDF5 or the file system refuses.
    pub fn write(list: &[Self], file: &File) -> Result<()> {
        let path = format!("{SAMPLED}/quantities");
        let widest = |o: &Self| if let Self::Linear { row, .. } = o { row.len() } else { 0 };
        let width = 1 + list.iter().map(widest).max().unwrap_or(0);
        let mut rows = vec![f64::NAN; list.len() * width];
        for (into, observation) in rows.chunks_exact_mut(width).zip(list) {
            if let Self::Linear { stage, row } = observation {
                into[0] = *stage as f64;
                into[1..=row.len()].copy_from_slice(row);
            }
        }
        file.write_array(&path, &[list.len() as u64, width as u64], &rows)?;
        file.set(
            &path,
            "meaning",
            "linear quantities of interest: number of the physics, then values on its functions; not a number for others",
        )
    }

    /// Reads what [`Observation::write`] wrote, for physics with so many functions. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when the file does not hold what it should.
    pub fn read(file: &File, quantities: usize, functions: &[usize]) -> Result<Vec<Self>> {
        let path = format!("{SAMPLED}/quantities");
        let broken = || Error::storage(format!("{}: {path} does not fit the deck", file.label()));
        let (shape, rows) = file.read_array::<f64>(&path)?;
        if shape.len() != 2 || shape[0] as usize != quantities {
            return Err(broken());
        }
        let one = |row: &[f64]| {
            if row[0].is_nan() {
                return Ok(Self::Fields);
            }
            let stage = row[0] as usize;
            let own = functions.get(stage).and_then(|&b| row.get(1..=b)).ok_or_else(broken)?;
            match own.iter().all(|v| v.is_finite()) {
                true => Ok(Self::Linear { stage, row: own.to_vec() }),
                false => Err(broken()),
            }
        };
        rows.chunks_exact(shape[1].max(1) as usize).map(one).collect()
    }
}
