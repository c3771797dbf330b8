//! Decks that are wrong without looking at any other file.
use super::{Case, Content, edited};

const HEAT: &str = r#"title = "Heated plate"

[mesh]
box = { cell = "triangle", cells = [4, 4] }

[parameters]
h = { default = 10.0, range = [5.0, 20.0] }

[[physics]]
name = "heat"
model = "diffusion"
conductivity = "1 + x"

[[physics.boundary]]
marker = "left"
value = 0.0

[[physics.boundary]]
marker = "right"
coefficient = "h"
ambient = 300.0

[[quantity]]
name = "peak"
kind = "maximum"
field = "u"
"#;

const SOLID: &str = r#"[mesh]
box = { cell = "quadrilateral", cells = [4, 4] }

[[physics]]
model = "elasticity"
plane = "stress"
young = 210e9
poisson = 0.3

[[physics.boundary]]
marker = "left"
value = [0.0, "free"]

[[physics.boundary]]
marker = "right"
traction = [1e6, 0.0]
"#;

fn case(name: &'static str, deck: String, messages: &[&str]) -> Case {
    Case {
        name,
        files: vec![("deck.toml", Content::Text(deck))],
        command: ["run", "deck.toml"],
        arguments: Vec::new(),
        ranks: 2,
        code: 2,
        messages: messages.iter().map(|m| m.to_string()).collect(),
    }
}

fn heat(name: &'static str, edits: &[(&str, &str)], message: &str) -> Case {
    case(name, edited(HEAT, edits), &[message])
}

fn solid(name: &'static str, edits: &[(&str, &str)], message: &str) -> Case {
    case(name, edited(SOLID, edits), &[message])
}

pub fn cases() -> Vec<Case> {
    let mut list = structure();
    list.extend(values());
    list.extend(physics());
    list.extend(other_sections());
    list.extend(designs());
    list.extend(command_line());
    list.extend(failures());
    list
}

/// Parameters, designs and random fields.
fn designs() -> Vec<Case> {
    let parameter = "h = { default = 10.0, range = [5.0, 20.0] }";
    let with = |name, text: &str, message: &str| {
        let text = format!("title = \"Heated plate\"\n{text}");
        heat(name, &[("title = \"Heated plate\"", &text)], message)
    };
    vec![
        heat(
            "a range too few",
            &[(parameter, "h = 1\nk = { default = [1, 2], range = [[0, 3]] }")],
            "deck.toml:8:5: parameters.k: 1 ranges for 2 components",
        ),
        heat(
            "a component outside its range",
            &[(parameter, "h = 1\nk = { default = [1, 9], range = [0, 3] }")],
            "deck.toml:8:5: parameters.k: the default 9 is outside its range [0, 3]",
        ),
        heat(
            "no such choice",
            &[(parameter, "h = { default = \"stel\", choices = { steel = 9, wood = 2 } }")],
            "deck.toml:7:5: parameters.h: no choice \"stel\"; did you mean \"steel\"?",
        ),
        heat(
            "a default beside the choices",
            &[(parameter, "h = { default = 3, choices = [1, 2] }")],
            "deck.toml:7:5: parameters.h: the default 3 is none of the choices",
        ),
        heat(
            "range and choices",
            &[(parameter, "h = { default = 1, choices = [1, 2], range = [0, 3] }")],
            "deck.toml:7:5: parameters.h: `range` and `choices` exclude each other",
        ),
        with(
            "unknown design",
            "campaign.design = \"halten\"",
            "deck.toml:2:19: campaign.design: unknown value \"halten\"; did you mean \"halton\"?",
        ),
        with(
            "unknown order",
            "campaign.order = \"near\"",
            "deck.toml:2:18: campaign.order: unknown value \"near\"",
        ),
        with(
            "smoothness too large",
            "random.g = { kind = \"matern\", range = 0.2, smoothness = 9 }",
            "deck.toml:2:57: random.g.smoothness: in 2D expected more than 0, at most 7",
        ),
        with(
            "no terms",
            "random.g = { kind = \"matern\", range = 0.2, terms = 0 }",
            "deck.toml:2:52: random.g.terms: expected a number at least 1, found 0",
        ),
        with(
            "correlation with nothing",
            "random.gg = { kind = \"matern\", range = 0.2 }\n\
             random.f = { kind = \"matern\", range = 0.2, correlation = { g = 0.5 } }",
            "deck.toml:3:64: random.f.correlation.g: no other random field \"g\"; did you mean \"gg\"?",
        ),
    ]
}

/// TOML, keys, types.
fn structure() -> Vec<Case> {
    vec![
        heat("not TOML", &[("title = ", "title : ")], "deck.toml:1:7: not valid TOML: "),
        heat("a bracket too few", &[("[4, 4] }", "[4, 4 }")], "deck.toml:4:42: not valid TOML: "),
        heat(
            "a key twice",
            &[("name = \"heat\"", "name = \"heat\"\nname = \"b\"")],
            "deck.toml:11:1: not valid TOML: duplicate key",
        ),
        case(
            "empty",
            String::new(),
            &["deck.toml:1:1: missing key `mesh`", "deck.toml:1:1: missing key `physics`"],
        ),
        heat(
            "unknown key",
            &[("conductivity", "conductvity")],
            "deck.toml:12:1: physics[0].conductvity: unknown key; did you mean \"conductivity\"? (known: model, name,",
        ),
        heat(
            "unknown section",
            &[("[parameters]", "[parameter]"), ("coefficient = \"h\"", "coefficient = 1.0")],
            "deck.toml:6:2: parameter: unknown key; did you mean \"parameters\"? (known: title, mesh,",
        ),
        heat(
            "unknown model",
            &[("\"diffusion\"", "\"difusion\"")],
            "deck.toml:11:9: physics[0].model: unknown value \"difusion\"; did you mean \"diffusion\"? (known: diffusion, elasticity, ",
        ),
        heat(
            "no model",
            &[("model = \"diffusion\"", "")],
            "deck.toml:9:1: physics[0]: missing key `model`: \"diffusion\", \"elasticity\", ",
        ),
        heat(
            "string for a list",
            &[("cells = [4, 4]", "cells = \"4\"")],
            "deck.toml:4:36: mesh.box.cells: expected a list, found the string \"4\"",
        ),
        heat(
            "list for a string",
            &[("title = \"Heated plate\"", "title = [1]")],
            "deck.toml:1:9: title: expected a string, found a list",
        ),
        heat(
            "boolean for a number",
            &[("ambient = 300.0", "ambient = true")],
            "deck.toml:21:11: physics[0].boundary[1].ambient: expected a number or a string, found true",
        ),
        heat(
            "fraction for a whole number",
            &[("cells = [4, 4]", "cells = [4.5, 4]")],
            "deck.toml:4:37: mesh.box.cells[0]: expected a whole number, found 4.5",
        ),
        heat(
            "out of range",
            &[("cells = [4, 4]", "cells = [4, 0]")],
            "deck.toml:4:40: mesh.box.cells[1]: expected a number at least 1, found 0",
        ),
        heat(
            "not finite",
            &[("ambient = 300.0", "ambient = nan")],
            "deck.toml:21:11: physics[0].boundary[1].ambient: expected a finite number, found nan",
        ),
        heat(
            "degree three",
            &[("model =", "degree = 3\nmodel =")],
            "deck.toml:11:10: physics[0].degree: expected a number at most 2, found 3",
        ),
        case(
            "several faults at once",
            edited(HEAT, &[("cells = ", "cels = "), ("\"maximum\"", "\"maximal\"")]),
            &[
                "deck.toml:4:7: mesh.box: missing key `cells`",
                "deck.toml:4:28: mesh.box.cels: unknown key; did you mean \"cells\"?",
                "deck.toml:25:8: quantity[0].kind: unknown value \"maximal\"; did you mean \"maximum\"?",
            ],
        ),
        Case {
            files: vec![("deck.toml", Content::Bytes(b"title = \"a\"\nx = \"\xff\"\n".to_vec()))],
            ..case("not UTF-8", String::new(), &["deck.toml: not a text file: line 2 is not UTF-8"])
        },
        Case { files: Vec::new(), ..case("no deck", String::new(), &["deck.toml: cannot read the deck: "]) },
    ]
}

/// Expressions and parameters.
fn values() -> Vec<Case> {
    vec![
        heat(
            "unknown variable",
            &[("\"1 + x\"", "\"1 + xx\"")],
            "deck.toml:12:21: physics[0].conductivity: unknown variable \"xx\"; did you mean \"x\"? (variables: x, y, z, t, h, u, pi)",
        ),
        heat(
            "unknown function",
            &[("\"1 + x\"", "\"1 + sine(x)\"")],
            "deck.toml:12:21: physics[0].conductivity: unknown function \"sine\"; did you mean \"sin\"?",
        ),
        heat(
            "open bracket",
            &[("\"1 + x\"", "\"2*(1 + x\"")],
            "deck.toml:12:19: physics[0].conductivity: \"(\" is never closed",
        ),
        heat(
            "division by zero",
            &[("ambient = 300.0", "ambient = \"1/(h - 10)\"")],
            "deck.toml:21:11: physics[0].boundary[1].ambient: `1/(h - 10)` is not finite: inf",
        ),
        heat(
            "parameter with a taken name",
            &[("h = {", "pi = {"), ("\"h\"", "1.0")],
            "deck.toml:7:6: parameters.pi: the name \"pi\" is taken",
        ),
        heat(
            "range upside down",
            &[("[5.0, 20.0]", "[20.0, 5.0]")],
            "deck.toml:7:31: parameters.h.range: expected [least, greatest], found [20, 5]",
        ),
        heat(
            "default outside its range",
            &[("10.0", "1.0")],
            "deck.toml:7:5: parameters.h: the default 1 is outside its range [5, 20]",
        ),
        heat(
            "range with three ends",
            &[("[5.0, 20.0]", "[5.0, 9.0, 20.0]")],
            "deck.toml:7:31: parameters.h.range: expected at most 2 entries, found 3",
        ),
    ]
}

/// Models and their conditions.
fn physics() -> Vec<Case> {
    vec![
        heat(
            "unknown marker",
            &[("\"left\"", "\"lfet\"")],
            "deck.toml:15:10: physics[0].boundary[0].marker: no facet marker \"lfet\" in box; did you mean \"left\"? (markers: left, right, bottom, top)",
        ),
        heat(
            "unknown region",
            &[("\"1 + x\"", "{ domian = 2.0, default = 1.0 }")],
            "deck.toml:12:27: physics[0].conductivity.domian: no region \"domian\" in box; did you mean \"domain\"?",
        ),
        heat(
            "two conditions",
            &[("value = 0.0", "value = 0.0\nflux = 1.0")],
            "deck.toml:14:1: physics[0].boundary[0]: one condition an entry, found value and flux",
        ),
        heat(
            "no condition",
            &[("value = 0.0", "")],
            "deck.toml:14:1: physics[0].boundary[0]: missing condition: value, flux, coefficient or emissivity",
        ),
        heat(
            "no ambient",
            &[("ambient = 300.0", "")],
            "deck.toml:18:1: physics[0].boundary[1]: missing key `ambient`",
        ),
        heat(
            "condition of another model",
            &[("value = 0.0", "pressure = 1.0")],
            "deck.toml:16:12: physics[0].boundary[0].pressure: no condition of diffusion; it knows value, flux, coefficient or emissivity",
        ),
        heat(
            "a value twice",
            &[("\"right\"\ncoefficient = \"h\"\nambient = 300.0", "[\"right\", \"left\"]\nvalue = 1.0")],
            "deck.toml:19:20: physics[0].boundary[1].marker[1]: boundary[0] gives \"left\" a value already",
        ),
        heat(
            "negative conductivity",
            &[("\"1 + x\"", "-2")],
            "deck.toml:12:16: physics[0].conductivity: expected a positive number, found -2",
        ),
        heat(
            "indefinite tensor",
            &[("\"1 + x\"", "[[1, 2], [2, 1]]")],
            "deck.toml:12:16: physics[0].conductivity: the tensor is not positive definite",
        ),
        heat(
            "tensor of another dimension",
            &[("\"1 + x\"", "[1, 2, 3]")],
            "deck.toml:12:16: physics[0].conductivity: expected 2 entries here, found 3",
        ),
        heat(
            "field of a later physics",
            &[("\"1 + x\"", "{ physics = \"heat\" }")],
            "deck.toml:12:28: physics[0].conductivity.physics: no earlier physics with a scalar field is named \"heat\"",
        ),
        heat(
            "nothing fixes the level",
            &[("value = 0.0", "flux = 0.0"), ("coefficient = \"h\"\nambient = 300.0", "flux = 0.0")],
            "deck.toml:9:1: physics[0]: nothing fixes the level of the field",
        ),
        solid(
            "Poisson's ratio",
            &[("0.3", "0.5")],
            "deck.toml:8:11: physics[0].poisson: expected a Poisson's ratio above -1 and below 0.5, found 0.5",
        ),
        solid(
            "no Young's modulus",
            &[("young = 210e9", "")],
            "deck.toml:4:1: physics[0]: missing key `young`",
        ),
        solid(
            "plane in three dimensions",
            &[
                ("\"quadrilateral\", cells = [4, 4]", "\"hexahedron\", cells = [2, 2, 2]"),
                ("[0.0, \"free\"]", "0.0"),
                ("traction = [1e6, 0.0]", "pressure = 1"),
            ],
            "deck.toml:6:9: physics[0].plane: only for meshes in 2 dimensions; this one has 3",
        ),
        solid(
            "traction of another dimension",
            &[("[1e6, 0.0]", "[1e6, 0.0, 0.0]")],
            "deck.toml:16:12: physics[0].boundary[1].traction: expected 2 entries here, found 3",
        ),
        solid(
            "all components free",
            &[("[0.0, \"free\"]", "[\"free\", \"free\"]")],
            "deck.toml:12:9: physics[0].boundary[0].value: every component is \"free\"",
        ),
        solid(
            "rotation without density",
            &[("plane = \"stress\"", "rotation = { speed = 100.0 }")],
            "deck.toml:6:12: physics[0].rotation: a centrifugal load needs the `density`",
        ),
        solid(
            "a point where no node is",
            &[("marker = \"left\"\nvalue = [0.0, \"free\"]", "point = [0.1, 0.1]\nvalue = 0.0")],
            "deck.toml:11:9: physics[0].boundary[0].point: no node is there",
        ),
    ]
}

fn other_sections() -> Vec<Case> {
    let after = |text: &str| format!("{HEAT}\n{text}\n");
    vec![
        heat(
            "box and file",
            &[("box =", "file = \"a.msh\"\nbox =")],
            "deck.toml:3:1: mesh: `file` and `box` exclude each other",
        ),
        heat(
            "neither box nor file",
            &[("box = { cell = \"triangle\", cells = [4, 4] }", "")],
            "deck.toml:3:1: mesh: expected `file` or `box`",
        ),
        heat(
            "empty box",
            &[("[4, 4]", "[4, 4], upper = [1, 0]")],
            "deck.toml:4:7: mesh.box: the box is empty along y: from 0 to 0",
        ),
        heat(
            "unknown periodic direction",
            &[("[4, 4]", "[4, 4], periodic = [\"w\"]")],
            "deck.toml:4:56: mesh.box.periodic[0]: unknown value \"w\"; did you mean \"x\"? (known: x, y, z)",
        ),
        heat(
            "periodic direction that is not there",
            &[("[4, 4]", "[4, 4], periodic = [\"y\", \"z\"]")],
            "deck.toml:4:61: mesh.box.periodic[1]: triangle cells have no direction z",
        ),
        heat(
            "periodic direction twice",
            &[("[4, 4]", "[4, 4], periodic = [\"y\", \"y\"]")],
            "deck.toml:4:61: mesh.box.periodic[1]: \"y\" is there twice",
        ),
        heat(
            "too few cells for a periodic direction",
            &[("[4, 4]", "[4, 2], periodic = [\"y\"]")],
            "deck.toml:4:40: mesh.box.cells[1]: a periodic direction needs at least 3 cells, found 2 along y",
        ),
        heat(
            "condition on a periodic side",
            &[("[4, 4]", "[4, 4], periodic = [\"x\"]"), ("\"right\"", "\"top\"")],
            "deck.toml:15:10: physics[0].boundary[0].marker: the box is periodic along x (mesh.box.periodic), so \"left\" is no boundary",
        ),
        case(
            "periodic box that leaves the level open",
            "mesh.box = { cell = \"interval\", cells = [4], periodic = [\"x\"] }\n[[physics]]\nmodel = \"diffusion\"\n".into(),
            &["deck.toml:2:1: physics[0]: nothing fixes the level of the field: give a boundary a `value`"],
        ),
        heat(
            "two axes for three",
            &[("triangle", "tetrahedron")],
            "deck.toml:4:39: mesh.box.cells: tetrahedron cells need 3 entries, found 2",
        ),
        heat(
            "unknown field",
            &[("field = \"u\"", "field = \"v\"")],
            "deck.toml:26:9: quantity[0].field: unknown field \"v\"; did you mean \"u\"?",
        ),
        heat(
            "point without a place",
            &[("\"maximum\"", "\"point\"")],
            "deck.toml:23:1: quantity[0]: missing key `point`",
        ),
        heat(
            "error without an exact solution",
            &[("\"maximum\"", "\"l2_error\"")],
            "deck.toml:25:8: quantity[0].kind: no [[exact]] solution for the field \"u\"",
        ),
        heat(
            "component too high",
            &[("field = \"u\"", "component = 3")],
            "deck.toml:26:13: quantity[0].component: the field \"u\" has components 0 to 0, not 3",
        ),
        case(
            "vector for a scalar solution",
            after("[[exact]]\nvalue = [\"x\", \"y\"]"),
            &["deck.toml:29:9: exact[0].value: expected 1 entry here, found 2"],
        ),
        case(
            "output is no HDF5 file",
            after("[output]\nfile = \"run.vtk\""),
            &["deck.toml:29:8: output.file: expected a file name ending in .h5"],
        ),
        case(
            "unknown level",
            after("[constraint]\nlevel = \"conservatoin\""),
            &[
                "deck.toml:29:9: constraint.level: unknown value \"conservatoin\"; did you mean \"conservation\"?",
            ],
        ),
        case(
            "grid without levels",
            after("[campaign]\ndesign = \"grid\""),
            &["deck.toml:28:1: campaign: the design \"grid\" needs `levels`"],
        ),
        case(
            "more initial samples than there may be",
            after("[campaign]\ndesign = \"adaptive\"\nsamples = 3\nadaptive = { initial = 4 }"),
            &["deck.toml:31:24: campaign.adaptive.initial: more initial samples (4) than `samples` (3)"],
        ),
        case(
            "adaptive options of another design",
            after("[campaign]\nadaptive = { candidates = 10 }"),
            &["deck.toml:29:12: campaign.adaptive: does not belong to this `design`"],
        ),
        case(
            "misspelt option of an adaptive design",
            after("[campaign]\ndesign = \"adaptive\"\nadaptive = { candidate = 10 }"),
            &["deck.toml:30:14: campaign.adaptive.candidate: unknown key; did you mean \"candidates\"?"],
        ),
        case(
            "adaptive design with random fields",
            after("[random.g]\nkind = \"matern\"\nrange = 0.5\n[campaign]\ndesign = \"adaptive\""),
            &["deck.toml:32:10: campaign.design: an adaptive design needs a reduced model, which has no random fields"],
        ),
        case(
            "interface without the Schwarz method",
            after("[solver]\ninterface = \"robin\"\nrobin = 2.0"),
            &[
                "deck.toml:29:13: solver.interface: belongs to method = \"schwarz\": choose that or leave this out",
                "deck.toml:30:9: solver.robin: belongs to method = \"schwarz\": choose that or leave this out",
            ],
        ),
        case(
            "misspelt interface",
            after("[solver]\nmethod = \"schwarz\"\ninterface = \"robn\""),
            &["deck.toml:30:13: solver.interface: unknown value \"robn\"; did you mean \"robin\"?"],
        ),
        case(
            "factor of no condition",
            after("[solver]\nmethod = \"schwarz\"\nrobin = 2.0"),
            &["deck.toml:30:9: solver.robin: there is nothing to multiply without interface = \"robin\""],
        ),
        case(
            "factor below zero",
            after("[solver]\nmethod = \"schwarz\"\ninterface = \"robin\"\nrobin = -1.0"),
            &["deck.toml:31:9: solver.robin: expected a number above 0, found -1"],
        ),
        case(
            "conditions that the model does not know",
            format!("{SOLID}\n[solver]\nmethod = \"schwarz\"\ninterface = \"robin\"\n"),
            &["deck.toml:20:13: solver.interface: the model elasticity has no condition for interfaces"],
        ),
        case(
            "conjugate gradients with a method that is not symmetric",
            after("[solver]\nmethod = \"schwarz\"\ninterface = \"robin\"\nrecycle = { method = \"cg\" }"),
            &["deck.toml:31:22: solver.recycle.method: the Schwarz method of one level is not symmetric"],
        ),
        case(
            "nothing to tune",
            after("[solver]\ntune = { seed = 1 }"),
            &["deck.toml:29:8: solver.tune: expected `arms` or `relaxation`: there is nothing to choose from"],
        ),
        case(
            "arms that are none",
            after("[solver]\ntune = { arms = [\"pc_type sor\", \"-pc_type ilu\", \"-pc_type ilu\"] }"),
            &[
                "deck.toml:29:18: solver.tune.arms[0]: \"pc_type sor\" is no PETSc option",
                "deck.toml:29:49: solver.tune.arms[2]: the arm \"-pc_type ilu\" is there twice",
            ],
        ),
        case(
            "relaxation without a range",
            after("[solver.tune.relaxation]\noption = \"pc_sor_omega\"\nfrom = 1.5\nto = 1.0\nlevels = 5"),
            &[
                "deck.toml:29:10: solver.tune.relaxation.option: \"pc_sor_omega\" is no PETSc option",
                "deck.toml:30:8: solver.tune.relaxation.from: expected less than `to` (1), found 1.5",
            ],
        ),
        case(
            "contexts that are none",
            after("[solver.tune]\narms = [\"-pc_type sor\", \"-pc_type ilu\"]\ncontext = [\"hh\", \"x\", \"t\", \"3\"]"),
            &[
                "deck.toml:30:12: solver.tune.context[0]: unknown variable \"hh\"",
                "deck.toml:30:18: solver.tune.context[1]: a context is one number for a system",
                "deck.toml:30:23: solver.tune.context[2]: the deck has no [time]",
                "deck.toml:30:28: solver.tune.context[3]: a context depends on parameters or t: this one is constant",
            ],
        ),
        case(
            "factorisation with arms",
            after("[solver]\nmethod = \"direct\"\ntune = { arms = [\"-pc_type sor\", \"-pc_type ilu\"] }"),
            &["deck.toml:30:8: solver.tune: only iterative solvers are tuned"],
        ),
        case(
            "arms and a recycled space",
            after("[solver]\nrecycle = { method = \"gcro_dr\" }\ntune = { arms = [\"-pc_type sor\", \"-pc_type ilu\"] }"),
            &["deck.toml:30:8: solver.tune: recycling keeps the space of one solver: give either `tune` or `recycle`"],
        ),
        case(
            "misspelt words beside numbers",
            after("[solver]\nrefresh = \"alwys\"\n[campaign]\nsamples = 2\ngroup_ranks = \"al\""),
            &[
                "deck.toml:29:11: solver.refresh: unknown value \"alwys\"; did you mean \"always\"?",
                "deck.toml:32:15: campaign.group_ranks: unknown value \"al\"; did you mean \"all\"?",
            ],
        ),
        case(
            "no ranks in a group",
            after("[solver]\nrefresh = true\n[campaign]\nsamples = 2\ngroup_ranks = 0"),
            &[
                "deck.toml:29:11: solver.refresh: expected a whole number, \"always\" or \"auto\", found true",
                "deck.toml:32:15: campaign.group_ranks: expected a number at least 1, found 0",
            ],
        ),
        case(
            "row of another width",
            after("[campaign]\ndesign = \"list\"\ntable = [[1.0, 2.0]]"),
            &["deck.toml:30:10: campaign.table[0]: expected 1 numbers, found 2"],
        ),
        case(
            "solver without options",
            after("[solver]\nmethod = \"options\""),
            &["deck.toml:28:1: solver.petsc: method = \"options\" takes everything"],
        ),
        case(
            "tolerance one",
            after("[solver]\ntolerance = 1"),
            &["deck.toml:29:13: solver.tolerance: expected a number below 1, found 1"],
        ),
        case(
            "no PETSc option",
            after("[solver]\npetsc = \"ksp_monitor\""),
            &["deck.toml:29:9: solver.petsc: expected PETSc options such as"],
        ),
        case(
            "modes of nothing",
            after("[rom]\nmodes = 0"),
            &["deck.toml:29:9: rom.modes: expected a number at least 1, found 0"],
        ),
    ]
}

/// Overrides and rank counts.
fn command_line() -> Vec<Case> {
    let with = |name, arguments: &[&'static str], ranks, message: &str| Case {
        arguments: arguments.to_vec(),
        ranks,
        ..case(name, HEAT.into(), &[message])
    };
    vec![
        with(
            "override of an unknown key",
            &["--set", "solver.tolerence=1e-3"],
            1,
            "--set solver.tolerence=1e-3: solver.tolerence: unknown key; did you mean \"tolerance\"?",
        ),
        with(
            "override with a bad value",
            &["--set", "physics.heat.source=2*q"],
            4,
            "--set physics.heat.source=2*q: physics[0].source: unknown variable \"q\"",
        ),
        with(
            "override of no entry",
            &["--set", "physics.haet.degree=2"],
            2,
            "--set physics.haet.degree=2: no entry \"haet\" in a list of 1; did you mean \"heat\"?",
        ),
        with(
            "override of another parameter",
            &["--set", "parameters.hh=80"],
            2,
            "--set parameters.hh=80: the deck has no parameter \"hh\"; did you mean \"h\"? (parameters: h)",
        ),
        with("override without a value", &["--set", "title"], 2, "--set title: expected key.path=value"),
        with("unknown option", &["--fast"], 2, "unexpected argument '--fast' found"),
        Case {
            ranks: 1,
            ..heat(
                "unknown marker",
                &[("\"left\"", "\"lift\"")],
                "deck.toml:15:10: physics[0].boundary[0].marker: no facet marker \"lift\" in box",
            )
        },
        Case {
            ranks: 4,
            ..heat(
                "more ranks than cells",
                &[("[4, 4]", "[1, 1]")],
                "box: 2 cells cannot be shared by 4 ranks: use fewer ranks",
            )
        },
    ]
}

/// Computations that cannot succeed.
fn failures() -> Vec<Case> {
    let fails =
        |name, edits: &[(&str, &str)], ranks, message| Case { code: 1, ranks, ..heat(name, edits, message) };
    let slow = "conductivity = 1.0\nsolver = { method = \"options\", petsc = \"-ksp_type cg -pc_type none\", max_iterations = 2 }";
    vec![
        fails(
            "too few iterations",
            &[("conductivity = \"1 + x\"", slow)],
            2,
            "heat: the linear solver stopped after 2 iterations",
        ),
        fails(
            "too few iterations",
            &[("conductivity = \"1 + x\"", slow)],
            4,
            "heat: the linear solver stopped after 2 iterations",
        ),
        heat(
            "coefficient not a number",
            &[("\"1 + x\"", "\"sqrt(x - 0.5)\"")],
            "deck.toml:12:16: physics[0].conductivity: expected a positive number, found NaN at (",
        ),
        heat(
            "coefficient negative somewhere",
            &[("\"1 + x\"", "\"0.9 - x\"")],
            "deck.toml:12:16: physics[0].conductivity: expected a positive number, found -0.0",
        ),
        heat(
            "condition not a number",
            &[("value = 0.0", "value = \"log(y - 0.5)\"")],
            "deck.toml:16:9: physics[0].boundary[0].value: expected a finite number, found ",
        ),
        heat(
            "transfer negative somewhere",
            &[("coefficient = \"h\"", "coefficient = \"y - 0.5\"")],
            "deck.toml:20:15: physics[0].boundary[1].coefficient: expected no negative number, found -0.",
        ),
    ]
}
