//! The samples that models are trained on.
use crate::campaign::{self, Solution};
use crate::deck::{RomAlgorithm, RomSection};
use crate::mixture::{Algorithm, Columns, Truncation};
use crate::parallel::Redistribution;
use crate::physics::Problem;
use crate::report::Report;
use crate::rom::Trajectories;
use crate::simulation::Simulation;
use crate::storage::{DatasetFile, Status};
use crate::{Error, Result};
use std::path::PathBuf;

/// The samples of some datasets, in the order of their numbers: the parts of a campaign give what it gives undivided.
pub(super) struct Snapshots {
    pub files: Vec<DatasetFile>,
    /// How solutions lie in the files.
    solutions: Vec<Solution>,
    /// File, and sample in it.
    places: Vec<(usize, usize)>,
    /// Their numbers in the campaign, which are those of their draws of random fields.
    pub draws: Vec<u64>,
    /// Full parameter vectors in the deck's order.
    pub parameters: Vec<Vec<f64>>,
}

impl Snapshots {
    /// Those of samples that are done; says which are not. Collective.
    ///
    /// # Errors
    /// [`Error::Input`] when a dataset does not fit the deck, or no sample is done.
    pub fn open(simulation: &Simulation, paths: &[PathBuf], report: &Report) -> Result<Self> {
        let (deck, comm) = (&simulation.deck, &simulation.mesh.comm);
        let mut files = Vec::new();
        let mut found = Vec::new();
        for path in paths {
            let file = DatasetFile::open(comm, path, false)?;
            let (samples, numbers) = (file.samples()?, file.numbers()?);
            let label = path.display().to_string();
            if deck.time.is_none() && file.moments()?.is_some() {
                let message = "its samples evolve in time; reduced models are for steady problems";
                return Err(Error::input(&label, message));
            }
            comm.agree(campaign::same_for_training(deck, file.file()))?;
            let columns: Vec<usize> = deck
                .parameters
                .keys()
                .map(|name| {
                    samples.names.iter().position(|n| n == name).ok_or_else(|| {
                        Error::input(
                            &label,
                            format!("it does not say what the parameter \"{name}\" of the deck was"),
                        )
                    })
                })
                .collect::<Result<_>>()?;
            let status = file.status()?;
            let pending = status.iter().filter(|&&status| status == Status::Pending).count();
            if pending > 0 {
                let total = status.len();
                report.warn(format!("{label}: {pending} of {total} samples are not solved and are left out"));
            }
            let failed = status.iter().filter(|&&status| status == Status::Failed).count();
            if failed > 0 {
                let total = status.len();
                report.warn(format!("{label}: {failed} of {total} samples have failed and are left out"));
            }
            let width = samples.names.len();
            for sample in file.done()? {
                let row = &samples.values[sample * width..(sample + 1) * width];
                let parameters: Vec<f64> = columns.iter().map(|&c| row[c]).collect();
                found.push((numbers[sample], (files.len(), sample), parameters));
            }
            files.push(file);
        }
        if found.is_empty() {
            return Err(Error::input(list(paths), "no sample is done: there is nothing to train on"));
        }
        found.sort_by_key(|&(number, place, _)| (number, place));
        for group in found.chunk_by(|a, b| a.0 == b.0) {
            for (i, (number, place, parameters)) in group.iter().enumerate() {
                if let Some((_, first, _)) = group[..i].iter().find(|other| other.2 == *parameters) {
                    let [first, second] = [first, place].map(|place| paths[place.0].display().to_string());
                    let text = format!("its sample {number} is in {first} as well; a sample counts once");
                    return Err(Error::input(second, text));
                }
            }
        }
        let draws = found.iter().map(|&(number, ..)| number as u64).collect();
        let (places, parameters) =
            found.into_iter().map(|(_, place, parameters)| (place, parameters)).unzip();
        Ok(Self { files, solutions: Solution::all(simulation), places, draws, parameters })
    }

    /// All snapshots of a steady problem's solution. Collective.
    ///
    /// # Errors
    /// When they cannot be read, or have another number of components.
    pub fn columns(&self, problem: &Problem) -> Result<Columns> {
        let space = &problem.space;
        let mut columns = Columns::new(&space.mesh.comm, space.owned_dofs());
        let solution = self.solution(&problem.field).expect("a problem of the deck");
        for &(file, sample) in &self.places {
            let file = &self.files[file];
            let values = solution.read(file, (sample, 0))?;
            if values.len() != space.owned_dofs() {
                let text = format!("\"{}\" has another number of components", problem.field);
                return Err(Error::input(file.file().label(), text));
            }
            columns.push(&values);
        }
        Ok(columns)
    }

    /// How the solution whose first field has that name lies in the files, if there is one. Local.
    fn solution(&self, field: &str) -> Option<&Solution> {
        self.solutions.iter().find(|solution| solution.name() == field)
    }

    /// Closes the files. Collective.
    ///
    /// # Errors
    /// [`Error::Storage`] when one cannot be closed.
    pub fn close(self) -> Result<()> {
        self.files.into_iter().try_for_each(DatasetFile::close)
    }
}

impl Trajectories for Snapshots {
    fn count(&self) -> usize {
        self.places.len()
    }

    fn times(&self, sample: usize) -> Result<Vec<f64>> {
        let (file, sample) = self.places[sample];
        self.files[file].times(sample)
    }

    fn read(&self, sample: usize, step: usize, field: &str, plan: &Redistribution) -> Result<Vec<f64>> {
        let (file, sample) = self.places[sample];
        Solution::read_field(&self.solutions, &self.files[file], (sample, step), field, plan)
    }
}

/// How a deck wants snapshots decomposed, and where bases end.
pub(super) fn decomposition(rom: &RomSection) -> (Algorithm, Truncation) {
    let algorithm = match rom.algorithm {
        RomAlgorithm::Snapshots => Algorithm::Snapshots,
        RomAlgorithm::Tsqr => Algorithm::Tsqr,
    };
    (algorithm, Truncation { modes: rom.modes, tolerance: rom.tolerance })
}

/// Paths in words.
pub(super) fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
}
