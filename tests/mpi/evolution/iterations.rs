//! Newton and Krylov iterations a step do not grow when the mesh is refined.
use super::setup::{models, say, share, simulate};
use tessera::parallel::Comm;

/// Flow into a channel in two and three dimensions, and a block that is clamped and pulled until it flows.
const MIXED: [(&str, &str, [usize; 3]); 3] = [
    (
        "flow in 2D",
        "cell = \"quadrilateral\", cells = [N, N] }\n[time]\nend = 0.2\nstep = 0.05\n\
         [[physics]]\nmodel = \"navier_stokes\"\nviscosity = 0.01\nboundary = [\
         { marker = \"left\", value = [\"4*y*(1-y)*min(10*t, 1)\", 0, \"free\"] },\
         { marker = [\"bottom\", \"top\"], value = [0, 0, \"free\"] }]\n",
        [8, 16, 32],
    ),
    (
        "flow in 3D",
        "cell = \"tetrahedron\", cells = [N, N, N] }\n[time]\nend = 0.2\nstep = 0.05\n\
         [[physics]]\nmodel = \"navier_stokes\"\nviscosity = 0.01\nboundary = [\
         { marker = \"left\", value = [\"16*y*(1-y)*z*(1-z)*min(10*t, 1)\", 0, 0, \"free\"] },\
         { marker = [\"bottom\", \"top\", \"front\", \"back\"], value = [0, 0, 0, \"free\"] }]\n",
        [3, 6, 9],
    ),
    (
        "viscoplasticity",
        "cell = \"hexahedron\", cells = [N, N, N] }\n[time]\nend = 5\nstep = 2.5\n\
         [[physics]]\nmodel = \"viscoplasticity\"\ndegree = 1\nyoung = 200e9\npoisson = 0.3\n\
         yield_stress = 100e6\ndrag_stress = 200e6\nrate_exponent = 5\nkinematic_modulus = 30e9\n\
         dynamic_recovery = 200\nisotropic_saturation = 40e6\nisotropic_rate = 20\nboundary = [\
         { marker = \"left\", value = 0 }, { marker = \"right\", value = [\"2e-4*t\", \"free\", \"free\"] }]\n",
        [6, 9, 13],
    ),
];

/// Each model on three meshes.
pub fn iterations(world: &Comm) {
    let mut decks: Vec<(&str, [String; 3])> = MIXED
        .iter()
        .map(|(name, text, sizes)| {
            (*name, sizes.map(|n| format!("[mesh]\nbox = {{ {}", text.replace('N', &n.to_string()))))
        })
        .collect();
    // Waves are factorised: no multigrid works for them.
    for (name, text) in models().into_iter().filter(|(name, _)| *name != "helmholtz") {
        let refined = [12, 24, 48].map(|n| {
            let text = text.replace("[12, 12]", &format!("[{n}, {n}]"));
            match name {
                // Its tangent jumps where the front is: iterations follow the cells that it crosses in a step.
                "stefan" => text.replace("step = 0.02", &format!("step = {}", 0.24 / f64::from(n))),
                _ => text,
            }
        });
        decks.push((name, refined));
    }
    let (comm, decks) = share(world, decks);
    for (name, texts) in decks {
        let counts = texts.map(|text| {
            let run = simulate(&comm, &format!("{text}[solver]\nmethod = \"amg\"\n"));
            let steps = run.steps["time"].len() as f64;
            [run.total("newton") / steps, run.total("linear") / steps]
        });
        say(&comm, format!("{name:20} Newton and linear iterations a step {counts:.1?}"));
        let [newton, linear] = counts[2];
        assert!(newton <= counts[0][0] + 2.0 && newton <= 8.0, "{name}: Newton {counts:?}");
        assert!(linear <= 1.6 * counts[0][1] + 4.0, "{name}: linear {counts:?}");
    }
}
