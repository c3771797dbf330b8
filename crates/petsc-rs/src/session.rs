//! Initialising and finalising PETSc.
use crate::error::{Error, Result, check, collect};
use mpi::topology::SimpleCommunicator;
use mpi::traits::AsRaw;
use petsc_sys::*;
use std::cell::{Cell, RefCell};
use std::ffi::{CString, c_char, c_int};
use std::rc::{Rc, Weak};
use std::vec::Vec;

thread_local! {
    static CURRENT: RefCell<Weak<Inner>> = const { RefCell::new(Weak::new()) };
}

struct Inner {
    // PETSc keeps pointers into its argument list until it is finalised.
    _arguments: Vec<CString>,
    _pointers: Vec<*mut c_char>,
    /// Whether the recording of events has to be ended.
    stop_log: Cell<bool>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if usable() {
            // SAFETY: PETSc is initialised and no handle is left. Its error has nowhere to go.
            unsafe {
                if self.stop_log.get() {
                    petsc_shim_log_stop();
                }
                PetscPopErrorHandler();
                PetscFinalize();
            }
        }
    }
}

/// Whether PETSc objects may still be destroyed: MPI lives and no panic unwinds.
pub(crate) fn usable() -> bool {
    let mut finalized: c_int = 0;
    // SAFETY: MPI_Finalized may be called at any time.
    unsafe { MPI_Finalized(&mut finalized) };
    finalized == 0 && !std::thread::panicking()
}

/// Keeps PETSc initialised; part of every handle.
#[derive(Clone)]
pub(crate) struct Session(Rc<Inner>);

impl Session {
    /// The running session of this thread.
    ///
    /// # Errors
    /// When PETSc is not initialised, or on another thread.
    pub(crate) fn current() -> Result<Self> {
        CURRENT
            .with_borrow(Weak::upgrade)
            .map(Self)
            .ok_or_else(|| Error::argument("PETSc is not initialised on this thread"))
    }

    /// The recording of events that has begun ends with the session, should `stop` be true.
    pub(crate) fn stop_log(&self, stop: bool) {
        self.0.stop_log.set(self.0.stop_log.get() || stop);
    }
}

/// An initialised PETSc. It is finalised when this and all handles are gone.
///
/// Keep the `mpi::environment::Universe` alive longer: handles dropped after `MPI_Finalize` are leaked.
pub struct Petsc {
    _session: Session,
}

impl Petsc {
    /// Initialises PETSc with `comm` as `PETSC_COMM_WORLD` and the given options (as on a command line,
    /// `["-log_view", "-ksp_type", "cg"]`). PETSc's signal handler stays off, errors are not printed, and sums over
    /// several vectors do not depend on where these lie (`-vec_mdot_use_gemv 1` may be faster).
    ///
    /// # Errors
    /// When PETSc is already initialised, or refuses an option.
    pub fn initialize(comm: &SimpleCommunicator, options: &[String]) -> Result<Self> {
        if CURRENT.with_borrow(|current| current.strong_count()) > 0 {
            return Err(Error::argument("PETSc is already initialised"));
        }
        let texts = ["petsc-rs", "-no_signal_handler"].into_iter().chain(options.iter().map(String::as_str));
        let arguments = texts
            .map(|text| {
                CString::new(text)
                    .map_err(|error| Error::argument("an option holds a zero byte").because(error))
            })
            .collect::<Result<Vec<_>>>()?;
        let mut pointers: Vec<*mut c_char> = arguments.iter().map(|a| a.as_ptr().cast_mut()).collect();
        let mut count = pointers.len() as c_int;
        pointers.push(std::ptr::null_mut());
        let mut list = pointers.as_mut_ptr();
        crate::scotch::one_thread();
        // SAFETY: set before PetscInitialize, as PETSc asks; the list outlives PETSc.
        unsafe {
            PETSC_COMM_WORLD = comm.as_raw();
            check(PetscInitialize(&mut count, &mut list, std::ptr::null(), std::ptr::null()))?;
            check(petsc_shim_repeatable_sums())?;
            check(PetscPushErrorHandler(Some(collect), std::ptr::null_mut()))?;
        }
        let inner = Rc::new(Inner { _arguments: arguments, _pointers: pointers, stop_log: Cell::new(false) });
        CURRENT.set(Rc::downgrade(&inner));
        Ok(Self { _session: Session(inner) })
    }

    /// PETSc's version as `(major, minor, patch)`.
    pub fn version() -> (i32, i32, i32) {
        let (mut major, mut minor, mut patch, mut release) = (0, 0, 0, 0);
        // SAFETY: writes four integers.
        unsafe { PetscGetVersionNumber(&mut major, &mut minor, &mut patch, &mut release) };
        (major, minor, patch)
    }

    /// Threads that OpenMP regions of PETSc's libraries (MUMPS, hypre) use from now on. Local.
    pub fn set_library_threads(count: usize) {
        // SAFETY: stores a number in the OpenMP runtime, if one is loaded.
        unsafe { petsc_shim_set_threads(c_int::try_from(count.max(1)).unwrap_or(1)) }
    }

    /// Whether PETSc was built with an external package, by PETSc's name for it ("mumps", "hypre").
    pub fn has_package(name: &str) -> bool {
        let mut found = truth(false);
        match CString::new(name) {
            // SAFETY: reads a C string, writes a boolean.
            Ok(name) => unsafe {
                PetscHasExternalPackage(name.as_ptr(), &mut found);
            },
            Err(_) => return false,
        }
        found == truth(true)
    }
}

/// A `PetscBool`, which is an `enum` up to 3.23 and a C `bool` later.
pub(crate) fn truth(value: bool) -> PetscBool {
    // SAFETY: a conversion without side effects.
    unsafe { petsc_shim_bool(value.into()) }
}

/// A C string from a name.
pub(crate) fn name(text: &str) -> Result<CString> {
    CString::new(text).map_err(|error| Error::argument("a name holds a zero byte").because(error))
}

/// A Rust string from one of PETSc's, empty when null.
pub(crate) fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: PETSc's strings are zero-terminated and live at least through this call.
    unsafe { std::ffi::CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

/// A length as PETSc's index.
pub(crate) fn int(value: usize) -> Result<crate::Int> {
    crate::Int::try_from(value)
        .map_err(|error| Error::argument("a size does not fit in PETSc's 32-bit index").because(error))
}

/// The verdict of all ranks on their arguments: an error on one is an error on every rank, so that nobody
/// enters the communication that follows alone. Collective.
pub(crate) fn agree<T>(comm: MPI_Comm, mine: Result<T>) -> Result<T> {
    let (send, mut any) = (i32::from(mine.is_err()), 0i32);
    // SAFETY: one integer in, one out.
    unsafe {
        MPI_Allreduce((&raw const send).cast(), (&raw mut any).cast(), 1, RSMPI_INT32_T, RSMPI_MAX, comm)
    };
    let mine = mine?;
    match any {
        0 => Ok(mine),
        _ => Err(Error::argument("another rank was given wrong arguments")),
    }
}

/// Number of ranks of a communicator.
pub(crate) fn ranks(comm: MPI_Comm) -> usize {
    let mut size = 1;
    // SAFETY: writes one integer; the communicator is live.
    unsafe { MPI_Comm_size(comm, &mut size) };
    size as usize
}

/// Declares an owning wrapper of a PETSc object: `raw` destroyed by `$destroy` on drop, with the crate-wide
/// rules about finalised MPI and panics.
macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $raw:ty, $destroy:ident) => {
        $(#[$doc])*
        pub struct $name {
            pub(crate) raw: $raw,
            _session: $crate::session::Session,
        }

        #[allow(dead_code)]
        impl $name {
            /// Takes over one reference.
            pub(crate) fn from_raw(raw: $raw) -> $crate::Result<Self> {
                Ok(Self { raw, _session: $crate::session::Session::current()? })
            }

            /// Shares an object that PETSc owns.
            pub(crate) fn share(raw: $raw) -> $crate::Result<Self> {
                if raw.is_null() {
                    return Err($crate::Error::argument(concat!("there is no ", stringify!($name), " here")));
                }
                petsc!(petsc_sys::PetscObjectReference(raw as petsc_sys::PetscObject))?;
                Self::from_raw(raw)
            }

            /// PETSc's handle, for calls that this crate does not wrap. It stays owned by `self`.
            pub fn as_raw(&self) -> $raw {
                self.raw
            }

            /// The object's communicator.
            pub(crate) fn mpi_comm(&self) -> $crate::Result<petsc_sys::MPI_Comm> {
                let mut comm = std::mem::MaybeUninit::uninit();
                petsc!(petsc_sys::PetscObjectGetComm(self.raw as petsc_sys::PetscObject, comm.as_mut_ptr()))?;
                // SAFETY: written on success.
                Ok(unsafe { comm.assume_init() })
            }

            /// Names the object in PETSc's logs and views.
            ///
            /// # Errors
            /// When the name holds a zero byte.
            pub fn set_name(&mut self, name: &str) -> $crate::Result<()> {
                let name = $crate::session::name(name)?;
                petsc!(petsc_sys::PetscObjectSetName(self.raw as petsc_sys::PetscObject, name.as_ptr()))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.raw).finish()
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                if $crate::session::usable() {
                    // SAFETY: this wrapper owns one reference and the session is alive.
                    unsafe { petsc_sys::$destroy(&mut self.raw) };
                }
            }
        }
    };
}
