//! A reduced model that grows with its snapshots, for weak greedy sampling (Buffa, Maday, Patera, Prud'homme, Turinici,
//! M2AN 46 (2012) 595; Hesthaven, Rozza, Stamm, "Certified Reduced Basis Methods", 2016, chapter 3).
use super::galerkin::{Reduced, Solution};
use super::offline::Offline;
use super::projection::Projection;
use super::theta::Inputs;
use crate::Result;
use crate::mixture::{Columns, Orthonormal};
use crate::parallel::Comm;
use crate::physics::Context;

/// Bases of all problems: the snapshots so far, orthonormal in the reference energy. A further snapshot costs one
/// representer for each term of the expansion, not a new training.
pub struct Greedy<'a> {
    offline: &'a Offline,
    comm: Comm,
    stages: Vec<Growing<'a>>,
    reduced: Vec<Reduced>,
}

struct Growing<'a> {
    lifts: Columns,
    modes: Orthonormal,
    projection: Projection<'a>,
}

impl<'a> Greedy<'a> {
    /// No snapshots yet. Collective.
    ///
    /// # Errors
    /// When a lifting or representer cannot be solved for.
    pub fn new(comm: &Comm, offline: &'a Offline) -> Result<Self> {
        let mut greedy = Self { offline, comm: comm.clone(), stages: Vec::new(), reduced: Vec::new() };
        for (index, prepared) in offline.stages.iter().enumerate() {
            let lifts = prepared.lifts(&offline.reference)?;
            let modes = Orthonormal::new(comm, prepared.problem.space.owned_dofs());
            let mut projection = Projection::new(offline, index)?;
            if let Some(upstream) = offline.upstream(index) {
                let functions = greedy.stages[upstream.index].projection.functions();
                projection.add_upstream(&functions.iter().collect::<Vec<_>>())?;
            }
            greedy.stages.push(Growing { lifts: lifts.clone(), modes, projection });
            lifts.iter().try_for_each(|lift| greedy.append(index, lift, true))?;
        }
        greedy.reduce();
        Ok(greedy)
    }

    /// Takes in the solutions (this rank's unknowns) of all problems at some parameters; what the bases can already
    /// represent adds nothing. Collective.
    ///
    /// # Errors
    /// When a solution is not finite or a representer cannot be solved for.
    pub fn add(&mut self, parameters: &[f64], solutions: Vec<Vec<f64>>) -> Result<()> {
        for (index, mut solution) in solutions.into_iter().enumerate() {
            let prepared = &self.offline.stages[index];
            let Growing { lifts, modes, .. } = &mut self.stages[index];
            prepared.subtract_lifts(lifts, parameters, &mut solution);
            if modes.append(&solution, &prepared.energy.product)? {
                let mode = modes.columns.column(modes.columns.count() - 1).to_vec();
                self.append(index, &mode, false)?;
            }
        }
        self.reduce();
        Ok(())
    }

    fn append(&mut self, index: usize, function: &[f64], is_lift: bool) -> Result<()> {
        self.stages[index].projection.add(&[function], is_lift)?;
        for below in index + 1..self.offline.stages.len() {
            let reads = self.offline.upstream(below).is_some_and(|u| u.index == index);
            if let (true, Some(stage)) = (reads, self.stages.get_mut(below)) {
                stage.projection.add_upstream(&[function])?;
            }
        }
        Ok(())
    }

    fn reduce(&mut self) {
        let counts: Vec<usize> = self.stages.iter().map(|s| s.projection.functions().count()).collect();
        let above = |index| self.offline.upstream(index).map_or(0, |u| counts[u.index]);
        self.reduced = self.stages.iter().enumerate().map(|(i, s)| s.projection.reduced(above(i))).collect();
    }

    /// Estimates of the relative errors in the energy norm at some parameters, the largest of all problems each: the
    /// estimate over the energy norm of the reduced solution. The ranks share the work. Collective.
    pub fn estimates(&self, parameters: &[Vec<f64>]) -> Vec<f64> {
        let (rank, size) = (self.comm.rank(), self.comm.size());
        let mut estimates = vec![0.0; parameters.len()];
        for i in (rank..parameters.len()).step_by(size) {
            estimates[i] = self.estimate(&parameters[i]);
        }
        self.comm.sum_into(&mut estimates);
        estimates
    }

    fn estimate(&self, parameters: &[f64]) -> f64 {
        let context = Context::steady(parameters.to_vec());
        let mut solutions: Vec<Solution> = Vec::with_capacity(self.reduced.len());
        for (reduced, prepared) in self.reduced.iter().zip(&self.offline.stages) {
            let inputs: &dyn Inputs = &*prepared.problem;
            let upstream = reduced.description.upstream.map(|index| &solutions[index]);
            match reduced.solve(inputs, &context, upstream, usize::MAX) {
                Ok(solution) => solutions.push(solution),
                // Where the model cannot be evaluated it is worst.
                Err(_) => return f64::MAX,
            }
        }
        let relative = |s: &Solution| if s.estimate > 0.0 { s.estimate / s.energy } else { 0.0 };
        // Finite, so that sums over ranks are.
        solutions.iter().map(relative).fold(0.0, f64::max).min(f64::MAX)
    }
}
