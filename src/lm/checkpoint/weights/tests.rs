use super::*;
use crate::lm::{Checkpoint, ModelConfig, arch::config::QkNorm, parts};
pub use crate::shared_data::shared;

/// Every tensor that a configuration calls for, with its shape.
pub fn wanted(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    let ModelConfig { vocab: v, hidden: h, intermediate: m, head_dim: d, .. } = *config;
    let (q, kv) = (config.heads * d, config.kv_heads * d);
    let gpt2 = config.model_type == "gpt2";
    let mut all: Vec<(String, Vec<usize>)> = Vec::new();
    for layer in 0..config.layers {
        let mut add = |name: &str, shape: &[usize]| match gpt2 {
            true => all.push((format!("transformer.h.{layer}.{name}"), shape.to_vec())),
            false => all.push((format!("model.layers.{layer}.{name}"), shape.to_vec())),
        };
        match gpt2 {
            true => {
                for (name, shape) in [
                    ("ln_1.weight", &[h][..]),
                    ("ln_1.bias", &[h]),
                    ("ln_2.weight", &[h]),
                    ("ln_2.bias", &[h]),
                    ("attn.c_attn.weight", &[h, 3 * h]),
                    ("attn.c_attn.bias", &[3 * h]),
                    ("attn.c_proj.weight", &[h, h]),
                    ("attn.c_proj.bias", &[h]),
                    ("mlp.c_fc.weight", &[h, m]),
                    ("mlp.c_fc.bias", &[m]),
                    ("mlp.c_proj.weight", &[m, h]),
                    ("mlp.c_proj.bias", &[h]),
                ] {
                    add(name, shape);
                }
            }
            false => {
                for (name, shape) in [
                    ("input_layernorm.weight", &[h][..]),
                    ("post_attention_layernorm.weight", &[h]),
                    ("self_attn.o_proj.weight", &[h, q]),
                    ("mlp.down_proj.weight", &[h, m]),
                ] {
                    add(name, shape);
                }
                let fused = config.model_type == "phi3";
                if fused {
                    add("self_attn.qkv_proj.weight", &[q + 2 * kv, h]);
                    add("mlp.gate_up_proj.weight", &[2 * m, h]);
                }
                for (name, rows) in [
                    ("self_attn.q_proj.weight", q),
                    ("self_attn.k_proj.weight", kv),
                    ("self_attn.v_proj.weight", kv),
                    ("mlp.gate_proj.weight", m),
                    ("mlp.up_proj.weight", m),
                ] {
                    if !fused {
                        add(name, &[rows, h]);
                    }
                }
                if config.qkv_bias {
                    add("self_attn.q_proj.bias", &[q]);
                    add("self_attn.k_proj.bias", &[kv]);
                    add("self_attn.v_proj.bias", &[kv]);
                }
                if config.qk_norm != QkNorm::None {
                    add("self_attn.q_norm.weight", &[d]);
                    add("self_attn.k_norm.weight", &[d]);
                }
            }
        }
    }
    match gpt2 {
        true => {
            all.push(("wte.weight".into(), vec![v, h]));
            all.push(("wpe.weight".into(), vec![config.max_positions, h]));
            all.push(("ln_f.weight".into(), vec![h]));
            all.push(("ln_f.bias".into(), vec![h]));
        }
        false => {
            all.push(("embed_tokens.weight".into(), vec![v, h]));
            all.push(("norm.weight".into(), vec![h]));
        }
    }
    if !config.tied {
        all.push(("lm_head.weight".into(), vec![v, h]));
    }
    all
}

#[test]
fn every_golden_model_loads_from_both_configs_and_leaves_no_tensor_over() {
    let Some(models) = shared("golden/models") else { return };
    let mut seen = 0;
    for entry in std::fs::read_dir(models).unwrap() {
        let folder = entry.unwrap().path();
        let old = Checkpoint::open_folder_with(&folder, &folder.join("config_v4.json")).unwrap();
        let new = Checkpoint::open_folder(&folder).unwrap();
        assert_eq!(old.config, new.config, "{}", folder.display());
        let wanted = wanted(&new.config);
        for (name, shape) in &wanted {
            let tensor = new.weights.tensor(name, shape).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(tensor.dims(), shape);
        }
        assert_eq!(new.weights.list().count(), wanted.len(), "{}", folder.display());
        let mut read = parts::tensors(&new.config);
        let plain =
            |(name, shape): &(String, Vec<usize>)| (canonical(name).to_owned(), shape.clone());
        let mut wanted: Vec<_> = wanted.iter().map(plain).collect();
        read.sort();
        wanted.sort();
        assert_eq!(read, wanted, "{}", folder.display());
        let stored = if folder.ends_with("llama_tiny_mha_bf16") { "bf16" } else { "f32" };
        assert_eq!(new.weights.stored_type(), stored);
        seen += 1;
    }
    assert_eq!(seen, 9, "golden models");
}

#[test]
fn names_are_found_with_and_without_prefix() {
    let tensor = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
    let weights = Weights::from_tensors([("h.0.w".into(), tensor)].into()).unwrap();
    for name in ["h.0.w", "transformer.h.0.w", "model.h.0.w"] {
        assert!(weights.has(name) && weights.tensor(name, &[2, 3]).is_ok(), "{name}");
    }
    let error = weights.tensor("h.0.w", &[3, 2]).unwrap_err().to_string();
    assert_eq!(
        error,
        "`memory`: the tensor `h.0.w` has shape [2, 3], and the configuration calls for [3, 2]"
    );
    let error = weights.tensor("h.1.w", &[3, 2]).unwrap_err().to_string();
    assert_eq!(error, "`memory` has no tensor `h.1.w`, which its configuration calls for");
}

fn write_model(folder: &Path, bytes: &[u8]) {
    std::fs::write(folder.join("model.safetensors"), bytes).unwrap();
}

fn small_file() -> Vec<u8> {
    let header = br#"{"a.weight":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b.weight":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header);
    bytes.extend((0..22).map(|i| i as u8));
    bytes
}

#[test]
fn a_file_cut_at_any_byte_is_an_error_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let whole = small_file();
    write_model(folder.path(), &whole);
    assert_eq!(Weights::open(folder.path()).unwrap().parameters(), 7);
    for length in 0..whole.len() {
        write_model(folder.path(), &whole[..length]);
        let error = Weights::open(folder.path()).err().expect("cut files are refused").to_string();
        assert!(error.contains("model.safetensors"), "{length}: {error}");
    }
}

#[test]
fn a_header_that_lies_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = String::from_utf8_lossy(&small_file()).into_owned();
    for (truth, lie) in [
        ("[2,2]", "[2,9]"),
        ("[0,16]", "[0,99]"),
        ("[16,22]", "[22,16]"),
        ("[16,22]", "[15,21]"),
        ("\"F32\"", "\"X32\""),
        ("[2,2]", "[-1]"),
    ] {
        let mut bytes = whole.replace(truth, lie).into_bytes();
        let header = (bytes.len() - 8 - 22) as u64;
        bytes[..8].copy_from_slice(&header.to_le_bytes());
        write_model(folder.path(), &bytes);
        let error = Weights::open(folder.path()).err().expect(lie).to_string();
        assert!(error.contains("safetensors"), "{lie}: {error}");
    }
}

#[test]
fn a_missing_shard_and_a_missing_file_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Weights::open(folder.path()).err().expect("nothing to open").to_string();
    assert!(open().contains("has neither model.safetensors nor"), "{}", open());
    std::fs::write(folder.path().join("pytorch_model.bin"), "").unwrap();
    assert!(open().contains("save_pretrained"), "{}", open());
    let index = folder.path().join("model.safetensors.index.json");
    std::fs::write(&index, r#"{"weight_map": {"a": "model-00001-of-00002.safetensors"}}"#).unwrap();
    assert!(
        open().contains("the shard `model-00001-of-00002.safetensors` is missing"),
        "{}",
        open()
    );
    std::fs::write(&index, r#"{"weight_map": {"a": "../secret.safetensors"}}"#).unwrap();
    assert!(open().contains("leaves the folder"), "{}", open());
    std::fs::write(&index, r#"{"weight_map": {"#).unwrap();
    assert!(open().contains("not an index"), "{}", open());
}
