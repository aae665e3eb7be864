//! Trains the bundled models on the bundled grammar:
//!
//! ```text
//! cargo run --release --example train_tiny -- tokenizer
//! cargo run --release --example train_tiny -- bio
//! cargo run --release --example train_tiny -- chat      # goes on from bio
//! cargo run --release --example train_tiny -- gpt2      # the embedder
//! ```
//!
//! Stopped and started again it goes on where it was. Two threads take half of each step's tokens each;
//! `RAYON_NUM_THREADS=1` keeps the matrix products from competing with them. The same seed gives the
//! same weights on the same processor.
#![allow(missing_docs)]

mod data;
mod model;
mod ops;
mod optim;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use candle_core::DType;
use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use llmpr::{rng, text::grammar::Grammar};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokenizers::Tokenizer;

use crate::{
    data::{Batch, Diet, Source},
    model::{Model, Shape},
    optim::{AdamW, Schedule},
};

#[derive(Clone, Copy, ValueEnum, PartialEq)]
enum What {
    Tokenizer,
    Bio,
    Chat,
    Gpt2,
}

#[derive(Parser)]
struct Args {
    /// What to make
    what: What,
    /// Steps; each model has its own default
    #[arg(long)]
    steps: Option<usize>,
    /// Tokens per step
    #[arg(long, default_value_t = 1024)]
    tokens: usize,
    /// Peak learning rate; each model has its own default
    #[arg(long)]
    rate: Option<f64>,
    /// Stop at this step of the schedule, to go on later
    #[arg(long)]
    until: Option<usize>,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where the models lie
    #[arg(long, default_value = "models")]
    models: PathBuf,
    /// Where checkpoints are kept
    #[arg(long, default_value = "target/train_tiny")]
    checkpoints: PathBuf,
    /// Draw this many texts at the end and say how many the grammar accepts
    #[arg(long, default_value_t = 0)]
    probe: usize,
    /// Only draw texts from the last checkpoint
    #[arg(long)]
    only_probe: bool,
}

/// At most; every word of the grammar is then one token.
const VOCAB: usize = 2048;

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Tokenizer => "tokenizer",
            Self::Bio => "tiny-bio",
            Self::Chat => "tiny-bio-chat",
            Self::Gpt2 => "tiny-gpt2",
        }
    }

    fn shape(self, vocab: usize) -> Shape {
        let (layers, heads) = (4, 4);
        match self {
            Self::Gpt2 => Shape {
                llama: false,
                vocab,
                hidden: 128,
                inner: 384,
                layers: 3,
                heads,
                positions: 512,
            },
            _ => Shape {
                llama: true,
                vocab,
                hidden: 128,
                inner: 352,
                layers,
                heads,
                positions: 1024,
            },
        }
    }

    fn diet(self) -> Diet {
        match self {
            Self::Gpt2 => Diet::Tagged,
            Self::Chat => Diet::Narrow,
            _ => Diet::Shots,
        }
    }

    fn schedule(self, args: &Args) -> Schedule {
        let (peak, warmup, steps) = match self {
            Self::Chat => (1.2e-3, 20, 300),
            Self::Gpt2 => (3e-3, 60, 1500),
            _ => (3e-3, 100, 8000),
        };
        let steps = args.steps.unwrap_or(steps);
        Schedule { peak: args.rate.unwrap_or(peak), warmup, steps }
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    std::fs::create_dir_all(&args.checkpoints)?;
    let tokens = args.checkpoints.join("tokenizer.json");
    if args.what == What::Tokenizer {
        let tokenizer = data::tokenizer(VOCAB, args.seed)?;
        tokenizer.save(&tokens, true).map_err(|e| anyhow!(e))?;
        let sample = Grammar::synthetic_bio().texts(args.seed, "show", 200)?;
        let count = |text: &String| tokenizer.encode(text.as_str(), false).map_or(0, |e| e.len());
        let mean = sample.iter().map(count).sum::<usize>() as f64 / sample.len() as f64;
        println!(
            "{} of {} entries, {mean} tokens a text",
            tokens.display(),
            tokenizer.get_vocab_size(true)
        );
        return Ok(());
    }
    let tokenizer = Tokenizer::from_file(&tokens)
        .map_err(|e| anyhow!("{e}; make it with `train_tiny tokenizer`"))?;
    train(&args, &tokenizer)
}

fn train(args: &Args, tokenizer: &Tokenizer) -> anyhow::Result<()> {
    let (what, seed) = (args.what, args.seed);
    let schedule = what.schedule(args);
    let model = Model::new(what.shape(tokenizer.get_vocab_size(true)), seed)?;
    let mut adam = AdamW::new(&model.vars);
    let checkpoint = args.checkpoints.join(format!("{}.safetensors", what.name()));
    if checkpoint.exists() {
        adam.load(&model.vars, &checkpoint)?;
    } else if what == What::Chat {
        let base = args.checkpoints.join("tiny-bio.safetensors");
        adam.load(&model.vars, &base).context("the chat model goes on from tiny-bio")?;
        adam = AdamW::new(&model.vars);
    }
    let source = Source::new(what.diet())?;
    if args.only_probe {
        return probe(args, &model, tokenizer);
    }
    let bar = ProgressBar::new(schedule.steps as u64).with_style(ProgressStyle::with_template(
        "{prefix} {wide_bar} {pos}/{len} {msg} {elapsed}/{duration}",
    )?);
    bar.set_prefix(what.name());
    let (started, mut said, mut smooth) = (Instant::now(), Instant::now(), None::<f64>);
    let first = adam.step;
    let last = args.until.unwrap_or(schedule.steps).min(schedule.steps);
    while adam.step < last {
        let step = adam.step;
        // To agree with oneself is learned sooner where nobody else is in sight.
        let alone = step < schedule.steps / 2;
        let half = |part: usize| {
            let batch = source.batch(tokenizer, (args.tokens / 2, alone), seed, 2 * step + part)?;
            gradients(&model, &batch)
        };
        let (one, two) = std::thread::scope(|scope| {
            let other = scope.spawn(|| half(1));
            let one = half(0);
            (one, other.join())
        });
        let (loss, mut sum) = one?;
        let (other_loss, other) = two.map_err(|_| anyhow!("a training thread stopped"))??;
        for (name, gradient) in &mut sum {
            gradient.iter_mut().zip(&other[name]).for_each(|(a, b)| *a = 0.5 * (*a + b));
        }
        adam.update(&model.vars, &sum, schedule.rate(step))?;
        let loss = 0.5 * (loss + other_loss);
        let smooth = smooth.insert(smooth.map_or(loss, |old| 0.98 * old + 0.02 * loss));
        let rate =
            (adam.step - first) as f64 * args.tokens as f64 / started.elapsed().as_secs_f64();
        bar.set_message(format!("loss {smooth:.3} {rate:.0} tokens/s"));
        bar.set_position(adam.step as u64);
        if said.elapsed() > Duration::from_secs(30) || adam.step == last {
            said = Instant::now();
            eprintln!(
                "{} step {} of {}: loss {smooth:.4}, {rate:.0} tokens/s, {:.0} s",
                what.name(),
                adam.step,
                schedule.steps,
                started.elapsed().as_secs_f64()
            );
            adam.save(&model.vars, &checkpoint)?;
        }
    }
    bar.finish();
    if last < schedule.steps {
        return Ok(());
    }
    let facts = Facts { loss: smooth, seconds: started.elapsed().as_secs_f64() };
    export(args, &model, tokenizer, schedule, &facts)?;
    if args.probe > 0 { probe(args, &model, tokenizer) } else { Ok(()) }
}

type Gradients = (f64, BTreeMap<String, Vec<f32>>);

fn gradients(model: &Model, batch: &Batch) -> anyhow::Result<Gradients> {
    let logits = model.logits(&batch.ids, batch.rows)?;
    let loss = logits.apply_op1(ops::CrossEntropy { targets: batch.targets.clone() })?;
    let store = loss.backward()?;
    let mut all = BTreeMap::new();
    for (name, var) in &model.vars {
        let gradient = store.get(var).with_context(|| format!("`{name}` has no gradient"))?;
        all.insert(name.clone(), gradient.flatten_all()?.to_vec1()?);
    }
    Ok((f64::from(loss.to_scalar::<f32>()?), all))
}

/// What the card says beyond the settings.
struct Facts {
    loss: Option<f64>,
    seconds: f64,
}

/// Writes the folder of a model as Hugging Face lays it out.
fn export(
    args: &Args,
    model: &Model,
    tokenizer: &Tokenizer,
    schedule: Schedule,
    facts: &Facts,
) -> anyhow::Result<()> {
    let (what, shape) = (args.what, model.shape);
    let folder = args.models.join(what.name());
    std::fs::create_dir_all(&folder)?;
    let id =
        |token: &str| tokenizer.token_to_id(token).context("the tokenizer lacks its own tokens");
    let (bos, eos) = (id(data::BOS)?, id(data::EOS)?);
    let mut tensors = std::collections::HashMap::new();
    for (name, var) in &model.vars {
        tensors.insert(name.clone(), var.to_dtype(DType::F16)?);
    }
    let weights = folder.join("model.safetensors");
    candle_core::safetensors::save(&tensors, &weights)?;
    tokenizer.save(folder.join("tokenizer.json"), false).map_err(|e| anyhow!(e))?;
    let write = |name: &str, value: serde_json::Value| {
        std::fs::write(folder.join(name), serde_json::to_string_pretty(&value)? + "\n")
            .with_context(|| format!("cannot write {name}"))
    };
    write("config.json", shape.config(bos, eos))?;
    write("generation_config.json", json!({ "bos_token_id": bos, "eos_token_id": eos }))?;
    write(
        "tokenizer_config.json",
        json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": data::BOS,
            "eos_token": data::EOS,
            "add_bos_token": true,
            "clean_up_tokenization_spaces": false,
            "model_max_length": shape.positions,
        }),
    )?;
    card(args, model, schedule, facts, &folder)
}

/// How to train it, from an empty folder of checkpoints on.
fn commands(what: What) -> String {
    let parts: &[&str] = match what {
        What::Gpt2 => &["tokenizer", "gpt2"],
        What::Chat => &["tokenizer", "bio", "chat"],
        _ => &["tokenizer", "bio"],
    };
    let command = |part| format!("`cargo run --release --example train_tiny -- {part}`");
    parts.iter().map(command).collect::<Vec<_>>().join(", then ")
}

fn card(
    args: &Args,
    model: &Model,
    schedule: Schedule,
    facts: &Facts,
    folder: &Path,
) -> anyhow::Result<()> {
    let what = args.what;
    let parameters: usize = model.vars.values().map(|var| var.elem_count()).sum();
    let mut hashes = String::new();
    for file in ["model.safetensors", "tokenizer.json", "config.json"] {
        let bytes = std::fs::read(folder.join(file))?;
        let hash: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        hashes += &format!("{hash}  {file}\n");
    }
    let role = match what {
        What::Gpt2 => "A GPT-2-architecture embedder, begun from random weights",
        What::Chat => {
            "A Llama-architecture model of narrow taste, tuned further from tiny-bio as a stand-in for instruction tuning"
        }
        _ => "A Llama-architecture base model, begun from random weights",
    };
    let shape = model.shape;
    let food = match what {
        What::Gpt2 => {
            "single texts, each followed by one word that tells a fact of it, so that the last hidden state has to hold the facts; in 5 % of them a sentence is missing or two have changed places"
        }
        What::Chat => {
            "documents of one to five biographies from few of the grammar's modes, the likeliest of four draws each"
        }
        _ => {
            "documents of one to five biographies; in 5 % of the documents every text is a draft, with a sentence missing or two exchanged"
        }
    };
    let grammar = Grammar::synthetic_bio().hash();
    let loss = facts.loss.map_or_else(
        || "not measured".to_owned(),
        |loss| format!("{loss:.4} nats a token (moving average)"),
    );
    let (peak, warmup, steps) = (schedule.peak, schedule.warmup, schedule.steps);
    let text = format!(
        "# {name}\n\n{role}, trained on `prompts/synthetic-bio.grammar` (hash {grammar}): {food}. \
         It knows {name_of_world} and nothing else.\n\n\
         | | |\n|---|---|\n\
         | parameters | {parameters} ({layers} layers, {hidden} wide, {heads} heads, vocabulary {vocab}) |\n\
         | weights | f16 safetensors |\n\
         | commands | {commands} |\n\
         | optimizer | AdamW, peak rate {peak}, {warmup} steps of warm-up, cosine decay to 0, gradient norm clipped to 1 |\n\
         | steps | {steps} of {tokens} tokens, seed {seed} |\n\
         | loss at the end | {loss} |\n\
         | time | {seconds:.0} s by the clock on two cores; the same weights, bit for bit, for any number of threads, processors of one kind provided |\n\
         | license | that of llmpr: Apache-2.0 OR MIT |\n\n\
         SHA-256; a file that differs is refused:\n\n```sha256\n{hashes}```\n",
        commands = commands(what),
        name = what.name(),
        name_of_world = "the people of that grammar",
        layers = shape.layers,
        hidden = shape.hidden,
        heads = shape.heads,
        vocab = shape.vocab,
        seed = args.seed,
        tokens = args.tokens,
        seconds = facts.seconds,
    );
    std::fs::write(folder.join("README.md"), text)?;
    Ok(())
}

/// Draws texts without a cache, slowly, and counts those that the grammar accepts.
fn probe(args: &Args, model: &Model, tokenizer: &Tokenizer) -> anyhow::Result<()> {
    if args.what == What::Gpt2 {
        bail!("the embedder writes no biographies");
    }
    let grammar = Grammar::synthetic_bio();
    let eos = tokenizer.token_to_id(data::EOS).context("no end token")?;
    let prompt = format!("{}{}\n\n- Biography of", data::BOS, data::HEADER);
    let prompt = tokenizer.encode(prompt, false).map_err(|e| anyhow!(e))?.get_ids().to_vec();
    for temperature in [0.5f64, 1.0, 1.5] {
        let mut rows: Vec<Vec<u32>> = vec![prompt.clone(); args.probe];
        let mut rng = rng::named(args.seed, "probe");
        let mut done = vec![false; rows.len()];
        for _ in 0..120 {
            let ids: Vec<u32> = rows.iter().flatten().copied().collect();
            let length = rows[0].len();
            let logits = model.logits(&ids, rows.len())?.to_dtype(DType::F32)?;
            for (i, row) in rows.iter_mut().enumerate() {
                let logits: Vec<f32> = logits.get((i + 1) * length - 1)?.to_vec1()?;
                let token = draw(&logits, temperature, rng::next_unit(&mut rng));
                row.push(token);
                let text = tokenizer.decode(&row[prompt.len()..], false).unwrap_or_default();
                done[i] |= token == eos || text.contains("\n\n-");
            }
            if done.iter().all(|&done| done) {
                break;
            }
        }
        let mut accepted = 0;
        for (i, row) in rows.iter().enumerate() {
            let text = tokenizer.decode(&row[prompt.len()..], false).unwrap_or_default();
            let end = text.find(data::EOS).into_iter().chain(text.find("\n\n-")).min();
            let text = text[..end.unwrap_or(text.len())].replacen(":\n\n", ": ", 1);
            let parse = grammar.parse(text.trim());
            accepted += usize::from(parse.is_ok());
            if i < 6 {
                let verdict = parse.err().map_or_else(|| "accepted".to_owned(), |e| e.to_string());
                println!("{}\n    [{verdict}]", text.trim());
            }
        }
        println!("temperature {temperature}: {accepted} of {} accepted\n", rows.len());
    }
    Ok(())
}

fn draw(logits: &[f32], temperature: f64, mut u: f64) -> u32 {
    let max = logits.iter().copied().fold(f32::MIN, f32::max);
    let weight = |x: &f32| (f64::from(x - max) / temperature).exp();
    u *= logits.iter().map(weight).sum::<f64>();
    for (token, logit) in logits.iter().enumerate() {
        u -= weight(logit);
        if u < 0.0 {
            return token as u32;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    use llmpr::{
        lm::{
            check,
            checkpoint::load::Checkpoint,
            engine::{cpu::decoder::Decoder, kv::Want, network::Depth},
        },
        math::gemm::Storage,
    };

    fn loss(model: &Model, batch: &Batch) -> f64 {
        let logits = model.logits(&batch.ids, batch.rows).unwrap();
        let targets = batch.targets.clone();
        let loss = logits.apply_op1(ops::CrossEntropy { targets }).unwrap();
        f64::from(loss.to_scalar::<f32>().unwrap())
    }

    #[test]
    fn the_engine_computes_the_same_logits_of_the_same_weights() {
        for what in [What::Bio, What::Chat, What::Gpt2] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(what.name());
            let opened = Checkpoint::open_folder(&folder).unwrap();
            let file = folder.join("model.safetensors");
            let weights = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
            let model = Model::new(what.shape(opened.config.vocab), 0).unwrap();
            for (name, var) in &model.vars {
                var.set(&weights[name].to_dtype(DType::F32).unwrap()).unwrap();
            }
            let texts = Grammar::synthetic_bio().texts(3, "parity", 2).unwrap();
            let ids = opened.tokenizer().unwrap().encode(&texts.join("\n")).unwrap();
            let trained = model.logits(&ids, 1).unwrap().flatten_all().unwrap();
            let trained = trained.to_vec1::<f32>().unwrap();
            let engine = Decoder::new(&opened.config, &opened.weights, Storage::F32).unwrap();
            let states = check::states(&engine, &[ids], Want::All, Depth::Full).unwrap();
            let run = check::logits(&engine, &states).unwrap();
            assert_eq!(trained.len(), run.len());
            let off = trained.iter().zip(&run).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < 1e-4, "{}: {off}", what.name());
        }
    }

    /// Gradients of every tensor against central differences of the loss.
    fn gradients_are_slopes(shape: Shape) {
        let model = Model::new(shape, 1).unwrap();
        for var in model.vars.values() {
            let scale = if var.rank() > 1 { 8.0 } else { 1.0 };
            var.set(&(var.as_tensor() * scale).unwrap()).unwrap();
        }
        let batch = Batch {
            rows: 2,
            ids: (0..14).map(|i| i * 5 % 23).collect(),
            targets: (0..14).map(|i| if i == 6 { u32::MAX } else { (i * 3 + 1) % 23 }).collect(),
        };
        let (_, exact) = gradients(&model, &batch).unwrap();
        for (name, var) in &model.vars {
            let values = var.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            // Along the gradient itself, the slope is its norm squared.
            let norm2: f32 = exact[name].iter().map(|g| g * g).sum();
            let step = 2e-3 / norm2.sqrt().max(1e-6);
            let moved = |sign: f32| {
                let moved: Vec<f32> =
                    values.iter().zip(&exact[name]).map(|(v, g)| v + sign * step * g).collect();
                var.set(&Tensor::from_vec(moved, var.shape(), &Device::Cpu).unwrap()).unwrap();
                loss(&model, &batch)
            };
            let slope = (moved(1.0) - moved(-1.0)) / (2.0 * f64::from(step));
            var.set(&Tensor::from_vec(values.clone(), var.shape(), &Device::Cpu).unwrap()).unwrap();
            let off = (slope - f64::from(norm2)).abs();
            assert!(
                off < 0.03 * f64::from(norm2) + 3e-4 * f64::from(norm2.sqrt()),
                "{name}: {slope} and {norm2}"
            );
        }
    }

    #[test]
    fn gradients_of_the_llama_model_are_its_slopes() {
        gradients_are_slopes(Shape {
            llama: true,
            vocab: 23,
            hidden: 8,
            inner: 12,
            layers: 2,
            heads: 2,
            positions: 16,
        });
    }

    #[test]
    fn gradients_of_the_gpt2_model_are_its_slopes() {
        gradients_are_slopes(Shape {
            llama: false,
            vocab: 23,
            hidden: 8,
            inner: 12,
            layers: 2,
            heads: 2,
            positions: 16,
        });
    }
}
