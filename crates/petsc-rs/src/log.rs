//! Stages and events of `-log_view`.
//!
//! ```no_run
//! # fn f() -> petsc_rs::Result<()> {
//! let assembly = petsc_rs::log::Event::new("Assembly")?;
//! let stage = petsc_rs::log::Stage::new("Campaign")?;
//! {
//!     let _stage = stage.enter()?;
//!     let _timer = assembly.start()?;
//!     // work
//! } // both end here
//! # Ok(())
//! # }
//! ```
use crate::error::Result;
use crate::session::{Session, name};
use petsc_sys::*;
use std::marker::PhantomData;

/// A phase of a run: everything between entering and leaving it has its own table in `-log_view`.
#[derive(Clone)]
pub struct Stage {
    id: PetscLogStage,
    session: Session,
}

impl Stage {
    /// The stage with this name, made at the first call. Collective in the sense that all ranks must make
    /// the same stages in the same order.
    ///
    /// # Errors
    /// When the name holds a zero byte.
    pub fn new(title: &str) -> Result<Self> {
        let session = Session::current()?;
        let title = name(title)?;
        let mut id = -1;
        petsc!(PetscLogStageGetId(title.as_ptr(), &mut id))?;
        if id < 0 {
            petsc!(PetscLogStageRegister(title.as_ptr(), &mut id))?;
        }
        Ok(Self { id, session })
    }

    /// Enters the stage until the guard is dropped. Guards end in the reverse order of their beginning.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn enter(&self) -> Result<StageGuard> {
        petsc!(PetscLogStagePush(self.id))?;
        Ok(StageGuard { _session: self.session.clone(), _not_send: PhantomData })
    }
}

/// Leaves its [`Stage`] when dropped.
#[must_use = "the stage ends when this is dropped"]
pub struct StageGuard {
    _session: Session,
    _not_send: PhantomData<*const ()>,
}

impl Drop for StageGuard {
    fn drop(&mut self) {
        // SAFETY: PETSc lives as long as the session; local. It cannot fail while a stage is entered.
        unsafe { PetscLogStagePop() };
    }
}

/// A piece of work that `-log_view` counts and times.
#[derive(Clone)]
pub struct Event {
    id: PetscLogEvent,
    session: Session,
}

impl Event {
    /// The event with this name, made at the first call (on all ranks in the same order).
    ///
    /// # Errors
    /// When the name holds a zero byte.
    pub fn new(title: &str) -> Result<Self> {
        let session = Session::current()?;
        let title = name(title)?;
        let mut id = -1;
        petsc!(PetscLogEventGetId(title.as_ptr(), &mut id))?;
        if id < 0 {
            petsc!(PetscLogEventRegister(title.as_ptr(), PETSC_OBJECT_CLASSID, &mut id))?;
        }
        Ok(Self { id, session })
    }

    /// Times from now until the guard is dropped. Local.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn start(&self) -> Result<EventGuard> {
        petsc!(petsc_shim_event_begin(self.id))?;
        Ok(EventGuard { id: self.id, _session: self.session.clone(), _not_send: PhantomData })
    }

    /// What it took on this rank inside `stage` (outside of all stages: `None`) since [`begin`]. Local.
    ///
    /// # Errors
    /// When nothing is recorded.
    pub fn performance(&self, stage: Option<&Stage>) -> Result<Performance> {
        let mut info = std::mem::MaybeUninit::<PetscEventPerfInfo>::zeroed();
        petsc!(PetscLogEventGetPerfInfo(stage.map_or(0, |s| s.id), self.id, info.as_mut_ptr()))?;
        // SAFETY: plain numbers, zeroed before.
        let info = unsafe { info.assume_init() };
        Ok(Performance { count: info.count.max(0) as usize, seconds: info.time, flops: info.flops })
    }
}

/// What an [`Event`] took on this rank.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Performance {
    /// How often it ran.
    pub count: usize,
    /// Seconds in all.
    pub seconds: f64,
    /// Floating-point operations in all.
    pub flops: f64,
}

/// Starts recording, for [`Event::performance`]; the option `-log_view` does it too. Nothing is recorded
/// before.
///
/// # Errors
/// When PETSc was built without logging.
pub fn begin() -> Result<()> {
    let session = Session::current()?;
    let mut stop = 0;
    petsc!(petsc_shim_log_start(&mut stop))?;
    session.stop_log(stop != 0);
    Ok(())
}

/// Ends its [`Event`] when dropped.
#[must_use = "the event ends when this is dropped"]
pub struct EventGuard {
    id: PetscLogEvent,
    _session: Session,
    _not_send: PhantomData<*const ()>,
}

impl Drop for EventGuard {
    fn drop(&mut self) {
        // SAFETY: as for `StageGuard`.
        unsafe { petsc_shim_event_end(self.id) };
    }
}

/// Adds floating-point operations to the running events and stage. Local.
///
/// # Errors
/// When PETSc is not initialised.
pub fn flops(count: f64) -> Result<()> {
    let _session = Session::current()?;
    petsc!(petsc_shim_log_flops(count))
}
