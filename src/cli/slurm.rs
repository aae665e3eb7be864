//! `llmpr slurm`: the same sweep as a job array. It prints a script and submits nothing.

use anyhow::{Context, bail};

use super::{
    flags::{self, OutFlag},
    sweep,
};

/// Arguments of `llmpr slurm`.
#[derive(clap::Args)]
pub struct Args {
    /// Jobs in the array; each draws its part of the cells
    #[arg(long, default_value_t = 4, value_name = "N")]
    jobs: usize,
    /// Jobs that run at a time [default: all]
    #[arg(long, value_name = "N")]
    at_a_time: Option<usize>,
    /// Wall-clock limit of a job; short jobs start earlier, and an unfinished one is queued again
    #[arg(long, default_value = "01:00:00", value_name = "HH:MM:SS")]
    time: String,
    /// GPUs a job
    #[arg(long, default_value_t = 0, value_name = "N")]
    gpus: usize,
    /// CPU cores a job
    #[arg(long, default_value_t = 8, value_name = "N")]
    cpus: usize,
    /// Memory a job
    #[arg(long, default_value = "32G", value_name = "SIZE")]
    mem: String,
    /// Account to charge
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Partition
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,
    #[command(flatten)]
    out: OutFlag,
    /// The sweep's own flags, after --
    #[arg(last = true, required = true, value_name = "SWEEP FLAGS")]
    sweep: Vec<String>,
}

/// Runs it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if args.jobs == 0 {
        bail!("--jobs 0 draws nothing; use 1 or more");
    }
    if args.sweep.iter().any(|flag| flag == "--shard" || flag.starts_with("--shard=")) {
        bail!("leave --shard out: each job of the array gets its own");
    }
    let read = flags::parse::<sweep::Args>("llmpr sweep", &args.sweep);
    let flags = read.unwrap_or_else(|error| error.exit());
    flags.settings().context("the sweep's flags")?;
    args.out.write(&args.script())
}

impl Args {
    fn script(&self) -> String {
        let mut head = String::new();
        let mut set = |name: &str, value: &str| {
            head.push_str(&format!("#SBATCH --{name}={value}\n"));
        };
        let limit = self.at_a_time.map(|n| format!("%{n}")).unwrap_or_default();
        set("job-name", "llmpr");
        set("array", &format!("0-{}{limit}", self.jobs - 1));
        set("time", &self.time);
        set("cpus-per-task", &self.cpus.to_string());
        set("mem", &self.mem);
        if self.gpus > 0 {
            set("gres", &format!("gpu:{}", self.gpus));
        }
        if let Some(account) = &self.account {
            set("account", account);
        }
        if let Some(partition) = &self.partition {
            set("partition", partition);
        }
        set("open-mode", "append");
        // The warning reaches the script, which hands it on.
        set("signal", "B:USR1@120");
        let flags: Vec<String> = self.sweep.iter().map(|flag| quoted(flag)).collect();
        let (flags, jobs) = (flags.join(" "), self.jobs);
        format!(
            r#"#!/bin/bash
# Draw:   job=$(sbatch --parsable THIS_FILE)
# Score:  sbatch --dependency=afterok:$job --array=0 THIS_FILE score
{head}
set -u
export RAYON_NUM_THREADS="${{SLURM_CPUS_PER_TASK:-1}}"
part=(--shard "$SLURM_ARRAY_TASK_ID/{jobs}")
[ "${{1:-}}" = score ] && part=()

llmpr sweep {flags} "${{part[@]}}" &
sweep=$!
trap 'kill -USR1 $sweep' USR1
trap 'kill -TERM $sweep' TERM
wait $sweep; code=$?
# A trapped signal ends the first wait before the sweep has ended.
while kill -0 $sweep 2>/dev/null; do wait $sweep; code=$?; done
if [ $code -eq 75 ]; then
  scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}" ||
    echo "unfinished: submit this file again, and it goes on" >&2
fi
exit $code
"#
        )
    }
}

/// A word as the shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_has_the_array_the_shard_and_the_quoted_flags() {
        let words = ["--jobs", "3", "--at-a-time", "2", "--gpus", "1", "--", "--models", "a b"];
        let words = words.iter().chain(&["--task", "webtext"]).map(|&word| word.to_owned());
        let args: Args = flags::parse("llmpr slurm", &words.collect::<Vec<_>>()).unwrap();
        let script = args.script();
        for wanted in [
            "#SBATCH --array=0-2%2\n",
            "#SBATCH --gres=gpu:1\n",
            "part=(--shard \"$SLURM_ARRAY_TASK_ID/3\")",
            "llmpr sweep --models 'a b' --task webtext \"${part[@]}\" &",
        ] {
            assert!(script.contains(wanted), "{wanted}: {script}");
        }
    }

    #[test]
    fn words_are_quoted_as_the_shell_reads_them() {
        assert_eq!(quoted("0.2..1.5"), "0.2..1.5");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
