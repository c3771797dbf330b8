//! What owners remember, in the file of a checkpoint: each in a group of its own, numbers as attributes, anything longer as
//! datasets; fields in canonical order, and what belongs to cells in the order of the mesh.
use crate::fem::Space;
use crate::memory::{Entry, Kept, Value};
use crate::parallel::Redistribution;
use crate::storage::{self, Sealed, Sealing};
use crate::{Error, Result};
use petsc_rs::Vector;

/// Where the owner of a memory lies: its group in the file, and the nodes of its fields.
pub struct Place<'a> {
    /// The group; empty for that of the file.
    pub group: String,
    /// The space of its fields.
    pub space: &'a Space,
    /// The canonical order of the space's nodes.
    pub plan: &'a Redistribution,
}

/// So many numbers are written.
pub fn size(space: &Space, entries: &[Entry]) -> u64 {
    let one = |entry: &Entry| match &entry.1 {
        Value::Numbers(_) => 0,
        Value::Rows(rows) => rows.iter().map(|row| row.len() as u64).sum(),
        Value::Field(_) => space.global_dofs(),
        Value::Cells(_, width) => *width as u64 * space.mesh.global_cells,
    };
    entries.iter().map(one).sum()
}

impl Place<'_> {
    /// Writes what an owner there remembers. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when the disk is full.
    pub fn save(&self, target: &mut Sealing, entries: &[Entry]) -> Result<()> {
        let (group, mesh) = (&self.group, &self.space.mesh);
        for Entry(name, value) in entries {
            let path = format!("{group}/{name}");
            match value {
                Value::Numbers(_) => {}
                Value::Rows(rows) => {
                    let shape = [rows.len() as u64, rows.first().map_or(0, Vec::len) as u64];
                    target.write_array(&path, &shape, &rows.concat())?;
                }
                Value::Field(field) => {
                    let width = self.space.components;
                    let values = self.plan.to_canonical(&field.read()?, width);
                    let shape = [self.plan.total(), width as u64];
                    target.write(&path, &shape, self.plan.range().start, &values)?;
                }
                // Cells keep the order of their vertices, and so their points, on any rank.
                Value::Cells(values, width) => {
                    let plan = mesh.cell_redistribution();
                    let values = plan.to_canonical(&values[..mesh.owned_cells * width], *width);
                    target.write(&path, &[plan.total(), *width as u64], plan.range().start, &values)?;
                }
            }
        }
        // Attributes need the group, which datasets make.
        for Entry(name, value) in entries {
            match value {
                Value::Numbers(list) if list.len() == 1 => target.file().set(self.object(), name, list[0])?,
                Value::Numbers(list) => target.file().set(self.object(), name, list.clone())?,
                _ => {}
            }
        }
        Ok(())
    }

    /// What has its numbers as attributes.
    fn object(&self) -> &str {
        if self.group.is_empty() { "/" } else { &self.group }
    }

    /// What an owner there remembered in a file.
    pub fn kept<'a>(&'a self, saved: &'a Sealed) -> Saved<'a> {
        Saved { saved, place: self }
    }
}

/// What an owner remembered in a file.
pub struct Saved<'a> {
    saved: &'a Sealed,
    place: &'a Place<'a>,
}

impl Saved<'_> {
    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.place.group)
    }

    /// This rank's block of an array that must have as many entities as the plan; `None` when there is no such array.
    fn block(&self, name: &str, plan: &Redistribution, width: usize) -> Result<Option<&[f64]>> {
        let path = self.path(name);
        match self.saved.array(&path) {
            None => Ok(None),
            Some(array) if array.shape == [plan.total(), width as u64] => Ok(Some(&array.values)),
            Some(array) => {
                let (shape, total) = (&array.shape, plan.total());
                let message = format!("{path} has the shape {shape:?}, not [{total}, {width}]");
                Err(Error::input(self.saved.file().label(), message))
            }
        }
    }
}

impl Kept for Saved<'_> {
    fn numbers(&self, name: &str) -> Result<Option<Vec<f64>>> {
        Ok(match self.saved.file().get(self.place.object(), name)? {
            Some(storage::Value::Floats(numbers)) => Some(numbers),
            Some(storage::Value::Float(number)) => Some(vec![number]),
            Some(storage::Value::Integer(number)) => Some(vec![number as f64]),
            _ => None,
        })
    }

    fn rows(&self, name: &str) -> Result<Option<Vec<Vec<f64>>>> {
        let path = self.path(name);
        let Some(array) = self.saved.array(&path) else { return Ok(None) };
        let width = array.shape.get(1).copied().unwrap_or(1).max(1) as usize;
        Ok(Some(self.saved.whole(&path).chunks(width).map(<[f64]>::to_vec).collect()))
    }

    fn field(&self, name: &str) -> Result<Option<Vector>> {
        let Place { space, plan, .. } = self.place;
        let Some(values) = self.block(name, plan, space.components)? else { return Ok(None) };
        let mut field = space.field()?;
        field.write()?.copy_from_slice(&plan.from_canonical(values, space.components));
        field.ghost_update()?;
        Ok(Some(field))
    }

    fn cells(&self, name: &str, width: usize) -> Result<Option<Vec<f64>>> {
        // Those of the ghost layer as well.
        let mesh = &self.place.space.mesh;
        let plan = Redistribution::new(&mesh.comm, &mesh.cell_ids, mesh.global_cells);
        Ok(self.block(name, &plan, width)?.map(|values| plan.from_canonical(values, width)))
    }

    fn missing(&self, name: &str) -> Error {
        Error::input(self.saved.file().label(), format!("there is no {}", self.path(name)))
    }
}
