//! The nodes of a mesh for elements of one degree: numbered once, whoever has unknowns on them.
use super::element::Element;
use super::numbering::{Numbering, Topology, entities};
use crate::error::{Error, Result};
use crate::mesh::Mesh;
use crate::parallel::Redistribution;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::rc::Rc;

/// The nodes of Lagrange elements of one degree on all cells of a mesh.
///
/// Local nodes: the owned ones first, then ghosts in the order of their PETSc numbers. A node is
/// owned by the lowest rank that owns a cell touching it.
pub struct Nodes {
    /// The mesh.
    pub mesh: Rc<Mesh>,
    /// The element.
    pub element: Element,
    /// Local node numbers of local cells, `[cell, function]`; a cell's vertices come first.
    pub cell_nodes: Vec<u32>,
    /// Number of nodes that this rank owns.
    pub owned_nodes: usize,
    /// Canonical numbers of local nodes: vertices, then edges by sorted vertex pair, then
    /// quadrilateral faces by sorted vertices, then cells. On a periodic mesh files number the nodes'
    /// images instead, see [`Nodes::canonical`].
    pub node_ids: Vec<u64>,
    /// Number of nodes over all ranks.
    pub global_nodes: u64,
    /// PETSc number of the first owned node.
    pub first: u64,
    /// PETSc numbers of the ghost nodes, ascending.
    pub ghosts: Vec<i32>,
    /// Coordinates of local nodes in metres, `[node, dimension]`; on a periodic mesh, of a node's first image.
    pub coordinates: Vec<f64>,
    /// The images of the nodes of a periodic mesh.
    pub(super) images: Option<Images>,
    /// See [`Nodes::canonical`].
    pub(super) plan: OnceCell<Redistribution>,
}

/// The nodes of a periodic mesh cut open along its seams.
pub(super) struct Images {
    /// The nodes of the mesh that is cut open, on the same cells.
    pub open: Box<Nodes>,
    /// Canonical numbers of the images of the owned nodes there, increasing.
    pub(super) ids: Vec<u64>,
    /// The owned node that each is an image of.
    pub(super) nodes: Vec<u32>,
}

impl Nodes {
    /// The nodes of elements of a degree: those that are in use on this mesh already, or else numbers them. Collective.
    ///
    /// # Errors
    /// When there are more nodes than PETSc's integers can count.
    pub fn of(mesh: &Rc<Mesh>, degree: usize) -> Result<Rc<Self>> {
        mesh.shared.get([degree, 0], || {
            let mut nodes = Self::numbered(mesh, degree, &mesh.topology())?;
            if mesh.identified.is_some() {
                let apart = (Cow::Borrowed(&mesh.vertex_ids[..]), Cow::Borrowed(&mesh.cells[..]));
                nodes.set_images(Self::numbered(mesh, degree, &apart)?)?;
            }
            Ok(nodes)
        })
    }

    /// Numbers the nodes of cells that hang together by this [topology](Mesh::topology). Collective.
    fn numbered(mesh: &Rc<Mesh>, degree: usize, topology: &Topology) -> Result<Self> {
        let element = Element::new(mesh.cell_type, degree);
        let (entities, mut cell_nodes) = entities(mesh, &element, topology);
        let numbering = Numbering::new(mesh, &entities, &cell_nodes, &element);

        // Local order: owned nodes as the cells meet them, then ghosts by PETSc number.
        let mut order: Vec<u32> = (0..entities.len() as u32).collect();
        order.sort_by_key(|&e| {
            let number = numbering.numbers[e as usize];
            let owned = numbering.range.contains(&number);
            (!owned, number)
        });
        let owned_nodes = (numbering.range.end - numbering.range.start) as usize;
        let mut local = vec![0u32; order.len()];
        for (node, &entity) in order.iter().enumerate() {
            local[entity as usize] = node as u32;
        }
        for node in &mut cell_nodes {
            *node = local[*node as usize];
        }
        let node_ids = order.iter().map(|&e| numbering.canonical[e as usize]).collect();
        let ghosts = order[owned_nodes..].iter().map(|&e| numbering.numbers[e as usize] as i32).collect();
        expect_countable(numbering.total, 1)?;
        let coordinates = node_coordinates(mesh, &element, &cell_nodes, order.len());
        Ok(Self {
            mesh: mesh.clone(),
            element,
            cell_nodes,
            owned_nodes,
            node_ids,
            global_nodes: numbering.total,
            first: numbering.range.start,
            ghosts,
            coordinates,
            images: None,
            plan: OnceCell::new(),
        })
    }

    /// Number of local nodes, ghosts included.
    pub fn local_nodes(&self) -> usize {
        self.node_ids.len()
    }

    /// Whether a local node is a vertex of the mesh.
    pub fn is_vertex(&self, node: usize) -> bool {
        self.node_ids[node] < self.mesh.global_vertices
    }

    /// Nodes of a local cell.
    pub fn nodes_of(&self, cell: usize) -> &[u32] {
        let n = self.element.functions();
        &self.cell_nodes[cell * n..(cell + 1) * n]
    }

    /// Coordinates of a local node, unused ones zero.
    pub fn point(&self, node: usize) -> [f64; 3] {
        let d = self.mesh.dimension;
        std::array::from_fn(|i| if i < d { self.coordinates[node * d + i] } else { 0.0 })
    }

    /// PETSc's number of a local node.
    pub fn number(&self, node: u32) -> i32 {
        match (node as usize).checked_sub(self.owned_nodes) {
            None => (self.first + u64::from(node)) as i32,
            Some(ghost) => self.ghosts[ghost],
        }
    }

    /// Of each local node that is a vertex, the local node of other nodes of the same mesh there; `u32::MAX` of all others.
    /// A vertex has the same owner in both. Local.
    pub fn at_vertices(&self, other: &Self) -> Vec<u32> {
        let corners = self.mesh.cell_type.vertices();
        let mut there = vec![u32::MAX; self.local_nodes()];
        for cell in 0..self.mesh.local_cells() {
            for (&own, &node) in self.nodes_of(cell).iter().zip(other.nodes_of(cell)).take(corners) {
                there[own as usize] = node;
            }
        }
        there
    }

    /// A zero field: a ghosted PETSc vector with a block of `components` at each node. Collective.
    ///
    /// # Errors
    /// When PETSc is out of memory.
    pub fn field_of(&self, components: usize) -> Result<petsc_rs::Vector> {
        Ok(petsc_rs::Vector::ghosted(self.mesh.comm.mpi(), self.owned_nodes, components, &self.ghosts)?)
    }
}

/// Refuses more unknowns than PETSc's integers can count.
pub(super) fn expect_countable(nodes: u64, components: usize) -> Result<()> {
    let unknowns = u128::from(nodes) * components as u128;
    match unknowns > i32::MAX as u128 {
        false => Ok(()),
        true => Err(Error::Failed(format!(
            "{unknowns} unknowns are more than this PETSc's 32-bit integers count; use a PETSc with 64-bit indices"
        ))),
    }
}

/// Nodes are the images of the reference nodes under the (multi)linear map of the cell.
fn node_coordinates(mesh: &Mesh, element: &Element, cell_nodes: &[u32], nodes: usize) -> Vec<f64> {
    let d = mesh.dimension;
    let corners = mesh.cell_type.vertices();
    let functions = element.functions();
    let table = Element::new(mesh.cell_type, 1).tabulate(&element.nodes);
    let mut coordinates = vec![0.0; nodes * d];
    for (vertices, list) in mesh.cells.chunks_exact(corners).zip(cell_nodes.chunks_exact(functions)) {
        for (a, &node) in list.iter().enumerate() {
            for i in 0..d {
                coordinates[node as usize * d + i] = if a < corners {
                    mesh.coordinates[vertices[a] as usize * d + i]
                } else {
                    (0..corners)
                        .map(|v| {
                            table.values[a * corners + v] * mesh.coordinates[vertices[v] as usize * d + i]
                        })
                        .sum()
                };
            }
        }
    }
    coordinates
}
