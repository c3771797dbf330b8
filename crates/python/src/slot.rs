//! Something of the library that a Python object holds, until it is closed.
use crate::errors::{Error, exception, wrong};
use crate::held::Held;
use pyo3::prelude::*;
use std::cell::{Cell, RefCell};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use tessera::Result;
use tessera::parallel::Comm;

/// A place that is emptied when the object is closed, or when the interpreter exits.
pub struct Slot<T> {
    content: RefCell<Option<Content<T>>>,
    dropped: Cell<bool>,
    /// This process's number, and how many there are.
    pub place: [usize; 2],
}

struct Content<T> {
    value: T,
    comm: Comm,
    /// Of its own, for meeting at the end of a call.
    ending: Comm,
}

impl<T> Held for Slot<T> {
    fn close(&self) {
        self.content.take();
    }

    fn is_dropped(&self) -> bool {
        self.dropped.get()
    }
}

impl<T: 'static> Slot<T> {
    /// Fills a new one. Collective.
    pub fn new(comm: Comm, make: impl FnOnce(&Comm) -> Result<T>) -> PyResult<Rc<Self>> {
        let ending = comm.split(0);
        let value = finished(&comm, &ending, make(&comm))?;
        let place = [comm.rank(), comm.size()];
        let content = RefCell::new(Some(Content { value, comm, ending }));
        let slot = Rc::new(Self { content, dropped: Cell::new(false), place });
        crate::session::hold(slot.clone(), place[1]);
        Ok(slot)
    }

    /// Does work that all ranks do together: `what` must be the same on all of them. An error of any rank is one of all; one
    /// whose others wait for it in the middle of something ends all of them. Collective.
    pub fn together<R>(&self, what: &str, work: impl FnOnce(&mut T, &Comm) -> Result<R>) -> PyResult<R> {
        let mut content = self.content.try_borrow_mut().map_err(|_| in_use())?;
        let Content { value, comm, ending } = content.as_mut().ok_or_else(closed)?;
        same(comm, what).map_err(exception)?;
        finished(comm, ending, work(value, comm))
    }

    /// Looks at it. Local.
    pub fn look<R>(&self, look: impl FnOnce(&T) -> R) -> PyResult<R> {
        let content = self.content.try_borrow().map_err(|_| in_use())?;
        content.as_ref().map(|content| look(&content.value)).ok_or_else(closed)
    }

    /// Changes it from within work on something that belongs to it. Local.
    pub fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> PyResult<R> {
        let mut content = self.content.try_borrow_mut().map_err(|_| in_use())?;
        content.as_mut().map(|content| change(&mut content.value)).ok_or_else(closed)
    }

    /// Python's object is gone. Local: what ranks share is freed later, when all of them have dropped it.
    pub fn drop_object(&self) {
        self.dropped.set(true);
        if self.place[1] == 1 && !mpi::environment::is_finalized() {
            self.close();
        }
    }
}

fn closed() -> PyErr {
    Error::new_err("it is closed")
}

fn in_use() -> PyErr {
    Error::new_err("it is in use")
}

fn finished<R>(comm: &Comm, ending: &Comm, result: Result<R>) -> PyResult<R> {
    ending.meet(result.as_ref().err(), || {});
    comm.agree(result).map_err(exception)
}

/// Refuses words that are not the same on all ranks. Collective.
///
/// # Errors
/// With those of the first two ranks that differ.
pub fn same(comm: &Comm, what: &str) -> Result<()> {
    if comm.size() == 1 {
        return Ok(());
    }
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    let all = comm.all_gather(hasher.finish());
    let Some(other) = all.iter().position(|hash| *hash != all[0]) else { return Ok(()) };
    let say = |rank: usize| {
        let mut text = what.as_bytes().to_vec();
        comm.broadcast_bytes(rank, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    };
    let (first, second) = (say(0), say(other));
    Err(wrong(format!(
        "all ranks must call the same with the same values: rank 0 calls {first}, rank {other} calls {second}"
    )))
}
