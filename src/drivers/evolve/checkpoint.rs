//! Checkpoints of a run in time: all that the next step depends on, and what has been recorded.
//!
//! ```text
//! /                      run, step, time, next_step, rejected, mesh, fields, offsets; deck and origin as in all files
//! /frames                [frame]            times of the frames in the result file
//! /quantities            [frame, quantity]
//! /steps                 [step, column]     as /log/steps of the result file
//! /problems/<name>       times, flow, reference
//!   solution_<k>         [node, component]  k-th last step's, in canonical order
//!   storage_<k>          [node, component]
//!   rest                 [node, component]  Crank-Nicolson
//!   internal             [cell, variable]   at the quadrature points, one after the other
//! ```
use super::record::Record;
use crate::checkpoint::{Folder, Schedule, Signals};
use crate::drivers::output;
use crate::format::bytes;
use crate::mesh::Mesh;
use crate::parallel::{Comm, Redistribution};
use crate::physics::Context;
use crate::report::Report;
use crate::simulation::{Evolution, Evolving, Simulation, Stage, StageSolver, Step};
use crate::solver::{Flow, NewtonRecycling};
use crate::storage::{File, Schema, Sealed, Sealing, Value, checksum};
use crate::{Error, Result};
use petsc_rs::Vector;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What a run is asked to do before its next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Checkpoint,
    /// A signal has come: a checkpoint, and the end.
    Stop,
}

/// The state of a run between two steps.
pub(super) struct State<'a> {
    pub simulation: &'a Simulation,
    pub evolution: &'a Evolution,
    pub record: &'a mut Record,
}

/// The checkpoints of a run.
pub(super) struct Checkpoints<'a> {
    comm: Comm,
    report: &'a Report,
    petsc: &'a [String],
    folder: Folder,
    schedule: Schedule,
    signals: Signals,
    mesh: Vec<i64>,
    newest: Option<PathBuf>,
    /// Whether one could not be written.
    failed: bool,
}

impl<'a> Checkpoints<'a> {
    /// Those of a run that goes on from `newest` after `step` steps, or starts; a run that starts removes those of an
    /// earlier run, whose result file it has replaced. Collective.
    pub fn new(
        simulation: &Simulation,
        (newest, step): (Option<PathBuf>, usize),
        signals: Signals,
        petsc: &'a [String],
        report: &'a Report,
    ) -> Self {
        let (comm, deck) = (simulation.mesh.comm.clone(), &simulation.deck);
        let folder = Folder::of(deck);
        if newest.is_none() {
            let removed = comm.max(if comm.rank() == 0 { folder.clear() } else { 0 });
            if removed > 0 {
                report.line(format!("checkpoint   {removed} of an earlier run removed"));
            }
        }
        let schedule = Schedule::new(&deck.checkpoint, step);
        let mesh = fingerprint(&simulation.mesh);
        Self { comm, report, petsc, folder, schedule, signals, mesh, newest, failed: false }
    }

    /// What is due after `step` steps: a signal to any rank counts, and the first rank's clock. Collective.
    pub fn due(&self, step: usize) -> Due {
        let mine = match (self.signals.arrived(), self.comm.rank() == 0 && self.schedule.is_due(step)) {
            (true, _) => 2u8,
            (_, due) => u8::from(due),
        };
        match self.comm.max(mine) {
            0 => Due::Nothing,
            1 => Due::Checkpoint,
            _ => Due::Stop,
        }
    }

    /// Whether the checkpoint that is due comes after this step in any run, whatever the clock says.
    pub fn is_due_by_steps(&self, step: usize) -> bool {
        self.schedule.is_due_by_steps(step)
    }

    /// Makes a checkpoint; the run goes on when it cannot be written. Collective.
    pub fn make(&mut self, state: State) {
        let Err(error) = self.write(state) else { return };
        let text = format!("{error}; the run goes on without this checkpoint");
        // One warning; what follows is mostly the same.
        match self.failed {
            true => self.report.line(format!("checkpoint   {text}")),
            false => self.report.warn(text),
        }
        self.failed = true;
    }

    /// Makes a checkpoint unless the newest is of this step; the error with which the run then ends. Collective.
    pub fn stop(&mut self, state: State) -> Error {
        let (steps, time) = (state.record.steps.len(), state.evolution.context.time);
        let there = self.newest.is_some() && self.schedule.last_step() == steps;
        match if there { Ok(()) } else { self.write(state) } {
            Err(error) if self.newest.is_none() => return error,
            Err(error) => self.report.warn(error.to_string()),
            Ok(()) => {}
        }
        let newest = self.newest.clone().unwrap_or_default();
        let from = newest.display();
        Error::Stopped(format!("step {steps}, t = {time:.6e} s; --restart latest goes on from {from}"))
    }

    /// Makes a checkpoint of the last good step of a run that fails, unless there is one. Collective.
    pub fn last(&mut self, state: State) {
        if state.record.steps.len() > self.schedule.last_step() {
            self.make(state);
        }
    }

    /// The newest checkpoint, if there is one.
    pub fn newest(&self) -> &[PathBuf] {
        self.newest.as_slice()
    }

    fn write(&mut self, state: State) -> Result<()> {
        let (step, time) = (state.record.steps.len(), state.evolution.context.time);
        let path = self.folder.file(step);
        let start = Instant::now();
        let written = self.report.phase("checkpoint", || -> Result<u64> {
            // The frames so far must be on the disk before anything counts on them.
            state.record.flush()?;
            let size = save(&path, &state, &self.mesh, self.petsc)?;
            if self.comm.rank() == 0 {
                self.folder.prune(step);
            }
            Ok(size)
        });
        let seconds = self.comm.max(start.elapsed().as_secs_f64());
        self.schedule.made(step, written.is_ok().then_some(seconds));
        let size = bytes(written? as f64);
        state.record.keep();
        self.report.line(format!("checkpoint   step {step}, t = {time:.6e} s, {size}, {seconds:.2} s"));
        self.newest = Some(path);
        Ok(())
    }
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

/// Bytes of the arrays of a checkpoint. Collective.
fn size(state: &State) -> u64 {
    let record = &state.record;
    let mut numbers =
        record.steps.iter().chain(record.steps.last()).map(|s| s.row().count()).sum::<usize>() as u64;
    for (index, stage) in state.simulation.stages.iter().enumerate() {
        let integrator = state.evolution.problems.iter().find(|e| e.stage == index).map(|e| &e.integrator);
        let vectors =
            integrator.map_or(1, |i| i.solutions.len() + i.storages.len() + usize::from(i.rest.is_some()));
        let recycled = memory(stage).map_or(0, |recycling| {
            recycling.with_memory(|memory| memory.memory().iter().map(|(_, list)| list.len()).sum())
        });
        numbers += (vectors + recycled) as u64 * stage.problem.space.global_dofs();
        let history = stage.solver.history();
        numbers += history.map_or(0, |h| (h.points * h.width) as u64 * state.simulation.mesh.global_cells);
    }
    8 * numbers
}

/// What the linear solver of a problem remembers.
fn memory(stage: &Stage) -> Option<&NewtonRecycling> {
    let StageSolver::Newton(newton) = &stage.solver else { return None };
    newton.recycling()
}

fn group(problem: &str) -> String {
    format!("/problems/{problem}")
}

/// Writes a checkpoint; its size in bytes. Collective.
fn save(path: &Path, state: &State, mesh: &[i64], petsc: &[String]) -> Result<u64> {
    let State { simulation, evolution, record } = state;
    let Evolution { problems, control, context, rejected, .. } = evolution;
    let mut target = Sealing::create(&simulation.mesh.comm, path, size(state))?;
    let file = target.file();
    file.describe(Schema::Checkpoint, &output::provenance(simulation, petsc))?;
    file.set("/", "run", record.run.as_str())?;
    file.set("/", "step", record.steps.len())?;
    file.set("/", "time", context.time)?;
    file.set("/", "next_step", control.step)?;
    file.set("/", "rejected", *rejected)?;
    file.set("/", "mesh", mesh.to_vec())?;
    record.describe(file)?;
    let (frames, quantities) = record.frames_written();
    target.write_array("/frames", &[frames.len() as u64], frames)?;
    let width = quantities.first().map_or(0, Vec::len);
    target.write_array("/quantities", &[quantities.len() as u64, width as u64], &quantities.concat())?;
    let (rows, columns) = (record.steps.len() as u64, Step::NUMBERS + width);
    let steps: Vec<f64> = record.steps.iter().flat_map(Step::row).collect();
    target.write_array("/steps", &[rows, columns as u64], &steps)?;

    for (index, stage) in simulation.stages.iter().enumerate() {
        let group = group(&stage.problem.name);
        let (plan, width) = (&record.plans[index], stage.problem.space.components);
        let mut write = |name: &str, vector: &Vector| -> Result<()> {
            let values = plan.to_canonical(&vector.read()?, width);
            target.write(
                &format!("{group}/{name}"),
                &[plan.total(), width as u64],
                plan.range().start,
                &values,
            )
        };
        let Some(Evolving { integrator, .. }) = problems.iter().find(|e| e.stage == index) else {
            write("solution_0", &stage.solution)?;
            continue;
        };
        for (k, (_, solution)) in integrator.solutions.iter().enumerate() {
            write(&format!("solution_{k}"), solution)?;
        }
        for (k, storage) in integrator.storages.iter().enumerate() {
            write(&format!("storage_{k}"), storage)?;
        }
        if let Some(rest) = &integrator.rest {
            write("rest", rest)?;
        }
        if let Some(recycling) = memory(stage) {
            recycling.with_memory(|memory| {
                // This run goes on from where a restart would: with images that are computed again.
                memory.operator_changed();
                memory.memory().iter().try_for_each(|(name, list)| {
                    list.iter().enumerate().try_for_each(|(k, v)| write(&format!("{name}_{k}"), v))
                })
            })?;
        }
        let times: Vec<f64> = integrator.solutions.iter().map(|s| s.0).collect();
        let Flow { supplied, natural } = integrator.flow;
        let file = target.file();
        file.set(&group, "times", times)?;
        file.set(&group, "flow", vec![supplied, natural])?;
        let StageSolver::Newton(newton) = &stage.solver else { continue };
        file.set(&group, "reference", newton.reference())?;
        if let Some(tuning) = stage.solver.tuning() {
            let (rows, width) = (tuning.rounds(), tuning.rounds().first().map_or(0, Vec::len));
            target.write_array(
                &format!("{group}/tuning"),
                &[rows.len() as u64, width as u64],
                &rows.concat(),
            )?;
        }
        if let Some(history) = newton.history() {
            // Cells keep the order of their vertices, and so their points, on any rank.
            let (mesh, width) = (&simulation.mesh, history.points * history.width);
            let plan = mesh.cell_redistribution();
            let values = plan.to_canonical(&history.values[..mesh.owned_cells * width], width);
            let shape = [plan.total(), width as u64];
            target.write(&format!("{group}/internal"), &shape, plan.range().start, &values)?;
        }
    }
    target.finish()
}

/// Puts a checkpoint's state in the place of the initial one. Collective.
///
/// # Errors
/// [`Error::Input`] when the checkpoint is of another mesh or lacks something.
pub(super) fn restore(saved: &Sealed, simulation: &mut Simulation, evolution: &mut Evolution) -> Result<()> {
    let Evolution { problems, control, context, rejected, .. } = evolution;
    let file = saved.file();
    match file.get("/", "mesh")? {
        Some(Value::Integers(mesh)) if mesh == fingerprint(&simulation.mesh) => {}
        _ => return Err(Error::input(file.label(), "it was made on another mesh")),
    }
    context.time = number(file, "/", "time")?;
    control.step = number(file, "/", "next_step")?.max(control.shortest);
    *rejected = number(file, "/", "rejected")? as usize;
    let frames = saved.whole("/frames");
    for index in 0..simulation.stages.len() {
        let stage = &mut simulation.stages[index];
        let group = group(&stage.problem.name);
        let (plan, width) = (stage.problem.space.canonical(), stage.problem.space.components);
        let read = |name: &str, like: &Vector| -> Result<Option<Vector>> {
            let path = format!("{group}/{name}");
            let Some(values) = block(saved, &path, &plan, width)? else { return Ok(None) };
            let mut vector = like.duplicate()?;
            vector.write()?.copy_from_slice(&plan.from_canonical(values, width));
            vector.ghost_update()?;
            Ok(Some(vector))
        };
        let missing = |name: &str| Error::input(file.label(), format!("there is no {group}/{name}"));
        let Some(Evolving { integrator, .. }) = problems.iter_mut().find(|e| e.stage == index) else {
            let solution = read("solution_0", &stage.solution)?.ok_or_else(|| missing("solution_0"))?;
            stage.solution.copy_from(&solution)?;
            stage.solution.ghost_update()?;
            stage.publish()?;
            // It was solved for the last frame.
            let at = Context { time: frames.last().copied().unwrap_or(context.time), ..context.clone() };
            stage.essential = stage.problem.essential(&at)?;
            continue;
        };
        let mut solutions = VecDeque::new();
        for (k, time) in numbers(file, &group, "times")?.into_iter().enumerate() {
            let name = format!("solution_{k}");
            let solution = read(&name, &stage.solution)?.ok_or_else(|| missing(&name))?;
            solutions.push_back((time, solution));
        }
        let mut storages = VecDeque::new();
        while let Some(storage) = read(&format!("storage_{}", storages.len()), &stage.solution)? {
            storages.push_back(storage);
        }
        if solutions.is_empty() || storages.is_empty() {
            return Err(missing("storage_0"));
        }
        (integrator.solutions, integrator.storages) = (solutions, storages);
        integrator.rest = read("rest", &stage.solution)?;
        if let [supplied, natural] = numbers(file, &group, "flow")?[..] {
            integrator.flow = Flow { supplied, natural };
        }
        if let Some(recycling) = memory(stage) {
            let mut lists = [Vec::new(), Vec::new()];
            for (list, name) in lists.iter_mut().zip(["recycled", "recycled_origin"]) {
                while let Some(v) = read(&format!("{name}_{}", list.len()), &stage.solution)? {
                    list.push(v);
                }
            }
            recycling.with_memory(|memory| memory.restore(lists));
        }
        if let StageSolver::Newton(newton) = &mut stage.solver {
            let mut history = newton.history().map(|history| history.clone());
            if let Some(history) = &mut history {
                let (mesh, width) = (&simulation.mesh, history.points * history.width);
                // Those of the ghost layer as well.
                let plan = Redistribution::new(&mesh.comm, &mesh.cell_ids, mesh.global_cells);
                let values = block(saved, &format!("{group}/internal"), &plan, width)?;
                history.values = plan.from_canonical(values.ok_or_else(|| missing("internal"))?, width);
            }
            newton.resume(number(file, &group, "reference")?, history);
        }
        let rounds = format!("{group}/tuning");
        if let (Some(tuning), Some(array)) = (stage.solver.tuning_mut(), saved.array(&rounds)) {
            let width = array.shape.get(1).copied().unwrap_or(0).max(1) as usize;
            saved.whole(&rounds).chunks(width).for_each(|row| tuning.replay(row));
        }
        stage.restore(integrator)?;
    }
    Ok(())
}

/// This rank's block of an array that must have as many entities as the plan; `None` when there is no such array.
fn block<'a>(
    saved: &'a Sealed,
    path: &str,
    plan: &Redistribution,
    width: usize,
) -> Result<Option<&'a [f64]>> {
    match saved.array(path) {
        None => Ok(None),
        Some(array) if array.shape == [plan.total(), width as u64] => Ok(Some(&array.values)),
        Some(array) => {
            let (shape, total) = (&array.shape, plan.total());
            let message = format!("{path} has the shape {shape:?}, not [{total}, {width}]");
            Err(Error::input(saved.file().label(), message))
        }
    }
}

/// A number among the attributes of an object.
pub(super) fn number(file: &File, path: &str, name: &str) -> Result<f64> {
    match file.get(path, name)? {
        Some(Value::Float(number)) => Ok(number),
        Some(Value::Integer(number)) => Ok(number as f64),
        _ => Err(Error::input(file.label(), format!("{path} has no number {name}"))),
    }
}

fn numbers(file: &File, path: &str, name: &str) -> Result<Vec<f64>> {
    match file.get(path, name)? {
        Some(Value::Floats(numbers)) => Ok(numbers),
        _ => Err(Error::input(file.label(), format!("{path} has no numbers {name}"))),
    }
}
