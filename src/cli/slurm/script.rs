//! The script: what sbatch reads, and what bash runs.

use anyhow::bail;

use super::Args;
use crate::run::plan::Parts;

/// An option of sbatch, `KEY=VALUE` or `KEY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive(String, Option<String>);

/// Options that the script needs for itself.
const OURS: [(&str, &str); 5] = [
    ("array", "--jobs and --at-a-time make it"),
    ("signal", "the script is warned by it"),
    ("open-mode", "a job that is queued again goes on in its log"),
    ("dependency", "the job that scores waits for those that draw"),
    ("wrap", "there is a script"),
];

impl std::str::FromStr for Directive {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (word, None),
        };
        let key = key.trim_start_matches("--");
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') {
            return Err(format!(
                "`{word}` is no option of sbatch; write KEY=VALUE, such as nice=100, or KEY, such as exclusive"
            ));
        }
        match OURS.iter().find(|(ours, _)| *ours == key) {
            Some((_, why)) => Err(format!("`{key}` is the script's own: {why}")),
            None => Ok(Self(key.to_owned(), value)),
        }
    }
}

impl Directive {
    fn line(&self) -> anyhow::Result<String> {
        let Self(key, value) = self;
        let Some(value) = value else { return Ok(format!("#SBATCH --{key}\n")) };
        Ok(format!("#SBATCH --{key}={}\n", as_sbatch_reads(value)?))
    }
}

/// The job array that draws `parts`, and, called with `score`, the job that scores.
///
/// * `words`: the sweep's flags.
/// * `array`: the parts that are drawn, as sbatch lists them.
pub fn script(args: &Args, words: &[String], parts: &Parts, array: &str) -> anyhow::Result<String> {
    // Wherever it is queued again, it goes on.
    let mut directives = vec![Directive("requeue".to_owned(), None)];
    let mut set = |key: &str, value: Option<String>| {
        directives.extend(value.map(|value| Directive(key.to_owned(), Some(value))));
    };
    let limit = args.at_a_time.map(|n| format!("%{n}")).unwrap_or_default();
    set("job-name", Some("llmpr".to_owned()));
    set("array", Some(format!("{array}{limit}")));
    set("time", Some(args.time.clone()));
    set("cpus-per-task", Some(args.cpus.to_string()));
    set("mem", Some(args.mem.clone()));
    set("gres", (args.gpus > 0).then(|| format!("gpu:{}", args.gpus)));
    set("gres", args.gres.clone());
    set("account", args.account.clone());
    set("partition", args.partition.clone());
    set("qos", args.qos.clone());
    set("constraint", args.constraint.clone());
    set("mail-user", args.mail_user.clone());
    set("mail-type", args.mail_user.as_ref().map(|_| args.mail_type.clone()));
    set("open-mode", Some("append".to_owned()));
    // The warning reaches the script, which hands it on.
    set("signal", Some("B:USR1@120".to_owned()));
    // Last, so that what a person adds goes before what is usual.
    directives.extend(args.sbatch.iter().cloned());
    let head: String = directives.iter().map(Directive::line).collect::<anyhow::Result<_>>()?;
    let words: Vec<String> = words.iter().map(|word| as_bash_reads(word)).collect();
    let (words, program) = (words.join(" "), as_bash_reads(&program()));
    Ok(format!(
        r#"#!/bin/bash
# Draw:   job=$(sbatch --parsable THIS_FILE)
# Score:  sbatch --dependency=afterany:$job --array=0 THIS_FILE score
{head}
set -u
part=(--shard "$SLURM_ARRAY_TASK_ID/{parts}")
[ "${{1:-}}" = score ] && part=(--no-draw)

{program} sweep {words} "${{part[@]}}" &
sweep=$!
trap 'kill -USR1 $sweep' USR1
trap 'kill -TERM $sweep' TERM
wait $sweep; code=$?
# A trapped signal ends the first wait before the sweep has ended.
while kill -0 $sweep 2>/dev/null; do wait $sweep; code=$?; done
if [ $code -eq 75 ]; then
  said=$(scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}" 2>&1) || case $said in
    # Whoever ended it has queued it again.
    *pending*) ;;
    *) echo "$said; unfinished: submit this file again, and it goes on" >&2 ;;
  esac
fi
exit $code
"#
    ))
}

/// `llmpr` where that finds this program, else the program's path: a job's search path may be another.
fn program() -> String {
    let Ok(here) = crate::cli::program() else { return "llmpr".to_owned() };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|folder| folder.join("llmpr"));
    let first = found.find(|program| program.is_file());
    match first.and_then(|program| program.canonicalize().ok()) {
        Some(found) if found == here => "llmpr".to_owned(),
        _ => here.display().to_string(),
    }
}

fn is_plain(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=@%+".contains(c);
    !word.is_empty() && word.chars().all(plain)
}

/// A word as bash reads it back.
pub fn as_bash_reads(word: &str) -> String {
    match is_plain(word) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// A value as sbatch reads it back: in it a backslash escapes between quotes of either kind.
fn as_sbatch_reads(value: &str) -> anyhow::Result<String> {
    if value.contains(['\n', '\r', '\0']) {
        bail!("a line break in {value:?} would end the option of sbatch; leave it out");
    }
    Ok(match is_plain(value) {
        true => value.to_owned(),
        false => format!("\"{}\"", value.replace('\\', r"\\").replace('"', "\\\"")),
    })
}
