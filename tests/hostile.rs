//! Files from anywhere, damaged on purpose: whatever is in them, reading them ends with a value or a sentence.
//!
//! Each kind of file has a few valid small ones; they are mutated under a seed and read as the program reads them. Of each
//! input is asked: no panic, no more memory than 64 MiB and a hundred times the file, an end in bounded time, no file
//! outside of its folder. `LLMPR_HOSTILE=N` tries N inputs of each kind (fewer where one takes long), `LLMPR_HOSTILE_FROM=I`
//! begins with input I; an input that fails is kept in `target/tmp` and named by its kind and number, which make it again.
#![cfg(all(feature = "lm", unix))]

mod common;

#[path = "hostile/features.rs"]
mod features;
#[path = "hostile/json.rs"]
mod json;
#[path = "hostile/memory.rs"]
mod memory;
#[path = "hostile/models.rs"]
mod models;
#[path = "hostile/mutate.rs"]
mod mutate;
#[path = "hostile/network.rs"]
mod network;
#[path = "hostile/runs.rs"]
mod runs;
#[path = "hostile/settings.rs"]
mod settings;
#[path = "hostile/tables.rs"]
mod tables;
#[path = "hostile/texts.rs"]
mod texts;
#[path = "hostile/trial.rs"]
mod trial;
