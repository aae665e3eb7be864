//! `llmpr completions` and `llmpr man`.

/// Arguments of `llmpr completions`.
#[derive(clap::Args)]
pub struct Args {
    /// The shell to write for
    shell: clap_complete::Shell,
}

/// Prints the completion script on stdout.
pub fn run(args: &Args) -> anyhow::Result<()> {
    // Straight to stdout the generator would panic where the reader has gone away.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::parser(), "llmpr", &mut script);
    Ok(super::to_stdout(&String::from_utf8(script)?)?)
}

/// Prints the manual page on stdout.
pub fn man() -> anyhow::Result<()> {
    let mut page = Vec::new();
    clap_mangen::Man::new(super::parser()).render(&mut page)?;
    Ok(super::to_stdout(&String::from_utf8(page)?)?)
}
