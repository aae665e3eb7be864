//! Families whose tiny checkpoint lies here, made by `scripts/make-checkpoint.py`, against transformers.

use candle_core::{DType, Device};
use std::path::Path;

use llmpr::{
    lm::{
        Checkpoint, check,
        engine::{cpu::decoder::Decoder, network::Network, tensor::TensorDecoder},
    },
    math::gemm::Storage,
};

#[test]
fn phi3_agrees_with_transformers_in_one_ragged_batch_and_for_64_greedy_tokens() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints/phi3");
    for config in ["config.json", "config_v4.json"] {
        let Checkpoint { config, weights, .. } = check::open_golden(&folder, config).unwrap();
        let ours = Decoder::new(&config, &weights, Storage::F32).unwrap();
        let tensors = TensorDecoder::new(&config, &weights, &Device::Cpu, DType::F32).unwrap();
        for network in [&ours as &dyn Network, &tensors] {
            let parity = check::golden(network, &folder).unwrap();
            assert!(parity.holds() && parity.logits <= 1e-4, "{parity:?}");
            assert_eq!(parity.greedy, (0, 5));
        }
    }
}
