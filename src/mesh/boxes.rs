//! Structured boxes, every rank generating its own block of cells and vertices.
//!
//! Vertices are numbered with x fastest, then y, then z; so are the boxes of the grid. A square is cut
//! into two triangles along its rising diagonal, a cube into six tetrahedra around its main diagonal
//! (Freudenthal 1942; the same cells as dolfinx's `create_unit_square` and `create_unit_cube`).
use super::cell::CellType;
use super::raw::RawMesh;
use crate::error::{Error, Result};
use crate::parallel::{Comm, block};

/// A box cut into equal parts.
#[derive(Debug, Clone, PartialEq)]
pub struct BoxSource {
    /// Shape of the cells; its dimension is that of the box.
    pub cell: CellType,
    /// Parts along each direction, one entry a dimension.
    pub cells: Vec<u64>,
    /// Corner with the least coordinates, metres.
    pub lower: Vec<f64>,
    /// Corner with the greatest coordinates, metres.
    pub upper: Vec<f64>,
    /// Whether the box repeats itself along x, y, z; entries beyond the dimension do not count.
    pub periodic: [bool; 3],
}

impl BoxSource {
    /// The unit interval, square or cube, cut into so many parts along each direction.
    pub fn unit(cell: CellType, cells: &[u64]) -> Self {
        let d = cell.dimension();
        Self { cell, cells: cells.to_vec(), lower: vec![0.0; d], upper: vec![1.0; d], periodic: [false; 3] }
    }
}

/// Markers of the sides, in the order lower and upper side of x, y, z.
pub const SIDES: [&str; 6] = ["left", "right", "bottom", "top", "back", "front"];

/// Fewest cells along a periodic direction: with fewer, two cells or edges would have the same vertices.
pub const LEAST_PERIODIC: u64 = 3;

/// Most cells that a box may have: far above what fits a machine, far below overflow.
const MOST_CELLS: u64 = 1 << 40;

/// Corners of the grid's boxes are numbered in binary, bit 0 for x, bit 1 for y, bit 2 for z.
fn pieces(cell: CellType) -> &'static [&'static [u8]] {
    match cell {
        CellType::Interval => &[&[0, 1]],
        CellType::Triangle => &[&[0, 1, 3], &[0, 3, 2]],
        CellType::Quadrilateral => &[&[0, 1, 3, 2]],
        CellType::Tetrahedron => {
            &[&[0, 1, 3, 7], &[0, 1, 7, 5], &[0, 5, 7, 4], &[0, 3, 2, 7], &[0, 6, 4, 7], &[0, 2, 6, 7]]
        }
        CellType::Hexahedron => &[&[0, 1, 3, 2, 4, 5, 7, 6]],
    }
}

/// This rank's share of the box; facets on its sides carry the markers [`SIDES`]. The vertices on the upper
/// side of a periodic direction are identified with those on the lower one; neither side has a marker.
///
/// # Errors
/// [`Error::Input`] for lengths that disagree with the dimension, no parts, fewer than [`LEAST_PERIODIC`] in a
/// periodic direction, or an empty box.
pub(super) fn generate(comm: &Comm, source: &BoxSource) -> Result<RawMesh> {
    let cell = source.cell;
    let dimension = cell.dimension();
    check(source)?;
    // Grid boxes and grid vertices along each direction; 1 in the directions that are not there.
    let along = |d: usize| if d < dimension { source.cells[d] } else { 1 };
    let parts = [along(0), along(1), along(2)];
    let points = [0, 1, 2].map(|d| if d < dimension { parts[d] + 1 } else { 1 });
    let pieces = pieces(cell);
    let per_box = pieces.len() as u64;

    let mut raw = RawMesh::new("box", cell);
    raw.region_names = vec!["domain".into()];
    let sides: Vec<usize> = (0..2 * dimension).filter(|side| !source.periodic[side / 2]).collect();
    raw.facet_names = sides.iter().map(|&side| SIDES[side].to_string()).collect();
    raw.global_cells = parts.iter().product::<u64>() * per_box;
    raw.global_vertices = points.iter().product();

    let share = block(raw.global_cells, comm.size(), comm.rank());
    raw.cells.reserve_exact((share.end - share.start) as usize * cell.vertices());
    raw.regions = vec![0; (share.end - share.start) as usize];
    for id in share {
        let (number, piece) = (id / per_box, pieces[(id % per_box) as usize]);
        let at = split(number, parts);
        let corner = |v: u8| {
            let v = [v & 1, v >> 1 & 1, v >> 2 & 1].map(u64::from);
            (at[0] + v[0]) + points[0] * ((at[1] + v[1]) + points[1] * (at[2] + v[2]))
        };
        raw.cells.extend(piece.iter().map(|&v| corner(v)));
        // Only the boxes at a side have marked facets.
        for (marker, &side) in sides.iter().enumerate() {
            let (d, upper) = (side / 2, side % 2 == 1);
            if at[d] != if upper { parts[d] - 1 } else { 0 } {
                continue;
            }
            for facet in 0..cell.facets() {
                let mut vertices = cell.facet_vertices(facet).iter().map(|&i| piece[i as usize]);
                if vertices.all(|v| (v >> d & 1 == 1) == upper) {
                    let vertices = cell.facet_vertices(facet).iter().map(|&i| corner(piece[i as usize]));
                    raw.facets.extend(vertices);
                    raw.facet_markers.push(marker as u16);
                }
            }
        }
    }
    let share = block(raw.global_vertices, comm.size(), comm.rank());
    raw.coordinates.reserve_exact((share.end - share.start) as usize * dimension);
    let wraps = [0, 1, 2].map(|d| d < dimension && source.periodic[d]);
    if wraps.contains(&true) {
        let wrapped = share.clone().map(|id| {
            let mut at = split(id, points);
            (0..3).filter(|&d| wraps[d]).for_each(|d| at[d] %= parts[d]);
            at[0] + points[0] * (at[1] + points[1] * at[2])
        });
        raw.identified = Some(wrapped.collect());
    }
    for id in share {
        let at = split(id, points);
        for d in 0..dimension {
            let (low, high) = (source.lower[d], source.upper[d]);
            // Exact at both ends.
            let t = at[d] as f64 / parts[d] as f64;
            raw.coordinates.push(low * (1.0 - t) + high * t);
        }
    }
    Ok(raw)
}

fn split(number: u64, sizes: [u64; 3]) -> [u64; 3] {
    [number % sizes[0], number / sizes[0] % sizes[1], number / sizes[0] / sizes[1]]
}

fn check(source: &BoxSource) -> Result<()> {
    let dimension = source.cell.dimension();
    let name = source.cell.name();
    for (key, length) in
        [("cells", source.cells.len()), ("lower", source.lower.len()), ("upper", source.upper.len())]
    {
        if length != dimension {
            let message = format!(
                "`{key}` of a box of {name} cells must have {dimension} entries, one a direction; it has {length}"
            );
            return Err(Error::input("box", message));
        }
    }
    let mut total = pieces(source.cell).len() as u64;
    for d in 0..dimension {
        if source.cells[d] == 0 {
            return Err(Error::input("box", format!("`cells[{d}]` is 0: a box needs at least one part")));
        }
        if source.periodic[d] && source.cells[d] < LEAST_PERIODIC {
            let message = format!(
                "`cells[{d}]` is {}: a periodic direction needs at least {LEAST_PERIODIC} parts",
                source.cells[d]
            );
            return Err(Error::input("box", message));
        }
        let (low, high) = (source.lower[d], source.upper[d]);
        if !(low.is_finite() && high.is_finite() && low < high) {
            let message = format!("`lower[{d}]` = {low} must be less than `upper[{d}]` = {high}");
            return Err(Error::input("box", message));
        }
        total = total.saturating_mul(source.cells[d]);
    }
    if total > MOST_CELLS {
        return Err(Error::input(
            "box",
            format!("{total} cells are more than the most allowed, {MOST_CELLS}"),
        ));
    }
    Ok(())
}
