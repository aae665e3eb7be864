//! `llmpr models`.

/// Arguments of `llmpr models`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(_args: &Args) -> anyhow::Result<()> {
    anyhow::bail!("`llmpr models` is not built yet")
}
