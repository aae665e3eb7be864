//! `llmpr selftest`.

/// Arguments of `llmpr selftest`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(_args: &Args) -> anyhow::Result<()> {
    anyhow::bail!("`llmpr selftest` is not built yet")
}
