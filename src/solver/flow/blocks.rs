//! What is special about a flow: the level of its pressure, the balance of its boundary values, and the
//! blocks of its matrix.
use crate::fem::{Essential, Space};
use crate::physics::{FormState, Prepared, Problem};
use crate::{Error, Result};
use petsc_rs::{IndexSet, Preconditioner, Vector};

/// Share of the flow through the boundary by which prescribed velocities may miss the balance: more than the
/// interpolation of smooth data on a coarse mesh.
const IMBALANCE: f64 = 0.01;

/// The divergence of every velocity basis function, `-int div phi dx`: what a pressure of 1 does to it.
pub(crate) struct PressureLevel {
    divergence: Vector,
    /// Whether the mesh ends anywhere; where it is periodic all round the divergence is nothing but rounding.
    bounded: bool,
}

impl PressureLevel {
    /// From the form itself, which is linear in the pressure. Collective.
    pub(crate) fn new(prepared: &Prepared) -> Result<Self> {
        let space = &prepared.problem().space;
        let c = space.components;
        let mut state = vec![0.0; space.local_nodes() * c];
        let (mut divergence, mut without) = (space.field()?, space.field()?);
        let rest = |state: &[f64], result: &mut Vector| prepared.residual(FormState::steady(state), result);
        rest(&state, &mut without)?;
        state.iter_mut().skip(c - 1).step_by(c).for_each(|p| *p = 1.0);
        rest(&state, &mut divergence)?;
        divergence.axpy(-1.0, &without)?;
        let bounded = space.mesh.comm.sum(space.mesh.facets.len() as u64) > 0;
        Ok(Self { divergence, bounded })
    }

    /// Where no free velocity feels a constant pressure, something must fix its level, and what flows in must
    /// flow out. Collective.
    pub(crate) fn check(&self, problem: &Problem, essential: &Essential) -> Result<()> {
        let (space, comm) = (&problem.space, &problem.space.mesh.comm);
        let c = space.components;
        let (mut free, mut largest, mut speed) = (0.0_f64, 0.0_f64, 0.0_f64);
        let (mut inflow, mut outflow, mut pinned) = (0.0, 0.0, 0.0);
        for (dof, &g) in self.divergence.read()?.iter().enumerate() {
            let value = essential.values[dof];
            largest = largest.max(g.abs());
            match (dof % c == c - 1, essential.fixed[dof]) {
                (true, true) if space.is_vertex(dof / c) => pinned += 1.0,
                (true, _) => {}
                (false, false) => free = free.max(g.abs()),
                (false, true) => {
                    speed = speed.max(value.abs());
                    *if g * value > 0.0 { &mut inflow } else { &mut outflow } += (g * value).abs();
                }
            }
        }
        let [free, largest, speed] = [free, largest, speed].map(|value| comm.max(value));
        let [inflow, outflow, pinned] = [inflow, outflow, pinned].map(|value| comm.sum(value));
        if self.bounded && free > 1e-10 * largest {
            return Ok(());
        }
        let fault = |message: String| Err(Error::input("", format!("physics `{}`: {message}", problem.name)));
        if pinned == 0.0 {
            let free = vec!["\"free\""; c - 1].join(", ");
            let point = format!("{{ point = [...], value = [{free}, 0.0] }}");
            return fault(if self.bounded {
                format!(
                    "the velocity through the whole boundary is prescribed and nothing fixes the level of the \
                     pressure: give it at a vertex of the mesh, {point}, or leave a part of the boundary open"
                )
            } else {
                format!(
                    "the mesh is periodic all round and nothing fixes the level of the pressure: give it at a \
                     vertex of the mesh, {point}"
                )
            });
        }
        if !self.bounded {
            return Ok(());
        }
        let net = (inflow - outflow).abs();
        if net > IMBALANCE * (inflow + outflow) && net > 1e-8 * largest * speed {
            return fault(format!(
                "the velocity through the whole boundary is prescribed, but {inflow:.6e} flows in and \
                 {outflow:.6e} out: an incompressible flow needs both equal, or an open boundary"
            ));
        }
        Ok(())
    }
}

/// The blocks of a flow's matrix, as owned local unknowns.
pub(crate) struct Blocks {
    /// All but the free pressures. The rows of fixed and unused pressures are unit rows, which would make the
    /// products of the blocks singular: they are here.
    pub velocity: Vec<usize>,
    /// The free pressures.
    pub pressure: Vec<usize>,
}

impl Blocks {
    pub(crate) fn new(problem: &Problem) -> Self {
        let space = &problem.space;
        let c = space.components;
        let mut free: Vec<bool> = (0..space.owned_nodes).map(|node| space.is_vertex(node)).collect();
        for condition in problem.conditions.iter().filter(|o| matches!(o.values.get(c - 1), Some(Some(_)))) {
            for &node in condition.nodes.iter().filter(|&&node| (node as usize) < space.owned_nodes) {
                free[node as usize] = false;
            }
        }
        let is_pressure = |dof: &usize| dof % c == c - 1 && free[dof / c];
        let (pressure, velocity) = (0..space.owned_dofs()).partition(is_pressure);
        Self { velocity, pressure }
    }

    /// Their global numbers, velocity first. Collective.
    pub(super) fn sets(&self, space: &Space) -> Result<[IndexSet; 2]> {
        let first = space.first as usize * space.components;
        let set = |list: &[usize]| {
            let list: Vec<_> = list.iter().map(|&dof| (first + dof) as petsc_rs::Int).collect();
            IndexSet::new(space.mesh.comm.mpi(), &list)
        };
        Ok([set(&self.velocity)?, set(&self.pressure)?])
    }

    /// Names the blocks for PETSc's field split. Collective.
    pub(crate) fn split(&self, space: &Space, preconditioner: &mut Preconditioner) -> Result<()> {
        preconditioner.set_type("fieldsplit")?;
        for (name, set) in ["velocity", "pressure"].into_iter().zip(&self.sets(space)?) {
            preconditioner.field_split(name, set)?;
        }
        Ok(())
    }
}
