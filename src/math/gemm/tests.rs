use super::*;
use crate::rng;

fn numbers(what: &str, len: usize) -> Vec<f32> {
    let mut rng = rng::named(1, what);
    (0..len).map(|_| rng::next_unit(&mut rng) as f32 - 0.5).collect()
}

fn run(isa: Isa, x: &[f32], rows: usize, w: &Packed) -> Vec<f32> {
    let mut y = vec![f32::NAN; rows * w.n()];
    let outputs = Outputs { y: &mut y, first: 0, stride: w.n() };
    product(isa, &mut Workspace::default(), x, rows, w, 0..w.panels(), outputs);
    y
}

#[test] // the definition, bit for bit: the order of additions is part of the promise
fn every_instruction_set_gives_the_bits_of_the_plain_loop() {
    for (rows, k, n) in [(1, 7, 1), (3, 64, 33), (13, 100, 96), (64, 65, 70), (250, 31, 200)] {
        let (x, w) = (numbers("x", rows * k), numbers("w", n * k));
        for storage in [Storage::F32, Storage::Bf16, Storage::F16] {
            let packed = Packed::new(&[&w], k, storage);
            let mut row = vec![0.0; k];
            let mut expected = Vec::new();
            for t in 0..rows {
                for j in 0..n {
                    packed.row(j, &mut row);
                    let terms = x[t * k..][..k].iter().zip(&row);
                    expected.push(terms.fold(0f32, |sum, (x, w)| x.mul_add(*w, sum)));
                }
            }
            for isa in Isa::available() {
                let case = format!("{rows} × {k} × {n}, {storage:?}, {}", isa.name());
                assert_eq!(run(isa, &x, rows, &packed), expected, "{case}");
            }
        }
    }
}

#[test] // the definition, bit for bit: second numbers of pairs before first ones
fn products_of_bfloat16_have_the_bits_of_the_plain_loop_on_every_instruction_set() {
    for (rows, k, n) in [(1, 7, 1), (3, 64, 33), (13, 101, 96), (64, 65, 70), (250, 32, 200)] {
        let (x, w) = (numbers("x", rows * k), numbers("w", n * k));
        let packed = Packed::new(&[&w], k, Storage::Pairs);
        let round = |x: f32| half::bf16::from_f32(x).to_f32();
        let mut row = vec![0.0; k];
        let mut expected = Vec::new();
        for t in 0..rows {
            for j in 0..n {
                packed.row(j, &mut row);
                let x = &x[t * k..][..k];
                expected.push((0..k).step_by(2).fold(0f32, |sum, i| {
                    let both = (round(x[i]), x.get(i + 1).map_or(0.0, |x| round(*x)));
                    let second = row.get(i + 1).copied().unwrap_or(0.0);
                    both.0.mul_add(row[i], both.1.mul_add(second, sum))
                }));
            }
        }
        for isa in Isa::available() {
            let case = format!("{rows} × {k} × {n}, {}", isa.name());
            assert_eq!(run(isa, &x, rows, &packed), expected, "{case}");
        }
    }
}

#[test]
fn a_row_has_the_same_bits_alone_and_in_any_batch() {
    let (k, n) = (96, 130);
    let x = numbers("x", 200 * k);
    let w = Packed::new(&[&numbers("w", n * k)], k, Storage::F32);
    let isa = Isa::best();
    let alone: Vec<f32> = x.chunks(k).flat_map(|row| run(isa, row, 1, &w)).collect();
    for rows in [2, 11, 12, 13, 64, 193, 200] {
        assert_eq!(run(isa, &x, rows, &w), alone[..rows * n], "{rows} rows");
    }
}

#[test]
fn parts_are_packed_one_below_the_other() {
    let (a, b) = (numbers("a", 5 * 4), numbers("b", 40 * 4));
    let both = Packed::new(&[&a, &b], 4, Storage::F32);
    assert_eq!((both.n(), both.panels()), (45, 2));
    let mut row = [0.0; 4];
    both.row(7, &mut row);
    assert_eq!(row, b[8..12]);
}

#[test] // the definition, bit for bit, whatever the range
fn rows_by_rows_have_the_bits_of_the_plain_loop_in_any_range() {
    for (m, k, n) in [(1, 7, 1), (33, 64, 70), (100, 65, 31), (34, 300, 45)] {
        let (x, w) = (numbers("x", m * k), numbers("w", n * k));
        let (a, b) = (Panels::of(&x, k), Panels::of(&w, k));
        let mut row = vec![0.0; k];
        a.row(m - 1, &mut row);
        assert_eq!(row, x[(m - 1) * k..]);
        for (of_a, of_b) in [(0..m, 0..n), (m / 32 * 32..m, 0..n.min(32)), (0..0, 0..n)] {
            let mut got = vec![f32::NAN; of_a.len() * of_b.len()];
            Panels::products((&a, of_a.clone()), (&b, of_b.clone()), -2.0, &mut got);
            let plain = of_a.flat_map(|i| of_b.clone().map(move |j| (i, j))).map(|(i, j)| {
                let terms = x[i * k..][..k].iter().zip(&w[j * k..][..k]);
                -2.0 * terms.fold(0f32, |sum, (x, w)| x.mul_add(*w, sum))
            });
            assert_eq!(got, plain.collect::<Vec<_>>(), "{m} × {k} × {n}");
        }
    }
}

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
