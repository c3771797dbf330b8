//! What the schema cannot say: expressions, references between sections, physical signs.
mod checker;
mod known;
mod markers;
mod network;
mod notes;
mod physics;
mod random;
mod reduced;
mod results;
mod solver;
mod time;
mod tune;
