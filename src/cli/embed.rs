//! `llmpr embed`.

use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::{
    lm::{
        LmError,
        device::{DeviceChoice, DtypeChoice},
        embed::{Embedder, Pooling},
    },
    npy,
    run::{progress::Progress, signals::Stop},
    text::read_texts,
};

use super::{Exit, progress};

/// Arguments of `llmpr embed`.
#[derive(clap::Args)]
pub struct Args {
    /// Texts (.jsonl, .json, .txt, .csv, .parquet, each with an optional :field; - is stdin)
    #[arg(value_name = "IN")]
    input: String,
    /// Where the features go: .npy or .safetensors
    #[arg(short, long, value_name = "OUT")]
    out: PathBuf,
    /// Model that embeds: folder, .gguf file, hub id or bundled name
    #[arg(long, value_name = "MODEL")]
    embedder: String,
    /// Which hidden states make a feature: the last token's or the mean
    #[arg(long, default_value_t, value_name = "last|mean")]
    pooling: Pooling,
    /// Tokens after which a text is cut
    #[arg(long, default_value_t = 1024, value_name = "N")]
    max_tokens: usize,
    /// IN is JSONL, each line a list of token ids
    #[arg(long)]
    token_ids: bool,
    /// Device
    #[arg(long, default_value = "auto", value_name = "auto|cpu|cuda:N")]
    device: DeviceChoice,
    /// Number type
    #[arg(long, default_value = "auto", value_name = "auto|f32|f16|bf16")]
    dtype: DtypeChoice,
}

/// Runs it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let kind = args.out.extension().and_then(|extension| extension.to_str());
    let safetensors = match kind {
        Some("npy") => false,
        Some("safetensors") => true,
        _ => bail!("`{}` ends neither in .npy nor in .safetensors", args.out.display()),
    };
    if args.max_tokens == 0 {
        bail!("--max-tokens 0 leaves nothing to embed; use 1 or more");
    }
    let texts = if args.token_ids { Vec::new() } else { read_texts(&args.input)? };
    let given = if args.token_ids { read_ids(&args.input)? } else { Vec::new() };
    let Args { device, dtype, pooling, max_tokens, .. } = *args;
    let stop = Stop::on_signals().context("cannot listen for signals")?;
    let embedder = Embedder::open(&args.embedder, device, dtype, pooling, max_tokens)
        .with_context(|| format!("embedder `{}`", args.embedder))?
        .with_interrupt(stop.interrupt());
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
        let (pooling, cut) = (pooling.to_string(), embedder.max_tokens().to_string());
        let facts = [
            ("model", args.embedder.as_str()),
            ("pooling", pooling.as_str()),
            ("max_tokens", cut.as_str()),
            ("layer", "last, after the final norm"),
        ];
        npy::write_safetensors(&args.out, &features, &facts)
    } else {
        npy::write_npy(&args.out, &features)
    }
    .with_context(|| format!("cannot write `{}`", args.out.display()))?;
    eprintln!("{} × {} features in {}", features.rows(), features.cols(), args.out.display());
    Ok(())
}

fn embed(
    embedder: &Embedder,
    ids: &[Vec<u32>],
    progress: &dyn Progress,
) -> Result<crate::matrix::Matrix, LmError> {
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
        std::fs::read_to_string(path)
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
