//! Coefficients and initial values from HDF5 files: in the canonical order of the mesh, or fields of a run on another mesh.
use super::coefficient::{NodalField, Source};
use crate::fem::Space;
use crate::fem::transfer::Transfer;
use crate::mesh::{Mesh, MeshSource, PartitionOptions};
use crate::parallel::Redistribution;
use crate::storage::File;
use crate::{Error, Result};
use std::path::Path;
use std::rc::Rc;

/// A dataset, scalar where not said otherwise.
pub struct FileSource<'a> {
    /// The file.
    pub path: &'a Path,
    /// `[entity]`, `[entity, 1]` or `[step, entity, 1]`.
    pub dataset: &'a str,
    /// Whether its values must be positive.
    pub positive: bool,
    /// Start and end of a run in time, s.
    pub interval: Option<(f64, f64)>,
}

/// What of a dataset is wanted.
struct Layout {
    /// Cells or nodes.
    count: u64,
    /// Steps to read with their times; `None` where the dataset has no axis of steps.
    steps: Option<Vec<(u64, f64)>>,
}

/// Steps of a nodal dataset: times, s, with the values at local nodes.
type Frames = Vec<(f64, Vec<f64>)>;

/// How many cells or nodes a dataset of that shape has; nothing where it has another number of components.
fn entities(shape: &[u64], components: usize) -> Option<u64> {
    match *shape {
        [count] if components == 1 => Some(count),
        [count, c] | [_, count, c] if c == components as u64 => Some(count),
        _ => None,
    }
}

impl FileSource<'_> {
    /// Reads the dataset. One value for each cell of `mesh` is taken as it is, so are values at the nodes of
    /// degree 1 or 2 of the same mesh; a field of a file that has another mesh is interpolated to the nodes of
    /// `mesh` of the field's degree. Several steps are all kept for a run in time. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when the dataset is missing, fits no mesh, has values that are not finite (or not
    /// positive where they must be), when its times do not cover the run, or its mesh not `mesh`.
    pub fn read(&self, mesh: &Rc<Mesh>) -> Result<Source> {
        let file = File::open(&mesh.comm, self.path)?;
        if !file.exists(self.dataset) {
            return Err(self.fault(format!("there is no dataset \"{}\"", self.dataset)));
        }
        let shape = file.shape(self.dataset)?;
        let count = entities(&shape, 1).unwrap_or(0);
        let own_mesh = file.exists("/mesh/geometry") && !self.has_mesh(&file, mesh)?;
        if count == mesh.global_cells && !own_mesh {
            let layout = self.layout(&file, (&shape, 1), None)?;
            let plan = Redistribution::new(&mesh.comm, &mesh.cell_ids, count);
            let mut frames = self.frames(&file, &layout, (&plan, 1))?;
            return Ok(Source::Cellwise(Rc::new(frames.pop().expect("at least one step").1)));
        }
        let Some((from, mut frames)) = self.nodal(&file, mesh, own_mesh, (1, self.interval))? else {
            return Err(self.fault(format!(
                "{} has the shape {shape:?}; expected one value for each of the {} cells or {} vertices of {}",
                self.dataset, mesh.global_cells, mesh.global_vertices, mesh.source
            )));
        };
        file.close()?;
        let space = if own_mesh {
            let space = Rc::new(Space::new(mesh.clone(), from.element.degree, 1)?);
            let transfer = self.transfer(&from, &space)?;
            frames.iter_mut().for_each(|(_, values)| *values = transfer.apply(values));
            space
        } else {
            from
        };
        let mut field = NodalField::new(space);
        field.values = frames[frames.len() - 1].1.clone().into();
        field.frames = frames;
        Ok(Source::Nodal(Rc::new(field)))
    }

    /// The last step of a nodal dataset `[node, component]` or `[step, node, component]`, at the local nodes of a space,
    /// `[node, component]`; that of another mesh or degree is interpolated. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] as [`FileSource::read`].
    pub fn read_vector(&self, space: &Space, components: usize) -> Result<Vec<f64>> {
        let mesh = &space.mesh;
        let file = File::open(&mesh.comm, self.path)?;
        if !file.exists(self.dataset) {
            return Err(self.fault(format!("there is no dataset \"{}\"", self.dataset)));
        }
        let own_mesh = file.exists("/mesh/geometry") && !self.has_mesh(&file, mesh)?;
        let Some((from, mut frames)) = self.nodal(&file, mesh, own_mesh, (components, None))? else {
            return Err(self.fault(format!(
                "{} has the shape {:?}; expected {components} values for each node of {}",
                self.dataset,
                file.shape(self.dataset)?,
                mesh.source
            )));
        };
        file.close()?;
        let values = frames.pop().expect("at least one step").1;
        if !own_mesh && from.element.degree == space.element.degree {
            return Ok(values);
        }
        let transfer = self.transfer(&from, space)?;
        let mut result = vec![0.0; space.local_nodes() * components];
        for i in 0..components {
            let one: Vec<f64> = values.iter().skip(i).step_by(components).copied().collect();
            let places = result.iter_mut().skip(i).step_by(components);
            places.zip(transfer.apply(&one)).for_each(|(place, value)| *place = value);
        }
        Ok(result)
    }

    /// The dataset's steps at the local nodes of the space that it is of, on this mesh or on that of the file; nothing where it
    /// fits neither. Collective.
    fn nodal(
        &self,
        file: &File,
        mesh: &Rc<Mesh>,
        own_mesh: bool,
        (components, interval): (usize, Option<(f64, f64)>),
    ) -> Result<Option<(Rc<Space>, Frames)>> {
        let shape = file.shape(self.dataset)?;
        let layout = self.layout(file, (&shape, components), interval)?;
        let found = if own_mesh {
            let source = MeshSource::File { path: self.path.to_path_buf(), scale: 1.0 };
            let other = Rc::new(Mesh::build(&mesh.comm, &source, &PartitionOptions::default())?);
            self.nodes_of(&other, layout.count)?
        } else {
            self.nodes_of(mesh, layout.count)?
        };
        let Some((from, plan)) = found else { return Ok(None) };
        let mut frames = self.frames(file, &layout, (&plan, components))?;
        for (_, values) in &mut frames {
            let mut field = from.field_of(components)?;
            field.write()?.copy_from_slice(values);
            field.ghost_update()?;
            *values = field.local_read()?.to_vec();
        }
        Ok(Some((from, frames)))
    }

    /// Interpolation to the local nodes of a space. Collective.
    fn transfer(&self, from: &Space, to: &Space) -> Result<Transfer> {
        let points: Vec<[f64; 3]> = (0..to.local_nodes()).map(|node| to.point(node)).collect();
        Transfer::new(from, &points).map_err(|error| self.fault(error.to_string()))
    }

    fn fault(&self, message: String) -> Error {
        Error::input(self.path.display().to_string(), message)
    }

    /// Whether the file's mesh is this one. Collective.
    fn has_mesh(&self, file: &File, mesh: &Mesh) -> Result<bool> {
        let d = mesh.dimension;
        let same = file.shape("/mesh/geometry")? == [mesh.global_vertices, d as u64]
            && file.shape("/mesh/topology")?.first() == Some(&mesh.global_cells);
        if !same {
            return Ok(false);
        }
        let plan = Redistribution::new(&mesh.comm, &mesh.vertex_ids, mesh.global_vertices);
        let theirs = plan.from_canonical(&file.read_rows::<f64>("/mesh/geometry", plan.range())?, d);
        let size = mesh.comm.max(mesh.coordinates.iter().fold(0.0f64, |m, x| m.max(x.abs())));
        let apart = theirs.iter().zip(&mesh.coordinates).any(|(a, b)| (a - b).abs() > 1e-10 * size);
        Ok(mesh.comm.max(u8::from(apart)) == 0)
    }

    /// The space on `mesh` that has that many nodes in files, and the plan to read them.
    fn nodes_of(&self, mesh: &Rc<Mesh>, count: u64) -> Result<Option<(Rc<Space>, Redistribution)>> {
        for degree in 1..=2 {
            let space = Space::new(mesh.clone(), degree, 1)?;
            let plan = space.canonical();
            if plan.total() == count {
                return Ok(Some((Rc::new(space), plan)));
            }
        }
        Ok(None)
    }

    /// Which steps to read: all that bear on `interval`, or the last.
    fn layout(
        &self,
        file: &File,
        (shape, components): (&[u64], usize),
        interval: Option<(f64, f64)>,
    ) -> Result<Layout> {
        let count = entities(shape, components).unwrap_or(0);
        let steps = match *shape {
            [steps, _, _] if count > 0 && steps > 0 => steps,
            _ => return Ok(Layout { count, steps: None }),
        };
        let times = if file.exists("/time") { file.read_array::<f64>("/time")?.1 } else { Vec::new() };
        // Frames that a failed run did not reach have no time.
        let last = (times.len() as u64).clamp(1, steps) - 1;
        let Some((start, end)) = interval.filter(|_| times.len() > 1) else {
            let last = if times.is_empty() { steps - 1 } else { last };
            return Ok(Layout { count, steps: Some(vec![(last, 0.0)]) });
        };
        let (first, until) = (times[0], times[last as usize]);
        let margin = 1e-9 * (end - start);
        if start < first - margin || end > until + margin {
            return Err(self.fault(format!(
                "{} covers the times {first} to {until} s; the run is from {start} to {end} s",
                self.dataset
            )));
        }
        let before = times.partition_point(|&t| t <= start).saturating_sub(1);
        let after = times.partition_point(|&t| t < end - margin).min(last as usize);
        Ok(Layout { count, steps: Some((before..=after).map(|i| (i as u64, times[i])).collect()) })
    }

    /// The values at the entities of `plan` by step, with the times. Collective.
    fn frames(
        &self,
        file: &File,
        layout: &Layout,
        (plan, components): (&Redistribution, usize),
    ) -> Result<Frames> {
        let Some(steps) = &layout.steps else {
            let block: Vec<f64> = file.read_rows(self.dataset, plan.range())?;
            self.check(&block, (plan, components))?;
            return Ok(vec![(0.0, plan.from_canonical(&block, components))]);
        };
        steps
            .iter()
            .map(|&(step, time)| {
                let block: Vec<f64> = file.read_step(self.dataset, step, plan.range())?;
                self.check(&block, (plan, components))?;
                Ok((time, plan.from_canonical(&block, components)))
            })
            .collect()
    }

    fn check(&self, block: &[f64], (plan, components): (&Redistribution, usize)) -> Result<()> {
        let good = |value: &f64| value.is_finite() && (!self.positive || *value > 0.0);
        let bad = block.iter().position(|value| !good(value));
        plan.comm().agree(bad.map_or(Ok(()), |i| {
            let wanted = if self.positive { "positive numbers" } else { "finite numbers" };
            let (at, value) = (plan.range().start + (i / components) as u64, block[i]);
            Err(self.fault(format!("{} holds {value} at {at}; expected {wanted}", self.dataset)))
        }))
    }
}
