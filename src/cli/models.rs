//! `llmpr models`: check and time models.

mod bench;
mod check;

/// Arguments of `llmpr models`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Hold a model against reference values, or write its logits and hidden states
    Check(check::Args),
    /// Time prefill and decoding against what the machine could do
    Bench(bench::Args),
}

/// Runs it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::Check(args) => check::run(args),
        Command::Bench(args) => bench::run(args),
    }
}
