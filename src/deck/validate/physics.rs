//! `[[physics]]`: conditions, references to earlier models, signs of material data.
use super::super::spelling::{did_you_mean, either};
use super::checker::{Checker, each_name};
use crate::deck::boundary::Boundary;
use crate::deck::physics::{Physics, Plane, Rotation, Value};
use crate::deck::value::{Coefficient, Essential, FREE, Property, PropertyTable, Scalar, Tensor};
use std::collections::{HashMap, HashSet};
use tessera_kernels::model::{Input, Kind, Motions, Role, Sign, Time};

impl Checker<'_> {
    /// The field of a plane section means nothing on the section of a body of revolution.
    fn same_section(&mut self, p: usize, physics: &Physics) {
        if let (Some(planes), Some(plane)) = (&physics.model.planes, physics.plane())
            && !planes.known.contains(&plane.word())
        {
            self.add(&format!("physics[{p}].plane"), planes.others);
        }
        let around = |physics: &Physics| physics.plane() == Some(Plane::Axisymmetric);
        for (name, coefficient) in physics.coefficients() {
            let Coefficient::Physics(source) = coefficient else { continue };
            let Some(other) = self.deck.physics.iter().find(|other| other.name() == source.physics) else {
                continue;
            };
            // Who writes that a field is one of a plane section knows what he feeds where.
            if around(other) != around(physics) && (other.plane().is_none() || around(other)) {
                let (a, b) = (other.name(), physics.name());
                let message = match around(physics) {
                    true => format!(
                        "\"{a}\" is solved on a plane section, \"{b}\" on that of a body of revolution: give \"{a}\" \
                         plane = \"axisymmetric\" (or \"strain\", if it is meant as it is)"
                    ),
                    false => format!(
                        "\"{a}\" is solved on the section of a body of revolution, \"{b}\" on a plane one: give \"{b}\" \
                         plane = \"axisymmetric\" as well"
                    ),
                };
                self.add(&format!("physics[{p}].{name}"), message);
            }
        }
    }

    /// Entries of a table over a temperature or another field.
    fn table(&mut self, key: &str, table: &PropertyTable) {
        if table.temperature.len() != table.value.len() {
            let (t, v) = (table.temperature.len(), table.value.len());
            self.add(key, format!("{t} temperatures but {v} values"));
        }
        if table.temperature.windows(2).any(|w| w[1] <= w[0]) {
            self.add(&format!("{key}.temperature"), "the temperatures are not ascending");
        }
    }

    /// The inputs of a model.
    fn inputs(&mut self, p: usize, physics: &Physics) {
        let key = |name: &str| format!("physics[{p}].{name}");
        for (input, value) in physics.values() {
            let name = input.key;
            match value {
                Value::Coefficient(coefficient) => self.coefficient(p, &key(name), coefficient, input),
                Value::Property(Property::Table(table)) => self.table(&key(name), table),
                Value::Rotation(rotation) => self.rotation(&key(name), rotation),
                _ => {}
            }
            if let Some((other, message)) = input.needs
                && physics.value(other).is_none()
            {
                self.add(&key(name), message);
            }
            if input.in_time && self.deck.time.is_none() {
                self.add(&key(name), format!("only a run with [time] has a {name}"));
            }
        }
        for (name, scalar, input) in physics.scalars() {
            self.signed(&key(&name), scalar, input.sign);
        }
        let list = physics.model.one_of;
        let words: Vec<String> = list.iter().map(|name| format!("`{name}`")).collect();
        let given = list.iter().filter(|name| physics.value(name).is_some()).count();
        if given > 1 {
            self.add(&format!("physics[{p}]"), format!("{} exclude each other", words.join(" and ")));
        } else if given == 0 && !list.is_empty() {
            self.add(
                &format!("physics[{p}]"),
                format!("{} needs {}", physics.model.name, words.join(" or ")),
            );
        }
        if physics.has_tensor() && physics.depends_on_itself() {
            let message =
                "a tensor that depends on the solution is not supported: give a number for each region";
            self.add(&key("conductivity"), message);
        }
        if physics.radiates() && physics.unit() != "K" {
            let message = "radiation goes with the absolute temperature: give this physics unit = \"K\"";
            self.add(&key("unit"), message);
        }
    }

    pub(super) fn physics(&mut self) {
        let deck = self.deck;
        let (mut names, mut fields) = (HashSet::new(), HashSet::new());
        for (p, physics) in deck.physics.iter().enumerate() {
            let key = |name: &str| format!("physics[{p}].{name}");
            self.identifier(&key("name"), physics.name());
            self.identifier(&key("field"), physics.field());
            if !names.insert(physics.name()) {
                self.add(&key("name"), format!("a second physics with the name \"{}\"", physics.name()));
            }
            if !fields.insert(physics.field()) {
                self.add(&key("field"), format!("a second physics with the field \"{}\"", physics.field()));
            }
            if deck.physics.iter().any(|other| other.derived().any(|name| name == physics.field())) {
                self.add(&key("field"), format!("\"{}\" is the name of a derived field", physics.field()));
            }
            self.inputs(p, physics);
            self.needs_time(p, physics);
            self.same_section(p, physics);
            if let Some(solver) = physics.solver() {
                self.petsc(&key("solver.petsc"), solver);
                self.recycle(&key("solver.recycle"), solver);
            }
            self.interface(p, physics);
            self.boundary(p, physics);
            self.support(p, physics);
        }
        self.petsc("solver.petsc", &deck.solver);
        self.recycle("solver.recycle", &deck.solver);
    }

    fn rotation(&mut self, key: &str, rotation: &Rotation) {
        if rotation.axis.iter().all(|&a| a == 0.0) {
            self.add(&format!("{key}.axis"), "the axis has no direction");
        }
    }

    fn coefficient(&mut self, p: usize, key: &str, coefficient: &Coefficient, input: &Input) {
        let known = self.variables.len();
        if input.of_solution {
            self.variables.push(self.deck.physics[p].field().to_string());
        }
        match coefficient {
            Coefficient::Uniform(tensor) => self.tensor(key, tensor, input),
            Coefficient::Regions(table) => {
                if table.is_empty() {
                    self.add(key, "an empty table: name the regions, or give a `default`");
                }
                for (region, tensor) in table {
                    self.tensor(&format!("{key}.{region}"), tensor, input);
                }
            }
            Coefficient::Physics(source) => {
                let earlier: Vec<&str> = self.deck.physics[..p]
                    .iter()
                    .filter(|q| q.components(2) == 1)
                    .map(|q| q.name())
                    .collect();
                let name = source.physics.as_str();
                if !earlier.contains(&name) {
                    let hint = did_you_mean(name, &earlier, "earlier ones");
                    let message = format!("no earlier physics with a scalar field is named \"{name}\"{hint}");
                    self.add(&format!("{key}.physics"), message);
                }
            }
            Coefficient::File(source) => {
                if source.dataset.is_empty() {
                    self.add(&format!("{key}.dataset"), "the dataset's name is empty");
                }
            }
        }
        self.variables.truncate(known);
    }

    fn tensor(&mut self, key: &str, tensor: &Tensor, input: &Input) {
        let sign = input.sign;
        match tensor {
            Tensor::Isotropic(scalar) => self.signed(key, scalar, sign),
            Tensor::Table(table) if input.of_solution => {
                self.table(key, table);
                if let Some(value) = table.value.iter().find(|&&value| !sign.holds(value)) {
                    self.add(&format!("{key}.value"), format!("expected {}, found {value}", sign.words()));
                }
            }
            Tensor::Table(_) => self.add(key, "a table over the solution is not possible here"),
            _ if !matches!(input.kind, Kind::Tensor) => self.add(key, "a scalar is needed here, not a list"),
            Tensor::Diagonal(list) => {
                if list.is_empty() {
                    self.add(key, "an empty list");
                }
                for (i, scalar) in list.iter().enumerate() {
                    self.signed(&format!("{key}[{i}]"), scalar, sign);
                }
            }
            Tensor::Full(rows) => {
                let mut values = vec![vec![None; rows.len()]; rows.len()];
                for (i, row) in rows.iter().enumerate() {
                    if row.len() != rows.len() {
                        let message =
                            format!("expected {} entries in each row, found {}", rows.len(), row.len());
                        return self.add(&format!("{key}[{i}]"), message);
                    }
                    for (j, scalar) in row.iter().enumerate() {
                        values[i][j] = self.scalar(&format!("{key}[{i}][{j}]"), scalar);
                    }
                }
                self.definite(key, &values);
            }
        }
    }

    fn signed(&mut self, key: &str, scalar: &Scalar, sign: Sign) {
        let Some(value) = self.scalar(key, scalar) else { return };
        if sign != Sign::Any && !sign.holds(value) {
            self.add(key, format!("expected {}, found {value}", sign.words()));
        }
    }

    /// A constant tensor must be symmetric and positive definite: its Cholesky pivots are positive.
    fn definite(&mut self, key: &str, values: &[Vec<Option<f64>>]) {
        let Some(mut a) = values
            .iter()
            .map(|row| row.iter().copied().collect::<Option<Vec<f64>>>())
            .collect::<Option<Vec<Vec<f64>>>>()
        else {
            return;
        };
        let n = a.len();
        if (0..n).any(|i| (0..i).any(|j| a[i][j] != a[j][i])) {
            return self.add(key, "the tensor is not symmetric");
        }
        for k in 0..n {
            if a[k][k] <= 0.0 {
                return self.add(key, "the tensor is not positive definite");
            }
            let pivot = a[k].clone();
            for row in &mut a[k + 1..] {
                let factor = row[k] / pivot[k];
                row.iter_mut().zip(&pivot).skip(k).for_each(|(entry, above)| *entry -= factor * above);
            }
        }
    }

    fn boundary(&mut self, p: usize, physics: &Physics) {
        // Markers with an essential condition, by component (`None`: all of them).
        let mut essential: HashMap<(String, Option<usize>), usize> = HashMap::new();
        for (b, boundary) in physics.boundary().iter().enumerate() {
            let key = format!("physics[{p}].boundary[{b}]");
            self.one_condition(&key, physics, boundary);
            match (&boundary.marker, &boundary.point) {
                (None, None) => self.add(&key, "missing key `marker` (or `point`)"),
                (Some(_), Some(_)) => self.add(&key, "`marker` and `point` exclude each other"),
                (None, Some(_)) if boundary.value.is_none() => {
                    self.add(&format!("{key}.point"), "only a `value` can be given at a point");
                }
                _ => {}
            }
            for (name, scalar) in boundary.scalars() {
                let sign = match name {
                    "coefficient" | "foundation" | "absorbing" => Sign::NotNegative,
                    "emissivity" => Sign::Emissivity,
                    _ => Sign::Any,
                };
                self.signed(&format!("{key}.{name}"), scalar, sign);
            }
            for (name, list) in boundary.lists() {
                for (i, scalar) in list.iter().enumerate() {
                    self.scalar(&format!("{key}.{name}[{i}]"), scalar);
                }
            }
            let components = match &boundary.value {
                Some(value) => self.essential(&format!("{key}.value"), physics, value),
                None => continue,
            };
            let markers = boundary.marker.iter().flat_map(|names| each_name(&format!("{key}.marker"), names));
            for (marker_key, marker) in markers.collect::<Vec<_>>() {
                for &component in &components {
                    let clash = match component {
                        None => essential.iter().find(|((name, _), _)| name == marker).map(|(_, b)| *b),
                        Some(_) => [None, component]
                            .iter()
                            .find_map(|c| essential.get(&(marker.to_string(), *c)).copied()),
                    };
                    if let Some(first) = clash {
                        let message = format!("boundary[{first}] gives \"{marker}\" a value already");
                        self.add(&marker_key, message);
                        break;
                    }
                }
                essential.extend(components.iter().map(|c| ((marker.to_string(), *c), b)));
            }
        }
    }

    /// A problem with nothing that fixes its level (or its rigid-body motion) has no unique solution.
    fn support(&mut self, p: usize, physics: &Physics) {
        let held = |b: &Boundary| {
            b.value.is_some() || b.coefficient.is_some() || b.foundation.is_some() || b.emissivity.is_some()
        };
        let evolves = self.deck.time.is_some() && physics.model.time != Time::Equilibrium;
        if physics.boundary().iter().any(held) || evolves {
            return;
        }
        let law = physics.law(physics.model.least_dimension, false);
        let zero = |key: &str| physics.value(key) == Some(&Value::Coefficient(0.0.into()));
        let held_by_nothing = |role: Role, key: &str| role == Role::Holds && zero(key);
        let message = match law.facts.motions {
            Motions::Rigid if physics.model.time == Time::Equilibrium => {
                "nothing holds the body: give a boundary a `value` (displacement) or a `foundation`"
            }
            Motions::Constants if law.coefficients.iter().any(|c| held_by_nothing(c.role, c.key)) => {
                "nothing fixes the level of the field: give a boundary a `value`, or a `coefficient` and \
                 `ambient`, or the material a `reaction`"
            }
            _ => return,
        };
        self.add(&format!("physics[{p}]"), message);
    }

    fn one_condition(&mut self, key: &str, physics: &Physics, boundary: &Boundary) {
        let given: Vec<&str> = boundary.given().collect();
        let known = physics.model.conditions;
        for name in given.iter().filter(|name| !known.contains(name)) {
            let message = format!("no condition of {}; it knows {}", physics.model.name, either(known));
            self.add(&format!("{key}.{name}"), message);
        }
        if boundary.incoming.is_some() && boundary.absorbing.is_none() {
            self.add(key, "missing key `absorbing`: the wave number of the boundary, with `incoming`");
        }
        let exchanges = boundary.coefficient.is_some() || boundary.emissivity.is_some();
        match (exchanges, boundary.ambient.is_some()) {
            (true, false) => {
                let name = if boundary.coefficient.is_some() { "coefficient" } else { "emissivity" };
                self.add(key, format!("missing key `ambient`: the value around, with `{name}`"));
            }
            (false, true) => self.add(key, "missing key `coefficient`: that of the transfer to `ambient`"),
            _ if given.is_empty() => self.add(key, format!("missing condition: {}", either(known))),
            _ => {}
        }
        if given.len() > 1 {
            self.add(key, format!("one condition an entry, found {}", given.join(" and ")));
        }
    }

    /// Checks an essential value; the components it fixes, `None` for all.
    fn essential(&mut self, key: &str, physics: &Physics, value: &Essential) -> Vec<Option<usize>> {
        let is_free = |scalar: &Scalar| matches!(scalar, Scalar::Expression(text) if text.trim() == FREE);
        match value {
            Essential::Uniform(scalar) if is_free(scalar) => {
                self.add(key, "\"free\" alone fixes nothing: leave the entry out, or list the components");
                Vec::new()
            }
            Essential::Uniform(scalar) => {
                self.scalar(key, scalar);
                vec![None]
            }
            Essential::Components(list) if physics.components(2) == 1 => {
                self.add(key, format!("expected a number or an expression, found a list of {}", list.len()));
                Vec::new()
            }
            Essential::Components(list) => {
                if list.iter().all(is_free) {
                    self.add(key, "every component is \"free\": leave the entry out");
                }
                let mut fixed = Vec::new();
                for (i, scalar) in list.iter().enumerate().filter(|(_, scalar)| !is_free(scalar)) {
                    self.scalar(&format!("{key}[{i}]"), scalar);
                    fixed.push(Some(i));
                }
                fixed
            }
        }
    }

    /// Lists with one entry a dimension.
    pub(super) fn physics_dimension(&mut self, dimension: usize) {
        let deck = self.deck;
        for (p, physics) in deck.physics.iter().enumerate() {
            let key = format!("physics[{p}]");
            for (name, coefficient) in physics.coefficients() {
                let regions: Vec<(String, &Tensor)> = match coefficient {
                    Coefficient::Regions(table) => table
                        .iter()
                        .map(|(region, tensor)| (format!("{key}.{name}.{region}"), tensor))
                        .collect(),
                    other => other.tensors().map(|tensor| (format!("{key}.{name}"), tensor)).collect(),
                };
                for (key, tensor) in regions {
                    match tensor {
                        Tensor::Isotropic(_) | Tensor::Table(_) => {}
                        Tensor::Diagonal(list) => self.length(&key, list.len(), dimension),
                        Tensor::Full(rows) => self.length(&key, rows.len(), dimension),
                    }
                }
            }
            for (b, boundary) in physics.boundary().iter().enumerate() {
                let key = format!("{key}.boundary[{b}]");
                if let Some(point) = &boundary.point {
                    self.length(&format!("{key}.point"), point.len(), dimension);
                }
                if let Some(traction) = &boundary.traction {
                    self.length(&format!("{key}.traction"), traction.len(), dimension);
                }
                if let Some(Essential::Components(list)) = &boundary.value {
                    let components = physics.components(dimension);
                    // The pressure of a flow is rarely prescribed and may be left out.
                    if list.len() != physics.own_components(dimension) {
                        self.length(&format!("{key}.value"), list.len(), components);
                    }
                }
            }
            if physics.plane().is_some() && dimension != 2 {
                let message = format!("only for meshes in 2 dimensions; this one has {dimension}");
                self.add(&format!("{key}.plane"), message);
            }
            for (input, value) in physics.values() {
                let key = format!("{key}.{}", input.key);
                match value {
                    Value::Vector(list) => self.length(&key, list.len(), dimension),
                    Value::Rotation(rotation) => {
                        let tilted = rotation.axis.iter().take(2).any(|&a| a != 0.0);
                        if dimension == 2 && physics.plane() != Some(Plane::Axisymmetric) && tilted {
                            self.add(&format!("{key}.axis"), "a plane body turns around [0, 0, 1]");
                        }
                    }
                    _ => {}
                }
            }
            let (name, least) = (physics.model.name, physics.model.least_dimension);
            if dimension < least {
                let message =
                    format!("{name} needs a mesh in {least} or 3 dimensions; this one has {dimension}");
                self.add(&key, message);
            }
        }
    }
}
