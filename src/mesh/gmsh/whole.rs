//! From the content of a file to a checked mesh, on rank 0.
use super::super::cell::CellType;
use super::super::raw::compact;
use super::checks::{Faults, LISTED, check_distinct, check_repeats, flat_directions, orient};
use super::content::{Content, Elements, Shape};
use super::input::Input;
use crate::error::Result;
use std::collections::HashMap;

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

impl Whole {
    /// Checks and numbers the content of a file.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) when it contradicts itself.
    pub fn new(mut content: Content, input: &Input) -> Result<Self> {
        let mut notes = Vec::new();
        let dimension = content.elements.iter().filter(|e| !e.tags.is_empty()).map(|e| e.dimension).max();
        let Some(dimension @ 1..) = dimension else {
            return Err(input.whole("has no cells: elements of dimension 1, 2 or 3"));
        };
        if let Some(message) = content.parts.missing(dimension, input.name()) {
            return Err(input.whole(message));
        }
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
        check_distinct(&tags, &content.points, &kept, extent, input)?;

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
