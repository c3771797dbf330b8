//! `[random]`.
use super::super::spelling::did_you_mean;
use super::checker::Checker;
use crate::deck::random::{RandomField, correlation_factor};

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
            self.correlations(&key, name, field);
            let RandomField::Spectral(spectral) = field else { continue };
            if deck.mesh.block.is_none() {
                self.add(&key, "a spectral field needs a box: give `mesh.box`, or the kind \"matern\"");
            }
            if spectral.tau == 0.0 && spectral.scale.is_none() {
                self.add(&format!("{key}.tau"), "with tau = 0 give `scale` as well");
            }
        }
    }

    fn correlations(&mut self, key: &str, name: &str, field: &RandomField) {
        let random = &self.deck.random;
        for (other, correlation) in field.correlation() {
            let key = format!("{key}.correlation.{other}");
            let names: Vec<&str> = random.keys().map(String::as_str).filter(|n| *n != name).collect();
            let Some(second) = random.get(other).filter(|_| other != name) else {
                let hint = did_you_mean(other, &names, "random fields");
                self.add(&key, format!("no other random field \"{other}\"{hint}"));
                continue;
            };
            if second.correlation().get(name).is_some_and(|back| back != correlation) {
                let message = format!("random.{other}.correlation.{name} says otherwise");
                self.add(&key, message);
            }
            let alike = match (field, second) {
                (RandomField::Matern(a), RandomField::Matern(b)) => {
                    a.terms.is_some() == b.terms.is_some()
                        && (a.terms.is_none() || (a.range, a.smoothness) == (b.range, b.smoothness))
                }
                (RandomField::Spectral(_), RandomField::Spectral(_)) => true,
                _ => false,
            };
            if !alike {
                let message = "correlated fields have one `kind`, and Matern fields with `terms` one `range` and `smoothness`";
                self.add(&key, message);
            }
        }
        let number = random.get_index_of(name);
        if correlation_factor(random).err().is_some_and(|first| Some(first) == number) {
            let message = "contradicts the other correlations: their matrix is not positive definite";
            self.add(&format!("{key}.correlation"), message);
        }
    }

    /// What depends on the dimension of the mesh.
    pub(super) fn random_dimension(&mut self, dimension: usize) {
        for (name, field) in &self.deck.random {
            let key = format!("random.{name}");
            match field {
                RandomField::Matern(matern) => {
                    let greatest = 8.0 - 0.5 * dimension as f64;
                    if matern.smoothness.is_some_and(|nu| nu <= 0.0 || nu > greatest) {
                        let message = format!("in {dimension}D expected more than 0, at most {greatest}");
                        self.add(&format!("{key}.smoothness"), message);
                    }
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
