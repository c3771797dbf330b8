//! The fields and quantities of interest that a deck can ask of its simulation.
use super::simulation::{Simulation, Stage};
use crate::deck::{Quantity, QuantityKind};
use crate::physics::derived::{self, Derived};
use crate::physics::quantity::{Where, extrema, integrate, point_value};
use crate::physics::{Context, Equation, Model};
use crate::{Error, Result, deck};
use petsc_rs::Vector;

/// A field that can be written or measured: a solution, or something derived from one.
#[derive(Debug, Clone)]
pub struct FieldInfo {
    /// Name in decks and files.
    pub name: String,
    /// Which problem it belongs to.
    pub stage: usize,
    /// How it follows from the solution; `None` for components of the solution itself.
    pub derived: Option<Derived>,
    /// Number of the random field that it is; not any problem's then, but on the nodes of the first.
    pub random: Option<usize>,
    /// First component of the solution, where nothing is derived.
    pub first: usize,
    /// Values at a node.
    pub components: usize,
    /// Unit.
    pub unit: String,
}

impl FieldInfo {
    /// What it is, in words.
    pub fn meaning(&self) -> &str {
        match (&self.derived, self.random) {
            (Some(derived), _) => derived.meaning,
            (None, Some(_)) => "Gaussian random field",
            (None, None) => "solution",
        }
    }

    /// What its components are.
    pub fn component_names(&self) -> Vec<&'static str> {
        match &self.derived {
            Some(derived) => derived.component_names.to_vec(),
            None if self.components > 1 => ["x", "y", "z"][..self.components].to_vec(),
            None => Vec::new(),
        }
    }
}

impl Simulation {
    /// Every field of the deck, each solution followed by what derives from it. A derived field has
    /// the bare name (`stress`) when one problem has it, otherwise that of its solution before it
    /// (`displacement_stress`). Random fields come last.
    pub fn fields(&self) -> Vec<FieldInfo> {
        let available: Vec<Vec<Derived>> = self
            .stages
            .iter()
            .map(|s| derived::available(s.problem.model, s.problem.space.mesh.dimension))
            .collect();
        let mut list = Vec::new();
        for (index, stage) in self.stages.iter().enumerate() {
            let problem = &stage.problem;
            // The last component of a flow is a field of its own.
            let flow = problem.model.equation() == Some(Equation::NavierStokes);
            let components = problem.space.components - usize::from(flow);
            list.push(FieldInfo {
                name: problem.field.clone(),
                stage: index,
                derived: None,
                first: 0,
                random: None,
                components,
                unit: problem.unit.clone(),
            });
            if flow {
                let flows = self.stages.iter().filter(|s| s.problem.model == problem.model).count();
                list.push(FieldInfo {
                    name: if flows == 1 { "pressure".into() } else { format!("{}_pressure", problem.field) },
                    stage: index,
                    derived: None,
                    first: components,
                    random: None,
                    components: 1,
                    unit: "Pa".into(),
                });
            }
            for derived in &available[index] {
                let owners = available.iter().flatten().filter(|d| d.name == derived.name).count();
                list.push(FieldInfo {
                    name: match owners {
                        1 => derived.name.into(),
                        _ => format!("{}_{}", problem.field, derived.name),
                    },
                    stage: index,
                    components: derived.components,
                    first: 0,
                    random: None,
                    unit: derived.unit.into(),
                    derived: Some(derived.clone()),
                });
            }
        }
        list.extend(self.deck.random.keys().enumerate().map(|(number, name)| FieldInfo {
            name: name.clone(),
            stage: 0,
            derived: None,
            random: Some(number),
            first: 0,
            components: 1,
            unit: String::new(),
        }));
        list
    }

    /// A field's values at the nodes of its problem's space, for given solutions. Collective.
    pub fn field_values(&self, field: &FieldInfo, context: &Context) -> Result<Vector> {
        let stage = &self.stages[field.stage];
        if let Some(number) = field.random {
            let space = stage.space();
            let mut values = space.field_of(1)?;
            values.local_write()?.copy_from_slice(&self.random.field(number).at_nodes_of(space));
            return Ok(values);
        }
        match &field.derived {
            None if field.components == stage.problem.space.components => Ok(stage.solution.try_clone()?),
            None => {
                let (c, width) = (stage.problem.space.components, field.components);
                let mut part = stage.problem.space.field_of(width)?;
                {
                    let all = stage.solution.local_read()?;
                    let mut values = part.local_write()?;
                    for (target, source) in values.chunks_exact_mut(width).zip(all.chunks_exact(c)) {
                        target.copy_from_slice(&source[field.first..][..width]);
                    }
                }
                Ok(part)
            }
            Some(derived) => match stage.solver.history() {
                Some(history) => stage.problem.derive_internal(derived, &history),
                None => self.derived_values(field.stage, derived, context),
            },
        }
    }

    fn derived_values(&self, stage: usize, derived: &Derived, context: &Context) -> Result<Vector> {
        let stage = &self.stages[stage];
        stage.problem.derive(derived, context, &stage.solution.local_read()?)
    }

    /// The deck's quantities of interest for the present solutions, in its order. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when a quantity names a field or marker that does not exist, or a point
    /// outside the mesh.
    pub fn quantities(&self, context: &Context) -> Result<Vec<f64>> {
        let located = |quantity: &Quantity, error| match error {
            Error::Input(_) => self.deck.fault(&format!("quantity.{}", quantity.name), error.to_string()),
            other => other,
        };
        let list = self.deck.quantity.iter();
        list.map(|q| {
            let value = self.quantity(q, context).map_err(|error| located(q, error))?;
            Ok(q.factor.unwrap_or(1.0) * value)
        })
        .collect()
    }

    /// The unit of a quantity of interest.
    pub fn quantity_unit(&self, quantity: &Quantity) -> String {
        let dimension = self.mesh.dimension;
        let Ok((field, _)) = self.measured(quantity) else { return String::new() };
        if quantity.factor.is_some() {
            return String::new();
        }
        let model = self.stages[field.stage].problem.model;
        let place = self.place(quantity).unwrap_or(Where::Everywhere);
        match (quantity.kind, model) {
            (QuantityKind::Integral, _) => {
                let power = if matches!(place, Where::Marker(_)) { dimension - 1 } else { dimension };
                [field.unit.as_str(), ["", "m", "m2", "m3"][power]].join(" ").trim().to_string()
            }
            (QuantityKind::Flux | QuantityKind::Reaction, Model::Elasticity { .. }) => "N".into(),
            (QuantityKind::Flux | QuantityKind::Reaction, _) if field.unit == "K" => "W".into(),
            (QuantityKind::Energy, Model::Elasticity { .. }) => "J".into(),
            (QuantityKind::Flux | QuantityKind::Reaction | QuantityKind::Energy, _) => String::new(),
            _ => field.unit.clone(),
        }
    }

    fn quantity(&self, quantity: &Quantity, context: &Context) -> Result<f64> {
        let (field, stage) = self.measured(quantity)?;
        let problem = &stage.problem;
        let place = self.place(quantity)?;
        let solution = stage.solution.local_read()?;
        let scalar = |values: &[f64]| match quantity.component {
            Some(component) => values[component.min(values.len() - 1)],
            None if values.len() == 1 => values[0],
            None => values.iter().map(|v| v * v).sum::<f64>().sqrt(),
        };
        let component = quantity.component.unwrap_or(0);
        match quantity.kind {
            QuantityKind::Flux => return Ok(problem.flux(context, &solution, &place, component)),
            QuantityKind::Reaction => {
                return match &stage.residual {
                    Some(residual) => {
                        Ok(problem.support(&stage.essential, &residual.read()?, &place, component))
                    }
                    None => problem.reaction(context, &stage.essential, &solution, &place, component),
                };
            }
            QuantityKind::Energy => return problem.energy(context, &solution),
            QuantityKind::L2Error | QuantityKind::H1Error => {
                let (l2, h1) = self.error_norms(&field, context)?;
                return Ok(if quantity.kind == QuantityKind::L2Error { l2 } else { h1 });
            }
            _ => {}
        }
        let space = &problem.space;
        let values = self.field_values(&field, context)?;
        let values = values.local_read()?;
        let width = field.components;
        let degree = 2 * space.element.degree;
        match quantity.kind {
            QuantityKind::Minimum => Ok(extrema(space, &place, |n| scalar(&values[n * width..][..width])).0),
            QuantityKind::Maximum => Ok(extrema(space, &place, |n| scalar(&values[n * width..][..width])).1),
            QuantityKind::Point => {
                let value = |point: &Vec<f64>| -> Result<f64> {
                    let point = std::array::from_fn(|i| point.get(i).copied().unwrap_or(0.0));
                    Ok(scalar(&point_value(space, width, &values, &point)?))
                };
                let [first, second] =
                    [&quantity.point, &quantity.minus_point].map(|p| p.as_ref().map_or(Ok(0.0), value));
                Ok(first? - second?)
            }
            _ => {
                let mut measure = 0.0;
                let sum = integrate(space, &values, &place, degree, |sample| {
                    measure += sample.weight;
                    scalar(&sample.value[..width])
                });
                if quantity.kind == QuantityKind::Integral {
                    return Ok(sum);
                }
                Ok(sum / space.mesh.comm.sum(measure))
            }
        }
    }

    /// L2 norm and H1 seminorm of the error of a field of which the deck knows the solution. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when the deck has no `[[exact]]` for it.
    pub fn error_norms(&self, field: &FieldInfo, context: &Context) -> Result<(f64, f64)> {
        let stage = field.stage;
        let problem = &self.stages[stage].problem;
        let exact = self.deck.exact.iter().find(|exact| match &exact.field {
            Some(name) => *name == field.name,
            None => self.stages.len() == 1,
        });
        let exact = exact.ok_or_else(|| {
            Error::input("", format!("there is no [[exact]] solution for the field \"{}\"", field.name))
        })?;
        let functions = exact
            .value
            .parse(&self.deck.variables())
            .map_err(|error| Error::input("", format!("exact: {error}")))?;
        let derivatives: Vec<Vec<deck::Expression>> =
            functions.iter().map(|f| (0..3).map(|d| f.derivative(d)).collect()).collect();
        let state = self.stages[stage].solution.local_read()?;
        // An entry for a field lists its own components, one without a name all of the solution.
        let skipped = if exact.field.is_some() { field.first } else { 0 };
        Ok(problem.error_norms(
            &state,
            field.first..field.first + field.components,
            |x| {
                let arguments = context.arguments(x);
                let values = functions.iter().map(|f| f.eval(&arguments));
                std::iter::repeat_n(0.0, skipped).chain(values).collect()
            },
            |x| {
                let arguments = context.arguments(x);
                let rows = derivatives.iter().map(|row| std::array::from_fn(|d| row[d].eval(&arguments)));
                std::iter::repeat_n([0.0; 3], skipped).chain(rows).collect()
            },
        ))
    }

    /// The field that a quantity measures, with its problem.
    pub fn measured(&self, quantity: &Quantity) -> Result<(FieldInfo, &Stage)> {
        let fields = self.fields();
        let found = match (&quantity.field, &quantity.physics) {
            (Some(name), _) => fields.into_iter().find(|f| f.name == *name),
            (None, Some(name)) => fields
                .into_iter()
                .find(|f| f.derived.is_none() && f.first == 0 && self.stages[f.stage].problem.name == *name),
            (None, None) => fields.into_iter().next(),
        };
        let field = found.ok_or_else(|| {
            Error::input("", format!("quantity \"{}\": no such field in this deck", quantity.name))
        })?;
        let stage = &self.stages[field.stage];
        Ok((field, stage))
    }

    /// Where a quantity is taken.
    ///
    /// # Errors
    /// [`Error::Input`] when the mesh has no such marker.
    pub fn place(&self, quantity: &Quantity) -> Result<Where> {
        let Some(marker) = quantity.marker.as_ref().and_then(|names| names.iter().next()) else {
            return Ok(Where::Everywhere);
        };
        if let Some(number) = self.mesh.facets.marker(marker) {
            return Ok(Where::Marker(number));
        }
        let region = self.mesh.region_names.iter().position(|name| name == marker);
        region.map(|r| Where::Region(r as u16)).ok_or_else(|| {
            Error::input("", format!("quantity \"{}\": the mesh has no marker \"{marker}\"", quantity.name))
        })
    }
}
