//! Families against transformers: tiny checkpoints that lie here, and all variants where Python can make them, both by
//! `scripts/make-checkpoint.py`; GGUF files beside them by `scripts/make-gguf.py`.

use candle_core::{DType, Device};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

use llmpr::{
    lm::{
        Checkpoint, check,
        engine::{cpu::decoder::Decoder, network::Network, parts, tensor::TensorDecoder},
    },
    math::gemm::Storage,
};

use crate::common::skipped;

/// Where an engine differs from what transformers computed, from both styles of config.json and from GGUF files that
/// llama.cpp's converter wrote.
fn agrees(folder: &Path) -> Vec<String> {
    let (shown, mut wrong) = (folder.display(), Vec::new());
    for file in ["config.json", "config_v4.json", "model.gguf", "fused.gguf"] {
        let opened = match file.ends_with(".gguf") {
            true if !folder.join(file).exists() => continue,
            true => Checkpoint::open_gguf(&folder.join(file)),
            false => check::open_golden(folder, file),
        };
        let Checkpoint { config, weights, .. } = match opened {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                wrong.push(format!("{shown} {file}: {error}"));
                continue;
            }
        };
        if file.ends_with(".json") {
            let read = parts::tensors(&config).len();
            assert_eq!(weights.list().count(), read, "{shown}: a tensor that nobody reads");
        }
        let ours = Decoder::new(&config, &weights, Storage::F32).unwrap();
        let tensors = TensorDecoder::new(&config, &weights, &Device::Cpu, DType::F32).unwrap();
        for network in [&ours as &dyn Network, &tensors] {
            let parity = check::golden(network, folder).unwrap();
            if !parity.holds() || parity.logits > 1e-4 || parity.greedy != (0, 5) {
                wrong.push(format!("{shown} {file}: {parity:?}"));
            }
        }
    }
    wrong
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = of.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

#[test]
fn families_agree_with_transformers_in_one_ragged_batch_and_for_64_greedy_tokens() {
    let all = folders(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints"));
    assert!(all.len() >= 10, "{all:?}");
    let wrong: Vec<_> = all.iter().flat_map(|folder| agrees(folder)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test] // minutes of Python: every variant that the script knows
fn all_variants_agree_where_python_makes_them() {
    const NAME: &str = "all_variants_agree_where_python_makes_them";
    let Some(python) = std::env::var_os("LLMPR_PYTHON") else {
        return skipped(NAME, "LLMPR_PYTHON names no Python with torch and transformers");
    };
    let made = tempfile::tempdir().unwrap();
    // A folder of an earlier run serves as well.
    let folder = match std::env::var_os("LLMPR_VARIANTS") {
        Some(folder) => PathBuf::from(folder),
        None => {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/make-checkpoint.py");
            let status = Command::new(python).arg(script).arg("--all").arg(made.path()).status();
            assert!(status.unwrap().success(), "the script failed");
            made.path().to_owned()
        }
    };
    let all = folders(&folder);
    assert!(all.len() >= 43, "{} variants", all.len());
    let wrong: Vec<_> = all.iter().flat_map(|folder| agrees(folder)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
