//! What models of solids share: loads, conditions on the boundary, stress.
use crate::model::{Choice, Coefficient, Input, Kind, Role, Sign};

/// Keys of the conditions.
pub const CONDITIONS: &[&str] = &["value", "traction", "pressure", "foundation"];
/// What a boundary without one is.
pub const FREE: &str = "Boundary conditions; a facet without one is free of traction.";
/// A force for each volume.
pub const BODY_FORCE: Input =
    Input::new("body_force", Kind::Vector, "N/m3", "Force for each volume, one entry a dimension.")
        .optional(0.0);
/// A centrifugal load.
pub const ROTATION: Input = Input {
    needs: Some(("density", "a centrifugal load needs the `density`")),
    ..Input::new("rotation", Kind::Rotation, "", "Centrifugal load.").optional(0.0)
};
/// Density, which only a centrifugal load needs.
pub const DENSITY: Input =
    Input::coefficient("density", "kg/m3", "Density, for rotation.").optional(0.0).with(Sign::NotNegative);

/// The components of what acts in the volume.
pub fn body_force(choice: &Choice) -> impl Iterator<Item = Coefficient> {
    let turns = (choice.given)("rotation");
    (1..=choice.dimension).map(move |d| {
        let formula = match turns {
            true => format!("body_force_{d} + density*rotation_{d}"),
            false => format!("body_force_{d}"),
        };
        Coefficient::of("body_force", formula, Sign::Any, Role::Load)
    })
}

/// Coefficients of the boundary forms of solids: pressure, foundation, traction.
pub fn surface(dimension: usize) -> Vec<Coefficient> {
    let mut list = vec![
        Coefficient::new("pressure", Sign::Any, Role::Load),
        Coefficient::new("foundation", Sign::NotNegative, Role::Holds),
    ];
    list.extend(Coefficient::vector("traction", dimension, Role::Load));
    list
}

/// The traction of a stress xx, xy, xz, yy, yz, zz on a surface.
pub fn traction(stress: &[f64; 6], n: &[f64; 3], result: &mut [f64]) {
    const ROW: [[usize; 3]; 3] = [[0, 1, 2], [1, 3, 4], [2, 4, 5]];
    for (value, row) in result.iter_mut().zip(ROW) {
        *value = (0..3).map(|j| stress[row[j]] * n[j]).sum();
    }
}
