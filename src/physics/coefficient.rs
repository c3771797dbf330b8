//! Coefficients of a weak form: from a model's inputs to values at quadrature points.
pub use super::source::{Context, FieldExpression, NodalField, Sampled, Source};
use crate::deck::{COORDINATES, Expression, PropertyTable, Reading};
use crate::fem::{Domain, Space, Values};
use crate::{Error, Result};
use indexmap::IndexMap;
use std::ops::Range;
use std::rc::Rc;
use tessera_kernels::model::{self, Role, Sign};

/// One coefficient of a form, computed from a model's inputs at a point.
pub struct Output {
    /// The inputs that it reads, by itself or through tables.
    pub uses: Vec<usize>,
    /// From the inputs, then the tables' values.
    pub formula: Formula,
}

/// A function of all inputs, then the tables' values.
pub enum Formula {
    /// One of them.
    Input(usize),
    /// An expression in them.
    Expression(Expression),
}

impl Formula {
    fn eval(&self, inputs: &[f64]) -> f64 {
        match self {
            Self::Input(index) => inputs[*index],
            Self::Expression(expression) => expression.eval(inputs),
        }
    }

    /// The numbers of what it reads.
    fn arguments(&self) -> &[usize] {
        match self {
            Self::Input(index) => std::slice::from_ref(index),
            Self::Expression(expression) => expression.used(),
        }
    }
}

/// An input that follows from another one by a table, in some regions or in all.
#[derive(Clone)]
pub struct Table {
    /// The input that it is read at.
    pub of: usize,
    /// An input by which what is read is multiplied.
    pub times: Option<usize>,
    /// What is read of a table over the solution; a material's table has no value beyond its ends.
    pub reading: Option<Reading>,
    /// By region; where there is none, the value is that of input `otherwise`.
    pub by_region: Vec<Option<Rc<PropertyTable>>>,
    /// See [`Table::by_region`].
    pub otherwise: usize,
}

impl Table {
    pub(super) fn value(&self, region: usize, input: impl Fn(usize) -> f64) -> f64 {
        let Some(table) = &self.by_region[region] else { return input(self.otherwise) };
        let at = input(self.of);
        let read = self.reading.map_or_else(|| table.at(at), |reading| table.read(reading, at));
        self.times.map_or(read, |factor| read * input(factor))
    }
}

/// The coefficients of one integral.
pub struct Coefficients {
    /// `[input][region]`.
    pub inputs: Vec<Vec<Source>>,
    /// Values that follow from these.
    pub tables: Vec<Table>,
    /// Names of the inputs, then of the tables, in formulas.
    pub names: Vec<String>,
    /// One for each coefficient of the form.
    pub outputs: Vec<Output>,
    /// Further functions of the inputs, for derived fields.
    pub further: Vec<Output>,
    /// What is said of each, see [`Meaning`].
    pub meanings: Vec<Meaning>,
}

/// What a coefficient of a form is.
#[derive(Debug, Clone, Copy)]
pub struct Meaning {
    /// The deck's key.
    pub key: &'static str,
    /// What it may be.
    pub sign: Sign,
    /// What it does in its form.
    pub role: Role,
}

/// What a name in a formula stands for, by region.
pub enum Given {
    /// An input.
    Sources(Vec<Source>),
    /// A table, see [`Table`].
    Table {
        /// Name of the input that it is read at.
        of: String,
        /// See [`Table::reading`].
        reading: Option<Reading>,
        /// See [`Table::by_region`].
        by_region: Vec<Option<Rc<PropertyTable>>>,
        /// The values where there is none.
        otherwise: Vec<Source>,
    },
}

impl Coefficients {
    /// The coefficients of a form in its order, and further functions of the same inputs; `given` says what a name in
    /// their formulas is, or why it is nothing.
    ///
    /// # Errors
    /// When a formula is none, and those of `given`.
    pub fn new(
        list: &[model::Coefficient],
        further: &[&str],
        mut given: impl FnMut(&str) -> Result<Given>,
    ) -> Result<Self> {
        let (mut inputs, mut tables) = (IndexMap::new(), IndexMap::new());
        let formulas: Vec<&str> =
            list.iter().map(|c| c.formula.as_str()).chain(further.iter().copied()).collect();
        for name in formulas.iter().flat_map(|formula| names(formula)) {
            if inputs.contains_key(name) || tables.contains_key(name) {
                continue;
            }
            match given(name)? {
                Given::Sources(sources) => drop(inputs.insert(name.to_string(), sources)),
                Given::Table { of, reading, by_region, otherwise } => {
                    if !inputs.contains_key(&of) {
                        match given(&of)? {
                            Given::Sources(sources) => drop(inputs.insert(of.clone(), sources)),
                            Given::Table { .. } => {
                                return Err(Error::Failed(format!("the table {name} is read at a table")));
                            }
                        }
                    }
                    let plain = format!("{name}_otherwise");
                    inputs.insert(plain.clone(), otherwise);
                    tables.insert(name.to_string(), (of, reading, by_region, plain));
                }
            }
        }
        let place =
            |inputs: &IndexMap<String, Vec<Source>>, name: &str| inputs.get_index_of(name).unwrap_or(0);
        let all: Vec<String> = inputs.keys().chain(tables.keys()).cloned().collect();
        let tables: Vec<Table> = tables
            .into_values()
            .map(|(of, reading, by_region, plain)| Table {
                of: place(&inputs, &of),
                times: None,
                reading,
                by_region,
                otherwise: place(&inputs, &plain),
            })
            .collect();
        let output = |formula: &&str| -> Result<Output> {
            if let Some(index) = all.iter().position(|name| name == formula) {
                let formula = Formula::Input(index);
                return Ok(Output { uses: uses(&formula, inputs.len(), &tables), formula });
            }
            let expression = Expression::parse(formula, &all)
                .map_err(|error| Error::Failed(format!("`{formula}`: {}", error.message)))?;
            let formula = Formula::Expression(expression);
            Ok(Output { uses: uses(&formula, inputs.len(), &tables), formula })
        };
        let mut outputs = formulas.iter().map(output).collect::<Result<Vec<_>>>()?;
        let further = outputs.split_off(list.len());
        let meanings = list.iter().map(|c| Meaning { key: c.key, sign: c.sign, role: c.role }).collect();
        Ok(Self { inputs: inputs.into_values().collect(), tables, names: all, outputs, further, meanings })
    }

    /// Whether coefficient `output` differs from point to point inside some region.
    pub fn varies_in_space(&self, output: usize) -> bool {
        self.differs(&self.outputs[output])
    }

    fn differs(&self, output: &Output) -> bool {
        output.uses.iter().any(|&i| self.inputs[i].iter().any(Source::varies_in_space))
    }

    /// Whether coefficient `output` reads a field.
    pub fn reads(&self, output: usize, field: &Rc<NodalField>) -> bool {
        self.outputs[output].uses.iter().any(|&i| self.inputs[i].iter().any(|source| source.reads(field)))
    }

    /// Whether a term that holds the solution is present.
    pub fn holds(&self) -> bool {
        let zero = |&i: &usize| self.inputs[i].iter().all(|source| matches!(source, Source::Constant(0.0)));
        let outputs = self.outputs.iter().zip(&self.meanings);
        outputs
            .filter(|(_, meaning)| meaning.role == Role::Holds)
            .any(|(output, _)| !output.uses.iter().any(zero))
    }

    /// Whether coefficient `output` changes with the parameters, or with time though it reads no field that does.
    pub fn changes(&self, output: usize) -> bool {
        let given = |source: &Source| !matches!(source, Source::Nodal(_));
        let may =
            |source: &Source| source.varies_with_parameters() || given(source) && source.varies_in_time();
        self.outputs[output].uses.iter().any(|&i| self.inputs[i].iter().any(may))
    }

    /// Whether any coefficient differs from point to point: decides the quadrature.
    pub fn any_varies_in_space(&self) -> bool {
        (0..self.outputs.len()).any(|o| self.varies_in_space(o))
    }

    /// All coefficients on a domain whose entities are numbered `0..entities`.
    pub fn evaluate(
        &self,
        context: &Context,
        space: &Space,
        domain: &Domain,
        entities: usize,
    ) -> Vec<Values> {
        self.evaluate_some(0..self.outputs.len(), context, space, domain, entities)
    }

    /// Some neighbouring coefficients on a domain.
    pub fn evaluate_some(
        &self,
        range: Range<usize>,
        context: &Context,
        space: &Space,
        domain: &Domain,
        entities: usize,
    ) -> Vec<Values> {
        self.evaluate_outputs(self.outputs[range].iter(), context, space, domain, entities)
    }

    /// Functions of the inputs on a domain, the form's own or others.
    pub fn evaluate_outputs<'a>(
        &self,
        outputs: impl Iterator<Item = &'a Output>,
        context: &Context,
        space: &Space,
        domain: &Domain,
        entities: usize,
    ) -> Vec<Values> {
        for source in self.inputs.iter().filter_map(|regions| regions.first()) {
            // A field is the same in all regions.
            if let Source::Nodal(field) = source {
                field.advance(context.time);
            }
        }
        let regions = self.inputs.first().map_or(1, Vec::len);
        let points = domain.rule.weights.len();
        let mut varying = Vec::new();
        let mut result: Vec<Values> = outputs
            .map(|output| {
                if self.differs(output) {
                    varying.push((output, vec![0.0; entities * points]));
                    return Values::ByPoint(Vec::new());
                }
                let value = |region| self.combined(output, region, context, &[0.0; 3], &[]);
                if regions == 1 {
                    Values::Uniform(value(0))
                } else {
                    Values::ByRegion((0..regions).map(value).collect())
                }
            })
            .collect();
        if !varying.is_empty() {
            self.fill(&mut varying, context, space, domain);
        }
        let places = result.iter_mut().filter(|values| matches!(values, Values::ByPoint(_)));
        for (place, (_, values)) in places.zip(varying) {
            *place = Values::ByPoint(values);
        }
        result
    }

    /// The tables' values, behind the inputs.
    fn read_tables(&self, region: usize, inputs: &mut [f64]) {
        let first = self.inputs.len();
        for (i, table) in self.tables.iter().enumerate() {
            inputs[first + i] = table.value(region, |input| inputs[input]);
        }
    }

    /// The derivatives of all coefficients with respect to a parameter of the deck, exact, with the fields that they read as
    /// they are: by the chain rule through formulas and tables.
    ///
    /// # Errors
    /// [`Error::Failed`] when a formula has no derivative that can be written.
    pub fn derivative(&self, parameter: usize) -> Result<Self> {
        let variable = COORDINATES.len() + parameter;
        let count = self.inputs.len();
        let rates =
            self.inputs.iter().map(|regions| regions.iter().map(|s| s.derivative(variable)).collect());
        let inputs = self.inputs.iter().cloned().chain(rates).collect();
        let slopes = self.tables.iter().map(|table| Table {
            times: Some(count + table.of),
            reading: Some(Reading::Slope),
            otherwise: count + table.otherwise,
            ..table.clone()
        });
        let tables = self.tables.iter().cloned().chain(slopes).collect();
        let (own, tabled) = self.names.split_at(count);
        let rate = |name: &String| format!("{name}_rate");
        let both = |names: &[String]| names.iter().cloned().chain(names.iter().map(rate)).collect::<Vec<_>>();
        let names = [both(own), both(tabled)].concat();
        let of = |output: &Output| -> Result<Output> {
            let term = |&argument: &usize| match &output.formula {
                Formula::Input(_) => rate(&self.names[argument]),
                Formula::Expression(expression) => {
                    format!("({})*{}", expression.derivative(argument).text(), rate(&self.names[argument]))
                }
            };
            let terms: Vec<String> = output.formula.arguments().iter().map(term).collect();
            let text = if terms.is_empty() { "0".into() } else { terms.join(" + ") };
            let formula = Expression::parse(&text, &names)
                .map_err(|error| Error::Failed(format!("derivative `{text}`: {}", error.message)))?;
            let uses = output.uses.iter().copied().chain(output.uses.iter().map(|i| count + i)).collect();
            Ok(Output { uses, formula: Formula::Expression(formula) })
        };
        let outputs = self.outputs.iter().map(of).collect::<Result<_>>()?;
        Ok(Self { inputs, tables, names, outputs, further: Vec::new(), meanings: self.meanings.clone() })
    }

    /// The value of coefficient `output` at a point; `fields[input]` stands for inputs that are
    /// fields.
    pub fn value(
        &self,
        output: usize,
        region: usize,
        context: &Context,
        position: &[f64; 3],
        fields: &[f64],
    ) -> f64 {
        self.combined(&self.outputs[output], region, context, position, fields)
    }

    fn combined(
        &self,
        output: &Output,
        region: usize,
        context: &Context,
        position: &[f64; 3],
        fields: &[f64],
    ) -> f64 {
        let arguments = context.arguments(position);
        let mut inputs = vec![0.0; self.inputs.len() + self.tables.len()];
        for &i in &output.uses {
            inputs[i] = self.inputs[i][region].evaluate(&arguments, fields.get(i).copied().unwrap_or(0.0));
        }
        self.read_tables(region, &mut inputs);
        output.formula.eval(&inputs)
    }
}

/// The names in a formula.
fn names(formula: &str) -> impl Iterator<Item = &str> {
    let separates = |c: char| !(c.is_alphanumeric() || c == '_');
    let words = formula.split(separates).filter(|word| word.starts_with(|c: char| c.is_alphabetic()));
    words.filter(|word| !Expression::is_function(word) && *word != "pi")
}

/// The inputs that a formula reads, by itself or through tables.
fn uses(formula: &Formula, inputs: usize, tables: &[Table]) -> Vec<usize> {
    let mut uses = Vec::new();
    for &argument in formula.arguments() {
        match argument.checked_sub(inputs) {
            None => uses.push(argument),
            Some(table) => uses.extend([tables[table].of, tables[table].otherwise]),
        }
    }
    uses.sort_unstable();
    uses.dedup();
    uses
}
