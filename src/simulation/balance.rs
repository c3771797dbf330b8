//! The balance of a problem: what comes in through each part of the boundary and from sources, and what is stored.
use super::stage::Stage;
use crate::Result;
use crate::physics::Context;
use crate::physics::exchange::Exchange;

/// What a problem takes up, by part and component; all parts of a component add up to zero but for what the solver left.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Balance {
    /// Numbers of the components that balance: all but a pressure, and on a body of revolution the radial one of a solid,
    /// which hoop stress holds.
    pub components: Vec<usize>,
    /// `(what, into the body by component)`: markers, supports elsewhere, sources, what is stored (negative while the
    /// content grows).
    pub parts: Vec<(String, Vec<f64>)>,
}

impl Balance {
    /// What is missing, by component: the sum of all parts.
    pub fn imbalance(&self) -> Vec<f64> {
        self.sums(|value| value)
    }

    /// The sum of the parts' magnitudes, of the component for which it is largest.
    pub fn gross(&self) -> f64 {
        self.sums(f64::abs).into_iter().fold(0.0, f64::max)
    }

    fn sums(&self, of: impl Fn(f64) -> f64) -> Vec<f64> {
        (0..self.components.len()).map(|i| self.parts.iter().map(|(_, values)| of(values[i])).sum()).collect()
    }
}

impl Stage {
    /// The balance at the present solution. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn balance(&self, context: &Context) -> Result<Balance> {
        self.with_exchange(context, |exchange| self.balance_of(exchange))
    }

    fn balance_of(&self, exchange: &Exchange) -> Balance {
        let (problem, mesh) = (&self.problem, &self.problem.space.mesh);
        let components: Vec<usize> = match problem.facts().pressure {
            _ if problem.is_solid() && problem.space.axisymmetric => vec![1],
            true => (0..mesh.dimension).collect(),
            false => (0..problem.space.components).collect(),
        };
        let chosen = |values: Vec<f64>| components.iter().map(|&i| values[i]).collect::<Vec<f64>>();
        let mut parts = Vec::new();
        let mut carried = 0.0;
        for (name, facets) in self.sides() {
            let out = exchange.carried(&facets);
            carried += out;
            let mut values = exchange.supports(&facets);
            values.iter_mut().zip(exchange.natural(&facets)).for_each(|(sum, value)| *sum += value);
            values[0] -= out;
            parts.push((name, chosen(values)));
        }
        let elsewhere = chosen(exchange.elsewhere());
        if elsewhere.iter().any(|&value| value != 0.0) {
            parts.push(("supports inside".into(), elsewhere));
        }
        let all = exchange.residual_sum();
        let mut sources = exchange.sources();
        // The complete residual is what is stored less what comes in.
        let everything = mesh.facets.distinct(|_| true);
        let natural = exchange.natural(&everything);
        let stored: Vec<f64> = (0..sources.len()).map(|i| -(all[i] + sources[i] + natural[i])).collect();
        sources[0] += carried;
        let carries_itself = problem.facts().cubic;
        parts.push((if carries_itself { "sources, inertia" } else { "sources" }.into(), chosen(sources)));
        if self.residual.is_some() && !problem.is_linear_system() {
            parts.push(("stored".into(), chosen(stored)));
        }
        Balance { components, parts }
    }

    /// The facets of the boundary, and those inside with a condition, by the marker under which a condition lists them, or
    /// their first one. The same names on every rank.
    fn sides(&self) -> Vec<(String, Vec<u32>)> {
        let facets = &self.problem.space.mesh.facets;
        let none = facets.names.len();
        let mut listed = vec![false; facets.len()];
        let of_conditions = self.problem.conditions.iter().flat_map(|c| &c.facets);
        let of_integrals = self.problem.integrals.iter().flat_map(|i| &i.facets);
        of_conditions.chain(of_integrals).for_each(|&f| listed[f as usize] = true);
        let mut sides = vec![Vec::new(); none + 1];
        for facet in facets.distinct(|_| true) {
            let f = facet as usize;
            if facets.is_inner(f) && !listed[f] {
                continue;
            }
            sides[none.min(facets.marker[f] as usize)].push(facet);
        }
        let names = facets.names.iter().cloned().chain(["no marker".to_string()]);
        let comm = &self.problem.space.mesh.comm;
        names.zip(sides).filter(|(_, list)| comm.sum(list.len() as u64) > 0).collect()
    }
}
