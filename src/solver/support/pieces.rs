//! Pieces of a body, and how each is held.
use super::modes::{Modes, holding, simplest};
use crate::fem::functional::visit;
use crate::fem::{Domain, Essential, Space};
use crate::parallel::Comm;
use crate::physics::{Context, Problem};
use crate::{Error, Result};
use faer::{Mat, Side};
use petsc_rs::{Norm, Vector};

/// Eigenvalues of a Gram matrix below this part of the largest are zero.
const ZERO: f64 = 1e-12;

/// The pieces of a mesh, and what joins them.
pub struct Pieces {
    /// One of the pieces of each local node.
    of_node: Vec<u32>,
    /// Centre of the nodes (m) and largest distance from it, by piece.
    pub(super) frames: Vec<([f64; 3], f64)>,
    /// Places that move as one, as `(piece, place)` twice: owned nodes at which pieces touch, and images of owned nodes of
    /// a periodic mesh.
    joints: Vec<[(u32, [f64; 3]); 2]>,
    /// Pieces that joints connect, directly or by others; each list ascending.
    pub(super) groups: Vec<Vec<u32>>,
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

/// A motion of the pieces of a group: coefficients of the modes of each, one piece after the other.
pub(super) struct Motion {
    pub(super) group: usize,
    pub(super) coefficients: Vec<f64>,
}

impl Pieces {
    /// Finds them. Collective.
    pub fn new(space: &Space) -> Self {
        let (mesh, comm) = (&space.mesh, &space.mesh.comm);
        let count = mesh.global_pieces as usize;
        let mut of_node = vec![u32::MAX; space.local_nodes()];
        let mut touching: Vec<(u32, u32)> = Vec::new();
        let mut images: Vec<(u32, u32, u32)> = Vec::new();
        let corners = mesh.cell_type.vertices();
        for cell in 0..mesh.local_cells() {
            let piece = mesh.cell_pieces[cell];
            for &node in space.nodes_of(cell) {
                let first = &mut of_node[node as usize];
                if *first == u32::MAX {
                    *first = piece;
                } else if *first != piece && (node as usize) < space.owned_nodes {
                    touching.push((node, piece));
                }
            }
            if mesh.identified.is_some() {
                let pairs = space.nodes_of(cell)[..corners].iter().zip(mesh.cell_vertices(cell));
                let owned = pairs.filter(|(node, _)| (**node as usize) < space.owned_nodes);
                images.extend(owned.map(|(&node, &vertex)| (node, vertex, piece)));
            }
        }
        let distinct = |list: &mut Vec<(u32, u32)>| {
            list.sort_unstable();
            list.dedup();
        };
        distinct(&mut touching);
        images.sort_unstable();
        images.dedup();
        let mut joints: Vec<[(u32, [f64; 3]); 2]> = Vec::new();
        for &(node, piece) in &touching {
            let x = space.point(node as usize);
            joints.push([(of_node[node as usize], x), (piece, x)]);
        }
        for &(node, vertex, piece) in &images {
            let (x, y) = (space.point(node as usize), mesh.point(vertex as usize));
            if x != y {
                joints.push([(of_node[node as usize], x), (piece, y)]);
            }
        }
        let groups = grouped(comm, count, &joints);
        let mut sums = vec![0.0; count * 4];
        for node in 0..space.owned_nodes {
            let (x, sums) = (space.point(node), &mut sums[of_node[node] as usize * 4..]);
            (0..3).for_each(|d| sums[d] += x[d]);
            sums[3] += 1.0;
        }
        comm.sum_into(&mut sums);
        let centres: Vec<[f64; 3]> =
            sums.chunks_exact(4).map(|s| std::array::from_fn(|d| s[d] / s[3].max(1.0))).collect();
        let mut sizes = vec![0.0f64; count];
        for node in 0..space.owned_nodes {
            let piece = of_node[node] as usize;
            let x = space.point(node);
            let square: f64 = (0..3).map(|d| (x[d] - centres[piece][d]).powi(2)).sum();
            sizes[piece] = sizes[piece].max(square.sqrt());
        }
        let sizes: Vec<f64> = sizes.iter().map(|&size| comm.max(size)).collect();
        let frames = centres.into_iter().zip(sizes).collect();
        Self { of_node, frames, joints, groups }
    }

    /// A place relative to the centre of a piece, in units of its size.
    fn place(&self, piece: usize, x: &[f64; 3]) -> [f64; 3] {
        let (centre, size) = &self.frames[piece];
        std::array::from_fn(|d| (x[d] - centre[d]) / size.max(f64::MIN_POSITIVE))
    }

    /// What the conditions of a problem leave free, and whether anything holds each group; with the holding coefficients
    /// at `context`, or by essential conditions alone.
    fn free(
        &self,
        problem: &Problem,
        essential: &Essential,
        context: Option<&Context>,
    ) -> (Vec<Motion>, Vec<bool>) {
        let (space, modes) = (&problem.space, Modes::of(problem));
        let (n, c) = (modes.count(), space.components);
        // Where each piece stands: its group, and its first row there.
        let mut stands = vec![(0, 0); self.frames.len()];
        for (g, group) in self.groups.iter().enumerate() {
            group.iter().enumerate().for_each(|(k, &piece)| stands[piece as usize] = (g, k * n));
        }
        let size = |group: &Vec<u32>| group.len() * n;
        let mut starts = vec![0];
        self.groups.iter().for_each(|group| starts.push(starts[starts.len() - 1] + size(group).pow(2)));
        let mut grams = vec![0.0; starts[self.groups.len()]];
        let mut add = |entries: &[(usize, Vec<f64>)]| {
            let (group, _) = stands[entries[0].0];
            let m = size(&self.groups[group]);
            let gram = &mut grams[starts[group]..][..m * m];
            for (a, left) in entries {
                for (b, right) in entries {
                    let (i, j) = (stands[*a].1, stands[*b].1);
                    for (k, x) in left.iter().enumerate() {
                        right.iter().enumerate().for_each(|(l, y)| gram[(i + k) * m + j + l] += x * y);
                    }
                }
            }
        };
        let row = |piece: usize, i: usize, x: &[f64; 3]| -> Vec<f64> {
            let x = self.place(piece, x);
            (0..n).map(|k| modes.value(k, i, &x)).collect()
        };
        for dof in essential.owned(space) {
            let (node, i) = (dof / c, dof % c);
            let piece = self.of_node[node] as usize;
            add(&[(piece, row(piece, i, &space.point(node)))]);
        }
        if let Some(context) = context {
            self.holding(problem, context, |piece, x, normal| {
                if modes.is_rigid() {
                    // A foundation holds along the normal.
                    let mut sum = vec![0.0; n];
                    for i in 0..c {
                        sum.iter_mut()
                            .zip(row(piece, i, x))
                            .for_each(|(sum, value)| *sum += normal[i] * value);
                    }
                    add(&[(piece, sum)]);
                } else {
                    let unit = |k: usize| (0..n).map(|j| f64::from(u8::from(j == k))).collect();
                    (0..n).for_each(|k| add(&[(piece, unit(k))]));
                }
            });
        }
        space.mesh.comm.sum_into(&mut grams);
        let held: Vec<bool> =
            starts.windows(2).map(|range| grams[range[0]..range[1]].iter().any(|&g| g != 0.0)).collect();
        // Joints hold pieces to one another.
        let mut joints = vec![0.0; grams.len()];
        let mut add = |[(a, x), (b, y)]: &[(u32, [f64; 3]); 2], i: usize| {
            let (a, b) = (*a as usize, *b as usize);
            let (group, _) = stands[a];
            let m = size(&self.groups[group]);
            let mut whole = vec![0.0; m];
            whole[stands[a].1..][..n].copy_from_slice(&row(a, i, x));
            whole[stands[b].1..][..n].iter_mut().zip(row(b, i, y)).for_each(|(sum, value)| *sum -= value);
            let gram = &mut joints[starts[group]..][..m * m];
            for (k, left) in whole.iter().enumerate().filter(|(_, left)| **left != 0.0) {
                whole.iter().enumerate().for_each(|(l, right)| gram[k * m + l] += left * right);
            }
        };
        let components = if modes.is_rigid() { c } else { n };
        self.joints.iter().for_each(|joint| (0..components).for_each(|i| add(joint, i)));
        space.mesh.comm.sum_into(&mut joints);
        grams.iter_mut().zip(&joints).for_each(|(gram, joint)| *gram += joint);
        let mut motions = Vec::new();
        for (group, pieces) in self.groups.iter().enumerate() {
            let m = size(pieces);
            let gram = &grams[starts[group]..][..m * m];
            let matrix = Mat::from_fn(m, m, |i, j| gram[i * m + j]);
            let Ok(eigen) = matrix.self_adjoint_eigen(Side::Lower) else { continue };
            let values: Vec<f64> = (0..m).map(|i| eigen.S().column_vector()[i]).collect();
            let least = ZERO * values.iter().fold(0.0f64, |most, v| most.max(*v));
            let free = (0..m).filter(|&i| values[i] <= least);
            let vectors = free.map(|i| (0..m).map(|k| eigen.U()[(k, i)]).collect()).collect();
            motions.extend(simplest(vectors).into_iter().map(|coefficients| Motion { group, coefficients }));
        }
        (motions, held)
    }

    /// Calls `found(piece, place, normal)` wherever a coefficient of the problem holds the field or the body.
    fn holding(
        &self,
        problem: &Problem,
        context: &Context,
        mut found: impl FnMut(usize, &[f64; 3], &[f64; 3]),
    ) {
        let space = &problem.space;
        let nothing = vec![0.0; space.local_nodes() * space.components];
        for integral in &problem.integrals {
            let Some(output) = holding(integral) else { continue };
            for group in &integral.groups {
                let (one, domain) = (output..output + 1, group.domain());
                let all =
                    integral.coefficients.evaluate_some(one, context, space, &domain, integral.entities);
                let values = &all[0];
                if values.is_zero() {
                    continue;
                }
                let points = group.rule.weights.len();
                visit(space, &nothing, &Domain { rule: &group.rule, entities: &group.entities }, |sample| {
                    let (index, region) = (sample.entity.0 as usize, sample.entity.1 as usize);
                    let owned = sample.cell < space.mesh.owned_cells;
                    if owned && values.at(index, region, sample.point, points) != 0.0 {
                        let piece = space.mesh.cell_pieces[sample.cell] as usize;
                        found(piece, &sample.position(), &sample.normal);
                    }
                });
            }
        }
    }

    /// Whether essential conditions alone hold everything, whatever coefficients are. Collective.
    pub fn are_fixed(&self, problem: &Problem, essential: &Essential) -> bool {
        self.free(problem, essential, None).0.is_empty()
    }

    /// Checks that conditions hold everything. Motions that remain in a solid of which every group of pieces is held
    /// somehow are returned: loads that do not push that way leave them alone. `context` gives the coefficients. Collective.
    ///
    /// # Errors
    /// [`Error::Failed`] that names the physics, what is free and what to do.
    pub fn check(
        &self,
        problem: &Problem,
        essential: &Essential,
        context: &Context,
    ) -> Result<Option<FreeMotions>> {
        let (motions, held) = self.free(problem, essential, Some(context));
        if motions.is_empty() {
            return Ok(None);
        }
        let solid = Modes::of(problem).is_rigid();
        let loose = motions.iter().find(|motion| !held[motion.group]);
        // Pieces that touch in a vertex or an edge are hardly meant to turn about it.
        let hinge = motions.iter().find(|motion| self.groups[motion.group].len() > 1);
        if let (None, None, true) = (loose, hinge, solid && problem.is_linear_system()) {
            return Ok(Some(self.motions(problem, &motions)?));
        }
        let group = loose.unwrap_or(&motions[0]).group;
        let loose = loose.is_some();
        let (name, field) = (&problem.name, &problem.field);
        let place = (self.groups.len() > 1).then(|| self.describe(problem, &self.groups[group]));
        let flow = problem.facts().pressure;
        let advice = match problem.facts().complex {
            true => "a `value` or `absorbing`, or the material a `wave_number`",
            false => "a `value`, or a `coefficient` and `ambient`, or the material a `reaction`",
        };
        let message = match (solid, place, loose) {
            (false, place, _) if flow => format!(
                "nothing fixes the mean velocity of a steady flow{}: give the velocity on a boundary or at a point, or run \
                 it in time ([time])",
                place.map_or(String::new(), |place| format!(" in {place}"))
            ),
            (true, None, true) => {
                "nothing holds the body: give a boundary a `value` (displacement) or a `foundation`".into()
            }
            (true, Some(place), true) => format!(
                "{place}, are connected to nothing that is held and may move and turn freely: give a boundary of that \
                 piece a `value` (displacement) or a `foundation`, or join the pieces in the mesh"
            ),
            (true, _, false) => format!(
                "{}: hold it by a `value` (displacement) or a `foundation`{}",
                self.words(problem, &motions),
                if hinge.is_some() {
                    ", or join the pieces, which touch in a vertex or edge, by facets"
                } else {
                    ""
                }
            ),
            (false, None, _) => {
                format!("nothing fixes the level of the field {field}: give a boundary {advice}")
            }
            (false, Some(place), _) => format!(
                "nothing fixes the level of the field {field} in {place}: give a boundary of that piece {advice}, or join \
                 the pieces in the mesh"
            ),
        };
        Err(Error::Failed(format!("physics `{name}`: {message}")))
    }

    /// Motions as fields, with unknowns that take them out. Collective.
    fn motions(&self, problem: &Problem, motions: &[Motion]) -> Result<FreeMotions> {
        let (space, modes) = (&problem.space, Modes::of(problem));
        let (n, c, comm) = (modes.count(), space.components, &space.mesh.comm);
        let mut result =
            FreeMotions { modes: Vec::new(), pins: Vec::new(), what: self.words(problem, motions) };
        for Motion { group, coefficients } in motions {
            let mut field = space.field()?;
            {
                let mut values = field.write()?;
                for node in 0..space.owned_nodes {
                    let piece = self.of_node[node];
                    let Ok(k) = self.groups[*group].binary_search(&piece) else { continue };
                    let x = self.place(piece as usize, &space.point(node));
                    for i in 0..c {
                        let own = coefficients[k * n..][..n].iter().enumerate();
                        values[node * c + i] = own.map(|(k, a)| a * modes.value(k, i, &x)).sum();
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

/// Pieces that joints connect, over all ranks. Collective.
fn grouped(comm: &Comm, count: usize, joints: &[[(u32, [f64; 3]); 2]]) -> Vec<Vec<u32>> {
    let mut pairs: Vec<u64> =
        joints.iter().map(|[a, b]| u64::from(a.0.min(b.0)) << 32 | u64::from(a.0.max(b.0))).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let mut lowest: Vec<u32> = (0..count as u32).collect();
    let all = comm.all_gather_varied(&pairs);
    loop {
        let before = lowest.clone();
        for pair in &all {
            let [a, b] = [(pair >> 32) as usize, *pair as u32 as usize];
            let low = lowest[a].min(lowest[b]);
            (lowest[a], lowest[b]) = (low, low);
        }
        if before == lowest {
            break;
        }
    }
    let mut groups = vec![Vec::new(); count];
    (0..count as u32).for_each(|piece| groups[lowest[piece as usize] as usize].push(piece));
    groups.retain(|group| !group.is_empty());
    groups
}
