//! Runs on learned functions against full ones.
use super::basis::LearnedBasis;
use super::in_time::StepLoss;
use super::steps;
use super::training::Training;
use crate::campaign::Groups;
use crate::mixture::{Form, InnerProduct, MatrixProduct, dot};
use crate::physics::Context;
use crate::physics::mass::scalar_mass;
use crate::report::{Level, Report};
use crate::simulation::{Evolution, Newton, Observer, Run, Simulation};
use crate::{Error, Result};
use std::time::Instant;

/// How far a run on learned functions is from the full one. Errors are in L2 over space and all frames, relative to the full
/// run.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RunError {
    /// Relative residual of the steps that are trained on.
    pub residual: f64,
    /// Error of all frames.
    pub all: f64,
    /// Of those up to the end of training.
    pub trained: f64,
    /// Of those after it; not a number where there are none.
    pub beyond: f64,
    /// Wall time of the run on the functions, and of the full one (s).
    pub seconds: [f64; 2],
}

/// The error at each test of a training, at the frames of the deck and on its mesh; full runs are those of the deck.
/// Collective over all groups.
///
/// # Errors
/// When a run fails.
pub fn run_errors(
    groups: &Groups,
    training: &mut Training,
    simulation: &mut Simulation,
) -> Result<Vec<RunError>> {
    const WIDTH: usize = 6;
    let count = training.tests().len();
    let mut all = vec![0.0; WIDTH * count];
    let (mut loss, basis) =
        for_prediction(simulation, training.basis().extent(), training.basis().weights())?;
    let product = product(simulation)?;
    for i in (0..count).filter(|i| i % groups.count == groups.index) {
        let parameters = training.tests()[i].clone();
        let (_, residual) = training.field(&parameters)?;
        let error = run_error(&mut loss, &basis, &parameters, simulation, &product)?;
        if groups.comm.rank() == 0 {
            let [own, full] = error.seconds;
            let row = [residual, error.all, error.trained, error.beyond, own, full];
            all[WIDTH * i..][..WIDTH].copy_from_slice(&row);
        }
    }
    groups.world.sum_into(&mut all);
    let row = |row: &[f64]| RunError {
        residual: row[0],
        all: row[1],
        trained: row[2],
        beyond: row[3],
        seconds: [row[4], row[5]],
    };
    Ok(all.chunks_exact(WIDTH).map(row).collect())
}

/// The network on the mesh of predictions, with steps that end at the frames of the deck. Collective.
///
/// # Errors
/// When the mesh has other extents than that of the training.
pub fn for_prediction(
    simulation: &Simulation,
    extent: &[[f64; 2]],
    weights: &[f64],
) -> Result<(StepLoss, LearnedBasis)> {
    let deck = &simulation.deck;
    let section = deck.experts.network.as_ref().expect("a deck with a network");
    let time = deck.time.as_ref().expect("a deck with [time]");
    let own = Simulation::on_mesh(deck, simulation.mesh.clone())?;
    let mut fine = LearnedBasis::new(&own, section)?;
    fine.restore(extent, weights)?;
    let ends = steps::predicted(time, &section.time, &time.frames(deck.output.frames));
    Ok((StepLoss::new(own, ends)?, fine))
}

/// The mass matrix of the only problem. Collective.
///
/// # Errors
/// When PETSc fails.
pub fn product(simulation: &Simulation) -> Result<MatrixProduct> {
    let space = simulation.stages[0].space();
    MatrixProduct::with(scalar_mass(space)?, Form::Components(space.components))
}

/// One run against the full one. Collective over the group.
///
/// # Errors
/// When one of them fails.
pub fn run_error(
    loss: &mut StepLoss,
    basis: &LearnedBasis,
    parameters: &[f64],
    simulation: &mut Simulation,
    product: &MatrixProduct,
) -> Result<RunError> {
    let comm = simulation.mesh.comm.clone();
    let deck = simulation.deck.clone();
    let time = deck.time.as_ref().expect("a deck with [time]");
    let end = steps::end(time, &deck.experts.network.as_ref().expect("a deck with a network").time);
    let times = time.frames(deck.output.frames);
    let begin = Instant::now();
    let mut found: Vec<Vec<f64>> = Vec::new();
    loss.follow(basis, parameters, |simulation, context| {
        if times.contains(&context.time) {
            found.push(simulation.stages[0].solution().read()?.to_vec());
        }
        Ok(())
    })?;
    let own = comm.max(begin.elapsed().as_secs_f64());
    let begin = Instant::now();
    let exact = full(simulation, parameters)?;
    let seconds = [own, comm.max(begin.elapsed().as_secs_f64())];
    if found.len() != exact.len() {
        let [found, exact] = [found.len(), exact.len()];
        return Err(Error::Failed(format!("{found} frames on the functions, {exact} of the full run")));
    }
    // Squares of errors and of the full run, up to the end of training and after it.
    let mut sums = [[0.0; 2]; 2];
    let square = |values: &[f64]| -> Result<f64> {
        let mut image = vec![0.0; values.len()];
        product.apply(values, &mut image)?;
        Ok(comm.sum(dot(values, &image)))
    };
    for ((time, exact), found) in times.iter().zip(&exact).zip(&found) {
        let apart: Vec<f64> = exact.iter().zip(found).map(|(a, b)| a - b).collect();
        let part = &mut sums[usize::from(*time > end * (1.0 + 1e-12))];
        part[0] += square(&apart)?;
        part[1] += square(exact)?;
    }
    let [trained, beyond] = sums.map(|[error, size]| (error / size).sqrt());
    let all = ((sums[0][0] + sums[1][0]) / (sums[0][1] + sums[1][1])).sqrt();
    Ok(RunError { residual: f64::NAN, all, trained, beyond, seconds })
}

/// States of the run that the deck asks for, at its frames. Collective.
fn full(simulation: &mut Simulation, parameters: &[f64]) -> Result<Vec<Vec<f64>>> {
    struct Frames(Vec<Vec<f64>>);
    impl Observer for Frames {
        fn at_start(&mut self, run: &mut Run) -> Result<()> {
            self.after_step(run)
        }

        fn after_step(&mut self, run: &mut Run) -> Result<()> {
            if run.on_frame {
                self.0.push(run.simulation.stages[0].solution().read()?.to_vec());
            }
            Ok(())
        }
    }
    let time = simulation.deck.time.clone().expect("a deck with [time]");
    let context = Context { time: time.start, ..Context::steady(parameters.to_vec()) };
    simulation.reset(&context)?;
    let mut evolution = Evolution::start(simulation, &time, context)?;
    evolution.stop_at(&time.frames(simulation.deck.output.frames)[1..]);
    let report = Report::new(&simulation.mesh.comm, Level::Quiet);
    let mut frames = Frames(Vec::new());
    let mut run = Run {
        simulation,
        evolution,
        stepper: &mut Newton,
        steps: Vec::new(),
        on_frame: true,
        report: &report,
        forgives: true,
    };
    match run.go(&mut [&mut frames])? {
        None => Ok(frames.0),
        Some(error) => Err(error),
    }
}
