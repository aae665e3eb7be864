//! The log-probability of a token at many temperatures.

use super::{DecodeError, row::check};
use crate::math::exp::{exp_row, greatest, widen};

/// Buffers of one row, kept between rows.
#[derive(Clone, Debug, Default)]
pub struct Tempered {
    /// Logits, and then how far each is below the greatest.
    below: Vec<f64>,
    scaled: Vec<f64>,
    weights: Vec<f64>,
}

impl Tempered {
    /// `ln softmax(logits / T)[token]` for every `T` of `temperatures`, each `> 0`; as a function of `1/T` it is concave.
    ///
    /// ```
    /// # use llmpr::decode::tempered::Tempered;
    /// let logits = [0.0, 2f32.ln()];
    /// let found = Tempered::default().log_probs(&logits, 1, &[1.0, 0.5])?;
    /// assert!((found[0].exp() - 2.0 / 3.0).abs() < 1e-6);
    /// assert!((found[1].exp() - 4.0 / 5.0).abs() < 1e-6); // squares, made to sum to 1
    /// # Ok::<(), llmpr::decode::DecodeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`DecodeError::NanLogit`], [`DecodeError::InfiniteLogit`], [`DecodeError::NoToken`], and
    /// [`DecodeError::UnknownToken`] for a token without a logit.
    ///
    /// # Cost
    ///
    /// `O(V)` a temperature.
    pub fn log_probs(
        &mut self,
        logits: &[f32],
        token: u32,
        temperatures: &[f64],
    ) -> Result<Vec<f64>, DecodeError> {
        check(logits)?;
        let (at, vocabulary) = (token as usize, logits.len());
        if at >= vocabulary {
            return Err(DecodeError::UnknownToken { token, vocabulary });
        }
        self.below.resize(vocabulary, 0.0);
        widen(logits, &mut self.below);
        let most = greatest(&self.below);
        self.below.iter_mut().for_each(|x| *x -= most);
        let mut of = |&temperature: &f64| {
            self.scaled.clear();
            self.scaled.extend(self.below.iter().map(|x| x / temperature));
            self.scaled[at] - exp_row(&self.scaled, 0.0, &mut self.weights).ln()
        };
        Ok(temperatures.iter().map(&mut of).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_no_sampler_reads_is_refused() {
        let error = |logits: &[f32], token| {
            Tempered::default().log_probs(logits, token, &[1.0]).unwrap_err()
        };
        assert_eq!(error(&[0.0, f32::NAN], 0), DecodeError::NanLogit { token: 1 });
        let outside = DecodeError::UnknownToken { token: 2, vocabulary: 2 };
        assert_eq!(error(&[0.0, 1.0], 2), outside);
        let found = Tempered::default().log_probs(&[0.0, f32::NEG_INFINITY], 1, &[0.01, 9.0]);
        assert_eq!(found.unwrap(), [f64::NEG_INFINITY; 2]);
    }

    proptest! {
        #[test]
        fn the_surprise_is_convex_in_the_inverse_temperature(
            rows in proptest::collection::vec(
                (proptest::collection::vec(-8f32..8.0, 6), 0u32..6), 1..8),
            a in 0.1f64..6.0, b in 0.1f64..6.0, share in 0.0f64..1.0,
        ) {
            let between = share * a + (1.0 - share) * b;
            let temperatures = [a, b, between].map(|inverse| 1.0 / inverse);
            let mut nll = [0.0; 3];
            for (logits, token) in &rows {
                let found = Tempered::default().log_probs(logits, *token, &temperatures).unwrap();
                nll.iter_mut().zip(found).for_each(|(sum, ln_p)| *sum -= ln_p);
            }
            // Rounding alone: each term is below 100.
            prop_assert!(nll[2] <= share * nll[0] + (1.0 - share) * nll[1] + 1e-11, "{nll:?}");
            // 0 where the others together are below the rounding of 1.
            prop_assert!(nll.iter().all(|nll| *nll >= 0.0));
        }
    }
}
