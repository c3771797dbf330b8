//! Whether a campaign may go on with the dataset that it finds.
use crate::checkpoint::differences;
use crate::deck::{
    CampaignSection, CheckpointSection, ConstraintSection, Deck, Design, ExpertsSection, NetworkSection,
    OutputSection, PartitionSection, RomSection, SolverOptions,
};
use crate::storage::{DatasetFile, Field, File};
use crate::{Error, Result};

/// So many keys that differ are named.
const NAMED: usize = 8;

/// Whether a file's deck describes the same problems: what it says of output, campaign and reduced models
/// does not matter. Collective.
///
/// # Errors
/// [`Error::Input`] that names each key that differs.
pub(super) fn same_problem(deck: &Deck, file: &File) -> Result<()> {
    same(deck, file, problem)
}

/// As `same_problem` for a dataset to train on: its samples hold the values of all parameters, and quantities are
/// computed anew. Collective.
///
/// # Errors
/// As there.
pub fn same_for_training(deck: &Deck, file: &File) -> Result<()> {
    same(deck, file, |deck| {
        let mut deck = problem(deck);
        deck.quantity.clear();
        deck.parameters.clear();
        deck
    })
}

/// As `same_problem` for a network to go on with: experts and training must be the same as well, so that it ends as if it had
/// never stopped; how often it is looked at and where it is kept does not matter. Collective.
///
/// # Errors
/// As there.
pub fn same_for_learning(deck: &Deck, file: &File) -> Result<()> {
    same(deck, file, |deck| {
        let mut part = problem(deck);
        part.quantity.clear();
        part.partition = deck.partition.clone();
        part.experts = deck.experts.clone();
        if let Some(network) = &mut part.experts.network {
            let NetworkSection { every, file, .. } = NetworkSection::default();
            (network.every, network.file) = (every, file);
        }
        part
    })
}

fn same(deck: &Deck, file: &File, part: impl Fn(&Deck) -> Deck) -> Result<()> {
    let stored = file.text("/", "deck")?;
    let Ok(stored) = Deck::parse(&stored, file.label(), &[]) else {
        // Written by another version; the names and values of its parameters agree at least.
        return Ok(());
    };
    let mut list = Vec::new();
    let differences = differences(&part(&stored).to_toml(), &part(deck).to_toml());
    for (key, there, here) in differences.iter().take(NAMED) {
        let text = format!("{here}, but {} was made with {there}", file.label());
        if let Error::Input(faults) = deck.fault(key, text) {
            list.extend(faults);
        }
    }
    if differences.len() > NAMED
        && let Some(last) = list.last_mut()
    {
        last.message += &format!(" ({} other keys differ, too)", differences.len() - NAMED);
    }
    match list.last_mut() {
        None => Ok(()),
        Some(last) => {
            last.message += "; remove it, or name another file";
            Err(Error::Input(list))
        }
    }
}

/// Whether a dataset has the fields that a campaign stores. Collective.
///
/// # Errors
/// [`Error::Input`] that names both.
pub(super) fn same_fields(deck: &Deck, dataset: &DatasetFile, fields: &[Field]) -> Result<()> {
    let found = dataset.file().fields();
    for field in fields.iter().filter(|field| found.contains(&field.name)) {
        let there = dataset.file().field(&field.name)?.0.components;
        if there != field.components {
            let (name, file, here) = (&field.name, dataset.file().label(), field.components);
            let mut text = format!("it holds {there} components of \"{name}\", expected {here}");
            if there > here {
                text += "; earlier versions stored all unknowns of a flow in one array: its samples can be trained on, not \
                         added to";
            }
            return Err(Error::input(file, text + "; remove it, or name another file"));
        }
    }
    let mut wanted: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    wanted.sort_unstable();
    if found == wanted {
        return Ok(());
    }
    let (found, wanted, file) = (found.join(", "), wanted.join(", "), dataset.file().label());
    let text =
        format!("the dataset would hold {wanted}, but {file} holds {found}; remove it, or name another file");
    Err(deck.fault("output.fields", text))
}

/// Adds to a refusal how designs may grow.
pub(super) fn continued(deck: &Deck, dataset: &DatasetFile, error: Error) -> Error {
    let section = &deck.campaign;
    match error {
        Error::Input(mut list)
            if section.design == Design::LatinHypercube && section.samples > dataset.len() =>
        {
            let text = "; a Latin hypercube goes on by doubling its samples, \"halton\" and \"sobol\" with any number";
            list.iter_mut().for_each(|diagnostic| diagnostic.message.push_str(text));
            Error::Input(list)
        }
        other => other,
    }
}

/// Mesh, physics and quantities of a deck.
fn problem(deck: &Deck) -> Deck {
    let mut deck = deck.clone();
    deck.title.clear();
    deck.partition = PartitionSection::default();
    deck.solver = SolverOptions::default();
    deck.output = OutputSection::default();
    deck.checkpoint = CheckpointSection::default();
    deck.constraint = ConstraintSection::default();
    deck.experts = ExpertsSection::default();
    deck.campaign = CampaignSection::default();
    deck.rom = RomSection::default();
    deck.exact.clear();
    deck
}
