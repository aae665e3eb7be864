//! `llmpr report --blind` and `--votes`: texts that people judge without knowing whose they are.

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::to_stdout;
use crate::run::{
    blind::{Judged, JudgedCell, judge, key_path, sheet},
    store::write_whole,
};

/// Flags of a blinded comparison.
#[derive(clap::Args)]
pub struct Flags {
    /// Write pairs of texts of these cells of RUN as a sheet for people to judge, without saying whose they are; a cell is its id or
    /// settings such as `T=0.7 shots=0`
    #[arg(long, num_args = 2.., value_name = "CELL", conflicts_with_all = ["format", "parquet", "serve", "votes"])]
    blind: Vec<String>,
    /// Pairs in the sheet at most
    #[arg(long, default_value_t = 100, value_name = "N", requires = "blind")]
    pairs: usize,
    /// Of the pairs and their sides
    #[arg(long, default_value_t = 0, value_name = "SEED", requires = "blind")]
    blind_seed: u64,
    /// Read the votes of a sheet, `left`, `right` or `tie`, and print what they say of its cells, as a table or with --format json
    #[arg(long, value_name = "SHEET", conflicts_with_all = ["parquet", "serve", "runs"])]
    votes: Option<PathBuf>,
}

impl Flags {
    /// Whether the report is one of these.
    pub fn is_meant(&self) -> bool {
        self.votes.is_some() || !self.blind.is_empty()
    }

    /// Whether votes are read.
    pub fn reads_votes(&self) -> bool {
        self.votes.is_some()
    }

    /// Writes the sheet, or reads its votes.
    pub fn run(&self, runs: &[PathBuf], out: Option<&Path>, json: bool) -> anyhow::Result<()> {
        if let Some(path) = &self.votes {
            let judged = judge(path)?;
            let text = match json {
                true => serde_json::to_string_pretty(&judged)? + "\n",
                false => table(&judged),
            };
            return match out {
                Some(out) => Ok(write_whole(out, text.as_bytes())?),
                None => Ok(to_stdout(&text)?),
            };
        }
        let [run] = runs else { bail!("--blind is of cells of one run; name one RUN before it") };
        if self.pairs == 0 {
            bail!("--pairs 0 leaves nothing to judge; use 1 or more");
        }
        let path = out.unwrap_or(Path::new("blind.csv"));
        let pairs = sheet(run, &self.blind, self.pairs, self.blind_seed, path)?;
        say!(
            "{pairs} pairs; write left, right or tie in the column `vote`, then: llmpr report --votes {}",
            path.display()
        );
        say!("whose texts they are is in {}", key_path(path).display());
        Ok(to_stdout(&format!("{}\n", path.display()))?)
    }
}

fn table(judged: &Judged) -> String {
    let width = judged.cells.iter().map(|of| of.cell.chars().count()).max().unwrap_or(0);
    let mut out = format!("{:width$}  pairs   won  strength\n", "cell");
    for JudgedCell { cell: label, of } in &judged.cells {
        let space = " ".repeat(width - label.chars().count());
        out += &format!(
            "{label}{space}  {:5}  {:4.0}%  {:+.2} [{:+.2}, {:+.2}]\n",
            of.pairs,
            100.0 * of.won / of.pairs.max(1) as f64,
            of.strength,
            of.low,
            of.high
        );
    }
    out += &format!(
        "\n{} of {} pairs are judged; of those without a tie {:.0}% went to the left text.\n\
         strength: log-odds of being preferred to the mean of these cells (Bradley-Terry), with its 95% interval;\n\
         a tie is half a vote for either, and half a vote is added to either side\n",
        judged.votes,
        judged.pairs,
        100.0 * judged.left
    );
    out
}
