//! `llmpr score --likelihood A B`: two language models, or two settings of one, by log-probabilities.

use anyhow::{Context, bail};
use std::{collections::HashSet, ops::ControlFlow, str::FromStr, sync::Arc};

mod fit;

use super::Args;
use crate::{
    cli::{
        Exit,
        flags::{Defaults, DrawFlags, PromptFlags},
        progress,
        prompting::{Source, find_task},
    },
    data::{
        sides::{Side, Sides},
        signature::{Signature, content, short},
    },
    decode::{
        Chain, DecodeError, Decoding,
        knobs::{KNOBS, Knob, KnobError},
    },
    lm::{
        Checkpoint, Lm, LmError, Tokenizer,
        engine::device,
        generate::{Completion, Event, FinishReason, GenerateOptions, Request, generate},
        logprob::{Continued, log_probs},
    },
    run::{
        models::SweepModel, plan::draws, progress::Progress, prompts::PlannedPrompts, range::Reals,
        signals::Stop,
    },
    score::{LikelihoodText, ScoreOptions, record::Score, score_likelihood},
    text::task::Task,
};

/// Texts drawn from each model.
const TEXTS: usize = 1000;

/// Two models instead of two files, and what they continue.
#[derive(clap::Args)]
#[command(mut_args(only_with_likelihood))]
pub struct LikelihoodFlags {
    /// Compare two language models by the probabilities they give to each other's texts, without an
    /// embedder: P first, then Q, each MODEL[@SETTING=VALUE,…] with T and the sampling flags of
    /// `llmpr sample` as settings, such as tiny-bio@T=0.7,top-p=0.9
    #[arg(long, num_args = 2, value_names = ["P", "Q"], conflicts_with = "samples")]
    likelihood: Option<Vec<Speaker>>,
    /// Temperatures at which both models read the reference, too, as `llmpr sweep --reference-nll` does: its
    /// negative log-likelihood a token and in bits a byte behind the prompts of --task, truncations left out; of P
    /// only where it is another model than Q. The reference is that of --reference, else the task's own
    #[arg(long, value_name = "TEMPS")]
    reference_nll_at: Option<Reals>,
    #[command(flatten)]
    prompt: PromptFlags,
    #[command(flatten)]
    draw: DrawFlags,
}

/// What leaving out a flag means.
pub fn usual() -> Defaults {
    [PromptFlags::defaults(), DrawFlags::defaults(&TEXTS.to_string())].concat()
}

/// Files are not drawn from, so what draws would be dropped in silence. That it needs --likelihood is not enough: clap
/// asks for no flag that conflicts with one that is there, as --likelihood does with --samples.
fn only_with_likelihood(arg: clap::Arg) -> clap::Arg {
    const DRAWING: [&str; 10] = [
        "task",
        "prompt",
        "prompts",
        "shots",
        "n",
        "max_new_tokens",
        "batch",
        "chat",
        "date",
        "reference_nll_at",
    ];
    match DRAWING.contains(&arg.get_id().as_str()) {
        true => arg.requires("likelihood").conflicts_with("samples"),
        false => arg,
    }
}

impl LikelihoodFlags {
    /// The two models as they were written.
    pub(super) fn names(&self) -> Option<[String; 2]> {
        let [p, q] = self.likelihood.as_deref()? else { return None };
        Some([p.name.clone(), q.name.clone()])
    }

    /// Texts drawn from each model.
    fn n(&self) -> usize {
        self.draw.n.unwrap_or(TEXTS)
    }
}

/// A model and how its tokens are drawn.
#[derive(Clone, Debug, PartialEq)]
struct Speaker {
    /// As it was written.
    name: String,
    model: String,
    /// What is not left out, in one order: `T=0.7,top-p=0.9`.
    settings: String,
    chain: Chain,
}

/// Why a text is no model with settings.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
enum SpeakerError {
    /// A setting that does not exist, or without a number.
    #[error(transparent)]
    Setting(#[from] KnobError),
    /// Nothing before the settings.
    #[error("`{text}` names no model; write MODEL@T=0.7")]
    NoModel { text: String },
    /// A number outside its range.
    #[error(transparent)]
    Decoding(#[from] DecodeError),
}

impl FromStr for Speaker {
    type Err = SpeakerError;

    /// `MODEL`, or `MODEL@T=0.7,top-p=0.9`; an `@` of a hub id's revision has no `=` behind it.
    fn from_str(text: &str) -> Result<Self, SpeakerError> {
        let (model, settings) = match text.rsplit_once('@') {
            Some((model, settings)) if settings.contains('=') => (model, settings),
            _ => (text, ""),
        };
        let decoding: Decoding = settings.parse()?;
        if model.is_empty() {
            return Err(SpeakerError::NoModel { text: text.to_owned() });
        }
        let chain = Chain::new(decoding)?;
        let told = |knob: &Knob| match knob.get(&decoding) {
            Some(value) if Some(value) == knob.neutral => None,
            _ => Some(format!("{}={}", knob.short, knob.text(&decoding)?)),
        };
        let settings = KNOBS.into_iter().filter_map(told).collect::<Vec<_>>().join(",");
        Ok(Self { name: text.to_owned(), model: model.to_owned(), settings, chain })
    }
}

/// A model that is ready to write and to read.
struct Ready {
    speaker: Speaker,
    model: SweepModel,
    lm: Arc<Lm>,
    prompts: PlannedPrompts,
}

/// The score of the two models, where `--likelihood` is given.
pub fn score(args: &Args, options: &ScoreOptions) -> anyhow::Result<Option<Score>> {
    let own = &args.likelihood;
    let Some([p, q]) = own.likelihood.as_deref() else { return Ok(None) };
    if own.n() == 0 {
        bail!("n = 0 draws nothing; give -n 1 or more");
    }
    let PromptFlags { task, prompt, prompts, .. } = &own.prompt;
    if task.is_none() && prompt.is_none() && prompts.is_none() {
        bail!("name what both models continue: --task NAME, --prompt TEXT or --prompts FILE");
    }
    let task = find_task(task.as_deref())?;
    let max_new_tokens = own.draw.max_new_tokens.unwrap_or(task.max_new_tokens);
    if max_new_tokens == 0 {
        bail!("--max-new-tokens 0 leaves nothing to compare; give 1 or more");
    }
    fit::check(own, &task)?;
    let ready = open(Sides { reference: p, model: q }, args, &task, max_new_tokens)?;
    let stop = Stop::on_signals().context("cannot listen for signals")?;
    let progress = progress::for_stderr();
    let fit = fit::read(args, &ready, &task, max_new_tokens, &stop, &*progress)?;
    let seed = options.seed;
    let write = |side: Side| {
        // Two settings of one model must not share their random numbers.
        let seed = seed.wrapping_mul(2).wrapping_add(u64::from(side == Side::Model));
        let ready = ready.get(side);
        ready.write(own, &task, max_new_tokens, seed, &stop, &*progress)
    };
    let drawn = Sides { reference: write(Side::Reference)?, model: write(Side::Model)? };
    let read = |texts: &[Completion]| -> anyhow::Result<[Vec<Vec<f64>>; 2]> {
        Ok([
            ready.reference.read(texts, &stop, &*progress)?,
            ready.model.read(texts, &stop, &*progress)?,
        ])
    };
    let groups = ready.reference.groups();
    let texts = |side: Side| -> anyhow::Result<Vec<LikelihoodText>> {
        let completions = drawn.get(side);
        let [mut ln_p, mut ln_q] = read(completions)?;
        let own = if side == Side::Reference { &mut ln_p } else { &mut ln_q };
        for (own, completion) in own.iter_mut().zip(completions) {
            trust_the_draw(own, completion.logprob);
        }
        let lists = ln_p.into_iter().zip(ln_q).zip(completions);
        Ok(lists
            .map(|((ln_p, ln_q), completion)| {
                let prompt = groups[completion.tag as usize % groups.len()];
                LikelihoodText { ln_p, ln_q, prompt }
            })
            .collect())
    };
    let texts = Sides { reference: texts(Side::Reference)?, model: texts(Side::Model)? };
    let unique = drawn.as_ref().map(|texts| {
        let keys = texts.iter().map(|t| (t.tag as usize % groups.len(), &t.tokens));
        keys.map(|(prompt, tokens)| (groups[prompt], tokens)).collect::<HashSet<_>>().len()
    });
    let named = Sides { reference: p, model: q }.map(|speaker| speaker.name.as_str());
    let prompts = &ready.reference.prompts.hash;
    let ready_as = |side: Side| ready.get(side).content();
    let signature = Signature::default()
        .flag("likelihood")
        .with("P", ready_as(Side::Reference)?)
        .with("Q", ready_as(Side::Model)?)
        .with("ref", content([&ready_as(Side::Reference)?, prompts]))
        .with("prompts", short(prompts))
        .with("task", format!("{}-{}", task.name, own.prompt.shots.unwrap_or_default()))
        .with("cut", max_new_tokens)
        .with("prec", ready.reference.lm.precision());
    let signature = match &fit {
        Some(fit) => signature.with("nll", &fit.reference),
        None => signature,
    };
    let texts = texts.as_ref().map(Vec::as_slice);
    let mut score = score_likelihood(texts, unique, signature, options)
        .with_context(|| format!("`{}` and `{}`", named.reference, named.model))?;
    score.metrics.extend(fit.map(|fit| fit.metrics).unwrap_or_default());
    Ok(Some(score))
}

/// Opens both models; one that stands on both sides is loaded once.
fn open(
    speakers: Sides<&Speaker>,
    args: &Args,
    task: &Task,
    max_new_tokens: usize,
) -> anyhow::Result<Sides<Ready>> {
    let own = &args.likelihood;
    let models = speakers.try_map(|speaker| {
        let (chat, date) = (own.draw.chat.unwrap_or_default(), own.draw.date.unwrap_or_default());
        SweepModel::open(&speaker.model, chat, date)
            .with_context(|| format!("model `{}`", speaker.model))
    })?;
    let checkpoints = models.as_ref().try_map(|model| {
        model.checkpoint().cloned().with_context(|| {
            format!("`{}` is a server, which gives no probabilities of others' texts", model.name)
        })
    })?;
    let hash =
        |checkpoint: &Arc<Checkpoint>| Ok::<_, LmError>(checkpoint.tokenizer()?.hash().to_owned());
    let hashes = checkpoints.as_ref().try_map(hash)?;
    if hashes.reference != hashes.model {
        bail!(
            "`{}` and `{}` cut texts into tokens by different vocabularies, so neither gives the \
             other's texts a probability; compare two models of one tokenizer, or embed their texts \
             and use --reference and --samples",
            speakers.reference.model,
            speakers.model.model
        );
    }
    let source = Source {
        reference: args.reference.reference.as_deref(),
        ..own.prompt.source(own.n(), own.n())
    };
    let device = device::open(args.device.device())?;
    let load = |side: Side| {
        Lm::load(checkpoints.get(side).clone(), &device, args.device.dtype())
            .map(Arc::new)
            .with_context(|| format!("model `{}`", models.get(side).name))
    };
    let first = load(Side::Reference)?;
    let same = checkpoints.reference.hash()? == checkpoints.model.hash()?;
    let second = if same { first.clone() } else { load(Side::Model)? };
    let lms = Sides { reference: first, model: second };
    let ready = |side: Side, model: SweepModel| -> anyhow::Result<Ready> {
        let prompts = source.plan(task, &model, max_new_tokens)?;
        let (speaker, lm) = ((*speakers.get(side)).clone(), lms.get(side).clone());
        Ok(Ready { speaker, model, lm, prompts })
    };
    let Sides { reference, model } = models;
    let ready =
        Sides { reference: ready(Side::Reference, reference)?, model: ready(Side::Model, model)? };
    let count = ready.as_ref().map(|ready| ready.prompts.prompts.len());
    if count.reference == 0 {
        bail!("there are no prompts to continue");
    }
    Ok(ready)
}

impl Ready {
    /// What stands for it in a signature: a hash of its files and tokenizer, and its settings.
    fn content(&self) -> Result<String, LmError> {
        let checkpoint = self.lm.checkpoint();
        let hash = content([checkpoint.hash()?, checkpoint.tokenizer()?.hash()]);
        let settings = &self.speaker.settings;
        Ok(if settings.is_empty() { hash } else { format!("{hash}@{settings}") })
    }

    /// A number for each prompt, equal for equal ones.
    fn groups(&self) -> Vec<u64> {
        let mut numbers = std::collections::HashMap::new();
        let ids = self.prompts.prompts.iter().map(|prompt| prompt.ids.clone());
        ids.map(|ids| {
            let next = numbers.len() as u64;
            *numbers.entry(ids).or_insert(next)
        })
        .collect()
    }

    /// `n` completions, going round the prompts, in that order; the tag is the index.
    fn write(
        &self,
        own: &LikelihoodFlags,
        task: &Task,
        max_new_tokens: usize,
        seed: u64,
        stop: &Stop,
        progress: &dyn Progress,
    ) -> anyhow::Result<Vec<Completion>> {
        let prompts = &self.prompts.prompts;
        let stops: Arc<[String]> = task.stop.clone().into();
        let request = |(tag, draw): (usize, crate::rng::Draw)| Request {
            tag: tag as u64,
            prompt: prompts[draw.prompt as usize].ids.clone(),
            chain: self.speaker.chain.clone(),
            seed,
            draw,
            max_new_tokens,
            stop: stops.clone(),
        };
        let batch = own.draw.batch.unwrap_or_default().rows();
        let options =
            GenerateOptions { batch, interrupt: stop.interrupt(), ..GenerateOptions::default() };
        let n = own.n();
        progress.begin(&format!("sampling {}", self.speaker.name), "texts", n as u64, 0);
        let (mut completions, mut failure) = (Vec::with_capacity(n), None);
        let mut on_event = |event| {
            match event {
                Event::Finished(completion) => {
                    completions.push(completion);
                    progress.advance(1, 0);
                }
                Event::Failed { error, .. } => {
                    failure = Some(error);
                    return ControlFlow::Break(());
                }
                Event::Step { new_tokens, .. } => progress.advance(0, new_tokens as u64),
            }
            if stop.asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let requests = draws(n, prompts.len()).enumerate().map(request);
        let totals = generate(&self.lm, requests, &options, &mut on_event);
        progress.end();
        if let Some(error) = failure {
            return Err(anyhow::Error::from(error).context(self.speaker.name.clone()));
        }
        if totals?.stopped {
            return Err(stopped());
        }
        completions.sort_by_key(|completion| completion.tag);
        Ok(completions)
    }

    /// `ln p` of every position of every text; texts of one prompt are read together.
    fn read(
        &self,
        texts: &[Completion],
        stop: &Stop,
        progress: &dyn Progress,
    ) -> anyhow::Result<Vec<Vec<f64>>> {
        let prompts = &self.prompts.prompts;
        let prompt_of = |text: &Completion| &prompts[text.tag as usize % prompts.len()].ids;
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&i| (texts[i].tag as usize % prompts.len(), i));
        let asked: Vec<Continued<'_>> = order
            .iter()
            .map(|&i| Continued {
                prompt: prompt_of(&texts[i]),
                tokens: &texts[i].tokens,
                ended: texts[i].finish_reason == FinishReason::Eos,
            })
            .collect();
        let (mut begun, mut told) = (false, 0);
        let mut hear = |done: usize, all: usize| {
            if !begun {
                let what = format!("reading {} texts as {}", texts.len(), self.speaker.name);
                progress.begin(&what, "tokens", all as u64, 0);
                begun = true;
            }
            progress.advance((done - told) as u64, (done - told) as u64);
            told = done;
        };
        let eos = &self.lm.config().eos;
        let network = self.lm.network();
        let chain = &self.speaker.chain;
        let tokenizer = self.lm.tokenizer().filter(|_| chain.needs_breakers());
        let breakers = tokenizer.map_or(&[][..], Tokenizer::breakers);
        let found = log_probs(network, eos, chain, breakers, &asked, &stop.interrupt(), &mut hear);
        progress.end();
        let found = match found {
            Err(LmError::Interrupted) => return Err(stopped()),
            found => found.with_context(|| self.speaker.name.clone())?,
        };
        let mut out = vec![Vec::new(); texts.len()];
        order.into_iter().zip(found).for_each(|(i, list)| out[i] = list);
        Ok(out)
    }
}

fn stopped() -> anyhow::Error {
    Exit { code: 75, message: "stopped; nothing was written".to_owned() }.into()
}

/// A token at the very edge of a truncation may fall outside where a pass rounds otherwise than the one
/// that drew it: then the draw's own log-probability counts.
fn trust_the_draw(own: &mut [f64], drawn: f64) {
    let lost = own.iter().filter(|x| x.is_infinite()).count();
    if lost > 0 && drawn.is_finite() {
        let kept: f64 = own.iter().filter(|x| x.is_finite()).sum();
        let share = ((drawn - kept) / lost as f64).min(0.0);
        own.iter_mut().filter(|x| x.is_infinite()).for_each(|x| *x = share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Stage;

    #[test]
    fn a_speaker_is_a_model_and_its_settings() {
        let got: Speaker = "org/name@main@T=0.7,top_p=0.9,top-k=50".parse().unwrap();
        assert_eq!(got.model, "org/name@main");
        assert_eq!(
            got.chain.stages(),
            [Stage::Temperature(0.7), Stage::TopK(50), Stage::TopP(0.9)]
        );
        for long in ["temp", "temps", "temperature"] {
            let got: Speaker = format!("org/name@{long}=0.7").parse().unwrap();
            assert_eq!(got.chain.stages(), [Stage::Temperature(0.7)], "{long}");
        }
        let plain: Speaker = "org/name@main".parse().unwrap();
        assert_eq!((plain.model.as_str(), plain.chain.stages()), ("org/name@main", [].as_slice()));
    }

    #[test]
    fn a_speaker_with_a_wrong_setting_gets_a_sentence() {
        let error = |text: &str| text.parse::<Speaker>().unwrap_err().to_string();
        assert_eq!(error("a@T=hot"), "`hot` is no number; write T=NUMBER");
        assert!(error("a@warmth=1").starts_with("`warmth` is no setting; there are T, top-k"));
        assert!(error("a@T=-1").contains("-1"), "{}", error("a@T=-1"));
        assert!(error("@T=1").contains("names no model"));
    }

    #[test]
    fn a_token_lost_at_the_edge_keeps_the_probability_it_was_drawn_with() {
        let mut own = [-1.0, f64::NEG_INFINITY, -2.0];
        trust_the_draw(&mut own, -3.5);
        assert_eq!(own, [-1.0, -0.5, -2.0]);
    }
}
