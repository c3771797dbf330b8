//! Checks of a file's nodes and cells.
use super::super::cell::CellType;
use super::content::{Content, Elements};
use super::input::Input;
use crate::error::{Diagnostic, Error, Result};
use crate::mesh::shapes::FLAT;

/// Nodes closer than this fraction of the mesh's extent count as one place; so does the thickness of a
/// mesh that should be plane.
const SAME_PLACE: f64 = 1e-10;
/// Faults listed before the rest is only counted.
pub(super) const LISTED: usize = 10;

/// Collects faults of one kind.
pub(super) struct Faults<'a> {
    input: &'a Input,
    list: Vec<String>,
    count: usize,
}

impl<'a> Faults<'a> {
    pub fn new(input: &'a Input) -> Self {
        Self { input, list: Vec::new(), count: 0 }
    }

    pub fn add(&mut self, message: impl FnOnce() -> String) {
        self.count += 1;
        if self.list.len() < LISTED {
            self.list.push(message());
        }
    }

    /// Ends the search.
    ///
    /// # Errors
    /// [`Error::Input`] with what was found.
    pub fn finish(self) -> Result<()> {
        if self.count == 0 {
            return Ok(());
        }
        let mut messages = self.list;
        if self.count > LISTED {
            messages.push(format!("and {} more like these", self.count - LISTED));
        }
        let diagnostics =
            messages.into_iter().map(|message| Diagnostic::new(self.input.name(), message)).collect();
        Err(Error::Input(diagnostics))
    }
}

/// Coordinates beyond the dimension must be constant. Returns the extent of the mesh.
pub(super) fn flat_directions(
    tags: &[u64],
    points: &[[f64; 3]],
    kept: &[u32],
    dimension: usize,
    input: &Input,
) -> Result<f64> {
    let mut low = [f64::INFINITY; 3];
    let mut high = [f64::NEG_INFINITY; 3];
    for &i in kept {
        for d in 0..3 {
            low[d] = low[d].min(points[i as usize][d]);
            high[d] = high[d].max(points[i as usize][d]);
        }
    }
    let extent = (0..3).map(|d| high[d] - low[d]).fold(0.0, f64::max);
    for d in dimension..3 {
        if high[d] - low[d] > SAME_PLACE * extent {
            let other = kept.iter().find(|&&i| points[i as usize][d] > low[d] + SAME_PLACE * extent);
            let tag = other.map_or(0, |&i| tags[i as usize]);
            let message = format!(
                "is a {dimension}D mesh with varying {}, from {} to {} (node {tag}): it must lie {}",
                ["x", "y", "z"][d],
                low[d],
                high[d],
                if dimension == 2 { "in a plane z = constant" } else { "on a line along x" }
            );
            return Err(input.whole(message));
        }
    }
    Ok(extent)
}

/// No two nodes of cells may lie at one place (a crack that nobody sees).
pub(super) fn check_distinct(
    tags: &[u64],
    points: &[[f64; 3]],
    kept: &[u32],
    extent: f64,
    input: &Input,
) -> Result<()> {
    let tolerance = extent * SAME_PLACE;
    let mut order = kept.to_vec();
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    // Runs of nodes with nearly equal x, in these runs of nearly equal y, in these z: what is left is
    // together.
    let mut runs = vec![(0, order.len(), 0)];
    while let Some((start, end, d)) = runs.pop() {
        if d == 3 {
            let run = &order[start..end];
            pairs.extend(run[1..].iter().map(|&other| (run[0].min(other), run[0].max(other))));
            continue;
        }
        order[start..end].sort_unstable_by(|&a, &b| points[a as usize][d].total_cmp(&points[b as usize][d]));
        let mut from = start;
        for i in start + 1..=end {
            if i == end || points[order[i] as usize][d] - points[order[i - 1] as usize][d] > tolerance {
                if i - from > 1 {
                    runs.push((from, i, d + 1));
                }
                from = i;
            }
        }
    }
    pairs.sort_unstable();
    let mut faults = Faults::new(input);
    for (a, b) in pairs {
        let [x, y, z] = points[a as usize];
        faults.add(|| {
            format!(
                "nodes {} and {} lie at the same place ({x}, {y}, {z}): merge them (in Gmsh: Coherence Mesh)",
                tags[a as usize], tags[b as usize]
            )
        });
    }
    faults.finish()
}

/// Turns inverted cells round; flat and folded ones are faults.
pub(super) fn orient(
    cell_type: CellType,
    cells: &Elements,
    place: &[u32],
    vertices: &mut [u64],
    points: &[[f64; 3]],
    input: &Input,
) -> Result<()> {
    let nv = cell_type.vertices();
    let mut corners = vec![[0.0; 3]; nv];
    let mut faults = Faults::new(input);
    for (i, cell) in vertices.chunks_exact_mut(nv).enumerate() {
        for (corner, &p) in corners.iter_mut().zip(&place[i * nv..(i + 1) * nv]) {
            *corner = points[p as usize];
        }
        let (low, high) = cell_type.corner_determinants(&corners);
        if high < -FLAT {
            cell_type.flip(cell);
        } else if low <= FLAT {
            let what =
                if high > FLAT && low < -FLAT { "is not convex or is folded" } else { "has no volume" };
            faults.add(|| {
                format!(
                    "element {} ({}) {what}: nodes {:?}",
                    cells.tags[i],
                    cell_type.name(),
                    &cells.nodes[i * nv..(i + 1) * nv]
                )
            });
        }
    }
    faults.finish()
}

/// No cell twice.
pub(super) fn check_repeats(
    content: &Content,
    cells: &Elements,
    vertices: &[u64],
    input: &Input,
) -> Result<()> {
    let nv = cells.corners;
    let sorted = |i: u32| {
        let mut key = [u64::MAX; 8];
        key[..nv].copy_from_slice(&vertices[i as usize * nv..(i as usize + 1) * nv]);
        key.sort_unstable();
        key
    };
    // Cells with the same least vertex and sum of vertices are few; only they are compared in full.
    let mut keys: Vec<(u64, u64, u32)> = vertices
        .chunks_exact(nv)
        .enumerate()
        .map(|(i, v)| (v.iter().copied().min().unwrap_or(0), v.iter().sum(), i as u32))
        .collect();
    keys.sort_unstable();
    let mut faults = Faults::new(input);
    for run in keys.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).filter(|run| run.len() > 1) {
        let mut full: Vec<([u64; 8], u32)> = run.iter().map(|key| (sorted(key.2), key.2)).collect();
        full.sort_unstable();
        for pair in full.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
            let (a, b) = (pair[0].1 as usize, pair[1].1 as usize);
            let groups = |i: usize| {
                let tags = &content.groups[cells.group[i] as usize];
                tags.iter().map(|&t| content.name(cells.dimension, t)).collect::<Vec<_>>().join(", ")
            };
            faults.add(|| {
                let (a, b, ga, gb) = (cells.tags[a], cells.tags[b], groups(a), groups(b));
                let mut text = format!("elements {a} and {b} are the same cell");
                if ga != gb {
                    text += &format!(
                        ", once in the physical group \"{ga}\" and once in \"{gb}\": a cell has one region"
                    );
                }
                text
            });
        }
    }
    faults.finish()
}
