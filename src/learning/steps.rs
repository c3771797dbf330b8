//! The steps of a run on learned functions: short at first, when fields change quickly, and longer by and by.
use crate::deck::{NetworkTime, TimeSection};

/// Ends of steps from the start of a run to the last of these ascending times, each of which ends a step: lengths grow from
/// the first one by a factor, up to the longest. Two steps of one length lead to a time that one of full length would pass,
/// so that none is much shorter than that before it.
pub fn graded(time: &TimeSection, of: &NetworkTime, longest: f64, stops: &[f64]) -> Vec<f64> {
    let (mut now, mut length) = (time.start, of.first.unwrap_or(time.step).min(longest));
    let mut ends = Vec::new();
    for &stop in stops.iter().filter(|stop| **stop > time.start) {
        while now < stop {
            let rest = stop - now;
            now = match rest / length {
                r if r <= 1.0 + 1e-9 => stop,
                r if r < 2.0 => now + 0.5 * rest,
                _ => now + length,
            };
            ends.push(now);
            length = (length * of.growth).min(longest);
        }
    }
    ends
}

/// Where training ends.
pub fn end(time: &TimeSection, of: &NetworkTime) -> f64 {
    of.end.unwrap_or(time.end)
}

/// The steps that are trained on.
pub fn trained(time: &TimeSection, of: &NetworkTime) -> Vec<f64> {
    let end = end(time, of);
    let mut stops: Vec<f64> = time.stops.iter().copied().filter(|stop| *stop < end).chain([end]).collect();
    stops.sort_by(f64::total_cmp);
    graded(time, of, of.longest.unwrap_or(f64::MAX), &stops)
}

/// The steps of a prediction, which ends some of them at the frames of the deck.
pub fn predicted(time: &TimeSection, of: &NetworkTime, frames: &[f64]) -> Vec<f64> {
    let mut stops: Vec<f64> = frames.iter().chain(&time.stops).copied().collect();
    stops.sort_by(f64::total_cmp);
    stops.dedup();
    graded(time, of, of.longest.unwrap_or(f64::MAX), &stops)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_grow_and_end_at_all_stops() {
        let time = TimeSection { start: 1.0, ..TimeSection::until(101.0, 0.1) };
        let of = NetworkTime { growth: 1.5, ..NetworkTime::default() };
        let ends = graded(&time, &of, 7.0, &[1.0, 4.0, 4.05, 101.0]);
        assert_eq!(ends.last(), Some(&101.0));
        assert!(ends.contains(&4.0) && ends.contains(&4.05) && ends[0] == 1.1);
        let starts = std::iter::once(1.0).chain(ends.iter().copied());
        let lengths: Vec<f64> = starts.zip(&ends).map(|(a, b)| b - a).collect();
        assert!(lengths.iter().all(|length| *length > 0.0 && *length <= 7.0 + 1e-12), "{lengths:?}");
        // Lengths 0.1, 0.15, ... to 7 and from there on: 11 grow, the rest is 7 s each.
        assert!((24..=28).contains(&lengths.len()), "{lengths:?}");
        let whole = trained(&time, &NetworkTime { end: Some(50.0), growth: 2.0, ..NetworkTime::default() });
        // Eight steps make 0.1 (2^8 - 1) = 25.5 s of 49, and the next one the rest.
        assert_eq!(whole.len(), 9);
        assert_eq!(whole.last(), Some(&50.0));
    }
}
