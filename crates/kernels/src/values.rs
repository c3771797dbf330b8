//! Coefficients on a domain of integration.

/// The values of one coefficient on a domain.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// The same everywhere.
    Uniform(f64),
    /// One value for each region of the mesh (for each group of facets on a boundary).
    ByRegion(Vec<f64>),
    /// `[cell, quadrature point]` over local cells (`[facet, quadrature point]` on a boundary).
    ByPoint(Vec<f64>),
}

impl Values {
    /// Whether every value is zero.
    pub fn is_zero(&self) -> bool {
        match self {
            Self::Uniform(value) => *value == 0.0,
            Self::ByRegion(values) | Self::ByPoint(values) => values.iter().all(|&v| v == 0.0),
        }
    }

    /// Whether the values differ from point to point.
    pub fn is_by_point(&self) -> bool {
        matches!(self, Self::ByPoint(_))
    }

    /// The value at a quadrature point (`points` to an entity).
    #[inline(always)]
    pub fn at(&self, entity: usize, region: usize, point: usize, points: usize) -> f64 {
        match self {
            Self::Uniform(value) => *value,
            Self::ByRegion(values) => values[region],
            Self::ByPoint(values) => values[entity * points + point],
        }
    }
}
