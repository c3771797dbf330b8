//! What holds a problem: whatever does is taken, whatever does not is named.
use crate::common::Suite;
use crate::common::decks::simulation;
use tessera::parallel::Comm;

fn solved(comm: &Comm, text: &str) -> Result<String, String> {
    let mut simulation = simulation(comm, text);
    let context = simulation.default_context();
    simulation.solve(&context).map_err(|error| error.to_string())?;
    Ok(simulation.stages[0].outcome().note.clone())
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

/// Two squares that share the vertex (1, 1), or lie apart, as Gmsh writes them in version 2.2.
fn two_squares(comm: &Comm, joined: bool, physics: &str, check: impl Fn(&str)) {
    crate::common::with_folder(comm, |folder| {
        let path = folder.join("two.msh");
        if comm.rank() == 0 {
            let (o, last) = if joined { (1.0, "") } else { (1.5, "8 1.5 1.5 0\n") };
            let first = if joined { 3 } else { 8 };
            let nodes = if joined { 7 } else { 8 };
            let text = format!(
                "$MeshFormat\n2.2 0 8\n$EndMeshFormat\n$PhysicalNames\n3\n1 1 \"left\"\n2 2 \"a\"\n2 3 \"b\"\n$EndPhysicalNames\n\
                 $Nodes\n{nodes}\n1 0 0 0\n2 1 0 0\n3 1 1 0\n4 0 1 0\n5 {} {o} 0\n6 {} {} 0\n7 {o} {} 0\n{last}$EndNodes\n\
                 $Elements\n3\n1 1 2 1 1 4 1\n2 3 2 2 2 1 2 3 4\n3 3 2 3 3 {first} 5 6 7\n$EndElements\n",
                o + 1.0,
                o + 1.0,
                o + 1.0,
                o + 1.0
            );
            std::fs::write(&path, text).unwrap();
        }
        comm.barrier();
        check(&format!("[mesh]\nfile = \"{}\"\n{physics}", path.display()));
    });
}

/// Squares that touch in a vertex are a hinge: the second may turn about it.
fn pieces_that_touch_in_a_vertex_are_a_hinge(comm: &Comm) {
    if comm.size() > 2 {
        return;
    }
    let physics = |value: &str, load: &str| {
        format!("[[physics]]\nmodel = \"elasticity\"\nyoung = 1e9\npoisson = 0.3\n{load}[[physics.boundary]]\nmarker = \"left\"\nvalue = {value}\n\
                 [[quantity]]\nname = \"most\"\nkind = \"maximum\"\nfield = \"displacement\"\n")
    };
    two_squares(comm, true, &physics("0.0", "body_force = [0.0, 1e3]\n"), |text| {
        let message = solved(comm, text).expect_err("the second square turns");
        assert!(message.contains("turn about (1.0000, 1.0000)") && message.contains("cells 1 to 1"), "{message}");
    });
    two_squares(comm, false, &physics("0.0", ""), |text| {
        assert!(solved(comm, text).expect_err("it lies apart").contains("connected to nothing that is held"));
    });
}

/// A coefficient that holds one piece and then no longer does.
fn supports_follow_the_parameters(comm: &Comm) {
    if comm.size() > 2 {
        return;
    }
    let physics = "[parameters]\nk = { default = 1.0, range = [0.0, 2.0] }\n[[physics]]\nmodel = \"diffusion\"\n\
                   reaction = { a = 1.0, b = \"k\" }\nsource = { a = 1.0, b = \"k\" }\n";
    two_squares(comm, false, physics, |text| {
        let mut simulation = simulation(comm, text);
        let context = |k: f64| tessera::physics::Context::steady(vec![k]);
        simulation.solve(&context(1.0)).unwrap();
        let message = simulation.solve(&context(0.0)).expect_err("nothing holds b").to_string();
        assert!(message.contains("nothing fixes the level") && message.contains("cells 1 to 1"), "{message}");
        simulation.solve(&context(2.0)).unwrap();
    });
}

/// A body of a periodic box cannot turn.
fn periodic_bodies_do_not_turn(comm: &Comm) {
    for (cell, cells, periodic, held) in [
        ("quadrilateral", "[4, 4]", "[\"x\", \"y\"]", point("[0.0, 0.0]", "0.0")),
        ("hexahedron", "[4, 4, 4]", "[\"x\", \"y\", \"z\"]", point("[0.0, 0.0, 0.0]", "0.0")),
        ("quadrilateral", "[4, 4]", "[\"x\"]", point("[0.0, 0.0]", "0.0")),
    ] {
        let text = block(cell, cells, &format!(", periodic = {periodic}"), &held)
            .replace("[1e3, 2e3", "[\"1e6*sin(2*pi*y)\", 0.0")
            .replace(", 3e3]", ", 0.0]");
        assert_eq!(solved(comm, &text), Ok(String::new()), "{text}");
    }
    let free = block("hexahedron", "[4, 4, 4]", ", periodic = [\"x\"]", &point("[0.0, 0.0, 0.0]", "0.0"));
    assert!(solved(comm, &free).expect_err("it turns about x").contains("along x"));
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3],
    tests: &[
        ("bodies_that_are_held_are_solved", bodies_that_are_held_are_solved),
        ("what_is_free_is_named", what_is_free_is_named),
        ("loads_that_do_not_push_are_carried", loads_that_do_not_push_are_carried),
        ("pieces_that_touch_in_a_vertex_are_a_hinge", pieces_that_touch_in_a_vertex_are_a_hinge),
        ("supports_follow_the_parameters", supports_follow_the_parameters),
        ("periodic_bodies_do_not_turn", periodic_bodies_do_not_turn),
    ],
}];
