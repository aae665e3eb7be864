//! Products of matrices: safe entries to `matrixmultiply`'s kernels.
//!
//! Every entry runs on the calling thread; callers spread fixed tiles over threads, so a value does
//! not depend on how many there are.

use rayon::prelude::*;

/// Defines products of rows by rows, one for each type of value.
macro_rules! rows_by_rows {
    ($($(#[$meta:meta])* $name:ident: $value:ty = $kernel:path;)*) => {$(
        $(#[$meta])*
        pub(crate) fn $name(a: &[$value], b: &[$value], d: usize, scale: $value, out: &mut [$value]) {
            let (m, n) = shape(a.len(), b.len(), d, out.len());
            let (along, across) = (d as isize, n as isize);
            let (a, b, out) = (a.as_ptr(), b.as_ptr(), out.as_mut_ptr());
            #[expect(unsafe_code, reason = "kernels take pointers; `shape` checked every length")]
            // SAFETY: `a` holds m × d values, `b` n × d and `out` m × n, as the strides say.
            unsafe {
                $kernel(m, d, n, scale, a, along, 1, b, 1, along, 0.0, out, across, 1);
            }
        }
    )*};
}

rows_by_rows! {
    /// `out = scale · A Bᵀ`, where `a` holds rows of `d` values, `b` too, and `out` is row-major with one
    /// column per row of `b`.
    rows_by_rows: f32 = matrixmultiply::sgemm;
    /// The same in `f64`.
    rows_by_rows_f64: f64 = matrixmultiply::dgemm;
}

/// Adds `Aᵀ A` to the lower triangle of the `d × d` matrix `sums` (row-major), where `a` holds rows of
/// `d` values. Entries above the diagonal are left undefined.
pub(crate) fn add_columns_by_columns(a: &[f64], d: usize, sums: &mut [f64]) {
    const TILE: usize = 256;
    let (rows, _) = shape(a.len(), 0, d, 0);
    assert_eq!(sums.len(), d * d, "sums over {d} columns");
    sums.par_chunks_mut(TILE * d).enumerate().for_each(|(tile, sums)| {
        let (from, count) = (tile * TILE, sums.len() / d);
        let width = from + count;
        #[expect(unsafe_code, reason = "matrixmultiply takes pointers; lengths were checked above")]
        // SAFETY: columns `from..from + count` and `0..width` lie within rows of `d` values, and the
        // tile holds `count` rows of `d` sums, of which the first `width` are written.
        unsafe {
            matrixmultiply::dgemm(
                count,
                rows,
                width,
                1.0,
                a.as_ptr().add(from),
                1,
                d as isize,
                a.as_ptr(),
                d as isize,
                1,
                1.0,
                sums.as_mut_ptr(),
                d as isize,
                1,
            );
        }
    });
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

    #[test]
    fn squares_of_columns_are_added_to_what_is_there() {
        let mut sums = [10.0, 0.0, 0.0, 10.0];
        add_columns_by_columns(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, &mut sums);
        assert_eq!((sums[0], sums[2], sums[3]), (45.0, 44.0, 66.0));
    }
}
