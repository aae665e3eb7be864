//! The automaton of all runs of words that stand in some texts.

use super::words::WordMap;

/// No state: what is behind the first one.
const NONE: u32 = u32::MAX;

/// The suffix automaton of texts (Blumer et al. 1985): from its first state the words of a run lead on where, and only
/// where, a text has that run.
///
/// `O(n)` for `n` words: at most two states and three edges a word, about 70 bytes a word of people's texts.
pub(super) struct Automaton {
    states: Vec<State>,
    edges: Vec<Edge>,
    /// Where a word leads from a state.
    by_word: WordMap<u64, u32>,
}

/// Runs of words that end at the same places.
struct State {
    /// Words of the longest of them.
    longest: u32,
    /// The state of the longest end of them that has more places.
    link: u32,
    /// The last of its edges.
    last: u32,
}

struct Edge {
    word: u32,
    /// The edge of the same state before it.
    before: u32,
}

/// A place in a text where one of its longest known runs begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Begin {
    /// The state that the run leads to: equal for equal runs.
    pub(super) state: u32,
    /// The word behind it.
    next: Option<u32>,
    /// The word that it begins with, by its place.
    pub(super) start: usize,
}

impl Automaton {
    pub(super) fn of<'t>(texts: impl IntoIterator<Item = &'t [u32]>) -> Self {
        let first = State { longest: 0, link: NONE, last: NONE };
        let mut own = Self { states: vec![first], edges: Vec::new(), by_word: WordMap::default() };
        for text in texts {
            text.iter().fold(0, |state, &word| own.extend(state, word));
        }
        own
    }

    /// The longest runs of words of `text` that a known text has: of how many words, and where they begin, of equal runs with
    /// equal words behind them the first.
    pub(super) fn longest(&self, text: &[u32]) -> (usize, Vec<Begin>) {
        let (mut state, mut length, mut most) = (0u32, 0u32, 1u32);
        let mut found = Vec::new();
        for (at, &word) in text.iter().enumerate() {
            (state, length) = loop {
                match self.next(state, word) {
                    Some(to) => break (to, length + 1),
                    None if state == 0 => break (0, 0),
                    None => {
                        state = self.states[state as usize].link;
                        length = self.states[state as usize].longest;
                    }
                }
            };
            if length > most {
                most = length;
                found.clear();
            }
            if length == most {
                let (next, start) = (text.get(at + 1).copied(), at + 1 - length as usize);
                found.push(Begin { state, next, start });
            }
        }
        found.sort_unstable();
        found.dedup_by_key(|begin| (begin.state, begin.next));
        (if found.is_empty() { 0 } else { most as usize }, found)
    }

    fn next(&self, state: u32, word: u32) -> Option<u32> {
        self.by_word.get(&key(state, word)).copied()
    }

    fn add(&mut self, state: u32, word: u32, to: u32) {
        let edge = self.edges.len() as u32;
        let last = &mut self.states[state as usize].last;
        self.edges.push(Edge { word, before: std::mem::replace(last, edge) });
        self.by_word.insert(key(state, word), to);
    }

    /// The state of a run, known or new, that is one word longer than the longest of `state`.
    fn extend(&mut self, state: u32, word: u32) -> u32 {
        let longest = self.states[state as usize].longest + 1;
        if let Some(to) = self.next(state, word) {
            return self.exactly(state, word, to);
        }
        let new = self.states.len() as u32;
        self.states.push(State { longest, link: 0, last: NONE });
        let mut at = state;
        while at != NONE {
            if let Some(to) = self.next(at, word) {
                self.states[new as usize].link = self.exactly(at, word, to);
                break;
            }
            self.add(at, word, new);
            at = self.states[at as usize].link;
        }
        new
    }

    /// The state that `word` leads to from `from`, and in which no run is longer than by that word: `to`, or of its runs
    /// the shorter ones, as they have one more place now.
    fn exactly(&mut self, from: u32, word: u32, to: u32) -> u32 {
        let longest = self.states[from as usize].longest + 1;
        if self.states[to as usize].longest == longest {
            return to;
        }
        let parted = self.states.len() as u32;
        let link = std::mem::replace(&mut self.states[to as usize].link, parted);
        self.states.push(State { longest, link, last: NONE });
        let mut edge = self.states[to as usize].last;
        while edge != NONE {
            let Edge { word, before } = self.edges[edge as usize];
            if let Some(to) = self.next(to, word) {
                self.add(parted, word, to);
            }
            edge = before;
        }
        let mut at = from;
        while at != NONE {
            match self.by_word.get_mut(&key(at, word)) {
                Some(leads) if *leads == to => *leads = parted,
                _ => break,
            }
            at = self.states[at as usize].link;
        }
        parted
    }
}

fn key(state: u32, word: u32) -> u64 {
    u64::from(state) << 32 | u64::from(word)
}
