//! Where the output goes, and in which form.

use std::path::{Path, PathBuf};

use anyhow::bail;

/// The form of what is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
    /// One line a measure
    Csv,
    /// A table for a page or an issue
    #[value(alias = "md")]
    Markdown,
    /// The JSON of lm-evaluation-harness
    LmEval,
}

/// In which form the output is.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct FormatFlag {
    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// The form of what is no list of measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum FactsFormat {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

/// In which form such output is.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct FactsFlag {
    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    pub format: FactsFormat,
}

/// Where the output goes.
#[derive(clap::Args, Clone, Debug)]
pub struct OutFlag {
    /// Write there instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

impl OutFlag {
    /// The file, where it is none of `-` and nothing, which are stdout.
    pub fn file(&self) -> Option<&PathBuf> {
        self.out.as_ref().filter(|path| path.as_os_str() != "-")
    }

    /// [`writable`] of the file, where it is one.
    ///
    /// # Errors
    ///
    /// Those of [`writable`].
    pub fn check(&self, inputs: &[&str]) -> anyhow::Result<()> {
        self.file().map_or(Ok(()), |path| writable(path, inputs))
    }

    /// Writes `text` to the file whole, or to stdout.
    ///
    /// # Errors
    ///
    /// A sentence with the file's name.
    pub fn write(&self, text: &str) -> anyhow::Result<()> {
        match self.file() {
            None => Ok(crate::cli::to_stdout(text)?),
            Some(path) => Ok(crate::run::store::write_whole(path, text.as_bytes())?),
        }
    }
}

/// Refuses a place for output before work is spent on it: a folder, a file in a folder that is not there, and one of
/// the `inputs` (`FILE[:FIELD]`), which would be lost.
///
/// # Errors
///
/// A sentence with the place.
pub fn writable(path: &Path, inputs: &[&str]) -> anyhow::Result<()> {
    let shown = path.display();
    if path.is_dir() {
        bail!("cannot write `{shown}`: it is a folder; name a file in it");
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && !parent.exists() => {
            bail!("cannot write `{shown}`: there is no folder `{}`", parent.display())
        }
        _ => {}
    }
    match inputs.iter().find(|input| is_file(path, input)) {
        Some(input) => {
            bail!("`{shown}` would overwrite `{input}`, which is read; name another file")
        }
        None => Ok(()),
    }
}

/// Whether `input`, with a field or without, is the file `path`.
fn is_file(path: &Path, input: &str) -> bool {
    let Some(path) = path.is_file().then(|| path.canonicalize().ok()).flatten() else {
        return false;
    };
    let ends = input.match_indices(':').map(|(at, _)| at).chain([input.len()]);
    ends.map(|end| &input[..end])
        .any(|file| Path::new(file).canonicalize().is_ok_and(|file| file == path))
}
