//! Every model of the table, in every dimension, element and trial of it: Taylor's test of the tangent, `r(u + h v) - r(u) -
//! h J v` goes with the square of h; the derivative with respect to a parameter against differences; and the transposed
//! product `<J v, w> = <v, J^T w>`.

use crate::common::Suite;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tessera::deck::Deck;
use petsc_rs::Vector;
use tessera::fem::sink::{self, LocalNodes};
use tessera::fem::{Essential, Parts, Restriction, Space};
use tessera::parallel::Comm;
use tessera::physics::{FormState, Prepared};
use tessera::simulation::Simulation;
use tessera_kernels::MODELS;
use tessera_kernels::model::Trial;

const CELLS: [&[&str]; 3] = [&["interval"], &["triangle", "quadrilateral"], &["tetrahedron", "hexahedron"]];

fn deck(model: &str, trial: &Trial, cell: &str, dimension: usize, degree: usize) -> String {
    let vector = ["\"a + x\"", "-2", "0.5"][..dimension].join(", ");
    let time = if trial.in_time { "[time]\nend = 1\nstep = 1\n" } else { "" };
    let text = format!(
        "[mesh]\nbox = {{ cell = \"{cell}\", cells = [{}] }}\n[parameters]\na = 1.1\n{time}[[physics]]\nmodel = \"{model}\"\n\
         degree = {degree}\n{}\n[[physics.boundary]]\nmarker = \"right\"\n{}\n",
        vec!["3"; dimension].join(", "),
        trial.inputs,
        trial.boundary,
    );
    text.replace("VECTOR", &format!("[{vector}]"))
}

/// Random values at the nodes, of both signs, the same on any number of ranks.
fn random(space: &Space, seed: u64) -> petsc_rs::Vector {
    let mut vector = space.field().unwrap();
    {
        let mut values = vector.write().unwrap();
        for node in 0..space.owned_nodes {
            let p = space.point(node);
            let place = p.iter().fold(seed, |h, x| h.wrapping_mul(1_000_003) ^ (x * 4096.0).round() as u64);
            let mut generator = ChaCha8Rng::seed_from_u64(place);
            for i in 0..space.components {
                values[node * space.components + i] = generator.random_range(-1.0..1.0);
            }
        }
    }
    vector.ghost_update().unwrap();
    vector
}

fn tangents(comm: &Comm) {
    for model in MODELS {
        assert!(!model.trials.is_empty(), "{} is not tried", model.name);
        for (number, trial) in model.trials.iter().enumerate() {
            for dimension in model.least_dimension..=3 {
                for &cell in CELLS[dimension - 1] {
                    for degree in model.degree.least..=model.degree.most {
                        let text = deck(model.name, trial, cell, dimension, degree);
                        check(comm, &text, trial.size, &format!("{} {number} {cell} degree {degree}", model.name));
                    }
                }
            }
        }
    }
}

fn check(comm: &Comm, text: &str, size: f64, name: &str) {
    let deck = Deck::parse(text, "tangent", &[]).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let simulation = Simulation::new(comm, &deck).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let problem = &simulation.stages[0].problem;
    let space = &problem.space;
    let prepared = problem.at(&simulation.default_context()).unwrap();
    let parts = Parts { storage: if deck.time.is_some() { 0.7 } else { 0.0 }, residual: 1.0 };
    let history = problem.new_history();
    let at = FormState { state: &[], history: history.as_ref(), parts };
    let nonlinear = !problem.facts().linear;
    let (mut state, mut direction) = (random(space, 1), random(space, 2));
    for vector in [&mut state, &mut direction] {
        vector.scale(size).unwrap();
        vector.ghost_update().unwrap();
    }

    let residual = |h: f64| {
        let mut moved = state.try_clone().unwrap();
        moved.axpy(h, &direction).unwrap();
        moved.ghost_update().unwrap();
        let mut result = space.field().unwrap();
        prepared.residual(FormState { state: &moved.local_read().unwrap(), ..at }, &mut result).unwrap();
        result
    };
    let mut matrix = problem.new_matrix().unwrap();
    let free = Essential::new(space, []);
    let local = state.local_read().unwrap();
    prepared.tangent(FormState { state: &local, ..at }, &free, &mut matrix).unwrap();
    // The tangent puts a one on the diagonal of essential unknowns; here there are none.
    let mut image = space.field().unwrap();
    matrix.mult(&direction, &mut image).unwrap();
    // The transpose.
    let weight = random(space, 3);
    let mut back = space.field().unwrap();
    matrix.mult_transpose(&weight, &mut back).unwrap();
    let (forth, back) = (image.dot(&weight).unwrap(), direction.dot(&back).unwrap());
    let scale = image.norm(petsc_rs::Norm::Two).unwrap() * weight.norm(petsc_rs::Norm::Two).unwrap();
    assert!((forth - back).abs() <= 1e-12 * scale, "{name}: {forth} {back}");

    sinks(&prepared, FormState { state: &local, ..at }, [&direction, &weight], &image, &mut residual(0.0), name);

    // The derivative with respect to the parameter.
    let mut slope = space.field().unwrap();
    prepared.slope(0, FormState { state: &local, ..at }, &mut slope).unwrap();
    let moved = |h: f64| {
        let mut context = simulation.default_context();
        context.parameters[0] += h;
        let mut result = space.field().unwrap();
        problem.at(&context).unwrap().residual(FormState { state: &local, ..at }, &mut result).unwrap();
        result
    };
    // Of fourth order.
    let h = 1e-3;
    let mut difference = space.field().unwrap();
    for (steps, factor) in [(1.0, 8.0), (-1.0, -8.0), (2.0, -1.0), (-2.0, 1.0)] {
        difference.axpy(factor / (12.0 * h), &moved(steps * h)).unwrap();
    }
    let size = difference.norm(petsc_rs::Norm::Two).unwrap();
    difference.axpy(-1.0, &slope).unwrap();
    let apart = difference.norm(petsc_rs::Norm::Two).unwrap();
    assert!(apart <= 1e-8 * size, "{name}: derivative by the parameter {apart:e} of {size:e}");
    assert_eq!(size > 0.0, uses_parameter(text), "{name}: {size}");
    drop(local);

    let size = image.norm(petsc_rs::Norm::Two).unwrap();
    assert!(size > 1e-3, "{name}: the derivative vanishes");
    let base = residual(0.0);
    let remainder = |h: f64| {
        let mut r = residual(h);
        r.axpy(-1.0, &base).unwrap();
        r.axpy(-h, &image).unwrap();
        r.norm(petsc_rs::Norm::Two).unwrap() / (h * size)
    };
    // A kink of a law may lie between two states, but not between all.
    let (coarse, fine) = (remainder(1e-3), remainder(1e-4));
    let exact = 1e-10;
    let order = (coarse / fine.max(exact)).log10();
    assert!(fine < exact || order > 0.9, "{name}: remainders {coarse:e}, {fine:e}: order {:.2}", 1.0 + order);
    if !nonlinear {
        assert!(coarse < exact, "{name} is linear, but the remainder is {coarse:e}");
    }
    if comm.rank() == 0 {
        println!("    {name:40} {coarse:.1e} {fine:.1e}");
    }
}

/// What experts, reduced models and products without a matrix make of the same integrals is what the matrix and the vector
/// give: `image` is the tangent's with the first of two columns, `r` the residual.
fn sinks(prepared: &Prepared, at: FormState, columns: [&Vector; 2], image: &Vector, r: &mut Vector, name: &str) {
    let space = &prepared.problem().space;
    let (comm, c, owned) = (&space.mesh.comm, space.components, space.owned_dofs());
    let size = at.state.len();
    let close = |ours: &[f64], theirs: &[f64], what: &str| {
        let scale = comm.max(theirs.iter().fold(f64::MIN_POSITIVE, |m: f64, v| m.max(v.abs())));
        let apart = comm.max(ours.iter().zip(theirs).fold(0.0, |m: f64, (a, b)| m.max((a - b).abs())));
        assert!(apart <= 1e-11 * scale, "{name}: {what}: {apart:e} of {scale:e}");
    };
    // By all cells, the rows of own nodes are whole.
    let (mut vector, mut product) = (vec![0.0; size], vec![0.0; size]);
    let x = columns[0].local_read().unwrap().to_vec();
    prepared.visit(at, Restriction::All, None, false, |integral| {
        sink::add_vector(integral, &mut vector);
        sink::add_product(integral, &x, &mut product);
    });
    close(&vector[..owned], &r.read().unwrap(), "residual");
    close(&product[..owned], &image.read().unwrap(), "product");
    // The transpose, by own cells.
    let y = columns[1].local_read().unwrap().to_vec();
    let mut back = vec![0.0; size];
    prepared.visit(at, Restriction::All, None, true, |integral| {
        sink::add_transposed_product(integral, &y, &mut back);
    });
    let forth = columns[1].dot(image).unwrap();
    let back = comm.sum(back.iter().zip(&x).map(|(a, b)| a * b).sum());
    close(&[back], &[forth], "transpose");
    // Projected; half of it twice by weights, and expert by expert.
    let both: Vec<f64> = x.iter().zip(&y).flat_map(|(x, y)| [*x, *y]).collect();
    let project = |restrictions: &[Restriction]| {
        let mut projected = sink::Projected::new(2, true);
        for restriction in restrictions {
            prepared.visit(at, *restriction, None, true, |integral| projected.add(integral, &both));
        }
        let mut all = [projected.vector, projected.matrix].concat();
        comm.sum_into(&mut all);
        all
    };
    let all = project(&[Restriction::All]);
    close(&all[..2], &[columns[0].dot(r).unwrap(), columns[1].dot(r).unwrap()], "projected residual");
    close(&all[2..5], &[columns[0].dot(image).unwrap(), all[3], forth], "projected tangent");
    let list: Vec<u32> = (0..space.mesh.local_cells() as u32).rev().collect();
    let weights = vec![0.5; list.len()];
    close(&project(&[Restriction::Cells { list: &list, weights: &weights }; 2]), &all, "weighted cells");
    let experts: Vec<Restriction> = (0..space.mesh.global_experts).map(Restriction::Expert).collect();
    close(&project(&experts), &all, "experts");
    // An expert's own system: its rows times a vector are those of its part of the integral.
    let cells: Vec<u32> = (0..space.mesh.owned_cells as u32).collect();
    let expert = space.mesh.cell_experts.first().copied().unwrap_or(0);
    let own: Vec<u32> = cells.iter().copied().filter(|&cell| space.mesh.cell_experts[cell as usize] == expert).collect();
    let (mut local, mut dense, mut expected) = (Vec::new(), Vec::new(), vec![0.0; size]);
    let mut nodes = None;
    prepared.visit(at, Restriction::Expert(expert), None, true, |integral| {
        let nodes = nodes.get_or_insert_with(|| {
            let nodes = LocalNodes::new(&integral.job.cells, &own, &own);
            local = vec![0.0; nodes.nodes.len() * c];
            dense = vec![0.0; local.len() * local.len()];
            nodes
        });
        nodes.add_dense(integral, &mut local, &mut dense);
        sink::add_product(integral, &x, &mut expected);
    });
    if let Some(nodes) = nodes {
        let x = nodes.gather(&x, c);
        let row = |row: &[f64]| row.iter().zip(&x).map(|(a, b)| a * b).sum::<f64>();
        let ours: Vec<f64> = dense.chunks_exact(x.len()).map(row).collect();
        let expected = nodes.gather(&expected, c);
        let scale = expected.iter().fold(f64::MIN_POSITIVE, |m: f64, v| m.max(v.abs()));
        let apart = ours.iter().zip(&expected).fold(0.0, |m: f64, (a, b)| m.max((a - b).abs()));
        assert!(apart <= 1e-11 * scale, "{name}: expert's system: {apart:e} of {scale:e}");
    }
}

/// Whether a trial uses the parameter.
fn uses_parameter(text: &str) -> bool {
    let physics = text.split("[[physics]]").nth(1).unwrap();
    let formulas = physics.split('"').skip(1).step_by(2);
    formulas.flat_map(|formula| formula.split(|c: char| !c.is_alphanumeric() && c != '_')).any(|word| word == "a")
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2],
    tests: &[("tangents", tangents)],
}];
