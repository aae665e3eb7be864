//! A function that writes completions, in place of a model: whatever runs in the same process.

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use super::{
    LmError,
    engine::network::Interrupt,
    generate::{Completion, Event, FinishReason, Totals},
    server::Ask,
};

/// Completions that a generator is asked for at a time, where nobody names a number.
const BATCH: usize = 64;

/// What a generator wrote for one request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// The completion; a stop string and what follows it is cut off.
    pub text: String,
    /// How many tokens it has, where that is known.
    pub tokens: Option<usize>,
    /// Why it ended, where that is known.
    pub finish_reason: Option<FinishReason>,
    /// Its log-probability under the sampling distribution, nats, where that is known.
    pub logprob: Option<f64>,
}

impl From<String> for Written {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

/// Something that writes completions, such as an engine in the same process.
///
/// It is asked for completions of one cell at a time, as many as the sweep's `batch`. What it writes should depend on
/// prompt, settings and [`Ask::server_seed`] alone, which is another for every draw and the same in every run.
///
/// # Example
///
/// ```
/// use llmpr::{
///     lm::{LmError, generator::{Generator, Written}, server::Ask},
///     run::{execute::run, progress::Quiet, settings::SweepSettings, signals::Stop, sweep::Sweep},
/// };
/// use std::sync::Arc;
///
/// struct Parrot;
///
/// impl Generator for Parrot {
///     fn version(&self) -> &str {
///         "1"
///     }
///
///     fn generate(&self, asks: &[Ask]) -> Result<Vec<Written>, LmError> {
///         let text = |ask: &Ask| format!("{} and {}", ask.decoding.temperature, ask.server_seed());
///         Ok(asks.iter().map(|ask| Written::from(text(ask))).collect())
///     }
/// }
///
/// let folder = tempfile::tempdir()?;
/// let mut settings = SweepSettings::new("synthetic-bio", &["parrot"]);
/// settings.generators.insert("parrot", Arc::new(Parrot));
/// settings.grid.temperatures = "1".parse()?;
/// settings.grid.shots = 0.into();
/// settings.n_samples = 40;
/// settings.score.metrics = "precision".parse()?;
/// settings.out = folder.path().join("run");
/// let outcome = run(&mut Sweep::plan(settings)?, Vec::new(), &Stop::never(), &Quiet)?;
/// assert_eq!(outcome.drawn, 40);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Generator: Send + Sync {
    /// What tells its texts from those of another version under the same name; it goes into the ids of cells.
    fn version(&self) -> &str;

    /// A completion for each of `asks`, in their order.
    ///
    /// # Errors
    ///
    /// Its own, as [`LmError::Model`]: the model's open cells fail with it. [`LmError::Interrupted`] stops the sweep.
    fn generate(&self, asks: &[Ask]) -> Result<Vec<Written>, LmError>;
}

/// Generators by the names of models that they stand for.
#[derive(Clone, Default)]
pub struct Generators(BTreeMap<String, Arc<dyn Generator>>);

impl Generators {
    /// Lets `generator` stand for the model of that name.
    pub fn insert(&mut self, name: impl Into<String>, generator: Arc<dyn Generator>) {
        self.0.insert(name.into(), generator);
    }

    /// The one that stands for the model of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Generator>> {
        self.0.get(name)
    }
}

impl std::fmt::Debug for Generators {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Asks `generator`, called `name`, for a completion for each of `asks`, `batch` of one cell at a time; those of a batch
/// are reported as soon as it is written.
///
/// # Errors
///
/// Those of the generator; [`LmError::Model`] where it wrote another number of completions than it was asked for.
pub fn draw(
    generator: &dyn Generator,
    name: &str,
    asks: &[Ask],
    batch: Option<usize>,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Totals, LmError> {
    let mut totals = Totals::default();
    // Draws of a model's cells take turns.
    let mut cells: Vec<Vec<&Ask>> = Vec::new();
    let one_cell = |a: &Ask, b: &Ask| {
        a.decoding == b.decoding && a.max_new_tokens == b.max_new_tokens && a.stop == b.stop
    };
    for ask in asks {
        match cells.iter_mut().find(|cell| one_cell(cell[0], ask)) {
            Some(cell) => cell.push(ask),
            None => cells.push(vec![ask]),
        }
    }
    let batch = batch.unwrap_or(BATCH);
    for asks in cells.iter().flat_map(|cell| cell.chunks(batch)) {
        let asks: Vec<Ask> = asks.iter().map(|&ask| ask.clone()).collect();
        if interrupt.is_raised() {
            totals.stopped = true;
            return Ok(totals);
        }
        let written = generator.generate(&asks)?;
        if written.len() != asks.len() {
            let (n, m) = (written.len(), asks.len());
            let what = format!(
                "it wrote {n} completions where {m} were asked for; one a prompt is needed"
            );
            return Err(LmError::Model { model: name.to_owned(), what });
        }
        totals.steps += 1;
        let mut new_tokens = 0;
        for (ask, written) in asks.iter().zip(written) {
            let completion = completion(ask, written);
            totals.finished += 1;
            new_tokens += completion.count;
            if on_event(Event::Finished(completion)).is_break() {
                totals.stopped = true;
                return Ok(totals);
            }
        }
        totals.new_tokens += new_tokens;
        let step = Event::Step { rows: asks.len(), new_tokens, prompt_tokens: 0 };
        if on_event(step).is_break() {
            totals.stopped = true;
            return Ok(totals);
        }
    }
    Ok(totals)
}

fn completion(ask: &Ask, written: Written) -> Completion {
    let Written { mut text, tokens, finish_reason, logprob } = written;
    let cut = ask.stop.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| text.find(&**stop));
    let cut = cut.min();
    if let Some(at) = cut {
        text.truncate(at);
    }
    Completion {
        tag: ask.tag,
        tokens: Vec::new(),
        count: tokens.unwrap_or(0),
        text,
        without_text: false,
        finish_reason: match cut {
            Some(_) => FinishReason::Stop,
            None => finish_reason.unwrap_or(FinishReason::Unknown),
        },
        logprob: logprob.unwrap_or(f64::NAN),
        logprob_model: f64::NAN,
        entropy: f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decode::Decoding, lm::server::ServerPrompt, rng::Draw};

    struct Counts(std::sync::Mutex<Vec<usize>>, Option<usize>);

    impl Generator for Counts {
        fn version(&self) -> &str {
            "1"
        }

        fn generate(&self, asks: &[Ask]) -> Result<Vec<Written>, LmError> {
            let mut seen = self.0.lock().unwrap();
            seen.push(asks.len());
            let written = |ask: &Ask| Written::from(format!("{} STOP more", ask.tag));
            Ok(asks.iter().take(self.1.unwrap_or(asks.len())).map(written).collect())
        }
    }

    fn asks(temperatures: &[f64]) -> Vec<Ask> {
        let ask = |(tag, &temperature): (usize, &f64)| Ask {
            tag: tag as u64,
            prompt: ServerPrompt::Text("x".into()),
            decoding: Decoding { temperature, ..Decoding::default() },
            seed: 0,
            draw: Draw { prompt: 0, sample: tag as u32 },
            max_new_tokens: 8,
            stop: [" STOP".to_owned()].into(),
        };
        temperatures.iter().enumerate().map(ask).collect()
    }

    #[test]
    fn batches_are_of_one_cell_and_texts_end_at_stop_strings() {
        let generator = Counts(Default::default(), None);
        let mut texts = Vec::new();
        let mut hear = |event| {
            if let Event::Finished(done) = event {
                texts.push((done.text, done.finish_reason));
            }
            ControlFlow::Continue(())
        };
        let asks = asks(&[1.0, 2.0, 1.0, 1.0]);
        let totals =
            draw(&generator, "g", &asks, Some(2), &Interrupt::default(), &mut hear).unwrap();
        assert_eq!(*generator.0.lock().unwrap(), [2, 1, 1]);
        assert_eq!((totals.finished, totals.stopped), (4, false));
        assert_eq!(texts[2], ("3".to_owned(), FinishReason::Stop));
        assert_eq!(texts[3], ("1".to_owned(), FinishReason::Stop));
    }

    #[test]
    fn another_number_of_completions_is_refused_by_name() {
        let generator = Counts(Default::default(), Some(1));
        let mut hear = |_| ControlFlow::Continue(());
        let asks = asks(&[1.0, 1.0]);
        let error =
            draw(&generator, "mine", &asks, None, &Interrupt::default(), &mut hear).unwrap_err();
        let says =
            "model `mine`: it wrote 1 completions where 2 were asked for; one a prompt is needed";
        assert_eq!(error.to_string(), says);
    }
}
