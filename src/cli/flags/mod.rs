//! Flags that several commands share, each written once: the same thing has one name, one help and one
//! default everywhere.
//!
//! What a flag left out means is the library's to say. So the groups hold `Option`s, a command lays them
//! over the library's own defaults, and help is told these by [`defaults`].
//!
//! A command that takes one value and one that takes a range of them understand each other's names:
//!
//! | `sample` and others | `sweep` |
//! |---|---|
//! | `--model` | `--models` |
//! | `--temperature` | `--temps` |
//! | `--seed` of the draws | `--seeds` |
//! | `--seed` of a score | `--score-seed` |
//!
//! `--seed` is the seed of everything random in a command. A sweep draws three times, texts, prompts and
//! halves of rows, and names each: `--seeds`, `--prompt-seed`, `--score-seed`; its `--seed` is that of the texts.
//!
//! Names of version 0.1 that help no longer shows; they are understood for one more version:
//!
//! | command | old | now |
//! |---|---|---|
//! | `embed`, `refine`, `score` | `--max-tokens` | `--embed-tokens` |
//! | `sweep` | `--prompts` (their number; in other commands a file) | `--prompt-count` |
//! | `models bench` | `--batch` (exact numbers; in other commands a bound) | `--rows` |

mod draw;
mod embed;
mod gaps;
mod knobs;
mod output;
mod score;
mod server;
#[cfg(test)]
mod tests;

pub use draw::{DrawFlags, PromptFlags, ReferenceFlag, SeedFlag};
pub use embed::{DeviceFlags, EmbedFlags};
pub use gaps::GapFlags;
pub use knobs::KnobFlags;
pub use output::{FactsFlag, FactsFormat, Format, FormatFlag, OutFlag, writable};
pub use score::{ScoreFlags, SpaceFlags, score_defaults};
pub use server::ServerFlags;

/// Ids of flags and what leaving them out means.
pub type Defaults = Vec<(&'static str, String)>;

/// Tells the help of flags what leaving them out means, as clap does for defaults of its own.
pub fn defaults(usual: Defaults) -> impl FnMut(clap::Arg) -> clap::Arg {
    move |arg| {
        let found = usual.iter().find(|(id, _)| arg.get_id() == *id);
        match (found, arg.get_help()) {
            (Some((_, value)), Some(help)) => {
                let help = format!("{help} [default: {value}]");
                arg.help(help)
            }
            _ => arg,
        }
    }
}

/// The parser of one command's flags by themselves.
pub fn command<A: clap::Args>(name: &'static str) -> clap::Command {
    A::augment_args(clap::Command::new(name))
}

/// Reads one command's flags.
///
/// # Errors
///
/// Clap's, with the usage of the command.
pub fn parse<A: clap::Args>(name: &'static str, words: &[String]) -> Result<A, clap::Error> {
    let mut command = super::with_negative_numbers(command::<A>(name)).no_binary_name(true);
    let matches = command.try_get_matches_from_mut(words)?;
    A::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}
