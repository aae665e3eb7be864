//! How many parts a sweep is cut into, so that each fits into a job's time.

use anyhow::bail;

use super::Args;
use crate::{
    cli::sweep::dry_run::cell_seconds,
    run::{folder::RunFolder, plan::Parts, progress::duration, sweep::Sweep},
};

/// The share of a job's time that drawing may take by the plan: models are loaded and texts embedded beside it.
const DRAWING: f64 = 0.6;
/// Slurm's usual `MaxArraySize` is 1001, and numbers begin at 0.
const MOST_PARTS: usize = 1000;
/// Jobs where nothing is known of the speed.
const USUAL_JOBS: usize = 4;

/// Seconds of a limit as sbatch takes it: `minutes`, `minutes:seconds`, `hours:minutes:seconds`, `days-hours`,
/// `days-hours:minutes`, `days-hours:minutes:seconds`; infinite for `UNLIMITED`.
///
/// # Errors
///
/// A sentence for what is none.
pub fn seconds(limit: &str) -> anyhow::Result<f64> {
    if limit.eq_ignore_ascii_case("unlimited") || limit.eq_ignore_ascii_case("infinite") {
        return Ok(f64::INFINITY);
    }
    let number = |part: &str| part.parse::<u32>().ok().map(f64::from);
    let (days, rest) = match limit.split_once('-') {
        Some((days, rest)) => (Some(days), rest),
        None => (None, limit),
    };
    let parts: Option<Vec<f64>> = rest.split(':').map(number).collect();
    let time = match (days.map(number), parts.as_deref()) {
        (None, Some([m])) => Some(m * 60.0),
        (None, Some([m, s])) => Some(m * 60.0 + s),
        (None, Some([h, m, s])) => Some(h * 3600.0 + m * 60.0 + s),
        (Some(Some(d)), Some([h])) => Some(d * 86_400.0 + h * 3600.0),
        (Some(Some(d)), Some([h, m])) => Some(d * 86_400.0 + h * 3600.0 + m * 60.0),
        (Some(Some(d)), Some([h, m, s])) => Some(d * 86_400.0 + h * 3600.0 + m * 60.0 + s),
        _ => None,
    };
    match time.filter(|&time| time > 0.0) {
        Some(time) => Ok(time),
        None => bail!("--time {limit} is no time limit; write HH:MM:SS, D-HH, or minutes"),
    }
}

/// The parts of each model: `--jobs` of them in all, or as many as fit into the time by the measured rate.
///
/// # Errors
///
/// None but those of [`Parts`].
pub fn parts(args: &Args, sweep: &Sweep, limit: f64) -> anyhow::Result<Parts> {
    let cells = sweep.sizes();
    let counts = match args.jobs {
        Some(jobs) => spread(jobs, &cells),
        None => match measured(args, sweep, limit) {
            Ok(counts) => counts,
            Err(why) => {
                let counts = spread(USUAL_JOBS, &cells);
                say!(
                    "note: {} jobs, since the time of a cell is not known here ({why}); --jobs N sets their number",
                    counts.iter().sum::<usize>()
                );
                counts
            }
        },
    };
    match Parts::new(counts) {
        Some(parts) => Ok(parts),
        None => bail!("the sweep has no cells"),
    }
}

/// `jobs` over models by their cells: at least one each, at most one a cell.
pub fn spread(jobs: usize, cells: &[usize]) -> Vec<usize> {
    let mut counts = vec![1; cells.len()];
    for _ in cells.len()..jobs.min(cells.iter().sum()) {
        // To the model whose parts are the largest.
        let size = |at: &usize| cells[*at].div_ceil(counts[*at]);
        let largest = (0..cells.len()).rev().max_by_key(size);
        let Some(largest) = largest.filter(|&at| counts[at] < cells[at]) else { break };
        counts[largest] += 1;
    }
    counts
}

fn measured(args: &Args, sweep: &Sweep, limit: f64) -> Result<Vec<usize>, String> {
    let gpus = args.gpus > 0 || args.gres.as_ref().is_some_and(|gres| gres.contains("gpu"));
    let elsewhere = "the jobs have GPUs, and there is none here";
    let elsewhere = |device: &str| (gpus && device == "cpu").then_some(elsewhere);
    let folder = RunFolder::new(&sweep.settings.out);
    // Fewer cores than here are slower by as much; more are not trusted to be faster.
    let cores = rayon::current_num_threads();
    let slower = cores as f64 / args.cpus.clamp(1, cores) as f64;
    let mut counts = Vec::new();
    for group in &sweep.groups {
        let seconds =
            slower * cell_seconds(group, sweep, &folder, elsewhere(&group.record.device))?;
        let cells = group.cells.len();
        let fit = (DRAWING * limit / seconds).floor();
        let name = &group.record.name;
        if fit < 1.0 {
            say!(
                "note: a cell of {name} takes up to {} beside a limit of {}; its job goes on when it is queued again",
                duration(seconds),
                duration(limit)
            );
        } else {
            say!("note: a cell of {name} takes up to {}", duration(seconds));
        }
        let a_part = if fit >= cells as f64 { cells } else { (fit as usize).max(1) };
        counts.push(cells.div_ceil(a_part.max(1)).max(1));
    }
    let all: usize = counts.iter().sum();
    if all > MOST_PARTS {
        say!(
            "note: {all} jobs would fit into the time; {MOST_PARTS} are written, as many as an array usually may have"
        );
        return Ok(spread(MOST_PARTS, &sweep.sizes()));
    }
    Ok(counts)
}
