//! What a person sees: the binary run as they run it.

#[path = "cli/score.rs"]
mod score;
