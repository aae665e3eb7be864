//! `llmpr tune`.

/// Arguments of `llmpr tune`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(_args: &Args) -> anyhow::Result<()> {
    anyhow::bail!("`llmpr tune` is not built yet")
}
