//! One completion being written.

use super::{Completion, FinishReason, Request, prompts::PromptId};
use crate::{
    decode::{DecodeError, Past, Pick},
    lm::{
        Incremental, LmError, Tokenizer,
        engine::{
            kv::SegmentId,
            logits::{Ask, LogitRow},
        },
    },
    rng,
};

/// One completion being written.
pub(super) struct Row<'a> {
    pub request: Request,
    pub prompt: PromptId,
    /// Where its own keys and values go.
    pub own: SegmentId,
    /// What the chain counts as seen, prompt and tokens where it reads them, else nothing.
    context: Vec<u32>,
    pub tokens: Vec<u32>,
    text: Option<Incremental<'a>>,
    sums: [f64; 3],
    breakers: &'a [u32],
    /// Mirostat's state.
    mu: Option<f64>,
    /// How it ended, once it has.
    pub end: Option<Result<FinishReason, LmError>>,
}

impl<'a> Row<'a> {
    pub fn new(
        request: Request,
        prompt: PromptId,
        own: SegmentId,
        tokenizer: Option<&'a Tokenizer>,
    ) -> Self {
        let reads = request.chain.needs_context();
        let context =
            if reads { [request.chain.seen(), &request.prompt].concat() } else { Vec::new() };
        let breakers = tokenizer.filter(|_| request.chain.needs_breakers());
        let breakers = breakers.map_or(&[][..], Tokenizer::breakers);
        let text = tokenizer.map(|tokenizer| Incremental::new(tokenizer, &request.prompt));
        let (tokens, sums) = (Vec::new(), [0.0; 3]);
        Self { request, prompt, own, context, tokens, text, sums, breakers, mu: None, end: None }
    }

    /// What the next token is drawn from.
    pub fn ask<'b>(&'b self, logits: LogitRow<'b>) -> Ask<'b> {
        let Request { chain, seed, draw, .. } = &self.request;
        let u = rng::uniform(*seed, *draw, self.tokens.len());
        let past = Past {
            context: &self.context,
            prompt: (chain.seen().len() + self.request.prompt.len()).min(self.context.len()),
            breakers: self.breakers,
            mu: self.mu,
        };
        Ask { logits, chain, past, u }
    }

    /// Takes what was drawn and decides whether it was the last token.
    pub fn put(&mut self, drawn: Result<Pick, DecodeError>, eos: &[u32]) {
        match drawn {
            Ok(pick) => self.take(pick, eos),
            Err(error) => self.end = Some(Err(LmError::Decode(error))),
        }
    }

    fn take(&mut self, pick: Pick, eos: &[u32]) {
        let Pick { token, logprob, logprob_model, entropy, mu } = pick;
        self.mu = mu;
        for (sum, term) in self.sums.iter_mut().zip([logprob, logprob_model, entropy]) {
            *sum += term;
        }
        if eos.contains(&token) {
            self.end = Some(Ok(FinishReason::Eos));
            return;
        }
        self.tokens.push(token);
        if self.request.chain.needs_context() {
            self.context.push(token);
        }
        if let Some(text) = &mut self.text {
            text.push(token);
            if first_stop(text.text(), &self.request.stop).is_some() {
                self.end = Some(Ok(FinishReason::Stop));
                return;
            }
        }
        if self.tokens.len() >= self.request.max_new_tokens {
            self.end = Some(Ok(FinishReason::Length));
        }
    }

    /// The completion, or why there is none; the row has ended.
    pub fn finish(self) -> (u64, Result<Completion, LmError>) {
        let tag = self.request.tag;
        let finish_reason = match self.end {
            Some(Ok(reason)) => reason,
            Some(Err(error)) => return (tag, Err(error)),
            None => FinishReason::Length,
        };
        let mut text = self.text.map(Incremental::into_text).unwrap_or_default();
        if let Some(at) = first_stop(&text, &self.request.stop) {
            text.truncate(at);
        }
        let [logprob, logprob_model, entropy] = self.sums;
        let tokens = self.tokens;
        let completion = Completion {
            tag,
            count: tokens.len(),
            tokens,
            text,
            without_text: false,
            finish_reason,
            logprob,
            logprob_model,
            entropy,
        };
        (tag, Ok(completion))
    }
}

/// Where the first of the stop strings begins.
fn first_stop(text: &str, stop: &[String]) -> Option<usize> {
    stop.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| text.find(stop.as_str())).min()
}
