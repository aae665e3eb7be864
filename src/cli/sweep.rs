//! `llmpr sweep`.

pub(super) mod dry_run;
mod presets;
mod repeat;

use anyhow::{Context, bail};
use std::path::PathBuf;

use super::{
    Exit,
    flags::{
        self, DeviceFlags, DrawFlags, EmbedFlags, KnobFlags, ReferenceFlag, ScoreFlags,
        ServerFlags, score_defaults,
    },
    layer::{Layer, options},
    options::{self, Names},
    progress,
};
use crate::{
    report::{browse::Limits, overview::overview, record::short_name},
    run::{
        batch,
        execute::{self, Outcome},
        methods::Methods,
        plan::{Grid, Shard},
        publish::{Published, publish},
        quirks::Quirks,
        range::{Integers, Reals},
        settings::{PcaFit, SweepSettings, WORLD},
        signals::Stop,
        sweep::Sweep,
    },
    score::ScoreOptions,
    text::prompt::Style,
};

/// Arguments of `llmpr sweep`.
#[derive(clap::Args)]
#[command(mut_args(alone(flags::defaults(usual()))), after_help = RANGES)]
pub struct Args {
    #[command(flatten)]
    options: Options,
    /// Take the settings of a published protocol; flags and --config go before it
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Imitate the faults of the code that the preset's numbers came from, too; see --quirks
    #[arg(long)]
    faithful: bool,
    /// Read settings from a TOML file; its keys are the long flags, and flags go before it
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// Print the cells, the token budget, the expected time and the memory, and stop
    #[arg(long)]
    dry_run: bool,
    /// Compute only part I of N of the cells, such as 0/4, or of A+B with the parts of each model; `llmpr sweep`
    /// without --shard then scores all
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Draw nothing: score what is there, and name what is missing
    #[arg(long, conflicts_with = "shard")]
    no_draw: bool,
    /// Write the requests of all open completions for a batch API, and stop; no server is asked anything
    #[arg(long, value_name = "FILE.jsonl", conflicts_with_all = ["dry_run", "shard", "import_batch"])]
    export_batch: Option<PathBuf>,
    /// Take the answers of a batch API, and stop; what failed stays open
    #[arg(long, value_name = "FILE.jsonl", conflicts_with_all = ["dry_run", "shard"])]
    import_batch: Option<PathBuf>,
    /// Draw and score again what the run in RUN recorded, into a folder that does not stay or --out, and say what
    /// differs; exit code 3 if something does
    #[arg(long, value_name = "RUN")]
    repeat: Option<PathBuf>,
    /// Form of the output
    #[arg(long, value_enum, requires = "repeat")]
    format: Option<repeat::Form>,
}

/// Makes --repeat refuse every flag beside it that would be another setting than the run's.
fn alone(mut change: impl FnMut(clap::Arg) -> clap::Arg) -> impl FnMut(clap::Arg) -> clap::Arg {
    move |arg| match arg.get_id().as_str() {
        "repeat" | "format" | "out" => change(arg),
        _ => change(arg).conflicts_with("repeat"),
    }
}

/// What `RANGE` means in the help.
const RANGES: &str = "A RANGE is 0.2..1.5 (both ends, steps of 0.1; of 1 for whole numbers), 0..1:0.25 (with a \
    step), 0..1/5 (with a count), or a list of these and of numbers, such as 0.2,0.7,1..1.4:0.2";

/// What leaving out a flag means.
pub(super) fn usual() -> flags::Defaults {
    let [usual, world] = ["TASK", WORLD].map(|task| SweepSettings::new(task, &[]));
    let of_world = |other: String, own: String| format!("{other}; of the bundled world {own}");
    let n = of_world(usual.n_samples.to_string(), world.n_samples.to_string());
    let mut all = DrawFlags::defaults(&n);
    all.push(("embedder", of_world(usual.embedder, world.embedder)));
    all.extend(EmbedFlags::defaults());
    all.extend(DeviceFlags::defaults());
    all.extend(ServerFlags::defaults());
    all.extend(score_defaults(&usual.score));
    all.extend([
        ("prompt_count", "n".to_owned()),
        ("prompt_seed", usual.prompt_seed.to_string()),
        ("score_seed", usual.score.seed.to_string()),
    ]);
    all
}

options! {
    /// Settings of a sweep that flags and files share.
    pub struct Options {
        /// Models: folders, .gguf files, hub ids (org/name[@revision][/file.gguf]) or bundled names
        #[arg(long, value_name = "A,B", alias = "model")]
        pub models: Option<Names>,
        /// Task: a bundled name or a .toml file
        #[arg(long, value_name = "NAME|FILE")]
        pub task: Option<String>,
        #[command(flatten)]
        pub reference: ReferenceFlag,
        /// Temperatures; 0 always takes the most probable token
        #[arg(long, value_name = "RANGE", alias = "temperature")]
        pub temps: Option<Reals>,
        /// In-context examples before each prompt
        #[arg(long, value_name = "RANGE")]
        pub shots: Option<Integers>,
        #[command(flatten)]
        pub knobs: KnobFlags<Reals>,
        /// Methods to compare, apart by `;`: each draws with its own settings, and with the flags for the others,
        /// such as 'T=0.3..1.5; top-p=0.5,0.9; min-p=0.1 T=1,2'
        #[arg(long, value_name = "SETTINGS")]
        pub methods: Option<Methods>,
        /// Seeds of the draws; several give independent replicas of every cell
        #[arg(long, value_name = "RANGE", alias = "seed")]
        pub seeds: Option<Integers>,
        #[command(flatten)]
        pub draw: DrawFlags,
        /// Different prompts a cell (examples and prefixes are drawn anew for each)
        #[arg(long, value_name = "N", alias = "prompts")]
        pub prompt_count: Option<usize>,
        /// Seed that parts the texts into reference and examples, and draws the prompts
        #[arg(long, value_name = "SEED")]
        pub prompt_seed: Option<u64>,
        #[command(flatten)]
        pub embed: EmbedFlags,
        #[command(flatten)]
        pub device: DeviceFlags,
        #[command(flatten)]
        pub server: ServerFlags,
        /// In a chat, whether examples stand in one turn or are earlier answers
        #[arg(long, value_enum)]
        pub shots_as: Option<ShotsAs>,
        #[command(flatten)]
        pub score: ScoreFlags,
        /// Fit components once for the run, or for each cell with the reference as in the papers
        #[arg(long, value_name = "run|joint")]
        pub pca_fit: Option<PcaFit>,
        /// Numbers of tokens after which texts of both sides are cut to measure their beginnings, too, such as 16,32,64
        #[arg(long, value_name = "RANGE")]
        pub prefixes: Option<Integers>,
        /// Read the reference once with every local model, for its negative log-likelihood at each temperature, truncations
        /// and penalties left out
        #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
        pub reference_nll: Option<bool>,
        /// Faults of published code to imitate, apart by commas: chars:N cuts the model's texts alone to N characters,
        /// penalized-eos counts end-of-text as seen under a repetition penalty, cut-prompts cuts the ends of prompts that
        /// do not fit, shared-texts takes examples and prefixes from the reference; or none
        #[arg(long, value_name = "LIST")]
        pub quirks: Option<Quirks>,
        /// Seed of everything random in scoring
        #[arg(long, value_name = "SEED")]
        pub score_seed: Option<u64>,
        /// The run folder; an unfinished or smaller run of the same sweep there is continued
        #[arg(short, long, value_name = "DIR")]
        pub out: Option<PathBuf>,
    }
}

/// How examples stand in a chat.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum ShotsAs {
    /// In the user's one turn
    Text,
    /// As earlier answers
    Turns,
}

impl ShotsAs {
    /// The style of prompts that is meant.
    pub fn style(self) -> Style {
        match self {
            Self::Text => Style::Chat,
            Self::Turns => Style::Turns,
        }
    }
}

impl Args {
    /// Defaults < preset < its faults < file < flags, checked.
    pub fn settings(&self) -> anyhow::Result<SweepSettings> {
        let mut options = self.options.clone();
        if let Some(path) = &self.config {
            options = options.or(options::read(path)?);
        }
        options = match (&self.preset, self.faithful) {
            (Some(name), true) => options.or(presets::faithful(name)?).or(presets::sound(name)?),
            (Some(name), false) => options.or(presets::sound(name)?),
            (None, true) => bail!(
                "--faithful imitates the code of a paper; say whose with --preset: {}",
                presets::with_code().join(", ")
            ),
            (None, false) => options,
        };
        let settings = resolve(options, self.shard.clone())?;
        Ok(SweepSettings { draw: !self.no_draw, ..settings })
    }
}

/// Settings of a sweep from the flags of `llmpr sweep`, each with its value behind `=`, for a program that has llmpr
/// inside.
///
/// # Errors
///
/// The sentences of the command line.
pub fn settings(words: &[String]) -> anyhow::Result<SweepSettings> {
    let args: Args = flags::parse("sweep", words).map_err(|error| {
        let said = error.to_string();
        let first = said.lines().next().unwrap_or_default();
        anyhow::anyhow!("{}", first.strip_prefix("error: ").unwrap_or(first))
    })?;
    args.settings()
}

/// What `llmpr sweep --dry-run` prints of a sweep.
pub fn plan(sweep: &mut Sweep) -> String {
    sweep.keep_shard();
    dry_run::describe(sweep)
}

/// Whether a model is one of the bundled ones that know that task alone.
fn of_the_world(model: &str) -> bool {
    matches!(model, "tiny-bio" | "tiny-bio-chat")
}

/// Settings that flags and files leave, checked.
pub(super) fn resolve(options: Options, shard: Option<Shard>) -> anyhow::Result<SweepSettings> {
    let o = options;
    let reference = o.reference.reference;
    let task = match (o.task, &o.models, &reference) {
        (Some(task), _, _) => task,
        (None, models, reference)
            if models.iter().all(|models| models.0.iter().all(|name| of_the_world(name)))
                && reference.iter().all(|name| name.split('?').next() == Some(WORLD)) =>
        {
            WORLD.to_owned()
        }
        _ => {
            let known: Vec<&str> = crate::text::task::bundled().collect();
            bail!("name the task with --task: {} or a .toml file of your own", known.join(", "))
        }
    };
    let world = task == WORLD;
    let models = match o.models {
        Some(Names(models)) => models,
        None if world => vec!["tiny-bio".to_owned(), "tiny-bio-chat".to_owned()],
        None => bail!("name the models with --models A,B: folders, .gguf files or hub ids"),
    };
    let names: Vec<&str> = models.iter().map(String::as_str).collect();
    let usual = SweepSettings::new(&task, &names);
    let embed_tokens = o.embed.tokens()?;
    let (device, dtype) = (o.device.device(), o.device.dtype());
    let score = o.score.over(usual.score);
    let score = ScoreOptions { seed: o.score_seed.unwrap_or(score.seed), ..score }.checked()?;
    Ok(SweepSettings {
        reference,
        grid: Grid {
            temperatures: o.temps.unwrap_or(usual.grid.temperatures),
            shots: o.shots.unwrap_or(usual.grid.shots),
            knobs: o.knobs.axes(),
            methods: o.methods.unwrap_or_default(),
            seeds: o.seeds.unwrap_or(usual.grid.seeds),
        },
        n_samples: o.draw.n.unwrap_or(usual.n_samples),
        max_new_tokens: o.draw.max_new_tokens,
        prompts: o.prompt_count,
        prompt_seed: o.prompt_seed.unwrap_or(usual.prompt_seed),
        batch: o.draw.batch.unwrap_or(usual.batch),
        embedder: o.embed.embedder.unwrap_or(usual.embedder),
        pooling: o.embed.pooling.unwrap_or(usual.pooling),
        embed_tokens,
        device,
        dtype,
        chat: o.draw.chat.unwrap_or(usual.chat),
        date: o.draw.date.unwrap_or(usual.date),
        shots_as: o.shots_as.map_or(usual.shots_as, ShotsAs::style),
        score,
        pca_fit: o.pca_fit.unwrap_or(usual.pca_fit),
        prefixes: o
            .prefixes
            .map_or(usual.prefixes, |all| all.values().iter().map(|&n| n as usize).collect()),
        reference_nll: o.reference_nll.unwrap_or(usual.reference_nll),
        quirks: o.quirks.unwrap_or(usual.quirks),
        out: o.out.unwrap_or(usual.out),
        shard,
        draw: usual.draw,
        server: o.server.terms(),
        meet_servers: usual.meet_servers,
        generators: usual.generators,
        cache: usual.cache,
        models: usual.models,
        task: usual.task,
    })
}

/// A sweep of the bundled world, for `llmpr selftest --world`: values without intervals.
pub(super) fn world_settings(n: usize, seed: u64, out: PathBuf) -> anyhow::Result<SweepSettings> {
    let options = Options {
        draw: DrawFlags { n: Some(n), ..DrawFlags::default() },
        score: ScoreFlags { resamples: Some(0), permutations: Some(0), ..ScoreFlags::default() },
        seeds: Some(seed.into()),
        out: Some(out),
        ..Options::default()
    };
    resolve(options, None)
}

/// Runs it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if let Some(run) = &args.repeat {
        return repeat::run(run, args.options.out.as_deref(), args.format.unwrap_or_default());
    }
    let batch = args.export_batch.is_some() || args.import_batch.is_some();
    let settings = SweepSettings { meet_servers: !batch, ..args.settings()? };
    let mut sweep = Sweep::plan(settings)?;
    for note in &sweep.notes {
        say!("note: {note}");
    }
    if batch {
        return batches(args, &sweep);
    }
    if args.dry_run {
        sweep.keep_shard();
        super::to_stdout(&dry_run::describe(&sweep))?;
        return Ok(());
    }
    let stop = Stop::on_signals().context("cannot listen for signals")?;
    let progress = progress::for_stderr();
    let command: Vec<String> = std::env::args().collect();
    let outcome = execute::run(&mut sweep, command, &stop, &*progress)?;
    conclude(&sweep, &outcome)
}

/// Writes the requests of a batch, or takes its answers.
fn batches(args: &Args, sweep: &Sweep) -> anyhow::Result<()> {
    let command: Vec<String> = std::env::args().collect();
    if let Some(path) = &args.export_batch {
        let exported = batch::export(sweep, command, path)?;
        exported.notes.iter().for_each(|note| say!("note: {note}"));
        tell!("{} requests in {}", exported.requests, path.display())?;
        return Ok(());
    }
    let Some(path) = &args.import_batch else { return Ok(()) };
    let imported = batch::import(sweep, command, path)?;
    imported.sentences().iter().for_each(|sentence| say!("{sentence}"));
    let failed = imported.failed.len();
    if failed > 0 {
        let message = format!(
            "{failed} requests failed and stay open; write them out again with --export-batch"
        );
        return Err(Exit { code: 3, message }.into());
    }
    Ok(())
}

/// Prints what a sweep came to; cells without a result make an exit code of their own.
fn conclude(sweep: &Sweep, outcome: &Outcome) -> anyhow::Result<()> {
    let out = sweep.settings.out.display();
    if outcome.stopped {
        let message =
            format!("stopped; what is finished is in `{out}`, and the same command goes on");
        return Err(Exit { code: 75, message }.into());
    }
    if let Some(results) = &outcome.results {
        tell!("{}", overview(results))?;
        for (model, rate) in &outcome.rates {
            tell!("{}: {rate:.0} tokens/s", short_name(model))?;
        }
        let folder = &sweep.settings.out;
        match publish(std::slice::from_ref(folder), folder, Limits::default()) {
            Ok(published) => {
                note_missing_pixels(&published);
                tell!("{}", published.page.display())?;
            }
            // The numbers stand without the page, and `llmpr report` makes it at any time.
            Err(error) => say!("no report: {error}"),
        }
    } else {
        let left = match outcome.busy {
            0 => String::new(),
            n => format!("; {n} cells left to others"),
        };
        tell!("shard done: {} completions drawn into {out}{left}", outcome.drawn)?;
    }
    if outcome.failed.is_empty() {
        return Ok(());
    }
    for cell in &outcome.failed {
        say!("failed: {} ({}): {}", cell.label, cell.id, cell.message);
    }
    let all = outcome.results.as_ref().is_some_and(|results| results.cells.is_empty());
    let message = format!("{} cells failed, each named above", outcome.failed.len());
    Err(Exit { code: if all { 1 } else { 3 }, message }.into())
}

/// Says why the figures are no `.png` files where they are none.
pub(super) fn note_missing_pixels(published: &Published) {
    if cfg!(feature = "png") && published.pixels < published.figures {
        say!("figures as .svg only: this machine has no fonts to draw .png with");
    }
}

#[cfg(test)]
mod tests;
