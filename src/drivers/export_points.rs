//! `tessera export DECK --points`: where the functions of an outside program are to be given.
use super::output;
use crate::campaign;
use crate::deck::Deck;
use crate::fem::Space;
use crate::mixture::bases::write_experts;
use crate::mixture::{Form, Gating, InnerProduct, MatrixProduct};
use crate::parallel::Comm;
use crate::physics::mass::scalar_mass;
use crate::physics::{Context, Problem};
use crate::report::{Level, Report};
use crate::simulation::Simulation;
use crate::storage::{File, ResultFile, Schema, obstacle};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Where the points of a solution lie in a file.
const POINTS: &str = "/points";

/// What is written.
#[derive(Debug, Clone, Default)]
pub struct PointsOptions {
    /// Where to; when not named, beside the deck, with its name and the ending `points.h5`.
    pub output: Option<PathBuf>,
    /// How much is printed.
    pub level: Level,
}

/// Writes the nodes of the solutions of a deck with what belongs to them: integration weights, which values are prescribed,
/// experts with their gating functions; and parameters with their ranges, and times. Solves nothing. Collective.
///
/// # Errors
/// When the deck does not fit its mesh, or the file cannot be written.
pub fn run(comm: &Comm, deck: &Deck, path: &Path, options: &PointsOptions) -> Result<()> {
    let report = Report::new(comm, options.level);
    report.banner(&deck.title);
    let target = options.output.clone().unwrap_or_else(|| path.with_extension("points.h5"));
    let obstacle = match comm.rank() {
        0 if target == path => Some("is the deck itself; name another output".into()),
        0 => obstacle(&target),
        _ => None,
    };
    comm.agree(obstacle.map_or(Ok(()), |why| Err(Error::input("--output", why))))?;
    let simulation = super::shared::set_up(comm, deck, &report)?;
    let start = deck.time.as_ref().map_or(0.0, |time| time.start);
    let context = Context { time: start, ..simulation.default_context() };
    let file = ResultFile::create(comm, &target)?;
    output::write_header(&file, Schema::Points, &simulation, &context, &[])?;
    write_ranges(&file, deck)?;
    let times = campaign::times(deck);
    if !times.is_empty() {
        file.write_times(&times)?;
    }
    let overlap = deck.partition.experts.map(|_| deck.partition.overlap);
    for stage in &simulation.stages {
        report.phase("points", || write_points(&file, &simulation, &stage.problem, overlap, &context))?;
    }
    file.finish()?;
    report.finish(&[target]);
    Ok(())
}

/// The ranges of the parameters.
fn write_ranges(file: &File, deck: &Deck) -> Result<()> {
    let range = |parameter: &crate::deck::Parameter| match (&parameter.range, &parameter.choices) {
        (Some(range), _) => *range,
        (None, Some(choices)) => {
            let widen = |[low, high]: [f64; 2], value: f64| [low.min(value), high.max(value)];
            choices.values().into_iter().fold([f64::INFINITY, f64::NEG_INFINITY], widen)
        }
        (None, None) => [parameter.default; 2],
    };
    let ranges: Vec<f64> = deck.parameters.values().flat_map(range).collect();
    file.write_array("/ranges", &[deck.parameters.len() as u64, 2], &ranges)?;
    file.set("/ranges", "meaning", "smallest and largest value of each parameter")
}

fn write_points(
    file: &File,
    simulation: &Simulation,
    problem: &Problem,
    overlap: Option<u32>,
    context: &Context,
) -> Result<()> {
    let (space, group) = (&problem.space, format!("{POINTS}/{}", problem.field));
    let plan = space.canonical();
    file.create_group(&group)?;
    for field in simulation.fields().iter().filter(|field| field.name == problem.field) {
        file.describe_field(&group, &output::describe(simulation, field, &plan))?;
    }
    file.set(&group, "components", space.components)?;

    let nodes = space.in_files();
    let (places, d) = (nodes.canonical(), space.mesh.dimension);
    let path = format!("{group}/coordinates");
    file.create_dataset::<f64>(&path, &[places.total(), d as u64])?;
    let coordinates = places.to_canonical(&nodes.coordinates[..nodes.owned_nodes * d], d);
    file.write_rows(&path, places.range().start, &coordinates)?;
    file.set(&path, "unit", "m")?;
    file.set(&path, "meaning", "the nodes, in canonical order")?;

    let path = format!("{group}/weights");
    file.create_dataset::<f64>(&path, &[plan.total()])?;
    file.write_rows(&path, plan.range().start, &plan.to_canonical(&weights(space)?, 1))?;
    file.set(&path, "unit", ["1", "m", "m^2", "m^3"][d])?;
    let meaning = "integrals of the nodes' functions: times the values of a field they sum to its integral over the mesh";
    file.set(&path, "meaning", meaning)?;

    let path = format!("{group}/essential");
    let fixed = space.mesh.comm.agree(problem.essential(context))?.fixed;
    let flags: Vec<u8> = fixed[..space.owned_dofs()].iter().map(|&fixed| u8::from(fixed)).collect();
    file.create_dataset::<u8>(&path, &[plan.total(), space.components as u64])?;
    file.write_rows(&path, plan.range().start, &plan.to_canonical(&flags, space.components))?;
    file.set(&path, "meaning", "1 where the value is prescribed, and functions are zero")?;

    let Some(layers) = overlap else { return Ok(()) };
    write_experts(file, &format!("{group}/experts"), space, &Gating::new(space, layers)?)
}

/// The integrals of the functions of this rank's nodes, in equal shares where a node stands in several places. Collective.
fn weights(space: &Space) -> Result<Vec<f64>> {
    let mass = MatrixProduct::with(scalar_mass(space)?, Form::Components(1))?;
    let mut weights = vec![0.0; space.owned_nodes];
    mass.apply(&vec![1.0; space.owned_nodes], &mut weights)?;
    weights.iter_mut().zip(space.places()).for_each(|(weight, places)| *weight /= f64::from(places));
    Ok(weights)
}
