//! What is done with files of texts in which some are missing.

use crate::{
    cli::notes::note,
    lm::checkpoint::hub,
    text::{Gaps, Reading, Text, read},
};

/// What to do where a file holds no text in a place of one.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub struct GapFlags {
    /// Refuse a batch's output in which a request failed or was answered without content
    #[arg(long)]
    pub strict: bool,
    /// Leave out texts that are null or empty
    #[arg(long)]
    pub skip_missing: bool,
}

impl GapFlags {
    /// Reads the texts of `spec` and says on stderr what a person should know about the file.
    ///
    /// # Errors
    ///
    /// Those of [`read`], and of [`hub::local`] for a file of the hub.
    pub fn reading(&self, spec: &str) -> anyhow::Result<Reading> {
        let Self { strict, skip_missing } = *self;
        let reading = read(&hub::local(spec)?, Gaps { strict, skip_missing })?;
        note(&reading.notes(spec));
        Ok(reading)
    }

    /// The texts alone.
    ///
    /// # Errors
    ///
    /// Those of [`reading`](Self::reading).
    pub fn texts(&self, spec: &str) -> anyhow::Result<Vec<Text>> {
        Ok(self.reading(spec)?.texts)
    }
}
