//! From a deck's `[campaign]` to the parameters of every sample.
use super::design::{Design, Variable};
use crate::deck::{self, AdaptiveSection, Deck};
use crate::parallel::Comm;
use crate::storage::Samples;
use crate::{Diagnostic, Error, Result};
use std::path::Path;

/// The samples that an adaptive design begins with, then those that are not known beforehand, whose parameters are not numbers,
/// then those that bounds are calibrated on.
///
/// # Errors
/// As [`design_samples`].
pub(super) fn initial_samples(deck: &Deck) -> Result<Vec<Vec<f64>>> {
    let (campaign, options, held) = (&deck.campaign, options(deck), held(deck));
    let mut samples = design_samples(deck, &Design::Sobol { samples: options.initial, seed: campaign.seed })?;
    samples.resize(campaign.samples - held, vec![f64::NAN; deck.parameters.len()]);
    if held > 0 {
        samples.extend(design_samples(deck, &Design::Random { samples: held, seed: campaign.seed })?);
    }
    Ok(samples)
}

/// How many of the last samples of an adaptive design are drawn at random to calibrate bounds on.
pub fn held(deck: &Deck) -> usize {
    deck.rom.calibration.filter(|_| !deck.has_certified_model()).unwrap_or(0)
}

pub(super) fn options(deck: &Deck) -> AdaptiveSection {
    deck.campaign.adaptive.clone().unwrap_or_default()
}

/// The deck's parameters as the variables of a design.
pub fn variables(deck: &Deck) -> Vec<Variable> {
    let variable = |(name, p): (&String, &deck::Parameter)| Variable {
        name: name.clone(),
        default: p.default,
        range: p.range,
        distribution: p.distribution,
        choices: p.choices.as_ref().map_or(Vec::new(), deck::Choices::values),
    };
    deck.parameters.iter().map(variable).collect()
}

/// Samples of a design over the deck's parameters; those without a range keep their default.
///
/// # Errors
/// [`Error::Input`] as [`Design::samples`].
pub fn design_samples(deck: &Deck, design: &Design) -> Result<Vec<Vec<f64>>> {
    located(deck, design.samples(&variables(deck)))
}

/// As [`design_samples`], evenly over the ranges whatever is likely.
///
/// # Errors
/// As there.
pub fn covering_samples(deck: &Deck, design: &Design) -> Result<Vec<Vec<f64>>> {
    located(deck, design.covering(&variables(deck)))
}

fn located(deck: &Deck, samples: Result<Vec<Vec<f64>>>) -> Result<Vec<Vec<f64>>> {
    samples.map_err(|error| match error {
        Error::Input(list) => deck.fault("campaign", join(&list)),
        other => other,
    })
}

/// The samples that a deck's campaign asks for. Collective.
///
/// # Errors
/// [`Error::Input`] when the design does not fit the parameters or the file of samples cannot be read.
pub fn campaign_samples(comm: &Comm, deck: &Deck) -> Result<Vec<Vec<f64>>> {
    let section = &deck.campaign;
    let (samples, seed) = (section.samples, section.seed);
    // Random fields alone make the samples differ; or there is one run in time, whose model can be asked for what comes after it.
    let one_run = samples == 1 && deck.time.is_some();
    if (one_run || !deck.random.is_empty()) && !deck.parameters.values().any(deck::Parameter::varies) {
        return Ok(vec![deck.default_parameters(); samples]);
    }
    let design = match section.design {
        deck::Design::LatinHypercube => Design::LatinHypercube { samples, seed },
        deck::Design::Sobol => Design::Sobol { samples, seed },
        deck::Design::Halton => Design::Halton { samples, seed },
        deck::Design::Random => Design::Random { samples, seed },
        deck::Design::Grid => {
            let levels = section.levels.as_ref();
            let varied = deck.parameters.iter().filter(|(_, p)| p.varies());
            // A parameter that the grid does not name stays in the middle of its range, or takes all its choices.
            let level = |(name, p): (&String, &deck::Parameter)| match levels.and_then(|l| l.get(name)) {
                Some(level) => level.0,
                None => p.choices.as_ref().map_or(1, |choices| choices.values().len()),
            };
            Design::Grid(varied.map(level).collect())
        }
        deck::Design::List => return list(comm, deck),
        deck::Design::Adaptive => return initial_samples(deck),
    };
    design_samples(deck, &design)
}

fn list(comm: &Comm, deck: &Deck) -> Result<Vec<Vec<f64>>> {
    let section = &deck.campaign;
    if let Some(path) = &section.csv {
        return read_table(comm, deck, &deck.resolve(path));
    }
    let ranged = || deck.parameters.iter().filter(|(_, p)| p.varies()).map(|(name, _)| name.clone());
    let columns = section.columns.clone().unwrap_or_else(|| ranged().collect());
    let rows = section.table.as_deref().unwrap_or_default();
    complete(deck, &columns, rows).map_err(|message| deck.fault("campaign.table", message))
}

/// Reads a table of samples: comma-separated values whose first line names parameters of the deck; those
/// it does not name keep their default. Rank 0 reads. Collective.
///
/// # Errors
/// [`Error::Input`] that names the line.
pub fn read_table(comm: &Comm, deck: &Deck, path: &Path) -> Result<Vec<Vec<f64>>> {
    let name = path.display().to_string();
    let read = if comm.rank() == 0 { std::fs::read(path) } else { Ok(Vec::new()) };
    let mut bytes =
        comm.agree(read.map_err(|e| Error::input(&name, format!("cannot read the samples: {e}"))))?;
    comm.broadcast_bytes(0, &mut bytes);
    let text = String::from_utf8(bytes).map_err(|_| Error::input(&name, "not a text file"))?;
    parse_table(deck, &name, &text)
}

fn parse_table(deck: &Deck, name: &str, text: &str) -> Result<Vec<Vec<f64>>> {
    let mut lines = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.starts_with('#'));
    let (_, head) = lines.next().ok_or_else(|| Error::input(name, "it holds no samples"))?;
    let columns: Vec<String> = head.split(',').map(|c| c.trim().trim_matches('"').to_string()).collect();
    let mut rows = Vec::new();
    let mut faults = Vec::new();
    for (number, line) in lines {
        let mut row = Vec::new();
        for (column, cell) in line.split(',').enumerate() {
            let parameter = columns.get(column).and_then(|name| deck.parameters.get(name));
            let plain = || cell.trim().parse().ok().filter(|value: &f64| value.is_finite());
            match parameter.map_or_else(plain, |p| p.value(cell.trim().trim_matches('"'))) {
                Some(value) => row.push(value),
                None => faults.push(Diagnostic {
                    position: Some((number + 1, column + 1)),
                    ..Diagnostic::new(name, format!("`{}` is no number", cell.trim()))
                }),
            }
        }
        if row.len() != columns.len() && faults.is_empty() {
            let message =
                format!("{} values, but the first line names {} parameters", row.len(), columns.len());
            faults.push(Diagnostic { position: Some((number + 1, 1)), ..Diagnostic::new(name, message) });
        }
        rows.push(row);
    }
    if !faults.is_empty() {
        return Err(Error::Input(faults));
    }
    if rows.is_empty() {
        return Err(Error::input(name, "it holds no samples"));
    }
    complete(deck, &columns, &rows).map_err(|message| Error::input(name, message))
}

/// Full parameter vectors from rows of some parameters.
///
/// # Errors
/// In words: a name that is no parameter's or there twice, a row of another length.
pub fn complete(
    deck: &Deck,
    columns: &[String],
    rows: &[Vec<f64>],
) -> std::result::Result<Vec<Vec<f64>>, String> {
    let mut places = Vec::new();
    for (i, column) in columns.iter().enumerate() {
        let place = deck.parameters.get_index_of(column.as_str()).ok_or_else(|| {
            let names: Vec<&str> = deck.parameters.keys().map(String::as_str).collect();
            format!("there is no parameter \"{column}\"{}", deck::did_you_mean(column, &names, "parameters"))
        })?;
        if columns[..i].contains(column) {
            return Err(format!("the parameter \"{column}\" is named twice"));
        }
        places.push(place);
    }
    rows.iter()
        .enumerate()
        .map(|(number, row)| {
            if row.len() != places.len() {
                return Err(format!(
                    "row {} has {} values for {} parameters",
                    number + 1,
                    row.len(),
                    places.len()
                ));
            }
            let mut sample = deck.default_parameters();
            places.iter().zip(row).for_each(|(&place, &value)| sample[place] = value);
            Ok(sample)
        })
        .collect()
}

/// Samples with names and units, as files keep them.
pub fn named(deck: &Deck, samples: &[Vec<f64>]) -> Samples {
    Samples {
        count: samples.len(),
        names: deck.parameters.keys().cloned().collect(),
        units: deck.parameters.values().map(|p| p.unit.clone()).collect(),
        values: samples.concat(),
    }
}

fn join(list: &[Diagnostic]) -> String {
    list.iter().map(|d| d.message.as_str()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deck(campaign: &str) -> Deck {
        let text = format!(
            "[mesh]\nbox = {{ cell = \"interval\", cells = [4] }}\n[parameters]\na = {{ default = 1.0, range = [0.0, \
             2.0] }}\nb = 5.0\nc = {{ default = 3.0, range = [2.0, 4.0] }}\n[[physics]]\nmodel = \
             \"diffusion\"\nconductivity = \"a\"\n[[physics.boundary]]\nmarker = \"left\"\nvalue = \"b*c\"\n{campaign}"
        );
        Deck::parse(&text, "deck.toml", &[]).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn tables_may_name_any_parameters() {
        let deck = deck("");
        let samples = parse_table(&deck, "s.csv", "# made by hand\nc, b\n2.5, 7\n\n3.5,8\n").unwrap();
        assert_eq!(samples, [[1.0, 7.0, 2.5], [1.0, 8.0, 3.5]]);
    }

    #[test]
    fn faulty_tables_are_refused_with_their_line() {
        let deck = deck("");
        for (text, words) in [
            ("a,bb\n1,2\n", "no parameter \"bb\""),
            ("a,c\n1,x\n", "s.csv:2:2: `x` is no number"),
            ("a,c\n1,2\n3\n", "s.csv:3:1: 1 values"),
            ("a\n1e999\n", "is no number"),
            ("a,a\n1,2\n", "named twice"),
            ("a,c\n", "no samples"),
            ("", "no samples"),
        ] {
            let error = parse_table(&deck, "s.csv", text).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
