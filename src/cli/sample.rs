//! `llmpr sample`.

use std::{
    collections::HashSet,
    fs::File,
    io::{Read, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};

use super::{
    Exit,
    flags::{
        self, DeviceFlags, DrawFlags, KnobFlags, PromptFlags, ReferenceFlag, SeedFlag, ServerFlags,
    },
    progress,
    prompting::{Source, find_task},
};
use crate::{
    data::secret::without_logins,
    decode::{Chain, Decoding},
    lm::generate::{Event, GenerateOptions},
    report::record::{CELL_SCHEMA, CellRecord, SampleRecord, short_name},
    rng::Draw,
    run::{
        folder::ModelRecord,
        models::{Drawer, SweepModel, ignored},
        plan::{PlanError, PlannedCell, cell_id, draws},
        sampling::{sample_record, sort_samples},
        signals::Stop,
        store::Log,
        sweep::ENGINE,
    },
    text::task::Task,
};

/// Arguments of `llmpr sample`.
#[derive(clap::Args)]
#[command(
    group(clap::ArgGroup::new("source").required(true).args(["task", "prompt", "prompts"])),
    mut_arg("seed", |arg| arg.alias("seeds")),
    mut_args(flags::defaults(usual()))
)]
pub struct Args {
    /// Model: folder, .gguf file, hub id or bundled name
    #[arg(long, value_name = "MODEL", alias = "models")]
    model: String,
    #[command(flatten)]
    prompt: PromptFlags,
    #[command(flatten)]
    reference: ReferenceFlag,
    #[command(flatten)]
    draw: DrawFlags,
    /// Temperature; 0 always takes the most probable token
    #[arg(long, default_value_t = 1.0, value_name = "T", alias = "temps")]
    temperature: f64,
    #[command(flatten)]
    knobs: KnobFlags<f64>,
    #[command(flatten)]
    seed: SeedFlag,
    #[command(flatten)]
    device: DeviceFlags,
    #[command(flatten)]
    server: ServerFlags,
    /// Write there instead of stdout; what the file has already is kept and not drawn again
    #[arg(short, long, value_name = "OUT.jsonl")]
    out: Option<PathBuf>,
}

/// What leaving out a flag means.
fn usual() -> flags::Defaults {
    let draw = DrawFlags::defaults("one a prompt");
    [PromptFlags::defaults(), draw, DeviceFlags::defaults(), ServerFlags::defaults()].concat()
}

/// Where completions go.
enum Sink {
    File(Log, PathBuf),
    Stdout(std::io::Stdout),
}

impl Sink {
    fn write(&mut self, record: &SampleRecord) -> anyhow::Result<()> {
        match self {
            Self::File(log, _) => Ok(log.append(record)?),
            Self::Stdout(out) => {
                let line = serde_json::to_string(record)?;
                writeln!(out, "{line}").context("cannot write to stdout")
            }
        }
    }
}

impl Sink {
    /// Ends writing; a file that is complete is put in the order of its ids.
    fn close(self, complete: bool) -> anyhow::Result<()> {
        if let Self::File(mut log, path) = self {
            log.sync()?;
            drop(log);
            if complete {
                sort_samples(&path)?;
            }
        }
        Ok(())
    }
}

/// Runs it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let DrawFlags { n, max_new_tokens, chat, date, .. } = args.draw;
    if n == Some(0) {
        return Err(PlanError::NoSamples.into());
    }
    let decoding = Decoding { temperature: args.temperature, ..args.knobs.decoding() };
    let chain = Chain::new(decoding)?;
    let task = find_task(args.prompt.task.as_deref())?;
    let max_new_tokens = max_new_tokens.unwrap_or(task.max_new_tokens);
    if max_new_tokens == 0 {
        return Err(PlanError::NoTokens.into());
    }
    let named = || format!("model `{}`", without_logins(&args.model));
    let model = SweepModel::open(&args.model, chat.unwrap_or_default(), date.unwrap_or_default())
        .with_context(named)?;
    let n_samples = n.unwrap_or(1);
    let reference = args.reference.reference.as_deref();
    let source = Source { reference, ..args.prompt.source(n_samples, n_samples) };
    let prompts = source.plan(&task, &model, max_new_tokens)?;
    let begun = prompts.begin_answers(model.chat);
    let met = model.meet([&decoding], begun, args.server.terms()).with_context(named)?;
    met.iter().for_each(|note| say!("note: {note}"));
    let (device, dtype) = (args.device.device(), args.device.dtype());
    let drawer = || model.load(device, dtype).with_context(named);
    let of_model = model.record(device, dtype).with_context(named)?;
    let ignored = ignored(&of_model, &decoding);
    let ModelRecord { name, hash, tokenizer_hash, dtype, device, .. } = of_model;
    let mut record = CellRecord {
        schema: CELL_SCHEMA.to_owned(),
        id: String::new(),
        model: name,
        model_hash: hash,
        tokenizer_hash,
        task: task.name.clone(),
        task_hash: task.hash.clone(),
        prompts_hash: prompts.hash.clone(),
        chat: model.chat,
        shots: args.prompt.shots.unwrap_or_default(),
        decoding,
        seed: args.seed.seed,
        n_samples: n.unwrap_or(prompts.prompts.len()),
        max_new_tokens,
        stop: task.stop.clone(),
        engine: ENGINE.to_owned(),
        device,
        dtype,
        ignored,
        quirks: Vec::new(),
    };
    record.id = cell_id(&record);
    let cell = PlannedCell { upto: record.n_samples, record, chain, prompts: Arc::new(prompts) };
    let (sink, done) = open_sink(args, &cell)?;
    draw(args, &task, &drawer()?, &cell, sink, &done)
}

/// Refuses a file of somebody else's, whose only line would else pass for one that a kill tore.
fn refuse_foreign(path: &Path) -> anyhow::Result<()> {
    const BEGIN: &[u8] = br#"{"id":"#;
    let mut head = Vec::new();
    // What cannot be read is said where the file is opened for writing.
    let Ok(file) = File::open(path) else { return Ok(()) };
    let read = file.take(BEGIN.len() as u64).read_to_end(&mut head);
    // A disk that lost power may leave zeros.
    if read.is_ok() && !BEGIN.starts_with(&head) && head.first() != Some(&0) {
        bail!("`{}` holds other things than completions; choose another -o", path.display());
    }
    Ok(())
}

/// Opens the output; what a file holds must be of this cell.
fn open_sink(args: &Args, cell: &PlannedCell) -> anyhow::Result<(Sink, HashSet<Draw>)> {
    let Some(path) = &args.out else {
        return Ok((Sink::Stdout(std::io::stdout()), HashSet::new()));
    };
    refuse_foreign(path)?;
    let (log, found) = Log::open::<SampleRecord>(path)?;
    let CellRecord { seed, decoding, .. } = cell.record;
    for old in &found.records {
        let prompt = cell.prompts.prompts.get(old.prompt_index as usize);
        let same = old.seed == seed
            && old.decoding == decoding
            && prompt.is_some_and(|prompt| *prompt.text == *old.prompt);
        if !same {
            bail!(
                "`{}` holds completions of other settings (the first such is {}); choose another -o",
                path.display(),
                old.id
            );
        }
    }
    let done = found.records.iter().map(|r| Draw { prompt: r.prompt_index, sample: r.sample });
    Ok((Sink::File(log, path.clone()), done.collect()))
}

fn draw(
    args: &Args,
    task: &Task,
    drawer: &Drawer,
    cell: &PlannedCell,
    mut sink: Sink,
    done: &HashSet<Draw>,
) -> anyhow::Result<()> {
    let prompts = &cell.prompts.prompts;
    let n = cell.record.n_samples;
    let missing: Vec<Draw> = draws(n, prompts.len()).filter(|d| !done.contains(d)).collect();
    let requests: Vec<(&PlannedCell, Draw)> = missing.iter().map(|&draw| (cell, draw)).collect();
    let stop = Stop::on_signals().context("cannot listen for signals")?;
    let batch = args.draw.batch.unwrap_or_default().rows();
    let options =
        GenerateOptions { batch, interrupt: stop.interrupt(), ..GenerateOptions::default() };
    let progress = progress::for_stderr();
    let found = (n - missing.len()) as u64;
    progress.begin(
        &format!("sampling {}", short_name(&cell.record.model)),
        "texts",
        n as u64,
        found,
    );
    let mut failure = None;
    let mut on_event = |event| {
        let result = match event {
            Event::Finished(completion) => {
                let draw = missing[completion.tag as usize];
                progress.advance(1, 0);
                sink.write(&sample_record(task, cell, draw, completion))
            }
            Event::Failed { tag, error } => {
                let prompt = &prompts[missing[tag as usize].prompt as usize].id;
                Err(anyhow::Error::from(error).context(format!("prompt {prompt}")))
            }
            Event::Step { new_tokens, .. } => {
                progress.advance(0, new_tokens as u64);
                Ok(())
            }
        };
        if let Err(error) = result {
            failure = Some(error);
            return ControlFlow::Break(());
        }
        if stop.asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let totals = drawer.draw(&requests, &options, &mut on_event);
    progress.end();
    let complete = failure.is_none() && totals.as_ref().is_ok_and(|totals| !totals.stopped);
    sink.close(complete)?;
    match failure {
        Some(error) => Err(error),
        None if totals?.stopped => {
            let message = "stopped; with -o the same command goes on".to_owned();
            Err(Exit { code: 75, message }.into())
        }
        None => Ok(()),
    }
}
