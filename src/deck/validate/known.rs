//! `[constraint]` and `[[constraint.known]]`.
use super::super::spelling::did_you_mean;
use super::checker::Checker;
use crate::deck::sections::QuantityKind;
use crate::deck::{ConstraintLevel, Expression, Ports, Scalar};

impl Checker<'_> {
    /// What holds at ports goes together with the rest of the deck.
    pub(super) fn ports(&mut self) {
        let (section, in_time) = (&self.deck.constraint, self.deck.time.is_some());
        let whole = section.windows == Some(1);
        if in_time && !whole && matches!(section.ports, Some(Ports::Weak | Ports::Flux)) {
            let text = "in time, but for windows = 1, expected \"strong\": what is stored where experts do not agree is not known \
                        in the next step or window";
            self.add("constraint.ports", text);
        }
        if section.windows.is_some() {
            let levels = match section.level {
                ConstraintLevel::Residual | ConstraintLevel::None => true,
                level => level == ConstraintLevel::Coupled && section.ports.is_some(),
            };
            if !in_time {
                self.add("constraint.windows", "is for decks with [time]");
            } else if self.deck.physics.len() != 1 {
                self.add("constraint.windows", "is for decks with one physics");
            } else if !levels {
                self.add("constraint.windows", "is for the level \"residual\", and \"coupled\" with ports");
            }
        }
        if section.port_modes.is_some() && section.ports != Some(Ports::Weak) {
            self.add("constraint.port_modes", "is for ports = \"weak\" alone");
        }
        if section.ports.is_some()
            && !matches!(section.level, ConstraintLevel::Coupled | ConstraintLevel::None)
        {
            self.add("constraint.ports", "is for the level \"coupled\" alone");
        }
    }

    /// Quantities whose values are known: they are there, of a kind that can be linear, and their values do not depend on
    /// the place.
    pub(super) fn known(&mut self) {
        let deck = self.deck;
        let names: Vec<&str> = deck.quantity.iter().map(|q| q.name.as_str()).collect();
        for (i, known) in deck.constraint.known.iter().enumerate() {
            let key = format!("constraint.known[{i}].quantity");
            let name = known.quantity.as_str();
            match deck.quantity.iter().find(|q| q.name == name).map(|q| q.kind) {
                None => {
                    let hint = did_you_mean(name, &names, "quantities");
                    self.add(&key, format!("the deck has no quantity \"{name}\"{hint}"));
                }
                Some(QuantityKind::Average | QuantityKind::Integral | QuantityKind::Point) => {}
                Some(_) => {
                    let message = format!("\"{name}\" is not an average, an integral or a value at a point");
                    self.add(&key, message);
                }
            }
            if deck.constraint.known[..i].iter().any(|other| other.quantity == name) {
                self.add(&key, format!("a second value of \"{name}\""));
            }
            let key = format!("constraint.known[{i}].value");
            let value = self.scalar(&key, &known.value);
            let steady = deck.time.is_none();
            let placed = |text: &String| {
                Expression::parse(text, &self.variables)
                    .is_ok_and(|e| e.depends_on_space() || steady && e.depends_on_time())
            };
            match &known.value {
                Scalar::Expression(text) if placed(text) => {
                    let names = if steady { "x, y, z and t" } else { "x, y and z" };
                    self.add(&key, format!("`{text}`: the value is one number; {names} mean nothing here"));
                }
                _ if value.is_some_and(|value| !value.is_finite()) => {
                    self.add(&key, "expected a finite number")
                }
                _ => {}
            }
        }
    }
}
