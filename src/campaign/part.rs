//! Parts of a campaign, which jobs solve side by side, each into a dataset of its own.
use super::samples::named;
use crate::deck::Deck;
use crate::parallel::Comm;
use crate::physics::Context;
use crate::storage::Samples;
use crate::{Error, Result};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// One of several parts of a campaign, `2/8` in words: every eighth sample from the second on, so that the parts differ
/// by one sample at most and each is spread over the whole design.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    number: usize,
    count: usize,
}

impl FromStr for Part {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let numbers = text.split_once('/').map(|(number, count)| (number.parse(), count.parse()));
        match numbers {
            Some((Ok(number), Ok(count))) if (1..=count).contains(&number) => Ok(Self { number, count }),
            _ => Err(Error::input("", "not of the form K/N with K from 1 to N, such as 2/8")),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.count)
    }
}

impl Part {
    /// The numbers of its samples in a campaign of `total` samples, ascending.
    ///
    /// # Errors
    /// [`Error::Input`] when there are more parts than samples and this one is empty.
    pub fn numbers(self, total: usize) -> Result<Vec<usize>> {
        if self.number > total {
            let text = format!("part {self} is empty: the campaign has {total} samples");
            return Err(Error::input("--part", text));
        }
        Ok((self.number - 1..total).step_by(self.count).collect())
    }

    /// Its dataset, beside that of the undivided campaign: `dataset-2-of-8.h5` for `dataset.h5`.
    pub fn dataset(self, whole: &Path) -> PathBuf {
        let (stem, end) = name_of(whole);
        whole.with_file_name(format!("{stem}-{}-of-{}{end}", self.number, self.count))
    }
}

/// File name without and with its extension.
fn name_of(whole: &Path) -> (String, String) {
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let end = text(whole.extension());
    (text(whole.file_stem()), if end.is_empty() { end } else { format!(".{end}") })
}

/// The datasets of a campaign: its own, or those of all its parts. Collective.
///
/// # Errors
/// [`Error::Input`] when a part is missing, or when there is more than one such set.
pub fn datasets(comm: &Comm, whole: &Path) -> Result<Vec<PathBuf>> {
    // Rank 0 looks; the others are told whether and into how many parts the campaign is divided.
    let found = if comm.rank() == 0 { divided(whole) } else { Ok(0) };
    let count = comm.max(comm.agree(found)?);
    Ok(match count {
        0 => vec![whole.to_path_buf()],
        _ => (1..=count).map(|number| Part { number, count }.dataset(whole)).collect(),
    })
}

/// Into how many parts; 0 for none.
fn divided(whole: &Path) -> Result<usize> {
    let (stem, end) = name_of(whole);
    let folder = whole.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let part = |name: &str| -> Option<Part> {
        let text = name.strip_prefix(&stem)?.strip_prefix('-')?.strip_suffix(&end)?;
        text.replacen("-of-", "/", 1).parse().ok()
    };
    let mut parts: Vec<Part> = entries.filter_map(|entry| part(entry.file_name().to_str()?)).collect();
    parts.sort_by_key(|part| (part.count, part.number));
    let Some(&first) = parts.first() else { return Ok(0) };
    let other = if whole.exists() { Some(whole.to_path_buf()) } else { None }
        .or_else(|| parts.iter().find(|p| p.count != first.count).map(|p| p.dataset(whole)));
    if let Some(other) = other {
        let text = format!("{} is there as well: name the datasets to train on", other.display());
        return Err(Error::input(first.dataset(whole).display().to_string(), text));
    }
    let missing = (1..=first.count).find(|&number| parts.iter().all(|p| p.number != number));
    if let Some(number) = missing {
        let missing = Part { number, count: first.count };
        let text = format!("part {missing} of the campaign is missing");
        return Err(Error::input(missing.dataset(whole).display().to_string(), text));
    }
    Ok(first.count)
}

/// The samples that a dataset holds: all of a campaign, or those of a part.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Which part; all of the campaign if left out.
    pub part: Option<Part>,
    /// Their numbers in the undivided campaign, from 0.
    pub numbers: Vec<usize>,
    /// Full parameter vectors in the deck's order.
    pub samples: Vec<Vec<f64>>,
    /// The same with names and units.
    pub named: Samples,
}

impl Selection {
    /// Chooses a part of all samples of a campaign.
    ///
    /// # Errors
    /// As [`Part::numbers`].
    pub fn new(deck: &Deck, all: &[Vec<f64>], part: Option<Part>) -> Result<Self> {
        let numbers = part.map_or(Ok((0..all.len()).collect()), |part| part.numbers(all.len()))?;
        let samples: Vec<Vec<f64>> = numbers.iter().map(|&number: &usize| all[number].clone()).collect();
        let named = named(deck, &samples);
        Ok(Self { part, numbers, samples, named })
    }

    /// Where a sample of the selection is solved, from `start` (s) on.
    pub fn context(&self, start: f64, sample: usize) -> Context {
        Context { time: start, parameters: self.samples[sample].clone(), sample: self.numbers[sample] as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_balanced_and_cover_the_campaign() {
        for (total, count) in [(10, 3), (7, 7), (8, 1)] {
            let parts: Vec<Vec<usize>> =
                (1..=count).map(|number| Part { number, count }.numbers(total).unwrap()).collect();
            let sizes: Vec<usize> = parts.iter().map(Vec::len).collect();
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
            let mut all = parts.concat();
            all.sort_unstable();
            assert_eq!(all, (0..total).collect::<Vec<_>>());
        }
        let empty = Part { number: 4, count: 4 }.numbers(3).unwrap_err();
        assert_eq!(empty.to_string(), "--part: part 4/4 is empty: the campaign has 3 samples");
    }

    #[test]
    fn parts_have_a_name_and_a_file() {
        let part: Part = "2/8".parse().unwrap();
        assert_eq!(part.to_string(), "2/8");
        assert_eq!(part.dataset(Path::new("out/dataset.h5")), Path::new("out/dataset-2-of-8.h5"));
        assert_eq!(part.dataset(Path::new("samples")), Path::new("samples-2-of-8"));
        for wrong in ["", "x", "3", "0/3", "4/3", "-1/3", "1/0", "1/x", "1/2/3", "1.0/3"] {
            assert!(wrong.parse::<Part>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_parts_of_a_campaign_are_found_when_they_are_all_there() {
        let folder = tempfile::tempdir().unwrap();
        let whole = folder.path().join("dataset.h5");
        let touch = |name: &str| std::fs::write(folder.path().join(name), "").unwrap();
        assert_eq!(divided(&whole).unwrap(), 0);
        for name in
            ["dataset-1-of-3.h5", "dataset-3-of-3.h5", "dataset-2-of-3.h5.partial", "dataset-x-of-3.h5"]
        {
            touch(name);
        }
        let missing = divided(&whole).unwrap_err().to_string();
        assert!(missing.ends_with("dataset-2-of-3.h5: part 2/3 of the campaign is missing"), "{missing}");
        touch("dataset-2-of-3.h5");
        assert_eq!(divided(&whole).unwrap(), 3);
        touch("dataset-1-of-4.h5");
        assert!(divided(&whole).unwrap_err().to_string().contains("dataset-1-of-4.h5 is there as well"));
        std::fs::remove_file(folder.path().join("dataset-1-of-4.h5")).unwrap();
        touch("dataset.h5");
        assert!(divided(&whole).unwrap_err().to_string().contains("dataset.h5 is there as well"));
    }
}
