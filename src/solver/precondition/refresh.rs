//! When a preconditioner that serves one matrix after the other is built anew.
//!
//! What an old one costs are the iterations of a solve beyond those that a new one would have let it take, in units of
//! the quickest iteration so far: single times are not trusted, as other work on the machine makes them longer. As for
//! the replacement of ageing machines, a new one pays when the last excess is above the mean cost of a solve
//! since the last set-up, `(set-up + sum of excesses) / solves`: the mean then grows from here on. An excess
//! above the whole set-up says that old ones are not worth having; they are tried again after a pause that
//! doubles each time.
use crate::deck::{Refresh, RefreshWord};

/// Longest pause between trials, in solves.
const LONGEST_PAUSE: usize = 64;
/// Iterations of an old preconditioner, in units of the set-up's time, before the solve gets a new one.
const PATIENCE: f64 = 2.0;

/// The clockwork of one solver. Seconds are the slowest rank's, so that all ranks decide alike.
#[derive(Debug, Clone)]
pub(crate) struct Age {
    policy: Refresh,
    /// Solves since the last set-up.
    solves: usize,
    setup: f64,
    /// The quickest set-up so far.
    least_setup: f64,
    /// The first solve after a set-up.
    fresh: Option<Sample>,
    /// Seconds of an iteration, the least so far.
    iteration: f64,
    excess: f64,
    due: bool,
    pause: usize,
    next_pause: usize,
}

/// How one solve went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub seconds: f64,
    pub iterations: usize,
    /// Digits by which the residual fell; `None` for a factorisation, whose time does not depend on them.
    pub digits: Option<f64>,
}

impl Sample {
    /// Iterations that `fresh`, a solve with a new preconditioner, would have taken for as many digits.
    pub fn expected(&self, fresh: &Self) -> f64 {
        match (fresh.digits, self.digits) {
            (Some(all), Some(some)) if all > 0.0 => fresh.iterations as f64 * some / all,
            _ => fresh.iterations as f64,
        }
    }
}

impl Age {
    pub fn new(policy: Refresh) -> Self {
        Self {
            policy,
            solves: 0,
            setup: 0.0,
            least_setup: f64::INFINITY,
            fresh: None,
            iteration: f64::INFINITY,
            excess: 0.0,
            due: true,
            pause: 0,
            next_pause: 1,
        }
    }

    /// Whether the next matrix gets a new preconditioner.
    pub fn is_due(&self) -> bool {
        match self.policy {
            _ if self.solves == 0 => true,
            Refresh::Word(RefreshWord::Always) => true,
            Refresh::Every(count) => self.solves >= count,
            Refresh::Word(RefreshWord::Auto) => self.due || self.pause > 0,
        }
    }

    /// Whether no solve has used the preconditioner yet.
    pub fn is_fresh(&self) -> bool {
        self.solves == 0
    }

    /// Whether there is anything to keep at all.
    pub fn keeps(&self) -> bool {
        self.policy != Refresh::Word(RefreshWord::Always)
    }

    pub fn built(&mut self, seconds: f64) {
        self.pause = self.pause.saturating_sub(1);
        (self.solves, self.setup, self.excess, self.due) = (0, seconds, 0.0, false);
        self.least_setup = self.least_setup.min(seconds);
        self.fresh = None;
    }

    /// A better one can be built: the next matrix gets it.
    pub fn expire(&mut self) {
        self.solves = 0;
    }

    /// A solve used up its patience with an old preconditioner: that is further off than a loss.
    pub fn failed(&mut self) {
        self.lost();
        self.next_pause = (2 * self.next_pause).min(LONGEST_PAUSE);
    }

    pub fn solved(&mut self, sample: Sample) {
        self.solves += 1;
        if sample.iterations > 0 {
            self.iteration = self.iteration.min(sample.seconds / sample.iterations as f64);
        }
        let Some(fresh) = self.fresh else {
            self.fresh = Some(sample);
            return;
        };
        let more = (sample.iterations as f64 - sample.expected(&fresh)).max(0.0);
        let excess = if more > 0.0 { more * self.iteration } else { 0.0 };
        self.excess += excess;
        if excess > self.setup {
            self.lost();
        } else {
            let mean = (self.setup + self.excess) / (self.solves - 1) as f64;
            self.due = excess > mean;
            if self.solves > 2 {
                self.next_pause = 1;
            }
        }
    }

    /// Iterations that an old preconditioner gets.
    pub fn patience(&self, most: usize) -> usize {
        let (Refresh::Word(RefreshWord::Auto), Some(fresh)) = (self.policy, self.fresh) else { return most };
        // A factorisation's solve takes about as long as an iteration with it.
        let affordable = fresh.iterations as f64 + PATIENCE * self.least_setup / self.iteration.max(1e-9);
        most.min(affordable as usize + 2)
    }

    fn lost(&mut self) {
        self.due = true;
        self.pause = self.next_pause;
        self.next_pause = (2 * self.next_pause).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(seconds: f64) -> Sample {
        Sample { seconds, iterations: (20.0 * seconds) as usize, digits: Some(8.0) }
    }

    /// Seconds of a sequence in which an old preconditioner of age `k` takes `1 + excess(k)` and a new one `setup`.
    fn total(policy: Refresh, setup: f64, solves: usize, excess: impl Fn(usize) -> f64) -> f64 {
        let mut age = Age::new(policy);
        let (mut sum, mut k) = (0.0, 0);
        for _ in 0..solves {
            if age.is_due() {
                age.built(setup);
                (sum, k) = (sum + setup, 0);
            }
            let seconds = 1.0 + excess(k);
            age.solved(sample(seconds));
            (sum, k) = (sum + seconds, k + 1);
        }
        sum
    }

    #[test]
    fn automatic_choice_is_near_the_best_fixed_one() {
        let auto = Refresh::default();
        let fixed = |setup, excess: &dyn Fn(usize) -> f64| {
            (1..=400).map(|n| total(Refresh::Every(n), setup, 400, excess)).fold(f64::INFINITY, f64::min)
        };
        // A drift, and matrices that are all equally far from each other: cheaply and dearly so.
        let cases: [(f64, &dyn Fn(usize) -> f64); 4] = [
            (10.0, &|k| 0.1 * k as f64),
            (3.0, &|k| 0.5 * k as f64),
            (10.0, &|k| if k == 0 { 0.0 } else { 0.5 }),
            (1.0, &|k| if k == 0 { 0.0 } else { 5.0 }),
        ];
        for (setup, excess) in cases {
            let (ours, best) = (total(auto, setup, 400, excess), fixed(setup, excess));
            assert!(ours <= 1.1 * best, "{ours} against {best}");
        }
    }

    #[test]
    fn a_slow_moment_of_the_machine_ends_nothing() {
        let mut age = Age::new(Refresh::default());
        age.built(1.0);
        age.solved(sample(1.0));
        age.solved(Sample { seconds: 30.0, ..sample(1.0) });
        assert!(!age.is_due());
        // Two digits of eight: five iterations.
        age.solved(Sample { seconds: 0.3, iterations: 5, digits: Some(2.0) });
        assert!(!age.is_due());
        age.solved(sample(3.0));
        assert!(age.is_due());
    }

    #[test]
    fn fixed_policies_are_obeyed() {
        let flat = |_: usize| 0.0;
        assert_eq!(total(Refresh::Word(RefreshWord::Always), 1.0, 10, flat), 20.0);
        assert_eq!(total(Refresh::Every(5), 1.0, 10, flat), 12.0);
    }

    #[test]
    fn patience_ends() {
        let mut age = Age::new(Refresh::default());
        age.built(1.0);
        age.solved(sample(0.5));
        // Ten iterations take half a second, two set-ups forty.
        assert_eq!(age.patience(1000), 52);
        assert_eq!(age.patience(20), 20);
    }
}
