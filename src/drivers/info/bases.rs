//! Bases, and the points for them.
use super::text::{line, section};
use crate::Result;
use crate::format::count;
use crate::report::Table;
use crate::storage::{Reader, Value};

/// The bases of a reduced model, and those without one.
pub(super) fn bases(reader: &Reader, text: &mut String) -> Result<()> {
    let mut table = Table::new(&["basis", "modes", "values", "energy left out"]);
    for name in reader.members("/basis") {
        let (field, modes) = reader.field_at(&format!("/basis/{name}"), &name)?;
        let path = format!("/singular_values/{name}");
        let left = if reader.exists(&path) {
            left_out(&reader.array::<f64>(&path)?.1, modes as usize)
        } else {
            "-".into()
        };
        let values = format!("{} x {}", count(field.entities), field.components);
        table.row(&[name, modes.to_string(), values, left]);
    }
    section(text, &table);
    let mut table =
        Table::new(&["basis", "modes", "values", "energy left out", "experts", "modes of an expert"]);
    for (name, group) in reader.members("/bases").iter().flat_map(|name| windows(reader, name)) {
        let shape = reader.shape(&format!("{group}/modes"))?;
        let modes = shape.first().copied().unwrap_or(0);
        let values: Vec<String> = shape.iter().skip(1).map(|&n| count(n)).collect();
        let left = left_out(&reader.array::<f64>(&format!("{group}/singular_values"))?.1, modes as usize);
        let path = format!("{group}/experts/count");
        let counts = if reader.exists(&path) { reader.array::<u64>(&path)?.1 } else { Vec::new() };
        let (experts, sizes) = match (counts.iter().min(), counts.iter().max()) {
            (Some(least), Some(most)) => (count(counts.len() as u64), format!("{least} to {most}")),
            _ => ("-".into(), "-".into()),
        };
        table.row(&[name, modes.to_string(), values.join(" x "), left, experts, sizes]);
    }
    if !table.is_empty() {
        section(text, &table);
        line(text, "", &reader.text("/bases", "meaning")?);
    }
    Ok(())
}

/// A reduced model with sampled integrals.
pub(super) fn sampled(reader: &Reader, text: &mut String) -> Result<()> {
    let mut table =
        Table::new(&["sampled model", "liftings", "modes", "points", "exact terms", "residual's functions"]);
    for name in reader.members("/sampled").into_iter().filter(|name| name != "mesh") {
        let group = format!("/sampled/{name}");
        let number = |key: &str| match reader.get(&group, key)? {
            Some(Value::Integer(n)) => Ok::<_, crate::Error>(n.to_string()),
            _ => Ok("-".into()),
        };
        let shape = |array: &str, axis: usize| -> Result<u64> {
            let path = format!("{group}/{array}");
            Ok(if reader.exists(&path) { reader.shape(&path)?.get(axis).copied().unwrap_or(0) } else { 0 })
        };
        let (points, tests) = (shape("weights", 0)?, shape("residual_nodal", 1)?);
        let terms = shape("exact_load", 0)?;
        table.row(&[name, number("lifts")?, number("modes")?, count(points), count(terms), count(tests)]);
    }
    if !table.is_empty() {
        section(text, &table);
        line(text, "", &reader.text("/sampled", "meaning")?);
    }
    Ok(())
}

/// The points of a deck.
pub(super) fn points(reader: &Reader, text: &mut String) -> Result<()> {
    let mut table =
        Table::new(&["points of", "nodes", "components", "prescribed", "experts", "nodes of an expert"]);
    for name in reader.members("/points") {
        let path = |array: &str| format!("/points/{name}/{array}");
        let (shape, flags) = reader.array::<u8>(&path("essential"))?;
        let fixed = flags.iter().map(|&flag| u64::from(flag)).sum();
        let start = path("experts/start");
        let starts = if reader.exists(&start) { reader.array::<u64>(&start)?.1 } else { Vec::new() };
        let sizes = || starts.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
        let (experts, nodes) = match (sizes().min(), sizes().max()) {
            (Some(least), Some(most)) => (count(sizes().count() as u64), format!("{least} to {most}")),
            _ => ("-".into(), "-".into()),
        };
        let [n, c] = [0, 1].map(|axis| count(shape.get(axis).copied().unwrap_or(0)));
        table.row(&[name, n, c, count(fixed), experts, nodes]);
    }
    section(text, &table);
    Ok(())
}

/// The groups of the bases of a field, one for each window of steps where there are any, with their names.
fn windows(reader: &Reader, name: &str) -> Vec<(String, String)> {
    let group = format!("/bases/{name}");
    if reader.exists(&format!("{group}/modes")) {
        return vec![(name.into(), group)];
    }
    let windows =
        (0..).map(|window| (format!("{name}, window {window}"), format!("{group}/window_{window}")));
    windows.take_while(|(_, group)| reader.exists(group)).collect()
}

/// Share of the energy that singular values from some number on have.
fn left_out(values: &[f64], modes: usize) -> String {
    let energy = |values: &[f64]| values.iter().map(|s| s * s).sum::<f64>();
    let all = energy(values);
    if all > 0.0 { format!("{:.1e}", energy(values.get(modes..).unwrap_or(&[])) / all) } else { "-".into() }
}
