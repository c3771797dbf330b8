//! Decks that their mesh contradicts, or coefficients that are wrong at some place.
use super::{Case, Content, edited};

const HEAT: &str = r#"[mesh]
box = { cell = "triangle", cells = [4, 4] }

[[physics]]
model = "diffusion"
conductivity = [["2", "0"], ["0", "2"]]

[[physics.boundary]]
marker = "left"
value = 0.0

[[quantity]]
name = "drop"
kind = "point"
point = [0.5, 0.5]
minus_point = [1.0, 1.0]
"#;

const TURNED: &str = r#"[mesh]
box = { cell = "quadrilateral", cells = [4, 2], upper = [1.0, 0.5] }

[[physics]]
model = "elasticity"
plane = "axisymmetric"
young = 1e9
poisson = 0.3

[[physics.boundary]]
marker = "bottom"
value = ["free", 0.0]

[[physics.boundary]]
marker = "right"
pressure = 1e6
"#;

const METAL: &str = r#"time = { end = 1.0, step = 1.0 }

[mesh]
box = { cell = "quadrilateral", cells = [2, 2], lower = [-1.0, 0.0] }

[[physics]]
model = "viscoplasticity"
plane = "axisymmetric"
young = 1e9
poisson = 0.3
yield_stress = 1e6
drag_stress = 1e6
rate_exponent = 5

[[physics.boundary]]
marker = "bottom"
value = 0.0
"#;

fn case(name: &'static str, deck: &str, edits: &[(&str, &str)], messages: &[&str]) -> Case {
    Case {
        name,
        files: vec![("deck.toml", Content::Text(edited(deck, edits)))],
        command: ["run", "deck.toml"],
        arguments: Vec::new(),
        ranks: 2,
        code: 2,
        messages: messages.iter().map(|m| m.to_string()).collect(),
    }
}

pub fn cases() -> Vec<Case> {
    let tensor = "[[\"2\", \"0\"], [\"0\", \"2\"]]";
    let place = "deck.toml:6:16: physics[0].conductivity: the tensor ";
    let below = |range: &str| {
        format!(
            "physics[0].plane: x is the radius of an axisymmetric body and must not be negative; the mesh lies between {range}"
        )
    };
    let mut list = vec![
        case(
            "points outside the mesh",
            HEAT,
            &[("[0.5, 0.5]", "[0.5, 1.5]"), ("[1.0, 1.0]", "[-0.1, 0.0]")],
            &[
                "deck.toml:15:9: quantity[0].point: no cell of box holds the point [0.5, 1.5]; the mesh lies between \
                 [0.0, 0.0] and [1.0, 1.0]",
                "deck.toml:16:15: quantity[0].minus_point: no cell of box holds the point [-0.1, 0.0]",
            ],
        ),
        case(
            "ten thousand million cells",
            HEAT,
            &[("[4, 4]", "[100000, 100000]")],
            &[
                "deck.toml:2:36: mesh.box.cells: a mesh of 2.0000e10 triangle cells and its matrices take at least 3",
            ],
        ),
        case(
            "more cells than an integer counts",
            HEAT,
            &[("[4, 4]", "[100000000, 100000000]")],
            &[
                "deck.toml:2:36: mesh.box.cells: a mesh of 2.0000e16 triangle cells and its matrices take at least 3",
            ],
        ),
        case(
            "time in a steady problem",
            HEAT,
            &[("value = 0.0", "value = \"100*cos(t)\"")],
            &[
                "deck.toml:10:9: physics[0].boundary[0].value: `100*cos(t)`: t means nothing here, the deck has no section [time]",
            ],
        ),
        case(
            "radii on both sides",
            TURNED,
            &[("upper", "lower = [-1.0, 0.0], upper")],
            &[&format!("deck.toml:6:9: {}", below("x = -1 and 1"))],
        ),
        case(
            "negative radii",
            TURNED,
            &[("upper = [1.0", "lower = [-2.0, 0.0], upper = [-1.0")],
            &[&format!("deck.toml:6:9: {}", below("x = -2 and -1"))],
        ),
        case("negative radii of metal", METAL, &[], &[&format!("deck.toml:8:9: {}", below("x = -1 and 1"))]),
        case(
            "tensor that varies and is not symmetric",
            HEAT,
            &[(tensor, "[[\"2\", \"x\"], [\"0\", \"2\"]]")],
            &[&format!("{place}[[2.0, 0.")],
        ),
        case(
            "tensor by region that is not positive definite",
            HEAT,
            &[(tensor, "{ domain = [[\"1\", \"1 + y\"], [\"1 + y\", \"1\"]] }")],
            &[&format!("{place}[[1.0, 1.")],
        ),
        case(
            "tensor that a parameter spoils",
            HEAT,
            &[
                ("[mesh]", "parameters.a = 3\n[mesh]"),
                (tensor, "[[\"1 + 0.1*x\", \"a*x\"], [\"a*x\", \"1\"]]"),
            ],
            &["deck.toml:7:16: physics[0].conductivity: the tensor [[1."],
        ),
    ];
    let solid = [("triangle", "tetrahedron"), ("[4, 4]", "[2, 2, 2]"), ("[0.5, 0.5]", "[0.5, 0.5, 0.5]")];
    let mut edits = solid.to_vec();
    edits.push(("[1.0, 1.0]", "[1.0, 1.0, 1.0]"));
    let indefinite = "[[\"1\", \"0\", \"0\"], [\"0\", \"2\", \"2 + z\"], [\"0\", \"2 + z\", \"1\"]]";
    edits.push((tensor, indefinite));
    let found = format!("{place}[[1.0, 0.0, 0.0], [0.0, 2.0, 2.");
    list.push(case("tensor in space", HEAT, &edits, &[&found]));
    let mut timed = edits.clone();
    timed.push(("[mesh]", "time = { end = 1.0, step = 1.0 }\n[mesh]"));
    let found = found.replace(":6:", ":7:");
    list.push(case("tensor in space and time", HEAT, &timed, &[&found]));
    list
}
