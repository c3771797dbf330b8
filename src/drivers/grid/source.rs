//! A run, predictions or a dataset, seen as samples and steps.
use crate::deck::{Deck, did_you_mean};
use crate::parallel::Comm;
use crate::storage::{Field, File, Location, Provenance, Samples, Status};
use crate::{Error, Result};
use std::path::Path;

/// The file that is exported.
pub(super) struct Source {
    pub file: File,
    /// The deck in the file, if this version can read it.
    pub deck: Option<Deck>,
    pub parameters: Samples,
    pub status: Vec<Status>,
    /// Steps that a sample has room for, if the problem evolves in time.
    pub steps: Option<u64>,
    /// How many each sample has, where they have numbers of their own.
    own: Option<Vec<u64>>,
    /// Whether it is a campaign's.
    dataset: bool,
}

impl Source {
    /// Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when the file is neither a run's nor a campaign's.
    pub fn open(comm: &Comm, path: &Path) -> Result<Self> {
        let file = File::open(comm, path)?;
        let schema = file.text("/", "schema")?;
        let dataset = match schema.as_str() {
            "tessera-dataset" => true,
            "tessera-run" => false,
            other => {
                let message = format!(
                    "expected the file of a run or a campaign, but it is \"{other}\": nothing to sample"
                );
                return Err(Error::input(file.label(), message));
            }
        };
        let deck = Deck::parse(&file.text("/", "deck")?, file.label(), &[]).ok();
        let in_time = deck.as_ref().is_some_and(|deck| deck.time.is_some());
        let steps = match in_time && file.exists("/time") {
            true => file.shape("/time")?.last().copied(),
            false => None,
        };
        let own = match file.exists("/steps") {
            true => Some(file.read_array::<u64>("/steps")?.1),
            false => None,
        };
        let parameters = file.parameters()?;
        let status = match dataset {
            true => Status::of_codes(&file.read_array::<u8>("/status")?.1),
            // A row of parameters for each prediction of a reduced model.
            false => vec![Status::Done; if steps.is_some() { 1 } else { parameters.count.max(1) }],
        };
        Ok(Self { file, deck, parameters, status, steps, own, dataset })
    }

    /// Names of the random fields that the file holds.
    pub fn random(&self) -> Vec<String> {
        match (self.dataset, &self.deck) {
            (true, _) => self.file.members("/inputs"),
            (false, Some(deck)) => {
                let there = self.file.fields();
                deck.random.keys().filter(|name| there.contains(name)).cloned().collect()
            }
            (false, None) => Vec::new(),
        }
    }

    /// The solutions, or those of them that are asked for.
    ///
    /// # Errors
    /// [`Error::Input`] when one is not there, or has its values at cells.
    pub fn outputs(&self, names: &[String]) -> Result<Vec<Field>> {
        let random = self.random();
        let there: Vec<String> =
            self.file.fields().into_iter().filter(|name| !random.contains(name)).collect();
        if let Some(missing) = names.iter().find(|name| !there.contains(name)) {
            let known: Vec<&str> = there.iter().map(String::as_str).collect();
            let hint = did_you_mean(missing, &known, "fields");
            return Err(Error::input(self.file.label(), format!("there is no field \"{missing}\"{hint}")));
        }
        let wanted = there.iter().filter(|name| names.is_empty() || names.contains(name));
        let fields: Vec<Field> = wanted.map(|name| Ok(self.file.field(name)?.0)).collect::<Result<_>>()?;
        Ok(fields.into_iter().filter(|field| field.location != Location::Cells).collect())
    }

    /// What the file says of a random field.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when the file has no such field.
    pub fn random_field(&self, name: &str) -> Result<Field> {
        Ok(if self.dataset { self.file.input(name)?.0 } else { self.file.field(name)?.0 })
    }

    /// The values of a random field at the owned nodes, in the order of `plan`. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when the file has no such field or sample.
    pub fn read_random(
        &self,
        name: &str,
        sample: u64,
        plan: &crate::parallel::Redistribution,
    ) -> Result<Vec<f64>> {
        match self.dataset {
            true => self.file.read_input(name, sample, plan),
            false => self.file.read_field(name, sample, plan),
        }
    }

    /// Leading indices of the arrays of outputs, with the number of each as a step of the source's.
    pub fn places(&self, sample: u64) -> Vec<(Vec<u64>, u64)> {
        match self.steps {
            None => vec![(vec![sample], sample)],
            Some(steps) => (0..steps).map(|step| (vec![sample, step], sample * steps + step)).collect(),
        }
    }

    /// Whether a sample has a step: `place` as of [`Source::places`].
    pub fn has(&self, place: &[u64]) -> bool {
        match (&self.own, place) {
            (Some(own), &[sample, step]) => own.get(sample as usize).is_some_and(|&steps| step < steps),
            _ => true,
        }
    }

    /// Lengths of the leading axes of outputs.
    pub fn lead(&self) -> Vec<u64> {
        [&[self.status.len() as u64], self.steps.as_slice()].concat()
    }

    /// Where the source came from.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when the file does not say.
    pub fn provenance(&self) -> Result<Provenance> {
        let text = |name: &str| self.file.text("/", name);
        Ok(Provenance {
            title: text("title")?,
            deck: text("deck")?,
            experts: 0,
            petsc_version: text("petsc_version")?,
            petsc_options: text("petsc_options")?,
        })
    }

    /// Copies what a grid does not change: parameters, numbers and states of the samples, times, quantities of
    /// interest. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) when one of them cannot be read, or the file system refuses.
    pub fn copy_to(&self, file: &File) -> Result<()> {
        file.write_parameters(&self.parameters)?;
        let codes: Vec<u8> = self.status.iter().map(|status| status.code()).collect();
        file.write_array("/status", &[codes.len() as u64], &codes)?;
        file.set("/status", "meaning", "0 pending, 1 done, 2 failed, 3 not needed")?;
        if self.file.exists("/sample") {
            let (shape, numbers) = self.file.read_array::<u64>("/sample")?;
            file.write_array("/sample", &shape, &numbers)?;
            file.set("/sample", "meaning", "number in the undivided campaign")?;
        }
        match &self.own {
            Some(own) => {
                let (shape, times) = self.file.read_array::<f64>("/time")?;
                file.write_array("/time", &shape, &times)?;
                file.write_array("/steps", &[own.len() as u64], own)?;
                for (path, name) in [("/time", "unit"), ("/time", "meaning"), ("/steps", "meaning")] {
                    file.set(path, name, self.file.text(path, name)?)?;
                }
            }
            None if self.steps.is_some() => file.write_times(&self.file.read_array("/time")?.1)?,
            None => {}
        }
        for name in self.file.members("/qoi") {
            let path = format!("/qoi/{name}");
            let values = self.file.read_array::<f64>(&path)?.1;
            let shape = self.lead();
            if values.len() as u64 != shape.iter().product::<u64>() {
                continue;
            }
            file.write_array(&path, &shape, &values)?;
            for attribute in ["unit", "meaning"] {
                file.set(&path, attribute, self.file.text(&path, attribute)?)?;
            }
        }
        Ok(())
    }
}
