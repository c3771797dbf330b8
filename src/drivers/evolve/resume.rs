//! Going on with the result file of a run that has stopped.
use super::record::{Record, layout};
use crate::drivers::output;
use crate::drivers::shared::RunOptions;
use crate::parallel::Redistribution;
use crate::physics::Context;
use crate::report::Report;
use crate::simulation::{FieldInfo, Simulation, Step};
use crate::storage::{Reader, ResultFile, Sealed, Value, field_path, temporary};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Where the frames written so far are.
#[derive(Debug, Serialize, Deserialize)]
struct Source {
    path: PathBuf,
    /// Whether the run can go on in that file.
    in_place: bool,
    /// First byte of each field.
    offsets: Vec<u64>,
}

impl Record {
    /// The record and the steps at a checkpoint: the frames up to it stay in the result file, later ones are written again. `frames`
    /// are those of the deck. When they changed, or the file was completed or damaged by a kill, the frames are copied
    /// to a new one. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when the result file is not there, or is of another run.
    pub fn resume(
        simulation: &Simulation,
        saved: &Sealed,
        frames: Vec<f64>,
        context: &Context,
        options: &RunOptions,
        report: &Report,
    ) -> Result<(Self, Vec<Step>)> {
        let (comm, deck) = (&simulation.mesh.comm, simulation.deck.clone());
        let fields = output::wanted(simulation)?;
        let path = deck.output.directory.join(&deck.output.file);
        let plans: Vec<Redistribution> = simulation.stages.iter().map(|s| s.space().canonical()).collect();
        let run = saved.file().text("/", "run")?;
        let width = deck.quantity.len();

        let mut all = saved.whole("/frames");
        let written = all.len();
        let slack = 1e-9 * deck.time.as_ref().map_or(0.0, |time| time.step);
        all.extend(frames.into_iter().filter(|&frame| frame > context.time + slack));
        let values = saved.whole("/quantities");
        let quantities = (0..written).map(|k| values[k * width..][..width].to_vec()).collect();
        let steps = saved.whole("/steps");
        let steps: Vec<Step> = steps.chunks_exact(Step::NUMBERS + width).map(Step::from_row).collect();
        if saved.file().get("/", "step")? != Some(steps.len().into()) {
            return Err(Error::input(saved.file().label(), "its table of steps is not complete"));
        }

        let offsets = match saved.file().get("/", "offsets")? {
            Some(Value::Integers(list)) => list.into_iter().map(|offset| offset as u64).collect(),
            _ => Vec::new(),
        };
        let mut bytes = comm.agree(match comm.rank() {
            0 => look(&path, &run, (&fields, all.len()), offsets, saved.file().label())
                .map(|source| serde_json::to_vec(&source).unwrap_or_default()),
            _ => Ok(Vec::new()),
        })?;
        comm.broadcast_bytes(0, &mut bytes);
        let source: Source = serde_json::from_slice(&bytes)
            .map_err(|e| Error::Failed(format!("{}: what was found is lost: {e}", path.display())))?;
        let file = report.phase("output", || -> Result<ResultFile> {
            if source.in_place {
                return ResultFile::reopen(comm, &path);
            }
            let mut file = ResultFile::create_beside(comm, &path)?;
            layout(&file, simulation, (&fields, &plans, all.len()), context, options, &run)?;
            copy(&file, &source, &fields, &plans, written)?;
            file.replace()?;
            file.keep();
            Ok(file)
        })?;
        let balances = Vec::new();
        let record =
            Self { deck, run, path, file, fields, plans, frames: all, written, quantities, balances };
        Ok((record, steps))
    }
}

/// Finds the frames of a run, on one rank: in the unfinished result file, else in the finished one. `offsets` are those
/// that the checkpoint called `label` knows.
fn look(
    path: &Path,
    run: &str,
    (fields, frames): (&[FieldInfo], usize),
    offsets: Vec<u64>,
    label: &str,
) -> Result<Source> {
    let partial = temporary(path);
    for name in [&partial, &path.to_path_buf()] {
        let Ok(reader) = Reader::open(name) else { continue };
        if reader.text("/", "run").unwrap_or_default() != run {
            continue;
        }
        let mut source = Source { path: name.clone(), in_place: *name == partial, offsets: Vec::new() };
        for field in fields {
            let place = field_path(&field.name);
            source.offsets.extend(reader.offset(&place)?);
            source.in_place &= reader.shape(&place)?.first() == Some(&(frames as u64));
        }
        // What stands there only in a finished file: a kill came while this one was being completed.
        source.in_place &= !["/time", "/qoi", "/log"].iter().any(|path| reader.exists(path));
        if source.offsets.len() == fields.len() {
            return Ok(source);
        }
    }
    // A kill while the file was being completed may have made it unreadable to HDF5. The numbers are where they were.
    if partial.exists() && Reader::open(&partial).is_err() && offsets.len() == fields.len() {
        return Ok(Source { path: partial, in_place: false, offsets });
    }
    let message = if partial.exists() || path.exists() {
        format!("neither {} nor {} is of the run that it belongs to", partial.display(), path.display())
    } else {
        format!("{} with the frames written so far is missing", partial.display())
    };
    Err(Error::input(label, format!("{message}; without --restart the run starts anew")))
}

/// Copies the frames written so far. Collective.
fn copy(
    file: &ResultFile,
    source: &Source,
    fields: &[FieldInfo],
    plans: &[Redistribution],
    frames: usize,
) -> Result<()> {
    let comm = file.comm();
    let fault =
        |e: std::io::Error| Error::storage(format!("{}: cannot read: {e}", source.path.display())).because(e);
    let old = comm.agree(std::fs::File::open(&source.path).map_err(fault))?;
    for (field, &offset) in fields.iter().zip(&source.offsets) {
        let (plan, width) = (&plans[field.stage], field.components as u64);
        let rows = plan.range();
        let mut values = vec![0.0f64; ((rows.end - rows.start) * width) as usize];
        for frame in 0..frames as u64 {
            let at = offset + 8 * width * (frame * plan.total() + rows.start);
            comm.agree(old.read_exact_at(bytemuck::cast_slice_mut(&mut values), at).map_err(fault))?;
            file.write_step(&field_path(&field.name), frame, rows.start, &values)?;
        }
    }
    Ok(())
}
