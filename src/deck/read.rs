//! Reading a deck, and asking it.
use super::constraint::ConstraintLevel;
use super::document::Document;
use super::expression::Expression;
use super::schema;
use super::sections::{PartitionMethod, SolverMethod, SolverOptions};
use super::whole::Deck;
use crate::mesh::{BoxSource, Experts, MeshSource, PartitionOptions};
use crate::parallel::Comm;
use crate::{Diagnostic, Error, Result};
use std::path::{Path, PathBuf};
use std::rc::Rc;

impl Deck {
    /// Reads a deck from a file and applies overrides such as `solver.tolerance=1e-10`. Local; with
    /// several ranks see [`Deck::load`].
    ///
    /// # Errors
    /// [`Error::Input`] with every fault found.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path)
            .map_err(|error| Error::input(&name, format!("cannot read the deck: {error}")))?;
        Self::parse_bytes(bytes, &name, overrides)
    }

    /// Rank 0 reads the file, all ranks parse the same text. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] with every fault found, the same on all ranks.
    pub fn load(comm: &Comm, path: &Path, overrides: &[String]) -> Result<Self> {
        let name = path.display().to_string();
        let mut bytes = comm.agree(match comm.rank() {
            0 => std::fs::read(path)
                .map_err(|error| Error::input(&name, format!("cannot read the deck: {error}"))),
            _ => Ok(Vec::new()),
        })?;
        comm.broadcast_bytes(0, &mut bytes);
        Self::parse_bytes(bytes, &name, overrides)
    }

    /// As [`Deck::parse`] for text that may not be UTF-8.
    fn parse_bytes(bytes: Vec<u8>, name: &str, overrides: &[String]) -> Result<Self> {
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = valid.iter().filter(|&&byte| byte == b'\n').count() + 1;
            Error::input(name, format!("not a text file: line {line} is not UTF-8"))
        })?;
        Self::parse(&text, name, overrides)
    }

    /// Parses a deck; `name` is the file's name for messages and for paths relative to the deck.
    ///
    /// # Errors
    /// [`Error::Input`] with every fault found.
    pub fn parse(text: &str, name: &str, overrides: &[String]) -> Result<Self> {
        let document = Document::parse(text, name, overrides).map_err(Error::Input)?;
        let faults = schema::check(&document.root);
        if !faults.is_empty() {
            return Err(Error::Input(document.diagnostics(faults)));
        }
        let mut tree = document.root.to_toml();
        inherit_solver(&mut tree);
        let mut deck: Self = tree.try_into().map_err(|error: toml::de::Error| {
            // What is found while reading names its key first.
            match error.message().split_once(": ").filter(|(key, _)| document.has(key)) {
                Some((key, message)) => document.fault(key, message),
                None => Error::input(name, format!("cannot be understood: {}", error.message())),
            }
        })?;
        deck.document = Some(Rc::new(document));
        deck.notes = deck.validate()?;
        Ok(deck)
    }

    /// The deck as run, with overrides and defaults, as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }

    /// The deck's file name as the user gave it.
    pub fn name(&self) -> &str {
        self.document.as_ref().map_or("", |document| document.name())
    }

    /// Warnings: what is allowed, but hardly meant, with its place.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        self.notes.iter().map(Diagnostic::to_string)
    }

    /// Names that expressions may use: x, y, z, t and the parameters, see [`Expression::variables`].
    pub fn variables(&self) -> Vec<String> {
        Expression::variables(self.parameters.keys())
    }

    /// The same and the random fields, for expressions of coefficients, boundary values and initial values.
    pub fn field_variables(&self) -> Vec<String> {
        Expression::variables(self.parameters.keys().chain(self.random.keys()))
    }

    /// Every field, as physics (by number) and name: each solution followed by what derives from it. A
    /// derived field has its bare name (`stress`) when one physics has it, otherwise that of the solution
    /// before it (`displacement_stress`). Random fields come last, on the nodes of the first physics.
    pub fn fields(&self) -> Vec<(usize, String)> {
        let mut list = Vec::new();
        for (i, physics) in self.physics.iter().enumerate() {
            list.push((i, physics.field().to_string()));
            for derived in physics.derived() {
                let owners =
                    self.physics.iter().filter(|other| other.derived().any(|name| name == derived)).count();
                let name = match owners {
                    1 => derived.to_string(),
                    _ => format!("{}_{derived}", physics.field()),
                };
                list.push((i, name));
            }
        }
        list.extend(self.random.keys().map(|name| (0, name.clone())));
        list
    }

    /// The field that a quantity or an exact solution means: `field` by name, else the solution of
    /// `physics`, else that of the deck's only physics.
    pub fn field_of(&self, field: Option<&str>, physics: Option<&str>) -> Option<(usize, String)> {
        let solution = |i: usize| (i, self.physics[i].field().to_string());
        match (field, physics) {
            (Some(field), _) => self.fields().into_iter().find(|(_, name)| name == field),
            (None, Some(name)) => self.physics.iter().position(|p| p.name() == name).map(solution),
            (None, None) => (self.physics.len() == 1).then(|| solution(0)),
        }
    }

    /// Values of the parameters in a single run, in the deck's order.
    pub fn default_parameters(&self) -> Vec<f64> {
        self.parameters.values().map(|parameter| parameter.default).collect()
    }

    /// A path of the deck, relative to the deck's folder, as seen from the working directory.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        Path::new(self.name()).parent().unwrap_or(Path::new("")).join(path)
    }

    /// A fault of the value at a dotted key such as `physics[0].source` or `physics.heat.source`.
    pub fn fault(&self, key: &str, message: impl Into<String>) -> Error {
        match &self.document {
            Some(document) => document.fault(key, message),
            None => Error::input("", format!("{key}: {}", message.into())),
        }
    }

    /// Faults that carry a key of this deck but no file get their place.
    pub fn locate(&self, error: Error) -> Error {
        let Error::Input(list) = error else { return error };
        let located = list.into_iter().flat_map(|fault| {
            if !fault.file.is_empty() || fault.key.is_empty() {
                return vec![fault];
            }
            match self.fault(&fault.key, fault.message) {
                Error::Input(list) => list,
                _ => Vec::new(),
            }
        });
        Error::Input(located.collect())
    }

    /// The mesh to build.
    pub fn mesh_source(&self) -> MeshSource {
        match (&self.mesh.block, &self.mesh.file) {
            (Some(block), _) => {
                let dimension = block.cell.dimension();
                MeshSource::Box(BoxSource {
                    cell: block.cell.into(),
                    cells: block.cells.clone(),
                    lower: block.lower()[..dimension].to_vec(),
                    upper: block.upper()[..dimension].to_vec(),
                    periodic: block.is_periodic(),
                })
            }
            (None, file) => MeshSource::File {
                path: self.resolve(file.as_deref().unwrap_or(Path::new(""))),
                scale: self.mesh.scale,
            },
        }
    }

    /// How to divide the mesh: into experts only if something asks for them.
    pub fn partition_options(&self) -> PartitionOptions {
        let schwarz = |index| {
            self.solver_options(index).method == SolverMethod::Schwarz || self.may_choose_schwarz(index)
        };
        let asked = self.constraint.level != ConstraintLevel::None
            || self.experts.network.is_some()
            || (0..self.physics.len()).any(schwarz);
        PartitionOptions {
            method: match self.partition.method {
                PartitionMethod::Ptscotch => crate::mesh::PartitionMethod::PtScotch,
                PartitionMethod::Simple => crate::mesh::PartitionMethod::Simple,
            },
            experts: match self.partition.experts {
                Some(number) => Experts::Number(number),
                None if asked => Experts::Size,
                None => Experts::Ranks,
            },
        }
    }

    /// Whether large meshes in space make the Schwarz method the solver of physics `index` unasked: waves that leave the
    /// body (in a closed one they go to and fro, which the method does not cope with).
    pub fn may_choose_schwarz(&self, index: usize) -> bool {
        let options = self.solver_options(index);
        let physics = &self.physics[index];
        let in_space = self.mesh.block.as_ref().is_none_or(|mesh| mesh.cells.len() == 3);
        let waves = physics.law(physics.model.least_dimension, self.time.is_some()).facts.complex;
        let leaves = physics.boundary.iter().any(|boundary| boundary.absorbing.is_some());
        let ours = options.method == SolverMethod::Auto && options.petsc.trim().is_empty();
        let alone = options.tune.is_none() && !options.recycle.is_on();
        waves && in_space && leaves && ours && alone
    }

    /// The solver of physics `index`: its own, else the deck's.
    pub fn solver_options(&self, index: usize) -> SolverOptions {
        let own = self.physics.get(index).and_then(|physics| physics.solver().clone());
        own.unwrap_or_else(|| self.solver.clone())
    }
}

/// Keys that a physics' own solver leaves out are those of `[solver]`.
fn inherit_solver(tree: &mut toml::Value) {
    let Some(common) = tree.get("solver").and_then(toml::Value::as_table).cloned() else { return };
    let physics = tree.get_mut("physics").and_then(toml::Value::as_array_mut);
    for entry in physics.into_iter().flatten() {
        if let Some(own) = entry.get_mut("solver").and_then(toml::Value::as_table_mut) {
            fill_in(own, &common);
        }
    }
}

/// Adds the entries of `common` that `own` lacks, in tables within tables too.
fn fill_in(own: &mut toml::Table, common: &toml::Table) {
    for (key, value) in common {
        match (own.get_mut(key), value) {
            (Some(toml::Value::Table(own)), toml::Value::Table(common)) => fill_in(own, common),
            (Some(_), _) => {}
            (None, _) => drop(own.insert(key.clone(), value.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use std::path::{Path, PathBuf};

    #[test]
    fn decks_of_the_cases_parse() {
        let mut pending = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/input"))];
        let mut decks = 0;
        while let Some(folder) = pending.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    pending.push(path);
                } else if path.extension().is_some_and(|e| e == "toml") {
                    let deck = Deck::read(&path, &[]).unwrap_or_else(|error| panic!("{error}"));
                    let again =
                        Deck::parse(&deck.to_toml(), deck.name(), &[]).unwrap_or_else(|e| panic!("{e}"));
                    assert_eq!(deck.to_toml(), again.to_toml());
                    decks += 1;
                }
            }
        }
        assert!(decks >= 9, "{decks} decks found");
    }

    const DECK: &str = r#"
mesh.box = { cell = "interval", cells = [4] }
parameters = { h = { default = 1.0, range = [0.5, 2.0] }, k = 3 }
solver = { tolerance = 1e-6, max_iterations = 7 }
[[physics]]
name = "heat"
model = "diffusion"
solver = { max_iterations = 9 }
boundary = [{ marker = "left", value = "h" }]
"#;

    #[test]
    fn recycling_is_inherited_and_checked() {
        let set = |list: &[&str]| {
            let list: Vec<String> = list.iter().map(|s| s.to_string()).collect();
            Deck::parse(DECK, "deck.toml", &list)
        };
        let deck =
            set(&["solver.recycle.method=gcro_dr", "physics.heat.solver.recycle.dimension=7"]).unwrap();
        let own = deck.solver_options(0).recycle;
        assert_eq!((own.method, own.dimension, own.restart), (RecycleKind::GcroDr, 7, 40));
        assert!(!set(&[]).unwrap().solver.recycle.is_on());
        let error = set(&["solver.recycle={ method = \"cg\", dimension = 40 }"]).unwrap_err().to_string();
        assert!(error.contains("solver.recycle.restart") && error.contains("must be larger"), "{error}");
        let error = set(&["solver.recycle.method=auto", "solver.method=direct"]).unwrap_err().to_string();
        assert!(error.contains("a direct solver has nothing to recycle"), "{error}");
        let error = set(&["solver.recycle.method=gcrodr"]).unwrap_err().to_string();
        assert!(error.contains("gcro_dr"), "{error}");
    }

    #[test]
    fn overrides_change_what_they_name() {
        let set = |list: &[&str]| {
            let list: Vec<String> = list.iter().map(|s| s.to_string()).collect();
            Deck::parse(DECK, "folder/deck.toml", &list)
        };
        let deck = set(&[
            "parameters.h=1.5",
            "physics.heat.degree=2",
            "physics[0].source=2*h + x",
            "title=two words",
            "mesh.box.cells=[8]",
            "physics.heat.boundary[0].value=0.5",
        ])
        .unwrap();
        assert_eq!(deck.default_parameters(), [1.5, 3.0]);
        assert_eq!(deck.parameters["h"].range, Some([0.5, 2.0]));
        assert_eq!((deck.physics[0].degree(), deck.title.as_str()), (2, "two words"));
        assert_eq!(deck.physics[0].boundary()[0].value, Some(Essential::Uniform(0.5.into())));
        assert_eq!(deck.mesh.block.as_ref().unwrap().cells, [8]);
        assert_eq!(deck.resolve(Path::new("a.msh")), Path::new("folder/a.msh"));
        let error = set(&["parameters.h=9"]).unwrap_err().to_string();
        assert!(error.contains("the default 9 is outside its range"), "{error}");
    }

    #[test]
    fn overrides_of_what_is_not_there_are_refused() {
        let random = format!("random.rough = {{ kind = \"matern\", range = 0.2 }}\n{DECK}");
        for (text, words) in [
            ("parameters.hh=80", "the deck has no parameter \"hh\"; did you mean \"h\"? (parameters: h, k)"),
            ("parameters.hh.default=80", "the deck has no parameter \"hh\""),
            ("random.rouhg.range=2", "the deck has no random field \"rouhg\"; did you mean \"rough\"?"),
            ("solver.tolerence=1", "solver.tolerence: unknown key; did you mean \"tolerance\"?"),
            ("slover.tolerance=1", "slover: unknown key; did you mean \"solver\"?"),
            ("physics.haet.degree=2", "no entry \"haet\" in a list of 1; did you mean \"heat\"?"),
            ("physics.heat.sorce=2", "physics[0].sorce: unknown key; did you mean \"source\"?"),
        ] {
            let error = Deck::parse(&random, "deck.toml", &[text.to_string()]).unwrap_err().to_string();
            let beginning = format!("--set {text}: ");
            assert!(error.starts_with(&beginning) && error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_physics_own_solver_takes_the_rest_from_the_deck() {
        let deck = Deck::parse(DECK, "deck.toml", &[]).unwrap();
        let own = deck.solver_options(0);
        assert_eq!((own.tolerance, own.max_iterations, own.method), (1e-6, 9, SolverMethod::Auto));
        let fault = deck.fault("physics.heat.boundary[0].marker", "gone").to_string();
        assert_eq!(fault, "deck.toml:9:24: physics[0].boundary[0].marker: gone");
    }

    #[test]
    fn the_reference_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/deck.md");
        let written = std::fs::read_to_string(path).unwrap_or_default();
        let hint = "write it again: tessera schema --markdown > docs/reference/deck.md";
        assert!(written.trim() == reference().trim(), "{path} is out of date; {hint}");
    }
}
