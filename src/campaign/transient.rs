//! Samples of problems in time.
use crate::deck::{Deck, Frames};
use crate::physics::Context;
use crate::simulation::{Evolution, Progress, Simulation};
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
    mut store: impl FnMut(&Simulation, &Context, usize) -> Result<()>,
) -> Result<usize> {
    let Some(time) = simulation.deck.time.clone() else { return Ok(0) };
    let comm = simulation.mesh.comm.clone();
    comm.agree(simulation.reset(context))?;
    let mut evolution = comm.agree(Evolution::start(simulation, &time, context.clone()))?;
    evolution.stop_at(times);
    let (mut iterations, mut frame) = (0, 0);
    let mut reach = |simulation: &mut Simulation, context: &Context| -> Result<usize> {
        comm.agree(simulation.solve_steady(context))?;
        store(simulation, context, frame)?;
        frame += 1;
        let steady = simulation.stages.iter().map(|stage| stage.outcome.iterations);
        Ok(steady.sum())
    };
    if times.first() == Some(&time.start) {
        iterations += reach(simulation, context)?;
    }
    while !evolution.is_over() {
        match comm.agree(evolution.advance(simulation))? {
            Progress::Accepted(step, on_frame) => {
                iterations += step.linear;
                if on_frame {
                    iterations += reach(simulation, &evolution.context)?;
                }
            }
            Progress::Rejected | Progress::Cut(..) => {}
            Progress::Failed(why) => {
                return Err(Error::Failed(format!("{why}, at t = {:.6e} s", evolution.context.time)));
            }
        }
    }
    Ok(iterations)
}
