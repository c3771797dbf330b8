//! The nodes of experts in files: `start`, `nodes` and `gating` of a group.
use crate::fem::Space;
use crate::mixture::Gating;
use crate::storage::File;
use crate::{Error, Result};

/// The rows of this rank's experts in files, and their order there.
pub(super) struct Rows {
    /// For each expert, the places of its nodes in the order of their numbers in files.
    pub order: Vec<Vec<u32>>,
    /// These numbers, one expert after the other.
    numbers: Vec<u64>,
    /// Where the first expert's stand among those of all ranks.
    pub first: u64,
    pub total: u64,
}

impl Rows {
    /// Collective.
    pub fn new(space: &Space, gating: &Gating) -> Self {
        let comm = &space.mesh.comm;
        let (mut order, mut numbers) = (Vec::new(), Vec::new());
        for ids in gating.restrict(comm, &space.file_numbers(), 1) {
            let mut places: Vec<u32> = (0..ids.len() as u32).collect();
            places.sort_unstable_by_key(|&place| ids[place as usize]);
            numbers.extend(places.iter().map(|&place| ids[place as usize]));
            order.push(places);
        }
        let (first, total) = (comm.exclusive_sum(numbers.len() as u64), comm.sum(numbers.len() as u64));
        Self { order, numbers, first, total }
    }

    /// Values of the experts' nodes, `width` each, in the order of files.
    pub fn sorted<'a>(
        &'a self,
        parts: impl Iterator<Item = Option<&'a [f64]>> + 'a,
        width: usize,
    ) -> Vec<f64> {
        let mut values = Vec::with_capacity(self.numbers.len() * width);
        for (part, order) in parts.zip(&self.order) {
            match part {
                Some(part) => {
                    order
                        .iter()
                        .for_each(|&p| values.extend_from_slice(&part[p as usize * width..][..width]));
                }
                // An expert with fewer modes than others.
                None => values.resize(values.len() + order.len() * width, 0.0),
            }
        }
        values
    }

    /// The parts of each expert of values in the order of files.
    fn parts(&self, values: &[f64], width: usize) -> Vec<Vec<f64>> {
        let mut rest = values.chunks_exact(width);
        let part = |order: &Vec<u32>| {
            let mut part = vec![0.0; order.len() * width];
            for (&place, value) in order.iter().zip(&mut rest) {
                part[place as usize * width..][..width].copy_from_slice(value);
            }
            part
        };
        self.order.iter().map(part).collect()
    }

    /// Whether a file has these experts: `start` and `nodes` of its group. Collective.
    pub fn expect(&self, file: &File, group: &str, gating: &Gating) -> Result<()> {
        let other = || {
            let text =
                format!("{group} is of other experts than those of this partition: read them from the file");
            Error::input(file.label(), text)
        };
        let (start, nodes) = (format!("{group}/start"), format!("{group}/nodes"));
        let fits = file.shape(&start)? == [u64::from(gating.global_experts) + 1]
            && file.shape(&nodes)? == [self.total];
        if !fits {
            return Err(other());
        }
        let mine = u64::from(gating.experts.start)..u64::from(gating.experts.end) + 1;
        let starts = file.read_rows::<u64>(&start, mine)?;
        let there = file.read_rows::<u64>(&nodes, self.first..self.first + self.numbers.len() as u64)?;
        let ends = self.order.iter().scan(self.first, |end, order| {
            *end += order.len() as u64;
            Some(*end)
        });
        let same =
            starts.iter().copied().eq(std::iter::once(self.first).chain(ends)) && there == self.numbers;
        file.comm().agree(if same { Ok(()) } else { Err(other()) })
    }

    /// Row `lead` of the modes in a file, by expert. Collective.
    pub fn read(&self, file: &File, path: &str, lead: &[u64], width: usize) -> Result<Vec<Vec<f64>>> {
        let rows = self.first..self.first + self.numbers.len() as u64;
        Ok(self.parts(&file.read_below::<f64>(path, lead, rows)?, width))
    }

    /// Writes which rows are whose, the nodes and the values of the gating functions there. Collective.
    pub fn write(&self, file: &File, group: &str, gating: &Gating) -> Result<()> {
        let comm = file.comm();
        let mut start: Vec<u64> = (self.order.iter())
            .scan(self.first, |start, order| Some(std::mem::replace(start, *start + order.len() as u64)))
            .collect();
        if comm.rank() + 1 == comm.size() {
            start.push(self.total);
        }
        let path = format!("{group}/start");
        file.create_dataset::<u64>(&path, &[u64::from(gating.global_experts) + 1])?;
        file.write_rows(&path, gating.experts.start.into(), &start)?;
        file.set(
            &path,
            "meaning",
            "rows start[k] to start[k + 1] of nodes, gating and modes are those of expert k",
        )?;
        let path = format!("{group}/nodes");
        file.create_dataset::<u64>(&path, &[self.total])?;
        file.write_rows(&path, self.first, &self.numbers)?;
        file.set(&path, "meaning", "canonical numbers of the nodes of each expert, ascending")?;
        let path = format!("{group}/gating");
        let chi = gating.values(comm);
        file.create_dataset::<f64>(&path, &[self.total])?;
        file.write_rows(&path, self.first, &self.sorted(chi.iter().map(|part| Some(&part[..])), 1))?;
        file.set(&path, "meaning", "value of the expert's gating function at the node")?;
        file.set(&path, "unit", "1")
    }
}
