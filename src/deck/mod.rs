//! What a user may ask for: the input file, its defaults and its validation.
//!
//! A deck is TOML, or comes from a program ([`Physics::builder`], [`Deck::of`]). Reading goes in three steps, each of which reports all its faults at once, with
//! file, line, column, dotted key and the nearest valid spelling: the text becomes a tree that
//! remembers positions, the tree is checked against the JSON schema of [`Deck`] (unknown keys,
//! missing ones, types, ranges), and what the schema cannot say is checked on the typed deck
//! (expressions, references, physical signs). The markers are checked once the mesh is there.
mod boundary;
mod builder;
mod constraint;
mod distribution;
mod document;
mod expression;
mod network;
mod parameter;
mod physics;
mod physics_schema;
mod random;
mod read;
mod recycle;
mod reference;
mod schema;
mod sections;
mod spelling;
mod validate;
mod value;
mod whole;

pub use boundary::Boundary;
pub use builder::{Entry, PhysicsBuilder};
pub use constraint::{ConstraintLevel, ConstraintSection, KnownQuantity, LeastSquares, Norm, Ports};
pub use distribution::Distribution;
pub use expression::{COORDINATES, Expression, ExpressionError};
pub use network::{ExpertsSection, NetworkSection, NetworkTime};
pub use parameter::{Choices, Parameter};
pub use physics::{Physics, Plane, Rotation, Value};
pub use random::{Correlation, Matern, RandomField, Spectral, correlation_factor};
pub use recycle::{RecycleKind, RecycleOptions};
pub use reference::reference;
pub use schema::schema;
pub use sections::*;
pub use spelling::{did_you_mean, either, nearest};
pub use value::{
    Coefficient, Essential, FREE, FileField, InitialValue, Names, PhysicsField, Property, PropertyTable,
    Reading, Scalar, ScalarOrVector, Tensor,
};
pub use whole::Deck;
