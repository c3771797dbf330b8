//! What a problem exchanges with its surroundings, from the discrete equations.
//!
//! Tested with the basis function of a node, the weak form leaves on an essential boundary what flows in there weighted
//! with that function: `R_i = int q . n phi_i ds`, with the flux or traction that the form itself stands for. Sums of these
//! residuals are the consistent fluxes of Carey, Chow and Seager, CMAME 50 (1985), and of Hughes, Engel, Mazzei and
//! Larson, JCP 163 (2000): together with what natural and Robin conditions exchange and with the sources they add up to
//! zero, whatever the mesh. A node between several facets has one residual: each facet gets what the gradient in its cell
//! says, and of the difference between these and the residual a share by its part of the node's weight `int phi_i^2 ds`.
use super::coefficient::Context;
use super::internal::InternalStress;
use super::operator::At;
use super::problem::{Place, Problem};
use crate::Result;
use crate::fem::functional::{Sample, visit};
use crate::fem::place::{facet_groups, far_sides};
use crate::fem::{Data, Domain, Essential, History, Parts, Target, Values};

/// What a problem exchanges at some state, or on average over a step.
pub struct Exchange<'a> {
    problem: &'a Problem,
    /// One state, or both ends of a step over which Crank-Nicolson's equation holds on average.
    states: Vec<At<'a>>,
    /// `(facet, component, amount)`: what supports give through each facet; the facet is [`NOWHERE`] where a
    /// support lies on none.
    supports: Vec<(u32, u8, f64)>,
    /// Sum of the complete residual, by component, of this rank.
    residual: Vec<f64>,
    /// Whether no time derivative is in the balance of a cell.
    is_steady: bool,
}

/// No facet.
const NOWHERE: u32 = u32::MAX;

impl Problem {
    /// The exchange at `states` (one, or the start and end of a step for averages over it), with the complete `residual`
    /// there: that of [`Problem::residual`] negated, with what a time derivative adds. Without one, before the first step,
    /// supports give what the gradients in cells say. `steady`: no time derivative is in it. Collective.
    pub fn exchange<'a>(
        &'a self,
        states: &[At<'a>],
        essential: &Essential,
        residual: Option<&[f64]>,
        steady: bool,
    ) -> Exchange<'a> {
        let nothing;
        let known = residual.is_some();
        let residual = match residual {
            Some(residual) => residual,
            None => {
                nothing = vec![0.0; self.space.owned_dofs()];
                &nothing
            }
        };
        let c = self.space.components;
        let mut sums = vec![0.0; c];
        residual.iter().enumerate().for_each(|(dof, value)| sums[dof % c] += value);
        let supports = self.shares(states, essential, residual, known);
        Exchange { problem: self, states: states.to_vec(), supports, residual: sums, is_steady: steady }
    }

    /// The residuals of essential unknowns, shared among the facets with the conditions; those of conditions at points
    /// among all facets around.
    fn shares(
        &self,
        states: &[At],
        essential: &Essential,
        residual: &[f64],
        known: bool,
    ) -> Vec<(u32, u8, f64)> {
        let (space, c) = (&self.space, self.space.components);
        let facets = &space.mesh.facets;
        // Whether a component has a value on a facet: on entries of `facets` that stand first for theirs.
        let mut held = vec![false; facets.len() * c];
        for condition in &self.conditions {
            for &f in &condition.facets {
                for (i, value) in condition.values.iter().enumerate() {
                    held[f as usize * c + i] |= value.is_some();
                }
            }
        }
        let is_held = |f: u32, i: usize| held[f as usize * c + i];
        let all = facets.distinct(|_| true);
        let of_conditions: Vec<u32> =
            all.iter().copied().filter(|&f| (0..c).any(|i| is_held(f, i))).collect();
        let mut shares = self.weigh(&states[0], essential, &of_conditions, is_held);
        for at in &states[1..] {
            // The mean over a step goes with the mean of the gradients.
            let more = self.weigh(at, essential, &of_conditions, is_held);
            shares
                .iter_mut()
                .zip(more)
                .for_each(|(share, more)| share.guess = 0.5 * (share.guess + more.guess));
        }
        if !known {
            return shares.iter().map(|s| (s.facet, (s.dof % c) as u8, s.guess)).collect();
        }
        let mut totals = vec![[0.0; 2]; residual.len()];
        for share in &shares {
            let total = &mut totals[share.dof];
            (total[0], total[1]) = (total[0] + share.weight, total[1] + share.guess);
        }
        // What no such facet holds is a support at a point.
        let lone = |dof: usize| essential.fixed[dof] && totals[dof][0] == 0.0 && residual[dof] != 0.0;
        if space.mesh.comm.max(u8::from((0..residual.len()).any(lone))) == 1 {
            let around = self.weigh(&states[0], essential, &facets.boundary(), |_, _| true);
            let mut around: Vec<_> = around.into_iter().filter(|share| lone(share.dof)).collect();
            let mut found = totals.clone();
            for share in &mut around {
                share.guess = 0.0;
                found[share.dof][0] += share.weight;
            }
            let nowhere = (0..residual.len()).filter(|&dof| lone(dof) && found[dof][0] == 0.0);
            around.extend(nowhere.map(|dof| Share { facet: NOWHERE, dof, weight: 1.0, guess: 0.0 }));
            around.iter().filter(|s| s.facet == NOWHERE).for_each(|s| found[s.dof][0] = 1.0);
            totals = found;
            shares.extend(around);
        }
        let amount = |s: Share| {
            let [weight, guess] = totals[s.dof];
            (s.facet, (s.dof % c) as u8, s.guess + s.weight / weight * (residual[s.dof] - guess))
        };
        shares.into_iter().map(amount).collect()
    }

    /// Weights and guesses of the owned essential unknowns on facets.
    fn weigh(
        &self,
        at: &At,
        essential: &Essential,
        facets: &[u32],
        wanted: impl Fn(u32, usize) -> bool,
    ) -> Vec<Share> {
        let (space, c) = (&self.space, self.space.components);
        let functions = space.element.functions();
        let mut shares: Vec<Share> = Vec::new();
        let mut conormal = vec![0.0; c];
        for (rule, entities) in facet_groups(space, 2 * space.element.degree, facets) {
            let domain = Domain { rule: &rule, entities: &entities };
            let coefficients = self.on_facets(at.context, &domain);
            let points = rule.weights.len();
            let stress = self.stress_of(at);
            let mut own: Vec<(usize, Share)> = Vec::new();
            visit(space, at.state, &domain, |sample| {
                if sample.point == 0 {
                    own.clear();
                    let local = space.mesh.facets.local[sample.entity.0 as usize] as usize;
                    for a in space.element.facet_functions(local) {
                        let node = space.nodes_of(sample.cell)[a as usize] as usize;
                        for i in 0..c {
                            let (facet, dof) = (sample.entity.0, node * c + i);
                            if node < space.owned_nodes && essential.fixed[dof] && wanted(facet, i) {
                                own.push((a as usize, Share { facet, dof, weight: 0.0, guess: 0.0 }));
                            }
                        }
                    }
                }
                self.conormal((&coefficients, &stress), sample, points, &mut conormal);
                for (a, share) in &mut own {
                    let value = rule.basis.values[sample.point * functions + *a];
                    share.weight += sample.weight * value * value;
                    share.guess += sample.weight * value * conormal[share.dof % c];
                }
                if sample.point + 1 == points {
                    shares.extend(own.iter().map(|(_, share)| *share));
                }
            });
        }
        // On an axis the measure of a circle vanishes.
        shares.iter_mut().for_each(|share| share.weight = share.weight.max(f64::MIN_POSITIVE));
        shares
    }

    /// The coefficients of the volume on facets that derived fields read.
    pub(super) fn on_facets(&self, context: &Context, domain: &Domain) -> Vec<Values> {
        let count = domain.entities.iter().map(|e| e.1 as usize + 1).max().unwrap_or(0);
        self.local_values(context, domain, count)
    }

    /// What the form's flux gives through the facet of a sample into its cell, by component, as the weak form has it:
    /// `K grad u . n`, or `sigma n`. Internal variables have the stress, see [`Problem::stress_of`].
    pub(super) fn conormal(
        &self,
        (coefficients, internal): (&[Values], &InternalStress),
        sample: &Sample,
        points: usize,
        result: &mut [f64],
    ) {
        let (index, region) = (sample.entity.0 as usize, sample.entity.1 as usize);
        let k = |output: usize| coefficients[output].at(index, region, sample.point, points);
        let mut stress = [0.0; 6];
        internal.at(sample, &mut stress);
        (self.equation.law.conormal)(&self.local(&k, sample, &stress), &sample.normal, result);
    }

    /// Minus the volume or boundary part of the residual, summed by component over this rank's rows: all of an integral,
    /// or its facets that are `wanted`.
    fn given(&self, at: &At, integral: usize, wanted: impl Fn(u32) -> bool) -> Vec<f64> {
        let c = self.space.components;
        let part = &self.integrals[integral];
        let mut load = vec![0.0; self.space.owned_dofs()];
        for group in &part.groups {
            let entities: Vec<_> = match part.place {
                Place::Volume => group.entities.clone(),
                Place::Boundary => {
                    let on = |entity: &&(u32, u32, u16)| wanted(part.facets[entity.1 as usize]);
                    group.entities.iter().filter(on).copied().collect()
                }
            };
            let domain = Domain { rule: &group.rule, entities: &entities };
            let coefficients = part.coefficients.evaluate(at.context, &self.space, &domain, part.entities);
            // Stresses have no sum: any internal variables will do.
            let history = if part.place == Place::Volume { self.new_history() } else { None };
            self.add_rest(part.place, &domain, &coefficients, history.as_ref(), at.state, &mut load);
        }
        let mut sums = vec![0.0; c];
        load.iter().enumerate().for_each(|(dof, value)| sums[dof % c] -= value);
        sums
    }

    /// Adds the residual of a volume or boundary term at a state, tested with every owned function.
    pub(super) fn add_rest(
        &self,
        place: Place,
        domain: &Domain,
        coefficients: &[Values],
        history: Option<&History>,
        state: &[f64],
        load: &mut [f64],
    ) {
        let mut target = Target { matrix: None, load, state: Some(state) };
        let data = Data { coefficients, essential: None, history, parts: Parts::REST };
        self.add(place, domain, data, &mut target);
    }

    /// The complete residual of a steady state, `K u - f`: what supports give on essential unknowns. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn steady_residual(&self, at: &At) -> Result<Vec<f64>> {
        let mut residual = self.space.field()?;
        self.residual(at.context, at.state, &mut residual)?;
        residual.scale(-1.0)?;
        Ok(residual.read()?.to_vec())
    }
}

/// One facet's claim on the residual of an essential unknown.
#[derive(Clone, Copy)]
struct Share {
    facet: u32,
    dof: usize,
    weight: f64,
    guess: f64,
}

impl Exchange<'_> {
    /// What supports give through facets (distinct ones, ascending), by component. Collective.
    pub fn supports(&self, facets: &[u32]) -> Vec<f64> {
        self.supported(|f| facets.binary_search(&f).is_ok())
    }

    /// What supports at points that lie on no facet give, by component. Collective.
    pub fn elsewhere(&self) -> Vec<f64> {
        self.supported(|f| f == NOWHERE)
    }

    /// What all supports give, by component. Collective.
    pub fn all_supports(&self) -> Vec<f64> {
        self.supported(|_| true)
    }

    fn supported(&self, wanted: impl Fn(u32) -> bool) -> Vec<f64> {
        let mut sums = vec![0.0; self.problem.space.components];
        self.supports.iter().filter(|s| wanted(s.0)).for_each(|s| sums[s.1 as usize] += s.2);
        self.finished(sums)
    }

    /// What natural and Robin conditions give through facets (distinct ones, ascending), by component. Collective.
    pub fn natural(&self, facets: &[u32]) -> Vec<f64> {
        self.mean(|at| {
            let mut sums = vec![0.0; self.problem.space.components];
            for integral in 1..self.problem.integrals.len() {
                let part = self.problem.given(at, integral, |f| facets.binary_search(&f).is_ok());
                sums.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
            }
            sums
        })
    }

    /// What sources, body forces and the like give in the volume, by component. Collective.
    pub fn sources(&self) -> Vec<f64> {
        self.mean(|at| self.problem.given(at, 0, |_| true))
    }

    /// Sum of the complete residual over all unknowns, by component. Collective.
    pub fn residual_sum(&self) -> Vec<f64> {
        self.finished(self.residual.clone())
    }

    /// What a given or computed velocity carries out through facets: `int u b . n ds`. Zero for models without one.
    /// Collective.
    pub fn carried(&self, facets: &[u32]) -> f64 {
        let meanings = &self.problem.integrals[0].coefficients.meanings;
        let Some(first) = meanings.iter().position(|meaning| meaning.key == "velocity") else { return 0.0 };
        let dimension = self.problem.space.mesh.dimension;
        let mean = self.mean(|at| {
            vec![self.problem.over_facets(at, facets, |k, sample, _| {
                let normal = (0..dimension).map(|d| k(first + d) * sample.normal[d]).sum::<f64>();
                normal * sample.value[0]
            })]
        });
        mean[0]
    }

    /// Flow of volume out through facets. Collective.
    pub fn outflow(&self, facets: &[u32]) -> f64 {
        let dimension = self.problem.space.mesh.dimension;
        self.mean(|at| {
            vec![self.problem.over_facets(at, facets, |_, sample, _| {
                (0..dimension).map(|d| sample.value[d] * sample.normal[d]).sum()
            })]
        })[0]
    }

    /// What the form's flux carries through facets inside the domain against their normals, by component: from the
    /// equations of the cells on both sides, in time the mean of both sides' gradients. Collective.
    pub fn through(&self, facets: &[u32]) -> Vec<f64> {
        let c = self.problem.space.components;
        if self.is_steady {
            return self.mean(|at| self.problem.through(at, facets));
        }
        self.mean(|at| {
            let one = |i: usize| self.problem.over_facets(at, facets, |_, _, conormal| conormal[i]);
            (0..c).map(one).collect()
        })
    }

    /// The mean over the states of sums that ranks share.
    fn mean(&self, of: impl Fn(&At) -> Vec<f64>) -> Vec<f64> {
        let mut total = vec![0.0; self.problem.space.components.max(1)];
        for at in &self.states {
            let scale = self.states.len() as f64;
            total.iter_mut().zip(of(at)).for_each(|(sum, value)| *sum += value / scale);
        }
        self.finished(total)
    }

    /// Sums over the ranks, with the sign of the physics.
    fn finished(&self, mut sums: Vec<f64>) -> Vec<f64> {
        self.problem.space.mesh.comm.sum_into(&mut sums);
        // See `helmholtz`.
        if self.problem.facts().complex && sums.len() > 1 {
            sums[1] = -sums[1];
        }
        sums
    }
}

impl Problem {
    /// This rank's part of the integral over facets of `of(coefficients, sample, conormal)`, which is odd in the normal:
    /// on facets inside the domain the mean of both sides, with the facet's own normal. Local.
    pub(super) fn over_facets(
        &self,
        at: &At,
        facets: &[u32],
        of: impl Fn(&dyn Fn(usize) -> f64, &Sample, &[f64]) -> f64,
    ) -> f64 {
        let (space, all) = (&self.space, &self.space.mesh.facets);
        let owned: Vec<u32> = facets
            .iter()
            .copied()
            .filter(|&f| (all.cell[f as usize] as usize) < space.mesh.owned_cells)
            .collect();
        let mut sum = 0.0;
        let mut conormal = vec![0.0; space.components];
        let mut sides = facet_groups(space, 2 * space.element.degree, &owned);
        sides.extend(far_sides(space, 2 * space.element.degree, &owned));
        for (rule, entities) in sides {
            let domain = Domain { rule: &rule, entities: &entities };
            let coefficients = self.on_facets(at.context, &domain);
            let points = rule.weights.len();
            let stress = self.stress_of(at);
            visit(space, at.state, &domain, |sample| {
                let (index, region) = (sample.entity.0 as usize, sample.entity.1 as usize);
                let k = |output: usize| coefficients[output].at(index, region, sample.point, points);
                self.conormal((&coefficients, &stress), sample, points, &mut conormal);
                let value = sample.weight * of(&k, sample, &conormal);
                sum += match (all.is_inner(index), all.outward[index]) {
                    (false, _) => value,
                    (true, outward) => {
                        let near = sample.cell == all.cell[index] as usize;
                        if near == outward { 0.5 * value } else { -0.5 * value }
                    }
                };
            });
        }
        sum
    }
}
