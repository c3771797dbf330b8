//! Coefficients of a weak form: from what the deck says to values at quadrature points.
use crate::deck::Expression;
use crate::fem::element::Tabulation;
use crate::fem::functional::{self, nodal_rule};
use crate::fem::{Domain, Space, Values};
use std::cell::{Ref, RefCell};
use std::ops::Range;
use std::rc::Rc;

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

/// Where one scalar input of a model comes from.
#[derive(Clone)]
pub enum Source {
    /// A number.
    Constant(f64),
    /// An expression in position, time and parameters.
    Expression(Rc<Expression>),
    /// An expression in random fields, too.
    Fields(Rc<FieldExpression>),
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
            Self::Fields(_) | Self::Nodal(_) | Self::Cellwise(_) => true,
        }
    }

    /// Whether the value may change from one evaluation to the next though parameters and draw stay: with time, or with
    /// the field of another problem.
    pub fn varies_in_time(&self) -> bool {
        match self {
            Self::Constant(_) | Self::Cellwise(_) => false,
            Self::Expression(expression) => expression.depends_on_time(),
            Self::Fields(fields) => fields.expression.depends_on_time(),
            Self::Nodal(_) => true,
        }
    }

    /// Whether the value changes with the deck's parameters.
    pub fn varies_with_parameters(&self) -> bool {
        match self {
            Self::Constant(_) => false,
            Self::Expression(expression) => expression.depends_on_parameters(),
            Self::Fields(fields) => fields.expression.depends_on_parameters(),
            // The field of another model does; that model's reduced basis stands for it.
            Self::Nodal(_) | Self::Cellwise(_) => false,
        }
    }

    /// The value where no field is needed; those that need one give `fallback`.
    pub fn evaluate(&self, arguments: &[f64], fallback: f64) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Expression(expression) => expression.eval(arguments),
            Self::Fields(_) | Self::Nodal(_) | Self::Cellwise(_) => fallback,
        }
    }
}

/// One coefficient of a form, computed from a model's inputs at a point.
pub struct Output {
    /// The inputs that it reads.
    pub uses: Vec<usize>,
    /// Whether it reads the position itself.
    pub position: bool,
    /// From all inputs and the position to the value.
    pub combine: Box<Combine>,
}

/// A function of all inputs and the position.
pub type Combine = dyn Fn(&[f64], &[f64; 3]) -> f64;

impl Output {
    /// The input `index`, as it is.
    pub fn input(index: usize) -> Self {
        Self { uses: vec![index], position: false, combine: Box::new(move |inputs, _| inputs[index]) }
    }

    /// A function of some inputs.
    pub fn of(uses: &[usize], combine: impl Fn(&[f64]) -> f64 + 'static) -> Self {
        Self { uses: uses.to_vec(), position: false, combine: Box::new(move |inputs, _| combine(inputs)) }
    }
}

/// The coefficients of one integral.
pub struct Coefficients {
    /// Whether a term without derivatives of the trial function may be present.
    pub reaction: bool,
    /// `[input][region]`.
    pub inputs: Vec<Vec<Source>>,
    /// One for each coefficient of the form.
    pub outputs: Vec<Output>,
}

impl Coefficients {
    /// Whether coefficient `output` differs from point to point inside some region.
    pub fn varies_in_space(&self, output: usize) -> bool {
        self.differs(&self.outputs[output])
    }

    fn differs(&self, output: &Output) -> bool {
        output.position || output.uses.iter().any(|&i| self.inputs[i].iter().any(Source::varies_in_space))
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
                let mut inputs = vec![0.0; self.inputs.len()];
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
        let needs_position = varying.iter().any(|(output, _)| output.position)
            || by_region.iter().any(|(_, differ)| differ.iter().any(|(_, local)| local.needs_position()));
        let mut position = [0.0; 3];
        for &(cell, index, region) in domain.entities {
            let (inputs, differ) = &mut by_region[region as usize];
            for q in 0..points {
                if needs_position {
                    position = functional::position(space, cell as usize, domain.rule, q);
                    arguments[..3].copy_from_slice(&position);
                }
                for (input, local) in &*differ {
                    inputs[*input] = local.value(&mut arguments, cell as usize, q);
                }
                for (output, values) in &mut *varying {
                    values[index as usize * points + q] = (output.combine)(inputs, &position);
                }
            }
        }
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
        let mut inputs = vec![0.0; self.inputs.len()];
        for &i in &output.uses {
            inputs[i] = self.inputs[i][region].evaluate(&arguments, fields.get(i).copied().unwrap_or(0.0));
        }
        (output.combine)(&inputs, position)
    }
}

/// A source at the points of a rule.
enum PointSource<'a> {
    Formula(&'a Expression),
    Fields(&'a FieldExpression, Vec<Sampled<'a>>),
    Nodal(Sampled<'a>),
    Cellwise(&'a [f64]),
    Constant(f64),
}

impl<'a> PointSource<'a> {
    fn new(source: &'a Source, points: &[[f64; 3]]) -> Self {
        match source {
            Source::Constant(value) => Self::Constant(*value),
            Source::Expression(formula) => Self::Formula(formula),
            Source::Fields(formula) => {
                let fields = formula.fields.iter().map(|(_, field)| Sampled::new(field, points));
                Self::Fields(formula, fields.collect())
            }
            Source::Nodal(field) => Self::Nodal(Sampled::new(field, points)),
            Source::Cellwise(values) => Self::Cellwise(values),
        }
    }

    fn needs_position(&self) -> bool {
        match self {
            Self::Formula(_) => true,
            Self::Fields(formula, _) => formula.expression.depends_on_space(),
            Self::Nodal(_) | Self::Cellwise(_) | Self::Constant(_) => false,
        }
    }

    fn value(&self, arguments: &mut Vec<f64>, cell: usize, q: usize) -> f64 {
        match self {
            Self::Formula(formula) => formula.eval(arguments),
            Self::Fields(formula, fields) => {
                formula.eval(arguments, fields.iter().map(|field| field.value(cell, q)))
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
