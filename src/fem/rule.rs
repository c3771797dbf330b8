//! Over what an integral goes, and with which points.
use super::element::{Element, Tabulation};
use super::facet_rule::FacetRule;
use super::quadrature::Quadrature;
use tessera_kernels::{Entity, Tables};

/// Basis functions and geometry at the quadrature points of a reference cell or one of its facets.
pub struct Rule {
    /// Reference coordinates of the points.
    pub points: Vec<[f64; 3]>,
    /// Weights.
    pub weights: Vec<f64>,
    /// The space's basis.
    pub basis: Tabulation,
    /// The geometry's basis (degree 1).
    pub geometry: Tabulation,
    /// Reference normal, on facets (see [`FacetRule`]).
    pub normal: Option<[f64; 3]>,
}

impl Rule {
    /// The rule of that degree on cells.
    pub fn cells(element: &Element, degree: usize) -> Self {
        Self::new(element, Quadrature::new(element.cell, degree), None)
    }

    /// The vertices of cells, see [`Quadrature::vertices`].
    pub fn vertices(element: &Element) -> Self {
        Self::new(element, Quadrature::vertices(element.cell), None)
    }

    /// The rule of that degree on facet number `facet` of the cells.
    pub fn facet(element: &Element, facet: usize, degree: usize) -> Self {
        let rule = FacetRule::new(element.cell, facet, degree);
        Self::new(element, rule.quadrature, Some(rule.normal))
    }

    /// The vertices of facet number `facet` of the cells.
    pub fn facet_vertices(element: &Element, facet: usize) -> Self {
        let rule = FacetRule::vertices(element.cell, facet);
        Self::new(element, rule.quadrature, Some(rule.normal))
    }

    /// One of its points alone, with its weight.
    pub fn at_point(&self, q: usize) -> Self {
        let one = |table: &Tabulation| {
            let n = table.functions;
            Tabulation {
                functions: n,
                values: table.values[q * n..][..n].to_vec(),
                gradients: table.gradients[q * n..][..n].to_vec(),
            }
        };
        Self {
            points: vec![self.points[q]],
            weights: vec![self.weights[q]],
            basis: one(&self.basis),
            geometry: one(&self.geometry),
            normal: self.normal,
        }
    }

    /// As kernels take it.
    pub(super) fn tables(&self) -> Tables<'_> {
        Tables { weights: &self.weights, basis: &self.basis, geometry: &self.geometry, normal: self.normal }
    }

    fn new(element: &Element, quadrature: Quadrature, normal: Option<[f64; 3]>) -> Self {
        Self {
            basis: element.tabulate(&quadrature.points),
            geometry: Element::new(element.cell, 1).tabulate(&quadrature.points),
            weights: quadrature.weights,
            points: quadrature.points,
            normal,
        }
    }
}

/// Where an integral is taken: local cells, or facets seen from their cells.
pub struct Domain<'a> {
    /// The rule on the reference cell.
    pub rule: &'a Rule,
    /// What is integrated over.
    pub entities: &'a [Entity],
}
