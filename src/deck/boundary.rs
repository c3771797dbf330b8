//! Conditions on a boundary, and what else the models of solids and flows share.
use super::value::{Essential, Names, Scalar};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rotation at constant speed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// Direction of the axis; need not have length 1.
    #[serde(default = "z_axis")]
    #[schemars(length(min = 2, max = 3))]
    pub axis: Vec<f64>,
    /// A point on the axis; the origin if left out.
    #[serde(default = "origin")]
    #[schemars(length(min = 2, max = 3), extend("x-unit" = "m"))]
    pub origin: Vec<f64>,
    /// Angular speed; a number or an expression in the parameters.
    #[schemars(extend("x-unit" = "rad/s"))]
    pub speed: Scalar,
}

/// What a two-dimensional mesh stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Plane {
    /// A slice of a long body: no strain across.
    Strain,
    /// A thin sheet: no stress across.
    Stress,
    /// The half section of a body of revolution: x is the radius, y the axis.
    Axisymmetric,
}

/// A condition on part of the boundary: exactly one of `value`, `flux`, `coefficient` (with
/// `ambient`), `traction`, `pressure` and `foundation`. Natural conditions of several entries on the
/// same marker add up.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Boundary {
    /// Facet marker, or a list of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<Names>,
    /// A point instead of a marker, for `value` only: the mesh vertex there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3), extend("x-unit" = "m"))]
    pub point: Option<Vec<f64>>,
    /// Essential condition: the field's value. Elasticity: one entry a component, "free" for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Essential>,
    /// Diffusion: flux into the domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-unit" = "W/m2"))]
    pub flux: Option<Scalar>,
    /// Diffusion: transfer coefficient h of the flux h (ambient - u) into the domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-unit" = "W/(m2 K)"))]
    pub coefficient: Option<Scalar>,
    /// Diffusion: the surroundings' value, with `coefficient`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-unit" = "K"))]
    pub ambient: Option<Scalar>,
    /// Elasticity: force for each area, one entry a dimension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3), extend("x-unit" = "Pa"))]
    pub traction: Option<Vec<Scalar>>,
    /// Elasticity: pressure against the outer normal (compression is positive).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-unit" = "Pa"))]
    pub pressure: Option<Scalar>,
    /// Elasticity: stiffness of an elastic foundation along the normal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-unit" = "Pa/m"))]
    pub foundation: Option<Scalar>,
    /// Helmholtz: wave number of an absorbing boundary, du/dn - i k u = incoming.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-unit" = "1/m"))]
    pub absorbing: Option<Scalar>,
    /// Helmholtz: real and imaginary part of what an absorbing boundary sends in, with `absorbing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 2), extend("x-unit" = "1/m"))]
    pub incoming: Option<Vec<Scalar>>,
}

/// What a boundary entry imposes.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition<'a> {
    /// The field's value.
    Essential(&'a Essential),
    /// Flux into the domain.
    Flux(&'a Scalar),
    /// Flux into the domain h (ambient - u).
    Robin {
        /// h.
        coefficient: &'a Scalar,
        /// Value of the surroundings.
        ambient: &'a Scalar,
    },
    /// Force for each area.
    Traction(&'a [Scalar]),
    /// Pressure against the outer normal.
    Pressure(&'a Scalar),
    /// Stiffness along the normal.
    Foundation(&'a Scalar),
    /// Absorbing boundary.
    Absorbing {
        /// Wave number.
        wave_number: &'a Scalar,
        /// Real and imaginary part of what comes in.
        incoming: Option<&'a [Scalar]>,
    },
}

impl Boundary {
    /// The keys of conditions that are given, of which one entry has one.
    pub fn given(&self) -> impl Iterator<Item = &'static str> {
        [
            ("value", self.value.is_some()),
            ("flux", self.flux.is_some()),
            ("coefficient", self.coefficient.is_some()),
            ("traction", self.traction.is_some()),
            ("pressure", self.pressure.is_some()),
            ("foundation", self.foundation.is_some()),
            ("absorbing", self.absorbing.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, given)| given.then_some(key))
    }

    /// What this entry imposes; `None` only for a deck that was not validated.
    pub fn condition(&self) -> Option<Condition<'_>> {
        Some(if let Some(value) = &self.value {
            Condition::Essential(value)
        } else if let Some(flux) = &self.flux {
            Condition::Flux(flux)
        } else if let (Some(coefficient), Some(ambient)) = (&self.coefficient, &self.ambient) {
            Condition::Robin { coefficient, ambient }
        } else if let Some(traction) = &self.traction {
            Condition::Traction(traction)
        } else if let Some(pressure) = &self.pressure {
            Condition::Pressure(pressure)
        } else if let Some(wave_number) = &self.absorbing {
            Condition::Absorbing { wave_number, incoming: self.incoming.as_deref() }
        } else {
            Condition::Foundation(self.foundation.as_ref()?)
        })
    }
}

fn z_axis() -> Vec<f64> {
    vec![0.0, 0.0, 1.0]
}

fn origin() -> Vec<f64> {
    vec![0.0; 3]
}
