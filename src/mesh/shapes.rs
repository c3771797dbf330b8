//! Cells without volume.
use super::distribute::LocalCells;
use crate::{Error, Result};

/// Every owned cell must have a positive volume at every corner.
pub(super) fn check_shapes(source: &str, cell_type: super::cell::CellType, local: &LocalCells) -> Result<()> {
    let (nv, dimension) = (cell_type.vertices(), cell_type.dimension());
    let mut points = vec![[0.0; 3]; nv];
    for (i, cell) in local.cells.chunks_exact(nv).take(local.owned).enumerate() {
        for (point, &v) in points.iter_mut().zip(cell) {
            let at = v as usize * dimension;
            point[..dimension].copy_from_slice(&local.coordinates[at..at + dimension]);
        }
        let (low, _) = cell_type.corner_determinants(&points);
        if low <= FLAT {
            let kind = if low < -FLAT { "inverted or not convex" } else { "flat (zero volume)" };
            let message = format!(
                "cell {} (counted from 0 in the order of the mesh) is {kind}; its vertices are at {:?}",
                local.ids[i],
                points.iter().map(|p| &p[..dimension]).collect::<Vec<_>>()
            );
            return Err(Error::input(source, message));
        }
    }
    Ok(())
}

/// Corner determinants (relative to the edge lengths) below this count as zero.
pub(super) const FLAT: f64 = 1e-12;
