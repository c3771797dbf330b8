//! Counters that any rank reads and changes at any moment, without the others taking part.
use crate::error::{Error, Result};
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use mpi::{Tag, Threading};
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The rank that holds the numbers.
const HOME: i32 = 0;
const REQUEST: Tag = 1;
const ANSWER: Tag = 2;
/// In place of a counter: this rank has no more requests.
const END: i64 = -1;
/// Time between two looks for requests: short beside any task worth counting, long beside a look.
const NAP: Duration = Duration::from_micros(200);

/// Numbers on rank 0 that every rank adds to. A thread of rank 0 answers, so that nobody waits for what rank 0 computes.
///
/// One-sided messages (`MPI_Fetch_and_op`) would do without the thread, but Open MPI 4 refuses them to programs with
/// threads on networks without remote direct memory access, and on others rank 0 may answer only when it calls MPI.
pub struct Counters {
    numbers: Arc<Vec<AtomicI64>>,
    place: Place,
}

enum Place {
    /// Rank 0, with its thread if there are other ranks.
    Home(Option<Server>),
    /// Another rank. The communicator is leaked unless all ranks end together.
    Away(ManuallyDrop<SimpleCommunicator>),
}

struct Server {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Portable>>,
}

/// A communicator on its way to another thread.
struct Portable(SimpleCommunicator);

// SAFETY: made only where MPI grants MPI_THREAD_MULTIPLE, under which any thread may use any communicator.
unsafe impl Send for Portable {}

impl Counters {
    /// Makes `count` numbers, all 0. Collective.
    ///
    /// # Errors
    /// On several ranks when MPI does not allow threads to communicate.
    pub fn new(comm: &SimpleCommunicator, count: usize) -> Result<Self> {
        let numbers: Arc<Vec<AtomicI64>> = Arc::new((0..count).map(|_| AtomicI64::new(0)).collect());
        if comm.size() == 1 {
            return Ok(Self { numbers, place: Place::Home(None) });
        }
        if mpi::environment::threading_support() < Threading::Multiple {
            return Err(Error::user("this MPI does not let threads communicate (MPI_THREAD_MULTIPLE)"));
        }
        // Messages of its own.
        let own = comm.duplicate();
        if comm.rank() != HOME {
            return Ok(Self { numbers, place: Place::Away(ManuallyDrop::new(own)) });
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (here, stopped, own) = (numbers.clone(), stop.clone(), Portable(own));
        let thread = std::thread::spawn(move || serve(own, &here, &stopped));
        Ok(Self { numbers, place: Place::Home(Some(Server { stop, thread: Some(thread) })) })
    }

    /// Adds `value` to a number and returns what it was before; with 0, reads it. Local, apart from the thread's answer.
    ///
    /// # Errors
    /// When there is no such number.
    pub fn add(&self, index: usize, value: i64) -> Result<i64> {
        let number =
            self.numbers.get(index).ok_or_else(|| Error::argument(format!("there is no counter {index}")))?;
        match &self.place {
            Place::Home(_) => Ok(number.fetch_add(value, Ordering::Relaxed)),
            Place::Away(comm) => {
                let home = comm.process_at_rank(HOME);
                home.send_with_tag(&[index as i64, value][..], REQUEST);
                Ok(home.receive_with_tag::<i64>(ANSWER).0)
            }
        }
    }

    /// Ends the thread when all ranks have called this. Collective; counters that are dropped instead are leaked, because
    /// a rank that has failed alone must not wait for the others.
    ///
    /// # Errors
    /// When the thread has failed.
    pub fn free(self) -> Result<()> {
        match self.place {
            Place::Home(None) => {}
            Place::Home(Some(mut server)) => {
                if let Some(thread) = server.thread.take() {
                    drop(thread.join().map_err(|_| Error::user("the thread of the counters has failed"))?);
                }
            }
            Place::Away(comm) => {
                comm.process_at_rank(HOME).send_with_tag(&[END, 0][..], REQUEST);
                drop(ManuallyDrop::into_inner(comm));
            }
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(Ok(comm)) = self.thread.take().map(JoinHandle::join) {
            std::mem::forget(comm);
        }
    }
}

/// Answers until all other ranks have ended, or until it is told to stop.
fn serve(comm: Portable, numbers: &[AtomicI64], stop: &AtomicBool) -> Portable {
    let mut active = comm.0.size() - 1;
    while active > 0 && !stop.load(Ordering::Relaxed) {
        let Some((message, status)) = comm.0.any_process().immediate_matched_probe_with_tag(REQUEST) else {
            std::thread::sleep(NAP);
            continue;
        };
        let mut request = [0i64; 2];
        message.matched_receive_into(&mut request[..]);
        let [index, value] = request;
        if index == END {
            active -= 1;
        } else {
            let before = numbers[index as usize].fetch_add(value, Ordering::Relaxed);
            comm.0.process_at_rank(status.source_rank()).send_with_tag(&before, ANSWER);
        }
    }
    comm
}
