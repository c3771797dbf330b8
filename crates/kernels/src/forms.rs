//! The kernels of a model's forms, by dimension.
use super::form::Form;
use super::kernel::Kernel;
use super::kinds::{Linear, Nonlinear};
use super::weak_form::WeakForm;

/// The kernels of a model's forms in volume and on the boundary, by dimension.
///
/// These stand in statics: the code of a kernel is generated where its vtable is made, which for a static is its crate.
/// ```
/// use tessera_kernels::models::{burgers::Burgers, scalar::ScalarSurface};
/// use tessera_kernels::{Forms, Nonlinear};
///
/// static ON_A_LINE: Forms =
///     Forms::NONE.form(&Nonlinear::<1, 1, _>(Burgers), &Nonlinear(ScalarSurface::<false>));
/// assert_eq!(ON_A_LINE.dimensions().collect::<Vec<_>>(), [1]);
/// ```
pub struct Forms {
    by_dimension: [Option<(&'static dyn Kernel, &'static dyn Kernel)>; 3],
}

impl Forms {
    /// Of no dimension.
    pub const NONE: Self = Self { by_dimension: [None; 3] };

    /// These and those of one more dimension.
    const fn and(
        mut self,
        dimension: usize,
        volume: &'static dyn Kernel,
        boundary: &'static dyn Kernel,
    ) -> Self {
        self.by_dimension[dimension - 1] = Some((volume, boundary));
        self
    }

    /// The dimensions that the model exists in.
    pub fn dimensions(&self) -> impl Iterator<Item = usize> {
        (1..=3).filter(|d| self.by_dimension[d - 1].is_some())
    }

    /// The kernels in volume and on the boundary.
    ///
    /// # Panics
    /// When the model does not exist in that dimension, which decks are checked for.
    pub fn of(&self, dimension: usize) -> (&'static dyn Kernel, &'static dyn Kernel) {
        self.by_dimension[dimension - 1].expect("a model that exists in this dimension")
    }

    /// These and linear forms in `D` dimensions for `C` unknowns at a node.
    pub const fn linear<const D: usize, const C: usize, V: WeakForm<D, C>, B: WeakForm<D, C>>(
        self,
        volume: &'static Linear<D, C, V>,
        boundary: &'static Linear<D, C, B>,
    ) -> Self {
        self.and(D, volume, boundary)
    }

    /// These and forms in `D` dimensions for `C` unknowns at a node.
    pub const fn form<const D: usize, const C: usize, V: Form<D, C>, B: Form<D, C>>(
        self,
        volume: &'static Nonlinear<D, C, V>,
        boundary: &'static Nonlinear<D, C, B>,
    ) -> Self {
        self.and(D, volume, boundary)
    }
}
