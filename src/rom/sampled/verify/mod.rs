//! What a predicted trajectory leaves of the equations on the whole mesh, and the bounds of its error that follow: proven ones
//! where the theory has them, indicators elsewhere. See `docs/theory/verified.md`.
mod applies;
mod energy;
mod indicator;
mod judge;
mod potential;
mod spd;

pub use judge::Kind;

use super::replay::{Path, Visited};
use crate::Result;
use crate::fem::{Essential, Space};
use crate::physics::{Context, Prepared};
use crate::simulation::Simulation;
use applies::Theory;
use judge::{Judge, Numbers, Start, Step};
use petsc_rs::Vector;

/// What is known of a predicted physics, by moment: the start and the ends of steps.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Name of the field.
    pub field: String,
    /// What the numbers are.
    pub kind: Kind,
    /// Why there is no proven bound, if so.
    pub why: Option<String>,
    /// Dual norms of the residuals of the steps, of indicators relative to the largest norm of the state; not a number where
    /// no equation is solved.
    pub residuals: Vec<f64>,
    /// Bounds of the error; empty where none is proven.
    pub bounds: Vec<f64>,
    /// Norms of the prediction as that of the error; of indicators the largest one.
    pub sizes: Vec<f64>,
    /// Errors against the full model, of indicators relative to the largest norm of the state; empty without one.
    pub errors: Vec<f64>,
}

impl Verified {
    /// The least and the largest of bound over error at the steps whose error is no rounding; `None` without a bound or errors.
    pub fn effectivities(&self) -> Option<[f64; 2]> {
        let largest = self.sizes.iter().copied().fold(0.0, f64::max);
        let pairs = self.bounds.iter().zip(&self.errors).skip(1);
        let pairs = pairs.filter(|(_, error)| **error > 1e-12 * largest);
        let ratios: Vec<f64> = pairs.map(|(bound, error)| bound / error).collect();
        let of = |pick: fn(f64, f64) -> f64| ratios.iter().copied().reduce(pick);
        Some([of(f64::min)?, of(f64::max)?])
    }
}

/// Judges the states of one trajectory. Prescribed values are taken from the deck, whatever the trajectory has there: statements
/// are of its free unknowns.
pub struct Verifier {
    times: Vec<f64>,
    stages: Vec<(Theory, String, Box<dyn Judge>)>,
}

impl Verifier {
    /// At the start of a trajectory, to which the simulation is reset. Collective.
    ///
    /// # Errors
    /// When a coefficient cannot be evaluated, or a product cannot be factorised.
    pub fn new(simulation: &mut Simulation, path: &dyn Path, context: &Context) -> Result<Self> {
        let comm = simulation.mesh.comm.clone();
        let times = path.times().to_vec();
        let context = Context { time: times[0], ..context.clone() };
        comm.agree(simulation.reset(&context))?;
        let mut stages = Vec::new();
        for number in 0..simulation.stages.len() {
            let problem = simulation.stages[number].problem.clone();
            let initial = simulation.stages[number].solution().read()?.to_vec();
            let prepared = comm.agree(problem.at(&context))?;
            let ours =
                with_prescribed(&problem.space, &path.state(number, 0, times[0])?, &prepared.essential)?;
            let exact = with_prescribed(&problem.space, &initial, &prepared.essential)?;
            let mut theory = Theory::of(simulation, number, &prepared);
            let start = Start { prepared: &prepared, ours: &ours, exact: &exact, times: &times };
            let mut judge: Option<Box<dyn Judge>> = match theory.kind {
                Kind::Energy => energy::EnergyBound::new(&start)?.map(|judge| Box::new(judge) as _),
                Kind::Indicator => None,
                _ => {
                    let found = potential::PotentialBound::new(&start)?;
                    if let Ok(judge) = &found {
                        theory.kind = judge.kind();
                    }
                    found.map_err(|why| theory.fails(why)).ok().map(|judge| Box::new(judge) as _)
                }
            };
            if judge.is_none() && theory.kind == Kind::Energy {
                theory.fails("its energy is not positive definite");
            }
            if judge.is_none() {
                judge = Some(Box::new(indicator::Indicator::new(&prepared, path, number)?));
            }
            stages.push((theory, problem.field.clone(), judge.expect("set above")));
        }
        Ok(Self { times, stages })
    }

    /// An equation at the state of the trajectory, as from [`replay`](super::replay). Collective.
    ///
    /// # Errors
    /// When a form has no value.
    pub fn visit(&mut self, visited: &Visited) -> Result<()> {
        let space = &visited.prepared.problem().space;
        let own = &visited.at.state[..space.owned_dofs()];
        let state = with_prescribed(space, own, &visited.prepared.essential)?;
        let (moment, state) = (visited.moment, &state.local_read()?[..]);
        let step = Step { prepared: visited.prepared, state, moment, dt: self.length(moment) };
        self.stages[visited.stage].2.step(&step, visited)
    }

    /// The exact state at a moment, owned unknowns: its error is kept. Collective.
    ///
    /// # Errors
    /// As [`Verifier::visit`].
    pub fn compare(
        &mut self,
        path: &dyn Path,
        (stage, moment): (usize, usize),
        prepared: &Prepared,
        exact: &[f64],
    ) -> Result<()> {
        let (space, essential) = (&prepared.problem().space, &prepared.essential);
        let ours = with_prescribed(space, &path.state(stage, moment, self.times[moment])?, essential)?;
        let exact = with_prescribed(space, exact, essential)?;
        let step = Step { prepared, state: &ours.local_read()?, moment, dt: self.length(moment) };
        self.stages[stage].2.error(&step, &exact.local_read()?)
    }

    fn length(&self, moment: usize) -> f64 {
        self.times[moment] - self.times[moment.saturating_sub(1)]
    }

    /// What was found, by physics. Local.
    pub fn finish(self) -> Vec<Verified> {
        let one = |(theory, field, judge): (Theory, String, Box<dyn Judge>)| {
            let Numbers { residuals, bounds, sizes, errors } = judge.finish();
            Verified { field, kind: theory.kind, why: theory.why, residuals, bounds, sizes, errors }
        };
        self.stages.into_iter().map(one).collect()
    }
}

/// Owned values with those that are prescribed and the ghosts. Collective.
fn with_prescribed(space: &Space, owned: &[f64], essential: &Essential) -> Result<Vector> {
    let mut state = space.field()?;
    state.write()?.copy_from_slice(owned);
    essential.impose(&mut state.write()?);
    state.ghost_update()?;
    Ok(state)
}
