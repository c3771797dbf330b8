//! How many basis functions a cell has, as a type: known to the compiler, which then unrolls the loops over them and
//! keeps sums in registers, or not.
//!
//! Every number that is known costs a copy of the kernel for each form and dimension. It is worth that where the work on
//! a cell is little; see `docs/contributing/builds.md` for what was measured.

/// Nodes of the cell that has most, the quadratic hexahedron.
const MOST_FUNCTIONS: usize = 27;

/// The number of basis functions.
pub trait Functions: Copy {
    /// Whether the compiler knows it.
    const KNOWN: bool;

    /// Room for one value for each function.
    type Array<T: Copy>: AsRef<[T]> + AsMut<[T]>;

    /// The same value for each function.
    fn array<T: Copy>(self, value: T) -> Self::Array<T>;

    /// The number.
    fn count(self) -> usize;

    /// Row `q` of a table `[point, function]`.
    fn row<T>(self, table: &[T], q: usize) -> &[T];
}

/// So many.
#[derive(Clone, Copy)]
pub struct Known<const N: usize>;

/// As many as a cell turns out to have.
#[derive(Clone, Copy)]
pub struct Any(pub usize);

impl<const N: usize> Functions for Known<N> {
    const KNOWN: bool = true;
    type Array<T: Copy> = [T; N];

    #[inline(always)]
    fn array<T: Copy>(self, value: T) -> [T; N] {
        [value; N]
    }

    #[inline(always)]
    fn count(self) -> usize {
        N
    }

    #[inline(always)]
    fn row<T>(self, table: &[T], q: usize) -> &[T] {
        &table.as_chunks::<N>().0[q]
    }
}

impl Functions for Any {
    const KNOWN: bool = false;
    type Array<T: Copy> = [T; MOST_FUNCTIONS];

    #[inline(always)]
    fn array<T: Copy>(self, value: T) -> [T; MOST_FUNCTIONS] {
        [value; MOST_FUNCTIONS]
    }

    #[inline(always)]
    fn count(self) -> usize {
        self.0
    }

    #[inline(always)]
    fn row<T>(self, table: &[T], q: usize) -> &[T] {
        &table[q * self.0..][..self.0]
    }
}

/// Whether two constants are equal, as a constant.
pub(crate) struct Same<const A: usize, const B: usize>;

impl<const A: usize, const B: usize> Same<A, B> {
    pub(crate) const HOLDS: bool = A == B;
}
