//! Samples of problems in time.
use crate::deck::{Deck, Frames};
use crate::physics::Context;
use crate::report::{Level, Report};
use crate::simulation::{Evolution, Observer, Run, Simulation};
use crate::{Error, Result};

/// The times at which a campaign stores the fields of a sample; `None` for steady problems.
pub(super) fn times(deck: &Deck) -> Option<Vec<f64>> {
    let time = deck.time.as_ref()?;
    Some(match deck.campaign.frames {
        Frames::All => time.frames(deck.output.frames),
        Frames::Last => vec![time.end],
    })
}

/// Solves for one sample and stores nothing. Collective.
///
/// # Errors
/// When a solve fails.
pub fn solve_once(simulation: &mut Simulation, context: &Context) -> Result<()> {
    match times(&simulation.deck) {
        Some(times) => integrate(simulation, &times, context, |_, _, _| Ok(())).map(|_| ()),
        None => simulation.solve(context),
    }
}

/// Integrates one sample from its initial values; `store` gets each frame's number when the simulation stands there.
/// Returns the Krylov iterations. Collective.
///
/// # Errors
/// [`Error::Failed`] when a step fails however short it is; those of `store`.
pub(super) fn integrate(
    simulation: &mut Simulation,
    times: &[f64],
    context: &Context,
    store: impl FnMut(&Simulation, &Context, usize) -> Result<()>,
) -> Result<usize> {
    let Some(time) = simulation.deck.time.clone() else { return Ok(0) };
    let comm = simulation.mesh.comm.clone();
    comm.agree(simulation.reset(context))?;
    let mut evolution = comm.agree(Evolution::start(simulation, &time, context.clone()))?;
    evolution.stop_at(times);
    let report = Report::new(&comm, Level::Quiet);
    let on_frame = times.first() == Some(&time.start);
    let mut run = Run { simulation, evolution, steps: Vec::new(), on_frame, report: &report, forgives: true };
    let mut frames = Stored { store, frame: 0, iterations: 0 };
    match run.go(&mut [&mut frames])? {
        None => Ok(frames.iterations + run.steps.iter().map(|step| step.linear).sum::<usize>()),
        Some(Error::Failed(why)) => {
            Err(Error::Failed(format!("{why}, at t = {:.6e} s", run.evolution.context.time)))
        }
        Some(fault) => Err(fault),
    }
}

/// Stores the frames of a sample.
struct Stored<S> {
    store: S,
    /// How many there are so far.
    frame: usize,
    /// Krylov iterations of problems without a time derivative.
    iterations: usize,
}

impl<S: FnMut(&Simulation, &Context, usize) -> Result<()>> Observer for Stored<S> {
    fn at_start(&mut self, run: &mut Run) -> Result<()> {
        self.after_step(run)
    }

    fn after_step(&mut self, Run { simulation, evolution, on_frame, .. }: &mut Run) -> Result<()> {
        if *on_frame {
            let context = &evolution.context;
            simulation.mesh.comm.clone().agree(simulation.solve_steady(context))?;
            (self.store)(simulation, context, self.frame)?;
            self.frame += 1;
            self.iterations += simulation.stages.iter().map(|s| s.outcome().iterations).sum::<usize>();
        }
        Ok(())
    }
}
