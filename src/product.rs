//! Products of matrices: safe entries to `matrixmultiply`'s kernels.
//!
//! Every entry runs on the calling thread; callers spread fixed tiles over threads, so a value does
//! not depend on how many there are.

/// `out = scale · A Bᵀ`, where `a` holds rows of `d` values, `b` too, and `out` is row-major with one
/// column per row of `b`.
pub(crate) fn rows_by_rows(a: &[f32], b: &[f32], d: usize, scale: f32, out: &mut [f32]) {
    let (m, n) = shape(a.len(), b.len(), d, out.len());
    #[expect(unsafe_code, reason = "matrixmultiply takes pointers; `shape` checked every length")]
    // SAFETY: `a` holds m × d values, `b` n × d and `out` m × n, as the strides say.
    unsafe {
        matrixmultiply::sgemm(
            m,
            d,
            n,
            scale,
            a.as_ptr(),
            d as isize,
            1,
            b.as_ptr(),
            1,
            d as isize,
            0.0,
            out.as_mut_ptr(),
            n as isize,
            1,
        );
    }
}

/// The same in `f64`.
pub(crate) fn rows_by_rows_f64(a: &[f64], b: &[f64], d: usize, scale: f64, out: &mut [f64]) {
    let (m, n) = shape(a.len(), b.len(), d, out.len());
    #[expect(unsafe_code, reason = "matrixmultiply takes pointers; `shape` checked every length")]
    // SAFETY: `a` holds m × d values, `b` n × d and `out` m × n, as the strides say.
    unsafe {
        matrixmultiply::dgemm(
            m,
            d,
            n,
            scale,
            a.as_ptr(),
            d as isize,
            1,
            b.as_ptr(),
            1,
            d as isize,
            0.0,
            out.as_mut_ptr(),
            n as isize,
            1,
        );
    }
}

/// Rows of `a` and of `b`.
fn shape(a: usize, b: usize, d: usize, out: usize) -> (usize, usize) {
    assert!(d > 0 && a.is_multiple_of(d) && b.is_multiple_of(d), "rows of {d}: {a} and {b} values");
    let (m, n) = (a / d, b / d);
    assert_eq!(out, m * n, "a product of {m} rows and {n} rows");
    (m, n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_holds_the_inner_products_of_rows() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0], [1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        let mut out = [0.0f32; 6];
        rows_by_rows(&a, &b, 2, -2.0, &mut out);
        assert_eq!(out, [-2.0, -4.0, -6.0, -6.0, -8.0, -14.0]);
        let mut out = [0.0f64; 6];
        rows_by_rows_f64(&a.map(f64::from), &b.map(f64::from), 2, 1.0, &mut out);
        assert_eq!(out, [1.0, 2.0, 3.0, 3.0, 4.0, 7.0]);
    }
}
