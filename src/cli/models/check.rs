//! `llmpr models check`.

use anyhow::{Context, bail, ensure};
use std::path::{Path, PathBuf};

use crate::{
    cli::flags::{self, DeviceFlags, writable},
    data::matrix::Matrix,
    lm::{
        Checkpoint, Lm, check,
        determinism::determinism,
        engine::{
            device::{self, DtypeChoice},
            kv::Want,
            model::network,
            network::Depth,
        },
    },
    npy,
};

/// Arguments of `llmpr models check`.
#[derive(clap::Args)]
#[command(mut_args(flags::defaults(DeviceFlags::defaults())))]
pub struct Args {
    /// Folder, .gguf file or hub id; or a folder of folders with reference values (expected.json)
    model: String,
    /// JSON lines, each a list of token ids, to compute --logits and --hidden for
    #[arg(long, value_name = "IDS.jsonl")]
    token_ids: Option<PathBuf>,
    /// Logits after the last token of each line, n × vocabulary
    #[arg(long, value_name = "OUT.npy", requires = "token_ids")]
    logits: Option<PathBuf>,
    /// Final hidden state of the last token of each line, n × width
    #[arg(long, value_name = "OUT.npy", requires = "token_ids")]
    hidden: Option<PathBuf>,
    /// Draw the same completions at several batch sizes, thread counts and orders and compare them
    #[arg(long)]
    determinism: bool,
    #[command(flatten)]
    device: DeviceFlags,
}

/// Runs it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let folders = golden_folders(Path::new(&args.model))?;
    if !folders.is_empty() {
        return golden(&folders, args);
    }
    let something = args.token_ids.is_some() || args.determinism;
    ensure!(
        something,
        "`{}` holds no reference values (expected.json); give --token-ids or --determinism",
        args.model
    );
    ensure!(
        args.token_ids.is_none() || args.logits.is_some() || args.hidden.is_some(),
        "--token-ids computes --logits OUT.npy and --hidden OUT.npy; name one of them"
    );
    args.logits.iter().chain(&args.hidden).try_for_each(|path| writable(path, &[]))?;
    let lm = Lm::open(&args.model, args.device.device(), args.device.dtype())?;
    if let Some(path) = &args.token_ids {
        states(&lm, path, args)?;
    }
    if args.determinism {
        let found = determinism(lm.network(), 24)?;
        tell!("{} completions, {} tokens, {}", found.completions, found.tokens, lm.precision())?;
        for way in &found.ways {
            let order = if way.reversed { "reversed, prompts in pieces" } else { "in order" };
            let (rows, threads, different) = (way.rows, way.threads, way.different);
            tell!("rows {rows:>3}  threads {threads:>2}  {order:<28} different: {different}")?;
        }
        let batch_invariant = lm.network().is_batch_invariant();
        let layout = if batch_invariant { "" } else { " when drawn again in the same layout" };
        ensure!(
            found.holds(),
            "completions differ{layout}: they depend on more than their requests"
        );
        tell!("every completion is the same{layout}, to the last bit of its log-probability")?;
    }
    Ok(())
}

/// The folder itself or those in it that hold reference values.
fn golden_folders(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !root.is_dir() {
        return Ok(Vec::new());
    }
    if root.join("expected.json").exists() {
        return Ok(vec![root.to_owned()]);
    }
    let entries =
        std::fs::read_dir(root).with_context(|| format!("cannot read `{}`", root.display()))?;
    let mut folders: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    folders.retain(|folder| folder.join("expected.json").exists());
    folders.sort();
    Ok(folders)
}

fn golden(folders: &[PathBuf], args: &Args) -> anyhow::Result<()> {
    // Reference values are held against f32 unless another type was asked for.
    let dtype = match args.device.dtype() {
        DtypeChoice::Auto => DtypeChoice::F32,
        other => other,
    };
    let device = device::open(args.device.device())?;
    tell!(
        "{:<24} {:<15} {:>9} {:>9} {:>9} {:>9}  greedy",
        "model",
        "file",
        "hidden",
        "middle",
        "logits",
        "logprob"
    )?;
    let mut wrong = Vec::new();
    for folder in folders {
        let name = folder.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        for config in ["config.json", "config_v4.json", "model.gguf", "fused.gguf"] {
            let file = folder.join(config);
            if !file.exists() {
                continue;
            }
            let opened = match config.ends_with(".gguf") {
                true => Checkpoint::open_gguf(&file)?,
                false => check::open_golden(folder, config)?,
            };
            let network = network(&opened.config, &opened.weights, &device, dtype)?;
            let p = check::golden(&*network, folder)?;
            let (same, all) = (p.greedy.1 - p.greedy.0, p.greedy.1);
            tell!(
                "{name:<24} {config:<15} {:>9.1e} {:>9.1e} {:>9.1e} {:>9.1e}  {same}/{all}{}",
                p.hidden,
                p.middle,
                p.logits,
                p.logprob,
                if p.holds() { "" } else { "  WRONG" },
            )?;
            if !p.holds() {
                wrong.push(format!("{name} ({config})"));
            }
        }
    }
    tell!(
        "allowed: hidden states {:.0e}, logits {:.0e}",
        check::HIDDEN_TOLERANCE,
        check::LOGIT_TOLERANCE
    )?;
    if !wrong.is_empty() {
        bail!("outside the tolerances: {}", wrong.join(", "));
    }
    Ok(())
}

fn states(lm: &Lm, path: &Path, args: &Args) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    let mut ids: Vec<Vec<u32>> = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let read = serde_json::from_str(line);
        ids.push(read.with_context(|| {
            format!("`{}`: line {} is no list of token ids", path.display(), i + 1)
        })?);
    }
    let mut hidden = Vec::new();
    let mut logits = Vec::new();
    // A few texts at a time bound the memory of long lists.
    for part in ids.chunks(64) {
        let states = check::states(lm.network(), part, Want::Last, Depth::Full)?;
        if args.logits.is_some() {
            logits.extend(check::logits(lm.network(), &states)?);
        }
        hidden.extend(states);
    }
    let write = |path: &Path, cols: usize, data: Vec<f32>| -> anyhow::Result<()> {
        npy::write_npy(path, &Matrix::new(cols, data)?)
            .with_context(|| format!("cannot write `{}`", path.display()))
    };
    if let Some(path) = &args.hidden {
        write(path, lm.config().hidden, hidden)?;
    }
    if let Some(path) = &args.logits {
        write(path, lm.config().vocab, logits)?;
    }
    Ok(())
}
