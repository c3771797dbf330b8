//! What flows through facets inside the body, from the equations of the cells on either side.
//!
//! The cells at a node on one side of the facets leave, tested with its basis function, what flows through the facets and
//! through the body's own boundary there. The latter is known on natural and Robin boundaries and shared as in
//! [`exchange`](super::exchange) on essential ones. The mean of both sides is taken; where the facets end inside the body a
//! node has no sides, and the gradients of the cells at the facets stand for it.
use super::operator::At;
use super::problem::{Place, Problem};
use crate::fem::Domain;
use crate::fem::functional::visit;
use crate::fem::place::{facet_groups, far_sides};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// By facet, side (the cell that the facet names, or the one behind) and node: the integral of the form's flux out of the
/// side's cell, by component, and the weight `int phi^2 ds`.
type Guesses = HashMap<(u32, bool, u32), (Vec<f64>, f64)>;

impl Problem {
    /// This rank's part of what the form's flux carries through facets inside the body along their normals, by component,
    /// at a steady state. Local.
    pub(super) fn through(&self, at: &At, facets: &[u32]) -> Vec<f64> {
        let (space, mesh, c) = (&self.space, &self.space.mesh, self.space.components);
        let mut sums = vec![0.0; c];
        if facets.is_empty() {
            return sums;
        }
        let guesses = self.guesses(at, facets);
        let on_facets: BTreeSet<u32> = guesses.keys().map(|key| key.2).collect();
        let mut stars: BTreeMap<u32, Vec<u32>> = on_facets.iter().map(|&node| (node, Vec::new())).collect();
        for cell in 0..mesh.local_cells() {
            for node in space.nodes_of(cell) {
                if let Some(star) = stars.get_mut(node) {
                    star.push(cell as u32);
                }
            }
        }
        let key = |cell: usize, local: usize| {
            let mut list: Vec<u32> = mesh.facet_vertices(cell, local).collect();
            list.sort_unstable();
            list
        };
        let own = |f: u32| key(mesh.facets.cell[f as usize] as usize, mesh.facets.local[f as usize] as usize);
        let cut: BTreeSet<Vec<u32>> = facets.iter().map(|&f| own(f)).collect();
        let mut sides: BTreeMap<u32, Vec<(u32, f64)>> = BTreeMap::new();
        let mut at_node: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (facet, near, node) in guesses.keys() {
            if *near {
                at_node.entry(*node).or_default().push(*facet);
            }
        }
        for (&node, star) in &stars {
            let own = at_node.get(&node).map_or(&[][..], Vec::as_slice);
            if let Some(signs) = self.sides_of(star, own, |cell, local| {
                (!cut.contains(&key(cell, local))).then(|| key(cell, local))
            }) {
                sides.insert(node, star.iter().copied().zip(signs).collect());
            }
        }
        // Where the facets end.
        for ((facet, near, node), (flux, _)) in &guesses {
            if !sides.contains_key(node) {
                let sign = if *near == mesh.facets.outward[*facet as usize] { 0.5 } else { -0.5 };
                sums.iter_mut().zip(flux).for_each(|(sum, value)| *sum += sign * value);
            }
        }
        let left = self.left_over(at, &sides, &cut);
        let outer = self.outer(at, &sides);
        for (node, cells) in &sides {
            for sign in [1.0, -1.0] {
                let of_side: Vec<u32> =
                    cells.iter().filter(|side| side.1 == sign).map(|side| side.0).collect();
                for i in 0..c {
                    let rest: f64 =
                        of_side.iter().filter_map(|cell| left.get(&(*cell, *node))).map(|r| r[i]).sum();
                    let facets = at_node.get(node).into_iter().flatten();
                    let on_side = facets.filter_map(|&f| {
                        let near = mesh.facets.outward[f as usize] == (sign > 0.0);
                        guesses.get(&(f, near, *node))
                    });
                    let (mut flux, mut weight) = (0.0, 0.0);
                    on_side.for_each(|(own, w)| (flux, weight) = (flux + own[i], weight + w));
                    let (mut others, mut all) = (flux, weight);
                    for cell in &of_side {
                        for (own, w) in outer.get(&(*cell, *node, i as u8)).into_iter().flatten() {
                            (others, all) = (others + own, all + w);
                        }
                    }
                    sums[i] += 0.5 * sign * (flux + weight / all.max(f64::MIN_POSITIVE) * (rest - others));
                }
            }
        }
        sums
    }

    /// For each cell at a node, 1 where normals of the facets there point out of its side and -1 where they point into
    /// it; `None` where the facets do not part the cells. `passage` names a facet through which two cells hang together.
    fn sides_of(
        &self,
        star: &[u32],
        facets: &[u32],
        passage: impl Fn(usize, usize) -> Option<Vec<u32>>,
    ) -> Option<Vec<f64>> {
        let mesh = &self.space.mesh;
        let mut group: Vec<usize> = (0..star.len()).collect();
        let mut met: HashMap<Vec<u32>, usize> = HashMap::new();
        for (k, &cell) in star.iter().enumerate() {
            for local in 0..mesh.cell_type.facets() {
                let Some(name) = passage(cell as usize, local) else { continue };
                if let Some(&other) = met.get(&name) {
                    let (a, b) = (group[k], group[other]);
                    group.iter_mut().filter(|g| **g == a).for_each(|g| *g = b);
                } else {
                    met.insert(name, k);
                }
            }
        }
        let mut signs = vec![0.0; star.len()];
        for &f in facets {
            let f = f as usize;
            let out = if mesh.facets.outward[f] { 1.0 } else { -1.0 };
            for (cell, sign) in [(mesh.facets.cell[f], out), (mesh.facets.behind[f], -out)] {
                let k = star.iter().position(|&other| other == cell)?;
                if signs[group[k]] == -sign {
                    return None;
                }
                signs[group[k]] = sign;
            }
        }
        let list: Vec<f64> = group.iter().map(|&g| signs[g]).collect();
        (!list.contains(&0.0)).then_some(list)
    }

    /// Gradients' fluxes out of the cells on both sides of facets, at their owned nodes.
    fn guesses(&self, at: &At, facets: &[u32]) -> Guesses {
        let space = &self.space;
        let mut result = Guesses::new();
        let degree = 2 * space.element.degree;
        let near = facet_groups(space, degree, facets).into_iter().map(|group| (true, group));
        let far = far_sides(space, degree, facets).into_iter().map(|group| (false, group));
        let mut conormal = vec![0.0; space.components];
        for (near, (rule, entities)) in near.chain(far) {
            let domain = Domain { rule: &rule, entities: &entities };
            let coefficients = self.on_facets(at.context, &domain);
            let (points, stress) = (rule.weights.len(), self.stress_of(at));
            visit(space, at.state, &domain, |sample| {
                self.conormal((&coefficients, &stress), sample, points, &mut conormal);
                for (&node, shape) in space.nodes_of(sample.cell).iter().zip(sample.shapes(space)) {
                    // Functions of other nodes vanish on the facet.
                    if shape.abs() < 1e-12 || node as usize >= space.owned_nodes {
                        continue;
                    }
                    let new = || (vec![0.0; space.components], 0.0);
                    let (flux, weight) = result.entry((sample.entity.0, near, node)).or_insert_with(new);
                    flux.iter_mut()
                        .zip(&conormal)
                        .for_each(|(sum, value)| *sum += sample.weight * shape * value);
                    *weight += sample.weight * shape * shape;
                }
            });
        }
        result
    }

    /// By cell and node of `sides`: the cell's volume term tested with the node's function, less what natural conditions
    /// give through the cell's facets beside those that are `cut`.
    fn left_over(
        &self,
        at: &At,
        sides: &BTreeMap<u32, Vec<(u32, f64)>>,
        cut: &BTreeSet<Vec<u32>>,
    ) -> HashMap<(u32, u32), Vec<f64>> {
        let (space, mesh, c) = (&self.space, &self.space.mesh, self.space.components);
        let cells: BTreeSet<u32> = sides.values().flatten().map(|side| side.0).collect();
        let mut result: HashMap<(u32, u32), Vec<f64>> = HashMap::new();
        let mut load = vec![0.0; space.owned_dofs()];
        for integral in &self.integrals {
            for group in &integral.groups {
                let domain = Domain { rule: &group.rule, entities: &group.entities };
                let coefficients =
                    integral.coefficients.evaluate(at.context, space, &domain, integral.entities);
                for entity in group.entities.iter().filter(|entity| cells.contains(&entity.0)) {
                    if integral.place == Place::Boundary {
                        let f = integral.facets[entity.1 as usize] as usize;
                        let mut own: Vec<u32> =
                            mesh.facet_vertices(entity.0 as usize, mesh.facets.local[f] as usize).collect();
                        own.sort_unstable();
                        if cut.contains(&own) {
                            continue;
                        }
                    }
                    let domain = Domain { rule: &group.rule, entities: std::slice::from_ref(entity) };
                    self.add_rest(integral.place, &domain, &coefficients, None, at.state, &mut load);
                    for &node in space.nodes_of(entity.0 as usize) {
                        if (node as usize) < space.owned_nodes {
                            let own = &mut load[node as usize * c..][..c];
                            let sums = result.entry((entity.0, node)).or_insert_with(|| vec![0.0; c]);
                            sums.iter_mut().zip(&*own).for_each(|(sum, value)| *sum += value);
                            own.fill(0.0);
                        }
                    }
                }
            }
        }
        result
    }

    /// By cell, node of `sides` and component: flux and weight of each facet of the cell with an essential condition.
    fn outer(
        &self,
        at: &At,
        sides: &BTreeMap<u32, Vec<(u32, f64)>>,
    ) -> HashMap<(u32, u32, u8), Vec<(f64, f64)>> {
        let facets = &self.space.mesh.facets;
        let mut result: HashMap<(u32, u32, u8), Vec<(f64, f64)>> = HashMap::new();
        for condition in &self.conditions {
            let outer: Vec<u32> =
                condition.facets.iter().copied().filter(|&f| !facets.is_inner(f as usize)).collect();
            for ((facet, _, node), (flux, weight)) in self.guesses(at, &outer) {
                let cell = facets.cell[facet as usize];
                if !sides.contains_key(&node) {
                    continue;
                }
                for i in (0..condition.values.len()).filter(|&i| condition.values[i].is_some()) {
                    result.entry((cell, node, i as u8)).or_default().push((flux[i], weight));
                }
            }
        }
        result
    }
}
