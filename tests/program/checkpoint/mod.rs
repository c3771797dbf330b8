//! Checkpoints: restarts give the answer of an uninterrupted run, on any number of ranks, after whatever fault.
mod array;
mod cluster;
mod damage;
mod decks;
mod disks;
mod equality;
mod kills;
mod slurm;
mod stops;
