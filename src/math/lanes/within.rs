//! Which columns of a row of products are within reach, a bit for each.

use crate::math::simd::{Isa, widest};

/// Columns whose bits share a word.
const COLUMNS: usize = 32;

widest! {
    /// Whether any of [`bits`] is set.
    fn any_within(
        products: &[f32; COLUMNS],
        low: f32,
        lows: &[f32; COLUMNS],
        reach: f32,
        reaches: &[f32; COLUMNS],
    ) -> bool {
        let mut any = false;
        for j in 0..COLUMNS {
            let far = if reaches[j] > reach { reaches[j] } else { reach };
            any |= -2.0 * products[j] + (low + lows[j]) <= far;
        }
        any
    }
}

/// Per 32 columns of a row of products: a bit for each column where `−2 product + (low + lows[j])` is at
/// most the larger of `reach` and `reaches[j]`. `lows` and `reaches` have one value per column.
pub(crate) fn within(
    products: &[f32],
    low: f32,
    lows: &[f32],
    reach: f32,
    reaches: &[f32],
    out: &mut Vec<u32>,
) {
    out.clear();
    let ((wide, products), (wide_lows, lows), (wide_reaches, reaches)) = (
        products.as_chunks::<COLUMNS>(),
        lows.as_chunks::<COLUMNS>(),
        reaches.as_chunks::<COLUMNS>(),
    );
    for ((products, lows), reaches) in wide.iter().zip(wide_lows).zip(wide_reaches) {
        out.push(match Isa::best() {
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "compiled for instructions that the processor has")]
            // SAFETY: an `Isa` is made only where the processor has its instructions.
            Isa::Avx512 => unsafe { bits_512(products, low, lows, reach, reaches) },
            _ if any_within(products, low, lows, reach, reaches) => {
                bits(products, low, lows, reach, reaches)
            }
            _ => 0,
        });
    }
    out.push(bits(products, low, lows, reach, reaches));
}

/// A bit for each of at most 32 columns.
fn bits(products: &[f32], low: f32, lows: &[f32], reach: f32, reaches: &[f32]) -> u32 {
    let columns = products.iter().zip(lows).zip(reaches).enumerate();
    columns.fold(0, |bits, (j, ((product, lows), &far))| {
        let far = if far > reach { far } else { reach };
        bits | u32::from(-2.0 * product + (low + lows) <= far) << j
    })
}

/// [`bits`], where comparisons give them directly.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[inline]
fn bits_512(
    products: &[f32; COLUMNS],
    low: f32,
    lows: &[f32; COLUMNS],
    reach: f32,
    reaches: &[f32; COLUMNS],
) -> u32 {
    use std::arch::x86_64::{
        _CMP_LE_OQ, _mm512_add_ps, _mm512_cmp_ps_mask, _mm512_loadu_ps, _mm512_max_ps,
        _mm512_mul_ps, _mm512_set1_ps,
    };
    let half = |at: usize| {
        let values = |of: &[f32; COLUMNS]| {
            #[expect(unsafe_code, reason = "the load takes a pointer")]
            // SAFETY: `at` is 0 or 16, and 16 of the 32 values follow.
            unsafe {
                _mm512_loadu_ps(of.as_ptr().add(at))
            }
        };
        let low = _mm512_add_ps(_mm512_set1_ps(low), values(lows));
        let far = _mm512_max_ps(values(reaches), _mm512_set1_ps(reach));
        let products = _mm512_mul_ps(_mm512_set1_ps(-2.0), values(products));
        u32::from(_mm512_cmp_ps_mask::<_CMP_LE_OQ>(_mm512_add_ps(products, low), far))
    };
    half(0) | half(16) << 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_is_set_for_each_column_within_reach() {
        for columns in [0, 5, 32, 47, 96] {
            let products: Vec<f32> = (0..columns).map(|j| (j * 7 % 10) as f32 / -2.0).collect();
            let lows: Vec<f32> = (0..columns).map(|j| (j % 3) as f32).collect();
            let reaches: Vec<f32> = (0..columns).map(|j| (j * 5 % 9) as f32).collect();
            let mut bits = vec![9];
            within(&products, 1.0, &lows, 4.0, &reaches, &mut bits);
            for j in 0..columns {
                let inside = -2.0 * products[j] + (1.0 + lows[j]) <= reaches[j].max(4.0);
                assert_eq!(bits[j / 32] >> (j % 32) & 1 == 1, inside, "column {j} of {columns}");
            }
            let chunks = products.as_chunks().0.iter().zip(lows.as_chunks().0);
            for ((products, lows), reaches) in chunks.zip(reaches.as_chunks().0) {
                let all = super::bits(products, 1.0, lows, 4.0, reaches);
                assert_eq!(any_within(products, 1.0, lows, 4.0, reaches), all != 0);
                #[cfg(target_arch = "x86_64")]
                if Isa::available().contains(&Isa::Avx512) {
                    #[expect(unsafe_code, reason = "the processor has the instructions")]
                    let wide = unsafe { bits_512(products, 1.0, lows, 4.0, reaches) };
                    assert_eq!(wide, all);
                }
            }
        }
    }

    #[test]
    fn every_instruction_set_sees_the_same_columns() {
        for at in 0..40 {
            let row = |of: i32| {
                [0; COLUMNS].map({
                    let mut j = 0;
                    move |_: i32| {
                        j += 1;
                        ((j * of + at) % 11) as f32 - 5.0
                    }
                })
            };
            let (products, lows, reaches) = (row(3), row(5), row(7));
            let reach = -18.0 + at as f32;
            let any = bits(&products, -6.0, &lows, reach, &reaches) != 0;
            for isa in Isa::available() {
                assert_eq!(on::any_within(isa, &products, -6.0, &lows, reach, &reaches), any);
            }
        }
    }
}
