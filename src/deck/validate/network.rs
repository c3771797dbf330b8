//! Of what experts can learn functions.
use super::checker::Checker;
use crate::Result;
use crate::deck::network::NetworkSection;
use crate::deck::parameter::Parameter;
use crate::deck::whole::Deck;

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
        if self.time.is_some() {
            checker.add("time", "functions are learned for steady problems only: leave [time] out");
        }
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
        let found = refused(&format!(
            "{varied}{network}time = {{ end = 1, step = 1 }}\nrandom.g = {{ kind = \"matern\", range = 1 }}"
        ));
        assert!(
            found.len() == 2 && found[0].starts_with("d.toml:4:") && found[1].contains("random"),
            "{found:?}"
        );
    }
}
