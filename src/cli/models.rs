//! `llmpr models`: list, fetch, inspect, check and time models.

mod bench;
mod check;
mod inspect;
mod pull;

/// Arguments of `llmpr models`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the models at hand: bundled ones and those in the hub's cache
    List(inspect::ListArgs),
    /// Fetch models, or files of texts and tasks, from the hub into its cache
    Pull(pull::Args),
    /// Say what a model is, without running it
    Inspect(inspect::InspectArgs),
    /// Hold a model against reference values, or write its logits and hidden states
    Check(check::Args),
    /// Time prefill and decoding against what the machine could do
    Bench(bench::Args),
}

/// Runs it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::List(args) => inspect::list(args),
        Command::Pull(args) => pull::run(args),
        Command::Inspect(args) => inspect::inspect(args),
        Command::Check(args) => check::run(args),
        Command::Bench(args) => bench::run(args),
    }
}
