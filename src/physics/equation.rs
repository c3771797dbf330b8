//! Models whose form is nonlinear or depends on time: `d/dt storage(u) + residual(u) = 0`.
use super::problem::{Place, Problem};
use crate::Result;
use crate::fem::functional::nodal_rule;
use crate::fem::{
    Domain, Essential, FormKernel, History, Parts, Target, Values, assemble_form, update_history,
};
use petsc_rs::{Matrix, Vector};
use tessera_kernels::Forms;
use tessera_kernels::models::{
    advection_diffusion, burgers, diffusion_sorption, helmholtz, navier_stokes, porous_medium,
    transient_diffusion, viscoplasticity,
};

/// Which forms a problem is made of, see the module of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Equation {
    /// [`transient_diffusion`].
    TransientDiffusion {
        /// Whether the conductivity is a tensor.
        anisotropic: bool,
    },
    /// [`advection_diffusion`].
    AdvectionDiffusion,
    /// [`burgers`].
    Burgers,
    /// [`diffusion_sorption`].
    DiffusionSorption,
    /// [`porous_medium::PowerLaw`].
    PorousMedium,
    /// [`porous_medium::Stefan`].
    Stefan,
    /// [`navier_stokes`].
    NavierStokes,
    /// [`helmholtz`].
    Helmholtz,
    /// [`viscoplasticity`].
    Viscoplasticity,
}

impl Equation {
    /// The kernels of its forms.
    pub(super) fn forms(self, axisymmetric: bool) -> &'static Forms<dyn FormKernel> {
        match self {
            Self::TransientDiffusion { anisotropic: false } if axisymmetric => {
                &transient_diffusion::ISOTROPIC_AXISYMMETRIC
            }
            Self::TransientDiffusion { anisotropic: true } if axisymmetric => {
                &transient_diffusion::ANISOTROPIC_AXISYMMETRIC
            }
            Self::TransientDiffusion { anisotropic: false } => &transient_diffusion::ISOTROPIC,
            Self::TransientDiffusion { anisotropic: true } => &transient_diffusion::ANISOTROPIC,
            Self::AdvectionDiffusion => &advection_diffusion::FORMS,
            Self::Burgers => &burgers::FORMS,
            Self::DiffusionSorption => &diffusion_sorption::FORMS,
            Self::PorousMedium => &porous_medium::POWER_LAW,
            Self::Stefan => &porous_medium::STEFAN,
            Self::NavierStokes => &navier_stokes::FORMS,
            Self::Helmholtz => &helmholtz::FORMS,
            Self::Viscoplasticity if axisymmetric => &viscoplasticity::AXISYMMETRIC,
            Self::Viscoplasticity => &viscoplasticity::SOLID,
        }
    }

    /// Whether component `i` is interpolated with degree 1 in `dimension` dimensions.
    pub fn is_linear(self, i: usize, dimension: usize) -> bool {
        self == Self::NavierStokes && i == dimension
    }

    /// Whether quadrature is at the vertices, for a monotone scheme of degree 1.
    pub fn is_lumped(self) -> bool {
        matches!(self, Self::PorousMedium | Self::Stefan | Self::DiffusionSorption)
    }

    /// Whether the tangent is symmetric and positive definite.
    pub fn is_symmetric(self) -> bool {
        matches!(self, Self::TransientDiffusion { .. } | Self::DiffusionSorption)
    }

    /// Whether the form is linear in the state.
    pub fn is_linear_form(self) -> bool {
        matches!(self, Self::TransientDiffusion { .. } | Self::AdvectionDiffusion | Self::Helmholtz)
    }

    /// Whether the form is linear and its tangent symmetric.
    pub fn is_symmetric_linear_form(self) -> bool {
        self.is_symmetric() && self.is_linear_form()
    }

    /// Whether internal variables are integrated by implicit Euler.
    pub fn has_history(self) -> bool {
        self == Self::Viscoplasticity
    }

    /// Whether the model has a time derivative.
    pub fn evolves(self) -> bool {
        self != Self::Helmholtz
    }

    /// Degree of quadrature that integrates the form's products exactly for elements of degree `p`.
    pub fn quadrature_degree(self, p: usize) -> usize {
        match self {
            Self::Burgers | Self::NavierStokes => 3 * p - 1,
            _ => 2 * p,
        }
    }
}

/// Coefficients by integral, group and coefficient, as from [`Problem::evaluate`].
pub type Evaluated = [Vec<Vec<Values>>];

/// Where the forms of an [`Equation`] are evaluated.
#[derive(Clone, Copy)]
pub struct FormState<'a> {
    /// As from [`Problem::evaluate`].
    pub coefficients: &'a Evaluated,
    /// All local unknowns, ghosts updated.
    pub state: &'a [f64],
    /// Internal variables at the start of the step, for models that have them.
    pub history: Option<&'a History>,
    /// Factors of the forms; of the storage 1 over the step where internal variables are integrated.
    pub parts: Parts,
}

impl Problem {
    /// `parts.storage * storage(u) + parts.residual * residual(u)` tested with every basis function, without
    /// essential conditions, into `result`. Local.
    ///
    /// # Panics
    /// As all methods here, for a model that is no [`Equation`].
    pub fn form(&self, at: FormState, result: &mut Vector) -> Result<()> {
        let mut values = result.write()?;
        values.fill(0.0);
        let mut target = Target { matrix: None, load: &mut values, state: Some(at.state) };
        self.add_forms(at, None, &mut target);
        Ok(())
    }

    /// The derivative of [`Problem::form`], with a [diagonal](Problem::essential_diagonal) alone at essential unknowns.
    /// Collective.
    pub fn tangent(&self, at: FormState, essential: &Essential, matrix: &mut Matrix) -> Result<()> {
        matrix.zero()?;
        {
            let arrays = matrix.arrays_mut()?;
            // The kernel computes the residual on the way; it is not wanted here.
            let mut unused = vec![0.0; self.space.owned_dofs()];
            let mut target = Target {
                matrix: Some((arrays.diagonal, arrays.off_diagonal)),
                load: &mut unused,
                state: Some(at.state),
            };
            self.add_forms(at, Some(essential), &mut target);
            let (diagonal, _) = target.matrix.expect("set above");
            self.set_essential_diagonal(diagonal, essential);
        }
        matrix.assemble()?;
        Ok(())
    }

    /// Room for the internal variables of the volume form, all zero; `None` for models without any.
    pub fn new_history(&self) -> Option<History> {
        let width = self.own_forms().0.history();
        let points = self.integrals[0].groups[0].rule.weights.len();
        let values = vec![0.0; self.space.mesh.local_cells() * points * width];
        (width > 0).then_some(History { width, points, values })
    }

    /// The internal variables at the end of a step from `history` to the solution `at.state`. Local.
    pub fn next_history(&self, at: FormState, history: &History) -> History {
        let mut next = history.clone();
        let (space, group) = (&self.space, &self.integrals[0].groups[0]);
        update_history(
            self.own_forms().0,
            space,
            &group.domain(),
            &at.coefficients[0][0],
            (history, &mut next),
            at.parts.storage,
            at.state,
        );
        next
    }

    /// Gives components of degree 1 their interpolated values at the inner nodes of cells of degree 2, where
    /// they have no unknowns: whoever reads the state finds the same field. Collective.
    pub fn fill_unused(&self, state: &mut Vector) -> Result<()> {
        let (space, equation) = (&self.space, self.own_equation());
        let c = space.components;
        let linear: Vec<usize> = (0..c).filter(|&i| equation.is_linear(i, space.mesh.dimension)).collect();
        if linear.is_empty() || space.element.degree == 1 {
            return Ok(());
        }
        {
            let vertices = nodal_rule(&space.element).geometry;
            let corners = space.mesh.cell_type.vertices();
            let mut values = state.local_write()?;
            for cell in 0..space.mesh.local_cells() {
                let nodes = space.nodes_of(cell);
                for (a, &node) in nodes.iter().enumerate().skip(corners) {
                    for &i in &linear {
                        values[node as usize * c + i] = (0..corners)
                            .map(|v| vertices.values[a * corners + v] * values[nodes[v] as usize * c + i])
                            .sum();
                    }
                }
            }
        }
        Ok(state.ghost_update()?)
    }

    /// The equation of a nonlinear or time-dependent model.
    ///
    /// # Panics
    /// For other models.
    pub(crate) fn own_equation(&self) -> Equation {
        self.model.equation().expect("the model is a nonlinear or time-dependent one")
    }

    /// The forms of a nonlinear or time-dependent model: volume and boundary.
    pub(super) fn own_forms(&self) -> (&'static dyn FormKernel, &'static dyn FormKernel) {
        self.own_equation().forms(self.space.axisymmetric).of(self.space.mesh.dimension)
    }

    fn add_forms(&self, at: FormState, essential: Option<&Essential>, target: &mut Target) {
        for (integral, groups) in self.integrals.iter().zip(at.coefficients) {
            for (group, coefficients) in integral.groups.iter().zip(groups) {
                let domain = group.domain();
                self.add_form(
                    integral.place,
                    &domain,
                    coefficients,
                    essential,
                    (at.history, at.parts),
                    target,
                );
            }
        }
    }

    /// Adds the volume or boundary form on a domain.
    pub(super) fn add_form(
        &self,
        place: Place,
        domain: &Domain,
        coefficients: &[Values],
        essential: Option<&Essential>,
        (history, parts): (Option<&History>, Parts),
        target: &mut Target,
    ) {
        let (volume, boundary) = self.own_forms();
        let form = match place {
            Place::Volume => volume,
            Place::Boundary => boundary,
        };
        let (space, pattern) = (&self.space, self.pattern());
        assemble_form(form, space, pattern, domain, coefficients, essential, history, parts, target);
    }
}
