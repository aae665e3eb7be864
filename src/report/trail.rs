//! Cells of a run arranged as people read them: by model and shots, along the temperature.

use super::record::{CellResult, Results, telling_name};
use crate::{
    decode::knobs,
    metric::spec::{Spec, Truth},
    score::record::Estimate,
};

/// Cells of one model that differ in temperature (and seed) alone.
#[derive(Clone, Debug)]
pub struct Trail<'a> {
    /// The model's name, see [`models`].
    pub model: &'a str,
    /// The model's place among those of the run.
    pub index: usize,
    /// In-context examples.
    pub shots: usize,
    /// Truncations and penalty in words; empty where there are none.
    pub rest: String,
    /// By temperature, ascending.
    pub spots: Vec<Spot<'a>>,
}

/// The cells at one temperature: one a seed.
#[derive(Clone, Debug)]
pub struct Spot<'a> {
    /// `T`.
    pub temperature: f64,
    /// The cells, in the order of the plan.
    pub cells: Vec<&'a CellResult>,
}

/// All trails, in the order in which they begin in `results`.
pub fn trails(results: &Results) -> Vec<Trail<'_>> {
    let models = models(results);
    let paths = paths(results);
    let mut trails: Vec<Trail<'_>> = Vec::new();
    for result in &results.cells {
        let (model, rest) = (telling_name(&result.cell.model, &paths), rest(result));
        let same = |t: &Trail<'_>| {
            (t.model, t.shots, t.rest.as_str()) == (model, result.cell.shots, rest.as_str())
        };
        let trail = match trails.iter().position(same) {
            Some(at) => &mut trails[at],
            None => {
                let index = models.iter().position(|m| *m == model).unwrap_or(0);
                trails.push(Trail { model, index, shots: result.cell.shots, rest, spots: vec![] });
                let last = trails.len() - 1;
                &mut trails[last]
            }
        };
        let temperature = result.cell.decoding.temperature;
        match trail.spots.iter_mut().find(|spot| spot.temperature == temperature) {
            Some(spot) => spot.cells.push(result),
            None => trail.spots.push(Spot { temperature, cells: vec![result] }),
        }
    }
    for trail in &mut trails {
        trail.spots.sort_by(|a, b| a.temperature.total_cmp(&b.temperature));
    }
    trails
}

/// The models' names as far as they tell them apart, in the order in which they first appear.
pub fn models(results: &Results) -> Vec<&str> {
    let paths = paths(results);
    paths.iter().map(|path| telling_name(path, &paths)).collect()
}

fn paths(results: &Results) -> Vec<&str> {
    let mut paths: Vec<&str> = Vec::new();
    for result in &results.cells {
        if !paths.contains(&result.cell.model.as_str()) {
            paths.push(&result.cell.model);
        }
    }
    paths
}

/// Truncations and penalty of a cell in words.
fn rest(result: &CellResult) -> String {
    let named = |value: (&str, Option<String>)| Some(format!("{} {}", value.0, value.1?));
    let values =
        knobs::optional().iter().map(|knob| (knob.short, knob.text(&result.cell.decoding)));
    values.filter_map(named).collect::<Vec<_>>().join(", ")
}

impl Spot<'_> {
    /// The measure at this temperature: its mean over the seeds, likewise its interval and
    /// ceiling; `None` where no cell has it or it is undefined.
    pub fn estimate(&self, spec: &Spec) -> Option<Estimate> {
        mean(self.cells.iter().filter_map(|cell| cell.score.metrics.get(spec.name)))
    }

    /// A measure of the completions of one prompt, or of as many of different prompts.
    pub fn per_prompt(&self, spec: &Spec) -> Option<Estimate> {
        mean(self.cells.iter().filter_map(|cell| cell.per_prompt.get(spec.name)))
    }

    /// A measure of beginnings with its numbers of tokens, ascending.
    pub fn prefixes(&self, spec: &Spec) -> Vec<(usize, Estimate)> {
        let of = |key: &String| {
            let (name, tokens) = key.rsplit_once("_first_")?;
            (name == spec.name).then(|| tokens.parse().ok())?
        };
        let keys = self.cells.iter().flat_map(|cell| cell.prefixes.keys());
        let mut lengths: Vec<usize> = keys.filter_map(of).collect();
        lengths.sort_unstable();
        lengths.dedup();
        let at = |tokens: usize| {
            let key = format!("{}_first_{tokens}", spec.name);
            Some((tokens, mean(self.cells.iter().filter_map(|cell| cell.prefixes.get(&key)))?))
        };
        lengths.into_iter().filter_map(at).collect()
    }

    /// How well the model fits the reference at this temperature.
    pub fn reference_nll(&self, spec: &Spec) -> Option<Estimate> {
        mean(self.cells.iter().filter_map(|cell| cell.reference_nll.get(spec.name)))
    }

    /// What became of in-context examples, by its name.
    pub fn examples(&self, name: &str) -> Option<Estimate> {
        mean(self.cells.iter().filter_map(|cell| cell.examples.get(name)))
    }

    /// The exact value, where the task knows it.
    pub fn truth(&self, truth: Truth) -> Option<Estimate> {
        mean(self.cells.iter().filter_map(|cell| cell.truth.get(truth.name())))
    }
}

pub(super) fn mean<'a>(estimates: impl Iterator<Item = &'a Estimate>) -> Option<Estimate> {
    let all: Vec<&Estimate> = estimates.filter(|e| e.value.is_finite()).collect();
    let of = |part: fn(&Estimate) -> Option<f64>| {
        let values: Option<Vec<f64>> = all.iter().map(|e| part(e)).collect();
        values.map(|v| v.iter().sum::<f64>() / v.len() as f64).filter(|v| v.is_finite())
    };
    Some(Estimate {
        value: of(|e| Some(e.value))?,
        low: of(|e| e.low),
        high: of(|e| e.high),
        ceiling: of(|e| e.ceiling),
        p_value: None,
    })
}

impl Trail<'_> {
    /// What tells this trail from the others: the model, and shots and settings where they differ.
    pub fn label(&self, all: &[Self]) -> String {
        let mut label = self.model.to_owned();
        if all.iter().any(|t| t.shots != self.shots) {
            let plural = if self.shots == 1 { "" } else { "s" };
            label.push_str(&format!(", {} shot{plural}", self.shots));
        }
        if !self.rest.is_empty() && all.iter().any(|t| t.rest != self.rest) {
            label.push_str(&format!(", {}", self.rest));
        }
        label
    }

    /// The spot whose temperature is nearest to `temperature`.
    pub fn nearest(&self, temperature: f64) -> Option<&Spot<'_>> {
        let off = |spot: &&Spot<'_>| (spot.temperature - temperature).abs();
        self.spots.iter().min_by(|a, b| off(a).total_cmp(&off(b)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::record::tests::turned;

    #[test]
    fn a_caption_names_every_knob_that_is_turned() {
        let results = turned();
        let trails = trails(&results);
        for knob in knobs::optional() {
            let words = format!("{} {}", knob.short, if knob.whole { "7" } else { "0.25" });
            assert!(trails[1].rest.split(", ").any(|part| part == words), "{}", trails[1].rest);
        }
        assert_eq!(trails[0].rest, "top-p 0.9");
    }
}
