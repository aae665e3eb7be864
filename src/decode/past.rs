//! What a row has behind it, and what in it repeats.

/// What a row has behind it: all that its next token may depend on beside the logits. A function of prompt, tokens
/// and the logits before, so that a row that begins anew comes to the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Past<'a> {
    /// Tokens before, prompt included, where the chain reads them.
    pub context: &'a [u32],
    /// How many of them are the prompt's.
    pub prompt: usize,
    /// Tokens over which repetitions do not reach that DRY counts, ascending.
    pub breakers: &'a [u32],
    /// Mirostat's `μ`, bits; nothing before the first token.
    pub mu: Option<f64>,
}

impl<'a> Past<'a> {
    /// A prompt alone.
    pub fn of(context: &'a [u32]) -> Self {
        Self { context, prompt: context.len(), ..Self::default() }
    }

    /// The tokens that were drawn.
    pub(super) fn drawn(&self) -> &'a [u32] {
        &self.context[self.prompt.min(self.context.len())..]
    }
}

/// The tokens that would end a run of `n ≥ 1` tokens that `context` has already.
pub(super) fn run_ends(context: &[u32], n: usize) -> impl Iterator<Item = u32> {
    let start = context.len().saturating_sub(n - 1);
    let end = &context[start..];
    // A context of fewer than n − 1 tokens has no such run.
    context.windows(n).filter(move |run| run[..n - 1] == *end).map(move |run| run[n - 1])
}

/// For every token but the first: how many tokens before it are also the end of `context`, at most `limit`; as
/// (token, length), lengths from 1 up.
///
/// The lengths are the Z-function of the reversed context, `O(n)`: `z[i]` is how far the context read backwards from
/// the `i`-th last token agrees with the context read backwards from its end.
pub(super) fn repetitions(context: &[u32], limit: usize) -> Vec<(u32, usize)> {
    let n = context.len();
    let back = |i: usize| context[n - 1 - i];
    let mut z = vec![0; n];
    let (mut left, mut right) = (0, 0);
    for i in 1..n {
        let mut length = if i < right { z[i - left].min(right - i) } else { 0 };
        while i + length < n && back(length) == back(i + length) {
            length += 1;
        }
        z[i] = length;
        if i + length > right {
            (left, right) = (i, i + length);
        }
    }
    // Before the token at n − i stands the context that ends at its i-th last.
    let found = (1..n).map(|i| (back(i - 1), z[i].min(limit)));
    found.filter(|(_, length)| *length > 0).collect()
}

/// How many tokens stand behind the last breaker.
pub(super) fn since_breaker(context: &[u32], breakers: &[u32]) -> usize {
    context.iter().rev().take_while(|token| breakers.binary_search(token).is_err()).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// [`repetitions`] by comparing every two places.
    fn slowly(context: &[u32], limit: usize) -> Vec<(u32, usize)> {
        let length = |at: usize| {
            let pairs = context[..at].iter().rev().zip(context.iter().rev());
            pairs.take_while(|(a, b)| a == b).count().min(limit)
        };
        let all = (1..context.len()).rev().map(|at| (context[at], length(at)));
        all.filter(|(_, length)| *length > 0).collect()
    }

    #[test]
    fn ends_of_runs_are_what_followed_the_same_tokens() {
        let ends = |context: &[u32], n| run_ends(context, n).collect::<Vec<_>>();
        // "1 2" was followed by 3 and by 4.
        assert_eq!(ends(&[1, 2, 3, 1, 2, 4, 1, 2], 3), [3, 4]);
        assert_eq!(ends(&[1, 2, 3, 1], 2), [2]);
        assert_eq!(ends(&[5, 6], 1), [5, 6]);
        assert!(ends(&[5], 3).is_empty() && ends(&[], 2).is_empty());
    }

    #[test]
    fn a_repetition_is_as_long_as_the_end_that_stood_before_the_token() {
        // The end "2 3" stood before 4; "3" alone before 9.
        let context = [1, 2, 3, 4, 3, 9, 2, 3];
        assert_eq!(repetitions(&context, 9), [(9, 1), (4, 2)]);
        assert_eq!(repetitions(&context, 1), [(9, 1), (4, 1)]);
        assert_eq!(since_breaker(&context, &[4, 9]), 2);
        assert_eq!(since_breaker(&context, &[]), 8);
        assert_eq!(since_breaker(&context, &[3]), 0);
    }

    proptest! {
        #[test]
        fn repetitions_are_those_found_by_comparing(
            context in proptest::collection::vec(0u32..3, 0..40), limit in 1usize..9,
        ) {
            prop_assert_eq!(repetitions(&context, limit), slowly(&context, limit));
        }
    }
}
