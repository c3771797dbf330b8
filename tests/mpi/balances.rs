//! Nothing is lost: what comes in through every part of the boundary, from sources and from what is stored adds up to
//! zero, in every model, dimension, element and kind of condition.
use crate::common::Suite;
use crate::common::decks::{deck, simulation};
use tessera::parallel::Comm;
use tessera::physics::Context;
use tessera::simulation::{Evolution, Progress, Simulation};
use tessera_kernels::MODELS;

/// Most that may be missing, relative to all that is exchanged.
const LOST: f64 = 1e-10;

fn check(simulation: &Simulation, context: &Context, text: &str) {
    for stage in &simulation.stages {
        let balance = stage.balance(context).unwrap();
        let gross = balance.gross();
        assert!(gross > 0.0 && gross.is_finite(), "nothing is exchanged: {balance:?}\n{text}");
        for missing in balance.imbalance() {
            assert!(missing.abs() <= LOST * gross, "{missing:e} of {gross:e} is missing: {balance:?}\n{text}");
        }
    }
}

fn steady(comm: &Comm, text: &str) {
    let text = &format!("[solver]\nmethod = \"direct\"\ntolerance = 1e-12\n{text}");
    let mut simulation = simulation(comm, text);
    let context = simulation.default_context();
    simulation.solve(&context).unwrap_or_else(|e| panic!("{e}\n{text}"));
    check(&simulation, &context, text);
}

fn in_time(comm: &Comm, text: &str, scheme: &str) {
    let text = &format!(
        "[solver]\nmethod = \"direct\"\ntolerance = 1e-12\n[time]\nend = 0.3\nstep = 0.1\nscheme = \"{scheme}\"\n{text}"
    );
    let deck = deck(text, &[]);
    let time = deck.time.as_ref().unwrap();
    let mut simulation = Simulation::new(comm, &deck).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let context = simulation.default_context();
    simulation.set_initial(&context).unwrap();
    let mut evolution = Evolution::start(&mut simulation, time, context).unwrap();
    while !evolution.is_over() {
        match evolution.advance(&mut simulation).unwrap() {
            Progress::Accepted(..) => check(&simulation, &evolution.context, text),
            Progress::Failed(why) => panic!("{why}\n{text}"),
            _ => {}
        }
    }
}

/// Boxes of all cells, few enough for a walk through all models.
const CELLS: [(&str, &str, usize); 5] = [
    ("interval", "[5]", 1),
    ("triangle", "[4, 3]", 2),
    ("quadrilateral", "[3, 4]", 2),
    ("tetrahedron", "[2, 2, 2]", 3),
    ("hexahedron", "[2, 2, 3]", 3),
];

fn mesh(cell: &str, cells: &str) -> String {
    format!("[mesh]\nbox = {{ cell = \"{cell}\", cells = {cells} }}\n")
}

/// An essential, a natural and a Robin side; two of three dimensions share edges with the first.
fn scalar_sides(dimension: usize) -> String {
    let mut text = String::from(
        "[[physics.boundary]]\nmarker = \"left\"\nvalue = \"1 + x\"\n\
         [[physics.boundary]]\nmarker = \"right\"\ncoefficient = 2.0\nambient = 3.0\n",
    );
    if dimension > 1 {
        text += "[[physics.boundary]]\nmarker = \"bottom\"\nvalue = \"1 + 2*x\"\n\
                 [[physics.boundary]]\nmarker = \"top\"\nflux = \"1 + x\"\n";
    }
    text
}

fn vector(dimension: usize, entries: [&str; 3]) -> String {
    format!("[{}]", entries[..dimension].join(", "))
}

fn steady_models_balance(comm: &Comm) {
    for (cell, cells, d) in CELLS {
        for degree in [1, 2] {
            let start = format!("{}[[physics]]\ndegree = {degree}\n", mesh(cell, cells));
            let sides = scalar_sides(d);
            steady(comm, &format!("{start}model = \"diffusion\"\nconductivity = \"1 + x\"\nsource = \"2 + x\"\nreaction = 0.5\n{sides}"));
            let velocity = vector(d, ["3.0", "0.5", "0.25"]);
            let transport = format!("{start}model = \"advection_diffusion\"\ndiffusivity = 0.1\nvelocity = {velocity}\nsource = 1.0\n");
            steady(comm, &format!("{transport}{sides}"));
            let tensor = match d {
                1 => "[[2.0]]",
                2 => "[[2.0, 0.5], [0.5, 1.0]]",
                _ => "[[2.0, 0.5, 0.0], [0.5, 1.0, 0.1], [0.0, 0.1, 3.0]]",
            };
            steady(comm, &format!("{start}model = \"diffusion\"\nconductivity = {tensor}\nsource = 1.0\n{sides}"));
            let solid = format!("{start}model = \"elasticity\"\nyoung = 10.0\npoisson = 0.3\nexpansion = 0.1\ntemperature = \"1 + x\"\nbody_force = {}\n", vector(d, ["1.0", "-2.0", "\"0.5 + x\""]));
            let held = "[[physics.boundary]]\nmarker = \"left\"\nvalue = 0.0\n[[physics.boundary]]\nmarker = \"right\"\npressure = 1.5\n";
            steady(comm, &format!("{solid}{held}"));
            if d > 1 {
                let free = vec!["\"free\""; d - 1].join(", ");
                let more = format!(
                    "[[physics.boundary]]\nmarker = \"top\"\nfoundation = 20.0\n\
                     [[physics.boundary]]\nmarker = \"bottom\"\nvalue = [{free}, 0.1]\n\
                     [[physics.boundary]]\nmarker = \"right\"\ntraction = {}\n",
                    vector(d, ["1.0", "2.0", "3.0"])
                );
                steady(comm, &format!("{solid}{held}{more}"));
            }
        }
    }
    // Point supports: three of them hold a plate, and one lies inside.
    let points = "[[physics.boundary]]\npoint = [0.0, 0.0]\nvalue = 0.0\n[[physics.boundary]]\npoint = [1.0, 0.0]\n\
                  value = [\"free\", 0.0]\n[[physics.boundary]]\npoint = [0.5, 0.5]\nvalue = [0.0, \"free\"]\n";
    steady(comm, &format!("{}[[physics]]\nmodel = \"elasticity\"\nplane = \"stress\"\nyoung = 10.0\npoisson = 0.3\nbody_force = [1.0, -2.0]\n{points}", mesh("quadrilateral", "[4, 4]")));
    // Bodies of revolution.
    for degree in [1, 2] {
        let start = format!("{}[[physics]]\ndegree = {degree}\nplane = \"axisymmetric\"\n", mesh("triangle", "[4, 3]"));
        let sides = scalar_sides(2).replace("marker = \"left\"", "marker = \"right\"").replacen("marker = \"right\"\ncoefficient", "marker = \"left\"\ncoefficient", 1);
        steady(comm, &format!("{start}model = \"diffusion\"\nsource = \"2 + x\"\n{sides}"));
        steady(comm, &format!("{start}model = \"elasticity\"\nyoung = 10.0\npoisson = 0.3\nbody_force = [0.0, -2.0]\n[[physics.boundary]]\nmarker = \"bottom\"\nvalue = [\"free\", 0.0]\n[[physics.boundary]]\nmarker = \"top\"\npressure = 3.0\n"));
    }
}

fn flows_and_waves_balance(comm: &Comm) {
    for (cell, cells, d) in &CELLS[1..] {
        let zero = vec!["0.0"; *d].join(", ");
        let flow = format!("{}[[physics]]\nmodel = \"navier_stokes\"\nviscosity = \"0.1 + 0.1*x\"\ndensity = 2.0\n", mesh(cell, cells));
        let inlet = format!("[[physics.boundary]]\nmarker = \"left\"\nvalue = [\"y*(1 - y)\", {}]\n", vec!["0.0"; d - 1].join(", "));
        let sides = if *d == 3 { "\"bottom\", \"top\", \"front\", \"back\"" } else { "\"bottom\", \"top\"" };
        let walls = format!("[[physics.boundary]]\nmarker = [{sides}]\nvalue = [{zero}]\n");
        // An open side, a pressure there, and a traction.
        steady(comm, &format!("{flow}{inlet}{walls}"));
        steady(comm, &format!("{flow}{walls}[[physics.boundary]]\nmarker = \"left\"\npressure = 1.0\n"));
        steady(comm, &format!("{flow}{inlet}{walls}[[physics.boundary]]\nmarker = \"right\"\ntraction = {}\n", vector(*d, ["0.1", "0.2", "0.3"])));
        in_time(comm, &format!("{flow}{inlet}{walls}"), "bdf2");
    }
    for (cell, cells, d) in CELLS {
        let start = format!("{}[[physics]]\n", mesh(cell, cells));
        steady(comm, &format!("{start}model = \"helmholtz\"\nwave_number = 2.0\nsource = \"1 + x\"\n[[physics.boundary]]\nmarker = \"left\"\nvalue = [1.0, 0.5]\n[[physics.boundary]]\nmarker = \"right\"\nabsorbing = 2.0\nincoming = [0.5, 1.0]\n"));
        let u = vec!["1.0"; d].join(", ");
        let value = if d == 1 { "1.0".into() } else { format!("[{u}]") };
        in_time(comm, &format!("{start}model = \"burgers\"\nviscosity = 0.1\n[[physics.boundary]]\nmarker = \"left\"\nvalue = {value}\n"), "bdf1");
    }
}

fn models_in_time_balance(comm: &Comm) {
    for (cell, cells, d) in CELLS {
        let start = format!("{}[[physics]]\n", mesh(cell, cells));
        let sides = scalar_sides(d);
        for scheme in ["bdf1", "bdf2", "crank_nicolson", "sdirk2", "sdirk3"] {
            in_time(comm, &format!("{start}model = \"diffusion\"\ndegree = 2\ncapacity = \"2 + x\"\nsource = \"1 + t\"\n{sides}"), scheme);
            let velocity = vector(d, ["3.0", "0.5", "0.25"]);
            in_time(comm, &format!("{start}model = \"advection_diffusion\"\ndiffusivity = 0.1\nvelocity = {velocity}\nsource = 1.0\n{sides}"), scheme);
        }
        let initial = "[[initial]]\nvalue = 0.5\n";
        in_time(comm, &format!("{initial}{start}model = \"diffusion_sorption\"\ndiffusivity = 0.2\nexponent = 0.9\nporosity = 0.3\ndensity = 2.0\npartition = 0.5\n{sides}"), "bdf1");
        in_time(comm, &format!("{initial}{start}model = \"porous_medium\"\nexponent = 2.0\nsource = 0.1\n{sides}"), "bdf1");
    }
    let metal = "young = 1000.0\npoisson = 0.3\nyield_stress = 1.0\ndrag_stress = 50.0\nrate_exponent = 2.0\nkinematic_modulus = 10.0\ndynamic_recovery = 1.0\nisotropic_saturation = 1.0\nisotropic_rate = 1.0\nexpansion = 1e-3\ntemperature = \"1 + x*t\"\n";
    for (cell, cells, d) in &CELLS[1..] {
        let zero = vec!["0.0"; *d].join(", ");
        in_time(comm, &format!("{}[[physics]]\nmodel = \"viscoplasticity\"\n{metal}body_force = {}\n[[physics.boundary]]\nmarker = \"left\"\nvalue = [{zero}]\n[[physics.boundary]]\nmarker = \"right\"\npressure = \"2*t\"\n", mesh(cell, cells), vector(*d, ["0.1", "-0.2", "0.3"])), "bdf1");
    }
}

/// Quantities: fluxes through all sides are what the source gives, and reactions what the supports carry.
fn quantities_of_all_sides_add_up(comm: &Comm) {
    let mut text = format!("[solver]\nmethod = \"direct\"\ntolerance = 1e-12\n{}[[physics]]\nmodel = \"diffusion\"\nsource = 3.0\n{}", mesh("tetrahedron", "[3, 2, 2]"), scalar_sides(3));
    for side in ["left", "right", "bottom", "top", "front", "back"] {
        text += &format!("[[quantity]]\nname = \"{side}\"\nkind = \"flux\"\nmarker = \"{side}\"\n");
    }
    text += "[[quantity]]\nname = \"all\"\nkind = \"flux\"\n[[quantity]]\nname = \"two\"\nkind = \"flux\"\nmarker = [\"left\", \"bottom\"]\n";
    let mut simulation = simulation(comm, &text);
    let context = simulation.default_context();
    simulation.solve(&context).unwrap();
    let values = simulation.quantities(&context).unwrap();
    let sum: f64 = values[..6].iter().sum();
    assert!((sum - 3.0).abs() < 1e-10, "{values:?}");
    assert!((values[6] - 3.0).abs() < 1e-10, "{values:?}");
    assert!((values[7] - values[0] - values[2]).abs() < 1e-10, "{values:?}");
    // No condition, no flux.
    assert_eq!(&values[4..6], &[0.0, 0.0]);
}

/// What leaves a core through its sides is the source in it, whatever the order of the cells; a line within a region counts
/// along its own normal.
fn what_leaves_a_core_is_its_source(comm: &Comm) {
    let n = 6;
    for reversed in [false, true] {
        crate::common::with_folder(comm, |folder| {
            let path = folder.join("core.msh");
            if comm.rank() == 0 {
                std::fs::write(&path, core_mesh(n, reversed)).unwrap();
            }
            comm.barrier();
            for degree in [1, 2] {
                let text = format!(
                    "[solver]\nmethod = \"direct\"\n[mesh]\nfile = \"{}\"\n[[physics]]\nmodel = \"diffusion\"\ndegree = {degree}\n\
                     conductivity = {{ core = 3.0, around = 1.0 }}\nsource = {{ core = \"9 + 9*x\", around = 0.0 }}\n\
                     [[physics.boundary]]\nmarker = \"side\"\nvalue = 0.0\n\
                     [[quantity]]\nname = \"ring\"\nkind = \"flux\"\nmarker = \"ring\"\n",
                    path.display()
                );
                let mut simulation = simulation(comm, &text);
                let context = simulation.default_context();
                simulation.solve(&context).unwrap();
                let value = simulation.quantities(&context).unwrap()[0];
                // int 9 + 9 x over the core [1/3, 2/3]^2; its normals point from "around" to "core".
                assert!((value + 1.5).abs() < 1e-10, "degree {degree}, reversed {reversed}: {value}");
            }
        });
    }
}

/// A square of n x n quadrilaterals with a core in its middle third, in Gmsh's version 2.2.
fn core_mesh(n: usize, reversed: bool) -> String {
    let id = |i: usize, j: usize| j * (n + 1) + i + 1;
    let mut text = String::from(
        "$MeshFormat\n2.2 0 8\n$EndMeshFormat\n$PhysicalNames\n4\n1 1 \"side\"\n1 2 \"ring\"\n2 3 \"around\"\n2 4 \"core\"\n$EndPhysicalNames\n",
    );
    text += &format!("$Nodes\n{}\n", (n + 1) * (n + 1));
    for j in 0..=n {
        for i in 0..=n {
            text += &format!("{} {} {} 0\n", id(i, j), i as f64 / n as f64, j as f64 / n as f64);
        }
    }
    let (low, high) = (n / 3, 2 * n / 3);
    let mut elements = Vec::new();
    for k in 0..n {
        for (a, b) in [((k, 0), (k + 1, 0)), ((k, n), (k + 1, n)), ((0, k), (0, k + 1)), ((n, k), (n, k + 1))] {
            elements.push(format!("1 2 1 1 {} {}", id(a.0, a.1), id(b.0, b.1)));
        }
    }
    for k in low..high {
        // Lines of no common direction.
        for (a, b) in [((k, low), (k + 1, low)), ((k, high), (k + 1, high)), ((low, k), (low, k + 1)), ((high, k), (high, k + 1))] {
            elements.push(format!("1 2 2 2 {} {}", id(a.0, a.1), id(b.0, b.1)));
        }
    }
    let mut cells = Vec::new();
    for j in 0..n {
        for i in 0..n {
            let inside = (low..high).contains(&i) && (low..high).contains(&j);
            let tag = if inside { 4 } else { 3 };
            cells.push(format!("3 2 {tag} {tag} {} {} {} {}", id(i, j), id(i + 1, j), id(i + 1, j + 1), id(i, j + 1)));
        }
    }
    if reversed {
        // The core's cells come first.
        cells.sort_by_key(|cell| !cell.starts_with("3 2 4"));
    }
    elements.extend(cells);
    text += &format!("$EndNodes\n$Elements\n{}\n", elements.len());
    for (number, element) in elements.iter().enumerate() {
        text += &format!("{} {element}\n", number + 1);
    }
    text + "$EndElements\n"
}

/// A metal that stays elastic has elasticity's reactions on every side, from its first step on.
fn a_metal_below_yield_has_the_reactions_of_an_elastic_body(comm: &Comm) {
    let sides: String = ["left", "right", "bottom", "top"]
        .map(|side| format!("[[physics.boundary]]\nmarker = \"{side}\"\nvalue = [\"1e-4*x\", \"-2e-4*y\"]\n[[quantity]]\nname = \"{side}\"\nkind = \"reaction\"\nmarker = \"{side}\"\ncomponent = {}\n", usize::from(side == "bottom" || side == "top")))
        .concat();
    let text = |model: &str| format!("{}[[physics]]\n{model}{sides}", mesh("quadrilateral", "[4, 4]"));
    let mut elastic = simulation(comm, &text("model = \"elasticity\"\nyoung = 2e11\npoisson = 0.3\n"));
    let context = elastic.default_context();
    elastic.solve(&context).unwrap();
    let expected = elastic.quantities(&context).unwrap();
    // Uniform stress: plane strain.
    let (lambda, mu) = (2e11 * 0.3 / (1.3 * 0.4), 2e11 / 2.6);
    let exact = lambda * (1e-4 - 2e-4) + 2.0 * mu * 1e-4;
    assert!((expected[1] - exact).abs() < 1e-6 * exact.abs(), "{expected:?} {exact}");
    let metal = text("model = \"viscoplasticity\"\nyoung = 2e11\npoisson = 0.3\nyield_stress = 1e12\ndrag_stress = 1e9\nrate_exponent = 2.0\n");
    let deck = deck(&format!("[time]\nend = 0.2\nstep = 0.1\n{metal}"), &[]);
    let mut simulation = Simulation::new(comm, &deck).unwrap();
    let mut evolution = Evolution::start(&mut simulation, deck.time.as_ref().unwrap(), context).unwrap();
    assert!(matches!(evolution.advance(&mut simulation).unwrap(), Progress::Accepted(..)));
    let found = simulation.quantities(&evolution.context).unwrap();
    for (a, b) in found.iter().zip(&expected) {
        assert!((a - b).abs() < 1e-6 * b.abs(), "{found:?}, elastic {expected:?}");
    }
}

/// A fluid that turns rigidly exerts no shear: neither force nor torque on the walls that turn with it.
fn a_rigidly_turning_fluid_exerts_no_shear(comm: &Comm) {
    let sides = "[[physics.boundary]]\nmarker = [\"left\", \"right\", \"bottom\", \"top\"]\nvalue = [\"0.5 - y\", \"x - 0.5\"]\n\
                 [[physics.boundary]]\npoint = [0.0, 0.0]\nvalue = [\"free\", \"free\", 0.0]\n";
    let mut text = format!("[solver]\nmethod = \"direct\"\ntolerance = 1e-12\n{}[[physics]]\nmodel = \"navier_stokes\"\ndensity = 1e-6\nviscosity = 1.0\n{sides}", mesh("triangle", "[4, 4]"));
    for side in ["left", "right", "bottom", "top"] {
        let along = usize::from(matches!(side, "left" | "right"));
        text += &format!("[[quantity]]\nname = \"{side}\"\nkind = \"reaction\"\nfield = \"velocity\"\nmarker = \"{side}\"\ncomponent = {along}\n");
    }
    let mut simulation = simulation(comm, &text);
    let context = simulation.default_context();
    simulation.solve(&context).unwrap();
    for shear in simulation.quantities(&context).unwrap() {
        assert!(shear.abs() < 1e-5, "{shear}");
    }
}

/// Every trial of every model in the table, held on the left: a model that is added is tested here as well.
fn every_model_balances(comm: &Comm) {
    for model in MODELS {
        for trial in model.trials {
            for (cell, cells, d) in CELLS.into_iter().filter(|cell| cell.2 >= model.least_dimension) {
                let components = (model.components)(d);
                // Of a flow the pressure stays free.
                let entry = format!("{:e}", 0.1 * trial.size);
                let flow = components == d + 1 && d > 1;
                let list = vec![entry.as_str(); if flow { d } else { components }].join(", ");
                let value = if components == 1 { entry } else { format!("[{list}]") };
                let text = format!(
                    "[parameters]\na = 1.1\n{}[[physics]]\nmodel = \"{}\"\n{}\n[[physics.boundary]]\nmarker = \"right\"\n{}\n\
                     [[physics.boundary]]\nmarker = \"left\"\nvalue = {value}\n",
                    mesh(cell, cells),
                    model.name,
                    trial.inputs,
                    trial.boundary.replace("value = 0", &format!("value = {value}")),
                );
                let text = text.replace("VECTOR", &vector(d, ["\"a + x\"", "-2", "0.5"]));
                match trial.in_time {
                    true => in_time(comm, &text, "bdf1"),
                    false => steady(comm, &text),
                }
            }
        }
    }
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3],
    tests: &[
        ("every_model_balances", every_model_balances),
        ("steady_models_balance", steady_models_balance),
        ("flows_and_waves_balance", flows_and_waves_balance),
        ("models_in_time_balance", models_in_time_balance),
        ("quantities_of_all_sides_add_up", quantities_of_all_sides_add_up),
        ("what_leaves_a_core_is_its_source", what_leaves_a_core_is_its_source),
        ("a_metal_below_yield_has_the_reactions_of_an_elastic_body", a_metal_below_yield_has_the_reactions_of_an_elastic_body),
        ("a_rigidly_turning_fluid_exerts_no_shear", a_rigidly_turning_fluid_exerts_no_shear),
    ],
}];
