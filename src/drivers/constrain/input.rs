//! Predictions in a file, checked against the deck's fields and its mesh.
use super::grid::{Interpolation, axes};
use super::header::{Header, Place as Frame, fault, group, of_user};
use crate::deck;
use crate::fem::Space;
use crate::parallel::{Comm, Redistribution};
use crate::simulation::{FieldInfo, Simulation};
use crate::storage::{File, Slab};
use crate::{Error, Result};
use petsc_rs::Vector;
use std::cell::Cell;
use std::path::Path;

/// Nodes are where the mesh has them to this part of its size: coordinates may have single precision.
const APART: f64 = 1e-6;

/// The fields of a file of predictions, and how they come to the nodes of the deck's mesh.
pub struct Predictions {
    file: File,
    sources: Vec<Source>,
    /// By problem.
    places: Vec<Place>,
    /// How far values on the two sides of a period differ, relative to the largest one.
    seam: Cell<f64>,
    /// Whether samples have frames.
    in_time: bool,
}

/// One solution, or its variances.
struct Source {
    field: FieldInfo,
    path: String,
    /// Length of the last axis, if there is one for components.
    components: Option<u64>,
    is_variance: bool,
}

enum Place {
    /// Values at the nodes, in canonical order.
    Nodes(Redistribution),
    Grid(Interpolation),
}

impl Predictions {
    /// Opens a file with that header. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] that names what does not fit: an unknown or missing field, another number of samples, nodes or
    /// components, other nodes.
    pub fn open(comm: &Comm, path: &Path, simulation: &Simulation, header: &Header) -> Result<Self> {
        let file = File::open(comm, path)?;
        let axes = axes(&file, simulation.mesh.dimension)?;
        let known = simulation.fields();
        let solutions: Vec<&FieldInfo> = known.iter().filter(|field| field.is_solution()).collect();
        let mut sources = Vec::new();
        for (group, is_variance) in [(group(&file), false), ("/variance", true)] {
            let there = file.members(group);
            let names: Vec<&str> = known.iter().map(|field| field.name.as_str()).collect();
            if let Some(name) = there.iter().find(|name| !names.contains(&name.as_str())) {
                let hint = deck::did_you_mean(name, &names, "fields");
                return Err(fault(&file, format!("{group}/{name}: the deck has no field \"{name}\"{hint}")));
            }
            for field in &solutions {
                let path = format!("{group}/{}", field.name);
                if there.contains(&field.name) {
                    let space = simulation.stages[field.stage].space();
                    let components = shape(&file, &path, field, space, (header, axes.as_deref()))?;
                    sources.push(Source { field: (*field).clone(), path, components, is_variance });
                }
            }
        }
        let has = |field: &FieldInfo, variance: bool| {
            sources.iter().any(|s| s.field.name == field.name && s.is_variance == variance)
        };
        for field in &solutions {
            let with = |other: &&&FieldInfo| other.stage == field.stage && has(other, true);
            let in_one = |f: &&&FieldInfo| {
                let of_file = file.shape(&format!("{}/{}", group(&file), f.name)).unwrap_or_default();
                let all = simulation.stages[f.stage].space().components as u64;
                f.stage == field.stage && f.first == 0 && of_file.last() == Some(&all)
            };
            let missing = match (has(field, false), has(field, true)) {
                (false, _) if solutions.iter().any(|f| in_one(&f) && field.first > 0) => format!(
                    "{}/{} is missing; the other array of the flow has as many components as it has unknowns: it seems to \
                     hold both, as datasets of earlier versions do, and must be taken apart",
                    group(&file),
                    field.name
                ),
                (false, _) => format!("{}/{} is missing: the deck solves for it", group(&file), field.name),
                (true, false) if solutions.iter().any(|other| with(&other)) => {
                    format!("/variance/{} is missing beside that of the problem's other field", field.name)
                }
                _ => continue,
            };
            return Err(fault(&file, missing));
        }
        if axes.is_none() {
            check_nodes(&file, simulation)?;
        }
        let place = |stage: &crate::simulation::Stage| match &axes {
            Some(axes) => Ok(Place::Grid(Interpolation::new(&file, stage.space(), axes)?)),
            None => Ok(Place::Nodes(stage.space().canonical())),
        };
        let places = simulation.stages.iter().map(place).collect::<Result<_>>()?;
        Ok(Self { file, sources, places, seam: Cell::new(0.0), in_time: !header.times.is_empty() })
    }

    /// Whether the file has variances of a problem's prediction.
    pub fn has_variance(&self, stage: usize) -> bool {
        self.sources.iter().any(|source| source.field.stage == stage && source.is_variance)
    }

    /// See [`Predictions::seam`].
    pub fn seam(&self) -> f64 {
        self.seam.get()
    }

    /// The predicted unknowns of a problem, with their ghosts. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] that names a value which is no number.
    pub fn state(&self, simulation: &Simulation, stage: usize, frame: Frame) -> Result<Vector> {
        self.read(simulation, (stage, false), frame)
    }

    /// The variances of the predicted unknowns, if the file has them. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] that names a value which is negative or no number.
    pub fn variance(&self, simulation: &Simulation, stage: usize, frame: Frame) -> Result<Option<Vector>> {
        self.has_variance(stage).then(|| self.read(simulation, (stage, true), frame)).transpose()
    }

    /// Reads all of a frame, for its faults. Collective.
    ///
    /// # Errors
    /// As [`Predictions::state`] and [`Predictions::variance`].
    pub fn check(&self, simulation: &Simulation, frame: Frame) -> Result<()> {
        (0..simulation.stages.len()).try_for_each(|stage| {
            self.state(simulation, stage, frame)?;
            self.variance(simulation, stage, frame).map(|_| ())
        })
    }

    fn read(
        &self,
        simulation: &Simulation,
        (stage, is_variance): (usize, bool),
        frame: Frame,
    ) -> Result<Vector> {
        let problem = &simulation.stages[stage].problem;
        let (space, c) = (&problem.space, problem.space.components);
        let mut state = space.field()?;
        for source in self.sources.iter().filter(|s| s.field.stage == stage && s.is_variance == is_variance) {
            let (values, width) = (self.values(source, frame)?, source.field.components);
            let stored = source.components.map_or(1, |c| c as usize);
            // A plane vector may have a third component, as in our own files.
            let beyond = values.chunks_exact(stored).any(|node| node[width..].iter().any(|v| *v != 0.0));
            let text = format!("{}: a third component is not zero, and the field is plane", source.path);
            space.mesh.comm.agree(if beyond { Err(fault(&self.file, text)) } else { Ok(()) })?;
            let values: Vec<f64> =
                values.chunks_exact(stored).flat_map(|node| node[..width].iter().copied()).collect();
            let good = |v: &f64| v.is_finite() && (!is_variance || *v >= 0.0);
            let bad = values.iter().position(|v| !good(v)).map(|i| {
                let point = &space.point(i / width)[..space.mesh.dimension];
                let what = if is_variance { "variance " } else { "" };
                fault(
                    &self.file,
                    format!(
                        "{}: sample {}{} holds the {what}value {} at the node at {point:?}",
                        source.path,
                        frame.sample,
                        if self.in_time { format!(", frame {},", frame.frame) } else { String::new() },
                        values[i]
                    ),
                )
            });
            space.mesh.comm.agree(bad.map_or(Ok(()), Err))?;
            let mut target = state.write()?;
            for (node, from) in target.chunks_exact_mut(c).zip(values.chunks_exact(width)) {
                node[source.field.first..][..width].copy_from_slice(from);
            }
        }
        state.ghost_update()?;
        problem.fill_unused(&mut state)?;
        Ok(state)
    }

    /// Values at the owned nodes, `[node, component]` with as many components as the file has.
    fn values(&self, source: &Source, frame: Frame) -> Result<Vec<f64>> {
        let mut leading = vec![frame.sample as u64];
        leading.extend(self.in_time.then_some(frame.frame as u64));
        let plan = match &self.places[source.field.stage] {
            Place::Grid(grid) => {
                return grid.read(&self.file, &source.path, &leading, source.components);
            }
            Place::Nodes(plan) => plan,
        };
        let (range, width) = (plan.range(), source.components.map_or(1, |c| c as usize));
        let mut slab = Slab { count: vec![1; leading.len()], start: leading };
        slab.start.push(range.start);
        slab.count.push(range.end - range.start);
        if let Some(components) = source.components {
            slab.start.push(0);
            slab.count.push(components);
        }
        let block: Vec<f64> = self.file.read(&source.path, &slab).map_err(of_user)?;
        let values = plan.from_canonical(&block, width);
        let there = plan.to_canonical(&values, width);
        let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, |m: f64, v| m.max(v.abs()));
        let apart = largest(&mut block.iter().zip(&there).map(|(a, b)| a - b));
        let size = plan.comm().max(largest(&mut there.iter().copied()));
        if apart > 0.0 && size > 0.0 {
            self.seam.set(self.seam.get().max(apart / size));
        }
        Ok(values)
    }
}

/// Checks the shape of an array of the file; the length of its axis of components, if it has one.
fn shape(
    file: &File,
    path: &str,
    field: &FieldInfo,
    space: &Space,
    (header, axes): (&Header, Option<&[Vec<f64>]>),
) -> Result<Option<u64>> {
    let shape = file.shape(path).map_err(of_user)?;
    let (nodes, samples, c) = (space.canonical().total(), header.samples as u64, field.components as u64);
    let mut leading = vec![samples];
    leading.extend((!header.times.is_empty()).then_some(header.times.len() as u64));
    let points: Vec<u64> =
        axes.map_or(vec![nodes], |axes| axes.iter().map(|axis| axis.len() as u64).collect());
    let plain = [&leading[..], &points].concat();
    let full = [&plain[..], &[c]].concat();
    if shape == full {
        return Ok(Some(c));
    }
    if shape == plain && c == 1 {
        return Ok(None);
    }
    if c == 2 && shape == [&plain[..], &[3]].concat() {
        return Ok(Some(3));
    }
    let wanted = if c == 1 { format!("{plain:?} or {full:?}") } else { format!("{full:?}") };
    let what = match axes {
        Some(_) => "the points of /grid".into(),
        None => format!("the {nodes} nodes of degree {} of {}", space.element.degree, space.mesh.source),
    };
    let parts = match &shape[..] {
        [found, ..] if *found != samples => format!("; the file's first field has {samples} samples"),
        _ => String::new(),
    };
    let names = if c == 1 { "" } else { ", and components" };
    let frames = if header.times.is_empty() { "" } else { "frames at /times, " };
    Err(fault(
        file,
        format!("{path} has the shape {shape:?}; expected {wanted}: samples, {frames}{what}{names}{parts}"),
    ))
}

/// Compares the nodes that the file has: `/nodes`, or the mesh of a file of our own. Collective.
fn check_nodes(file: &File, simulation: &Simulation) -> Result<()> {
    let mesh = &simulation.mesh;
    let (d, comm) = (mesh.dimension, &mesh.comm);
    for (path, degree) in [("/nodes", None), ("/mesh/geometry", Some(1)), ("/spaces/2/coordinates", Some(2))]
    {
        if !file.exists(path) {
            continue;
        }
        let shape = file.shape(path).map_err(of_user)?;
        let spaces = simulation.stages.iter().map(|stage| stage.space());
        let mut known: Vec<(usize, u64)> =
            spaces.clone().map(|s| (s.element.degree, s.canonical().total())).collect();
        known.dedup();
        let fits = |space: &&std::rc::Rc<Space>| {
            shape == [space.canonical().total(), d as u64]
                && degree.is_none_or(|degree| degree == space.element.degree)
        };
        let Some(space) = spaces.clone().find(fits) else {
            if degree.is_some_and(|degree| known.iter().all(|known| known.0 != degree)) {
                // Vertices of a file whose fields are of degree 2.
                continue;
            }
            let list: Vec<String> =
                known.iter().map(|(degree, n)| format!("{n} nodes of degree {degree}")).collect();
            let text = format!("the mesh {} has {} in {d} dimensions", mesh.source, list.join(" or "));
            return Err(fault(file, format!("{path} has the shape {shape:?}; {text}")));
        };
        let plan = space.canonical();
        let range = plan.range();
        let slab = Slab { start: vec![range.start, 0], count: vec![range.end - range.start, d as u64] };
        let theirs: Vec<f64> = file.read(path, &slab).map_err(of_user)?;
        let theirs = plan.from_canonical(&theirs, d);
        let along = |i: usize| mesh.coordinates.iter().skip(i).step_by(d).copied();
        let length = |i: usize| {
            comm.max(along(i).fold(f64::MIN, f64::max)) - comm.min(along(i).fold(f64::MAX, f64::min))
        };
        let size = (0..d).map(length).fold(0.0, f64::max);
        let far = (0..space.owned_nodes).find(|&node| {
            let (own, other) = (space.point(node), &theirs[node * d..][..d]);
            other.iter().zip(own).any(|(a, b)| a.is_nan() || (a - b).abs() > APART * size)
        });
        let message = |node: usize| -> Error {
            let (own, other) = (&space.point(node)[..d], &theirs[node * d..][..d]);
            let text = format!(
                "{path} has a node at {other:?} where that of the mesh {} is at {own:?}",
                mesh.source
            );
            fault(file, format!("{text}: another mesh, or another order of its nodes"))
        };
        comm.agree(far.map_or(Ok(()), |node| Err(message(node))))?;
    }
    Ok(())
}
