//! The probability of texts at many temperatures, of one pass through the model.

use rayon::prelude::*;

use super::{Continued, read};
use crate::{
    decode::tempered::Tempered,
    lm::{
        LmError,
        engine::network::{Interrupt, Network},
    },
};

/// The log-probability of every text at each temperature, in nats, every text read once.
///
/// ```text
/// ln p_T(x | prompt) = Σ_t ln softmax(logits_t / T)[x_t]
/// ```
///
/// Nothing is truncated, penalized or left out: of an end-of-text token inside a text it is the logit that counts. The
/// end of a text counts for none of them, [`Continued::ended`] is not looked at.
///
/// # Arguments
///
/// * `temperatures`: each `> 0`.
/// * `texts`: in any order; those that follow each other with one prompt share its keys and values.
/// * `progress`: hears how many of how many tokens are done.
///
/// # Errors
///
/// Those of [`super::log_probs`].
///
/// # Cost
///
/// One pass over all tokens, prompts once for each run of texts that share one; `O(V)` a position and temperature.
pub fn tempered(
    network: &dyn Network,
    temperatures: &[f64],
    texts: &[Continued<'_>],
    interrupt: &Interrupt,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Vec<f64>>, LmError> {
    let vocab = network.config().vocab;
    let texts: Vec<Continued<'_>> =
        texts.iter().map(|text| Continued { ended: false, ..*text }).collect();
    let mut sums = vec![vec![0.0; temperatures.len()]; texts.len()];
    let mut hear = |text: usize, first: usize, logits: &[f32]| {
        let tokens = &texts[text].tokens[first.min(texts[text].tokens.len())..];
        let rows = logits.par_chunks_exact(vocab).zip(tokens);
        let rows = rows.map_init(Tempered::default, |buffers, (logits, &token)| {
            buffers.log_probs(logits, token, temperatures)
        });
        let rows: Vec<Vec<f64>> = rows.collect::<Result<_, _>>()?;
        for row in rows {
            sums[text].iter_mut().zip(row).for_each(|(sum, ln_p)| *sum += ln_p);
        }
        Ok(())
    };
    read(network, &texts, interrupt, progress, &mut hear)?;
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        decode::{Chain, Decoding},
        lm::{engine::toy::Toy, logprob::log_probs},
    };

    #[test]
    fn one_pass_says_what_the_sampler_says_at_each_temperature() {
        let logits = (0..25).map(|i| ((i * 7 + i / 5 * 3) % 11) as f32 * 0.35).collect();
        let toy = Toy::new(5, logits);
        let texts: [(&[u32], &[u32]); 4] =
            [(&[1, 3], &[2, 2, 4]), (&[1, 3], &[0]), (&[1, 3], &[]), (&[2], &[4, 1, 0, 3, 2])];
        let of = |ended: bool| {
            texts.map(|(prompt, tokens)| Continued { prompt, tokens, ended }).to_vec()
        };
        let temperatures = [0.2, 0.7, 1.0, 1.5];
        let (never, mut quiet) = (Interrupt::default(), |_: usize, _: usize| {});
        for ended in [false, true] {
            let got = tempered(&toy, &temperatures, &of(ended), &never, &mut quiet).unwrap();
            assert_eq!(got[2], [0.0; 4], "a text without tokens");
            for (at, &temperature) in temperatures.iter().enumerate() {
                let chain = Chain::new(Decoding { temperature, ..Decoding::default() }).unwrap();
                let known =
                    log_probs(&toy, &[], &chain, &[], &of(false), &never, &mut quiet).unwrap();
                for (got, known) in got.iter().zip(known) {
                    let sum: f64 = known.iter().sum();
                    // Both sum in f64; only the order of divisions differs.
                    assert!((got[at] - sum).abs() < 1e-12, "{temperature}: {} {sum}", got[at]);
                }
            }
        }
    }
}
