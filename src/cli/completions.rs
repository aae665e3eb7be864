//! `llmpr completions` and `llmpr man`.

/// Arguments of `llmpr completions`.
#[derive(clap::Args)]
pub struct Args {
    /// The shell to write for
    shell: clap_complete::Shell,
}

/// Prints the completion script on stdout.
pub fn run(args: &Args) -> anyhow::Result<()> {
    clap_complete::generate(args.shell, &mut super::parser(), "llmpr", &mut std::io::stdout());
    Ok(())
}

/// Prints the manual page on stdout.
pub fn man() -> anyhow::Result<()> {
    clap_mangen::Man::new(super::parser()).render(&mut std::io::stdout())?;
    Ok(())
}
