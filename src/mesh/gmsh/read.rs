//! The sections of `.msh` files of versions 2.2 and 4.1 (Gmsh reference manual, "MSH file format").
use super::content::{Content, ElementType, element_type};
use super::input::Input;
use super::kind;
use super::parts::Parts;
use crate::error::Result;
use std::collections::HashMap;
use std::path::Path;

/// Sections that are read, each at most once; the others are passed over.
const READ: [&str; 5] = ["PhysicalNames", "Entities", "PartitionedEntities", "Nodes", "Elements"];

/// Reads a whole file.
pub(super) fn read(path: &Path) -> Result<(Content, Input)> {
    let mut input = Input::open(path)?;
    begin(&mut input).map_err(|error| match kind::name(path) {
        Some(kind) => input.whole(kind),
        None => error,
    })?;
    let version = header(&mut input)?;
    let mut content = Content::default();
    // Physical tags of the entities (dimension, tag) of a 4.1 file.
    let mut entities = HashMap::new();
    let mut seen: Vec<String> = Vec::new();
    while let Some(name) = input.section()? {
        // The same nodes with their places on the geometry.
        let parametric = name == "ParametricNodes";
        let role = if parametric { "Nodes" } else { &name }.to_string();
        if READ.contains(&role.as_str()) && seen.contains(&role) {
            return Err(input.fault(format!("a second ${role} section")));
        }
        let elements_seen = seen.iter().any(|s| s == "Elements");
        match (role.as_str(), version) {
            ("PhysicalNames", _) => names(&mut input, &mut content, version)?,
            ("Nodes", Version::V2) => nodes_2(&mut input, &mut content, parametric)?,
            ("Nodes", Version::V4) => nodes_4(&mut input, &mut content)?,
            ("Elements", Version::V2) => elements_2(&mut input, &mut content)?,
            ("Elements", Version::V4) => elements_4(&mut input, &mut content, &entities)?,
            ("Entities", Version::V4) if !elements_seen => entities = entities_4(&mut input)?,
            ("PartitionedEntities", Version::V4) if !elements_seen => {
                partitioned_4(&mut input, &mut entities, &mut content.parts)?;
            }
            _ => {
                input.skip(&name)?;
                if !["Comments", "GhostElements"].contains(&name.as_str()) && !seen.contains(&name) {
                    content.skipped.push(name.clone());
                }
                seen.push(name);
                continue;
            }
        }
        input.end(&name)?;
        seen.push(role);
    }
    for needed in ["Nodes", "Elements"] {
        if !seen.iter().any(|s| s == needed) {
            return Err(input.whole(format!("has no ${needed} section")));
        }
    }
    Ok((content, input))
}

/// Goes to the header; comments may stand before it.
fn begin(input: &mut Input) -> Result<()> {
    loop {
        match input.section()? {
            Some(name) if name == "MeshFormat" => return Ok(()),
            Some(name) if name == "Comments" => input.skip(&name)?,
            _ => return Err(input.fault("a Gmsh file starts with $MeshFormat")),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Version {
    V2,
    V4,
}

fn header(input: &mut Input) -> Result<Version> {
    let number = input.text_real("the version")?;
    let version = if (number - 2.2).abs() < 1e-6 {
        Version::V2
    } else if (number - 4.1).abs() < 1e-6 {
        Version::V4
    } else {
        let message =
            format!("format {number} is not supported: save the mesh as 4.1 or 2.2 (gmsh -format msh41)");
        return Err(input.fault(message));
    };
    let kind = input.text_integer("the file type")?;
    if !(0..=1).contains(&kind) {
        return Err(input.fault(format!("the file type must be 0 (ASCII) or 1 (binary), not {kind}")));
    }
    let size = input.text_integer("the data size")?;
    if size != 8 {
        return Err(input.fault(format!("the data size must be 8, not {size}")));
    }
    if kind == 1 {
        input.start_binary()?;
        input.binary = true;
        let one = input.int("the byte-order mark")?;
        if one as i32 == 1i32.swap_bytes() {
            input.swap = true;
        } else if one != 1 {
            return Err(input.fault("the byte-order mark is neither 1 nor 1 with its bytes reversed"));
        }
    }
    input.end("MeshFormat")?;
    Ok(version)
}

/// A count written as text in front of binary data.
fn text_count(input: &mut Input, numbers: u64, what: &str) -> Result<usize> {
    let count = input.text_integer(&format!("the number of {what}"))?;
    let positive =
        u64::try_from(count).map_err(|_| input.fault(format!("the number of {what} is negative")))?;
    if input.binary {
        input.start_binary()?;
    }
    input.count(positive, numbers, what)
}

fn names(input: &mut Input, content: &mut Content, version: Version) -> Result<()> {
    let count = input.text_integer("the number of physical names")?;
    for _ in 0..count.max(0) {
        let dimension = input.text_integer("a dimension")?;
        let tag = input.text_integer("a physical tag")?;
        let name = input.text_name()?;
        if !(0..=3).contains(&dimension) {
            return Err(input.fault(format!("the physical group \"{name}\" has dimension {dimension}")));
        }
        // Gmsh's groups of a partitioned mesh. In a 4.1 file the entities still know the user's own.
        if name.starts_with("_part{") {
            if version == Version::V2 {
                return Err(input.fault(format!(
                    "\"{name}\": partitioning replaced the physical groups; save the mesh whole, or with \
                     Mesh.PartitionCreatePhysicals = 0, or in format 4.1"
                )));
            }
            continue;
        }
        content.names.insert((dimension, tag.saturating_abs()), name);
    }
    Ok(())
}

fn nodes_2(input: &mut Input, content: &mut Content, parametric: bool) -> Result<()> {
    let count = text_count(input, 4, "nodes")?;
    content.node_tags.reserve_exact(count);
    content.points.reserve_exact(count);
    for _ in 0..count {
        let tag = input.int("a node number")?;
        content.node_tags.push(positive(input, tag, "a node number")?);
        content.points.push(point(input)?);
        if parametric {
            let dimension = input.int("the dimension of the node's entity")?;
            input.int("the tag of the node's entity")?;
            for _ in 0..if dimension < 3 { dimension } else { 0 } {
                input.real("a parametric coordinate")?;
            }
        }
    }
    Ok(())
}

fn point(input: &mut Input) -> Result<[f64; 3]> {
    let mut point = [0.0; 3];
    for (x, what) in point.iter_mut().zip(["x", "y", "z"]) {
        *x = input.real(what)?;
        if !x.is_finite() {
            return Err(input.fault(format!("the coordinate {what} of a node is {x}")));
        }
    }
    Ok(point)
}

fn positive(input: &Input, value: i64, what: &str) -> Result<u64> {
    u64::try_from(value).map_err(|_| input.fault(format!("{what} is negative: {value}")))
}

fn kind_of(input: &Input, number: i64) -> Result<ElementType> {
    element_type(number).ok_or_else(|| {
        input.fault(format!(
            "element type {number} is not supported: save a mesh of first order (Mesh.ElementOrder = 1)"
        ))
    })
}

fn elements_2(input: &mut Input, content: &mut Content) -> Result<()> {
    let count = text_count(input, 4, "elements")?;
    let mut left = count;
    while left > 0 {
        // Binary files have one header for several elements; in ASCII the element number comes first.
        let mut tag = if input.binary { 0 } else { input.int("an element number")? };
        let number = input.int("an element type")?;
        let kind = kind_of(input, number)?;
        let follow = if input.binary { input.int("a number of elements")? } else { 1 };
        if follow < 1 || follow as u64 > left as u64 {
            return Err(input.fault(format!("{follow} elements follow here, but {left} are left of {count}")));
        }
        let tags = input.int("a number of tags")?;
        let tags = positive(input, tags, "a number of tags")?;
        let tags = input.count(tags, 1, "tags")?;
        for _ in 0..follow {
            if input.binary {
                tag = input.int("an element number")?;
            }
            let element = positive(input, tag, "an element number")?;
            // The physical group, the entity, the number of partitions, these: ghosts' are negative.
            let mut physical = 0;
            for i in 0..tags {
                let value = input.int("a tag")?;
                match i {
                    0 => physical = value.saturating_abs(),
                    3.. => content.parts.element(kind.dimension, value, i == 3),
                    _ => {}
                }
            }
            let group = if physical == 0 { content.group(&[]) } else { content.group(&[physical]) };
            element_nodes(input, content, kind, element, group, |input| {
                let node = input.int("a node number")?;
                positive(input, node, "a node number")
            })?;
        }
        left -= follow as usize;
    }
    Ok(())
}

fn element_nodes(
    input: &mut Input,
    content: &mut Content,
    kind: ElementType,
    tag: u64,
    group: u32,
    node: impl Fn(&mut Input) -> Result<u64>,
) -> Result<()> {
    let list = content.list(kind);
    list.tags.push(tag);
    list.group.push(group);
    for i in 0..kind.nodes {
        let node = node(input)?;
        if i < kind.corners {
            list.nodes.push(node);
        }
    }
    Ok(())
}

/// Counts of blocks and things at the head of a 4.1 section.
fn head(input: &mut Input, numbers: u64, what: &str) -> Result<(usize, usize)> {
    if input.binary {
        input.start_binary()?;
    }
    let blocks = input.size("the number of blocks")?;
    let blocks = input.count(blocks, 4, "blocks")?;
    let total = input.size(&format!("the number of {what}"))?;
    let total = input.count(total, numbers, what)?;
    input.size("the least tag")?;
    input.size("the greatest tag")?;
    Ok((blocks, total))
}

type Entities = HashMap<(i64, i64), Vec<i64>>;

fn entities_4(input: &mut Input) -> Result<Entities> {
    if input.binary {
        input.start_binary()?;
    }
    let mut entities = HashMap::new();
    for (dimension, count) in entity_counts(input)?.into_iter().enumerate() {
        for _ in 0..input.count(count, 5, "entities")? {
            let tag = input.int("an entity's tag")?;
            let physical = entity_tail(input, dimension)?;
            entities.insert((dimension as i64, tag), physical);
        }
    }
    Ok(entities)
}

/// Parts of entities, to which the elements of a partitioned mesh belong. A part of a region or of a
/// marked surface keeps its groups; what Gmsh adds between the parts has none.
fn partitioned_4(input: &mut Input, entities: &mut Entities, known: &mut Parts) -> Result<()> {
    if input.binary {
        input.start_binary()?;
    }
    input.size("the number of partitions")?;
    let ghosts = input.size("the number of ghost entities")?;
    for _ in 0..input.count(ghosts, 2, "ghost entities")? {
        input.int("a ghost entity's tag")?;
        input.int("a partition")?;
    }
    let mut groups = Entities::new();
    for (dimension, count) in entity_counts(input)?.into_iter().enumerate() {
        for _ in 0..input.count(count, 7, "entities")? {
            let tag = input.int("an entity's tag")?;
            let parent = (input.int("a parent's dimension")?, input.int("a parent's tag")?);
            let partitions = input.size("the number of partitions")?;
            for _ in 0..input.count(partitions, 1, "partitions")? {
                known.entity((dimension, tag), input.int("a partition")?);
            }
            entity_tail(input, dimension)?;
            let own = parent.0 == dimension as i64;
            let physical = entities.get(&parent).filter(|_| own).cloned().unwrap_or_default();
            groups.insert((dimension as i64, tag), physical);
        }
    }
    entities.extend(groups);
    Ok(())
}

fn entity_counts(input: &mut Input) -> Result<[u64; 4]> {
    let mut counts = [0; 4];
    for count in &mut counts {
        *count = input.size("a number of entities")?;
    }
    Ok(counts)
}

/// The rest of an entity: its place, physical tags (returned) and boundary.
fn entity_tail(input: &mut Input, dimension: usize) -> Result<Vec<i64>> {
    for _ in 0..if dimension == 0 { 3 } else { 6 } {
        input.real("a coordinate")?;
    }
    let physical = input.size("the number of physical tags")?;
    let physical = input.count(physical, 1, "physical tags")?;
    let mut tags = Vec::with_capacity(physical);
    for _ in 0..physical {
        tags.push(input.int("a physical tag")?.saturating_abs());
    }
    tags.sort_unstable();
    tags.dedup();
    if dimension > 0 {
        let bounding = input.size("the number of bounding entities")?;
        for _ in 0..input.count(bounding, 1, "bounding entities")? {
            input.int("a bounding entity")?;
        }
    }
    Ok(tags)
}

fn nodes_4(input: &mut Input, content: &mut Content) -> Result<()> {
    let (blocks, total) = head(input, 4, "nodes")?;
    content.node_tags.reserve_exact(total);
    content.points.reserve_exact(total);
    for _ in 0..blocks {
        let dimension = input.int("an entity's dimension")?;
        input.int("an entity's tag")?;
        let parametric = input.int("0 or 1")?;
        let count = input.size("the number of nodes of a block")?;
        let count = input.count(count, 4, "nodes")?;
        if content.points.len() + count > total {
            return Err(input.fault(format!("the blocks hold more than the {total} nodes announced")));
        }
        for _ in 0..count {
            content.node_tags.push(input.size("a node tag")?);
        }
        for _ in 0..count {
            content.points.push(point(input)?);
            for _ in 0..if parametric == 0 { 0 } else { dimension.clamp(0, 3) } {
                input.real("a parametric coordinate")?;
            }
        }
    }
    if content.points.len() != total {
        let message = format!("the blocks hold {} nodes, {total} were announced", content.points.len());
        return Err(input.fault(message));
    }
    Ok(())
}

fn elements_4(input: &mut Input, content: &mut Content, entities: &Entities) -> Result<()> {
    let (blocks, total) = head(input, 2, "elements")?;
    let mut read = 0;
    for _ in 0..blocks {
        let dimension = input.int("an entity's dimension")?;
        let entity = input.int("an entity's tag")?;
        let number = input.int("an element type")?;
        let kind = kind_of(input, number)?;
        if kind.dimension as i64 != dimension {
            let message = format!("element type {number} in an entity of dimension {dimension}");
            return Err(input.fault(message));
        }
        let count = input.size("the number of elements of a block")?;
        let count = input.count(count, 1 + kind.nodes as u64, "elements")?;
        read += count;
        if read > total {
            return Err(input.fault(format!("the blocks hold more than the {total} elements announced")));
        }
        if count > 0 {
            content.parts.block((kind.dimension, entity));
        }
        let group = content.group(entities.get(&(dimension, entity)).map_or(&[], Vec::as_slice));
        let list = content.list(kind);
        list.tags.reserve(count);
        list.group.reserve(count);
        list.nodes.reserve(count * kind.corners);
        for _ in 0..count {
            let tag = input.size("an element tag")?;
            element_nodes(input, content, kind, tag, group, |input| input.size("a node tag"))?;
        }
    }
    if read != total {
        return Err(input.fault(format!("the blocks hold {read} elements, {total} were announced")));
    }
    Ok(())
}
