//! Where the inputs of a model come from: numbers, formulas, fields.
use crate::deck::Expression;
use crate::fem::Space;
use crate::fem::element::Tabulation;
use crate::fem::functional::nodal_rule;
use std::cell::{Ref, RefCell};
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
    pub(super) fn eval(&self, arguments: &mut Vec<f64>, values: impl Iterator<Item = f64>) -> f64 {
        if arguments.len() < self.variables {
            arguments.resize(self.variables, 0.0);
        }
        for ((variable, _), value) in self.fields.iter().zip(values) {
            arguments[*variable] = value;
        }
        self.expression.eval(arguments)
    }

    /// The integral over the first of its fields from zero to its value, by Gauss' rule of [`GAUSS`] points.
    pub(super) fn integral(&self, arguments: &mut Vec<f64>, values: &[f64]) -> f64 {
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
    pub(crate) fn derivative(&self, variable: usize) -> Self {
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
