//! `[solver.tune]`.
use super::checker::Checker;
use crate::deck::expression::Expression;
use crate::deck::sections::SolverMethod;

impl Checker<'_> {
    pub(super) fn tuning(&mut self) {
        let deck = self.deck;
        for (index, physics) in deck.physics.iter().enumerate() {
            let own = format!("physics[{index}].solver.tune");
            let key = if self.given(&own) { own } else { "solver.tune".to_string() };
            let options = deck.solver_options(index);
            let Some(tune) = &options.tune else { continue };
            // A key that several physics share is checked once.
            if key == "solver.tune" && index > 0 && deck.physics[..index].iter().any(|p| p.solver().is_none())
            {
                continue;
            }
            if tune.arms.is_none() && tune.relaxation.is_none() {
                self.add(&key, "expected `arms` or `relaxation`: there is nothing to choose from");
            }
            if let (Some([_]), None) = (tune.arms.as_deref(), &tune.relaxation) {
                self.add(&format!("{key}.arms"), "one arm alone leaves nothing to choose: give two or more");
            }
            for (i, arm) in tune.arms.iter().flatten().enumerate() {
                let place = format!("{key}.arms[{i}]");
                if !arm.starts_with('-') {
                    self.add(
                        &place,
                        format!("\"{arm}\" is no PETSc option: expected one such as \"-pc_type sor\""),
                    );
                }
                if tune.arms.iter().flatten().take(i).any(|other| other == arm) {
                    self.add(&place, format!("the arm \"{arm}\" is there twice"));
                }
            }
            if let Some(relaxation) = &tune.relaxation {
                let option = &relaxation.option;
                if !option.starts_with('-') || option.contains(char::is_whitespace) {
                    let message =
                        format!("\"{option}\" is no PETSc option: expected one such as \"-pc_sor_omega\"");
                    self.add(&format!("{key}.relaxation.option"), message);
                }
                if relaxation.from >= relaxation.to {
                    let message =
                        format!("expected less than `to` ({}), found {}", relaxation.to, relaxation.from);
                    self.add(&format!("{key}.relaxation.from"), message);
                }
            }
            if matches!(options.method, SolverMethod::Direct | SolverMethod::Schwarz) {
                self.add(&key, "only iterative solvers are tuned: choose method = \"amg\" or \"options\"");
            }
            if !options.recycle.is_default() {
                self.add(&key, "recycling keeps the space of one solver: give either `tune` or `recycle`");
            }
            if physics.has_pressure() {
                self.add(&key, "the preconditioner of a flow is not tuned: leave `tune` out");
            }
            for (i, text) in tune.context.iter().enumerate() {
                let place = format!("{key}.context[{i}]");
                let parsed = Expression::parse(text, &deck.variables());
                self.used.extend(parsed.iter().flat_map(Expression::parameters));
                match parsed {
                    Ok(expression) if expression.depends_on_space() => {
                        self.add(
                            &place,
                            "a context is one number for a system: it cannot depend on x, y or z",
                        );
                    }
                    Ok(expression) if expression.depends_on_time() && deck.time.is_none() => {
                        self.add(&place, "the deck has no [time]: a context can only depend on parameters");
                    }
                    Ok(expression)
                        if !expression.depends_on_time() && !expression.depends_on_parameters() =>
                    {
                        self.add(&place, "a context depends on parameters or t: this one is constant");
                    }
                    Ok(_) => {}
                    Err(error) => self.add_inside(&place, error.offset, error.message),
                }
            }
        }
    }
}
