//! The quantities of interest that a deck asks of its simulation.
use super::fields::FieldInfo;
use super::problems::Simulation;
use super::stage::Stage;
use crate::deck::{Quantity, QuantityKind};
use crate::fem::Domain;
use crate::fem::functional::visit;
use crate::fem::place::{Where, extrema, far_sides, groups, nodes, point_value, region_at};
use crate::physics::At;
use crate::physics::Context;
use crate::physics::exchange::Exchange;
use crate::{Error, Result};

impl Simulation {
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
        let list = &self.deck.quantity;
        let mut values = vec![0.0; list.len()];
        let exchanged = |q: &Quantity| matches!(q.kind, QuantityKind::Flux | QuantityKind::Reaction);
        for (value, quantity) in values.iter_mut().zip(list).filter(|(_, q)| !exchanged(q)) {
            *value = self.quantity(quantity, context).map_err(|error| located(quantity, error))?;
        }
        // Those of one problem share its exchange with the surroundings.
        for (index, stage) in self.stages.iter().enumerate() {
            let own = |q: &Quantity| self.measured(q).is_ok_and(|(field, _)| field.stage == index);
            let numbers: Vec<usize> =
                (0..list.len()).filter(|&i| exchanged(&list[i]) && own(&list[i])).collect();
            if numbers.is_empty() {
                continue;
            }
            let found = stage.with_exchange(context, |exchange| {
                let one = |&i: &usize| self.exchanged(&list[i], stage, exchange);
                numbers.iter().map(one).collect::<Result<Vec<f64>>>()
            })?;
            numbers.iter().zip(found?).for_each(|(&i, value)| values[i] = value);
        }
        let scaled = values.iter().zip(list).map(|(value, q)| q.factor.unwrap_or(1.0) * value);
        Ok(scaled.collect())
    }

    /// The unit of a quantity of interest.
    pub fn quantity_unit(&self, quantity: &Quantity) -> String {
        let Ok((field, stage)) = self.measured(quantity) else { return String::new() };
        if quantity.factor.is_some() {
            return String::new();
        }
        let flow = stage.problem.facts().pressure;
        let missing = self.coordinates_left_out(field.stage);
        let on_facets = matches!(self.place(quantity), Ok(Where::Facets(_)));
        match quantity.kind {
            QuantityKind::Integral => {
                let power = (3 - missing).saturating_sub(usize::from(on_facets));
                [field.unit.as_str(), ["", "m", "m2", "m3"][power]].join(" ").trim().to_string()
            }
            QuantityKind::Flux if flow => ["m/s", "m2/s", "m3/s"][2 - missing.min(2)].into(),
            QuantityKind::Flux | QuantityKind::Reaction => self.exchange_unit(field.stage),
            QuantityKind::Energy if stage.problem.is_solid() => per("J", missing),
            // Roots of integrals of squares, of values and of slopes.
            QuantityKind::L2Error | QuantityKind::H1Error => {
                let order = if quantity.kind == QuantityKind::L2Error { 0 } else { 2 };
                let halves = 3 - missing as i32 - order;
                let metres = match halves {
                    0 => String::new(),
                    2 => "m".into(),
                    _ => format!("m^({halves}/2)"),
                };
                [field.unit.as_str(), &metres].join(" ").trim().to_string()
            }
            QuantityKind::Energy if field.unit == "K" => per("W K", missing),
            QuantityKind::Energy => String::new(),
            _ => field.unit.clone(),
        }
    }

    /// What a quantity of interest is, in words.
    pub fn quantity_meaning(&self, quantity: &Quantity) -> String {
        let Ok((field, stage)) = self.measured(quantity) else { return String::new() };
        let (solid, flow) = (stage.problem.is_solid(), stage.problem.facts().pressure);
        let what = match quantity.kind {
            QuantityKind::Average => "mean",
            QuantityKind::Integral => "integral",
            QuantityKind::Minimum => "smallest nodal value",
            QuantityKind::Maximum => "largest nodal value",
            QuantityKind::Point => "value at a point",
            QuantityKind::Flux if solid => "force that acts on the body, from the discrete equations,",
            QuantityKind::Flux if flow => "volume that leaves",
            QuantityKind::Flux => "what leaves, from the discrete equations,",
            QuantityKind::Reaction if solid || flow => "force that the essential conditions exert",
            QuantityKind::Reaction => "what the essential conditions let in",
            QuantityKind::Energy if solid => "elastic energy, thermal strain taken off",
            QuantityKind::Energy => "half of the bilinear form at the solution",
            QuantityKind::L2Error => "L2 norm of the error",
            QuantityKind::H1Error => "H1 seminorm of the error",
        };
        let component = quantity.component.map_or_else(
            || if field.components > 1 { ", magnitude".into() } else { String::new() },
            |component| format!(", component {component}"),
        );
        let names = quantity.marker.as_ref().map(|names| names.iter().collect::<Vec<_>>().join(", "));
        let place = names.map_or(String::new(), |names| format!(", on {names}"));
        format!("{what} of {}{component}{place}", field.name)
    }

    /// The unit of what a problem exchanges with its surroundings, where it is known: N for solids and flows, W for a
    /// temperature in K, in two dimensions for each metre of depth.
    pub fn exchange_unit(&self, stage: usize) -> String {
        let (problem, missing) = (&self.stages[stage].problem, self.coordinates_left_out(stage));
        match problem.is_solid() || problem.facts().pressure {
            true => per("N", missing),
            false if problem.unit == "K" => per("W", missing),
            false => String::new(),
        }
    }

    /// The name of a component of what a problem exchanges; empty for a scalar.
    pub fn component_name(&self, stage: usize, component: usize) -> String {
        let problem = &self.stages[stage].problem;
        match (problem.facts().complex, problem.space.components) {
            (true, _) => ["real", "imaginary"][component].into(),
            (_, 1) => String::new(),
            _ => ["x", "y", "z"][component].into(),
        }
    }

    /// Coordinates over which nothing is integrated; on a body of revolution the circle is.
    fn coordinates_left_out(&self, stage: usize) -> usize {
        3 - self.mesh.dimension - usize::from(self.stages[stage].problem.space.axisymmetric)
    }

    /// A flux or reaction.
    fn exchanged(&self, quantity: &Quantity, stage: &Stage, exchange: &Exchange) -> Result<f64> {
        let facets = match self.place(quantity)? {
            Where::Facets(facets) => facets,
            // All of the boundary.
            _ => self.mesh.facets.boundary(),
        };
        let mut values = match (quantity.kind, &quantity.marker) {
            (QuantityKind::Flux, _) => stage.problem.flux(exchange, &facets),
            (_, Some(_)) => exchange.supports(&facets),
            // Supports that lie on no facet are there as well.
            (_, None) => exchange.all_supports(),
        };
        // The last component of a flow's residual is no force.
        if stage.problem.facts().pressure {
            values.truncate(self.mesh.dimension);
        }
        Ok(scalar(&values, quantity.component))
    }

    fn quantity(&self, quantity: &Quantity, context: &Context) -> Result<f64> {
        let (field, stage) = self.measured(quantity)?;
        let problem = &stage.problem;
        let place = self.place(quantity)?;
        match quantity.kind {
            QuantityKind::Energy => return problem.strain_energy(context, &stage.solution.local_read()?),
            QuantityKind::L2Error | QuantityKind::H1Error => {
                let (l2, h1) = self.error_norms(&field, context)?;
                return Ok(if quantity.kind == QuantityKind::L2Error { l2 } else { h1 });
            }
            QuantityKind::Point => {
                let value = |point: &Vec<f64>| self.at_point(quantity, &field, context, point);
                let [first, second] =
                    [&quantity.point, &quantity.minus_point].map(|p| p.as_ref().map_or(Ok(0.0), value));
                return Ok(first? - second?);
            }
            _ => {}
        }
        let regions = self.regions_of(&field, &place);
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let (mut sum, mut measure) = (0.0, 0.0);
        // On the axis a circle has no length: the mean there is that along the axis.
        let (mut plane_sum, mut plane_measure) = (0.0, 0.0);
        let (space, width) = (&problem.space, field.components);
        for region in regions {
            let values = self.field_values_in(&field, context, region)?;
            let values = values.local_read()?;
            if matches!(quantity.kind, QuantityKind::Minimum | QuantityKind::Maximum) {
                let mut list = nodes(space, &place);
                if let Some(region) = region {
                    let inside = nodes(space, &Where::Regions(vec![region]));
                    list.retain(|node| inside.binary_search(node).is_ok());
                }
                let value = |n: usize| scalar(&values[n * width..][..width], quantity.component);
                let (least, most) = extrema(space, &list, value);
                (low, high) = (low.min(least), high.max(most));
                continue;
            }
            let degree = 2 * space.element.degree;
            let mut sides = groups(space, &place, degree);
            let facets = &self.mesh.facets;
            let mut two_sided = false;
            if let (Where::Facets(list), Some(_)) = (&place, region) {
                // Inside the body both sides count by half.
                let owned = |&f: &u32| (facets.cell[f as usize] as usize) < self.mesh.owned_cells;
                let owned: Vec<u32> = list.iter().copied().filter(owned).collect();
                sides.extend(far_sides(space, degree, &owned));
                two_sided = true;
            }
            for (rule, mut entities) in sides {
                entities.retain(|entity| region.is_none_or(|region| entity.2 == region));
                visit(space, &values, &Domain { rule: &rule, entities: &entities }, |sample| {
                    let value = scalar(&sample.value[..width], quantity.component);
                    let share =
                        if two_sided && facets.is_inner(sample.entity.0 as usize) { 0.5 } else { 1.0 };
                    let [weight, plane] = [sample.weight, sample.plane_weight].map(|weight| share * weight);
                    (sum, measure) = (sum + weight * value, measure + weight);
                    plane_sum += plane * value;
                    plane_measure += plane;
                });
            }
        }
        let comm = &self.mesh.comm;
        Ok(match quantity.kind {
            QuantityKind::Minimum => low,
            QuantityKind::Maximum => high,
            QuantityKind::Integral => comm.sum(sum),
            _ => {
                let [sum, measure, plane_sum, plane_measure] =
                    [sum, measure, plane_sum, plane_measure].map(|value| comm.sum(value));
                if measure > 0.0 { sum / measure } else { plane_sum / plane_measure }
            }
        })
    }

    /// The regions by which a field is measured on a place: a derived field jumps between regions, and each is measured with its
    /// own cells' values.
    pub(super) fn regions_of(&self, field: &FieldInfo, place: &Where) -> Vec<Option<u16>> {
        match (&field.derived, place) {
            (Some(_), _) if self.mesh.region_names.len() <= 1 => vec![None],
            (Some(_), Where::Regions(list)) => list.iter().map(|&r| Some(r)).collect(),
            (Some(_), _) => (0..self.mesh.region_names.len() as u16).map(Some).collect(),
            (None, _) => vec![None],
        }
    }

    /// The value at a point; a derived field's is that of the region of the cell that holds it.
    fn at_point(
        &self,
        quantity: &Quantity,
        field: &FieldInfo,
        context: &Context,
        point: &[f64],
    ) -> Result<f64> {
        let space = self.stages[field.stage].space();
        let point = std::array::from_fn(|i| point.get(i).copied().unwrap_or(0.0));
        let region = match field.derived {
            Some(_) => Some(region_at(space, &point)?),
            None => None,
        };
        let state = self.field_values_in(field, context, region)?;
        let values = point_value(space, field.components, &state.local_read()?, &point)?;
        Ok(scalar(&values, quantity.component))
    }

    /// The field that a quantity measures, with its problem.
    ///
    /// # Errors
    /// [`Error::Input`] when there is no such field.
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
        let Some(names) = &quantity.marker else { return Ok(Where::Everywhere) };
        let names: Vec<&str> = names.iter().collect();
        let facets = &self.mesh.facets;
        let markers: Vec<u16> = names.iter().filter_map(|name| facets.marker(name)).collect();
        if markers.len() == names.len() {
            return Ok(Where::Facets(facets.distinct(|marker| markers.contains(&marker))));
        }
        let number = |name: &&str| self.mesh.region_names.iter().position(|region| region == name);
        let regions: Vec<u16> = names.iter().filter_map(number).map(|r| r as u16).collect();
        if regions.len() == names.len() {
            return Ok(Where::Regions(regions));
        }
        let list = names.join("\", \"");
        Err(Error::input(
            "",
            format!(
                "quantity \"{}\": \"{list}\" are neither all facet markers nor all regions of the mesh",
                quantity.name
            ),
        ))
    }
}

impl Stage {
    /// What the problem exchanges with its surroundings at its present solution. Collective.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn with_exchange<T>(&self, context: &Context, read: impl FnOnce(&Exchange) -> T) -> Result<T> {
        let state = self.solution.local_read()?;
        let history = self.history();
        let now = At { context, state: &state, history: history.as_deref() };
        let linear = self.problem.is_linear_system();
        let exchange = |states: &[At], residual: Option<&[f64]>, steady: bool| {
            read(&self.problem.exchange(states, &self.essential, residual, steady))
        };
        Ok(match (&self.residual, &self.before) {
            (Some(residual), Some((context, before))) => {
                let state = before.local_read()?;
                exchange(&[At { state: &state, context, ..now }, now], Some(&residual.read()?), false)
            }
            (Some(residual), None) => exchange(&[now], Some(&residual.read()?), linear),
            (None, _) if self.starts => exchange(&[now], None, false),
            (None, _) => exchange(&[now], Some(&self.problem.steady_residual(&now)?), true),
        })
    }
}

/// A unit for each metre of so many coordinates.
fn per(unit: &str, missing: usize) -> String {
    if missing == 0 { unit.into() } else { format!("{unit}/{}", ["", "m", "m2"][missing]) }
}

/// A component of a scalar, vector or symmetric tensor `[xx, xy, xz, yy, yz, zz]`, or its magnitude.
pub fn scalar(values: &[f64], component: Option<usize>) -> f64 {
    match (component, values) {
        (Some(component), _) => values[component.min(values.len() - 1)],
        (None, [value]) => *value,
        (None, [xx, xy, xz, yy, yz, zz]) => {
            let off = xy * xy + xz * xz + yz * yz;
            (xx * xx + yy * yy + zz * zz + 2.0 * off).sqrt()
        }
        (None, _) => values.iter().map(|v| v * v).sum::<f64>().sqrt(),
    }
}
