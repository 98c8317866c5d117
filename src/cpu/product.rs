//! The one fast matrix product, on the `gemm` crate.

use gemm::Parallelism;

/// A row-major view of a matrix, or of its transpose.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub data: &'a [f32],
    /// Elements from one row to the next.
    pub row: usize,
    /// Elements from one column to the next.
    pub column: usize,
}

impl<'a> Matrix<'a> {
    /// A matrix stored row by row, `width` elements each.
    pub fn rows(data: &'a [f32], width: usize) -> Matrix<'a> {
        Matrix { data, row: width, column: 1 }
    }

    /// The transpose.
    pub fn transposed(self) -> Matrix<'a> {
        Matrix { data: self.data, row: self.column, column: self.row }
    }

    fn last(&self, rows: usize, columns: usize) -> usize {
        (rows - 1) * self.row + (columns - 1) * self.column
    }
}

/// c = a·b, or c += a·b if `add`; a is `[m, k]`, b is `[k, n]`, and c is stored row by row, `[m, n]`.
///
/// One thread computes it: callers split their work in pieces that do not depend on the number of threads,
/// so that the order of every sum is fixed.
pub(crate) fn product(c: &mut [f32], add: bool, a: Matrix<'_>, b: Matrix<'_>, [m, n, k]: [usize; 3]) {
    if m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        if !add {
            c[..m * n].fill(0.0);
        }
        return;
    }
    assert!(m * n <= c.len(), "c holds m·n elements");
    assert!(a.last(m, k) < a.data.len() && b.last(k, n) < b.data.len(), "a and b hold their last element");
    let stride = |elements: usize| isize::try_from(elements).expect("a stride within memory");
    // SAFETY: the assertions above bound the largest index that each matrix is read or written at, all
    // strides are non-negative, and `c` is borrowed mutably, so it overlaps neither `a` nor `b`.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            stride(n),
            add,
            a.data.as_ptr(),
            stride(a.column),
            stride(a.row),
            b.data.as_ptr(),
            stride(b.column),
            stride(b.row),
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposes_and_adds() {
        // [[1, 2, 3], [4, 5, 6]] · [[1, 0], [0, 1], [1, 1]] = [[4, 5], [10, 11]]
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let b = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
        let mut c = [9.0; 4];
        product(&mut c, false, Matrix::rows(&a, 3), Matrix::rows(&b, 2), [2, 2, 3]);
        assert_eq!(c, [4.0, 5.0, 10.0, 11.0]);

        let bt = [1.0, 0.0, 1.0, 0.0, 1.0, 1.0];
        product(&mut c, true, Matrix::rows(&a, 3), Matrix::rows(&bt, 3).transposed(), [2, 2, 3]);
        assert_eq!(c, [8.0, 10.0, 20.0, 22.0]);
    }
}
