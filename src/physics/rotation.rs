//! Bodies that turn.
use super::build::{Builder, pad};
use super::coefficient::Source;
use crate::Result;
use crate::deck::{COORDINATES, Plane, Rotation, Scalar};

impl Builder<'_> {
    /// Component `d` of the acceleration away from the axis, `omega^2 r`, with r the vector from the axis.
    pub(super) fn rotation(&self, rotation: &Rotation, d: usize) -> Result<Source> {
        let axis = unit(&rotation.axis, self.physics.plane() == Some(Plane::Axisymmetric));
        let origin = pad(&rotation.origin);
        let from = |i: usize| match origin[i] {
            0.0 => COORDINATES[i].to_string(),
            origin => format!("({} - ({origin:e}))", COORDINATES[i]),
        };
        let along = |i: usize| (axis[i] != 0.0).then(|| format!("{}*({:e})", from(i), axis[i]));
        let along: Vec<String> = (0..3).filter_map(along).collect();
        let speed = match &rotation.speed {
            Scalar::Number(value) => format!("{value:e}"),
            Scalar::Expression(text) => text.clone(),
        };
        let text = match axis[d] {
            0.0 => format!("({speed})^2*{}", from(d)),
            // Along the axis there is none.
            part if part.abs() == 1.0 => "0".into(),
            part => format!("({speed})^2*({} - ({})*({part:e}))", from(d), along.join(" + ")),
        };
        self.scalar(&Scalar::Expression(text))
    }
}

/// Unit vector of a rotation axis; an axisymmetric body turns around its second coordinate.
fn unit(axis: &[f64], axisymmetric: bool) -> [f64; 3] {
    if axisymmetric {
        return [0.0, 1.0, 0.0];
    }
    let axis = pad(axis);
    let length = axis.iter().map(|a| a * a).sum::<f64>().sqrt();
    axis.map(|a| a / length)
}
