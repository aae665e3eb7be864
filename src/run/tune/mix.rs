//! A mixture of two settings, and which of its texts are of which.

use crate::rng::{self, shuffle};

/// Texts among which the share of a part is kept.
const BLOCK: usize = 20;

/// Two settings, one of which each text is drawn from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mix {
    /// The settings.
    pub parts: [usize; 2],
    /// The share of texts that the second one draws, above 0 and below 1.
    pub share: f64,
}

impl Mix {
    /// Which part, 0 or 1, each of the first `m` texts is of; with more of them these stay as they are.
    pub fn origins(&self, m: usize, seed: u64) -> Vec<usize> {
        let upto = |block: usize| ((block * BLOCK) as f64 * self.share).round() as usize;
        let block = |at: usize| {
            let mut ranks: Vec<usize> = (0..BLOCK).collect();
            shuffle(&mut rng::named(seed, &format!("mixture {at}")), &mut ranks);
            let quota = upto(at + 1) - upto(at);
            ranks.into_iter().map(move |rank| usize::from(rank < quota))
        };
        (0..m.div_ceil(BLOCK)).flat_map(block).take(m).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_of_the_second_part_by_its_share_and_only_added() {
        for (share, of_200) in [(0.25, 50), (0.5, 100), (0.07, 14), (1.0 / 3.0, 67)] {
            let mix = Mix { parts: [0, 1], share };
            let all = mix.origins(200, 3);
            assert_eq!(all.iter().sum::<usize>(), of_200, "{share}");
            assert_eq!(mix.origins(33, 3), all[..33]);
        }
        // A share of every twenty texts, not at the same places of them.
        let all = Mix { parts: [0, 1], share: 0.25 }.origins(200, 3);
        assert!(all.chunks(20).all(|twenty| twenty.iter().sum::<usize>() == 5));
        assert_ne!(all[..20], all[20..40]);
    }
}
