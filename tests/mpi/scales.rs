//! Answers do not depend on the unit of length, nor on where the origin lies.
use crate::common::Suite;
use crate::common::decks::simulation;
use tessera::parallel::Comm;

/// Quantities of a deck written for a size `l` and a shift `o` (both m).
fn values(comm: &Comm, write: &dyn Fn(f64, f64) -> String, l: f64, o: f64) -> Vec<f64> {
    let text = write(l, o);
    let mut simulation = simulation(comm, &text);
    let context = simulation.default_context();
    simulation.solve(&context).unwrap_or_else(|e| panic!("size {l:e}, shift {o:e}: {e}\n{text}"));
    simulation.quantities(&context).unwrap_or_else(|e| panic!("size {l:e}, shift {o:e}: {e}\n{text}"))
}

/// Each quantity goes with a power of the length.
fn compare(comm: &Comm, write: &dyn Fn(f64, f64) -> String, powers: &[i32]) {
    let expected = values(comm, write, 1.0, 0.0);
    assert_eq!(expected.len(), powers.len());
    // Far from the origin coordinates have ten digits less to tell cells apart.
    for (l, o, tolerance) in [(1e-6, 0.0, 1e-7), (1e6, 0.0, 1e-7), (1.0, 1e6, 1e-6)] {
        let found = values(comm, write, l, o);
        for ((value, expected), power) in found.iter().zip(&expected).zip(powers) {
            let scaled = value / l.powi(*power);
            assert!(
                (scaled - expected).abs() <= tolerance * expected.abs(),
                "size {l:e}, shift {o:e}: {found:?}, expected {expected} times l^{power}\n{}",
                write(l, o)
            );
        }
    }
}

/// A box of size `l` at `o` along all axes.
fn mesh(cell: &str, cells: &[usize], l: f64, o: f64) -> String {
    let list = |x: f64| vec![format!("{x:e}"); cells.len()].join(", ");
    format!(
        "[mesh]\nbox = {{ cell = \"{cell}\", cells = {cells:?}, lower = [{}], upper = [{}] }}\n",
        list(o),
        list(o + l)
    )
}

/// A block with a pressure, held on a side, and on three points: the stiffness of steel beside any length.
fn solids(comm: &Comm) {
    for (cell, cells, degree) in [("tetrahedron", vec![4, 3, 3], 2), ("hexahedron", vec![3, 3, 3], 1), ("triangle", vec![6, 6], 2)] {
        let d = cells.len();
        let up = if d == 2 { "[0.0, 1e6]" } else { "[0.0, 1e6, 0.0]" };
        let write = |l: f64, o: f64| {
            format!(
                "{}[[physics]]\nmodel = \"elasticity\"\ndegree = {degree}\nyoung = 210e9\npoisson = 0.3\n\
                 [[physics.boundary]]\nmarker = \"left\"\nvalue = 0.0\n[[physics.boundary]]\nmarker = \"right\"\ntraction = {up}\n\
                 [[quantity]]\nname = \"most\"\nkind = \"maximum\"\nfield = \"displacement\"\n\
                 [[quantity]]\nname = \"force\"\nkind = \"reaction\"\nfield = \"displacement\"\nmarker = \"left\"\ncomponent = 1\n\
                 [[quantity]]\nname = \"energy\"\nkind = \"energy\"\nfield = \"displacement\"\n\
                 [[quantity]]\nname = \"stress\"\nkind = \"maximum\"\nfield = \"von_mises\"\n",
                mesh(cell, &cells, l, o)
            )
        };
        compare(comm, &write, &[1, d as i32 - 1, d as i32, 0]);
    }
    let write = |l: f64, o: f64| {
        let point = |x: f64, y: f64| format!("[{:e}, {:e}]", o + l * x, o + l * y);
        format!(
            "{}[[physics]]\nmodel = \"elasticity\"\nplane = \"stress\"\nyoung = 210e9\npoisson = 0.3\n\
             [[physics.boundary]]\npoint = {}\nvalue = 0.0\n[[physics.boundary]]\npoint = {}\nvalue = [\"free\", 0.0]\n\
             [[physics.boundary]]\nmarker = \"top\"\npressure = 1e6\n[[physics.boundary]]\nmarker = \"bottom\"\ntraction = [0.0, 0.99e6]\n\
             [[quantity]]\nname = \"most\"\nkind = \"maximum\"\nfield = \"displacement\"\n\
             [[quantity]]\nname = \"there\"\nkind = \"point\"\nfield = \"displacement\"\npoint = {}\n",
            mesh("quadrilateral", &[6, 6], l, o),
            point(0.0, 0.0),
            point(1.0, 0.0),
            point(0.45, 0.83)
        )
    };
    compare(comm, &write, &[1, 1]);
}

fn heat(comm: &Comm) {
    for (cell, cells, degree) in [("tetrahedron", vec![4, 3, 3], 1), ("quadrilateral", vec![6, 6], 2), ("interval", vec![8], 2)] {
        let d = cells.len() as i32;
        let write = |l: f64, o: f64| {
            format!(
                "{}[[physics]]\nmodel = \"diffusion\"\ndegree = {degree}\nfield = \"temperature\"\nconductivity = 50.0\nsource = {:e}\n\
                 [[physics.boundary]]\nmarker = \"left\"\nvalue = 300.0\n[[physics.boundary]]\nmarker = \"right\"\ncoefficient = {:e}\nambient = 290.0\n\
                 [[quantity]]\nname = \"most\"\nkind = \"maximum\"\nfield = \"temperature\"\n\
                 [[quantity]]\nname = \"out\"\nkind = \"flux\"\nfield = \"temperature\"\nmarker = \"right\"\n\
                 [[quantity]]\nname = \"mean\"\nkind = \"average\"\nfield = \"temperature\"\nmarker = \"right\"\n",
                mesh(cell, &cells, l, o),
                5e3 / (l * l),
                40.0 / l
            )
        };
        compare(comm, &write, &[0, d - 2, 0]);
    }
}

/// Around an axis only lengths change, and places along it.
fn bodies_of_revolution(comm: &Comm) {
    let write = |l: f64, o: f64| {
        format!(
            "[mesh]\nbox = {{ cell = \"quadrilateral\", cells = [6, 4], lower = [{:e}, {o:e}], upper = [{:e}, {:e}] }}\n\
             [[physics]]\nname = \"heat\"\nmodel = \"diffusion\"\nplane = \"axisymmetric\"\nfield = \"temperature\"\nconductivity = 50.0\n\
             [[physics.boundary]]\nmarker = \"left\"\nvalue = 100.0\n[[physics.boundary]]\nmarker = \"right\"\nvalue = 0.0\n\
             [[physics]]\nname = \"solid\"\nmodel = \"elasticity\"\nplane = \"axisymmetric\"\nyoung = 2e11\npoisson = 0.3\nexpansion = 1e-5\n\
             temperature = {{ physics = \"heat\" }}\n[[physics.boundary]]\nmarker = [\"bottom\", \"top\"]\nvalue = [\"free\", 0.0]\n\
             [[quantity]]\nname = \"heat\"\nkind = \"flux\"\nfield = \"temperature\"\nmarker = \"right\"\n\
             [[quantity]]\nname = \"force\"\nkind = \"reaction\"\nfield = \"displacement\"\nmarker = \"top\"\ncomponent = 1\n\
             [[quantity]]\nname = \"volume\"\nkind = \"integral\"\nfield = \"temperature\"\n",
            l,
            2.0 * l,
            o + l
        )
    };
    compare(comm, &write, &[1, 2, 3]);
}

/// Stokes flow in a channel: lengths and velocities together.
fn flow(comm: &Comm) {
    let write = |l: f64, o: f64| {
        format!(
            "[solver]\ntolerance = 1e-10\n{}[[physics]]\nmodel = \"navier_stokes\"\ndensity = {:e}\nviscosity = 1e-3\n\
             [[physics.boundary]]\nmarker = \"left\"\npressure = 10.0\n[[physics.boundary]]\nmarker = [\"bottom\", \"top\"]\nvalue = [0.0, 0.0]\n\
             [[quantity]]\nname = \"out\"\nkind = \"flux\"\nfield = \"velocity\"\nmarker = \"right\"\n\
             [[quantity]]\nname = \"drag\"\nkind = \"reaction\"\nfield = \"velocity\"\nmarker = \"top\"\ncomponent = 0\n",
            mesh("triangle", &[6, 6], l, o),
            // The same Reynolds number.
            1e-6 / (l * l)
        )
    };
    compare(comm, &write, &[2, 1]);
}

pub const SUITES: &[Suite] = &[Suite {
    ranks: &[1, 2, 3],
    tests: &[("solids", solids), ("heat", heat), ("bodies_of_revolution", bodies_of_revolution), ("flow", flow)],
}];
