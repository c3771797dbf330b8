//! What the schema cannot say: expressions, references between sections, physical signs.
use super::Deck;
use super::spelling::did_you_mean;
use crate::Result;

impl Deck {
    /// Checks what needs no mesh.
    pub(super) fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// Checks every marker of the deck against the names that the mesh has; `source` is the mesh for
    /// the message.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) naming the nearest marker.
    pub fn validate_markers(&self, _regions: &[String], facets: &[String], source: &str) -> Result<()> {
        let known: Vec<&str> = facets.iter().map(String::as_str).collect();
        for (p, physics) in self.physics.iter().enumerate() {
            for (b, boundary) in physics.boundary().iter().enumerate() {
                for marker in boundary.marker.iter().flat_map(|names| names.iter()) {
                    if !known.contains(&marker) {
                        let hint = did_you_mean(marker, &known, "markers");
                        let key = format!("physics[{p}].boundary[{b}].marker");
                        return Err(
                            self.fault(&key, format!("no facet marker \"{marker}\" in {source}{hint}"))
                        );
                    }
                }
            }
        }
        Ok(())
    }
}
