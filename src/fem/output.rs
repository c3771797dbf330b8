//! Spaces in files.
use super::Space;
use crate::error::Result;
use crate::mesh::CellType;
use crate::storage::File;

/// VTK's faces of a hexahedron (x low, x high, y low, y high, z low, z high; `vtkTriQuadraticHexahedron`)
/// as numbers of facets, see [`CellType::facet_vertices`].
const VTK_FACES: [usize; 6] = [2, 3, 1, 4, 0, 5];

impl Space {
    /// Writes nodes and cells of degree 2 to `/spaces/2`, unless they are there; degree 1 needs nothing
    /// beside the mesh. Collective.
    pub fn write(&self, file: &File) -> Result<()> {
        let degree = self.element.degree;
        if degree == 1 || file.exists(&format!("/spaces/{degree}")) {
            return Ok(());
        }
        let functions = self.element.functions();
        let order = self.vtk_order();
        let cells = self.cell_nodes[..self.mesh.owned_cells * functions].chunks_exact(functions);
        let topology: Vec<u64> =
            cells.flat_map(|nodes| order.iter().map(|&a| self.node_ids[nodes[a] as usize])).collect();
        let dimension = self.mesh.dimension;
        file.write_space(
            degree,
            (&self.canonical(), &self.coordinates[..self.owned_nodes * dimension]),
            (&self.mesh.cell_redistribution(), &topology),
            dimension,
            functions,
        )
    }

    /// The element's functions in the order of VTK's quadratic cells.
    fn vtk_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.element.functions()).collect();
        if self.mesh.cell_type == CellType::Hexahedron && self.element.degree == 2 {
            let first = order.len() - 1 - VTK_FACES.len();
            for (place, face) in VTK_FACES.into_iter().enumerate() {
                order[first + place] = first + face;
            }
        }
        order
    }
}
