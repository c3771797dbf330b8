//! Reduced models.
use crate::arrays::Rows;
use crate::choices::{LEVELS, NORMS, chosen};
use crate::held::Held;
use crate::open::Open;
use crate::slot::Slot;
use crate::{deck, parameters, session};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::PathBuf;
use std::rc::Rc;
use tessera::Result;
use tessera::deck::{ConstraintLevel, Deck, Norm};
use tessera::drivers::repair::Layers;
use tessera::mesh::{Mesh, MeshSource};
use tessera::parallel::Comm;
use tessera::physics::Context;
use tessera::rom::theta::Inputs;
use tessera::rom::{ReducedModel, Solution};
use tessera::simulation::Simulation;
use tessera::storage::ModelFile;

/// A reduced model with the simulation that its fields live in.
struct Reduced {
    open: Open,
    model: ReducedModel,
    /// By physics; empty where predictions are left as they are.
    layers: Option<Layers>,
}

/// A reduced model of Python's.
#[pyclass(unsendable, module = "tessera._native")]
pub struct Model {
    slot: Rc<Slot<Reduced>>,
    deck: Deck,
}

impl Drop for Model {
    fn drop(&mut self) {
        self.slot.drop_object();
    }
}

/// Physics, estimate of the error's energy norm, the same relative to the solution, why it is no proven bound.
type Estimate = (String, f64, f64, Option<String>);
/// Fields by name; quantities; bounds of their errors where there are any; estimates.
type Prediction = (Vec<(String, Rows)>, Vec<f64>, Vec<Option<f64>>, Vec<Estimate>);

#[pymethods]
impl Model {
    #[new]
    fn new(
        path: PathBuf,
        address: Option<usize>,
        level: Option<String>,
        weight: Option<String>,
    ) -> PyResult<Self> {
        let level = level.map(|word| chosen("constraint", &word, LEVELS)).transpose();
        let weight = weight.map(|word| chosen("weight", &word, NORMS)).transpose();
        let comm = session::communicator(address)?;
        let make = |comm: &Comm| Reduced::open(comm, &path, comm.agree(level)?, comm.agree(weight)?);
        let slot = Slot::new(comm, make)?;
        let deck = slot.look(|reduced| reduced.open.simulation.deck.clone())?;
        Ok(Self { slot, deck })
    }

    #[getter]
    fn deck(&self) -> deck::Deck {
        deck::Deck(self.deck.clone())
    }

    fn close(&self) {
        self.slot.close();
    }

    fn modes(&self) -> PyResult<Vec<usize>> {
        self.slot.look(|reduced| reduced.model.stages.iter().map(|stage| stage.description.modes).collect())
    }

    fn coordinates(&self, stage: &str, own: bool) -> PyResult<Rows> {
        let work = |reduced: &mut Reduced, _: &Comm| {
            let open = &reduced.open;
            open.coordinates(open.stage(stage)?, own)
        };
        self.slot.together(&format!("coordinates({stage}, own={own})"), work)
    }

    fn predict(
        &self,
        given: Option<&Bound<'_, PyDict>>,
        modes: Option<usize>,
        fields: Option<Vec<String>>,
        own: bool,
    ) -> PyResult<Prediction> {
        let given_words = parameters::words(given);
        let words = format!("predict({given_words}, modes={modes:?}, fields={fields:?}, own={own})");
        self.slot.together(&words, |reduced, comm| {
            let context = comm.agree(parameters::context(&reduced.open.simulation.deck, given))?;
            reduced.predict(context, modes.unwrap_or(usize::MAX), fields, own)
        })
    }
}

impl Reduced {
    fn open(
        comm: &Comm,
        path: &std::path::Path,
        level: Option<ConstraintLevel>,
        weight: Option<Norm>,
    ) -> Result<Self> {
        let file = ModelFile::open(comm, path)?;
        let mut deck = Deck::parse(&file.text("/", "deck")?, &file.text("/", "deck_name")?, &[])?;
        deck.constraint.level = level.unwrap_or(deck.constraint.level);
        deck.constraint.weight = weight.or(deck.constraint.weight);
        let source = MeshSource::File { path: path.to_path_buf(), scale: 1.0 };
        let mesh = Mesh::build(comm, &source, &deck.partition_options())?;
        let simulation = Simulation::on_mesh(&deck, Rc::new(mesh))?;
        let model = ReducedModel::read(&file, &simulation)?;
        file.close()?;
        let (level, weight) = (deck.constraint.level, deck.constraint.weight);
        let layers = match level {
            ConstraintLevel::None => None,
            _ => Some(Layers::new(&simulation, level, |_| weight)?),
        };
        let mut layers = layers;
        if matches!(level, ConstraintLevel::Coupled | ConstraintLevel::Residual) {
            layers.iter_mut().for_each(|layers| layers.set_modes(&model, None));
        }
        Ok(Self { open: Open::new(simulation), model, layers })
    }

    fn predict(
        &mut self,
        context: Context,
        modes: usize,
        names: Option<Vec<String>>,
        own: bool,
    ) -> Result<Prediction> {
        let Self { open, model, layers } = self;
        let inputs: Vec<&dyn Inputs> =
            open.simulation.stages.iter().map(|stage| &*stage.problem as &dyn Inputs).collect();
        let solutions = model.solve(&inputs, &context, modes)?;
        for (index, solution) in solutions.iter().enumerate() {
            let stage = &mut open.simulation.stages[index];
            stage.set_solution(&model.field(index, solution))?;
            match layers {
                None => stage.set_conditions(&context)?,
                Some(layers) => drop(layers.repair(&mut open.simulation, index, &context, None)?),
            }
        }
        open.context = context;
        let fields = match names {
            None => open.simulation.fields().into_iter().filter(|field| field.derived.is_none()).collect(),
            Some(names) => names.iter().map(|name| open.field(name)).collect::<Result<Vec<_>>>()?,
        };
        let values = fields.iter().map(|field| Ok((field.name.clone(), open.values(field, own)?)));
        let values = values.collect::<Result<_>>()?;
        let quantities = open.simulation.quantities(&open.context)?;
        let estimate = |(stage, solution): (&tessera::simulation::Stage, &Solution)| {
            let name = stage.problem.name.clone();
            (name, solution.estimate, solution.relative, solution.doubt.clone())
        };
        let estimates = open.simulation.stages.iter().zip(&solutions).map(estimate).collect();
        Ok((values, quantities, model.quantity_estimates(&solutions), estimates))
    }
}
