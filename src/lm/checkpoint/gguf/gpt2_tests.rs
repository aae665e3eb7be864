use candle_core::{
    DType,
    quantized::{GgmlDType, QTensor, gguf_file},
};
use gguf_file::Value as Meta;
use std::fs::File;

use crate::lm::{
    Checkpoint,
    checkpoint::weights::tests::{shared, wanted},
};

/// The file's name of a tensor of GPT-2.
fn file_name(name: &str) -> String {
    let name = name.trim_start_matches("transformer.").replace("h.", "blk.");
    let pairs = [
        ("wte", "token_embd"),
        ("wpe", "position_embd"),
        ("ln_f", "output_norm"),
        ("ln_1", "attn_norm"),
        ("ln_2", "ffn_norm"),
        ("attn.c_attn", "attn_qkv"),
        ("attn.c_proj", "attn_output"),
        ("mlp.c_fc", "ffn_up"),
        ("mlp.c_proj", "ffn_down"),
    ];
    let (from, to) = pairs.iter().find(|(from, _)| name.contains(from)).unwrap();
    name.replace(from, to)
}

#[test]
fn a_gpt2_written_as_gguf_is_the_same_model() {
    let Some(folder) = shared("golden/models/gpt2_tiny") else { return };
    let hf = Checkpoint::open_folder(&folder).unwrap();
    let mut tensors = Vec::new();
    for (name, shape) in wanted(&hf.config) {
        let mut tensor = hf.weights.tensor(&name, &shape).unwrap().to_dtype(DType::F32).unwrap();
        // llama.cpp's converter turns what GPT-2 stores as `in × out`.
        if name.contains(".c_") && shape.len() == 2 {
            tensor = tensor.t().unwrap().contiguous().unwrap();
        }
        tensors.push((file_name(&name), QTensor::quantize(&tensor, GgmlDType::F32).unwrap()));
    }
    let n = |n: usize| Meta::U32(n as u32);
    let metadata = [
        ("general.architecture", Meta::String("gpt2".into())),
        ("gpt2.context_length", n(hf.config.max_positions)),
        ("gpt2.embedding_length", n(hf.config.hidden)),
        ("gpt2.block_count", n(hf.config.layers)),
        ("gpt2.feed_forward_length", n(hf.config.intermediate)),
        ("gpt2.attention.head_count", n(hf.config.heads)),
        ("gpt2.attention.layer_norm_epsilon", Meta::F32(hf.config.norm_eps as f32)),
    ];
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    gguf_file::write(&mut File::create(&path).unwrap(), &metadata, &tensors).unwrap();

    let gguf = Checkpoint::open_gguf(&path).unwrap();
    let mut config = gguf.config.clone();
    (config.bos, config.eos, config.pad) = (hf.config.bos, hf.config.eos.clone(), hf.config.pad);
    assert_eq!(config, hf.config);
    for (name, shape) in wanted(&hf.config) {
        let values = |checkpoint: &Checkpoint| {
            let tensor = checkpoint.weights.tensor(&name, &shape).unwrap();
            tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(values(&gguf), values(&hf), "{name}");
    }
}
