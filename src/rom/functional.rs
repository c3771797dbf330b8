//! Linear quantities of interest as functionals, whose dual norm bounds their error.
use super::energy::Energy;
use crate::Result;
use crate::deck::Quantity;
use crate::mixture::dot;
use crate::simulation::Simulation;

/// A quantity's dual norm in the reference energy: `|Q(e)| <= norm |e|` for every e that vanishes where values
/// are prescribed. `None` for a quantity that is not linear in a solution (an extremum, a magnitude, a derived
/// field). Collective.
///
/// # Errors
/// When a solve fails.
pub fn dual_norm(
    simulation: &Simulation,
    quantity: &Quantity,
    energies: &[&Energy],
) -> Result<Option<(usize, f64)>> {
    if simulation.why_not_linear(quantity)?.is_some() {
        return Ok(None);
    }
    let (stage, functional) = simulation.functional(quantity)?;
    let functional = functional.read()?;
    let representer = energies[stage].representer(&functional)?;
    let comm = &simulation.mesh.comm;
    Ok(Some((stage, comm.sum(dot(&functional, &representer)).max(0.0).sqrt())))
}
