//! Values on a regular grid, at nodes: linear along every axis between the points around.
use super::header::{fault, of_user};
use crate::Result;
use crate::fem::Space;
use crate::storage::{File, Slab, Value};

/// Nodes may lie outside of the grid by this part of its length: round-off of coordinates.
const OUTSIDE: f64 = 1e-6;

/// Coordinates along the axes of the file's grid, ascending: `/grid/{x,y,z}`, or `/grid/{origin,spacing,shape}`, datasets or
/// attributes of `/grid`. `None` where there is no grid. Collective.
///
/// # Errors
/// [`Error::Input`](crate::Error::Input) for a grid that is none.
pub fn axes(file: &File, dimension: usize) -> Result<Option<Vec<Vec<f64>>>> {
    if !file.exists("/grid") {
        return Ok(None);
    }
    let wrong = |text: String| Err(fault(file, format!("/grid{text}")));
    let names = ["x", "y", "z"];
    let given: Vec<bool> = names.iter().map(|name| file.exists(&format!("/grid/{name}"))).collect();
    let axes: Vec<Vec<f64>> = if given.contains(&true) {
        if let Some(i) = (0..3).find(|&i| given[i] != (i < dimension)) {
            let what = if given[i] { "is there, but the mesh has" } else { "is missing: the mesh has" };
            return wrong(format!("/{} {what} {dimension} dimensions", names[i]));
        }
        let axis = |name: &&str| Ok(file.read_array::<f64>(&format!("/grid/{name}")).map_err(of_user)?.1);
        names[..dimension].iter().map(axis).collect::<Result<_>>()?
    } else {
        let mut lists = Vec::new();
        for name in ["origin", "spacing", "shape"] {
            let path = format!("/grid/{name}");
            let list = match file.exists(&path) {
                true => file.read_array::<f64>(&path).map_err(of_user)?.1,
                false => match file.get("/grid", name).map_err(of_user)? {
                    Some(Value::Floats(list)) => list,
                    Some(Value::Integers(list)) => list.into_iter().map(|n| n as f64).collect(),
                    Some(Value::Float(one)) => vec![one],
                    Some(Value::Integer(one)) => vec![one as f64],
                    _ => return wrong(" has neither x, y, z nor origin, spacing and shape".into()),
                },
            };
            if list.len() != dimension {
                return wrong(format!(
                    "/{name} has {} numbers; the mesh has {dimension} dimensions",
                    list.len()
                ));
            }
            lists.push(list);
        }
        let (counts, most) = (&lists[2], 1e9);
        if let Some(count) = counts.iter().find(|n| !(n.fract() == 0.0 && (2.0..most).contains(*n))) {
            return wrong(format!("/shape holds {count}; expected whole numbers, 2 at least"));
        }
        let axis = |d: usize| (0..counts[d] as usize).map(|i| lists[0][d] + i as f64 * lists[1][d]).collect();
        (0..dimension).map(axis).collect()
    };
    for (axis, name) in axes.iter().zip(names) {
        if axis.len() < 2 || !axis.iter().all(|x| x.is_finite()) || axis.windows(2).any(|w| w[1] <= w[0]) {
            return wrong(format!(": the coordinates along {name} are not two or more ascending numbers"));
        }
    }
    Ok(Some(axes))
}

/// The values at this rank's nodes of a space, from those of the grid's points around them.
pub struct Interpolation {
    /// The part of the grid that this rank reads: first index and number along each axis.
    first: Vec<u64>,
    count: Vec<u64>,
    /// For each node and axis, the point before it, in the part, and how far on it is, from 0 to 1.
    places: Vec<(usize, f64)>,
}

impl Interpolation {
    /// Finds the owned nodes. Collective.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) that names a node outside of the grid.
    pub fn new(file: &File, space: &Space, axes: &[Vec<f64>]) -> Result<Self> {
        let d = axes.len();
        let mut places: Vec<(usize, f64)> = Vec::with_capacity(space.owned_nodes * d);
        let mut lost = Ok(());
        for node in 0..space.owned_nodes {
            let point = space.point(node);
            for (i, axis) in axes.iter().enumerate() {
                let (x, low, high) = (point[i], axis[0], axis[axis.len() - 1]);
                let margin = OUTSIDE * (high - low);
                if lost.is_ok() && !(low - margin..=high + margin).contains(&x) {
                    let (name, at) = (["x", "y", "z"][i], &point[..d]);
                    let text = format!(
                        "the node at {at:?} is outside of the grid, which has {name} from {low} to {high}"
                    );
                    lost = Err(fault(file, text));
                }
                let cell = axis.partition_point(|&p| p <= x).clamp(1, axis.len() - 1) - 1;
                let share = ((x - axis[cell]) / (axis[cell + 1] - axis[cell])).clamp(0.0, 1.0);
                places.push((cell, share));
            }
        }
        space.mesh.comm.agree(lost)?;
        let (mut first, mut count) = (vec![0; d], vec![0; d]);
        if !places.is_empty() {
            for i in 0..d {
                let cells = || places.iter().skip(i).step_by(d).map(|place| place.0 as u64);
                let (low, high) = (cells().min().unwrap_or(0), cells().max().unwrap_or(0));
                (first[i], count[i]) = (low, high + 2 - low);
            }
            places.iter_mut().enumerate().for_each(|(k, place)| place.0 -= first[k % d] as usize);
        }
        Ok(Self { first, count, places })
    }

    /// Values of an array `[sample, (frame,) x, y, z(, component)]` at the owned nodes, `leading` being the numbers of sample
    /// and frame. Collective.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) when it cannot be read.
    pub fn read(
        &self,
        file: &File,
        path: &str,
        leading: &[u64],
        components: Option<u64>,
    ) -> Result<Vec<f64>> {
        let some = u64::from(!self.places.is_empty());
        let mut slab = Slab { start: leading.to_vec(), count: vec![some; leading.len()] };
        slab.start.extend(&self.first);
        slab.count.extend(&self.count);
        if let Some(components) = components {
            slab.start.push(0);
            slab.count.push(components);
        }
        let values: Vec<f64> = file.read(path, &slab).map_err(of_user)?;
        let (d, c) = (self.first.len(), components.unwrap_or(1) as usize);
        let mut result = Vec::with_capacity(self.places.len() / d * c);
        for place in self.places.chunks_exact(d) {
            let mut sums = vec![0.0; c];
            for corner in 0..1usize << d {
                let (mut index, mut weight) = (0, 1.0);
                for (i, &(cell, share)) in place.iter().enumerate() {
                    let beyond = corner >> i & 1;
                    index = index * self.count[i] as usize + cell + beyond;
                    weight *= if beyond == 1 { share } else { 1.0 - share };
                }
                // A point that does not count may have no number.
                if weight > 0.0 {
                    sums.iter_mut().zip(&values[index * c..]).for_each(|(sum, value)| *sum += weight * value);
                }
            }
            result.extend(sums);
        }
        Ok(result)
    }
}
