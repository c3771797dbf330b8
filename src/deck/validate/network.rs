//! Of what experts can learn functions.
use super::checker::Checker;
use crate::Result;
use crate::deck::network::{NetworkSection, NetworkTime};
use crate::deck::parameter::Parameter;
use crate::deck::whole::Deck;
use tessera_kernels::model::Time;

impl Deck {
    /// What the deck says of the network that its experts learn.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) with every reason why there can be none.
    pub fn validate_network(&self) -> Result<&NetworkSection> {
        let mut checker = Checker::new(self);
        if self.experts.network.is_none() {
            checker.add("experts.network", "missing: it says what is learned");
        }
        self.check_network_time(&mut checker);
        if !self.random.is_empty() {
            checker.add("random", "a network knows no random fields: only parameters may vary");
        }
        if self.physics.len() > 1 {
            let text = format!("functions are learned for one physics, found {}", self.physics.len());
            checker.add("physics", text);
        }
        if !self.parameters.values().any(Parameter::varies) {
            checker
                .add("parameters", "no parameter has a `range` or `choices`, so there is nothing to learn");
        }
        checker.finish()?;
        Ok(self.experts.network.as_ref().expect("refused above"))
    }

    fn check_network_time(&self, checker: &mut Checker) {
        let default = NetworkTime::default();
        let of = self.experts.network.as_ref().map_or(&default, |network| &network.time);
        let key = |name: &str| format!("experts.network.time.{name}");
        let Some(time) = &self.time else {
            if *of != default {
                checker.add("experts.network.time", "it is for decks with [time]");
            }
            return;
        };
        for (number, physics) in self.physics.iter().enumerate() {
            if matches!(physics.model.time, Time::Never | Time::Equilibrium) {
                let text = format!("{} has no time derivative: leave [time] out", physics.model.name);
                checker.add(&format!("physics[{number}].model"), text);
            }
        }
        if let Some(end) = of.end.filter(|end| !(*end > time.start && *end <= time.end)) {
            let (start, last) = (time.start, time.end);
            checker
                .add(&key("end"), format!("expected a time above {start} and up to {last} s, found {end}"));
        }
        match (&of.cells, &self.mesh.block) {
            (Some(_), None) => checker.add(&key("cells"), "it is for meshes that are boxes"),
            (Some(cells), Some(block)) if cells.len() != block.cells.len() => {
                let count = block.cells.len();
                checker.add(
                    &key("cells"),
                    format!("expected {count} numbers, one a dimension, found {cells:?}"),
                );
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::deck::whole::Deck;

    #[test]
    fn what_cannot_be_learned_is_named() {
        let deck = |more: &str| {
            let text = format!(
                "mesh.box = {{ cell = \"triangle\", cells = [4, 4] }}\n{more}\n[[physics]]\nmodel = \"diffusion\"\nreaction \
                 = 1\n"
            );
            Deck::parse(&text, "d.toml", &[]).unwrap_or_else(|e| panic!("{e}"))
        };
        let varied = "parameters.k = { default = 1.0, range = [1.0, 2.0] }\n";
        let refused = |more: &str| {
            let text = deck(more).validate_network().unwrap_err().to_string();
            text.lines().map(String::from).collect::<Vec<_>>()
        };
        let network = "experts.network = { functions = 3 }\n";
        assert_eq!(deck(&format!("{varied}{network}")).validate_network().unwrap().functions, 3);
        let found = refused("");
        assert!(found.len() == 2 && found[0].contains("experts.network: missing"), "{found:?}");
        let found = refused(&format!("{varied}{network}random.g = {{ kind = \"matern\", range = 1 }}"));
        assert!(found.len() == 1 && found[0].contains("random"), "{found:?}");
        let in_time = |of: &str| {
            format!(
                "{varied}experts.network = {{ functions = 3, time = {{ {of} }} }}\ntime = {{ start = 1, end = 9, step = 1 }}"
            )
        };
        let good = "first = 0.1, growth = 1, end = 9, cells = [2, 3]";
        assert_eq!(deck(&in_time(good)).validate_network().unwrap().time.end, Some(9.0));
        for (of, words) in [
            ("first = 0", "experts.network.time.first: expected a number above 0, found 0"),
            ("growth = 0.9", "experts.network.time.growth: expected a number at least 1, found 0.9"),
            ("end = 1", "experts.network.time.end: expected a time above 1 and up to 9 s, found 1"),
            ("cells = [4]", "experts.network.time.cells: expected 2 numbers, one a dimension, found [4]"),
        ] {
            let text = format!(
                "mesh.box = {{ cell = \"triangle\", cells = [4, 4] }}\n{}\n[[physics]]\nmodel = \"diffusion\"\n",
                in_time(of)
            );
            // What the schema refuses already is refused when the deck is read.
            let found = match Deck::parse(&text, "d.toml", &[]) {
                Ok(deck) => deck.validate_network().map(|_| ()).unwrap_err().to_string(),
                Err(error) => error.to_string(),
            };
            assert!(found.contains(words), "{found}");
        }
        let found = refused(&format!("{varied}experts.network = {{ time = {{ growth = 2 }} }}\n"));
        assert!(found.len() == 1 && found[0].contains("it is for decks with [time]"), "{found:?}");
    }
}
