//! What stands where in Tessera's files; see the file formats in the documentation.
//!
//! ```text
//! /                        schema, schema_version, created_by, title, deck, ranks, experts, ...
//! /mesh/...                written by the mesh
//! /spaces/<degree>/        coordinates [node, dimension], cell_nodes [cell, function] in VTK's order
//! /parameters              [run, parameter]: names, units
//! /fields/<name>           [step or sample, node or cell, component]: location, degree, unit, components, ...
//! /basis/<name>            [mode, node, component], with the attributes of a field
//! /partition/{rank,expert} [cell]
//! /time                    [step], or [sample, step] of a campaign that keeps every step; /steps [sample] then
//! /sample, /status         [sample] of a campaign: number in the undivided campaign, how far
//! /qoi/<name>              [step] or [step, component]: unit, meaning
//! /log/<name>              [entry] or [entry, column]: unit, meaning, names of columns
//! ```
use super::file::File;
use crate::error::{Error, Result};
use crate::parallel::Comm;
use std::time::{SystemTime, UNIX_EPOCH};

const PARAMETERS: &str = "/parameters";

/// Version of the layout; it grows when an older reader would misread a file.
pub const SCHEMA_VERSION: i64 = 1;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// One simulation.
    Run,
    /// The samples of a campaign.
    Dataset,
    /// A reduced model.
    Model,
    /// A mesh alone.
    Mesh,
    /// All that the continuation of a run in time needs.
    Checkpoint,
    /// Samples on a regular grid.
    Grid,
    /// A network that experts have learned, with the state of its training.
    Network,
    /// The points of a deck, for other programs.
    Points,
}

impl Schema {
    /// The value of the attribute `schema`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "tessera-run",
            Self::Dataset => "tessera-dataset",
            Self::Model => "tessera-model",
            Self::Mesh => "tessera-mesh",
            Self::Checkpoint => "tessera-checkpoint",
            Self::Grid => "tessera-grid",
            Self::Network => "tessera-network",
            Self::Points => "tessera-points",
        }
    }
}

/// Where a file comes from.
#[derive(Debug, Clone, Default)]
pub struct Provenance {
    /// The deck's title.
    pub title: String,
    /// The deck as run, after overrides.
    pub deck: String,
    /// Number of experts over all ranks; 0 when there are none.
    pub experts: u64,
    /// PETSc's version.
    pub petsc_version: String,
    /// The PETSc options of the run.
    pub petsc_options: String,
}

/// The parameters of all samples. The same on every rank.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    /// Number of samples.
    pub count: usize,
    /// Names of the parameters.
    pub names: Vec<String>,
    /// Their units.
    pub units: Vec<String>,
    /// `[sample, parameter]`.
    pub values: Vec<f64>,
}

/// The version of this program, with its commit where that is known.
pub fn created_by() -> String {
    let version = env!("CARGO_PKG_VERSION");
    match option_env!("TESSERA_COMMIT") {
        Some(commit) => format!("tessera {version} ({commit})"),
        None => format!("tessera {version}"),
    }
}

impl File {
    /// Writes what the file is and where it comes from to the root attributes. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when HDF5 or the file system refuses.
    pub fn describe(&self, schema: Schema, provenance: &Provenance) -> Result<()> {
        self.set("/", "schema", schema.name())?;
        self.set("/", "schema_version", SCHEMA_VERSION)?;
        self.set("/", "created_by", created_by())?;
        self.set("/", "created", same_time(self.comm()))?;
        self.set("/", "title", provenance.title.as_str())?;
        self.set("/", "deck", provenance.deck.as_str())?;
        self.set("/", "ranks", self.comm().size())?;
        self.set("/", "experts", provenance.experts)?;
        self.set("/", "petsc_version", provenance.petsc_version.as_str())?;
        self.set("/", "petsc_options", provenance.petsc_options.as_str())
    }

    /// Refuses a file that is not of the given kind, or of a newer version of the layout. Collective.
    ///
    /// # Errors
    /// [`Error::Input`], as the user chose the file.
    pub fn expect(&self, schema: Schema) -> Result<()> {
        let found = self.text("/", "schema")?;
        if found != schema.name() {
            let what = if found.is_empty() {
                "it does not say what it is".into()
            } else {
                format!("it is a {found}")
            };
            return Err(Error::input(self.label(), format!("expected a {} file, but {what}", schema.name())));
        }
        match self.get("/", "schema_version")? {
            // A checkpoint is the exact state of a program: one of another layout cannot be continued.
            Some(super::attribute::Value::Integer(version))
                if schema == Schema::Checkpoint && version != SCHEMA_VERSION =>
            {
                let message =
                    format!("a checkpoint of layout {version}; this Tessera reads layout {SCHEMA_VERSION}");
                Err(Error::input(self.label(), message))
            }
            Some(super::attribute::Value::Integer(version)) if version > SCHEMA_VERSION => Err(Error::input(
                self.label(),
                format!(
                    "written by a newer Tessera (layout {version}, this one reads up to {SCHEMA_VERSION})"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Writes the parameters of the run, one row, or of the samples of a campaign. Collective; every rank
    /// gives the same.
    ///
    /// # Errors
    /// [`Error::Storage`] when HDF5 or the file system refuses.
    pub fn write_parameters(&self, samples: &Samples) -> Result<()> {
        let columns = samples.names.len() as u64;
        self.write_array(PARAMETERS, &[samples.count as u64, columns], &samples.values)?;
        self.set(PARAMETERS, "names", samples.names.clone())?;
        self.set(PARAMETERS, "units", samples.units.clone())?;
        self.set(PARAMETERS, "meaning", "values of the parameters, a row for each run")
    }

    /// The parameters that [`File::write_parameters`] stored. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when the file has none.
    pub fn parameters(&self) -> Result<Samples> {
        let (shape, values) = self.read_array(PARAMETERS)?;
        Ok(Samples {
            count: shape.first().copied().unwrap_or(0) as usize,
            names: self.texts(PARAMETERS, "names")?,
            units: self.texts(PARAMETERS, "units")?,
            values,
        })
    }

    /// Writes the times of the steps, in seconds. Collective; every rank gives the same.
    ///
    /// # Errors
    /// [`Error::Storage`] when the file has them already, or HDF5 or the file system refuses.
    pub fn write_times(&self, times: &[f64]) -> Result<()> {
        self.write_array("/time", &[times.len() as u64], times)?;
        self.set("/time", "unit", "s")?;
        self.set("/time", "meaning", "time of the steps")
    }

    /// Writes a quantity of interest, one value a step. Collective; every rank gives the same.
    ///
    /// # Errors
    /// [`Error::Storage`] when the file has it already, or HDF5 or the file system refuses.
    pub fn write_quantity(&self, name: &str, unit: &str, meaning: &str, values: &[f64]) -> Result<()> {
        let path = format!("/qoi/{name}");
        self.write_array(&path, &[values.len() as u64], values)?;
        self.set(&path, "unit", unit)?;
        self.set(&path, "meaning", meaning)
    }

    /// Writes a table of the log: `[entry, column]`, or `[entry]` when `columns` is empty. Collective; every
    /// rank gives the same.
    ///
    /// # Errors
    /// [`Error::Storage`] when the file has it already, or HDF5 or the file system refuses.
    pub fn write_log(
        &self,
        name: &str,
        unit: &str,
        meaning: &str,
        columns: &[&str],
        values: &[f64],
    ) -> Result<()> {
        let path = format!("/log/{name}");
        let width = columns.len().max(1);
        let rows = (values.len() / width) as u64;
        let shape = if columns.is_empty() { vec![rows] } else { vec![rows, width as u64] };
        self.write_array(&path, &shape, values)?;
        if !columns.is_empty() {
            self.set(&path, "columns", columns)?;
        }
        self.set(&path, "unit", unit)?;
        self.set(&path, "meaning", meaning)
    }
}

/// Rank 0's time of day, as ISO 8601 in UTC. Collective.
fn same_time(comm: &Comm) -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let mut bytes = iso_time(seconds).into_bytes();
    comm.broadcast_bytes(0, &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Seconds since 1970 as ISO 8601 in UTC. The date follows Howard Hinnant's `civil_from_days`.
fn iso_time(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::iso_time;

    #[test]
    fn dates_follow_the_calendar() {
        assert_eq!(iso_time(0), "1970-01-01T00:00:00Z");
        assert_eq!(iso_time(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(iso_time(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(iso_time(1_767_225_599), "2025-12-31T23:59:59Z");
    }
}
