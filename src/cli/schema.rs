//! `llmpr schema`: what stands in the files that llmpr writes.

use anyhow::bail;

use super::to_stdout;
use crate::report::schema::{NAMES, schema, summary};

/// Arguments of `llmpr schema`.
#[derive(clap::Args)]
pub struct Args {
    /// Of which file; without a name all are listed
    name: Option<String>,
}

/// Prints a schema, or which there are.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let Some(name) = &args.name else {
        let width = NAMES.iter().map(|name| name.len()).max().unwrap_or(0);
        let lines = NAMES.map(|name| format!("{name:width$}  {}\n", summary(name)));
        return Ok(to_stdout(&lines.concat())?);
    };
    match schema(name) {
        Some(schema) => Ok(to_stdout(&(serde_json::to_string_pretty(&schema)? + "\n"))?),
        None => bail!("there is no schema `{name}`; there are {}", NAMES.join(", ")),
    }
}
