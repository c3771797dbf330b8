//! NumPy arrays of nodal values, in one of two orders.
use crate::errors::{from_python, wrong};
use numpy::{PyArray1, PyArrayDyn, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use tessera::fem::Space;
use tessera::parallel::Redistribution;
use tessera::{Error, Result};

/// The nodes of a space, to bring values from one order into the other.
pub struct Order {
    plan: Redistribution,
    /// Number of nodes over all ranks.
    total: usize,
}

/// Values at nodes with so many to each: `[node]` for one, else `[node, component]`.
pub struct Rows {
    values: Vec<f64>,
    width: usize,
}

impl Order {
    /// Of a space's nodes; on a periodic mesh those of a seam count once. Collective.
    pub fn new(space: &Space) -> Self {
        let ids = &space.node_ids[..space.owned_nodes];
        let plan = Redistribution::new(&space.mesh.comm, ids, space.global_nodes);
        Self { plan, total: space.global_nodes as usize }
    }

    /// Values at the owned nodes, in PETSc's order, as they are or as those of all nodes on all ranks in canonical order.
    /// Collective.
    pub fn give(&self, own: &[f64], width: usize, as_own: bool) -> Result<Rows> {
        if as_own {
            return Ok(Rows { values: own.to_vec(), width });
        }
        if self.total * width > i32::MAX as usize {
            let text = format!("{} nodes are too many for one rank; take own=True", self.total);
            return Err(Error::Failed(text));
        }
        let block = self.plan.to_canonical(own, width);
        Ok(Rows { values: self.plan.comm().all_gather_varied(&block), width })
    }

    /// The other way: values at the owned nodes from an array of either kind. Collective.
    ///
    /// # Errors
    /// For an array of another shape, on any rank, and numbers that are not finite.
    pub fn take(&self, array: &Bound<'_, PyAny>, width: usize, is_own: bool, what: &str) -> Result<Vec<f64>> {
        let rows = if is_own { self.plan.owned() } else { self.total };
        let values = self.plan.comm().agree(numbers(array, rows, width, what))?;
        if is_own {
            return Ok(values);
        }
        let range = self.plan.range();
        let block = &values[range.start as usize * width..range.end as usize * width];
        Ok(self.plan.from_canonical(block, width))
    }
}

/// The numbers of an array of `rows` nodes with `width` to each. Local.
fn numbers(array: &Bound<'_, PyAny>, rows: usize, width: usize, what: &str) -> Result<Vec<f64>> {
    let converted = || -> PyResult<(Vec<usize>, Vec<f64>)> {
        let numpy = array.py().import("numpy")?;
        let array = numpy.call_method1("ascontiguousarray", (array, "float64"))?;
        let array = array.cast_into::<PyArrayDyn<f64>>()?;
        Ok((array.shape().to_vec(), array.to_vec()?))
    };
    let (shape, values) = converted().map_err(|error| from_python(&error))?;
    let list = |shape: &[usize]| shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let expected = if width == 1 { vec![rows] } else { vec![rows, width] };
    let fits = shape == expected || shape == [rows, width] || shape == [rows * width];
    if !fits {
        return Err(wrong(format!(
            "{what}: expected an array of shape ({}), found ({})",
            list(&expected),
            list(&shape)
        )));
    }
    match values.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(wrong(format!("{what}: expected finite numbers, found {value}"))),
        None => Ok(values),
    }
}

/// The same on all ranks or not, without nodes. Local.
pub fn plain(values: Vec<f64>, width: usize) -> Rows {
    Rows { values, width }
}

impl<'py> IntoPyObject<'py> for Rows {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (rows, width) = (self.values.len() / self.width.max(1), self.width);
        let array = PyArray1::from_vec(py, self.values);
        match width {
            1 => array.into_bound_py_any(py),
            _ => array.reshape([rows, width])?.into_bound_py_any(py),
        }
    }
}
