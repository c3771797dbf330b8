//! Runs in time that are one window of steps, with their derivatives.
use super::constraint::Constraint;
use super::ports::{StepEquations, WindowRepair};
use super::trajectory::{Cotangents, Frames, Tape, repair_step};
use crate::mixture::Columns;
use crate::physics::{Context, Problem};
use crate::simulation::{Evolution, Simulation};
use crate::{Error, Result};
use petsc_rs::Vector;
use std::rc::Rc;

/// A repaired run, and what its derivative needs. Steps at its beginning that are several equations, as the first of `bdf2` is,
/// were taken in full.
pub struct WindowRun {
    equations: StepEquations,
    /// The states before the window.
    known: Vec<Vector>,
    tape: Tape,
    /// What became of the window.
    pub repair: WindowRepair,
}

/// What a scalar `L` of the states of a run says of what it was made from.
pub struct WindowRunPullback {
    /// `dL/du^` of the predictions of all steps; zero of those that were taken in full, and where values are prescribed.
    pub predictions: Vec<Vector>,
    /// `dL/du` of the initial state, zero where its values are prescribed.
    pub initial: Vector,
    /// `dL/d mu` of every parameter of the deck, with the initial state as it is.
    pub parameters: Vec<f64>,
    /// `dL/d Phi` of the functions, `[step, owned unknown]` each; zero in steps that were taken in full.
    pub functions: Columns,
}

impl WindowRun {
    /// Repairs the run of the only problem of a simulation, which has the initial state, with steps from frame to frame of a
    /// prediction and `functions` of the owned unknowns, `[step, unknown]`. `full` is a layer of the level `exact`, for
    /// steps that have to be taken. With the states from the initial one on. Collective.
    ///
    /// # Errors
    /// As [`Constraint::repair_steps`], and [`Error::Input`] for schemes of several stages and for `time.stops`.
    pub fn repair(
        simulation: &mut Simulation,
        context: &Context,
        [layer, full]: [&mut Constraint; 2],
        prediction: &Frames,
        functions: &Columns,
    ) -> Result<(Self, Vec<Vector>)> {
        let time = simulation.deck.time.clone().ok_or_else(|| {
            Error::input("constraint.windows", "windows of steps are for decks with [time]")
        })?;
        let mut evolution = Evolution::start(simulation, &time, context.clone())?;
        // With the values that are prescribed then.
        let initial = simulation.stages[0].solution().try_clone()?;
        let times = &prediction.times[1..];
        let equations =
            StepEquations::record(simulation, &mut evolution, times, &mut |equation, _, state| {
                prediction.at(equation.context.time, state)?;
                Ok(state.ghost_update()?)
            })?;
        let first = (1..=times.len()).find(|&step| equations.is_one_equation(step));
        let rest = |first: usize| (first..=times.len()).all(|step| equations.is_one_equation(step));
        let Some(first) = first.filter(|&first| rest(first)) else {
            let text =
                "expected \"bdf1\", \"bdf2\" or \"crank_nicolson\", and no time.stops, for a window of steps";
            return Err(Error::input("time.scheme", text));
        };
        simulation.stages[0].set_solution(&initial.read()?)?;
        let mut evolution = Evolution::start(simulation, &time, context.clone())?;
        let mut tape = Tape::default();
        tape.begin(context, &initial)?;
        let mut known = vec![initial];
        for time in &times[..first - 1] {
            let predict = &mut |_: usize, time: f64, field: &mut Vector| prediction.at(time, field);
            let (layers, tapes) = (std::slice::from_mut(&mut *full), std::slice::from_mut(&mut tape));
            repair_step(simulation, &mut evolution, layers, *time, predict, Some(tapes))?;
            known.push(simulation.stages[0].solution().try_clone()?);
        }
        let problem = simulation.stages[0].problem.clone();
        let owned = problem.space.owned_dofs();
        let mut of_window = Columns::new(&functions.comm, functions.rows() - (first - 1) * owned);
        functions.iter().for_each(|column| of_window.push(&column[(first - 1) * owned..]));
        let mut states =
            prediction.states[first..].iter().map(|s| Ok(s.try_clone()?)).collect::<Result<Vec<_>>>()?;
        let repair = layer.repair_steps(&problem, &equations, &known, &of_window, &mut states)?;
        simulation.stages[0].set_solution(&states.last().expect("a window has a step").read()?)?;
        let mut all = known.iter().map(|s| Ok(s.try_clone()?)).collect::<Result<Vec<_>>>()?;
        all.extend(states);
        Ok((Self { equations, known, tape, repair }, all))
    }

    /// Pulls `dL/du` of all states, the initial one first, back; layers and functions are those of the repair. Collective.
    ///
    /// # Errors
    /// As [`Constraint::pull_back_steps`].
    pub fn pull_back(
        &mut self,
        [layer, full]: [&mut Constraint; 2],
        problem: &Rc<Problem>,
        functions: &Columns,
        cotangents: &[Vector],
    ) -> Result<WindowRunPullback> {
        let (first, owned) = (self.known.len(), problem.space.owned_dofs());
        let mut of_window = Columns::new(&functions.comm, functions.rows() - (first - 1) * owned);
        functions.iter().for_each(|column| of_window.push(&column[(first - 1) * owned..]));
        let Self { equations, known, tape, repair } = self;
        let pulled =
            layer.pull_back_steps(problem, equations, known, &of_window, repair, &cotangents[first..])?;
        let mut said = pulled.known;
        for (said, cotangent) in said.iter_mut().zip(cotangents) {
            said.axpy(1.0, cotangent)?;
        }
        let mut parameters = pulled.parameters;
        let states = said.split_off(1);
        let initial = said.first();
        let cotangents = Cotangents { initial, states: &states, residuals: None };
        let through = tape.pull_back_all(full, problem, &cotangents)?;
        parameters.iter_mut().zip(&through.parameters).for_each(|(sum, p)| *sum += p);
        let initial = through.initial;
        let mut predictions = Vec::new();
        for _ in 1..first {
            predictions.push(problem.space.field()?);
        }
        predictions.extend(pulled.predictions);
        let mut of_functions = Columns::new(&functions.comm, functions.rows());
        for column in pulled.functions.iter() {
            of_functions.push(&[&vec![0.0; (first - 1) * owned][..], column].concat());
        }
        Ok(WindowRunPullback { predictions, initial, parameters, functions: of_functions })
    }
}
