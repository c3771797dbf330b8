//! Numbers for a run's banner.
use super::local::Mesh;
use std::fmt;

/// Size and quality of a distributed mesh, the same on every rank.
#[derive(Debug, Clone, PartialEq)]
pub struct MeshReport {
    /// File name or "box".
    pub source: String,
    /// Name of the cells' shape.
    pub cell: &'static str,
    /// Cells over all ranks.
    pub cells: u64,
    /// Vertices over all ranks.
    pub vertices: u64,
    /// Regions with their number of cells.
    pub regions: Vec<(String, u64)>,
    /// Facet markers with their number of facets.
    pub markers: Vec<(String, u64)>,
    /// Facets of the boundary without a marker.
    pub unmarked: u64,
    /// Facets between cells of different ranks.
    pub edge_cut: u64,
    /// Most cells of a rank over the mean.
    pub imbalance: f64,
    /// Most ranks that one rank shares vertices with.
    pub neighbours: u64,
    /// Ghost cells over owned cells, all ranks together.
    pub ghosts: f64,
    /// Number of experts over all ranks.
    pub experts: u32,
    /// Fewest and most cells of an expert.
    pub expert_cells: (u64, u64),
    /// Most cells of an expert over the mean.
    pub expert_imbalance: f64,
    /// What the user should know about the source.
    pub notes: Vec<String>,
}

impl Mesh {
    /// Size and quality of the mesh and its partition. Collective.
    pub fn report(&self) -> MeshReport {
        let comm = &self.comm;
        let owned = self.owned_cells;
        let mut others: Vec<u32> = self.cell_owners[owned..].to_vec();
        others.sort_unstable();
        others.dedup();

        let mut regions = vec![0.0; self.region_names.len()];
        self.cell_regions[..owned].iter().for_each(|&r| regions[r as usize] += 1.0);
        comm.sum_into(&mut regions);
        let mut markers = vec![0.0; self.facets.names.len() + 1];
        for (&cell, &marker) in self.facets.cell.iter().zip(&self.facets.marker) {
            if (cell as usize) < owned {
                let last = markers.len() - 1;
                markers[last.min(marker as usize)] += 1.0;
            }
        }
        comm.sum_into(&mut markers);
        let unmarked = markers.pop().unwrap_or(0.0) as u64;
        let named = |names: &[String], counts: &[f64]| {
            names.iter().cloned().zip(counts.iter().map(|&c| c as u64)).collect()
        };

        let sizes: Vec<u64> = self.expert_cells().iter().map(|cells| cells.len() as u64).collect();
        let most = comm.max(sizes.iter().max().copied().unwrap_or(0));
        let mean = self.global_cells as f64 / comm.size() as f64;
        MeshReport {
            source: self.source.clone(),
            cell: self.cell_type.name(),
            cells: self.global_cells,
            vertices: self.global_vertices,
            regions: named(&self.region_names, &regions),
            markers: named(&self.facets.names, &markers),
            unmarked,
            edge_cut: comm.sum(self.cut_facets) / 2,
            imbalance: comm.max(owned as u64) as f64 / mean,
            neighbours: comm.max(others.len() as u64),
            ghosts: comm.sum((self.local_cells() - owned) as u64) as f64 / self.global_cells as f64,
            experts: self.global_experts,
            expert_cells: (comm.min(sizes.iter().min().copied().unwrap_or(0)), most),
            expert_imbalance: most as f64 * f64::from(self.global_experts) / self.global_cells as f64,
            notes: self.notes.clone(),
        }
    }
}

impl fmt::Display for MeshReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |list: &[(String, u64)]| {
            list.iter().map(|(name, count)| format!("{name} ({count})")).collect::<Vec<_>>().join(", ")
        };
        writeln!(
            f,
            "mesh       {}: {} {} cells, {} vertices",
            self.source, self.cells, self.cell, self.vertices
        )?;
        writeln!(f, "regions    {}", list(&self.regions))?;
        if !self.markers.is_empty() {
            writeln!(f, "markers    {}", list(&self.markers))?;
        }
        writeln!(
            f,
            "partition  edge cut {}, imbalance {:.3}, at most {} neighbours, {:.1} % ghost cells",
            self.edge_cut,
            self.imbalance,
            self.neighbours,
            100.0 * self.ghosts
        )?;
        write!(
            f,
            "experts    {} with {} to {} cells, imbalance {:.3}",
            self.experts, self.expert_cells.0, self.expert_cells.1, self.expert_imbalance
        )?;
        if self.unmarked > 0 {
            write!(f, "\nnote       {} boundary facets have no marker", self.unmarked)?;
        }
        for note in &self.notes {
            write!(f, "\nnote       {note}")?;
        }
        Ok(())
    }
}
