//! What a race of settings came to, in sentences, and the command lines that draw with it.

use indexmap::IndexMap;

use super::record::{Stands, TuneRecord, TunedMixture};
use crate::{
    decode::knobs::KNOBS,
    report::{number::number, record::CellRecord},
};

/// The `llmpr sample` that draws as a cell did.
pub fn command(cell: &CellRecord) -> String {
    let mut out =
        format!("llmpr sample --model {} --task {} --shots {}", cell.model, cell.task, cell.shots);
    for knob in KNOBS {
        if let Some(value) = knob.text(&cell.decoding) {
            out += &format!(" --{} {value}", knob.flag);
        }
    }
    out
}

impl TuneRecord {
    /// What draws with the setting that was found; for a mixture a line for each part and its share. Parts have seeds of
    /// their own, so that they do not share their random numbers.
    pub fn commands(&self) -> Vec<(Option<f64>, String)> {
        let Some(mixture) = self.mixture() else {
            return self.cells.iter().take(1).map(|cell| (None, command(&cell.cell))).collect();
        };
        let mut left = self.n;
        let mut lines = Vec::with_capacity(mixture.parts.len());
        for (at, part) in mixture.parts.iter().enumerate() {
            let Some(cell) = self.cells.iter().map(|c| &c.cell).find(|cell| cell.id == part.cell)
            else {
                continue;
            };
            let is_last = at + 1 == mixture.parts.len();
            let n = if is_last { left } else { (part.share * self.n as f64).round() as usize };
            left -= n.min(left);
            let seed = cell.seed + at as u64;
            lines.push((Some(part.share), format!("{} -n {n} --seed {seed}", command(cell))));
        }
        lines
    }

    /// The goal with all texts.
    pub fn reaches(&self, found: &Stands) -> String {
        let name = self.goal.split_once(' ').map_or(self.goal.as_str(), |(_, name)| name);
        format!(
            "{name} {}, in 95 of 100 cases {} … {} with {} texts",
            number(found.goal),
            number(found.low),
            number(found.high),
            self.n
        )
    }

    /// How sure it is that a setting is the best, or by how much it misses what no setting keeps.
    pub fn chances(&self, found: &Stands) -> String {
        let alike = if self.within > 0.0 {
            let within = number(self.within);
            format!(", and with {:.2} none is better by more than {within}", found.alike)
        } else {
            String::new()
        };
        let required = self.requirements.join(" and ");
        match self.requirements.is_empty() {
            false if found.keeps < 0.5 => format!(
                "no setting keeps {required}: this one is the nearest with probability {:.2}, misses by {}, and keeps \
                 it with probability {:.2}",
                found.best,
                number(found.misses),
                found.keeps
            ),
            false => format!(
                "keeps {required} with probability {:.2}; the best with probability {:.2}{alike}",
                found.keeps, found.best
            ),
            true => format!("the best with probability {:.2}{alike}", found.best),
        }
    }

    /// What the mixture that was found has over the settings, or the likeliest one where none is shown to be better;
    /// nothing where none raced.
    pub fn over_singles(&self) -> Option<String> {
        let over = |mixture: &TunedMixture| {
            let by = number(mixture.by);
            format!("with probability {:.2}, by {by} on average", mixture.above)
        };
        if let Some(mixture) = self.mixture() {
            let single = self.cells.first().map_or("", |cell| &cell.label);
            let over = over(mixture);
            return Some(format!(
                "better than every single setting {over}; the best of these is {single}"
            ));
        }
        let raced: Vec<&TunedMixture> =
            self.mixtures.iter().filter(|mixture| mixture.stands.out.is_none()).collect();
        let likeliest = raced.first()?;
        Some(format!(
            "none of {} mixtures is shown to be better than every single setting; the likeliest is {}, better {}",
            raced.len(),
            likeliest.label,
            over(likeliest)
        ))
    }

    /// Settings and mixtures that were out of the race, a sentence for each reason.
    pub fn left_out(&self) -> Vec<String> {
        let single = self.cells.iter().map(|cell| (cell.label.as_str(), &cell.stands));
        let mixed = self.mixtures.iter().map(|mixed| (mixed.label.as_str(), &mixed.stands));
        let mut by_reason: IndexMap<&str, Vec<&str>> = IndexMap::new();
        for (label, stands) in single.chain(mixed) {
            if let Some(why) = &stands.out {
                by_reason.entry(why).or_default().push(label);
            }
        }
        let sentence = |(why, labels): (&str, Vec<&str>)| {
            format!("left out of the race: {}: {why}", labels.join("; "))
        };
        by_reason.into_iter().map(sentence).collect()
    }

    /// What the race took, and whether it was settled.
    pub fn cost(&self) -> String {
        let settled = if self.settled { "settled" } else { "not settled" };
        let share = 100.0 * self.texts as f64 / self.grid_texts.max(1) as f64;
        format!(
            "{settled} after {} rounds: {} texts of the {} of the whole grid ({share:.0} %), {} tokens, {:.0} s of drawing",
            self.rounds.len(),
            self.texts,
            self.grid_texts,
            self.tokens,
            self.seconds,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::record::tests::turned,
        run::tune::record::{RACE_SCHEMA, TunedCell},
    };

    fn stands(out: Option<&str>) -> Stands {
        Stands {
            texts: 20,
            best: 0.0,
            alike: 0.0,
            keeps: 0.0,
            misses: 0.0,
            goal: 0.5,
            low: 0.4,
            high: 0.6,
            measures: IndexMap::new(),
            out: out.map(str::to_owned),
        }
    }

    #[test]
    fn what_was_out_of_the_race_is_named_by_its_reason_and_not_counted_as_raced() {
        let cell = |label: &str, out| {
            let cell = turned().cells[0].cell.clone();
            TunedCell { cell, label: label.to_owned(), stands: stands(out) }
        };
        let mixture = |label: &str, out| TunedMixture {
            parts: Vec::new(),
            label: label.to_owned(),
            named: false,
            above: 0.25,
            by: 0.5,
            stands: stands(out),
        };
        let mut record = TuneRecord {
            schema: RACE_SCHEMA.to_owned(),
            goal: "largest recall".to_owned(),
            requirements: Vec::new(),
            n: 40,
            within: 0.0,
            sure: 0.95,
            budget: 80,
            texts: 40,
            grid_texts: 80,
            tokens: 0,
            seconds: 0.0,
            settled: false,
            rounds: Vec::new(),
            cells: vec![cell("a", None), cell("b", Some("too few"))],
            mixtures: vec![
                mixture("a + c", Some("no kl")),
                mixture("a + d", None),
                mixture("a + e", Some("no kl")),
            ],
        };
        let named =
            ["left out of the race: b: too few", "left out of the race: a + c; a + e: no kl"];
        assert_eq!(record.left_out(), named);
        let over = record.over_singles().unwrap();
        assert!(
            over.starts_with("none of 1 mixtures") && over.contains("likeliest is a + d"),
            "{over}"
        );
        record.mixtures.remove(1);
        assert_eq!(record.over_singles(), None);
    }

    #[test]
    fn the_flags_of_a_cell_turn_every_knob_that_it_turns() {
        let flags = command(&turned().cells[1].cell);
        for knob in KNOBS {
            let flag = format!(" --{} {}", knob.flag, if knob.whole { "7" } else { "0.25" });
            assert!(flags.contains(&flag), "{flags}");
        }
    }
}
