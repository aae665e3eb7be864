//! The prompts in the cache: each computed once, common beginnings shared.

use std::{collections::HashMap, sync::Arc};

use crate::lm::{
    LmError,
    engine::{
        kv::{Kv, Piece, SegmentId},
        logits::KeptRow,
        network::Session,
    },
};

/// Common beginnings shorter than this are computed again: a piece costs more than it saves.
const SHORTEST_SHARED: usize = 8;

/// Prompts without users that are kept in case they come again.
const KEPT: usize = 256;

/// Names a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PromptId(usize);

/// One prompt's keys and values, and what the model says after it.
pub(super) struct Prompt {
    pub tokens: Arc<[u32]>,
    /// What it reads of other prompts, and whose that is.
    shared: Vec<(Piece, PromptId)>,
    /// Positions of `shared` together.
    start: usize,
    own: SegmentId,
    /// Tokens of its own segment that are computed.
    pub done: usize,
    /// Everything a row behind the prompt reads.
    pub chain: Arc<[Piece]>,
    /// Logits after the last token, once computed.
    pub logits: Option<Arc<KeptRow>>,
    /// Rows and prompts that read it.
    users: usize,
    last_used: u64,
}

impl Prompt {
    /// The tokens still to be computed.
    pub fn rest(&self) -> &[u32] {
        &self.tokens[self.start + self.done..]
    }

    /// What the next token reads before the prompt's own segment.
    pub fn prefix(&self) -> &[Piece] {
        &self.chain[..self.chain.len() - 1]
    }

    /// Its own segment as far as it is computed.
    pub fn own(&self) -> Piece {
        Piece { id: self.own, used: self.done }
    }
}

/// All prompts in the cache.
#[derive(Default)]
pub(super) struct Prompts {
    all: Vec<Option<Prompt>>,
    by_tokens: HashMap<Arc<[u32]>, PromptId>,
    clock: u64,
}

impl Prompts {
    pub fn get(&self, id: PromptId) -> &Prompt {
        match &self.all[id.0] {
            Some(prompt) => prompt,
            None => unreachable!("a prompt with users stays"),
        }
    }

    pub fn get_mut(&mut self, id: PromptId) -> &mut Prompt {
        match &mut self.all[id.0] {
            Some(prompt) => prompt,
            None => unreachable!("a prompt with users stays"),
        }
    }

    /// The prompt of these tokens, if it is in the cache.
    pub fn find(&self, tokens: &[u32]) -> Option<PromptId> {
        self.by_tokens.get(tokens).copied()
    }

    /// The prompt with the longest common beginning, and its length; 0 when none is worth sharing.
    fn nearest(&self, tokens: &[u32]) -> Option<(PromptId, usize)> {
        let live =
            self.all.iter().enumerate().filter_map(|(i, p)| Some((PromptId(i), p.as_ref()?)));
        let mut best = None;
        for (id, prompt) in live {
            let same = prompt.tokens.iter().zip(tokens).take_while(|(a, b)| a == b).count();
            // The last token is always computed: its hidden state is what comes next.
            let same = same.min(tokens.len() - 1);
            if same >= SHORTEST_SHARED && best.is_none_or(|(_, most)| same > most) {
                best = Some((id, same));
            }
        }
        best
    }

    /// Bytes that a prompt not yet in the cache takes.
    pub fn bytes(&self, kv: &Kv, tokens: &[u32]) -> usize {
        let shared = self.nearest(tokens).map_or(0, |(_, same)| same);
        kv.bytes_for(tokens.len() - shared)
    }

    /// Makes room for a prompt; its tokens are computed later, before anything that reads them.
    ///
    /// # Errors
    ///
    /// A device without memory.
    pub fn insert(
        &mut self,
        session: &mut Session,
        tokens: &Arc<[u32]>,
    ) -> Result<PromptId, LmError> {
        let mut shared = Vec::new();
        let mut start = 0;
        if let Some((id, same)) = self.nearest(tokens) {
            let from = self.get(id);
            let own = (Piece { id: from.own, used: from.tokens.len() - from.start }, id);
            for &(piece, owner) in from.shared.iter().chain([&own]) {
                let used = piece.used.min(same - start);
                if used > 0 {
                    shared.push((Piece { used, ..piece }, owner));
                    start += used;
                }
            }
        }
        let own = session.kv.allocate(tokens.len() - start)?;
        shared.iter().for_each(|&(_, owner)| self.get_mut(owner).users += 1);
        let whole = Piece { id: own, used: tokens.len() - start };
        let chain = shared.iter().map(|(piece, _)| *piece).chain([whole]).collect();
        let free = self.all.iter().position(Option::is_none);
        let id = PromptId(free.unwrap_or_else(|| {
            self.all.push(None);
            self.all.len() - 1
        }));
        self.by_tokens.insert(tokens.clone(), id);
        self.all[id.0] = Some(Prompt {
            tokens: tokens.clone(),
            shared,
            start,
            own,
            done: 0,
            chain,
            logits: None,
            users: 0,
            last_used: 0,
        });
        Ok(id)
    }

    /// Counts a row that reads the prompt.
    pub fn retain(&mut self, id: PromptId) {
        self.clock += 1;
        let clock = self.clock;
        let prompt = self.get_mut(id);
        prompt.users += 1;
        prompt.last_used = clock;
    }

    /// Counts a row less; prompts without rows stay while there is room.
    pub fn release(&mut self, session: &mut Session, id: PromptId) {
        self.get_mut(id).users -= 1;
        let idle = |p: &&Option<Prompt>| p.as_ref().is_some_and(|p| p.users == 0);
        if self.all.iter().filter(idle).count() > KEPT {
            self.evict(session, None);
        }
    }

    /// Drops the prompt without users that was used longest ago; whether there was one.
    pub fn evict(&mut self, session: &mut Session, keep: Option<PromptId>) -> bool {
        let idle = self.all.iter().enumerate().filter_map(|(i, p)| {
            let p = p.as_ref()?;
            (p.users == 0 && Some(PromptId(i)) != keep).then_some((p.last_used, i))
        });
        let Some((_, oldest)) = idle.min() else { return false };
        self.remove(session, PromptId(oldest));
        true
    }

    /// Drops a prompt without users.
    pub fn remove(&mut self, session: &mut Session, id: PromptId) {
        let Some(prompt) = self.all[id.0].take() else { return };
        session.kv.release(prompt.own);
        self.by_tokens.remove(&prompt.tokens);
        prompt.shared.iter().for_each(|&(_, owner)| self.get_mut(owner).users -= 1);
    }

    /// Whether nobody reads the prompt.
    pub fn is_idle(&self, id: PromptId) -> bool {
        self.get(id).users == 0
    }
}
