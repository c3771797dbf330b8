//! What `predict` and `constrain` share: the constraint layers of a deck's problems, with the quantities that are known.
mod windows;

use crate::deck::{ConstraintLevel, Expression, Norm};
use crate::experts::{
    Constraint, DualProduct, Equations, ErrorEstimate, KnownRow, PortCondition, Reference, Repair,
    StepEquations, WindowRepair,
};
use crate::fem::{Essential, Space};
use crate::mixture::Columns;
use crate::mixture::bases::{BASES, Bases};
use crate::physics::{Context, Problem};
use crate::rom::ReducedModel;
use crate::simulation::Simulation;
use crate::storage::{File, ModelFile, Value};
use crate::{Diagnostic, Error, Result};
use petsc_rs::Vector;
use std::path::Path;
use std::rc::Rc;
use windows::WindowBases;

/// Where a reduced model has its functions.
const REDUCED: &str = "/basis";

/// A constraint layer for each problem of a simulation.
pub struct Layers {
    layers: Vec<Constraint>,
    norms: Vec<Norm>,
    known: Vec<Known>,
    /// Functions over windows of steps, if there are any.
    windows: WindowBases,
}

/// A quantity whose value is known.
struct Known {
    /// Its number in the deck's list of known ones.
    number: usize,
    /// The problem that it measures.
    stage: usize,
    name: String,
    row: Vector,
    /// Its value as a function of the parameters.
    value: Expression,
    /// That of the last repair.
    last: Option<f64>,
}

impl Layers {
    /// Layers of a level, nearest in the norm of each problem or its natural one. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] for a known quantity that is not linear.
    pub fn new(
        simulation: &Simulation,
        level: ConstraintLevel,
        weight: impl Fn(usize) -> Option<Norm>,
    ) -> Result<Self> {
        let deck = &simulation.deck;
        let (mut layers, mut norms) = (Vec::new(), Vec::new());
        for (index, stage) in simulation.stages.iter().enumerate() {
            let tolerance = deck.solver_options(index).tolerance;
            let natural = Constraint::natural_norm(&stage.problem);
            let norm = weight(index).unwrap_or(natural);
            let mut layer = Constraint::of(stage, deck.partition.overlap, level, norm, tolerance)?;
            let ports = PortCondition::of(&deck.constraint).filter(|_| level == ConstraintLevel::Coupled);
            let options = &deck.constraint.least_squares;
            let (components, scales) = (stage.space().components, options.scales.len());
            if scales != 0 && scales != components && (level == ConstraintLevel::Residual || ports.is_some())
            {
                let text = format!(
                    "expected {components} scales, one for each component of {}, found {scales}",
                    stage.problem.field
                );
                return Err(deck.fault("constraint.least_squares.scales", text));
            }
            layer.set_least_squares(options.clone());
            if let Some(condition) = ports {
                layer.set_ports(condition);
            }
            layers.push(layer);
            // Where no energy is one, distances are measured otherwise.
            norms.push(if norm == Norm::Energy { natural } else { norm });
        }
        let mut known = Vec::new();
        for (number, given) in deck.constraint.known.iter().enumerate() {
            let key = |name: &str| format!("constraint.known[{number}].{name}");
            let Some(quantity) = deck.quantity.iter().find(|q| q.name == given.quantity) else { continue };
            if let Some(why) = simulation.why_not_linear(quantity)? {
                return Err(deck.fault(&key("quantity"), format!("\"{}\" {why}", quantity.name)));
            }
            let (stage, row) = simulation.functional(quantity)?;
            let value = given.value.parse(&deck.variables());
            let value = value.map_err(|error| deck.fault(&key("value"), error.message))?;
            known.push(Known { number, stage, name: quantity.name.clone(), row, value, last: None });
        }
        Ok(Self { layers, norms, known, windows: WindowBases::default() })
    }

    /// Names of the known quantities that measure a problem.
    pub fn known(&self, stage: usize) -> impl Iterator<Item = &str> {
        self.known.iter().filter(move |known| known.stage == stage).map(|known| known.name.as_str())
    }

    /// The value of each at these parameters.
    pub fn known_values(&self, stage: usize, context: &Context) -> Vec<f64> {
        let of = self.known.iter().filter(|known| known.stage == stage);
        of.map(|known| known.value.eval(&context.arguments(&[0.0; 3]))).collect()
    }

    /// The norm of a problem's distances.
    pub fn norm(&self, stage: usize) -> Norm {
        self.norms[stage]
    }

    /// Number of experts of a problem over all ranks.
    pub fn experts(&self, stage: usize) -> usize {
        self.layers[stage].number_of_experts()
    }

    /// Repairs the present solution of a problem, at rest, with variances of its unknowns where the norm needs them; the
    /// problems before it are repaired already. Collective.
    ///
    /// # Errors
    /// As [`Constraint::apply`], and [`Error::Input`] for a known quantity that nothing free bears on.
    pub fn repair(
        &mut self,
        simulation: &mut Simulation,
        index: usize,
        context: &Context,
        variance: Option<Vector>,
    ) -> Result<Repair> {
        let Simulation { deck, stages, .. } = simulation;
        let stage = &mut stages[index];
        stage.assemble(context).map_err(|error| deck.locate(error))?;
        let mut state = stage.solution().try_clone()?;
        let prepared = match stage.problem.is_linear_system() {
            true => None,
            false => Some(stage.problem.at(context).map_err(|error| deck.locate(error))?),
        };
        let equations = match &prepared {
            Some(prepared) => Equations::steady(prepared),
            None => Equations::of(stage, context),
        };
        let repair = self
            .repair_equations(index, context, (&equations, variance, None), &mut state)
            .map_err(|error| deck.locate(error))?;
        stage.replace_residual(None);
        stage.set_solution(&state.read()?)?;
        Ok(repair)
    }

    /// Repairs a state that is to satisfy equations of a problem, at rest or of a step in time, with variances where the norm
    /// needs them, and the first guess that the run itself would have. Collective.
    ///
    /// # Errors
    /// As [`Layers::repair`].
    pub fn repair_equations(
        &mut self,
        index: usize,
        context: &Context,
        (equations, variance, guess): (&Equations, Option<Vector>, Option<&Vector>),
        state: &mut Vector,
    ) -> Result<Repair> {
        if let Some((number, name)) = self.set_known(index, context, equations.essential)? {
            let key = format!("constraint.known[{number}].quantity");
            let text = format!("\"{name}\" reads prescribed values alone: nothing can change it");
            return Err(Error::Input(vec![Diagnostic { key, message: text, ..Diagnostic::default() }]));
        }
        let layer = &mut self.layers[index];
        variance.map_or(Ok(()), |variance| layer.set_variance(variance))?;
        layer.apply_or(equations, guess, state)
    }

    /// From now on every repair finds the residual's dual norm and what follows for the error; of linear symmetric problems
    /// at rest in the energy of these parameters. Collective.
    ///
    /// # Errors
    /// As [`Reference::new`].
    pub fn set_estimates(&mut self, simulation: &Simulation, context: &Context) -> Result<()> {
        for (stage, layer) in simulation.stages.iter().zip(&mut self.layers) {
            let at_rest = simulation.deck.time.is_none() || !stage.problem.evolves();
            let reference = at_rest
                && stage.problem.is_linear_system()
                && DualProduct::of(&stage.problem) == DualProduct::Energy;
            layer.set_estimates(reference.then(|| Reference::new(&stage.problem, context)).transpose()?);
        }
        Ok(())
    }

    /// What the last repair of a problem says of its error, if that was asked for.
    pub fn take_estimate(&mut self, index: usize) -> Option<ErrorEstimate> {
        self.layers[index].take_estimate()
    }

    /// Gives the experts of every problem the modes of a reduced model, at most so many, for the levels `residual` and
    /// `coupled`.
    pub fn set_modes(&mut self, model: &ReducedModel, modes: Option<usize>) {
        for (layer, basis) in self.layers.iter_mut().zip(&model.bases) {
            let mut columns = Columns::new(&layer.comm(), basis.functions.rows());
            let own = basis.functions.iter().skip(basis.lifts);
            columns.extend(own.take(modes.unwrap_or(usize::MAX)));
            layer.set_columns(columns);
        }
    }

    /// Gives the experts of every problem the modes that a file has of its field, at most so many; and their numbers in
    /// words. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when the file has none of any field, or they do not fit the mesh.
    pub fn read_basis(&mut self, simulation: &Simulation, path: &Path, modes: usize) -> Result<Vec<String>> {
        let file = ModelFile::open(&simulation.mesh.comm, path)?;
        let (there, reduced) = (file.members(BASES), file.members(REDUCED));
        let mut words = Vec::new();
        for (stage, layer) in simulation.stages.iter().zip(&mut self.layers) {
            let (field, space) = (&stage.problem.field, stage.space());
            let of_model = !there.contains(field) && reduced.contains(field);
            if simulation.stages.len() > 1 && !there.contains(field) && !of_model {
                continue;
            }
            let mut columns = match of_model {
                true => reduced_modes(&file, field, space)?,
                false => Bases::read(&file, (field, None), space, None)?.global.modes,
            };
            columns.truncate(modes);
            words.push(format!("{field} {}", columns.count()));
            layer.set_columns(columns);
        }
        file.close()?;
        Ok(words)
    }

    /// Gives the only problem's experts the functions in space and time that a file has, of so many windows of the steps
    /// between `times`: the mean of the snapshots, and at most `modes` modes of each. Their numbers in words. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when the file has none, or other windows or times.
    pub fn read_windows(
        &mut self,
        problem: &Problem,
        path: &Path,
        (modes, windows): (usize, usize),
        times: &[f64],
    ) -> Result<Vec<String>> {
        let (bases, words) = WindowBases::read(problem, path, (modes, windows), times)?;
        self.windows = bases;
        Ok(words)
    }

    /// Number of the window that a step is in, and its last step.
    pub fn window_of(&self, step: usize) -> (usize, usize) {
        self.windows.of_step(step)
    }

    /// Repairs so many steps of a window at once, from the number `known.len()` on. Collective.
    ///
    /// # Errors
    /// As [`Constraint::repair_steps`].
    pub fn repair_steps(
        &mut self,
        problem: &Rc<Problem>,
        equations: &StepEquations,
        (known, window): (&[Vector], usize),
        states: &mut [Vector],
    ) -> Result<WindowRepair> {
        let functions = self.windows.functions(window, known.len(), states.len());
        self.layers[0].repair_steps(problem, equations, known, &functions, states)
    }

    /// What a state leaves of an equation of the only problem, and how far it is from a prediction. Collective.
    ///
    /// # Errors
    /// As [`Constraint::measure`].
    pub fn measure(
        &mut self,
        equations: &Equations,
        state: &Vector,
        prediction: Option<&Vector>,
    ) -> Result<Repair> {
        self.layers[0].measure(equations, state, prediction)
    }

    /// What is left of the variances after the last repair. Collective.
    ///
    /// # Errors
    /// As [`Constraint::updated_variance`].
    pub fn updated_variance(&mut self, index: usize) -> Result<Vector> {
        self.layers[index].updated_variance()
    }

    /// Tells a layer the values at these parameters, if they have changed; one that nothing free bears on, if there is any.
    fn set_known(
        &mut self,
        index: usize,
        context: &Context,
        essential: &Essential,
    ) -> Result<Option<(usize, String)>> {
        let mut changed = false;
        for known in self.known.iter_mut().filter(|known| known.stage == index) {
            let value = known.value.eval(&context.arguments(&[0.0; 3]));
            if !value.is_finite() {
                return Err(Error::Failed(format!("the known value of \"{}\" is {value}", known.name)));
            }
            let mut free = known.row.try_clone()?;
            essential.clear(&mut free.write()?);
            if free.norm(petsc_rs::Norm::Infinity)? <= 1e-14 * known.row.norm(petsc_rs::Norm::Infinity)? {
                return Ok(Some((known.number, known.name.clone())));
            }
            changed |= known.last.replace(value) != Some(value);
        }
        if changed {
            let own = self.known.iter().filter(|known| known.stage == index);
            let row = |known: &Known| {
                let (name, row) = (known.name.clone(), known.row.try_clone()?);
                Ok(KnownRow { name, row, value: known.last.unwrap_or_default() })
            };
            self.layers[index].set_known(own.map(row).collect::<Result<_>>()?);
        }
        Ok(None)
    }
}

/// The modes of a reduced model, which stand behind its liftings. Collective.
fn reduced_modes(file: &File, field: &str, space: &Space) -> Result<Columns> {
    let (path, plan) = (format!("{REDUCED}/{field}"), space.canonical());
    let (shape, wanted) = (file.shape(&path)?, [plan.total(), space.components as u64]);
    if shape.len() != 3 || shape[1..] != wanted {
        let [nodes, components] = wanted;
        let text = format!("{path} has the shape {shape:?}; expected [function, {nodes}, {components}]");
        return Err(Error::input(file.label(), text));
    }
    let lifts = match file.get(&path, "lifts")? {
        Some(Value::Integer(lifts)) => lifts.max(0) as u64,
        _ => 0,
    };
    let mut columns = Columns::new(&space.mesh.comm, space.owned_dofs());
    for j in lifts..shape[0] {
        columns.push(&file.read_mode(field, j, &plan)?);
    }
    Ok(columns)
}
