//! Errors of the library as Python's exceptions, with the same message.
use pyo3::PyErr;
use pyo3::create_exception;
use pyo3::exceptions::PyRuntimeError;

create_exception!(tessera, Error, PyRuntimeError, "Why something could not be done.");
create_exception!(tessera, InputError, Error, "What was given is wrong: a deck, a mesh, a name, an array.");

/// The exception of an error.
pub fn exception(error: tessera::Error) -> PyErr {
    match error {
        tessera::Error::Input(_) => InputError::new_err(error.to_string()),
        _ => Error::new_err(error.to_string()),
    }
}

/// Wrong input without a file.
pub fn wrong(message: impl Into<String>) -> tessera::Error {
    tessera::Error::input("", message)
}

/// An exception of Python's that this rank alone may have met.
pub fn from_python(error: &PyErr) -> tessera::Error {
    wrong(error.to_string())
}
