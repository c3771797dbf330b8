//! Fields of a file: what they say of themselves, and their values in canonical order.
use super::attribute::{self, Value};
use super::collective::message;
use super::file::File;
use crate::error::{Error, Result};
use crate::parallel::Redistribution;
use std::ops::Range;

/// Which entities of the mesh carry a field's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// The nodes of the Lagrange space of this degree; those of degree 1 are the vertices.
    Nodes {
        /// 1 or 2.
        degree: usize,
    },
    /// The cells.
    Cells,
}

/// A field in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Name of the dataset below `/fields`.
    pub name: String,
    /// Unit in SI.
    pub unit: String,
    /// What it is, in words.
    pub meaning: String,
    /// The physics that it belongs to; may be empty.
    pub physics: String,
    /// Where its values live.
    pub location: Location,
    /// Number of nodes or cells over all ranks.
    pub entities: u64,
    /// Values at each: 1 scalar, 2 or 3 vector, 6 symmetric tensor (xx, xy, xz, yy, yz, zz), 9 tensor.
    pub components: usize,
    /// Names of the components; may be empty.
    pub component_names: Vec<String>,
}

impl Field {
    /// A field at the nodes of a space of that degree, of which `plan` says how many there are.
    pub fn nodes(name: &str, unit: &str, components: usize, degree: usize, plan: &Redistribution) -> Self {
        Self::at(Location::Nodes { degree }, name, unit, components, plan)
    }

    /// A field with values at the cells.
    pub fn cells(name: &str, unit: &str, components: usize, plan: &Redistribution) -> Self {
        Self::at(Location::Cells, name, unit, components, plan)
    }

    fn at(location: Location, name: &str, unit: &str, components: usize, plan: &Redistribution) -> Self {
        Self {
            name: name.into(),
            unit: unit.into(),
            meaning: String::new(),
            physics: String::new(),
            location,
            entities: plan.total(),
            components,
            component_names: Vec::new(),
        }
    }

    /// The same with words for what it is.
    pub fn meaning(mut self, meaning: &str) -> Self {
        self.meaning = meaning.into();
        self
    }

    /// The same with the physics that it belongs to.
    pub fn physics(mut self, physics: &str) -> Self {
        self.physics = physics.into();
        self
    }

    /// The same with names for its components.
    pub fn component_names<S: ToString>(mut self, names: &[S]) -> Self {
        self.component_names = names.iter().map(S::to_string).collect();
        self
    }
}

/// Where a field lies.
pub fn field_path(name: &str) -> String {
    format!("/fields/{name}")
}

fn input_path(name: &str) -> String {
    format!("/inputs/{name}")
}

impl File {
    /// Writes the nodes of a Lagrange space, wanted for degree 2 only (those of degree 1 are the mesh's
    /// vertices): the coordinates of the owned nodes, `[node, dimension]` in metres, and the canonical nodes
    /// of the owned cells in VTK's order, `[cell, function]`. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when the file has it already, or HDF5 or the file system refuses.
    pub fn write_space(
        &self,
        degree: usize,
        (nodes, coordinates): (&Redistribution, &[f64]),
        (cells, cell_nodes): (&Redistribution, &[u64]),
        dimension: usize,
        functions: usize,
    ) -> Result<()> {
        let (points, topology) =
            (format!("/spaces/{degree}/coordinates"), format!("/spaces/{degree}/cell_nodes"));
        self.create_dataset::<f64>(&points, &[nodes.total(), dimension as u64])?;
        self.set(&points, "unit", "m")?;
        self.set(&points, "meaning", "coordinates of the nodes")?;
        self.write_rows(&points, nodes.range().start, &nodes.to_canonical(coordinates, dimension))?;
        self.create_dataset::<u64>(&topology, &[cells.total(), functions as u64])?;
        self.set(&topology, "meaning", "nodes of the cells, in the order of VTK's quadratic cells")?;
        self.write_rows(&topology, cells.range().start, &cells.to_canonical(cell_nodes, functions))
    }

    /// Writes which rank and which expert each cell belonged to: the one part of a file that shows how it
    /// was made. `experts` are those of the owned cells. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when the file has one already, or HDF5 or the file system refuses.
    pub fn write_partition(&self, cells: &Redistribution, experts: &[u32]) -> Result<()> {
        let ranks = vec![self.comm().rank() as u32; experts.len()];
        for (name, values, meaning) in [
            ("/partition/rank", &ranks[..], "rank that owned the cell"),
            ("/partition/expert", experts, "expert that the cell belonged to"),
        ] {
            self.create_dataset::<u32>(name, &[cells.total()])?;
            self.set(name, "meaning", meaning)?;
            self.write_rows(name, cells.range().start, &cells.to_canonical(values, 1))?;
        }
        Ok(())
    }

    /// Makes room for a field over `steps` steps (or samples). Collective.
    ///
    /// # Errors
    /// As [`File::create_dataset`].
    pub fn create_field(&self, field: &Field, steps: u64) -> Result<()> {
        self.create_field_at(&field_path(&field.name), field, steps)
    }

    /// Makes room for a field of a campaign, `lead` being the number of samples, or of samples and of steps of each; in
    /// single precision if so wanted. Collective.
    ///
    /// # Errors
    /// As [`File::create_dataset`].
    pub fn create_field_of_samples(&self, field: &Field, lead: &[u64], single: bool) -> Result<()> {
        let path = field_path(&field.name);
        let shape = [lead, &[field.entities, field.components as u64]].concat();
        match single {
            true => self.create_dataset::<f32>(&path, &shape)?,
            false => self.create_dataset::<f64>(&path, &shape)?,
        }
        self.describe_field(&path, field)
    }

    /// Makes room for a field in a place of its own, over so many steps, modes or the like. Collective.
    ///
    /// # Errors
    /// As [`File::create_dataset`].
    pub fn create_field_at(&self, path: &str, field: &Field, steps: u64) -> Result<()> {
        self.create_dataset::<f64>(path, &[steps, field.entities, field.components as u64])?;
        self.describe_field(path, field)
    }

    /// Gives the array of a field its attributes. Collective.
    ///
    /// # Errors
    /// As [`File::set`].
    pub fn describe_field(&self, path: &str, field: &Field) -> Result<()> {
        self.set(path, "unit", field.unit.as_str())?;
        self.set(path, "meaning", field.meaning.as_str())?;
        self.set(path, "components", field.components)?;
        if !field.physics.is_empty() {
            self.set(path, "physics", field.physics.as_str())?;
        }
        match field.location {
            Location::Nodes { degree } => {
                self.set(path, "location", "node")?;
                self.set(path, "degree", degree)?;
            }
            Location::Cells => self.set(path, "location", "cell")?,
        }
        if !field.component_names.is_empty() {
            self.set(path, "component_names", field.component_names.clone())?;
        }
        Ok(())
    }

    /// Makes room for an input such as a random field, `/inputs/<name>`, over so many samples. Collective.
    ///
    /// # Errors
    /// As [`File::create_dataset`].
    pub fn create_input(&self, field: &Field, samples: u64) -> Result<()> {
        self.create_field_at(&input_path(&field.name), field, samples)
    }

    /// Writes an input of one sample from the values of the owned nodes, in the order of `plan`. Collective.
    ///
    /// # Errors
    /// As [`File::write_field`].
    pub fn write_input(&self, name: &str, sample: u64, plan: &Redistribution, values: &[f64]) -> Result<()> {
        self.write_field_at(&input_path(name), sample, plan, values)
    }

    /// Reads an input of one sample: the values of the owned nodes, in the order of `plan`. Collective.
    ///
    /// # Errors
    /// As [`File::read_field`].
    pub fn read_input(&self, name: &str, sample: u64, plan: &Redistribution) -> Result<Vec<f64>> {
        self.read_field_at(&input_path(name), sample, plan)
    }

    /// What the file says of an input, and its number of samples. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when there is no such input, or it does not say what it is.
    pub fn input(&self, name: &str) -> Result<(Field, u64)> {
        self.field_at(&input_path(name), name)
    }

    /// Makes a field of one step and writes it: `values` are those of the owned nodes or cells in the order
    /// of `plan`, `[node or cell, component]`. Collective.
    ///
    /// # Errors
    /// Those of [`File::create_field`] and [`File::write_field`].
    pub fn save_field(&self, field: &Field, plan: &Redistribution, values: &[f64]) -> Result<()> {
        self.create_field(field, 1)?;
        self.write_field(&field.name, 0, plan, values)
    }

    /// Writes one step of a field from the values of the owned nodes or cells, in the order of `plan`. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when there is no room for such a field and step, the number of values is wrong, or the file
    /// system refuses.
    pub fn write_field(&self, name: &str, step: u64, plan: &Redistribution, values: &[f64]) -> Result<()> {
        self.write_field_at(&field_path(name), step, plan, values)
    }

    /// As [`File::write_field`] of the array at `path`; of one with samples and steps the steps of the first sample come
    /// first. Collective.
    ///
    /// # Errors
    /// As [`File::write_field`].
    pub fn write_field_at(&self, path: &str, step: u64, plan: &Redistribution, values: &[f64]) -> Result<()> {
        let (lead, width) = self.field_place(path, step, plan)?;
        let (found, owned) = (values.len(), plan.owned());
        self.comm().agree(if found == owned * width {
            Ok(())
        } else {
            Err(Error::storage(format!("{}: {path}: {found} values for {owned} times {width}", self.label())))
        })?;
        let block = plan.to_canonical(values, width);
        if !self.is_single(path)? {
            return self.write_below(path, &lead, plan.range().start, &block);
        }
        let single: Vec<f32> = block.iter().map(|&value| value as f32).collect();
        let large = block.iter().zip(&single).any(|(value, single)| value.is_finite() && !single.is_finite());
        self.comm().agree(match large {
            false => Ok(()),
            true => Err(Error::Failed(format!("{path}: a value is too large for single precision"))),
        })?;
        self.write_below(path, &lead, plan.range().start, &single)
    }

    /// Reads one step of a field: the values of the owned nodes or cells, in the order of `plan`. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when there is no such field and step, or its nodes or cells are not those of the plan.
    pub fn read_field(&self, name: &str, step: u64, plan: &Redistribution) -> Result<Vec<f64>> {
        self.expect_field(name)?;
        self.read_field_at(&field_path(name), step, plan)
    }

    /// As [`File::read_field`] of the array at `path`. Collective.
    ///
    /// # Errors
    /// As [`File::read_field`].
    pub fn read_field_at(&self, path: &str, step: u64, plan: &Redistribution) -> Result<Vec<f64>> {
        let (lead, width) = self.field_place(path, step, plan)?;
        let block: Vec<f64> = self.read_below(path, &lead, plan.range())?;
        Ok(plan.from_canonical(&block, width))
    }

    /// Reads a block of one step of a field in canonical order, each rank its own. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when there is no such field, step or range.
    pub fn read_canonical(&self, name: &str, step: u64, range: Range<u64>) -> Result<Vec<f64>> {
        self.expect_field(name)?;
        self.read_step(&field_path(name), step, range)
    }

    /// The leading indices and the number of components of a step of an array that fits the plan.
    fn field_place(&self, path: &str, step: u64, plan: &Redistribution) -> Result<(Vec<u64>, usize)> {
        let shape = self.shape(path)?;
        match split(&shape) {
            Some((steps, entities, width)) if step < steps && entities == plan.total() => {
                Ok((lead(&shape, step), width as usize))
            }
            _ => Err(Error::storage(format!(
                "{}: {path} has the shape {shape:?}, which has no step {step} of {} nodes or cells",
                self.label(),
                plan.total()
            ))),
        }
    }

    /// Names of the fields. Collective.
    pub fn fields(&self) -> Vec<String> {
        self.members("/fields")
    }

    /// What the file says of a field, and its number of steps. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when there is no such field, or it does not say what it is.
    pub fn field(&self, name: &str) -> Result<(Field, u64)> {
        self.expect_field(name)?;
        self.field_at(&field_path(name), name)
    }

    /// What the file says of the field whose array lies at `path`, and its number of steps. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when there is no such array, or it does not say what it is.
    pub fn field_at(&self, path: &str, name: &str) -> Result<(Field, u64)> {
        let shape = self.shape(path)?;
        parse(self.root(), path, name, &shape)
            .map_err(|why| Error::storage(format!("{}: {path}: {why}", self.label())))
    }

    fn expect_field(&self, name: &str) -> Result<()> {
        if self.exists(&field_path(name)) {
            return Ok(());
        }
        let there = self.fields();
        let list = if there.is_empty() {
            "it has no fields".into()
        } else {
            format!("fields: {}", there.join(", "))
        };
        Err(Error::storage(format!("{}: there is no field \"{name}\" ({list})", self.label())))
    }
}

/// Steps, entities and components of an array `[step, entity, component]` or `[sample, step, entity, component]`; of the
/// latter the steps of all samples are counted, those of the first sample first.
fn split(shape: &[u64]) -> Option<(u64, u64, u64)> {
    match *shape {
        [steps, entities, components] => Some((steps, entities, components)),
        [samples, steps, entities, components] => Some((samples.checked_mul(steps)?, entities, components)),
        _ => None,
    }
}

/// The leading indices of a step of an array of such a shape, see [`split`].
pub(super) fn lead(shape: &[u64], step: u64) -> Vec<u64> {
    match *shape {
        [_, steps, _, _] if steps > 0 => vec![step / steps, step % steps],
        _ => vec![step],
    }
}

/// What a file says of the array of a field at `path`, and its number of steps, see [`split`].
pub(super) fn parse(
    root: &hdf5::Group,
    path: &str,
    name: &str,
    shape: &[u64],
) -> std::result::Result<(Field, u64), String> {
    let (steps, entities, components) = match split(shape) {
        Some((steps, entities, components)) if entities > 0 && components > 0 => {
            (steps, entities, components)
        }
        _ => return Err(format!("a field has the shape [step, node, component], not {shape:?}")),
    };
    let get = |name: &str| attribute::get(root, path, name).map_err(message);
    let text = |name: &str| Ok::<_, String>(get(name)?.map_or(String::new(), |value| value.to_string()));
    let location = match (text("location")?.as_str(), get("degree")?) {
        ("cell", _) => Location::Cells,
        (_, Some(Value::Integer(degree))) => Location::Nodes { degree: degree as usize },
        _ => Location::Nodes { degree: 1 },
    };
    let component_names = match get("component_names")? {
        Some(Value::Texts(names)) => names,
        _ => Vec::new(),
    };
    let field = Field {
        name: name.into(),
        unit: text("unit")?,
        meaning: text("meaning")?,
        physics: text("physics")?,
        location,
        entities,
        components: components as usize,
        component_names,
    };
    Ok((field, steps))
}
