//! What repairs leave in the file: room for all samples, and the numbers of each.
use super::estimates::{self, Estimate, entry};
use super::header::Header;
use super::truth::{COLUMNS as TRUTH, Truth, solutions};
use crate::Result;
use crate::campaign::named;
use crate::deck::ConstraintLevel;
use crate::drivers::output::{describe, provenance, wanted, write_mesh};
use crate::drivers::repair::Layers;
use crate::experts::Repair;
use crate::parallel::{Comm, Redistribution};
use crate::physics::Context;
use crate::simulation::{FieldInfo, Simulation};
use crate::storage::{File, ResultFile, Schema, Slab};
use petsc_rs::Vector;
use std::path::Path;

/// Columns of `/repair/<physics>`.
pub const REPAIR: [&str; 14] = [
    "worst_before",
    "worst_after",
    "residual_before",
    "residual_after",
    "boundary_before",
    "boundary_after",
    "distance",
    "relative_distance",
    "iterations",
    "seconds",
    "jump",
    "window_before",
    "window_after",
    "anew",
];
/// Columns of `/known/<quantity>`.
pub const KNOWN: [&str; 4] = ["value", "lacking_before", "lacking_after", "multiplier"];

/// What became of a sample, by problem.
#[derive(Default)]
pub struct Sample {
    /// What the experts did; nothing to an initial state.
    pub repairs: Vec<Option<Repair>>,
    /// Values of the known quantities.
    pub known: Vec<Vec<f64>>,
    /// What is left of variances, where they are updated.
    pub variances: Vec<Option<Vector>>,
    /// What is said of errors, if that was asked for.
    pub estimates: Vec<Option<Estimate>>,
    /// Quantities of interest of the repaired fields.
    pub quantities: Vec<f64>,
    /// The full solution, if it was asked for.
    pub truth: Option<Truth>,
}

impl Sample {
    /// Of so many problems, without anything.
    pub fn new(problems: usize) -> Self {
        Self {
            repairs: (0..problems).map(|_| None).collect(),
            known: vec![Vec::new(); problems],
            variances: (0..problems).map(|_| None).collect(),
            estimates: vec![None; problems],
            ..Self::default()
        }
    }
}

/// How results are written.
pub struct Results {
    /// The fields that are written: those that the deck names and all solutions.
    fields: Vec<FieldInfo>,
    plans: Vec<Redistribution>,
    updates: Vec<bool>,
    /// Whether there is a full solution to compare with.
    pub truth: bool,
    /// Whether errors are estimated.
    pub estimates: bool,
}

impl Results {
    /// For repairs that update the variances of some problems. Collective.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) when the deck names a field that it does not have.
    pub fn new(simulation: &Simulation, updates: Vec<bool>, [truth, estimates]: [bool; 2]) -> Result<Self> {
        let mut fields = solutions(simulation);
        let further =
            wanted(simulation)?.into_iter().filter(|f| !fields.iter().any(|own| own.name == f.name));
        let further: Vec<FieldInfo> = further.collect();
        fields.extend(further);
        let plans = simulation.stages.iter().map(|stage| stage.space().canonical()).collect();
        Ok(Self { fields, plans, updates, truth, estimates })
    }

    /// Whether variances of a problem are updated.
    pub fn updates(&self, stage: usize) -> bool {
        self.updates[stage]
    }

    /// The solutions of problems whose variances are updated.
    fn variances(&self, simulation: &Simulation) -> impl Iterator<Item = FieldInfo> {
        solutions(simulation).into_iter().filter(|field| self.updates[field.stage])
    }

    /// Makes the file under its temporary name, with room for all samples. Collective over the ranks of `comm`, those of the
    /// simulation.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when HDF5 or the file system refuses.
    pub fn make(
        &self,
        comm: &Comm,
        target: &Path,
        simulation: &Simulation,
        layers: &Layers,
        (header, input, petsc): (&Header, &Path, &[String]),
    ) -> Result<()> {
        let mut file = ResultFile::create(comm, target)?;
        let frames = header.frames();
        let (deck, samples) = (&simulation.deck, (header.samples * frames) as u64);
        file.describe(Schema::Run, &provenance(simulation, petsc))?;
        file.set("/", "predictions", input.display().to_string())?;
        let repeated = header.parameters.iter().flat_map(|row| std::iter::repeat_n(row.clone(), frames));
        file.write_parameters(&named(deck, &repeated.collect::<Vec<_>>()))?;
        if header.samples == 1 && !header.times.is_empty() {
            file.write_times(&header.times)?;
        } else {
            file.write_times(&(0..samples).map(|i| i as f64).collect::<Vec<_>>())?;
            let meaning =
                if header.times.is_empty() { "number of the sample" } else { "number of the frame" };
            file.set("/time", "meaning", meaning)?;
            file.set("/time", "unit", "1")?;
        }
        if !header.times.is_empty() {
            let rows =
                (0..header.samples).flat_map(|sample| header.times.iter().map(move |t| [sample as f64, *t]));
            file.write_array("/frames", &[samples, 2], &rows.flatten().collect::<Vec<_>>())?;
            file.set("/frames", "columns", &["sample", "time"][..])?;
            file.set("/frames", "meaning", "sample and time (s) of every row of the other tables")?;
        }
        write_mesh(&file, simulation)?;
        for field in &self.fields {
            file.create_field(&describe(simulation, field, &self.plans[field.stage]), samples)?;
        }
        let room = |path: &str, shape: &[u64], columns: &[&str], about: (&str, &str)| -> Result<()> {
            file.create_dataset::<f64>(path, &[&[samples], shape].concat())?;
            if !columns.is_empty() {
                file.set(path, "columns", columns)?;
            }
            file.set(path, "unit", about.0)?;
            file.set(path, "meaning", about.1)
        };
        let conserves = deck.constraint.level == ConstraintLevel::Conservation;
        for (index, stage) in simulation.stages.iter().enumerate() {
            let (problem, experts) = (&stage.problem, layers.experts(index) as u64);
            let (name, c) = (&problem.name, problem.space.components as u64);
            let unit = simulation.exchange_unit(index);
            let meaning = "imbalance of each expert relative to what it exchanges, worst over components";
            room(&format!("/violation/{name}"), &[experts, 2], &["before", "after"], ("1", meaning))?;
            let meaning = "what each expert lacks of its balance, and what it exchanges in all; of a flow's last component in m3/s";
            let columns = ["before", "after", "exchange"];
            room(&format!("/imbalance/{name}"), &[experts, c, 3], &columns, (&unit, meaning))?;
            if conserves {
                let meaning = "multiplier of each expert's balance";
                room(&format!("/multipliers/{name}"), &[experts, c], &[], ("", meaning))?;
            }
            let path = format!("/repair/{name}");
            let meaning = "of each repair: worst relative imbalance of an expert, Euclidean norm of the residual of the free \
                           unknowns, largest error of a prescribed value, how far the field moved, the effort, the largest jump between experts, \
                           and, where windows of steps are repaired, the worst imbalance of an expert over its window";
            room(&path, &[REPAIR.len() as u64], &REPAIR, ("", meaning))?;
            let field = &problem.unit;
            let units = ["1", "1", &unit, &unit, field, field, "", "1", "1", "s", field, "1", "1", "1"];
            file.set(&path, "units", &units[..])?;
            file.set(&path, "level", format!("{:?}", deck.constraint.level).to_lowercase())?;
            file.set(&path, "norm", format!("{:?}", layers.norm(index)).to_lowercase())?;
            for known in layers.known(index) {
                let unit =
                    deck.quantity.iter().find(|q| q.name == known).map(|q| simulation.quantity_unit(q));
                let meaning = "known value of the quantity, what the field lacks of it, and the multiplier";
                let unit = unit.unwrap_or_default();
                room(&format!("/known/{known}"), &[KNOWN.len() as u64], &KNOWN, (&unit, meaning))?;
            }
        }
        for field in self.variances(simulation) {
            let path = format!("/variance/{}", field.name);
            let shape = [self.plans[field.stage].total(), field.components as u64];
            let unit = if field.unit.is_empty() { String::new() } else { format!("({})2", field.unit) };
            let meaning =
                "variance of the nodal values that is left once the balances and known quantities hold";
            room(&path, &shape, &[], (&unit, meaning))?;
            file.set(&path, "location", "node")?;
            file.set(&path, "degree", simulation.stages[field.stage].space().element.degree)?;
        }
        let groups = if self.truth { &["/qoi", "/truth/quantities"][..] } else { &["/qoi"] };
        for quantity in &deck.quantity {
            let (unit, what) = (simulation.quantity_unit(quantity), simulation.quantity_meaning(quantity));
            for (group, of) in groups.iter().zip(["the repaired field", "the full solution"]) {
                room(&format!("{group}/{}", quantity.name), &[], &[], (&unit, &format!("{what}, of {of}")))?;
            }
        }
        if self.truth {
            for field in solutions(simulation) {
                let meaning = "errors against the full solution before and after the repair, and its own norm; energy norms \
                               where the model has one";
                room(&format!("/truth/{}", field.name), &[TRUTH.len() as u64], &TRUTH, ("", meaning))?;
            }
            room("/truth/seconds", &[], &[], ("s", "wall time of the full solve"))?;
        }
        if self.estimates {
            estimates::make(&file, simulation, samples)?;
        }
        file.flush()?;
        file.keep();
        Ok(())
    }

    /// Writes the present fields in a row. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when HDF5 or the file system refuses.
    pub fn write_fields(
        &self,
        file: &File,
        simulation: &Simulation,
        row: usize,
        context: &Context,
    ) -> Result<()> {
        for field in &self.fields {
            let values = simulation.field_values(field, context)?;
            file.write_field(&field.name, row as u64, &self.plans[field.stage], &values.read()?)?;
        }
        Ok(())
    }

    /// Writes everything else of a sample. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when HDF5 or the file system refuses.
    pub fn write(
        &self,
        file: &File,
        simulation: &Simulation,
        layers: &Layers,
        (number, sample): (usize, &Sample),
    ) -> Result<()> {
        let row = |path: &str, values: &[f64]| entry(file, path, number, values);
        for (index, repair) in sample.repairs.iter().enumerate() {
            let name = &simulation.stages[index].problem.name;
            let Some(repair) = repair else {
                row(&format!("/repair/{name}"), &[f64::NAN; REPAIR.len()])?;
                let known = layers.known(index);
                let nothing = |known: &str| row(&format!("/known/{known}"), &[f64::NAN; KNOWN.len()]);
                known.into_iter().try_for_each(nothing)?;
                continue;
            };
            self.write_experts(file, name, number, repair)?;
            let Repair { worst_before, worst_after, residual, boundary_before, boundary_after, .. } = *repair;
            let Repair { distance, relative_distance, iterations, seconds, jump, anew, .. } = *repair;
            let [before, after] = residual;
            let [window_before, window_after] = repair.window.unwrap_or([f64::NAN; 2]);
            let windows = [window_before, window_after, anew as f64];
            let effort = [distance, relative_distance, iterations as f64, seconds, jump];
            let effort = [&effort[..], &windows].concat();
            let states = [worst_before, worst_after, before, after, boundary_before, boundary_after];
            row(&format!("/repair/{name}"), &[&states[..], &effort].concat())?;
            for (i, known) in layers.known(index).enumerate() {
                let [before, after] = repair.known[i];
                // The last rank has the multipliers of known rows behind those of its experts.
                let balanced = repair.level == ConstraintLevel::Conservation;
                let own = if balanced { repair.experts.len() * repair.components } else { 0 };
                let last = file.comm().rank() + 1 == file.comm().size();
                let multiplier = repair.multipliers.get(own + i).copied().filter(|_| last);
                let multiplier = file.comm().max(multiplier.unwrap_or(f64::NEG_INFINITY));
                let multiplier = if multiplier.is_finite() { multiplier } else { f64::NAN };
                row(&format!("/known/{known}"), &[sample.known[index][i], before, after, multiplier])?;
            }
        }
        for field in self.variances(simulation) {
            let Some(variance) = &sample.variances[field.stage] else { continue };
            let (plan, c) = (&self.plans[field.stage], simulation.stages[field.stage].space().components);
            let part = field.first..field.first + field.components;
            let values: Vec<f64> =
                variance.read()?.chunks_exact(c).flat_map(|node| node[part.clone()].to_vec()).collect();
            let range = plan.range();
            let slab = Slab {
                start: vec![number as u64, range.start, 0],
                count: vec![1, range.end - range.start, field.components as u64],
            };
            file.write(
                &format!("/variance/{}", field.name),
                &slab,
                &plan.to_canonical(&values, field.components),
            )?;
        }
        if self.estimates {
            estimates::write(file, simulation, number, &sample.estimates)?;
        }
        self.write_scalars(file, simulation, number, sample)
    }

    /// Quantities, and what there is of the full solution.
    fn write_scalars(
        &self,
        file: &File,
        simulation: &Simulation,
        number: usize,
        sample: &Sample,
    ) -> Result<()> {
        let row = |path: &str, values: &[f64]| entry(file, path, number, values);
        for (i, quantity) in simulation.deck.quantity.iter().enumerate() {
            row(&format!("/qoi/{}", quantity.name), &[sample.quantities[i]])?;
            if let Some(truth) = &sample.truth {
                row(&format!("/truth/quantities/{}", quantity.name), &[truth.quantities[i]])?;
            }
        }
        if let Some(truth) = &sample.truth {
            for (field, errors) in &truth.errors {
                row(&format!("/truth/{field}"), errors)?;
            }
            row("/truth/seconds", &[truth.seconds])?;
        }
        Ok(())
    }

    /// What belongs to the experts: each rank has its own.
    fn write_experts(&self, file: &File, name: &str, number: usize, repair: &Repair) -> Result<()> {
        let (first, count, c) =
            (u64::from(repair.experts.start), repair.experts.len() as u64, repair.components);
        let mut worst = vec![0.0; 2 * count as usize];
        let mut lacking = Vec::with_capacity(3 * repair.exchange.len());
        for (k, exchange) in repair.exchange.iter().enumerate() {
            let both = [repair.before[k], repair.after[k]];
            lacking.extend([both[0], both[1], *exchange]);
            for (i, value) in both.into_iter().enumerate() {
                let entry: &mut f64 = &mut worst[2 * (k / c) + i];
                *entry = entry.max(value.abs() / exchange);
            }
        }
        let slab = |rest: &[u64]| Slab {
            start: [&[number as u64, first], &vec![0; rest.len()][..]].concat(),
            count: [&[1, count], rest].concat(),
        };
        file.write(&format!("/violation/{name}"), &slab(&[2]), &worst)?;
        file.write(&format!("/imbalance/{name}"), &slab(&[c as u64, 3]), &lacking)?;
        let path = format!("/multipliers/{name}");
        if file.exists(&path) {
            let own = &repair.multipliers[..count as usize * c];
            file.write(&path, &slab(&[c as u64]), own)?;
        }
        Ok(())
    }
}
