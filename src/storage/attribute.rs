//! Attributes: what files say about themselves.
use super::file::{File, exists};
use crate::error::{Error, Result};
use hdf5::types::{FloatSize, IntSize, TypeDescriptor, VarLenAscii, VarLenUnicode};
use hdf5::{Attribute, Group, Location};

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A list of texts.
    Texts(Vec<String>),
    /// A number.
    Float(f64),
    /// A list of numbers.
    Floats(Vec<f64>),
    /// A whole number.
    Integer(i64),
    /// A list of whole numbers.
    Integers(Vec<i64>),
}

macro_rules! from {
    ($($t:ty => $variant:ident),* $(,)?) => {$(
        impl From<$t> for Value {
            fn from(value: $t) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}
from!(&str => Text, String => Text, Vec<String> => Texts, f64 => Float, Vec<f64> => Floats, i64 => Integer,
    i32 => Integer, u32 => Integer, Vec<i64> => Integers);

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Integer(value as i64)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Integer(value as i64)
    }
}

impl From<&[String]> for Value {
    fn from(value: &[String]) -> Self {
        Self::Texts(value.to_vec())
    }
}

impl From<&[&str]> for Value {
    fn from(value: &[&str]) -> Self {
        Self::Texts(value.iter().map(|s| s.to_string()).collect())
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(v) => write!(f, "{v}"),
            Self::Texts(v) => write!(f, "{}", v.join(", ")),
            Self::Float(v) => write!(f, "{v}"),
            Self::Floats(v) => write!(f, "{v:?}"),
            Self::Integer(v) => write!(f, "{v}"),
            Self::Integers(v) => write!(f, "{v:?}"),
        }
    }
}

impl File {
    /// Sets an attribute of the object at `path` ("/" for the file), replacing one of that name.
    /// Collective; every rank gives the same value.
    ///
    /// # Errors
    /// [`Error::Storage`] when there is no such object, or HDF5 or the file system refuses.
    pub fn set(&self, path: &str, name: &str, value: impl Into<Value>) -> Result<()> {
        let outcome = with_object(self.root(), path, |object| write(object, name, &value.into()));
        self.settle(outcome.map_err(|e| self.failure(path, &format!("cannot set {name}"), e)))
    }

    /// Reads an attribute of the object at `path`; none when object or attribute are not there. Collective.
    ///
    /// # Errors
    /// When it has a type that Tessera does not write.
    pub fn get(&self, path: &str, name: &str) -> Result<Option<Value>> {
        get(self.root(), path, name).map_err(|e| self.failure(path, &format!("cannot read {name}"), e))
    }

    /// A text attribute, empty when there is none. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when it is no text.
    pub fn text(&self, path: &str, name: &str) -> Result<String> {
        match self.get(path, name)? {
            Some(Value::Text(text)) => Ok(text),
            None => Ok(String::new()),
            Some(other) => Err(self.kind(path, name, "a text", &other)),
        }
    }

    /// An attribute that is a list of texts, empty when there is none. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when it is no list of texts.
    pub fn texts(&self, path: &str, name: &str) -> Result<Vec<String>> {
        match self.get(path, name)? {
            Some(Value::Texts(texts)) => Ok(texts),
            Some(Value::Text(text)) => Ok(vec![text]),
            None => Ok(Vec::new()),
            Some(other) => Err(self.kind(path, name, "a list of texts", &other)),
        }
    }

    fn kind(&self, path: &str, name: &str, expected: &str, found: &Value) -> Error {
        Error::storage(format!(
            "{}: {path}: attribute {name} should be {expected}, not {found}",
            self.label()
        ))
    }
}

/// The attribute, if object and attribute are there.
pub(super) fn get(root: &Group, path: &str, name: &str) -> hdf5::Result<Option<Value>> {
    if !exists(root, path) {
        return Ok(None);
    }
    with_object(root, path, |object| {
        if object.attr_names()?.iter().any(|n| n == name) {
            read(&object.attr(name)?).map(Some)
        } else {
            Ok(None)
        }
    })
}

/// Calls `f` with the group or dataset at `path`.
fn with_object<T>(root: &Group, path: &str, f: impl FnOnce(&Location) -> hdf5::Result<T>) -> hdf5::Result<T> {
    if path.trim_matches('/').is_empty() {
        return f(root);
    }
    match root.dataset(path) {
        Ok(dataset) => f(&dataset),
        Err(_) => f(&*root.group(path)?),
    }
}

fn write(object: &Location, name: &str, value: &Value) -> hdf5::Result<()> {
    if object.attr_names()?.iter().any(|n| n == name) {
        object.delete_attr(name)?;
    }
    let texts = |list: &[String]| list.iter().map(|t| unicode(t)).collect::<hdf5::Result<Vec<_>>>();
    match value {
        Value::Text(text) => object.new_attr::<VarLenUnicode>().create(name)?.write_scalar(&unicode(text)?),
        Value::Float(number) => object.new_attr::<f64>().create(name)?.write_scalar(number),
        Value::Integer(number) => object.new_attr::<i64>().create(name)?.write_scalar(number),
        Value::Texts(list) => {
            object.new_attr::<VarLenUnicode>().shape(list.len()).create(name)?.write_raw(&texts(list)?)
        }
        Value::Floats(list) => object.new_attr::<f64>().shape(list.len()).create(name)?.write_raw(list),
        Value::Integers(list) => object.new_attr::<i64>().shape(list.len()).create(name)?.write_raw(list),
    }
}

/// HDF5's strings end at the first zero byte, so one inside is left out.
fn unicode(text: &str) -> hdf5::Result<VarLenUnicode> {
    text.replace('\0', "").parse().map_err(|e| hdf5::Error::Internal(format!("{e}")))
}

fn read(attribute: &Attribute) -> hdf5::Result<Value> {
    let scalar = attribute.ndim() == 0;
    let kind = attribute.dtype()?.to_descriptor()?;
    Ok(match kind {
        TypeDescriptor::VarLenUnicode => {
            text(scalar, attribute.read_raw::<VarLenUnicode>()?.iter().map(|t| t.to_string()).collect())
        }
        TypeDescriptor::VarLenAscii => {
            text(scalar, attribute.read_raw::<VarLenAscii>()?.iter().map(|t| t.to_string()).collect())
        }
        TypeDescriptor::Integer(_) | TypeDescriptor::Unsigned(IntSize::U1 | IntSize::U2 | IntSize::U4) => {
            let list = attribute.read_raw::<i64>()?;
            match list[..] {
                [value] if scalar => Value::Integer(value),
                _ => Value::Integers(list),
            }
        }
        TypeDescriptor::Float(FloatSize::U4 | FloatSize::U8) => {
            let list = attribute.read_raw::<f64>()?;
            match list[..] {
                [value] if scalar => Value::Float(value),
                _ => Value::Floats(list),
            }
        }
        other => return Err(hdf5::Error::Internal(format!("its type is {other}"))),
    })
}

fn text(scalar: bool, mut texts: Vec<String>) -> Value {
    if scalar { Value::Text(texts.pop().unwrap_or_default()) } else { Value::Texts(texts) }
}
