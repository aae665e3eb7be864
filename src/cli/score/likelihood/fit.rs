//! How well the models of `--likelihood` fit the reference: `--reference-nll-at`.

use anyhow::{Context, bail};
use indexmap::IndexMap;

use super::{Args, LikelihoodFlags, Ready, stopped};
use crate::{
    cli::notes::note,
    data::{
        sides::Sides,
        signature::{content, short},
    },
    lm::{LmError, checkpoint::hub},
    metric::{
        reference_nll::{BITS_AT, BITS_OF_P_AT, NLL_AT, NLL_OF_P_AT, SPECS},
        spec::Spec,
    },
    run::{
        progress::Progress,
        prompts::{Material, Recipe, compared},
        reference_nll::{Behind, Known, Reading},
        signals::Stop,
        sweep::readable,
    },
    score::record::Estimate,
    text::{
        prompt::{Pools, Style},
        task::Task,
    },
};

/// Seed of the parting of texts and of prompts, as a sweep's is by itself.
const SEED: u64 = 0;

/// What the reference costs the models.
pub(super) struct Fit {
    /// By `NAME@T`.
    pub(super) metrics: IndexMap<String, Estimate>,
    /// A hash of the reference's texts, for the signature.
    pub(super) reference: String,
}

/// Refuses what cannot be read before a model is opened.
pub(super) fn check(own: &LikelihoodFlags, task: &Task) -> anyhow::Result<()> {
    let Some(temperatures) = &own.reference_nll_at else { return Ok(()) };
    let is_none = |t: &&f64| !(**t > 0.0 && t.is_finite());
    if let Some(wrong) = temperatures.values().iter().find(is_none) {
        bail!(
            "--reference-nll-at {wrong} gives all texts but one no probability; write temperatures above 0, such as 0.5,1,1.5"
        );
    }
    if own.prompt.task.is_none() {
        bail!(
            "--reference-nll-at reads the reference behind the prompts of a task; name it with --task NAME"
        );
    }
    Ok(readable(task)?)
}

/// Has each model read the reference once, where that is asked for.
pub(super) fn read(
    args: &Args,
    ready: &Sides<Ready>,
    task: &Task,
    max_new_tokens: usize,
    stop: &Stop,
    progress: &dyn Progress,
) -> anyhow::Result<Option<Fit>> {
    let own = &args.likelihood;
    let Some(temperatures) = own.reference_nll_at.as_ref().map(|all| all.values()) else {
        return Ok(None);
    };
    let n = own.n();
    let given = args.reference.reference.as_deref().map(hub::local).transpose()?;
    let Some(Material { mut pools, notes, .. }) =
        Material::find(task, given.as_deref(), n, SEED, false)?
    else {
        bail!(
            "task `{}` has no reference of its own for --reference-nll-at; give one with --reference FILE",
            task.name
        );
    };
    note(&notes);
    pools.reference = compared(pools.reference, n, SEED);
    if pools.reference.is_empty() {
        bail!(
            "no reference texts are left beside examples and prefixes; give more with --reference FILE"
        );
    }
    let of_q = reading(&ready.model, own, task, &pools, max_new_tokens)?;
    let of_p = reading(&ready.reference, own, task, &pools, max_new_tokens)?;
    let hash = |ready: &Ready| ready.lm.checkpoint().hash().map(str::to_owned);
    let is_one = hash(&ready.reference)? == hash(&ready.model)? && of_p == of_q;
    let mut metrics = IndexMap::new();
    let sides: [(&Ready, &[Reading], [&Spec; 2]); 2] = [
        (&ready.model, &of_q, [&NLL_AT, &BITS_AT]),
        (&ready.reference, &of_p, [&NLL_OF_P_AT, &BITS_OF_P_AT]),
    ];
    for (ready, readings, specs) in sides.into_iter().take(if is_one { 1 } else { 2 }) {
        let known = ready.fit(readings, temperatures, stop, progress)?;
        let (name, counted, all) = (&ready.speaker.model, known.counted(), readings.len());
        if counted == 0 {
            bail!(
                "no reference text continues a prompt of `{}` as {name} reads it; leave out --reference-nll-at",
                task.name
            );
        }
        if counted < all {
            note(&[format!(
                "{name}: {} of {all} reference texts continue no prompt of the task, and its reference NLL is of the others",
                all - counted
            )]);
        }
        for (spec, measured) in specs.into_iter().zip(SPECS) {
            for &temperature in temperatures {
                let found = known.estimates(all, temperature).swap_remove(measured.name);
                metrics.extend(found.map(|found| (spec.key(Some(temperature)), found)));
            }
        }
    }
    let texts = pools.reference.iter().map(|text| text.text.as_str());
    Ok(Some(Fit { metrics, reference: short(&content(texts)).to_owned() }))
}

/// The reference as a model reads it.
fn reading(
    ready: &Ready,
    own: &LikelihoodFlags,
    task: &Task,
    pools: &Pools,
    most: usize,
) -> anyhow::Result<Vec<Reading>> {
    let recipe = Recipe {
        task,
        style: ready.model.style(Style::Chat),
        count: own.n(),
        seed: SEED,
        pools,
        room: ready.model.room(most)?,
    };
    let shots = own.prompt.shots.unwrap_or_default();
    let found = Reading::behind(&Behind { recipe, shots, most, cuts: false }, &ready.model);
    found.with_context(|| format!("the reference as {} reads it", ready.speaker.model))
}

impl Ready {
    fn fit(
        &self,
        readings: &[Reading],
        temperatures: &[f64],
        stop: &Stop,
        progress: &dyn Progress,
    ) -> anyhow::Result<Known> {
        let (mut begun, mut told) = (false, 0);
        let mut hear = |done: usize, all: usize| {
            if !begun {
                let what = format!("reading the reference as {}", self.speaker.model);
                progress.begin(&what, "tokens", all as u64, 0);
                begun = true;
            }
            progress.advance((done - told) as u64, (done - told) as u64);
            told = done;
        };
        let found = Known::of(&self.lm, readings, temperatures, &stop.interrupt(), &mut hear);
        progress.end();
        match found {
            Err(LmError::Interrupted) => Err(stopped()),
            found => found.with_context(|| self.speaker.model.clone()),
        }
    }
}
