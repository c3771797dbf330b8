//! Simulations as Python sees them.
use crate::arrays::{Rows, plain};
use crate::constraint::Constraint;
use crate::deck::Deck;
use crate::errors::wrong;
use crate::held::Held;
use crate::layer::Asked;
use crate::open::Open;
use crate::slot::{Slot, same};
use crate::trajectory::Trajectory;
use crate::window::Window;
use crate::{evolution, gradients, operators, parameters, session};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::rc::Rc;
use tessera::parallel::Comm;
use tessera::physics::Context;
use tessera::simulation::{self, FieldInfo};

/// A simulation of Python's.
#[pyclass(unsendable, module = "tessera._native")]
pub struct Simulation(pub Rc<Slot<Open>>);

impl Drop for Simulation {
    fn drop(&mut self) {
        self.0.drop_object();
    }
}

/// Name, problem, components, unit, meaning, whether it is part of a solution.
type Field = (String, String, usize, String, String, bool);
/// Name, field, unknowns at a node, nodes, own nodes, whether it is one linear system.
type Stage = (String, String, usize, u64, usize, bool);
type Parameters<'a, 'py> = Option<&'a Bound<'py, PyDict>>;

#[pymethods]
impl Simulation {
    #[new]
    fn new(deck: &Deck, address: Option<usize>) -> PyResult<Self> {
        let comm = session::communicator(address)?;
        let make = |comm: &Comm| {
            same(comm, &deck.0.to_toml()).map_err(|_| wrong("the deck is not the same on all ranks"))?;
            Ok(Open::new(simulation::Simulation::new(comm, &deck.0)?))
        };
        Slot::new(comm, make).map(Self)
    }

    #[getter]
    fn rank(&self) -> usize {
        self.0.place[0]
    }

    #[getter]
    fn size(&self) -> usize {
        self.0.place[1]
    }

    fn close(&self) {
        self.0.close();
    }

    fn stages(&self) -> PyResult<Vec<Stage>> {
        self.0.look(|open| {
            let one = |stage: &simulation::Stage| {
                let (problem, space) = (&stage.problem, stage.space());
                let (name, field) = (problem.name.clone(), problem.field.clone());
                let linear = problem.is_linear_system();
                (name, field, space.components, space.global_nodes, space.owned_nodes, linear)
            };
            open.simulation.stages.iter().map(one).collect()
        })
    }

    fn fields(&self) -> PyResult<Vec<Field>> {
        self.0.look(|open| {
            let one = |field: FieldInfo| {
                let stage = open.simulation.stages[field.stage].problem.name.clone();
                let (meaning, solved) =
                    (field.meaning().to_string(), field.derived.is_none() && field.random.is_none());
                (field.name, stage, field.components, field.unit, meaning, solved)
            };
            open.simulation.fields().into_iter().map(one).collect()
        })
    }

    /// Name, unit and meaning of each.
    fn quantities(&self) -> PyResult<Vec<(String, String, String)>> {
        self.0.look(|open| {
            let one = |quantity| {
                let (unit, meaning) =
                    (open.simulation.quantity_unit(quantity), open.simulation.quantity_meaning(quantity));
                (quantity.name.clone(), unit, meaning)
            };
            open.simulation.deck.quantity.iter().map(one).collect()
        })
    }

    /// Parameters of the present fields, in the deck's order, their draw of random fields, and whether they are the
    /// solution for these.
    fn state(&self) -> PyResult<(Vec<f64>, u64, bool)> {
        self.0.look(|open| (open.context.parameters.clone(), open.context.sample, open.is_solved))
    }

    fn solve(&self, given: Parameters, sample: u64) -> PyResult<()> {
        self.0.together(&format!("solve({}, sample={sample})", parameters::words(given)), |open, comm| {
            let context = comm.agree(parameters::context(&open.simulation.deck, given))?;
            open.solve(Context { sample, ..context })
        })
    }

    fn field(&self, name: &str, own: bool) -> PyResult<Rows> {
        self.0.together(&format!("field({name}, own={own})"), |open, _| open.values(&open.field(name)?, own))
    }

    fn set_field(&self, name: &str, values: &Bound<'_, PyAny>, own: bool) -> PyResult<()> {
        self.0.together(&format!("set_field({name}, own={own})"), |open, _| open.set(name, values, own))
    }

    fn coordinates(&self, stage: &str, own: bool) -> PyResult<Rows> {
        let work = |open: &mut Open, _: &Comm| open.coordinates(open.stage(stage)?, own);
        self.0.together(&format!("coordinates({stage}, own={own})"), work)
    }

    fn measure(&self) -> PyResult<Vec<f64>> {
        self.0.together("quantities()", |open, _| open.simulation.quantities(&open.context))
    }

    fn essential(&self, stage: &str, given: Parameters, own: bool) -> PyResult<(Rows, Rows)> {
        let words = format!("essential({stage}, {}, own={own})", parameters::words(given));
        self.0.together(&words, |open, _| operators::essential(open, stage, given, own))
    }

    fn residual(&self, stage: &str, u: &Bound<'_, PyAny>, given: Parameters, own: bool) -> PyResult<Rows> {
        let words = format!("residual({stage}, {}, own={own})", parameters::words(given));
        self.0.together(&words, |open, _| operators::residual(open, stage, u, given, own))
    }

    fn product(
        &self,
        stage: &str,
        u: &Bound<'_, PyAny>,
        v: &Bound<'_, PyAny>,
        given: Parameters,
        own: bool,
        transposed: bool,
    ) -> PyResult<Rows> {
        let given_words = parameters::words(given);
        let words = format!("tangent_product({stage}, {given_words}, own={own}, transposed={transposed})");
        self.0.together(&words, |open, _| operators::product(open, stage, (u, v), given, own, transposed))
    }

    fn slope(
        &self,
        stage: &str,
        u: &Bound<'_, PyAny>,
        parameter: &str,
        given: Parameters,
        own: bool,
    ) -> PyResult<Rows> {
        let words = format!("slope({stage}, {parameter}, {}, own={own})", parameters::words(given));
        self.0.together(&words, |open, _| operators::slope(open, stage, u, parameter, given, own))
    }

    fn gradient(&self, quantity: &str, names: Option<Vec<String>>, method: Option<String>) -> PyResult<Rows> {
        let words = format!("gradient({quantity}, {names:?}, {method:?})");
        let work = |open: &mut Open, _: &Comm| gradients::gradient(open, quantity, names, method);
        self.0.together(&words, work).map(|values| plain(values, 1))
    }

    fn sensitivity(&self, field: &str, parameter: &str, own: bool) -> PyResult<Rows> {
        let words = format!("sensitivity({field}, {parameter}, own={own})");
        self.0.together(&words, |open, _| gradients::sensitivity(open, field, parameter, own))
    }

    fn pull_back(
        &self,
        cotangents: Vec<(String, Bound<'_, PyAny>)>,
        names: Option<Vec<String>>,
        own: bool,
    ) -> PyResult<Rows> {
        let fields: Vec<&str> = cotangents.iter().map(|(field, _)| field.as_str()).collect();
        let words = format!("pull_back({fields:?}, {names:?}, own={own})");
        let work = |open: &mut Open, _: &Comm| gradients::pull_back(open, &cotangents, names, own);
        self.0.together(&words, work).map(|values| plain(values, 1))
    }

    #[expect(clippy::too_many_arguments, reason = "Python's half names them")]
    fn constraint(
        &self,
        stage: &str,
        level: &str,
        norm: Option<String>,
        experts: (Option<usize>, Option<u32>),
        tolerance: Option<f64>,
        scales: Option<[f64; 2]>,
        variance: Option<Bound<'_, PyAny>>,
        known: Vec<(String, Bound<'_, PyAny>)>,
        own: bool,
    ) -> PyResult<Constraint> {
        let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
        let given = variance.is_some();
        let words = format!(
            "constraint({level}, {stage}, norm={norm:?}, {experts:?}, {tolerance:?}, {scales:?}, variance={given}, \
             known={names:?}, own={own})"
        );
        self.0.together(&words, |_, _| Ok(()))?;
        let (norm, variance, known) = (norm.as_deref(), variance.as_ref(), known.as_slice());
        let (per_side, overlap) = experts;
        let asked = Asked { stage, level, norm, per_side, overlap, tolerance, scales, variance, known, own };
        Constraint::new(&self.0, &asked)
    }

    #[expect(clippy::too_many_arguments, reason = "Python's half names them")]
    fn trajectory(
        &self,
        stage: &str,
        level: &str,
        norm: Option<String>,
        experts: (Option<usize>, Option<u32>),
        tolerance: Option<f64>,
        scales: Option<[f64; 2]>,
        times: Vec<f64>,
        own: bool,
    ) -> PyResult<Trajectory> {
        let words = format!(
            "trajectory({level}, {stage}, norm={norm:?}, {experts:?}, {tolerance:?}, {scales:?}, times={times:?}, own={own})"
        );
        self.0.together(&words, |_, _| Ok(()))?;
        let (norm, (per_side, overlap)) = (norm.as_deref(), experts);
        let asked = Asked {
            stage,
            level,
            norm,
            per_side,
            overlap,
            tolerance,
            scales,
            variance: None,
            known: &[],
            own,
        };
        Trajectory::new(&self.0, &asked, times)
    }

    fn window(
        &self,
        stage: &str,
        level: &str,
        experts: (Option<usize>, Option<u32>),
        tolerance: Option<f64>,
        times: Vec<f64>,
        own: bool,
    ) -> PyResult<Window> {
        let words =
            format!("window({level}, {stage}, {experts:?}, {tolerance:?}, times={times:?}, own={own})");
        self.0.together(&words, |_, _| Ok(()))?;
        let (per_side, overlap) = experts;
        let asked = Asked {
            stage,
            level,
            norm: None,
            per_side,
            overlap,
            tolerance,
            scales: None,
            variance: None,
            known: &[],
            own,
        };
        Window::new(&self.0, &asked, times)
    }

    fn run(
        &self,
        given: Parameters,
        fields: Option<Vec<String>>,
        sample: u64,
        own: bool,
    ) -> PyResult<evolution::History> {
        let given_words = parameters::words(given);
        let words = format!("run({given_words}, fields={fields:?}, sample={sample}, own={own})");
        self.0.together(&words, |open, comm| {
            let context = comm.agree(parameters::context(&open.simulation.deck, given))?;
            evolution::run(open, Context { sample, ..context }, fields, own)
        })
    }
}
