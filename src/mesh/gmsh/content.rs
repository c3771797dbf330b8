//! What a `.msh` file holds, whatever its version.
use super::super::cell::CellType;
use super::parts::Parts;
use std::collections::HashMap;

/// The shapes of Gmsh's element types (Gmsh reference manual, "MSH file format").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One node.
    Point,
    /// A cell that Tessera can compute with.
    Cell(CellType),
    /// A cell that it cannot, with its name.
    Other(&'static str),
}

/// Element type: its shape, dimension, nodes and corners (the first nodes).
#[derive(Debug, Clone, Copy)]
pub(super) struct ElementType {
    pub shape: Shape,
    pub dimension: usize,
    pub nodes: usize,
    pub corners: usize,
}

/// First- and second-order element types by Gmsh's number.
pub(super) fn element_type(number: i64) -> Option<ElementType> {
    use CellType::*;
    let cell = |cell: CellType, nodes| {
        Some(ElementType {
            shape: Shape::Cell(cell),
            dimension: cell.dimension(),
            nodes,
            corners: cell.vertices(),
        })
    };
    let other =
        |name, nodes, corners| Some(ElementType { shape: Shape::Other(name), dimension: 3, nodes, corners });
    match number {
        1 => cell(Interval, 2),
        2 => cell(Triangle, 3),
        3 => cell(Quadrilateral, 4),
        4 => cell(Tetrahedron, 4),
        5 => cell(Hexahedron, 8),
        6 => other("prism", 6, 6),
        7 => other("pyramid", 5, 5),
        8 => cell(Interval, 3),
        9 => cell(Triangle, 6),
        10 => cell(Quadrilateral, 9),
        11 => cell(Tetrahedron, 10),
        12 => cell(Hexahedron, 27),
        13 => other("prism", 18, 6),
        14 => other("pyramid", 14, 5),
        15 => Some(ElementType { shape: Shape::Point, dimension: 0, nodes: 1, corners: 1 }),
        16 => cell(Quadrilateral, 8),
        17 => cell(Hexahedron, 20),
        18 => other("prism", 15, 6),
        19 => other("pyramid", 13, 5),
        _ => None,
    }
}

/// Elements of one shape, in the file's order.
pub(super) struct Elements {
    pub shape: Shape,
    pub dimension: usize,
    pub corners: usize,
    /// Gmsh's numbers.
    pub tags: Vec<u64>,
    /// Node tags of the corners, `[element, corner]`.
    pub nodes: Vec<u64>,
    /// Index into [`Content::groups`].
    pub group: Vec<u32>,
}

/// Everything that is used of a file.
#[derive(Default)]
pub(super) struct Content {
    /// Names of the physical groups by dimension and tag.
    pub names: HashMap<(i64, i64), String>,
    /// Node tags in the file's order.
    pub node_tags: Vec<u64>,
    /// Their places.
    pub points: Vec<[f64; 3]>,
    /// Elements by shape.
    pub elements: Vec<Elements>,
    /// Sets of physical tags that elements refer to.
    pub groups: Vec<Vec<i64>>,
    group_numbers: HashMap<Vec<i64>, u32>,
    /// Names of the sections that were passed over.
    pub skipped: Vec<String>,
    /// Whether second-order elements were reduced to their corners.
    pub reduced: bool,
    /// Partitions that the file knows.
    pub parts: Parts,
}

impl Content {
    /// The list that elements of this type belong to.
    pub fn list(&mut self, kind: ElementType) -> &mut Elements {
        self.reduced |= kind.nodes > kind.corners;
        let place = self.elements.iter().position(|list| list.shape == kind.shape).unwrap_or_else(|| {
            self.elements.push(Elements {
                shape: kind.shape,
                dimension: kind.dimension,
                corners: kind.corners,
                tags: Vec::new(),
                nodes: Vec::new(),
                group: Vec::new(),
            });
            self.elements.len() - 1
        });
        &mut self.elements[place]
    }

    /// The index of a set of physical tags.
    pub fn group(&mut self, tags: &[i64]) -> u32 {
        if let Some(&number) = self.group_numbers.get(tags) {
            return number;
        }
        let number = self.groups.len() as u32;
        self.groups.push(tags.to_vec());
        self.group_numbers.insert(tags.to_vec(), number);
        number
    }

    /// The name of a physical group; its tag where the file gives none.
    pub fn name(&self, dimension: usize, tag: i64) -> String {
        self.names.get(&(dimension as i64, tag)).cloned().unwrap_or_else(|| tag.to_string())
    }
}
