//! `[[physics]]`: conditions, references to earlier models, signs of material data.
use super::super::spelling::{did_you_mean, either};
use super::checker::{Checker, each_name};
use crate::deck::boundary::{Boundary, Plane};
use crate::deck::models::Viscoplasticity;
use crate::deck::physics::{Elasticity, Physics};
use crate::deck::value::{Coefficient, Essential, FREE, Property, Scalar, Tensor};
use std::collections::{HashMap, HashSet};

/// What a constant must be; gives the wanted range where it is not.
type Sign = fn(f64) -> Option<&'static str>;

fn any(_: f64) -> Option<&'static str> {
    None
}

fn positive(value: f64) -> Option<&'static str> {
    (value <= 0.0).then_some("a positive number")
}

fn not_negative(value: f64) -> Option<&'static str> {
    (value < 0.0).then_some("no negative number")
}

fn poisson(value: f64) -> Option<&'static str> {
    (value <= -1.0 || value >= 0.5).then_some("a Poisson's ratio above -1 and below 0.5")
}

fn at_least_one(value: f64) -> Option<&'static str> {
    (value < 1.0).then_some("a number from 1 on")
}

fn fraction(value: f64) -> Option<&'static str> {
    (value <= 0.0 || value >= 1.0).then_some("a number between 0 and 1")
}

impl Checker<'_> {
    /// The field of a plane section means nothing on the section of a body of revolution.
    fn same_section(&mut self, p: usize, physics: &Physics) {
        if let (Physics::Diffusion(_), Some(Plane::Stress)) = (physics, physics.plane()) {
            self.add(
                &format!("physics[{p}].plane"),
                "diffusion knows \"axisymmetric\" and \"strain\" (a plane section)",
            );
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

    /// Tables and loads of viscoplasticity.
    fn viscoplasticity(&mut self, p: usize, model: &Viscoplasticity) {
        let key = format!("physics[{p}]");
        for (name, property) in model.properties() {
            let Property::Table(table) = property else { continue };
            let key = format!("{key}.{name}");
            if table.temperature.len() != table.value.len() {
                let (t, v) = (table.temperature.len(), table.value.len());
                self.add(&key, format!("{t} temperatures but {v} values"));
            }
            if table.temperature.windows(2).any(|w| w[1] <= w[0]) {
                self.add(&format!("{key}.temperature"), "the temperatures are not ascending");
            }
        }
        if model.rotation.is_some() && model.density.is_none() {
            self.add(&format!("{key}.rotation"), "a centrifugal load needs the `density`");
        }
        if model.plane == Some(Plane::Stress) {
            self.add(&format!("{key}.plane"), "viscoplasticity knows \"strain\" and \"axisymmetric\"");
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
            if deck.physics.iter().any(|other| other.derived().contains(&physics.field())) {
                self.add(&key("field"), format!("\"{}\" is the name of a derived field", physics.field()));
            }
            for (name, coefficient) in physics.coefficients() {
                let sign: Sign = match name {
                    "conductivity" | "young" | "viscosity" | "capacity" | "exponent" => positive,
                    "diffusivity" if physics.model() == "diffusion_sorption" => positive,
                    "density" if physics.model() == "navier_stokes" => positive,
                    "reaction" | "density" | "diffusivity" | "wave_number" => not_negative,
                    "poisson" => poisson,
                    _ => any,
                };
                self.coefficient(p, &key(name), coefficient, name == "conductivity", sign);
            }
            if let Physics::Elasticity(model) = physics {
                self.elasticity(p, model);
            }
            if let Physics::Viscoplasticity(model) = physics {
                self.viscoplasticity(p, model);
            }
            for (name, scalar) in physics.scalars() {
                let sign: Sign = match name.as_str() {
                    "poisson" => poisson,
                    "young" | "drag_stress" => positive,
                    "rate_exponent" => at_least_one,
                    "yield_stress" | "kinematic_modulus" | "dynamic_recovery" | "isotropic_rate" => {
                        not_negative
                    }
                    "density" | "stefan.above" => positive,
                    "porosity" => fraction,
                    "partition" | "exponent" | "stefan.below" => not_negative,
                    _ => any,
                };
                self.signed(&key(&name), scalar, sign);
            }
            self.needs_time(p, physics);
            self.same_section(p, physics);
            if let Some(solver) = physics.solver() {
                self.petsc(&key("solver.petsc"), solver);
                self.recycle(&key("solver.recycle"), solver);
            }
            self.boundary(p, physics);
            self.support(p, physics);
        }
        self.petsc("solver.petsc", &deck.solver);
        self.recycle("solver.recycle", &deck.solver);
    }

    fn petsc(&mut self, key: &str, solver: &crate::deck::sections::SolverOptions) {
        let text = solver.petsc.trim();
        if solver.method == crate::deck::sections::SolverMethod::Options && text.is_empty() {
            self.add(key, "method = \"options\" takes everything from `petsc`, which is empty");
        }
        if !text.is_empty() && !text.starts_with('-') {
            self.add(key, format!("expected PETSc options such as \"-ksp_monitor\", found \"{text}\""));
        }
    }

    fn recycle(&mut self, key: &str, solver: &crate::deck::sections::SolverOptions) {
        let recycle = &solver.recycle;
        if !recycle.is_on() {
            return;
        }
        if recycle.dimension >= recycle.restart {
            let text = format!(
                "a cycle of restart = {} vectors has no room for new ones beside dimension = {}: restart must be larger",
                recycle.restart, recycle.dimension
            );
            self.add(&format!("{key}.restart"), text);
        }
        if solver.method == crate::deck::sections::SolverMethod::Direct {
            self.add(
                &format!("{key}.method"),
                "a direct solver has nothing to recycle: choose another solver.method",
            );
        }
    }

    fn elasticity(&mut self, p: usize, model: &Elasticity) {
        for (i, force) in model.body_force.iter().flatten().enumerate() {
            self.scalar(&format!("physics[{p}].body_force[{i}]"), force);
        }
        if let Some(rotation) = &model.rotation {
            let key = format!("physics[{p}].rotation");
            self.scalar(&format!("{key}.speed"), &rotation.speed);
            if rotation.axis.iter().all(|&a| a == 0.0) {
                self.add(&format!("{key}.axis"), "the axis has no direction");
            }
            if model.density.is_none() {
                self.add(&key, "a centrifugal load needs the `density`");
            }
        }
    }

    fn coefficient(&mut self, p: usize, key: &str, coefficient: &Coefficient, tensors: bool, sign: Sign) {
        match coefficient {
            Coefficient::Uniform(tensor) => self.tensor(key, tensor, tensors, sign),
            Coefficient::Regions(table) => {
                if table.is_empty() {
                    self.add(key, "an empty table: name the regions, or give a `default`");
                }
                for (region, tensor) in table {
                    self.tensor(&format!("{key}.{region}"), tensor, tensors, sign);
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
    }

    fn tensor(&mut self, key: &str, tensor: &Tensor, allowed: bool, sign: Sign) {
        match tensor {
            Tensor::Isotropic(scalar) => self.signed(key, scalar, sign),
            _ if !allowed => self.add(key, "a scalar is needed here, not a list"),
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
        if let Some(wanted) = sign(value) {
            self.add(key, format!("expected {wanted}, found {value}"));
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
            for (name, scalar, sign) in [
                ("flux", &boundary.flux, any as Sign),
                ("coefficient", &boundary.coefficient, not_negative),
                ("ambient", &boundary.ambient, any),
                ("pressure", &boundary.pressure, any),
                ("foundation", &boundary.foundation, not_negative),
                ("absorbing", &boundary.absorbing, not_negative),
            ] {
                if let Some(scalar) = scalar {
                    self.signed(&format!("{key}.{name}"), scalar, sign);
                }
            }
            for (i, scalar) in boundary.traction.iter().flatten().enumerate() {
                self.scalar(&format!("{key}.traction[{i}]"), scalar);
            }
            for (i, scalar) in boundary.incoming.iter().flatten().enumerate() {
                self.scalar(&format!("{key}.incoming[{i}]"), scalar);
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
        let held = |b: &Boundary| b.value.is_some() || b.coefficient.is_some() || b.foundation.is_some();
        if physics.boundary().iter().any(held) {
            return;
        }
        if self.deck.time.is_some() && physics.model() != "elasticity" {
            return;
        }
        let message = match physics {
            Physics::Diffusion(model) if model.reaction == Coefficient::from(0.0) => {
                "nothing fixes the level of the field: give a boundary a `value`, or a `coefficient` and \
                 `ambient`, or the material a `reaction`"
            }
            Physics::Elasticity(_) => {
                "nothing holds the body: give a boundary a `value` (displacement) or a `foundation`"
            }
            Physics::AdvectionDiffusion(model) if model.reaction == Coefficient::from(0.0) => {
                "nothing fixes the level of the field: give a boundary a `value`, or a `coefficient` and \
                 `ambient`, or the material a `reaction`"
            }
            _ => return,
        };
        self.add(&format!("physics[{p}]"), message);
    }

    fn one_condition(&mut self, key: &str, physics: &Physics, boundary: &Boundary) {
        let given: Vec<&str> = boundary.given().collect();
        let known: &[&str] = match physics {
            Physics::Diffusion(_) => &["value", "flux", "coefficient"],
            Physics::Elasticity(_) => &["value", "traction", "pressure", "foundation"],
            Physics::Viscoplasticity(_) => &["value", "traction", "pressure", "foundation"],
            Physics::NavierStokes(_) => &["value", "traction", "pressure"],
            Physics::Burgers(_) => &["value"],
            Physics::Helmholtz(_) => &["value", "absorbing"],
            _ => &["value", "flux", "coefficient"],
        };
        for name in given.iter().filter(|name| !known.contains(name)) {
            let message = format!("no condition of {}; it knows {}", physics.model(), either(known));
            self.add(&format!("{key}.{name}"), message);
        }
        if boundary.incoming.is_some() && boundary.absorbing.is_none() {
            self.add(key, "missing key `absorbing`: the wave number of the boundary, with `incoming`");
        }
        match (boundary.coefficient.is_some(), boundary.ambient.is_some()) {
            (true, false) => self.add(key, "missing key `ambient`: the value around, with `coefficient`"),
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
                let tensors: Vec<(String, &Tensor)> = match coefficient {
                    Coefficient::Uniform(tensor) => vec![(format!("{key}.{name}"), tensor)],
                    Coefficient::Regions(table) => table
                        .iter()
                        .map(|(region, tensor)| (format!("{key}.{name}.{region}"), tensor))
                        .collect(),
                    _ => Vec::new(),
                };
                for (key, tensor) in tensors {
                    match tensor {
                        Tensor::Isotropic(_) => {}
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
                    let flow = physics.model() == "navier_stokes" && list.len() + 1 == components;
                    if !flow {
                        self.length(&format!("{key}.value"), list.len(), components);
                    }
                }
            }
            if physics.plane().is_some() && dimension != 2 {
                let message = format!("only for meshes in 2 dimensions; this one has {dimension}");
                self.add(&format!("{key}.plane"), message);
            }
            if let Physics::Elasticity(model) = physics {
                self.elasticity_dimension(&key, model, dimension);
            }
            let vector = match physics {
                Physics::AdvectionDiffusion(m) => Some(("velocity", &m.velocity)),
                Physics::Burgers(m) => m.source.as_ref().map(|list| ("source", list)),
                Physics::Viscoplasticity(m) => m.body_force.as_ref().map(|list| ("body_force", list)),
                Physics::NavierStokes(m) => m.body_force.as_ref().map(|list| ("body_force", list)),
                _ => None,
            };
            if let Some((name, list)) = vector {
                self.length(&format!("{key}.{name}"), list.len(), dimension);
            }
            if matches!(physics.model(), "navier_stokes" | "viscoplasticity") && dimension == 1 {
                let message =
                    format!("{} needs a mesh in 2 or 3 dimensions; this one has 1", physics.model());
                self.add(&key, message);
            }
        }
    }

    fn elasticity_dimension(&mut self, key: &str, model: &Elasticity, dimension: usize) {
        if let Some(force) = &model.body_force {
            self.length(&format!("{key}.body_force"), force.len(), dimension);
        }
        if let Some(rotation) = &model.rotation {
            let tilted = rotation.axis.iter().take(2).any(|&a| a != 0.0);
            if dimension == 2 && model.plane != Some(Plane::Axisymmetric) && tilted {
                self.add(&format!("{key}.rotation.axis"), "a plane body turns around [0, 0, 1]");
            }
        }
    }
}
