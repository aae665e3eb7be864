//! `llmpr embed`.

/// Arguments of `llmpr embed`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(_args: &Args) -> anyhow::Result<()> {
    anyhow::bail!("`llmpr embed` is not built yet")
}
