//! Numbers of cells that several ranks have.
use super::local::Mesh;

impl Mesh {
    /// Adds up what the ranks say of their local cells, `[cell, number]` with `width` numbers a cell: afterwards every rank
    /// that has a cell, ghosts included, has the sum. Collective.
    ///
    /// # Panics
    /// When there are not so many numbers.
    pub fn add_cells(&self, width: usize, values: &mut [f64]) {
        assert_eq!(values.len(), self.local_cells() * width);
        let comm = &self.comm;
        let owner = |cell: usize| self.cell_owners[cell] as usize;
        let ghosts = || self.owned_cells..self.local_cells();
        let (mut ids, mut said) = (vec![Vec::new(); comm.size()], vec![Vec::new(); comm.size()]);
        for cell in ghosts() {
            ids[owner(cell)].push(self.cell_ids[cell]);
            said[owner(cell)].extend_from_slice(&values[cell * width..][..width]);
        }
        let mut own: Vec<(u64, usize)> =
            (0..self.owned_cells).map(|cell| (self.cell_ids[cell], cell)).collect();
        own.sort_unstable();
        let place = |id: &u64| own[own.binary_search_by_key(id, |pair| pair.0).expect("an owned cell")].1;
        let asked: Vec<Vec<usize>> =
            comm.exchange(&ids).iter().map(|ids| ids.iter().map(place).collect()).collect();
        for (cells, said) in asked.iter().zip(comm.exchange(&said)) {
            for (i, cell) in cells.iter().enumerate() {
                let sums = values[cell * width..][..width].iter_mut();
                sums.zip(&said[i * width..]).for_each(|(sum, v)| *sum += v);
            }
        }
        let sums: Vec<Vec<f64>> = asked
            .iter()
            .map(|cells| cells.iter().flat_map(|cell| &values[cell * width..][..width]).copied().collect())
            .collect();
        let sums = comm.exchange(&sums);
        let mut next = vec![0; comm.size()];
        for cell in ghosts() {
            let rank = owner(cell);
            values[cell * width..][..width].copy_from_slice(&sums[rank][next[rank]..][..width]);
            next[rank] += width;
        }
    }
}
