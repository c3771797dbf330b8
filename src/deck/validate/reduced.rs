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

    /// Whether the deck's problems are of the kind that certified reduced models are for. Of others there are models with
    /// sampled integrals, or bases.
    pub fn has_certified_model(&self) -> bool {
        self.time.is_none() && self.why_not_certified().is_none()
    }

    /// Why there is no certified reduced model of a physics of a steady deck, if there is none.
    pub fn why_not_certified(&self) -> Option<String> {
        let of = |physics: &Physics| {
            uncertified(physics).map(|why| format!("{} ({}): {why}", physics.name(), physics.model.name))
        };
        let random = || {
            let name = self.random.keys().next()?;
            Some(format!("random.{name}: coefficients of a random field cannot be split"))
        };
        self.physics.iter().find_map(of).or_else(random)
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
        if self.rom.inner_product == Norm::Variance {
            checker.add(
                "rom.inner_product",
                "snapshots have no variances: \"energy\", \"mass\" or \"euclidean\"",
            );
        }
        checker.finish()
    }
}

/// Why there is no certified reduced model of a steady physics.
fn uncertified(physics: &Physics) -> Option<&'static str> {
    let law = physics.law(physics.model.least_dimension, false);
    match (law.facts.linear, law.facts.complex, law.facts.symmetric) {
        (false, ..) => return Some("it is not linear"),
        (_, true, _) => return Some("its equation is not positive definite"),
        (.., false) => return Some("its equation is not symmetric"),
        _ => {}
    }
    // Another field may enter the load, and only one.
    let stiff: Vec<&str> = law.coefficients.iter().filter(|c| c.role != Role::Load).map(|c| c.key).collect();
    let mut sources = HashSet::new();
    for (name, coefficient) in physics.coefficients() {
        let Coefficient::Physics(source) = coefficient else { continue };
        sources.insert(&source.physics);
        if stiff.contains(&name) {
            return Some("its stiffness depends on another physics' field");
        }
    }
    (sources.len() > 1).then_some("it reads the fields of several others")
}

#[cfg(test)]
mod tests {
    use crate::deck::whole::Deck;

    #[test]
    fn what_has_no_certified_model_is_named() {
        let deck = |physics: &str| {
            let text = format!("mesh.box = {{ cell = \"triangle\", cells = [4, 4] }}\n{physics}");
            Deck::parse(&text, "d.toml", &[]).unwrap_or_else(|e| panic!("{e}"))
        };
        let heat = "[[physics]]\nmodel = \"diffusion\"\nreaction = 1\n";
        let why = |physics: &str| deck(physics).why_not_certified();
        assert!(deck(heat).has_certified_model());
        assert_eq!(why(heat), None);
        let transport = "[[physics]]\nmodel = \"advection_diffusion\"\nname = \"smoke\"\nfield = \"c\"\ndiffusivity = 1\n\
            velocity = [1, 0]\nreaction = 1\n";
        assert!(!deck(&format!("{heat}{transport}")).has_certified_model());
        assert_eq!(
            why(&format!("{heat}{transport}")).unwrap(),
            "smoke (advection_diffusion): its equation is not symmetric"
        );
        let wave = "[[physics]]\nmodel = \"helmholtz\"\nwave_number = 1\n";
        assert!(why(wave).unwrap().contains("not positive definite"));
        let burgers = "[[physics]]\nmodel = \"burgers\"\nviscosity = 1\n";
        assert!(why(burgers).unwrap().contains("it is not linear"));
        let solid = "[[physics]]\nmodel = \"elasticity\"\nyoung = { physics = \"diffusion\" }\npoisson = 0.3\n\
            boundary = [{ marker = \"left\", value = 0 }]\n";
        assert!(why(&format!("{heat}{solid}")).unwrap().contains("depends on another physics' field"));
        let timed =
            format!("time = {{ end = 1, step = 1 }}\nrandom.g = {{ kind = \"matern\", range = 1 }}\n{heat}");
        assert!(!deck(&timed).has_certified_model());
        assert!(why(&timed).unwrap().starts_with("random.g"));
        assert_eq!(deck(&timed).validate_reduced().unwrap_err().to_string().lines().count(), 1);
        assert!(deck(&format!("rom.modes = 3\n{heat}")).asks_for_reduced_model());
        assert!(!deck(heat).asks_for_reduced_model());
    }
}
