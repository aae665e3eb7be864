//! `llmpr sample`.

/// Arguments of `llmpr sample`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(_args: &Args) -> anyhow::Result<()> {
    anyhow::bail!("`llmpr sample` is not built yet")
}
