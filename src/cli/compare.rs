//! `llmpr compare`.

/// Arguments of `llmpr compare`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(_args: &Args) -> anyhow::Result<()> {
    anyhow::bail!("`llmpr compare` is not built yet")
}
