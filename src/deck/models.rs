//! The nonlinear and time-dependent models of `[[physics]]`.
use super::boundary::{Boundary, Plane, Rotation};
use super::sections::SolverOptions;
use super::value::{Coefficient, Property, Scalar};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// du/dt + velocity . grad u - div(diffusivity grad u) + reaction u = source, stabilised along the streamlines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdvectionDiffusion {
    /// Name by which the deck refers to this physics.
    #[serde(default = "text_advection_diffusion")]
    pub name: String,
    /// Name of the solution.
    #[serde(default = "text_u")]
    pub field: String,
    /// Unit of the solution.
    #[serde(default)]
    pub unit: String,
    /// Polynomial degree of the elements.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 2))]
    pub degree: usize,
    /// Diffusivity, not negative.
    #[schemars(extend("x-unit" = "m2/s"))]
    pub diffusivity: Coefficient,
    /// Velocity, one entry a dimension.
    #[schemars(length(min = 1, max = 3), extend("x-unit" = "m/s"))]
    pub velocity: Vec<Scalar>,
    /// Reaction coefficient, not negative.
    #[serde(default = "no_coefficient")]
    #[schemars(extend("x-unit" = "1/s"))]
    pub reaction: Coefficient,
    /// Source for each volume.
    #[serde(default = "no_coefficient")]
    #[schemars(extend("x-unit" = "1/s"))]
    pub source: Coefficient,
    /// Boundary conditions; a facet without one has no flux.
    #[serde(default)]
    pub boundary: Vec<Boundary>,
    /// Overrides of `[solver]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solver: Option<SolverOptions>,
}

/// du/dt + u . grad u - div(viscosity grad u) = source, for a vector u with one component a dimension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Burgers {
    /// Name by which the deck refers to this physics.
    #[serde(default = "text_burgers")]
    pub name: String,
    /// Name of the solution.
    #[serde(default = "text_velocity")]
    pub field: String,
    /// Unit of the solution.
    #[serde(default = "text_m_s")]
    pub unit: String,
    /// Polynomial degree of the elements.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 2))]
    pub degree: usize,
    /// Viscosity.
    #[schemars(extend("x-unit" = "m2/s"))]
    pub viscosity: Coefficient,
    /// Source, one entry a dimension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3), extend("x-unit" = "m/s2"))]
    pub source: Option<Vec<Scalar>>,
    /// Boundary conditions; a facet without one has no flux.
    #[serde(default)]
    pub boundary: Vec<Boundary>,
    /// Overrides of `[solver]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solver: Option<SolverOptions>,
}

/// R(u) du/dt = div(diffusivity grad u), retarded by Freundlich sorption R = 1 + (1 - porosity)/porosity density partition exponent u^(exponent - 1). The defaults are PDEBench's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiffusionSorption {
    /// Name by which the deck refers to this physics.
    #[serde(default = "text_diffusion_sorption")]
    pub name: String,
    /// Name of the solution.
    #[serde(default = "text_concentration")]
    pub field: String,
    /// Unit of the solution.
    #[serde(default)]
    pub unit: String,
    /// Polynomial degree of the elements.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1))]
    pub degree: usize,
    /// Effective diffusivity.
    #[serde(default = "pde_d")]
    #[schemars(extend("x-unit" = "m2/s"))]
    pub diffusivity: Coefficient,
    /// Porosity, between 0 and 1.
    #[serde(default = "pde_phi")]
    #[schemars(extend("x-unit" = "1"))]
    pub porosity: Scalar,
    /// Density of the grains.
    #[serde(default = "pde_rho")]
    #[schemars(extend("x-unit" = "kg/m3"))]
    pub density: Scalar,
    /// Freundlich's parameter k.
    #[serde(default = "pde_k")]
    pub partition: Scalar,
    /// Freundlich's exponent.
    #[serde(default = "pde_n")]
    #[schemars(extend("x-unit" = "1"))]
    pub exponent: Coefficient,
    /// Boundary conditions; a facet without one has no flux.
    #[serde(default)]
    pub boundary: Vec<Boundary>,
    /// Overrides of `[solver]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solver: Option<SolverOptions>,
}

/// du/dt = div(k(u) grad u) + source with k = u^exponent, or Stefan's problem where k jumps at a threshold. Monotone: u keeps its sign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PorousMedium {
    /// Name by which the deck refers to this physics.
    #[serde(default = "text_porous_medium")]
    pub name: String,
    /// Name of the solution.
    #[serde(default = "text_u")]
    pub field: String,
    /// Unit of the solution.
    #[serde(default)]
    pub unit: String,
    /// Polynomial degree of the elements.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1))]
    pub degree: usize,
    /// Exponent m of the power law k = u^m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-unit" = "1"))]
    pub exponent: Option<Scalar>,
    /// Stefan's law instead of the power law.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stefan: Option<StefanLaw>,
    /// Source for each volume.
    #[serde(default = "no_coefficient")]
    #[schemars(extend("x-unit" = "1/s"))]
    pub source: Coefficient,
    /// Boundary conditions; a facet without one has no flux.
    #[serde(default)]
    pub boundary: Vec<Boundary>,
    /// Overrides of `[solver]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solver: Option<SolverOptions>,
}

/// Incompressible flow, density (du/dt + u . grad u) - div(viscosity grad u) + grad p = body_force, div u = 0, with Taylor-Hood elements. A boundary without a condition is a free outflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NavierStokes {
    /// Name by which the deck refers to this physics.
    #[serde(default = "text_navier_stokes")]
    pub name: String,
    /// Name of the solution.
    #[serde(default = "text_velocity")]
    pub field: String,
    /// Unit of the solution.
    #[serde(default = "text_m_s")]
    pub unit: String,
    /// Polynomial degree of the elements of the velocity; that of the pressure is one less.
    #[serde(default = "two")]
    #[schemars(range(min = 2, max = 2))]
    pub degree: usize,
    /// Density.
    #[serde(default = "unit_coefficient")]
    #[schemars(extend("x-unit" = "kg/m3"))]
    pub density: Coefficient,
    /// Dynamic viscosity.
    #[schemars(extend("x-unit" = "Pa s"))]
    pub viscosity: Coefficient,
    /// Force for each volume, one entry a dimension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3), extend("x-unit" = "N/m3"))]
    pub body_force: Option<Vec<Scalar>>,
    /// Boundary conditions; a facet without one has no flux.
    #[serde(default)]
    pub boundary: Vec<Boundary>,
    /// Overrides of `[solver]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solver: Option<SolverOptions>,
}

/// Time-harmonic waves, -lap u - wave_number^2 u = source, for a complex amplitude; components: real and imaginary part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Helmholtz {
    /// Name by which the deck refers to this physics.
    #[serde(default = "text_helmholtz")]
    pub name: String,
    /// Name of the solution.
    #[serde(default = "text_u")]
    pub field: String,
    /// Unit of the solution.
    #[serde(default)]
    pub unit: String,
    /// Polynomial degree of the elements.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 2))]
    pub degree: usize,
    /// Wave number k.
    #[schemars(extend("x-unit" = "1/m"))]
    pub wave_number: Coefficient,
    /// Source, real part.
    #[serde(default = "no_coefficient")]
    #[schemars(extend("x-unit" = "1/m2"))]
    pub source: Coefficient,
    /// Source, imaginary part.
    #[serde(default = "no_coefficient")]
    #[schemars(extend("x-unit" = "1/m2"))]
    pub source_imaginary: Coefficient,
    /// Boundary conditions; a facet without one has no flux.
    #[serde(default)]
    pub boundary: Vec<Boundary>,
    /// Overrides of `[solver]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solver: Option<SolverOptions>,
}

/// Small strains of a metal that creeps and yields: Norton's flow with kinematic hardening after Armstrong and
/// Frederick and isotropic hardening after Voce. Integrated by implicit Euler.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Viscoplasticity {
    /// Name by which the deck refers to this physics.
    #[serde(default = "text_viscoplasticity")]
    pub name: String,
    /// Name of the solution.
    #[serde(default = "text_displacement")]
    pub field: String,
    /// Unit of the solution.
    #[serde(default = "text_m")]
    pub unit: String,
    /// Polynomial degree of the elements.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 2))]
    pub degree: usize,
    /// Young's modulus.
    #[schemars(extend("x-unit" = "Pa"))]
    pub young: Property,
    /// Poisson's ratio, above -1 and below 0.5.
    pub poisson: Property,
    /// Stress R0 from which it flows.
    #[schemars(extend("x-unit" = "Pa"))]
    pub yield_stress: Property,
    /// Drag stress K of Norton's law.
    #[schemars(extend("x-unit" = "Pa s^(1/n)"))]
    pub drag_stress: Property,
    /// Exponent n of Norton's law, at least 1.
    #[schemars(extend("x-unit" = "1"))]
    pub rate_exponent: Property,
    /// Modulus C of kinematic hardening.
    #[serde(default = "no_property")]
    #[schemars(extend("x-unit" = "Pa"))]
    pub kinematic_modulus: Property,
    /// Recall gamma of kinematic hardening (Armstrong and Frederick).
    #[serde(default = "no_property")]
    #[schemars(extend("x-unit" = "1"))]
    pub dynamic_recovery: Property,
    /// Saturation Q of isotropic hardening (Voce).
    #[serde(default = "no_property")]
    #[schemars(extend("x-unit" = "Pa"))]
    pub isotropic_saturation: Property,
    /// Speed b at which isotropic hardening saturates.
    #[serde(default = "no_property")]
    #[schemars(extend("x-unit" = "1"))]
    pub isotropic_rate: Property,
    /// Secant coefficient of thermal expansion.
    #[serde(default = "no_property")]
    #[schemars(extend("x-unit" = "1/K"))]
    pub expansion: Property,
    /// Temperature; zero if left out.
    #[serde(default = "no_coefficient")]
    #[schemars(extend("x-unit" = "K"))]
    pub temperature: Coefficient,
    /// Temperature without thermal strain.
    #[serde(default = "no_coefficient")]
    #[schemars(extend("x-unit" = "K"))]
    pub reference_temperature: Coefficient,
    /// Density, for rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-unit" = "kg/m3"))]
    pub density: Option<Coefficient>,
    /// Force for each volume, one entry a dimension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3), extend("x-unit" = "N/m3"))]
    pub body_force: Option<Vec<Scalar>>,
    /// Centrifugal load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// What a two-dimensional mesh stands for, "strain" (the default) or "axisymmetric".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plane: Option<Plane>,
    /// Boundary conditions; a facet without one is free of traction.
    #[serde(default)]
    pub boundary: Vec<Boundary>,
    /// Overrides of `[solver]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solver: Option<SolverOptions>,
}

impl Viscoplasticity {
    /// The properties with their keys.
    pub fn properties(&self) -> [(&'static str, &Property); 10] {
        [
            ("young", &self.young),
            ("poisson", &self.poisson),
            ("yield_stress", &self.yield_stress),
            ("drag_stress", &self.drag_stress),
            ("rate_exponent", &self.rate_exponent),
            ("kinematic_modulus", &self.kinematic_modulus),
            ("dynamic_recovery", &self.dynamic_recovery),
            ("isotropic_saturation", &self.isotropic_saturation),
            ("isotropic_rate", &self.isotropic_rate),
            ("expansion", &self.expansion),
        ]
    }
}

/// A conductivity that jumps where the solution reaches a threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StefanLaw {
    /// Conductivity below the threshold, not negative.
    #[schemars(extend("x-unit" = "m2/s"))]
    pub below: Scalar,
    /// Conductivity from the threshold on.
    #[schemars(extend("x-unit" = "m2/s"))]
    pub above: Scalar,
    /// The threshold.
    pub threshold: Scalar,
}

fn text_advection_diffusion() -> String {
    "advection_diffusion".into()
}

fn text_u() -> String {
    "u".into()
}

fn text_burgers() -> String {
    "burgers".into()
}

fn text_velocity() -> String {
    "velocity".into()
}

fn text_m_s() -> String {
    "m/s".into()
}

fn text_diffusion_sorption() -> String {
    "diffusion_sorption".into()
}

fn text_concentration() -> String {
    "concentration".into()
}

fn text_porous_medium() -> String {
    "porous_medium".into()
}

fn text_navier_stokes() -> String {
    "navier_stokes".into()
}

fn text_helmholtz() -> String {
    "helmholtz".into()
}

fn text_viscoplasticity() -> String {
    "viscoplasticity".into()
}

fn text_displacement() -> String {
    "displacement".into()
}

fn text_m() -> String {
    "m".into()
}

fn no_property() -> Property {
    0.0.into()
}

fn one() -> usize {
    1
}

fn two() -> usize {
    2
}

fn unit_coefficient() -> Coefficient {
    1.0.into()
}

fn no_coefficient() -> Coefficient {
    0.0.into()
}

// PDEBench (Takamoto et al., NeurIPS 2022), section D.2.
fn pde_d() -> Coefficient {
    5e-4.into()
}

fn pde_phi() -> Scalar {
    0.29.into()
}

fn pde_rho() -> Scalar {
    2880.0.into()
}

fn pde_k() -> Scalar {
    3.5e-4.into()
}

fn pde_n() -> Coefficient {
    0.874.into()
}
