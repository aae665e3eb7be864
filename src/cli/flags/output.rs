//! Where the output goes, and in which form.

use std::path::PathBuf;

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

impl Format {
    /// Its name as it is written.
    pub fn name(self) -> String {
        use clap::ValueEnum;
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// In which form the output is.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct FormatFlag {
    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
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
