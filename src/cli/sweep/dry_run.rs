//! What a sweep would do, for people.

use std::{fmt::Write, time::Instant};

use crate::{
    lm::{ModelConfig, bench},
    run::{
        folder::RunFolder,
        models::Drawer,
        progress::duration,
        sampling::is_complete,
        sweep::{Group, Sweep},
    },
};

/// Cells that are listed one by one.
const LISTED: usize = 40;

/// The cells, the tokens, the time by an earlier run's rate or a short trial, and the memory.
pub fn describe(sweep: &Sweep) -> String {
    let folder = RunFolder::new(&sweep.settings.out);
    let mut out = String::new();
    let s = &sweep.shared;
    let cells: Vec<_> = sweep.cells().collect();
    let _ = writeln!(out, "task       {} (version hash {})", s.task, &s.task_hash[..12]);
    let _ = writeln!(out, "reference  {} texts of {}", s.reference_n, s.reference);
    let _ = writeln!(out, "embedder   {} ({})", s.embedder, s.pooling);
    let _ = writeln!(out, "folder     {}", sweep.settings.out.display());
    let done = cells.iter().filter(|cell| is_complete(&folder, &cell.record)).count();
    let _ = writeln!(
        out,
        "cells      {} of {} completions, {done} of them finished\n",
        cells.len(),
        s.n_samples
    );
    for cell in cells.iter().take(LISTED) {
        let state = if is_complete(&folder, &cell.record) { "  finished" } else { "" };
        let _ = writeln!(out, "  {}  {}{state}", cell.record.id, cell.record.label());
    }
    if cells.len() > LISTED {
        let _ = writeln!(out, "  … and {} more", cells.len() - LISTED);
    }
    for group in &sweep.groups {
        let _ = writeln!(out, "\n{}", of_model(group, sweep, &folder));
    }
    out
}

fn of_model(group: &Group, sweep: &Sweep, folder: &RunFolder) -> String {
    let open = || group.cells.iter().filter(|cell| !is_complete(folder, &cell.record));
    let completions: usize = open().map(|cell| cell.record.n_samples).sum();
    let new = completions * sweep.shared.max_new_tokens;
    // Cells with the same shots share their prompts, which are computed once.
    let mut prompts = std::collections::HashSet::new();
    let ids = open().flat_map(|cell| &cell.prompts.prompts).map(|prompt| &prompt.ids);
    let prompt: usize = ids.filter(|ids| prompts.insert((*ids).clone())).map(|i| i.len()).sum();
    let longest = group.cells.iter().map(|cell| cell.prompts.longest).max().unwrap_or(0);
    let rate = measured_rate(sweep, folder, &group.record.name);
    let rate = rate.map_or_else(|| trial(group, sweep, completions), Ok);
    let time = match rate {
        _ if new == 0 => "none: everything is drawn".to_owned(),
        Ok(Rate { decode, prefill, how }) => {
            let time = duration(new as f64 / decode + prompt as f64 / prefill);
            format!(
                "at most {time} at {decode:.0} tokens/s, {how}; embedding and scoring beside it"
            )
        }
        Err(why) => format!("unknown: {why}"),
    };
    let Some(checkpoint) = group.model.checkpoint() else {
        return format!(
            "{}\n  tokens   at most {} new\n  time     {time}",
            group.record.name,
            thousands(new)
        );
    };
    let config = &checkpoint.config;
    let weights = parameters(config) * bytes_per_weight(&group.record.dtype);
    let row = kv_bytes(config) * sweep.shared.max_new_tokens as u64;
    let shared = kv_bytes(config) * longest as u64;
    format!(
        "{}\n  tokens   at most {} new, {} of prompts (longest {longest}, context {})\n  \
         time     {time}\n  memory   {} of weights as {}, {} of keys and values a row, {} a prompt",
        group.record.name,
        thousands(new),
        thousands(prompt),
        config.max_positions,
        bytes(weights),
        group.record.dtype,
        bytes(row),
        bytes(shared),
    )
}

/// Seconds that drawing a cell of a model takes at most, by the same rate.
///
/// * `elsewhere`: why a trial here would say nothing of where the cells are drawn.
///
/// # Errors
///
/// Why the time is not known.
pub fn cell_seconds(
    group: &Group,
    sweep: &Sweep,
    folder: &RunFolder,
    elsewhere: Option<&str>,
) -> Result<f64, String> {
    let s = &sweep.shared;
    let completions = s.n_samples * group.cells.len();
    let rate = measured_rate(sweep, folder, &group.record.name);
    let rate = match (rate, elsewhere) {
        (Some(rate), _) => rate,
        (None, Some(why)) => return Err(why.to_owned()),
        (None, None) => trial(group, sweep, completions)?,
    };
    let Rate { decode, prefill, .. } = rate;
    let prompts = group
        .cells
        .iter()
        .map(|cell| cell.prompts.prompts.iter().map(|prompt| prompt.ids.len()).sum::<usize>());
    let new = (s.n_samples * s.max_new_tokens) as f64;
    Ok(new / decode + prompts.max().unwrap_or(0) as f64 / prefill)
}

/// How fast a model draws.
struct Rate {
    /// New tokens a second.
    decode: f64,
    /// Prompt tokens a second; infinite where new ones take them in.
    prefill: f64,
    /// How that was found.
    how: String,
}

impl Rate {
    fn of_new(decode: f64, how: &str) -> Self {
        Self { decode, prefill: f64::INFINITY, how: how.to_owned() }
    }
}

/// Tokens a second that earlier sessions in the folder drew with the run's models.
fn measured_rate(sweep: &Sweep, folder: &RunFolder, model: &str) -> Option<Rate> {
    let record = folder.record().ok()??;
    // Sessions do not keep models apart, so only a folder of one model shows its rate.
    if sweep.groups.len() > 1 || record.models.iter().any(|other| other.name != model) {
        return None;
    }
    let tokens: u64 = record.sessions.iter().map(|session| session.tokens).sum();
    let seconds: f64 = record.sessions.iter().map(|session| session.sampling_seconds).sum();
    (tokens > 0 && seconds > 0.0).then(|| Rate::of_new(tokens as f64 / seconds, "measured before"))
}

/// Weights up to which a model is read for a trial, in bytes.
const TRIAL_BYTES: u64 = 4 << 30;
/// New tokens a row in a trial, at most.
const TRIAL_TOKENS: usize = 32;
/// Rows in a trial at most, where a sweep would take more at a time.
const TRIAL_ROWS: usize = 128;
/// Trials at least, and seconds after which no other begins: what else the machine does slows some of them, and
/// the fastest is the one that it slowed least.
const TRIALS: (usize, f64) = (3, 2.0);
/// Share of the processor's multiply-adds that drawing usually comes to, where nothing can be tried.
const USUAL_SHARE: f64 = 0.2;

/// How fast the model draws, by two seconds of it, or, for a model too large to be read for that, from what
/// the processor can do. `Err` says why neither is known.
fn trial(group: &Group, sweep: &Sweep, completions: usize) -> Result<Rate, String> {
    let Some(checkpoint) = group.model.checkpoint() else {
        return Err("it depends on the server".to_owned());
    };
    let config = &checkpoint.config;
    if parameters(config) * bytes_per_weight(&group.record.dtype) > TRIAL_BYTES {
        if group.record.device != "cpu" {
            return Err("nothing has been drawn yet; `llmpr models bench` measures".to_owned());
        }
        let flops = bench::limits().flops * rayon::current_num_threads() as f64;
        let rate = USUAL_SHARE * flops / bench::flops_per_token(config);
        return Ok(Rate::of_new(rate, "guessed from the processor's speed"));
    }
    let settings = &sweep.settings;
    let drawer = group.model.load(settings.device, settings.dtype).map_err(|e| e.to_string())?;
    let Drawer::Lm(lm) = drawer else { return Err("it depends on the server".to_owned()) };
    let new = sweep.shared.max_new_tokens.clamp(2, TRIAL_TOKENS);
    let prompt = config.max_positions.saturating_sub(new).min(16);
    let most = settings.batch.rows().unwrap_or_else(|| lm.network().rows_that_pay());
    let rows = most.min(completions).clamp(1, TRIAL_ROWS);
    let (mut decode, mut prefill, started) = (0f64, 0f64, Instant::now());
    let (least, seconds) = TRIALS;
    // A model so slow that one trial fills the time is not slowed by much else.
    let enough =
        |trials, spent: f64| spent > seconds && (trials >= least || spent > least as f64 * seconds);
    for trials in 0.. {
        if enough(trials, started.elapsed().as_secs_f64()) {
            break;
        }
        let speed = bench::speed(lm.network(), rows, prompt, new, false);
        let speed = speed.map_err(|e| e.to_string())?;
        (decode, prefill) = (decode.max(speed.decode), prefill.max(speed.prefill));
    }
    match decode > 0.0 && prefill > 0.0 {
        true => Ok(Rate { decode, prefill, how: format!("measured now on {rows} rows") }),
        false => Err("the trial drew nothing".to_owned()),
    }
}

/// Weights of a decoder of this shape.
fn parameters(c: &ModelConfig) -> u64 {
    c.matrices() as u64
}

fn bytes_per_weight(dtype: &str) -> u64 {
    if dtype == "f32" { 4 } else { 2 }
}

/// Bytes of keys and values of one token.
fn kv_bytes(c: &ModelConfig) -> u64 {
    (2 * c.layers * c.kv_heads * c.head_dim * 4) as u64
}

fn bytes(count: u64) -> String {
    match count as f64 {
        b if b >= 1e9 => format!("{:.1} GB", b / 1e9),
        b if b >= 1e6 => format!("{:.1} MB", b / 1e6),
        b => format!("{:.0} kB", b / 1e3),
    }
}

/// `12 345 678`.
fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}
