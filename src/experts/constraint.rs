//! The constraint layer: measures a prediction, and repairs it to the chosen level.
use super::balance::{KnownRow, Rows};
use super::equations::{Equations, Tangent};
use super::estimates::Estimates;
use super::metric::Metric;
use super::port_condition::PortCondition;
use super::repair::Repair;
use crate::deck::{ConstraintLevel, LeastSquares, Norm};
use crate::fem::Space;
use crate::mixture::{CoarseModes, Columns, Gating, Mixture, sketch};
use crate::parallel::Comm;
use crate::physics::Problem;
use crate::simulation::Stage;
use crate::solver::FactorisedEnergy;
use crate::{Error, Result};
use petsc_rs::{KrylovSolver, Vector};
use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Instant;

/// What the layer should do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConstraintOptions {
    /// What the repaired state satisfies.
    pub level: ConstraintLevel,
    /// The norm in which it is nearest to the prediction (level `conservation`).
    pub weight: Norm,
    /// Functions of the coarse space (levels `coupled` and `exact`).
    pub modes: CoarseModes,
    /// Relative residual of levels `coupled` and `exact`, relative length of the last step of level `residual`.
    pub tolerance: f64,
    /// Most iterations of level `exact`.
    pub max_iterations: usize,
}

/// The layer for one problem; keeps what does not depend on the parameters, and what does as long as the matrix stays.
pub struct Constraint {
    pub(super) name: String,
    pub(super) options: ConstraintOptions,
    /// The experts with the functions that balances are tested with.
    pub(super) balances: Mixture,
    /// The experts with the functions of level `coupled`.
    pub(super) basis: Mixture,
    pub(super) known: Vec<KnownRow>,
    /// Variances of the prediction, for the norm of that name.
    pub(super) variance: Option<Vector>,
    pub(super) least_squares: LeastSquares,
    /// What holds between experts with fields of their own (level `coupled`); none where fields are blended.
    pub(super) ports: Option<PortCondition>,
    /// The volumes that belong to the owned nodes, once they are known.
    pub(super) lumped: OnceCell<Vec<f64>>,
    /// The sizes of velocity and pressure in the mass norm; those of the prediction if there are none.
    pub(super) scales: Option<[f64; 2]>,
    /// The unknowns that were prescribed last.
    pub(super) fixed: Vec<bool>,
    /// The norm in use.
    pub(super) norm: Norm,
    pub(super) metric: Option<Metric>,
    pub(super) kept: Option<Kept>,
    pub(super) last: Option<Last>,
    /// Whether and how errors are estimated.
    pub(super) estimates: Option<Estimates>,
}

/// What belongs to one matrix.
pub(super) struct Kept {
    /// See [`sketch`]; none if the tangent depends on the state.
    sketch: Option<Vec<f64>>,
    pub(super) rows: Rows,
    /// The experts' solver of level `exact`.
    exact: Option<KrylovSolver>,
}

/// The last repair, for its derivative.
pub(super) struct Last {
    /// The prediction with its essential values.
    pub start: Vector,
    /// The repaired state.
    pub state: Vector,
    /// Of level `conservation`.
    pub multipliers: Option<Vector>,
    /// Of levels `residual` and `coupled`: those of the functions.
    pub coefficients: Option<Vector>,
}

impl Last {
    pub fn try_clone(&self) -> Result<Self> {
        let copy = |vector: &Option<Vector>| vector.as_ref().map(Vector::try_clone).transpose();
        Ok(Self {
            start: self.start.try_clone()?,
            state: self.state.try_clone()?,
            multipliers: copy(&self.multipliers)?,
            coefficients: copy(&self.coefficients)?,
        })
    }
}

impl Constraint {
    /// A layer whose PETSc options carry the prefix `<name>_constraint_`.
    pub fn new(name: &str, space: Rc<Space>, gating: Rc<Gating>, options: ConstraintOptions) -> Self {
        Self {
            name: format!("{name}_constraint"),
            options,
            basis: Mixture::new(space.clone(), gating.clone(), Some(options.modes)),
            balances: Mixture::new(space, gating, Some(CoarseModes::Constants)),
            known: Vec::new(),
            variance: None,
            least_squares: LeastSquares::default(),
            ports: None,
            lumped: OnceCell::new(),
            scales: None,
            fixed: Vec::new(),
            norm: options.weight,
            metric: None,
            kept: None,
            last: None,
            estimates: None,
        }
    }

    /// For a stage of a simulation, with `layers` of overlap between its experts. Collective.
    ///
    /// # Errors
    /// When the experts do not overlap.
    pub fn of(
        stage: &Stage,
        layers: u32,
        level: ConstraintLevel,
        weight: Norm,
        tolerance: f64,
    ) -> Result<Self> {
        let space = stage.problem.space.clone();
        let gating = Rc::new(Gating::new(&space, layers)?);
        let modes = CoarseModes::of(&stage.problem);
        let options = ConstraintOptions { level, weight, modes, tolerance, max_iterations: 10_000 };
        Ok(Self::new(&stage.problem.name, space, gating, options))
    }

    /// The norm that a problem's repairs are nearest in unless another is asked for: the energy where its form is one, in a
    /// step in time that of the step's form, else the mass.
    pub fn natural_norm(problem: &Problem) -> Norm {
        let facts = problem.facts();
        match facts.linear && facts.symmetric && !problem.depends_on_itself() {
            true => Norm::Energy,
            false => Norm::Mass,
        }
    }

    /// The ranks.
    pub fn comm(&self) -> Comm {
        self.balances.fields.mesh.comm.clone()
    }

    /// Number of experts over all ranks.
    pub fn number_of_experts(&self) -> usize {
        self.balances.gating.global_experts as usize
    }

    /// Further rows that levels `boundary` and `conservation` satisfy.
    pub fn set_known(&mut self, known: Vec<KnownRow>) {
        (self.known, self.kept) = (known, None);
    }

    /// Variances of the prediction's unknowns, for the norm `variance`; one of zero is not moved. Collective.
    ///
    /// # Errors
    /// When one is negative or no number.
    pub fn set_variance(&mut self, variance: Vector) -> Result<()> {
        let good = variance.read()?.iter().all(|v| v.is_finite() && *v >= 0.0);
        let fault = Error::Failed(format!("{}: a variance is negative or not finite", self.name));
        self.balances.fields.mesh.comm.agree(if good { Ok(()) } else { Err(fault) })?;
        (self.variance, self.metric, self.kept) = (Some(variance), None, None);
        Ok(())
    }

    /// What counts as a large velocity and a large pressure in the mass norm of a flow, instead of the root mean squares of
    /// each prediction.
    pub fn set_scales(&mut self, velocity: f64, pressure: f64) {
        (self.scales, self.metric, self.kept) = (Some([velocity, pressure]), None, None);
    }

    /// Further functions of the levels `residual` and `coupled`: fields on the owned unknowns, of which every expert takes
    /// its part; for `coupled` times its gating function.
    pub fn set_columns(&mut self, columns: Columns) {
        self.basis.columns = columns;
    }

    /// What the experts of level `residual` make least.
    pub fn set_least_squares(&mut self, least_squares: LeastSquares) {
        self.least_squares = least_squares;
    }

    /// Gives every expert a field of its own at level `coupled`, which meets its neighbours' at ports; the functions are not
    /// multiplied by gating functions, and balances are those of the nodes of each expert. Collective.
    pub fn set_ports(&mut self, condition: PortCondition) {
        let gating = Rc::new(self.balances.gating.divided(&self.balances.fields));
        self.ports = Some(condition);
        (self.basis.gating, self.balances.gating) = (gating.clone(), gating);
        (self.kept, self.last) = (None, None);
    }

    /// Replaces the prediction in `state` (a field of the space; ghosts need not be up to date before
    /// and are afterwards) by the nearest state that satisfies the level. Collective.
    ///
    /// # Errors
    /// [`Error::Failed`] when the prediction is not finite, balances cannot be met, or the iteration of
    /// levels `residual`, `coupled` and `exact` does not converge.
    pub fn apply(&mut self, equations: &Equations, state: &mut Vector) -> Result<Repair> {
        self.apply_or(equations, None, state)
    }

    /// As [`Constraint::apply`] in a step in time. Level `exact` is the run, whatever is predicted: where Newton's method
    /// does not find its solution from the prediction, it starts anew from `guess`, as the run would; the repair says so.
    /// Collective.
    ///
    /// # Errors
    /// As there.
    pub fn apply_or(
        &mut self,
        equations: &Equations,
        guess: Option<&Vector>,
        state: &mut Vector,
    ) -> Result<Repair> {
        let begin = Instant::now();
        let space = self.balances.fields.clone();
        let comm = &space.mesh.comm;
        let level = self.options.level;
        if !state.norm(petsc_rs::Norm::Two)?.is_finite() {
            return Err(Error::Failed(format!("{}: the prediction is not finite", self.name)));
        }
        state.ghost_update()?;
        let boundary_before = self.boundary_error(equations, state)?;
        let mut start = state.try_clone()?;
        equations.impose(&space, &mut start)?;
        let tangent = equations.tangent(&start, None)?;
        self.set_metric(equations, &tangent, &start)?;
        let mut kept = self.prepare(equations, &tangent)?;

        let mut residual = state.duplicate()?;
        let exchange = kept.rows.exchange(&self.balances, equations, &start)?;
        match equations.problem() {
            Some(_) => equations.residual(state, &mut residual)?,
            None => equations.residual_inside(&start, &mut residual)?,
        }
        let measure = |rows: &Rows, residual: &Vector, state: &Vector| {
            rows.violation(&self.balances, residual, state, &exchange, &self.known)
        };
        let before = measure(&kept.rows, &residual, state)?;
        equations.residual_inside(&start, &mut residual)?;
        let size_before = residual.norm(petsc_rs::Norm::Two)?;
        if !size_before.is_finite() {
            let text =
                "the equations have no value at the prediction; is it inside of what the model is made for?";
            return Err(Error::Failed(format!("{}: {text}", self.name)));
        }
        let mut metric = self.metric.take().expect("set above");
        let has_rows = level <= ConstraintLevel::Conservation;
        if !self.known.is_empty() && !has_rows {
            let text = "rows that are known are met by the levels \"boundary\" and \"conservation\" alone";
            return Err(Error::input("constraint.level", format!("{}: {text}", self.name)));
        }
        if level != ConstraintLevel::None {
            state.copy_from(&start)?;
            state.ghost_update()?;
        }
        let mut found = Found::default();
        match level {
            ConstraintLevel::None => {}
            ConstraintLevel::Boundary if self.known.is_empty() => {}
            ConstraintLevel::Boundary | ConstraintLevel::Conservation => {
                found = self.conserve(equations, &mut kept.rows, &mut metric, &exchange, state)?;
            }
            ConstraintLevel::Residual => found = self.least(equations, &tangent, state)?,
            ConstraintLevel::Coupled => {
                found = match self.ports {
                    None => self.couple(equations, tangent, state)?,
                    Some(condition) => self.meet_at(equations, condition, state)?,
                }
            }
            ConstraintLevel::Exact => {
                (found.iterations, found.anew) =
                    self.solve_from(&mut kept.exact, (equations, tangent), guess, state)?;
            }
        }
        let mut after = before.clone();
        if level != ConstraintLevel::None {
            if let Some(problem) = equations.problem() {
                problem.fill_unused(state)?;
            }
            state.ghost_update()?;
            equations.residual_inside(state, &mut residual)?;
            after = measure(&kept.rows, &residual, state)?;
            if let Some(balances) = found.balances {
                // Of the experts' own fields.
                let worst = balances.iter().zip(&exchange).map(|(v, e)| v.abs() / e).fold(0.0, f64::max);
                (after.values, after.worst) = (balances, comm.max(worst));
            }
        }
        let (distance, size) = self.distance(equations, &metric, &start, state)?;
        let relative_distance = if size > 0.0 { distance / size } else { distance };
        let multipliers =
            found.multipliers.as_ref().map_or(Ok(Vec::new()), |y| Ok::<_, Error>(y.read()?.to_vec()))?;
        let repair = Repair {
            level,
            weight: self.norm,
            experts: self.balances.gating.experts.clone(),
            components: space.components,
            worst_before: before.worst,
            worst_after: after.worst,
            known: before.known.iter().zip(&after.known).map(|(b, a)| [b.0, a.0]).collect(),
            before: before.values,
            after: after.values,
            exchange,
            multipliers,
            boundary_before,
            boundary_after: self.boundary_error(equations, state)?,
            residual: [size_before, residual.norm(petsc_rs::Norm::Two)?],
            least: found.least,
            jump: found.jump,
            window: None,
            distance,
            relative_distance,
            iterations: found.iterations,
            anew: usize::from(found.anew),
            seconds: comm.max(begin.elapsed().as_secs_f64()),
        };
        self.last = Some(Last {
            start,
            state: state.try_clone()?,
            multipliers: found.multipliers,
            coefficients: found.coefficients,
        });
        (self.metric, self.kept) = (Some(metric), Some(kept));
        self.estimate(equations)?;
        Ok(repair)
    }

    /// What belongs to the matrix: that of the last call, if it is the same, or else made anew. Collective.
    fn prepare(&mut self, equations: &Equations, tangent: &Tangent) -> Result<Kept> {
        let comm = &self.balances.fields.mesh.comm;
        let linear = equations.is_linear();
        let sketch = if linear { Some(sketch(tangent)?.1.read()?.to_vec()) } else { None };
        let kept = self.kept.take().filter(|kept| linear && kept.sketch == sketch);
        if comm.min(u8::from(kept.is_some())) == 1 && self.metric.is_some() {
            return Ok(kept.expect("on every rank"));
        }
        drop(kept);
        if self.norm == Norm::Energy {
            self.metric = Some(Metric::Energy(FactorisedEnergy::new(comm, tangent)?));
        }
        let rows = Rows::new(
            &format!("{}_balance_", self.name),
            &self.balances,
            equations,
            tangent,
            &self.known,
            self.options.level != ConstraintLevel::Boundary,
        )?;
        Ok(Kept { sketch, rows, exact: None })
    }

    /// Largest error of an owned essential value over all ranks.
    fn boundary_error(&self, equations: &Equations, state: &Vector) -> Result<f64> {
        let (values, space) = (state.read()?, &self.balances.fields);
        let prescribed = &equations.essential.values;
        let worst = equations.prescribed(space).map(|dof| (values[dof] - prescribed[dof]).abs());
        Ok(space.mesh.comm.max(worst.fold(0.0, f64::max)))
    }
}

/// What an iteration found.
#[derive(Default)]
pub(super) struct Found {
    pub iterations: usize,
    /// Whether it ended from the other first guess.
    pub anew: bool,
    pub multipliers: Option<Vector>,
    pub coefficients: Option<Vector>,
    pub least: Vec<[f64; 2]>,
    /// Of level `coupled` with ports, what the balances lack in the experts' own fields, and the largest jump.
    pub balances: Option<Vec<f64>>,
    pub jump: f64,
}
