//! The native half of the Python package `tessera`: decks, simulations and reduced models as opaque objects, their fields
//! as NumPy arrays. `python/tessera` gives it its face.
//!
//! Whatever is called on a simulation is called by all ranks of its communicator. A fault of any of them becomes an
//! exception on all, and calls that differ between ranks are refused: nobody waits for ranks that are elsewhere.
mod arrays;
mod choices;
mod constraint;
mod deck;
mod errors;
mod evolution;
mod gradients;
mod held;
mod layer;
mod model;
mod open;
mod operators;
mod parameters;
mod session;
mod simulation;
mod slot;
mod trajectory;
mod window;

use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<deck::Deck>()?;
    module.add_class::<simulation::Simulation>()?;
    module.add_class::<constraint::Constraint>()?;
    module.add_class::<trajectory::Trajectory>()?;
    module.add_class::<window::Window>()?;
    module.add_class::<model::Model>()?;
    module.add_function(wrap_pyfunction!(session::finalize, module)?)?;
    module.add_function(wrap_pyfunction!(session::failed, module)?)?;
    module.add_function(wrap_pyfunction!(session::mpi_library, module)?)?;
    module.add("Error", module.py().get_type::<errors::Error>())?;
    module.add("InputError", module.py().get_type::<errors::InputError>())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
