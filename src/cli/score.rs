//! `llmpr score`.

/// Arguments of `llmpr score`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(_args: &Args) -> anyhow::Result<()> {
    anyhow::bail!("`llmpr score` is not built yet")
}
