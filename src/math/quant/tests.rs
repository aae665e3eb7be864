use super::{format::GROUP, *};
use crate::rng;

fn numbers(what: &str, len: usize) -> Vec<f32> {
    let mut rng = rng::named(1, what);
    (0..len).map(|_| rng::next_unit(&mut rng) as f32 - 0.5).collect()
}

/// Any bits, with scales and offsets near 0.1.
fn blocks(format: Format, count: usize) -> Vec<u8> {
    let mut rng = rng::named(2, format.name());
    let mut bytes: Vec<u8> =
        (0..count * format.size()).map(|_| (rng::next_unit(&mut rng) * 256.0) as u8).collect();
    let halves: &[usize] = match format {
        Format::Q6K => &[208],
        Format::Mxfp4 => &[],
        _ if format.has_offset() => &[0, 2],
        _ => &[0],
    };
    for (i, block) in bytes.chunks_exact_mut(format.size()).enumerate() {
        for at in halves {
            block[at + 1] = (0x2e - (i % 3) as u8) | (u8::from(i % 5 == 0) << 7);
        }
        if format == Format::Mxfp4 {
            block[0] = [124, 125, 120, 0, 1, 2][i % 6];
        }
    }
    bytes
}

fn matrix(format: Format, bytes: &[u8], n: usize, k: usize) -> Blocks {
    let row = k / format.block() * format.size();
    Blocks::new(format, n, k, |i| &bytes[i * row..][..row])
}

fn run(isa: Isa, x: &[f32], rows: usize, w: &Blocks) -> Vec<f32> {
    let mut y = vec![f32::NAN; rows * w.n()];
    let outputs = Outputs { y: &mut y, first: 0, stride: w.n() };
    product(isa, &mut Workspace::default(), x, rows, w, 0..w.panels(), outputs);
    y
}

/// The formula at the top, one output.
fn plain(format: Format, row: &[u8], x: &[f32]) -> f32 {
    let mut y = 0f32;
    let per_block = format.block() / GROUP;
    for (g, x) in x.chunks_exact(GROUP).enumerate() {
        let greatest = x.iter().fold(0f32, |most, x| most.max(x.abs()));
        let (step, inverse) =
            if greatest == 0.0 { (0.0, 0.0) } else { (greatest / 32767.0, 32767.0 / greatest) };
        let q: Vec<i32> = x.iter().map(|x| (x * inverse).round_ties_even() as i32).collect();
        let block = &row[g / per_block * format.size()..][..format.size()];
        let group = format.group(&format.fields(block), g % per_block);
        let sum = |of: std::ops::Range<usize>| -> i32 {
            of.map(|i| i32::from(group.codes[i]) * q[i]).sum()
        };
        if format.halves_groups() {
            y = (sum(0..16) as f32).mul_add(group.scales[0] * step, y);
            y = (sum(16..32) as f32).mul_add(group.scales[1] * step, y);
        } else {
            y = (sum(0..32) as f32).mul_add(group.scales[0] * step, y);
        }
        if format.has_offset() {
            y = group.offset.mul_add(step * q.iter().sum::<i32>() as f32, y);
        }
    }
    y
}

#[test] // the definition, bit for bit: the order of additions is part of the promise
fn every_instruction_set_gives_the_bits_of_the_plain_loop() {
    for format in Format::ALL {
        for (rows, k, n) in [(1, 256, 1), (3, 512, 33), (7, 768, 64), (13, 2304, 70)] {
            let bytes = blocks(format, n * k / format.block());
            let w = matrix(format, &bytes, n, k);
            let mut x = numbers("x", rows * k);
            x[..GROUP].fill(0.0);
            let of_row = bytes.len() / n;
            let all = x
                .chunks_exact(k)
                .flat_map(|x| bytes.chunks_exact(of_row).map(move |row| plain(format, row, x)));
            let expected: Vec<f32> = all.collect();
            assert!(expected.iter().all(|y| y.is_finite()), "{format:?}");
            for isa in Isa::available() {
                let case = format!("{format:?}, {rows} × {k} × {n}, {}", isa.name());
                assert_eq!(run(isa, &x, rows, &w), expected, "{case}");
            }
        }
    }
}

#[test] // the bound: half a step of rounding in every activation, and the sums in f32
fn a_product_is_as_near_to_that_of_the_numbers_as_16_bits_allow() {
    let (rows, k, n) = (5, 768, 40);
    for format in Format::ALL {
        let bytes = blocks(format, n * k / format.block());
        let w = matrix(format, &bytes, n, k);
        let mut wide = vec![0.0; n * k];
        format.widen(&bytes, &mut wide);
        let x = numbers("x", rows * k);
        let got = run(Isa::best(), &x, rows, &w);
        for (i, got) in got.iter().enumerate() {
            let (x, w) = (&x[i / n * k..][..k], &wide[i % n * k..][..k]);
            let (mut exact, mut most, mut size) = (0f64, 0f64, 0f64);
            for (x, w) in x.chunks_exact(GROUP).zip(w.chunks_exact(GROUP)) {
                let greatest = x.iter().fold(0f32, |most, x| most.max(x.abs()));
                for (x, w) in x.iter().zip(w) {
                    let (x, w) = (f64::from(*x), f64::from(*w));
                    exact += x * w;
                    most += w.abs() * f64::from(greatest) / 65534.0;
                    // Offset and code may be much larger than their sum.
                    size += 40.0 * x.abs().max(1e-3);
                }
            }
            let error = (f64::from(*got) - exact).abs();
            assert!(error <= 1.01 * most + size * 2f64.powi(-22), "{format:?}: {error} > {most}");
        }
    }
}

#[test]
fn a_row_has_the_same_bits_alone_and_in_any_batch() {
    let (k, n, most) = (288, 70, 70);
    let x = numbers("x", most * k);
    for format in [Format::Q4_1, Format::Q8_0] {
        let w = matrix(format, &blocks(format, n * k / 32), n, k);
        for isa in Isa::available() {
            let alone: Vec<f32> = x.chunks(k).flat_map(|row| run(isa, row, 1, &w)).collect();
            for rows in 1..=most {
                assert_eq!(run(isa, &x, rows, &w), alone[..rows * n], "{rows} rows");
            }
        }
    }
    let (k, w) = (256, matrix(Format::Q4_0, &blocks(Format::Q4_0, 40 * 8), 40, 256));
    let x = numbers("x", 400 * k);
    let alone: Vec<f32> = x.chunks(k).flat_map(|row| run(Isa::best(), row, 1, &w)).collect();
    assert_eq!(run(Isa::best(), &x, 400, &w), alone, "more rows than a block");
}

#[test]
fn packed_rows_are_the_widened_blocks_and_take_their_memory() {
    for format in Format::ALL {
        let (n, k) = (64, 512);
        let bytes = blocks(format, n * k / format.block());
        let w = matrix(format, &bytes, n, k);
        let mut wide = vec![0.0; n * k];
        format.widen(&bytes, &mut wide);
        let mut row = vec![f32::NAN; k];
        for (i, wide) in wide.chunks_exact(k).enumerate() {
            w.row(i, &mut row);
            assert_eq!(row, wide, "{format:?}, row {i}");
        }
        let share = w.bytes() as f64 / bytes.len() as f64;
        assert!((1.0..1.06).contains(&share), "{format:?}: {share} of the file's bytes");
    }
}

#[test]
fn only_the_columns_of_the_panels_are_written() {
    let (k, n) = (64, 70);
    let w = matrix(Format::Q4_0, &blocks(Format::Q4_0, n * 2), n, k);
    let x = numbers("x", 2 * k);
    let whole = run(Isa::best(), &x, 2, &w);
    let mut y = vec![-1.0; 2 * 100];
    let outputs = Outputs { y: &mut y, first: 10, stride: 100 };
    product(Isa::best(), &mut Workspace::default(), &x, 2, &w, 1..3, outputs);
    for (row, whole) in y.chunks_exact(100).zip(whole.chunks_exact(n)) {
        assert!(row[..42].iter().chain(&row[80..]).all(|y| *y == -1.0));
        assert_eq!(row[42..80], whole[32..]);
    }
}

#[test]
fn a_row_with_nan_or_infinity_is_not_finite_and_its_neighbor_is() {
    let (k, n) = (64, 32);
    let w = matrix(Format::Q4_1, &blocks(Format::Q4_1, n * 2), n, k);
    for bad in [f32::NAN, f32::INFINITY] {
        let mut x = numbers("x", 2 * k);
        x[40] = bad;
        let y = run(Isa::best(), &x, 2, &w);
        assert!(y[..n].iter().all(|y| !y.is_finite()) && y[n..].iter().all(|y| y.is_finite()));
    }
}
