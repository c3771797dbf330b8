//! A reduced model with sampled integrals in a file: small arrays that every rank reads.
//!
//! ```text
//! /sampled                      attribute tolerance: that of the rules; clusters, if they are several
//! /sampled/mesh                 the sampled cells, see `MeshPart`
//! /sampled/<physics>/points     [point, 4] u64: integral, canonical cell, facet (255 inside), number in the rule
//! /sampled/<physics>/weights    [point] f64, with the measure
//! /sampled/<physics>/nodal      [cell, node, component, function] f64: liftings, then modes
//! /sampled/random.<name>/...    functions of a random field [cell, vertex, function] f64, numbers of its noise
//! /sampled/<physics>/exact_...  storage, rest [term, row, function] and load [term, row] of a form of which nothing is sampled
//! /sampled/<physics>/...        gram, start, lifting, initial, singular_values
//! /sampled_1, ...               the models of further clusters
//! ```
use super::data::{ProblemData, SampledPart, TestBlock, ValuesAt};
use super::exact::ExactForm;
use super::points::Chosen;
use super::reduction::Reduction;
use crate::deck::Deck;
use crate::mesh::MeshPart;
use crate::mixture::Columns;
use crate::physics::Problem;
use crate::random::Expansion;
use crate::storage::{Field, File};
use crate::{Error, Result};

/// Where the model lies.
pub const SAMPLED: &str = "/sampled";

/// Where the model of a cluster lies.
pub(super) fn group_of(cluster: usize) -> String {
    if cluster == 0 { SAMPLED.into() } else { format!("{SAMPLED}_{cluster}") }
}

/// The name of a field's basis in the model of a cluster.
fn basis_of(field: &str, cluster: usize) -> String {
    if cluster == 0 { field.into() } else { format!("{field}.{cluster}") }
}

/// Writes the model of a cluster. Collective.
///
/// # Errors
/// [`Error::Storage`] when HDF5 or the file system refuses.
pub fn write(
    file: &File,
    cluster: usize,
    part: &SampledPart,
    data: &[ProblemData],
    tolerance: f64,
) -> Result<()> {
    let root = group_of(cluster);
    file.create_group(&root)?;
    file.set(
        &root,
        "meaning",
        "a reduced model whose integrals are sums over sampled quadrature points (empirical cubature)",
    )?;
    file.set(&root, "tolerance", tolerance)?;
    part.mesh.write(file, &format!("{root}/mesh"))?;
    for own in &part.random {
        let group = format!("{root}/random.{}", own.name);
        let (cells, count) = (part.mesh.cell_ids.len() as u64, own.numbers.len() as u64);
        file.create_group(&group)?;
        file.write_array(&format!("{group}/numbers"), &[count], &own.numbers)?;
        file.set(&format!("{group}/numbers"), "meaning", "numbers of the noise that the coefficients are")?;
        let around = own.values.len() as u64 / (cells * count).max(1);
        file.write_array(&format!("{group}/functions"), &[cells, around, count], &own.values)?;
        let meaning = "functions of the Karhunen-Loeve expansion with their standard deviations, `[cell, vertex, function]`";
        file.set(&format!("{group}/functions"), "meaning", meaning)?;
    }
    for data in data {
        let group = format!("{root}/{}", data.name);
        let b = data.functions() as u64;
        file.create_group(&group)?;
        file.set(&group, "field", data.field.as_str())?;
        file.set(&group, "lifts", data.lifts)?;
        file.set(&group, "modes", data.modes)?;
        let path = |name: &str| format!("{group}/{name}");
        write_points(file, &group, "", &data.chosen)?;
        file.write_array(&path("nodal"), &[data.nodal.len() as u64 / b.max(1), b], &data.nodal)?;
        file.set(
            &path("nodal"),
            "meaning",
            "liftings, then modes at the nodes of the sampled cells: [cell, node, component] by function",
        )?;
        file.write_array(&path("gram"), &[b, b], &data.gram)?;
        file.set(&path("gram"), "meaning", "products of the functions' nodal values")?;
        let samples = data.start.len() as u64 / b.max(1);
        file.write_array(&path("start"), &[samples, b], &data.start)?;
        file.set(
            &path("start"),
            "meaning",
            "coefficients at the ends of the training samples, [sample, function]",
        )?;
        let width = data.parameters.len() as u64 / samples.max(1);
        file.write_array(&path("parameters"), &[samples, width], &data.parameters)?;
        file.set(&path("parameters"), "meaning", "parameters of these samples")?;
        file.write_array(
            &path("singular_values"),
            &[data.singular_values.len() as u64],
            &data.singular_values,
        )?;
        write_points(file, &group, "followed_", &data.followed)?;
        let side = (data.energy.len() as f64).sqrt() as u64;
        file.write_array(&path("energy"), &[side, side], &data.energy)?;
        file.set(
            &path("energy"),
            "meaning",
            "products of the functions in the energy in which residuals are measured",
        )?;
        let tests = data.residual.count as u64;
        write_points(file, &group, "residual_", &data.residual.chosen)?;
        let nodal = &data.residual.nodal;
        file.write_array(&path("residual_nodal"), &[nodal.len() as u64 / tests.max(1), tests], nodal)?;
        file.set(
            &path("residual_nodal"),
            "meaning",
            "functions that residuals are tested with, laid out as nodal",
        )?;
        if let Some(exact) = &data.exact {
            write_exact(file, &group, exact, [b + tests, b])?;
        }
        for (name, values, meaning) in [
            ("lifting", &data.lifting, "factors of the liftings, from prescribed values at places"),
            (
                "initial",
                &data.initial,
                "coefficients of the modes at the start, from initial values at places",
            ),
        ] {
            let places: Vec<u64> = values.places.iter().flatten().copied().collect();
            let count = values.places.len() as u64;
            file.write_array(&path(&format!("{name}_places")), &[count, 3], &places)?;
            file.set(
                &path(&format!("{name}_places")),
                "columns",
                &["cell", "node of the cell", "component"][..],
            )?;
            file.write_array(
                &path(name),
                &[values.matrix.len() as u64 / count.max(1), count.max(1)],
                &values.matrix,
            )?;
            file.set(&path(name), "meaning", meaning)?;
            if !values.given.is_empty() {
                file.write_array(&path(&format!("{name}_given")), &[count], &values.given)?;
                let meaning = "values at the places, from the file that the deck names";
                file.set(&path(&format!("{name}_given")), "meaning", meaning)?;
            }
        }
    }
    Ok(())
}

/// Writes an exact form with so many rows and functions.
fn write_exact(file: &File, group: &str, exact: &ExactForm, [rows, b]: [u64; 2]) -> Result<()> {
    let text = serde_json::to_string(&exact.factors)
        .map_err(|e| Error::Failed(format!("{group}: cannot describe the factors: {e}")))?;
    file.set(group, "factors", text)?;
    let terms = exact.factors.len() as u64;
    for (name, shape, values, meaning) in [
        ("storage", vec![terms, rows, b], &exact.storage, "what is stored, [term, row, function]"),
        ("rest", vec![terms, rows, b], &exact.rest, "the rest of the form, [term, row, function]"),
        ("load", vec![terms, rows], &exact.load, "loads, [term, row]"),
    ] {
        let path = format!("{group}/exact_{name}");
        file.write_array(&path, &shape, values)?;
        let rows = "rows are liftings, modes, then the functions that residuals are tested with";
        file.set(&path, "meaning", format!("{meaning}; terms by the factors of the group; {rows}"))?;
    }
    Ok(())
}

/// Writes points with their weights.
fn write_points(file: &File, group: &str, prefix: &str, chosen: &[Chosen]) -> Result<()> {
    let path = |name: &str| format!("{group}/{prefix}{name}");
    let numbers = |c: &Chosen| [u64::from(c.integral), c.cell, u64::from(c.facet), u64::from(c.point)];
    let points: Vec<u64> = chosen.iter().flat_map(numbers).collect();
    let weights: Vec<f64> = chosen.iter().map(|c| c.weight).collect();
    let count = weights.len() as u64;
    file.write_array(&path("points"), &[count, 4], &points)?;
    let columns = ["integral", "cell", "facet (255 inside)", "number in the rule"];
    file.set(&path("points"), "columns", &columns[..])?;
    file.write_array(&path("weights"), &[count], &weights)?;
    file.set(&path("weights"), "meaning", "weights of the points, with the measure; not negative")
}

/// Reads the model of a cluster: the sampled cells, and what belongs to each physics of a deck, by its name. Collective.
///
/// # Errors
/// [`Error::Storage`] when the file does not hold what it should.
pub fn read(file: &File, cluster: usize, deck: &Deck) -> Result<(SampledPart, Vec<ProblemData>)> {
    let root = group_of(cluster);
    let part = MeshPart::read(file, &format!("{root}/mesh"))?;
    let one = |name| read_problem(file, &format!("{root}/{name}"), name, &part);
    let data = deck.physics.iter().map(|physics| one(physics.name())).collect::<Result<_>>()?;
    let mut random = Vec::new();
    for name in deck.random.keys() {
        let group = format!("{root}/random.{name}");
        random.push(Expansion {
            name: name.clone(),
            numbers: file.read_array(&format!("{group}/numbers"))?.1,
            values: file.read_array(&format!("{group}/functions"))?.1,
        });
    }
    Ok((SampledPart { mesh: part, random }, data))
}

fn read_problem(file: &File, group: &str, name: &str, part: &MeshPart) -> Result<ProblemData> {
    let broken = |what: &str| Error::storage(format!("{}: {group}: {what}", file.label()));
    let count = |key: &str| match file.get(group, key)? {
        Some(crate::storage::Value::Integer(n)) if n >= 0 => Ok(n as usize),
        _ => Err(broken(&format!("the attribute {key} is missing"))),
    };
    let (lifts, modes) = (count("lifts")?, count("modes")?);
    let b = lifts + modes;
    let tests = file.shape(&format!("{group}/residual_nodal"))?.last().copied().unwrap_or(0) as usize;
    let list = |name: &str| -> Result<Vec<f64>> { Ok(file.read_array::<f64>(&format!("{group}/{name}"))?.1) };
    let known = |cell: u64| part.cell_ids.binary_search(&cell).is_ok();
    let points = |prefix: &str| -> Result<Vec<Chosen>> {
        let (_, points) = file.read_array::<u64>(&format!("{group}/{prefix}points"))?;
        let weights = list(&format!("{prefix}weights"))?;
        let good = points.len() == 4 * weights.len() && weights.iter().all(|w| w.is_finite() && *w >= 0.0);
        if !good || points.chunks_exact(4).any(|row| !known(row[1])) {
            return Err(broken("points and weights do not fit"));
        }
        let one = |(row, weight): (&[u64], f64)| Chosen {
            integral: row[0] as u32,
            cell: row[1],
            facet: row[2] as u8,
            point: row[3] as u32,
            weight,
        };
        Ok(points.chunks_exact(4).zip(weights).map(one).collect())
    };
    let values_at = |name: &str, numbers: usize| -> Result<ValuesAt> {
        let (_, places) = file.read_array::<u64>(&format!("{group}/{name}_places"))?;
        let places: Vec<[u64; 3]> = places.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect();
        let matrix = list(name)?;
        let fits = matrix.len() == numbers * places.len().max(1);
        if !fits || places.iter().any(|place| !known(place[0])) {
            return Err(broken(&format!("{name} does not fit")));
        }
        let given = format!("{name}_given");
        let given = if file.exists(&format!("{group}/{given}")) { list(&given)? } else { Vec::new() };
        Ok(ValuesAt { places, matrix, given, dofs: Vec::new() })
    };
    let exact = match file.get(group, "factors")? {
        None => None,
        Some(_) => Some(ExactForm {
            factors: serde_json::from_str(&file.text(group, "factors")?)
                .map_err(|e| broken(&format!("factors: {e}")))?,
            storage: list("exact_storage")?,
            rest: list("exact_rest")?,
            load: list("exact_load")?,
        }),
    };
    let data = ProblemData {
        name: name.into(),
        field: file.text(group, "field")?,
        lifts,
        modes,
        nodal: list("nodal")?,
        gram: list("gram")?,
        lifting: values_at("lifting", lifts)?,
        initial: values_at("initial", modes)?,
        start: list("start")?,
        parameters: list("parameters")?,
        singular_values: list("singular_values")?,
        chosen: points("")?,
        followed: points("followed_")?,
        energy: list("energy")?,
        residual: TestBlock { count: tests, chosen: points("residual_")?, nodal: list("residual_nodal")? },
        exact,
    };
    let cells = part.cell_ids.len().max(1);
    if data.gram.len() != b * b
        || !data.parameters.len().is_multiple_of((data.start.len() / b.max(1)).max(1))
        || !data.nodal.len().is_multiple_of(cells * b.max(1))
        || (tests > 0 && data.energy.len() != b * b)
        || data.residual.nodal.len() * b != data.nodal.len() * tests
    {
        return Err(broken("its arrays do not fit together"));
    }
    let all = [
        &data.nodal,
        &data.gram,
        &data.start,
        &data.parameters,
        &data.lifting.matrix,
        &data.initial.matrix,
        &data.initial.given,
        &data.energy,
        &data.residual.nodal,
    ];
    let exact = data.exact.iter().flat_map(|own| [&own.storage, &own.rest, &own.load]);
    if all.into_iter().chain(exact).flatten().any(|v| !v.is_finite()) {
        return Err(broken("a number is not finite"));
    }
    Ok(data)
}

/// Writes liftings and modes on the whole mesh, as `/basis/<field>`, of further clusters `/basis/<field>.<cluster>`.
/// Collective.
///
/// # Errors
/// [`Error::Storage`] when HDF5 or the file system refuses.
pub fn write_functions(file: &File, cluster: usize, reduction: &Reduction) -> Result<()> {
    let (problem, functions) = (&reduction.problem, &reduction.functions);
    let (space, plan) = (&problem.space, problem.space.canonical());
    let name = basis_of(&problem.field, cluster);
    let field = Field::nodes(&name, &problem.unit, space.components, space.element.degree, &plan);
    let field = field.meaning("liftings of the prescribed values, then modes").physics(&problem.name);
    file.create_basis(&field, functions.count() as u64)?;
    file.set(&format!("/basis/{name}"), "lifts", reduction.lifts)?;
    for (j, function) in functions.iter().enumerate() {
        file.write_mode(&name, j as u64, &plan, function)?;
    }
    Ok(())
}

/// Reads liftings and modes of a problem in the model of a cluster: this rank's unknowns. Collective.
///
/// # Errors
/// [`Error::Storage`] when the file does not hold them.
pub fn functions(file: &File, cluster: usize, problem: &Problem) -> Result<Columns> {
    let plan = problem.space.canonical();
    let name = basis_of(&problem.field, cluster);
    let (_, count) = file.basis(&name)?;
    let mut functions = Columns::new(&problem.space.mesh.comm, problem.space.owned_dofs());
    for j in 0..count {
        let function = file.read_mode(&name, j, &plan)?;
        if function.len() != functions.rows() {
            return Err(Error::storage(format!("{}: /basis/{name} does not fit the deck", file.label())));
        }
        functions.push(&function);
    }
    Ok(functions)
}
