//! What holds a problem: motions that its conditions leave free.
//!
//! A system without a unique solution is found before it is solved: in every piece of the mesh (cells that share nodes) the
//! motions that the material does not resist, rigid ones of a solid and constants of the others, are compared with what
//! the essential conditions, foundations, Robin conditions and reactions hold. What they do not see of these motions is
//! free: the null space of a small Gram matrix a piece.
mod modes;
mod stage;
mod words;

use crate::fem::functional::visit;
use crate::fem::{Domain, Essential, Space};
use crate::physics::{Context, Equation, Model, Problem};
use crate::{Error, Result};
use faer::{Mat, Side};
use modes::{Modes, holding, simplest};
use petsc_rs::{Norm, Vector};
pub(super) use stage::Support;

/// Eigenvalues of a Gram matrix below this part of the largest are zero.
const ZERO: f64 = 1e-12;

/// The pieces of a mesh: nodes that cells connect.
pub struct Pieces {
    /// Piece of each local node.
    of_node: Vec<u32>,
    /// Centre of the nodes (m) and largest distance from it, by piece.
    frames: Vec<([f64; 3], f64)>,
}

/// Motions that nothing holds, in a body that is held otherwise.
pub struct FreeMotions {
    /// Orthonormal motions, zero on essential unknowns; ghosts up to date.
    pub modes: Vec<Vector>,
    /// One local unknown (ghosts included) for each motion that takes it out when it is fixed; empty on ranks without it.
    pub pins: Vec<usize>,
    /// What is free, in words.
    pub what: String,
}

/// A motion: coefficients of the modes of a piece.
type Motion = (usize, Vec<f64>);

impl Pieces {
    /// Finds them. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn new(space: &Space) -> Result<Self> {
        let comm = &space.mesh.comm;
        // Every node takes the lowest number in its piece: inside a rank at once, over the ranks step by step.
        let mut labels = space.field_of(1)?;
        {
            let mut values = labels.write()?;
            (0..space.owned_nodes).for_each(|node| values[node] = (space.first as usize + node) as f64);
        }
        labels.ghost_update()?;
        let groups = connected(space);
        let count = groups.iter().max().map_or(0, |&group| group as usize + 1);
        loop {
            let mut least = vec![f64::INFINITY; count];
            let mut changed = false;
            {
                let mut values = labels.local_write()?;
                for (value, &group) in values.iter().zip(&groups) {
                    let least = &mut least[group as usize];
                    *least = least.min(*value);
                }
                for (value, &group) in values.iter_mut().zip(&groups) {
                    changed |= *value != least[group as usize];
                    *value = least[group as usize];
                }
            }
            labels.ghost_update()?;
            if comm.max(u8::from(changed)) == 0 {
                break;
            }
        }
        let values = labels.local_read()?;
        let distinct = |list: &mut Vec<f64>| {
            list.sort_by(f64::total_cmp);
            list.dedup();
        };
        let mut mine = values.to_vec();
        distinct(&mut mine);
        let mut names = comm.all_gather_varied(&mine);
        distinct(&mut names);
        let piece = |value: &f64| names.partition_point(|name| name < value) as u32;
        let of_node: Vec<u32> = values.iter().map(piece).collect();
        drop(values);
        let mut sums = vec![0.0; names.len() * 4];
        for node in 0..space.owned_nodes {
            let (x, sums) = (space.point(node), &mut sums[of_node[node] as usize * 4..]);
            (0..3).for_each(|d| sums[d] += x[d]);
            sums[3] += 1.0;
        }
        comm.sum_into(&mut sums);
        let centres: Vec<[f64; 3]> =
            sums.chunks_exact(4).map(|s| std::array::from_fn(|d| s[d] / s[3])).collect();
        let mut sizes = vec![0.0f64; names.len()];
        for node in 0..space.owned_nodes {
            let piece = of_node[node] as usize;
            let x = space.point(node);
            let square: f64 = (0..3).map(|d| (x[d] - centres[piece][d]).powi(2)).sum();
            sizes[piece] = sizes[piece].max(square.sqrt());
        }
        let sizes: Vec<f64> = sizes.iter().map(|&size| comm.max(size)).collect();
        let frames = centres.into_iter().zip(sizes).collect();
        Ok(Self { of_node, frames })
    }

    /// A place relative to the centre of a piece, in units of its size.
    fn place(&self, piece: usize, x: &[f64; 3]) -> [f64; 3] {
        let (centre, size) = &self.frames[piece];
        std::array::from_fn(|d| (x[d] - centre[d]) / size.max(f64::MIN_POSITIVE))
    }

    /// What the conditions of a problem leave free, as motions of pieces, and whether anything holds each piece.
    fn free(&self, problem: &Problem, essential: &Essential, context: &Context) -> (Vec<Motion>, Vec<bool>) {
        let (space, modes) = (&problem.space, Modes::of(problem));
        let (n, c) = (modes.count(), space.components);
        let mut grams = vec![0.0; self.frames.len() * n * n];
        let mut row = vec![0.0; n];
        let mut add = |piece: usize, row: &[f64]| {
            for i in 0..n {
                (0..n).for_each(|j| grams[(piece * n + i) * n + j] += row[i] * row[j]);
            }
        };
        for dof in essential.owned(space) {
            let (node, i) = (dof / c, dof % c);
            let piece = self.of_node[node] as usize;
            let x = self.place(piece, &space.point(node));
            (0..n).for_each(|k| row[k] = modes.value(k, i, &x));
            add(piece, &row);
        }
        let nothing = vec![0.0; space.local_nodes() * c];
        for integral in &problem.integrals {
            let Some(output) = holding(problem, integral.place) else { continue };
            for group in &integral.groups {
                let domain = group.domain();
                let values = &integral.coefficients.evaluate_some(
                    output..output + 1,
                    context,
                    space,
                    &domain,
                    integral.entities,
                )[0];
                if values.is_zero() {
                    continue;
                }
                let points = group.rule.weights.len();
                visit(space, &nothing, &Domain { rule: &group.rule, entities: &group.entities }, |sample| {
                    let (index, region) = (sample.entity.0 as usize, sample.entity.1 as usize);
                    if sample.cell >= space.mesh.owned_cells
                        || values.at(index, region, sample.point, points) == 0.0
                    {
                        return;
                    }
                    let piece = self.of_node[space.nodes_of(sample.cell)[0] as usize] as usize;
                    if modes == Modes::Axial || matches!(modes, Modes::Rigid(_)) {
                        // A foundation holds along the normal.
                        let x = self.place(piece, &sample.position());
                        for (k, value) in row.iter_mut().enumerate() {
                            *value = (0..c).map(|i| sample.normal[i] * modes.value(k, i, &x)).sum();
                        }
                        add(piece, &row);
                    } else {
                        for k in 0..n {
                            row.fill(0.0);
                            row[k] = 1.0;
                            add(piece, &row);
                        }
                    }
                });
            }
        }
        space.mesh.comm.sum_into(&mut grams);
        let mut motions = Vec::new();
        let mut held = Vec::new();
        for (piece, gram) in grams.chunks_exact(n * n).enumerate() {
            held.push(gram.iter().any(|&g| g != 0.0));
            let matrix = Mat::from_fn(n, n, |i, j| gram[i * n + j]);
            let Ok(eigen) = matrix.self_adjoint_eigen(Side::Lower) else { continue };
            let values: Vec<f64> = (0..n).map(|i| eigen.S().column_vector()[i]).collect();
            let least = ZERO * values.iter().fold(0.0f64, |m, v| m.max(*v));
            let free = (0..n).filter(|&i| values[i] <= least);
            let vectors = free.map(|i| (0..n).map(|k| eigen.U()[(k, i)]).collect()).collect();
            motions.extend(simplest(vectors).into_iter().map(|motion| (piece, motion)));
        }
        (motions, held)
    }

    /// Checks that conditions hold everything. Motions that remain in a solid of which every piece is held somehow are
    /// returned: loads that do not push that way leave them alone. `context` gives the coefficients. Collective.
    ///
    /// # Errors
    /// [`Error::Failed`] that names the physics, what is free and what to do.
    pub fn check(
        &self,
        problem: &Problem,
        essential: &Essential,
        context: &Context,
    ) -> Result<Option<FreeMotions>> {
        let (motions, held) = self.free(problem, essential, context);
        if motions.is_empty() {
            return Ok(None);
        }
        let solid = matches!(Modes::of(problem), Modes::Rigid(_) | Modes::Axial);
        let loose = motions.iter().find(|(piece, _)| !held[*piece]).map(|motion| motion.0);
        if let (None, true) = (loose, matches!(problem.model, Model::Elasticity { .. })) {
            return Ok(Some(self.motions(problem, &motions)?));
        }
        let piece = loose.unwrap_or(motions[0].0);
        let (name, field) = (&problem.name, &problem.field);
        let place = if self.frames.len() > 1 { Some(self.describe(problem, piece)) } else { None };
        let flow = problem.model.equation() == Some(Equation::NavierStokes);
        let message = match (solid, place, loose.is_some()) {
            (false, place, _) if flow => format!(
                "nothing fixes the mean velocity of a steady flow{}: give the velocity on a boundary or at a point, or run \
                 it in time ([time])",
                place.map_or(String::new(), |place| format!(" in {place}"))
            ),
            (true, None, true) => {
                "nothing holds the body: give a boundary a `value` (displacement) or a `foundation`".into()
            }
            (true, Some(place), true) => format!(
                "{place} are connected to nothing that is held and may move and turn freely: give a boundary of that \
                 piece a `value` (displacement) or a `foundation`, or join the pieces in the mesh"
            ),
            (true, _, false) => format!(
                "{}: hold it by a `value` (displacement) or a `foundation`",
                self.words(problem, &motions)
            ),
            (false, None, _) => format!(
                "nothing fixes the level of the field {field}: give a boundary a `value`, or a `coefficient` and \
                 `ambient`, or the material a `reaction`"
            ),
            (false, Some(place), _) => format!(
                "nothing fixes the level of the field {field} in {place}: give a boundary of that piece a `value`, or a \
                 `coefficient` and `ambient`, or the material a `reaction`, or join the pieces in the mesh"
            ),
        };
        Err(Error::Failed(format!("physics `{name}`: {message}")))
    }

    /// Motions as fields, with unknowns that take them out. Collective.
    fn motions(&self, problem: &Problem, motions: &[Motion]) -> Result<FreeMotions> {
        let (space, modes) = (&problem.space, Modes::of(problem));
        let (c, comm) = (space.components, &space.mesh.comm);
        let mut result =
            FreeMotions { modes: Vec::new(), pins: Vec::new(), what: self.words(problem, motions) };
        for (piece, motion) in motions {
            let mut field = space.field()?;
            {
                let mut values = field.write()?;
                for node in (0..space.owned_nodes).filter(|&node| self.of_node[node] as usize == *piece) {
                    let x = self.place(*piece, &space.point(node));
                    for i in 0..c {
                        let terms = motion.iter().enumerate().map(|(k, a)| a * modes.value(k, i, &x));
                        values[node * c + i] = terms.sum();
                    }
                }
            }
            for other in &result.modes {
                let projection = field.dot(other)?;
                field.axpy(-projection, other)?;
            }
            let length = field.norm(Norm::Two)?;
            field.scale(1.0 / length)?;
            // Where it moves most; of equal places the first in the order of the mesh.
            let mut place = u64::MAX;
            {
                let values = field.read()?;
                let most = comm.max(values.iter().fold(0.0f64, |m, v| m.max(v.abs())));
                for (dof, value) in values.iter().enumerate() {
                    let number = space.node_ids[dof / c] * c as u64 + (dof % c) as u64;
                    if value.abs() >= most * (1.0 - 1e-9) && number < place {
                        place = number;
                    }
                }
            }
            let place = comm.min(place);
            let here = |&node: &usize| space.node_ids[node] == place / c as u64;
            let pins =
                (0..space.local_nodes()).filter(here).map(|node| node * c + (place % c as u64) as usize);
            result.pins.extend(pins);
            field.ghost_update()?;
            result.modes.push(field);
        }
        Ok(result)
    }
}

/// Local nodes that cells connect: a number for each.
fn connected(space: &Space) -> Vec<u32> {
    let mut parent: Vec<u32> = (0..space.local_nodes() as u32).collect();
    fn root(parent: &mut [u32], mut node: u32) -> u32 {
        while parent[node as usize] != node {
            parent[node as usize] = parent[parent[node as usize] as usize];
            node = parent[node as usize];
        }
        node
    }
    for nodes in space.cell_nodes.chunks_exact(space.element.functions()) {
        for &node in &nodes[1..] {
            let (a, b) = (root(&mut parent, nodes[0]), root(&mut parent, node));
            parent[a.max(b) as usize] = a.min(b);
        }
    }
    let mut numbers = vec![u32::MAX; parent.len()];
    let mut count = 0;
    (0..parent.len() as u32)
        .map(|node| {
            let number = &mut numbers[root(&mut parent, node) as usize];
            if *number == u32::MAX {
                (*number, count) = (count, count + 1);
            }
            *number
        })
        .collect()
}
