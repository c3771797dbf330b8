//! Finite element spaces: so many unknowns at each node of a mesh.
use super::nodes::{Nodes, expect_countable};
use crate::error::Result;
use crate::mesh::Mesh;
use std::ops::Deref;
use std::rc::Rc;

/// A Lagrange space: `components` unknowns at every node, whose [numbers](Nodes) all spaces of the same mesh and degree
/// share. Unknown `node * components + component`.
pub struct Space {
    /// The nodes.
    pub nodes: Rc<Nodes>,
    /// Unknowns at a node.
    pub components: usize,
    /// Whether the mesh is the half section of a body of revolution: the first coordinate is the radius, and integrals
    /// go around the axis, with the measure `2 pi r`.
    pub axisymmetric: bool,
}

impl Deref for Space {
    type Target = Nodes;

    fn deref(&self) -> &Nodes {
        &self.nodes
    }
}

impl Space {
    /// A space on the [nodes](Nodes::of) of a mesh. Collective.
    ///
    /// # Errors
    /// When the space has more unknowns than PETSc's integers can count.
    pub fn new(mesh: Rc<Mesh>, degree: usize, components: usize) -> Result<Self> {
        let nodes = Nodes::of(&mesh, degree)?;
        expect_countable(nodes.global_nodes, components)?;
        Ok(Self { nodes, components, axisymmetric: false })
    }

    /// The same space on the half section of a body of revolution, see [`Space::axisymmetric`].
    pub fn around_axis(self, axisymmetric: bool) -> Self {
        Self { axisymmetric, ..self }
    }

    /// The nodes with another number of unknowns at each, in a plane or around an axis as here. Local.
    ///
    /// # Errors
    /// When that is more unknowns than PETSc's integers can count.
    pub fn with_components(&self, components: usize) -> Result<Self> {
        expect_countable(self.global_nodes, components)?;
        Ok(Self { nodes: self.nodes.clone(), components, axisymmetric: self.axisymmetric })
    }

    /// Number of unknowns over all ranks.
    pub fn global_dofs(&self) -> u64 {
        self.global_nodes * self.components as u64
    }

    /// Number of unknowns that this rank owns.
    pub fn owned_dofs(&self) -> usize {
        self.owned_nodes * self.components
    }

    /// A zero field: a ghosted PETSc vector with a block of [`Space::components`] at each node. Collective.
    ///
    /// # Errors
    /// When PETSc is out of memory.
    pub fn field(&self) -> Result<petsc_rs::Vector> {
        self.field_of(self.components)
    }
}
