//! Values of coefficients at all points of a domain.
use super::coefficient::{Coefficients, Formula, Output};
use super::source::{Context, FieldExpression, Sampled, Source};
use crate::deck::Expression;
use crate::fem::functional::{corners, position_in};
use crate::fem::{Domain, Space};

/// So many points at once.
const LANES: usize = 16;

impl Coefficients {
    /// Values of coefficients that differ from point to point, `values[entity, point]`, all in one sweep: they share
    /// positions and inputs. Formulas are evaluated on several points together.
    pub(super) fn fill(
        &self,
        varying: &mut [(&Output, Vec<f64>)],
        context: &Context,
        space: &Space,
        domain: &Domain,
    ) {
        let points = domain.rule.weights.len();
        let is_used = |input: &usize| varying.iter().any(|(output, _)| output.uses.contains(input));
        let used: Vec<usize> = (0..self.inputs.len()).filter(is_used).collect();
        let mut arguments = context.arguments(&[0.0; 3]);
        let regions = self.inputs.first().map_or(1, Vec::len);
        // By region the inputs that differ from point to point; the others are set where a region begins.
        let by_region: Vec<Vec<_>> = (0..regions)
            .map(|region| {
                let source = |input: &usize| &self.inputs[*input][region];
                let differ = used.iter().filter(|input| source(input).varies_in_space());
                differ.map(|input| (*input, PointSource::new(source(input), &domain.rule.points))).collect()
            })
            .collect();
        let needs_position = by_region.iter().flatten().any(|(_, local)| local.needs_position());
        let mut batch = Batch::new(self.inputs.len() + self.tables.len());
        let mut current = None;
        for &(cell, index, region) in domain.entities {
            if current != Some(region) {
                if let Some(before) = current {
                    self.flush(&mut batch, before as usize, &by_region[before as usize], &arguments, varying);
                }
                for &input in &used {
                    batch.inputs[input] =
                        [self.inputs[input][region as usize].evaluate(&arguments, 0.0); LANES];
                }
                current = Some(region);
            }
            let differ = &by_region[region as usize];
            let corners = if needs_position { corners(space, cell as usize) } else { [[0.0; 3]; 8] };
            for q in 0..points {
                let lane = batch.places.len();
                if needs_position {
                    let at = position_in(&corners, domain.rule, q);
                    arguments[..3].copy_from_slice(&at);
                    (0..3).for_each(|d| batch.positions[d][lane] = at[d]);
                }
                for (input, local) in differ {
                    batch.inputs[*input][lane] = local.value(&mut arguments, cell as usize, q);
                }
                batch.places.push(index as usize * points + q);
                if lane + 1 == LANES {
                    self.flush(&mut batch, region as usize, differ, &arguments, varying);
                }
            }
        }
        if let Some(region) = current {
            self.flush(&mut batch, region as usize, &by_region[region as usize], &arguments, varying);
        }
    }

    /// Writes the values at the points of a batch, which is empty then.
    fn flush(
        &self,
        batch: &mut Batch,
        region: usize,
        differ: &[(usize, PointSource)],
        arguments: &[f64],
        varying: &mut [(&Output, Vec<f64>)],
    ) {
        for (input, local) in differ {
            if let PointSource::Formula(formula) = local {
                let variable = |v: usize| match v {
                    v if v < 3 => batch.positions[v],
                    v => [arguments.get(v).copied().unwrap_or(0.0); LANES],
                };
                batch.inputs[*input] = formula.eval_lanes(variable);
            }
        }
        for (i, table) in self.tables.iter().enumerate() {
            for lane in 0..batch.places.len() {
                batch.inputs[self.inputs.len() + i][lane] =
                    table.value(region, |input| batch.inputs[input][lane]);
            }
        }
        for (output, values) in varying {
            let found = match &output.formula {
                Formula::Input(input) => batch.inputs[*input],
                Formula::Expression(expression) => expression.eval_lanes(|input| batch.inputs[input]),
            };
            for (&place, value) in batch.places.iter().zip(found) {
                values[place] = value;
            }
        }
        batch.places.clear();
    }
}

/// Some points of one region.
struct Batch {
    /// Inputs, then tables, `[input][point]`.
    inputs: Vec<[f64; LANES]>,
    /// `[coordinate][point]`.
    positions: [[f64; LANES]; 3],
    /// Where the points' values go.
    places: Vec<usize>,
}

impl Batch {
    fn new(inputs: usize) -> Self {
        let (inputs, positions) = (vec![[0.0; LANES]; inputs], [[0.0; LANES]; 3]);
        Self { inputs, positions, places: Vec::with_capacity(LANES) }
    }
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

    /// The value at a point; that of a formula follows later, for several points at once.
    fn value(&self, arguments: &mut Vec<f64>, cell: usize, q: usize) -> f64 {
        match self {
            Self::Formula(_) => 0.0,
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
