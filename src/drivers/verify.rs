//! What `tessera predict --verify residual` writes and says.
use crate::Result;
use crate::report::Report;
use crate::rom::sampled::verify::{Kind, Verified};
use crate::storage::ResultFile;

/// What was found of all predictions.
#[derive(Default)]
pub(super) struct Verification {
    /// By prediction: times of the moments (s), and what was found by physics.
    found: Vec<(Vec<f64>, Vec<Verified>)>,
}

impl Verification {
    pub fn push(&mut self, times: Vec<f64>, found: Vec<Verified>) {
        self.found.push((times, found));
    }

    /// Collective.
    pub fn write(&self, file: &ResultFile) -> Result<()> {
        let Some((_, first)) = self.found.first() else { return Ok(()) };
        let steps = self.found.iter().map(|one| one.0.len()).max().unwrap_or(0);
        let array = |path: &str, of: &dyn Fn(usize) -> Vec<f64>, meaning: &str| -> Result<()> {
            let mut values = Vec::new();
            for prediction in 0..self.found.len() {
                let mut row = of(prediction);
                row.resize(steps, f64::NAN);
                values.extend(row);
            }
            file.write_array(path, &[self.found.len() as u64, steps as u64], &values)?;
            file.set(path, "meaning", format!("{meaning}; [prediction, step], the start first"))
        };
        file.create_group("/verify")?;
        array("/verify/time", &|prediction| self.found[prediction].0.clone(), "ends of the steps")?;
        file.set("/verify/time", "unit", "s")?;
        for (k, one) in first.iter().enumerate() {
            let group = format!("/verify/{}", one.field);
            file.create_group(&group)?;
            let kind = self.kind(k);
            let meaning = kind.meaning();
            file.set(&group, "kind", kind.name())?;
            file.set(&group, "meaning", meaning)?;
            if let Some(why) = self.why(k) {
                file.set(&group, "why", why.to_string())?;
            }
            let of = |prediction: usize| &self.found[prediction].1[k];
            let text = format!("{}: residual of the step: {meaning}", kind.name());
            let text = if kind.is_proven() { text.replacen("proven bound: ", "", 1) } else { text };
            array(&format!("{group}/residual"), &|prediction| of(prediction).residuals.clone(), &text)?;
            array(
                &format!("{group}/size"),
                &|prediction| of(prediction).sizes.clone(),
                "norm of the prediction, measured as its error is",
            )?;
            if kind.is_proven() {
                let text = format!("proven bound of the error: {meaning}");
                array(&format!("{group}/bound"), &|prediction| of(prediction).bounds.clone(), &text)?;
            }
            if !one.errors.is_empty() && one.errors.len() >= one.residuals.len() {
                let text = match kind {
                    Kind::Indicator => {
                        "error against the full model at the same steps, in the product of the basis over the largest norm of \
                         the state"
                    }
                    _ => "error against the full model at the same steps, in the norm of the bound",
                };
                array(&format!("{group}/error"), &|prediction| of(prediction).errors.clone(), text)?;
            }
        }
        Ok(())
    }

    /// The weakest statement of any prediction.
    fn kind(&self, stage: usize) -> Kind {
        let weak = |one: &&Verified| !one.kind.is_proven();
        let mut all = self.found.iter().map(|one| &one.1[stage]);
        all.clone().find(weak).or(all.next()).map_or(Kind::Indicator, |one| one.kind)
    }

    fn why(&self, stage: usize) -> Option<&str> {
        self.found.iter().find_map(|one| one.1[stage].why.as_deref())
    }

    pub fn print(&self, report: &Report) {
        let Some((_, first)) = self.found.first() else { return };
        for (k, one) in first.iter().enumerate() {
            let all = || self.found.iter().map(|found| &found.1[k]);
            let largest = |of: &dyn Fn(&Verified) -> f64| all().map(of).fold(0.0, maximum);
            let most = |list: &[f64]| list.iter().copied().filter(|v| !v.is_nan()).fold(0.0, maximum);
            let last = |list: &[f64]| list.last().copied().unwrap_or(f64::NAN);
            let mut line = match self.kind(k) {
                Kind::Indicator => format!(
                    "{}: indicator, no bound ({}): residual {:.2e} of the largest state",
                    one.field,
                    self.why(k).unwrap_or("not proven for every prediction"),
                    largest(&|one| most(&one.residuals))
                ),
                kind => format!(
                    "{}: proven bound {:.2e} of the error at the end, {:.1e} of the prediction's norm{}",
                    one.field,
                    largest(&|one| last(&one.bounds)),
                    largest(&|one| last(&one.bounds) / most(&one.sizes)),
                    if kind == Kind::PotentialWithoutMean { ", without means" } else { "" }
                ),
            };
            if one.errors.len() > 1
                || one.residuals.len() == one.errors.len() && self.kind(k) == Kind::Indicator
            {
                match self.kind(k) {
                    Kind::Indicator => {
                        line += &format!("; true error {:.2e} of it", largest(&|one| most(&one.errors)));
                    }
                    _ => {
                        line += &format!("; true error {:.2e}", largest(&|one| last(&one.errors)));
                        let ranges: Vec<[f64; 2]> = all().filter_map(Verified::effectivities).collect();
                        let low = ranges.iter().map(|range| range[0]).fold(f64::INFINITY, f64::min);
                        let high = ranges.iter().map(|range| range[1]).fold(0.0, maximum);
                        if !ranges.is_empty() {
                            line += &format!(", bound over error {low:.1} to {high:.1} at the steps");
                        }
                    }
                }
            }
            report.line(line);
        }
    }
}

/// Not a number if either is.
fn maximum(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}
