//! Partitioned meshes: whether a file holds all parts. Gmsh writes them into one file, or each into one of its own
//! (`plate_1.msh`), which would be read as a smaller body with free sides.
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// An entity by dimension and tag.
type Entity = (usize, i64);

/// The partitions that a file names, and those whose elements it holds.
#[derive(Default)]
pub(super) struct Parts {
    /// Of each entity of a 4.1 file.
    entities: HashMap<Entity, Vec<i64>>,
    /// All that are named.
    named: BTreeSet<i64>,
    /// Those with elements, by dimension.
    held: [BTreeSet<i64>; 4],
    /// Whether elements name them, as in files of version 2.2, instead of entities.
    by_element: bool,
}

impl Parts {
    /// An entity of a 4.1 file belongs to a partition.
    pub fn entity(&mut self, entity: Entity, partition: i64) {
        self.entities.entry(entity).or_default().push(partition);
        self.named.insert(partition);
    }

    /// An entity has elements.
    pub fn block(&mut self, entity: Entity) {
        self.held[entity.0].extend(self.entities.get(&entity).into_iter().flatten());
    }

    /// A partition of an element of a 2.2 file: its own stands before those that see it as a ghost, whose numbers are
    /// negative.
    pub fn element(&mut self, dimension: usize, partition: i64, own: bool) {
        if partition == 0 {
            return;
        }
        self.by_element = true;
        self.named.insert(partition.saturating_abs());
        if own && partition > 0 {
            self.held[dimension].insert(partition);
        }
    }

    /// Why the cells, of the given dimension, are not the whole mesh.
    pub fn missing(&self, dimension: usize, file: &str) -> Option<String> {
        let held = &self.held[dimension];
        let lacks = |list: &BTreeSet<i64>| list.iter().any(|part| !held.contains(part));
        let lost = match (self.by_element, held.first(), held.len()) {
            _ if self.named.is_empty() => false,
            _ if lacks(&self.named) => true,
            // Such a file names no other partitions: one alone is the first of several where its name says so.
            (true, Some(&only), 1) => only > 1 || is_numbered(file),
            _ => false,
        };
        let list = |list: &BTreeSet<i64>| list.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
        let others: BTreeSet<i64> = self.named.difference(held).copied().collect();
        let others = if others.is_empty() { "the others".into() } else { list(&others) };
        lost.then(|| {
            format!(
                "holds only a part of a partitioned mesh: the cells of partition {}, not those of {others}; save the \
                 mesh whole (Mesh.PartitionSplitMeshFiles = 0), Tessera divides it itself",
                list(held)
            )
        })
    }
}

/// Whether a file has the name of one of several, such as `plate_1.msh` or `plate_000001.msh`.
fn is_numbered(file: &str) -> bool {
    let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or("");
    stem.rsplit_once('_').is_some_and(|(_, number)| number.parse() == Ok(1u32))
}

#[cfg(test)]
mod tests {
    use super::Parts;

    #[test]
    fn parts_by_entities_are_counted() {
        let with = |blocks: &[i64]| {
            let mut parts = Parts::default();
            for tag in 1..=2 {
                parts.entity((2, tag), tag);
            }
            [1, 2].into_iter().for_each(|part| parts.entity((1, 9), part));
            parts.block((1, 9));
            blocks.iter().for_each(|&tag| parts.block((2, tag)));
            parts.missing(2, "a.msh")
        };
        assert_eq!(with(&[1, 2]), None);
        let message = with(&[2]).unwrap();
        assert!(message.contains("the cells of partition 2, not those of 1;"), "{message}");
        assert_eq!(Parts::default().missing(2, "a_1.msh"), None);
    }

    #[test]
    fn parts_by_elements_are_counted() {
        let with = |list: &[&[i64]], file: &str| {
            let mut parts = Parts::default();
            for tags in list {
                tags.iter().enumerate().for_each(|(i, &part)| parts.element(2, part, i == 0));
            }
            parts.missing(2, file).is_some()
        };
        assert!(!with(&[&[1], &[2], &[1, -2]], "a_1.msh"), "both are there");
        assert!(with(&[&[1], &[1, -2]], "a.msh"), "of the second there are ghosts only");
        assert!(with(&[&[2]], "a.msh"), "the second alone");
        assert!(with(&[&[1]], "a_000001.msh"), "the first alone");
        assert!(!with(&[&[1]], "a.msh"), "there may be one only");
    }
}
