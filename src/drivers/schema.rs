//! `tessera schema`: the JSON schema of decks.
use crate::{Error, Result, deck};
use std::io::Write;

/// Prints the schema on the standard output; as the reference of decks if `markdown`.
///
/// # Errors
/// When the output cannot be written.
pub fn run(markdown: bool) -> Result<()> {
    let json = || serde_json::to_string_pretty(deck::schema()).map_err(|e| Error::Failed(e.to_string()));
    let text = if markdown { deck::reference() } else { json()? };
    match writeln!(std::io::stdout(), "{text}") {
        // A reader such as `head` may go away.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::storage(error.to_string()).because(error))
        }
        _ => Ok(()),
    }
}
