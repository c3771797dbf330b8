//! Scatters, star forests and sections.
use crate::Test;
use mpi::collective::SystemOperation;
use mpi::topology::SimpleCommunicator;
use mpi::traits::*;
use petsc_rs::*;

pub const TESTS: &[Test] = &[
    ("scatter_between_ranks", scatter_between_ranks),
    ("scatter_to_all_and_zero", scatter_to_all_and_zero),
    ("star_forest", star_forest),
    ("section", section),
];

/// Three entries a rank, numbered by themselves.
fn numbered(comm: &SimpleCommunicator) -> Vector {
    let mut v = Vector::new(comm, 3, 1).unwrap();
    let first = v.range().start;
    v.write().unwrap().iter_mut().enumerate().for_each(|(i, x)| *x = (first + i) as f64);
    v
}

fn scatter_between_ranks(comm: &SimpleCommunicator) {
    let x = numbered(comm);
    let (rank, size) = (comm.rank(), comm.size());
    let next = 3 * ((rank + 1) % size);
    // The first two entries of the next rank, in reverse, on this one.
    let from = IndexSet::new(comm, &[next + 1, next]).unwrap();
    let mut y = Vector::new(comm, 2, 1).unwrap();
    let scatter = Scatter::new(&x, Some(&from), &y, None).unwrap();
    scatter.forward(&x, &mut y).unwrap();
    assert_eq!(*y.read().unwrap(), [f64::from(next + 1), f64::from(next)]);
    scatter.forward_add(&x, &mut y).unwrap();
    assert_eq!(y.read().unwrap()[0], f64::from(2 * (next + 1)));
    let mut z = x.duplicate().unwrap();
    z.set(1.0).unwrap();
    scatter.reverse_add(&y, &mut z).unwrap();
    let mine = f64::from(3 * rank);
    assert_eq!(*z.read().unwrap(), [1.0 + 2.0 * mine, 1.0 + 2.0 * (mine + 1.0), 1.0]);
    scatter.reverse(&y, &mut z).unwrap();
    assert_eq!(z.read().unwrap()[0], 2.0 * mine);
    assert!(scatter.forward(&y, &mut z).is_err());
    // Into a vector of this rank alone.
    let me = SimpleCommunicator::self_comm();
    let mut local = Vector::new(&me, 2, 1).unwrap();
    let scatter = Scatter::new(&x, Some(&from), &local, None).unwrap();
    scatter.forward(&x, &mut local).unwrap();
    assert_eq!(*local.read().unwrap(), [f64::from(next + 1), f64::from(next)]);
}

fn scatter_to_all_and_zero(comm: &SimpleCommunicator) {
    let x = numbered(comm);
    let expected: Vec<f64> = (0..x.global_size()).map(|i| i as f64).collect();
    let (scatter, mut y) = Scatter::to_all(&x).unwrap();
    scatter.forward(&x, &mut y).unwrap();
    assert_eq!(*y.read().unwrap(), expected[..]);
    let (scatter, mut y) = Scatter::to_zero(&x).unwrap();
    scatter.forward(&x, &mut y).unwrap();
    assert_eq!(*y.read().unwrap(), if comm.rank() == 0 { expected } else { vec![] }[..]);
}

fn star_forest(comm: &SimpleCommunicator) {
    let (rank, size) = (comm.rank(), comm.size());
    // Two roots a rank; leaf 1 copies root 0 of the next rank, leaf 3 copies root 1 of rank 0.
    let next = (rank + 1) % size;
    let leaves = [Leaf { local: 1, rank: next, root: 0 }, Leaf { local: 3, rank: 0, root: 1 }];
    let forest = StarForest::new(comm, 2, &leaves).unwrap();
    assert_eq!(forest.graph().unwrap(), (2, leaves.to_vec()));
    assert_eq!(forest.degrees().unwrap(), [1, if rank == 0 { size } else { 0 }]);
    let mut copies = [-1.0; 4];
    forest.broadcast(&[f64::from(10 * rank), f64::from(10 * rank + 1)], &mut copies).unwrap();
    assert_eq!(copies, [-1.0, f64::from(10 * next), -1.0, 1.0]);
    let mut roots = [5i32, 5];
    forest.reduce(&[9, 1, 9, rank], &mut roots, SystemOperation::sum()).unwrap();
    assert_eq!(roots, [6, if rank == 0 { 5 + size * (size - 1) / 2 } else { 5 }]);
    let mut roots = [0u64, 0];
    forest.reduce(&[9, 1, 9, rank as u64], &mut roots, SystemOperation::max()).unwrap();
    assert_eq!(roots[1], if rank == 0 { size as u64 - 1 } else { 0 });
    assert!(forest.broadcast(&[1.0, 2.0], &mut [0.0; 3]).is_err());
    let twice = [Leaf { local: 0, rank, root: 0 }, Leaf { local: 0, rank, root: 1 }];
    assert!(StarForest::new(comm, 2, &twice).is_err());
    // No leaves at all.
    StarForest::new(comm, 0, &[]).unwrap().broadcast::<i32>(&[], &mut []).unwrap();
}

fn section(comm: &SimpleCommunicator) {
    let section = Section::new(comm, 10, &[2, 0, 3]).unwrap();
    assert_eq!(section.chart().unwrap(), 10..13);
    assert_eq!((section.dof(12).unwrap(), section.offset(12).unwrap()), (3, 2));
    assert_eq!(section.storage_size().unwrap(), 5);
    assert!(section.dof(13).is_err() && section.offset(9).is_err());
    assert!(Section::new(comm, 0, &[1, -1]).is_err());
    assert!(section.fields().unwrap().is_empty());
    let fields = [("velocity", 2, &[2, 2, 0][..]), ("pressure", 1, &[1, 0, 1][..])];
    let section = Section::with_fields(comm, 0, &fields).unwrap();
    assert_eq!(section.fields().unwrap(), ["velocity", "pressure"]);
    assert_eq!(section.field(0, 1).unwrap(), (1, 2));
    assert_eq!(section.field(2, 1).unwrap(), (1, 5));
    assert_eq!(section.storage_size().unwrap(), 6);
    assert!(section.field(0, 2).is_err());
    assert!(Section::with_fields(comm, 0, &[("a", 1, &[1]), ("b", 1, &[])]).is_err());
}
