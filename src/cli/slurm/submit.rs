//! Handing both jobs to sbatch.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use crate::{cli::to_stdout, data::whole::temporary_beside, run::store};

/// Submits the array that draws and the job that scores after it, and prints their numbers. The script is kept at
/// `out` where that is given; sbatch copies it.
///
/// # Errors
///
/// What sbatch says.
pub fn submit(script: &str, out: Option<&PathBuf>) -> anyhow::Result<()> {
    let temporary = temporary_beside(&std::env::temp_dir().join("llmpr.sh"));
    let file = out.unwrap_or(&temporary);
    store::write_whole(file, script.as_bytes())?;
    let submitted = both(file);
    if out.is_none() {
        let _ = std::fs::remove_file(&temporary);
    }
    submitted
}

fn both(file: &Path) -> anyhow::Result<()> {
    let draw = sbatch(&[], file, &[])?;
    to_stdout(&format!("draw: job {draw}\n"))?;
    let dependency = format!("--dependency=afterany:{draw}");
    let score = sbatch(&[&dependency, "--array=0"], file, &["score"]);
    let score = score.with_context(|| format!("job {draw} draws, and nothing scores it"))?;
    Ok(to_stdout(&format!("score: job {score}, when job {draw} has ended\n"))?)
}

/// The number of a job.
fn sbatch(options: &[&str], file: &Path, words: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new("sbatch");
    let output = command.arg("--parsable").args(options).arg(file).args(words).output();
    let output = output.context("cannot run sbatch; without --submit the script is printed")?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !output.status.success() {
        let said = said(&output.stderr);
        bail!(
            "sbatch refuses the script: {}",
            said.strip_prefix("sbatch: error: ").unwrap_or(&said)
        );
    }
    // `12`, or `12;cluster`.
    let number = said(&output.stdout);
    Ok(number.split(';').next().unwrap_or_default().to_owned())
}
