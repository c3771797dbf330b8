//! A simulation that is solved for parameters, its fields given and set.
use crate::arrays::{Order, Rows};
use crate::errors::wrong;
use pyo3::prelude::*;
use tessera::Result;
use tessera::deck::did_you_mean;
use tessera::physics::Context;
use tessera::simulation::{self, FieldInfo};

/// A simulation with what is known of its state.
pub struct Open {
    pub simulation: simulation::Simulation,
    /// Of the nodes of each problem.
    pub orders: Vec<Order>,
    /// Parameters and time of the present fields.
    pub context: Context,
    /// Whether the fields are the solution for these.
    pub is_solved: bool,
}

impl Open {
    /// Of a simulation in which nothing is solved yet. Collective.
    pub fn new(simulation: simulation::Simulation) -> Self {
        let orders = simulation.stages.iter().map(|stage| Order::new(stage.space())).collect();
        let context = simulation.default_context();
        Self { simulation, orders, context, is_solved: false }
    }

    /// The number of a problem by its name. Local.
    pub fn stage(&self, name: &str) -> Result<usize> {
        let stages = &self.simulation.stages;
        stages.iter().position(|stage| stage.problem.name == name).ok_or_else(|| {
            let known: Vec<&str> = stages.iter().map(|stage| stage.problem.name.as_str()).collect();
            wrong(format!("the deck has no physics \"{name}\"{}", did_you_mean(name, &known, "physics")))
        })
    }

    /// A field by its name. Local.
    pub fn field(&self, name: &str) -> Result<FieldInfo> {
        let fields = self.simulation.fields();
        let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        let hint = || did_you_mean(name, &known, "fields");
        let found = fields.iter().find(|field| field.name == name).cloned();
        found.ok_or_else(|| wrong(format!("the deck has no field \"{name}\"{}", hint())))
    }

    /// A field that is part of a solution. Local.
    pub fn solution(&self, name: &str) -> Result<FieldInfo> {
        match self.field(name)? {
            field if field.derived.is_some() || field.random.is_some() => {
                Err(wrong(format!("\"{name}\" is no solution: it follows from one, or is random")))
            }
            field => Ok(field),
        }
    }

    /// The values of a field. Collective.
    pub fn values(&self, field: &FieldInfo, own: bool) -> Result<Rows> {
        let values = self.simulation.field_values(field, &self.context)?;
        self.orders[field.stage].give(&values.read()?, field.components, own)
    }

    /// Sets a field that is part of a solution. Collective.
    pub fn set(&mut self, name: &str, array: &Bound<'_, PyAny>, own: bool) -> Result<()> {
        let comm = self.simulation.mesh.comm.clone();
        let field = comm.agree(self.solution(name))?;
        let values = self.orders[field.stage].take(array, field.components, own, name)?;
        let context = self.context.clone();
        let stage = &mut self.simulation.stages[field.stage];
        let mut all = stage.solution().read()?.to_vec();
        let rows = all.chunks_exact_mut(stage.space().components).zip(values.chunks_exact(field.components));
        rows.for_each(|(all, values)| all[field.first..][..field.components].copy_from_slice(values));
        stage.set_conditions(&context)?;
        stage.set_solution(&all)?;
        stage.replace_residual(None);
        self.is_solved = false;
        Ok(())
    }

    pub fn solve(&mut self, context: Context) -> Result<()> {
        self.is_solved = false;
        self.simulation.solve(&context)?;
        self.simulation.stages.iter_mut().for_each(|stage| drop(stage.replace_residual(None)));
        (self.context, self.is_solved) = (context, true);
        Ok(())
    }

    pub fn coordinates(&self, stage: usize, own: bool) -> Result<Rows> {
        let space = self.simulation.stages[stage].space();
        let dimension = self.simulation.mesh.dimension;
        let own_nodes = &space.coordinates[..space.owned_nodes * dimension];
        self.orders[stage].give(own_nodes, dimension, own)
    }
}
