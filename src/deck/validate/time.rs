//! `[time]` and `[[initial]]`, and which models they belong to.
use super::checker::Checker;
use crate::deck::physics::Physics;
use crate::deck::value::{InitialValue, Scalar, ScalarOrVector};
use std::collections::HashSet;
use tessera_kernels::model::Time;

impl Checker<'_> {
    /// Whether t means nothing. Not where [time] is missing: that is said already.
    pub(super) fn is_steady(&self) -> bool {
        let deck = self.deck;
        deck.time.is_none() && !deck.physics.iter().any(|physics| physics.model.time == Time::Always)
    }

    /// Models that only evolve, and those that never do.
    pub(super) fn needs_time(&mut self, p: usize, physics: &Physics) {
        let (key, name) = (format!("physics[{p}]"), physics.model.name);
        match (physics.model.time, &self.deck.time) {
            (Time::Always, None) => self.add(&key, format!("{name} needs a section [time]")),
            (Time::Never, Some(_)) => self.add(&key, format!("{name} is steady: leave [time] out")),
            _ => {}
        }
    }

    pub(super) fn time(&mut self) {
        let deck = self.deck;
        if let Some(time) = &deck.time {
            if time.end <= time.start {
                self.add(
                    "time.end",
                    format!("expected a time after the start {}, found {}", time.start, time.end),
                );
            }
            if let (Some(shortest), Some(longest)) = (time.shortest, time.longest)
                && shortest > longest
            {
                self.add("time.shortest", format!("longer than the longest step, {longest}"));
            }
            if time.shortest.is_some_and(|shortest| shortest > time.step) {
                self.add("time.shortest", format!("longer than the first step, {}", time.step));
            }
            if time.growth > 1.0 && time.tolerance.is_some() {
                self.add("time.growth", "with time.tolerance steps follow from errors: give one of the two");
            }
            for (i, &stop) in time.stops.iter().enumerate() {
                if stop <= time.start || stop > time.end {
                    self.add(&format!("time.stops[{i}]"), format!("{stop} is not between start and end"));
                }
            }
        } else if !deck.initial.is_empty() {
            self.add("initial", "initial values belong to runs with a section [time]");
        }
        let mut seen = HashSet::new();
        for (i, initial) in deck.initial.iter().enumerate() {
            let key = format!("initial[{i}]");
            let Some((physics, field)) = self.field(&key, initial.field.as_deref(), None) else { continue };
            let model = deck.physics[physics].model;
            if deck.physics[physics].field() != field {
                let message = format!("\"{field}\" is a derived field; give that of the solution");
                self.add(&format!("{key}.field"), message);
            } else if matches!(model.time, Time::Never | Time::Equilibrium) {
                self.add(&key, format!("{} is steady: it has no initial value", model.name));
            }
            if !seen.insert(field.clone()) {
                self.add(&key, format!("a second initial value for \"{field}\""));
            }
            let list: Vec<&Scalar> = match &initial.value {
                InitialValue::Formulas(ScalarOrVector::Scalar(value)) => vec![value],
                InitialValue::Formulas(ScalarOrVector::Vector(values)) => values.iter().collect(),
                InitialValue::File(source) => {
                    if source.dataset.is_empty() {
                        self.add(&format!("{key}.value.dataset"), "the dataset's name is empty");
                    }
                    Vec::new()
                }
            };
            for (j, scalar) in list.iter().enumerate() {
                let place =
                    if list.len() == 1 { format!("{key}.value") } else { format!("{key}.value[{j}]") };
                self.scalar(&place, scalar);
            }
            if let Some(block) = &deck.mesh.block {
                let components = deck.physics[physics].components(block.cell.dimension());
                if list.len() > components {
                    let message = format!("expected {components} values, found {}", list.len());
                    self.add(&format!("{key}.value"), message);
                }
            }
        }
    }
}
