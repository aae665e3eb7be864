//! The fewest items that hold a given mass, best first, without sorting them.

const DIGIT: u32 = 11;
const BUCKETS: usize = 1 << DIGIT;

/// Where the best items end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cutoff {
    /// Items with a greater key are in.
    pub key: u64,
    /// How many of the items with this very key are in, in index order.
    pub ties: usize,
}

/// Buffers that a selection needs, kept between draws.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffers {
    masses: Vec<f64>,
    items: Vec<(u64, f64)>,
}

/// The shortest run of `items` (key, mass), greatest key first, whose masses add up to `target`;
/// `None` where all of them together do not.
///
/// A radix selection: one pass over all items, then passes over the boundary bucket alone, at
/// most six. Masses are added by bucket, in index order within a bucket.
pub(super) fn heaviest(
    items: impl Iterator<Item = (u64, f64)> + Clone,
    target: f64,
    buffers: &mut Buffers,
) -> Option<Cutoff> {
    let Buffers { masses, items: boundary } = buffers;
    let mut above = 0.0;
    let mut shift = u64::BITS - DIGIT;
    let mut bucket = best_bucket(items.clone(), shift, target, &mut above, masses)?;
    boundary.clear();
    boundary.extend(items.filter(|item| digit(item.0, shift) == bucket));
    // All keys of the bucket share their digits above `shift`; go on with the ones below.
    while shift > 0 && boundary.iter().any(|item| item.0 != boundary[0].0) {
        shift = shift.saturating_sub(DIGIT);
        bucket = match best_bucket(boundary.iter().copied(), shift, target, &mut above, masses) {
            Some(bucket) => bucket,
            // Another order of addition fell short of the target by a rounding: all are in.
            None => boundary.iter().map(|item| digit(item.0, shift)).min()?,
        };
        boundary.retain(|item| digit(item.0, shift) == bucket);
    }
    let reaches = boundary.iter().position(|item| {
        above += item.1;
        above >= target
    });
    let ties = reaches.map_or(boundary.len(), |last| last + 1);
    boundary.first().map(|item| Cutoff { key: item.0, ties })
}

/// The bucket in which the running mass reaches `target`; `above` grows by the buckets before it.
fn best_bucket(
    items: impl Iterator<Item = (u64, f64)>,
    shift: u32,
    target: f64,
    above: &mut f64,
    masses: &mut Vec<f64>,
) -> Option<usize> {
    masses.clear();
    masses.resize(BUCKETS, 0.0);
    for (key, mass) in items {
        masses[digit(key, shift)] += mass;
    }
    for bucket in (0..BUCKETS).rev() {
        if masses[bucket] > 0.0 && *above + masses[bucket] >= target {
            return Some(bucket);
        }
        *above += masses[bucket];
    }
    None
}

fn digit(key: u64, shift: u32) -> usize {
    (key >> shift) as usize & (BUCKETS - 1)
}

/// A key that orders finite non-negative numbers as they are ordered.
pub(super) fn ascending(value: f64) -> u64 {
    // The bits of non-negative floats are in order; the sign bit is free, so the digits start
    // right after it.
    (value + 0.0).to_bits() << 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn selection_equals_sorting(
            items in proptest::collection::vec((0u64..40, 1u32..9), 1..200),
            spread in prop_oneof![Just(1u64), Just(1 << 20), Just(0x0123_4567_89ab_cdef)],
            share in 0.01..1.2f64,
        ) {
            // Whole masses add up exactly in any order.
            let items: Vec<(u64, f64)> =
                items.iter().map(|&(key, mass)| (key.wrapping_mul(spread), f64::from(mass))).collect();
            let target = (share * items.iter().map(|item| item.1).sum::<f64>()).ceil();
            let mut sorted: Vec<(usize, (u64, f64))> = items.iter().copied().enumerate().collect();
            sorted.sort_by_key(|&(index, (key, _))| (std::cmp::Reverse(key), index));
            let mut sum = 0.0;
            let last = sorted.iter().position(|(_, item)| { sum += item.1; sum >= target });
            let expected = last.map(|last| {
                let key = sorted[last].1.0;
                Cutoff { key, ties: sorted[..=last].iter().filter(|(_, item)| item.0 == key).count() }
            });
            prop_assert_eq!(heaviest(items.iter().copied(), target, &mut Buffers::default()), expected);
        }
    }
}
