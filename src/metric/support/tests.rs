use super::*;
use crate::rng;

fn cloud(name: &str, n: usize, d: usize, levels: usize) -> Matrix {
    let mut rng = rng::named(levels as u64, name);
    let values = (0..n * d).map(|_| rng::next_below(&mut rng, levels) as f64 / 7.0);
    Matrix::from_f64(d, &values.collect::<Vec<f64>>()).unwrap()
}

#[test] // against a search among the parts' own rows; few levels make ties and copies common
fn parts_read_from_the_neighbors_of_all_have_what_a_search_finds() {
    let (mut read, mut searched) = (0, 0);
    for (n, d, levels) in [(90, 2, 3), (90, 2, 1 << 20), (300, 7, 3), (700, 9, 1 << 20)] {
        let rows = cloud("rows", n, d, levels);
        for share in [0.1, 0.5] {
            let nearby = Nearby::find(&rows, 9, share).unwrap();
            for seed in 0..6 {
                let mut order: Vec<usize> = (0..n).collect();
                rng::shuffle(&mut rng::named(seed, "parts"), &mut order);
                let (first, second) = order[..n * 2 / 3].split_at(n / 3 - 5 * seed as usize);
                let [mut p, mut q] = [first.to_vec(), second.to_vec()];
                p.sort_unstable();
                q.sort_unstable();
                let alone = Sides { reference: rows.select(&p), model: rows.select(&q) };
                for ties in [Ties::Strict, Ties::Inclusive] {
                    let options = SupportOptions { ties, ..SupportOptions::default() };
                    let parts = Parts { rows: false, ..Parts::ALL };
                    let clouds = Clouds::new(alone.as_ref()).unwrap();
                    let want = some_of(clouds, &options, parts).unwrap();
                    let of = Sides { reference: p.as_slice(), model: q.as_slice() };
                    match some_of_parts(&nearby, of, Some(alone.as_ref()), &options, parts) {
                        Some(got) => assert_eq!(got, want, "{n} rows of {d}, {levels} levels"),
                        None => searched += 1,
                    }
                    let few = Parts { alpha: false, soft: false, clipped: false, ..parts };
                    let want = some_of(clouds, &options, few).unwrap();
                    if let Some(got) = some_of_parts(&nearby, of, None, &options, few) {
                        assert_eq!(got, want, "{n} rows of {d}, {levels} levels");
                        read += 1;
                    }
                }
            }
        }
    }
    assert!(read > 40 && searched < 60, "{read} were read, {searched} were not");
}

#[test]
fn sides_far_apart_are_searched_for() {
    let (near, far) = (cloud("near", 400, 6, 1 << 20), cloud("far", 400, 6, 1 << 20));
    let far = Matrix::new(6, far.as_slice().iter().map(|x| x + 1e7).collect()).unwrap();
    let both = near.stack(&far);
    let nearby = Nearby::find(&both, 4, 0.25).unwrap();
    let rows: Vec<usize> = (0..800).step_by(2).collect();
    let of = Sides { reference: &rows[..200], model: &rows[200..] };
    let options = SupportOptions::default();
    let parts = Parts { rows: false, alpha: false, ..Parts::ALL };
    // No list reaches the other side.
    assert_eq!(some_of_parts(&nearby, of, None, &options, parts), None);
    let balls = Parts { authenticity: false, ..parts };
    let found = some_of_parts(&nearby, of, None, &options, balls).unwrap();
    assert_eq!(found.prdc.unwrap().precision, 0.0);
}

fn line(xs: &[f32]) -> Matrix {
    Matrix::new(1, xs.to_vec()).unwrap()
}

#[test]
fn a_member_is_there_once_both_sides_have_the_neighbors_that_it_needs() {
    let options = SupportOptions { ks: vec![1], ..SupportOptions::default() };
    // Of all ranks, these many rows have those below; clipped needs 5, soft 4, cover 9, realism 3.
    let sets = |n: usize, m: usize| Sides {
        reference: line(&(0..n).map(|i| (i * i) as f32).collect::<Vec<_>>()),
        model: line(&(0..m).map(|i| (i * i) as f32 + 0.25).collect::<Vec<_>>()),
    };
    for (n, m, there) in [
        (3, 9, [false; 4]),
        (4, 4, [true, false, false, false]),
        (9, 5, [true, true, false, false]),
        (6, 9, [true, true, true, false]),
        (10, 10, [true; 4]),
    ] {
        let sets = sets(n, m);
        let clouds = Clouds::new(sets.as_ref()).unwrap();
        let got = support(clouds, &options).unwrap();
        let of_rows = got.model[0].realism.is_some();
        let found = [of_rows, got.soft.is_some(), got.clipped.is_some(), got.cover.is_some()];
        assert_eq!(found, there, "{n} and {m} rows");
        if let [_, true, true, true] = found {
            assert_eq!(got.clipped, Some(clipped::clipped(clouds, options.clipped).unwrap()));
        }
    }
}

#[test] // by hand
fn rows_say_what_they_have_to_do_with_the_other_side() {
    let sets = Sides { reference: line(&[0.0, 1.0, 2.0, 3.0]), model: line(&[0.5, 0.875]) };
    let options = SupportOptions { ks: vec![1], ..SupportOptions::default() };
    let got = support(Clouds::new(sets.as_ref()).unwrap(), &options).unwrap();
    let of_p = |covered_by, balls, nearest, distance| ReferenceRow {
        covered_by,
        balls,
        nearest,
        distance,
        radius: 1.0,
    };
    // Balls of P have a radius of 1, those of Q one of 3/8.
    let reference =
        [of_p(2, 0, 0, 0.5), of_p(2, 1, 1, 0.125), of_p(0, 0, 1, 1.125), of_p(0, 0, 1, 2.125)];
    assert_eq!(got.reference, reference);
    let of_q = |holds, nearest, distance| ModelRow {
        balls: 2,
        holds,
        nearest,
        distance,
        radius: 0.375,
        realism: None,
    };
    assert_eq!(got.model, [of_q(0, 0, 0.5), of_q(1, 1, 0.125)]);
}
