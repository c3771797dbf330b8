//! Conditions on the boundary.
use super::value::{Essential, Names, Scalar};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A condition on part of the boundary: exactly one of `value`, `flux`, `coefficient` (with
/// `ambient`), `emissivity` (with `ambient`), `traction`, `pressure` and `foundation`. Natural conditions of several entries on the
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
    /// Diffusion: the surroundings' value, with `coefficient` or `emissivity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-unit" = "K"))]
    pub ambient: Option<Scalar>,
    /// Diffusion: emissivity of a surface that radiates to surroundings of the absolute temperature `ambient`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-unit" = "1"))]
    pub emissivity: Option<Scalar>,
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

impl Boundary {
    /// The keys of conditions that are given, of which one entry has one.
    pub fn given(&self) -> impl Iterator<Item = &'static str> {
        [
            ("value", self.value.is_some()),
            ("flux", self.flux.is_some()),
            ("coefficient", self.coefficient.is_some()),
            ("emissivity", self.emissivity.is_some()),
            ("traction", self.traction.is_some()),
            ("pressure", self.pressure.is_some()),
            ("foundation", self.foundation.is_some()),
            ("absorbing", self.absorbing.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, given)| given.then_some(key))
    }

    /// The numbers of a natural condition, by their keys.
    pub fn scalars(&self) -> impl Iterator<Item = (&'static str, &Scalar)> {
        [
            ("flux", &self.flux),
            ("coefficient", &self.coefficient),
            ("ambient", &self.ambient),
            ("emissivity", &self.emissivity),
            ("pressure", &self.pressure),
            ("foundation", &self.foundation),
            ("absorbing", &self.absorbing),
        ]
        .into_iter()
        .filter_map(|(key, scalar)| Some((key, scalar.as_ref()?)))
    }

    /// The lists of a natural condition, by their keys.
    pub fn lists(&self) -> impl Iterator<Item = (&'static str, &[Scalar])> {
        [("traction", &self.traction), ("incoming", &self.incoming)]
            .into_iter()
            .filter_map(|(key, list)| Some((key, list.as_deref()?)))
    }

    /// Whether it is a natural condition: on facets, and no value of the field.
    pub fn is_natural(&self) -> bool {
        self.value.is_none()
    }
}
