//! Which experts a token uses, and with what weights: the same arithmetic for every engine.

use crate::lm::arch::config::{Experts, Score};

/// For each expert the rows that chose it, and their weights for it.
pub struct Chosen(Vec<Vec<(usize, f32)>>);

impl Chosen {
    /// Rows and weights of expert `expert`, in the order of the rows.
    pub fn of(&self, expert: usize) -> &[(usize, f32)] {
        &self.0[expert]
    }
}

/// Chooses for rows of router logits, `rows × experts`; of equal logits the first expert's is taken.
pub fn choose(experts: &Experts, logits: &[f32]) -> Chosen {
    let mut chosen = vec![Vec::new(); experts.count];
    for (row, logits) in logits.chunks_exact(experts.count).enumerate() {
        let mut order: Vec<_> = (0..experts.count).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
        order.truncate(experts.used);
        let most = order.first().map_or(0.0, |&best| f64::from(logits[best]));
        let e = |expert: usize| (f64::from(logits[expert]) - most).exp();
        let total: f64 = match experts.score {
            Score::Softmax => (0..experts.count).map(e).sum(),
            Score::SoftmaxOfChosen => order.iter().map(|&expert| e(expert)).sum(),
            Score::Sigmoid => 1.0,
        };
        for &expert in &order {
            let weight = match experts.score {
                Score::Softmax | Score::SoftmaxOfChosen => e(expert) / total,
                Score::Sigmoid => 1.0 / (1.0 + (-f64::from(logits[expert])).exp()),
            };
            chosen[expert].push((row, weight as f32));
        }
    }
    Chosen(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn experts(used: usize, score: Score) -> Experts {
        Experts {
            count: 4,
            used,
            width: 1,
            score,
            scales_input: false,
            biased: false,
            shared: None,
        }
    }

    #[test]
    fn the_best_are_chosen_and_weighed_as_the_family_says() {
        // Odds of 1, 2, 4 and 1.
        let logits = [0.0, 2f32.ln(), 4f32.ln(), 0.0];
        let weights = |score| {
            let chosen = choose(&experts(2, score), &logits);
            let of =
                |expert| chosen.of(expert).iter().map(|(_, weight)| *weight).collect::<Vec<_>>();
            [of(0), of(1), of(2), of(3)]
        };
        let near = |got: [Vec<f32>; 4], wanted: [f32; 2]| {
            assert!(got[0].is_empty() && got[3].is_empty());
            assert!(
                (got[1][0] - wanted[0]).abs() < 1e-6 && (got[2][0] - wanted[1]).abs() < 1e-6,
                "{got:?}"
            );
        };
        near(weights(Score::Softmax), [2.0 / 8.0, 4.0 / 8.0]);
        near(weights(Score::SoftmaxOfChosen), [2.0 / 6.0, 4.0 / 6.0]);
        near(weights(Score::Sigmoid), [2.0 / 3.0, 4.0 / 5.0]);
    }

    #[test]
    fn equal_logits_go_to_the_first_and_rows_keep_their_order() {
        let chosen = choose(&experts(1, Score::SoftmaxOfChosen), &[1.0; 8]);
        assert_eq!(chosen.of(0), [(0, 1.0), (1, 1.0)]);
        assert!((1..4).all(|expert| chosen.of(expert).is_empty()));
    }
}
