//! `llmpr models list` and `inspect`.

use serde::Serialize;

use crate::lm::{
    checkpoint::hub::Hub,
    inspect::{self, EncoderFacts, Facts},
};

/// Arguments of `llmpr models list`.
#[derive(clap::Args)]
pub struct ListArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the models at hand.
pub fn list(args: &ListArgs) -> anyhow::Result<()> {
    let hub = Hub::from_env();
    let models = inspect::at_hand(&hub);
    if args.json {
        tell!("{}", serde_json::to_string_pretty(&models)?)?;
        return Ok(());
    }
    let width = models.iter().map(|m| m.model.chars().count()).max().unwrap_or_default();
    for model in &models {
        tell!("{:width$}  {:7}  {}", model.model, model.from, model.path)?;
    }
    if models.is_empty() {
        say!(
            "no bundled models, and none in `{}`; fetch one with llmpr models pull org/name",
            hub.cache.display()
        );
    }
    Ok(())
}

/// Arguments of `llmpr models inspect`.
#[derive(clap::Args)]
pub struct InspectArgs {
    /// Folder, .gguf file, hub id or bundled name
    model: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Also SHA-256 over the configuration and every byte of the weights
    #[arg(long)]
    hash: bool,
}

/// Prints what a model is.
pub fn inspect(args: &InspectArgs) -> anyhow::Result<()> {
    if let Some(facts) = inspect::inspect_encoder(&args.model, args.hash)? {
        return print(&facts, args.json, &encoder_rows(&facts));
    }
    let facts = inspect::inspect(&args.model, args.hash)?;
    print(&facts, args.json, &rows(&facts))
}

fn print(facts: &impl Serialize, json: bool, rows: &[(&str, String)]) -> anyhow::Result<()> {
    if json {
        tell!("{}", serde_json::to_string_pretty(facts)?)?;
        return Ok(());
    }
    for (name, value) in rows {
        tell!("{name:13} {value}")?;
    }
    Ok(())
}

fn encoder_rows(facts: &EncoderFacts) -> Vec<(&'static str, String)> {
    let million = facts.parameters as f64 / 1e6;
    let mut rows = vec![
        ("model", facts.model.clone()),
        ("path", facts.path.clone()),
        ("architecture", format!("{}, a sentence encoder: for --embedder", facts.architecture)),
        ("parameters", format!("{} ({million:.1} M)", facts.parameters)),
        ("vector", format!("{} wide, {}", facts.dim, facts.pooling)),
        ("vocabulary", facts.vocab.to_string()),
        ("context", format!("{} tokens", facts.max_tokens)),
    ];
    rows.extend(facts.sha256.clone().map(|hash| ("sha256", hash)));
    rows
}

fn rows(facts: &Facts) -> Vec<(&'static str, String)> {
    let (heads, kv_heads, head_dim) = facts.heads;
    let million = facts.parameters as f64 / 1e6;
    let mut rows = vec![
        ("model", facts.model.clone()),
        ("path", facts.path.clone()),
        ("architecture", facts.architecture.clone()),
        ("parameters", format!("{} ({million:.1} M), mostly {}", facts.parameters, facts.dtype)),
        ("size", size(facts.bytes)),
        ("layers", format!("{} × {} wide, MLP {}", facts.layers, facts.hidden, facts.intermediate)),
        ("heads", format!("{heads} of {head_dim}, {kv_heads} for keys and values")),
        ("vocabulary", format!("{}{}", facts.vocab, if facts.tied { ", tied" } else { "" })),
        ("context", format!("{} tokens, {}", facts.context, facts.positions)),
        ("cache", format!("{} a token in f32", size(facts.cache_bytes_per_token as u64))),
    ];
    if let Some((width, layers)) = facts.sliding {
        rows.push(("window", format!("{width} tokens in {layers} layers")));
    }
    let none = || "none".to_owned();
    rows.push(("begin", facts.bos.clone().unwrap_or_else(none)));
    rows.push(("end", if facts.eos.is_empty() { none() } else { facts.eos.join(", ") }));
    rows.push(("tokenizer", facts.tokenizer.map_or_else(none, |n| format!("{n} tokens"))));
    rows.push((
        "chat",
        if facts.chat_template { "template in the checkpoint".to_owned() } else { none() },
    ));
    rows.extend(facts.sha256.clone().map(|hash| ("sha256", hash)));
    rows
}

/// Bytes in the unit in which they are few.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}
