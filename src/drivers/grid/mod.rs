//! `tessera export --grid`: fields and inputs of samples on a regular grid, for learning.
mod formula;
mod source;

use crate::deck::Deck;
use crate::fem::Space;
use crate::fem::grid::{Counts, Grid, Placement};
use crate::fem::transfer::Transfer;
use crate::format::bytes;
use crate::mesh::{Mesh, MeshSource, PartitionOptions};
use crate::parallel::{Comm, Redistribution};
use crate::report::{Level, Report};
use crate::storage::{Field, GridArray, GridFile, Location, ResultFile, Schema, Status, obstacle};
use crate::{Error, Result};
use formula::Formula;
use source::Source;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// What is exported.
#[derive(Debug, Clone)]
pub struct GridOptions {
    /// Number of points along each direction.
    pub counts: Counts,
    /// Where they lie.
    pub placement: Placement,
    /// The fields; all when empty.
    pub fields: Vec<String>,
    /// The value at points outside the mesh, and of samples that are not done.
    pub fill: f64,
    /// Whether to write numbers of single precision.
    pub single: bool,
    /// Where to; the file's name with the ending `grid.h5` when not named.
    pub output: Option<PathBuf>,
    /// How much is printed.
    pub level: Level,
}

/// The points of a grid in the cells of a mesh, for fields of one degree.
struct Sampler {
    space: Space,
    plan: Redistribution,
    transfer: Transfer,
}

impl Sampler {
    fn new(mesh: &Rc<Mesh>, degree: usize, points: &[[f64; 3]]) -> Result<Self> {
        let space = Space::new(mesh.clone(), degree, 1)?;
        let (plan, transfer) = (space.canonical(), Transfer::inside(&space, points));
        Ok(Self { space, plan, transfer })
    }

    /// From values at the owned nodes, `[node, component]`, to this rank's points. Collective.
    fn values(&self, owned: &[f64], components: usize) -> Result<Vec<f64>> {
        let mut field = self.space.field_of(components)?;
        field.write()?.copy_from_slice(owned);
        field.ghost_update()?;
        Ok(self.transfer.apply_to(&field.local_read()?, components))
    }
}

fn degree(field: &Field) -> usize {
    match field.location {
        Location::Nodes { degree: 2 } => 2,
        _ => 1,
    }
}

/// Samples the fields of a run, or of the finished samples of a dataset, and the inputs that they came from on a regular
/// grid over the box around the mesh, with the basis functions of the fields. Collective.
///
/// # Errors
/// [`Error::Input`] when the file is neither a run's nor a campaign's, or lacks what is asked for.
pub fn run(comm: &Comm, path: &Path, options: &GridOptions) -> Result<()> {
    let report = Report::new(comm, options.level);
    let target = options.output.clone().unwrap_or_else(|| path.with_extension("grid.h5"));
    if target == path {
        return Err(Error::input(target.display().to_string(), "is the file itself; name another output"));
    }
    let obstacle = if comm.rank() == 0 { obstacle(&target) } else { None };
    comm.agree(obstacle.map_or(Ok(()), |why| Err(Error::input("--output", why))))?;
    let source = Source::open(comm, path)?;
    let (outputs, random) = (source.outputs(&options.fields)?, source.random());
    let mesh = MeshSource::File { path: path.to_path_buf(), scale: 1.0 };
    let mesh = report.phase("mesh", || Mesh::build(comm, &mesh, &PartitionOptions::default()))?;
    let mesh = Rc::new(mesh);
    let place = (&mesh.region_names[..], mesh.dimension);
    let formulas = source.deck.as_ref().map_or(Vec::new(), |deck| Formula::all(deck, &random, place));
    let grid = Grid::over(&mesh, &options.counts, options.placement)?;
    let points = grid.points();
    // Of degree 1, and of degree 2 where a field has it.
    let degrees = 1..=outputs.iter().map(degree).max().unwrap_or(1);
    let samplers: Vec<Sampler> = report.phase("points", || {
        degrees.map(|degree| Sampler::new(&mesh, degree, &points)).collect::<Result<_>>()
    })?;
    let mask = samplers[0].transfer.found();
    let regions = samplers[0].transfer.apply_cells(|cell| f64::from(mesh.cell_regions[cell]));
    let regions: Vec<Option<usize>> =
        regions.into_iter().map(|region| (!region.is_nan()).then_some(region as usize)).collect();
    let inside = comm.sum(mask.iter().filter(|&&inside| inside).count() as u64);
    report.line(format!(
        "grid         {} points, {inside} of them in the mesh",
        grid.shape().iter().map(u64::to_string).collect::<Vec<_>>().join(" x ")
    ));

    let file = ResultFile::create(comm, &target)?;
    file.describe(Schema::Grid, &source.provenance()?)?;
    file.set("/", "source", path.display().to_string())?;
    file.set("/", "fill", options.fill)?;
    source.copy_to(&file)?;
    let file = GridFile::new(file, (&grid.axes, grid.planes.clone()), &mask, options.single)?;

    let lead = source.lead();
    let mut fields = Vec::new();
    for name in &random {
        let about = source.random_field(name)?;
        let path = format!("/inputs/{name}");
        fields.push(file.create(&path, (&about.unit, "random field"), &lead[..1], None)?);
    }
    let mut values = Vec::new();
    for formula in &formulas {
        values.push(file.create(
            &format!("/inputs/{}", formula.name),
            ("", &formula.meaning),
            &lead[..1],
            None,
        )?);
    }
    let mut solutions = Vec::new();
    for field in &outputs {
        let path = format!("/outputs/{}", field.name);
        let array =
            file.create(&path, (&field.unit, &field.meaning), &lead, Some(field.components as u64))?;
        if !field.component_names.is_empty() {
            file.set(&path, "component_names", field.component_names.clone())?;
        }
        solutions.push(array);
    }

    let progress = report.progress("samples", source.status.len());
    let width = source.parameters.names.len();
    for (number, status) in source.status.iter().enumerate() {
        let (sample, done) = (number as u64, *status == Status::Done);
        let put = |array: &mut GridArray, place: &[u64], values: &[f64]| {
            file.write(array, place, (values, done && source.has(place), options.fill))
        };
        // Collective calls below: all ranks see the same status.
        let nothing = |components: usize| vec![f64::NAN; points.len() * components];
        let mut drawn = Vec::new();
        for (name, array) in random.iter().zip(&mut fields) {
            let values = match done {
                true => samplers[0].values(&source.read_random(name, sample, &samplers[0].plan)?, 1)?,
                false => nothing(1),
            };
            put(array, &[sample], &values)?;
            drawn.push(values);
        }
        let missing = nothing(1);
        let in_order = |deck: &Deck| -> Vec<&[f64]> {
            let place = |name: &String| random.iter().position(|other| other == name);
            deck.random.keys().map(|name| place(name).map_or(&missing[..], |place| &drawn[place])).collect()
        };
        let in_order = source.deck.as_ref().map_or(Vec::new(), in_order);
        let parameters = &source.parameters.values[number * width..][..width];
        for (formula, array) in formulas.iter().zip(&mut values) {
            let values = match done {
                true => formula.evaluate(&points, &regions, parameters, &in_order),
                false => nothing(1),
            };
            put(array, &[sample], &values)?;
        }
        for (field, array) in outputs.iter().zip(&mut solutions) {
            let sampler = &samplers[degree(field) - 1];
            for (place, step) in source.places(sample) {
                let values = match done && source.has(&place) {
                    true => {
                        let owned = source.file.read_field(&field.name, step, &sampler.plan)?;
                        sampler.values(&owned, field.components)?
                    }
                    false => nothing(field.components),
                };
                put(array, &place, &values)?;
            }
        }
        progress.advance("");
    }
    drop(progress);
    for array in fields.iter().chain(&values).chain(&solutions) {
        file.close(array)?;
    }
    let size = file.finish()?;
    report.line(format!("{}: {}", target.display(), bytes(size as f64)));
    Ok(())
}
