//! `llmpr sample`.

use std::{collections::HashSet, io::Write, ops::ControlFlow, path::PathBuf, sync::Arc};

use anyhow::{Context, bail};

use super::{
    Exit,
    knob_flags::KnobFlags,
    prompting::{Source, find_task},
};
use crate::{
    decode::{Chain, Decoding},
    lm::{
        device::{DeviceChoice, DtypeChoice},
        generate::{Event, GenerateOptions},
    },
    report::record::{CELL_SCHEMA, CellRecord, SampleRecord, short_name},
    rng::Draw,
    run::{
        folder::ModelRecord,
        models::{Drawer, SweepModel},
        plan::{PlanError, cell_id, draws},
        progress,
        sampling::{PlannedCell, sample_record},
        settings::Batch,
        signals::Stop,
        store::Log,
        sweep::ENGINE,
    },
    text::{chat::ChatMode, task::Task},
};

/// Arguments of `llmpr sample`.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("source").required(true).args(["task", "prompt", "prompts"])))]
pub struct Args {
    /// Model: folder, .gguf file, hub id or bundled name
    #[arg(long, value_name = "MODEL")]
    model: String,
    /// Task: a bundled name or a .toml file
    #[arg(long, value_name = "NAME|FILE")]
    task: Option<String>,
    /// One prompt
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: Option<String>,
    /// Prompts, one a line of .txt or one a record of .jsonl (its field `prompt`, or :FIELD)
    #[arg(long, value_name = "FILE[:FIELD]")]
    prompts: Option<String>,
    /// Texts that examples and prefixes of a task come from
    #[arg(long, value_name = "FILE[:FIELD]")]
    reference: Option<String>,
    /// In-context examples
    #[arg(long, default_value_t = 0, value_name = "N")]
    shots: usize,
    /// Completions, going round the prompts [default: one a prompt]
    #[arg(short = 'n', long = "n", value_name = "N")]
    n: Option<usize>,
    /// Tokens after which a completion is cut [default: the task's, or 256]
    #[arg(long, value_name = "N")]
    max_new_tokens: Option<usize>,
    /// Temperature; 0 always takes the most probable token
    #[arg(long, default_value_t = 1.0, value_name = "T")]
    temperature: f64,
    #[command(flatten)]
    knobs: KnobFlags,
    /// Seed of the draws
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    seed: u64,
    /// Rows computed at once; texts do not depend on it
    #[arg(long, default_value = "auto", value_name = "auto|N")]
    batch: Batch,
    /// Whether prompts go through the model's chat template
    #[arg(long, default_value = "auto", value_name = "auto|never|always")]
    chat: ChatMode,
    /// Device
    #[arg(long, default_value = "auto", value_name = "auto|cpu|cuda:N")]
    device: DeviceChoice,
    /// Number type
    #[arg(long, default_value = "auto", value_name = "auto|f32|f16|bf16")]
    dtype: DtypeChoice,
    /// Write there instead of stdout; what the file has already is kept and not drawn again
    #[arg(short, long, value_name = "OUT.jsonl")]
    out: Option<PathBuf>,
}

/// Where completions go.
enum Sink {
    File(Log),
    Stdout(std::io::Stdout),
}

impl Sink {
    fn write(&mut self, record: &SampleRecord) -> anyhow::Result<()> {
        match self {
            Self::File(log) => Ok(log.append(record)?),
            Self::Stdout(out) => {
                let line = serde_json::to_string(record)?;
                writeln!(out, "{line}").context("cannot write to stdout")
            }
        }
    }
}

/// Runs it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if args.n == Some(0) {
        return Err(PlanError::NoSamples.into());
    }
    let decoding = Decoding { temperature: args.temperature, ..args.knobs.decoding() };
    let chain = Chain::new(decoding)?;
    let task = find_task(args.task.as_deref())?;
    let max_new_tokens = args.max_new_tokens.unwrap_or(task.max_new_tokens);
    if max_new_tokens == 0 {
        return Err(PlanError::NoTokens.into());
    }
    let named = || format!("model `{}`", args.model);
    let model = SweepModel::open(&args.model, args.chat).with_context(named)?;
    let source = Source {
        prompt: args.prompt.as_deref(),
        prompts: args.prompts.as_deref(),
        reference: args.reference.as_deref(),
        shots: args.shots,
        count: args.n.unwrap_or(1),
    };
    let prompts = source.plan(&task, &model, max_new_tokens)?;
    model.accepts(&decoding).with_context(named)?;
    let ModelRecord { hash, tokenizer_hash, dtype, device, .. } =
        model.record(args.device, args.dtype).with_context(named)?;
    let mut record = CellRecord {
        schema: CELL_SCHEMA.to_owned(),
        id: String::new(),
        model: args.model.clone(),
        model_hash: hash,
        tokenizer_hash,
        task: task.name.clone(),
        task_hash: task.hash.clone(),
        prompts_hash: prompts.hash.clone(),
        chat: model.chat,
        shots: args.shots,
        decoding,
        seed: args.seed,
        n_samples: args.n.unwrap_or(prompts.prompts.len()),
        max_new_tokens,
        stop: task.stop.clone(),
        engine: ENGINE.to_owned(),
        device,
        dtype,
    };
    record.id = cell_id(&record);
    let cell = PlannedCell { record, chain, prompts: Arc::new(prompts) };
    let (mut sink, done) = open_sink(args, &cell)?;
    let drawer = model.load(args.device, args.dtype).with_context(named)?;
    draw(args, &task, &drawer, &cell, &mut sink, &done)
}

/// Opens the output; what a file holds must be of this cell.
fn open_sink(args: &Args, cell: &PlannedCell) -> anyhow::Result<(Sink, HashSet<Draw>)> {
    let Some(path) = &args.out else {
        return Ok((Sink::Stdout(std::io::stdout()), HashSet::new()));
    };
    let (log, found) = Log::open::<SampleRecord>(path)?;
    let CellRecord { seed, decoding, .. } = cell.record;
    for old in &found.records {
        let prompt = cell.prompts.prompts.get(old.prompt_index as usize);
        let same = old.seed == seed
            && old.decoding == decoding
            && prompt.is_some_and(|prompt| prompt.text == old.prompt);
        if !same {
            bail!(
                "`{}` holds completions of other settings (the first such is {}); choose another -o",
                path.display(),
                old.id
            );
        }
    }
    let done = found.records.iter().map(|r| Draw { prompt: r.prompt_index, sample: r.sample });
    Ok((Sink::File(log), done.collect()))
}

fn draw(
    args: &Args,
    task: &Task,
    drawer: &Drawer,
    cell: &PlannedCell,
    sink: &mut Sink,
    done: &HashSet<Draw>,
) -> anyhow::Result<()> {
    let prompts = &cell.prompts.prompts;
    let n = cell.record.n_samples;
    let missing: Vec<Draw> = draws(n, prompts.len()).filter(|d| !done.contains(d)).collect();
    let requests: Vec<(&PlannedCell, Draw)> = missing.iter().map(|&draw| (cell, draw)).collect();
    let stop = Stop::on_signals().context("cannot listen for signals")?;
    let batch = match args.batch {
        Batch::Auto => None,
        Batch::Rows(rows) => Some(rows),
    };
    let options =
        GenerateOptions { batch, interrupt: stop.interrupt(), ..GenerateOptions::default() };
    let progress = progress::for_stderr();
    let found = (n - missing.len()) as u64;
    progress.begin(&format!("sampling {}", short_name(&args.model)), "texts", n as u64, found);
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
    if let Sink::File(log) = sink {
        log.sync()?;
    }
    match failure {
        Some(error) => Err(error),
        None if totals?.stopped => {
            let message = "stopped; with -o the same command goes on".to_owned();
            Err(Exit { code: 75, message }.into())
        }
        None => Ok(()),
    }
}
