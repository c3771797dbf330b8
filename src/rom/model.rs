//! A reduced model of all physics of a deck: training, solving, and its file.
use super::energy::Energy;
use super::functional::dual_norm;
use super::galerkin::{Description, Reduced, Solution};
use super::offline::{Basis, BasisOptions, Offline};
use super::projection::Projection;
use super::split::Split;
use super::theta::Inputs;
use super::training::Training;
use crate::mixture::{Columns, dot};
use crate::physics::{Context, Problem};
use crate::simulation::Simulation;
use crate::storage::{Field, File};
use crate::{Error, Result};
use faer::{Mat, MatRef};
use std::time::Instant;

/// Reduced models of the problems of a deck, in its order.
pub struct ReducedModel {
    /// The small systems.
    pub stages: Vec<Reduced>,
    /// The bases, distributed like the fields.
    pub bases: Vec<Basis>,
    /// Parameters whose energy measures residuals.
    pub reference: Vec<f64>,
    /// For each quantity of interest that is linear in a solution: the physics, and its norm on the errors in
    /// the reference energy.
    pub quantities: Vec<Option<(usize, f64)>>,
}

/// A quantity of interest that is linear in a reduced solution.
pub struct Functional {
    /// The physics.
    pub stage: usize,
    /// Its values on the functions of the basis.
    pub row: Vec<f64>,
}

impl Functional {
    /// The quantity of these solutions. Local.
    pub fn value(&self, solutions: &[Solution]) -> f64 {
        dot(&self.row, &solutions[self.stage].coefficients)
    }
}

/// Where the norms of the quantities of interest lie in a file.
const QUANTITIES: &str = "/reduced_quantities/norms";

/// What training found out, one entry a physics.
#[derive(Debug, Clone, Default)]
pub struct TrainingReport {
    /// Coefficients that depend on parameters, and how they were split.
    pub splits: Vec<Split>,
    /// Seconds for expansion, reference energy, basis and projection.
    pub seconds: [f64; 4],
}

impl ReducedModel {
    /// Trains on snapshots: `snapshots(problem)` gives this rank's unknowns, one column for each of
    /// `parameters`. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when the deck's dependence on its parameters cannot be split.
    pub fn train(
        simulation: &Simulation,
        training: &Training,
        parameters: &[Vec<f64>],
        snapshots: impl FnMut(&Problem) -> Result<Columns>,
        options: BasisOptions,
    ) -> Result<(Self, Vec<TrainingReport>)> {
        Self::from_snapshots(simulation, &Offline::new(simulation, training)?, parameters, snapshots, options)
    }

    /// As [`ReducedModel::train`] with what does not depend on the snapshots already there. Collective.
    ///
    /// # Errors
    /// When the snapshots do not fit or are not finite.
    pub fn from_snapshots(
        simulation: &Simulation,
        offline: &Offline,
        parameters: &[Vec<f64>],
        mut snapshots: impl FnMut(&Problem) -> Result<Columns>,
        options: BasisOptions,
    ) -> Result<(Self, Vec<TrainingReport>)> {
        let mut model = Self::empty(offline.reference.parameters.clone());
        let mut reports = Vec::new();
        for (index, prepared) in offline.stages.iter().enumerate() {
            let start = Instant::now();
            let columns = snapshots(&prepared.problem)?;
            let basis = Basis::new(prepared, &offline.reference, (columns, parameters), options)?;
            let middle = Instant::now();
            let above = offline.upstream(index).map(|u| &model.bases[u.index].functions);
            let mut projection = Projection::new(offline, index)?;
            if let Some(functions) = above {
                projection.add_upstream(&functions.iter().collect::<Vec<_>>())?;
            }
            let functions: Vec<&[f64]> = basis.functions.iter().collect();
            let (lifts, modes) = functions.split_at(basis.lifts);
            projection.add(lifts, true)?;
            projection.add(modes, false)?;
            let reduced = projection.reduced(above.map_or(0, Columns::count));
            let [expansion, energy] = prepared.seconds;
            let found = [(middle - start).as_secs_f64(), middle.elapsed().as_secs_f64()];
            reports.push(TrainingReport {
                splits: prepared.expansion.splits.clone(),
                seconds: [expansion, energy, found[0], found[1]],
            });
            model.stages.push(reduced);
            model.bases.push(basis);
        }
        let energies: Vec<&Energy> = offline.stages.iter().map(|s| &s.energy).collect();
        let list = &simulation.deck.quantity;
        model.quantities = list.iter().map(|q| dual_norm(simulation, q, &energies)).collect::<Result<_>>()?;
        Ok((model, reports))
    }

    fn empty(reference: Vec<f64>) -> Self {
        Self { stages: Vec::new(), bases: Vec::new(), reference, quantities: Vec::new() }
    }

    /// Bounds of the errors of the quantities of interest, where they are linear in a solution. Local.
    pub fn quantity_estimates(&self, solutions: &[Solution]) -> Vec<Option<f64>> {
        let bound = |&(stage, norm): &(usize, f64)| {
            let solution: &Solution = &solutions[stage];
            norm * solution.estimate / solution.coercivity.sqrt()
        };
        self.quantities.iter().map(|quantity| quantity.as_ref().map(bound)).collect()
    }

    /// The quantities of interest as functions of the coefficients of a physics' solution. `None` when one of them is not linear in a solution. Collective.
    ///
    /// # Errors
    /// When a quantity measures what does not exist.
    pub fn functionals(&self, simulation: &Simulation) -> Result<Option<Vec<Functional>>> {
        let mut rows = Vec::new();
        for quantity in &simulation.deck.quantity {
            if simulation.why_not_linear(quantity)?.is_some() {
                return Ok(None);
            }
            let (stage, functional) = simulation.functional(quantity)?;
            let row = self.bases[stage].functions.coefficients(&functional.read()?);
            rows.push(Functional { stage, row });
        }
        Ok(Some(rows))
    }

    /// Solves all physics with at most `modes` modes each. Local; the cost does not depend on the mesh.
    ///
    /// # Errors
    /// When a reduced system is not positive definite.
    pub fn solve(&self, inputs: &[&dyn Inputs], context: &Context, modes: usize) -> Result<Vec<Solution>> {
        self.solve_with(inputs, context, |_| modes)
    }

    /// As [`ReducedModel::solve`] with a number of modes for each physics.
    ///
    /// # Errors
    /// As [`ReducedModel::solve`].
    pub fn solve_with(
        &self,
        inputs: &[&dyn Inputs],
        context: &Context,
        modes: impl Fn(usize) -> usize,
    ) -> Result<Vec<Solution>> {
        let mut solutions: Vec<Solution> = Vec::with_capacity(self.stages.len());
        for (index, (reduced, inputs)) in self.stages.iter().zip(inputs).enumerate() {
            let upstream = reduced.description.upstream.map(|index| &solutions[index]);
            let solution = reduced.solve(*inputs, context, upstream, modes(index))?;
            solutions.push(solution);
        }
        Ok(solutions)
    }

    /// The field of a reduced solution: this rank's unknowns. Local.
    pub fn field(&self, stage: usize, solution: &Solution) -> Vec<f64> {
        let functions = &self.bases[stage].functions;
        let mut field = vec![0.0; functions.rows()];
        functions.add_to(&solution.coefficients, &mut field);
        field
    }

    /// Writes bases and reduced systems. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when HDF5 or the file system refuses.
    pub fn write(&self, file: &File, simulation: &Simulation) -> Result<()> {
        file.create_group("/reduced")?;
        file.set("/reduced", "reference_parameters", self.reference.clone())?;
        let rows = self
            .quantities
            .iter()
            .flat_map(|q| q.map_or([f64::NAN; 2], |(stage, norm)| [stage as f64, norm]));
        let rows: Vec<f64> = rows.collect();
        file.write_array(QUANTITIES, &[self.quantities.len() as u64, 2], &rows)?;
        file.set(QUANTITIES, "columns", &["physics", "norm"][..])?;
        file.set(
            QUANTITIES,
            "meaning",
            "dual norm of each linear quantity of interest in the reference energy",
        )?;
        for ((reduced, basis), stage) in self.stages.iter().zip(&self.bases).zip(&simulation.stages) {
            let problem = &stage.problem;
            let d = &reduced.description;
            let plan = problem.space.canonical();
            let field = Field::nodes(
                &d.field,
                &problem.unit,
                problem.space.components,
                problem.space.element.degree,
                &plan,
            );
            let field = field.meaning("liftings of the prescribed values, then modes").physics(&d.name);
            let count = basis.functions.count();
            file.create_basis(&field, count as u64)?;
            file.set(&format!("/basis/{}", d.field), "lifts", basis.lifts)?;
            for j in 0..count {
                file.write_mode(&d.field, j as u64, &plan, basis.functions.column(j))?;
            }
            let path = format!("/singular_values/{}", d.field);
            file.write_array(&path, &[basis.singular_values.len() as u64], &basis.singular_values)?;
            file.set(
                &path,
                "meaning",
                "of the snapshots without their liftings, in the basis' inner product",
            )?;
            let group = format!("/reduced/{}", d.name);
            file.create_group(&group)?;
            let text = serde_json::to_string(d)
                .map_err(|e| Error::Failed(format!("{}: cannot describe the reduced model: {e}", d.name)))?;
            file.set(&group, "description", text)?;
            let stack =
                |list: &[Mat<f64>]| list.iter().flat_map(|m| row_major(m.as_ref())).collect::<Vec<_>>();
            let (n, up) = (reduced.basis() as u64, d.upstream_basis as u64);
            for (name, shape, values, meaning) in [
                (
                    "matrices",
                    vec![d.matrices.len() as u64, n, n],
                    stack(&reduced.matrices),
                    "terms of the matrix, [term, basis, basis]",
                ),
                (
                    "loads",
                    vec![d.loads.len() as u64, n],
                    reduced.loads.concat(),
                    "terms of the load, [term, basis]",
                ),
                (
                    "coupled",
                    vec![d.coupled.len() as u64, n, up],
                    stack(&reduced.coupled),
                    "loads by the basis of the physics above, [term, basis, basis above]",
                ),
                (
                    "residual",
                    vec![reduced.residual.nrows() as u64, reduced.residual.ncols() as u64],
                    row_major(reduced.residual.as_ref()),
                    "triangular factor of the residual's representers, [direction, term]: loads, coupled loads, matrices by basis",
                ),
            ] {
                let path = format!("{group}/{name}");
                file.write_array(&path, &shape, &values)?;
                file.set(&path, "meaning", meaning)?;
            }
        }
        Ok(())
    }

    /// Reads what [`ReducedModel::write`] wrote, for a simulation on the same mesh. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when the file does not hold what it should.
    pub fn read(file: &File, simulation: &Simulation) -> Result<Self> {
        let reference = match file.get("/reduced", "reference_parameters")? {
            Some(crate::storage::Value::Floats(list)) => list,
            Some(crate::storage::Value::Float(value)) => vec![value],
            _ => Vec::new(),
        };
        let mut model = Self::empty(reference);
        let (_, rows) = file.read_array::<f64>(QUANTITIES)?;
        model.quantities =
            rows.chunks_exact(2).map(|row| row[1].is_finite().then_some((row[0] as usize, row[1]))).collect();
        let fits = |q: &Option<(usize, f64)>| q.is_none_or(|(stage, _)| stage < simulation.stages.len());
        if model.quantities.len() != simulation.deck.quantity.len() || !model.quantities.iter().all(fits) {
            return Err(Error::storage(format!("{}: {QUANTITIES} does not fit the deck", file.label())));
        }
        for stage in &simulation.stages {
            let problem = &stage.problem;
            let group = format!("/reduced/{}", problem.name);
            let broken = |what: &str| Error::storage(format!("{}: {group}: {what}", file.label()));
            let description: Description = serde_json::from_str(&file.text(&group, "description")?)
                .map_err(|e| broken(&format!("description: {e}")))?;
            let array = |name: &str, shape: &[usize]| -> Result<Vec<f64>> {
                let (found, values) = file.read_array::<f64>(&format!("{group}/{name}"))?;
                if found.iter().map(|&n| n as usize).eq(shape.iter().copied()) {
                    Ok(values)
                } else {
                    Err(broken(&format!("{name} has the shape {found:?} instead of {shape:?}")))
                }
            };
            let d = &description;
            if !d.fits(problem) {
                return Err(broken("the description does not fit the deck"));
            }
            let (n, up) = (d.lifts.len().saturating_add(d.modes), d.upstream_basis);
            let above = model.stages.len();
            if d.upstream.is_some_and(|u| u >= above || model.stages[u].basis() != up) {
                return Err(broken("it reads a physics that does not stand above it"));
            }
            let unstack = |values: &[f64], columns: usize| -> Vec<Mat<f64>> {
                if n * columns == 0 {
                    return Vec::new();
                }
                values
                    .chunks_exact(n * columns)
                    .map(|m| MatRef::from_row_major_slice(m, n, columns).to_owned())
                    .collect()
            };
            let matrices = unstack(&array("matrices", &[d.matrices.len(), n, n])?, n);
            let loads = array("loads", &[d.loads.len(), n])?;
            let loads = loads.chunks_exact(n.max(1)).map(<[f64]>::to_vec).collect();
            let coupled = unstack(&array("coupled", &[d.coupled.len(), n, up])?, up);
            let terms = d.loads.len() + d.coupled.len() * up + d.matrices.len() * n;
            let (shape, values) = file.read_array::<f64>(&format!("{group}/residual"))?;
            if shape.len() != 2 || shape[1] as usize != terms {
                return Err(broken(&format!(
                    "residual has the shape {shape:?}, but there are {terms} terms"
                )));
            }
            let residual = MatRef::from_row_major_slice(&values, shape[0] as usize, terms).to_owned();
            let plan = problem.space.canonical();
            let mut functions = Columns::new(&simulation.mesh.comm, problem.space.owned_dofs());
            for j in 0..n {
                functions.push(&file.read_mode(&d.field, j as u64, &plan)?);
            }
            let (_, singular_values) = file.read_array(&format!("/singular_values/{}", d.field))?;
            model.bases.push(Basis { functions, lifts: d.lifts.len(), singular_values });
            model.stages.push(Reduced { description, matrices, loads, coupled, residual });
        }
        Ok(model)
    }
}

fn row_major(matrix: MatRef<'_, f64>) -> Vec<f64> {
    (0..matrix.nrows()).flat_map(|i| (0..matrix.ncols()).map(move |j| matrix[(i, j)])).collect()
}
