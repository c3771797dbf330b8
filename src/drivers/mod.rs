//! One driver a subcommand: it strings the parts together and holds no numerics.
pub mod check;
pub mod schema;
