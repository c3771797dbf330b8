//! The frame of a reduced model's file: distributed bases beside small arrays in groups.
use super::field::Field;
use super::file::File;
use super::layout::{Provenance, Schema};
use super::result::ResultFile;
use crate::error::Result;
use crate::parallel::{Comm, Redistribution};
use std::path::Path;

/// Writes and reads bases: `/basis/<field>` is `[mode, node, component]` with a field's attributes.
///
/// Small arrays that every rank holds go beside them with [`File::write_array`] and [`File::read_array`],
/// texts and numbers with [`File::set`] and [`File::get`].
pub struct ModelFile;

impl ModelFile {
    /// Starts a model file, which appears under its name when it is finished. Collective.
    ///
    /// # Errors
    /// As [`ResultFile::create`].
    pub fn create(comm: &Comm, path: &Path, provenance: &Provenance) -> Result<ResultFile> {
        let file = ResultFile::create(comm, path)?;
        file.describe(Schema::Model, provenance)?;
        Ok(file)
    }

    /// Opens a model file to read. Collective.
    ///
    /// # Errors
    /// [`crate::Error::Input`] when it is no model, or of a newer version.
    pub fn open(comm: &Comm, path: &Path) -> Result<File> {
        let file = File::open(comm, path)?;
        file.expect(Schema::Model)?;
        Ok(file)
    }
}

fn basis_path(name: &str) -> String {
    format!("/basis/{name}")
}

impl File {
    /// Makes room for a basis with the attributes of the field that it spans. Collective.
    ///
    /// # Errors
    /// As [`File::create_dataset`].
    pub fn create_basis(&self, field: &Field, modes: u64) -> Result<()> {
        self.create_field_at(&basis_path(&field.name), field, modes)
    }

    /// Writes one mode from the values of the owned nodes, in the order of `plan`. Collective.
    ///
    /// # Errors
    /// As [`File::write_field`].
    pub fn write_mode(&self, name: &str, mode: u64, plan: &Redistribution, values: &[f64]) -> Result<()> {
        self.write_field_at(&basis_path(name), mode, plan, values)
    }

    /// Reads one mode: the values of the owned nodes, in the order of `plan`. Collective.
    ///
    /// # Errors
    /// As [`File::read_field`].
    pub fn read_mode(&self, name: &str, mode: u64, plan: &Redistribution) -> Result<Vec<f64>> {
        self.read_field_at(&basis_path(name), mode, plan)
    }

    /// Names of the bases. Collective.
    pub fn bases(&self) -> Vec<String> {
        self.members("/basis")
    }

    /// The field that a basis spans, and its number of modes. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when there is no such basis, or it does not say what it spans.
    pub fn basis(&self, name: &str) -> Result<(Field, u64)> {
        self.field_at(&basis_path(name), name)
    }
}
