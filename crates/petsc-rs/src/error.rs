//! PETSc's errors as values.
use petsc_sys::*;
use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::fmt;
use std::sync::Arc;
use std::vec::Vec;

/// Result of every fallible operation.
pub type Result<T> = std::result::Result<T, Error>;

/// `PETSC_ERR_ARG_WRONG`, the same number in all versions.
const ARG_WRONG: i32 = 62;
/// `PETSC_ERR_USER`, likewise.
const USER: i32 = 83;

/// An error that PETSc reported, or that was found before PETSc was called.
///
/// Its [source](std::error::Error::source) is the error of the closure that PETSc had called, where that is
/// how it began, or what [`Error::caused_by`] was given. `message` holds the source's words already.
#[derive(Debug, Clone)]
pub struct Error {
    /// PETSc's error code (`PETSC_ERR_...`).
    pub code: i32,
    /// What went wrong.
    pub message: String,
    /// The calls that led there, innermost first, as `function() at file:line`.
    pub traceback: Vec<String>,
    source: Option<Arc<Cause>>,
}

type Cause = dyn std::error::Error + Send + Sync;

impl Error {
    /// An error with one of PETSc's codes, for closures that PETSc calls.
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), traceback: Vec::new(), source: None }
    }

    /// An error of the caller's own, likewise (`PETSC_ERR_USER`).
    pub fn user(message: impl Into<String>) -> Self {
        Self::new(USER, message)
    }

    /// As [`Error::user`], with the words of `source`, which the caller finds again as the source of what the
    /// solve returns.
    pub fn caused_by(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::user(source.to_string()).because(source)
    }

    /// An error of this crate, found before PETSc was called (`PETSC_ERR_ARG_WRONG`).
    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self::new(ARG_WRONG, message)
    }

    /// The same error, with its cause.
    pub(crate) fn because(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PETSc error {}: {}", self.code, self.message)?;
        for line in &self.traceback {
            write!(f, "\n  in {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[derive(Default)]
struct Trace {
    messages: Vec<String>,
    lines: Vec<String>,
    /// The error of the closure in which it began.
    source: Option<Arc<Cause>>,
}

thread_local! {
    static TRACE: RefCell<Trace> = RefCell::default();
}

/// PETSc calls this once a stack frame while an error travels up.
pub(crate) unsafe extern "C" fn collect(
    _comm: MPI_Comm,
    line: c_int,
    function: *const c_char,
    file: *const c_char,
    code: PetscErrorCode,
    kind: PetscErrorType,
    message: *const c_char,
    _context: *mut c_void,
) -> PetscErrorCode {
    let text = |pointer: *const c_char| match pointer.is_null() {
        true => String::new(),
        // SAFETY: PETSc passes null or a C string that lives through this call.
        false => unsafe { CStr::from_ptr(pointer) }.to_string_lossy().trim().to_string(),
    };
    TRACE.with_borrow_mut(|trace| {
        if kind == PetscErrorType_PETSC_ERROR_INITIAL {
            trace.lines.clear();
            trace.messages.retain(|m| m.starts_with(CALLBACK));
        }
        let message = text(message);
        if !message.is_empty() {
            trace.messages.push(message);
        }
        trace.lines.push(format!("{}() at {}:{line}", text(function), text(file)));
    });
    code
}

/// Marks a message that comes from a closure and must survive the start of a new PETSc traceback.
const CALLBACK: &str = "in a callback: ";

/// PETSc's return code as a result, with what [`collect`] gathered.
pub(crate) fn check(code: PetscErrorCode) -> Result<()> {
    let code = to_int(code);
    if code == 0 {
        return Ok(());
    }
    let trace = TRACE.take();
    let mut message = trace.messages.join("; ");
    if message.is_empty() {
        let mut general = std::ptr::null();
        // SAFETY: PETSc writes a pointer to a static string, or leaves it null.
        let status = unsafe { PetscErrorMessage(from_int(code), &mut general, std::ptr::null_mut()) };
        if to_int(status) == 0 && !general.is_null() {
            // SAFETY: as above.
            message = unsafe { CStr::from_ptr(general) }.to_string_lossy().into_owned();
        }
    }
    Err(Error { code, message, traceback: trace.lines, source: trace.source })
}

/// `PetscErrorCode` is an `int` up to 3.18 and an `enum` of the same size later.
#[allow(clippy::useless_transmute)]
fn to_int(code: PetscErrorCode) -> i32 {
    // SAFETY: both are four bytes, any bit pattern is an `i32`.
    unsafe { std::mem::transmute::<PetscErrorCode, i32>(code) }
}

/// The reverse of [`to_int`].
#[allow(clippy::useless_transmute)]
fn from_int(code: i32) -> PetscErrorCode {
    // SAFETY: as above; PETSc hands unknown values through, and the `enum` is bound as a plain number.
    unsafe { std::mem::transmute::<i32, PetscErrorCode>(code) }
}

/// The code to hand back to PETSc for the outcome of a closure; [`check`] finds its error again.
pub(crate) fn report(outcome: Result<()>) -> PetscErrorCode {
    let code = match outcome {
        Ok(()) => 0,
        Err(error) => TRACE.with_borrow_mut(|trace| {
            trace.messages.push(format!("{CALLBACK}{}", error.message));
            trace.lines.clone_from(&error.traceback);
            let code = if error.code == 0 { USER } else { error.code };
            trace.source = Some(Arc::new(error));
            code
        }),
    };
    from_int(code)
}

/// Calls PETSc and turns its code into a `Result`.
///
/// Safety contract of the whole crate: raw handles are only ever taken from live owned wrappers (which
/// hold the session), pointers are to live locals or slices whose lengths were checked before, and
/// borrowed arrays cannot outlive the object they belong to.
macro_rules! petsc {
    ($call:expr) => {{
        // SAFETY: the contract above.
        #[allow(clippy::macro_metavars_in_unsafe)]
        let code = unsafe { $call };
        $crate::error::check(code)
    }};
}
