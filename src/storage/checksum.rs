//! CRC-32 of arrays, whole or shared by ranks.
use super::collective::Element;
use crate::parallel::Comm;
use crc32fast::Hasher;

/// CRC-32 (IEEE 802.3) of the ranks' values one after the other, as they stand in a file: each rank's own is computed
/// alone and these are combined, so it does not depend on how many ranks share the values. Collective.
pub fn checksum<T: Element>(comm: &Comm, values: &[T]) -> u32 {
    combine(comm, checksum_alone(values), size_of_val(values) as u64)
}

/// CRC-32 of this rank's values. Local.
pub fn checksum_alone<T: Element>(values: &[T]) -> u32 {
    crc32fast::hash(bytemuck::cast_slice(values))
}

/// The CRC-32 of all ranks' bytes from those of each rank. Collective.
fn combine(comm: &Comm, crc: u32, bytes: u64) -> u32 {
    let (parts, lengths) = (comm.all_gather(crc), comm.all_gather(bytes));
    let mut all = Hasher::new();
    for (crc, bytes) in parts.into_iter().zip(lengths) {
        all.combine(&Hasher::new_with_initial_len(crc, bytes));
    }
    all.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_combine_to_the_whole() {
        let values: Vec<f64> = (0..10_000).map(|i| f64::from(i).sin()).collect();
        for cut in [0, 1, 4097, 10_000] {
            let (a, b) = values.split_at(cut);
            let mut joined = Hasher::new_with_initial_len(checksum_alone(a), 8 * a.len() as u64);
            joined.combine(&Hasher::new_with_initial_len(checksum_alone(b), 8 * b.len() as u64));
            assert_eq!(joined.finalize(), checksum_alone(&values));
        }
        // The check value of the standard.
        assert_eq!(checksum_alone(b"123456789"), 0xcbf4_3926);
    }
}
