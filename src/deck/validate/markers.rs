//! Markers of the deck against those of the mesh.
use super::super::spelling::did_you_mean;
use super::checker::{Checker, each_name};
use crate::Result;
use crate::deck::expression::COORDINATES;
use crate::deck::value::Coefficient;
use crate::deck::whole::Deck;
use crate::mesh::SIDES;

impl Deck {
    /// Checks every marker and region of the deck against the names that the mesh has; `source` is
    /// the mesh for the message.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) with every fault and the nearest names.
    pub fn validate_markers(&self, regions: &[String], facets: &[String], source: &str) -> Result<()> {
        let mut checker = Checker::new(self);
        let regions: Vec<&str> = regions.iter().map(String::as_str).collect();
        let facets: Vec<&str> = facets.iter().map(String::as_str).collect();
        for (p, physics) in self.physics.iter().enumerate() {
            for (b, boundary) in physics.boundary().iter().enumerate() {
                let key = format!("physics[{p}].boundary[{b}].marker");
                for (key, name) in boundary.marker.iter().flat_map(|names| each_name(&key, names)) {
                    if let Some(axis) = self.periodic_side(name) {
                        checker.add(&key, periodic(name, axis));
                    } else if !facets.contains(&name) {
                        let hint = did_you_mean(name, &facets, "markers");
                        checker.add(&key, format!("no facet marker \"{name}\" in {source}{hint}"));
                    }
                }
            }
            for (name, coefficient) in physics.coefficients() {
                checker.regions(&format!("physics[{p}].{name}"), coefficient, &regions, source);
            }
        }
        let all: Vec<&str> = regions.iter().chain(&facets).copied().collect();
        for (q, quantity) in self.quantity.iter().enumerate() {
            use crate::deck::sections::QuantityKind as K;
            let on_facets = matches!(quantity.kind, K::Flux | K::Reaction);
            let (known, what) =
                if on_facets { (&facets, "facet marker") } else { (&all, "region or facet marker") };
            let key = format!("quantity[{q}].marker");
            for (key, name) in quantity.marker.iter().flat_map(|names| each_name(&key, names)) {
                if let Some(axis) = self.periodic_side(name) {
                    checker.add(&key, periodic(name, axis));
                } else if !known.contains(&name) {
                    let hint = did_you_mean(name, known, "markers");
                    checker.add(&key, format!("no {what} \"{name}\" in {source}{hint}"));
                }
            }
        }
        checker.finish()
    }

    /// The axis at whose ends a side of the deck's box would be, if the box is periodic along it.
    fn periodic_side(&self, name: &str) -> Option<&'static str> {
        let d = SIDES.iter().position(|&side| side == name)? / 2;
        self.mesh.block.as_ref().filter(|block| block.is_periodic()[d]).map(|_| COORDINATES[d])
    }
}

fn periodic(name: &str, axis: &str) -> String {
    format!("the box is periodic along {axis} (mesh.box.periodic), so \"{name}\" is no boundary")
}

impl Checker<'_> {
    /// A table by region names regions of the mesh, and all of them unless it has a `default`.
    fn regions(&mut self, key: &str, coefficient: &Coefficient, regions: &[&str], source: &str) {
        let Coefficient::Regions(table) = coefficient else { return };
        for name in table.keys().filter(|name| *name != "default" && !regions.contains(&name.as_str())) {
            let hint = did_you_mean(name, regions, "regions");
            self.add(&format!("{key}.{name}"), format!("no region \"{name}\" in {source}{hint}"));
        }
        let without: Vec<&str> = regions.iter().copied().filter(|name| !table.contains_key(*name)).collect();
        if !without.is_empty() && !table.contains_key("default") {
            self.add(
                key,
                format!("no value for the regions {} of {source}, and no `default`", without.join(", ")),
            );
        }
    }
}
