//! Every golden model in both styles of config.json, against transformers 5.23 in float64.

use candle_core::{DType, Device};
use std::path::{Path, PathBuf};

use llmpr::{
    lm::{
        check, determinism,
        engine::{cpu::decoder::Decoder, kv::Want, network::Depth, tensor::TensorDecoder},
    },
    math::{gemm::Storage, simd::Isa},
};

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

#[test]
fn plain_tensor_operations_agree_as_well_and_with_our_kernels() {
    for folder in folders() {
        let opened = check::open_golden(&folder, "config.json").unwrap();
        let (config, weights) = (&opened.config, &opened.weights);
        let tensors = TensorDecoder::new(config, weights, &Device::Cpu, DType::F32).unwrap();
        let parity = check::golden(&tensors, &folder).unwrap();
        assert!(parity.holds(), "{}: {parity:?}", folder.display());
        // A generated batch through shared prefixes, chunks and sliding windows.
        let ours = Decoder::new(config, weights, Storage::F32).unwrap();
        let (ours, theirs) =
            (determinism::drawn(&ours, 7).unwrap(), determinism::drawn(&tensors, 7).unwrap());
        let same = ours.iter().filter(|(tag, tokens)| theirs.get(tag) == Some(tokens)).count();
        // Rounding may move a draw that falls on an edge.
        assert!(same + 1 >= ours.len(), "{}: {same} of {}", folder.display(), ours.len());
    }
}

#[test]
fn every_instruction_set_computes_the_same_bits() {
    for folder in folders() {
        let opened = check::open_golden(&folder, "config.json").unwrap();
        let texts: Vec<Vec<u32>> = (1..30).map(|n| (0..n).map(|i| i * 7 % 250).collect()).collect();
        let states = |isa| {
            let decoder = Decoder::new(&opened.config, &opened.weights, Storage::F32).unwrap();
            check::states(&decoder.with_isa(isa), &texts, Want::Last, Depth::Full).unwrap()
        };
        let plain = states(Isa::Portable);
        for isa in Isa::available() {
            assert_eq!(states(isa), plain, "{} on {}", folder.display(), isa.name());
        }
    }
}
