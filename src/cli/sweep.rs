//! `llmpr sweep`.

mod dry_run;

use std::path::PathBuf;

use anyhow::{Context, bail};

use super::Exit;
use super::options::{self, Names, Word, options};
use crate::{
    decode::knobs,
    lm::{
        device::{DeviceChoice, DtypeChoice},
        embed::Pooling,
    },
    metric::{
        neighbors::Ties,
        score::{Clusters, Families, Normalize, Reduce, ScoreOptions},
    },
    report::{browse::Limits, overview::overview, record::short_name},
    run::{
        execute::{self, Outcome},
        plan::{Axes, Grid, Shard},
        progress,
        publish::{Published, publish},
        range::{Integers, Reals},
        settings::{Batch, PcaFit, SweepSettings, WORLD},
        signals::Stop,
        sweep::Sweep,
    },
    text::{chat::ChatMode, prompt::Style},
};

/// Arguments of `llmpr sweep`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    options: Options,
    /// Take the settings of a published protocol; flags and --config go before it
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Read settings from a TOML file; its keys are the long flags, and flags go before it
    #[arg(long, value_name = "FILE.toml")]
    config: Option<PathBuf>,
    /// Print the cells, the token budget, the expected time and the memory, and stop
    #[arg(long)]
    dry_run: bool,
    /// Compute only part I of N of the cells, such as 0/4; `llmpr sweep` without --shard then scores all
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
}

options! {
    /// Settings of a sweep that flags and files share.
    pub struct Options {
        /// Models: folders, .gguf files, hub ids (org/name[@revision][/file.gguf]) or bundled names
        #[arg(long, value_name = "A,B")]
        #[serde(deserialize_with = "options::word")]
        pub models: Option<Names>,
        /// Task: a bundled name or a .toml file
        #[arg(long, value_name = "NAME|FILE")]
        pub task: Option<String>,
        /// Human texts to hold the model's against; or a grammar, modes left out or doubled:
        /// `synthetic-bio?drop=job=painter&double=plan=prize`
        #[arg(long, value_name = "FILE[:FIELD]")]
        pub reference: Option<String>,
        /// Temperatures, such as 0.2..1.5 (steps of 0.1), 0..1:0.25, 0..1/5 or 0.2,0.7,1
        #[arg(long, value_name = "RANGE")]
        pub temps: Option<Reals>,
        /// In-context examples, such as 0..4 or 0,2,8
        #[arg(long, value_name = "RANGE")]
        pub shots: Option<Integers>,
        /// Nucleus: share of the probability kept; 1 keeps all
        #[arg(long, value_name = "RANGE")]
        pub top_p: Option<Reals>,
        /// Most probable tokens kept; 0 keeps all
        #[arg(long, value_name = "RANGE")]
        pub top_k: Option<Integers>,
        /// Least probability kept, relative to the greatest; 0 keeps all
        #[arg(long, value_name = "RANGE")]
        pub min_p: Option<Reals>,
        /// Share of the probability kept, typical tokens first; 1 keeps all
        #[arg(long, value_name = "RANGE")]
        pub typical_p: Option<Reals>,
        /// Repetition penalty; 1 is none
        #[arg(long, value_name = "RANGE")]
        pub repetition_penalty: Option<Reals>,
        /// Standard deviations of the logits, below the greatest, within which tokens are kept; 0 keeps all
        #[arg(long, value_name = "RANGE")]
        pub top_n_sigma: Option<Reals>,
        /// Seeds of the draws; several give independent replicas of every cell
        #[arg(long, value_name = "RANGE")]
        pub seeds: Option<Integers>,
        /// Completions a cell
        #[arg(short = 'n', long = "n", value_name = "N")]
        pub n: Option<usize>,
        /// Tokens after which a completion is cut [default: the task's]
        #[arg(long, value_name = "N")]
        pub max_new_tokens: Option<usize>,
        /// Different prompts a cell (examples and prefixes are drawn anew for each) [default: n]
        #[arg(long, value_name = "N")]
        pub prompts: Option<usize>,
        /// Seed that parts the texts into reference and examples, and draws the prompts
        #[arg(long, value_name = "SEED")]
        pub prompt_seed: Option<u64>,
        /// Rows computed at once; texts do not depend on it
        #[arg(long, value_name = "auto|N")]
        #[serde(deserialize_with = "options::word")]
        pub batch: Option<Batch>,
        /// Model that embeds the texts
        #[arg(long, value_name = "MODEL")]
        pub embedder: Option<String>,
        /// Which hidden states make a feature: the last token's or the mean
        #[arg(long, value_name = "last|mean")]
        #[serde(deserialize_with = "options::word")]
        pub pooling: Option<Pooling>,
        /// Tokens after which a text is cut before it is embedded
        #[arg(long, value_name = "N")]
        pub embed_tokens: Option<usize>,
        /// Device
        #[arg(long, value_name = "auto|cpu|cuda:N")]
        #[serde(deserialize_with = "options::word")]
        pub device: Option<DeviceChoice>,
        /// Number type
        #[arg(long, value_name = "auto|f32|f16|bf16")]
        #[serde(deserialize_with = "options::word")]
        pub dtype: Option<DtypeChoice>,
        /// Whether prompts go through the model's chat template
        #[arg(long, value_name = "auto|never|always")]
        #[serde(deserialize_with = "options::word")]
        pub chat: Option<ChatMode>,
        /// In a chat, whether examples stand in one turn or are earlier answers
        #[arg(long, value_name = "text|turns")]
        #[serde(deserialize_with = "options::word")]
        pub shots_as: Option<ShotsAs>,
        /// Rank of the neighbor that sets a radius
        #[arg(long, value_name = "K")]
        pub k: Option<usize>,
        /// Principal components kept: a share of the variance, a number, or none
        #[arg(long, value_name = "0.9|N|none")]
        #[serde(deserialize_with = "options::word")]
        pub pca: Option<Reduce>,
        /// Fit components once for the run, or for each cell with the reference as in the papers
        #[arg(long, value_name = "run|joint")]
        #[serde(deserialize_with = "options::word")]
        pub pca_fit: Option<PcaFit>,
        /// How rows are scaled
        #[arg(long, value_name = "l2|none")]
        #[serde(deserialize_with = "options::word")]
        pub normalize: Option<Word<Normalize>>,
        /// Whether a point exactly on a radius is outside
        #[arg(long, value_name = "strict|inclusive")]
        #[serde(deserialize_with = "options::word")]
        pub ties: Option<Word<Ties>>,
        /// Families of measures, or all
        #[arg(long, value_name = "LIST|all")]
        #[serde(deserialize_with = "options::word")]
        pub metrics: Option<Families>,
        /// Clusters of a quantization
        #[arg(long, value_name = "auto|N")]
        #[serde(deserialize_with = "options::word")]
        pub clusters: Option<Clusters>,
        /// MAUVE's exponent
        #[arg(long, value_name = "C")]
        pub scaling: Option<f64>,
        /// Half-samples behind each interval; 0 for none
        #[arg(long, value_name = "N")]
        pub resamples: Option<usize>,
        /// Relabelings behind each p-value; 0 for none
        #[arg(long, value_name = "N")]
        pub permutations: Option<usize>,
        /// Seed of everything random in scoring
        #[arg(long, value_name = "SEED")]
        pub score_seed: Option<u64>,
        /// The run folder; an unfinished or smaller run of the same sweep there is continued
        #[arg(long, value_name = "DIR")]
        pub out: Option<PathBuf>,
    }
}

impl Options {
    /// The values of every knob that is set; its field bears the name of its column.
    fn knobs(&self) -> Axes {
        knobs::optional().iter().fold(Axes::default(), |axes, knob| {
            let field = self.field(knob.column);
            let whole = field.and_then(|field| field.downcast_ref::<Option<Integers>>()?.clone());
            let real = field.and_then(|field| field.downcast_ref::<Option<Reals>>()?.clone());
            match real.or(whole.map(Reals::from)) {
                Some(values) => axes.with(knob, values),
                None => axes,
            }
        })
    }
}

/// How examples stand in a chat.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShotsAs {
    /// In the user's one turn.
    Text,
    /// As earlier answers.
    Turns,
}

impl std::str::FromStr for ShotsAs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<Word<Self>>().map(|word| word.0)
    }
}

/// Every preset: name and settings.
const PRESETS: [(&str, &str); 4] = [
    ("acl2024-bio", include_str!("../../prompts/presets/acl2024-bio.toml")),
    ("acl2024-webtext", include_str!("../../prompts/presets/acl2024-webtext.toml")),
    ("mauve-webtext", include_str!("../../prompts/presets/mauve-webtext.toml")),
    ("quick", include_str!("../../prompts/presets/quick.toml")),
];

fn preset(name: &str) -> anyhow::Result<Options> {
    match PRESETS.iter().find(|(known, _)| *known == name) {
        Some((name, text)) => options::parse(&format!("preset {name}"), text),
        None => {
            let known: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
            bail!("no preset `{name}`; there are {}", known.join(", "))
        }
    }
}

impl Args {
    /// Defaults < preset < file < flags, checked.
    pub fn settings(&self) -> anyhow::Result<SweepSettings> {
        let mut options = self.options.clone();
        if let Some(path) = &self.config {
            options = options.or(options::read(path)?);
        }
        if let Some(name) = &self.preset {
            options = options.or(preset(name)?);
        }
        resolve(options, self.shard)
    }
}

/// Whether a model is one of the bundled ones that know that task alone.
fn of_the_world(model: &str) -> bool {
    matches!(model, "tiny-bio" | "tiny-bio-chat")
}

fn resolve(options: Options, shard: Option<Shard>) -> anyhow::Result<SweepSettings> {
    let knobs = options.knobs();
    let o = options;
    let task = match (o.task, &o.models, &o.reference) {
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
    let score = ScoreOptions {
        k: o.k.unwrap_or(usual.score.k),
        ties: o.ties.map_or(usual.score.ties, |word| word.0),
        metrics: o.metrics.unwrap_or(usual.score.metrics),
        clusters: o.clusters.unwrap_or(usual.score.clusters),
        scaling: o.scaling.unwrap_or(usual.score.scaling),
        resamples: o.resamples.unwrap_or(usual.score.resamples),
        permutations: o.permutations.unwrap_or(usual.score.permutations),
        seed: o.score_seed.unwrap_or(usual.score.seed),
        normalize: o.normalize.map_or(usual.score.normalize, |word| word.0),
        pca: o.pca.unwrap_or(usual.score.pca),
        ..usual.score
    };
    Ok(SweepSettings {
        reference: o.reference,
        grid: Grid {
            temperatures: o.temps.unwrap_or(usual.grid.temperatures),
            shots: o.shots.unwrap_or(usual.grid.shots),
            knobs,
            seeds: o.seeds.unwrap_or(usual.grid.seeds),
        },
        n_samples: o.n.unwrap_or(usual.n_samples),
        max_new_tokens: o.max_new_tokens,
        prompts: o.prompts,
        prompt_seed: o.prompt_seed.unwrap_or(usual.prompt_seed),
        batch: o.batch.unwrap_or(usual.batch),
        embedder: o.embedder.unwrap_or(usual.embedder),
        pooling: o.pooling.unwrap_or(usual.pooling),
        embed_tokens: o.embed_tokens.unwrap_or(usual.embed_tokens),
        device: o.device.unwrap_or(usual.device),
        dtype: o.dtype.unwrap_or(usual.dtype),
        chat: o.chat.unwrap_or(usual.chat),
        shots_as: match o.shots_as {
            Some(ShotsAs::Turns) => Style::Turns,
            _ => Style::Chat,
        },
        score: score.checked()?,
        pca_fit: o.pca_fit.unwrap_or(usual.pca_fit),
        out: o.out.unwrap_or(usual.out),
        shard,
        models: usual.models,
        task: usual.task,
    })
}

/// A sweep of the bundled world, for `llmpr selftest --world`: values without intervals.
pub(super) fn world_settings(n: usize, seed: u64, out: PathBuf) -> anyhow::Result<SweepSettings> {
    let options = Options {
        n: Some(n),
        seeds: Some(seed.into()),
        resamples: Some(0),
        permutations: Some(0),
        out: Some(out),
        ..Options::default()
    };
    resolve(options, None)
}

/// Runs it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut sweep = Sweep::plan(args.settings()?)?;
    for note in &sweep.notes {
        eprintln!("note: {note}");
    }
    if args.dry_run {
        sweep.keep_shard();
        print!("{}", dry_run::describe(&sweep));
        return Ok(());
    }
    let stop = Stop::on_signals().context("cannot listen for signals")?;
    let progress = progress::for_stderr();
    let command: Vec<String> = std::env::args().collect();
    let outcome = execute::run(&mut sweep, command, &stop, &*progress)?;
    conclude(&sweep, &outcome)
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
        println!("{}", overview(results));
        for (model, rate) in &outcome.rates {
            println!("{}: {rate:.0} tokens/s", short_name(model));
        }
        let folder = &sweep.settings.out;
        match publish(std::slice::from_ref(folder), folder, Limits::default()) {
            Ok(published) => {
                note_missing_pixels(&published);
                println!("{}", published.page.display());
            }
            // The numbers stand without the page, and `llmpr report` makes it at any time.
            Err(error) => eprintln!("no report: {error}"),
        }
    } else {
        println!("shard done: {} completions drawn into {out}", outcome.drawn);
    }
    if outcome.failed.is_empty() {
        return Ok(());
    }
    for cell in &outcome.failed {
        eprintln!("failed: {} ({}): {}", cell.label, cell.id, cell.message);
    }
    let all = outcome.results.as_ref().is_some_and(|results| results.cells.is_empty());
    let message = format!("{} cells failed, each named above", outcome.failed.len());
    Err(Exit { code: if all { 1 } else { 3 }, message }.into())
}

/// Says why the figures are no `.png` files where they are none.
pub(super) fn note_missing_pixels(published: &Published) {
    if cfg!(feature = "png") && published.pixels < published.figures {
        eprintln!("figures as .svg only: this machine has no fonts to draw .png with");
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn settings(flags: &str) -> anyhow::Result<SweepSettings> {
        let words = std::iter::once("llmpr").chain(flags.split_whitespace());
        Cli::try_parse_from(words)?.args.settings()
    }

    #[test]
    fn the_card_s_example_needs_nothing_else() {
        let settings = settings("--temps 0.2..1.5").unwrap();
        assert_eq!(settings.models, ["tiny-bio", "tiny-bio-chat"]);
        assert_eq!((settings.task.as_str(), settings.embedder.as_str()), (WORLD, "tiny-gpt2"));
        assert_eq!(settings.grid.points().unwrap().len(), 14 * 3);
    }

    #[test]
    fn flags_go_before_the_file_and_the_file_before_the_preset() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.toml");
        std::fs::write(&path, "n = 7\ntemps = [0.5, 1]\nmodels = ['a', 'b']\nties = 'inclusive'")
            .unwrap();
        let flags = format!("--preset acl2024-bio --config {} -n 9 --shots 1", path.display());
        let settings = settings(&flags).unwrap();
        assert_eq!(settings.n_samples, 9);
        assert_eq!(settings.models, ["a", "b"]);
        assert_eq!(settings.grid.temperatures.values(), [0.5, 1.0]);
        assert_eq!(settings.grid.shots.values(), [1]);
        assert_eq!(settings.score.ties, Ties::Inclusive);
        assert_eq!(settings.grid.points().unwrap()[0].decoding.top_k, Some(50));
    }

    #[test]
    fn every_knob_s_flag_reaches_the_cells() {
        for knob in knobs::optional() {
            let range = if knob.whole { "7,9" } else { "0.25,0.5" };
            let settings =
                settings(&format!("--temps 1 --shots 0 --{} {range}", knob.flag)).unwrap();
            let points = settings.grid.points().unwrap();
            let values: Vec<_> = points.iter().map(|p| knob.text(&p.decoding)).collect();
            let wanted: Vec<_> = range.split(',').map(|value| Some(value.to_owned())).collect();
            assert_eq!(values, wanted, "--{}", knob.flag);
        }
    }

    #[test]
    fn every_preset_is_a_sweep_once_its_models_are_named() {
        for (name, _) in PRESETS {
            let flags = format!("--preset {name} --models m --task webtext");
            let settings = settings(&flags).unwrap_or_else(|error| panic!("{name}: {error}"));
            settings.grid.points().unwrap();
        }
    }

    #[test]
    fn a_file_s_mistake_is_said_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.toml");
        for (text, wanted) in [
            ("n = 7\ntemps = '1.5..0.2'\n", ":2: range `1.5..0.2`, character 1"),
            ("n = 7\n\ntemperature = 1\n", ":3: unknown field `temperature`"),
            ("ties = 'loose'", ":1: unknown variant `loose`, expected `strict` or `inclusive`"),
            ("n = -1", ":1: invalid value"),
            ("n = ", ":1: "),
        ] {
            std::fs::write(&path, text).unwrap();
            let flags = format!("--config {}", path.display());
            let message = settings(&flags).unwrap_err().to_string();
            assert!(message.contains(wanted), "{message}");
        }
    }

    #[test]
    fn what_is_missing_is_asked_for() {
        let message = |flags| settings(flags).unwrap_err().to_string();
        assert!(message("--models m").contains("name the task with --task: wikipedia-bio"));
        assert!(message("--task webtext").contains("name the models with --models"));
        assert!(message("--preset none").contains("no preset `none`; there are acl2024-bio"));
        assert!(message("--temps 1.5..0.2").contains("write 0.2..1.5"));
        assert!(message("--k 0").contains("k = 0"));
    }
}
