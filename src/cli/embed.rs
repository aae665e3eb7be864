//! `llmpr embed`.

use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::{
    lm::{LmError, checkpoint::hub, embed::Embedder},
    npy,
    run::{progress::Progress, signals::Stop},
};

use super::{
    Exit,
    flags::{self, DeviceFlags, EmbedFlags, GapFlags, writable},
    progress,
};

/// Arguments of `llmpr embed`.
#[derive(clap::Args)]
#[command(
    mut_arg("embedder", |arg| arg.required(true)),
    mut_args(flags::defaults([EmbedFlags::defaults(), DeviceFlags::defaults()].concat()))
)]
pub struct Args {
    /// Texts (.jsonl, .json, .txt, .csv, .parquet, .arrow, .eval, a folder of save_to_disk, each with an optional
    /// :field; - is stdin)
    #[arg(value_name = "IN")]
    input: String,
    /// Where the features go: .npy or .safetensors
    #[arg(short, long, value_name = "OUT")]
    out: PathBuf,
    #[command(flatten)]
    gaps: GapFlags,
    #[command(flatten)]
    embed: EmbedFlags,
    /// IN is JSONL, each line a list of token ids
    #[arg(long)]
    token_ids: bool,
    #[command(flatten)]
    device: DeviceFlags,
}

/// Runs it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let kind = args.out.extension().and_then(|extension| extension.to_str());
    let safetensors = match kind {
        Some("npy") => false,
        Some("safetensors") => true,
        _ => bail!("`{}` ends neither in .npy nor in .safetensors", args.out.display()),
    };
    writable(&args.out, &[])?;
    let tokens = args.embed.tokens()?;
    let Some(model) = &args.embed.embedder else { bail!("name the model with --embedder MODEL") };
    let texts = if args.token_ids { Vec::new() } else { args.gaps.texts(&args.input)? };
    let given = if args.token_ids { read_ids(&args.input)? } else { Vec::new() };
    let stop = Stop::on_signals().context("cannot listen for signals")?;
    let opened = args.embed.open(model, tokens, &args.device);
    let embedder =
        opened.with_context(|| format!("embedder `{model}`"))?.with_interrupt(stop.interrupt());
    let ids = if args.token_ids {
        let cut = |mut ids: Vec<u32>| {
            ids.truncate(embedder.max_tokens());
            ids
        };
        given.into_iter().map(cut).collect()
    } else {
        texts.iter().map(|text| embedder.ids(&text.text)).collect::<Result<Vec<_>, _>>()?
    };
    let features = match embed(&embedder, &ids, &*progress::for_stderr()) {
        Err(LmError::Interrupted) => {
            let message = "stopped before the features were complete; nothing was written".into();
            return Err(Exit { code: 75, message }.into());
        }
        result => result?,
    };
    if safetensors {
        let pooling = args.embed.pooling.unwrap_or_default().to_string();
        let cut = embedder.max_tokens().to_string();
        let facts = [
            ("model", model.as_str()),
            ("pooling", pooling.as_str()),
            ("max_tokens", cut.as_str()),
            ("layer", "last, after the final norm"),
        ];
        npy::write_safetensors(&args.out, &features, &facts)
    } else {
        npy::write_npy(&args.out, &features)
    }
    .with_context(|| format!("cannot write `{}`", args.out.display()))?;
    say!("{} × {} features in {}", features.rows(), features.cols(), args.out.display());
    Ok(())
}

fn embed(
    embedder: &Embedder,
    ids: &[Vec<u32>],
    progress: &dyn Progress,
) -> Result<crate::data::matrix::Matrix, LmError> {
    let total = ids.iter().map(|ids| ids.len() as u64).sum();
    progress.begin("embedding", "tokens", total, 0);
    let mut before = 0;
    let mut hear = |done: usize, _all: usize| {
        progress.advance((done - before) as u64, 0);
        before = done;
    };
    let features = embedder.embed_ids(ids, &mut hear);
    progress.end();
    features
}

/// A JSONL file of lists of token ids.
fn read_ids(path: &str) -> anyhow::Result<Vec<Vec<u32>>> {
    let text = if path == "-" {
        std::io::read_to_string(std::io::stdin().lock())
    } else {
        std::fs::read_to_string(&*hub::local(path)?)
    }
    .with_context(|| format!("cannot read token ids from `{path}`"))?;
    let mut all = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let ids: Vec<u32> = serde_json::from_str(line)
            .with_context(|| format!("{path}:{}: not a list of token ids", at + 1))?;
        if ids.is_empty() {
            bail!("{path}:{}: an empty list; a text needs at least one token", at + 1);
        }
        all.push(ids);
    }
    if all.is_empty() {
        bail!("`{path}` is empty: it holds no list of token ids");
    }
    Ok(all)
}
