//! `llmpr prompt`.

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::{
    flags::{self, FactsFlag, FactsFormat, PromptFlags, ReferenceFlag},
    prompting::{Source, find_task},
    sweep::ShotsAs,
    to_stdout,
};
use crate::{
    lm::Tokenizer,
    run::{
        models::SweepModel,
        plan::PlanError,
        prompts::{PlannedPrompt, PlannedPrompts},
        settings::{SweepSettings, WORLD},
    },
    text::chat::{ChatMode, Date},
};

/// The form of the JSON; grows when fields change.
const SCHEMA: &str = "llmpr.prompt/1";

/// Arguments of `llmpr prompt`.
#[derive(clap::Args)]
#[command(
    group(clap::ArgGroup::new("source").required(true).multiple(true).args(["task", "prompt", "prompts"])),
    // `--prompts N` beside a task is their number, as for `sweep`.
    mut_arg("task", |arg| arg.conflicts_with(clap::builder::Resettable::Reset).conflicts_with("prompt")),
    mut_args(flags::defaults(usual()))
)]
pub struct Args {
    /// Model: folder, .gguf file, hub id or bundled name
    #[arg(value_name = "MODEL")]
    model: String,
    #[command(flatten)]
    prompt: PromptFlags,
    /// Different prompts a cell (examples and prefixes are drawn anew for each)
    #[arg(long, value_name = "N", requires = "task")]
    prompt_count: Option<usize>,
    /// Seed that parts the texts into reference and examples, and draws the prompts
    #[arg(long, value_name = "SEED")]
    prompt_seed: Option<u64>,
    #[command(flatten)]
    reference: ReferenceFlag,
    /// Completions of each model under each setting
    #[arg(short = 'n', long = "n", value_name = "N")]
    n: Option<usize>,
    /// Tokens after which a completion is cut [default: the task's, or 256 without a task]
    #[arg(long, value_name = "N")]
    max_new_tokens: Option<usize>,
    /// Whether prompts go through the model's chat template
    #[arg(long, value_name = "auto|never|always")]
    chat: Option<ChatMode>,
    /// The day that chat templates see which write one, such as 2024-07-26
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<Date>,
    /// In a chat, whether examples stand in one turn or are earlier answers
    #[arg(long, value_enum)]
    shots_as: Option<ShotsAs>,
    /// Print the token ids as well, with begin-of-text marked
    #[arg(long)]
    show_ids: bool,
    #[command(flatten)]
    format: FactsFlag,
}

/// What leaving out a flag means.
fn usual() -> flags::Defaults {
    let [usual, world] = ["TASK", WORLD].map(|task| SweepSettings::new(task, &[]));
    let mut all = PromptFlags::defaults();
    all.extend([
        ("prompt_count", "1".to_owned()),
        ("prompt_seed", usual.prompt_seed.to_string()),
        ("n", format!("{}; of the bundled world {}", usual.n_samples, world.n_samples)),
        ("chat", "auto".to_owned()),
        ("date", Date::default().to_string()),
    ]);
    all
}

impl Args {
    /// The file of prompts and the number of a task's, which `--prompts` may name as well.
    fn prompts(&self) -> anyhow::Result<(Option<&str>, usize)> {
        let count = self.prompt_count;
        let given = self.prompt.prompts.as_deref();
        match (given, &self.prompt.task) {
            (Some(number), Some(_)) => match number.parse() {
                Ok(number) if count.is_none() => Ok((None, number)),
                _ => bail!(
                    "--prompts {number} beside --task is no number of prompts; leave out one of the two"
                ),
            },
            _ => Ok((given, count.unwrap_or(1))),
        }
    }
}

/// Runs it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let task = find_task(args.prompt.task.as_deref())?;
    let max_new_tokens = args.max_new_tokens.unwrap_or(task.max_new_tokens);
    let (file, count) = args.prompts()?;
    if count == 0 || args.n == Some(0) {
        return Err(PlanError::NoSamples.into());
    }
    if max_new_tokens == 0 {
        return Err(PlanError::NoTokens.into());
    }
    let named = || format!("model `{}`", args.model);
    let (chat, date) = (args.chat.unwrap_or_default(), args.date.unwrap_or_default());
    let model = SweepModel::open(&args.model, chat, date).with_context(named)?;
    let usual = SweepSettings::new(&task.name, &[]);
    let source = Source {
        prompts: file,
        reference: args.reference.reference.as_deref(),
        shots_as: args.shots_as.map_or(usual.shots_as, ShotsAs::style),
        seed: args.prompt_seed.unwrap_or(usual.prompt_seed),
        ..args.prompt.source(args.n.unwrap_or(usual.n_samples), count)
    };
    let planned = source.plan(&task, &model, max_new_tokens)?;
    let tokenizer = model.checkpoint().map(|checkpoint| checkpoint.tokenizer()).transpose()?;
    let shown = Shown { args, model: &model, tokenizer, planned: &planned };
    match args.format.format {
        FactsFormat::Table => Ok(to_stdout(&shown.text())?),
        FactsFormat::Json => {
            Ok(to_stdout(&(serde_json::to_string_pretty(&shown.json(&task.name))? + "\n"))?)
        }
    }
}

/// Prompts as a model reads them.
struct Shown<'a> {
    args: &'a Args,
    model: &'a SweepModel,
    tokenizer: Option<&'a Tokenizer>,
    planned: &'a PlannedPrompts,
}

/// How a prompt begins.
struct Bos {
    /// The token.
    id: u32,
    /// How often it stands in front.
    times: usize,
    /// Whether a tokenizer puts it before plain prompts.
    by_tokenizer: bool,
}

impl Shown<'_> {
    fn bos(&self, prompt: &PlannedPrompt) -> Option<Bos> {
        let tokenizer = self.tokenizer?;
        let id = tokenizer.bos_id()?;
        let times = prompt.ids.iter().take_while(|known| **known == id).count();
        Some(Bos { id, times, by_tokenizer: tokenizer.adds_bos() })
    }

    /// Where begin-of-text comes from, as a part of a sentence.
    fn origin(&self, prompt: &PlannedPrompt) -> String {
        let Some(bos) = self.bos(prompt) else { return "no begin-of-text".to_owned() };
        let text =
            self.tokenizer.and_then(|tokenizer| tokenizer.bos.as_deref()).unwrap_or_default();
        match (self.model.template.is_some(), bos.times) {
            (true, 0) if bos.by_tokenizer => format!(
                "no `{text}`: the template writes none, and as in transformers and vLLM none is added"
            ),
            (_, 0) => format!("no `{text}`"),
            (true, 1) => format!("`{text}` from the template"),
            (true, n) => {
                format!("`{text}` {n} times: the template writes it, and nothing is added")
            }
            (false, 1) if bos.by_tokenizer => format!("`{text}` from the tokenizer"),
            (false, 1) => format!("`{text}` from the prompt"),
            (false, n) => format!(
                "`{text}` {n} times: the prompt has it, and as in vLLM the tokenizer's goes before it"
            ),
        }
    }

    fn text(&self) -> String {
        let shots = self.args.prompt.shots.unwrap_or_default();
        let mut out = String::new();
        for prompt in &self.planned.prompts {
            let style = match (&self.model.template, self.model.chat) {
                (Some(_), _) => "chat template",
                (None, true) => "turns for a server",
                (None, false) => "plain text",
            };
            let tokens = match self.tokenizer {
                Some(_) => format!("{} tokens, {}", prompt.ids.len(), self.origin(prompt)),
                None => "the server counts the tokens".to_owned(),
            };
            let dropped = match shots - prompt.shots_used.min(shots) {
                0 => String::new(),
                n => format!(", {n} of {shots} examples left out because they do not fit"),
            };
            out.push_str(&format!("=== {}: {style}, {tokens}{dropped}\n", prompt.id));
            out.push_str(&prompt.text);
            out.push_str(if prompt.text.ends_with('\n') { "" } else { "\n" });
            if self.args.show_ids && self.tokenizer.is_some() {
                let bos = self.bos(prompt).map(|bos| bos.id);
                let mark = |id: &u32| match Some(*id) == bos {
                    true => format!("[BOS {id}]"),
                    false => id.to_string(),
                };
                let ids: Vec<String> = prompt.ids.iter().map(mark).collect();
                out.push_str(&format!("=== ids: {}\n", ids.join(" ")));
            }
        }
        out
    }

    fn json(&self, task: &str) -> Value {
        let prompt = |prompt: &PlannedPrompt| {
            let mut fields = json!({
                "id": prompt.id,
                "text": prompt.text,
                "n_tokens": self.tokenizer.map(|_| prompt.ids.len()),
                "shots_used": prompt.shots_used,
                "bos_tokens": self.bos(prompt).map(|bos| bos.times),
                "begins": self.origin(prompt),
            });
            if self.args.show_ids {
                fields["ids"] = json!(&prompt.ids[..]);
            }
            fields
        };
        json!({
            "schema": SCHEMA,
            "model": self.model.name,
            "task": task,
            "chat": self.model.chat,
            "date": self.model.date.to_string(),
            "bos": self.tokenizer.and_then(|t| Some(json!({"id": t.bos_id()?, "text": t.bos}))),
            "prompts_hash": self.planned.hash,
            "prompts": self.planned.prompts.iter().map(prompt).collect::<Vec<_>>(),
        })
    }
}
