//! The fewest items that hold a given mass, nearest first, without sorting them.

const DIGIT: u32 = 11;
const BUCKETS: usize = 1 << DIGIT;
/// Buckets of the first pass per unit of distance: they reach to 64, and the last holds the rest.
const FINENESS: f64 = BUCKETS as f64 / 64.0;

/// Where the nearest items end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cutoff {
    /// Items nearer than this are in.
    pub distance: f64,
    /// How many of the items at this very distance are in, in index order.
    pub ties: usize,
}

/// Buffers that a selection needs, kept between draws.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffers {
    masses: Vec<f64>,
    boundary: Vec<(f64, f64)>,
}

/// The shortest run of `items` (distance ≥ 0, mass > 0), nearest first, whose masses add up to
/// `target`; `None` where all of them together do not.
///
/// Masses are added into buckets of distance; then the bucket in which the target is reached is
/// refined alone, by the bits of its distances: `O(n)`.
pub(super) fn nearest(
    items: impl Iterator<Item = (f64, f64)> + Clone,
    target: f64,
    buffers: &mut Buffers,
) -> Option<Cutoff> {
    let Buffers { masses, boundary } = buffers;
    let mut before = 0.0;
    let coarse = |distance: f64| ((distance * FINENESS) as usize).min(BUCKETS - 1);
    let mut bucket = reaching(items.clone(), coarse, target, &mut before, masses)?;
    boundary.clear();
    boundary.extend(items.filter(|item| coarse(item.0) == bucket));
    let mut shift = u64::BITS;
    while shift > 0 && boundary.iter().any(|item| item.0 != boundary[0].0) {
        shift = shift.saturating_sub(DIGIT);
        let digit = |distance: f64| (distance.to_bits() >> shift) as usize & (BUCKETS - 1);
        let items = boundary.iter().copied();
        bucket = match reaching(items, digit, target, &mut before, masses) {
            Some(bucket) => bucket,
            // Another order of addition fell short of the target by a rounding: all are in.
            None => boundary.iter().map(|item| digit(item.0)).max()?,
        };
        boundary.retain(|item| digit(item.0) == bucket);
    }
    let last = boundary.iter().position(|item| {
        before += item.1;
        before >= target
    });
    let ties = last.map_or(boundary.len(), |last| last + 1);
    boundary.first().map(|item| Cutoff { distance: item.0, ties })
}

/// The bucket in which the running mass reaches `target`; `before` grows by the buckets before it.
fn reaching(
    items: impl Iterator<Item = (f64, f64)>,
    bucket: impl Fn(f64) -> usize,
    target: f64,
    before: &mut f64,
    masses: &mut Vec<f64>,
) -> Option<usize> {
    masses.clear();
    masses.resize(BUCKETS, 0.0);
    for (distance, mass) in items {
        masses[bucket(distance)] += mass;
    }
    for (bucket, &mass) in masses.iter().enumerate() {
        if mass > 0.0 && *before + mass >= target {
            return Some(bucket);
        }
        *before += mass;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn selection_equals_sorting(
            items in proptest::collection::vec((0u32..40, 1u32..9), 1..200),
            unit in prop_oneof![Just(1.0), Just(1e-9), Just(0.011), Just(7e5), Just(0.0)],
            share in 0.01..1.2f64,
        ) {
            // Whole masses add up exactly in any order.
            let items: Vec<(f64, f64)> =
                items.iter().map(|&(d, mass)| (f64::from(d) * unit, f64::from(mass))).collect();
            let target = (share * items.iter().map(|item| item.1).sum::<f64>()).ceil();
            let mut sorted = items.clone();
            sorted.sort_by(|a, b| a.0.total_cmp(&b.0)); // stable: ties in index order
            let mut sum = 0.0;
            let last = sorted.iter().position(|item| { sum += item.1; sum >= target });
            let expected = last.map(|last| {
                let distance = sorted[last].0;
                let ties = sorted[..=last].iter().filter(|item| item.0 == distance).count();
                Cutoff { distance, ties }
            });
            let got = nearest(items.iter().copied(), target, &mut Buffers::default());
            prop_assert_eq!(got, expected);
        }
    }
}
