//! What a person sees: the binary run as they run it.

mod common;

#[path = "cli/choose.rs"]
mod choose;
#[path = "cli/comparable.rs"]
mod comparable;
#[path = "cli/examples.rs"]
mod examples;
#[path = "cli/hub.rs"]
mod hub;
#[path = "cli/instructions.rs"]
mod instructions;
#[path = "cli/kept.rs"]
mod kept;
#[path = "cli/mistakes.rs"]
mod mistakes;
#[path = "cli/prompt.rs"]
mod prompt;
#[path = "cli/sample.rs"]
mod sample;
#[path = "cli/schema.rs"]
mod schema;
#[path = "cli/score.rs"]
mod score;
#[path = "cli/selftest.rs"]
mod selftest;
#[path = "cli/show.rs"]
mod show;
#[path = "cli/slurm.rs"]
mod slurm;
#[path = "cli/sweep.rs"]
mod sweep;
#[path = "cli/texts.rs"]
mod texts;
#[path = "cli/tune.rs"]
mod tune;
