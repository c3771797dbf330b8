//! The p-multigrid of vector problems of degree 2: interpolation, solutions against the direct solver,
//! iterations over mesh sizes, changing matrices, and options that win over it.

use crate::common::Suite;
use crate::common::decks::simulation;
use petsc_rs::Norm;
use std::rc::Rc;
use tessera::deck::{Deck, SolverMethod, SolverOptions};
use tessera::fem::Space;
use tessera::mesh::Mesh;
use tessera::parallel::Comm;
use tessera::physics::Context;
use tessera::simulation::Simulation;
use tessera::solver::{LinearSolver, PMultigrid};

const CELLS: [&str; 4] = ["triangle", "quadrilateral", "tetrahedron", "hexahedron"];

fn dimension(cell: &str) -> usize {
    if matches!(cell, "triangle" | "quadrilateral") { 2 } else { 3 }
}

/// A block of degree 2: one side held, one held in a single direction, one on an elastic foundation; `a`
/// stiffens its far end.
fn block(cell: &str, n: usize, method: &str) -> String {
    let d = dimension(cell);
    let slide = ["\"free\"", "0.0", "\"free\""][..d].join(", ");
    // MUMPS underestimates its working space now and then on small problems.
    let room = if method == "direct" { "-mat_mumps_icntl_14 200" } else { "" };
    let force = ["0.3", "-1.0", "0.5"][..d].join(", ");
    format!(
        "[mesh]\nbox = {{ cell = \"{cell}\", cells = {:?} }}\n\
         [parameters]\na = 1.0\n[solver]\nmethod = \"{method}\"\ntolerance = 1e-10\npetsc = \"{room}\"\n\
         [[physics]]\nname = \"block\"\nmodel = \"elasticity\"\ndegree = 2\nyoung = \"1 + a*x^2\"\npoisson = 0.3\n\
         body_force = [{force}]\n\
         [[physics.boundary]]\nmarker = \"left\"\nvalue = 0.0\n\
         [[physics.boundary]]\nmarker = \"bottom\"\nvalue = [{slide}]\n\
         [[physics.boundary]]\nmarker = \"right\"\nfoundation = 0.1\n",
        vec![n; d]
    )
}

fn parameter(simulation: &Simulation, a: f64) -> Context {
    let mut context = simulation.default_context();
    context.parameters.iter_mut().for_each(|value| *value = a);
    context
}

/// Largest difference of the solutions, relative to the largest value.
fn difference(one: &Simulation, other: &Simulation) -> f64 {
    let (one, other) = (one.stages[0].solution(), other.stages[0].solution());
    let mut d = one.try_clone().unwrap();
    d.axpy(-1.0, other).unwrap();
    d.norm(Norm::Infinity).unwrap() / other.norm(Norm::Infinity).unwrap()
}

fn linear_functions_are_interpolated_exactly(comm: &Comm) {
    for cell in CELLS {
        let deck = Deck::parse(&block(cell, 3, "amg"), "test.toml", &[]).unwrap();
        let mesh = Rc::new(Mesh::build(comm, &deck.mesh_source(), &deck.partition_options()).unwrap());
        let d = mesh.dimension;
        let fine = Space::new(mesh, 2, d).unwrap();
        let multigrid = PMultigrid::new(&fine).unwrap();
        let coarse = multigrid.coarse_space();
        let fill = |space: &Space| {
            let mut field = space.field().unwrap();
            for (dof, value) in field.write().unwrap().iter_mut().enumerate() {
                let [x, y, z] = space.point(dof / d);
                *value = 1.0 + (dof % d) as f64 + 2.0 * x - 3.0 * y + 5.0 * z;
            }
            field
        };
        let (from, expected) = (fill(coarse), fill(&fine));
        let mut to = fine.field().unwrap();
        let mut free = vec![true; fine.owned_dofs()];
        multigrid.interpolation(&free).unwrap().mult(&from, &mut to).unwrap();
        to.axpy(-1.0, &expected).unwrap();
        assert!(to.norm(Norm::Infinity).unwrap() < 1e-14, "{cell}");

        // The first component is held at x = 0: the held vertices meet nothing but themselves.
        for node in (0..fine.owned_nodes).filter(|&node| fine.point(node)[0] == 0.0) {
            free[node * d] = false;
        }
        let p = multigrid.interpolation(&free).unwrap();
        let mut sums = coarse.field().unwrap();
        let mut ones = fine.field().unwrap();
        ones.set(1.0).unwrap();
        p.mult_transpose(&ones, &mut sums).unwrap();
        for node in (0..coarse.owned_nodes).filter(|&node| coarse.point(node)[0] == 0.0) {
            assert_eq!(sums.read().unwrap()[node * d], 1.0, "{cell}");
            assert!(sums.read().unwrap()[node * d + 1] > 1.0, "{cell}");
        }
        for (dof, free) in free.iter().enumerate() {
            let row = p.row(p.row_range().start + dof).unwrap();
            let vertex = row.len() == 1 && row[0].1 == 1.0;
            assert!(*free || row.is_empty() || vertex, "{cell}: {row:?}");
        }
        let vertices = multigrid.coarse_space().global_dofs() as usize;
        assert_eq!(p.global_size(), (fine.global_dofs() as usize, vertices));
    }
}

fn solutions_agree_and_iterations_stay_flat(comm: &Comm) {
    for (cell, sizes) in [
        ("triangle", [8, 16, 32]),
        ("quadrilateral", [8, 16, 32]),
        ("tetrahedron", [4, 6, 10]),
        ("hexahedron", [3, 5, 8]),
    ] {
        let mut iterations = Vec::new();
        for n in sizes {
            let mut multigrid = simulation(comm, &block(cell, n, "amg"));
            assert!(multigrid.stages[0].options().contains("-pc_type mg"));
            let context = multigrid.default_context();
            multigrid.solve(&context).unwrap();
            iterations.push(multigrid.stages[0].outcome().iterations);
            if n != sizes[2] {
                let mut direct = simulation(comm, &block(cell, n, "direct"));
                direct.solve(&context).unwrap();
                let error = difference(&multigrid, &direct);
                assert!(error < 1e-8, "{cell} {n}: {error:e}");
            }
        }
        if comm.rank() == 0 {
            println!("{cell} {sizes:?}: {iterations:?} iterations");
        }
        let (least, most) = (iterations.iter().min().unwrap(), iterations.iter().max().unwrap());
        assert!(2 * most <= 3 * least && *most < 40, "{cell} {sizes:?}: {iterations:?}");
    }
}

/// A solver that was set up for other values, or other essential conditions, is as good as a new one.
fn coarse_level_follows_the_matrix(comm: &Comm) {
    for cell in ["quadrilateral", "tetrahedron"] {
        let text = block(cell, 6, "amg");
        let mut kept = simulation(comm, &text);
        for a in [1.0, 1e4, 0.0] {
            let (mut fresh, mut direct) =
                (simulation(comm, &text), simulation(comm, &block(cell, 6, "direct")));
            let context = parameter(&kept, a);
            // A first guess from other values would cost iterations of its own.
            kept.stages[0].forget_solution().unwrap();
            kept.solve(&context).unwrap();
            fresh.solve(&context).unwrap();
            direct.solve(&context).unwrap();
            let error = difference(&kept, &direct);
            assert!(error < 1e-7, "{cell} {a}: {error:e}");
            let [kept, fresh] = [&kept, &fresh].map(|s| s.stages[0].outcome().iterations);
            assert!(
                kept.abs_diff(fresh) <= 1,
                "{cell} {a}: {kept} iterations after other values, {fresh} anew"
            );
        }
        let mut other = simulation(comm, &text.replace("marker = \"left\"", "marker = \"top\""));
        let context = other.default_context();
        other.solve(&context).unwrap();
        let stage = &other.stages[0];
        let mut solution = stage.problem.space.field().unwrap();
        let solver = kept.stages[0].linear().unwrap();
        solver.set_matrix(stage.assembled().matrix).unwrap();
        let outcome = solver.solve(stage.assembled().matrix, stage.assembled().load, stage.assembled().essential, &mut solution).unwrap();
        assert!(outcome.iterations.abs_diff(stage.outcome().iterations) <= 1, "{cell}: {outcome:?}");
    }
}

fn options_of_the_user_win(comm: &Comm) {
    let solver = |text: &str, petsc: &str, method| {
        let simulation = simulation(comm, text);
        let options = SolverOptions { petsc: petsc.into(), method, ..simulation.deck.solver_options(0) };
        let mut solver = LinearSolver::new(&simulation.stages[0].problem.space, "block", &options).unwrap();
        let kind = solver.krylov().preconditioner().unwrap().kind();
        (kind, solver.options.clone())
    };
    let text = block("triangle", 3, "amg");
    let (kind, options) = solver(&text, "", SolverMethod::Amg);
    assert!(kind == "mg" && options.contains("-mg_coarse_pc_type gamg"), "{kind} {options}");
    let (kind, options) = solver(&text, "-pc_type gamg -pc_gamg_threshold 0.1", SolverMethod::Amg);
    assert!(kind == "gamg" && !options.contains("mg_coarse"), "{kind} {options}");
    let (kind, options) = solver(&text, "-pc_type jacobi", SolverMethod::Options);
    assert!(kind == "jacobi" && !options.contains("mg_coarse"), "{kind} {options}");
    let (kind, options) = solver(&text.replace("degree = 2", "degree = 1"), "", SolverMethod::Amg);
    assert!(kind == "gamg" && !options.contains("mg_coarse"), "{kind} {options}");

    let (_, options) = solver(&text, "-mg_levels_ksp_max_it 4", SolverMethod::Amg);
    assert!(options.starts_with("-mg_levels_ksp_max_it 4 "), "{options}");
    // Two solvers of one name, at the same time.
    let mut one = simulation(comm, &text);
    let mut other = simulation(comm, &block("triangle", 3, "direct"));
    let context = one.default_context();
    one.solve(&context).unwrap();
    other.solve(&context).unwrap();
    let kinds = [&mut one, &mut other]
        .map(|s| s.stages[0].linear().unwrap().krylov().preconditioner().unwrap().kind());
    assert_eq!(kinds, ["mg", "redundant"]);
    drop((one, other));

    petsc_rs::Options::global().unwrap().set("-block_pc_type", "hypre").unwrap();
    let (kind, options) = solver(&text, "-pc_type gamg", SolverMethod::Amg);
    petsc_rs::Options::global().unwrap().clear("-block_pc_type").unwrap();
    assert!(kind == "hypre" && !options.contains("mg_coarse"), "{kind} {options}");
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3, 4],
    tests: &[
            ("linear_functions_are_interpolated_exactly", linear_functions_are_interpolated_exactly),
            ("solutions_agree_and_iterations_stay_flat", solutions_agree_and_iterations_stay_flat),
            ("coarse_level_follows_the_matrix", coarse_level_follows_the_matrix),
            ("options_of_the_user_win", options_of_the_user_win),
        ],
}];
