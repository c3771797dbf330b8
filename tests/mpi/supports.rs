//! What holds a problem: whatever does is taken, whatever does not is named.
use crate::common::Suite;
use crate::common::decks::simulation;
use tessera::parallel::Comm;

fn solved(comm: &Comm, text: &str) -> Result<String, String> {
    let mut simulation = simulation(comm, text);
    let context = simulation.default_context();
    simulation.solve(&context).map_err(|error| error.to_string())?;
    Ok(simulation.stages[0].outcome.note.clone())
}

fn block(cell: &str, cells: &str, place: &str, sides: &str) -> String {
    format!(
        "[mesh]\nbox = {{ cell = \"{cell}\", cells = {cells}{place} }}\n[[physics]]\nmodel = \"elasticity\"\nyoung = 1e9\npoisson = 0.3\n\
         body_force = {}\n{sides}",
        if cells.matches(',').count() == 2 { "[1e3, 2e3, 3e3]" } else { "[1e3, 2e3]" }
    )
}

const FOUNDATION: &str = "foundation = 1e6\n";

fn side(marker: &str, condition: &str) -> String {
    format!("[[physics.boundary]]\nmarker = \"{marker}\"\n{condition}")
}

fn point(place: &str, value: &str) -> String {
    format!("[[physics.boundary]]\npoint = {place}\nvalue = {value}\n")
}

fn bodies_that_are_held_are_solved(comm: &Comm) {
    let far = ", lower = [1e6, 1e6, 1e6], upper = [1000001.0, 1000001.0, 1000001.0]";
    let tiny = ", upper = [1e-6, 1e-6, 1e-6]";
    let three: String = ["left", "bottom", "front"].map(|marker| side(marker, FOUNDATION)).concat();
    for (cell, place) in [("hexahedron", ""), ("tetrahedron", far), ("hexahedron", tiny)] {
        // Faces of three directions: a foundation of finite size resists turns about axes in its plane. Its stiffness
        // goes with the inverse of the length.
        let three = if place == tiny { three.replace("1e6", "1e12") } else { three.clone() };
        assert_eq!(solved(comm, &block(cell, "[2, 2, 2]", place, &three)), Ok(String::new()), "{cell}{place}");
    }
    // Six rollers at three points; a line and a point; symmetry planes.
    let rollers = point("[0.0, 0.0, 0.0]", "0.0") + &point("[1.0, 0.0, 0.0]", "[\"free\", 0.0, 0.0]") + &point("[0.0, 1.0, 0.0]", "[\"free\", \"free\", 0.0]");
    assert_eq!(solved(comm, &block("hexahedron", "[2, 2, 2]", "", &rollers)), Ok(String::new()));
    let planes = side("left", "value = [0.0, \"free\", \"free\"]\n") + &side("bottom", "value = [\"free\", 0.0, \"free\"]\n") + &side("front", "value = [\"free\", \"free\", 0.0]\n");
    assert_eq!(solved(comm, &block("tetrahedron", "[2, 2, 2]", "", &planes)), Ok(String::new()));
    let two = side("left", FOUNDATION) + &side("bottom", FOUNDATION);
    assert_eq!(solved(comm, &block("triangle", "[3, 3]", "", &two)), Ok(String::new()));
    let axis = block("quadrilateral", "[3, 3]", "", &side("bottom", FOUNDATION)).replace("young", "plane = \"axisymmetric\"\nyoung").replace("[1e3, 2e3]", "[0.0, 2e3]");
    assert_eq!(solved(comm, &axis), Ok(String::new()));
    let heat = "[mesh]\nbox = { cell = \"triangle\", cells = [3, 3] }\n[[physics]]\nmodel = \"diffusion\"\nsource = 1.0\n";
    for more in ["reaction = 1e-6\n", "[[physics.boundary]]\nmarker = \"left\"\ncoefficient = 1e-3\nambient = 1.0\n", "[[physics.boundary]]\npoint = [0.0, 0.0]\nvalue = 1.0\n"] {
        assert_eq!(solved(comm, &format!("{heat}{more}")), Ok(String::new()), "{more}");
    }
}

fn what_is_free_is_named(comm: &Comm) {
    let refused = |text: &str, words: &[&str]| {
        let message = solved(comm, text).expect_err(text);
        words.iter().for_each(|word| assert!(message.contains(word), "{word} is not in: {message}\n{text}"));
    };
    let cube = |sides: &str| block("hexahedron", "[2, 2, 2]", "", sides);
    // An edge is a hinge.
    let edge = point("[0.0, 0.0, 0.0]", "0.0") + &point("[0.0, 0.0, 1.0]", "0.0") + &point("[0.0, 0.0, 0.5]", "0.0");
    refused(&cube(&edge), &["turn about the axis", "along z"]);
    refused(&cube(&(side("left", FOUNDATION) + &side("bottom", FOUNDATION))), &["move along z"]);
    refused(&block("triangle", "[3, 3]", "", &point("[1.0, 0.0]", "0.0")), &["turn about (1.0000, 0.0000)"]);
    refused(&block("quadrilateral", "[3, 3]", "", &side("left", FOUNDATION)), &["move along y"]);
}

/// A plate on rollers: without a load along them it is solved with a word, with one it is refused.
fn loads_that_do_not_push_are_carried(comm: &Comm) {
    let rollers = side("left", "value = [0.0, \"free\"]\n");
    let text = block("quadrilateral", "[4, 4]", "", &rollers).replace("2e3", "0.0");
    let note = solved(comm, &text).unwrap();
    assert!(note.contains("may still move along y"), "{note}");
    assert!(solved(comm, &block("quadrilateral", "[4, 4]", "", &rollers)).is_err());
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3],
    tests: &[
        ("bodies_that_are_held_are_solved", bodies_that_are_held_are_solved),
        ("what_is_free_is_named", what_is_free_is_named),
        ("loads_that_do_not_push_are_carried", loads_that_do_not_push_are_carried),
    ],
}];
