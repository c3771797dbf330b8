//! Coefficients of a weak form: from what the deck says to values at quadrature points.
use crate::deck::Expression;
use crate::fem::functional::{geometry, nodal_rule};
use crate::fem::{Domain, Space, Values};
use std::cell::RefCell;
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
        let (mut result, mut sampler) = (vec![0.0; space.local_nodes()], Sampler::default());
        for cell in 0..space.mesh.cell_ids.len() {
            for (a, &node) in space.nodes_of(cell).iter().enumerate() {
                result[node as usize] = sampler.value(self, cell, &rule.points, a);
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
    /// The value for these arguments and values of `fields`.
    pub fn eval(&self, mut arguments: Vec<f64>, values: impl Iterator<Item = f64>) -> f64 {
        arguments.resize(self.variables, 0.0);
        for ((variable, _), value) in self.fields.iter().zip(values) {
            arguments[*variable] = value;
        }
        self.expression.eval(&arguments)
    }

    /// The values at the local nodes of a space. Local.
    pub fn at_nodes_of(&self, space: &Space, context: &Context) -> Vec<f64> {
        let fields: Vec<Vec<f64>> = self.fields.iter().map(|(_, field)| field.at_nodes_of(space)).collect();
        let value =
            |node| self.eval(context.arguments(&space.point(node)), fields.iter().map(|values| values[node]));
        (0..space.local_nodes()).map(value).collect()
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
        let output = &self.outputs[output];
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
        for source in self.inputs.iter().filter_map(|regions| regions.first()) {
            // A field is the same in all regions.
            if let Source::Nodal(field) = source {
                field.advance(context.time);
            }
        }
        (0..self.outputs.len()).map(|o| self.evaluate_one(o, context, space, domain, entities)).collect()
    }

    /// One coefficient on a domain.
    pub fn evaluate_one(
        &self,
        output: usize,
        context: &Context,
        space: &Space,
        domain: &Domain,
        entities: usize,
    ) -> Values {
        let regions = self.inputs.first().map_or(1, Vec::len);
        if !self.varies_in_space(output) {
            let values: Vec<f64> =
                (0..regions).map(|region| self.value(output, region, context, &[0.0; 3], &[])).collect();
            return if values.len() == 1 { Values::Uniform(values[0]) } else { Values::ByRegion(values) };
        }
        let points = domain.rule.weights.len();
        let mut values = vec![0.0; entities * points];
        let output = &self.outputs[output];
        let formula = |source: &Source| matches!(source, Source::Expression(_) | Source::Fields(_));
        let needs_position =
            output.position || output.uses.iter().any(|&i| self.inputs[i].iter().any(formula));
        let mut position = [0.0; 3];
        let mut arguments = context.arguments(&position);
        let mut inputs = vec![0.0; self.inputs.len()];
        let mut sampler = Sampler::default();
        for &(cell, index, region) in domain.entities {
            for q in 0..points {
                if needs_position {
                    position = geometry(space, cell as usize, domain.rule, q).1;
                    arguments[..3].copy_from_slice(&position);
                }
                for &input in &output.uses {
                    inputs[input] = match &self.inputs[input][region as usize] {
                        Source::Nodal(field) => sampler.value(field, cell as usize, &domain.rule.points, q),
                        Source::Fields(formula) => {
                            let points = &domain.rule.points;
                            let values = formula
                                .fields
                                .iter()
                                .map(|(_, field)| sampler.value(field, cell as usize, points, q));
                            formula.eval(arguments.clone(), values)
                        }
                        Source::Cellwise(list) => list[cell as usize],
                        other => other.evaluate(&arguments, 0.0),
                    };
                }
                values[index as usize * points + q] = (output.combine)(&inputs, &position);
            }
        }
        Values::ByPoint(values)
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
        let output = &self.outputs[output];
        let arguments = context.arguments(position);
        let mut inputs = vec![0.0; self.inputs.len()];
        for &i in &output.uses {
            inputs[i] = self.inputs[i][region].evaluate(&arguments, fields.get(i).copied().unwrap_or(0.0));
        }
        (output.combine)(&inputs, position)
    }
}

/// Values of nodal fields at quadrature points; keeps the basis of the last field's element.
#[derive(Default)]
struct Sampler {
    table: Option<(usize, crate::fem::element::Tabulation)>,
}

impl Sampler {
    fn value(&mut self, field: &NodalField, cell: usize, points: &[[f64; 3]], q: usize) -> f64 {
        let element = &field.space.element;
        if self.table.as_ref().is_none_or(|(degree, _)| *degree != element.degree) {
            self.table = Some((element.degree, element.tabulate(points)));
        }
        let table = &self.table.as_ref().expect("set above").1;
        let values = field.values.borrow();
        let functions = table.functions;
        let nodes = field.space.nodes_of(cell);
        nodes
            .iter()
            .enumerate()
            .map(|(a, &node)| table.values[q * functions + a] * values[node as usize])
            .sum()
    }
}
