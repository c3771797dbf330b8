//! What of a file can be shown: grid, fields, steps.
use super::collective::{Element, Slab};
use super::field::{self, Field, Location, field_path};
use super::reader::Reader;
use crate::error::{Error, Result};

/// A shape of cells on nodes of some degree, as other formats know it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// XDMF's name.
    pub xdmf: &'static str,
    /// VTK's number.
    pub vtk: u8,
    /// Nodes of a cell.
    pub nodes: u64,
}

/// Names of our shapes, with what they are called on nodes of degree 1 and 2.
const SHAPES: [(&str, [Shape; 2]); 5] = [
    ("interval", [shape("Polyline", 3, 2), shape("Edge_3", 21, 3)]),
    ("triangle", [shape("Triangle", 5, 3), shape("Triangle_6", 22, 6)]),
    ("quadrilateral", [shape("Quadrilateral", 9, 4), shape("Quadrilateral_9", 28, 9)]),
    ("tetrahedron", [shape("Tetrahedron", 10, 4), shape("Tetrahedron_10", 24, 10)]),
    ("hexahedron", [shape("Hexahedron", 12, 8), shape("Hexahedron_27", 29, 27)]),
];

const fn shape(xdmf: &'static str, vtk: u8, nodes: u64) -> Shape {
    Shape { xdmf, vtk, nodes }
}

/// Numbers read at once: no array is ever held whole.
const PIECE: u64 = 1 << 20;

/// Integer arrays over the cells that every file may have.
const CELL_ARRAYS: [(&str, &str, &str); 3] = [
    ("region", "/mesh/cell_markers", "Int"),
    ("rank", "/partition/rank", "UInt"),
    ("expert", "/partition/expert", "UInt"),
];

/// A field's array in the file.
pub(super) struct Array {
    pub path: String,
    pub field: Field,
    pub steps: u64,
    /// Lengths of its axes.
    pub shape: Vec<u64>,
}

impl Array {
    pub(super) fn degree(&self) -> Option<usize> {
        match self.field.location {
            Location::Nodes { degree } => Some(degree),
            Location::Cells => None,
        }
    }
}

/// What is shown.
pub(super) struct Content {
    pub title: String,
    pub shapes: [Shape; 2],
    pub dimension: u64,
    pub cells: u64,
    /// Number of nodes by degree less one; 0 when the file has no such nodes.
    pub nodes: [u64; 2],
    pub arrays: Vec<Array>,
    /// Names, paths and number types of the integer arrays over the cells.
    pub markers: Vec<(&'static str, &'static str, &'static str)>,
    /// Steps with their times, samples with their numbers, or modes.
    pub steps: Vec<(u64, f64)>,
}

impl Content {
    pub(super) fn read(reader: &Reader, names: &[String]) -> Result<Self> {
        let label = reader.path().display().to_string();
        let kind = reader.text("/mesh", "cell_type")?;
        let Some((_, shapes)) = SHAPES.iter().find(|(name, _)| *name == kind) else {
            return Err(Error::input(label, "holds no mesh, so there is nothing to show"));
        };
        let group = ["/fields", "/basis", "/bases"]
            .into_iter()
            .find(|group| reader.exists(group))
            .unwrap_or("/basis");
        let mut arrays = Vec::new();
        for name in reader.members(group) {
            if names.is_empty() || names.contains(&name) {
                let paths = match group {
                    "/fields" => vec![(field_path(&name), name)],
                    "/bases" => modes(reader, &name),
                    _ => vec![(format!("{group}/{name}"), name)],
                };
                for (path, name) in paths {
                    let (field, steps) = reader.field_at(&path, &name)?;
                    let shape = reader.shape(&path)?;
                    arrays.push(Array { path, field, steps, shape });
                }
            }
        }
        if let Some(missing) = names.iter().find(|&name| !reader.members(group).contains(name)) {
            let there = reader.members(group).join(", ");
            return Err(Error::input(label, format!("there is no field \"{missing}\" (fields: {there})")));
        }
        let [nodes, dimension @ 1..=3] = reader.shape("/mesh/geometry")?[..] else {
            return Err(Error::input(label, "/mesh/geometry has not the shape [vertex, coordinate]"));
        };
        let cells = rows(reader, "/mesh/topology")?;
        let quadratic = "/spaces/2/coordinates";
        let second = if reader.exists(quadratic) { rows(reader, quadratic)? } else { 0 };
        for array in &arrays {
            let expected = match array.degree() {
                None => cells,
                Some(1) => nodes,
                Some(2) if second > 0 => second,
                Some(degree) => {
                    let message =
                        format!("{} lies on nodes of degree {degree}, which are not there", array.path);
                    return Err(Error::input(label, message));
                }
            };
            if array.field.entities != expected {
                let message = format!("{} has {} values for {expected}", array.path, array.field.entities);
                return Err(Error::input(label, message));
            }
        }
        let count = arrays.iter().map(|a| a.steps).max().unwrap_or(1);
        Ok(Self {
            title: reader.text("/", "title")?,
            shapes: *shapes,
            dimension,
            cells,
            nodes: [nodes, second],
            arrays,
            markers: CELL_ARRAYS.into_iter().filter(|(_, path, _)| reader.exists(path)).collect(),
            steps: steps(reader, count)?,
        })
    }

    /// The degree of the grid that shows all fields: 2 when all nodal ones have it, else 1.
    pub(super) fn degree(&self) -> usize {
        if self.has(2) && !self.has(1) { 2 } else { 1 }
    }

    /// Whether a field lies on the nodes of that degree.
    pub(super) fn has(&self, degree: usize) -> bool {
        self.arrays.iter().any(|a| a.degree() == Some(degree))
    }

    /// Paths of coordinates and cells of the grid of that degree.
    pub(super) fn grid(&self, degree: usize) -> (&'static str, &'static str) {
        match degree {
            1 => ("/mesh/geometry", "/mesh/topology"),
            _ => ("/spaces/2/coordinates", "/spaces/2/cell_nodes"),
        }
    }

    /// Number of values of a field on the grid of that degree: vertices are the first nodes of every space.
    /// None when the grid has nodes that the field has not.
    pub(super) fn entities(&self, array: &Array, degree: usize) -> Option<u64> {
        match array.degree() {
            Some(d) if d >= degree => Some(self.nodes[degree - 1]),
            Some(_) => None,
            None => Some(self.cells),
        }
    }

    /// The steps, or the one that is asked for, or the last.
    ///
    /// # Errors
    /// [`Error::Input`] when the step is not there, or the sample not done.
    pub(super) fn step(&self, reader: &Reader, wanted: Option<u64>) -> Result<u64> {
        let found = match wanted {
            Some(step) => self.steps.iter().find(|s| s.0 == step),
            None => self.steps.last(),
        };
        found.map(|s| s.0).ok_or_else(|| {
            let label = reader.path().display().to_string();
            let Some(wanted) = wanted else { return Error::input(label, "no sample is done") };
            let list: Vec<String> = self.steps.iter().map(|s| s.0.to_string()).collect();
            Error::input(label, format!("there is no {wanted} to show; there are {}", list.join(", ")))
        })
    }

    /// Calls `work` with successive rows of an array, `[row, column]`: of step `step` when it has steps, up to
    /// row `end`, of `width` columns.
    pub(super) fn in_pieces<T: Element>(
        reader: &Reader,
        path: &str,
        step: Option<u64>,
        (end, width): (u64, u64),
        mut work: impl FnMut(&[T]) -> Result<()>,
    ) -> Result<()> {
        let shape = reader.shape(path)?;
        let lead = step.map_or(Vec::new(), |step| field::lead(&shape, step));
        let piece = (PIECE / width.max(1)).max(1);
        let mut first = 0;
        while first < end {
            let count = piece.min(end - first);
            let mut slab = Slab { start: lead.clone(), count: vec![1; lead.len()] };
            slab.start.push(first);
            slab.count.push(count);
            if slab.start.len() < shape.len() {
                slab.start.push(0);
                slab.count.push(width);
            }
            work(&reader.slab::<T>(path, &slab)?)?;
            first += count;
        }
        Ok(())
    }
}

/// The arrays of the modes of a field, one for each window of steps where there are any, with their names.
fn modes(reader: &Reader, name: &str) -> Vec<(String, String)> {
    let group = format!("/bases/{name}");
    if reader.exists(&format!("{group}/modes")) {
        return vec![(format!("{group}/modes"), name.into())];
    }
    let windows = (0..).map(|window| format!("window_{window}"));
    windows
        .take_while(|window| reader.exists(&format!("{group}/{window}")))
        .map(|window| (format!("{group}/{window}/modes"), format!("{name}_{window}")))
        .collect()
}

fn rows(reader: &Reader, path: &str) -> Result<u64> {
    Ok(reader.shape(path)?.first().copied().unwrap_or(0))
}

/// What stands on the axis of steps: of a run all with their times, of a campaign the samples done, of a
/// model the modes.
fn steps(reader: &Reader, count: u64) -> Result<Vec<(u64, f64)>> {
    if reader.exists("/status") {
        return Ok(reader.stored(count)?.into_iter().map(|i| (i, i as f64)).collect());
    }
    let times = if reader.exists("/time") { reader.array::<f64>("/time")?.1 } else { Vec::new() };
    Ok((0..count).map(|i| (i, times.get(i as usize).copied().unwrap_or(i as f64))).collect())
}
