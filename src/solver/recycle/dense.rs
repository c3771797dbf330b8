//! The small dense problems of recycling.
use crate::mixture::whiten;
use faer::Mat;
use faer::linalg::solvers::SolveLstsq;

/// The harmonic Ritz vectors of smallest modulus: coefficients (m x k', k' <= `count`) of a real basis of the
/// space of solutions `g` of `G^T G g = theta G^T S g` with the smallest `|theta|`, and the QR factors of their
/// images: `G Y = Q R`. `image` is G, `overlap` is S, both (m + 1) x m or so. Complex pairs stay together.
/// Nothing when the problem has no finite solution.
pub fn harmonic_ritz(image: &Mat<f64>, overlap: &Mat<f64>, count: usize) -> Option<Ritz> {
    let m = image.ncols();
    let factors = image.qr();
    let corners: Vec<f64> = (0..m).map(|i| factors.R()[(i, i)].abs()).collect();
    let largest = corners.iter().copied().fold(0.0, f64::max);
    if !corners.iter().all(|&r| r > 1e-14 * largest) {
        return None;
    }
    // 1 / theta are the eigenvalues of the least-squares solution of G X = S.
    let inverse = factors.solve_lstsq(overlap);
    let inverse = inverse.subrows(0, m).to_owned();
    if !(0..m).all(|j| (0..m).all(|i| inverse[(i, j)].is_finite())) {
        return None;
    }
    let eigen = inverse.eigen().ok()?;
    let (values, vectors) = (eigen.S().column_vector(), eigen.U());
    let mut order: Vec<usize> = (0..m).collect();
    // Pairs have exactly equal moduli; the imaginary part tells which of a pair comes first.
    order.sort_by(|&i, &j| {
        let (a, b) = (values[i], values[j]);
        let modulus = b.re.hypot(b.im).total_cmp(&a.re.hypot(a.im));
        modulus.then(b.re.total_cmp(&a.re)).then(b.im.total_cmp(&a.im))
    });
    let mut columns: Vec<Vec<f64>> = Vec::new();
    for j in order {
        let value = values[j];
        if !(value.re.is_finite() && value.im.is_finite()) || value.im < 0.0 {
            continue;
        }
        let width = if value.im == 0.0 { 1 } else { 2 };
        if columns.len() + width > count {
            continue;
        }
        columns.push((0..m).map(|i| vectors[(i, j)].re).collect());
        if width == 2 {
            columns.push((0..m).map(|i| vectors[(i, j)].im).collect());
        }
    }
    let y = Mat::from_fn(m, columns.len(), |i, j| columns[j][i]);
    Ritz::new(image, y)
}

/// A basis of a recycled space in terms of the space of a cycle.
pub struct Ritz {
    /// `Y R^-1`: the basis whose image is orthonormal.
    pub basis: Mat<f64>,
    /// `Q`: its image.
    pub image: Mat<f64>,
}

impl Ritz {
    /// `image * y = Q R` with dependent columns left out.
    fn new(image: &Mat<f64>, y: Mat<f64>) -> Option<Self> {
        let product = image * &y;
        // Twice: the first pass drops, the second removes what round-off left.
        let (first, _) = whiten((product.transpose() * &product).as_ref());
        let (y, product) = (&y * &first, &product * &first);
        let (second, _) = whiten((product.transpose() * &product).as_ref());
        let (basis, image) = (&y * &second, &product * &second);
        (basis.ncols() > 0).then_some(Self { basis, image })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmonic_ritz_vectors_of_the_whole_space_are_eigenvectors() {
        // Eigenvalues 5, 4 and the pair 0.3 +- 0.4i of modulus 0.5.
        let p = Mat::from_fn(4, 4, |i, j| if i == j { 2.0 } else { 1.0 / (1.0 + i as f64 + 2.0 * j as f64) });
        let mut d = Mat::zeros(4, 4);
        (d[(0, 0)], d[(1, 1)]) = (5.0, 4.0);
        (d[(2, 2)], d[(2, 3)], d[(3, 2)], d[(3, 3)]) = (0.3, 0.4, -0.4, 0.3);
        let a = &p * &d * p.qr().solve_lstsq(Mat::<f64>::identity(4, 4));
        let identity = Mat::<f64>::identity(4, 4);
        for (count, kept) in [(1, 1), (2, 2), (3, 3)] {
            let ritz = harmonic_ritz(&a, &identity, count);
            assert_eq!(ritz.as_ref().map_or(0, |r| r.basis.ncols()), kept, "{count}");
            let Some(ritz) = ritz else { continue };
            // The space of the pair is spanned by the last two columns of p: it is invariant.
            let image = &a * &ritz.basis;
            let back = ritz.basis.qr().solve_lstsq(&image);
            let rest = &image - &ritz.basis * back.subrows(0, kept);
            assert!(rest.norm_l2() < 1e-10, "{count}: {}", rest.norm_l2());
        }
    }
}
