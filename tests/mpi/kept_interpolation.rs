//! Multigrid that keeps its interpolation from matrix to matrix: the solutions of factorisations, few iterations, and
//! BoomerAMG again where it does not pay, on one to four ranks.

use crate::common::Suite;
use crate::common::decks::simulation;
use petsc_rs::Norm;
use tessera::parallel::Comm;
use tessera::simulation::Simulation;

const SAMPLES: u64 = 16;

/// Darcy's equation with a random conductivity, a new preconditioner for each.
fn flow(mesh: &str, degree: usize, conductivity: &str, method: &str) -> String {
    format!(
        "[mesh]\nbox = {mesh}\n[random.g]\nkind = \"matern\"\nsmoothness = 1\nrange = 0.5\nseed = 5\n\
         [[physics]]\nname = \"flow\"\nmodel = \"diffusion\"\ndegree = {degree}\nconductivity = \"{conductivity}\"\n\
         source = 1.0\n[[physics.boundary]]\nmarker = [\"left\", \"top\"]\nvalue = 0.0\n\
         [solver]\nmethod = \"{method}\"\ntolerance = 1e-10\nrefresh = 1\n"
    )
}

/// Solves for a sample; the iterations.
fn solve(simulation: &mut Simulation, sample: u64) -> usize {
    simulation.random.draw(sample).unwrap();
    let context = simulation.default_context();
    let stage = &mut simulation.stages[0];
    stage.forget_solution().unwrap();
    stage.solve(&context).unwrap();
    stage.outcome().iterations
}

/// Solves samples by multigrid and by factorisation; kinds of preconditioners and iterations.
fn compare(comm: &Comm, mesh: &str, degree: usize, conductivity: &str) -> Vec<(String, usize)> {
    let [mut ours, mut direct] =
        ["amg", "direct"].map(|method| simulation(comm, &flow(mesh, degree, conductivity, method)));
    let Some(solver) = ours.stages[0].linear() else { panic!("a linear problem") };
    solver.keep_preconditioner();
    let mut list = Vec::new();
    for sample in 0..SAMPLES {
        let iterations = solve(&mut ours, sample);
        solve(&mut direct, sample);
        let expected = direct.stages[0].solution();
        let mut d = ours.stages[0].solution().try_clone().unwrap();
        d.axpy(-1.0, expected).unwrap();
        let error = d.norm(Norm::Infinity).unwrap() / expected.norm(Norm::Infinity).unwrap();
        assert!(error < 1e-6, "{mesh}, {conductivity}, sample {sample}: {error:e}");
        let Some(solver) = ours.stages[0].linear() else { panic!("a linear problem") };
        list.push((solver.krylov().preconditioner().unwrap().kind(), iterations));
    }
    list
}

/// Where the coefficients change moderately the interpolation serves; two iterations with it are worth one of
/// BoomerAMG's.
fn interpolation_is_kept(comm: &Comm) {
    for (mesh, degree) in [
        ("{ cell = \"triangle\", cells = [60, 40] }", 1),
        ("{ cell = \"triangle\", cells = [24, 24] }", 2),
        ("{ cell = \"quadrilateral\", cells = [40, 40] }", 1),
        ("{ cell = \"tetrahedron\", cells = [12, 12, 12] }", 1),
        ("{ cell = \"hexahedron\", cells = [12, 12, 12] }", 1),
    ] {
        let list = compare(comm, mesh, degree, "exp(g)");
        let of = |kind: &str| list.iter().filter(|(k, _)| k == kind).map(|(_, i)| *i).collect::<Vec<_>>();
        let (classical, kept) = (of("hypre"), of("mg"));
        assert_eq!(list[0].0, "hypre");
        assert!(list[1].0 == "mg", "{mesh}: {list:?}");
        let (least, most) = (classical.iter().min().unwrap(), kept.iter().max().unwrap());
        assert!(*most <= 4 * least, "{mesh}: {list:?}");
    }
}

/// Inclusions that jump by six orders of magnitude and are elsewhere in each sample.
fn extreme_contrasts_converge(comm: &Comm) {
    for mesh in
        ["{ cell = \"triangle\", cells = [50, 50] }", "{ cell = \"tetrahedron\", cells = [10, 10, 10] }"]
    {
        let list = compare(comm, mesh, 1, "if(g > 0, 1e6, 1)");
        assert!(list.iter().all(|(kind, _)| kind == "hypre" || kind == "mg"));
    }
}

/// Options of the deck win: what a user asks for stays.
fn other_preconditioners_stay(comm: &Comm) {
    for (words, expected) in [("-pc_type gamg", "gamg"), ("-pc_hypre_type parasails", "hypre")] {
        let text = flow("{ cell = \"triangle\", cells = [20, 20] }", 1, "exp(g)", "amg");
        let mut simulation = simulation(comm, &format!("{text}petsc = \"{words}\"\n"));
        let Some(solver) = simulation.stages[0].linear() else {
            panic!("a linear problem")
        };
        solver.keep_preconditioner();
        for sample in 0..4 {
            solve(&mut simulation, sample);
            let Some(solver) = simulation.stages[0].linear() else {
                panic!("a linear problem")
            };
            assert_eq!(solver.krylov().preconditioner().unwrap().kind(), expected);
        }
    }
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
            ("interpolation_is_kept", interpolation_is_kept),
            ("extreme_contrasts_converge", extreme_contrasts_converge),
            ("other_preconditioners_stay", other_preconditioners_stay),
        ],
}];
