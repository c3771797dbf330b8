//! Nodes of periodic meshes and their images in files.
//!
//! The sides of a periodic direction share their nodes, so a node may lie in several places. Files show the mesh
//! cut open: every image is a node there, and all images of a node have its value.
use super::nodes::{Images, Nodes};
use crate::Result;
use crate::parallel::Redistribution;

impl Nodes {
    /// The plan that brings the values of the owned nodes into the canonical order of files, where those of a
    /// periodic mesh stand at all images of their nodes; made at the first call and kept. Collective.
    pub fn canonical(&self) -> Redistribution {
        let make = || {
            let comm = &self.mesh.comm;
            match &self.images {
                None => Redistribution::new(comm, &self.node_ids[..self.owned_nodes], self.global_nodes),
                Some(images) => {
                    let places = (&images.ids[..], &images.nodes[..]);
                    Redistribution::with_images(comm, places, self.owned_nodes, images.open.global_nodes)
                }
            }
        };
        self.plan.get_or_init(make).clone()
    }

    /// The numbers of the owned nodes in files: canonical ones, of a node of a periodic mesh that of its first image. Local.
    pub fn file_numbers(&self) -> Vec<u64> {
        let mut numbers = self.node_ids[..self.owned_nodes].to_vec();
        if let Some(images) = &self.images {
            // Increasing: the first image is written last.
            images.ids.iter().zip(&images.nodes).rev().for_each(|(&id, &node)| numbers[node as usize] = id);
        }
        numbers
    }

    /// The nodes as files show them: those of a periodic mesh cut open.
    pub fn in_files(&self) -> &Self {
        self.images.as_ref().map_or(self, |images| &images.open)
    }

    /// In how many places of files each owned node stands. Local.
    pub fn places(&self) -> Vec<u32> {
        let Some(images) = &self.images else { return vec![1; self.owned_nodes] };
        let mut places = vec![0; self.owned_nodes];
        images.nodes.iter().for_each(|&node| places[node as usize] += 1);
        places
    }

    /// Takes the nodes of the mesh that is cut open; nodes get the place of their first image. Collective.
    pub(super) fn set_images(&mut self, open: Self) -> Result<()> {
        let d = self.mesh.dimension;
        // The ghost layer reaches across seams, so all images of an owned node are at hand.
        let mut images: Vec<(u64, u32, u32)> = (open.cell_nodes.iter().zip(&self.cell_nodes))
            .filter(|&(_, &node)| (node as usize) < self.owned_nodes)
            .map(|(&image, &node)| (open.node_ids[image as usize], image, node))
            .collect();
        images.sort_unstable();
        images.dedup();
        let mut places = self.field_of(d)?;
        {
            let mut places = places.write()?;
            for &(_, image, node) in images.iter().rev() {
                let place = &open.coordinates[image as usize * d..][..d];
                places[node as usize * d..][..d].copy_from_slice(place);
            }
        }
        places.ghost_update()?;
        self.coordinates.copy_from_slice(&places.local_read()?);
        let ids = images.iter().map(|image| image.0).collect();
        let nodes = images.iter().map(|image| image.2).collect();
        self.images = Some(Images { open: Box::new(open), ids, nodes });
        Ok(())
    }
}
