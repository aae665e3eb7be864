//! A race of a sweep's cells: texts are drawn where they tell which setting is best, until that is settled.

mod measure;
mod record;

use std::{collections::HashMap, sync::OnceLock};

use indexmap::IndexMap;

use super::{ExecuteError, Execution, Outcome, enter};
use crate::{
    cloud::pca::Pca,
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
        tune::{
            mix::Mix,
            mixtures::Above,
            race::{Runner, Standing, Terms},
            record::{Round, TuneRecord},
            wish::EXACT,
        },
    },
    score::ScoreOptions,
};

/// Races the cells of a sweep, or goes on with that; what it came to is `None` after a stop, and stands in the folder's
/// `tune.json`. Cells that have all their completions in the end are scored as those of a sweep are.
///
/// Every cell's texts are the first of those that the sweep draws, so a race that is run again finds them, and the sweep
/// itself goes on from them. What is decided depends on these texts alone.
///
/// * `shares`: from the second round on, mixtures of leading settings with these shares of one race along, see
///   [`Terms::mixes`]; none do where it is empty.
///
/// # Errors
///
/// Those of [`super::run`].
pub fn tune(
    sweep: &mut Sweep,
    terms: &Terms,
    shares: &[f64],
    command: Vec<String>,
    stop: &Stop,
    progress: &dyn Progress,
) -> Result<(Outcome, Option<TuneRecord>), ExecuteError> {
    let mut record = None;
    let outcome = enter(sweep, command, stop, progress, |execution, _| {
        let found = Race::new(execution, terms, shares).run()?;
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
    /// Shares of mixtures.
    shares: &'a [f64],
    cells: Vec<PlannedCell>,
    /// The cells as they stand, and mixtures of them behind these.
    runners: Vec<Runner>,
    mixes: Vec<Mix>,
    /// What mixtures were measured at, by their parts, share and number of texts.
    known: HashMap<(Mixed, usize), Runner>,
    tokens: Vec<usize>,
    /// The model of a sweep that has one alone stays loaded.
    drawer: Option<Drawer>,
    /// What measures of features are made with, once the first texts are there.
    space: Option<Space>,
}

/// The parts and the bits of the share of a mixture.
type Mixed = ([usize; 2], u64);

/// The reference and the components that all cells are reduced by.
struct Space {
    reference: EmbeddedReference,
    pca: Option<Pca>,
    options: ScoreOptions,
}

/// How a race stands after a round.
struct State {
    /// Of the cells and the mixtures behind them.
    standing: Standing,
    /// What the mixtures have over the cells.
    above: Vec<Above>,
    /// The cell that leads among cells alone.
    single: usize,
    /// Which of all would be named now.
    named: usize,
}

/// What ends a step before its end.
type Stopped<T> = Result<Option<T>, ExecuteError>;

impl<'a, 'b> Race<'a, 'b> {
    fn new(execution: &'a mut Execution<'b>, terms: &'a Terms, shares: &'a [f64]) -> Self {
        let cells: Vec<PlannedCell> = execution.sweep.cells().cloned().collect();
        let lines = lines(&cells);
        let runners = lines.map(|line| Runner { line, ..Runner::default() }).collect();
        let tokens = vec![0; cells.len()];
        Self {
            execution,
            terms,
            shares,
            cells,
            runners,
            mixes: Vec::new(),
            known: HashMap::new(),
            tokens,
            drawer: None,
            space: None,
        }
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
            let Some(state) = self.state(rounds.len())? else { return Ok(None) };
            let State { standing, named, .. } = &state;
            let texts = self.runners[..self.cells.len()].iter().map(|runner| runner.texts).sum();
            let (label, alike) = (self.label(*named), standing.alike[*named]);
            self.execution.progress.say(&format!(
                "round {}: {texts} texts; {label} leads with probability {alike:.2}",
                rounds.len() + 1
            ));
            rounds.push(Round { cells: asked.len(), texts, leader: label, alike });
            asked = self.terms.next_mixed(standing, &self.runners, &self.mixes, *named);
            // A cell that failed gets nothing more.
            asked.retain(|(at, _)| !self.runners[*at].seen.is_empty());
            if asked.is_empty() {
                return Ok(Some(self.record(&state, rounds)));
            }
        }
    }

    /// How the settings stand after so many rounds and the one whose texts were just looked at; mixtures join in where
    /// the settings are narrowed to some, from the second round on or where there would be none.
    fn state(&mut self, rounds: usize) -> Stopped<State> {
        let cells = self.cells.len();
        self.runners.truncate(cells);
        self.mixes.clear();
        let standing = self.terms.standing(&self.runners);
        let single = self.terms.leader(&standing);
        let is_narrowed = rounds > 0 || self.terms.next(&standing, &self.runners).is_empty();
        if self.shares.is_empty() || !is_narrowed {
            return Ok(Some(State { standing, above: Vec::new(), single, named: single }));
        }
        if self.mix(self.terms.mixes(&standing, &self.runners, self.shares))?.is_none() {
            return Ok(None);
        }
        let standing = self.terms.standing(&self.runners);
        let above = self.terms.above(&self.runners, cells);
        let named = self.terms.named(&standing, &above, single);
        Ok(Some(State { standing, above, single, named }))
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
                self.runners[at].out =
                    Some(format!("{} of its {upto} texts are there", samples.len()));
                continue;
            }
            self.tokens[at] = samples.iter().map(SampleRecord::count).sum();
            let Some(material) = self.material(at, &samples)? else { return Ok(None) };
            let found = match material {
                Some(material) => self.measure(at, &material, upto),
                None => continue,
            };
            match found {
                Ok(found) => self.runners[at] = Runner { line, ..found },
                Err(why) => {
                    self.execution.fail(&record, why);
                    continue;
                }
            }
            self.execution.progress.advance(upto as u64, 0);
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
