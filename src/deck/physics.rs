//! `[[physics]]`: what a deck says of a model, by the table of models.
use super::boundary::Boundary;
use super::sections::SolverOptions;
use super::value::{Coefficient, Property, Scalar, Tensor};
use schemars::JsonSchema;
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tessera_kernels::MODELS;
use tessera_kernels::model::{Choice, Input, Kind, Law, Missing, Model};

/// One model, solved in the deck's order.
#[derive(Clone)]
pub struct Physics {
    /// The model.
    pub model: &'static Model,
    pub(super) name: String,
    pub(super) field: String,
    pub(super) unit: String,
    pub(super) degree: usize,
    pub(super) plane: Option<Plane>,
    pub(super) boundary: Vec<Boundary>,
    solver: Option<SolverOptions>,
    /// By [`Model::inputs`]; `None` where the deck leaves out what may be left out.
    pub(super) values: Vec<Option<Value>>,
}

/// The value of an [`Input`].
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of [`Kind::Coefficient`] and [`Kind::Tensor`].
    Coefficient(Coefficient),
    /// Of [`Kind::Scalar`].
    Scalar(Scalar),
    /// Of [`Kind::Vector`].
    Vector(Vec<Scalar>),
    /// Of [`Kind::Property`].
    Property(Property),
    /// Of [`Kind::Table`], in the order of its inputs.
    Table(Vec<Scalar>),
    /// Of [`Kind::Rotation`].
    Rotation(Rotation),
}

/// Rotation at constant speed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// Direction of the axis; need not have length 1.
    #[serde(default = "z_axis")]
    #[schemars(length(min = 2, max = 3))]
    pub axis: Vec<f64>,
    /// A point on the axis; the origin if left out.
    #[serde(default = "origin")]
    #[schemars(length(min = 2, max = 3), extend("x-unit" = "m"))]
    pub origin: Vec<f64>,
    /// Angular speed; a number or an expression in the parameters.
    #[schemars(extend("x-unit" = "rad/s"))]
    pub speed: Scalar,
}

fn z_axis() -> Vec<f64> {
    vec![0.0, 0.0, 1.0]
}

fn origin() -> Vec<f64> {
    vec![0.0; 3]
}

/// What a two-dimensional mesh stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Plane {
    /// A slice of a long body: no strain across.
    Strain,
    /// A thin sheet: no stress across.
    Stress,
    /// The half section of a body of revolution: x is the radius, y the axis.
    Axisymmetric,
}

impl Plane {
    /// As decks write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Strain => "strain",
            Self::Stress => "stress",
            Self::Axisymmetric => "axisymmetric",
        }
    }
}

impl Physics {
    /// A model of which nothing is said: what has no default is left out.
    pub(super) fn plain(model: &'static Model) -> Self {
        Self {
            model,
            name: model.name.into(),
            field: model.field.into(),
            unit: model.unit.into(),
            degree: model.degree.default,
            plane: None,
            boundary: Vec::new(),
            solver: None,
            values: model.inputs.iter().map(default).collect(),
        }
    }

    /// Name by which the deck refers to it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Name of the solution.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Unit of the solution.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// Polynomial degree of the elements.
    pub fn degree(&self) -> usize {
        self.degree
    }

    /// What a two-dimensional mesh stands for, where the deck says so.
    pub fn plane(&self) -> Option<Plane> {
        self.plane
    }

    /// Boundary conditions.
    pub fn boundary(&self) -> &[Boundary] {
        &self.boundary
    }

    /// Its own solver, if it has one.
    pub fn solver(&self) -> &Option<SolverOptions> {
        &self.solver
    }

    /// Every input that has a value, given or by default.
    pub fn values(&self) -> impl Iterator<Item = (&'static Input, &Value)> {
        self.model.inputs.iter().zip(&self.values).filter_map(|(input, value)| Some((input, value.as_ref()?)))
    }

    /// The value of an input, if it has one.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.values().find(|(input, _)| input.key == key).map(|(_, value)| value)
    }

    /// The inputs that are coefficients.
    pub fn coefficients(&self) -> impl Iterator<Item = (&'static str, &Coefficient)> {
        self.values().filter_map(|(input, value)| match value {
            Value::Coefficient(coefficient) => Some((input.key, coefficient)),
            _ => None,
        })
    }

    /// Numbers and formulas of the inputs that are no [`Coefficient`], with their keys and what they may be.
    pub fn scalars(&self) -> Vec<(String, &Scalar, &'static Input)> {
        let mut list = Vec::new();
        for (input, value) in self.values() {
            let key = input.key;
            match (value, &input.kind) {
                (Value::Coefficient(_), _) | (Value::Property(Property::Table(_)), _) => {}
                (Value::Scalar(scalar) | Value::Property(Property::Scalar(scalar)), _) => {
                    list.push((key.to_string(), scalar, input));
                }
                (Value::Vector(entries), _) => {
                    let entries = entries.iter().enumerate();
                    list.extend(entries.map(|(i, scalar)| (format!("{key}[{i}]"), scalar, input)));
                }
                (Value::Table(entries), Kind::Table(inputs, _)) => {
                    let entries = entries.iter().zip(inputs.iter());
                    list.extend(entries.map(|(scalar, own)| (format!("{key}.{}", own.key), scalar, own)));
                }
                (Value::Table(_), _) => {}
                (Value::Rotation(rotation), _) => list.push((format!("{key}.speed"), &rotation.speed, input)),
            }
        }
        list
    }

    /// Names of the fields that follow from the solution.
    pub fn derived(&self) -> impl Iterator<Item = &'static str> {
        self.model.derived.iter().map(|derived| derived.name)
    }

    /// Number of components of the solution on a mesh of the given dimension.
    pub fn components(&self, dimension: usize) -> usize {
        (self.model.components)(dimension)
    }

    /// Whether the last component of the solution is a pressure, a field of its own.
    pub fn has_pressure(&self) -> bool {
        self.law(self.model.least_dimension, false).facts.pressure
    }

    /// Number of components of the solution's field, of which a pressure is none.
    pub fn own_components(&self, dimension: usize) -> usize {
        self.components(dimension) - usize::from(self.has_pressure())
    }

    /// Number of components of a primary or derived field on a mesh of the given dimension.
    pub fn field_components(&self, field: &str, dimension: usize) -> usize {
        // A derived field may carry the solution's name before its own.
        let is = |name: &str| field == name || field == format!("{}_{name}", self.field);
        match self.model.derived.iter().find(|derived| is(derived.name)) {
            _ if field == self.field => self.own_components(dimension),
            Some(derived) => derived.components.count(dimension),
            None => 1,
        }
    }

    /// Whether an input is a tensor.
    pub fn has_tensor(&self) -> bool {
        let tensor = |tensor: &Tensor| matches!(tensor, Tensor::Diagonal(_) | Tensor::Full(_));
        self.coefficients().any(|(_, coefficient)| coefficient.tensors().any(tensor))
    }

    /// Whether an input depends on the solution: a table over it, or a formula with its name, which is none of the deck's
    /// own names.
    pub fn depends_on_itself(&self) -> bool {
        self.values().any(|(input, value)| match value {
            Value::Coefficient(coefficient) if input.of_solution => {
                coefficient.tensors().any(|tensor| self.is_of_solution(tensor))
            }
            _ => false,
        })
    }

    fn is_of_solution(&self, tensor: &Tensor) -> bool {
        match tensor {
            Tensor::Table(_) => true,
            Tensor::Isotropic(Scalar::Expression(text)) => names(text).any(|name| name == self.field),
            _ => false,
        }
    }

    /// Whether a boundary radiates.
    pub fn radiates(&self) -> bool {
        self.boundary.iter().any(|boundary| boundary.emissivity.is_some())
    }

    /// The forms that it stands for on a mesh of some dimension, in a run in time or not.
    pub fn law(&self, dimension: usize, in_time: bool) -> Law {
        (self.model.law)(&Choice {
            dimension,
            plane: self.plane.map(Plane::word),
            in_time,
            tensor: self.has_tensor(),
            of_solution: self.depends_on_itself(),
            radiates: self.radiates(),
            given: &|key| self.value(key).is_some(),
        })
    }
}

/// The names in a formula.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let separates = |c: char| !(c.is_alphanumeric() || c == '_');
    text.split(separates).filter(|word| word.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}

impl std::fmt::Debug for Physics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Physics({}, {})", self.model.name, self.name)
    }
}

impl<'de> Deserialize<'de> for Physics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = toml::Table::deserialize(deserializer)?;
        let word: String = take(&mut table, "model")?.ok_or_else(|| D::Error::missing_field("model"))?;
        let model = MODELS.iter().find(|model| model.name == word);
        let model = *model.ok_or_else(|| D::Error::custom(format!("unknown model \"{word}\"")))?;
        let text = |value: &str| value.to_string();
        let physics = Self {
            model,
            name: take(&mut table, "name")?.unwrap_or_else(|| text(model.name)),
            field: take(&mut table, "field")?.unwrap_or_else(|| text(model.field)),
            unit: take(&mut table, "unit")?.unwrap_or_else(|| text(model.unit)),
            degree: take(&mut table, "degree")?.unwrap_or(model.degree.default),
            plane: take(&mut table, "plane")?,
            boundary: take(&mut table, "boundary")?.unwrap_or_default(),
            solver: take(&mut table, "solver")?,
            values: model.inputs.iter().map(|input| value(&mut table, input)).collect::<Result<_, _>>()?,
        };
        match table.keys().next() {
            Some(key) => Err(D::Error::custom(format!("unknown key \"{key}\""))),
            None => Ok(physics),
        }
    }
}

fn take<T: DeserializeOwned, E: serde::de::Error>(
    table: &mut toml::Table,
    key: &str,
) -> Result<Option<T>, E> {
    let value = table.remove(key).map(T::deserialize);
    value.transpose().map_err(|error| E::custom(format!("{key}: {error}")))
}

fn value<E: serde::de::Error>(table: &mut toml::Table, input: &Input) -> Result<Option<Value>, E> {
    let key = input.key;
    let found = match &input.kind {
        Kind::Coefficient | Kind::Tensor => take(table, key)?.map(Value::Coefficient),
        Kind::Scalar => take(table, key)?.map(Value::Scalar),
        Kind::Vector => take(table, key)?.map(Value::Vector),
        Kind::Property => take(table, key)?.map(Value::Property),
        Kind::Rotation => take(table, key)?.map(Value::Rotation),
        Kind::Table(inputs, _) => match take::<toml::Table, E>(table, key)? {
            None => None,
            Some(mut own) => {
                let one = |input: &Input| {
                    take(&mut own, input.key)?
                        .ok_or_else(|| E::custom(format!("{key}: missing `{}`", input.key)))
                };
                Some(Value::Table(inputs.iter().map(one).collect::<Result<_, _>>()?))
            }
        },
    };
    match (found, input.default) {
        (None, Missing::Required) => Err(E::custom(format!("missing key `{key}`"))),
        (found, _) => Ok(found.or_else(|| default(input))),
    }
}

/// What an input is where nothing is said of it, if that is a value.
fn default(input: &Input) -> Option<Value> {
    let Missing::Value(number) = input.default else { return None };
    Some(match input.kind {
        Kind::Scalar => Value::Scalar(number.into()),
        Kind::Property => Value::Property(number.into()),
        _ => Value::Coefficient(number.into()),
    })
}

impl Serialize for Physics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("model", self.model.name)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("field", &self.field)?;
        map.serialize_entry("unit", &self.unit)?;
        map.serialize_entry("degree", &self.degree)?;
        for (input, value) in self.values() {
            match (value, &input.kind) {
                (Value::Coefficient(value), _) => map.serialize_entry(input.key, value)?,
                (Value::Scalar(value), _) => map.serialize_entry(input.key, value)?,
                (Value::Vector(value), _) => map.serialize_entry(input.key, value)?,
                (Value::Property(value), _) => map.serialize_entry(input.key, value)?,
                (Value::Rotation(value), _) => map.serialize_entry(input.key, value)?,
                (Value::Table(values), Kind::Table(inputs, _)) => {
                    let entries = inputs.iter().map(|input| input.key).zip(values);
                    map.serialize_entry(input.key, &entries.collect::<indexmap::IndexMap<_, _>>())?;
                }
                (Value::Table(_), _) => {}
            }
        }
        if let Some(plane) = &self.plane {
            map.serialize_entry("plane", plane)?;
        }
        map.serialize_entry("boundary", &self.boundary)?;
        if let Some(solver) = &self.solver {
            map.serialize_entry("solver", solver)?;
        }
        map.end()
    }
}
