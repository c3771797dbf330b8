//! What a deck says about places, against where the mesh lies: points of quantities and the axis of revolution.
use crate::deck::{Deck, Physics, Plane};
use crate::fem::Space;
use crate::fem::locate::interpolation;
use crate::mesh::Mesh;
use crate::{Error, Result};

/// Radii below zero by less than this part of the mesh's extent are roundings of the mesh generator.
const ROUNDING: f64 = 1e-9;

/// Refuses a deck whose places do not fit its mesh, before anything is solved. Collective.
///
/// # Errors
/// [`Error::Input`] with the deck's keys.
pub(super) fn check(deck: &Deck, mesh: &Mesh, space: &Space) -> Result<()> {
    let [low, high] = bounds(mesh);
    let mut faults = below_axis(deck, [low[0], high[0]]);
    let points = deck.quantity.iter().enumerate().flat_map(|(i, quantity)| {
        [("point", &quantity.point), ("minus_point", &quantity.minus_point)]
            .into_iter()
            .filter_map(move |(name, point)| Some((format!("quantity[{i}].{name}"), point.as_ref()?)))
    });
    for (key, point) in points {
        let padded = std::array::from_fn(|d| point.get(d).copied().unwrap_or(0.0));
        if interpolation(space, &padded).is_none() {
            let (source, d) = (&mesh.source, mesh.dimension);
            let message = format!(
                "no cell of {source} holds the point {point:?}; the mesh lies between {:?} and {:?}",
                &low[..d],
                &high[..d]
            );
            faults.push(deck.fault(&key, message));
        }
    }
    // All ranks have found the same.
    let list: Vec<_> = faults
        .into_iter()
        .flat_map(|fault| match fault {
            Error::Input(list) => list,
            _ => Vec::new(),
        })
        .collect();
    if list.is_empty() { Ok(()) } else { Err(Error::Input(list)) }
}

/// Bodies of revolution of which a part lies beyond their axis.
fn below_axis(deck: &Deck, [low, high]: [f64; 2]) -> Vec<Error> {
    if low >= -ROUNDING * (high - low) {
        return Vec::new();
    }
    let axisymmetric = |physics: &Physics| physics.plane() == Some(Plane::Axisymmetric);
    let message = format!(
        "x is the radius of an axisymmetric body and must not be negative; the mesh lies between x = {low} and {high}"
    );
    let list = deck.physics.iter().enumerate().filter(|(_, physics)| axisymmetric(physics));
    list.map(|(p, _)| deck.fault(&format!("physics[{p}].plane"), message.clone())).collect()
}

/// Lowest and highest coordinates of the mesh. Collective.
fn bounds(mesh: &Mesh) -> [[f64; 3]; 2] {
    let along = |d: usize| mesh.coordinates.iter().skip(d).step_by(mesh.dimension).copied();
    let (mut low, mut high) = ([0.0; 3], [0.0; 3]);
    for d in 0..mesh.dimension {
        low[d] = mesh.comm.min(along(d).fold(f64::INFINITY, f64::min));
        high[d] = mesh.comm.max(along(d).fold(f64::NEG_INFINITY, f64::max));
    }
    [low, high]
}
