//! A constraint layer with what its last repair was made with.
use crate::arrays::{Rows, plain};
use crate::choices::{LEVELS, NORMS, chosen};
use crate::errors::wrong;
use crate::open::Open;
use crate::operators::{prepared, vector};
use petsc_rs::Vector;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::rc::Rc;
use tessera::deck::ConstraintLevel;
use tessera::experts::{
    CoarseModes, Constraint, ConstraintOptions, Equations, Gating, KnownRow, PortCondition, Repair,
};
use tessera::physics::Prepared;
use tessera::{Error, Result};

/// Most iterations of level `exact`.
const ITERATIONS: usize = 10_000;

/// The layer.
pub struct Layer {
    constraint: Constraint,
    stage: usize,
    /// Names and coefficients of what is known; the values come with each repair.
    known: Vec<(String, Vector)>,
    last: Option<Last>,
}

struct Last {
    prepared: Prepared,
    inputs: Vec<Option<Vec<f64>>>,
}

/// What Python asks for.
pub struct Asked<'a, 'py> {
    pub stage: &'a str,
    pub level: &'a str,
    pub norm: Option<&'a str>,
    pub per_side: Option<usize>,
    pub overlap: Option<u32>,
    pub tolerance: Option<f64>,
    /// Of velocity and pressure.
    pub scales: Option<[f64; 2]>,
    pub variance: Option<&'a Bound<'py, PyAny>>,
    /// Names, and an array of coefficients for each.
    pub known: &'a [(String, Bound<'py, PyAny>)],
    pub own: bool,
}

/// The repaired state; imbalances before and after and gross exchange, `[expert, component]`; numbers by name; what known
/// rows lack before and after.
pub type Repaired = (Rows, [Rows; 3], Vec<(&'static str, f64)>, Vec<[f64; 2]>);
/// Derivatives with respect to prediction, parameters, prescribed values and values that are known.
pub type Derivatives = (Rows, Vec<f64>, Rows, Vec<f64>);

impl Layer {
    /// For a problem of a simulation. Collective.
    pub fn new(open: &Open, asked: &Asked) -> Result<Self> {
        if open.simulation.deck.time.is_some() {
            let text =
                "constraint() makes layers for steady problems, and this deck has [time]: take trajectory()";
            return Err(Error::Failed(text.into()));
        }
        let (constraint, stage) = constraint(open, asked)?;
        let problem = &open.simulation.stages[stage].problem;
        let known = asked.known.iter().map(|(name, row)| {
            let what = format!("known row \"{name}\"");
            let mut row = vector(open, stage, row, asked.own, &what)?;
            // What it says of interpolated values it says of unknowns.
            problem.fold_unused(&mut row)?;
            Ok((name.clone(), row))
        });
        Ok(Self { constraint, stage, known: known.collect::<Result<_>>()?, last: None })
    }

    /// Repairs a prediction. Collective.
    pub fn forward(
        &mut self,
        open: &Open,
        prediction: &Bound<'_, PyAny>,
        given: Option<&Bound<'_, PyDict>>,
        known: &[f64],
        own: bool,
    ) -> Result<Repaired> {
        let name = &open.simulation.stages[self.stage].problem.name;
        let (_, prepared) = prepared(open, name, given)?;
        let mut state = vector(open, self.stage, prediction, own, "prediction")?;
        self.set_known(known)?;
        self.last = None;
        let repair = self.constraint.apply(&Equations::steady(&prepared), &mut state)?;
        self.last = Some(Last { prepared, inputs: self.inputs(open) });
        let state = open.orders[self.stage].give(&state.read()?, repair.components, own)?;
        let comm = &open.simulation.mesh.comm;
        let all = |values: &[f64]| plain(comm.all_gather_varied(values), repair.components);
        let of_experts = [&repair.before, &repair.after, &repair.exchange].map(|values| all(values));
        Ok((state, of_experts, numbers(&repair), repair.known))
    }

    fn set_known(&mut self, values: &[f64]) -> Result<()> {
        if values.len() != self.known.len() {
            let [expected, found] = [self.known.len(), values.len()];
            return Err(wrong(format!("known: expected {expected} values, found {found}")));
        }
        if self.known.is_empty() {
            return Ok(());
        }
        let rows =
            self.known.iter().zip(values).map(|((name, row), &value)| {
                Ok(KnownRow { name: name.clone(), row: row.try_clone()?, value })
            });
        self.constraint.set_known(rows.collect::<Result<_>>()?);
        Ok(())
    }

    /// The fields of earlier problems that the equations read, by problem. Local.
    fn inputs(&self, open: &Open) -> Vec<Option<Vec<f64>>> {
        let stages = &open.simulation.stages;
        let problem = &stages[self.stage].problem;
        let of = |stage: &tessera::simulation::Stage| {
            let field = stage.input().filter(|field| problem.reads(field))?;
            Some(field.values.borrow().clone())
        };
        stages[..self.stage].iter().map(of).collect()
    }

    /// Pulls a cotangent of the last repaired state back to what it was made from. Collective.
    pub fn vjp(&mut self, open: &Open, cotangent: &Bound<'_, PyAny>, own: bool) -> Result<Derivatives> {
        let Some(last) = &self.last else {
            return Err(Error::Failed(
                "call forward() first: vjp() is the derivative of the last repair".into(),
            ));
        };
        let comm = &open.simulation.mesh.comm;
        let moved = last.inputs != self.inputs(open);
        let text =
            "a field that the equations read is not that of the last forward() any more: call it again";
        comm.agree(if moved { Err(Error::Failed(text.into())) } else { Ok(()) })?;
        let cotangent = vector(open, self.stage, cotangent, own, "cotangent")?;
        let mut pulled = self.constraint.pull_back(&Equations::steady(&last.prepared), &cotangent)?;
        // Of the level `none` there are none.
        pulled.parameters.resize(open.simulation.deck.parameters.len(), 0.0);
        pulled.known.resize(self.known.len(), 0.0);
        let width = open.simulation.stages[self.stage].space().components;
        let give = |vector: &Vector| open.orders[self.stage].give(&vector.read()?, width, own);
        Ok((give(&pulled.prediction)?, pulled.parameters, give(&pulled.prescribed)?, pulled.known))
    }
}

/// The constraint that is asked for, and the number of its problem. Collective.
pub fn constraint(open: &Open, asked: &Asked) -> Result<(Constraint, usize)> {
    let number = open.stage(asked.stage)?;
    let (stage, deck) = (&open.simulation.stages[number], &open.simulation.deck);
    let (problem, space) = (&stage.problem, stage.space().clone());
    let level = chosen("level", asked.level, LEVELS)?;
    let weight = match asked.norm {
        None => Constraint::natural_norm(problem),
        Some(word) => chosen("norm", word, NORMS)?,
    };
    let overlap = asked.overlap.unwrap_or(deck.partition.overlap);
    let gating = match asked.per_side {
        None => Gating::new(&space, overlap)?,
        Some(count) => Gating::boxes(&space, count, overlap)?,
    };
    let tolerance = asked.tolerance.unwrap_or_else(|| deck.solver_options(number).tolerance);
    let modes = CoarseModes::of(problem);
    let options = ConstraintOptions { level, weight, modes, tolerance, max_iterations: ITERATIONS };
    let mut constraint = Constraint::new(&problem.name, space, Rc::new(gating), options);
    constraint.set_least_squares(deck.constraint.least_squares.clone());
    if let Some(condition) = PortCondition::of(&deck.constraint).filter(|_| level == ConstraintLevel::Coupled)
    {
        constraint.set_ports(condition);
    }
    if let Some(variance) = asked.variance {
        constraint.set_variance(vector(open, number, variance, asked.own, "variance")?)?;
    }
    if let Some([velocity, pressure]) = asked.scales {
        constraint.set_scales(velocity, pressure);
    }
    Ok((constraint, number))
}

fn numbers(repair: &Repair) -> Vec<(&'static str, f64)> {
    vec![
        ("worst_before", repair.worst_before),
        ("worst_after", repair.worst_after),
        ("boundary_before", repair.boundary_before),
        ("boundary_after", repair.boundary_after),
        ("residual_before", repair.residual[0]),
        ("residual_after", repair.residual[1]),
        ("distance", repair.distance),
        ("relative_distance", repair.relative_distance),
    ]
}
