//! All tests that run under MPI, a module a capability; see `docs/contributing/tests.md`.
//!
//! `cargo test --release --test mpi flow` runs one of them, `... flow::kovasznay` one test.
#[path = "../common/mod.rs"]
mod common;

/// Declares the modules and runs their suites under their names.
macro_rules! capabilities {
    ($($name:ident)*) => {
        $(mod $name;)*

        fn main() -> std::process::ExitCode {
            common::mpi_main(&[$((stringify!($name), $name::SUITES)),*])
        }
    };
}

capabilities! {
    adaptive
    balances
    bases
    campaign_flow
    campaign_groups
    campaign_in_time
    campaign_speed
    campaign_steps
    constrain
    constrain_estimates
    constrain_in_time
    constrain_known_in_time
    constrain_windows
    convergence
    dictionary
    evolution
    experts
    flow
    grid_export
    guarded
    kept_interpolation
    known_values
    learning
    learning_in_time
    mesh
    mesh_gmsh
    mesh_hdf5
    nnls
    p_multigrid
    periodic
    points
    random_fields
    recycle
    report
    rom
    rom_blade
    rom_campaign
    sampled
    scales
    sensitivities
    spaces
    storage
    supports
    storage_xdmf
    tangents
    tuning
    uncertainty
    verified
    viscoplasticity
}
