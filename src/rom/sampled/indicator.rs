//! What residuals of a reduced model are tested with: an empirical test space (Taddei, ESAIM: M2AN 53 (2019)), here with points
//! and weights of its own.
use super::data::{ProblemData, SampledPart, TestBlock};
use super::densities::DensityModes;
use super::model::{Moment, SampledModel};
use super::reduction::{Reduction, Samples};
use super::replay::{Combined, Visited, is_close, replay};
use super::rows::{Rows, ids_of};
use crate::Result;
use crate::mixture::{Algorithm, Columns, InnerProduct, PodStream};
use crate::parallel::Comm;
use crate::physics::Context;
use crate::simulation::Simulation;
use crate::solver::StateProduct;

/// Tolerance of the rules for tested residuals, unless those of the model are finer: what these leave out is no error of it.
const TOLERANCE: f64 = 1e-2;
/// Energy of the representers that the test space may leave out.
const LEFT_OUT: f64 = 1e-6;

/// Follows samples with a model, shared out over the ranks; the moments of each on every rank, none where it failed. Collective.
///
/// # Errors
/// When times cannot be read.
pub(super) fn follow(
    comm: &Comm,
    model: &mut SampledModel,
    samples: Samples,
    numbers: &[usize],
) -> Result<Vec<Vec<Moment>>> {
    let mut times = Vec::new();
    for &number in numbers {
        times.push(samples.times(samples.which[number])?);
    }
    let widths: Vec<usize> = model.problems.iter().map(|problem| problem.functions()).collect();
    let width = 1 + widths.iter().sum::<usize>() + 2 * widths.len();
    let mut mine: Vec<f64> = Vec::new();
    for (turn, (&number, times)) in numbers.iter().zip(&times).enumerate() {
        if turn % comm.size() != comm.rank() {
            continue;
        }
        let context = samples.context(samples.which[number], times[0]);
        if let Ok(prediction) = model.follow(&context, times) {
            for moment in prediction.moments {
                mine.push(turn as f64);
                mine.extend(moment.coefficients.iter().flatten());
                mine.extend(&moment.residuals);
                mine.extend(&moment.stiffness);
            }
        }
    }
    let all = comm.all_gather_varied(&mine);
    let mut found: Vec<Vec<Moment>> = vec![Vec::new(); numbers.len()];
    for row in all.chunks_exact(width) {
        let turn = row[0] as usize;
        let mut rest = &row[1..];
        let mut coefficients = Vec::new();
        for &b in &widths {
            let (own, others) = rest.split_at(b);
            coefficients.push(own.to_vec());
            rest = others;
        }
        let (residuals, stiffness) = rest.split_at(widths.len());
        let time = times[turn][found[turn].len()];
        found[turn].push(Moment {
            time,
            on_frame: true,
            coefficients,
            quantities: Vec::new(),
            residuals: residuals.to_vec(),
            stiffness: stiffness.to_vec(),
        });
    }
    Ok(found)
}

/// Finds functions that residuals of the model are tested with, and points for them, by physics; flows have none. Collective.
///
/// # Errors
/// When a product cannot be factorised.
pub(super) fn indicator(
    simulation: &mut Simulation,
    reductions: &[Reduction],
    densities: &[Vec<DensityModes>],
    samples: Samples,
    (part, data): (&SampledPart, &mut [ProblemData]),
    (most, tolerance): (usize, f64),
) -> Result<Vec<Columns>> {
    let comm = simulation.mesh.comm.clone();
    simulation.random.draw(0)?;
    let mut model = comm.agree(SampledModel::new(&simulation.deck, part, data))?;
    let numbers: Vec<usize> = (0..samples.which.len()).collect();
    // Samples that the model was not trained on have large residuals, which are not to own the functions.
    let foreign = reductions.iter().any(|reduction| reduction.coefficients.len() < samples.which.len());
    let found = follow(&comm, &mut model, samples, &numbers)?;
    let mut products = Vec::new();
    for reduction in reductions {
        products.push(match reduction.problem.facts().pressure {
            true => None,
            false => Some(product(simulation, reduction, samples)?),
        });
    }
    let empty = |reduction: &Reduction| Columns::new(&comm, reduction.functions.rows());
    let mut columns: Vec<Columns> = reductions.iter().map(empty).collect();
    for (&number, moments) in numbers.iter().zip(&found).filter(|(_, moments)| !moments.is_empty()) {
        let times: Vec<f64> = moments.iter().map(|moment| moment.time).collect();
        let of = |stage: usize| moments.iter().map(|m| m.coefficients[stage].clone()).collect::<Vec<_>>();
        let all: Vec<Vec<Vec<f64>>> = (0..reductions.len()).map(of).collect();
        let functions = reductions.iter().map(|reduction| &reduction.functions).collect();
        let path =
            Combined { times: &times, functions, coefficients: all.iter().map(|list| &list[..]).collect() };
        let context = samples.context(samples.which[number], times[0]);
        let before: Vec<usize> = columns.iter().map(Columns::count).collect();
        let mut visit = |visited: Visited| -> Result<()> {
            let Some(product) = &mut products[visited.stage] else { return Ok(()) };
            if !is_close(visited.moment, times.len()) {
                return Ok(());
            }
            let representer = product.representer(&visited.residual()?)?;
            columns[visited.stage].push(&representer.read()?);
            Ok(())
        };
        replay(simulation, &path, &context, &mut visit, &mut |_, _, _| Ok(()))?;
        if foreign {
            for ((columns, &from), product) in columns.iter_mut().zip(&before).zip(&products) {
                product.as_ref().map_or(Ok(()), |product| scale(&comm, columns, from, product))?;
            }
        }
    }
    let mut result = Vec::new();
    for (stage, reduction) in reductions.iter().enumerate() {
        let Some(product) = products[stage].as_ref().filter(|_| columns[stage].count() > 0) else {
            result.push(empty(reduction));
            continue;
        };
        let rows = reduction.functions.rows();
        let mut stream = PodStream::new(&comm, rows, Inside(product), Algorithm::Snapshots, (1, LEFT_OUT));
        stream.push(&columns[stage])?;
        let allowed = LEFT_OUT * stream.energy();
        let tests = stream.finish(most, allowed)?.modes;
        let list: Vec<&[f64]> = tests.iter().collect();
        let mut block = TestBlock { count: tests.count(), ..TestBlock::default() };
        for densities in &densities[stage] {
            let integral = densities.whole.integral as u32;
            let seeds = data[stage].chosen.iter().filter(|chosen| chosen.integral == integral);
            let seeds = ids_of(&reduction.problem, seeds);
            block.chosen.extend(Rows::new(densities, &list)?.rule(TOLERANCE.min(tolerance), seeds)?.chosen);
        }
        data[stage].residual = block;
        let gram = reduction.functions.product(&reduction.functions.image(&product.whole)?);
        let b = reduction.functions.count();
        data[stage].energy = (0..b * b).map(|k| gram[(k / b, k % b)]).collect();
        result.push(tests);
    }
    Ok(result)
}

/// Divides columns from one on by the largest of their norms. Collective.
fn scale(comm: &Comm, columns: &mut Columns, from: usize, product: &StateProduct) -> Result<()> {
    let mut largest = 0.0f64;
    for j in from..columns.count() {
        largest = largest.max(Inside(product).norm(comm, columns.column(j))?);
    }
    if largest > 0.0 {
        (from..columns.count()).for_each(|j| columns.column_mut(j).iter_mut().for_each(|v| *v /= largest));
    }
    Ok(())
}

/// The product that measures residuals of a problem, at the mean of a state in the middle of the first sample. Collective.
fn product(simulation: &Simulation, reduction: &Reduction, samples: Samples) -> Result<StateProduct> {
    let problem = &reduction.problem;
    let sample = samples.which[0];
    let middle = samples.times(sample)?.len() / 2;
    let state = samples.source.read(sample, middle, &problem.field, &problem.space.canonical())?;
    let time = simulation.deck.time.as_ref();
    let (start, duration) = time.map_or((0.0, 1.0), |time| (time.start, time.end - time.start));
    let context = Context { time: start, ..simulation.default_context() };
    StateProduct::at_mean(problem, &context, &state, duration)
}

/// The product on functions that vanish where values are prescribed.
struct Inside<'a>(&'a StateProduct);

impl InnerProduct for Inside<'_> {
    fn apply(&self, x: &[f64], y: &mut [f64]) -> Result<()> {
        self.0.whole.apply(x, y)?;
        y.iter_mut().zip(&self.0.fixed).filter(|(_, fixed)| **fixed).for_each(|(v, _)| *v = 0.0);
        Ok(())
    }
}
