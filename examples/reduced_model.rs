//! A reduced model from a small campaign in the same program, and its predictions with a bound of their error.
//! ```text
//! mpirun -n 2 target/release/examples/reduced_model
//! ```
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Instant;
use tessera::campaign::{Design, design_samples};
use tessera::deck::{Deck, Norm, Physics};
use tessera::mesh::{BoxSource, CellType, Mesh, PartitionOptions};
use tessera::mixture::{Algorithm, Columns, Truncation};
use tessera::parallel::{self, Comm};
use tessera::physics::{Context, diffusion};
use tessera::report::{Level, Report};
use tessera::rom::theta::Inputs;
use tessera::rom::{BasisOptions, ReducedModel, Training, energy_error};
use tessera::simulation::Simulation;

fn main() -> ExitCode {
    parallel::run(run)
}

fn run(comm: &Comm) -> tessera::Result<()> {
    let report = Report::new(comm, Level::Normal);
    // A plate with a hot corner, cooled along two sides; three numbers vary.
    let plate = Physics::builder(&diffusion::MODEL)
        .named("heat")
        .field("temperature", "K")
        .varied("k", 2.0, [1.0, 10.0])
        .varied("h", 20.0, [5.0, 50.0])
        .varied("power", 500.0, [100.0, 1000.0])
        .input("conductivity", "1 + k*x")
        .input("source", "power*exp(-20*((x - 0.8)^2 + (y - 0.8)^2))")
        .value("left", 300.0)
        .exchange(["right", "top"], "h", 290.0);
    let mut deck = Deck::of([plate])?;
    deck.solver.tolerance = 1e-12;
    let source = BoxSource::unit(CellType::Triangle, &[24, 24]).into();
    let mesh = Rc::new(Mesh::build(comm, &source, &PartitionOptions::default())?);
    let mut simulation = Simulation::on_mesh(&deck, mesh)?;

    // The campaign.
    let samples = design_samples(&deck, &Design::Sobol { samples: 16, seed: 0 })?;
    let mut snapshots = Columns::new(comm, simulation.stages[0].space().owned_dofs());
    for parameters in &samples {
        simulation.solve(&Context::steady(parameters.clone()))?;
        snapshots.push(&simulation.stages[0].solution().read()?);
    }
    report.line(format!("solved {} samples", samples.len()));

    let training = Training::steady(
        deck.default_parameters(),
        design_samples(&deck, &Design::Sobol { samples: 24, seed: 1 })?,
        design_samples(&deck, &Design::Sobol { samples: 8, seed: 2 })?,
    );
    let options = BasisOptions {
        inner_product: Norm::Energy,
        algorithm: Algorithm::Snapshots,
        truncation: Truncation { modes: 10, tolerance: 0.0 },
    };
    let (model, _) =
        ReducedModel::train(&simulation, &training, &samples, |_| Ok(snapshots.clone()), options)?;

    // Unseen parameters: the error of each prediction is below its bound.
    let unseen = design_samples(&deck, &Design::LatinHypercube { samples: 4, seed: 3 })?;
    for parameters in unseen {
        let context = Context::steady(parameters);
        let problem = simulation.stages[0].problem.clone();
        let inputs: [&dyn Inputs; 1] = [&*problem];
        let mut said = String::new();
        let mut last = f64::INFINITY;
        simulation.solve(&context)?;
        for modes in [2, 5, 10] {
            let start = Instant::now();
            let solution = &model.solve(&inputs, &context, modes)?[0];
            let micros = start.elapsed().as_micros();
            let field = model.field(0, solution);
            let (error, size) =
                energy_error(&problem, &context, &simulation.stages[0].solution().read()?, &field)?;
            said += &format!("; {modes} modes, {micros} us: error {:.1e}", error / size);
            said += &format!(", bound {:.1e}", solution.estimate / size);
            assert!(solution.doubt.is_none() && error <= solution.estimate, "{said}");
            last = solution.estimate / size;
        }
        report.line(format!("{:?}{said}", context.parameters.iter().map(|p| p.round()).collect::<Vec<_>>()));
        assert!(last < 1e-2, "{said}");
    }
    Ok(())
}
