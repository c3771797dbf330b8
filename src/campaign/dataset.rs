//! What an adaptive design keeps in its dataset.
use super::samples::options;
use crate::Result;
use crate::deck::Deck;
use crate::storage::File;

pub(super) const ESTIMATE: &str = "/adaptive/estimate";

/// Makes room for the history in a new dataset. Collective.
pub(super) fn create(file: &File, deck: &Deck) -> Result<()> {
    let entries = deck.campaign.samples + 1;
    file.write_array(ESTIMATE, &[entries as u64], &vec![f64::NAN; entries])?;
    file.set(ESTIMATE, "unit", "1")?;
    file.set(
        ESTIMATE,
        "meaning",
        "largest estimated relative error over the candidates that are left, with so many samples",
    )?;
    let options = options(deck);
    file.set("/adaptive", "initial", options.initial)?;
    file.set("/adaptive", "candidates", options.candidates)?;
    file.set("/adaptive", "tolerance", options.tolerance)
}
