//! Coefficients of a weak form: from what the deck says to values at quadrature points.
use crate::deck::{COORDINATES, Expression, PropertyTable, Reading};
use crate::fem::element::Tabulation;
use crate::fem::functional::{self, nodal_rule};
use crate::fem::{Domain, Space, Values};
use crate::{Error, Result};
use indexmap::IndexMap;
use std::cell::{Ref, RefCell};
use std::ops::Range;
use std::rc::Rc;
use tessera_kernels::model::{self, Role, Sign};

/// What a run sets before it assembles: parameters and time.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Values of the deck's parameters, in its order.
    pub parameters: Vec<f64>,
    /// Time in s (0 for steady problems).
    pub time: f64,
    /// Which draw of the random fields; 0 for a single run.
    pub sample: u64,
}

impl Context {
    /// These parameters at time 0.
    pub fn steady(parameters: Vec<f64>) -> Self {
        Self { parameters, ..Self::default() }
    }

    /// The arguments of an [`Expression`]: x, y, z, t, then the parameters.
    pub fn arguments(&self, x: &[f64; 3]) -> Vec<f64> {
        let mut arguments = Vec::with_capacity(4 + self.parameters.len());
        arguments.extend_from_slice(x);
        arguments.push(self.time);
        arguments.extend_from_slice(&self.parameters);
        arguments
    }
}

/// A scalar field on nodes that serves as input: read from a file or solved for by another model.
pub struct NodalField {
    /// The space whose nodes carry it (its components do not matter: one value a node).
    pub space: Rc<Space>,
    /// Values at local nodes, ghosts included.
    pub values: RefCell<Vec<f64>>,
    /// Values at some times, between which `values` is set by [`NodalField::advance`]; empty for a field that
    /// does not depend on time, or whose owner sets it.
    pub frames: Vec<(f64, Vec<f64>)>,
}

impl NodalField {
    /// A field whose values are set where it is solved for.
    pub fn new(space: Rc<Space>) -> Self {
        let values = RefCell::new(vec![0.0; space.local_nodes()]);
        Self { space, values, frames: Vec::new() }
    }

    /// Sets the values to those at a time, linear between the frames around it, constant outside. Local.
    pub fn advance(&self, time: f64) {
        let after = self.frames.partition_point(|frame| frame.0 < time);
        let mut values = self.values.borrow_mut();
        match (after.checked_sub(1).map(|i| &self.frames[i]), self.frames.get(after)) {
            (Some((t0, first)), Some((t1, second))) => {
                let share = (time - t0) / (t1 - t0);
                for (value, (a, b)) in values.iter_mut().zip(first.iter().zip(second)) {
                    *value = a + share * (b - a);
                }
            }
            (None, Some((_, only))) | (Some((_, only)), None) => values.copy_from_slice(only),
            (None, None) => {}
        }
    }
}

impl NodalField {
    /// The present values at the local nodes of a space on the same mesh. Local.
    pub fn at_nodes_of(&self, space: &Space) -> Vec<f64> {
        let rule = nodal_rule(&space.element);
        let (mut result, sampled) = (vec![0.0; space.local_nodes()], Sampled::new(self, &rule.points));
        for cell in 0..space.mesh.cell_ids.len() {
            for (a, &node) in space.nodes_of(cell).iter().enumerate() {
                result[node as usize] = sampled.value(cell, a);
            }
        }
        result
    }
}

/// An expression that uses fields as well.
pub struct FieldExpression {
    /// In x, y, z, t, the parameters, then the fields.
    pub expression: Expression,
    /// Those fields that it uses, each with the number of its variable.
    pub fields: Vec<(usize, Rc<NodalField>)>,
    /// Number of variables.
    pub variables: usize,
}

impl FieldExpression {
    /// The value for these arguments, which get room for the fields, and values of `fields`.
    fn eval(&self, arguments: &mut Vec<f64>, values: impl Iterator<Item = f64>) -> f64 {
        if arguments.len() < self.variables {
            arguments.resize(self.variables, 0.0);
        }
        for ((variable, _), value) in self.fields.iter().zip(values) {
            arguments[*variable] = value;
        }
        self.expression.eval(arguments)
    }

    /// The integral over the first of its fields from zero to its value, by Gauss' rule of [`GAUSS`] points.
    fn integral(&self, arguments: &mut Vec<f64>, values: &[f64]) -> f64 {
        let (upper, others) = (values[0], &values[1..]);
        let at = |(x, weight): &(f64, f64), arguments: &mut Vec<f64>| {
            let first = std::iter::once(0.5 * (1.0 + x) * upper);
            0.5 * weight * upper * self.eval(arguments, first.chain(others.iter().copied()))
        };
        GAUSS.iter().map(|point| at(point, arguments)).sum()
    }

    /// The values at the local nodes of a space. Local.
    pub fn at_nodes_of(&self, space: &Space, context: &Context) -> Vec<f64> {
        let fields: Vec<Vec<f64>> = self.fields.iter().map(|(_, field)| field.at_nodes_of(space)).collect();
        let mut arguments = context.arguments(&[0.0; 3]);
        let mut value = |node| {
            arguments[..3].copy_from_slice(&space.point(node));
            self.eval(&mut arguments, fields.iter().map(|values| values[node]))
        };
        (0..space.local_nodes()).map(&mut value).collect()
    }
}

/// Points and weights on [-1, 1], exact for polynomials of degree 15 (Abramowitz and Stegun, table 25.4).
const GAUSS: [(f64, f64); 8] = {
    const X: [f64; 4] = [0.1834346424956498, 0.525532409916329, 0.7966664774136267, 0.9602898564975363];
    const W: [f64; 4] = [0.362683783378362, 0.31370664587788727, 0.22238103445337448, 0.10122853629037626];
    [
        (-X[3], W[3]),
        (-X[2], W[2]),
        (-X[1], W[1]),
        (-X[0], W[0]),
        (X[0], W[0]),
        (X[1], W[1]),
        (X[2], W[2]),
        (X[3], W[3]),
    ]
};

/// Where one scalar input of a model comes from.
#[derive(Clone)]
pub enum Source {
    /// A number.
    Constant(f64),
    /// An expression in position, time and parameters.
    Expression(Rc<Expression>),
    /// An expression in random fields, too.
    Fields(Rc<FieldExpression>),
    /// The integral of an expression over the first of its fields, from zero to its value.
    Integral(Rc<FieldExpression>),
    /// A field on nodes.
    Nodal(Rc<NodalField>),
    /// One value for each local cell.
    Cellwise(Rc<Vec<f64>>),
}

impl Source {
    /// Whether the value differs from point to point.
    pub fn varies_in_space(&self) -> bool {
        match self {
            Self::Constant(_) => false,
            Self::Expression(expression) => expression.depends_on_space(),
            Self::Fields(_) | Self::Integral(_) | Self::Nodal(_) | Self::Cellwise(_) => true,
        }
    }

    /// Whether the value may change from one evaluation to the next though parameters and draw stay: with time, or with
    /// the field of another problem.
    pub fn varies_in_time(&self) -> bool {
        match self {
            Self::Constant(_) | Self::Cellwise(_) => false,
            Self::Expression(expression) => expression.depends_on_time(),
            Self::Fields(fields) | Self::Integral(fields) => fields.expression.depends_on_time(),
            Self::Nodal(_) => true,
        }
    }

    /// Whether the value changes with the deck's parameters.
    pub fn varies_with_parameters(&self) -> bool {
        match self {
            Self::Constant(_) => false,
            Self::Expression(expression) => expression.depends_on_parameters(),
            Self::Fields(fields) | Self::Integral(fields) => fields.expression.depends_on_parameters(),
            // The field of another model does; that model's reduced basis stands for it.
            Self::Nodal(_) | Self::Cellwise(_) => false,
        }
    }

    /// Whether the value is that of a field, or follows from it.
    pub fn reads(&self, field: &Rc<NodalField>) -> bool {
        match self {
            Self::Constant(_) | Self::Expression(_) | Self::Cellwise(_) => false,
            Self::Fields(formula) | Self::Integral(formula) => {
                formula.fields.iter().any(|(_, own)| Rc::ptr_eq(own, field))
            }
            Self::Nodal(own) => Rc::ptr_eq(own, field),
        }
    }

    /// The derivative with respect to a variable, with fields as they are.
    fn derivative(&self, variable: usize) -> Self {
        let of_fields = |formula: &FieldExpression| {
            let (fields, variables) = (formula.fields.clone(), formula.variables);
            Rc::new(FieldExpression {
                expression: formula.expression.derivative(variable),
                fields,
                variables,
            })
        };
        match self {
            Self::Constant(_) | Self::Nodal(_) | Self::Cellwise(_) => Self::Constant(0.0),
            Self::Expression(formula) => Self::Expression(Rc::new(formula.derivative(variable))),
            Self::Fields(formula) => Self::Fields(of_fields(formula)),
            Self::Integral(formula) => Self::Integral(of_fields(formula)),
        }
    }

    /// The value where no field is needed; those that need one give `fallback`.
    pub fn evaluate(&self, arguments: &[f64], fallback: f64) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Expression(expression) => expression.eval(arguments),
            Self::Fields(_) | Self::Integral(_) | Self::Nodal(_) | Self::Cellwise(_) => fallback,
        }
    }
}

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
    fn value(&self, region: usize, inputs: &[f64]) -> f64 {
        let Some(table) = &self.by_region[region] else { return inputs[self.otherwise] };
        let at = inputs[self.of];
        let read = self.reading.map_or_else(|| table.at(at), |reading| table.read(reading, at));
        self.times.map_or(read, |factor| read * inputs[factor])
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

    /// Whether coefficient `output` changes with the parameters.
    pub fn varies_with_parameters(&self, output: usize) -> bool {
        self.outputs[output].uses.iter().any(|&i| self.inputs[i].iter().any(Source::varies_with_parameters))
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

    /// Values of coefficients that differ from point to point, all in one sweep: they share positions and inputs.
    fn fill(&self, varying: &mut [(&Output, Vec<f64>)], context: &Context, space: &Space, domain: &Domain) {
        let points = domain.rule.weights.len();
        let is_used = |input: &usize| varying.iter().any(|(output, _)| output.uses.contains(input));
        let used: Vec<usize> = (0..self.inputs.len()).filter(is_used).collect();
        let mut arguments = context.arguments(&[0.0; 3]);
        let regions = self.inputs.first().map_or(1, Vec::len);
        // By region: all inputs, of which those that do not differ from point to point stay, and the others.
        let mut by_region: Vec<_> = (0..regions)
            .map(|region| {
                let source = |input: usize| &self.inputs[input][region];
                let mut inputs = vec![0.0; self.inputs.len() + self.tables.len()];
                for &input in &used {
                    inputs[input] = source(input).evaluate(&arguments, 0.0);
                }
                let differs = used.iter().copied().filter(|&input| source(input).varies_in_space());
                let differ: Vec<_> = differs
                    .map(|input| (input, PointSource::new(source(input), &domain.rule.points)))
                    .collect();
                (inputs, differ)
            })
            .collect();
        let needs_position =
            by_region.iter().any(|(_, differ)| differ.iter().any(|(_, local)| local.needs_position()));
        let mut batch = Lanes::new(self.inputs.len() + self.tables.len());
        for &(cell, index, region) in domain.entities {
            let (inputs, differ) = &mut by_region[region as usize];
            for q in 0..points {
                if needs_position {
                    let position = functional::position(space, cell as usize, domain.rule, q);
                    arguments[..3].copy_from_slice(&position);
                }
                for (input, local) in &*differ {
                    inputs[*input] = local.value(&mut arguments, cell as usize, q);
                }
                self.read_tables(region as usize, inputs);
                if batch.add(inputs, index as usize * points + q) {
                    batch.flush(varying);
                }
            }
        }
        batch.flush(varying);
    }

    /// The tables' values, behind the inputs.
    fn read_tables(&self, region: usize, inputs: &mut [f64]) {
        let first = self.inputs.len();
        for (i, table) in self.tables.iter().enumerate() {
            inputs[first + i] = table.value(region, inputs);
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

/// Inputs of several points, on which formulas are evaluated together.
struct Lanes {
    /// `[input][point]`.
    inputs: Vec<[f64; LANES]>,
    /// Where the points' values go.
    places: Vec<usize>,
}

/// So many points at once.
const LANES: usize = 16;

impl Lanes {
    fn new(inputs: usize) -> Self {
        Self { inputs: vec![[0.0; LANES]; inputs], places: Vec::with_capacity(LANES) }
    }

    /// Takes the inputs of a point in; whether there is no room for another one.
    fn add(&mut self, inputs: &[f64], place: usize) -> bool {
        for (lanes, value) in self.inputs.iter_mut().zip(inputs) {
            lanes[self.places.len()] = *value;
        }
        self.places.push(place);
        self.places.len() == LANES
    }

    /// Writes the values of all formulas.
    fn flush(&mut self, varying: &mut [(&Output, Vec<f64>)]) {
        for (output, values) in varying {
            let found = match &output.formula {
                Formula::Input(input) => self.inputs[*input],
                Formula::Expression(expression) => expression.eval_lanes(|input| self.inputs[input]),
            };
            for (&place, value) in self.places.iter().zip(found) {
                values[place] = value;
            }
        }
        self.places.clear();
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

/// A source at the points of a rule.
enum PointSource<'a> {
    Formula(&'a Expression),
    Fields(&'a FieldExpression, Vec<Sampled<'a>>),
    Integral(&'a FieldExpression, Vec<Sampled<'a>>),
    Nodal(Sampled<'a>),
    Cellwise(&'a [f64]),
    Constant(f64),
}

impl<'a> PointSource<'a> {
    fn new(source: &'a Source, points: &[[f64; 3]]) -> Self {
        match source {
            Source::Constant(value) => Self::Constant(*value),
            Source::Expression(formula) => Self::Formula(formula),
            Source::Fields(formula) | Source::Integral(formula) => {
                let fields = formula.fields.iter().map(|(_, field)| Sampled::new(field, points)).collect();
                match source {
                    Source::Fields(_) => Self::Fields(formula, fields),
                    _ => Self::Integral(formula, fields),
                }
            }
            Source::Nodal(field) => Self::Nodal(Sampled::new(field, points)),
            Source::Cellwise(values) => Self::Cellwise(values),
        }
    }

    fn needs_position(&self) -> bool {
        match self {
            Self::Formula(_) => true,
            Self::Fields(formula, _) | Self::Integral(formula, _) => formula.expression.depends_on_space(),
            Self::Nodal(_) | Self::Cellwise(_) | Self::Constant(_) => false,
        }
    }

    fn value(&self, arguments: &mut Vec<f64>, cell: usize, q: usize) -> f64 {
        match self {
            Self::Formula(formula) => formula.eval(arguments),
            Self::Fields(formula, fields) => {
                formula.eval(arguments, fields.iter().map(|field| field.value(cell, q)))
            }
            Self::Integral(formula, fields) => {
                let values: Vec<f64> = fields.iter().map(|field| field.value(cell, q)).collect();
                formula.integral(arguments, &values)
            }
            Self::Nodal(field) => field.value(cell, q),
            Self::Cellwise(values) => values[cell],
            Self::Constant(value) => *value,
        }
    }
}

/// A nodal field at the points of a rule.
pub struct Sampled<'a> {
    space: &'a Space,
    values: Ref<'a, Vec<f64>>,
    table: Tabulation,
}

impl<'a> Sampled<'a> {
    /// The present values of a field at reference coordinates; the field must not be written meanwhile.
    pub fn new(field: &'a NodalField, points: &[[f64; 3]]) -> Self {
        let table = field.space.element.tabulate(points);
        Self { space: &field.space, values: field.values.borrow(), table }
    }

    /// The value at point `q` of a local cell.
    pub fn value(&self, cell: usize, q: usize) -> f64 {
        let nodes = self.space.nodes_of(cell);
        let basis = &self.table.values[q * self.table.functions..][..nodes.len()];
        basis.iter().zip(nodes).map(|(value, &node)| value * self.values[node as usize]).sum()
    }
}
