//! Derivatives of the solutions of a deck's problems.
use super::linearised::Linearised;
use crate::physics::{Context, FormState, Side};
use crate::simulation::Simulation;
use crate::{Error, Result};
use petsc_rs::{Norm, Vector};

/// Relative change in central differences of fourth order: its fourth power and the rounding over it are alike.
pub(super) const STEP: f64 = 1e-3;

/// Places and weights of such a difference, to be divided by the step.
pub(super) const DIFFERENCE: [(f64, f64); 4] =
    [(1.0, 8.0 / 12.0), (-1.0, -8.0 / 12.0), (2.0, -1.0 / 12.0), (-2.0, 1.0 / 12.0)];

/// The problems of a simulation linearised at their solutions.
pub struct Sensitivities<'a> {
    simulation: &'a Simulation,
    context: &'a Context,
    /// By problem, once it is needed.
    stages: Vec<Option<Linearised>>,
}

impl<'a> Sensitivities<'a> {
    /// At the present solutions, which must be those of `context`. Local.
    ///
    /// # Errors
    /// [`Error::Failed`] for a deck with `[time]`.
    pub fn new(simulation: &'a Simulation, context: &'a Context) -> Result<Self> {
        if simulation.deck.time.is_some() {
            let text =
                "derivatives with respect to parameters are those of steady solutions; this deck has [time]";
            return Err(Error::Failed(text.into()));
        }
        let stages = simulation.stages.iter().map(|_| None).collect();
        Ok(Self { simulation, context, stages })
    }

    /// Which problems' fields matter to those that are `wanted`: these, and the ones that they read.
    fn needed(&self, wanted: &[bool]) -> Vec<bool> {
        let mut needed = wanted.to_vec();
        for later in (0..needed.len()).rev() {
            for earlier in 0..later {
                needed[earlier] |= needed[later] && self.reads(later, earlier);
            }
        }
        needed
    }

    fn reads(&self, later: usize, earlier: usize) -> bool {
        let stages = &self.simulation.stages;
        stages[earlier].input().is_some_and(|field| stages[later].problem.reads(field))
    }

    fn linearised(&mut self, stage: usize) -> Result<&mut Linearised> {
        let place = &mut self.stages[stage];
        if place.is_none() {
            *place = Some(Linearised::new(&self.simulation.stages[stage], self.context)?);
        }
        Ok(place.as_mut().expect("set above"))
    }

    /// The derivatives of the solutions with respect to a parameter, by problem, with ghosts; `None` for those that are
    /// not `wanted` and that none of these reads. Collective.
    ///
    /// # Errors
    /// [`Error::Failed`] where there is no derivative.
    pub fn along(&mut self, parameter: usize, wanted: &[bool]) -> Result<Vec<Option<Vector>>> {
        let needed = self.needed(wanted);
        let mut rates: Vec<Option<Vector>> = Vec::new();
        for stage in 0..needed.len() {
            let rate = if needed[stage] { Some(self.of_stage(stage, parameter, &rates)?) } else { None };
            rates.push(rate);
        }
        Ok(rates)
    }

    fn of_stage(&mut self, stage: usize, parameter: usize, earlier: &[Option<Vector>]) -> Result<Vector> {
        let (mut load, mut rate) = self.forcing(stage, parameter, earlier)?;
        let linearised = self.linearised(stage)?;
        load.axpy(1.0, &linearised.product(Side::Plain, &rate)?)?;
        load.scale(-1.0)?;
        rate.axpy(1.0, &linearised.solve(Side::Plain, &load)?)?;
        rate.ghost_update()?;
        linearised.prepared.problem().fill_unused(&mut rate)?;
        Ok(rate)
    }

    /// At the fixed solution of a problem: the derivatives of its residual, and of its prescribed values (with ghosts,
    /// zero elsewhere), along a parameter that changes earlier problems' fields by `earlier`. Collective.
    fn forcing(
        &mut self,
        stage: usize,
        parameter: usize,
        earlier: &[Option<Vector>],
    ) -> Result<(Vector, Vector)> {
        let context = self.context;
        let linearised = self.linearised(stage)?;
        let problem = linearised.prepared.problem().clone();
        let (mut load, mut rate) = (problem.space.field()?, problem.space.field()?);
        linearised.prepared.slope(parameter, FormState::steady(&linearised.state), &mut load)?;
        rate.local_write()?.copy_from_slice(&problem.essential_slope(context, parameter)?.values);
        let read = |(number, rate): (usize, &Option<Vector>)| -> Result<Option<(usize, Vec<f64>, f64)>> {
            let Some(rate) = rate.as_ref().filter(|_| self.reads(stage, number)) else { return Ok(None) };
            let size = rate.norm(Norm::Infinity)?;
            let solution = self.simulation.stages[number].solution().norm(Norm::Infinity)?;
            let ratio = size / if solution > 0.0 { solution } else { 1.0 };
            Ok((size > 0.0).then_some((number, rate.local_read()?.to_vec(), ratio)))
        };
        let found = earlier.iter().enumerate().map(read).collect::<Result<Vec<_>>>()?;
        let read: Vec<_> = found.into_iter().flatten().collect();
        if read.is_empty() {
            return Ok((load, rate));
        }
        let step = STEP / read.iter().fold(0.0, |most: f64, (_, _, ratio)| most.max(*ratio));
        let state = self.linearised(stage)?.state.clone();
        let set = |moved: f64| {
            for (number, rate, _) in &read {
                let earlier = &self.simulation.stages[*number];
                let (Some(field), solution) = (earlier.input(), earlier.solution().local_read()?) else {
                    continue;
                };
                let values = solution.iter().zip(rate).map(|(u, w)| u + moved * w).collect();
                field.values.replace(values);
            }
            Ok::<(), Error>(())
        };
        let mut moved = || -> Result<()> {
            for (places, weight) in DIFFERENCE {
                set(places * step)?;
                let prepared = problem.at(context)?;
                let mut residual = problem.space.field()?;
                prepared.residual(FormState::steady(&state), &mut residual)?;
                load.axpy(weight / step, &residual)?;
                let mut values = rate.local_write()?;
                let prescribed = values.iter_mut().zip(&prepared.essential.values);
                prescribed.for_each(|(value, other)| *value += weight / step * other);
            }
            Ok(())
        };
        let result = moved();
        set(0.0)?;
        result.map(|()| (load, rate))
    }

    /// The derivatives with respect to `parameters` of a function of the solutions, whose derivatives with respect to the
    /// owned unknowns of each problem are given, `None` where they vanish: by one transposed system for the last of these
    /// problems, however many parameters there are. Collective.
    ///
    /// # Errors
    /// [`Error::Failed`] where there is no derivative.
    pub fn pulled_back(&mut self, cotangents: &[Option<Vector>], parameters: &[usize]) -> Result<Vec<f64>> {
        let count = self.simulation.stages.len();
        let mut gradient = vec![0.0; parameters.len()];
        let wanted: Vec<bool> = (0..count).map(|i| cotangents.get(i).is_some_and(Option::is_some)).collect();
        // Where a later problem needs the change of a field anyway, that is all it takes.
        let mut forward = vec![false; count];
        let needed = self.needed(&wanted);
        for later in (0..count).filter(|&later| needed[later]) {
            (0..later).filter(|&earlier| self.reads(later, earlier)).for_each(|i| forward[i] = true);
        }
        let mut adjoint = Vec::new();
        for (stage, cotangent) in cotangents.iter().enumerate() {
            if let Some(cotangent) = cotangent.as_ref().filter(|_| !forward[stage]) {
                adjoint.push((stage, self.adjoint(stage, cotangent)?));
            }
        }
        for (value, &parameter) in gradient.iter_mut().zip(parameters) {
            let rates = self.along(parameter, &forward)?;
            for (cotangent, rate) in cotangents.iter().zip(&rates) {
                if let (Some(cotangent), Some(rate)) = (cotangent, rate) {
                    *value += cotangent.dot(rate)?;
                }
            }
            for (stage, [free, fixed]) in &adjoint {
                let (load, rate) = self.forcing(*stage, parameter, &rates)?;
                *value += fixed.dot(&rate)? - free.dot(&load)?;
            }
        }
        Ok(gradient)
    }

    /// The adjoint state, zero where values are prescribed, and what prescribed values weigh there.
    fn adjoint(&mut self, stage: usize, cotangent: &Vector) -> Result<[Vector; 2]> {
        let linearised = self.linearised(stage)?;
        let mut cotangent = cotangent.try_clone()?;
        linearised.prepared.problem().fold_unused(&mut cotangent)?;
        let free = linearised.solve(Side::Transposed, &cotangent)?;
        let mut fixed = linearised.product(Side::Transposed, &free)?;
        fixed.aypx(-1.0, &cotangent)?;
        Ok([free, fixed])
    }
}
