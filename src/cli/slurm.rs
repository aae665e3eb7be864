//! `llmpr slurm`.

/// Arguments of `llmpr slurm`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(_args: &Args) -> anyhow::Result<()> {
    anyhow::bail!("`llmpr slurm` is not built yet")
}
