//! The restricted Schwarz method with optimised conditions at the interfaces: against a prototype's iterations, against
//! subdomains that are decks of their own, and against factorisations.
use super::setup::{difference, size};
use crate::common::decks::simulation;
use petsc_rs::{KrylovSolver, Matrix, Vector};
use tessera::fem::Space;
use tessera::mixture::Subdomains;
use tessera::parallel::Comm;
use tessera::physics::interface::measures;
use tessera::physics::{FormState, Prepared};
use tessera::solver::RestrictedSchwarz;

const BUMP: &str = "exp(-200*((x - 0.3)^2 + (y - 0.62)^2))";
const SIDES: &str = "[[physics.boundary]]\nmarker = [\"left\", \"right\", \"bottom\", \"top\"]\n";

/// A problem on the unit square whose cells are dealt out to ranks in layers along y.
fn square(cells: usize, physics: &str) -> String {
    format!(
        "[mesh]\nbox = {{ cell = \"quadrilateral\", cells = [{cells}, {cells}] }}\n\
         [partition]\nmethod = \"simple\"\n[[physics]]\nsource = \"{BUMP}\"\ndegree = 1\n{physics}"
    )
}

fn poisson(cells: usize) -> String {
    square(cells, &format!("model = \"diffusion\"\nconductivity = 1.0\n{SIDES}value = 0.0\n"))
}

/// Waves from a bump that leave the square.
fn waves(cells: usize, k: f64) -> String {
    square(cells, &format!("model = \"helmholtz\"\nwave_number = {k}\n{SIDES}absorbing = {k}\n"))
}

/// The expert of each local cell of a square in boxes, so many along x and y, and the number one above the last expert of
/// each rank.
fn boxes(space: &Space, along: [usize; 2]) -> (Vec<u32>, Vec<u32>) {
    let mesh = &space.mesh;
    let corners = mesh.cell_type.vertices();
    let place = |cell: usize, axis: usize| {
        let sum: f64 = mesh.cell_vertices(cell).iter().map(|&v| mesh.vertex(v as usize)[axis]).sum();
        (sum / corners as f64 * along[axis] as f64) as usize
    };
    let experts = (0..mesh.local_cells()).map(|cell| (place(cell, 1) * along[0] + place(cell, 0)) as u32);
    let (total, ranks) = (along[0] * along[1], mesh.comm.size());
    (experts.collect(), (1..=ranks).map(|r| (total * r / ranks) as u32).collect())
}

/// A linear system and what it is assembled from.
struct Linear {
    prepared: Prepared,
    state: Vec<f64>,
    matrix: Matrix,
    load: Vector,
}

impl Linear {
    fn new(comm: &Comm, deck: &str) -> Self {
        let simulation = simulation(comm, deck);
        let problem = simulation.stages[0].problem.clone();
        let prepared = problem.at(&simulation.default_context()).unwrap();
        let (mut matrix, mut load) = (problem.new_matrix().unwrap(), problem.space.field().unwrap());
        let state = vec![0.0; problem.space.local_nodes() * problem.space.components];
        prepared.tangent(FormState::steady(&state), &prepared.essential, &mut matrix).unwrap();
        prepared.residual(FormState::steady(&state), &mut load).unwrap();
        load.scale(-1.0).unwrap();
        prepared.essential.clear(&mut load.write().unwrap());
        Self { prepared, state, matrix, load }
    }

    /// The method with boxes as experts in GMRES without restart.
    fn solver(&self, along: [usize; 2], layers: u32, robin: Option<f64>) -> KrylovSolver {
        let problem = self.prepared.problem();
        let space = &problem.space;
        let (experts, ends) = boxes(space, along);
        let measures = measures(space);
        let subdomains = Subdomains::with_experts(space, layers, &measures, &experts, &ends).unwrap();
        let schwarz = RestrictedSchwarz::with_subdomains(problem, subdomains, robin, &measures).unwrap();
        let mut krylov = KrylovSolver::new(space.mesh.comm.mpi()).unwrap();
        krylov.set_prefix("restricted_").unwrap();
        krylov.set_operators(&self.matrix, &self.matrix).unwrap();
        let options = "-ksp_type gmres -ksp_gmres_restart 400 -ksp_pc_side right -pc_type asm -sub_ksp_type preonly \
                       -sub_pc_type lu -sub_pc_factor_mat_solver_type mumps";
        krylov.set_options(options).unwrap();
        schwarz.attach(&mut krylov.preconditioner().unwrap()).unwrap();
        schwarz.update(&self.prepared, FormState::steady(&self.state)).unwrap();
        krylov
    }

    /// Iterations to 1e-8 from zero.
    fn count(&self, along: usize, layers: u32, robin: Option<f64>) -> usize {
        let mut krylov = self.solver([along, along], layers, robin);
        krylov.set_tolerances(1e-8, 0.0, 400).unwrap();
        let mut solution = self.load.duplicate().unwrap();
        let outcome = krylov.solve(&self.load, &mut solution).unwrap();
        assert!(outcome.reason.converged(), "{outcome:?}");
        let mut rest = self.load.try_clone().unwrap();
        self.matrix.mult(&solution, &mut rest).unwrap();
        assert!(difference(&rest, &self.load) < 1e-7);
        outcome.iterations
    }
}

/// Counts of an independent program (NumPy, complex numbers, unknowns of the boundary left out), which numbers its
/// subdomains without ranks. For waves GMRES sees each eigenvalue and its conjugate here: more iterations.
pub fn iterations_are_those_of_a_prototype(comm: &Comm) {
    for (cells, along, layers, overlap, robin) in
        [(64, 2, 1, 28, 14), (128, 4, 1, 54, 24), (128, 4, 2, 39, 21), (96, 12, 1, 76, 42)]
    {
        if along % comm.size() != 0 {
            continue;
        }
        let poisson = Linear::new(comm, &poisson(cells));
        let counts = [None, Some(1.0)].map(|factor| poisson.count(along, layers, factor));
        let near = |(a, b): (usize, usize)| a.abs_diff(b) <= 1;
        assert!(near((counts[0], overlap)) && near((counts[1], robin)), "{cells} {along} {layers}: {counts:?}");
    }
    // The last ones are long waves: without what falls off behind the boundary they take 75, 193 and over 400.
    for (cells, along, layers, k, robin) in [
        (64, 4, 1, 20.0, 35),
        (64, 4, 2, 20.0, 31),
        (128, 4, 1, 40.0, 38),
        (128, 4, 2, 40.0, 35),
        (64, 4, 1, 0.5, 27),
        (64, 8, 1, 0.5, 45),
        (96, 12, 1, 0.5, 68),
    ] {
        if along % comm.size() != 0 {
            continue;
        }
        let waves = Linear::new(comm, &waves(cells, k));
        let count = waves.count(along, layers, Some(1.0));
        let most = if k < 1.0 { robin + 3 * robin / 5 } else { robin + robin / 6 };
        assert!((robin..=most).contains(&count), "{cells} {along} {layers} {k}: {count}");
        if k >= 20.0 && along == 4 {
            let classical = waves.count(along, layers, None);
            assert!(classical as f64 >= 2.5 * count as f64, "{cells} {layers} {k}: {classical} {count}");
        }
    }
}

/// The parameter of the formula is about the best one.
pub fn the_formula_is_near_the_best_parameter(comm: &Comm) {
    for (cells, layers) in [(48, 1), (48, 2)] {
        let poisson = Linear::new(comm, &poisson(cells));
        let counts = [0.25, 0.5, 1.0, 2.0, 4.0].map(|factor| poisson.count(12, layers, Some(factor)));
        let best = counts.into_iter().min().unwrap();
        assert!(counts[2] <= best + best / 8 + 1 && counts[0] > counts[2], "{layers}: {counts:?}");
    }
}

/// Strips of a square, each with its overlap a deck of its own whose upper and lower sides have the condition: the
/// preconditioner applied to a vector is what these decks' solutions are on the strips.
pub fn subdomains_are_decks_of_their_own(comm: &Comm) {
    let strips = if comm.size() == 3 { 3 } else { 4 };
    let (cells, layers) = (24_usize, 2_usize);
    let height = 1.0 / cells as f64;
    // The width of the strips is that of a square of their area.
    let width = (1.0 / strips as f64).sqrt();
    let p = ((std::f64::consts::PI / width).powi(2) / (2.0 * 2.0 * layers as f64 * height)).cbrt();
    let (k, up, reaction) = (0.05, 0.4, 0.7_f64);
    let normal = |out: f64| {
        let b = up * out;
        0.5 * ((b * b + 4.0 * k * (reaction + k * p * p)).sqrt() - b)
    };
    let transport = format!(
        "model = \"advection_diffusion\"\ndiffusivity = {k}\nvelocity = [0.1, {up}]\nreaction = {reaction}\n"
    );
    let robin = |h: f64| format!("coefficient = {h:e}\nambient = 0.0\n");
    let cases = [
        ("model = \"diffusion\"\nconductivity = 3.0\n", "value = 0.0\n", robin(3.0 * p), robin(3.0 * p)),
        (transport.as_str(), "value = 0.0\n", robin(normal(-1.0)), robin(normal(1.0))),
        // Short waves, so that none falls off.
        ("model = \"helmholtz\"\nwave_number = 30.0\n", "absorbing = 30.0\n", "absorbing = 30.0\n".into(), "absorbing = 30.0\n".into()),
    ];
    let alone = comm.split(comm.rank());
    for (physics, outer, below, above) in cases {
        let linear = Linear::new(comm, &square(cells, &format!("{physics}{SIDES}{outer}")));
        let space = &linear.prepared.problem().space;
        let c = space.components;
        let mut krylov = linear.solver([1, strips], layers as u32, Some(1.0));
        krylov.set_up().unwrap();
        let mut right = linear.load.try_clone().unwrap();
        for (dof, value) in right.write().unwrap().iter_mut().enumerate() {
            let [x, y, _] = space.point(dof / c);
            *value = (5.0 * x + 7.0 * y + (dof % c) as f64).sin();
        }
        linear.prepared.essential.clear(&mut right.write().unwrap());
        let mut found = right.duplicate().unwrap();
        krylov.preconditioner().unwrap().apply(&right, &mut found).unwrap();
        // All values by place.
        let key = |x: f64, y: f64, i: usize| {
            let whole = |t: f64| (t * cells as f64).round() as usize;
            (whole(y) * (cells + 1) + whole(x)) * c + i
        };
        let everywhere = |vector: &Vector| {
            let mut all = vec![0.0; (cells + 1) * (cells + 1) * c];
            for (dof, value) in vector.read().unwrap().iter().enumerate() {
                let [x, y, _] = space.point(dof / c);
                all[key(x, y, dof % c)] = *value;
            }
            comm.sum_into(&mut all);
            all
        };
        let (right, found) = (everywhere(&right), everywhere(&found));
        let rows = cells / strips;
        for strip in 0..strips {
            let (from, to) = ((strip * rows).saturating_sub(layers), ((strip + 1) * rows + layers).min(cells));
            let side = |marker: &str, condition: &str| {
                format!("[[physics.boundary]]\nmarker = \"{marker}\"\n{condition}")
            };
            let deck = format!(
                "[mesh]\nbox = {{ cell = \"quadrilateral\", cells = [{cells}, {}], lower = [0.0, {:?}], \
                 upper = [1.0, {:?}] }}\n[[physics]]\ndegree = 1\n{physics}{}{}{}{}",
                to - from,
                from as f64 * height,
                to as f64 * height,
                side("left", outer),
                side("right", outer),
                side("bottom", if from == 0 { outer } else { below.as_str() }),
                side("top", if to == cells { outer } else { above.as_str() }),
            );
            let mut own = Linear::new(&alone, &deck);
            let part = own.prepared.problem().space.clone();
            {
                let mut values = own.load.write().unwrap();
                for (dof, value) in values.iter_mut().enumerate() {
                    let [x, y, _] = part.point(dof / c);
                    *value = right[key(x, y, dof % c)];
                }
                own.prepared.essential.clear(&mut values);
            }
            let mut krylov = KrylovSolver::new(alone.mpi()).unwrap();
            krylov.set_prefix("strip_").unwrap();
            krylov.set_operators(&own.matrix, &own.matrix).unwrap();
            krylov.set_options("-ksp_type preonly -pc_type lu -pc_factor_mat_solver_type mumps").unwrap();
            let mut solution = own.load.duplicate().unwrap();
            krylov.solve(&own.load, &mut solution).unwrap();
            let largest = solution.read().unwrap().iter().fold(0.0_f64, |most, v| most.max(v.abs()));
            for (dof, value) in solution.read().unwrap().iter().enumerate() {
                let [x, y, _] = part.point(dof / c);
                let row = (y * cells as f64).round() as usize;
                // A node between two strips belongs to the first.
                if row > strip * rows && row <= (strip + 1) * rows || row == 0 && strip == 0 {
                    let there = found[key(x, y, dof % c)];
                    assert!((there - value).abs() < 1e-9 * largest, "{physics} {strip} {x} {y}: {there} {value}");
                }
            }
        }
    }
}

/// Decks with the method give the solutions of factorisations, steady and in time, linear and not.
pub fn decks_with_interfaces_agree_with_factorisations(comm: &Comm) {
    let mesh = |cell: &str, cells: &str| format!("[mesh]\nbox = {{ cell = \"{cell}\", cells = {cells} }}\n");
    let flat = mesh("triangle", "[16, 16]");
    let solid = mesh("tetrahedron", "[4, 5, 4]");
    let boundary = "[[physics.boundary]]\nmarker = \"left\"\nvalue = \"1 + y\"\n\
                    [[physics.boundary]]\nmarker = \"right\"\ncoefficient = 2.0\nambient = 0.5\n";
    let time = "[time]\nend = 0.1\nstep = 0.02\n";
    let transport = "[[physics]]\nmodel = \"advection_diffusion\"\nvelocity = [\"3 + y\", -2]\ndiffusivity = 0.01\nsource = 1.0\n";
    let law = "[[physics]]\nmodel = \"diffusion\"\nsource = \"10*x\"\nconductivity = ";
    let wave = "[[physics]]\nmodel = \"helmholtz\"\nwave_number = \"9*(1 + x)\"\nsource = 1.0\n\
                [[physics.boundary]]\nmarker = [\"left\", \"right\"]\nabsorbing = 9.0\n";
    let burgers = "[[physics]]\nmodel = \"burgers\"\nviscosity = 0.1\n[[physics.boundary]]\nmarker = \"left\"\nvalue = [1.0, 0.2]\n";
    for (what, mesh, time, physics, interface) in [
        ("transport", &flat, "", format!("{transport}{boundary}"), ""),
        ("transport, values", &flat, "", format!("{transport}{boundary}"), "interface = \"overlap\""),
        ("transport in time", &flat, time, format!("{transport}{boundary}"), "robin = 0.5"),
        ("heat", &flat, "", format!("{law}\"1 + 20*x\"\n{boundary}"), "interface = \"robin\""),
        ("heat, degree 2", &flat, "", format!("{law}\"1 + 20*x\"\ndegree = 2\n{boundary}"), "interface = \"robin\""),
        ("heat in space", &solid, "", format!("{law}\"1 + 20*x\"\n{boundary}"), "interface = \"robin\"\nrobin = 2.0"),
        ("conductivity of its own", &flat, "", format!("{law}\"1 + u^2\"\n{boundary}"), "interface = \"robin\""),
        ("waves", &flat, "", wave.into(), ""),
        ("waves in space", &solid, "", wave.into(), ""),
        ("Burgers", &flat, time, burgers.into(), ""),
    ] {
        let solve = |method: &str| {
            let deck = format!("{mesh}{time}[partition]\nexperts = 7\n[solver]\ntolerance = 1e-10\n{method}\n{physics}");
            let mut run = simulation(comm, &deck);
            let context = run.default_context();
            run.solve(&context).unwrap();
            (run.stages[0].solution().try_clone().unwrap(), run.stages[0].options().to_string())
        };
        let (theirs, _) = solve("method = \"direct\"");
        let (ours, options) = solve(&format!("method = \"schwarz\"\n{interface}"));
        assert!(options.contains("-pc_type asm"), "{what}: {options}");
        let error = difference(&ours, &theirs);
        assert!(error < 1e-7 && size(&ours) > 0.0, "{what}: {error:.1e}");
    }
}

/// Waves that leave a large body are solved by the method unasked; small bodies, closed ones, and those of decks that say
/// otherwise are factorised.
pub fn waves_in_space_choose_the_method(comm: &Comm) {
    let deck = |cells: usize, condition: &str, solver: &str| {
        format!(
            "[mesh]\nbox = {{ cell = \"hexahedron\", cells = [{cells}, {cells}, {cells}] }}\n{solver}\
             [[physics]]\nmodel = \"helmholtz\"\ndegree = 1\nwave_number = 8.0\nsource = 1.0\n\
             [[physics.boundary]]\nmarker = [\"left\", \"top\"]\n{condition}\n"
        )
    };
    let solve = |text: &str| {
        let mut run = simulation(comm, text);
        let context = run.default_context();
        run.solve(&context).unwrap();
        (run.stages[0].solution().try_clone().unwrap(), run.stages[0].options().to_string())
    };
    let (ours, options) = solve(&deck(18, "absorbing = 8.0", ""));
    assert!(options.contains("-pc_type asm"), "{options}");
    let (theirs, options) = solve(&deck(18, "absorbing = 8.0", "[solver]\nmethod = \"direct\"\n"));
    assert!(options.contains("-ksp_type preonly"), "{options}");
    let error = difference(&ours, &theirs);
    assert!(error < 1e-6, "{error:.1e}");
    for (cells, condition, solver) in [
        (6, "absorbing = 8.0", ""),
        (18, "value = 0.0", ""),
        (18, "absorbing = 8.0", "[solver]\npetsc = \"-ksp_monitor_cancel\"\n"),
    ] {
        let run = simulation(comm, &deck(cells, condition, solver));
        let options = run.stages[0].options();
        assert!(options.contains("-ksp_type preonly"), "{cells} {condition}: {options}");
    }
}
