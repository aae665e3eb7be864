//! Rows of `f32` and `f64` as measures need them: loops that go element by element, compare, or sum in a
//! fixed number of lanes. Nothing is fused, so every processor gives the same bits.

mod within;

pub(crate) use within::within;

use super::simd::widest;

/// Lanes of sums; their number decides the rounding.
const SUMS: usize = 8;
/// Lanes of sums in `f32`.
const PRODUCTS: usize = 16;

widest! {
    /// Lowers each `least[j]` to the least of `values[i, j] + add[i]` over the rows `i` of `values`, where that
    /// is less, and sets `labels[j]` to `first + i` then: the first row on ties.
    pub(crate) fn least_of_rows(
        values: &[f32],
        add: &[f32],
        first: u32,
        least: &mut [f32],
        labels: &mut [u32],
    ) {
        for ((row, &add), label) in values.chunks_exact(least.len().max(1)).zip(add).zip(first..) {
            for ((&value, least), of) in row.iter().zip(least.iter_mut()).zip(labels.iter_mut()) {
                let value = value + add;
                let less = value < *least;
                *least = if less { value } else { *least };
                *of = if less { label } else { *of };
            }
        }
    }

    /// `Σ copies[i] · max(least[i] + squares[i], 0)` over 8 fixed lanes.
    pub(crate) fn sum_of_weights(least: &[f32], squares: &[f32], copies: &[f64]) -> f64 {
        let mut lanes = [0.0f64; SUMS];
        let of = |least: f32, square: f32, copies: f64| {
            let near = least + square;
            copies * f64::from(if near > 0.0 { near } else { 0.0 })
        };
        let ((wide_l, rest_l), (wide_s, rest_s)) = (least.as_chunks::<SUMS>(), squares.as_chunks::<SUMS>());
        let (wide_c, rest_c) = copies.as_chunks::<SUMS>();
        for ((least, squares), copies) in wide_l.iter().zip(wide_s).zip(wide_c) {
            for lane in 0..SUMS {
                lanes[lane] += of(least[lane], squares[lane], copies[lane]);
            }
        }
        let rest = rest_l.iter().zip(rest_s).zip(rest_c);
        for (lane, ((&least, &square), &copies)) in lanes.iter_mut().zip(rest) {
            *lane += of(least, square, copies);
        }
        lanes.iter().sum()
    }

    /// `sum[i] += weight · x[i]`.
    pub(crate) fn add_scaled(sum: &mut [f64], x: &[f32], weight: f64) {
        for (sum, &x) in sum.iter_mut().zip(x) {
            *sum += weight * f64::from(x);
        }
    }

    /// `‖x‖²` in `f64` over 8 fixed lanes.
    pub(crate) fn squared_length(x: &[f32]) -> f64 {
        let mut lanes = [0.0f64; SUMS];
        let (wide, rest) = x.as_chunks::<SUMS>();
        for x in wide {
            for lane in 0..SUMS {
                lanes[lane] += f64::from(x[lane]) * f64::from(x[lane]);
            }
        }
        for (lane, &x) in lanes.iter_mut().zip(rest) {
            *lane += f64::from(x) * f64::from(x);
        }
        lanes.iter().sum()
    }

    /// `‖x − y‖²` in `f64` over 8 fixed lanes.
    pub(crate) fn squared_difference(x: &[f32], y: &[f32]) -> f64 {
        let mut lanes = [0.0f64; SUMS];
        let ((wide_x, rest_x), (wide_y, rest_y)) = (x.as_chunks::<SUMS>(), y.as_chunks::<SUMS>());
        for (x, y) in wide_x.iter().zip(wide_y) {
            for lane in 0..SUMS {
                let off = f64::from(x[lane]) - f64::from(y[lane]);
                lanes[lane] += off * off;
            }
        }
        for (lane, (&x, &y)) in lanes.iter_mut().zip(rest_x.iter().zip(rest_y)) {
            let off = f64::from(x) - f64::from(y);
            *lane += off * off;
        }
        lanes.iter().sum()
    }

    /// `‖x − y‖²` in `f64` for each of four `y`, each over 8 fixed lanes of its own: four sums at a time wait
    /// for one another less than one does.
    pub(crate) fn four_squared_differences(x: &[f32], four: [&[f32]; 4]) -> [f64; 4] {
        // One array of lanes each: an array of arrays would not stay in registers.
        let (mut a_lanes, mut b_lanes) = ([0.0f64; SUMS], [0.0f64; SUMS]);
        let (mut c_lanes, mut d_lanes) = ([0.0f64; SUMS], [0.0f64; SUMS]);
        let (wide_x, rest_x) = x.as_chunks::<SUMS>();
        let [(a, rest_a), (b, rest_b), (c, rest_c), (d, rest_d)] = four.map(|y| y.as_chunks::<SUMS>());
        for ((((x, a), b), c), d) in wide_x.iter().zip(a).zip(b).zip(c).zip(d) {
            for lane in 0..SUMS {
                let off = f64::from(x[lane]) - f64::from(a[lane]);
                a_lanes[lane] += off * off;
            }
            for lane in 0..SUMS {
                let off = f64::from(x[lane]) - f64::from(b[lane]);
                b_lanes[lane] += off * off;
            }
            for lane in 0..SUMS {
                let off = f64::from(x[lane]) - f64::from(c[lane]);
                c_lanes[lane] += off * off;
            }
            for lane in 0..SUMS {
                let off = f64::from(x[lane]) - f64::from(d[lane]);
                d_lanes[lane] += off * off;
            }
        }
        let mut all = [a_lanes, b_lanes, c_lanes, d_lanes];
        for (lanes, y) in all.iter_mut().zip([rest_a, rest_b, rest_c, rest_d]) {
            for (lane, (x, y)) in lanes.iter_mut().zip(rest_x.iter().zip(y)) {
                let off = f64::from(*x) - f64::from(*y);
                *lane += off * off;
            }
        }
        all.map(|lanes| lanes.iter().sum())
    }

    /// [`four_squared_differences`] of rows in `f64`.
    pub(crate) fn four_squared_differences_f64(x: &[f64], four: [&[f64]; 4]) -> [f64; 4] {
        // One array of lanes each: an array of arrays would not stay in registers.
        let (mut a_lanes, mut b_lanes) = ([0.0f64; SUMS], [0.0f64; SUMS]);
        let (mut c_lanes, mut d_lanes) = ([0.0f64; SUMS], [0.0f64; SUMS]);
        let (wide_x, rest_x) = x.as_chunks::<SUMS>();
        let [(a, rest_a), (b, rest_b), (c, rest_c), (d, rest_d)] = four.map(|y| y.as_chunks::<SUMS>());
        for ((((x, a), b), c), d) in wide_x.iter().zip(a).zip(b).zip(c).zip(d) {
            for lane in 0..SUMS {
                let off = x[lane] - a[lane];
                a_lanes[lane] += off * off;
            }
            for lane in 0..SUMS {
                let off = x[lane] - b[lane];
                b_lanes[lane] += off * off;
            }
            for lane in 0..SUMS {
                let off = x[lane] - c[lane];
                c_lanes[lane] += off * off;
            }
            for lane in 0..SUMS {
                let off = x[lane] - d[lane];
                d_lanes[lane] += off * off;
            }
        }
        let mut all = [a_lanes, b_lanes, c_lanes, d_lanes];
        for (lanes, y) in all.iter_mut().zip([rest_a, rest_b, rest_c, rest_d]) {
            for (lane, (x, y)) in lanes.iter_mut().zip(rest_x.iter().zip(y)) {
                let off = x - y;
                *lane += off * off;
            }
        }
        all.map(|lanes| lanes.iter().sum())
    }

    /// `⟨x, y⟩` in `f32` over 16 fixed lanes.
    pub(crate) fn product(x: &[f32], y: &[f32]) -> f32 {
        let mut lanes = [0.0f32; PRODUCTS];
        let ((wide_x, rest_x), (wide_y, rest_y)) = (x.as_chunks::<PRODUCTS>(), y.as_chunks::<PRODUCTS>());
        for (x, y) in wide_x.iter().zip(wide_y) {
            for lane in 0..PRODUCTS {
                lanes[lane] += x[lane] * y[lane];
            }
        }
        for (lane, (&x, &y)) in lanes.iter_mut().zip(rest_x.iter().zip(rest_y)) {
            *lane += x * y;
        }
        lanes.iter().sum()
    }

    /// [`product`] with each of four `y`.
    pub(crate) fn four_products(x: &[f32], four: [&[f32]; 4]) -> [f32; 4] {
        // One array of lanes each: an array of arrays would not stay in registers.
        let (mut a_lanes, mut b_lanes) = ([0.0f32; PRODUCTS], [0.0f32; PRODUCTS]);
        let (mut c_lanes, mut d_lanes) = ([0.0f32; PRODUCTS], [0.0f32; PRODUCTS]);
        let (wide_x, rest_x) = x.as_chunks::<PRODUCTS>();
        let [(a, rest_a), (b, rest_b), (c, rest_c), (d, rest_d)] = four.map(|y| y.as_chunks::<PRODUCTS>());
        for ((((x, a), b), c), d) in wide_x.iter().zip(a).zip(b).zip(c).zip(d) {
            for lane in 0..PRODUCTS {
                a_lanes[lane] += x[lane] * a[lane];
            }
            for lane in 0..PRODUCTS {
                b_lanes[lane] += x[lane] * b[lane];
            }
            for lane in 0..PRODUCTS {
                c_lanes[lane] += x[lane] * c[lane];
            }
            for lane in 0..PRODUCTS {
                d_lanes[lane] += x[lane] * d[lane];
            }
        }
        let mut all = [a_lanes, b_lanes, c_lanes, d_lanes];
        for (lanes, y) in all.iter_mut().zip([rest_a, rest_b, rest_c, rest_d]) {
            for (lane, (x, y)) in lanes.iter_mut().zip(rest_x.iter().zip(y)) {
                *lane += x * y;
            }
        }
        all.map(|lanes| lanes.iter().sum())
    }

    /// Sets every `out[j]` to `(√max(values[j] + add + lows[j], 0) + gone) · shrink`.
    pub(crate) fn lower_bounds(
        values: &[f32],
        add: f32,
        lows: &[f32],
        gone: f32,
        shrink: f32,
        out: &mut [f32],
    ) {
        for ((&value, &low), out) in values.iter().zip(lows).zip(out) {
            let squared = value + (add + low);
            let squared = if squared > 0.0 { squared } else { 0.0 };
            *out = (squared.sqrt() + gone) * shrink;
        }
    }

    /// Puts every `j` with `lower[j] − gone < upper[j]` into `out`, and nothing else.
    pub(crate) fn below(lower: &[f32], gone: f32, upper: &[f32], out: &mut Vec<u32>) {
        out.clear();
        let ((wide_l, rest_l), (wide_u, rest_u)) = (lower.as_chunks::<SUMS>(), upper.as_chunks::<SUMS>());
        for ((lower, upper), from) in wide_l.iter().zip(wide_u).zip((0u32..).step_by(SUMS)) {
            let mut any = false;
            for lane in 0..SUMS {
                any |= lower[lane] - gone < upper[lane];
            }
            // Most have none, and branches that are taken as before cost nothing.
            if any {
                for lane in 0..SUMS {
                    if lower[lane] - gone < upper[lane] {
                        out.push(from + lane as u32);
                    }
                }
            }
        }
        let from = (wide_l.len() * SUMS) as u32;
        let rest = (from..).zip(rest_l.iter().zip(rest_u));
        out.extend(rest.filter(|(_, (lower, upper))| *lower - gone < **upper).map(|(j, _)| j));
    }

    /// `Σ (x_i/d + 1)³` over 8 fixed lanes.
    pub(crate) fn sum_of_cubes(x: &[f64], d: f64) -> f64 {
        let mut lanes = [0.0f64; SUMS];
        let (wide, rest) = x.as_chunks::<SUMS>();
        for x in wide {
            for lane in 0..SUMS {
                let root = x[lane] / d + 1.0;
                lanes[lane] += root * root * root;
            }
        }
        for (lane, x) in lanes.iter_mut().zip(rest) {
            let root = x / d + 1.0;
            *lane += root * root * root;
        }
        lanes.iter().sum()
    }

    /// Replaces every `x` by `(x/d + 1)³`.
    pub(crate) fn cube(values: &mut [f64], d: f64) {
        for x in values {
            let root = *x / d + 1.0;
            *x = root * root * root;
        }
    }

    /// Replaces every `x` by `(x + 1)³ − 1`.
    pub(crate) fn cube_less_1(values: &mut [f32]) {
        for x in values {
            *x *= 3.0 + *x * (3.0 + *x);
        }
    }

    /// `Σ x_i` in `f64` over 8 fixed lanes.
    pub(crate) fn sum_of(x: &[f32]) -> f64 {
        let mut lanes = [0.0f64; SUMS];
        let (wide, rest) = x.as_chunks::<SUMS>();
        for x in wide {
            for lane in 0..SUMS {
                lanes[lane] += f64::from(x[lane]);
            }
        }
        for (lane, &x) in lanes.iter_mut().zip(rest) {
            *lane += f64::from(x);
        }
        lanes.iter().sum()
    }

    /// Adds `x` to `sum`, element by element.
    pub(crate) fn add(sum: &mut [f64], x: &[f64]) {
        for (sum, x) in sum.iter_mut().zip(x) {
            *sum += x;
        }
    }

    /// [`squared_difference`] of rows in `f64`.
    pub(crate) fn squared_difference_f64(x: &[f64], y: &[f64]) -> f64 {
        let mut lanes = [0.0f64; SUMS];
        let ((wide_x, rest_x), (wide_y, rest_y)) = (x.as_chunks::<SUMS>(), y.as_chunks::<SUMS>());
        for (x, y) in wide_x.iter().zip(wide_y) {
            for lane in 0..SUMS {
                let off = x[lane] - y[lane];
                lanes[lane] += off * off;
            }
        }
        for (lane, (x, y)) in lanes.iter_mut().zip(rest_x.iter().zip(rest_y)) {
            let off = x - y;
            *lane += off * off;
        }
        lanes.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{math::simd::Isa, rng};

    /// What every loop makes of rows of `n` numbers, bit for bit.
    fn all_loops(isa: Isa, n: usize) -> Vec<u64> {
        let mut rng = rng::named(n as u64, "lanes");
        let mut draw = || -> Vec<f32> {
            (0..n).map(|_| (rng::next_unit(&mut rng) * 6.0 - 3.0) as f32).collect()
        };
        let (x, y, far, rest) = (draw(), draw(), draw(), draw());
        let rest: Vec<f32> = rest.iter().map(|x| x * 1e-8).collect();
        let wide = |x: &[f32]| x.iter().map(|&x| f64::from(x) / 7.0).collect::<Vec<_>>();
        let (mut scaled, mut cubes, mut sums) = (wide(&x), wide(&x), wide(&x));
        on::add_scaled(isa, &mut scaled, &y, 0.3);
        on::cube(isa, &mut cubes, 5.0);
        on::add(isa, &mut sums, &wide(&y));
        let (mut least, mut labels) = (x.clone(), vec![9; n]);
        let rows = [&y[..], &far, &x, &y].concat();
        on::least_of_rows(isa, &rows, &[0.1, 0.7, -0.2, -0.3], 40, &mut least, &mut labels);
        let four = [&y, &far, &rest, &x].map(|y| wide(y));
        let four: [&[f64]; 4] = four.each_ref().map(Vec::as_slice);
        let four = [
            on::four_squared_differences_f64(isa, &wide(&x), four),
            on::four_squared_differences(isa, &x, [&y, &far, &rest, &x]),
        ]
        .concat();
        let singles = [
            on::sum_of_weights(isa, &x, &y, &wide(&far)),
            on::squared_length(isa, &x),
            f64::from(on::product(isa, &x, &y)),
            on::squared_difference(isa, &x, &y),
            on::squared_difference_f64(isa, &wide(&x), &wide(&rest)),
            on::sum_of_cubes(isa, &wide(&x), 3.0),
        ];
        let products = on::four_products(isa, &x, [&y, &far, &rest, &x]).map(f64::from);
        let mut bounds = vec![0.0; n];
        on::lower_bounds(isa, &x, 1.5, &y, 0.2, 0.9, &mut bounds);
        let mut under = Vec::new();
        on::below(isa, &x, 0.5, &far, &mut under);
        let doubles = [&scaled[..], &cubes, &sums, &singles, &four, &products].concat();
        let mut all: Vec<u64> = doubles.iter().map(|x| x.to_bits()).collect();
        all.extend(least.iter().chain(&bounds).map(|x| u64::from(x.to_bits())));
        all.extend(under.into_iter().map(u64::from));
        all.extend(labels.into_iter().map(u64::from));
        all
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        for n in [0, 1, 7, 8, 33, 64, 205] {
            let plain = all_loops(Isa::Portable, n);
            for isa in Isa::available() {
                assert_eq!(all_loops(isa, n), plain, "{n} values, {}", isa.name());
            }
        }
    }

    #[test]
    fn the_least_of_each_column_is_the_first_of_equals() {
        let columns = 40;
        // Row i holds |i − j mod 5|, so that column j is least in row j mod 5, and again five rows below.
        let values: Vec<f32> = (0..10 * columns)
            .map(|at| ((at / columns % 5) as f32 - (at % columns % 5) as f32).abs())
            .collect();
        let (mut least, mut labels) = (vec![f32::INFINITY; columns], vec![u32::MAX; columns]);
        least[7] = -9.0;
        least_of_rows(&values, &[2.0; 10], 100, &mut least, &mut labels);
        for (j, got) in least.into_iter().zip(labels).enumerate() {
            assert_eq!(got, if j == 7 { (-9.0, u32::MAX) } else { (2.0, 100 + j as u32 % 5) });
        }
    }

    #[test] // small integers are summed exactly in any order
    fn sums_over_lanes_are_those_of_a_plain_loop() {
        for d in [1, 15, 16, 17, 47] {
            let x: Vec<f32> = (0..d).map(|i| (i * i % 7) as f32).collect();
            let y: Vec<f32> = (0..d).map(|i| (i % 5) as f32).collect();
            let plain: f32 = x.iter().zip(&y).map(|(x, y)| (x - y) * (x - y)).sum();
            let weights = x.iter().zip(&y).map(|(x, y)| f64::from((x - y).max(0.0)) * 3.0);
            let minus: Vec<f32> = y.iter().map(|y| -y).collect();
            assert_eq!(sum_of_weights(&x, &minus, &vec![3.0; d]), weights.sum::<f64>());
            assert_eq!(squared_difference(&x, &y), f64::from(plain));
            let [wide_x, wide_y] =
                [&x, &y].map(|row| -> Vec<f64> { row.iter().map(|&x| f64::from(x)).collect() });
            assert_eq!(squared_difference_f64(&wide_x, &wide_y), f64::from(plain));
            let want = [1.0, 0.0, 1.0, 1.0].map(|of| of * f64::from(plain));
            let four = four_squared_differences_f64(&wide_x, [&wide_y, &wide_x, &wide_y, &wide_y]);
            assert_eq!(four, want);
            assert_eq!(four_squared_differences(&x, [&y, &x, &y, &y]), want);
            let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
            assert_eq!(product(&x, &y), dot(&x, &y));
            assert_eq!(four_products(&x, [&y, &x, &y, &y]), [&y, &x, &y, &y].map(|y| dot(&x, y)));
            let mut sums = vec![1.0; d];
            add_scaled(&mut sums, &x, 3.0);
            assert!(sums.iter().zip(&x).all(|(sum, &x)| *sum == 1.0 + 3.0 * f64::from(x)));
        }
    }

    #[test]
    fn bounds_and_what_is_below() {
        for n in [0, 5, 8, 21] {
            let values: Vec<f32> = (0..n).map(|j| (j * 7 % 10) as f32 - 2.0).collect();
            let (lows, mut bounds) = (vec![-1.0; n], vec![9.0; n]);
            lower_bounds(&values, 2.0, &lows, 3.0, 0.5, &mut bounds);
            let want = values.iter().map(|value| ((value + 1.0).max(0.0).sqrt() + 3.0) * 0.5);
            assert!(bounds.iter().copied().eq(want), "{bounds:?}");
            let upper: Vec<f32> = (0..n).map(|j| (j * 3 % 7) as f32).collect();
            let mut found = vec![77];
            below(&values, 1.0, &upper, &mut found);
            let want = (0..n).filter(|&j| values[j] - 1.0 < upper[j]).map(|j| j as u32);
            assert!(found.iter().copied().eq(want), "{found:?}");
        }
    }
}
