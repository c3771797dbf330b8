//! For which problems a bound is proven.
use super::judge::Kind;
use crate::deck::TimeScheme;
use crate::fem::Values;
use crate::physics::{Place, Prepared, Problem};
use crate::simulation::Simulation;
use tessera_kernels::model::Role;

/// What is proven of a problem, or why nothing is.
pub(super) struct Theory {
    pub kind: Kind,
    pub why: Option<String>,
}

impl Theory {
    /// Of a physics of a run, from its equations alone. Collective.
    pub fn of(simulation: &Simulation, number: usize, prepared: &Prepared) -> Self {
        let mut theory = Self { kind: Kind::Energy, why: None };
        match kind_of(simulation, number, prepared) {
            Ok(kind) => theory.kind = kind,
            Err(why) => theory.fails(why),
        }
        theory
    }

    /// Nothing is, for this reason.
    pub fn fails(&mut self, why: &str) {
        (self.kind, self.why) = (Kind::Indicator, Some(why.into()));
    }
}

fn kind_of(simulation: &Simulation, number: usize, prepared: &Prepared) -> Result<Kind, &'static str> {
    let (problem, facts) = (prepared.problem(), prepared.problem().facts());
    let Some(time) = simulation.deck.time.as_ref().filter(|_| problem.evolves()) else {
        return Err("bounds are proven for problems in time");
    };
    if problem.has_history() {
        return Err("it has internal variables");
    }
    if time.scheme != TimeScheme::Bdf1 {
        return Err("bounds are proven for the scheme \"bdf1\" alone");
    }
    let others = simulation.stages.iter().enumerate().filter(|(other, _)| *other != number);
    if others.filter_map(|(_, stage)| stage.input()).any(|field| problem.reads(field)) {
        return Err("it reads the field of another physics, whose error is not known");
    }
    if problem.depends_on_itself() {
        return Err("its coefficients or boundary conditions depend on the solution");
    }
    if facts.is_symmetric_linear() && !facts.complex && !facts.pressure {
        let changes = |key| changes_in_time(problem, Place::Volume, &|own, _| own == key);
        return if changes("capacity") { Err("its capacity changes in time") } else { Ok(Kind::Energy) };
    }
    let bound = match problem.equation.model.name {
        "diffusion_sorption" => {
            let holds = |key: &str, role| key == "diffusivity" || role == Role::Holds;
            if [Place::Volume, Place::Boundary].iter().any(|place| changes_in_time(problem, *place, &holds)) {
                return Err("its diffusivity or a transfer coefficient changes in time");
            }
            Kind::Potential
        }
        "porous_medium" => {
            if changes_in_time(problem, Place::Boundary, &|_, role| role == Role::Holds)
                || transfers(prepared)
            {
                return Err(
                    "a transfer coefficient at its boundary multiplies the solution, not the potential",
                );
            }
            Kind::Potential
        }
        _ => return Err("its form is neither linear and symmetric nor a lumped monotone one"),
    };
    Ok(bound)
}

/// Whether what is not load may change in time.
pub(super) fn form_changes(problem: &Problem) -> bool {
    let places = [Place::Volume, Place::Boundary];
    places.iter().any(|place| changes_in_time(problem, *place, &|_, role| role != Role::Load))
}

/// Whether a coefficient of the volume's or the boundary's form reads what may change in time.
fn changes_in_time(problem: &Problem, place: Place, which: &dyn Fn(&str, Role) -> bool) -> bool {
    let law = &problem.equation.law;
    let list = if place == Place::Volume { &law.coefficients } else { &law.surface };
    let wanted: Vec<usize> = (0..list.len()).filter(|&k| which(list[k].key, list[k].role)).collect();
    problem.integrals.iter().filter(|integral| integral.place == place).any(|integral| {
        let coefficients = &integral.coefficients;
        let inputs = wanted.iter().flat_map(|&output| &coefficients.outputs[output].uses);
        inputs.flat_map(|&input| &coefficients.inputs[input]).any(|source| source.varies_in_time())
    })
}

/// Whether something holds the solution at the boundary, on any rank. Collective.
fn transfers(prepared: &Prepared) -> bool {
    let problem = prepared.problem();
    let evaluated = problem.evaluate(prepared.context());
    let holds = |output: usize| problem.equation.law.surface[output].role == Role::Holds;
    let any = problem
        .integrals
        .iter()
        .zip(&evaluated)
        .filter(|(integral, _)| integral.place == Place::Boundary)
        .any(|(_, groups)| {
            let of = |group: &Vec<Values>| group.iter().enumerate().any(|(k, v)| holds(k) && !v.is_zero());
            groups.iter().any(of)
        });
    problem.space.mesh.comm.max(u8::from(any)) == 1
}
