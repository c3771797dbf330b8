//! Conditions that may depend on one another, by a factorisation with pivots.
use faer::Mat;

/// `A P = Q R` with dependent columns of `A` left out.
pub(super) struct Factors {
    /// The columns of `Q` along those of `A`, and the others.
    along: Mat<f64>,
    pub inside: Mat<f64>,
    /// `R`, `[rank, columns of A]`.
    triangle: Mat<f64>,
    order: Vec<usize>,
}

impl Factors {
    pub fn new(a: &Mat<f64>, dependent: f64) -> Self {
        let (rows, count) = (a.nrows(), a.ncols());
        if rows.min(count) == 0 {
            return Self {
                along: Mat::zeros(rows, 0),
                inside: Mat::identity(rows, rows),
                triangle: Mat::zeros(0, count),
                order: (0..count).collect(),
            };
        }
        let factors = a.col_piv_qr();
        let (q, r) = (factors.compute_Q(), factors.R());
        let largest = r[(0, 0)].abs();
        let rank = (0..rows.min(count)).take_while(|&i| r[(i, i)].abs() > dependent * largest).count();
        Self {
            along: q.subcols(0, rank).to_owned(),
            inside: q.subcols(rank, rows - rank).to_owned(),
            triangle: r.subrows(0, rank).to_owned(),
            order: factors.P().arrays().0.to_vec(),
        }
    }

    /// The least `x` with `A^T x = b`, and the most that is left of what depends on the rest.
    pub fn least(&self, b: &[f64]) -> (Mat<f64>, f64) {
        let rank = self.triangle.nrows();
        let mut y = Mat::from_fn(rank, 1, |i, _| b[self.order[i]]);
        self.triangle.subcols(0, rank).transpose().solve_lower_triangular_in_place(&mut y);
        let left = (rank..self.order.len()).map(|j| {
            let met: f64 = (0..rank).map(|i| self.triangle[(i, j)] * y[(i, 0)]).sum();
            (met - b[self.order[j]]).abs()
        });
        let left = left.fold(0.0, f64::max);
        (&self.along * &y, left)
    }

    /// `y` with `A y` nearest to `right`, zero for what is left out.
    pub fn multipliers(&self, right: &Mat<f64>) -> Vec<f64> {
        let rank = self.triangle.nrows();
        let mut y = self.along.transpose() * right;
        self.triangle.subcols(0, rank).solve_upper_triangular_in_place(&mut y);
        let mut result = vec![0.0; self.order.len()];
        (0..rank).for_each(|i| result[self.order[i]] = y[(i, 0)]);
        result
    }
}
