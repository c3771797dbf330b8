//! Datasets of problems with several fields a solution: velocity and pressure lie in arrays of their own, as in runs.
use crate::common::decks::{deck_in, quiet};
use crate::common::{Suite, with_folder};
use std::path::Path;
use tessera::campaign::{Campaign, Selection, campaign_samples};
use tessera::deck::{ConstraintLevel, Deck};
use tessera::drivers::constrain::{self, ConstrainOptions};
use tessera::drivers::grid::{self, GridOptions};
use tessera::drivers::{campaign, output, run, train};
use tessera::fem::grid::Placement;
use tessera::parallel::Comm;
use tessera::report::Level;
use tessera::simulation::Simulation;
use tessera::storage::{DatasetFile, Field, File, Reader, Room, Status, Value, write_xdmf};

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
        ("samples_are_runs", samples_are_runs),
        ("stopped_and_gone_on_with", stopped_and_gone_on_with),
        ("datasets_of_earlier_versions", datasets_of_earlier_versions),
        ("parts_of_complex_fields", parts_of_complex_fields),
    ],
}];

const FLOW: &str = "title = \"Channel\"\n[mesh]\nbox = { cell = \"quadrilateral\", cells = [5, 4] }\n\
    [parameters]\nnu = { default = 0.1, range = [0.02, 0.5] }\n\
    [[physics]]\nname = \"flow\"\nmodel = \"navier_stokes\"\ndensity = 1.0\nviscosity = \"nu\"\n\
    boundary = [{ marker = \"left\", value = [\"4*y*(1 - y)\", 0] }, { marker = [\"top\", \"bottom\"], value = [0, 0] }]\n\
    [partition]\nexperts = 3\n[solver]\nmethod = \"direct\"\ntolerance = 1e-11\n[output]\nframes = 2\n\
    [campaign]\ndesign = \"list\"\ntable = [[0.05], [0.1], [0.3]]\n[rom]\ntolerance = 1e-10\n";
const TIME: &[&str] = &["time.end=0.2", "time.step=0.05"];

fn array(file: &Reader, path: &str) -> (Vec<u64>, Vec<f64>) {
    file.array(path).unwrap()
}

fn close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let apart = found.iter().zip(expected).fold(0.0, |m: f64, (a, b)| m.max((a - b).abs()));
    assert!(apart < tolerance, "{what}: {apart:e}");
}

/// What a sample holds is what a run of its parameter writes; so it is on a grid and in XDMF.
fn samples_are_runs(comm: &Comm) {
    for (more, steps) in [(&[][..], 1), (TIME, 3)] {
        with_folder(comm, |folder| {
            let of = |also: &[&str]| deck_in(folder, FLOW, &[more, also].concat());
            campaign::run(comm, &of(&[]), &quiet()).unwrap();
            run::run(comm, &of(&["parameters.nu.default=0.3"]), &quiet()).unwrap();
            write_xdmf(comm, &folder.join("dataset.h5")).unwrap();
            comm.barrier();
            let open = |name: &str| Reader::open(&folder.join(name)).unwrap();
            let (dataset, run) = (open("dataset.h5"), open("run.h5"));
            assert_eq!(dataset.members("/fields"), ["pressure", "velocity"]);
            for (field, unit, components) in [("velocity", "m/s", 2), ("pressure", "Pa", 1)] {
                let path = format!("/fields/{field}");
                let (shape, values) = array(&dataset, &path);
                let (_, expected) = array(&run, &path);
                assert_eq!((shape[0], shape.last()), (3, Some(&components)), "{field}");
                assert_eq!(shape.len(), if steps > 1 { 4 } else { 3 });
                let size = expected.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
                assert!(size > 0.1, "{field}: {size}");
                close(&values[2 * expected.len()..], &expected, 1e-8 * size, field);
                for name in ["unit", "component_names", "physics", "meaning", "degree"] {
                    assert_eq!(dataset.get(&path, name).unwrap(), run.get(&path, name).unwrap(), "{name}");
                }
                assert_eq!(dataset.get(&path, "unit").unwrap(), Some(Value::Text(unit.into())));
            }
            let xdmf = std::fs::read_to_string(folder.join("dataset.xdmf")).unwrap();
            for words in ["Name=\"velocity\" AttributeType=\"Vector\"", "Name=\"pressure\" AttributeType=\"Scalar\""] {
                assert!(xdmf.contains(words), "{words} in {xdmf}");
            }
            comm.barrier();
            for name in ["dataset.h5", "run.h5"] {
                let options = GridOptions {
                    counts: "4x3".parse().unwrap(),
                    placement: Placement::Centres,
                    fields: Vec::new(),
                    fill: f64::NAN,
                    single: false,
                    output: None,
                    level: Level::Quiet,
                };
                grid::run(comm, &folder.join(name), &options).unwrap();
            }
            comm.barrier();
            let (dataset, run) = (open("dataset.grid.h5"), open("run.grid.h5"));
            for field in ["velocity", "pressure"] {
                let path = format!("/outputs/{field}");
                let ((shape, values), (_, expected)) = (array(&dataset, &path), array(&run, &path));
                assert_eq!(shape[0], 3);
                close(&values[2 * expected.len()..], &expected, 1e-7, field);
            }
            comm.barrier();
        });
    }
}

fn opened<'a>(simulation: &'a mut Simulation, path: &Path) -> Campaign<'a> {
    let deck = simulation.deck.clone();
    let all = campaign_samples(&simulation.mesh.comm.clone(), &deck).unwrap();
    let selection = Selection::new(&deck, &all, None).unwrap();
    let provenance = output::provenance(simulation, &[]);
    Campaign::open(simulation, path, &provenance, &selection).unwrap()
}

/// First guesses are whole solutions of the file; what is named in `output.fields` is there once; repairs of the samples
/// find nothing to repair.
fn stopped_and_gone_on_with(comm: &Comm) {
    with_folder(comm, |folder| {
        let of = |also: &[&str]| {
            let fields = "output.fields=[\"pressure\", \"vorticity\", \"velocity\"]";
            deck_in(folder, FLOW, &[&[fields, "campaign.guess=nearest", "output.xdmf=false"], also].concat())
        };
        let path = folder.join("dataset.h5");
        for _ in 0..3 {
            let mut simulation = Simulation::new(comm, &of(&[])).unwrap();
            let mut campaign = opened(&mut simulation, &path);
            let pending = campaign.pending().unwrap();
            campaign.run(&pending, |_| false).unwrap();
            campaign.close().unwrap();
        }
        let names = ["campaign.file=whole.h5", "campaign.single=true"];
        campaign::run(comm, &of(&names), &quiet()).unwrap();
        comm.barrier();
        let [parts, whole] = ["dataset.h5", "whole.h5"].map(|name| Reader::open(&folder.join(name)).unwrap());
        assert_eq!(parts.members("/fields"), ["pressure", "velocity", "vorticity"]);
        assert_eq!(parts.array::<u8>("/status").unwrap().1, [1, 1, 1]);
        for field in ["pressure", "velocity", "vorticity"] {
            let path = format!("/fields/{field}");
            close(&array(&parts, &path).1, &array(&whole, &path).1, 1e-5, field);
        }
        comm.barrier();
        // One step of Newton's method that confirms it: the nearest sample is the sample itself.
        let mut simulation = Simulation::new(comm, &of(&[])).unwrap();
        let mut campaign = opened(&mut simulation, &path);
        campaign.recall().unwrap();
        assert!(campaign.solve(1).unwrap().iterations <= 1);
        campaign.close().unwrap();

        let level = Some(ConstraintLevel::Conservation);
        let options = ConstrainOptions { run: quiet(), level, truth: true, ..ConstrainOptions::default() };
        constrain::run(comm, &of(&[]), &path, &options).unwrap();
        comm.barrier();
        let [sample, repaired] = ["dataset.h5", "constrain.h5"].map(|name| Reader::open(&folder.join(name)).unwrap());
        for field in ["pressure", "velocity"] {
            let path = format!("/fields/{field}");
            close(&array(&sample, &path).1, &array(&repaired, &path).1, 1e-6, field);
        }
        comm.barrier();
    });
}

/// Writes the samples of a dataset as earlier versions did, with all unknowns in one array.
fn in_one_array(comm: &Comm, deck: &Deck, from: &Path, to: &Path) {
    let simulation = Simulation::new(comm, deck).unwrap();
    let source = DatasetFile::open(comm, from, false).unwrap();
    let space = simulation.stages[0].space();
    let plan = space.canonical();
    let field = Field::nodes("velocity", "m/s", 3, 2, &plan)
        .meaning("all unknowns of the flow: velocity, and the pressure (Pa) as last component");
    let (samples, moments) = (source.samples().unwrap(), source.moments().unwrap());
    let room = Room { samples: &samples, moments: moments.as_ref(), single: false };
    let provenance = output::provenance(&simulation, &[]);
    let setup = |file: &File| {
        DatasetFile::write_numbers(file, &source.numbers()?)?;
        simulation.mesh.write(file)?;
        space.write(file)
    };
    let target = DatasetFile::create(comm, to, &provenance, room, &[field], &[], None, setup).unwrap();
    for sample in 0..3 {
        for step in 0..source.times(sample).unwrap().len().max(1) {
            let read = |name| source.read_field((sample, step), name, &plan).unwrap();
            let (velocity, pressure) = (read("velocity"), read("pressure"));
            let all: Vec<f64> =
                velocity.chunks(2).zip(&pressure).flat_map(|(v, p)| [v[0], v[1], *p]).collect();
            target.write_field((sample, step), "velocity", &plan, &all).unwrap();
        }
        target.finish_sample(sample, Status::Done, 1, 0.0).unwrap();
    }
    source.close().unwrap();
    target.close().unwrap();
    comm.barrier();
}

/// They train the same bases; to add to them, or to repair them, is refused.
fn datasets_of_earlier_versions(comm: &Comm) {
    for more in [&[][..], TIME] {
        with_folder(comm, |folder| {
            let of = |also: &[&str]| deck_in(folder, FLOW, &[more, &["output.xdmf=false"], also].concat());
            campaign::run(comm, &of(&[]), &quiet()).unwrap();
            let old = folder.join("old.h5");
            in_one_array(comm, &of(&[]), &folder.join("dataset.h5"), &old);
            train::run(comm, &of(&[]), &[], &quiet()).unwrap();
            train::run(comm, &of(&["rom.file=of_old.h5"]), std::slice::from_ref(&old), &quiet()).unwrap();
            comm.barrier();
            let [new, of_old] = ["model.h5", "of_old.h5"].map(|name| Reader::open(&folder.join(name)).unwrap());
            for file in [&new, &of_old] {
                assert_eq!(file.members("/bases"), ["velocity"]);
            }
            let [(shape, new), (other, of_old)] = [new, of_old].map(|file| array(&file, "/bases/velocity/modes"));
            assert!(shape[0] >= 1 && shape == other && shape[2] == 3, "{shape:?} {other:?}");
            assert!(new.iter().skip(2).step_by(3).any(|p| p.abs() > 1e-3), "no pressure in the modes");
            close(&new, &of_old, 1e-12, "modes");
            let refused = campaign::run(comm, &of(&["campaign.file=old.h5"]), &quiet()).unwrap_err().to_string();
            assert!(refused.contains("3 components of \"velocity\", expected 2") && refused.contains("old.h5"), "{refused}");
            if !more.is_empty() {
                return;
            }
            let options = ConstrainOptions { run: quiet(), ..ConstrainOptions::default() };
            let refused = constrain::run(comm, &of(&[]), &old, &options).unwrap_err().to_string();
            assert!(refused.contains("/fields/pressure is missing") && refused.contains("must be taken apart"), "{refused}");
            comm.barrier();
        });
    }
}

/// Their names say which is which.
fn parts_of_complex_fields(comm: &Comm) {
    const WAVES: &str = "[mesh]\nbox = { cell = \"quadrilateral\", cells = [6, 6] }\n\
        [parameters]\nk = { default = 3.0, range = [2.0, 4.0] }\n\
        [[physics]]\nmodel = \"helmholtz\"\nwave_number = \"k\"\nfield = \"wave\"\nsource = 1.0\nsource_imaginary = \"x\"\n\
        boundary = [{ marker = \"left\", value = [1, 0] }]\n[output]\nxdmf = false\n\
        [campaign]\ndesign = \"list\"\ntable = [[2.0], [3.0]]\n";
    with_folder(comm, |folder| {
        let deck = deck_in(folder, WAVES, &[]);
        campaign::run(comm, &deck, &quiet()).unwrap();
        run::run(comm, &deck, &quiet()).unwrap();
        comm.barrier();
        let [dataset, run] = ["dataset.h5", "run.h5"].map(|name| Reader::open(&folder.join(name)).unwrap());
        let names = dataset.get("/fields/wave", "component_names").unwrap();
        assert_eq!(names, Some(Value::Texts(vec!["real".into(), "imaginary".into()])));
        let (_, expected) = array(&run, "/fields/wave");
        close(&array(&dataset, "/fields/wave").1[expected.len()..], &expected, 1e-8, "wave");
        comm.barrier();
    });
}
