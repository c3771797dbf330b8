//! A mesh as its source gives it: blocks of cells and vertices by canonical number, not by ownership.
use super::cell::CellType;
use crate::error::{Error, Result};
use crate::parallel::{Comm, Redistribution};

/// What a source hands over: rank r holds the r-th equal [`block`](crate::parallel::block) of the
/// cells and of the vertices.
pub(super) struct RawMesh {
    /// File name or "box".
    pub source: String,
    /// Shape of every cell.
    pub cell_type: CellType,
    /// Number of cells over all ranks.
    pub global_cells: u64,
    /// Number of vertices over all ranks.
    pub global_vertices: u64,
    /// Canonical vertex numbers, `[cell, vertex]`, of this rank's block of cells.
    pub cells: Vec<u64>,
    /// Index into `region_names` of this rank's block of cells.
    pub regions: Vec<u16>,
    /// Names of the cell markers, the same on every rank.
    pub region_names: Vec<String>,
    /// Coordinates, `[vertex, dimension]`, of this rank's block of vertices.
    pub coordinates: Vec<f64>,
    /// Of a periodic mesh, for this rank's block of vertices: the canonical number of the vertex that each is
    /// identified with, its own where it stands for itself.
    pub identified: Option<Vec<u64>>,
    /// Of a periodic mesh: where the vertices of `cells` lie, see [`RawMesh::identify`]; otherwise empty.
    pub corners: Vec<u64>,
    /// Canonical vertex numbers, `[facet, vertex]`, of marked facets; any rank may hold any of them.
    pub facets: Vec<u64>,
    /// Index into `facet_names` of each of these facets.
    pub facet_markers: Vec<u16>,
    /// Names of the facet markers, the same on every rank.
    pub facet_names: Vec<String>,
    /// What the user should know about the source, the same on every rank.
    pub notes: Vec<String>,
}

impl RawMesh {
    /// An empty mesh.
    pub fn new(source: impl Into<String>, cell_type: CellType) -> Self {
        Self {
            source: source.into(),
            cell_type,
            global_cells: 0,
            global_vertices: 0,
            cells: Vec::new(),
            regions: Vec::new(),
            region_names: Vec::new(),
            coordinates: Vec::new(),
            identified: None,
            corners: Vec::new(),
            facets: Vec::new(),
            facet_markers: Vec::new(),
            facet_names: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Whether this rank's share (cells from number `first` on) can be worked with: vertex numbers in
    /// range, no vertex twice in a cell, finite coordinates. Local.
    ///
    /// # Errors
    /// [`Error::Input`] naming the first fault.
    pub fn check(&self, first: u64) -> Result<()> {
        let none = Vec::new();
        let identified = self.identified.as_ref().unwrap_or(&none);
        for (what, list) in
            [("cell", &self.cells), ("facet", &self.facets), ("list of identified vertices", identified)]
        {
            if let Some(vertex) = list.iter().find(|&&v| v >= self.global_vertices) {
                let message =
                    format!("a {what} has the vertex {vertex}, but there are {}", self.global_vertices);
                return Err(Error::input(&self.source, message));
            }
        }
        for (i, cell) in self.cells.chunks_exact(self.cell_type.vertices()).enumerate() {
            if let Some(at) = (1..cell.len()).find(|&at| cell[..at].contains(&cell[at])) {
                let id = first + i as u64;
                let message = format!("cell {id} (counted from 0) has the vertex {} twice", cell[at]);
                return Err(Error::input(&self.source, message));
            }
        }
        match self.coordinates.iter().find(|x| !x.is_finite()) {
            Some(x) => Err(Error::input(&self.source, format!("a vertex has the coordinate {x}"))),
            None => Ok(()),
        }
    }

    /// Replaces the vertices of a periodic mesh's cells and facets by those that they are identified with, so
    /// that cells on both sides of a seam share vertices; `corners` keeps the cells' own, which have their
    /// places in space. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] on the ranks that find a vertex identified with one that stands for another itself.
    pub fn identify(&mut self, comm: &Comm) -> Result<()> {
        let Some(identified) = &self.identified else { return Ok(()) };
        let look_up = |vertices: &[u64]| -> Vec<u64> {
            let (unique, places) = compact(vertices);
            let found =
                Redistribution::new(comm, &unique, self.global_vertices).from_canonical(identified, 1);
            places.iter().map(|&place| found[place as usize]).collect()
        };
        let (cells, facets) = (look_up(&self.cells), look_up(&self.facets));
        if let Some((v, w)) = cells.iter().zip(look_up(&cells)).find(|&(&v, w)| v != w) {
            let message = format!("a vertex is identified with {v}, which is itself identified with {w}");
            return Err(Error::input(&self.source, message));
        }
        self.corners = std::mem::replace(&mut self.cells, cells);
        self.facets = facets;
        Ok(())
    }
}

/// The cells `[cell, vertex]` by what their vertices are `identified` with: the distinct canonical numbers,
/// increasing, and places among them, `[cell, vertex]`.
pub(super) fn topology(cells: &[u32], identified: &[u64]) -> (Vec<u64>, Vec<u32>) {
    let (unique, places) = compact(identified);
    (unique, cells.iter().map(|&v| places[v as usize]).collect())
}

/// Numbers the distinct entries of `ids` from 0 in increasing order: the sorted distinct entries, and
/// for every entry its place among them.
pub(super) fn compact(ids: &[u64]) -> (Vec<u64>, Vec<u32>) {
    let (Some(&low), Some(&high)) = (ids.iter().min(), ids.iter().max()) else {
        return (Vec::new(), Vec::new());
    };
    let range = high - low;
    if range < 8 * ids.len() as u64 {
        // Dense enough for a table that is no larger than a few times the input.
        let mut table = vec![u32::MAX; range as usize + 1];
        ids.iter().for_each(|&id| table[(id - low) as usize] = 0);
        let mut unique = Vec::new();
        for (offset, entry) in table.iter_mut().enumerate() {
            if *entry == 0 {
                *entry = unique.len() as u32;
                unique.push(low + offset as u64);
            }
        }
        let places = ids.iter().map(|&id| table[(id - low) as usize]).collect();
        return (unique, places);
    }
    let mut order: Vec<u32> = (0..ids.len() as u32).collect();
    order.sort_unstable_by_key(|&i| ids[i as usize]);
    let mut unique: Vec<u64> = Vec::new();
    let mut places = vec![0; ids.len()];
    for i in order {
        if unique.last() != Some(&ids[i as usize]) {
            unique.push(ids[i as usize]);
        }
        places[i as usize] = unique.len() as u32 - 1;
    }
    (unique, places)
}

#[cfg(test)]
mod tests {
    use super::compact;

    #[test]
    fn numbers_are_dense_and_ordered() {
        for far in [9, 9_000_000_000] {
            let (unique, places) = compact(&[7, far, 3, 7, 3]);
            assert_eq!(unique, [3, 7, far]);
            assert_eq!(places, [1, 2, 0, 1, 0]);
        }
        assert!(compact(&[]).0.is_empty());
    }
}
