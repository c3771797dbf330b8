//! Small problems with known answers, among them those that were once silently wrong: values and refusals.
use crate::common::Suite;
use crate::common::known::{Known, REFUSED, SMALL};
use std::path::Path;
use tessera::deck::Deck;
use tessera::parallel::Comm;
use tessera::simulation::{Evolution, Progress, Simulation};
use tessera::{Error, Result};

fn load(comm: &Comm, deck: &str) -> Result<Deck> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(deck);
    Deck::load(comm, &path, &[])
}

/// Quantities of interest of a deck, at the end of a run in time.
fn solve(comm: &Comm, deck: &Deck) -> Result<Vec<f64>> {
    let mut simulation = Simulation::new(comm, deck)?;
    let Some(time) = &deck.time else {
        let context = simulation.default_context();
        simulation.solve(&context)?;
        return simulation.quantities(&context);
    };
    let initial = tessera::physics::Context { time: time.start, ..simulation.default_context() };
    simulation.set_initial(&initial)?;
    let mut evolution = Evolution::start(&mut simulation, time, initial)?;
    evolution.stop_at(&time.frames(1)[1..]);
    while !evolution.is_over() {
        if let Progress::Failed(why) = evolution.advance(&mut simulation)? {
            return Err(Error::Failed(why));
        }
    }
    simulation.solve_steady(&evolution.context)?;
    simulation.quantities(&evolution.context)
}

fn small_problems_give_their_known_answers(comm: &Comm) {
    let mut wrong = Vec::new();
    for problem in SMALL.chunk_by(|a, b| a.deck == b.deck) {
        let deck = load(comm, problem[0].deck).unwrap_or_else(|e| panic!("{}: {e}", problem[0].deck));
        let values = solve(comm, &deck).unwrap_or_else(|e| panic!("{}: {e}", problem[0].deck));
        for known in problem {
            let Known { deck: path, quantity, value, .. } = known;
            let place = deck.quantity.iter().position(|q| q.name == *quantity);
            let found = values[place.unwrap_or_else(|| panic!("{path} has no {quantity}"))];
            if !known.holds(found) {
                wrong.push(format!("{path}: {quantity} = {found:e}, expected {value:e}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn problems_without_an_answer_are_refused(comm: &Comm) {
    for (path, words) in REFUSED {
        let result = load(comm, path).and_then(|deck| solve(comm, &deck));
        let message = result.map_or_else(|error| error.to_string(), |values| format!("{values:?}"));
        assert!(message.contains(words), "{path}: {message}");
    }
}

/// Stokes flow of a viscosity exp(3x): the error falls by eight from mesh to mesh.
fn a_varying_viscosity_converges(comm: &Comm) {
    let error = |cells: usize| {
        let deck = load(comm, &format!("tests/faults/f04_variable_viscosity/deck_{cells}.toml")).unwrap();
        solve(comm, &deck).unwrap()[0]
    };
    let errors = [8, 16, 32].map(error);
    for pair in errors.windows(2) {
        assert!(pair[0] / pair[1] > 7.5, "{errors:?}");
    }
}

/// Supports of a block carry its weight, also where two sides meet; what flows into the plate of NAFEMS T4 leaves it.
fn parts_of_a_boundary_add_up(comm: &Comm) {
    let values = |path: &str| {
        let deck = load(comm, path).unwrap();
        let values = solve(comm, &deck).unwrap();
        move |name: &str| values[deck.quantity.iter().position(|q| q.name == name).unwrap()]
    };
    let weight = values("tests/faults/h12_corner_reactions/weight.toml");
    assert!((weight("left_y") + weight("bottom_y") - 1.0).abs() < 1e-10);
    let heat = values("tests/faults/h03_nafems_t4/deck.toml");
    let (comes, leaves) = (heat("in_reaction"), heat("out_right") + heat("out_top"));
    assert!((comes - leaves).abs() < 1e-9 * comes, "{comes} {leaves}");
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3],
    tests: &[
        ("small_problems_give_their_known_answers", small_problems_give_their_known_answers),
        ("problems_without_an_answer_are_refused", problems_without_an_answer_are_refused),
        ("a_varying_viscosity_converges", a_varying_viscosity_converges),
        ("parts_of_a_boundary_add_up", parts_of_a_boundary_add_up),
    ],
}];
