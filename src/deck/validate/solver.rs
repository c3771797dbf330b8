//! `[solver]` and the solvers of the physics.
use super::checker::Checker;
use crate::deck::physics::Physics;
use crate::deck::recycle::RecycleKind;
use crate::deck::sections::{InterfaceKind, SolverMethod, SolverOptions};

impl Checker<'_> {
    pub(super) fn petsc(&mut self, key: &str, solver: &SolverOptions) {
        let text = solver.petsc.trim();
        if solver.method == SolverMethod::Options && text.is_empty() {
            self.add(key, "method = \"options\" takes everything from `petsc`, which is empty");
        }
        if !text.is_empty() && !text.starts_with('-') {
            self.add(key, format!("expected PETSc options such as \"-ksp_monitor\", found \"{text}\""));
        }
    }

    pub(super) fn recycle(&mut self, key: &str, solver: &SolverOptions) {
        let recycle = &solver.recycle;
        if !recycle.is_on() {
            return;
        }
        if recycle.dimension >= recycle.restart {
            let text = format!(
                "a cycle of restart = {} vectors has no room for new ones beside dimension = {}: restart must be larger",
                recycle.restart, recycle.dimension
            );
            self.add(&format!("{key}.restart"), text);
        }
        if solver.method == SolverMethod::Direct {
            self.add(
                &format!("{key}.method"),
                "a direct solver has nothing to recycle: choose another solver.method",
            );
        }
    }

    /// What subdomains tell one another.
    pub(super) fn interface(&mut self, p: usize, physics: &Physics) {
        let options = self.deck.solver_options(p);
        let own = |checker: &Self, name: &str| {
            let own = format!("physics[{p}].solver.{name}");
            if checker.given(&own) { own } else { format!("solver.{name}") }
        };
        let law = physics.law(physics.model.least_dimension, self.deck.time.is_some());
        let linear = law.forms.of(physics.model.least_dimension).0.is_linear();
        let (symmetric, knows) = (law.facts.symmetric, law.interface.is_some());
        if options.method != SolverMethod::Schwarz {
            let words = "belongs to method = \"schwarz\": choose that or leave this out";
            if options.interface.is_some() {
                self.add(&own(self, "interface"), words);
            }
            if options.robin != 1.0 {
                self.add(&own(self, "robin"), words);
            }
            return;
        }
        let robin = options.interface.map_or(!symmetric && knows, |kind| kind == InterfaceKind::Robin);
        if robin && !knows {
            let message = format!(
                "the model {} has no condition for interfaces, as diffusion, advection_diffusion and helmholtz have: \
                 choose \"overlap\"",
                physics.model.name
            );
            self.add(&own(self, "interface"), message);
        }
        if options.robin != 1.0 && !robin {
            self.add(&own(self, "robin"), "there is nothing to multiply without interface = \"robin\"");
        }
        let one_level = robin || !linear && !law.facts.pressure;
        let recycle = options.recycle;
        let conjugate = recycle.method == RecycleKind::Cg || recycle.method == RecycleKind::Auto && symmetric;
        if one_level && conjugate {
            let message = "the Schwarz method of one level is not symmetric, as conjugate gradients need: choose \"gcro_dr\"";
            self.add(&own(self, "recycle.method"), message);
        }
    }
}
