//! What a file of predictions says before any mesh is there: how many samples, and their parameters.
use crate::campaign::complete;
use crate::deck::Deck;
use crate::parallel::Comm;
use crate::physics::Context;
use crate::storage::{File, Status};
use crate::{Error, Result};
use std::path::Path;

/// The samples of a file.
pub struct Header {
    /// How many there are.
    pub samples: usize,
    /// Parameters of each, in the deck's order.
    pub parameters: Vec<Vec<f64>>,
    /// The draw of the random fields of each: `/sample` of the file, else its number.
    pub draws: Vec<u64>,
    /// Times (s) of the frames of every sample, of a run in time.
    pub times: Vec<f64>,
}

/// A frame of a sample; 0 of a steady one.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Number of the sample.
    pub sample: usize,
    /// Number of the frame.
    pub frame: usize,
}

/// A fault of the file's content.
pub(super) fn fault(file: &File, message: impl std::fmt::Display) -> Error {
    Error::input("", format!("{}: {message}", file.label()))
}

/// What storage cannot read is the fault of who wrote it.
pub(super) fn of_user(error: Error) -> Error {
    match error {
        Error::Storage(failure) => Error::input("", failure.to_string()),
        other => other,
    }
}

/// The group that holds the predictions: `/outputs` in files of `tessera export --grid`.
pub(super) fn group(file: &File) -> &'static str {
    if file.exists("/fields") || !file.exists("/outputs") { "/fields" } else { "/outputs" }
}

impl Header {
    /// Where a sample is repaired.
    pub fn context(&self, sample: usize) -> Context {
        Context {
            parameters: self.parameters[sample].clone(),
            sample: self.draws[sample],
            ..Context::default()
        }
    }

    /// Reads it. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] that names what is wrong with the file.
    pub fn read(comm: &Comm, deck: &Deck, path: &Path) -> Result<Self> {
        let file = File::open(comm, path)?;
        let (group, fields) = (group(&file), file.members(group(&file)));
        let Some(first) = fields.first() else {
            let wanted: Vec<String> = deck.physics.iter().map(|p| format!("/fields/{}", p.field())).collect();
            return Err(fault(&file, format!("it holds no predictions; expected {}", wanted.join(", "))));
        };
        let first = format!("{group}/{first}");
        let samples = file.shape(&first).map_err(of_user)?.first().copied().unwrap_or(0) as usize;
        if samples == 0 {
            return Err(fault(&file, format!("{first} holds no samples")));
        }
        if file.exists("/status") {
            let (_, status) = file.read_array::<u8>("/status").map_err(of_user)?;
            if let Some(sample) = Status::of_codes(&status).iter().position(|status| *status != Status::Done)
            {
                return Err(fault(
                    &file,
                    format!("sample {sample} is not done: its /status is {}", status[sample]),
                ));
            }
        }
        let draws = match file.exists("/sample") {
            true => file.read_array::<u64>("/sample").map_err(of_user)?.1,
            false => (0..samples as u64).collect(),
        };
        if draws.len() != samples {
            return Err(fault(&file, format!("/sample has {} numbers for {samples} samples", draws.len())));
        }
        let parameters = parameters(&file, deck, samples)?;
        let times = times(&file, deck)?;
        file.close()?;
        Ok(Self { samples, parameters, draws, times })
    }

    /// Frames of a sample: 1 of a steady one.
    pub fn frames(&self) -> usize {
        self.times.len().max(1)
    }

    /// Where a frame stands in the file of results: frames of a sample follow one another.
    pub fn row(&self, place: Place) -> usize {
        place.sample * self.frames() + place.frame
    }
}

/// `/times` of a run in time: ascending, from the deck's start to its end at most; none of a steady deck.
fn times(file: &File, deck: &Deck) -> Result<Vec<f64>> {
    let path = "/times";
    let Some(time) = &deck.time else {
        return match file.exists(path) {
            true => Err(fault(file, "/times are those of a run in time, and the deck has no [time]")),
            false => Ok(Vec::new()),
        };
    };
    if !file.exists(path) {
        let text = "/times is missing: the times (s) of the frames of fields [sample, frame, node]";
        return Err(fault(file, text));
    }
    let (shape, times) = file.read_array::<f64>(path).map_err(of_user)?;
    if shape.len() != 1 || times.len() < 2 {
        return Err(fault(file, format!("{path} has the shape {shape:?}; expected [frame], two at least")));
    }
    if let Some(k) =
        times.windows(2).position(|pair| pair[0].is_nan() || pair[1].is_nan() || pair[0] >= pair[1])
    {
        let text = format!("{path} does not ascend: {} s comes before {} s", times[k], times[k + 1]);
        return Err(fault(file, text));
    }
    let slack = 1e-9 * (time.end - time.start);
    let (first, last) = (times[0], times[times.len() - 1]);
    if (first - time.start).abs() > slack || last > time.end + slack {
        let text =
            format!("{path} goes from {first} s to {last} s; expected from time.start, {} s", time.start);
        return Err(fault(file, format!("{text}, to {} s at most", time.end)));
    }
    Ok(times)
}

/// The parameters of every sample: `/parameters/<name>` [sample], or `/parameters` [sample, parameter] with the attribute
/// `names`; the deck's defaults for the others.
fn parameters(file: &File, deck: &Deck, samples: usize) -> Result<Vec<Vec<f64>>> {
    let path = "/parameters";
    let mut names = file.members(path);
    let mut columns: Vec<Vec<f64>> = Vec::new();
    let sized = |path: &str, found: u64| match found == samples as u64 {
        true => Ok(()),
        false => Err(fault(file, format!("{path} has {found} rows for {samples} samples"))),
    };
    if !names.is_empty() {
        for name in &names {
            let path = format!("{path}/{name}");
            let (shape, values) = file.read_array::<f64>(&path).map_err(of_user)?;
            sized(&path, shape.first().copied().unwrap_or(0))?;
            if values.len() != samples {
                return Err(fault(file, format!("{path} has the shape {shape:?}; expected [{samples}]")));
            }
            columns.push(values);
        }
    } else if file.exists(path) {
        names = file.texts(path, "names").map_err(of_user)?;
        let (shape, values) = file.read_array::<f64>(path).map_err(of_user)?;
        sized(path, shape.first().copied().unwrap_or(0))?;
        if values.len() != samples * names.len() {
            let text = "with an attribute `names` that names the columns";
            return Err(fault(
                file,
                format!("{path} has the shape {shape:?}; expected [sample, parameter] {text}"),
            ));
        }
        columns =
            (0..names.len()).map(|i| values.iter().skip(i).step_by(names.len()).copied().collect()).collect();
    }
    for (name, column) in names.iter().zip(&columns) {
        if let Some(sample) = column.iter().position(|value| !value.is_finite()) {
            return Err(fault(
                file,
                format!("the parameter \"{name}\" of sample {sample} is {}", column[sample]),
            ));
        }
        let choices = deck.parameters.get(name.as_str()).and_then(|p| p.choices.as_ref());
        let strange = |values: Vec<f64>| column.iter().position(|value| !values.contains(value));
        if let Some(sample) = choices.and_then(|choices| strange(choices.values())) {
            let text =
                format!("{name} = {} of sample {sample} is none of the deck's choices", column[sample]);
            return Err(fault(file, text));
        }
    }
    let rows: Vec<Vec<f64>> =
        (0..samples).map(|s| columns.iter().map(|column| column[s]).collect()).collect();
    complete(deck, &names, &rows).map_err(|message| fault(file, format!("{path}: {message}")))
}
