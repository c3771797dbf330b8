//! Runs that are loaded by the history of another run, on the same mesh or another.
use super::setup::{group, mesh, try_simulate};
use crate::common::with_folder;
use crate::common::decks::quiet;
use tessera::deck::Deck;
use tessera::drivers::run::run;
use tessera::parallel::Comm;

/// The field of a diffusion problem.
const HEAT: &str = "u";

/// `(1 + x + 2 y) (1 + t)`, which every mesh and scheme represents exactly.
fn heat(degree: usize) -> String {
    let value = "\"(1 + x + 2*y)*(1 + t)\"";
    format!(
        "{}[time]\nend = 1.0\nstep = 0.125\nscheme = \"bdf1\"\n[output]\nframes = 4\nfile = \"heat.h5\"\n\
         [[physics]]\nname = \"heat\"\nmodel = \"diffusion\"\ndegree = {degree}\nsource = \"1 + x + 2*y\"\n\
         boundary = [{{ marker = [\"left\", \"right\", \"bottom\", \"top\"], value = {value} }}]\n\
         [[initial]]\nvalue = {value}\n[solver]\nmethod = \"direct\"\n",
        mesh("triangle", 6, 0.0, 1.0)
    )
}

/// A run whose source is that history: its mean grows with the integral over time.
fn loaded(mesh: &str, file: &std::path::Path, end: f64) -> String {
    format!(
        "{mesh}[time]\nend = {end}\nstep = 0.1\nscheme = \"crank_nicolson\"\n[output]\nframes = 1\n\
         [[physics]]\nmodel = \"diffusion\"\nsource = {{ file = \"{}\", dataset = \"/fields/{}\" }}\n\
         [[initial]]\nvalue = 0\n[[quantity]]\nname = \"mean\"\nkind = \"average\"\n[solver]\nmethod = \"direct\"\n",
        file.display(),
        HEAT
    )
}

pub fn history_of_another_run(world: &Comm) {
    for size in 1..=world.size() {
        let comm = group(world, usize::from(world.rank() < size)).unwrap();
        if world.rank() < size {
            check(&comm);
        }
        world.barrier();
    }
}

fn check(comm: &Comm) {
    for degree in [1, 2] {
        with_folder(comm, |folder| {
            let mut deck = Deck::parse(&heat(degree), "heat", &[]).unwrap_or_else(|e| panic!("{e}"));
            deck.output.directory = folder.into();
            run(comm, &deck, &quiet()).unwrap();
            comm.barrier();
            let file = folder.join("heat.h5");
            let meshes = [
                mesh("triangle", 6, 0.0, 1.0),
                mesh("quadrilateral", 7, 0.0, 1.0),
                mesh("triangle", 9, 0.2, 0.8),
            ];
            for mesh in &meshes {
                let outcome = try_simulate(comm, &loaded(mesh, &file, 0.9)).unwrap_or_else(|e| panic!("{e}"));
                let (mean, exact) = (outcome.last("mean"), 2.5 * (0.9 + 0.5 * 0.81));
                assert!((mean - exact).abs() < 1e-9 * exact, "{mesh}: mean {mean}, not {exact}");
            }
            let fault = |text: &str| try_simulate(comm, text).err().expect("the run is refused").to_string();
            let late = fault(&loaded(&meshes[1], &file, 1.5));
            assert!(late.contains("covers the times 0 to 1 s; the run is from 0 to 1.5 s"), "{late}");
            let outside = fault(&loaded(&mesh("quadrilateral", 7, -1.0, 1.0), &file, 1.0));
            assert!(outside.contains("no cell of") && outside.contains("is near the point ("), "{outside}");
        });
    }
}

/// A wave number from the file of a steady run is the same as its formula: it is linear, as is the field in the file.
pub fn wave_number_from_a_file(comm: &Comm) {
    with_folder(comm, |folder| {
        let text = format!(
            "{}[output]\nfile = \"speed.h5\"\n[[physics]]\nmodel = \"diffusion\"\n\
             boundary = [{{ marker = [\"left\", \"right\", \"bottom\", \"top\"], value = \"5 + 4*x + 2*y\" }}]\n\
             [solver]\nmethod = \"direct\"\n",
            mesh("triangle", 8, 0.0, 1.0)
        );
        let mut deck = Deck::parse(&text, "speed", &[]).unwrap_or_else(|e| panic!("{e}"));
        deck.output.directory = folder.into();
        run(comm, &deck, &quiet()).unwrap();
        comm.barrier();
        let wave = |mesh: &str, number: &str| {
            let text = format!(
                "{mesh}[[physics]]\nmodel = \"helmholtz\"\ndegree = 2\nwave_number = {number}\nboundary = [\
                 {{ marker = \"left\", value = [1, 0] }}, {{ marker = \"right\", absorbing = 9 }}]\n"
            );
            try_simulate(comm, &text).unwrap_or_else(|e| panic!("{e}\n{text}"))
        };
        let file = format!("{{ file = \"{}\", dataset = \"/fields/u\" }}", folder.join("speed.h5").display());
        // The second mesh is not the file's.
        for mesh in [mesh("triangle", 8, 0.0, 1.0), mesh("quadrilateral", 11, 0.1, 0.9)] {
            let (formula, read) = (wave(&mesh, "\"5 + 4*x + 2*y\""), wave(&mesh, &file));
            let constant = wave(&mesh, "8");
            let distance =
                |a: &[f64], b: &[f64]| a.iter().zip(b).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
            assert!(distance(formula.end(), read.end()) < 1e-9, "{mesh}");
            assert!(distance(formula.end(), constant.end()) > 1e-2, "{mesh}");
        }
    });
}

/// A run begins where another ended: on its mesh and on others, solutions of one component and flows.
pub fn initial_values_from_a_file(world: &Comm) {
    for size in [1, 2, 4] {
        let comm = group(world, usize::from(world.rank() < size)).unwrap();
        if world.rank() < size {
            scalars_go_on(&comm);
            flows_go_on(&comm);
        }
        world.barrier();
    }
}

fn scalars_go_on(comm: &Comm) {
    with_folder(comm, |folder| {
        let mut deck = Deck::parse(&heat(2), "heat", &[]).unwrap_or_else(|e| panic!("{e}"));
        deck.output.directory = folder.into();
        run(comm, &deck, &quiet()).unwrap();
        comm.barrier();
        // At the end the field is 2 + 2 x + 4 y, which a step of no length leaves as it is.
        let start = |mesh: &str, degree: usize, dataset: &str| {
            format!(
                "{mesh}[time]\nend = 1e-9\nstep = 1e-9\n[output]\nframes = 1\n[[physics]]\nmodel = \"diffusion\"\n\
                 degree = {degree}\n[[initial]]\nvalue = {{ file = \"{}\", dataset = \"{dataset}\" }}\n\
                 [[quantity]]\nname = \"mean\"\nkind = \"average\"\n\
                 [[quantity]]\nname = \"there\"\nkind = \"point\"\npoint = [0.7, 0.3]\n[solver]\nmethod = \"direct\"\n",
                folder.join("heat.h5").display()
            )
        };
        let meshes = [
            mesh("triangle", 6, 0.0, 1.0),
            mesh("quadrilateral", 7, 0.0, 1.0),
            mesh("triangle", 9, 0.2, 0.8),
        ];
        for (mesh, degree) in meshes.iter().flat_map(|mesh| [(mesh, 1), (mesh, 2)]) {
            let outcome =
                try_simulate(comm, &start(mesh, degree, "/fields/u")).unwrap_or_else(|e| panic!("{e}"));
            let found = [outcome.last("mean"), outcome.last("there")];
            assert!((found[0] - 5.0).abs() + (found[1] - 4.6).abs() < 1e-5, "{mesh}: {found:?}");
        }
        let fault =
            |dataset: &str| try_simulate(comm, &start(&meshes[0], 1, dataset)).err().unwrap().to_string();
        assert!(fault("/fields/v").contains("there is no dataset \"/fields/v\""), "{}", fault("/fields/v"));
        let other = fault("/mesh/geometry");
        assert!(other.contains("expected 1 values for each node"), "{other}");
    });
}

fn flows_go_on(comm: &Comm) {
    let flow = |[start, end]: [f64; 2], initial: &str| {
        format!(
            "{}[time]\nstart = {start}\nend = {end}\nstep = 0.05\nscheme = \"bdf1\"\n[output]\nframes = 1\n\
             [[physics]]\nmodel = \"navier_stokes\"\nviscosity = 0.01\nboundary = [\
             {{ marker = \"left\", value = [\"4*y*(1-y)*min(10*t, 1)\", 0, \"free\"] }},\
             {{ marker = [\"bottom\", \"top\"], value = [0, 0, \"free\"] }}]\n{initial}\
             [solver]\nmethod = \"direct\"\n",
            mesh("quadrilateral", 6, 0.0, 1.0)
        )
    };
    with_folder(comm, |folder| {
        let mut deck = Deck::parse(&flow([0.0, 0.2], ""), "flow", &[]).unwrap_or_else(|e| panic!("{e}"));
        deck.output.directory = folder.into();
        run(comm, &deck, &quiet()).unwrap();
        comm.barrier();
        let initial = format!(
            "[[initial]]\nvalue = {{ file = \"{}\", dataset = \"/fields/velocity\" }}\n",
            folder.join("run.h5").display()
        );
        let (whole, part) = (flow([0.0, 0.4], ""), flow([0.2, 0.4], &initial));
        let [whole, part] = [whole, part].map(|text| try_simulate(comm, &text).unwrap_or_else(|e| panic!("{e}")));
        let apart = whole.end().iter().zip(part.end()).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
        assert!(apart < 1e-7, "the flow that goes on is {apart:e} away");
        let moved = part.end().iter().zip(&part.frames[0]).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
        assert!(moved > 1e-2, "nothing moved: {moved:e}");
    });
}
