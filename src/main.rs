//! The `llmpr` binary: parse, run, exit code.

/// What `--memory` bounds are buffers of this allocator.
#[global_allocator]
static MEMORY: llmpr::data::memory::Spilling = llmpr::data::memory::Spilling;

fn main() -> std::process::ExitCode {
    llmpr::cli::main()
}
