//! Numbers that belong to experts, on the ranks that have nodes of them and on the experts' own ranks.
use crate::mixture::Gating;
use crate::parallel::Comm;

/// Which experts this rank has numbers of, and who asks for this rank's.
pub(in crate::experts) struct Shares {
    comm: Comm,
    /// The experts that this rank has numbers of, ascending.
    pub experts: Vec<u32>,
    /// For each rank how many of them are its.
    asked: Vec<usize>,
    /// For each rank the places among this rank's experts of those that it has numbers of.
    asking: Vec<Vec<u32>>,
    /// Number of this rank's experts.
    own: usize,
}

impl Shares {
    /// Of the experts that reach so many owned nodes. Collective.
    pub fn new(comm: &Comm, gating: &Gating, nodes: usize) -> Self {
        Self::of(comm, gating, (0..nodes).flat_map(|node| gating.of(node)).map(|entry| entry.0))
    }

    /// Of a list of experts. Collective.
    pub fn of(comm: &Comm, gating: &Gating, experts: impl Iterator<Item = u32>) -> Self {
        let mut experts: Vec<u32> = experts.collect();
        experts.sort_unstable();
        experts.dedup();
        let mut questions = vec![Vec::new(); comm.size()];
        experts.iter().for_each(|&expert| questions[gating.owner(expert)].push(expert));
        let asked = questions.iter().map(Vec::len).collect();
        let first = gating.experts.start;
        let asking = comm.exchange(&questions);
        let asking = asking.into_iter().map(|list| list.into_iter().map(|e| e - first).collect()).collect();
        Self { comm: comm.clone(), experts, asked, asking, own: gating.experts.len() }
    }

    /// The place of an expert in the list.
    pub fn place(&self, expert: u32) -> usize {
        self.experts.binary_search(&expert).expect("an expert of the list")
    }

    /// Sums what the ranks found of each expert, `width` numbers, on its own rank; in the order of the ranks. Collective.
    pub fn gather(&self, values: &[f64], width: usize) -> Vec<f64> {
        let mut rest = values;
        let messages: Vec<Vec<f64>> = self
            .asked
            .iter()
            .map(|&count| {
                let (head, tail) = rest.split_at(count * width);
                rest = tail;
                head.to_vec()
            })
            .collect();
        let mut sums = vec![0.0; self.own * width];
        for (part, places) in self.comm.exchange(&messages).iter().zip(&self.asking) {
            for (&place, values) in places.iter().zip(part.chunks_exact(width)) {
                let sum = &mut sums[place as usize * width..][..width];
                sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
        }
        sums
    }

    /// What each expert's own rank has of it, `width` numbers, for the experts of this rank's nodes. Collective.
    pub fn spread(&self, values: &[f64], width: usize) -> Vec<f64> {
        let of = |places: &Vec<u32>| -> Vec<f64> {
            places.iter().flat_map(|&place| &values[place as usize * width..][..width]).copied().collect()
        };
        let messages: Vec<Vec<f64>> = self.asking.iter().map(of).collect();
        self.comm.exchange(&messages).concat()
    }
}
