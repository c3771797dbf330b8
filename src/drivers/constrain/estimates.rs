//! What the residual says of the error, without a full solution: its dual norm, and a bound or an estimate of the error.
use super::truth::{l2, solutions};
use crate::Result;
use crate::experts::{DualProduct, ErrorEstimate};
use crate::physics::Problem;
use crate::report::{Report, Table};
use crate::simulation::{FieldInfo, Simulation};
use crate::storage::{Element, File};

/// Columns of `/dual/<physics>`.
const DUAL: [&str; 2] = ["before", "after"];
/// Columns of `/estimate/<physics>`.
pub const ESTIMATE: [&str; 4] = ["before", "after", "l2_after", "relative_l2_after"];

/// Of one problem's repair.
#[derive(Debug, Clone, Copy)]
pub struct Estimate {
    dual: [f64; 2],
    /// [`ESTIMATE`].
    numbers: [f64; 4],
}

/// A problem's first solution, whose error in L2 is estimated.
fn field(simulation: &Simulation, stage: usize) -> FieldInfo {
    let mut fields = solutions(simulation).into_iter();
    fields.find(|field| field.stage == stage).expect("a problem has a field")
}

/// Whether a problem's error has a bound.
fn is_bounded(problem: &Problem) -> bool {
    DualProduct::of(problem) == DualProduct::Energy
}

impl Estimate {
    /// Of the present solution. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn of(simulation: &Simulation, stage: usize, found: &ErrorEstimate) -> Result<Self> {
        let (own, part) = (&simulation.stages[stage], field(simulation, stage));
        let [before, after] = found.bound.unwrap_or([f64::NAN, found.correction]);
        let mut numbers = [before, after, f64::NAN, f64::NAN];
        if let Some(correction) = &found.field {
            numbers[2] = l2(own, &part, correction)?;
            numbers[3] = numbers[2] / l2(own, &part, own.solution())?;
        }
        Ok(Self { dual: found.dual, numbers })
    }
}

/// Makes room for those of all problems. Collective.
///
/// # Errors
/// [`Error::Storage`](crate::Error::Storage) when HDF5 or the file system refuses.
pub fn make(file: &File, simulation: &Simulation, samples: u64) -> Result<()> {
    for (index, stage) in simulation.stages.iter().enumerate() {
        let problem = &stage.problem;
        let product = DualProduct::of(problem);
        let unit = format!("({} {})^(1/2)", simulation.exchange_unit(index), problem.unit);
        let path = format!("/dual/{}", problem.name);
        let meaning = match product {
            DualProduct::Energy => {
                "its energy, of problems at rest that at the deck's default parameters where coefficients bound it"
            }
            DualProduct::Tangent => "the symmetric part of the tangent at the repaired state",
            DualProduct::Flow => "viscosity and storage for velocities, diag(B diag(A)^-1 B^T) for pressures",
            DualProduct::Mass => "the mass",
        };
        let meaning =
            format!("dual norm (r^T X^-1 r)^(1/2) of the residual of the free unknowns, X: {meaning}");
        file.create_dataset::<f64>(&path, &[samples, 2])?;
        file.set(&path, "columns", &DUAL[..])?;
        file.set(&path, "product", product.name())?;
        file.set(&path, "unit", unit.as_str())?;
        file.set(&path, "meaning", meaning)?;
        let path = format!("/estimate/{}", problem.name);
        let (kind, meaning) = match is_bounded(problem) {
            true => (
                "bound",
                "upper bound of the error in the energy norm, of a step in time of what the step itself adds",
            ),
            false => (
                "estimate",
                "no bound: length of the next Newton step, in the product of the dual norm and in L2; of a step in time of what the \
                 step itself adds",
            ),
        };
        file.create_dataset::<f64>(&path, &[samples, ESTIMATE.len() as u64])?;
        file.set(&path, "columns", &ESTIMATE[..])?;
        file.set(&path, "kind", kind)?;
        file.set(&path, "units", &[unit.as_str(), &unit, "", "1"][..])?;
        file.set(&path, "field", field(simulation, index).name)?;
        file.set(&path, "meaning", meaning)?;
    }
    Ok(())
}

/// Writes those of a row, where there are any. Collective.
///
/// # Errors
/// As [`make`].
pub fn write(file: &File, simulation: &Simulation, row: usize, estimates: &[Option<Estimate>]) -> Result<()> {
    for (stage, estimate) in simulation.stages.iter().zip(estimates) {
        let nothing = Estimate { dual: [f64::NAN; 2], numbers: [f64::NAN; 4] };
        let Estimate { dual, numbers } = estimate.unwrap_or(nothing);
        entry(file, &format!("/dual/{}", stage.problem.name), row, &dual)?;
        entry(file, &format!("/estimate/{}", stage.problem.name), row, &numbers)?;
    }
    Ok(())
}

/// Prints those of a problem, if the file has them. Collective.
///
/// # Errors
/// As [`make`].
pub fn show(report: &Report, problem: &Problem, file: &File, lines: usize) -> Result<()> {
    let path = format!("/dual/{}", problem.name);
    if !file.exists(&path) {
        return Ok(());
    }
    let (_, dual) = file.read_array::<f64>(&path)?;
    let (_, numbers) = file.read_array::<f64>(&format!("/estimate/{}", problem.name))?;
    let bounded = is_bounded(problem);
    let head: &[&str] = match bounded {
        true => &["sample", "dual norm", "after", "error at most", "after"],
        false => &["sample", "dual norm", "after", "error estimate", "L2, relative"],
    };
    let mut table = Table::new(head);
    for (sample, (dual, row)) in
        dual.chunks_exact(2).zip(numbers.chunks_exact(ESTIMATE.len())).enumerate().take(lines)
    {
        let shown = if bounded { [row[0], row[1]] } else { [row[1], row[3]] };
        let mut cells = vec![sample.to_string()];
        cells.extend(dual.iter().chain(&shown).map(|v| format!("{v:.2e}")));
        table.row(&cells);
    }
    let what = if bounded { "bounds in the energy norm" } else { "estimates by a Newton step, no bounds" };
    report.line(format!(
        "{}: dual norms of the residual in the product \"{}\"; {what}",
        problem.name,
        DualProduct::of(problem).name()
    ));
    report.table(&table);
    Ok(())
}

/// Writes a sample's row, which every rank has. Collective.
///
/// # Errors
/// As [`make`].
pub fn entry<T: Element>(file: &File, path: &str, sample: usize, values: &[T]) -> Result<()> {
    let mine = if file.comm().rank() == 0 { values } else { &[] };
    file.write_rows(path, sample as u64, mine)
}
