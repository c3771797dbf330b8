//! Samples of problems in time.
use crate::deck::{Deck, Frames, TimeSection};
use crate::physics::Context;
use crate::report::{Level, Report};
use crate::simulation::{Evolution, Newton, Observer, Run, Simulation, Stepper, step_control};
use crate::storage::Moments;
use crate::{Error, Result};

/// When a campaign stores a sample; `None` for steady problems.
pub(super) fn moments(deck: &Deck) -> Option<Moments> {
    let time = deck.time.as_ref()?;
    Some(match deck.campaign.frames {
        Frames::All => Moments::Shared(time.frames(deck.output.frames)),
        Frames::Last => Moments::Shared(vec![time.end]),
        // The start as well.
        Frames::Steps => {
            let steps = || step_ends(deck, time).take(MOST).count();
            Moments::Steps(1 + deck.campaign.steps.unwrap_or_else(steps))
        }
    })
}

/// The times (s) of what a campaign stores of each sample, as far as they are known beforehand; none for steady problems.
pub fn times(deck: &Deck) -> Vec<f64> {
    let Some(time) = &deck.time else { return Vec::new() };
    match moments(deck) {
        Some(Moments::Shared(times)) => times,
        Some(Moments::Steps(_)) if time.tolerance.is_none() => {
            std::iter::once(time.start).chain(step_ends(deck, time).take(MOST)).collect()
        }
        _ => Vec::new(),
    }
}

/// More steps than any file has room for.
const MOST: usize = 100_000_000;

/// The ends of the steps that a sample takes without a tolerance if none fails.
fn step_ends(deck: &Deck, time: &TimeSection) -> impl Iterator<Item = f64> {
    let mut stops: Vec<f64> = time.frames(deck.output.frames).into_iter().chain(time.stops.clone()).collect();
    stops.sort_by(f64::total_cmp);
    let (mut control, end) = (step_control(time), time.end - 1e-9 * time.step);
    let mut now = time.start;
    std::iter::from_fn(move || {
        (now < end).then(|| {
            let dt = control.next(now, &stops);
            let (next, slack) = (now + dt, 1e-9 * time.step.max(dt));
            let reached = |stop: &&f64| (next - **stop).abs() <= slack;
            now = stops.iter().find(reached).copied().unwrap_or(next);
            control.accepts(None, dt);
            if time.stops.iter().any(|stop| reached(&stop)) {
                control.step = time.step;
            }
            now
        })
    })
}

/// Solves for one sample and stores nothing. Collective.
///
/// # Errors
/// When a solve fails.
pub fn solve_once(simulation: &mut Simulation, context: &Context) -> Result<()> {
    match moments(&simulation.deck) {
        Some(moments) => integrate(simulation, &mut Newton, &moments, context, |_, _, _| Ok(())).map(|_| ()),
        None => simulation.solve(context),
    }
}

/// Integrates one sample from its initial values; `store` gets the number of each moment when the simulation stands there.
/// Collective.
///
/// # Errors
/// [`Error::Failed`] when a step fails however short it is; those of `store`.
pub fn integrate(
    simulation: &mut Simulation,
    stepper: &mut dyn Stepper,
    moments: &Moments,
    context: &Context,
    store: impl FnMut(&Simulation, &Context, usize) -> Result<()>,
) -> Result<Integrated> {
    let Some(time) = simulation.deck.time.clone() else { return Ok(Integrated::default()) };
    let comm = simulation.mesh.comm.clone();
    comm.agree(simulation.reset(context))?;
    let mut evolution = comm.agree(Evolution::start(simulation, &time, context.clone()))?;
    comm.agree(stepper.start(simulation, context))?;
    // With every step, too, steps end where those of a run do.
    let (times, each) = match moments {
        Moments::Shared(times) => (times.clone(), false),
        Moments::Steps(_) => (time.frames(simulation.deck.output.frames), true),
    };
    evolution.stop_at(&times);
    let report = Report::new(&comm, Level::Quiet);
    let on_frame = times.first() == Some(&time.start);
    let steps = Vec::new();
    let mut run = Run { simulation, evolution, stepper, steps, on_frame, report: &report, forgives: true };
    let mut frames = Stored { store, each, frame: 0, seen: 0, integrated: Integrated::default() };
    match run.go(&mut [&mut frames])? {
        None => {
            let mut integrated = frames.integrated;
            integrated.iterations += run.steps.iter().map(|step| step.linear).sum::<usize>();
            integrated.steps = run.steps.len();
            Ok(integrated)
        }
        Some(Error::Failed(why)) => {
            Err(Error::Failed(format!("{why}, at t = {:.6e} s", run.evolution.context.time)))
        }
        Some(fault) => Err(fault),
    }
}

/// How a sample went.
#[derive(Debug, Clone, Default)]
pub struct Integrated {
    /// Krylov iterations.
    pub iterations: usize,
    /// Steps.
    pub steps: usize,
    /// Equations that were solved in full up to each moment from the one before.
    pub full: Vec<f64>,
}

/// Stores the frames of a sample.
struct Stored<S> {
    store: S,
    /// Whether those of every step, and not of the frames alone.
    each: bool,
    /// How many there are so far.
    frame: usize,
    /// Steps up to the last one.
    seen: usize,
    /// With the Krylov iterations of problems without a time derivative alone.
    integrated: Integrated,
}

impl<S: FnMut(&Simulation, &Context, usize) -> Result<()>> Observer for Stored<S> {
    fn at_start(&mut self, run: &mut Run) -> Result<()> {
        self.after_step(run)
    }

    fn after_step(&mut self, Run { simulation, evolution, steps, on_frame, .. }: &mut Run) -> Result<()> {
        if *on_frame || self.each {
            let context = &evolution.context;
            simulation.mesh.comm.clone().agree(simulation.solve_steady(context))?;
            (self.store)(simulation, context, self.frame)?;
            self.frame += 1;
            let full: usize = steps[self.seen..].iter().map(|step| step.full).sum();
            self.seen = steps.len();
            self.integrated.full.push(full as f64);
            self.integrated.iterations +=
                simulation.stages.iter().map(|s| s.outcome().iterations).sum::<usize>();
        }
        Ok(())
    }
}
