//! `tessera export`: files of Tessera for other programs.
use crate::error::{Error, Result};
use crate::storage::{Reader, export_csv, export_vtu, export_xdmf};
use std::path::{Path, PathBuf};

/// What the other program reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// XDMF beside the HDF5 file, for ParaView and VisIt: all steps or samples, no copy of the data.
    #[default]
    Xdmf,
    /// Comma-separated values of points, cells and quantities of interest.
    Csv,
    /// One step as an unstructured grid of VTK, a file of its own.
    Vtu,
}

/// What is exported.
#[derive(Debug, Clone, Default)]
pub struct ExportOptions {
    /// For which program.
    pub format: Format,
    /// The fields; all when empty.
    pub fields: Vec<String>,
    /// The step, sample or mode; when none is named, all (XDMF) or the last.
    pub sample: Option<u64>,
    /// Where to; when not named, beside the file, with its name and the format's ending.
    pub output: Option<PathBuf>,
}

/// Exports a file and prints what was written. Needs no MPI.
///
/// # Errors
/// [`Error::Input`] when the file is none of Tessera's or lacks what is asked for.
pub fn run(file: &Path, options: &ExportOptions) -> Result<()> {
    for path in export(file, options)? {
        println!("{}", path.display());
    }
    Ok(())
}

/// Exports a file; returns what was written.
///
/// # Errors
/// As [`run`].
pub fn export(file: &Path, options: &ExportOptions) -> Result<Vec<PathBuf>> {
    let reader = Reader::open(file)?;
    let ending = match options.format {
        Format::Xdmf => "xdmf",
        Format::Csv => "csv",
        Format::Vtu => "vtu",
    };
    let target = options.output.clone().unwrap_or_else(|| file.with_extension(ending));
    if let (Ok(source), Ok(there)) = (file.canonicalize(), target.canonicalize())
        && source == there
    {
        return Err(Error::input(target.display().to_string(), "is the file itself; name another output"));
    }
    if let Some(folder) = target.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| {
            Error::storage(format!("{}: cannot make the folder: {e}", folder.display())).because(e)
        })?;
    }
    match options.format {
        Format::Xdmf => export_xdmf(&reader, &target, &options.fields, options.sample),
        Format::Csv => export_csv(&reader, &target, &options.fields, options.sample),
        Format::Vtu => export_vtu(&reader, &target, &options.fields, options.sample),
    }
}
