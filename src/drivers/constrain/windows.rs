//! Windows of steps in time, repaired at once.
use super::header::Place;
use super::work::Work;
use crate::experts::{Frames, Repair, StepEquations, WindowRepair, by_repair};
use crate::physics::Context;
use crate::simulation::Evolution;
use crate::solver::{Earlier, NewtonOutcome, NewtonSolver, StepEquation, by_newton};
use crate::{Error, Result};
use petsc_rs::Vector;
use std::time::Instant;

/// A run that is repaired by windows.
pub struct Windows {
    equations: StepEquations,
    /// The predicted frames, the first one that of the deck.
    predictions: Vec<Vector>,
    /// What the prediction leaves of every step's equations.
    before: Vec<Repair>,
    /// States found so far, from the initial one on.
    known: Vec<Vector>,
    /// Those of the window that was repaired last, and what was found.
    ahead: Vec<Vector>,
    last: Option<WindowRepair>,
    /// The worst imbalance over it, before and afterwards.
    imbalance: [f64; 2],
}

impl Work<'_> {
    /// Writes down the equations of all steps, one to every frame, along the prediction. Collective.
    ///
    /// # Errors
    /// When a prediction cannot be read, or the scheme's steps are none of single equations.
    pub fn windows(&mut self, number: usize, context: &Context) -> Result<Windows> {
        let mut evolution = self.start(context)?;
        let initial = self.simulation.stages[0].solution().try_clone()?;
        let mut frames = Frames { times: self.header.times.clone(), states: vec![initial.try_clone()?] };
        for frame in 1..self.header.frames() {
            let place = Place { sample: number, frame };
            frames.states.push(self.predictions.state(self.simulation, 0, place)?);
        }
        let Self { simulation, layers, .. } = self;
        let mut before: Vec<Repair> = Vec::new();
        let times = frames.times[1..].to_vec();
        let equations =
            StepEquations::record(simulation, &mut evolution, &times, &mut |equation, newton, state| {
                frames.at(equation.context.time, state)?;
                state.ghost_update()?;
                let space = newton.problem().space.clone();
                let measured = by_repair(newton, equation, state, &mut |_, of_step, state| {
                    let measured = layers.measure(of_step, state, None)?;
                    of_step.impose(&space, state)?;
                    Ok(measured)
                })?;
                match before.last_mut().filter(|_| is_stage(equation)) {
                    Some(last) => *last = measured,
                    None => before.push(measured),
                }
                Ok(())
            })?;
        if !(1..=equations.count()).any(|step| equations.is_one_equation(step)) {
            let text = "expected \"bdf1\", \"bdf2\" or \"crank_nicolson\" for constraint.windows: steps of several stages are \
                        repaired one at a time";
            return Err(Error::input("time.scheme", text));
        }
        Ok(Windows {
            equations,
            predictions: frames.states,
            before,
            known: vec![initial],
            ahead: Vec::new(),
            last: None,
            imbalance: [0.0; 2],
        })
    }

    /// Goes on to a frame: with the state of its window, which is repaired when the first of its frames comes, or by a full
    /// step where that is not one equation. Collective.
    ///
    /// # Errors
    /// As [`Constraint::repair_steps`](crate::experts::Constraint::repair_steps).
    pub fn follow_window(
        &mut self,
        windows: &mut Windows,
        evolution: &mut Evolution,
        frame: usize,
    ) -> Result<Repair> {
        let begin = Instant::now();
        let whole = !windows.equations.is_one_equation(frame);
        let mut effort = None;
        if !whole && windows.ahead.is_empty() {
            effort = Some(self.repair_window(windows, frame)?);
        }
        let next = if whole { None } else { Some(windows.ahead.remove(0)) };
        let prediction = &windows.predictions[frame];
        let Self { simulation, layers, header, .. } = self;
        let mut found = None;
        let solve =
            &mut |_: usize, newton: &mut NewtonSolver, equation: &StepEquation, state: &mut Vector| {
                let outcome = match &next {
                    None => {
                        let outcome = by_newton(newton, equation, state)?;
                        effort = Some((outcome.iterations, begin.elapsed().as_secs_f64()));
                        outcome
                    }
                    Some(next) => {
                        state.copy_from(next)?;
                        state.ghost_update()?;
                        NewtonOutcome::default()
                    }
                };
                let measured = by_repair(newton, equation, state, &mut |_, of_step, state| {
                    layers.measure(of_step, state, Some(prediction))
                });
                found = Some(measured?);
                Ok(outcome)
            };
        evolution.follow(simulation, header.times[frame], solve)?;
        windows.known.push(simulation.stages[0].solution().try_clone()?);
        let before = windows.before[frame - 1].clone();
        let mut repair = found.expect("a step has an equation");
        repair.worst_before = before.worst_before;
        repair.before = before.before;
        repair.residual[0] = before.residual[0];
        repair.boundary_before = before.boundary_before;
        (repair.iterations, repair.seconds) = effort.unwrap_or_default();
        if let Some(last) = windows.last.as_ref().filter(|_| !whole) {
            (repair.jump, repair.window) = (last.jump, Some(windows.imbalance));
            repair.least.clone_from(&last.least);
        }
        Ok(repair)
    }

    /// Repairs the window that a frame is the next one of; iterations and seconds.
    fn repair_window(&mut self, windows: &mut Windows, frame: usize) -> Result<(usize, f64)> {
        let (which, end) = self.layers.window_of(frame);
        let single = (frame..=end).take_while(|&step| windows.equations.is_one_equation(step)).count();
        let predictions = windows.predictions[frame..][..single].iter();
        let mut states = predictions.map(|state| Ok(state.try_clone()?)).collect::<Result<Vec<_>>>()?;
        let Self { simulation, layers, .. } = self;
        let problem = simulation.stages[0].problem.clone();
        let repair =
            layers.repair_steps(&problem, &windows.equations, (&windows.known, which), &mut states)?;
        let effort = (repair.iterations, repair.seconds);
        let mut exchange = vec![0.0; repair.balances[0].len()];
        for (step, before) in windows.before.iter().enumerate().skip(frame - 1).take(single) {
            let contexts = &windows.equations.contexts;
            let duration = contexts[step + 1].time - contexts[step].time;
            exchange.iter_mut().zip(&before.exchange).for_each(|(sum, e)| *sum += duration * e);
        }
        windows.imbalance = [0, 1].map(|i| {
            let worst = repair.balances[i].iter().zip(&exchange).map(|(lacking, e)| lacking.abs() / e);
            problem.space.mesh.comm.max(worst.fold(0.0, f64::max))
        });
        (windows.ahead, windows.last) = (states, Some(repair));
        Ok(effort)
    }
}

/// Whether an equation is of a later stage of a step.
fn is_stage(equation: &StepEquation) -> bool {
    equation.terms.iter().any(|term| matches!(term.of, Earlier::Stage(_)))
}
