//! `llmpr tune` without a run: settings race, and texts are drawn where they tell which is the best.

use anyhow::{Context, bail};

use super::{Args, SHOWN, flags as sample_flags};
use crate::{
    cli::{
        Exit,
        flags::Format,
        layer::Layer,
        progress,
        sweep::{self, Options},
        to_stdout,
    },
    data::{matrix::Matrix, sides::Sides},
    report::{
        number::number,
        record::{CellResult, Results},
    },
    rng,
    run::{
        execute::tune::tune,
        methods::Axes,
        settings::SweepSettings,
        signals::Stop,
        sweep::Sweep,
        truth::Verdicts,
        tune::{
            race::Terms,
            record::{TuneRecord, TunedCell},
            wish::{EXACT, Wish},
        },
    },
    score::{Metrics, ScoreOptions, values_of_parts},
};

/// The settings that race where none are given: what is usual of each way of truncating.
const USUAL_METHODS: &str =
    "T=0.3..1.5:0.2; top-p=0.9 T=0.7,1,1.3; min-p=0.1 T=1,1.5,2; top-n-sigma=1 T=1,1.5,2";

/// Flags of a race alone.
#[derive(clap::Args, Clone, Debug)]
pub struct RaceFlags {
    /// Texts that may be drawn in all [default: a quarter of the whole grid's]
    #[arg(long, value_name = "TEXTS")]
    budget: Option<usize>,
    /// Probability of being the best at which the race is settled
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    sure: f64,
    /// Settings whose goals differ by less count as alike [default: 0.02 of a share, else 0]
    #[arg(long, value_name = "DIFFERENCE")]
    within: Option<f64>,
}

/// Races the settings and prints what that came to.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if args.format.format == Format::LmEval {
        bail!("lm-eval's files hold whole runs: llmpr report RUN --format lm-eval");
    }
    let wish = Wish { goal: args.goal().checked()?, ..args.wish() };
    let settings = settings(args.options.clone(), &wish)?;
    let mut sweep = Sweep::plan(settings)?;
    sweep.notes.iter().for_each(|note| eprintln!("note: {note}"));
    let terms = terms(args, wish, &sweep)?;
    let stop = Stop::on_signals().context("cannot listen for signals")?;
    let progress = progress::for_stderr();
    let command: Vec<String> = std::env::args().collect();
    let (outcome, record) = tune(&mut sweep, &terms, command, &stop, &*progress)?;
    let out = sweep.settings.out.display();
    let (Some(record), Some(results)) = (record, &outcome.results) else {
        let message = format!("stopped; what is drawn is in `{out}`, and the same command goes on");
        return Err(Exit { code: 75, message }.into());
    };
    for cell in &outcome.failed {
        eprintln!("failed: {} ({}): {}", cell.label, cell.id, cell.message);
    }
    if record.cells.iter().all(|cell| cell.measures.is_empty()) {
        bail!("no setting could be measured; each is named above");
    }
    to_stdout(&match args.format.format {
        Format::Json => {
            let mut json = serde_json::to_value(&record)?;
            json["command"] = sample_flags(&record.cells[0].cell).into();
            serde_json::to_string_pretty(&json)? + "\n"
        }
        Format::Csv => csv(&record),
        Format::Markdown => markdown(&record, args.top),
        Format::Table | Format::LmEval => {
            table(&record, results, args) + &format!("the run: llmpr report {out}\n")
        }
    })?;
    if outcome.failed.is_empty() {
        return Ok(());
    }
    let message = format!("{} cells failed, each named above", outcome.failed.len());
    Err(Exit { code: 3, message }.into())
}

/// Those of the sweep that the race is a part of.
fn settings(options: Options, wish: &Wish) -> anyhow::Result<SweepSettings> {
    if options.models.is_none() && options.task.is_none() {
        bail!(
            "name a finished run, such as `llmpr tune runs/bio`, or what is to be drawn: --models A,B --task NAME"
        );
    }
    let is_free = options.temps.is_none()
        && options.methods.is_none()
        && options.knobs.clone().axes() == Axes::default();
    let mut usual = Options { shots: Some(0.into()), ..Options::default() };
    if is_free {
        usual.methods = Some(USUAL_METHODS.parse()?);
    }
    let mut options = options.or(usual);
    let wanted = wish.measures();
    let of_features = wanted.iter().map(String::as_str).filter(|name| !name.starts_with(EXACT));
    let metrics = of_features.chain(SHOWN.map(|spec| spec.name)).collect::<Vec<_>>().join(",");
    let metrics: Metrics = metrics.try_into()?;
    measurable(wish, &metrics)?;
    options.score.metrics.get_or_insert(metrics);
    let settings = sweep::resolve(options, None)?;
    if settings.grid.seeds.values().len() > 1 {
        bail!("every setting is drawn under one seed; give one --seed");
    }
    Ok(settings)
}

/// Refuses measures that parts of a cell do not have.
fn measurable(wish: &Wish, metrics: &Metrics) -> anyhow::Result<()> {
    let mut rng = rng::named(0, "trial");
    let mut cloud = || Matrix::new(3, (0..180).map(|_| rng::next_unit(&mut rng) as f32).collect());
    let (reference, model) = (cloud()?, cloud()?);
    let options = ScoreOptions { metrics: metrics.clone(), ..ScoreOptions::default() };
    let sets = Sides { reference: &reference, model: &model };
    let found = values_of_parts(sets, None, &[], &options)?;
    for name in wish.measures().iter().filter(|name| !name.starts_with(EXACT)) {
        if !found[0].contains_key(name) {
            bail!(
                "{name} is not measured while settings race, which is done on features alone; draw the grid with \
                 `llmpr sweep` and then `llmpr tune RUN`"
            );
        }
    }
    Ok(())
}

/// What is asked of the race, checked against the sweep.
fn terms(args: &Args, wish: Wish, sweep: &Sweep) -> anyhow::Result<Terms> {
    let RaceFlags { budget, sure, within } = args.race;
    if !(sure > 0.0 && sure < 1.0) {
        bail!("--sure {sure} is no probability; write a number between 0 and 1, such as 0.95");
    }
    if within.is_some_and(|within| !(within >= 0.0 && within.is_finite())) {
        bail!("--within takes a difference from 0 up, such as 0.02");
    }
    let exact = wish.measures();
    let exact = exact.iter().filter_map(|name| name.strip_prefix(EXACT));
    for name in exact {
        let Some(grammar) = &sweep.grammar else {
            bail!(
                "{EXACT}{name} is known only where the reference is a grammar, such as synthetic-bio"
            );
        };
        let known = Verdicts::new(grammar, &[""]).measure(&[0]);
        if !known.contains_key(name) {
            let known: Vec<&str> = known.keys().map(String::as_str).collect();
            bail!("there is no {EXACT}{name}; there are {}", known.join(", "));
        }
    }
    let (cells, n) = (sweep.cells().count(), sweep.settings.n_samples);
    let within = within.unwrap_or(if wish.goal.is_share() { 0.02 } else { 0.0 });
    let seed = sweep.settings.score.seed;
    let mut terms = Terms { wish, n, within, sure, budget: budget.unwrap_or(0), seed };
    match (terms.first(cells), budget) {
        (Err(least), Some(budget)) => bail!(
            "a budget of {budget} texts is too small for {cells} settings of up to {n}; give --budget {least} or \
             more, or fewer settings"
        ),
        (first, None) => {
            let least = first.err().unwrap_or(0);
            // One setting more than the least, so that there is something to decide.
            terms.budget = (cells * n / 4).max(least + n).min(cells * n);
        }
        (Ok(_), Some(_)) => {}
    }
    Ok(terms)
}

fn table(record: &TuneRecord, results: &Results, args: &Args) -> String {
    let best = &record.cells[0];
    let mut out = format!("{}\n", best.label);
    let named = record.goal.split_once(' ').map_or(record.goal.as_str(), |(_, name)| name);
    out += &format!(
        "  {named} {}, in 95 of 100 cases {} … {} with {} texts\n",
        number(best.goal),
        number(best.low),
        number(best.high),
        record.n
    );
    let scored = results.cells.iter().find(|cell| cell.cell.id == best.cell.id);
    out += &scored.map(measured).unwrap_or_default();
    out += &format!("  {}\n", sentence(record, best));
    let settled = if record.settled { "settled" } else { "not settled" };
    let share = 100.0 * record.texts as f64 / record.grid_texts.max(1) as f64;
    out += &format!(
        "{settled} after {} rounds: {} texts of the {} of the whole grid ({share:.0} %), {} tokens, {:.0} s of drawing\n",
        record.rounds.len(),
        record.texts,
        record.grid_texts,
        record.tokens,
        record.seconds,
    );
    if !record.settled {
        out += &format!(
            "more texts may settle it: --budget {} goes on, or --within {} counts more settings as alike\n",
            record.budget * 2,
            number((2.0 * record.within).max(0.02)),
        );
    }
    let others: Vec<&TunedCell> = record.cells.iter().skip(1).take(args.top.max(1) - 1).collect();
    if !others.is_empty() {
        out += "   best  alike  keeps  texts  goal with all texts\n";
    }
    for cell in others {
        out += &format!(
            "  {:>5.2}  {:>5.2}  {:>5.2}  {:>5}  {} ({} … {})  {}\n",
            cell.best,
            cell.alike,
            cell.keeps,
            cell.texts,
            number(cell.goal),
            number(cell.low),
            number(cell.high),
            cell.label
        );
    }
    out + &format!("settings of the first: {}\n", sample_flags(&best.cell))
}

/// What the leader's score says, with intervals that count the choice of the reference, too.
fn measured(cell: &CellResult) -> String {
    let line = |(name, estimate): (&String, &crate::score::record::Estimate)| {
        let interval = match (estimate.low, estimate.high) {
            (Some(low), Some(high)) => format!("  {} … {}", number(low), number(high)),
            _ => String::new(),
        };
        let exact = cell.truth.get(name).map(|exact| format!(", exactly {}", number(exact.value)));
        let exact = exact.unwrap_or_default();
        format!("  {name} {}{interval}{exact}\n", number(estimate.value))
    };
    cell.score.metrics.iter().map(line).collect()
}

/// How sure it is that a setting is the best, or by how much it misses what no setting keeps.
fn sentence(record: &TuneRecord, best: &TunedCell) -> String {
    let alike = if record.within > 0.0 {
        format!(
            ", and with {:.2} none is better by more than {}",
            best.alike,
            number(record.within)
        )
    } else {
        String::new()
    };
    let required = record.requirements.join(" and ");
    match record.requirements.is_empty() {
        false if best.keeps < 0.5 => format!(
            "no setting keeps {required}: this one is the nearest with probability {:.2}, misses by {}, and keeps \
             it with probability {:.2}",
            best.best,
            number(best.misses),
            best.keeps
        ),
        false => format!(
            "keeps {required} with probability {:.2}; the best with probability {:.2}{alike}",
            best.keeps, best.best
        ),
        true => format!("the best with probability {:.2}{alike}", best.best),
    }
}

fn csv(record: &TuneRecord) -> String {
    let mut out = "cell,settings,texts,best,alike,keeps,misses,goal,low,high\n".to_owned();
    for cell in &record.cells {
        let label = cell.label.replace('"', "\"\"");
        out += &format!(
            "{},\"{label}\",{},{},{},{},{},{},{},{}\n",
            cell.cell.id,
            cell.texts,
            cell.best,
            cell.alike,
            cell.keeps,
            crate::report::number::exact(cell.misses),
            crate::report::number::exact(cell.goal),
            crate::report::number::exact(cell.low),
            crate::report::number::exact(cell.high),
        );
    }
    out
}

fn markdown(record: &TuneRecord, top: usize) -> String {
    let mut out = format!(
        "| setting | texts | {} | 95 % | best | alike | keeps |\n|---|---|---|---|---|---|---|\n",
        record.goal
    );
    for cell in record.cells.iter().take(top.max(1)) {
        out += &format!(
            "| {} | {} | {} | {} … {} | {:.2} | {:.2} | {:.2} |\n",
            cell.label,
            cell.texts,
            number(cell.goal),
            number(cell.low),
            number(cell.high),
            cell.best,
            cell.alike,
            cell.keeps
        );
    }
    out
}
