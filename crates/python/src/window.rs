//! Layers that repair all steps of a run in time at once.
use crate::arrays::{Rows, plain};
use crate::held::Held;
use crate::layer::{Asked, constraint};
use crate::open::Open;
use crate::operators::vector;
use crate::parameters;
use crate::slot::Slot;
use crate::trajectory::{begin, changed, checked_times, vectors};
use petsc_rs::Vector;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::rc::Rc;
use tessera::experts::{Constraint, Frames, WindowRun};
use tessera::mixture::Columns;
use tessera::parallel::Comm;
use tessera::physics::Context;
use tessera::{Error, Result};

/// A layer for windows of steps of Python's.
#[pyclass(unsendable, module = "tessera._native")]
pub struct Window {
    slot: Rc<Slot<Layer>>,
    simulation: Rc<Slot<Open>>,
}

impl Drop for Window {
    fn drop(&mut self) {
        self.slot.drop_object();
    }
}

struct Layer {
    constraint: Constraint,
    /// Of the level `exact`, for steps that have to be taken.
    full: Constraint,
    times: Vec<f64>,
    last: Option<Last>,
}

struct Last {
    run: WindowRun,
    start: Context,
    functions: Columns,
    from_deck: bool,
}

type Array<'a, 'py> = &'a Bound<'py, PyAny>;
type Given<'a, 'py> = Option<&'a Bound<'py, PyDict>>;
/// The repaired states; lengths of every expert's rows before and after; iterations and the largest jump.
type Run = (Vec<Rows>, Rows, (usize, f64));
/// Derivatives with respect to predictions, functions, the initial state and parameters.
type Derivatives = (Vec<Rows>, Vec<Vec<Rows>>, Rows, Vec<f64>);

impl Window {
    /// For the only problem of a simulation, with steps that end at these times. Collective.
    pub fn new(simulation: &Rc<Slot<Open>>, asked: &Asked, times: Vec<f64>) -> PyResult<Self> {
        let comm = simulation.look(|open| open.simulation.mesh.comm.split(0))?;
        let slot = Slot::new(comm, |_: &Comm| changed(simulation, |open| Layer::new(open, asked, times)))?;
        Ok(Self { slot, simulation: simulation.clone() })
    }
}

#[pymethods]
impl Window {
    fn close(&self) {
        self.slot.close();
    }

    fn forward(
        &self,
        prediction: Vec<Bound<'_, PyAny>>,
        functions: Vec<Vec<Bound<'_, PyAny>>>,
        initial: Option<&Bound<'_, PyAny>>,
        given: Given,
        sample: u64,
        own: bool,
    ) -> PyResult<Run> {
        let (frames, count, is_given) = (prediction.len(), functions.len(), initial.is_some());
        let words = parameters::words(given);
        let words = format!(
            "forward({words}, {frames} frames, {count} functions, initial={is_given}, sample={sample}, own={own})"
        );
        self.slot.together(&words, |layer, comm| {
            changed(&self.simulation, |open| {
                let context = comm.agree(parameters::context(&open.simulation.deck, given))?;
                let context = Context { sample, ..context };
                layer.forward(open, (&prediction, &functions), initial, context, own)
            })
        })
    }

    fn vjp(&self, cotangent: Vec<Bound<'_, PyAny>>, own: bool) -> PyResult<Derivatives> {
        let words = format!("vjp({} frames, own={own})", cotangent.len());
        self.slot
            .together(&words, |layer, _| changed(&self.simulation, |open| layer.vjp(open, &cotangent, own)))
    }
}

impl Layer {
    fn new(open: &Open, asked: &Asked, times: Vec<f64>) -> Result<Self> {
        checked_times(open, &times)?;
        let full = Asked { level: "exact", norm: None, ..*asked };
        let (constraint, full) = (constraint(open, asked)?.0, constraint(open, &full)?.0);
        Ok(Self { constraint, full, times, last: None })
    }

    fn forward(
        &mut self,
        open: &mut Open,
        (prediction, functions): (&[Bound<'_, PyAny>], &[Vec<Bound<'_, PyAny>>]),
        initial: Option<Array>,
        context: Context,
        own: bool,
    ) -> Result<Run> {
        let states = vectors(open, prediction, self.times.len(), own, "prediction")?;
        let prediction = Frames { times: self.times.clone(), states };
        let space = open.simulation.stages[0].space().clone();
        let mut columns = Columns::new(&space.mesh.comm, (self.times.len() - 1) * space.owned_dofs());
        for (number, function) in functions.iter().enumerate() {
            let what = format!("function {number}");
            let fields = vectors(open, function, self.times.len() - 1, own, &what)?;
            let mut column = Vec::with_capacity(columns.rows());
            for field in &fields {
                column.extend_from_slice(&field.read()?);
            }
            columns.push(&column);
        }
        let initial = initial.map(|array| vector(open, 0, array, own, "initial")).transpose()?;
        self.last = None;
        let context = begin(open, context, initial.as_ref())?;
        let simulation = &mut open.simulation;
        let layers = [&mut self.constraint, &mut self.full];
        let (run, states) = WindowRun::repair(simulation, &context, layers, &prediction, &columns)?;
        open.context = Context { time: self.times[self.times.len() - 1], ..context.clone() };
        let give = |vector: &Vector| open.orders[0].give(&vector.read()?, space.components, own);
        let states = states.iter().map(give).collect::<Result<_>>()?;
        let least = space.mesh.comm.all_gather_varied(&run.repair.least.concat());
        let numbers = (run.repair.iterations, run.repair.jump);
        self.last = Some(Last { run, start: context, functions: columns, from_deck: initial.is_none() });
        Ok((states, plain(least, 2), numbers))
    }

    fn vjp(&mut self, open: &mut Open, cotangent: &[Bound<'_, PyAny>], own: bool) -> Result<Derivatives> {
        let Some(last) = &mut self.last else {
            let text = "call forward() first: vjp() is the derivative of the last repaired run";
            return Err(Error::Failed(text.into()));
        };
        let cotangents = vectors(open, cotangent, self.times.len(), own, "cotangent")?;
        open.simulation.random.draw(last.start.sample)?;
        let problem = open.simulation.stages[0].problem.clone();
        let layers = [&mut self.constraint, &mut self.full];
        let mut pulled = last.run.pull_back(layers, &problem, &last.functions, &cotangents)?;
        if last.from_deck {
            for (parameter, sum) in pulled.parameters.iter_mut().enumerate() {
                *sum += pulled.initial.dot(&open.simulation.initial_slope(0, &last.start, parameter)?)?;
            }
        }
        let space = &problem.space;
        let (c, owned) = (space.components, space.owned_dofs());
        let give = |values: &[f64]| open.orders[0].give(values, c, own);
        let predictions =
            pulled.predictions.iter().map(|vector| give(&vector.read()?)).collect::<Result<_>>()?;
        let steps = self.times.len() - 1;
        let of =
            |column: &[f64]| (0..steps).map(|n| give(&column[n * owned..][..owned])).collect::<Result<_>>();
        let functions = pulled.functions.iter().map(of).collect::<Result<_>>()?;
        Ok((predictions, functions, give(&pulled.initial.read()?)?, pulled.parameters))
    }
}
