//! Checkpoints of a run in time: all that the next step depends on, and what has been recorded.
//!
//! ```text
//! /                      run, step, time, next_step, rejected, mesh, offsets; deck and origin as in all files
//! /frames                [frame]            times of the frames in the result file
//! /quantities            [frame, quantity]
//! /steps                 [step, column]     as /log/steps of the result file
//! /problems/<name>       times, flow, reference
//!   solution_<k>         [node, component]  k-th last step's, in canonical order
//!   storage_<k>          [node, component]
//!   rest                 [node, component]  Crank-Nicolson
//!   recycled_<k>         [node, component]  of a solver that recycles
//!   internal             [cell, variable]   at the quadrature points, one after the other
//!   tuning               [system, number]   of a solver that is tuned: arm, loss, context
//!   guard_mode_<k>       [node, component]  of a guarded run; its numbers are the attribute guard
//!   guard_use            [mode, mode]
//! ```
//!
//! What stands under a problem is what its owners say that they remember, see [`Memory`].
use super::record::Record;
use crate::checkpoint::{Folder, Place, Schedule, size};
use crate::drivers::output;
use crate::format::bytes;
use crate::memory::{Entry, Memory};
use crate::mesh::Mesh;
use crate::parallel::Redistribution;
use crate::physics::Context;
use crate::simulation::{Evolution, Observer, Run, Simulation, Step, Stepper, Wishes};
use crate::storage::{Schema, Sealed, Sealing, Value, checksum};
use crate::{Error, Result};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Makes checkpoints when they are due or wished for.
pub(super) struct Checkpoints<'a> {
    record: &'a RefCell<Record>,
    petsc: &'a [String],
    /// What the solvers began with.
    initial: Context,
    folder: Folder,
    schedule: Schedule,
    mesh: Vec<i64>,
    newest: Option<PathBuf>,
    /// Whether one could not be written.
    failed: bool,
}

impl<'a> Checkpoints<'a> {
    /// Those of a run that goes on from `newest`, or starts; a run that starts removes those of an earlier run, whose result
    /// file it has replaced. Collective.
    pub fn new(
        run: &Run,
        newest: Option<PathBuf>,
        initial: Context,
        record: &'a RefCell<Record>,
        petsc: &'a [String],
    ) -> Self {
        let (comm, deck) = (&run.simulation.mesh.comm, &run.simulation.deck);
        let folder = Folder::of(deck);
        if newest.is_none() {
            let removed = comm.max(if comm.rank() == 0 { folder.clear() } else { 0 });
            if removed > 0 {
                run.report.line(format!("checkpoint   {removed} of an earlier run removed"));
            }
        }
        let schedule = Schedule::new(&deck.checkpoint, run.steps.len());
        let mesh = fingerprint(&run.simulation.mesh);
        Self { record, petsc, initial, folder, schedule, mesh, newest, failed: false }
    }

    /// Makes a checkpoint; the run goes on when it cannot be written. Collective.
    fn make(&mut self, run: &Run) {
        let Err(error) = self.write(run) else { return };
        let text = format!("{error}; the run goes on without this checkpoint");
        // One warning; what follows is mostly the same.
        match self.failed {
            true => run.report.line(format!("checkpoint   {text}")),
            false => run.report.warn(text),
        }
        self.failed = true;
    }

    /// Makes a checkpoint unless the newest is of this step; the error with which the run then ends. Collective.
    fn stop(&mut self, run: &Run) -> Error {
        let (steps, time) = (run.steps.len(), run.evolution.context.time);
        let there = self.newest.is_some() && self.schedule.last_step() == steps;
        match if there { Ok(()) } else { self.write(run) } {
            Err(error) if self.newest.is_none() => return error,
            Err(error) => run.report.warn(error.to_string()),
            Ok(()) => {}
        }
        run.report.finish(self.newest.as_slice());
        let newest = self.newest.clone().unwrap_or_default();
        let from = newest.display();
        Error::Stopped(format!("step {steps}, t = {time:.6e} s; --restart latest goes on from {from}"))
    }

    fn write(&mut self, run: &Run) -> Result<()> {
        let (step, time) = (run.steps.len(), run.evolution.context.time);
        let comm = &run.simulation.mesh.comm;
        let path = self.folder.file(step);
        let start = Instant::now();
        let written = run.report.phase("checkpoint", || -> Result<u64> {
            // The frames so far must be on the disk before anything counts on them.
            self.record.borrow().flush()?;
            let size = self.save(&path, run)?;
            if comm.rank() == 0 {
                self.folder.prune(step);
            }
            Ok(size)
        });
        let seconds = comm.max(start.elapsed().as_secs_f64());
        self.schedule.made(step, written.is_ok().then_some(seconds));
        let size = bytes(written? as f64);
        self.record.borrow_mut().keep();
        run.report.line(format!("checkpoint   step {step}, t = {time:.6e} s, {size}, {seconds:.2} s"));
        self.newest = Some(path);
        Ok(())
    }

    /// Writes a checkpoint; its size in bytes. Collective.
    fn save(&self, path: &Path, Run { simulation, evolution, stepper, steps, .. }: &Run) -> Result<u64> {
        let record = self.record.borrow();
        let width = simulation.deck.quantity.len();
        let (rows, columns) = (steps.len() as u64, Step::NUMBERS + width);
        let mut memories: Vec<Vec<Entry>> = simulation.stages.iter().map(Memory::remembered).collect();
        memories.iter_mut().enumerate().for_each(|(index, list)| list.extend(stepper.remembered(index)));
        let sizes = simulation.stages.iter().zip(&memories).map(|(stage, list)| size(stage.space(), list));
        let numbers = (rows + 1) * columns as u64 + sizes.sum::<u64>();
        let mut target = Sealing::create(&simulation.mesh.comm, path, 8 * numbers)?;
        let file = target.file();
        file.describe(Schema::Checkpoint, &output::provenance(simulation, self.petsc))?;
        file.set("/", "run", record.run.as_str())?;
        file.set("/", "step", steps.len())?;
        file.set("/", "mesh", self.mesh.clone())?;
        record.describe(file)?;
        let (frames, quantities) = (&record.frames[..record.written], &record.quantities);
        target.write_array("/frames", &[frames.len() as u64], frames)?;
        target.write_array("/quantities", &[quantities.len() as u64, width as u64], &quantities.concat())?;
        let steps: Vec<f64> = steps.iter().flat_map(Step::row).collect();
        target.write_array("/steps", &[rows, columns as u64], &steps)?;
        whole(simulation, &record.plans[0]).save(&mut target, &evolution.remembered())?;
        for (index, list) in memories.iter().enumerate() {
            problem(simulation, index, &record.plans[index]).save(&mut target, list)?;
        }
        target.finish()
    }
}

impl Observer for Checkpoints<'_> {
    fn wishes(&mut self, run: &Run) -> Wishes {
        // The first rank's clock counts.
        let checkpoint = run.simulation.mesh.comm.rank() == 0 && self.schedule.is_due(run.steps.len());
        Wishes { checkpoint, ..Wishes::default() }
    }

    fn before_step(&mut self, run: &mut Run, wishes: Wishes) -> Result<()> {
        if wishes.stop {
            return Err(self.stop(run));
        }
        if wishes.checkpoint {
            let by_steps = self.schedule.is_due_by_steps(run.steps.len());
            self.make(run);
            // Not by the clock: the same run is to give the same bits twice.
            if by_steps {
                run.simulation.renew_solvers(&self.initial)?;
            }
        }
        Ok(())
    }

    fn at_end(&mut self, run: &mut Run, failure: Option<&Error>) -> Result<()> {
        // The last good step of a run that fails, unless there is one.
        if matches!(failure, Some(Error::Failed(_))) && run.steps.len() > self.schedule.last_step() {
            self.make(run);
        }
        Ok(())
    }
}

/// Where a problem's memories lie.
fn problem<'a>(simulation: &'a Simulation, index: usize, plan: &'a Redistribution) -> Place<'a> {
    let stage = &simulation.stages[index];
    Place { group: format!("/problems/{}", stage.problem.name), space: stage.space(), plan }
}

/// Where those of the run lie, none of which is a field.
fn whole<'a>(simulation: &'a Simulation, plan: &'a Redistribution) -> Place<'a> {
    Place { group: String::new(), ..problem(simulation, 0, plan) }
}

/// Numbers that tell meshes apart: cells, vertices, checksums of coordinates and of topology. Collective.
fn fingerprint(mesh: &Mesh) -> Vec<i64> {
    let (owned, plan) = mesh.vertex_redistribution();
    let points: Vec<f64> = owned.iter().flat_map(|&v| mesh.vertex(v as usize)).copied().collect();
    let points = checksum(&mesh.comm, &plan.to_canonical(&points, mesh.dimension));
    let corners: Vec<u64> = (0..mesh.owned_cells)
        .flat_map(|cell| mesh.cell_vertices(cell).iter().map(|&v| mesh.vertex_ids[v as usize]))
        .collect();
    let plan = mesh.cell_redistribution();
    let cells = checksum(&mesh.comm, &plan.to_canonical(&corners, mesh.cell_type.vertices()));
    vec![mesh.global_cells as i64, mesh.global_vertices as i64, points.into(), cells.into()]
}

/// Puts a checkpoint's state in the place of the initial one. Collective.
///
/// # Errors
/// [`Error::Input`] when the checkpoint is of another mesh or lacks something.
pub(super) fn restore(
    saved: &Sealed,
    simulation: &mut Simulation,
    evolution: &mut Evolution,
    stepper: &mut dyn Stepper,
) -> Result<()> {
    match saved.file().get("/", "mesh")? {
        Some(Value::Integers(mesh)) if mesh == fingerprint(&simulation.mesh) => {}
        _ => return Err(Error::input(saved.file().label(), "it was made on another mesh")),
    }
    let frame = saved.whole("/frames").last().copied();
    for (index, stage) in simulation.stages.iter_mut().enumerate() {
        let (space, plan) = (stage.space().clone(), stage.space().canonical());
        let group = format!("/problems/{}", stage.problem.name);
        let place = Place { group, space: &space, plan: &plan };
        stage.restore(&place.kept(saved))?;
        stepper.restore(index, &place.kept(saved))?;
    }
    let plan = simulation.stages[0].space().canonical();
    evolution.restore(&whole(simulation, &plan).kept(saved))?;
    let context = &evolution.context;
    for stage in simulation.stages.iter_mut().filter(|stage| !stage.evolves()) {
        // It was solved for the last frame.
        stage.set_conditions(&Context { time: frame.unwrap_or(context.time), ..context.clone() })?;
    }
    Ok(())
}
