//! The order in which a campaign solves its samples: neighbours after one another, so that what a solver carries from one
//! system to the next fits.

/// Points in one cluster, at most: the search within clusters takes that many steps for each point.
const CLUSTER: usize = 512;

/// A permutation of the points that goes from neighbour to neighbour, starting at the first: greedily to the nearest one
/// left, in clusters (the leaves of a k-d tree, in their turn in the order of a chain of their centres). The time
/// grows as `n log n` up to some hundred thousand points of any dimension. Points are `[point][coordinate]`, of
/// one scale.
pub fn nearest(points: &[Vec<f64>]) -> Vec<usize> {
    if points.is_empty() {
        return Vec::new();
    }
    let mut clusters = Vec::new();
    split(points, (0..points.len()).collect(), &mut clusters);
    let centres: Vec<Vec<f64>> = clusters.iter().map(|cluster| centre(points, cluster)).collect();
    let centres: Vec<&[f64]> = centres.iter().map(Vec::as_slice).collect();
    // The first point decides where the chain begins, and the end of one cluster where the next does.
    let first = clusters.iter().position(|cluster| cluster.contains(&0)).unwrap_or(0);
    let mut order: Vec<usize> = Vec::with_capacity(points.len());
    for cluster in chain(&centres, first) {
        let members = &clusters[cluster];
        let here: Vec<&[f64]> = members.iter().map(|&i| points[i].as_slice()).collect();
        let last = points[order.last().copied().unwrap_or(0)].as_slice();
        let start = (0..here.len()).min_by(|&a, &b| {
            distance(last, here[a]).total_cmp(&distance(last, here[b])).then(members[a].cmp(&members[b]))
        });
        order.extend(chain(&here, start.unwrap_or(0)).into_iter().map(|i| members[i]));
    }
    order
}

/// Length of the way through points in some order.
pub fn length(points: &[Vec<f64>], order: impl IntoIterator<Item = usize>) -> f64 {
    let mut order = order.into_iter();
    let Some(mut last) = order.next() else { return 0.0 };
    let mut sum = 0.0;
    for next in order {
        sum += distance(&points[last], &points[next]).sqrt();
        last = next;
    }
    sum
}

/// Halves a set across its longest side until its parts are small.
fn split(points: &[Vec<f64>], mut set: Vec<usize>, clusters: &mut Vec<Vec<usize>>) {
    if set.len() <= CLUSTER {
        clusters.push(set);
        return;
    }
    let extent = |d: usize| {
        let values = || set.iter().map(|&i| points[i][d]);
        values().fold(f64::NEG_INFINITY, f64::max) - values().fold(f64::INFINITY, f64::min)
    };
    let dimension = points.first().map_or(0, Vec::len);
    let extents: Vec<f64> = (0..dimension).map(extent).collect();
    let axis = (0..dimension).max_by(|&a, &b| extents[a].total_cmp(&extents[b]));
    let middle = set.len() / 2;
    // Equal coordinates are told apart by the number.
    let place = |i: usize| axis.map_or(0.0, |axis| points[i][axis]);
    set.select_nth_unstable_by(middle, |&a, &b| place(a).total_cmp(&place(b)).then(a.cmp(&b)));
    let mut upper = set.split_off(middle);
    set.sort_unstable();
    upper.sort_unstable();
    split(points, set, clusters);
    split(points, upper, clusters);
}

fn centre(points: &[Vec<f64>], set: &[usize]) -> Vec<f64> {
    let dimension = points.first().map_or(0, Vec::len);
    (0..dimension).map(|d| set.iter().map(|&i| points[i][d]).sum::<f64>() / set.len() as f64).collect()
}

/// The greedy chain from `start`: always the nearest point left, the first of equals.
fn chain(points: &[&[f64]], start: usize) -> Vec<usize> {
    let mut left: Vec<usize> = (0..points.len()).collect();
    let mut order = Vec::with_capacity(points.len());
    let mut place = start;
    while !left.is_empty() {
        let here = left.swap_remove(place);
        order.push(here);
        let mut best = (f64::INFINITY, usize::MAX);
        for (at, &i) in left.iter().enumerate() {
            let d = distance(points[here], points[i]);
            if d < best.0 || (d == best.0 && i < best.1) {
                (best, place) = ((d, i), at);
            }
        }
        // Distances that are no numbers leave any order.
        place = place.min(left.len().saturating_sub(1));
    }
    order
}

/// Square of the distance.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// Brings coordinates to the variance 1 over all points; those that do not vary are dropped.
pub fn scaled(points: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let n = points.len() as f64;
    let dimension = points.first().map_or(0, Vec::len);
    let mut columns = Vec::new();
    for d in 0..dimension {
        let mean = points.iter().map(|p| p[d]).sum::<f64>() / n;
        let deviation = (points.iter().map(|p| (p[d] - mean).powi(2)).sum::<f64>() / n).sqrt();
        if deviation > 1e-12 * mean.abs() {
            columns.push((d, mean, deviation));
        }
    }
    points.iter().map(|p| columns.iter().map(|&(d, mean, s)| (p[d] - mean) / s).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::design::Design;

    fn random(samples: usize, dimension: usize) -> Vec<Vec<f64>> {
        Design::Random { samples, seed: 5 }.unit_points(dimension).unwrap()
    }

    fn is_permutation(order: &[usize], n: usize) -> bool {
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        sorted == (0..n).collect::<Vec<_>>()
    }

    #[test]
    fn chains_are_short_permutations() {
        for (n, dimension, share) in
            [(1, 2, 1.0), (300, 1, 0.03), (400, 2, 0.15), (3000, 2, 0.06), (2000, 8, 0.65)]
        {
            let points = random(n, dimension);
            let order = nearest(&points);
            assert!(is_permutation(&order, n));
            assert_eq!(order[0], 0);
            let (found, design) = (length(&points, order.iter().copied()), length(&points, 0..n));
            assert!(found <= share * design, "{n} points in {dimension}D: {found} of {design}");
        }
    }

    #[test]
    fn a_single_cluster_is_the_greedy_chain() {
        let points: Vec<Vec<f64>> = [0.0, 10.0, 1.0, -2.0, 4.0].map(|x| vec![x]).to_vec();
        assert_eq!(nearest(&points), [0, 2, 3, 4, 1]);
    }

    #[test]
    fn points_that_agree_keep_their_order() {
        assert_eq!(nearest(&vec![vec![1.0]; 5]), [0, 1, 2, 3, 4]);
        assert!(is_permutation(&nearest(&vec![Vec::new(); 2000]), 2000));
        assert!(is_permutation(&nearest(&vec![vec![f64::NAN]; 20]), 20));
        assert!(nearest(&[]).is_empty());
    }

    #[test]
    fn a_hundred_thousand_samples_are_ordered() {
        let points = random(100_000, 16);
        let order = nearest(&points);
        assert!(is_permutation(&order, points.len()));
        assert!(length(&points, order.iter().copied()) < 0.75 * length(&points, 0..points.len()));
    }

    #[test]
    fn scales_are_equal_and_constants_left_out() {
        let points = vec![vec![1.0, 7.0, 2e9], vec![3.0, 7.0, 4e9]];
        assert_eq!(scaled(&points), [[-1.0, -1.0], [1.0, 1.0]]);
    }
}
