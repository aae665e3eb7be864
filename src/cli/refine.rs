//! `llmpr refine`.

/// Arguments of `llmpr refine`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(_args: &Args) -> anyhow::Result<()> {
    anyhow::bail!("`llmpr refine` is not built yet")
}
