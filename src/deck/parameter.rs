//! `[parameters]`: numbers, vectors and choices.
use super::distribution::{Distribution, Kind};
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
    /// How likely the values in the range are.
    #[serde(flatten, skip_serializing_if = "Distribution::is_uniform")]
    pub distribution: Distribution,
    /// The values that it may have instead, all of them alike.
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
    Table(Box<ParameterTable>),
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
    /// How likely values in the range are, for designs and predictions; "uniform" if left out. The distribution is cut off at
    /// the ends of the range, which a normal or lognormal one need not have: it reaches four standard deviations (of the
    /// logarithm) to both sides then. Grids are equally spaced whatever is likely, in the logarithm for the distributions of
    /// logarithms.
    #[serde(default)]
    distribution: Option<Kind>,
    /// Mean of a normal or lognormal distribution before it is cut off, of the parameter itself; for a vector that of all
    /// components, or one for each.
    #[serde(default)]
    mean: Option<Numbers>,
    /// Standard deviation of a normal or lognormal distribution before it is cut off, of the parameter itself; for a vector
    /// that of all components, or one for each.
    #[serde(default)]
    deviation: Option<Numbers>,
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

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Numbers {
    /// That of the parameter, or of all components.
    One(f64),
    /// One for each component.
    Each(#[schemars(length(min = 1))] Vec<f64>),
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
        ParameterText::Table(table) => *table,
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
    let count = defaults.len();
    let each = |numbers: Option<Numbers>, what: &str| match numbers {
        None => Ok(vec![None; count]),
        Some(Numbers::One(number)) => Ok(vec![Some(number); count]),
        Some(Numbers::Each(list)) if list.len() != count => {
            Err(format!("{} {what} for {count} components", list.len()))
        }
        Some(Numbers::Each(list)) => Ok(list.into_iter().map(Some).collect()),
    };
    let ranges = match table.range {
        None => vec![None; count],
        Some(Ranges::One(range)) => vec![Some(range); count],
        Some(Ranges::Each(ranges)) => ranges.into_iter().map(Some).collect(),
    };
    if ranges.len() != count {
        return Err(format!("{} ranges for {count} components", ranges.len()));
    }
    if table.choices.is_some() && table.distribution.is_some() {
        return Err("`distribution` and `choices` exclude each other: choices are all alike".into());
    }
    let moments = each(table.mean, "means")?.into_iter().zip(each(table.deviation, "deviations")?);
    let kind = table.distribution;
    let mut result = Vec::new();
    for ((default, range), (mean, deviation)) in defaults.into_iter().zip(ranges).zip(moments) {
        let distribution = Distribution::of(kind.unwrap_or(Kind::Uniform), mean, deviation)?;
        let range = range.or(distribution.reach());
        match range {
            Some(range) => distribution.check(range)?,
            None if kind.is_some() => return Err("this distribution needs a `range`".into()),
            None => {}
        }
        let (choices, unit, meaning) = (table.choices.clone(), table.unit.clone(), table.meaning.clone());
        result.push((is_vector, Parameter { default, range, distribution, choices, unit, meaning }));
    }
    Ok(result)
}

fn plain(default: DefaultText) -> ParameterTable {
    ParameterTable {
        default,
        range: None,
        distribution: None,
        mean: None,
        deviation: None,
        choices: None,
        unit: String::new(),
        meaning: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::deck::distribution::Distribution;
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
    fn distributions_have_ranges() {
        let text = "a = { default = 2, distribution = \"normal\", mean = 2, deviation = 0.1 }\n\
            b = { default = 3, range = [1, 9], distribution = \"log_uniform\" }\n\
            c = { default = [1, 2], distribution = \"lognormal\", mean = [1, 2], deviation = 0.5, range = [0.1, 9] }\n\
            d = { default = 1, range = [0, 2], distribution = \"uniform\" }";
        let deck = deck(text).unwrap_or_else(|e| panic!("{e}"));
        let p = &deck.parameters;
        assert_eq!(p["a"].distribution, Distribution::Normal { mean: 2.0, deviation: 0.1 });
        assert_eq!(p["a"].range, Some([1.6, 2.4]));
        assert_eq!(p["b"].distribution, Distribution::LogUniform);
        assert_eq!(p["c_2"].distribution, Distribution::Lognormal { mean: 2.0, deviation: 0.5 });
        assert!(p["d"].distribution.is_uniform() && p["a"].varies());
        let again = Deck::parse(&deck.to_toml(), "deck.toml", &[]).unwrap();
        assert_eq!(again.parameters, deck.parameters);
        assert_eq!(deck.to_toml().matches("\"uniform\"").count(), 0);
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
            ("k = { default = 1, distribution = \"gauss\" }", "gauss"),
            (
                "k = { default = 1, distribution = \"normal\" }",
                "parameters.k: this distribution needs `mean` and",
            ),
            (
                "k = { default = 1, distribution = \"normal\", mean = 1, deviation = 0 }",
                "a deviation above zero",
            ),
            (
                "k = { default = 1, distribution = \"lognormal\", mean = -1, deviation = 1 }",
                "a mean above zero",
            ),
            ("k = { default = 1, distribution = \"uniform\" }", "this distribution needs a `range`"),
            ("k = { default = 1, range = [0, 2], mean = 1 }", "are for the distributions"),
            (
                "k = { default = 1, range = [0, 2], distribution = \"log_uniform\" }",
                "needs a range above zero",
            ),
            ("k = { default = 1, choices = [1], distribution = \"uniform\" }", "`choices` exclude"),
            (
                "k = { default = 1, range = [0, 2], distribution = \"normal\", mean = 50, deviation = 1 }",
                "of the distribution, too little",
            ),
            (
                "k = { default = [1, 1], range = [0, 2], distribution = \"normal\", mean = [1, 1, 1], deviation = 1 }",
                "3 means for 2 components",
            ),
            ("k = { default = [1, 9], range = [0, 2] }", "the default 9 is outside"),
        ] {
            let error = deck(text).expect_err(text);
            assert!(error.exit_code() == 2 && error.to_string().contains(words), "{text}: {error}");
        }
    }
}
