//! Bases in files: `/bases/<field>/...`, see the file formats in the documentation.
use super::rows::Rows;
use super::{BASES, Bases, local_columns};
use crate::fem::Space;
use crate::mixture::{Columns, Gating, Pod};
use crate::storage::{Field, File};
use crate::{Error, Result};

/// The units of a mode, which is orthonormal, and of its singular value.
fn units(unit: &str, dimension: usize, in_time: bool) -> [String; 2] {
    let length = ["", "m^0.5", "m", "m^1.5"][dimension];
    let measure = if in_time { format!("{length} s^0.5") } else { length.to_string() };
    let one = if in_time { format!("1/({measure})") } else { format!("1/{measure}") };
    [one, if unit.is_empty() || unit == "1" { measure } else { format!("{unit} {measure}") }]
}

/// Where the bases of a field lie.
fn place(field: &str, window: Option<usize>) -> String {
    window.map_or(format!("{BASES}/{field}"), |window| format!("{BASES}/{field}/window_{window}"))
}

impl Bases {
    /// Writes them; `about` describes the field. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when HDF5 or the file system refuses.
    pub fn write(&self, file: &File, about: &Field, space: &Space, gating: Option<&Gating>) -> Result<()> {
        let group = place(&self.field, self.window);
        let (plan, c, in_time) = (space.canonical(), space.components, !self.times.is_empty());
        let steps = self.steps();
        let [one, size] = units(&about.unit, space.mesh.dimension, in_time);
        let each = space.owned_dofs();
        let array = |path: &str, lead: &[u64], field: &Field| {
            file.create_dataset::<f64>(path, &[lead, &[field.entities, c as u64]].concat())?;
            file.describe_field(path, field)
        };
        let mean = "mean of the snapshots: prescribed values are imposed on it, and functions added";
        let (path, count) = (format!("{group}/lifting"), self.global.modes.count() as u64);
        array(&path, &[steps as u64], &about.clone().meaning(mean))?;
        for (step, values) in self.lifting.chunks_exact(each.max(1)).enumerate() {
            file.write_field_at(&path, step as u64, &plan, values)?;
        }
        if each == 0 {
            // Without unknowns there is nothing to cut into steps.
            (0..steps as u64).try_for_each(|step| file.write_field_at(&path, step, &plan, &[]))?;
        }
        let what = if in_time { "modes in space and time" } else { "modes" };
        let modes = Field { unit: one.clone(), ..about.clone().meaning(what) };
        let path = format!("{group}/modes");
        array(&path, &[&[count][..], in_time.then_some(steps as u64).as_slice()].concat(), &modes)?;
        for (j, mode) in self.global.modes.iter().enumerate() {
            for step in 0..steps {
                let number = (j * steps + step) as u64;
                file.write_field_at(&path, number, &plan, &mode[step * each..][..each])?;
            }
        }
        if in_time {
            let path = format!("{group}/time");
            file.write_array(&path, &[steps as u64], &self.times)?;
            file.set(&path, "unit", "s")?;
            file.set(&path, "meaning", "time of the steps")?;
        }
        let path = format!("{group}/singular_values");
        let values = &self.global.singular_values;
        file.write_array(&path, &[values.len() as u64], values)?;
        file.set(&path, "unit", size.as_str())?;
        file.set(&path, "meaning", "of the snapshots without their lifting, in L2")?;
        let path = format!("{group}/essential");
        file.create_dataset::<u8>(&path, &[plan.total(), c as u64])?;
        let flags: Vec<u8> = self.essential.iter().map(|&fixed| u8::from(fixed)).collect();
        file.write_rows(&path, plan.range().start, &plan.to_canonical(&flags, c))?;
        file.set(&path, "meaning", "1 where the value is prescribed, and functions are zero")?;
        match gating {
            Some(gating) => self.write_local(file, space, gating, [&one, &size]),
            None => Ok(()),
        }
    }

    fn write_local(&self, file: &File, space: &Space, gating: &Gating, [one, size]: [&str; 2]) -> Result<()> {
        let (comm, c) = (&space.mesh.comm, space.components);
        let (group, rows) =
            (format!("{}/experts", place(&self.field, self.window)), Rows::new(space, gating));
        let (experts, first) = (u64::from(gating.global_experts), u64::from(gating.experts.start));
        rows.write(file, &group, gating)?;
        let put = |name: &str, meaning: &str| {
            let path = format!("{group}/{name}");
            file.set(&path, "meaning", meaning).map(|()| path)
        };
        let path = format!("{group}/count");
        let counts: Vec<u64> = self.local.iter().map(|pod| pod.modes.count() as u64).collect();
        file.create_dataset::<u64>(&path, &[experts])?;
        file.write_rows(&path, first, &counts)?;
        put("count", "number of modes of each expert")?;
        let most = comm.max(self.local.iter().map(|pod| pod.singular_values.len()).max().unwrap_or(0));
        let mut table = Vec::with_capacity(most * self.local.len());
        for pod in &self.local {
            table.extend_from_slice(&pod.singular_values);
            table.resize(table.len() + most - pod.singular_values.len(), 0.0);
        }
        let path = format!("{group}/singular_values");
        file.create_dataset::<f64>(&path, &[experts, most as u64])?;
        file.write_rows(&path, first, &table)?;
        let path = put(
            "singular_values",
            "of the snapshots times the gating function, in L2; zero behind the last",
        )?;
        file.set(&path, "unit", size)?;
        let (in_time, steps) = (!self.times.is_empty(), self.steps());
        let modes = comm.max(counts.iter().max().copied().unwrap_or(0));
        let path = format!("{group}/modes");
        let shape =
            [&[modes][..], in_time.then_some(steps as u64).as_slice(), &[rows.total, c as u64]].concat();
        file.create_dataset::<f64>(&path, &shape)?;
        for mode in 0..modes as usize {
            for step in 0..steps {
                let of_step = |pod: &'_ Pod| {
                    let each = pod.modes.rows() / steps;
                    (mode < pod.modes.count()).then(|| step * each..(step + 1) * each)
                };
                let part = |pod| of_step(pod).map(|range| &pod.modes.column(mode)[range]);
                let lead = [&[mode as u64][..], in_time.then_some(step as u64).as_slice()].concat();
                file.write_below(&path, &lead, rows.first, &rows.sorted(self.local.iter().map(part), c))?;
            }
        }
        put(
            "modes",
            "functions of each expert, orthonormal times its gating function; zero behind its last",
        )?;
        file.set(&path, "unit", one)
    }

    /// Into how many windows of steps a file cuts the bases of a field; 0 where they are in space, or not there. Collective.
    pub fn windows(file: &File, field: &str) -> usize {
        (0..).take_while(|&window| file.exists(&place(field, Some(window)))).count()
    }

    /// Reads the bases of a field (of one of its [windows](Bases::windows), from 0, in space and time): the global ones, and
    /// with `gating` those of its experts (see [`experts`](super::experts)). Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when the file has no such bases, or they do not fit the space or the experts.
    pub fn read(
        file: &File,
        (field, window): (&str, Option<usize>),
        space: &Space,
        gating: Option<&Gating>,
    ) -> Result<Self> {
        let group = place(field, window);
        if !file.exists(&format!("{group}/modes")) {
            let there = file.members(BASES);
            let list = if there.is_empty() { "none".into() } else { there.join(", ") };
            let text = match Self::windows(file, field) {
                0 if there.iter().any(|name| name == field) => {
                    format!("the bases of \"{field}\" are in space and have no windows")
                }
                0 => format!("there are no bases of \"{field}\" (there: {list})"),
                count => {
                    format!("the bases of \"{field}\" are over {count} windows of steps: name one, from 0")
                }
            };
            return Err(Error::input(file.label(), text));
        }
        let (plan, c, each) = (space.canonical(), space.components, space.owned_dofs());
        let time = format!("{group}/time");
        let times = if file.exists(&time) { file.read_array::<f64>(&time)?.1 } else { Vec::new() };
        let steps = times.len().max(1);
        let (path, shape) = (format!("{group}/modes"), file.shape(&format!("{group}/modes"))?);
        let lead = if times.is_empty() { vec![] } else { vec![steps as u64] };
        if shape.is_empty() || shape[1..] != [&lead[..], &[plan.total(), c as u64]].concat() {
            let nodes = plan.total();
            let text = format!(
                "{path} has the shape {shape:?}, which does not fit {nodes} nodes and {c} components"
            );
            return Err(Error::input(file.label(), text));
        }
        let whole = |path: &str, number: u64| -> Result<Vec<f64>> {
            let mut column = Vec::with_capacity(steps * each);
            for step in 0..steps as u64 {
                column.extend(file.read_field_at(path, number * steps as u64 + step, &plan)?);
            }
            Ok(column)
        };
        let lifting = whole(&format!("{group}/lifting"), 0)?;
        let mut modes = Columns::new(&space.mesh.comm, steps * each);
        (0..shape[0]).try_for_each(|j| whole(&path, j).map(|column| modes.push(&column)))?;
        let (_, singular_values) = file.read_array(&format!("{group}/singular_values"))?;
        let flags: Vec<u8> = file.read_rows(&format!("{group}/essential"), plan.range())?;
        let essential = plan.from_canonical(&flags, c).iter().map(|&flag| flag == 1).collect();
        let local = match gating {
            Some(gating) => read_local(file, &format!("{group}/experts"), space, gating, steps)?,
            None => Vec::new(),
        };
        let global = Pod { modes, singular_values };
        Ok(Self { field: field.into(), window, times, lifting, essential, global, local })
    }
}

/// The bases of this rank's experts. Collective.
pub(super) fn read_local(
    file: &File,
    group: &str,
    space: &Space,
    gating: &Gating,
    steps: usize,
) -> Result<Vec<Pod>> {
    let (rows, c) = (Rows::new(space, gating), space.components);
    if !file.exists(group) {
        return Err(Error::input(file.label(), format!("there is no {group}: it has no bases of experts")));
    }
    rows.expect(file, group, gating)?;
    let (path, shape) = (format!("{group}/modes"), file.shape(&format!("{group}/modes"))?);
    let in_time = shape.len() == 4;
    let expected = [in_time.then_some(steps as u64).as_slice(), &[rows.total, c as u64]].concat();
    if shape.is_empty() || shape[1..] != expected || (steps > 1 && !in_time) {
        let text = format!("{path} has the shape {shape:?}, of which the last axes should be {expected:?}");
        return Err(Error::input(file.label(), text));
    }
    let mine = u64::from(gating.experts.start)..u64::from(gating.experts.end);
    let name = format!("{group}/count");
    let counts: Vec<u64> = match file.exists(&name) {
        true => file.read_rows(&name, mine.clone())?,
        false => vec![shape[0]; gating.experts.len()],
    };
    let name = format!("{group}/singular_values");
    let width = if file.exists(&name) { file.shape(&name)?.get(1).copied().unwrap_or(0) as usize } else { 0 };
    let values: Vec<f64> = if width > 0 { file.read_rows(&name, mine)? } else { Vec::new() };
    let mut columns: Vec<Columns> =
        rows.order.iter().map(|order| local_columns(steps * order.len() * c)).collect();
    for mode in 0..shape[0] {
        let mut of_steps: Vec<Vec<f64>> = vec![Vec::new(); rows.order.len()];
        for step in 0..steps as u64 {
            let lead = [&[mode][..], in_time.then_some(step).as_slice()].concat();
            let parts = rows.read(file, &path, &lead, c)?;
            of_steps.iter_mut().zip(parts).for_each(|(all, part)| all.extend(part));
        }
        for ((columns, column), &count) in columns.iter_mut().zip(&of_steps).zip(&counts) {
            if mode < count {
                columns.push(column);
            }
        }
    }
    let singular = |expert: usize| -> Vec<f64> {
        let row = values.get(expert * width..(expert + 1) * width).unwrap_or(&[]);
        row.iter().copied().take_while(|&value| value > 0.0).collect()
    };
    let pod = |(expert, modes)| Pod { modes, singular_values: singular(expert) };
    Ok(columns.into_iter().enumerate().map(pod).collect())
}
