//! What a race came to, as it is kept.

use super::{Race, State};
use crate::run::{
    mixture::Part,
    tune::{
        mix::Mix,
        race::Runner,
        record::{RACE_SCHEMA, Round, Stands, TuneRecord, TunedCell, TunedMixture},
    },
};

impl Race<'_, '_> {
    /// The words for a cell, or for a mixture behind the cells.
    pub(super) fn label(&self, at: usize) -> String {
        match at.checked_sub(self.cells.len()) {
            None => self.cells[at].record.label(),
            Some(mixed) => {
                self.parts(mixed).iter().map(Part::words).collect::<Vec<_>>().join(" + ")
            }
        }
    }

    /// The parts of a mixture.
    fn parts(&self, mixed: usize) -> [Part; 2] {
        let Mix { parts, share } = self.mixes[mixed];
        [(parts[0], 1.0 - share), (parts[1], share)].map(|(at, share)| {
            let cell = &self.cells[at].record;
            Part { cell: cell.id.clone(), label: cell.label(), share: rounded(share) }
        })
    }

    pub(super) fn record(&self, state: &State, rounds: Vec<Round>) -> TuneRecord {
        let Self { execution, terms, cells, runners, tokens, .. } = self;
        let State { standing, above, single, named } = state;
        let key =
            |at: usize| (at == *single || at == *named, standing.best[at], standing.alike[at]);
        let first = |a: &usize, b: &usize| {
            let (a, b) = (key(*a), key(*b));
            b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)).then(b.2.total_cmp(&a.2))
        };
        let mut order: Vec<usize> = (0..cells.len()).collect();
        order.sort_by(first);
        let mut mixed: Vec<usize> = (cells.len()..runners.len()).collect();
        mixed.sort_by(first);
        let tuned = |at: usize| TunedCell {
            label: cells[at].record.label(),
            cell: cells[at].record.clone(),
            stands: self.stands(state, at),
        };
        let mixture = |at: usize| TunedMixture {
            parts: self.parts(at - cells.len()).to_vec(),
            label: self.label(at),
            named: at == *named,
            above: rounded(above[at - cells.len()].chance),
            by: above[at - cells.len()].by,
            stands: self.stands(state, at),
        };
        TuneRecord {
            schema: RACE_SCHEMA.to_owned(),
            goal: terms.wish.goal.to_string(),
            requirements: terms.wish.requirements.iter().map(ToString::to_string).collect(),
            n: terms.n,
            within: terms.within,
            sure: terms.sure,
            budget: terms.budget,
            texts: runners[..cells.len()].iter().map(|runner| runner.texts).sum(),
            grid_texts: cells.len() * terms.n,
            tokens: tokens.iter().sum(),
            seconds: execution.record.sessions.iter().map(|s| s.sampling_seconds).sum(),
            settled: terms.is_settled_on(standing, *named),
            rounds,
            cells: order.into_iter().map(tuned).collect(),
            mixtures: mixed.into_iter().map(mixture).collect(),
        }
    }

    fn stands(&self, State { standing, .. }: &State, at: usize) -> Stands {
        let Runner { texts, seen, out, .. } = &self.runners[at];
        let [goal, low, high] = standing.goal[at];
        Stands {
            texts: *texts,
            best: rounded(standing.best[at]),
            alike: rounded(standing.alike[at]),
            keeps: rounded(standing.keeps[at]),
            misses: standing.misses[at],
            goal,
            low,
            high,
            measures: seen.iter().map(|(name, seen)| (name.clone(), seen.whole)).collect(),
            out: out.clone(),
        }
    }
}

/// A share of draws without the rounding of their sum.
fn rounded(share: f64) -> f64 {
    (share * 1e6).round() / 1e6
}
