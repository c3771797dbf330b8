//! Decks from programs: what a file would say, said by calls.
use super::boundary::Boundary;
use super::parameter::Parameter;
use super::physics::{Physics, Plane, Value};
use super::sections::TimeSection;
use super::spelling::did_you_mean;
use super::value::{Coefficient, Essential, Names, Property, Scalar, Tensor};
use super::whole::Deck;
use crate::{Diagnostic, Error, Result};
use indexmap::IndexMap;
use tessera_kernels::model::{Input, Kind, Missing, Model};

/// What a program says of a model, by the keys of decks (`docs/reference/deck.md`). Slips are collected and reported by what
/// ends it, all at once. `T` is what it is said for: nothing yet, or the space of a
/// [`Problem`](crate::physics::Problem::builder).
pub struct PhysicsBuilder<T = ()> {
    physics: Physics,
    parameters: IndexMap<String, Parameter>,
    time: Option<TimeSection>,
    faults: Vec<Diagnostic>,
    target: T,
}

/// The value of an input or a condition: a number or formula, a list of them, or whatever else a deck may say.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A number or formula.
    One(Scalar),
    /// One entry a dimension or component.
    List(Vec<Scalar>),
    /// Anything else.
    Other(Value),
}

impl<S: Into<Scalar>> From<S> for Entry {
    fn from(scalar: S) -> Self {
        Self::One(scalar.into())
    }
}

impl<S: Into<Scalar>, const N: usize> From<[S; N]> for Entry {
    fn from(list: [S; N]) -> Self {
        Self::List(list.into_iter().map(Into::into).collect())
    }
}

impl From<Value> for Entry {
    fn from(value: Value) -> Self {
        Self::Other(value)
    }
}

impl From<Coefficient> for Entry {
    fn from(coefficient: Coefficient) -> Self {
        Self::Other(Value::Coefficient(coefficient))
    }
}

impl Entry {
    /// As the value of an input; `None` where that cannot be such a one.
    fn value(self, input: &Input) -> Option<Value> {
        match (&input.kind, self) {
            (Kind::Coefficient | Kind::Tensor, Self::One(scalar)) => {
                Some(Value::Coefficient(Coefficient::Uniform(Tensor::Isotropic(scalar))))
            }
            (Kind::Tensor, Self::List(list)) => {
                Some(Value::Coefficient(Coefficient::Uniform(Tensor::Diagonal(list))))
            }
            (Kind::Scalar, Self::One(scalar)) => Some(Value::Scalar(scalar)),
            (Kind::Property, Self::One(scalar)) => Some(Value::Property(Property::Scalar(scalar))),
            (Kind::Vector, Self::List(list)) => Some(Value::Vector(list)),
            (Kind::Table(inputs, _), Self::List(list)) => {
                (list.len() == inputs.len()).then_some(Value::Table(list))
            }
            (kind, Self::Other(value)) => {
                let fits = matches!(
                    (kind, &value),
                    (Kind::Coefficient | Kind::Tensor, Value::Coefficient(_))
                        | (Kind::Scalar, Value::Scalar(_))
                        | (Kind::Vector, Value::Vector(_))
                        | (Kind::Property, Value::Property(_))
                        | (Kind::Table(..), Value::Table(_))
                        | (Kind::Rotation, Value::Rotation(_))
                );
                fits.then_some(value)
            }
            _ => None,
        }
    }
}

impl Physics {
    /// Begins to say what there is to say of a model, be it one of [`MODELS`](tessera_kernels::MODELS) or a program's own.
    pub fn builder(model: &'static Model) -> PhysicsBuilder {
        PhysicsBuilder {
            physics: Self::plain(model),
            parameters: IndexMap::new(),
            time: None,
            faults: Vec::new(),
            target: (),
        }
    }
}

impl<T> PhysicsBuilder<T> {
    /// Says it for something else.
    pub(crate) fn on<U>(self, target: U) -> PhysicsBuilder<U> {
        let Self { physics, parameters, time, faults, .. } = self;
        PhysicsBuilder { physics, parameters, time, faults, target }
    }

    /// Its name, which is the prefix of its PETSc options, too.
    pub fn named(mut self, name: &str) -> Self {
        self.physics.name = name.into();
        self
    }

    /// Name and unit of the solution.
    pub fn field(mut self, name: &str, unit: &str) -> Self {
        (self.physics.field, self.physics.unit) = (name.into(), unit.into());
        self
    }

    /// Polynomial degree of the elements.
    pub fn degree(mut self, degree: usize) -> Self {
        let known = &self.physics.model.degree;
        if !(known.least..=known.most).contains(&degree) {
            self.fault("degree", format!("expected {} to {}, found {degree}", known.least, known.most));
        }
        self.physics.degree = degree;
        self
    }

    /// What a mesh in two dimensions stands for.
    pub fn plane(mut self, plane: Plane) -> Self {
        self.physics.plane = Some(plane);
        self
    }

    /// A number that formulas may use, with its value in a single run. Those of a
    /// [`Context`](crate::physics::Context) stand in the order of these calls.
    pub fn parameter(self, name: &str, default: f64) -> Self {
        self.parameter_of(name, default, None)
    }

    /// A parameter that campaigns vary between a least and a greatest value.
    pub fn varied(self, name: &str, default: f64, range: [f64; 2]) -> Self {
        self.parameter_of(name, default, Some(range))
    }

    fn parameter_of(mut self, name: &str, default: f64, range: Option<[f64; 2]>) -> Self {
        let (distribution, choices, unit, meaning) = Default::default();
        let parameter = Parameter { default, range, distribution, choices, unit, meaning };
        self.parameters.insert(name.into(), parameter);
        self
    }

    /// It evolves, or depends on a time that passes.
    pub fn in_time(mut self, time: TimeSection) -> Self {
        self.time = Some(time);
        self
    }

    /// An input of the model, by its key: a number, a formula such as `"1 + x^2"`, a list of them, or a [`Value`].
    pub fn input(mut self, key: &str, value: impl Into<Entry>) -> Self {
        let inputs = self.physics.model.inputs;
        let Some(place) = inputs.iter().position(|input| input.key == key) else {
            let known: Vec<&str> = inputs.iter().map(|input| input.key).collect();
            let hint = did_you_mean(key, &known, "inputs");
            self.fault(key, format!("no input of {}{hint}", self.physics.model.name));
            return self;
        };
        match value.into().value(&inputs[place]) {
            Some(value) => self.physics.values[place] = Some(value),
            None => self.fault(key, "it takes no such value"),
        }
        self
    }

    /// Prescribes the solution on facets with these markers: one value for all components, or a list with one entry a
    /// component, [`FREE`](super::FREE) for those that are not prescribed.
    pub fn value(self, markers: impl Into<Names>, value: impl Into<Entry>) -> Self {
        self.condition(markers, "value", value)
    }

    /// What flows in through facets with these markers.
    pub fn flux(self, markers: impl Into<Names>, flux: impl Into<Entry>) -> Self {
        self.condition(markers, "flux", flux)
    }

    /// An exchange with surroundings, `coefficient * (ambient - u)` into the body.
    pub fn exchange(
        self,
        markers: impl Into<Names>,
        coefficient: impl Into<Scalar>,
        ambient: impl Into<Scalar>,
    ) -> Self {
        self.boundary(Boundary {
            marker: Some(markers.into()),
            coefficient: Some(coefficient.into()),
            ambient: Some(ambient.into()),
            ..Boundary::default()
        })
    }

    /// A condition by its key on facets with these markers.
    pub fn condition(mut self, markers: impl Into<Names>, key: &str, value: impl Into<Entry>) -> Self {
        let mut boundary = Boundary { marker: Some(markers.into()), ..Boundary::default() };
        match boundary.set(key, value.into()) {
            Ok(()) => self.boundary(boundary),
            Err(message) => {
                self.fault(&format!("boundary[{}].{key}", self.physics.boundary.len()), message);
                self
            }
        }
    }

    /// A condition as a deck has it.
    pub fn boundary(mut self, boundary: Boundary) -> Self {
        self.physics.boundary.push(boundary);
        self
    }

    pub(crate) fn fault(&mut self, key: &str, message: impl Into<String>) {
        let key = format!("physics.{}.{key}", self.physics.name);
        self.faults.push(Diagnostic { key, message: message.into(), ..Diagnostic::default() });
    }

    /// A deck of this physics alone, and what it was said for.
    pub(crate) fn finish(self) -> Result<(Deck, T)> {
        let Self { physics, parameters, time, faults, target } = self;
        Ok((checked(parameters, vec![physics], time, faults)?, target))
    }
}

impl Deck {
    /// A deck of physics that are solved in this order, with the parameters of all of them, the time of the first that has
    /// one, and no mesh: for [`Simulation::on_mesh`](crate::simulation::Simulation::on_mesh). The other sections have their
    /// defaults, and may be set.
    ///
    /// # Errors
    /// [`Error::Input`] with every slip found.
    pub fn of(physics: impl IntoIterator<Item = PhysicsBuilder>) -> Result<Self> {
        let (mut parameters, mut list, mut faults) = (IndexMap::new(), Vec::new(), Vec::new());
        let mut time = None;
        for said in physics {
            parameters.extend(said.parameters);
            list.push(said.physics);
            time = time.or(said.time);
            faults.extend(said.faults);
        }
        checked(parameters, list, time, faults)
    }
}

fn checked(
    parameters: IndexMap<String, Parameter>,
    physics: Vec<Physics>,
    time: Option<TimeSection>,
    mut faults: Vec<Diagnostic>,
) -> Result<Deck> {
    for physics in &physics {
        let missing = physics.model.inputs.iter().zip(&physics.values);
        for (input, _) in
            missing.filter(|(input, value)| input.default == Missing::Required && value.is_none())
        {
            let (key, message) = (format!("physics.{}", physics.name), format!("missing `{}`", input.key));
            faults.push(Diagnostic { key, message, ..Diagnostic::default() });
        }
    }
    let mut deck = Deck::of_physics(parameters, physics);
    deck.time = time;
    match (deck.validate_physics(), faults.is_empty()) {
        (Ok(()), true) => Ok(deck),
        (Err(Error::Input(more)), _) => Err(Error::Input(faults.into_iter().chain(more).collect())),
        (Err(error), _) => Err(error),
        (Ok(()), false) => Err(Error::Input(faults)),
    }
}

impl Boundary {
    /// Sets a condition by its key.
    fn set(&mut self, key: &str, value: Entry) -> std::result::Result<(), String> {
        const KEYS: [&str; 10] = [
            "value",
            "flux",
            "coefficient",
            "ambient",
            "emissivity",
            "pressure",
            "foundation",
            "absorbing",
            "traction",
            "incoming",
        ];
        let scalar = match key {
            "flux" => Some(&mut self.flux),
            "coefficient" => Some(&mut self.coefficient),
            "ambient" => Some(&mut self.ambient),
            "emissivity" => Some(&mut self.emissivity),
            "pressure" => Some(&mut self.pressure),
            "foundation" => Some(&mut self.foundation),
            "absorbing" => Some(&mut self.absorbing),
            _ => None,
        };
        let list = match key {
            "traction" => Some(&mut self.traction),
            "incoming" => Some(&mut self.incoming),
            _ => None,
        };
        match (key, value, scalar, list) {
            ("value", Entry::One(one), ..) => self.value = Some(Essential::Uniform(one)),
            ("value", Entry::List(list), ..) => self.value = Some(Essential::Components(list)),
            (_, Entry::One(one), Some(slot), _) => *slot = Some(one),
            (_, Entry::List(list), _, Some(slot)) => *slot = Some(list),
            (_, _, None, None) if key != "value" => {
                return Err(format!("no condition{}", did_you_mean(key, &KEYS, "conditions")));
            }
            _ => return Err("it takes no such value".into()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_kernels::models::{diffusion, elasticity};

    #[test]
    fn what_a_program_says_is_what_a_deck_says() {
        let text = "[mesh]\nbox = { cell = \"triangle\", cells = [2, 2] }\n[parameters]\nk = 2.0\n\
            [[physics]]\nmodel = \"diffusion\"\nconductivity = \"1 + k*x\"\nsource = 3.0\n\
            [[physics.boundary]]\nmarker = \"left\"\nvalue = 1.0\n\
            [[physics.boundary]]\nmarker = [\"top\", \"bottom\"]\nflux = \"y\"\n\
            [[physics.boundary]]\nmarker = \"right\"\ncoefficient = 5.0\nambient = 2.0\n";
        let read = Deck::parse(text, "test.toml", &[]).unwrap();
        let said = Physics::builder(&diffusion::MODEL)
            .parameter("k", 2.0)
            .input("conductivity", "1 + k*x")
            .input("source", 3.0)
            .value("left", 1.0)
            .flux(["top", "bottom"], "y")
            .exchange("right", 5.0, 2.0);
        let built = Deck::of([said]).unwrap();
        assert_eq!(built.parameters, read.parameters);
        let text = |deck: &Deck| toml::to_string(&deck.physics[0]).unwrap();
        assert_eq!(text(&built), text(&read));
    }

    #[test]
    fn what_evolves_says_so() {
        let heat = || Physics::builder(&diffusion::MODEL).input("capacity", 2.0).value("left", "t");
        let error = Deck::of([heat()]).expect_err("no time").to_string();
        assert!(
            error.contains("capacity: only a run with [time]") && error.contains("t means nothing"),
            "{error}"
        );
        let deck = Deck::of([heat().in_time(TimeSection::until(1.0, 0.1))]).unwrap();
        assert_eq!(deck.time.unwrap().frames(2), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn all_slips_are_reported_at_once() {
        let heat = Physics::builder(&diffusion::MODEL)
            .named("heat")
            .input("conductivty", 2.0)
            .input("source", "1 + q")
            .value("left", 0.0)
            .condition("right", "flx", 1.0);
        let block = Physics::builder(&elasticity::MODEL)
            .input("young", -1.0)
            .input("body_force", 9.81)
            .condition("left", "value", [0.0, 0.0])
            .flux("right", 1.0);
        let error = Deck::of([heat, block]).expect_err("slips").to_string();
        for part in [
            "physics.heat.conductivty: no input of diffusion; did you mean \"conductivity\"?",
            "physics.elasticity: missing `poisson`",
            "physics.heat.boundary[1].flx: no condition; did you mean \"flux\"?",
            "physics[0].source",
            "physics[1].young: expected a positive number, found -1",
            "physics.elasticity.body_force: it takes no such value",
            "physics[1].boundary[1].flux: no condition of elasticity",
        ] {
            assert!(error.contains(part), "{part} not in\n{error}");
        }
    }
}
