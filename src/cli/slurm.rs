//! `llmpr slurm`: the same sweep as a job array, checked as a sweep is, cut to the time of a job.

mod missing;
mod script;
mod size;
mod submit;

use anyhow::{Context, bail};
use std::path::PathBuf;

use super::{
    flags::{self, OutFlag},
    sweep,
};
use crate::{
    data::secret::without_logins,
    lm::engine::device::{self, DeviceChoice},
    run::{folder::RunFolder, settings::SweepSettings, status::listed, sweep::Sweep},
};
use script::Directive;

/// Arguments of `llmpr slurm`.
#[derive(clap::Args)]
pub struct Args {
    /// Jobs in the array; each draws its part of one model's cells [default: as many as fit into --time]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Jobs that run at a time [default: all]
    #[arg(long, value_name = "N")]
    at_a_time: Option<usize>,
    /// Wall-clock limit of a job, as sbatch takes it; short jobs start earlier, and an unfinished one is queued again
    #[arg(long, default_value = "01:00:00", value_name = "HH:MM:SS")]
    time: String,
    /// GPUs a job
    #[arg(long, default_value_t = 0, value_name = "N", conflicts_with = "gres")]
    gpus: usize,
    /// Generic resources a job, such as gpu:a100:1
    #[arg(long, value_name = "LIST")]
    gres: Option<String>,
    /// CPU cores a job
    #[arg(long, default_value_t = 8, value_name = "N")]
    cpus: usize,
    /// Memory a job, as sbatch takes it: megabytes, or with K, M, G or T
    #[arg(long, default_value = "32G", value_name = "SIZE", value_parser = memory)]
    mem: String,
    /// Account to charge
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Partition
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,
    /// Quality of service
    #[arg(long, value_name = "NAME")]
    qos: Option<String>,
    /// Features that a node must have
    #[arg(long, value_name = "LIST")]
    constraint: Option<String>,
    /// Who is written to when the array ends or fails
    #[arg(long, value_name = "ADDRESS")]
    mail_user: Option<String>,
    /// When they are written to
    #[arg(long, value_name = "LIST", default_value = "END,FAIL", requires = "mail_user")]
    mail_type: String,
    /// Any other option of sbatch, KEY=VALUE or KEY; can be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    sbatch: Vec<Directive>,
    /// Hand both jobs to sbatch, the one that draws and the one that scores, and print their numbers
    #[arg(long)]
    submit: bool,
    /// Queue again only the parts of this run that have open cells and that nobody is drawing; its own flags are known
    #[arg(long, value_name = "RUN")]
    missing: Option<PathBuf>,
    #[command(flatten)]
    out: OutFlag,
    /// The sweep's own flags, after --
    #[arg(last = true, required_unless_present = "missing", value_name = "SWEEP FLAGS")]
    sweep: Vec<String>,
}

/// Runs it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if args.at_a_time == Some(0) {
        bail!("--at-a-time 0 runs nothing; use 1 or more");
    }
    if args.cpus == 0 {
        bail!("--cpus 0 computes nothing; use 1 or more");
    }
    if args.jobs == Some(0) {
        bail!("--jobs 0 draws nothing; use 1 or more");
    }
    let seconds = size::seconds(&args.time)?;
    let (words, found) = match &args.missing {
        None => (args.sweep.clone(), None),
        Some(run) => {
            let (words, found) = missing::of(run, &args.sweep)?;
            (words, Some(found))
        }
    };
    let has = |name: &str| {
        words
            .iter()
            .any(|word| word.strip_prefix(name).is_some_and(|r| r.is_empty() || r.starts_with('=')))
    };
    for (flag, why) in [
        ("--shard", "each job of the array gets its own"),
        ("--no-draw", "the jobs draw, and the last one scores"),
        ("--dry-run", "the jobs draw, and the last one scores"),
    ] {
        if has(flag) {
            bail!("leave {flag} out: {why}");
        }
    }
    if let Some(word) = words.iter().map(|word| without_logins(word)).find(|w| !words.contains(w)) {
        bail!(
            "a script is no place for a password: write `{word}`, and set OPENAI_API_KEY where the jobs run"
        );
    }
    let read = flags::parse::<sweep::Args>("llmpr sweep", &words);
    let flags = read.unwrap_or_else(|error| error.exit());
    let sweep = planned(flags.settings().context("the sweep's flags")?)?;
    RunFolder::new(&sweep.settings.out).accepts(&sweep.shared)?;
    let (parts, open) = match found {
        None => (size::parts(args, &sweep, seconds)?, None),
        Some(found) => found.parts(args, &sweep, seconds)?,
    };
    let array = match &open {
        None => format!("0-{}", parts.total() - 1),
        Some(open) => listed(open),
    };
    let text = script::script(args, &words, &parts, &array)?;
    if !args.submit {
        return args.out.write(&text);
    }
    submit::submit(&text, args.out.file())
}

/// The sweep as `llmpr sweep` would check it. A GPU that is asked for may be where the jobs run and not here.
fn planned(settings: SweepSettings) -> anyhow::Result<Sweep> {
    let mut settings = settings;
    if let DeviceChoice::Cuda(_) = settings.device
        && device::open(settings.device).is_err()
    {
        say!("note: there is no such GPU here, so that everything is checked but the GPU");
        settings.device = DeviceChoice::Cpu;
    }
    let sweep = Sweep::plan(settings)?;
    for note in &sweep.notes {
        say!("note: {note}");
    }
    Ok(sweep)
}

#[cfg(test)]
mod tests;

/// Memory as sbatch takes it.
fn memory(text: &str) -> Result<String, String> {
    let number = text.strip_suffix(['K', 'M', 'G', 'T', 'k', 'm', 'g', 't']).unwrap_or(text);
    match !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => {
            Err("sbatch takes a whole number of megabytes, or one with K, M, G or T: 32G"
                .to_owned())
        }
    }
}
