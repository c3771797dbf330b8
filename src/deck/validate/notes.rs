//! Warnings: what a deck may say, but hardly means.
use super::checker::{Checker, each_name};
use crate::deck::boundary::Boundary;
use crate::deck::physics::Physics;
use crate::deck::value::{Coefficient, Scalar};
use std::collections::{HashMap, HashSet};

impl Checker<'_> {
    pub(super) fn doubtful(&mut self) {
        self.unused_parameters();
        for (p, physics) in self.deck.physics.iter().enumerate() {
            self.left_at_default(p, physics);
            self.hidden(p, physics.boundary());
        }
    }

    /// Parameters that change nothing; a design that names one may need it as a label.
    fn unused_parameters(&mut self) {
        let campaign = &self.deck.campaign;
        for (number, name) in self.deck.parameters.keys().enumerate() {
            let listed = campaign.columns.iter().flatten().any(|column| column == name)
                || campaign.levels.as_ref().is_some_and(|levels| levels.contains_key(name));
            if !self.used.contains(&number) && !listed {
                let key = self.parameter_key(name);
                self.note(&key, format!("no expression uses the parameter \"{name}\": it changes nothing"));
            }
        }
    }

    /// Defaults that are right without units only, and keys that do nothing alone.
    fn left_at_default(&mut self, p: usize, physics: &Physics) {
        let key = |name: &str| format!("physics[{p}].{name}");
        let unit = physics.unit();
        let default = |value: &str, what: &str| {
            format!("left out, so {value}, though the solution has the unit \"{unit}\": give {what}")
        };
        let mut notes: Vec<(&str, String)> = Vec::new();
        // Who gives no unit may have none.
        let has_unit = !unit.is_empty() && self.given(&key("unit"));
        for input in physics.model.inputs.iter().filter(|input| has_unit && !self.given(&key(input.key))) {
            if let Some((value, what)) = input.doubtful
                && (!input.in_time || self.deck.time.is_some())
            {
                notes.push((input.key, default(value, what)));
            }
        }
        if physics.model.inputs.iter().any(|input| input.key == "expansion") {
            let given = self.given(&key("temperature"));
            let temperature = physics.coefficients().find(|(name, _)| given && *name == "temperature");
            notes.extend(self.thermal_strain(p, temperature.map(|(_, coefficient)| coefficient)));
            if given && !self.given(&key("expansion")) {
                notes.push(("temperature", "without `expansion` there is no thermal strain".into()));
            }
        }
        for (name, message) in notes {
            self.note(&key(name), message);
        }
    }

    /// What a thermal strain lacks.
    fn thermal_strain(&self, p: usize, temperature: Option<&Coefficient>) -> Option<(&'static str, String)> {
        let given = |name: &str| self.given(&format!("physics[{p}].{name}"));
        if !given("expansion") {
            return None;
        }
        let Some(temperature) = temperature else {
            return Some(("expansion", "without `temperature` there is no thermal strain".into()));
        };
        let Coefficient::Physics(source) = temperature else { return None };
        let kelvin = self.deck.physics.iter().any(|q| q.name() == source.physics && q.unit() == "K");
        let message = "left out, so there is no thermal strain at 0 K: give the temperature at which the body has its shape";
        (kelvin && !given("reference_temperature")).then(|| ("reference_temperature", message.into()))
    }

    /// Natural conditions on facets whose unknowns are all prescribed: they do no more than add to the reaction.
    fn hidden(&mut self, p: usize, list: &[Boundary]) {
        let mut fixed: HashMap<&str, (usize, HashSet<Option<usize>>)> = HashMap::new();
        for (b, boundary) in list.iter().enumerate() {
            let Some(value) = &boundary.value else { continue };
            let components: Vec<Option<usize>> = match value.components() {
                None => vec![None],
                Some(count) => (0..count).filter(|&c| value.component(c).is_some()).map(Some).collect(),
            };
            for name in boundary.marker.iter().flat_map(|names| names.iter()) {
                let entry = fixed.entry(name).or_insert((b, HashSet::new()));
                entry.1.extend(&components);
                // All that were listed are fixed, by this entry or by several.
                if (0..value.components().unwrap_or(0)).all(|c| entry.1.contains(&Some(c))) {
                    entry.1.insert(None);
                }
            }
        }
        for (b, boundary) in list.iter().enumerate() {
            let Some(name) = natural(boundary) else { continue };
            // A traction acts along some components only.
            let acting: Option<Vec<usize>> = boundary.traction.as_ref().map(|list| {
                let zero = |scalar: &Scalar| *scalar == Scalar::Number(0.0);
                list.iter().enumerate().filter(|(_, s)| !zero(s)).map(|(c, _)| c).collect()
            });
            let key = format!("physics[{p}].boundary[{b}].marker");
            for (key, marker) in boundary.marker.iter().flat_map(|names| each_name(&key, names)) {
                let Some((first, components)) = fixed.get(marker) else { continue };
                let all = components.contains(&None);
                let acting = acting.as_ref().filter(|list| !list.is_empty());
                if all || acting.is_some_and(|list| list.iter().all(|c| components.contains(&Some(*c)))) {
                    let message = format!(
                        "boundary[{first}] prescribes the value on \"{marker}\", so this `{name}` does not act there"
                    );
                    self.note(&key, message);
                }
            }
        }
    }

    /// Where a parameter stands; a component of a vector stands where its vector does.
    pub(super) fn parameter_key(&self, name: &str) -> String {
        let key = format!("parameters.{name}");
        match name.rsplit_once('_') {
            Some((vector, _)) if !self.given(&key) => format!("parameters.{vector}"),
            _ => key,
        }
    }
}

/// The natural condition of an entry.
fn natural(boundary: &Boundary) -> Option<&'static str> {
    boundary.given().find(|key| *key != "value")
}

#[cfg(test)]
mod tests {
    use crate::deck::whole::Deck;

    const HEAT: &str = "mesh.box = { cell = \"triangle\", cells = [4, 4] }\n\
        time = { end = 1.0, step = 0.1 }\n\
        parameters = { h = 1, unused = 2, v = [1, 2] }\n\
        [[physics]]\nname = \"heat\"\nmodel = \"diffusion\"\nunit = \"K\"\nconductivity = \"h + v_2\"\n\
        boundary = [{ marker = \"left\", value = 1 }, { marker = [\"top\", \"left\"], flux = 3 }]\n";
    const SOLID: &str = "[[physics]]\nmodel = \"elasticity\"\nyoung = 1\npoisson = 0.3\n\
        boundary = [{ marker = \"left\", value = [0, \"free\"] }, { marker = \"left\", traction = [1, 0] }]\n";

    fn notes(text: &str) -> Vec<String> {
        Deck::parse(text, "d.toml", &[]).unwrap_or_else(|e| panic!("{e}")).notes().collect()
    }

    #[test]
    fn doubtful_decks_are_noted() {
        assert_eq!(
            notes(HEAT),
            [
                "d.toml:3:32: parameters.unused: no expression uses the parameter \"unused\": it changes nothing",
                "d.toml:3:39: parameters.v: no expression uses the parameter \"v_1\": it changes nothing",
                "d.toml:4:1: physics[0].capacity: left out, so 1 J/(m3 K), though the solution has the unit \"K\": \
                 give density times specific heat",
                "d.toml:9:64: physics[0].boundary[1].marker[1]: boundary[0] prescribes the value on \"left\", so this \
                 `flux` does not act there",
            ]
        );
        let text = format!("{HEAT}{SOLID}expansion = 1\ntemperature = {{ physics = \"heat\" }}\n");
        let list = notes(&text);
        assert_eq!(list.len(), 6, "{list:#?}");
        assert!(list[4].contains("physics[1].reference_temperature: left out"), "{list:#?}");
        assert!(list[5].contains("physics[1].boundary[1].marker: boundary[0] prescribes"), "{list:#?}");
        assert!(notes(&format!("{HEAT}{SOLID}expansion = 1\n"))[5].contains("without `temperature`"));
        assert!(notes(&format!("{HEAT}{SOLID}temperature = 1\n"))[5].contains("without `expansion`"));
    }

    #[test]
    fn sound_decks_are_not() {
        let heat = HEAT
            .replace(", unused = 2, v = [1, 2]", "")
            .replace("\"h + v_2\"", "\"h*(1 + t)\"\ncapacity = 3")
            .replace(", \"left\"]", "]");
        let solid = SOLID.replace("[1, 0]", "[0, 1]");
        let thermal = "expansion = 1\nreference_temperature = 0\ntemperature = { physics = \"heat\" }\n";
        assert_eq!(notes(&format!("{heat}{solid}{thermal}")), [""; 0]);
        // Without a unit everything may be 1.
        assert_eq!(notes(&heat.replace("unit = \"K\"\n", "").replace("capacity = 3", "")), [""; 0]);
    }
}
