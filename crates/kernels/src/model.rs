//! What a model is to decks, files and solvers, beside its forms: plain data, from which the parser of decks, their schema
//! and reference, validation, the checks of signs, boundary conditions, derived fields and the choice of solvers follow.
use crate::forms::Forms;

/// A model. Every one stands once in [`MODELS`](crate::models::MODELS).
pub struct Model {
    /// As decks write it.
    pub name: &'static str,
    /// Its equation, in a sentence.
    pub about: &'static str,
    /// Name of the solution where a deck gives none.
    pub field: &'static str,
    /// Unit of the solution where a deck gives none.
    pub unit: &'static str,
    /// Polynomial degrees of the elements.
    pub degree: Degree,
    /// Fewest dimensions of a mesh.
    pub least_dimension: usize,
    /// Unknowns at a node, by dimension.
    pub components: fn(usize) -> usize,
    /// Whether it evolves.
    pub time: Time,
    /// Material data and loads in the volume, in the order of the reference.
    pub inputs: &'static [Input],
    /// Inputs of which exactly one is given; none where the choice is free.
    pub one_of: &'static [&'static str],
    /// What a mesh in two dimensions may stand for; none where that is a plane section alone.
    pub planes: Option<Planes>,
    /// Keys of the conditions that a boundary may have.
    pub conditions: &'static [&'static str],
    /// What a boundary without a condition is.
    pub boundary: &'static str,
    /// Fields that follow from the solution.
    pub derived: &'static [Derived],
    /// The forms and their coefficients, by what a deck chooses.
    pub law: fn(&Choice) -> Law,
    /// With what tests try them: every law, every input.
    pub trials: &'static [Trial],
}

/// What a deck says in a test of tangents, derivatives and balances. `a` is a parameter, about 1, and `VECTOR` stands for
/// one entry a dimension.
pub struct Trial {
    /// Keys of the physics.
    pub inputs: &'static str,
    /// Keys of a natural condition.
    pub boundary: &'static str,
    /// Whether it is in time.
    pub in_time: bool,
    /// Size of the solution.
    pub size: f64,
}

impl Trial {
    /// One of a steady problem.
    pub const fn steady(inputs: &'static str, boundary: &'static str) -> Self {
        Self { inputs, boundary, in_time: false, size: 1.0 }
    }

    /// One in time.
    pub const fn in_time(inputs: &'static str, boundary: &'static str) -> Self {
        Self { inputs, boundary, in_time: true, size: 1.0 }
    }
}

/// Polynomial degrees.
pub struct Degree {
    /// The least.
    pub least: usize,
    /// The greatest.
    pub most: usize,
    /// Where a deck gives none.
    pub default: usize,
    /// What it is the degree of.
    pub about: &'static str,
}

impl Degree {
    /// Of all elements there are.
    pub const fn any(default: usize) -> Self {
        Self { least: 1, most: 2, default, about: "Polynomial degree of the elements." }
    }

    /// One alone.
    pub const fn only(degree: usize) -> Self {
        Self { least: degree, most: degree, ..Self::any(degree) }
    }
}

/// Whether a model evolves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// It has no place in a run in time.
    Never,
    /// At every time it is in equilibrium: in a run in time it is solved after each step.
    Equilibrium,
    /// It has a time derivative, and a steady state to solve for.
    Optional,
    /// It has no steady state to solve for.
    Always,
}

/// What a two-dimensional mesh may stand for.
pub struct Planes {
    /// What the key means.
    pub about: &'static str,
    /// Words of decks: "strain", "stress", "axisymmetric".
    pub known: &'static [&'static str],
    /// What is said to whoever chooses another one.
    pub others: &'static str,
}

/// What the value of an input may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Any finite number.
    Any,
    /// Zero or more.
    NotNegative,
    /// More than zero.
    Positive,
    /// More than zero and less than one.
    Fraction,
    /// One or more.
    AtLeastOne,
    /// Zero or more and at most one.
    Emissivity,
    /// Above -1 and below 1/2.
    Poisson,
}

impl Sign {
    /// Whether a value is allowed.
    pub fn holds(self, value: f64) -> bool {
        value.is_finite()
            && match self {
                Self::Any => true,
                Self::NotNegative => value >= 0.0,
                Self::Positive => value > 0.0,
                Self::Fraction => value > 0.0 && value < 1.0,
                Self::AtLeastOne => value >= 1.0,
                Self::Emissivity => (0.0..=1.0).contains(&value),
                Self::Poisson => value > -1.0 && value < 0.5,
            }
    }

    /// What it allows, after "expected".
    pub fn words(self) -> &'static str {
        match self {
            Self::Any => "a finite number",
            Self::NotNegative => "no negative number",
            Self::Positive => "a positive number",
            Self::Fraction => "a number between 0 and 1",
            Self::AtLeastOne => "a number from 1 on",
            Self::Emissivity => "a number from 0 to 1",
            Self::Poisson => "a Poisson's ratio above -1 and below 0.5",
        }
    }
}

/// What a deck may write for an input.
pub enum Kind {
    /// A number, a formula, a table by region, a file or another physics' field.
    Coefficient,
    /// The same, or a tensor. In formulas its entries are `key_xx`, `key_xy` and so on where it is one.
    Tensor,
    /// A number or a formula.
    Scalar,
    /// One entry a dimension; in formulas `key_1`, `key_2`, `key_3`.
    Vector,
    /// A number, a formula or a table over the temperature, which is the input of that name.
    Property,
    /// Scalars in a table of their own, `key.name`, with what that table is; in formulas `key_name`.
    Table(&'static [Input], &'static str),
    /// An axis, a point on it and an angular speed; in formulas `key_1` and so on: the acceleration away from the axis.
    Rotation,
}

/// What an input is where a deck leaves it out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Missing {
    /// It may not be left out.
    Required,
    /// This number, as if the deck had given it.
    Value(f64),
    /// Nothing; formulas read this number.
    Absent(f64),
}

/// Material data or a load in the volume.
pub struct Input {
    /// The deck's key.
    pub key: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Unit; empty where it has none or any.
    pub unit: &'static str,
    /// What a deck may write.
    pub kind: Kind,
    /// What it may be.
    pub sign: Sign,
    /// Where a deck leaves it out.
    pub default: Missing,
    /// Whether only runs in time have it.
    pub in_time: bool,
    /// Whether it may depend on the solution itself. Formulas then know `key_slope`, its derivative, and `key_integral`,
    /// its integral from zero.
    pub of_solution: bool,
    /// Another input that it makes no sense without, and why.
    pub needs: Option<(&'static str, &'static str)>,
    /// A default that is right without units only: its value with the unit, and what to give.
    pub doubtful: Option<(&'static str, &'static str)>,
}

impl Input {
    /// An input of some kind that may not be left out.
    pub const fn new(key: &'static str, kind: Kind, unit: &'static str, about: &'static str) -> Self {
        Self {
            key,
            about,
            unit,
            kind,
            sign: Sign::Any,
            default: Missing::Required,
            in_time: false,
            of_solution: false,
            needs: None,
            doubtful: None,
        }
    }

    /// A [`Kind::Coefficient`].
    pub const fn coefficient(key: &'static str, unit: &'static str, about: &'static str) -> Self {
        Self::new(key, Kind::Coefficient, unit, about)
    }

    /// What it may be.
    pub const fn with(self, sign: Sign) -> Self {
        Self { sign, ..self }
    }

    /// Its value where a deck leaves it out.
    pub const fn or(self, value: f64) -> Self {
        Self { default: Missing::Value(value), ..self }
    }

    /// It may be left out; formulas then read `value`.
    pub const fn optional(self, value: f64) -> Self {
        Self { default: Missing::Absent(value), ..self }
    }
}

/// A field that follows from the solution.
pub struct Derived {
    /// Name in decks and files.
    pub name: &'static str,
    /// Values at a node.
    pub components: Components,
    /// Unit in SI; empty where it follows from the solution's.
    pub unit: &'static str,
    /// Meaning, for file attributes.
    pub meaning: &'static str,
    /// From what.
    pub from: Origin,
}

/// Components of a derived field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Components {
    /// One.
    Scalar,
    /// One a dimension.
    Vector,
    /// One in two dimensions, three in three: an axial vector.
    Axial,
    /// The six entries of a symmetric tensor: xx, xy, xz, yy, yz, zz.
    Tensor,
}

impl Components {
    /// Their number.
    pub fn count(self, dimension: usize) -> usize {
        match self {
            Self::Scalar => 1,
            Self::Vector => dimension,
            Self::Axial if dimension == 2 => 1,
            Self::Axial => 3,
            Self::Tensor => 6,
        }
    }

    /// Their names; none for a scalar.
    pub fn names(self, dimension: usize) -> &'static [&'static str] {
        match self {
            Self::Tensor => &["xx", "xy", "xz", "yy", "yz", "zz"],
            Self::Scalar => &[],
            Self::Axial if dimension == 2 => &[],
            _ => &["x", "y", "z"][..dimension],
        }
    }
}

/// What a derived field follows from.
#[derive(Clone, Copy)]
pub enum Origin {
    /// Values and gradients of the solution at a point.
    Point(fn(&Local, &mut [f64])),
    /// The internal variables from this one on.
    History(usize),
    /// Von Mises' equivalent of the averaged field of that name.
    VonMises(&'static str),
    /// The solution's component after the last dimension.
    Component,
}

/// A solution at a point, beside the coefficients there.
pub struct Local<'a> {
    /// Of space.
    pub dimension: usize,
    /// The law's coefficients in the volume, then its further ones.
    pub k: &'a dyn Fn(usize) -> f64,
    /// `[component]`.
    pub value: &'a [f64],
    /// `[component][coordinate]`, 1/m.
    pub gradient: &'a [[f64; 3]],
    /// Whether a [`Kind::Tensor`] is one.
    pub tensor: bool,
    /// What a two-dimensional mesh stands for, if the deck says so.
    pub plane: Option<&'a str>,
    /// Distance from the axis of a body of revolution, m.
    pub radius: Option<f64>,
    /// Stress that internal variables hold there, if the model has any, Pa.
    pub stress: &'a [f64; 6],
}

impl Local<'_> {
    /// The derivative of component `i` along a direction.
    pub fn along(&self, i: usize, n: &[f64; 3]) -> f64 {
        (0..self.dimension).map(|d| self.gradient[i][d] * n[d]).sum()
    }
}

/// What a flux of the form gives through a surface with this normal into the domain, by component, as the weak form has
/// it: `K grad u . n`, or `sigma n`.
pub type Conormal = fn(&Local, &[f64; 3], &mut [f64]);

/// What an artificial boundary stands for: the rest of the domain, which lies behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outside {
    /// Wave number along the boundary for which the condition is to be right, 1/m.
    pub wave: f64,
    /// Factor of what is stored beside that of the rest of the form, such as 1 over a time step, 1/s.
    pub rate: f64,
}

/// A condition that stands for what lies behind an artificial boundary with this outward normal, in optimised Schwarz
/// methods: `conormal + T u = g` with `T`, `[component of the equation, component of u]`, in the signs of the weak form.
pub type Interface = fn(&Local, &[f64; 3], &Outside, &mut [f64]);

/// What a deck chooses among a model's laws.
pub struct Choice<'a> {
    /// Of the mesh.
    pub dimension: usize,
    /// What a two-dimensional mesh stands for, if the deck says so.
    pub plane: Option<&'a str>,
    /// Whether the run is one in time.
    pub in_time: bool,
    /// Whether a [`Kind::Tensor`] is one.
    pub tensor: bool,
    /// Whether an input depends on the solution.
    pub of_solution: bool,
    /// Whether a boundary radiates.
    pub radiates: bool,
    /// Whether the deck gives an input.
    pub given: &'a dyn Fn(&str) -> bool,
}

impl Choice<'_> {
    /// A steady problem in three dimensions with numbers for all that it has.
    pub const PLAIN: Choice<'static> = Choice {
        dimension: 3,
        plane: None,
        in_time: false,
        tensor: false,
        of_solution: false,
        radiates: false,
        given: &|_| true,
    };

    /// Whether the mesh is the section of a body of revolution.
    pub fn is_axisymmetric(&self) -> bool {
        self.dimension == 2 && self.plane == Some("axisymmetric")
    }
}

/// What a coefficient does in its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Part of the load: independent of the solution.
    Load,
    /// Factor of derivatives of the solution, or anything else that does not hold it.
    Stiffness,
    /// Holds the level of the field, or a body along the normal.
    Holds,
}

/// One coefficient of a form.
pub struct Coefficient {
    /// The deck's key, for messages.
    pub key: &'static str,
    /// From the inputs: names, numbers, operators and functions as in decks.
    pub formula: String,
    /// What it may be.
    pub sign: Sign,
    /// What it does.
    pub role: Role,
}

impl Coefficient {
    /// An input as it is.
    pub fn new(key: &'static str, sign: Sign, role: Role) -> Self {
        Self::of(key, key, sign, role)
    }

    /// A formula.
    pub fn of(key: &'static str, formula: impl Into<String>, sign: Sign, role: Role) -> Self {
        Self { key, formula: formula.into(), sign, role }
    }

    /// The components of a vector.
    pub fn vector(key: &'static str, dimension: usize, role: Role) -> impl Iterator<Item = Self> {
        (1..=dimension).map(move |d| Self::of(key, format!("{key}_{d}"), Sign::Any, role))
    }
}

/// A form of the volume, one of the boundary, and what they read.
pub struct Law {
    /// The kernels.
    pub forms: &'static Forms,
    /// Coefficients of the volume's form, in its order, of the inputs.
    pub coefficients: Vec<Coefficient>,
    /// So many of them are read by derived fields.
    pub local: usize,
    /// Further formulas that derived fields read.
    pub further: Vec<&'static str>,
    /// Coefficients of the boundary's form, in its order, of the boundary's keys; the components of a list are `key_1` and
    /// so on.
    pub surface: Vec<Coefficient>,
    /// Inputs of the volume that act on a boundary on which not all of a flow is given; their names may stand in
    /// `surface`.
    pub open: &'static [&'static str],
    /// What solvers and supports have to know.
    pub facts: Facts,
    /// What flows through a surface.
    pub conormal: Conormal,
    /// Density of the stored energy of a linear system, where that is not half of what its bilinear form gives.
    pub energy: Option<fn(&Local) -> f64>,
    /// What stands for the other subdomains of a Schwarz method, if that is known.
    pub interface: Option<Interface>,
}

impl Law {
    /// Of forms without coefficients, of an [elliptic](Facts::ELLIPTIC) equation.
    pub fn new(forms: &'static Forms, conormal: Conormal) -> Self {
        let (coefficients, surface, facts) = (Vec::new(), Vec::new(), Facts::ELLIPTIC);
        Self {
            forms,
            coefficients,
            local: 0,
            further: Vec::new(),
            surface,
            open: &[],
            facts,
            conormal,
            energy: None,
            interface: None,
        }
    }
}

/// What solvers and supports have to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Whether the tangent is symmetric and positive definite.
    pub symmetric: bool,
    /// Whether the form is linear in the state.
    pub linear: bool,
    /// Whether quadrature is at the vertices, for a monotone scheme of degree 1.
    pub lumped: bool,
    /// Whether products of three functions are integrated.
    pub cubic: bool,
    /// What it leaves alone.
    pub motions: Motions,
    /// Whether the components are real and imaginary part.
    pub complex: bool,
    /// Whether the last component is a pressure, of degree 1, which makes the tangent that of a saddle point.
    pub pressure: bool,
}

/// Motions that cost a material no energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motions {
    /// A constant for each component.
    Constants,
    /// Those of a rigid body.
    Rigid,
    /// A constant velocity.
    Velocity,
}

impl Facts {
    /// Of a linear equation with a symmetric, positive definite tangent.
    pub const ELLIPTIC: Self = Self {
        symmetric: true,
        linear: true,
        lumped: false,
        cubic: false,
        motions: Motions::Constants,
        complex: false,
        pressure: false,
    };

    /// Whether the form is linear and its tangent symmetric.
    pub fn is_symmetric_linear(&self) -> bool {
        self.symmetric && self.linear
    }

    /// Whether component `i` has degree 1 on elements of any degree.
    pub fn is_linear_component(&self, i: usize, dimension: usize) -> bool {
        self.pressure && i == dimension
    }

    /// Degree of quadrature that integrates the form's products exactly for elements of degree `p`.
    pub fn quadrature_degree(&self, p: usize) -> usize {
        if self.cubic { 3 * p - 1 } else { 2 * p }
    }
}

impl std::fmt::Debug for Derived {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}
