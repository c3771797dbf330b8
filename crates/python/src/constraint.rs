//! Constraint layers as Python sees them.
use crate::held::Held;
use crate::layer::{Asked, Derivatives, Layer, Repaired};
use crate::open::Open;
use crate::parameters;
use crate::slot::Slot;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::rc::Rc;
use tessera::parallel::Comm;
use tessera::{Error, Result};

/// A constraint layer of Python's.
#[pyclass(unsendable, module = "tessera._native")]
pub struct Constraint {
    slot: Rc<Slot<Layer>>,
    simulation: Rc<Slot<Open>>,
}

impl Drop for Constraint {
    fn drop(&mut self) {
        self.slot.drop_object();
    }
}

impl Constraint {
    /// For a problem of a simulation. Collective.
    pub fn new(simulation: &Rc<Slot<Open>>, asked: &Asked) -> PyResult<Self> {
        let comm = simulation.look(|open| open.simulation.mesh.comm.split(0))?;
        let slot = Slot::new(comm, |_: &Comm| looked(simulation, |open| Layer::new(open, asked)))?;
        Ok(Self { slot, simulation: simulation.clone() })
    }
}

/// Looks at the simulation from within work on a layer.
fn looked<R>(simulation: &Slot<Open>, work: impl FnOnce(&Open) -> Result<R>) -> Result<R> {
    let gone = |_| Error::Failed("the layer's simulation is closed or in use".into());
    simulation.look(work).map_err(gone)?
}

#[pymethods]
impl Constraint {
    fn close(&self) {
        self.slot.close();
    }

    fn forward(
        &self,
        prediction: &Bound<'_, PyAny>,
        given: Option<&Bound<'_, PyDict>>,
        known: Vec<f64>,
        own: bool,
    ) -> PyResult<Repaired> {
        let words = format!("forward({}, known={known:?}, own={own})", parameters::words(given));
        self.slot.together(&words, |layer, _| {
            looked(&self.simulation, |open| layer.forward(open, prediction, given, &known, own))
        })
    }

    fn vjp(&self, cotangent: &Bound<'_, PyAny>, own: bool) -> PyResult<Derivatives> {
        self.slot.together(&format!("vjp(own={own})"), |layer, _| {
            looked(&self.simulation, |open| layer.vjp(open, cotangent, own))
        })
    }
}
