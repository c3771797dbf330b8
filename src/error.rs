//! What can go wrong, and with which exit code a run ends.
use std::fmt;
use std::io::Write;
use std::sync::Arc;

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
    #[error(transparent)]
    Petsc(Failure),
    /// HDF5 or the file system reported an error: exit code 1.
    #[error(transparent)]
    Storage(Failure),
    /// Stopped early by a signal, and can go on: exit code 75.
    #[error("stopped early: {0}")]
    Stopped(String),
}

/// What failed, in words, and the error behind it where there is one; the words hold those of the error already.
#[derive(Debug, Clone)]
pub struct Failure {
    text: String,
    cause: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl Failure {
    /// With words alone.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), cause: None }
    }
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

    /// A failure of PETSc, in words.
    pub fn petsc(text: impl Into<String>) -> Self {
        Self::Petsc(Failure::new(text))
    }

    /// A failure of HDF5 or the file system, in words.
    pub fn storage(text: impl Into<String>) -> Self {
        Self::Storage(Failure::new(text))
    }

    /// The same with the error behind it, if it is of a kind that has one.
    pub fn because(mut self, error: impl std::error::Error + Send + Sync + 'static) -> Self {
        if let Self::Petsc(failure) | Self::Storage(failure) = &mut self {
            failure.cause = Some(Arc::new(error));
        }
        self
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
        Self::petsc(error.to_string()).because(error)
    }
}

/// Writes a line for people to the standard error in one piece: what MPI's launcher says at the same time stands before or
/// after it.
pub fn tell(line: impl fmt::Display) {
    // Where nobody listens there is nobody to tell.
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn an_error_tells_what_is_behind_it() {
        let disk = || std::io::Error::from(std::io::ErrorKind::StorageFull);
        let error = Error::storage(format!("run.h5: cannot write: {}", disk())).because(disk());
        assert!(error.to_string().starts_with("run.h5: cannot write: "));
        let cause = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>());
        assert_eq!(cause.map(std::io::Error::kind), Some(std::io::ErrorKind::StorageFull));
        assert!(Error::Failed("nothing behind it".into()).source().is_none());
        // What a closure that PETSc called has found.
        let error = Error::from(petsc_rs::Error::caused_by(Error::input("deck.toml", "a wrong value")));
        let cause = error.source().and_then(|petsc| petsc.source()).and_then(|e| e.downcast_ref::<Error>());
        assert!(matches!(cause, Some(Error::Input(_))), "{cause:?}");
    }
}
