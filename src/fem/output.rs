//! Nodes in files.
use super::nodes::Nodes;
use crate::error::Result;
use crate::storage::File;

impl Nodes {
    /// Writes nodes and cells of degree 2 to `/spaces/2`, unless they are there; degree 1 needs nothing
    /// beside the mesh. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when the file system refuses.
    pub fn write(&self, file: &File) -> Result<()> {
        if let Some(images) = &self.images {
            return images.open.write(file);
        }
        let degree = self.element.degree;
        if degree == 1 || file.exists(&format!("/spaces/{degree}")) {
            return Ok(());
        }
        let functions = self.element.functions();
        let order = self.element.vtk_order();
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
}
