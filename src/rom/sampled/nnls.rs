//! Sparse non-negative least squares on columns that ranks share: the points and weights of empirical cubature.
//!
//! Lawson and Hanson's method (1974), stopped as soon as the residual is small enough (Chapman, Avery, Collins, Farhat 2017),
//! on candidates drawn by a hash of the columns' numbers. All columns are looked at only when these are not enough. What is
//! decided is decided from the same numbers on every rank, so the rule does not depend on how many there are.
use super::active_set::{ActiveSet, dot, norm};
use crate::parallel::Comm;
use crate::{Error, Result};
use std::collections::BTreeSet;

/// So many candidates are drawn for each row.
const CANDIDATES: usize = 8;
/// So many columns of the whole matrix come for each row when the candidates are not enough.
const PRICED: usize = 4;
/// A column whose angle with the residual has a smaller cosine does not lower it to speak of.
const FLAT: f64 = 1e-6;
/// Products that agree so closely, relative to the largest, are equal, and the lowest number goes first.
const TIE: f64 = 1e-9;
/// At most so many looks at all columns.
const PASSES: usize = 20;
/// At most so many columns are tried for each row between two looks.
const STEPS: usize = 100;
/// A residual that falls by less than this factor, over as many steps as there are rows or from one look at all columns to the next,
/// is the least where the least will do: the last steps towards it are many, and of no use.
const SLOW: f64 = 0.98;

/// A matrix whose columns are shared out over ranks.
#[derive(Clone, Copy)]
pub struct DistributedColumns<'a> {
    /// Who shares it.
    pub comm: &'a Comm,
    /// Number of rows, the same on all ranks.
    pub rows: usize,
    /// This rank's columns, one after the other: `rows` numbers each.
    pub values: &'a [f64],
    /// A number for each of this rank's columns that no other column has, and that does not depend on the ranks.
    pub ids: &'a [u64],
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Norm of the residual relative to that of the right-hand side to stop at.
    pub tolerance: f64,
    /// Numbers of columns to try first: the points of an earlier rule.
    pub seeds: Vec<u64>,
    /// Whether the least residual will do where it is above the tolerance; it is an error otherwise.
    pub optimum: bool,
}

/// Columns with positive weights whose sum is the right-hand side to a tolerance; the same on all ranks.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Numbers of the columns, ascending.
    pub ids: Vec<u64>,
    /// Their weights, all positive.
    pub weights: Vec<f64>,
    /// Norm of the residual relative to that of the right-hand side.
    pub residual: f64,
    /// How often all columns were looked at.
    pub passes: usize,
    /// How many columns came to all ranks, those of passes included.
    pub candidates: usize,
}

/// Finds few columns whose sum with positive weights is `target` (replicated; that of rank 0 counts). A target of zero needs no
/// column. Collective.
///
/// Every rank holds the columns that were drawn, eight for each row. Columns of no length never get a weight.
///
/// # Errors
/// Shapes that do not fit; a value that is not finite; a number that two columns have; a seed that no column has; a residual
/// that stays above the tolerance, unless the optimum is enough.
pub fn nnls(columns: DistributedColumns, target: &[f64], options: &Options) -> Result<Rule> {
    let comm = columns.comm;
    comm.agree(columns.check(target, options))?;
    let mut shared = if comm.rank() == 0 { target.to_vec() } else { vec![0.0; target.len()] };
    comm.sum_into(&mut shared);
    let target = &shared[..];
    let seeds: BTreeSet<u64> = options.seeds.iter().copied().collect();
    let mut pool = columns.draw(&seeds)?;
    let (mut passes, mut candidates) = (0, pool.ids.len());
    let size = norm(target);
    let mut set = ActiveSet::new(target);
    let mut before = f64::INFINITY;
    loop {
        pool.solve(&mut set, &seeds, options)?;
        let now = norm(&set.residual);
        if now <= options.tolerance * size || options.optimum && now > SLOW * before {
            break;
        }
        before = now;
        let new = columns.price(&set.residual, &pool.ids);
        passes += 1;
        if new.is_empty() && options.optimum {
            break;
        }
        if new.is_empty() || passes > PASSES {
            return Err(Error::Failed(format!(
                "no positive weights of {} columns were found that give the right-hand side: after {passes} looks at all \
                 of them the residual is {:.1e} of it, above {:.1e}",
                columns.total(),
                norm(&set.residual) / size,
                options.tolerance
            )));
        }
        let more = columns.gather(|id| new.contains(&id))?;
        candidates += more.ids.len();
        pool = pool.keep(&set.ids).join(more);
    }
    let residual = if size > 0.0 { norm(&set.residual) / size } else { 0.0 };
    let mut pairs: Vec<(u64, f64)> = set.ids.into_iter().zip(set.weights).collect();
    pairs.sort_unstable_by_key(|pair| pair.0);
    let (ids, weights) = pairs.into_iter().unzip();
    Ok(Rule { ids, weights, residual, passes, candidates })
}

impl DistributedColumns<'_> {
    /// The number of columns of all ranks. Collective.
    fn total(&self) -> u64 {
        self.comm.sum(self.ids.len() as u64)
    }

    fn column(&self, k: usize) -> &[f64] {
        &self.values[k * self.rows..(k + 1) * self.rows]
    }

    fn check(&self, target: &[f64], options: &Options) -> Result<()> {
        let failed = |text: String| Err(Error::Failed(text));
        if self.values.len() != self.rows * self.ids.len() || target.len() != self.rows {
            let (rows, columns) = (self.rows, self.ids.len());
            let (values, targets) = (self.values.len(), target.len());
            return failed(format!(
                "{values} values for {columns} columns, {targets} targets for {rows} rows"
            ));
        }
        if !options.tolerance.is_finite() || options.tolerance < 0.0 {
            return failed(format!("the tolerance {} is none", options.tolerance));
        }
        let finite = |values: &[f64]| values.iter().all(|v| v.is_finite());
        match (0..self.ids.len()).find(|&k| !finite(self.column(k))) {
            Some(k) => failed(format!("column {} has a value that is not finite", self.ids[k])),
            None if !finite(target) => failed("the right-hand side has a value that is not finite".into()),
            None => Ok(()),
        }
    }

    /// The candidates: seeds, and columns by a hash of their numbers. Collective.
    fn draw(&self, seeds: &BTreeSet<u64>) -> Result<Pool> {
        let (total, wanted) = (self.total() as f64, (CANDIDATES * self.rows) as f64);
        // A share of all 64-bit numbers; the conversion ends at the largest.
        let threshold = (wanted / total.max(1.0) * 2f64.powi(64)) as u64;
        let pool = self.gather(|id| mixed(id) < threshold || threshold == u64::MAX || seeds.contains(&id))?;
        match seeds.iter().find(|seed| pool.ids.binary_search(seed).is_err()) {
            Some(seed) => Err(Error::Failed(format!("no column has the number {seed} of a seed"))),
            None => Ok(pool),
        }
    }

    /// Columns of all ranks, by their numbers. Collective.
    fn gather(&self, wanted: impl Fn(u64) -> bool) -> Result<Pool> {
        let mine: Vec<usize> = (0..self.ids.len()).filter(|&k| wanted(self.ids[k])).collect();
        let ids: Vec<u64> = mine.iter().map(|&k| self.ids[k]).collect();
        let ids = self.comm.all_gather_varied(&ids);
        if ids.len().saturating_mul(self.rows) > i32::MAX as usize {
            let text = format!("{} candidates of {} rows are too many for one message", ids.len(), self.rows);
            return Err(Error::Failed(text));
        }
        let values: Vec<f64> = mine.iter().flat_map(|&k| self.column(k)).copied().collect();
        Pool::new(self.rows, self.comm.all_gather_varied(&values), ids).sorted()
    }

    /// The columns outside of the pool that promise most, at most four for each row. Collective.
    fn price(&self, residual: &[f64], pool: &[u64]) -> BTreeSet<u64> {
        let (most, size) = (PRICED * self.rows, norm(residual));
        let outside = (0..self.ids.len()).filter(|&k| pool.binary_search(&self.ids[k]).is_err());
        let mut mine: Vec<(f64, u64)> = outside
            .filter_map(|k| {
                let column = self.column(k);
                promise(column, norm(column), residual, size).map(|value| (value, self.ids[k]))
            })
            .collect();
        let best = |list: &mut Vec<(f64, u64)>| {
            list.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            list.truncate(most);
        };
        best(&mut mine);
        let (values, ids): (Vec<f64>, Vec<u64>) = mine.into_iter().unzip();
        let (values, ids) = (self.comm.all_gather_varied(&values), self.comm.all_gather_varied(&ids));
        let mut all = values.into_iter().zip(ids).collect();
        best(&mut all);
        all.into_iter().map(|pair| pair.1).collect()
    }
}

/// The product of a column of that length and the residual of that norm, where the column lowers it.
fn promise(column: &[f64], length: f64, residual: &[f64], size: f64) -> Option<f64> {
    let product = dot(column, residual);
    (product > FLAT * length * size).then_some(product)
}

/// Mixes the bits of a number (Steele, Lea, Flood 2014: the mixing function of SplitMix).
fn mixed(id: u64) -> u64 {
    let mut z = id.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Columns that every rank holds, by ascending numbers.
struct Pool {
    rows: usize,
    values: Vec<f64>,
    /// Norms of the columns.
    lengths: Vec<f64>,
    ids: Vec<u64>,
}

impl Pool {
    fn new(rows: usize, values: Vec<f64>, ids: Vec<u64>) -> Self {
        let lengths = (0..ids.len()).map(|k| norm(&values[k * rows..(k + 1) * rows])).collect();
        Self { rows, values, lengths, ids }
    }

    fn column(&self, k: usize) -> &[f64] {
        &self.values[k * self.rows..(k + 1) * self.rows]
    }

    fn sorted(self) -> Result<Self> {
        let mut order: Vec<usize> = (0..self.ids.len()).collect();
        order.sort_unstable_by_key(|&k| self.ids[k]);
        if let Some(pair) = order.windows(2).find(|pair| self.ids[pair[0]] == self.ids[pair[1]]) {
            return Err(Error::Failed(format!("two columns have the number {}", self.ids[pair[0]])));
        }
        Ok(self.take(&order))
    }

    fn take(&self, places: &[usize]) -> Self {
        let values = places.iter().flat_map(|&k| self.column(k)).copied().collect();
        Self::new(self.rows, values, places.iter().map(|&k| self.ids[k]).collect())
    }

    /// The columns of these numbers alone, which are here.
    fn keep(&self, ids: &[u64]) -> Self {
        let mut places: Vec<usize> = ids.iter().filter_map(|id| self.ids.binary_search(id).ok()).collect();
        places.sort_unstable();
        self.take(&places)
    }

    /// Both; no column is in both.
    fn join(mut self, other: Self) -> Self {
        self.ids.extend(other.ids);
        self.values.extend(other.values);
        let mut order: Vec<usize> = (0..self.ids.len()).collect();
        order.sort_unstable_by_key(|&k| self.ids[k]);
        self.take(&order)
    }

    /// Goes on with Lawson and Hanson's method on these columns, to the tolerance or where no column lowers the residual, or so
    /// slowly that the optimum is near.
    fn solve(&self, set: &mut ActiveSet, seeds: &BTreeSet<u64>, options: &Options) -> Result<()> {
        let enough = options.tolerance * set.size();
        let mut banned = BTreeSet::new();
        let mut before = f64::INFINITY;
        for step in 0.. {
            let now = norm(&set.residual);
            if now <= enough {
                break;
            }
            if step % (self.rows + 1) == 0 {
                if options.optimum && now > SLOW * before {
                    break;
                }
                before = now;
            }
            if step > STEPS * (self.rows + 1) {
                return Err(Error::Failed(format!(
                    "non-negative least squares have no end after {step} steps"
                )));
            }
            let Some(k) = self.next(set, &banned, seeds) else { break };
            if set.insert(self.ids[k], self.column(k)) {
                banned.clear();
            } else {
                banned.insert(self.ids[k]);
            }
        }
        Ok(())
    }

    /// The place of the column that promises most, seeds before others; `None` when none lowers the residual.
    fn next(&self, set: &ActiveSet, banned: &BTreeSet<u64>, seeds: &BTreeSet<u64>) -> Option<usize> {
        let size = norm(&set.residual);
        let active: BTreeSet<u64> = set.ids.iter().copied().collect();
        let free = |id: &u64| !active.contains(id) && !banned.contains(id);
        let promising: Vec<(usize, f64)> = (0..self.ids.len())
            .filter(|&k| free(&self.ids[k]))
            .filter_map(|k| {
                promise(self.column(k), self.lengths[k], &set.residual, size).map(|product| (k, product))
            })
            .collect();
        let is_seed = |k: usize| seeds.contains(&self.ids[k]);
        let seeded = promising.iter().any(|pair| is_seed(pair.0));
        let open = || promising.iter().filter(|pair| !seeded || is_seed(pair.0));
        let largest = open().fold(0.0, |most: f64, pair| most.max(pair.1));
        open().find(|pair| pair.1 >= largest * (1.0 - TIE)).map(|pair| pair.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_drawn_evenly() {
        // Of successive numbers, as of those of points, a share that a share of all 64-bit numbers has.
        let drawn = (0..100_000).filter(|&id| mixed(id) < u64::MAX / 100).count();
        assert!((900..1100).contains(&drawn), "{drawn}");
    }

    #[test]
    fn a_pool_finds_the_lowest_number_among_equals() {
        let (third, values) = (1.0 / 3.0, [1.0, 0.0, 1.0 + 1e-12, 0.0, 0.5, 0.5]);
        let pool = Pool::new(2, values.to_vec(), vec![4, 7, 9]);
        let mut set = ActiveSet::new(&[third, 0.0]);
        let next = |set: &ActiveSet, seeds: &[u64]| {
            pool.next(set, &BTreeSet::new(), &seeds.iter().copied().collect()).map(|k| pool.ids[k])
        };
        assert_eq!(next(&set, &[]), Some(4));
        assert_eq!(next(&set, &[9, 7]), Some(7));
        assert_eq!(next(&set, &[9]), Some(9));
        assert!(set.insert(4, &values[..2]));
        assert_eq!(next(&set, &[]), None);
        // A multiple of what is there is of no use.
        assert!(!set.insert(7, &values[2..4]));
        assert_eq!((&set.ids[..], &set.weights[..]), (&[4][..], &[third][..]));
    }
}
