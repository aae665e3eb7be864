//! `llmpr tune` without a run: settings race, and texts are drawn where they tell which is the best.

use anyhow::{Context, bail};

use super::{Args, SHOWN, answer};
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
    rng,
    run::{
        execute::tune::tune,
        methods::Axes,
        range::Reals,
        settings::SweepSettings,
        signals::Stop,
        sweep::Sweep,
        truth::Verdicts,
        tune::{
            race::Terms,
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
    /// Mixtures race along, which draw each text from one of two leading settings, with these shares of the second.
    /// They are made of texts of their parts
    #[arg(
        long,
        value_name = "SHARES",
        num_args = 0..=1,
        default_missing_value = "0.25,0.5,0.75"
    )]
    mixtures: Option<Reals>,
}

impl RaceFlags {
    /// The shares of mixtures; none where they do not race.
    fn shares(&self) -> &[f64] {
        self.mixtures.as_ref().map_or(&[], Reals::values)
    }
}

/// Races the settings and prints what that came to.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if args.format.format == Format::LmEval {
        bail!("lm-eval's files hold whole runs: llmpr report RUN --format lm-eval");
    }
    let wish = Wish { goal: args.goal().checked()?, ..args.wish() };
    if let Some(share) = args.race.shares().iter().find(|share| **share <= 0.0 || **share >= 1.0) {
        bail!(
            "--mixtures {share} is no share of two settings; write shares between 0 and 1, such as 0.25,0.5,0.75"
        );
    }
    let settings = settings(args.options.clone(), &wish)?;
    let mut sweep = Sweep::plan(settings)?;
    sweep.notes.iter().for_each(|note| say!("note: {note}"));
    let terms = terms(args, wish, &sweep)?;
    let stop = Stop::on_signals().context("cannot listen for signals")?;
    let progress = progress::for_stderr();
    let command: Vec<String> = std::env::args().collect();
    let shares = args.race.shares();
    let (outcome, record) = tune(&mut sweep, &terms, shares, command, &stop, &*progress)?;
    let out = sweep.settings.out.display();
    let (Some(record), Some(results)) = (record, &outcome.results) else {
        let message = format!("stopped; what is drawn is in `{out}`, and the same command goes on");
        return Err(Exit { code: 75, message }.into());
    };
    for cell in &outcome.failed {
        say!("failed: {} ({}): {}", cell.label, cell.id, cell.message);
    }
    record.left_out().iter().for_each(|note| say!("note: {note}"));
    if record.cells.iter().all(|cell| cell.stands.measures.is_empty()) {
        bail!("no setting could be measured; each is named above");
    }
    to_stdout(&match args.format.format {
        Format::Json => answer::json(&record)?,
        Format::Csv => answer::csv(&record),
        Format::Markdown => answer::markdown(&record, args.top),
        Format::Table | Format::LmEval => {
            answer::table(&record, results, args.top) + &format!("the run: llmpr report {out}\n")
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
    let RaceFlags { budget, sure, within, .. } = args.race;
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
