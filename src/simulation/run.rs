//! The loop over the steps of a run in time, and what may hang on it.
use super::evolution::{Evolution, Progress};
use super::problems::Simulation;
use super::step::Step;
use super::stepper::Stepper;
use crate::parallel::Comm;
use crate::report::Report;
use crate::{Error, Result};

/// A run in time between two steps.
pub struct Run<'a> {
    /// The problems.
    pub simulation: &'a mut Simulation,
    /// Where they are.
    pub evolution: Evolution,
    /// How steps are attempted.
    pub stepper: &'a mut dyn Stepper,
    /// The accepted steps, the newest last.
    pub steps: Vec<Step>,
    /// Whether a frame stands at the end of the newest.
    pub on_frame: bool,
    /// What the run says.
    pub report: &'a Report,
    /// Whether an error of one rank is one of all: of a sample, not of a run, whose ranks end one another.
    pub forgives: bool,
}

/// What is asked for before the next step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The present state in a file of its own.
    pub output: bool,
    /// A checkpoint.
    pub checkpoint: bool,
    /// A checkpoint, and the end.
    pub stop: bool,
}

impl Wishes {
    /// Those of all, on any rank. Collective.
    fn together(comm: &Comm, all: impl Iterator<Item = Self>) -> Self {
        let mut counts = [0.0; 3];
        for Self { output, checkpoint, stop } in all {
            let wishes = counts.iter_mut().zip([output, checkpoint, stop]);
            wishes.for_each(|(count, wish)| *count += f64::from(u8::from(wish)));
        }
        comm.sum_into(&mut counts);
        let [output, checkpoint, stop] = counts.map(|count| count > 0.0);
        Self { output, checkpoint, stop }
    }
}

/// Something that hangs on a run in time; the loop calls all of them in their order. An error ends the run.
pub trait Observer {
    /// Before the first step. Collective.
    ///
    /// # Errors
    /// When the run cannot go on.
    fn at_start(&mut self, _run: &mut Run) -> Result<()> {
        Ok(())
    }

    /// What it asks for before the next step; a wish of any rank counts. Local.
    fn wishes(&mut self, _run: &Run) -> Wishes {
        Wishes::default()
    }

    /// Before every step, with what anything that hangs on the run asks for. Collective.
    ///
    /// # Errors
    /// As there; [`Error::Stopped`] where the run is to end here and to go on another time.
    fn before_step(&mut self, _run: &mut Run, _wishes: Wishes) -> Result<()> {
        Ok(())
    }

    /// After every accepted step. Collective.
    ///
    /// # Errors
    /// As there.
    fn after_step(&mut self, _run: &mut Run) -> Result<()> {
        Ok(())
    }

    /// After a step that failed for a reason; the next has this length (s). Local.
    fn after_cut(&mut self, _run: &Run, _why: &str, _length: f64) {}

    /// At the end, or where the run cannot go on. Collective.
    ///
    /// # Errors
    /// As there.
    fn at_end(&mut self, _run: &mut Run, _failure: Option<&Error>) -> Result<()> {
        Ok(())
    }
}

impl Run<'_> {
    /// Steps to the end; why the run could not go on, if it could not. What was reached is good then. Collective.
    ///
    /// # Errors
    /// Those of the observers, and when something fails that no shorter step mends.
    pub fn go(&mut self, observers: &mut [&mut dyn Observer]) -> Result<Option<Error>> {
        let comm = self.simulation.mesh.comm.clone();
        observers.iter_mut().try_for_each(|o| o.at_start(self))?;
        let mut failure = None;
        while failure.is_none() && !self.evolution.is_over() {
            let wishes = Wishes::together(&comm, observers.iter_mut().map(|o| o.wishes(self)));
            observers.iter_mut().try_for_each(|o| o.before_step(self, wishes))?;
            let Self { simulation, evolution, stepper, .. } = self;
            let advanced = self.report.phase("steps", || stepper.advance(simulation, evolution));
            match if self.forgives { comm.agree(advanced) } else { advanced } {
                // All ranks agree on bad input, so they can finish together.
                Err(error @ Error::Input(_)) => failure = Some(self.simulation.deck.locate(error)),
                Err(error) => return Err(error),
                Ok(Progress::Failed(why)) => failure = Some(Error::Failed(why)),
                Ok(Progress::Rejected) => {}
                Ok(Progress::Cut(why, length)) => {
                    observers.iter_mut().for_each(|o| o.after_cut(self, &why, length));
                }
                Ok(Progress::Accepted(step, on_frame)) => {
                    self.steps.push(step);
                    self.on_frame = on_frame;
                    observers.iter_mut().try_for_each(|o| o.after_step(self))?;
                }
            }
        }
        observers.iter_mut().try_for_each(|o| o.at_end(self, failure.as_ref()))?;
        Ok(failure)
    }
}
