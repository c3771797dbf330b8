//! What can be wrong with a network, its data or its training.

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a network cannot be made, evaluated or trained.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// Too few layers, or an empty one.
    #[error("a network needs widths of two layers at least, none of them 0; found {0:?}")]
    Widths(Vec<usize>),
    /// An input cannot be scaled.
    #[error("input {input}: its range must have finite ends, the lower one first; found {range:?}")]
    Range {
        /// Number of the input.
        input: usize,
        /// What was given.
        range: [f64; 2],
    },
    /// An array does not fit.
    #[error("{what}: expected {expected} numbers, found {found}")]
    Length {
        /// Which array.
        what: &'static str,
        /// Numbers that belong there.
        expected: usize,
        /// Numbers that were given.
        found: usize,
    },
    /// A setting of the optimiser is out of its range.
    #[error("{key} = {value}: expected {expected}")]
    Setting {
        /// Which setting.
        key: &'static str,
        /// What was given.
        value: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// Training has diverged, or was given numbers that are not finite.
    #[error("step {step}: the gradient is not finite")]
    NotFinite {
        /// Steps done before, plus one.
        step: u64,
    },
}

/// Whether an array has the length that it must have.
pub(crate) fn check(what: &'static str, found: usize, expected: usize) -> Result<()> {
    if found == expected { Ok(()) } else { Err(Error::Length { what, expected, found }) }
}
