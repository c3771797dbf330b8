//! Makes Scotch and PT-Scotch, which PETSc calls without arguments for these, give the same partition
//! in every run.
use std::ffi::{CStr, c_char, c_void};

/// The environment variable that limits Scotch's threads (Scotch 7 user's guide).
const THREADS: &str = "SCOTCH_PTHREAD_NUMBER";

/// With several threads Scotch's result depends on their timing, and it calls MPI from all of them.
pub(crate) fn one_thread() {
    if std::env::var_os(THREADS).is_none() {
        // SAFETY: runs while PETSc starts, before the program makes threads that read the environment.
        unsafe { std::env::set_var(THREADS, "1") };
    }
}

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, symbol: *const c_char) -> *mut c_void;
}

/// `RTLD_DEFAULT` of <dlfcn.h>.
const EVERYWHERE: isize = if cfg!(target_os = "macos") { -2 } else { 0 };

fn find(symbol: &CStr) -> *mut c_void {
    // SAFETY: looks a name up in the libraries that are loaded.
    unsafe { dlsym(EVERYWHERE as *mut c_void, symbol.as_ptr()) }
}

/// Restarts Scotch's random numbers, so that a partition does not depend on the ones before. Scotch is
/// PETSc's dependency, not ours: without it, or linked statically, nothing happens.
pub(crate) fn restart() {
    let (seed, reset) = (find(c"SCOTCH_randomSeed"), find(c"SCOTCH_randomReset"));
    if seed.is_null() || reset.is_null() {
        return;
    }
    // SAFETY: `void SCOTCH_randomSeed(SCOTCH_Num)` and `void SCOTCH_randomReset(void)` of scotch.h; a
    // 32-bit SCOTCH_Num is passed in the lower half of the same register.
    unsafe {
        std::mem::transmute::<*mut c_void, extern "C" fn(i64)>(seed)(1);
        std::mem::transmute::<*mut c_void, extern "C" fn()>(reset)();
    }
}
