//! `llmpr sweep`.

/// Arguments of `llmpr sweep`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(_args: &Args) -> anyhow::Result<()> {
    anyhow::bail!("`llmpr sweep` is not built yet")
}
