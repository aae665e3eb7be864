//! `llmpr models bench`.

use anyhow::{Context, ensure};
use std::path::PathBuf;

use crate::{
    cli::flags::{self, DeviceFlags},
    lm::{
        Lm, ModelConfig,
        bench::{flops_per_token, limits_of, speed},
        engine::{device, kv::Place, model::network, network::Network},
        random,
    },
    math::simd::Isa,
};

/// Arguments of `llmpr models bench`.
#[derive(clap::Args)]
#[command(mut_args(flags::defaults(DeviceFlags::defaults())))]
pub struct Args {
    /// Folder, .gguf file or hub id
    #[arg(required_unless_present = "random_weights")]
    model: Option<String>,
    /// Rows at a time
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1,16,64",
        alias = "batch",
        value_name = "LIST"
    )]
    rows: Vec<usize>,
    /// Tokens of each row's prompt
    #[arg(long, default_value_t = 16, value_name = "N")]
    prompt_tokens: usize,
    /// Tokens drawn for each row
    #[arg(long, default_value_t = 32, value_name = "N")]
    new_tokens: usize,
    /// All rows continue one prompt, which is computed once
    #[arg(long)]
    shared_prompt: bool,
    /// A model of this shape with random weights instead
    #[arg(long, value_name = "CONFIG.json", conflicts_with = "model")]
    random_weights: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceFlags,
}

/// Runs it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let flags = [("rows", args.rows.iter().min()), ("prompt-tokens", Some(&args.prompt_tokens))];
    for (flag, least) in flags.into_iter().chain([("new-tokens", Some(&args.new_tokens))]) {
        ensure!(least != Some(&0), "--{flag} 0 leaves nothing to time; use 1 or more");
    }
    let lm;
    let random;
    let network: &dyn Network = match (&args.random_weights, &args.model) {
        (Some(path), _) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read `{}`", path.display()))?;
            let config = ModelConfig::from_json(&text, None)
                .with_context(|| format!("`{}`", path.display()))?;
            let weights = random::weights(&config)?;
            let device = device::open(args.device.device())?;
            random = network(&config, &weights, &device, args.device.dtype())?;
            &*random
        }
        (None, model) => {
            let model = model.as_deref().unwrap_or_default();
            lm = Lm::open(model, args.device.device(), args.device.dtype())?;
            lm.network()
        }
    };
    let limits = limits_of(network)?;
    let there = !matches!(network.kv_place(), Place::Host);
    if there {
        let (flops, bytes) = (limits.flops / 1e9, limits.bytes / 1e9);
        tell!("device    {flops:.0} GFLOP/s in a large product and {bytes:.0} GB/s in a copy")?;
    } else {
        tell!(
            "machine   {:.0} GFLOP/s in registers and {:.1} GB/s from memory per core, {} threads, {}",
            limits.flops / 1e9,
            limits.bytes / 1e9,
            rayon::current_num_threads(),
            Isa::best().name(),
        )?;
    }
    tell!(
        "model     {:.0} MFLOP a token, {:.0} MB of weights; {} prompt and {} new tokens a row",
        flops_per_token(network.config()) / 1e6,
        network.weight_bytes() as f64 / 1e6,
        args.prompt_tokens,
        args.new_tokens,
    )?;
    tell!(
        "{:>5} {:>14} {:>14} {:>16} {:>16}",
        "rows",
        "prefill tok/s",
        "decode tok/s",
        if there { "GFLOP/s" } else { "GFLOP/s a core" },
        if there { "GB/s" } else { "GB/s a core" }
    )?;
    for &rows in &args.rows {
        let (prompt, new) = (args.prompt_tokens, args.new_tokens);
        let speed = speed(network, rows, prompt, new, args.shared_prompt)?;
        let flops =
            format!("{:.0} ({:.0} %)", speed.flops / 1e9, 100.0 * speed.flops / limits.flops);
        let bytes =
            format!("{:.1} ({:.0} %)", speed.bytes / 1e9, 100.0 * speed.bytes / limits.bytes);
        let (prefill, decode) = (speed.prefill, speed.decode);
        tell!("{rows:>5} {prefill:>14.1} {decode:>14.1} {flops:>16} {bytes:>16}")?;
    }
    Ok(())
}
