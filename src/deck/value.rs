//! Values in decks that are numbers, formulas, tables of them or fields from elsewhere.
use super::expression::{Expression, ExpressionError};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A number, or an expression in x, y, z (m), t (s), pi, the parameters and, in physics and initial values, the
/// random fields, such as "300 + 20*sin(pi*x)". Operators: + - * / ^ < <= > >=; functions: sin cos tan asin acos atan atan2
/// sinh cosh tanh exp log (= ln) log10 log2 sqrt abs sign floor ceil step (= heaviside) min max mod pow
/// if(condition, yes, no).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// A number.
    Number(f64),
    /// An expression.
    Expression(String),
}

impl From<f64> for Scalar {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Scalar {
    fn from(text: &str) -> Self {
        Self::Expression(text.into())
    }
}

impl From<String> for Scalar {
    fn from(text: String) -> Self {
        Self::Expression(text)
    }
}

impl Scalar {
    /// As a function of `variables`.
    ///
    /// # Errors
    /// When the expression is none.
    pub fn parse(&self, variables: &[String]) -> Result<Expression, ExpressionError> {
        match self {
            Self::Number(value) => Expression::parse(&format!("{value:e}"), variables),
            Self::Expression(text) => Expression::parse(text, variables),
        }
    }
}

/// A scalar or a tensor: one entry (isotropic), a list (the diagonal) or a list of rows; or a table over the solution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Tensor {
    /// The same in every direction.
    Isotropic(Scalar),
    /// The diagonal, one entry a dimension.
    Diagonal(Vec<Scalar>),
    /// Rows; symmetric.
    Full(Vec<Vec<Scalar>>),
    /// Over the solution itself, where the model allows it; a solution outside the table is an error.
    Table(PropertyTable),
}

/// A material coefficient: a number, an expression, a tensor (where the model allows one), a table
/// { region = value, ..., default = value } by cell marker, a field of a file { file, dataset }, or
/// another model's solution { physics }.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Coefficient {
    /// The same formula everywhere.
    Uniform(Tensor),
    /// A dataset of an HDF5 file.
    File(FileField),
    /// The field of a physics that is solved earlier.
    Physics(PhysicsField),
    /// By cell marker; `default` stands for every region that is not named.
    Regions(IndexMap<String, Tensor>),
}

impl Coefficient {
    /// What is given in the deck itself, for all regions or one by one.
    pub fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        let (one, table) = match self {
            Self::Uniform(tensor) => (Some(tensor), None),
            Self::Regions(table) => (None, Some(table.values())),
            Self::File(_) | Self::Physics(_) => (None, None),
        };
        one.into_iter().chain(table.into_iter().flatten())
    }
}

impl From<f64> for Coefficient {
    fn from(value: f64) -> Self {
        Self::Uniform(Tensor::Isotropic(Scalar::Number(value)))
    }
}

/// A material property: a number, an expression, or a table over the temperature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Property {
    /// A number or an expression.
    Scalar(Scalar),
    /// Linear between the entries; a temperature outside the table is an error.
    Table(PropertyTable),
}

impl From<f64> for Property {
    fn from(value: f64) -> Self {
        Self::Scalar(value.into())
    }
}

/// Values at ascending temperatures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PropertyTable {
    /// Temperatures, ascending.
    #[schemars(length(min = 2), extend("x-unit" = "K"))]
    pub temperature: Vec<f64>,
    /// One value a temperature.
    #[schemars(length(min = 2))]
    pub value: Vec<f64>,
}

impl PropertyTable {
    /// The value at a temperature by linear interpolation; not a number outside the table.
    pub fn at(&self, temperature: f64) -> f64 {
        let (t, v) = (&self.temperature, &self.value);
        let above = t.partition_point(|&entry| entry < temperature);
        match above {
            0 if t.first() == Some(&temperature) => v[0],
            0 => f64::NAN,
            i if i == t.len() => f64::NAN,
            i => v[i - 1] + (v[i] - v[i - 1]) * (temperature - t[i - 1]) / (t[i] - t[i - 1]),
        }
    }
}

/// What is read from a table over the solution, which is constant beyond its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The value.
    Value,
    /// Its derivative.
    Slope,
    /// Its integral from zero.
    Integral,
}

impl PropertyTable {
    /// The value at `u`, its derivative or its integral from zero, with constant values beyond the ends.
    pub fn read(&self, reading: Reading, u: f64) -> f64 {
        let (t, v) = (&self.temperature, &self.value);
        let last = t.len() - 1;
        let next = t.partition_point(|&entry| entry <= u);
        let slope = |i: usize| (v[i] - v[i - 1]) / (t[i] - t[i - 1]);
        match (reading, next) {
            (Reading::Value, 0) => v[0],
            (Reading::Value, i) if i > last => v[last],
            (Reading::Value, i) => v[i - 1] + slope(i) * (u - t[i - 1]),
            (Reading::Slope, i) if i == 0 || i > last => 0.0,
            (Reading::Slope, i) => slope(i),
            (Reading::Integral, _) => self.since_first(u) - self.since_first(0.0),
        }
    }

    /// The integral from the first entry.
    fn since_first(&self, u: f64) -> f64 {
        let (t, v) = (&self.temperature, &self.value);
        let piece = |i: usize| {
            let end = t[i].min(u.max(t[i - 1]));
            0.5 * (end - t[i - 1]) * (v[i - 1] + self.read(Reading::Value, end))
        };
        let last = t.len() - 1;
        let beyond = v[0] * (u - t[0]).min(0.0) + v[last] * (u - t[last]).max(0.0);
        (1..=last).map(piece).sum::<f64>() + beyond
    }
}

/// A field from an HDF5 file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileField {
    /// HDF5 file, relative to the deck. A nodal field of a file with another mesh is interpolated.
    pub file: PathBuf,
    /// Dataset in the file, such as "/fields/temperature": one value a cell or a node. Of several steps a
    /// coefficient of a run in time takes those of a nodal field at the file's times, linearly between them; other runs, fields
    /// on cells and initial values take the last.
    pub dataset: String,
}

/// The solution of another physics of the deck.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhysicsField {
    /// Name of a physics that stands earlier in the deck.
    pub physics: String,
}

/// An essential value: a scalar (for every component), or one entry a component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Essential {
    /// The value of every component.
    Uniform(Scalar),
    /// By component: a number, an expression, or "free" for a component without a condition.
    Components(Vec<Scalar>),
}

/// The word for a component without an essential condition.
pub const FREE: &str = "free";

impl Essential {
    /// Number of components that it lists; `None` where one value stands for all.
    pub fn components(&self) -> Option<usize> {
        match self {
            Self::Uniform(_) => None,
            Self::Components(values) => Some(values.len()),
        }
    }

    /// The value of one component; `None` where it is free.
    pub fn component(&self, component: usize) -> Option<&Scalar> {
        match self {
            Self::Uniform(value) => Some(value),
            Self::Components(values) => match values.get(component)? {
                Scalar::Expression(text) if text.trim() == FREE => None,
                value => Some(value),
            },
        }
    }
}

/// A scalar, or one entry a component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ScalarOrVector {
    /// A field with one component.
    Scalar(Scalar),
    /// By component.
    Vector(Vec<Scalar>),
}

impl ScalarOrVector {
    /// The components as functions of `variables`.
    ///
    /// # Errors
    /// When one is no expression.
    pub fn parse(&self, variables: &[String]) -> Result<Vec<Expression>, ExpressionError> {
        let list = match self {
            Self::Scalar(value) => std::slice::from_ref(value),
            Self::Vector(values) => values,
        };
        list.iter().map(|scalar| scalar.parse(variables)).collect()
    }
}

/// Initial values: a number, an expression, one entry a component, or a nodal field of a file { file, dataset }, which is
/// interpolated where the mesh or the degree is another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum InitialValue {
    /// Formulas.
    Formulas(ScalarOrVector),
    /// A dataset of an HDF5 file.
    File(FileField),
}

/// One name or a list of names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Names {
    /// One.
    One(String),
    /// Several; at least one.
    #[schemars(extend("minItems" = 1))]
    Many(Vec<String>),
}

impl From<&str> for Names {
    fn from(name: &str) -> Self {
        Self::One(name.into())
    }
}

impl<const N: usize> From<[&str; N]> for Names {
    fn from(names: [&str; N]) -> Self {
        Self::Many(names.map(String::from).to_vec())
    }
}

impl Names {
    /// The names in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => &names[..],
        }
        .iter()
        .map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_slopes_and_integrals() {
        let table = PropertyTable { temperature: vec![-1.0, 1.0, 4.0], value: vec![2.0, 6.0, 3.0] };
        let read = |reading, u| table.read(reading, u);
        assert_eq!([-3.0, 0.0, 1.0, 2.0, 9.0].map(|u| read(Reading::Value, u)), [2.0, 4.0, 6.0, 5.0, 3.0]);
        assert_eq!([-3.0, 0.0, 2.0, 9.0].map(|u| read(Reading::Slope, u)), [0.0, 2.0, -1.0, 0.0]);
        for u in [-3.0, -1.0, -0.3, 0.0, 0.7, 1.0, 2.5, 4.0, 9.0] {
            let (h, at) = (1e-6, |u| read(Reading::Integral, u));
            let difference = (at(u + h) - at(u - h)) / (2.0 * h);
            assert!((difference - read(Reading::Value, u)).abs() < 1e-5, "{u}: {difference}");
        }
        assert_eq!((read(Reading::Integral, 0.0), read(Reading::Integral, 1.0)), (0.0, 5.0));
    }
}
