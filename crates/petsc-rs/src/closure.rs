//! Closures (and other values) that PETSc objects own, and the way from PETSc into them.
use crate::error::{Error, Result, report};
use petsc_sys::*;
use std::cell::RefCell;
use std::ffi::{CStr, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::rc::Rc;

/// A closure inside a PETSc object. The cell refuses a call from within itself.
pub(crate) type Slot<F> = RefCell<Box<F>>;

/// Gives `value` to `object`, which drops it when it is destroyed or when `key` is used again. Returns
/// the context pointer for PETSc's callbacks.
pub(crate) fn attach<T: 'static>(object: PetscObject, key: &CStr, value: T) -> Result<*mut c_void> {
    let pointer = Rc::into_raw(Rc::new(value)).cast_mut().cast();
    petsc!(petsc_shim_attach(object, key.as_ptr(), pointer, Some(release::<T>)))?;
    Ok(pointer)
}

/// Drops what was attached under `key`.
pub(crate) fn detach(object: PetscObject, key: &CStr) -> Result<()> {
    petsc!(PetscObjectCompose(object, key.as_ptr(), null_mut()))
}

/// What [`attach`] put there.
///
/// # Safety
/// `T` is the type of what was attached under `key`.
pub(crate) unsafe fn attached<T: 'static>(object: PetscObject, key: &CStr) -> Result<Option<Rc<T>>> {
    let mut pointer = null_mut();
    petsc!(petsc_shim_attached(object, key.as_ptr(), &mut pointer))?;
    // SAFETY: the caller's promise.
    Ok((!pointer.is_null()).then(|| unsafe { borrow(pointer) }))
}

/// The value behind a context pointer of a callback. It stays alive even when it is replaced meanwhile.
///
/// # Safety
/// `context` came from [`attach`] with the same `T`, and is still attached.
pub(crate) unsafe fn borrow<T: 'static>(context: *mut c_void) -> Rc<T> {
    let pointer = context as *const T;
    // SAFETY: the object holds one count, so the value is alive; this takes another.
    unsafe {
        Rc::increment_strong_count(pointer);
        Rc::from_raw(pointer)
    }
}

unsafe extern "C" fn release<T>(value: *mut c_void) {
    // A panic in the value's destructor must not cross PETSc.
    // SAFETY: called once with the pointer of `attach`.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(unsafe { Rc::from_raw(value as *const T) })));
}

/// Runs a user's closure: a panic becomes an error. PETSc handles that live outside of `body` are dropped
/// in order, which they are not while a panic unwinds through them.
fn guarded<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("unknown");
        Err(Error::user(format!("panic: {text}")))
    })
}

/// Calls a user's closure in its cell.
pub(crate) fn call<F: ?Sized, T>(slot: &Slot<F>, body: impl FnOnce(&mut F) -> Result<T>) -> Result<T> {
    let mut closure =
        slot.try_borrow_mut().map_err(|_| Error::argument("a callback was called from within itself"))?;
    guarded(|| body(&mut closure))
}

/// Runs Rust code below PETSc: an error or a panic becomes a PETSc error code.
pub(crate) fn callback(body: impl FnOnce() -> Result<()>) -> PetscErrorCode {
    report(guarded(body))
}
