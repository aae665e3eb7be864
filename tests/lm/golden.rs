//! Every golden model in both styles of config.json, against transformers 5.23 in float64.

use std::path::{Path, PathBuf};

use llmpr::lm::{check, decoder::Decoder, gemm::Storage};

pub fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/golden/models");
    let Ok(entries) = std::fs::read_dir(&root) else {
        eprintln!("skipped: no {}", root.display());
        return Vec::new();
    };
    let mut folders: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    folders
}

#[test]
fn every_golden_model_agrees_with_transformers_in_one_ragged_batch() {
    for folder in folders() {
        for config in ["config.json", "config_v4.json"] {
            let opened = check::open_golden(&folder, config).unwrap();
            let decoder = Decoder::new(&opened.config, &opened.weights, Storage::F32).unwrap();
            let parity = check::golden(&decoder, &folder).unwrap();
            assert!(parity.holds(), "{} {config}: {parity:?}", folder.display());
        }
    }
}
