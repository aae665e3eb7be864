//! A race of settings: what each may be worth with all its texts, which is the best, and where more texts tell.
//!
//! Texts of a setting come in a fixed order, so that more of them are only added. After a round every setting has
//! the values of its first `m` texts and of halves of them. From these come draws of what it would measure with all
//! `N`, the same halves for all settings of one `m`, so that what prompts have in common cancels between them.

use std::cmp::Ordering;

use indexmap::IndexMap;

use super::{
    mix::Mix,
    wish::{Wish, is_share},
};
use crate::{
    rng,
    score::calibrate::{Subsample, smoothed, subsample},
};

/// Pairs of a half and its complement behind the draws.
const PAIRS: usize = 100;
/// Texts of a setting below which halves of them say nothing.
pub const LEAST: usize = 20;
/// By how much the texts of a setting grow from one round to the next.
const GROWTH: f64 = 1.6;

/// One measure of one setting, on its first texts and on halves of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// On all of them.
    pub whole: f64,
    /// On each of the [`halves`].
    pub halves: Vec<f64>,
    /// On the two [`quarters`] of each half, on average; nothing where quarters are too few texts.
    pub quarters: Option<Vec<f64>>,
}

impl Seen {
    fn half(&self) -> f64 {
        mean(&self.halves)
    }

    /// How much it grew from half of the texts to all of them.
    fn rise(&self) -> f64 {
        self.whole - self.half()
    }
}

/// A setting as it stands in the race: its texts so far and its measures by their names; none where it failed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Runner {
    /// How many of its texts were looked at.
    pub texts: usize,
    /// Its measures.
    pub seen: IndexMap<String, Seen>,
    /// Why there are none of its texts.
    pub out: Option<String>,
    /// The line of settings that differ in their temperature alone, and its temperature.
    pub line: Option<(usize, f64)>,
}

/// The halves of `m` texts: a draw and its complement, `PAIRS` times. A mean over a half deviates from that over
/// the whole as that over as many fresh texts does, and the two of a pair deviate the opposite way.
///
/// * `prompts`: how many different prompts there are; texts of one prompt stay together.
pub fn halves(m: usize, prompts: usize, seed: u64) -> Vec<Vec<usize>> {
    let groups: Vec<u64> = match prompts < m {
        true => (0..m).map(|row| (row % prompts) as u64).collect(),
        false => Vec::new(),
    };
    let pair = |i: usize| {
        let mut rng = rng::named(seed, &format!("race {m} {i}"));
        let half = subsample(&mut rng, Subsample::half(m), &groups);
        let other = (0..m).filter(|row| half.binary_search(row).is_err()).collect();
        [half, other]
    };
    (0..PAIRS).flat_map(pair).collect()
}

/// Two quarters of the texts for each of `halves`: every other text of it, and the others.
pub fn quarters(halves: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let of =
        |half: &Vec<usize>| [0, 1].map(|at| half.iter().copied().skip(at).step_by(2).collect());
    halves.iter().flat_map(of).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// How a measure goes on growing with the number of texts.
struct Growth;

impl Growth {
    /// What the growth of one doubling is of that of the one before, by all settings, since that takes many; nothing
    /// where it is not seen.
    fn shrinks(runners: &[Runner], name: &str) -> Option<f64> {
        let seen = runners.iter().filter_map(|runner| runner.seen.get(name));
        let of = |seen: &Seen| Some((seen.rise(), seen.half() - mean(seen.quarters.as_ref()?)));
        let (last, before) = seen.filter_map(of).fold((0.0, 0.0), |(a, b), (l, r)| (a + l, b + r));
        let ratio = last / before;
        ratio.is_finite().then(|| ratio.clamp(0.0, 1.0))
    }

    /// How many times its rise a value grows by in so many doublings, where each is `shrinks` of the one before.
    fn times(shrinks: f64, doublings: f64) -> f64 {
        if shrinks > 0.999 {
            return doublings;
        }
        shrinks * (1.0 - shrinks.powf(doublings)) / (1.0 - shrinks)
    }
}

/// How far the share by which growth shrinks may be from what the settings show together, either way.
const OWN_SHARE: f64 = 0.2;

/// What a race says of each setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Probability that it is the best: it keeps the requirements and reaches most of those that do; where none
    /// keeps them, it misses them least.
    pub best: Vec<f64>,
    /// Probability that it is within the tolerance of the best.
    pub alike: Vec<f64>,
    /// Probability that it keeps the requirements.
    pub keeps: Vec<f64>,
    /// The goal with all texts: mean and the ends of 95 % of its draws.
    pub goal: Vec<[f64; 3]>,
    /// By how much it misses the requirements, on average.
    pub misses: Vec<f64>,
}

/// What a setting comes to in one draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rank {
    /// Which setting.
    pub(super) cell: usize,
    /// By how much it misses the requirements.
    pub(super) missed: f64,
    /// The goal.
    goal: f64,
    /// The goal turned so that more is better.
    pub(super) gain: f64,
}

impl Rank {
    /// The better one is the greater: keeping comes first, then the goal; without it, missing by less.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        other.missed.total_cmp(&self.missed).then(self.gain.total_cmp(&other.gain))
    }
}

/// What is asked of a race, the same in all its rounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// What is wanted.
    pub wish: Wish,
    /// Texts of a setting, all together.
    pub n: usize,
    /// Settings whose goals differ by less count as alike.
    pub within: f64,
    /// Probability at which the race is settled.
    pub sure: f64,
    /// Texts that may be spent.
    pub budget: usize,
    /// Seed of halves and draws.
    pub seed: u64,
}

impl Terms {
    /// What a measure of a setting may be with `n` texts instead of the `m` that there are, one value for each half.
    ///
    /// Measures of supports grow or fall with the number of texts, by less with every doubling. By what share less is
    /// read off all settings together, and is uncertain by [`OWN_SHARE`]; where it is not seen, nothing is known of it. That
    /// is drawn for every half, the same for all settings, so that nothing is settled that turns on it. How much the
    /// setting grew last varies from half to half as the growth of halves does.
    fn carried(&self, cell: usize, name: &str, runners: &[Runner]) -> Vec<f64> {
        let Runner { texts: m, seen, .. } = &runners[cell];
        let (m, seen) = (*m, &seen[name]);
        let shrinks = Growth::shrinks(runners, name);
        let half = seen.half();
        let count = seen.halves.len() as f64;
        let variance = seen.halves.iter().map(|h| (h - half).powi(2)).sum::<f64>() / count;
        let doublings = (self.n as f64 / m as f64).log2().max(0.0);
        let quarter = seen.quarters.as_deref().map_or(half, mean);
        // A share that was never seen to fail may still: the deviation of Jeffreys' posterior at its ends.
        let least = if is_share(name) { 0.5 / (m as f64 + 1.0).powi(2) } else { 0.0 };
        let missing = (least - variance).max(0.0).sqrt();
        let mut shared = rng::named(self.seed, "race growth");
        let mut own = rng::named(self.seed, &format!("race {cell} {name} {m}"));
        let draw = |(i, h): (usize, &f64)| {
            let unit = rng::next_unit(&mut shared);
            let about = |known: f64| (known + OWN_SHARE * (2.0 * unit - 1.0)).clamp(0.0, 1.0);
            let shrinks = shrinks.map_or(unit, about);
            // The half's own growth, as far as it is not that of the others.
            let apart = seen.quarters.as_ref().map_or(0.0, |q| (h - q[i]) - (half - quarter));
            let grown = (seen.rise() + shrinks * apart) * Growth::times(shrinks, doublings);
            let noise = 3f64.sqrt() * (2.0 * rng::next_unit(&mut own) - 1.0) * missing;
            let value = seen.whole + (h - half) + grown + noise;
            if is_share(name) { value.clamp(0.0, 1.0) } else { value }
        };
        seen.halves.iter().enumerate().map(draw).collect()
    }

    /// What every measure of every setting may be with all texts, after what neighboring temperatures say.
    fn expected<'a>(&self, runners: &'a [Runner]) -> Vec<IndexMap<&'a str, Vec<f64>>> {
        let carried = |cell: usize| -> IndexMap<&str, Vec<f64>> {
            let names = runners[cell].seen.keys().map(String::as_str);
            names.map(|name| (name, self.carried(cell, name, runners))).collect()
        };
        let mut all: Vec<_> = (0..runners.len()).map(carried).collect();
        let mut lines: IndexMap<usize, Vec<(usize, f64)>> = IndexMap::new();
        for (cell, runner) in runners.iter().enumerate() {
            if let (Some((line, at)), false) = (runner.line, runner.seen.is_empty()) {
                lines.entry(line).or_default().push((cell, at));
            }
        }
        for (line, cells) in &lines {
            let at: Vec<f64> = cells.iter().map(|(_, at)| *at).collect();
            for name in runners[cells[0].0].seen.keys() {
                let mut draws: Vec<Vec<f64>> =
                    cells.iter().map(|(cell, _)| all[*cell][name.as_str()].clone()).collect();
                smoothed(&at, &mut draws, self.seed.wrapping_add(*line as u64));
                for ((cell, _), draws) in cells.iter().zip(draws) {
                    let kept =
                        |value: f64| if is_share(name) { value.clamp(0.0, 1.0) } else { value };
                    all[*cell][name.as_str()] = draws.into_iter().map(kept).collect();
                }
            }
        }
        all
    }

    /// What each setting comes to in each of the draws, those without a value left out.
    pub(super) fn ranks(&self, runners: &[Runner]) -> Vec<Vec<Rank>> {
        let carried = self.expected(runners);
        let at = |cell: usize, draw: usize, name: &str| carried[cell].get(name)?.get(draw).copied();
        let rank = |draw: usize, cell: usize| {
            let goal = self.wish.goal.value(|name| at(cell, draw, name)).filter(|g| !g.is_nan())?;
            let missed = self.wish.misses_by(|name| at(cell, draw, name));
            Some(Rank { cell, missed, goal, gain: self.wish.goal.gain(goal) })
        };
        let of = |draw| (0..runners.len()).filter_map(|cell| rank(draw, cell)).collect();
        (0..2 * PAIRS).map(of).collect()
    }

    /// How the settings stand.
    pub fn standing(&self, runners: &[Runner]) -> Standing {
        let draws = 2 * PAIRS;
        let k = runners.len();
        let zeros = || vec![0.0; k];
        let (mut best, mut alike, mut keeps, mut misses) = (zeros(), zeros(), zeros(), zeros());
        let mut goals: Vec<Vec<f64>> = vec![Vec::with_capacity(draws); k];
        let one = 1.0 / draws as f64;
        for ranked in self.ranks(runners) {
            for &Rank { cell, missed, goal, .. } in &ranked {
                goals[cell].push(goal);
                misses[cell] += missed * one;
                keeps[cell] += if missed == 0.0 { one } else { 0.0 };
            }
            let Some(first) = ranked.iter().max_by(|a, b| a.order(b)) else { continue };
            best[first.cell] += one;
            for other in &ranked {
                let near = if first.missed == 0.0 {
                    other.missed == 0.0 && first.gain - other.gain <= self.within
                } else {
                    other.missed - first.missed <= self.within
                };
                alike[other.cell] += if near || other.cell == first.cell { one } else { 0.0 };
            }
        }
        let goal = goals.into_iter().map(middle).collect();
        Standing { best, alike, keeps, goal, misses }
    }

    /// Texts of each of `cells` settings in the first round.
    ///
    /// # Errors
    ///
    /// The least budget with which there can be a race.
    pub fn first(&self, cells: usize) -> Result<usize, usize> {
        let least = LEAST.min(self.n);
        let needed = |each: usize| cells * each + self.n - each;
        if needed(least) > self.budget {
            return Err(needed(least));
        }
        // A second round is worth more than a longer first one.
        let wanted = (self.n / 10).max(least);
        Ok(if needed(wanted) + self.n <= self.budget { wanted } else { least })
    }

    /// The setting that leads.
    pub fn leader(&self, standing: &Standing) -> usize {
        self.leader_of(standing, 0..standing.best.len()).unwrap_or(0)
    }

    /// The one that leads among `cells`.
    pub(super) fn leader_of(
        &self,
        standing: &Standing,
        cells: impl Iterator<Item = usize>,
    ) -> Option<usize> {
        let key = |&cell: &usize| (standing.alike[cell], standing.best[cell]);
        let better = |a: &usize, b: &usize| {
            let ((a_alike, a_best), (b_alike, b_best)) = (key(a), key(b));
            // Among those that are alike, the one that is best most often.
            (a_best + a_alike).total_cmp(&(b_best + b_alike)).then(b.cmp(a))
        };
        cells.max_by(better)
    }

    /// Whether nothing more has to be known.
    pub fn is_settled(&self, standing: &Standing) -> bool {
        self.is_settled_on(standing, self.leader(standing))
    }

    /// Whether nothing more has to be known where that one is named.
    pub fn is_settled_on(&self, standing: &Standing, named: usize) -> bool {
        standing.alike.get(named).is_some_and(|&alike| alike >= self.sure)
    }

    /// Which settings get more texts, and how many each then has; none when the race is over.
    ///
    /// The leader is brought to all its texts in the end, and what that takes is held back. Before that, more texts
    /// go where they can change who leads: to the half of the settings that may still be the best, the likeliest
    /// first.
    pub fn next(&self, standing: &Standing, runners: &[Runner]) -> Vec<(usize, usize)> {
        self.next_mixed(standing, runners, &[], self.leader(standing))
    }

    /// [`Terms::next`] where the last of the runners are mixtures, which get texts by their parts.
    ///
    /// * `leader`: the setting or mixture that would be named now.
    pub fn next_mixed(
        &self,
        standing: &Standing,
        runners: &[Runner],
        mixes: &[Mix],
        leader: usize,
    ) -> Vec<(usize, usize)> {
        let singles = runners.len() - mixes.len();
        let mut has: Vec<usize> = runners[..singles].iter().map(|runner| runner.texts).collect();
        let mut left = self.budget.saturating_sub(has.iter().sum());
        let parts = |cell: usize| match cell.checked_sub(singles) {
            Some(at) => mixes[at].parts.to_vec(),
            None => vec![cell],
        };
        let lacks = |has: &[usize], cell: usize, upto: usize| -> usize {
            parts(cell).into_iter().map(|part| upto.saturating_sub(has[part])).sum()
        };
        let all = |has: &[usize], cell: usize| -> Vec<(usize, usize)> {
            parts(cell).into_iter().filter(|&p| has[p] < self.n).map(|p| (p, self.n)).collect()
        };
        let whole = lacks(&has, leader, self.n);
        if self.is_settled_on(standing, leader) {
            return if whole <= left { all(&has, leader) } else { Vec::new() };
        }
        // To be outdone by chance alone, a setting has to come up in some of the draws.
        let least = (1.0 - self.sure) / 4.0;
        let is_open = |&cell: &usize| standing.best[cell] > least && runners[cell].texts < self.n;
        let mut open: Vec<usize> = (0..runners.len()).filter(is_open).collect();
        open.sort_by(|&a, &b| standing.best[b].total_cmp(&standing.best[a]).then(a.cmp(&b)));
        open.truncate(open.len().div_ceil(2).max(2));
        let mut more: IndexMap<usize, usize> = IndexMap::new();
        for cell in open {
            let upto = ((runners[cell].texts as f64 * GROWTH).ceil() as usize).min(self.n);
            let takes = lacks(&has, cell, upto);
            let mut then = has.clone();
            parts(cell).into_iter().for_each(|part| then[part] = then[part].max(upto));
            // What brings the leader to all its texts stays within reach.
            if takes > 0 && takes + lacks(&then, leader, self.n) <= left {
                left -= takes;
                let grown = parts(cell).into_iter().filter(|&part| then[part] > has[part]);
                more.extend(grown.map(|part| (part, upto)));
                has = then;
            }
        }
        if more.is_empty() && whole <= left {
            all(&has, leader)
        } else {
            more.into_iter().collect()
        }
    }
}

/// Mean, 2.5 % and 97.5 % quantile.
fn middle(mut values: Vec<f64>) -> [f64; 3] {
    if values.is_empty() {
        return [f64::NAN; 3];
    }
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    [values.iter().sum::<f64>() / values.len() as f64, at(0.025), at(0.975)]
}

#[cfg(test)]
mod tests;
