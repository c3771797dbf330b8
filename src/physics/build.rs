//! From the deck's `[[physics]]` to a [`Problem`], by the table of models.
use super::coefficient::{Coefficients, FieldExpression, Given, NodalField, Source};
use super::file_field::FileSource;
use super::problem::{Equation, Names, Place, Problem, Term};
use crate::deck::{
    Boundary, COORDINATES, Coefficient, Deck, Expression, Physics, Plane, Property, Reading, Scalar, Tensor,
    Value,
};
use crate::fem::Space;
use crate::mesh::Mesh;
use crate::{Error, Result};
use indexmap::IndexMap;
use std::rc::Rc;
use tessera_kernels::model::{self, Kind, Missing, Sign};

/// Random fields and fields of earlier problems, by the name of the field or the problem.
pub type Inputs<'a> = &'a [(String, Rc<NodalField>)];

/// Builds problem `index` of a deck whose markers have been checked against the mesh. Collective.
///
/// # Errors
/// [`Error::Input`] when an input does not fit the mesh.
pub fn build(deck: &Deck, index: usize, mesh: &Rc<Mesh>, inputs: Inputs) -> Result<Problem> {
    let physics = &deck.physics[index];
    let space = Space::new(mesh.clone(), physics.degree(), physics.components(mesh.dimension))?;
    let space = Rc::new(space.around_axis(physics.plane() == Some(Plane::Axisymmetric)));
    on_space(deck, index, space, inputs)
}

/// As [`build`] on a space that is there already. Collective.
///
/// # Errors
/// As [`build`].
pub(super) fn on_space(deck: &Deck, index: usize, space: Rc<Space>, inputs: Inputs) -> Result<Problem> {
    let (physics, mesh) = (&deck.physics[index], &space.mesh);
    let law = physics.law(mesh.dimension, deck.time.is_some());
    let of_solution =
        |c: &model::Coefficient| c.formula.ends_with("_slope") || c.formula.ends_with("_integral");
    let own = law.coefficients.iter().any(of_solution).then(|| Rc::new(NodalField::new(space.clone())));
    let builder =
        Builder { deck, physics, mesh, inputs, variables: deck.field_variables(), own: own.clone() };
    let further: Vec<&str> = law.further.clone();
    let coefficients = Coefficients::new(&law.coefficients, &further, |name| builder.input(name))?;
    let mut terms = vec![Term { place: Place::Volume, key: builder.key(), coefficients, facets: Vec::new() }];
    for (number, boundary) in physics.boundary().iter().enumerate().filter(|(_, b)| b.is_natural()) {
        let coefficients = Coefficients::new(&law.surface, &[], |name| builder.condition(boundary, name))?;
        let facets = builder.natural_facets(boundary, number)?;
        terms.push(Term { place: Place::Boundary, key: builder.boundary_key(number), coefficients, facets });
    }
    if !law.open.is_empty() {
        let regions = mesh.region_names.len();
        let coefficients = Coefficients::new(&law.surface, &[], |name| match law.open.contains(&name) {
            true => builder.input(name),
            false => Ok(Given::Sources(vec![ZERO; regions])),
        })?;
        terms.push(Term {
            place: Place::Boundary,
            key: builder.key(),
            coefficients,
            facets: builder.open_facets(),
        });
    }
    let conditions = builder.conditions(&space)?;
    let names =
        Names { problem: physics.name().into(), field: physics.field().into(), unit: physics.unit().into() };
    let equation = Equation {
        model: physics.model,
        law,
        tensor: physics.has_tensor(),
        plane: physics.plane().map(Plane::word),
    };
    let mut problem = Problem::new(names, equation, space.clone(), terms, conditions)?;
    problem.own = own;
    Ok(problem)
}

/// What building one problem needs.
pub(super) struct Builder<'a> {
    deck: &'a Deck,
    pub(super) physics: &'a Physics,
    pub(super) mesh: &'a Rc<Mesh>,
    inputs: Inputs<'a>,
    /// Names that expressions may use.
    variables: Vec<String>,
    /// The solution, if coefficients depend on it.
    own: Option<Rc<NodalField>>,
}

impl Builder<'_> {
    /// What a name in a formula of the volume is: a key, or a key with an ending.
    fn input(&self, name: &str) -> Result<Given> {
        let everywhere = |source: Source| Given::Sources(vec![source; self.mesh.region_names.len()]);
        if let (true, Some(own)) = (name == SOLUTION, &self.own) {
            return Ok(everywhere(Source::Nodal(own.clone())));
        }
        let inputs = self.physics.model.inputs;
        let found = inputs.iter().find_map(|input| Some((input, name.strip_prefix(input.key)?)));
        // Of two keys of which one begins with the other, the longer one.
        let exact = inputs.iter().find(|input| input.key == name).map(|input| (input, ""));
        let longest = inputs
            .iter()
            .filter_map(|input| Some((input, name.strip_prefix(input.key)?.strip_prefix('_')?)))
            .max_by_key(|(input, _)| input.key.len());
        let Some((input, ending)) = exact.or(longest) else {
            let known = found.is_some();
            return Err(Error::Failed(format!("{}: no input `{name}` ({known})", self.physics.model.name)));
        };
        let key = input.key;
        let number = |ending: &str| ending.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        let Some(value) = self.physics.value(key) else {
            let absent = match input.default {
                Missing::Absent(number) => number,
                _ => 0.0,
            };
            // The integral of a number from zero is that times the solution.
            return match (ending, &self.own) {
                ("integral", Some(own)) => Ok(everywhere(self.constant_integral(absent, own))),
                ("slope", _) => Ok(everywhere(ZERO)),
                _ => Ok(everywhere(Source::Constant(absent))),
            };
        };
        match (value, &input.kind) {
            (Value::Coefficient(coefficient), Kind::Tensor) if ending.len() == 2 => {
                let axis = |c: char| COORDINATES.iter().position(|&name| name.starts_with(c)).unwrap_or(0);
                let axes: Vec<usize> = ending.chars().map(axis).collect();
                Ok(Given::Sources(self.tensor(key, coefficient, [axes[0], axes[1]])?))
            }
            (Value::Coefficient(coefficient), _) => {
                let reading = match ending {
                    "slope" => Reading::Slope,
                    "integral" => Reading::Integral,
                    _ => Reading::Value,
                };
                self.regions(key, coefficient, reading)
            }
            (Value::Scalar(scalar), _) => Ok(everywhere(self.scalar(scalar)?)),
            (Value::Vector(list), _) => {
                let entry = number(ending).and_then(|i| list.get(i));
                Ok(everywhere(entry.map_or(Ok(ZERO), |scalar| self.scalar(scalar))?))
            }
            (Value::Property(Property::Scalar(scalar)), _) => Ok(everywhere(self.scalar(scalar)?)),
            (Value::Property(Property::Table(table)), _) => {
                let regions = self.mesh.region_names.len();
                Ok(Given::Table {
                    of: "temperature".into(),
                    reading: None,
                    by_region: vec![Some(Rc::new(table.clone())); regions],
                    otherwise: vec![ZERO; regions],
                })
            }
            (Value::Table(list), Kind::Table(inputs, _)) => {
                let entry = inputs.iter().position(|input| input.key == ending).and_then(|i| list.get(i));
                Ok(everywhere(entry.map_or(Ok(ZERO), |scalar| self.scalar(scalar))?))
            }
            (Value::Table(_), _) => Ok(everywhere(ZERO)),
            (Value::Rotation(rotation), _) => {
                Ok(everywhere(self.rotation(rotation, number(ending).unwrap_or(0))?))
            }
        }
    }

    /// What a name in a formula of the boundary is, for the condition of one entry.
    fn condition(&self, boundary: &Boundary, name: &str) -> Result<Given> {
        let scalar = boundary.scalars().find(|(key, _)| *key == name).map(|(_, scalar)| scalar);
        let entry = || {
            let (key, number) = name.rsplit_once('_')?;
            let (_, list) = boundary.lists().find(|(known, _)| *known == key)?;
            list.get(number.parse::<usize>().ok()?.checked_sub(1)?)
        };
        let source = scalar.or_else(entry).map_or(Ok(ZERO), |scalar| self.scalar(scalar));
        Ok(Given::Sources(vec![source?]))
    }

    fn key(&self) -> String {
        format!("physics.{}", self.physics.name())
    }

    pub(super) fn boundary_key(&self, number: usize) -> String {
        format!("physics.{}.boundary[{number}]", self.physics.name())
    }

    pub(super) fn fault(&self, key: &str, message: String) -> Error {
        self.deck.fault(&format!("{}.{key}", self.key()), message)
    }

    /// The values of a coefficient, or what follows from them by way of the solution.
    fn regions(&self, key: &str, coefficient: &Coefficient, reading: Reading) -> Result<Given> {
        let names = &self.mesh.region_names;
        let one = |source: Source| -> Result<Given> {
            let source = match (reading, &self.own) {
                (Reading::Value, _) => source,
                (Reading::Slope, _) => ZERO,
                (Reading::Integral, Some(own)) => self.product(source, own)?,
                (Reading::Integral, None) => ZERO,
            };
            Ok(Given::Sources(vec![source; names.len()]))
        };
        match coefficient {
            Coefficient::Physics(source) => {
                let field =
                    self.inputs.iter().find(|(name, _)| *name == source.physics).ok_or_else(|| {
                        self.fault(
                            key,
                            format!("\"{}\" is no earlier physics with a scalar field", source.physics),
                        )
                    })?;
                one(Source::Nodal(field.1.clone()))
            }
            Coefficient::File(source) => {
                let input = self.physics.model.inputs.iter().find(|input| input.key == key);
                let positive = input.is_some_and(|input| input.sign == Sign::Positive);
                let path = self.deck.resolve(&source.file);
                let interval = self.deck.time.as_ref().map(|time| (time.start, time.end));
                let source = FileSource { path: &path, dataset: &source.dataset, positive, interval }
                    .read(self.mesh)
                    .map_err(|error| self.fault(key, error.to_string()))?;
                one(source)
            }
            Coefficient::Uniform(_) | Coefficient::Regions(_) => {
                let tensors: Vec<&Tensor> = names
                    .iter()
                    .map(|name| match coefficient {
                        Coefficient::Regions(table) => self.of_region(key, table, name),
                        other => Ok(other.tensors().next().expect("one for all regions")),
                    })
                    .collect::<Result<_>>()?;
                let table = |tensor: &&Tensor| match tensor {
                    Tensor::Table(table) => Some(Rc::new(table.clone())),
                    _ => None,
                };
                let by_region: Vec<_> = tensors.iter().map(table).collect();
                let source = |tensor: &&Tensor| match tensor {
                    Tensor::Table(_) => Ok(ZERO),
                    tensor => self.isotropic(key, tensor, reading),
                };
                let otherwise = tensors.iter().map(source).collect::<Result<Vec<_>>>()?;
                if by_region.iter().all(Option::is_none) {
                    return Ok(Given::Sources(otherwise));
                }
                Ok(Given::Table { of: SOLUTION.into(), reading: Some(reading), by_region, otherwise })
            }
        }
    }

    /// A number or formula, in which the solution may stand.
    fn isotropic(&self, key: &str, tensor: &Tensor, reading: Reading) -> Result<Source> {
        let Tensor::Isotropic(scalar) = tensor else {
            return Err(self.fault(key, "a scalar is needed here, not a tensor".into()));
        };
        let Some(own) = &self.own else { return self.scalar(scalar) };
        let mut names = self.variables.clone();
        names.push(self.physics.field().to_string());
        let variable = names.len() - 1;
        let expression =
            scalar.parse(&names).map_err(|error| self.fault(key, format!("{scalar:?}: {error}")))?;
        if !expression.used().contains(&variable) || self.variables.contains(&names[variable]) {
            let source = source(self.deck, expression, self.inputs);
            return match reading {
                Reading::Value => Ok(source),
                Reading::Slope => Ok(ZERO),
                Reading::Integral => self.product(source, own),
            };
        }
        let expression = if reading == Reading::Slope { expression.derivative(variable) } else { expression };
        // First the solution, over which it is integrated.
        let mut fields = vec![(variable, own.clone())];
        fields.extend(self.random_fields(&expression));
        let formula = Rc::new(FieldExpression { expression, fields, variables: names.len() });
        Ok(if reading == Reading::Integral { Source::Integral(formula) } else { Source::Fields(formula) })
    }

    /// The product of a source and the solution.
    fn product(&self, source: Source, own: &Rc<NodalField>) -> Result<Source> {
        match source {
            Source::Constant(value) => Ok(self.constant_integral(value, own)),
            Source::Expression(formula) => {
                let variables = self.variables.len() + 1;
                let fields = vec![(variables - 1, own.clone())];
                let expression = (*formula).clone();
                Ok(Source::Integral(Rc::new(FieldExpression { expression, fields, variables })))
            }
            Source::Fields(formula) => {
                let mut fields = vec![(formula.variables, own.clone())];
                fields.extend(formula.fields.iter().cloned());
                let (expression, variables) = (formula.expression.clone(), formula.variables + 1);
                Ok(Source::Integral(Rc::new(FieldExpression { expression, fields, variables })))
            }
            _ => Err(self.fault(
                "capacity",
                "a capacity from a file or another physics does not go with data that depend on the solution"
                    .into(),
            )),
        }
    }

    fn constant_integral(&self, value: f64, own: &Rc<NodalField>) -> Source {
        let (expression, variables) = (Expression::constant(value), self.variables.len() + 1);
        let fields = vec![(variables - 1, own.clone())];
        Source::Integral(Rc::new(FieldExpression { expression, fields, variables }))
    }

    /// The random fields that an expression uses, with the numbers of their variables.
    fn random_fields(&self, expression: &Expression) -> Vec<(usize, Rc<NodalField>)> {
        random_fields(self.deck, expression, self.inputs)
    }

    /// A table's entry for a region of the mesh.
    fn of_region<'a>(
        &self,
        key: &str,
        table: &'a IndexMap<String, Tensor>,
        name: &str,
    ) -> Result<&'a Tensor> {
        table.get(name).or_else(|| table.get("default")).ok_or_else(|| {
            self.fault(key, format!("no value for the region \"{name}\" of the mesh, and no `default`"))
        })
    }

    /// An entry of a tensor, one source for each region.
    fn tensor(&self, key: &str, coefficient: &Coefficient, [i, j]: [usize; 2]) -> Result<Vec<Source>> {
        let d = self.mesh.dimension;
        let entry = |name: &String| {
            let tensor = match coefficient {
                Coefficient::Uniform(tensor) => tensor,
                Coefficient::Regions(table) => self.of_region(key, table, name)?,
                _ => return Err(self.fault(key, "a tensor cannot come from a file".into())),
            };
            let wrong =
                || self.fault(key, format!("a tensor in {d} dimensions has {d} entries or {d} rows of {d}"));
            match tensor {
                Tensor::Isotropic(scalar) if i == j => self.scalar(scalar),
                Tensor::Diagonal(list) if list.len() != d => Err(wrong()),
                Tensor::Diagonal(list) if i == j => self.scalar(&list[i]),
                Tensor::Full(rows) => self.scalar(rows.get(i).and_then(|row| row.get(j)).ok_or_else(wrong)?),
                _ => Ok(ZERO),
            }
        };
        self.mesh.region_names.iter().map(entry).collect()
    }

    pub(super) fn scalar(&self, scalar: &Scalar) -> Result<Source> {
        Ok(match scalar {
            Scalar::Number(value) => Source::Constant(*value),
            Scalar::Expression(text) => {
                let expression = scalar
                    .parse(&self.variables)
                    .map_err(|error| self.fault("expression", format!("`{text}`: {error}")))?;
                source(self.deck, expression, self.inputs)
            }
        })
    }
}

/// An expression in the variables of [`Deck::field_variables`], with the random fields that it uses.
pub fn source(deck: &Deck, expression: Expression, inputs: Inputs) -> Source {
    if let Some(value) = expression.as_constant() {
        return Source::Constant(value);
    }
    let fields = random_fields(deck, &expression, inputs);
    if fields.is_empty() {
        return Source::Expression(Rc::new(expression));
    }
    let variables = COORDINATES.len() + deck.parameters.len() + deck.random.len();
    Source::Fields(Rc::new(FieldExpression { expression, fields, variables }))
}

/// The random fields that an expression uses, with the numbers of their variables.
fn random_fields(deck: &Deck, expression: &Expression, inputs: Inputs) -> Vec<(usize, Rc<NodalField>)> {
    let known = deck.parameters.len();
    let field = |parameter: usize| {
        let (name, _) = deck.random.get_index(parameter.checked_sub(known)?)?;
        let (_, field) = inputs.iter().find(|(other, _)| other == name)?;
        Some((COORDINATES.len() + parameter, field.clone()))
    };
    expression.parameters().filter_map(field).collect()
}

const ZERO: Source = Source::Constant(0.0);

/// The name of the solution itself in formulas, which no input has.
const SOLUTION: &str = "solution";

pub(super) fn pad(point: &[f64]) -> [f64; 3] {
    std::array::from_fn(|i| point.get(i).copied().unwrap_or(0.0))
}
