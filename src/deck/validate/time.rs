//! `[time]` and `[[initial]]`, and which models they belong to.
use super::checker::Checker;
use crate::deck::physics::Physics;
use crate::deck::value::{Scalar, ScalarOrVector};
use std::collections::HashSet;

/// Models that have no steady state to solve for.
const EVOLVING: [&str; 3] = ["diffusion_sorption", "porous_medium", "viscoplasticity"];

impl Checker<'_> {
    /// Whether t means nothing. Not where [time] is missing: that is said already.
    pub(super) fn is_steady(&self) -> bool {
        let deck = self.deck;
        deck.time.is_none() && !deck.physics.iter().any(|physics| EVOLVING.contains(&physics.model()))
    }

    /// Models that only evolve, and those that take exactly one law.
    pub(super) fn needs_time(&mut self, p: usize, physics: &Physics) {
        let key = format!("physics[{p}]");
        match (physics.model(), &self.deck.time) {
            (model, None) if EVOLVING.contains(&model) => {
                self.add(&key, format!("{model} needs a section [time]"));
            }
            ("helmholtz", Some(_)) => self.add(&key, "helmholtz is steady: leave [time] out"),
            _ => {}
        }
        match physics {
            Physics::PorousMedium(m) if m.exponent.is_some() && m.stefan.is_some() => {
                self.add(&key, "`exponent` and `stefan` exclude each other");
            }
            Physics::PorousMedium(m) if m.exponent.is_none() && m.stefan.is_none() => {
                self.add(&key, "porous_medium needs `exponent` or `stefan`");
            }
            Physics::Diffusion(m) if m.capacity.is_some() && self.deck.time.is_none() => {
                self.add(&format!("{key}.capacity"), "only a run with [time] has a capacity");
            }
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
            let model = deck.physics[physics].model();
            if deck.physics[physics].field() != field {
                let message = format!("\"{field}\" is a derived field; give that of the solution");
                self.add(&format!("{key}.field"), message);
            } else if ["elasticity", "helmholtz"].contains(&model) {
                self.add(&key, format!("{model} is steady: it has no initial value"));
            }
            if !seen.insert(field.clone()) {
                self.add(&key, format!("a second initial value for \"{field}\""));
            }
            let list: Vec<&Scalar> = match &initial.value {
                ScalarOrVector::Scalar(value) => vec![value],
                ScalarOrVector::Vector(values) => values.iter().collect(),
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
