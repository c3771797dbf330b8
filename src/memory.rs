//! What is remembered from one solve to the next and cannot be found out anew: what a checkpoint holds, and what a new
//! solver takes over from an old one. Each owner says itself what that is and how it goes on from it.
use crate::{Error, Result};
use petsc_rs::Vector;
use std::ops::Deref;

/// A borrowed value, also one that stands in a cell.
pub type Borrowed<'a, T> = Box<dyn Deref<Target = T> + 'a>;

/// Something that is remembered.
pub enum Value<'a> {
    /// A few numbers, the same on all ranks.
    Numbers(Vec<f64>),
    /// Rows of numbers, all of one length, the same on all ranks.
    Rows(&'a [Vec<f64>]),
    /// A vector over the unknowns of the owner's problem, distributed as they are.
    Field(Borrowed<'a, Vector>),
    /// So many numbers for each cell of this rank, ghosts included.
    Cells(Borrowed<'a, [f64]>, usize),
}

/// Something that is remembered, with a name that none of the same owner shares.
pub struct Entry<'a>(pub String, pub Value<'a>);

/// An owner of things that are remembered.
pub trait Memory {
    /// All of them. Local.
    fn remembered(&self) -> Vec<Entry<'_>> {
        Vec::new()
    }

    /// Goes on from what another owner of the same kind remembered. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] where something is missing or does not fit.
    fn restore(&mut self, _kept: &dyn Kept) -> Result<()> {
        Ok(())
    }
}

/// Where things that were remembered are kept. Anything that is not there is `None`.
pub trait Kept {
    /// See [`Value::Numbers`]. Local.
    ///
    /// # Errors
    /// When what is kept cannot be read, or is of another kind.
    fn numbers(&self, name: &str) -> Result<Option<Vec<f64>>>;

    /// See [`Value::Rows`]. Local.
    ///
    /// # Errors
    /// As for [`Kept::numbers`].
    fn rows(&self, name: &str) -> Result<Option<Vec<Vec<f64>>>>;

    /// See [`Value::Field`]; ghosts are up to date. Collective.
    ///
    /// # Errors
    /// As for [`Kept::numbers`].
    fn field(&self, name: &str) -> Result<Option<Vector>>;

    /// See [`Value::Cells`]. Collective.
    ///
    /// # Errors
    /// As for [`Kept::numbers`].
    fn cells(&self, name: &str, width: usize) -> Result<Option<Vec<f64>>>;

    /// The error for something that must be there.
    fn missing(&self, name: &str) -> Error {
        Error::Failed(format!("{name} is not remembered"))
    }
}

impl dyn Kept + '_ {
    /// A number that must be there. Local.
    ///
    /// # Errors
    /// When it is not.
    pub fn number(&self, name: &str) -> Result<f64> {
        self.numbers(name)?.and_then(|list| list.first().copied()).ok_or_else(|| self.missing(name))
    }

    /// The fields `<name>_0`, `<name>_1`, ... Collective.
    ///
    /// # Errors
    /// When one does not fit.
    pub fn fields(&self, name: &str) -> Result<Vec<Vector>> {
        let mut list = Vec::new();
        while let Some(field) = self.field(&format!("{name}_{}", list.len()))? {
            list.push(field);
        }
        Ok(list)
    }
}

impl<'a> Entry<'a> {
    /// Numbers.
    pub fn numbers(name: &str, numbers: impl Into<Vec<f64>>) -> Self {
        Self(name.into(), Value::Numbers(numbers.into()))
    }

    /// A field.
    pub fn field(name: impl Into<String>, field: impl Deref<Target = Vector> + 'a) -> Self {
        Self(name.into(), Value::Field(Box::new(field)))
    }

    /// Fields as `<name>_0`, `<name>_1`, ...
    pub fn fields<L>(name: &str, list: L) -> impl Iterator<Item = Self> + use<'a, '_, L>
    where
        L: IntoIterator<Item = &'a Vector>,
    {
        list.into_iter().enumerate().map(move |(k, field)| Self::field(format!("{name}_{k}"), field))
    }
}

/// What is remembered now, to be copied.
pub struct Present<'a>(pub Vec<Entry<'a>>);

impl Present<'_> {
    fn find(&self, name: &str) -> Option<&Value<'_>> {
        self.0.iter().find(|entry| entry.0 == name).map(|entry| &entry.1)
    }
}

impl Kept for Present<'_> {
    fn numbers(&self, name: &str) -> Result<Option<Vec<f64>>> {
        let Some(Value::Numbers(numbers)) = self.find(name) else { return Ok(None) };
        Ok(Some(numbers.clone()))
    }

    fn rows(&self, name: &str) -> Result<Option<Vec<Vec<f64>>>> {
        let Some(Value::Rows(rows)) = self.find(name) else { return Ok(None) };
        Ok(Some(rows.to_vec()))
    }

    fn field(&self, name: &str) -> Result<Option<Vector>> {
        let Some(Value::Field(field)) = self.find(name) else { return Ok(None) };
        let mut copy = field.try_clone()?;
        copy.ghost_update()?;
        Ok(Some(copy))
    }

    fn cells(&self, name: &str, width: usize) -> Result<Option<Vec<f64>>> {
        match self.find(name) {
            Some(Value::Cells(values, own)) if *own == width => Ok(Some(values.to_vec())),
            _ => Ok(None),
        }
    }
}
