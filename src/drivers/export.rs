//! `tessera export`: files of Tessera for other programs.
use crate::error::{Error, Result};
use crate::storage::{EXPORTERS, Exporter, Reader};
use std::path::{Path, PathBuf};

/// What is exported.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// For which program.
    pub format: &'static Exporter,
    /// The fields; all when empty.
    pub fields: Vec<String>,
    /// The step, sample or mode; when none is named, all (XDMF) or the last.
    pub sample: Option<u64>,
    /// Where to; when not named, beside the file, with its name and the format's ending.
    pub output: Option<PathBuf>,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self { format: EXPORTERS[0], fields: Vec::new(), sample: None, output: None }
    }
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
    let target = options.output.clone().unwrap_or_else(|| file.with_extension(options.format.name));
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
    (options.format.export)(&reader, &target, &options.fields, options.sample)
}
