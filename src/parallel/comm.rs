//! Communicators, and blocks of numbers.
use crate::{Diagnostic, Error, Result};
use mpi::Threading;
use mpi::collective::SystemOperation;
use mpi::datatype::{Partition, PartitionMut};
use mpi::environment::Universe;
use mpi::topology::{Color, SimpleCommunicator};
use mpi::traits::*;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// For so long a rank with an error waits for the others before it ends them.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts MPI so that all of its libraries may use it; `None` when it runs already.
///
/// PT-Scotch calls MPI from several threads and can hang below `MPI_THREAD_MULTIPLE`.
pub fn initialize() -> Option<Universe> {
    mpi::initialize_with_threading(Threading::Multiple).map(|(universe, _)| universe)
}

/// A communicator that can be kept by whoever needs it.
#[derive(Clone)]
pub struct Comm(Rc<SimpleCommunicator>);

impl Comm {
    /// Shares a communicator of rsmpi.
    pub fn new(communicator: SimpleCommunicator) -> Self {
        Self(Rc::new(communicator))
    }

    /// The rsmpi communicator, for PETSc, HDF5 and point-to-point messages.
    pub fn mpi(&self) -> &SimpleCommunicator {
        &self.0
    }

    /// The ranks that give the same number, in their present order.
    pub fn split(&self, number: usize) -> Self {
        let group = self.0.split_by_color(Color::with_value(number as i32));
        Self::new(group.expect("a rank with a colour has a group"))
    }

    /// This rank's share of the processors of its node: those it is bound to, or an equal part when the
    /// ranks are not bound.
    pub fn share_of_processors(&self) -> usize {
        let mine = std::thread::available_parallelism().map_or(1, usize::from);
        let ranks = self.0.split_shared(self.0.rank()).size() as usize;
        let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let all = cpus.lines().filter(|line| line.starts_with("processor")).count().max(mine);
        if mine * ranks <= all { mine } else { (all / ranks).max(1) }
    }

    /// This process's number, from 0. Local.
    pub fn rank(&self) -> usize {
        self.0.rank() as usize
    }

    /// A rank's share of the memory that is free on its node, bytes, the least of all ranks; `None` where the system does
    /// not say. Collective.
    pub fn share_of_memory(&self) -> Option<u64> {
        let ranks = self.0.split_shared(self.0.rank()).size() as u64;
        let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
        let kilobytes =
            line.and_then(|line| line.split_whitespace().next()).and_then(|n| n.parse::<u64>().ok());
        let least = self.min(kilobytes.map_or(u64::MAX, |kilobytes| kilobytes * 1024 / ranks));
        (least != u64::MAX).then_some(least)
    }

    /// The number of processes. Local.
    pub fn size(&self) -> usize {
        self.0.size() as usize
    }

    /// Waits for all.
    pub fn barrier(&self) {
        self.0.barrier();
    }

    /// Sum over ranks.
    pub fn sum<T: Equivalence + Copy + Default>(&self, value: T) -> T {
        self.reduce(value, SystemOperation::sum())
    }

    /// Largest value over ranks.
    pub fn max<T: Equivalence + Copy + Default>(&self, value: T) -> T {
        self.reduce(value, SystemOperation::max())
    }

    /// Smallest value over ranks.
    pub fn min<T: Equivalence + Copy + Default>(&self, value: T) -> T {
        self.reduce(value, SystemOperation::min())
    }

    fn reduce<T: Equivalence + Copy + Default>(&self, value: T, operation: SystemOperation) -> T {
        let mut result = T::default();
        self.0.all_reduce_into(&value, &mut result, operation);
        result
    }

    /// Element-wise sum over ranks, in place.
    pub fn sum_into(&self, values: &mut [f64]) {
        let mine = values.to_vec();
        self.0.all_reduce_into(&mine[..], values, SystemOperation::sum());
    }

    /// Sum of `value` over the lower ranks (0 on rank 0).
    pub fn exclusive_sum(&self, value: u64) -> u64 {
        let mut result = 0;
        self.0.exclusive_scan_into(&value, &mut result, SystemOperation::sum());
        if self.rank() == 0 { 0 } else { result }
    }

    /// Every rank's value, by rank.
    pub fn all_gather<T: Equivalence + Copy + Default>(&self, value: T) -> Vec<T> {
        let mut values = vec![T::default(); self.size()];
        self.0.all_gather_into(&value, &mut values[..]);
        values
    }

    /// Every rank's values, one after the other in rank order. For small lists only.
    pub fn all_gather_varied<T: Equivalence + Copy + Default>(&self, values: &[T]) -> Vec<T> {
        let counts: Vec<i32> = self.all_gather(values.len() as i32);
        let offsets = offsets(&counts);
        let total: usize = counts.iter().map(|&c| c as usize).sum();
        let (spare, mut all) = (spare::<T>(), vec![T::default(); total.max(1)]);
        let mut partition = PartitionMut::new(&mut all[..], counts, offsets);
        self.0.all_gather_varcount_into(if values.is_empty() { &spare[..0] } else { values }, &mut partition);
        all.truncate(total);
        all
    }

    /// Rank `root`'s bytes on every rank.
    pub fn broadcast_bytes(&self, root: usize, bytes: &mut Vec<u8>) {
        let process = self.0.process_at_rank(root as i32);
        let mut length = bytes.len() as u64;
        process.broadcast_into(&mut length);
        bytes.resize(length as usize, 0);
        process.broadcast_into(&mut bytes[..]);
    }

    /// Sends `parts[r]` to rank `r`; returns what every rank sent here, by rank.
    pub fn exchange<T: Equivalence + Copy + Default>(&self, parts: &[Vec<T>]) -> Vec<Vec<T>> {
        debug_assert_eq!(parts.len(), self.size());
        let counts: Vec<i32> = parts.iter().map(|p| p.len() as i32).collect();
        let (values, received) = self.exchange_flat(&parts.concat(), &counts);
        let mut rest = &values[..];
        received
            .iter()
            .map(|&count| {
                let (head, tail) = rest.split_at(count as usize);
                rest = tail;
                head.to_vec()
            })
            .collect()
    }

    /// As [`Comm::exchange`] on one array with `counts[r]` entries for rank `r`; returns the
    /// received array and the counts by source rank.
    pub fn exchange_flat<T: Equivalence + Copy + Default>(
        &self,
        values: &[T],
        counts: &[i32],
    ) -> (Vec<T>, Vec<i32>) {
        let mut received = vec![0i32; self.size()];
        self.0.all_to_all_into(counts, &mut received[..]);
        let total: usize = received.iter().map(|&c| c as usize).sum();
        let (spare, mut result) = (spare::<T>(), vec![T::default(); total.max(1)]);
        let values = if values.is_empty() { &spare[..0] } else { values };
        {
            let send = Partition::new(values, counts.to_vec(), offsets(counts));
            let mut receive = PartitionMut::new(&mut result[..], received.clone(), offsets(&received));
            self.0.all_to_all_varcount_into(&send, &mut receive);
        }
        result.truncate(total);
        (result, received)
    }

    /// Waits for all ranks. One with an error that waits in vain, as the others wait for it in the middle of something, says
    /// so and ends all of them, after `last`.
    pub fn meet(&self, error: Option<&Error>, last: impl FnOnce()) {
        let mut request = self.0.immediate_barrier();
        let Some(error) = error else {
            request.wait();
            return;
        };
        // Should there be several, the first speaks for all.
        let patience = PATIENCE + Duration::from_millis(100) * self.rank().min(100) as u32;
        let start = Instant::now();
        while let Err(pending) = request.test() {
            if start.elapsed() > patience {
                last();
                crate::error::tell(format_args!("error: rank {} failed alone: {error}", self.rank()));
                self.0.abort(error.exit_code());
            }
            request = pending;
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Makes a failure on any rank a failure on all, with the message of the lowest failing rank.
    ///
    /// # Errors
    /// That of the lowest rank that failed.
    pub fn agree<T>(&self, result: Result<T>) -> Result<T> {
        let mine = if result.is_err() { self.rank() } else { self.size() };
        let first = self.min(mine as u64) as usize;
        if first == self.size() {
            return result;
        }
        let mut bytes = match &result {
            Err(error) if self.rank() == first => encode(error),
            _ => Vec::new(),
        };
        self.broadcast_bytes(first, &mut bytes);
        // The others know its words.
        if self.rank() == first { result } else { Err(decode(&bytes)) }
    }
}

fn offsets(counts: &[i32]) -> Vec<i32> {
    counts
        .iter()
        .scan(0, |sum, &count| {
            let start = *sum;
            *sum += count;
            Some(start)
        })
        .collect()
}

type Message = (u8, Vec<(String, Option<(usize, usize)>, String, String)>);

/// Errors travel as JSON: kind and text, diagnostics as tuples.
fn encode(error: &Error) -> Vec<u8> {
    let (kind, texts): Message = match error {
        Error::Input(list) => {
            (0, list.iter().map(|d| (d.file.clone(), d.position, d.key.clone(), d.message.clone())).collect())
        }
        Error::Failed(text) => (1, vec![(String::new(), None, String::new(), text.clone())]),
        Error::Petsc(text) => (2, vec![(String::new(), None, String::new(), text.to_string())]),
        Error::Storage(text) => (3, vec![(String::new(), None, String::new(), text.to_string())]),
        Error::Stopped(text) => (4, vec![(String::new(), None, String::new(), text.clone())]),
    };
    serde_json::to_vec(&(kind, texts)).unwrap_or_default()
}

fn decode(bytes: &[u8]) -> Error {
    let Ok((kind, mut texts)) = serde_json::from_slice::<Message>(bytes) else {
        return Error::Failed("a rank failed without a readable message".into());
    };
    if kind == 0 {
        return Error::Input(
            texts
                .into_iter()
                .map(|(file, position, key, message)| Diagnostic { file, position, key, message })
                .collect(),
        );
    }
    let text = texts.pop().map(|t| t.3).unwrap_or_default();
    match kind {
        2 => Error::petsc(text),
        3 => Error::storage(text),
        4 => Error::Stopped(text),
        _ => Error::Failed(text),
    }
}

/// What stands for an empty list: the address of an empty list of bytes is 1, which Open MPI takes for `MPI_IN_PLACE`.
fn spare<T: Default>() -> [T; 1] {
    [T::default()]
}

/// The canonical indices that rank `rank` of `size` holds when `total` are dealt out in equal blocks.
pub fn block(total: u64, size: usize, rank: usize) -> Range<u64> {
    let (size, rank) = (size as u64, rank as u64);
    let share = total / size;
    let extra = total % size;
    let start = rank * share + rank.min(extra);
    start..start + share + u64::from(rank < extra)
}

/// The rank whose [`block`] holds `index`.
pub fn block_owner(total: u64, size: usize, index: u64) -> usize {
    let share = total / size as u64;
    let extra = total % size as u64;
    let wide = (share + 1) * extra;
    if index < wide {
        (index / (share + 1)) as usize
    } else {
        (extra + (index - wide) / share.max(1)) as usize
    }
}
