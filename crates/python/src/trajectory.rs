//! Layers for predictions of runs in time, with what the last repaired run was made with.
use crate::arrays::{Rows, plain};
use crate::errors::wrong;
use crate::held::Held;
use crate::layer::{Asked, constraint};
use crate::open::Open;
use crate::operators::vector;
use crate::parameters;
use crate::slot::Slot;
use petsc_rs::Vector;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::rc::Rc;
use tessera::experts::{Constraint, Cotangents, Frames, Tape, repair_step};
use tessera::parallel::Comm;
use tessera::physics::Context;
use tessera::simulation::Evolution;
use tessera::{Error, Result};

/// A layer for runs in time of Python's.
#[pyclass(unsendable, module = "tessera._native")]
pub struct Trajectory {
    slot: Rc<Slot<Layer>>,
    simulation: Rc<Slot<Open>>,
}

impl Drop for Trajectory {
    fn drop(&mut self) {
        self.slot.drop_object();
    }
}

/// The layer of the only problem.
struct Layer {
    constraint: Constraint,
    times: Vec<f64>,
    /// Whether predictions are of no account.
    is_exact: bool,
    last: Option<Last>,
}

struct Last {
    tape: Tape,
    start: Context,
    /// Whether the initial state was that of the deck.
    from_deck: bool,
}

type Array<'a, 'py> = &'a Bound<'py, PyAny>;
type Given<'a, 'py> = Option<&'a Bound<'py, PyDict>>;
/// The repaired states; worst imbalances before and after and iterations of each step.
type Run = (Vec<Rows>, [Rows; 3]);
/// Derivatives with respect to predictions, the initial state and parameters.
type Derivatives = (Vec<Rows>, Rows, Vec<f64>);

impl Trajectory {
    /// For the only problem of a simulation, with steps that end at these times. Collective.
    pub fn new(simulation: &Rc<Slot<Open>>, asked: &Asked, times: Vec<f64>) -> PyResult<Self> {
        let comm = simulation.look(|open| open.simulation.mesh.comm.split(0))?;
        let slot = Slot::new(comm, |_: &Comm| changed(simulation, |open| Layer::new(open, asked, times)))?;
        Ok(Self { slot, simulation: simulation.clone() })
    }
}

/// Changes the simulation from within work on a layer.
pub fn changed<R>(simulation: &Slot<Open>, work: impl FnOnce(&mut Open) -> Result<R>) -> Result<R> {
    let gone = |_| Error::Failed("the layer's simulation is closed or in use".into());
    simulation.change(work).map_err(gone)?
}

#[pymethods]
impl Trajectory {
    fn close(&self) {
        self.slot.close();
    }

    fn forward(
        &self,
        prediction: Vec<Bound<'_, PyAny>>,
        initial: Option<&Bound<'_, PyAny>>,
        given: Given,
        sample: u64,
        own: bool,
    ) -> PyResult<Run> {
        let (frames, is_given, words) = (prediction.len(), initial.is_some(), parameters::words(given));
        let words =
            format!("forward({words}, {frames} frames, initial={is_given}, sample={sample}, own={own})");
        self.slot.together(&words, |layer, comm| {
            changed(&self.simulation, |open| {
                let context = comm.agree(parameters::context(&open.simulation.deck, given))?;
                layer.forward(open, &prediction, initial, Context { sample, ..context }, own)
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
        let is_exact = asked.level == "exact";
        Ok(Self { constraint: constraint(open, asked)?.0, times, is_exact, last: None })
    }

    /// Repairs a prediction; none is needed where it is of no account. Collective.
    fn forward(
        &mut self,
        open: &mut Open,
        prediction: &[Bound<'_, PyAny>],
        initial: Option<Array>,
        context: Context,
        own: bool,
    ) -> Result<Run> {
        let states = match (prediction, self.is_exact) {
            ([], true) => None,
            ([], false) => {
                return Err(wrong("prediction: it may be left out at the level \"exact\" alone"));
            }
            (frames, _) => Some(vectors(open, frames, self.times.len(), own, "prediction")?),
        };
        let prediction = states.map(|states| Frames { times: self.times.clone(), states });
        let initial = initial.map(|array| vector(open, 0, array, own, "initial")).transpose()?;
        self.last = None;
        let context = begin(open, context, initial.as_ref())?;
        let simulation = &mut open.simulation;
        let time = simulation.deck.time.clone().expect("checked when it was made");
        let mut evolution = Evolution::start(simulation, &time, context.clone())?;
        let width = simulation.stages[0].space().components;
        let mut tape = Tape::default();
        let mut found = vec![open.orders[0].give(&simulation.stages[0].solution().read()?, width, own)?];
        let mut numbers = [Vec::new(), Vec::new(), Vec::new()];
        for end in &self.times[1..] {
            let predict = &mut |_: usize, time: f64, field: &mut Vector| match &prediction {
                Some(frames) => frames.at(time, field),
                None => Ok(()),
            };
            let (layers, tapes) =
                (std::slice::from_mut(&mut self.constraint), std::slice::from_mut(&mut tape));
            let (_, repairs) = repair_step(simulation, &mut evolution, layers, *end, predict, Some(tapes))?;
            let worst = |of: fn(&tessera::experts::Repair) -> f64| {
                repairs.iter().map(|r| of(&r.1)).fold(0.0, f64::max)
            };
            numbers[0].push(worst(|repair| repair.worst_before));
            numbers[1].push(worst(|repair| repair.worst_after));
            numbers[2].push(repairs.iter().map(|repair| repair.1.iterations as f64).sum());
            found.push(open.orders[0].give(&simulation.stages[0].solution().read()?, width, own)?);
        }
        open.context = evolution.context;
        self.last = Some(Last { tape, start: context, from_deck: initial.is_none() });
        Ok((found, numbers.map(|values| plain(values, 1))))
    }

    /// Pulls a cotangent of the last repaired run back to what it was made from. Collective.
    fn vjp(&mut self, open: &mut Open, cotangent: &[Bound<'_, PyAny>], own: bool) -> Result<Derivatives> {
        let Some(last) = &mut self.last else {
            let text = "call forward() first: vjp() is the derivative of the last repaired run";
            return Err(Error::Failed(text.into()));
        };
        let mut cotangents = vectors(open, cotangent, self.times.len(), own, "cotangent")?;
        open.simulation.random.draw(last.start.sample)?;
        let problem = open.simulation.stages[0].problem.clone();
        let states = cotangents.split_off(1);
        let cotangents = Cotangents { initial: cotangents.first(), states: &states, residuals: None };
        let mut pulled = last.tape.pull_back_all(&mut self.constraint, &problem, &cotangents)?;
        // Of the level `none` there are none.
        let count = open.simulation.deck.parameters.len();
        pulled.parameters.resize(count, 0.0);
        if last.from_deck {
            for (parameter, sum) in pulled.parameters.iter_mut().enumerate() {
                *sum += pulled.initial.dot(&open.simulation.initial_slope(0, &last.start, parameter)?)?;
            }
        }
        let space = &problem.space;
        let frames = Frames { times: self.times.clone(), states: Vec::new() };
        let mut sums: Vec<Vector> = self.times.iter().map(|_| space.field()).collect::<Result<_>>()?;
        for (time, cotangent) in &pulled.predictions {
            frames.pull_back(*time, cotangent, &mut sums)?;
        }
        let give = |vector: &Vector| open.orders[0].give(&vector.read()?, space.components, own);
        let predictions = sums.iter().map(give).collect::<Result<_>>()?;
        Ok((predictions, give(&pulled.initial)?, pulled.parameters))
    }
}

/// Whether the deck is one of a run in time of one physics, and the times are those of its steps. Local.
pub fn checked_times(open: &Open, times: &[f64]) -> Result<()> {
    let deck = &open.simulation.deck;
    let Some(time) = &deck.time else {
        let text = "trajectory() and window() make layers for runs in time, and this deck has no [time]: take constraint()";
        return Err(Error::Failed(text.into()));
    };
    let [stage] = &open.simulation.stages[..] else {
        let text =
            format!("trajectory() and window() are for decks with one physics, found {}", deck.physics.len());
        return Err(Error::Failed(text));
    };
    if !stage.problem.evolves() {
        let text = format!("{}: it has no time derivative", stage.problem.name);
        return Err(Error::Failed(text));
    }
    let ascends = |pair: &[f64]| pair[0] < pair[1];
    if times.len() < 2 || !times.windows(2).all(ascends) {
        return Err(wrong(format!("times: expected two numbers at least, ascending, found {times:?}")));
    }
    if (times[0] - time.start).abs() > 1e-12 * time.end.abs() {
        let (found, expected) = (times[0], time.start);
        return Err(wrong(format!(
            "times: expected the first one to be the start, {expected} s, found {found}"
        )));
    }
    Ok(())
}

/// Sets a run in time to its beginning: the deck's initial state, or another one. With the context there. Collective.
pub fn begin(open: &mut Open, context: Context, initial: Option<&Vector>) -> Result<Context> {
    open.is_solved = false;
    let simulation = &mut open.simulation;
    let start = simulation.deck.time.as_ref().expect("checked when the layer was made").start;
    let context = Context { time: start, ..context };
    simulation.reset(&context)?;
    if let Some(initial) = initial {
        simulation.stages[0].set_conditions(&context)?;
        simulation.stages[0].set_solution(&initial.read()?)?;
    }
    Ok(context)
}

/// As many fields as there are times. Collective.
pub fn vectors(
    open: &Open,
    frames: &[Bound<'_, PyAny>],
    count: usize,
    own: bool,
    what: &str,
) -> Result<Vec<Vector>> {
    let found = frames.len();
    if found != count {
        return Err(wrong(format!("{what}: expected {count} frames, found {found}")));
    }
    frames
        .iter()
        .enumerate()
        .map(|(number, array)| vector(open, 0, array, own, &format!("{what}, frame {number}")))
        .collect()
}
