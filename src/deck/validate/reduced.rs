//! Of what a reduced model can be made.
use super::checker::Checker;
use crate::Result;
use crate::deck::Norm;
use crate::deck::physics::Physics;
use crate::deck::sections::ClusterCount;
use crate::deck::value::Coefficient;
use crate::deck::whole::Deck;
use std::collections::HashSet;
use tessera_kernels::model::Role;

/// Why a steady deck has no windows.
const NO_WINDOWS: &str = "windows are of the steps of problems in time: there is no section [time]";

impl Deck {
    /// Whether the deck says what a reduced model is to be.
    pub fn asks_for_reduced_model(&self) -> bool {
        self.says("rom")
    }

    /// Whether the deck's problems are of the kind that certified reduced models are for: steady and linear. Of others bases
    /// can be made.
    pub fn is_steady_and_linear(&self) -> bool {
        let linear = |physics: &Physics| physics.law(physics.model.least_dimension, false).facts.linear;
        self.time.is_none() && self.physics.iter().all(linear)
    }

    /// Refuses what has no bases.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) with every reason.
    pub fn validate_bases(&self) -> Result<()> {
        let mut checker = Checker::new(self);
        if self.rom.windows.is_some() && self.time.is_none() {
            checker.add("rom.windows", NO_WINDOWS);
        }
        if self.rom.clusters != ClusterCount::default() && self.rom.indicator_modes == 0 {
            checker.add("rom.clusters", "the indicator chooses among clusters: rom.indicator_modes is 0");
        }
        let flow = self.physics.iter().find(|physics| physics.has_pressure());
        if let (ClusterCount::Number(2..), Some(flow)) = (self.rom.clusters, flow) {
            let text = format!(
                "the indicator chooses among clusters, and the flow \"{}\" has none: expected 1",
                flow.name()
            );
            checker.add("rom.clusters", text);
        }
        checker.finish()
    }

    /// Whether a key stands in the deck's text.
    pub fn says(&self, key: &str) -> bool {
        self.document.as_ref().is_some_and(|document| document.has(key))
    }

    /// Refuses a deck of which there can be no reduced model.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) with every reason.
    pub fn validate_reduced(&self) -> Result<()> {
        let mut checker = Checker::new(self);
        if self.time.is_some() {
            checker.add("time", "a reduced model is for steady problems: leave [time] out");
        }
        if self.rom.windows.is_some() {
            checker.add("rom.windows", NO_WINDOWS);
        }
        if self.rom.clusters != ClusterCount::default() {
            let text = "clusters are of trajectories and of states of nonlinear problems: a certified model has one basis";
            checker.add("rom.clusters", text);
        }
        if !self.random.is_empty() {
            checker.add("random", "a reduced model has no random fields: only parameters may vary");
        }
        if self.rom.inner_product == Norm::Variance {
            checker.add(
                "rom.inner_product",
                "snapshots have no variances: \"energy\", \"mass\" or \"euclidean\"",
            );
        }
        for (p, physics) in self.physics.iter().enumerate() {
            checker.reducible(p, physics);
        }
        checker.finish()
    }
}

/// Why there is no reduced model of a physics.
pub(super) fn irreducible(physics: &Physics) -> Option<&'static str> {
    let facts = physics.law(physics.model.least_dimension, false).facts;
    match (facts.linear, facts.complex, facts.symmetric) {
        (false, ..) => Some("it is not linear"),
        (_, true, _) => Some("its equation is not positive definite"),
        (.., false) => Some("its equation is not symmetric"),
        _ => None,
    }
}

impl Checker<'_> {
    fn reducible(&mut self, p: usize, physics: &Physics) {
        let Some(reason) = irreducible(physics) else { return self.reads(p, physics) };
        let (name, model) = (physics.name(), physics.model.name);
        let message = format!(
            "there is no reduced model of \"{name}\", a physics of the model {model}: {reason}; steady diffusion and \
             elasticity have one"
        );
        self.add(&format!("physics[{p}].model"), message);
    }

    /// Another field may enter the load, and only one.
    fn reads(&mut self, p: usize, physics: &Physics) {
        let mut sources = HashSet::new();
        let law = physics.law(physics.model.least_dimension, false);
        let stiff: Vec<&str> =
            law.coefficients.iter().filter(|c| c.role != Role::Load).map(|c| c.key).collect();
        for (name, coefficient) in physics.coefficients() {
            let Coefficient::Physics(source) = coefficient else { continue };
            sources.insert(&source.physics);
            if stiff.contains(&name) {
                let message =
                    "a reduced model needs a stiffness that does not depend on another physics' field";
                self.add(&format!("physics[{p}].{name}"), message);
            }
        }
        if sources.len() > 1 {
            let message =
                "a reduced model of a problem that reads the fields of several others is not supported";
            self.add(&format!("physics[{p}]"), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::deck::whole::Deck;

    #[test]
    fn what_cannot_be_reduced_is_named() {
        let deck = |physics: &str| {
            let text = format!("mesh.box = {{ cell = \"triangle\", cells = [4, 4] }}\n{physics}");
            Deck::parse(&text, "d.toml", &[]).unwrap_or_else(|e| panic!("{e}"))
        };
        let heat = "[[physics]]\nmodel = \"diffusion\"\nreaction = 1\n";
        let refused = |physics: &str| deck(physics).validate_reduced().map_err(|e| e.to_string());
        assert_eq!(refused(heat), Ok(()));
        let transport = "[[physics]]\nmodel = \"advection_diffusion\"\nname = \"smoke\"\nfield = \"c\"\ndiffusivity = 1\n\
            velocity = [1, 0]\nreaction = 1\n";
        assert_eq!(
            refused(&format!("{heat}{transport}")),
            Err("d.toml:6:9: physics[1].model: there is no reduced model of \"smoke\", a physics of the model \
                 advection_diffusion: its equation is not symmetric; steady diffusion and elasticity have one"
                .into())
        );
        let wave = "[[physics]]\nmodel = \"helmholtz\"\nwave_number = 1\n";
        assert!(refused(wave).unwrap_err().contains("not positive definite"));
        let burgers = "[[physics]]\nmodel = \"burgers\"\nviscosity = 1\n";
        assert!(refused(burgers).unwrap_err().contains("it is not linear"));
        let solid = "[[physics]]\nmodel = \"elasticity\"\nyoung = { physics = \"diffusion\" }\npoisson = 0.3\n\
            boundary = [{ marker = \"left\", value = 0 }]\n";
        assert!(
            refused(&format!("{heat}{solid}"))
                .unwrap_err()
                .contains("physics[1].young: a reduced model needs")
        );
        let timed =
            format!("time = {{ end = 1, step = 1 }}\nrandom.g = {{ kind = \"matern\", range = 1 }}\n{heat}");
        assert_eq!(refused(&timed).unwrap_err().lines().count(), 2);
        assert!(deck(&format!("rom.modes = 3\n{heat}")).asks_for_reduced_model());
        assert!(!deck(heat).asks_for_reduced_model());
    }
}
