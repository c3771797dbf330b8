//! Runs in time, kept in memory.
use crate::arrays::Rows;
use crate::open::Open;
use tessera::physics::Context;
use tessera::report::{Level, Report};
use tessera::simulation::{Evolution, FieldInfo, Newton, Observer, Run};
use tessera::{Error, Result};

/// Times of frames; fields by name, one array a frame; times of steps, the start among them; quantities, one row a step.
pub type History = (Vec<f64>, Vec<(String, Vec<Rows>)>, Vec<f64>, Vec<Vec<f64>>);

/// Integrates from the deck's initial values. Collective.
pub fn run(open: &mut Open, context: Context, names: Option<Vec<String>>, own: bool) -> Result<History> {
    let simulation = &mut open.simulation;
    let Some(time) = simulation.deck.time.clone() else {
        return Err(Error::Failed("the deck has no [time]: solve() finds its steady solution".into()));
    };
    open.is_solved = false;
    let context = Context { time: time.start, ..context };
    let fields = match names {
        None => {
            simulation.fields().into_iter().filter(|f| f.derived.is_none() && f.random.is_none()).collect()
        }
        Some(names) => names.iter().map(|name| open.field(name)).collect::<Result<Vec<_>>>()?,
    };
    let Open { simulation, orders, .. } = open;
    simulation.reset(&context)?;
    let mut evolution = Evolution::start(simulation, &time, context)?;
    let frames = time.frames(simulation.deck.output.frames);
    evolution.stop_at(&frames[1..]);
    let evolves = simulation.deck.quantity.iter().map(|quantity| {
        let stage = simulation.measured(quantity)?.0.stage;
        Ok(simulation.stages[stage].evolves())
    });
    let evolves = evolves.collect::<Result<Vec<bool>>>()?;
    let report = Report::new(&simulation.mesh.comm, Level::Quiet);
    let mut record = Record {
        values: fields.iter().map(|_| Vec::new()).collect(),
        give: &|field: &FieldInfo, run: &Run| {
            let values = run.simulation.field_values(field, &run.evolution.context)?;
            orders[field.stage].give(&values.read()?, field.components, own)
        },
        fields: &fields,
        evolves,
        frames: Vec::new(),
        times: Vec::new(),
        quantities: Vec::new(),
    };
    let on_frame = true;
    let (stepper, steps) = (&mut Newton, Vec::new());
    let mut run = Run { simulation, evolution, stepper, steps, on_frame, report: &report, forgives: true };
    let failure = run.go(&mut [&mut record])?;
    let reached = run.evolution.context;
    if let Some(error) = failure {
        return Err(match error {
            Error::Failed(why) => Error::Failed(format!("{why}, at t = {:.6e} s", reached.time)),
            other => other,
        });
    }
    let Record { values, frames, times, quantities, .. } = record;
    let names = fields.iter().map(|field| field.name.clone());
    let history = (frames, names.zip(values).collect(), times, quantities);
    open.context = reached;
    Ok(history)
}

struct Record<'a> {
    fields: &'a [FieldInfo],
    give: &'a dyn Fn(&FieldInfo, &Run) -> Result<Rows>,
    evolves: Vec<bool>,
    values: Vec<Vec<Rows>>,
    frames: Vec<f64>,
    times: Vec<f64>,
    quantities: Vec<Vec<f64>>,
}

impl Record<'_> {
    fn keep(&mut self, run: &mut Run) -> Result<()> {
        let context = run.evolution.context.clone();
        if run.on_frame {
            run.simulation.solve_steady(&context)?;
            self.frames.push(context.time);
            for (field, values) in self.fields.iter().zip(&mut self.values) {
                values.push((self.give)(field, run)?);
            }
        }
        let mut quantities = run.simulation.quantities(&context)?;
        if !run.on_frame {
            // Problems that are solved at frames only have no values between them.
            let unknown = quantities.iter_mut().zip(&self.evolves).filter(|(_, evolves)| !**evolves);
            unknown.for_each(|(value, _)| *value = f64::NAN);
        }
        self.times.push(context.time);
        self.quantities.push(quantities);
        Ok(())
    }
}

impl Observer for Record<'_> {
    fn at_start(&mut self, run: &mut Run) -> Result<()> {
        self.keep(run)
    }

    fn after_step(&mut self, run: &mut Run) -> Result<()> {
        self.keep(run)
    }
}
