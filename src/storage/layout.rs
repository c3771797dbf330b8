//! What stands where in Tessera's files; see the file formats in the documentation.
//!
//! ```text
//! /                        schema, schema_version, created_by, title, deck, ranks, experts, ...
//! /mesh/...                written by the mesh
//! /spaces/<degree>/        coordinates [node, dimension], cell_nodes [cell, function] in VTK's order
//! /fields/<name>           [step, node or cell, component]: location, degree, unit, meaning, component_names
//! /time                    [step]
//! /qoi/<name>              [step] or [step, component]: unit, meaning
//! /log/<name>              [entry] or [entry, column]: unit, meaning, names of columns
//! ```
use super::ParallelFile;
use crate::error::{Error, Result};
use crate::parallel::Comm;
use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

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
}

impl Schema {
    /// The value of the attribute `schema`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "tessera-run",
            Self::Dataset => "tessera-dataset",
            Self::Model => "tessera-model",
            Self::Mesh => "tessera-mesh",
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

/// Which entities of the mesh carry a field's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// The nodes of the Lagrange space of this degree; those of degree 1 are the vertices.
    Nodes {
        /// 1 or 2.
        degree: usize,
    },
    /// The cells.
    Cells,
}

/// A field in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Name of the dataset below `/fields`.
    pub name: String,
    /// Unit in SI.
    pub unit: String,
    /// What it is, in words.
    pub meaning: String,
    /// Where its values live.
    pub location: Location,
    /// Number of nodes or cells over all ranks.
    pub entities: u64,
    /// Values at each: 1 scalar, 2 or 3 vector, 6 symmetric tensor (xx, xy, xz, yy, yz, zz), 9 tensor.
    pub components: usize,
    /// Names of the components; may be empty.
    pub component_names: Vec<String>,
}

/// The version of this program, with its commit where that is known.
pub fn created_by() -> String {
    let version = env!("CARGO_PKG_VERSION");
    match option_env!("TESSERA_COMMIT") {
        Some(commit) => format!("tessera {version} ({commit})"),
        None => format!("tessera {version}"),
    }
}

impl ParallelFile {
    /// Writes what the file is and where it comes from to the root attributes. Collective.
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
            Some(super::Value::Integer(version)) if version > SCHEMA_VERSION => Err(Error::input(
                self.label(),
                format!(
                    "written by a newer Tessera (layout {version}, this one reads up to {SCHEMA_VERSION})"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Writes the nodes of a Lagrange space: this rank's blocks, in canonical order, of coordinates
    /// (`[node, dimension]`, from node `first_node` of `nodes`) and of the cells' canonical node numbers in
    /// VTK's order (`[cell, function]`, from cell `first_cell` of `cells`). Collective.
    ///
    /// Wanted for degree 2 only; the nodes of degree 1 are the mesh's vertices.
    pub fn write_space(&self, degree: usize, nodes: &Rows<f64>, cells: &Rows<u64>) -> Result<()> {
        let group = format!("/spaces/{degree}");
        let (points, topology) = (format!("{group}/coordinates"), format!("{group}/cell_nodes"));
        self.create_dataset::<f64>(&points, &[nodes.total, nodes.width as u64])?;
        self.set(&points, "unit", "m")?;
        self.set(&points, "meaning", "coordinates of the nodes")?;
        self.write_rows(&points, nodes.first, nodes.values)?;
        self.create_dataset::<u64>(&topology, &[cells.total, cells.width as u64])?;
        self.set(&topology, "meaning", "nodes of the cells, in the order of VTK's Lagrange cells")?;
        self.write_rows(&topology, cells.first, cells.values)
    }

    /// Makes room for a field over `steps` steps (or samples). Collective.
    pub fn create_field(&self, field: &Field, steps: u64) -> Result<()> {
        let path = field_path(&field.name);
        self.create_dataset::<f64>(&path, &[steps, field.entities, field.components as u64])?;
        self.set(&path, "unit", field.unit.as_str())?;
        self.set(&path, "meaning", field.meaning.as_str())?;
        match field.location {
            Location::Nodes { degree } => {
                self.set(&path, "location", "node")?;
                self.set(&path, "degree", degree)?;
            }
            Location::Cells => self.set(&path, "location", "cell")?,
        }
        if !field.component_names.is_empty() {
            self.set(&path, "component_names", field.component_names.clone())?;
        }
        Ok(())
    }

    /// Writes this rank's canonical block (`[node or cell, component]`, from entity `first`) of one step. Collective.
    pub fn write_field(&self, name: &str, step: u64, first: u64, values: &[f64]) -> Result<()> {
        self.write_step(&field_path(name), step, first, values)
    }

    /// Reads this rank's canonical block of one step of a field. Collective.
    pub fn read_field(&self, name: &str, step: u64, range: Range<u64>) -> Result<Vec<f64>> {
        self.expect_field(name)?;
        self.read_step(&field_path(name), step, range)
    }

    /// Names of the fields. Collective.
    pub fn fields(&self) -> Vec<String> {
        self.members("/fields")
    }

    /// What the file says of a field, and its number of steps. Collective.
    pub fn field(&self, name: &str) -> Result<(Field, u64)> {
        self.expect_field(name)?;
        let path = field_path(name);
        let shape = self.shape(&path)?;
        let [steps, entities, components] = shape[..] else {
            return Err(Error::Storage(format!(
                "{}: {path}: a field has the shape [step, node, component], not {shape:?}",
                self.label()
            )));
        };
        let location = match self.text(&path, "location")?.as_str() {
            "cell" => Location::Cells,
            _ => match self.get(&path, "degree")? {
                Some(super::Value::Integer(degree)) => Location::Nodes { degree: degree as usize },
                _ => Location::Nodes { degree: 1 },
            },
        };
        let field = Field {
            name: name.into(),
            unit: self.text(&path, "unit")?,
            meaning: self.text(&path, "meaning")?,
            location,
            entities,
            components: components as usize,
            component_names: self.texts(&path, "component_names")?,
        };
        Ok((field, steps))
    }

    fn expect_field(&self, name: &str) -> Result<()> {
        if self.exists(&field_path(name)) {
            return Ok(());
        }
        let there = self.fields();
        let list = if there.is_empty() {
            "it has no fields".into()
        } else {
            format!("fields: {}", there.join(", "))
        };
        Err(Error::Storage(format!("{}: there is no field \"{name}\" ({list})", self.label())))
    }

    /// Writes the times of the steps, in seconds. Collective; every rank gives the same.
    pub fn write_times(&self, times: &[f64]) -> Result<()> {
        self.write_array("/time", &[times.len() as u64], times)?;
        self.set("/time", "unit", "s")?;
        self.set("/time", "meaning", "time of the steps")
    }

    /// Writes a quantity of interest, one value a step. Collective; every rank gives the same.
    pub fn write_quantity(&self, name: &str, unit: &str, meaning: &str, values: &[f64]) -> Result<()> {
        let path = format!("/qoi/{name}");
        self.write_array(&path, &[values.len() as u64], values)?;
        self.set(&path, "unit", unit)?;
        self.set(&path, "meaning", meaning)
    }

    /// Writes a table of the log: `[entry, column]`, or `[entry]` when `columns` is empty. Collective; every
    /// rank gives the same.
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

/// One rank's block of rows of a distributed array.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a, T> {
    /// The block, row-major.
    pub values: &'a [T],
    /// Entries of a row.
    pub width: usize,
    /// Number of the block's first row.
    pub first: u64,
    /// Number of rows over all ranks.
    pub total: u64,
}

/// Where a field lies.
pub fn field_path(name: &str) -> String {
    format!("/fields/{name}")
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
