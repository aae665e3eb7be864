//! `llmpr report`.

/// Arguments of `llmpr report`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(_args: &Args) -> anyhow::Result<()> {
    anyhow::bail!("`llmpr report` is not built yet")
}
