//! The program as a user runs it, under `mpirun` and Slurm; see `docs/contributing/tests.md`.
mod bad_input;
mod campaign_kills;
mod cases;
mod checkpoint;
mod consistency;
mod constrain;
mod examples;
mod full_disk;
#[path = "../common/known.rs"]
mod known;
#[path = "../common/program.rs"]
mod program;
mod results;
