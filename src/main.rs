//! The `llmpr` binary: parse, run, exit code.

fn main() -> std::process::ExitCode {
    llmpr::cli::main()
}
