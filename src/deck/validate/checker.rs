//! What checks a deck, key by key.
use crate::deck::document::{Fault, Place};
use crate::deck::expression::{COORDINATES, Expression};
use crate::deck::spelling::{did_you_mean, either, is_identifier};
use crate::deck::value::{Names, Scalar, ScalarOrVector};
use crate::deck::whole::Deck;
use crate::mesh::LEAST_PERIODIC;
use crate::{Diagnostic, Error, Result};
use std::collections::HashSet;
use std::path::Path;

/// Collects the faults of a deck.
pub(super) struct Checker<'a> {
    pub(super) deck: &'a Deck,
    pub(super) variables: Vec<String>,
    defaults: Vec<f64>,
    faults: Vec<Fault>,
    /// What is allowed, but hardly meant.
    notes: Vec<Fault>,
    /// Parameters that some expression uses, by number.
    pub(super) used: HashSet<usize>,
}

impl Deck {
    /// Checks what needs no mesh; a box's dimension is known without one. Returns warnings.
    pub(crate) fn validate(&self) -> Result<Vec<Diagnostic>> {
        let mut checker = Checker::new(self);
        checker.parameters();
        checker.mesh();
        checker.random();
        checker.physics();
        checker.time();
        checker.variables = self.variables();
        checker.quantities();
        checker.known();
        checker.ports();
        checker.exact();
        checker.files();
        checker.campaign();
        checker.tuning();
        if let Some(block) = &self.mesh.block {
            checker.dimension(block.cell.dimension());
        }
        checker.doubtful();
        let notes = std::mem::take(&mut checker.notes);
        checker.finish()?;
        Ok(self.document.as_ref().map_or_else(Vec::new, |document| document.diagnostics(notes)))
    }

    /// Checks parameters and physics, all that a deck from a program has.
    pub(in crate::deck) fn validate_physics(&self) -> Result<()> {
        let mut checker = Checker::new(self);
        checker.parameters();
        checker.physics();
        checker.finish()
    }

    /// Checks the lists that have one entry a dimension; `dimension` is that of the mesh.
    ///
    /// # Errors
    /// [`Error::Input`] with every fault found.
    pub fn validate_dimension(&self, dimension: usize) -> Result<()> {
        let mut checker = Checker::new(self);
        checker.dimension(dimension);
        checker.finish()
    }
}

impl<'a> Checker<'a> {
    pub(super) fn new(deck: &'a Deck) -> Self {
        let (variables, defaults) = (deck.field_variables(), deck.default_parameters());
        let (faults, notes) = (Vec::new(), Vec::new());
        Self { deck, variables, defaults, faults, notes, used: HashSet::new() }
    }

    pub(super) fn finish(self) -> Result<()> {
        match &self.deck.document {
            _ if self.faults.is_empty() => Ok(()),
            Some(document) => Err(Error::Input(document.diagnostics(self.faults))),
            // People who have no text before them.
            None => {
                let bare = |Fault { key, message, .. }| Diagnostic { key, message, ..Diagnostic::default() };
                Err(Error::Input(self.faults.into_iter().map(bare).collect()))
            }
        }
    }

    pub(super) fn add(&mut self, key: &str, message: impl Into<String>) {
        self.add_inside(key, 0, message);
    }

    /// A fault at byte `offset` of a string value.
    pub(super) fn add_inside(&mut self, key: &str, offset: usize, message: impl Into<String>) {
        let Some(document) = &self.deck.document else {
            let fault = Fault { place: Place::Text(0..0), key: key.into(), message: message.into() };
            return self.faults.push(fault);
        };
        let (node, key) = document.find(key);
        let place = if offset == 0 { node.place.clone() } else { document.inside(node, offset) };
        self.faults.push(Fault { place, key, message: message.into() });
    }

    /// A warning.
    pub(super) fn note(&mut self, key: &str, message: impl Into<String>) {
        let Some(document) = &self.deck.document else { return };
        let (node, key) = document.find(key);
        self.notes.push(Fault { place: node.place.clone(), key, message: message.into() });
    }

    /// Whether the deck's text has this key.
    pub(super) fn given(&self, key: &str) -> bool {
        self.deck.document.as_ref().is_some_and(|document| document.has(key))
    }

    pub(super) fn identifier(&mut self, key: &str, name: &str) {
        if !is_identifier(name) {
            let message = format!("\"{name}\" is no name: use letters, digits and _, not a digit first");
            self.add(key, message);
        }
    }

    /// Compiles an expression; its value at the default parameters where it is the same everywhere.
    pub(super) fn scalar(&mut self, key: &str, scalar: &Scalar) -> Option<f64> {
        let text = match scalar {
            Scalar::Number(value) => return Some(*value),
            Scalar::Expression(text) => text,
        };
        let parsed = Expression::parse(text, &self.variables);
        if let Ok(expression) = &parsed {
            self.used.extend(expression.parameters());
            if expression.depends_on_time() && self.is_steady() {
                let message = format!("`{text}`: t means nothing here, the deck has no section [time]");
                self.add(key, message);
            }
        }
        match parsed {
            Ok(expression) if expression.depends_on_space() || expression.depends_on_time() => None,
            Ok(expression) if expression.parameters().any(|p| p >= self.defaults.len()) => None,
            Ok(expression) => {
                let values: Vec<f64> =
                    [0.0; COORDINATES.len()].iter().chain(&self.defaults).copied().collect();
                let value = expression.eval(&values);
                if !value.is_finite() {
                    self.add(key, format!("`{text}` is not finite: {value}"));
                }
                Some(value).filter(|value| value.is_finite())
            }
            Err(error) => {
                self.add_inside(key, error.offset, error.message);
                None
            }
        }
    }

    /// A name that expressions are to know.
    pub(super) fn variable(&mut self, key: &str, name: &str) {
        self.identifier(key, name);
        if COORDINATES.contains(&name) || name == "pi" || Expression::is_function(name) {
            self.add(key, format!("the name \"{name}\" is taken: expressions know it already"));
        }
    }

    fn parameters(&mut self) {
        for (name, parameter) in &self.deck.parameters {
            self.variable(&format!("parameters.{name}"), name);
            let key = self.parameter_key(name);
            if let Some(choices) = &parameter.choices {
                let values = choices.values();
                if parameter.range.is_some() {
                    self.add(&key, "`range` and `choices` exclude each other");
                }
                if !values.contains(&parameter.default) {
                    self.add(&key, format!("the default {} is none of the choices", parameter.default));
                }
                if let Some(i) = (1..values.len()).find(|&i| values[..i].contains(&values[i])) {
                    self.add(&format!("{key}.choices"), format!("the value {} is there twice", values[i]));
                }
            }
            if let Some([low, high]) = parameter.range {
                if low >= high {
                    self.add(
                        &format!("{key}.range"),
                        format!("expected [least, greatest], found [{low}, {high}]"),
                    );
                } else if !(low..=high).contains(&parameter.default) {
                    let message =
                        format!("the default {} is outside its range [{low}, {high}]", parameter.default);
                    self.add(&key, message);
                }
            }
        }
    }

    fn mesh(&mut self) {
        let mesh = &self.deck.mesh;
        match (&mesh.file, &mesh.block) {
            (None, None) => self.add("mesh", "expected `file` or `box`"),
            (Some(_), Some(_)) => self.add("mesh", "`file` and `box` exclude each other"),
            (Some(file), None) => {
                if !["msh", "h5"].map(Some).contains(&file.extension().and_then(|e| e.to_str())) {
                    self.add("mesh.file", "a mesh file ends in .msh (Gmsh) or .h5 (Tessera)");
                }
            }
            (None, Some(block)) => {
                if mesh.scale != 1.0 {
                    self.add(
                        "mesh.scale",
                        "`scale` is for mesh files; give the corners of the box in metres",
                    );
                }
                let dimension = block.cell.dimension();
                let lists = [
                    ("cells", Some(block.cells.len())),
                    ("lower", block.lower.as_ref().map(Vec::len)),
                    ("upper", block.upper.as_ref().map(Vec::len)),
                ];
                for (key, length) in lists {
                    if let Some(found) = length.filter(|&length| length != dimension) {
                        let cell = crate::mesh::CellType::from(block.cell).name();
                        let message = format!("{cell} cells need {dimension} entries, found {found}");
                        self.add(&format!("mesh.box.{key}"), message);
                    }
                }
                for (i, &axis) in block.periodic.iter().enumerate() {
                    let (d, key) = (axis as usize, format!("mesh.box.periodic[{i}]"));
                    let name = COORDINATES[d];
                    if d >= dimension {
                        let cell = crate::mesh::CellType::from(block.cell).name();
                        self.add(&key, format!("{cell} cells have no direction {name}"));
                    } else if block.periodic[..i].contains(&axis) {
                        self.add(&key, format!("\"{name}\" is there twice"));
                    } else if let Some(&found) = block.cells.get(d).filter(|&&n| n < LEAST_PERIODIC) {
                        let message = format!(
                            "a periodic direction needs at least {LEAST_PERIODIC} cells, found {found} along {name}"
                        );
                        self.add(&format!("mesh.box.cells[{d}]"), message);
                    }
                }
                let (lower, upper) = (block.lower(), block.upper());
                if let Some(d) = (0..dimension).find(|&d| lower[d] >= upper[d]) {
                    let axis = COORDINATES[d];
                    let message = format!("the box is empty along {axis}: from {} to {}", lower[d], upper[d]);
                    self.add("mesh.box", message);
                }
            }
        }
    }

    /// The physics and field that a section means.
    pub(super) fn field(
        &mut self,
        key: &str,
        field: Option<&str>,
        physics: Option<&str>,
    ) -> Option<(usize, String)> {
        let deck = self.deck;
        let names: Vec<&str> = deck.physics.iter().map(|p| p.name()).collect();
        if let Some(name) = physics.filter(|name| !names.contains(name)) {
            self.add(
                &format!("{key}.physics"),
                format!("unknown physics \"{name}\"{}", did_you_mean(name, &names, "physics")),
            );
            return None;
        }
        if let (Some(_), Some(_)) = (field, physics) {
            self.add(&format!("{key}.physics"), "`field` and `physics` exclude each other");
        }
        let found = deck.field_of(field, physics);
        match field {
            _ if found.is_some() => {}
            None => {
                let fields: Vec<&str> = deck.physics.iter().map(|p| p.field()).collect();
                self.add(key, format!("missing key `field`: {}", either(&fields)));
            }
            Some(field) => self.unknown_field(&format!("{key}.field"), field),
        }
        found
    }

    fn unknown_field(&mut self, key: &str, field: &str) {
        let known = self.deck.fields();
        let known: Vec<&str> = known.iter().map(|(_, name)| name.as_str()).collect();
        self.add(key, format!("unknown field \"{field}\"{}", did_you_mean(field, &known, "fields")));
    }

    fn exact(&mut self) {
        let deck = self.deck;
        let mut seen = HashSet::new();
        for (i, exact) in deck.exact.iter().enumerate() {
            let key = format!("exact[{i}]");
            let Some((physics, field)) = self.field(&key, exact.field.as_deref(), None) else { continue };
            let part = deck.physics[physics].has_pressure();
            if deck.physics[physics].field() != field && !part {
                self.add(
                    &format!("{key}.field"),
                    format!("\"{field}\" is a derived field; give that of the solution"),
                );
            }
            if !seen.insert(field.clone()) {
                self.add(&format!("{key}.field"), format!("a second exact solution for \"{field}\""));
            }
            let value = format!("{key}.value");
            match &exact.value {
                ScalarOrVector::Scalar(scalar) => {
                    self.scalar(&value, scalar);
                }
                ScalarOrVector::Vector(list) => {
                    for (c, scalar) in list.iter().enumerate() {
                        self.scalar(&format!("{value}[{c}]"), scalar);
                    }
                }
            }
        }
    }

    fn files(&mut self) {
        let deck = self.deck;
        let files = [
            ("output.file", &deck.output.file),
            ("campaign.file", &deck.campaign.file),
            ("rom.file", &deck.rom.file),
        ];
        for (i, (key, file)) in files.iter().enumerate() {
            if file.extension().is_none_or(|e| e != "h5") {
                self.add(key, format!("expected a file name ending in .h5, found \"{}\"", file.display()));
            }
            if let Some((other, _)) = files[..i].iter().find(|(_, other)| other == file) {
                self.add(key, format!("the same file as `{other}`"));
            }
        }
        if deck.output.directory == Path::new("") {
            self.add("output.directory", "the folder's name is empty; \".\" is the working directory");
        }
        let known = deck.fields();
        for (i, field) in deck.output.fields.iter().flatten().enumerate() {
            if !known.iter().any(|(_, name)| name == field) {
                self.unknown_field(&format!("output.fields[{i}]"), field);
            }
        }
    }

    /// Lists with one entry a dimension, outside `[[physics]]`.
    fn dimension(&mut self, dimension: usize) {
        let deck = self.deck;
        self.physics_dimension(dimension);
        self.random_dimension(dimension);
        for (i, quantity) in deck.quantity.iter().enumerate() {
            if let Some(point) = &quantity.point {
                self.length(&format!("quantity[{i}].point"), point.len(), dimension);
            }
            let Some((physics, field)) =
                deck.field_of(quantity.field.as_deref(), quantity.physics.as_deref())
            else {
                continue;
            };
            let components = match deck.random.contains_key(&field) {
                true => 1,
                false => deck.physics[physics].field_components(&field, dimension),
            };
            if let Some(component) = quantity.component.filter(|&c| c >= components) {
                let message =
                    format!("the field \"{field}\" has components 0 to {}, not {component}", components - 1);
                self.add(&format!("quantity[{i}].component"), message);
            }
        }
        for (i, exact) in deck.exact.iter().enumerate() {
            let Some((physics, _)) = deck.field_of(exact.field.as_deref(), None) else { continue };
            let found = match &exact.value {
                ScalarOrVector::Scalar(_) => 1,
                ScalarOrVector::Vector(list) => list.len(),
            };
            let physics = &deck.physics[physics];
            // Of a flow, an entry for a field lists that field's own components.
            let expected = match &exact.field {
                Some(name) if name == physics.field() => physics.own_components(dimension),
                Some(_) if physics.has_pressure() => 1,
                _ => physics.components(dimension),
            };
            self.length(&format!("exact[{i}].value"), found, expected);
        }
    }

    pub(super) fn length(&mut self, key: &str, found: usize, expected: usize) {
        if found != expected {
            let entries = if expected == 1 { "entry" } else { "entries" };
            self.add(key, format!("expected {expected} {entries} here, found {found}"));
        }
    }
}

/// Names of a marker list with the key of each.
pub(super) fn each_name<'n>(key: &str, names: &'n Names) -> Vec<(String, &'n str)> {
    match names {
        Names::One(name) => vec![(key.to_string(), name.as_str())],
        Names::Many(list) => {
            list.iter().enumerate().map(|(i, name)| (format!("{key}[{i}]"), name.as_str())).collect()
        }
    }
}
