//! `[[physics]]`: the models a deck solves and their boundary conditions.
use super::boundary::{Boundary, Plane, Rotation};
use super::models::{
    AdvectionDiffusion, Burgers, DiffusionSorption, Helmholtz, NavierStokes, PorousMedium, Viscoplasticity,
};
use super::sections::SolverOptions;
use super::value::{Coefficient, Property, Scalar};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One model, solved in the deck's order.
#[allow(clippy::large_enum_variant)] // A deck has a handful of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "model", rename_all = "snake_case")]
pub enum Physics {
    /// -div(K grad u) + c u = f: heat conduction, Darcy flow, Poisson's equation.
    Diffusion(Diffusion),
    /// Small-strain linear elasticity with thermal strain.
    Elasticity(Elasticity),
    /// Transport by a given velocity.
    AdvectionDiffusion(AdvectionDiffusion),
    /// Burgers' equation.
    Burgers(Burgers),
    /// Diffusion retarded by sorption.
    DiffusionSorption(DiffusionSorption),
    /// The porous medium equation and Stefan's problem.
    PorousMedium(PorousMedium),
    /// Incompressible flow.
    NavierStokes(NavierStokes),
    /// Time-harmonic waves.
    Helmholtz(Helmholtz),
    /// Creep and plasticity of metals.
    Viscoplasticity(Viscoplasticity),
}

/// -div(conductivity grad u) + reaction u = source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Diffusion {
    /// Name by which the deck refers to this physics.
    #[serde(default = "diffusion")]
    pub name: String,
    /// Name of the solution.
    #[serde(default = "u")]
    pub field: String,
    /// Unit of the solution.
    #[serde(default)]
    pub unit: String,
    /// Polynomial degree of the elements.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 2))]
    pub degree: usize,
    /// Conductivity, positive: a scalar or a symmetric, positive definite tensor.
    #[serde(default = "unit_coefficient")]
    #[schemars(extend("x-unit" = "W/(m K), or as fits the field"))]
    pub conductivity: Coefficient,
    /// Source for each volume.
    #[serde(default = "no_coefficient")]
    #[schemars(extend("x-unit" = "W/m3"))]
    pub source: Coefficient,
    /// Reaction coefficient, not negative.
    #[serde(default = "no_coefficient")]
    #[schemars(extend("x-unit" = "W/(m3 K)"))]
    pub reaction: Coefficient,
    /// Capacity of runs with `[time]`: density times specific heat; 1 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-unit" = "J/(m3 K)"))]
    pub capacity: Option<Coefficient>,
    /// What a two-dimensional mesh stands for: "axisymmetric", or a plane section if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plane: Option<Plane>,
    /// Boundary conditions; a facet without one has no flux.
    #[serde(default)]
    pub boundary: Vec<Boundary>,
    /// Overrides of `[solver]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solver: Option<SolverOptions>,
}

/// -div(stress) = body force, stress = C (strain - expansion (temperature - reference_temperature)).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Elasticity {
    /// Name by which the deck refers to this physics.
    #[serde(default = "elasticity")]
    pub name: String,
    /// Name of the solution.
    #[serde(default = "displacement")]
    pub field: String,
    /// Unit of the solution.
    #[serde(default = "metre")]
    pub unit: String,
    /// Polynomial degree of the elements.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 2))]
    pub degree: usize,
    /// Young's modulus.
    #[schemars(extend("x-unit" = "Pa"))]
    pub young: Coefficient,
    /// Poisson's ratio, above -1 and below 0.5.
    pub poisson: Coefficient,
    /// Density, for rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-unit" = "kg/m3"))]
    pub density: Option<Coefficient>,
    /// Coefficient of thermal expansion.
    #[serde(default = "no_coefficient")]
    #[schemars(extend("x-unit" = "1/K"))]
    pub expansion: Coefficient,
    /// Temperature without thermal strain.
    #[serde(default = "no_coefficient")]
    #[schemars(extend("x-unit" = "K"))]
    pub reference_temperature: Coefficient,
    /// Temperature; without one there is no thermal strain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-unit" = "K"))]
    pub temperature: Option<Coefficient>,
    /// Force for each volume, one entry a dimension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3), extend("x-unit" = "N/m3"))]
    pub body_force: Option<Vec<Scalar>>,
    /// Centrifugal load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// What a two-dimensional mesh stands for; plane strain if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plane: Option<Plane>,
    /// Boundary conditions; a facet without one is free of traction.
    #[serde(default)]
    pub boundary: Vec<Boundary>,
    /// Overrides of `[solver]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solver: Option<SolverOptions>,
}

/// Reads what every model has.
macro_rules! common {
    ($($(#[$doc:meta])* $name:ident: $type:ty),* $(,)?) => {
        impl Physics {
            $($(#[$doc])* pub fn $name(&self) -> &$type {
                match self {
                    Self::Diffusion(model) => &model.$name,
                    Self::Elasticity(model) => &model.$name,
                    Self::AdvectionDiffusion(model) => &model.$name,
                    Self::Burgers(model) => &model.$name,
                    Self::DiffusionSorption(model) => &model.$name,
                    Self::PorousMedium(model) => &model.$name,
                    Self::NavierStokes(model) => &model.$name,
                    Self::Helmholtz(model) => &model.$name,
                    Self::Viscoplasticity(model) => &model.$name,
                }
            })*
        }
    };
}

common! {
    /// Name by which the deck refers to it.
    name: str,
    /// Name of the solution.
    field: str,
    /// Unit of the solution.
    unit: str,
    /// Boundary conditions.
    boundary: [Boundary],
    /// Its own solver, if it has one.
    solver: Option<SolverOptions>,
}

impl Physics {
    /// Polynomial degree of the elements.
    pub fn degree(&self) -> usize {
        match self {
            Self::Diffusion(model) => model.degree,
            Self::Elasticity(model) => model.degree,
            Self::AdvectionDiffusion(model) => model.degree,
            Self::Burgers(model) => model.degree,
            Self::DiffusionSorption(model) => model.degree,
            Self::PorousMedium(model) => model.degree,
            Self::NavierStokes(model) => model.degree,
            Self::Helmholtz(model) => model.degree,
            Self::Viscoplasticity(model) => model.degree,
        }
    }

    /// What a two-dimensional mesh stands for, where the model can tell.
    pub fn plane(&self) -> Option<Plane> {
        match self {
            Self::Diffusion(model) => model.plane,
            Self::Elasticity(model) => model.plane,
            Self::Viscoplasticity(model) => model.plane,
            _ => None,
        }
    }

    /// Name of the model as decks write it.
    pub fn model(&self) -> &'static str {
        match self {
            Self::Diffusion(_) => "diffusion",
            Self::Elasticity(_) => "elasticity",
            Self::AdvectionDiffusion(_) => "advection_diffusion",
            Self::Burgers(_) => "burgers",
            Self::DiffusionSorption(_) => "diffusion_sorption",
            Self::PorousMedium(_) => "porous_medium",
            Self::NavierStokes(_) => "navier_stokes",
            Self::Helmholtz(_) => "helmholtz",
            Self::Viscoplasticity(_) => "viscoplasticity",
        }
    }

    /// Expressions and vectors of the model that are no [`Coefficient`], with their keys.
    pub fn scalars(&self) -> Vec<(String, &Scalar)> {
        fn entries<'a>(key: &str, values: &'a [Scalar]) -> Vec<(String, &'a Scalar)> {
            values.iter().enumerate().map(|(i, value)| (format!("{key}[{i}]"), value)).collect()
        }
        match self {
            Self::AdvectionDiffusion(m) => entries("velocity", &m.velocity),
            Self::Burgers(m) => entries("source", m.source.as_deref().unwrap_or_default()),
            Self::NavierStokes(m) => entries("body_force", m.body_force.as_deref().unwrap_or_default()),
            Self::Viscoplasticity(m) => {
                let mut list = entries("body_force", m.body_force.as_deref().unwrap_or_default());
                for (key, property) in m.properties() {
                    if let Property::Scalar(scalar) = property {
                        list.push((key.into(), scalar));
                    }
                }
                list.extend(m.rotation.iter().map(|r| ("rotation.speed".into(), &r.speed)));
                list
            }
            Self::DiffusionSorption(m) => {
                vec![
                    ("porosity".into(), &m.porosity),
                    ("density".into(), &m.density),
                    ("partition".into(), &m.partition),
                ]
            }
            Self::PorousMedium(m) => {
                let law = m.stefan.iter().flat_map(|s| {
                    [("below", &s.below), ("above", &s.above), ("threshold", &s.threshold)]
                        .map(|(key, value)| (format!("stefan.{key}"), value))
                });
                m.exponent.iter().map(|e| ("exponent".into(), e)).chain(law).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Names of the fields that follow from the solution.
    pub fn derived(&self) -> &'static [&'static str] {
        match self {
            Self::Diffusion(_) => &["flux"],
            Self::Elasticity(_) => &["stress", "strain", "von_mises"],
            Self::NavierStokes(_) => &["pressure", "vorticity"],
            Self::Viscoplasticity(_) => {
                &["stress", "von_mises", "plastic_strain", "accumulated_plastic_strain"]
            }
            _ => &[],
        }
    }

    /// Number of components of a primary or derived field on a mesh of the given dimension; stress and
    /// strain have the six entries of a symmetric tensor.
    pub fn field_components(&self, field: &str, dimension: usize) -> usize {
        // A derived field may carry the solution's name before its own.
        match field.rsplit('_').next() {
            _ if field == self.field() && self.model() == "navier_stokes" => dimension,
            _ if field == self.field() => self.components(dimension),
            Some("flux") => dimension,
            Some("vorticity") if dimension == 3 => 3,
            Some("stress") => 6,
            Some("strain") if !field.ends_with("accumulated_plastic_strain") => 6,
            _ => 1,
        }
    }

    /// The material coefficients with their keys.
    pub fn coefficients(&self) -> Vec<(&'static str, &Coefficient)> {
        match self {
            Self::Diffusion(m) => {
                let mut list =
                    vec![("conductivity", &m.conductivity), ("source", &m.source), ("reaction", &m.reaction)];
                list.extend(m.capacity.as_ref().map(|capacity| ("capacity", capacity)));
                list
            }
            Self::AdvectionDiffusion(m) => {
                vec![("diffusivity", &m.diffusivity), ("reaction", &m.reaction), ("source", &m.source)]
            }
            Self::Burgers(m) => vec![("viscosity", &m.viscosity)],
            Self::DiffusionSorption(m) => {
                vec![("diffusivity", &m.diffusivity), ("exponent", &m.exponent)]
            }
            Self::PorousMedium(m) => vec![("source", &m.source)],
            Self::Viscoplasticity(m) => {
                let mut list = vec![
                    ("temperature", &m.temperature),
                    ("reference_temperature", &m.reference_temperature),
                ];
                list.extend(m.density.as_ref().map(|density| ("density", density)));
                list
            }
            Self::NavierStokes(m) => vec![("density", &m.density), ("viscosity", &m.viscosity)],
            Self::Helmholtz(m) => vec![
                ("wave_number", &m.wave_number),
                ("source", &m.source),
                ("source_imaginary", &m.source_imaginary),
            ],
            Self::Elasticity(m) => [
                ("young", Some(&m.young)),
                ("poisson", Some(&m.poisson)),
                ("density", m.density.as_ref()),
                ("expansion", Some(&m.expansion)),
                ("reference_temperature", Some(&m.reference_temperature)),
                ("temperature", m.temperature.as_ref()),
            ]
            .into_iter()
            .filter_map(|(key, coefficient)| Some((key, coefficient?)))
            .collect(),
        }
    }

    /// Number of components of the solution on a mesh of the given dimension.
    pub fn components(&self, dimension: usize) -> usize {
        match self {
            Self::Elasticity(_) | Self::Burgers(_) | Self::Viscoplasticity(_) => dimension,
            Self::NavierStokes(_) => dimension + 1,
            Self::Helmholtz(_) => 2,
            _ => 1,
        }
    }
}

fn diffusion() -> String {
    "diffusion".into()
}

fn elasticity() -> String {
    "elasticity".into()
}

fn u() -> String {
    "u".into()
}

fn displacement() -> String {
    "displacement".into()
}

fn metre() -> String {
    "m".into()
}

fn one() -> usize {
    1
}

fn unit_coefficient() -> Coefficient {
    1.0.into()
}

fn no_coefficient() -> Coefficient {
    0.0.into()
}
