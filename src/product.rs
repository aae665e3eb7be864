//! Products of matrices, as measures need them. A value does not depend on the number of threads, on how
//! rows are cut into blocks, or on the processor.

use crate::gemm::Panels;
pub(crate) use crate::gemm::doubles::{Gram, Rows, rows_by_rows as rows_by_rows_f64};

/// `out = scale · A Bᵀ`, where `a` holds rows of `d` values, `b` too, and `out` is row-major with one
/// column per row of `b`. Runs on the calling thread, but for the packing of large sides.
pub(crate) fn rows_by_rows(a: &[f32], b: &[f32], d: usize, scale: f32, out: &mut [f32]) {
    assert!(d > 0 && a.len().is_multiple_of(d) && b.len().is_multiple_of(d), "rows of {d}");
    let (a, b) = (Panels::of(a, d), Panels::of(b, d));
    Panels::products((&a, 0..a.rows()), (&b, 0..b.rows()), scale, out);
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
