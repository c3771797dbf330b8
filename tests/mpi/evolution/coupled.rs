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
