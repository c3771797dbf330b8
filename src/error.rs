//! What can go wrong, and with which exit code a run ends.
use std::fmt;

/// Result of every fallible operation in Tessera.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a run could not go on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Something the user wrote (deck, mesh, file, command line) is wrong: exit code 2.
    #[error("{}", Report(.0))]
    Input(Vec<Diagnostic>),
    /// The computation failed: exit code 1.
    #[error("{0}")]
    Failed(String),
    /// PETSc reported an error; the message holds its traceback: exit code 1.
    #[error("{0}")]
    Petsc(String),
    /// HDF5 or the file system reported an error: exit code 1.
    #[error("{0}")]
    Storage(String),
    /// Stopped early by a signal, and can go on: exit code 75.
    #[error("stopped early: {0}")]
    Stopped(String),
}

/// One fault in the user's input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, as the user named it.
    pub file: String,
    /// Line and column, both from 1, where known.
    pub position: Option<(usize, usize)>,
    /// Key path such as `physics[0].boundary[2].marker`; empty when the fault has no key.
    pub key: String,
    /// What was expected and what was found, with the nearest valid spelling.
    pub message: String,
}

impl Diagnostic {
    /// A fault of a whole file or of the command line.
    pub fn new(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: file.into(), message: message.into(), ..Self::default() }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}:", self.file)?;
            if let Some((line, column)) = self.position {
                write!(f, "{line}:{column}:")?;
            }
            write!(f, " ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// One line a diagnostic.
struct Report<'a>(&'a [Diagnostic]);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

impl Error {
    /// A single fault in the user's input that belongs to a file.
    pub fn input(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Input(vec![Diagnostic::new(file, message)])
    }

    /// The exit code of a run that ends with this error.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Input(_) => 2,
            Self::Stopped(_) => 75,
            _ => 1,
        }
    }
}

impl From<petsc_rs::Error> for Error {
    fn from(error: petsc_rs::Error) -> Self {
        Self::Petsc(error.to_string())
    }
}
