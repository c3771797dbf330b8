//! `[random]`.
use super::super::RandomField;
use super::Checker;

impl Checker<'_> {
    pub(super) fn random(&mut self) {
        let deck = self.deck;
        for (name, field) in &deck.random {
            let key = format!("random.{name}");
            self.variable(&key, name);
            if deck.parameters.contains_key(name) {
                self.add(&key, format!("the name \"{name}\" is taken by a parameter"));
            }
            if deck.physics.iter().any(|p| p.name() == name || p.field() == name) {
                self.add(&key, format!("the name \"{name}\" is taken by a physics"));
            }
            let RandomField::Spectral(spectral) = field else { continue };
            if deck.mesh.block.is_none() {
                self.add(&key, "a spectral field needs a box: give `mesh.box`, or the kind \"matern\"");
            }
            if spectral.tau == 0.0 && spectral.scale.is_none() {
                self.add(&format!("{key}.tau"), "with tau = 0 give `scale` as well");
            }
        }
    }

    /// What depends on the dimension of the mesh.
    pub(super) fn random_dimension(&mut self, dimension: usize) {
        for (name, field) in &self.deck.random {
            let key = format!("random.{name}");
            match field {
                RandomField::Matern(matern) if matern.solves(dimension).is_none() => {
                    let known: Vec<String> =
                        (1..=4).map(|n| (2.0 * f64::from(n) - 0.5 * dimension as f64).to_string()).collect();
                    let message = format!("in {dimension}D expected one of {}", known.join(", "));
                    self.add(&format!("{key}.smoothness"), message);
                }
                RandomField::Spectral(spectral) if spectral.alpha <= 0.5 * dimension as f64 => {
                    let message = format!(
                        "the variance is infinite: in {dimension}D expected more than {}",
                        0.5 * dimension as f64
                    );
                    self.add(&format!("{key}.alpha"), message);
                }
                _ => {}
            }
        }
    }
}
