//! MPI and PETSc under an interpreter: started when they are first needed, by whoever comes first, and ended in the right
//! order when the interpreter exits.
use crate::errors::{Error, exception};
use crate::held::Held;
use mpi::environment::{Universe, is_finalized, library_version};
use mpi::ffi::MPI_Comm;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, FromRaw};
use petsc_rs::Petsc;
use pyo3::prelude::*;
use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use tessera::parallel::{self, Comm};

/// What runs; the fields are dropped in their order.
struct Session {
    /// What must be gone before PETSc is, in the order in which it was made.
    held: Vec<Entry>,
    _petsc: Petsc,
    /// The ranks that started.
    all: Comm,
    /// Of their own, for the end: the others may be in the middle of something.
    ending: Comm,
    /// An exception that this rank's program did not catch.
    failure: Option<tessera::Error>,
    /// MPI, where it was started here.
    universe: Option<Universe>,
}

/// Something that holds PETSc's objects.
struct Entry {
    /// Whether all ranks that started share it.
    is_of_all: bool,
    held: Rc<dyn Held>,
}

enum State {
    Before,
    Running(Box<Session>),
    After,
}

thread_local! {
    static STATE: RefCell<State> = const { RefCell::new(State::Before) };
}

/// A communicator of its own for something new: that of mpi4py whose handle lies at `address`, all ranks without one. Starts
/// MPI and PETSc if nothing has. Frees what all ranks have dropped. Collective.
pub fn communicator(address: Option<usize>) -> PyResult<Comm> {
    if is_finalized() {
        return Err(Error::new_err("MPI has ended"));
    }
    let universe = parallel::initialize();
    let given = match address {
        None => ManuallyDrop::new(SimpleCommunicator::world()),
        // SAFETY: the Python half passes the address of the handle in a live communicator of mpi4py, which was built with
        // this MPI library.
        Some(address) => unsafe { borrowed(*(address as *const MPI_Comm)) },
    };
    let comm = Comm::new(given.duplicate());
    STATE.with_borrow_mut(|state| match state {
        State::After => Err(Error::new_err("the interpreter is exiting")),
        State::Running(session) => {
            session.universe = session.universe.take().or(universe);
            session.free(&comm);
            Ok(())
        }
        State::Before => {
            let all = Comm::new(given.duplicate());
            let ending = Comm::new(given.duplicate());
            if all.size() > 1 {
                parallel::abort_all_on_panic(&all);
            }
            parallel::set_threads(&all);
            let petsc = Petsc::initialize(all.mpi(), &[]).map_err(|error| exception(error.into()))?;
            let held = Vec::new();
            let session = Session { held, _petsc: petsc, all, ending, failure: None, universe };
            *state = State::Running(Box::new(session));
            Ok(())
        }
    })?;
    Ok(comm)
}

/// A communicator that belongs to others.
///
/// # Safety
/// The handle must be that of a live intracommunicator, and stay one while this is in use.
unsafe fn borrowed(raw: MPI_Comm) -> ManuallyDrop<SimpleCommunicator> {
    // SAFETY: the constants are set when MPI has started, which it has: a communicator is there.
    let [world, alone] = unsafe { [mpi::ffi::RSMPI_COMM_WORLD, mpi::ffi::RSMPI_COMM_SELF] };
    ManuallyDrop::new(match raw {
        raw if raw == world => SimpleCommunicator::world(),
        raw if raw == alone => SimpleCommunicator::self_comm(),
        // SAFETY: as the caller promises; not freed here, as it is never dropped.
        raw => unsafe { SimpleCommunicator::from_raw(raw) },
    })
}

impl Session {
    /// Frees what all ranks have dropped: Python drops objects when it likes, but PETSc frees them together. Collective
    /// where `comm` is that of all ranks; does nothing elsewhere.
    fn free(&mut self, comm: &Comm) {
        if comm.size() != self.all.size() {
            return;
        }
        let shared: Vec<usize> = (0..self.held.len()).filter(|&i| self.held[i].is_of_all).collect();
        let mut dropped: Vec<f64> =
            shared.iter().map(|&i| f64::from(u8::from(self.held[i].held.is_dropped()))).collect();
        comm.sum_into(&mut dropped);
        let by_all = |count: &f64| *count as usize == comm.size();
        let mut gone: Vec<usize> =
            shared.iter().zip(&dropped).filter(|(_, n)| by_all(n)).map(|(&i, _)| i).collect();
        gone.iter().for_each(|&i| self.held[i].held.close());
        gone.reverse();
        gone.into_iter().for_each(|i| drop(self.held.remove(i)));
    }
}

/// Keeps something until it is freed.
pub fn hold(held: Rc<dyn Held>, ranks: usize) {
    STATE.with_borrow_mut(|state| {
        if let State::Running(session) = state {
            session.held.push(Entry { is_of_all: ranks == session.all.size(), held });
        }
    });
}

/// Remembers that this rank's program ends with an exception: at the end it waits for the others for a while only.
#[pyfunction]
pub fn failed(text: &str) {
    STATE.with_borrow_mut(|state| {
        if let State::Running(session) = state {
            session.failure = Some(tessera::Error::Failed(text.into()));
        }
    });
}

/// Ends what was started: frees all that is left, PETSc, and MPI where it was started here. Collective.
#[pyfunction]
pub fn finalize() {
    let state = STATE.replace(State::After);
    let State::Running(session) = state else { return };
    if is_finalized() {
        // Nothing can be freed any more.
        std::mem::forget(session);
        return;
    }
    session.ending.meet(session.failure.as_ref(), || {});
    session.held.iter().for_each(|entry| entry.held.close());
}

/// What the MPI library says of itself, to be compared with what mpi4py's says.
#[pyfunction]
pub fn mpi_library() -> String {
    library_version().unwrap_or_default()
}
