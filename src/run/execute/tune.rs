//! A race of a sweep's cells: texts are drawn where they tell which setting is best, until that is settled.

use std::sync::OnceLock;

use indexmap::IndexMap;

use super::{ExecuteError, Execution, Outcome, enter};
use crate::{
    cloud::pca::Pca,
    data::sides::Sides,
    lm::LmError,
    report::record::{CellRecord, SampleRecord},
    run::{
        features::EmbedError,
        models::Drawer,
        plan::PlannedCell,
        progress::{Progress, Quiet},
        sampling::{SampleError, draw_cells},
        scoring::{EmbeddedReference, Scoring},
        signals::Stop,
        store::write_json,
        sweep::Sweep,
        truth::Verdicts,
        tune::{
            race::{Runner, Seen, Standing, Terms, halves, quarters},
            record::{RACE_SCHEMA, Round, TuneRecord, TunedCell},
            wish::EXACT,
        },
    },
    score::{ScoreOptions, values_of_parts},
};

/// Races the cells of a sweep, or goes on with that; what it came to is `None` after a stop, and stands in the folder's
/// `tune.json`. Cells that have all their completions in the end are scored as those of a sweep are.
///
/// Every cell's texts are the first of those that the sweep draws, so a race that is run again finds them, and the sweep
/// itself goes on from them. What is decided depends on these texts alone.
///
/// # Errors
///
/// Those of [`super::run`].
pub fn tune(
    sweep: &mut Sweep,
    terms: &Terms,
    command: Vec<String>,
    stop: &Stop,
    progress: &dyn Progress,
) -> Result<(Outcome, Option<TuneRecord>), ExecuteError> {
    let mut record = None;
    let outcome = enter(sweep, command, stop, progress, |execution, _| {
        let found = Race::new(execution, terms).run()?;
        let results = match &found {
            Some(_) => execution.score()?,
            None => None,
        };
        if let Some(found) = &found {
            write_json(&execution.folder.root().join("tune.json"), found)?;
        }
        record = found.filter(|_| results.is_some());
        Ok(Outcome {
            stopped: results.is_none(),
            results,
            drawn: execution.session().map_or(0, |session| session.completions),
            rates: execution.rates.clone(),
            failed: execution.failed.values().cloned().collect(),
            busy: execution.busy,
        })
    })?;
    Ok((outcome, record))
}

/// A race that is under way.
struct Race<'a, 'b> {
    execution: &'a mut Execution<'b>,
    terms: &'a Terms,
    cells: Vec<PlannedCell>,
    runners: Vec<Runner>,
    tokens: Vec<usize>,
    /// The model of a sweep that has one alone stays loaded.
    drawer: Option<Drawer>,
    /// What measures of features are made with, once the first texts are there.
    space: Option<Space>,
}

/// The reference and the components that all cells are reduced by.
struct Space {
    reference: EmbeddedReference,
    pca: Option<Pca>,
    options: ScoreOptions,
}

/// What ends a step before its end.
type Stopped<T> = Result<Option<T>, ExecuteError>;

impl<'a, 'b> Race<'a, 'b> {
    fn new(execution: &'a mut Execution<'b>, terms: &'a Terms) -> Self {
        let cells: Vec<PlannedCell> = execution.sweep.cells().cloned().collect();
        let lines = lines(&cells);
        let runners = lines.map(|line| Runner { line, ..Runner::default() }).collect();
        let tokens = vec![0; cells.len()];
        Self { execution, terms, cells, runners, tokens, drawer: None, space: None }
    }

    fn run(mut self) -> Stopped<TuneRecord> {
        // Checked where the race was asked for.
        let first = self.terms.first(self.cells.len()).unwrap_or(self.terms.n);
        let mut asked: Vec<(usize, usize)> = (0..self.cells.len()).map(|at| (at, first)).collect();
        let mut rounds = Vec::new();
        loop {
            if self.draw(&asked)?.is_none() || self.look(&asked)?.is_none() {
                return Ok(None);
            }
            let standing = self.terms.standing(&self.runners);
            let leader = self.terms.leader(&standing);
            let texts = self.runners.iter().map(|runner| runner.texts).sum();
            let label = self.cells[leader].record.label();
            let alike = standing.alike[leader];
            self.execution.progress.say(&format!(
                "round {}: {texts} texts; {label} leads with probability {alike:.2}",
                rounds.len() + 1
            ));
            rounds.push(Round { cells: asked.len(), texts, leader: label, alike });
            asked = self.terms.next(&standing, &self.runners);
            // A cell that failed gets nothing more.
            asked.retain(|(at, _)| !self.runners[*at].seen.is_empty());
            if asked.is_empty() {
                return Ok(Some(self.record(&standing, rounds)));
            }
        }
    }

    /// Draws what is missing of the first texts of cells, each up to a number.
    fn draw(&mut self, asked: &[(usize, usize)]) -> Stopped<()> {
        let execution = &mut *self.execution;
        let mut at = 0;
        for group in 0..execution.sweep.groups.len() {
            let own = at..at + execution.sweep.groups[group].cells.len();
            at = own.end;
            let of_group = asked.iter().filter(|(cell, _)| own.contains(cell));
            let mut wanted = Vec::new();
            for &(cell, upto) in of_group {
                if execution.stop.asked() {
                    return Ok(None);
                }
                let cell = &self.cells[cell];
                if execution.first(&cell.record, upto)?.len() < upto {
                    wanted.push(PlannedCell { upto, ..cell.clone() });
                }
            }
            if wanted.is_empty() {
                continue;
            }
            let alone = execution.sweep.groups.len() == 1;
            let kept = self.drawer.take();
            match execution.draw_first(group, &wanted, kept) {
                Ok((_, true)) => return Ok(None),
                Ok((drawer, false)) => self.drawer = drawer.filter(|_| alone),
                Err(SampleError::Lm(LmError::Interrupted)) => return Ok(None),
                Err(SampleError::Lm(error)) => {
                    for cell in &wanted {
                        execution.fail(&cell.record, error.to_string());
                    }
                }
                Err(SampleError::Folder(error)) => return Err(error.into()),
                Err(SampleError::Store(error)) => return Err(error.into()),
                Err(SampleError::Lock(error)) => {
                    return Err(crate::run::folder::FolderError::from(error).into());
                }
            }
        }
        Ok(Some(()))
    }

    /// Measures the first texts of cells, and halves of them.
    fn look(&mut self, asked: &[(usize, usize)]) -> Stopped<()> {
        let names = self.terms.wish.measures();
        let exact: Vec<&str> = names.iter().filter_map(|name| name.strip_prefix(EXACT)).collect();
        let of_features = names.len() > exact.len();
        if of_features && self.space.is_none() {
            match self.open(asked)? {
                Some(space) => self.space = Some(space),
                None => return Ok(None),
            }
        }
        let total: usize = asked.iter().map(|(_, upto)| upto).sum();
        self.execution.progress.begin("measuring", "texts", total as u64, 0);
        for &(at, upto) in asked {
            let execution = &mut *self.execution;
            if execution.stop.asked() {
                return Ok(None);
            }
            let record = self.cells[at].record.clone();
            let samples = execution.first(&record, upto)?;
            let line = self.runners[at].line;
            self.runners[at] = Runner { texts: upto, line, ..Runner::default() };
            if samples.len() < upto {
                execution.progress.say(&format!("{} is out: it lacks texts", record.label()));
                continue;
            }
            self.tokens[at] = samples.iter().map(SampleRecord::count).sum();
            let halves = halves(upto, self.cells[at].prompts.prompts.len(), self.terms.seed);
            let parts = [quarters(&halves), halves].concat();
            let mut found: Vec<IndexMap<String, f64>> = vec![IndexMap::new(); parts.len() + 1];
            if let (false, Some(grammar)) = (exact.is_empty(), &execution.sweep.grammar) {
                let texts: Vec<&str> = samples.iter().map(SampleRecord::text).collect();
                let verdicts = Verdicts::new(grammar, &texts);
                let all = (0..upto).collect();
                for (found, rows) in found.iter_mut().zip(std::iter::once(&all).chain(&parts)) {
                    let values = verdicts.measure(rows);
                    found.extend(values.into_iter().map(|(name, v)| (format!("{EXACT}{name}"), v)));
                }
            }
            if let Some(space) = &self.space {
                let features = match execution.features(&record, &samples)? {
                    Ok(Some(features)) => features,
                    Ok(None) => return Ok(None),
                    Err(why) => {
                        execution.fail(&record, why);
                        continue;
                    }
                };
                let sets = Sides { reference: &space.reference.features, model: &features };
                match values_of_parts(sets, space.pca.as_ref(), &parts, &space.options) {
                    Ok(values) => {
                        for (found, values) in found.iter_mut().zip(values) {
                            found.extend(values);
                        }
                    }
                    Err(error) => {
                        let why = format!("cannot be measured: {error}");
                        execution.fail(&record, why);
                        continue;
                    }
                }
            }
            self.runners[at].seen = seen(&names, &found);
            execution.progress.advance(upto as u64, 0);
        }
        self.execution.progress.end();
        Ok(Some(()))
    }

    /// Embeds the reference and the first texts of all cells, and fits what reduces them.
    fn open(&mut self, asked: &[(usize, usize)]) -> Stopped<Space> {
        let execution = &mut *self.execution;
        let mut texts = execution.sweep.reference.len();
        texts += asked.iter().map(|(_, upto)| upto).sum::<usize>();
        execution.progress.begin("embedding", "texts", texts as u64, 0);
        let Some(reference) = execution.embed_reference()? else { return Ok(None) };
        let names = self.terms.wish.measures();
        let of_features: Vec<&str> =
            names.iter().map(String::as_str).filter(|name| !name.starts_with(EXACT)).collect();
        let metrics = of_features.join(",").try_into();
        let options = ScoreOptions {
            // Checked where the race was asked for.
            metrics: metrics.unwrap_or_default(),
            ..execution.sweep.settings.score.clone()
        };
        let pca_fit = execution.sweep.settings.pca_fit;
        let quota = reference.features.rows().div_ceil(asked.len().max(1));
        let mut parts = Vec::with_capacity(asked.len());
        for &(at, upto) in asked {
            let record = self.cells[at].record.clone();
            let samples = execution.first(&record, upto)?;
            match execution.features(&record, &samples)? {
                Ok(Some(features)) if features.rows() > 0 => {
                    let n = features.rows();
                    let taken = quota.min(n);
                    let rows: Vec<usize> = (0..taken).map(|i| i * n / taken).collect();
                    parts.push((record.id.clone(), features.select(&rows)));
                }
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                Err(why) => execution.fail(&record, why),
            }
        }
        execution.progress.end();
        let scoring = Scoring {
            options: &options,
            pca_fit,
            reference: &reference,
            truth: None,
            texts: &[],
            radius: OnceLock::new(),
        };
        let pca = scoring.basis(&parts)?.pca().cloned();
        Ok(Some(Space { reference, pca, options }))
    }

    fn record(self, standing: &Standing, rounds: Vec<Round>) -> TuneRecord {
        let Self { execution, terms, cells, runners, tokens, .. } = self;
        let leader = terms.leader(standing);
        let mut order: Vec<usize> = (0..cells.len()).collect();
        let key = |&at: &usize| (at == leader, standing.best[at], standing.alike[at]);
        order.sort_by(|a, b| {
            let (a, b) = (key(a), key(b));
            b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)).then(b.2.total_cmp(&a.2))
        });
        let tuned = |at: usize| TunedCell {
            label: cells[at].record.label(),
            cell: cells[at].record.clone(),
            texts: runners[at].texts,
            best: rounded(standing.best[at]),
            alike: rounded(standing.alike[at]),
            keeps: rounded(standing.keeps[at]),
            misses: standing.misses[at],
            goal: standing.goal[at][0],
            low: standing.goal[at][1],
            high: standing.goal[at][2],
            measures: runners[at].seen.iter().map(|(k, seen)| (k.clone(), seen.whole)).collect(),
        };
        TuneRecord {
            schema: RACE_SCHEMA.to_owned(),
            goal: terms.wish.goal.to_string(),
            requirements: terms.wish.requirements.iter().map(ToString::to_string).collect(),
            n: terms.n,
            within: terms.within,
            sure: terms.sure,
            budget: terms.budget,
            texts: runners.iter().map(|runner| runner.texts).sum(),
            grid_texts: cells.len() * terms.n,
            tokens: tokens.iter().sum(),
            seconds: execution.record.sessions.iter().map(|s| s.sampling_seconds).sum(),
            settled: terms.is_settled(standing),
            rounds,
            cells: order.into_iter().map(tuned).collect(),
        }
    }
}

/// For each cell the line of those that differ in their temperature alone, and its temperature.
fn lines(cells: &[PlannedCell]) -> impl Iterator<Item = Option<(usize, f64)>> {
    let line = |cell: &PlannedCell| {
        let mut record = cell.record.clone();
        let at = std::mem::replace(&mut record.decoding.temperature, 0.0);
        record.id.clear();
        (serde_json::to_string(&record).unwrap_or_default(), at)
    };
    let mut known: IndexMap<String, usize> = IndexMap::new();
    cells.iter().map(line).map(move |(rest, at)| {
        let next = known.len();
        Some((*known.entry(rest).or_insert(next), at))
    })
}

/// A share of draws without the rounding of their sum.
fn rounded(share: f64) -> f64 {
    (share * 1e6).round() / 1e6
}

/// The measures that are wanted, where all texts and their halves have them; `found` are the values of all texts, of
/// two quarters for each half, and of the halves.
fn seen(names: &[String], found: &[IndexMap<String, f64>]) -> IndexMap<String, Seen> {
    let [whole, parts @ ..] = found else { return IndexMap::new() };
    let (quarters, halves) = parts.split_at(parts.len() / 3 * 2);
    let of = |name: &String| {
        let values = |parts: &[IndexMap<String, f64>]| -> Option<Vec<f64>> {
            parts.iter().map(|part| part.get(name).copied().filter(|v| v.is_finite())).collect()
        };
        let (whole, halves, quarters) = (*whole.get(name)?, values(halves)?, values(quarters));
        let pairs = |all: Vec<f64>| all.chunks(2).map(|q| f64::midpoint(q[0], q[1])).collect();
        Some((name.clone(), Seen { whole, halves, quarters: quarters.map(pairs) }))
    };
    let all: Option<IndexMap<String, Seen>> = names.iter().map(of).collect();
    all.unwrap_or_default()
}

impl Execution<'_> {
    /// The first `upto` completions of a cell, in order, those that are there.
    fn first(&self, cell: &CellRecord, upto: usize) -> Result<Vec<SampleRecord>, ExecuteError> {
        if !self.folder.cell(&cell.id, "samples.jsonl").exists() {
            return Ok(Vec::new());
        }
        let first = CellRecord { n_samples: upto, ..cell.clone() };
        Ok(self.samples(&first)?)
    }

    /// Draws what is missing of `cells`, all of one model; the model that drew, and whether a stop was asked for.
    fn draw_first(
        &mut self,
        group: usize,
        cells: &[PlannedCell],
        kept: Option<Drawer>,
    ) -> Result<(Option<Drawer>, bool), SampleError> {
        let Sweep { settings, task, groups, .. } = &*self.sweep;
        let model = &groups[group].model;
        let drawer = match kept {
            Some(drawer) => drawer,
            None => model.load(settings.device, settings.dtype)?,
        };
        let batch = settings.batch.rows();
        let drawn =
            draw_cells(&drawer, task, &self.folder, cells, batch, self.stop, self.progress)?;
        let name = groups[group].record.name.clone();
        self.account(&name, &drawn);
        for (id, why) in &drawn.failed {
            if let Some(cell) = cells.iter().find(|cell| cell.record.id == *id) {
                self.fail(&cell.record, why.clone());
            }
        }
        for (id, holder) in &drawn.busy {
            if let Some(cell) = cells.iter().find(|cell| cell.record.id == *id) {
                self.leave(&cell.record, holder);
            }
        }
        Ok((Some(drawer), drawn.stopped))
    }

    /// Features of a cell's first completions, none where a stop was asked for; why there are none.
    fn features(
        &mut self,
        cell: &CellRecord,
        samples: &[SampleRecord],
    ) -> Result<Result<Option<crate::data::matrix::Matrix>, String>, ExecuteError> {
        let texts: Vec<&str> = samples.iter().map(SampleRecord::text).collect();
        let path = self.folder.cell(&cell.id, "features.npy");
        let Self { sweep, stop, .. } = self;
        // Named twice, they are kept: the next round has them again.
        sweep.features.announce(texts.iter().chain(&texts).copied());
        match sweep.features.of(&texts, &path, None, stop, &Quiet) {
            Ok(features) => Ok(Ok(Some(features))),
            Err(EmbedError::Lm(LmError::Interrupted)) => Ok(Ok(None)),
            Err(EmbedError::Store(error)) => Err(error.into()),
            Err(error) => Ok(Err(format!("cannot be embedded: {error}"))),
        }
    }
}
