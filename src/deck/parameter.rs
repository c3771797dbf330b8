//! `[parameters]`: numbers, vectors and choices.
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// A parameter that expressions may use.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(with = "ParameterText")]
pub struct Parameter {
    /// Value of a single run.
    pub default: f64,
    /// Smallest and largest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<[f64; 2]>,
    /// The values that it may have instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choices: Option<Choices>,
    /// Unit, for labels.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// What it is, for labels.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub meaning: String,
}

/// Values that a parameter may have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Choices {
    /// Numbers.
    Numbers(#[schemars(length(min = 1))] Vec<f64>),
    /// Names, each with its number.
    Named(#[schemars(extend("minProperties" = 1))] IndexMap<String, f64>),
}

impl Choices {
    /// The numbers.
    pub fn values(&self) -> Vec<f64> {
        match self {
            Self::Numbers(values) => values.clone(),
            Self::Named(names) => names.values().copied().collect(),
        }
    }
}

impl Parameter {
    /// Whether campaigns vary it.
    pub fn varies(&self) -> bool {
        self.range.is_some() || self.choices.is_some()
    }

    /// A value as people write it: a finite number, or the name of a choice.
    pub fn value(&self, text: &str) -> Option<f64> {
        let number = || text.parse().ok().filter(|value: &f64| value.is_finite());
        match &self.choices {
            Some(Choices::Named(names)) => names.get(text).copied().or_else(number),
            _ => number(),
        }
    }
}

/// A parameter as decks write it: its value, the values of a vector, or a table.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Parameter")]
enum ParameterText {
    /// The value of a parameter that does not vary.
    Number(f64),
    /// Those of a vector: `k = [1, 2]` makes the parameters k_1 and k_2.
    Vector(#[schemars(length(min = 1))] Vec<f64>),
    /// A parameter with a range or choices.
    Table(ParameterTable),
}

/// A parameter with all that is known of it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ParameterTable {
    /// Value of a single run: a number, the name of a choice, or the numbers of a vector, whose components k_1, k_2, ... are
    /// parameters of their own.
    default: DefaultText,
    /// Smallest and largest value: what a campaign's design fills and a prediction stays within. For a vector that of all
    /// components, or one for each. Without one the parameter stays at its default.
    #[serde(default)]
    range: Option<Ranges>,
    /// The values that a design may take instead of those in a range: a list of numbers, or a table of names and numbers
    /// such as { steel = 210e9, wood = 11e9 }. Expressions see the number.
    #[serde(default)]
    choices: Option<Choices>,
    /// Unit, for labels.
    #[serde(default)]
    unit: String,
    /// What it is, for labels.
    #[serde(default)]
    meaning: String,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
enum DefaultText {
    /// A number.
    Number(f64),
    /// The name of a choice.
    Name(String),
    /// The components of a vector.
    Vector(#[schemars(length(min = 1))] Vec<f64>),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Ranges {
    /// That of the parameter, or of all components.
    One([f64; 2]),
    /// One for each component.
    Each(#[schemars(length(min = 1))] Vec<[f64; 2]>),
}

/// The parameters of a deck, vectors taken apart into their components.
pub(super) fn parameters<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<IndexMap<String, Parameter>, D::Error> {
    let mut result = IndexMap::new();
    for (name, text) in IndexMap::<String, ParameterText>::deserialize(deserializer)? {
        let components = components(text).map_err(|e| D::Error::custom(format!("parameters.{name}: {e}")))?;
        let alone = components.len() == 1;
        for (i, (is_vector, parameter)) in components.into_iter().enumerate() {
            let own = if alone && !is_vector { name.clone() } else { format!("{name}_{}", i + 1) };
            if result.insert(own.clone(), parameter).is_some() {
                return Err(D::Error::custom(format!("parameters.{name}: the name \"{own}\" is taken")));
            }
        }
    }
    Ok(result)
}

/// One parameter, or the components of a vector, each with whether it is a component.
fn components(text: ParameterText) -> Result<Vec<(bool, Parameter)>, String> {
    let table = match text {
        ParameterText::Number(value) => plain(DefaultText::Number(value)),
        ParameterText::Vector(values) => plain(DefaultText::Vector(values)),
        ParameterText::Table(table) => table,
    };
    let (is_vector, defaults) = match (table.default, &table.choices) {
        (DefaultText::Number(value), _) => (false, vec![value]),
        (DefaultText::Vector(values), _) => (true, values),
        (DefaultText::Name(name), Some(Choices::Named(names))) => {
            let known: Vec<&str> = names.keys().map(String::as_str).collect();
            let hint = || super::spelling::did_you_mean(&name, &known, "choices");
            let value = names.get(&name).ok_or_else(|| format!("no choice \"{name}\"{}", hint()))?;
            (false, vec![*value])
        }
        (DefaultText::Name(name), _) => {
            return Err(format!("the default \"{name}\" is a name, but `choices` gives no names"));
        }
    };
    let ranges = match table.range {
        None => vec![None; defaults.len()],
        Some(Ranges::One(range)) => vec![Some(range); defaults.len()],
        Some(Ranges::Each(ranges)) => ranges.into_iter().map(Some).collect(),
    };
    if ranges.len() != defaults.len() {
        return Err(format!("{} ranges for {} components", ranges.len(), defaults.len()));
    }
    let component = |(default, range)| Parameter {
        default,
        range,
        choices: table.choices.clone(),
        unit: table.unit.clone(),
        meaning: table.meaning.clone(),
    };
    Ok(defaults.into_iter().zip(ranges).map(component).map(|p| (is_vector, p)).collect())
}

fn plain(default: DefaultText) -> ParameterTable {
    ParameterTable { default, range: None, choices: None, unit: String::new(), meaning: String::new() }
}

#[cfg(test)]
mod tests {
    use crate::deck::whole::Deck;

    fn deck(parameters: &str) -> crate::Result<Deck> {
        let text = format!(
            "[mesh]\nbox = {{ cell = \"interval\", cells = [4] }}\n[parameters]\n{parameters}\n[[physics]]\n\
             model = \"diffusion\"\nreaction = 1\n"
        );
        Deck::parse(&text, "deck.toml", &[])
    }

    #[test]
    fn vectors_become_their_components() {
        let text = "v = [1, 2]\nk = { default = [3, 4], range = [[2, 5], [3, 6]], unit = \"m\" }\n\
            a = { default = [1, 1, 1], range = [0, 2] }\nw = [7]";
        let deck = deck(text).unwrap_or_else(|e| panic!("{e}"));
        let names: Vec<&str> = deck.parameters.keys().map(String::as_str).collect();
        assert_eq!(names, ["v_1", "v_2", "k_1", "k_2", "a_1", "a_2", "a_3", "w_1"]);
        assert_eq!(deck.default_parameters(), [1.0, 2.0, 3.0, 4.0, 1.0, 1.0, 1.0, 7.0]);
        assert_eq!(deck.parameters["k_2"].range, Some([3.0, 6.0]));
        assert_eq!(deck.parameters["a_3"].range, Some([0.0, 2.0]));
        // What is written says the same.
        let again = Deck::parse(&deck.to_toml(), "deck.toml", &[]).unwrap();
        assert_eq!(again.parameters, deck.parameters);
    }

    #[test]
    fn choices_have_numbers_and_names() {
        let text = "n = { default = 2, choices = [1, 2, 4] }\n\
            e = { default = \"wood\", choices = { steel = 210, wood = 11 } }";
        let deck = deck(text).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(deck.default_parameters(), [2.0, 11.0]);
        assert_eq!(deck.parameters["e"].value("steel"), Some(210.0));
        assert_eq!(deck.parameters["e"].value("11"), Some(11.0));
        assert_eq!(deck.parameters["n"].value("x"), None);
        let again = Deck::parse(&deck.to_toml(), "deck.toml", &[]).unwrap();
        assert_eq!(again.parameters, deck.parameters);
    }

    #[test]
    fn faults_are_named() {
        for (text, words) in [
            ("k = { default = [1, 2], range = [[0, 1]] }", "1 ranges for 2 components"),
            ("k_1 = 2\nk = [1, 2]", "parameters.k: the name \"k_1\" is taken"),
            (
                "k = { default = \"stel\", choices = { steel = 2 } }",
                "no choice \"stel\"; did you mean \"steel\"?",
            ),
            ("k = { default = \"a\" }", "gives no names"),
            ("k = { default = 1, choices = [2, 3] }", "the default 1 is none of the choices"),
            ("k = { default = 1, choices = [1], range = [0, 2] }", "exclude each other"),
            ("k = { default = 1, choices = [1, 1] }", "twice"),
            ("k = { default = 1, choices = [] }", "expected at least 1 entry"),
            ("k = []", "expected at least 1 entry"),
            ("k = { default = [1, 9], range = [0, 2] }", "the default 9 is outside"),
        ] {
            let error = deck(text).expect_err(text);
            assert!(error.exit_code() == 2 && error.to_string().contains(words), "{text}: {error}");
        }
    }
}
