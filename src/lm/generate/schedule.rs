//! Which rows and prompts go into the next forward pass.

use rayon::prelude::*;
use std::{collections::VecDeque, ops::ControlFlow, sync::Arc};

use super::{
    Completion, Event, FinishReason, GenerateOptions, Request, Totals,
    prompts::{PromptId, Prompts},
    row::Row,
};
use crate::{
    decode::{DecodeError, Pick},
    lm::{
        LmError, Tokenizer, check,
        engine::{
            kv::{Piece, Span, Want},
            logits::{KeptRow, Logits},
            network::{Network, Session},
        },
    },
};

/// Prompt tokens computed in one pass.
const PREFILL_TOKENS: usize = 512;

pub(super) struct Schedule<'a> {
    network: &'a dyn Network,
    tokenizer: Option<&'a Tokenizer>,
    eos: &'a [u32],
    session: Session,
    prompts: Prompts,
    /// Prompts to be computed, in the order in which they may read each other.
    prefill: VecDeque<PromptId>,
    rows: Vec<Row<'a>>,
    max_rows: usize,
    kv_bytes: usize,
    prefill_tokens: usize,
    totals: Totals,
    /// Logits of the last pass, kept for their memory.
    logits: Logits,
    /// Requests whose rows were given up for want of memory; they begin anew.
    again: VecDeque<Request>,
}

/// What happened to a request that asked for room.
enum Admission {
    Row,
    /// It was answered without a row.
    Done(Event),
    /// There is no room until rows finish.
    Wait(Request),
}

impl<'a> Schedule<'a> {
    pub fn new(
        network: &'a dyn Network,
        tokenizer: Option<&'a Tokenizer>,
        eos: &'a [u32],
        options: &GenerateOptions,
    ) -> Self {
        let mut session = Session::new(network);
        session.interrupt = options.interrupt.clone();
        Self {
            network,
            tokenizer,
            eos,
            session,
            prompts: Prompts::default(),
            prefill: VecDeque::new(),
            rows: Vec::new(),
            max_rows: options.batch.unwrap_or_else(|| network.rows_that_pay()).max(1),
            kv_bytes: options.kv_bytes.unwrap_or_else(|| network.free_memory() / 2),
            prefill_tokens: options.prefill_tokens.unwrap_or(PREFILL_TOKENS).max(1),
            totals: Totals::default(),
            logits: Logits::default(),
            again: VecDeque::new(),
        }
    }

    pub fn run(
        mut self,
        mut requests: impl Iterator<Item = Request>,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Totals, LmError> {
        let mut waiting = None;
        loop {
            while self.rows.len() < self.max_rows {
                let next = waiting.take().or_else(|| self.again.pop_front());
                let Some(request) = next.or_else(|| requests.next()) else { break };
                match self.admit(request) {
                    Admission::Row => {}
                    Admission::Done(event) => {
                        if self.tell(event, on_event).is_break() {
                            return Ok(self.stopped());
                        }
                    }
                    Admission::Wait(request) => {
                        waiting = Some(request);
                        break;
                    }
                }
            }
            if self.rows.is_empty() {
                break;
            }
            match self.step() {
                Ok(event) => {
                    if self.tell(event, on_event).is_break() {
                        return Ok(self.stopped());
                    }
                }
                Err(LmError::Interrupted) => return Ok(self.stopped()),
                Err(error) if error.is_out_of_memory() => self.give_up_rows(error),
                Err(error) => return Err(error),
            }
            if self.hand_out(on_event).is_break() {
                return Ok(self.stopped());
            }
        }
        self.totals.kv_peak = self.session.kv.peak();
        Ok(self.totals)
    }

    fn stopped(mut self) -> Totals {
        self.totals.kv_peak = self.session.kv.peak();
        Totals { stopped: true, ..self.totals }
    }

    fn tell(
        &mut self,
        event: Event,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match &event {
            Event::Finished(_) => self.totals.finished += 1,
            Event::Failed { .. } => self.totals.failed += 1,
            Event::Step { new_tokens, prompt_tokens, .. } => {
                self.totals.new_tokens += new_tokens;
                self.totals.prompt_tokens += prompt_tokens;
                self.totals.steps += 1;
            }
        }
        on_event(event)
    }

    /// Makes a row of a request if there is memory for it.
    fn admit(&mut self, request: Request) -> Admission {
        let tag = request.tag;
        let failed = |error| Admission::Done(Event::Failed { tag, error });
        let config = self.network.config();
        if let Err(error) = check::check_ids(config, &request.prompt, request.max_new_tokens) {
            return failed(error);
        }
        if request.max_new_tokens == 0 {
            return Admission::Done(Event::Finished(nothing(tag)));
        }
        // The last token drawn is never read back.
        let capacity = (request.max_new_tokens - 1).max(1);
        let known = self.prompts.find(&request.prompt);
        loop {
            let kv = &self.session.kv;
            let prompt = known.map_or_else(|| self.prompts.bytes(kv, &request.prompt), |_| 0);
            let needed = kv.bytes_for(capacity) + prompt;
            if kv.bytes() + needed <= self.kv_bytes {
                break;
            }
            if !self.prompts.evict(&mut self.session, known) {
                return match self.rows.is_empty() {
                    true => failed(LmError::NoRoom { needed, most: self.kv_bytes }),
                    false => Admission::Wait(request),
                };
            }
        }
        let prompt = match known {
            Some(id) => id,
            None => match self.prompts.insert(&mut self.session, &request.prompt) {
                Ok(id) => {
                    self.prefill.push_back(id);
                    id
                }
                Err(error) => return self.no_memory(request, error),
            },
        };
        self.prompts.retain(prompt);
        let own = match self.session.kv.allocate(capacity) {
            Ok(own) => own,
            Err(error) => {
                self.prompts.release(&mut self.session, prompt);
                return self.no_memory(request, error);
            }
        };
        self.rows.push(Row::new(request, prompt, own, self.tokenizer));
        Admission::Row
    }

    /// A device that has less memory than it said: half as much is asked of it from now on.
    fn no_memory(&mut self, request: Request, error: LmError) -> Admission {
        self.session.kv.trim();
        self.max_rows = (self.rows.len() / 2).max(1);
        self.kv_bytes = self.session.kv.bytes() / 2;
        match self.rows.is_empty() {
            true => Admission::Done(Event::Failed { tag: request.tag, error }),
            false => Admission::Wait(request),
        }
    }

    /// A pass that did not fit: the younger half of the rows begins anew later, and no more than the
    /// others run together from now on. A single row has shorter pieces of its prompt computed.
    fn give_up_rows(&mut self, error: LmError) {
        let keep = self.rows.len().div_ceil(2);
        if keep == self.rows.len() && self.prefill_tokens == 1 {
            if let Some(row) = self.rows.first_mut() {
                row.end = Some(Err(error));
            }
            return;
        }
        self.totals.halved += 1;
        self.prefill_tokens = (self.prefill_tokens / 2).max(1);
        self.max_rows = keep;
        for row in self.rows.drain(keep..).rev() {
            self.session.kv.release(row.own);
            self.prompts.release(&mut self.session, row.prompt);
            if self.prompts.is_idle(row.prompt) {
                self.prefill.retain(|id| *id != row.prompt);
                self.prompts.remove(&mut self.session, row.prompt);
            }
            self.again.push_front(row.request);
        }
        self.session.kv.trim();
    }

    /// One forward pass and one token for every row that has logits.
    fn step(&mut self) -> Result<Event, LmError> {
        self.session.interrupt.check()?;
        // Rows that have a token to feed, then prompts as far as the budget goes.
        let active: Vec<usize> =
            (0..self.rows.len()).filter(|&i| !self.rows[i].tokens.is_empty()).collect();
        let chains: Vec<_> =
            active.iter().map(|&i| self.prompts.get(self.rows[i].prompt).chain.clone()).collect();
        let mut spans = Vec::new();
        for (&i, chain) in active.iter().zip(&chains) {
            let row = &self.rows[i];
            let at = row.tokens.len() - 1;
            let own = Piece { id: row.own, used: at };
            spans.push(Span { tokens: &row.tokens[at..], prefix: chain, own, want: Want::Last });
        }
        let mut budget = self.prefill_tokens;
        let mut computed = Vec::new();
        for &id in &self.prefill {
            let prompt = self.prompts.get(id);
            let count = prompt.rest().len().min(budget);
            if count == 0 {
                break;
            }
            budget -= count;
            let complete = count == prompt.rest().len();
            let want = if complete { Want::Last } else { Want::Nothing };
            let (tokens, prefix) = (&prompt.rest()[..count], prompt.prefix());
            spans.push(Span { tokens, prefix, own: prompt.own(), want });
            computed.push((id, count, complete));
        }
        let mut logits = std::mem::take(&mut self.logits);
        let mut faults = Vec::new();
        if !spans.is_empty() {
            faults = self.network.next_logits(&mut self.session, &spans, &mut logits)?;
        }
        // Rows of logits are in the order of the spans that wanted one.
        let complete = computed.iter().filter(|(.., complete)| *complete);
        let fresh: Vec<(PromptId, Arc<KeptRow>)> = complete
            .zip(active.len()..)
            .map(|(&(id, ..), at)| Ok((id, Arc::new(logits.row(at).keep()?))))
            .collect::<Result<_, LmError>>()?;
        let kept = |id: PromptId| {
            let fresh = fresh.iter().find(|(fresh, _)| *fresh == id).map(|(_, row)| row);
            fresh.or(self.prompts.get(id).logits.as_ref())
        };
        // The span that a row's logits came from, where it was in this pass.
        let mut span_of = vec![None; self.rows.len()];
        active.iter().enumerate().for_each(|(span, &i)| span_of[i] = Some(span));
        let (mut who, mut asks) = (Vec::new(), Vec::new());
        for (i, row) in self.rows.iter().enumerate() {
            let fed = span_of[i];
            if fed.is_none() {
                let at = computed.iter().position(|(id, ..)| *id == row.prompt);
                span_of[i] = at.map(|at| active.len() + at);
            }
            let spoiled = span_of[i].is_some_and(|span| faults[span].is_some());
            let source = match fed {
                Some(span) => Some(logits.row(span)),
                None => kept(row.prompt).map(|row| row.view()),
            };
            if let Some(source) = source.filter(|_| !spoiled) {
                who.push(i);
                asks.push(row.ask(source));
            }
        }
        let drawn = self.network.draw(&asks)?;
        let nonsense = |drawn: &Result<Pick, DecodeError>| {
            use DecodeError::{InfiniteLogit, NanLogit};
            matches!(drawn, Err(NanLogit { .. } | InfiniteLogit { .. }))
        };
        if drawn.iter().any(nonsense) && !spans.is_empty() {
            let found = self.network.find_faults(&mut self.session, &spans)?;
            faults.iter_mut().zip(found).for_each(|(fault, found)| *fault = fault.or(found));
        }
        let mut results: Vec<_> = vec![None; self.rows.len()];
        who.into_iter().zip(drawn).for_each(|(i, drawn)| results[i] = Some(drawn));
        let eos = self.eos;
        let new_tokens = self
            .rows
            .par_iter_mut()
            .zip(results)
            .zip(&span_of)
            .map(|((row, drawn), span)| {
                if let Some(layer) = span.and_then(|span| faults[span]) {
                    row.end = Some(Err(LmError::NotFinite { layer }));
                    return 0;
                }
                let some = usize::from(drawn.is_some());
                if let Some(drawn) = drawn {
                    row.put(drawn, eos);
                }
                some
            })
            .sum();
        for &(id, count, complete) in &computed {
            self.prompts.get_mut(id).done += count;
            if complete {
                self.prefill.pop_front();
            }
        }
        fresh.into_iter().for_each(|(id, row)| self.prompts.get_mut(id).logits = Some(row));
        self.logits = logits;
        let prompt_tokens = computed.iter().map(|(_, count, _)| count).sum();
        Ok(Event::Step { rows: self.rows.len(), new_tokens, prompt_tokens })
    }

    /// Reports rows that have ended and frees what they held.
    fn hand_out(&mut self, on_event: &mut dyn FnMut(Event) -> ControlFlow<()>) -> ControlFlow<()> {
        let rows = std::mem::take(&mut self.rows);
        let (ended, going): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.end.is_some());
        self.rows = going;
        for row in ended {
            self.session.kv.release(row.own);
            let prompt = row.prompt;
            let spoiled = matches!(row.end, Some(Err(_)));
            self.prompts.release(&mut self.session, prompt);
            if spoiled && self.prompts.is_idle(prompt) {
                self.prefill.retain(|id| *id != prompt);
                self.prompts.remove(&mut self.session, prompt);
            }
            let event = match row.finish() {
                (_, Ok(completion)) => Event::Finished(completion),
                (tag, Err(error)) => Event::Failed { tag, error },
            };
            self.tell(event, on_event)?;
        }
        ControlFlow::Continue(())
    }
}

/// The completion of a request for no tokens.
fn nothing(tag: u64) -> Completion {
    Completion {
        tag,
        count: 0,
        tokens: Vec::new(),
        text: String::new(),
        without_text: false,
        finish_reason: FinishReason::Length,
        logprob: 0.0,
        logprob_model: 0.0,
        entropy: 0.0,
    }
}
