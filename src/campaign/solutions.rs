//! Solutions in datasets, each of their fields in an array of its own, as in the file of a run: velocity and pressure of a
//! flow.
use super::fields::describe;
use crate::Result;
use crate::parallel::Redistribution;
use crate::simulation::{FieldInfo, Simulation};
use crate::storage::{DatasetFile, Field};

/// How the solution of a problem lies in datasets.
pub struct Solution {
    /// Its fields, in the order of their components.
    parts: Vec<FieldInfo>,
    /// The canonical order of its nodes.
    pub plan: Redistribution,
}

impl Solution {
    /// Those of all problems. Collective.
    pub fn all(simulation: &Simulation) -> Vec<Self> {
        let fields = simulation.fields();
        let of = |(stage, of_stage): (usize, &crate::simulation::Stage)| {
            let own = fields.iter().filter(|field| field.stage == stage && field.is_solution());
            Self { parts: own.cloned().collect(), plan: of_stage.space().canonical() }
        };
        simulation.stages.iter().enumerate().map(of).collect()
    }

    /// Its name: that of its first field.
    pub fn name(&self) -> &str {
        &self.parts[0].name
    }

    /// Names of its fields.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.name.as_str())
    }

    /// Its fields as files describe them.
    pub fn describe(&self, simulation: &Simulation) -> Vec<Field> {
        self.parts.iter().map(|part| describe(simulation, part, &self.plan)).collect()
    }

    /// Writes the solution of a sample at a step, values of the owned unknowns. Collective.
    ///
    /// # Errors
    /// As [`DatasetFile::write_field`].
    pub fn write(&self, dataset: &DatasetFile, place: (usize, usize), values: &[f64]) -> Result<()> {
        let width = self.width();
        self.parts.iter().try_for_each(|part| {
            let own = values.chunks_exact(width).flat_map(|node| &node[part.first..][..part.components]);
            dataset.write_field(place, &part.name, &self.plan, &own.copied().collect::<Vec<f64>>())
        })
    }

    /// Reads it; from datasets of earlier versions, too, which held all unknowns of a flow in the array of its velocity.
    /// Collective.
    ///
    /// # Errors
    /// As [`DatasetFile::read_field`].
    pub fn read(&self, dataset: &DatasetFile, place: (usize, usize)) -> Result<Vec<f64>> {
        let width = self.width();
        let first = dataset.read_field(place, self.name(), &self.plan)?;
        if first.len() == self.plan.owned() * width {
            return Ok(first);
        }
        let mut all = vec![0.0; self.plan.owned() * width];
        let mut put = |part: &FieldInfo, values: &[f64]| {
            for (node, own) in all.chunks_exact_mut(width).zip(values.chunks_exact(part.components)) {
                node[part.first..][..part.components].copy_from_slice(own);
            }
        };
        put(&self.parts[0], &first);
        for part in &self.parts[1..] {
            put(part, &dataset.read_field(place, &part.name, &self.plan)?);
        }
        Ok(all)
    }

    /// Reads a field of the dataset by its name, of a solution that stands first for all of it. Collective.
    ///
    /// # Errors
    /// As [`DatasetFile::read_field`].
    pub fn read_field(
        solutions: &[Self],
        dataset: &DatasetFile,
        place: (usize, usize),
        field: &str,
        plan: &Redistribution,
    ) -> Result<Vec<f64>> {
        match solutions.iter().find(|solution| solution.name() == field) {
            Some(solution) => solution.read(dataset, place),
            None => dataset.read_field(place, field, plan),
        }
    }

    fn width(&self) -> usize {
        self.parts.iter().map(|part| part.components).sum()
    }
}
