//! From the content of a file to a checked mesh, on rank 0.
use super::super::build::FLAT;
use super::super::cell::CellType;
use super::super::raw::compact;
use super::content::{Content, Elements, Shape};
use super::input::Input;
use crate::error::{Diagnostic, Error, Result};
use std::collections::HashMap;

/// Nodes closer than this fraction of the mesh's extent count as one place; so does the thickness of a
/// mesh that should be plane.
const SAME_PLACE: f64 = 1e-10;
/// Faults listed before the rest is only counted.
const LISTED: usize = 10;

/// A mesh with canonical numbers, cells positively oriented.
pub(super) struct Whole {
    pub cell_type: CellType,
    /// Canonical vertices, `[cell, vertex]`.
    pub cells: Vec<u64>,
    pub regions: Vec<u16>,
    pub region_names: Vec<String>,
    /// `[vertex, dimension]`.
    pub coordinates: Vec<f64>,
    /// Canonical vertices, `[facet, vertex]`.
    pub facets: Vec<u64>,
    pub facet_markers: Vec<u16>,
    pub facet_names: Vec<String>,
    pub notes: Vec<String>,
}

/// Collects faults of one kind.
struct Faults<'a> {
    input: &'a Input,
    list: Vec<String>,
    count: usize,
}

impl<'a> Faults<'a> {
    fn new(input: &'a Input) -> Self {
        Self { input, list: Vec::new(), count: 0 }
    }

    fn add(&mut self, message: impl FnOnce() -> String) {
        self.count += 1;
        if self.list.len() < LISTED {
            self.list.push(message());
        }
    }

    fn finish(self) -> Result<()> {
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

impl Whole {
    /// Checks and numbers the content of a file.
    pub fn new(mut content: Content, input: &Input) -> Result<Self> {
        let mut notes = Vec::new();
        let dimension = content.elements.iter().filter(|e| !e.tags.is_empty()).map(|e| e.dimension).max();
        let Some(dimension @ 1..) = dimension else {
            return Err(input.whole("has no cells: elements of dimension 1, 2 or 3"));
        };
        let mut elements = std::mem::take(&mut content.elements);
        let cells = one_shape(&mut elements, dimension, input)?;
        let Shape::Cell(cell_type) = cells.shape else {
            let name = if let Shape::Other(name) = cells.shape { name } else { "point" };
            let message = format!(
                "has cells of shape {name} (element {}): Tessera takes intervals, triangles, quadrilaterals, tetrahedra or hexahedra",
                cells.tags[0]
            );
            return Err(input.whole(message));
        };
        if content.reduced {
            notes.push(
                "elements of second order were reduced to their corners: the nodes between are not used"
                    .into(),
            );
        }

        if !content.skipped.is_empty() {
            notes.push(format!("sections of the file that are not used: {}", content.skipped.join(", ")));
        }

        // Nodes of cells, in the file's order.
        let tags = std::mem::take(&mut content.node_tags);
        let place = find_nodes(&tags, &cells, input)?;
        let mut used = vec![false; tags.len()];
        place.iter().for_each(|&p| used[p as usize] = true);
        let mut number = vec![u64::MAX; tags.len()];
        let mut kept: Vec<u32> = Vec::new();
        for (i, _) in used.iter().enumerate().filter(|&(_, &used)| used) {
            number[i] = kept.len() as u64;
            kept.push(i as u32);
        }
        if kept.len() < tags.len() && !content.reduced {
            let lost: Vec<String> = tags
                .iter()
                .zip(&used)
                .filter(|&(_, &u)| !u)
                .take(LISTED)
                .map(|(tag, _)| tag.to_string())
                .collect();
            let count = tags.len() - kept.len();
            let more = if count > lost.len() { ", ..." } else { "" };
            notes.push(format!(
                "{count} nodes that belong to no cell were left out: {}{more}",
                lost.join(", ")
            ));
        }
        let extent = flat_directions(&tags, &content.points, &kept, dimension, input)?;
        check_distinct(&tags, &content.points, &kept, extent * SAME_PLACE, input)?;

        let mut vertices: Vec<u64> = place.iter().map(|&p| number[p as usize]).collect();
        orient(cell_type, &cells, &place, &mut vertices, &content.points, input)?;
        check_repeats(&content, &cells, &vertices, input)?;
        let (regions, region_names) = regions(&content, &cells, dimension, input)?;
        let coordinates =
            kept.iter().flat_map(|&i| content.points[i as usize][..dimension].iter().copied()).collect();
        let known = Known { tags: &tags, number: &number };
        let (facets, facet_markers, facet_names) =
            facets(&content, &elements, cell_type, &known, &mut notes, input)?;
        let named = |&(&(d, _), name): &(&(i64, i64), &String)| {
            (d == dimension as i64 && !region_names.contains(name))
                || (d == dimension as i64 - 1 && !facet_names.contains(name))
        };
        let mut empty: Vec<&str> =
            content.names.iter().filter(named).map(|(_, name)| name.as_str()).collect();
        if !empty.is_empty() {
            empty.sort_unstable();
            notes.push(format!(
                "physical groups without elements (Gmsh loses them with Mesh.SaveAll in format 2.2): {}",
                empty.join(", ")
            ));
        }
        Ok(Self {
            cell_type,
            cells: vertices,
            regions,
            region_names,
            coordinates,
            facets,
            facet_markers,
            facet_names,
            notes,
        })
    }
}

/// Takes the cells out of the lists; there must be one shape.
fn one_shape(elements: &mut Vec<Elements>, dimension: usize, input: &Input) -> Result<Elements> {
    let lists: Vec<&Elements> =
        elements.iter().filter(|e| e.dimension == dimension && !e.tags.is_empty()).collect();
    if lists.len() > 1 {
        let describe = |e: &&Elements| {
            let name = match e.shape {
                Shape::Cell(cell) => cell.name(),
                Shape::Other(name) => name,
                Shape::Point => "point",
            };
            format!("{} of shape {name} (first: element {})", e.tags.len(), e.tags[0])
        };
        let list = lists.iter().map(describe).collect::<Vec<_>>().join(", ");
        return Err(input.whole(format!("mixes shapes of cells, which must all be of one: {list}")));
    }
    let place = elements.iter().position(|e| e.dimension == dimension && !e.tags.is_empty());
    Ok(elements.swap_remove(place.unwrap_or(0)))
}

/// The place in `tags` of every node of the elements.
fn find_nodes(tags: &[u64], elements: &Elements, input: &Input) -> Result<Vec<u32>> {
    if tags.len() >= u32::MAX as usize {
        return Err(input.whole(format!("has {} nodes, more than the 2^32 that can be read", tags.len())));
    }
    let (unique, dense) = compact(tags);
    if unique.len() < tags.len() {
        let mut seen = vec![false; unique.len()];
        let twice = dense.iter().position(|&d| std::mem::replace(&mut seen[d as usize], true)).unwrap_or(0);
        return Err(input.whole(format!("defines the node {} twice", tags[twice])));
    }
    let mut order = vec![0u32; tags.len()];
    dense.iter().enumerate().for_each(|(i, &d)| order[d as usize] = i as u32);
    // Most files number nodes without gaps.
    let first = unique.first().copied().unwrap_or(0);
    let find = |tag: u64| {
        let guess = tag.wrapping_sub(first) as usize;
        if unique.get(guess) == Some(&tag) { Some(guess) } else { unique.binary_search(&tag).ok() }
    };
    let mut places = Vec::with_capacity(elements.nodes.len());
    let mut faults = Faults::new(input);
    for (i, &tag) in elements.nodes.iter().enumerate() {
        match find(tag) {
            Some(place) => places.push(order[place]),
            None => faults.add(|| {
                format!(
                    "element {} refers to node {tag}, which is not defined",
                    elements.tags[i / elements.corners]
                )
            }),
        }
    }
    faults.finish()?;
    Ok(places)
}

/// Coordinates beyond the dimension must be constant. Returns the extent of the mesh.
fn flat_directions(
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
fn check_distinct(
    tags: &[u64],
    points: &[[f64; 3]],
    kept: &[u32],
    tolerance: f64,
    input: &Input,
) -> Result<()> {
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
fn orient(
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
fn check_repeats(content: &Content, cells: &Elements, vertices: &[u64], input: &Input) -> Result<()> {
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

/// Names numbered in order of first use.
#[derive(Default)]
struct Names {
    list: Vec<String>,
    numbers: HashMap<String, u16>,
}

impl Names {
    fn number(&mut self, name: String, input: &Input) -> Result<u16> {
        if let Some(&number) = self.numbers.get(&name) {
            return Ok(number);
        }
        let number = self.list.len() as u16;
        if self.list.len() >= usize::from(u16::MAX) {
            return Err(input.whole(format!("has more than {} physical groups", u16::MAX)));
        }
        self.list.push(name.clone());
        self.numbers.insert(name, number);
        Ok(number)
    }
}

fn regions(
    content: &Content,
    cells: &Elements,
    dimension: usize,
    input: &Input,
) -> Result<(Vec<u16>, Vec<String>)> {
    let mut names = Names::default();
    let mut of_group = vec![u16::MAX; content.groups.len()];
    let mut regions = Vec::with_capacity(cells.tags.len());
    for (&group, &element) in cells.group.iter().zip(&cells.tags) {
        let region = &mut of_group[group as usize];
        if *region == u16::MAX {
            let name = match content.groups[group as usize].as_slice() {
                [] => "domain".into(),
                [tag] => content.name(dimension, *tag),
                [a, b, ..] => {
                    let (a, b) = (content.name(dimension, *a), content.name(dimension, *b));
                    let message = format!(
                        "element {element} is in two physical groups, \"{a}\" and \"{b}\": a cell has one region"
                    );
                    return Err(input.whole(message));
                }
            };
            *region = names.number(name, input)?;
        }
        regions.push(*region);
    }
    Ok((regions, names.list))
}

/// Node tags and the canonical numbers of those that belong to cells.
struct Known<'a> {
    tags: &'a [u64],
    number: &'a [u64],
}

type MarkedFacets = (Vec<u64>, Vec<u16>, Vec<String>);

fn facets(
    content: &Content,
    elements: &[Elements],
    cell_type: CellType,
    known: &Known,
    notes: &mut Vec<String>,
    input: &Input,
) -> Result<MarkedFacets> {
    let dimension = cell_type.dimension();
    let wanted = cell_type.facet_type().map_or(Shape::Point, Shape::Cell);
    let mut names = Names::default();
    let (mut list, mut markers) = (Vec::new(), Vec::new());
    for kind in elements.iter().filter(|e| e.dimension + 1 == dimension && !e.tags.is_empty()) {
        let grouped = kind.group.iter().position(|&g| !content.groups[g as usize].is_empty());
        let Some(first) = grouped else { continue };
        if kind.shape != wanted {
            let message = format!(
                "element {} with a physical group has another shape than the facets of a {}",
                kind.tags[first],
                cell_type.name()
            );
            return Err(input.whole(message));
        }
        let place = find_nodes(known.tags, kind, input)?;
        let mut faults = Faults::new(input);
        for (i, nodes) in place.chunks_exact(kind.corners).enumerate() {
            let vertices: Vec<u64> = nodes.iter().map(|&n| known.number[n as usize]).collect();
            for &tag in &content.groups[kind.group[i] as usize] {
                let name = content.name(dimension - 1, tag);
                if vertices.contains(&u64::MAX) {
                    faults.add(|| {
                        format!("element {} of the physical group \"{name}\" bounds no cell", kind.tags[i])
                    });
                }
                markers.push(names.number(name, input)?);
                list.extend_from_slice(&vertices);
            }
        }
        faults.finish()?;
    }
    let mut unused: Vec<&str> = content
        .names
        .iter()
        .filter(|((d, _), _)| *d < dimension as i64 - 1)
        .map(|(_, name)| name.as_str())
        .collect();
    if !unused.is_empty() {
        unused.sort_unstable();
        notes.push(format!(
            "physical groups below the dimension of facets are not used: {}",
            unused.join(", ")
        ));
    }
    Ok((list, markers, names.list))
}
