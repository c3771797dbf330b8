//! One step in time, as logs and files show it.

/// One accepted step.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// Time at its end, s.
    pub time: f64,
    /// Its length, s.
    pub length: f64,
    /// Newton iterations of all problems.
    pub newton: usize,
    /// Krylov iterations of all problems.
    pub linear: usize,
    /// Estimated relative local error, the largest of all problems.
    pub error: f64,
    /// Integral of what the first problem conserves.
    pub conserved: f64,
    /// What came in through essential boundaries, a second.
    pub supplied: f64,
    /// What came in otherwise, a second.
    pub inflow: f64,
    /// What the change of `conserved` lacks.
    pub imbalance: f64,
    /// Equations that Newton's method solved on the whole mesh; fewer where a reduced solution was accepted.
    pub full: usize,
    /// Quantities of interest at its end, as far as its owner wants them.
    pub quantities: Vec<f64>,
}

impl Step {
    /// Above the lines of steps.
    pub fn heading() -> String {
        format!(
            "{:>6} {:>13} {:>11} {:>7} {:>7} {:>10} {:>16} {:>10}",
            "step", "time", "length", "newton", "linear", "error", "conserved", "imbalance"
        )
    }

    /// Numbers of a step besides its quantities of interest.
    pub const NUMBERS: usize = 10;

    /// A row of `/log/steps`: its columns are named in the file; then the quantities of interest.
    pub fn row(&self) -> impl Iterator<Item = f64> {
        let (newton, linear) = (self.newton as f64, self.linear as f64);
        [
            self.time,
            self.length,
            newton,
            linear,
            self.error,
            self.conserved,
            self.supplied,
            self.inflow,
            self.imbalance,
            self.full as f64,
        ]
        .into_iter()
        .chain(self.quantities.iter().copied())
    }

    /// The names of a row's numbers.
    pub const COLUMNS: [&str; Self::NUMBERS] = [
        "time",
        "length",
        "newton",
        "linear",
        "error",
        "conserved",
        "supplied",
        "inflow",
        "imbalance",
        "full",
    ];

    /// The inverse of [`Step::row`].
    ///
    /// # Panics
    /// When the row is shorter than [`Step::NUMBERS`].
    pub fn from_row(row: &[f64]) -> Self {
        Self {
            time: row[0],
            length: row[1],
            newton: row[2] as usize,
            linear: row[3] as usize,
            error: row[4],
            conserved: row[5],
            supplied: row[6],
            inflow: row[7],
            imbalance: row[8],
            full: row[9] as usize,
            quantities: row[Self::NUMBERS..].to_vec(),
        }
    }

    /// The line of the log of step `number`.
    pub fn line(&self, number: usize) -> String {
        format!(
            "{number:>6} {:>13.6e} {:>11.4e} {:>7} {:>7} {:>10.2e} {:>16.9e} {:>10.1e}",
            self.time, self.length, self.newton, self.linear, self.error, self.conserved, self.imbalance
        )
    }
}
