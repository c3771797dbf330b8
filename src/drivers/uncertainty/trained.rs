//! Which samples a model was trained on.
use crate::Result;
use crate::storage::File;

/// Where a model says which samples it was trained on.
const TRAINED: &str = "/training/parameters";
const DRAWS: &str = "/training/draws";

/// The samples that a model was trained on.
pub struct Trained {
    /// Full parameter vectors.
    pub points: Vec<Vec<f64>>,
    /// Numbers of the draws of random fields.
    pub draws: Vec<u64>,
}

/// Writes the parameters of the samples that a model was trained on, and the numbers of their draws of random fields. Collective.
///
/// # Errors
/// [`Error::Storage`] when HDF5 or the file system refuses.
pub fn write_trained(file: &File, samples: &[Vec<f64>], draws: &[u64]) -> Result<()> {
    let width = samples.first().map_or(0, Vec::len) as u64;
    file.write_array(TRAINED, &[samples.len() as u64, width], &samples.concat())?;
    file.set(TRAINED, "meaning", "parameters of the samples that it was trained on")?;
    file.write_array(DRAWS, &[draws.len() as u64], draws)?;
    file.set(DRAWS, "meaning", "numbers of these samples, which are those of their draws of random fields")
}

/// Parameters and draws of the samples that a model was trained on, where it says so. Collective.
///
/// # Errors
/// [`Error::Storage`] when they cannot be read.
pub fn trained(file: &File) -> Result<Option<Trained>> {
    if !file.exists(TRAINED) {
        return Ok(None);
    }
    let (shape, values) = file.read_array::<f64>(TRAINED)?;
    let width = shape.get(1).map_or(1, |&width| width.max(1) as usize);
    let points = values.chunks_exact(width).map(<[f64]>::to_vec).collect();
    let draws = if file.exists(DRAWS) { file.read_array(DRAWS)?.1 } else { Vec::new() };
    Ok(Some(Trained { points, draws }))
}
