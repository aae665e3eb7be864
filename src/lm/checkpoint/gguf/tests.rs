use candle_core::{
    DType, Device, Tensor,
    quantized::{GgmlDType, QTensor, gguf_file},
};
use std::fs::File;

use super::*;
use crate::{
    lm::{
        Checkpoint, ModelConfig, Tokenizer, Weights,
        checkpoint::weights::tests::{shared, wanted},
    },
    shared_data::skipped,
};

/// The file's name of a tensor of the Llama family.
fn file_name(name: &str) -> String {
    let name = name.trim_start_matches("model.").replace("layers.", "blk.");
    let pairs = [
        ("embed_tokens", "token_embd"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("self_attn.qkv_proj", "attn_qkv"),
        ("self_attn.q_norm", "attn_q_norm"),
        ("self_attn.k_norm", "attn_k_norm"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.gate_up_proj", "ffn_up"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
        ("lm_head", "output"),
    ];
    let renamed =
        pairs.iter().find(|(from, _)| name.contains(from)).map(|(from, to)| name.replace(from, to));
    renamed.unwrap_or_else(|| name.replace("norm.weight", "output_norm.weight"))
}

/// What llama.cpp's converter does to the rows of queries and keys.
fn permute(tensor: &Tensor, heads: usize) -> Tensor {
    let dims = tensor.dims().to_vec();
    let split = tensor.reshape((heads, 2, dims[0] / heads / 2, dims[1])).unwrap();
    split.transpose(1, 2).unwrap().contiguous().unwrap().reshape(dims).unwrap()
}

/// Writes a Llama-family checkpoint as llama.cpp's converter would, matrices in `kind` where rows divide, and
/// of a model in Q4_K some in Q6_K.
pub(crate) fn write(
    path: &Path,
    arch: &str,
    checkpoint: (&ModelConfig, &Weights),
    kind: GgmlDType,
    more: &[(&str, Meta)],
) {
    let (config, weights) = checkpoint;
    let mut tensors = Vec::new();
    for (name, shape) in wanted(config) {
        let mut tensor = weights.tensor(&name, &shape).unwrap().to_dtype(DType::F32).unwrap();
        let permuted = arch == "llama" && shape.len() == 2;
        if permuted && name.contains("q_proj") {
            tensor = permute(&tensor, config.heads);
        } else if permuted && name.contains("k_proj") {
            tensor = permute(&tensor, config.kv_heads);
        }
        let divides = shape.len() == 2 && shape[1].is_multiple_of(kind.block_size());
        let finer = name.contains("v_proj") || name.contains("down_proj");
        let kind = match kind {
            _ if !divides => GgmlDType::F32,
            GgmlDType::Q4K if finer => GgmlDType::Q6K,
            kind => kind,
        };
        tensors.push((file_name(&name), QTensor::quantize(&tensor, kind).unwrap()));
    }
    let rope = &config.ropes[0];
    let n = |n: usize| Meta::U32(n as u32);
    let key = |field: &str| format!("{arch}.{field}");
    let mut metadata = vec![
        ("general.architecture".to_owned(), Meta::String(arch.into())),
        (key("context_length"), n(config.max_positions)),
        (key("embedding_length"), n(config.hidden)),
        (key("block_count"), n(config.layers)),
        (key("feed_forward_length"), n(config.intermediate)),
        (key("attention.head_count"), n(config.heads)),
        (key("attention.head_count_kv"), n(config.kv_heads)),
        (key("attention.key_length"), n(config.head_dim)),
        (key("attention.value_length"), n(config.head_dim)),
        (key("rope.dimension_count"), n(config.head_dim)),
        (key("rope.freq_base"), Meta::F32(rope.theta as f32)),
        (key("attention.layer_norm_rms_epsilon"), Meta::F32(config.norm_eps as f32)),
    ];
    if let Some(window) = config.blocks[0].sees.window() {
        metadata.push((key("attention.sliding_window"), n(window)));
    }
    metadata.extend(more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    gguf_file::write(&mut File::create(path).unwrap(), &metadata, &tensors).unwrap();
}

use candle_core::quantized::gguf_file::Value as Meta;

pub(crate) fn temporary() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    (folder, path)
}

fn difference(a: &Tensor, b: &Tensor) -> f64 {
    let flat = |t: &Tensor| {
        t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap()
    };
    let (a, b) = (flat(a), flat(b));
    let square = |xs: &mut dyn Iterator<Item = f64>| xs.map(|x| x * x).sum::<f64>().sqrt();
    square(&mut a.iter().zip(&b).map(|(x, y)| x - y)) / square(&mut a.iter().copied()).max(1e-30)
}

#[test]
fn a_llama_written_as_gguf_is_the_same_model() {
    for (folder, arch) in [
        ("models/stories260K-hf", "llama"),
        ("golden/models/llama_tiny_untied", "llama"),
        ("golden/models/mistral_tiny_sliding8", "llama"),
        ("golden/models/qwen2_tiny_sharded", "qwen2"),
        ("golden/models/qwen3_tiny", "qwen3"),
        ("", "phi3"),
    ] {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints/phi3");
        let folder = if arch == "phi3" { Some(here) } else { shared(folder) };
        let Some(folder) = folder else { continue };
        let hf = Checkpoint::open_folder(&folder).unwrap();
        let (_keep, path) = temporary();
        write(&path, arch, (&hf.config, &hf.weights), GgmlDType::F32, &[]);
        let gguf = Checkpoint::open_gguf(&path).unwrap();
        let mut config = gguf.config.clone();
        (config.bos, config.eos) = (hf.config.bos, hf.config.eos.clone());
        config.model_type.clone_from(&hf.config.model_type);
        assert_eq!(config, hf.config, "{}", folder.display());
        assert!(gguf.tokenizer.is_none() && gguf.tokenizer().is_err());
        for (name, shape) in wanted(&hf.config) {
            let (a, b) = (
                hf.weights.tensor(&name, &shape).unwrap(),
                gguf.weights.tensor(&name, &shape).unwrap(),
            );
            assert_eq!(difference(&a, &b), 0.0, "{name}");
        }
    }
}

/// A one-layer Llama 256 wide, which every block size divides, with weights from a linear congruence.
pub(crate) fn wide() -> (ModelConfig, Weights) {
    let text = r#"{"model_type": "llama", "vocab_size": 8, "hidden_size": 256, "num_attention_heads": 4,
        "num_key_value_heads": 2, "num_hidden_layers": 1, "intermediate_size": 512,
        "max_position_embeddings": 16, "tie_word_embeddings": true}"#;
    let config = ModelConfig::from_json(text, None).unwrap();
    let mut state = 1u32;
    let mut draw = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    let tensors = wanted(&config).into_iter().map(|(name, shape)| {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| draw()).collect();
        (name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap())
    });
    (config, Weights::from_tensors(tensors.collect()).unwrap())
}

#[test]
fn every_type_of_tensor_is_read_within_its_rounding() {
    let (config, weights) = wide();
    // Relative root mean square error of uniform weights: about 2^-bits of a block's range.
    for (kind, name, most) in [
        (GgmlDType::F32, "f32", 0.0),
        (GgmlDType::F16, "f16", 3e-4),
        (GgmlDType::BF16, "bf16", 3e-3),
        (GgmlDType::Q8_0, "q8_0", 0.006),
        (GgmlDType::Q5_1, "q5_1", 0.04),
        (GgmlDType::Q5_0, "q5_0", 0.05),
        (GgmlDType::Q4_1, "q4_1", 0.08),
        (GgmlDType::Q4_0, "q4_0", 0.09),
        (GgmlDType::Q6K, "q6k", 0.03),
        (GgmlDType::Q5K, "q5k", 0.05),
        (GgmlDType::Q4K, "q4k", 0.09),
        (GgmlDType::Q3K, "q3k", 0.2),
        (GgmlDType::Q2K, "q2k", 0.4),
    ] {
        let (_keep, path) = temporary();
        write(&path, "llama", (&config, &weights), kind, &[]);
        let read = Checkpoint::open_gguf(&path).unwrap();
        assert_eq!(read.dtype, name);
        for (name, shape) in wanted(&config) {
            let (a, b) = (
                weights.tensor(&name, &shape).unwrap(),
                read.weights.tensor(&name, &shape).unwrap(),
            );
            let error = difference(&a, &b);
            assert!(error <= most, "{kind:?} {name}: {error} > {most}");
        }
    }
}

/// The metadata of a SentencePiece tokenizer equal to that of stories260K.
fn sentence_piece(folder: &Path) -> Vec<(&'static str, Meta)> {
    let text = std::fs::read_to_string(folder.join("tokenizer.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut tokens = vec![String::new(); 512];
    for (token, id) in json["model"]["vocab"].as_object().unwrap() {
        tokens[id.as_u64().unwrap() as usize].clone_from(token);
    }
    let list = |values: Vec<Meta>| Meta::Array(values);
    let kind = |id: usize| match id {
        0 => 2,
        1 | 2 => 3,
        3..=258 => 6,
        _ => 1,
    };
    vec![
        ("tokenizer.ggml.model", Meta::String("llama".into())),
        (
            "tokenizer.ggml.scores",
            list((0..512).map(|id| Meta::F32(-(id as f32 - 259.0).max(0.0))).collect()),
        ),
        ("tokenizer.ggml.token_type", list((0..512).map(|id| Meta::I32(kind(id))).collect())),
        ("tokenizer.ggml.tokens", list(tokens.into_iter().map(Meta::String).collect())),
        ("tokenizer.ggml.bos_token_id", Meta::U32(1)),
        ("tokenizer.ggml.eos_token_id", Meta::U32(2)),
        ("tokenizer.ggml.eot_token_id", Meta::U32(1)),
        ("tokenizer.chat_template", Meta::String("{{ messages }}".into())),
        ("tokenizer.chat_template.tool_use", Meta::String("{{ tools }}".into())),
        ("tokenizer.chat_templates", Meta::Array(vec![Meta::String("tool_use".into())])),
    ]
}

fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "  two  spaces",
        "a\nb\n\nc",
        "naïve café 🦀 \u{1F1E9}\u{1F1EA}",
        "12345 67,8",
        "I'll they'VE",
    ]
    .map(str::to_owned)
    .to_vec();
    if let Some(path) = shared("data/tinystories.jsonl") {
        let file = std::fs::read_to_string(path).unwrap();
        let text = |line: &str| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["text"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        texts.extend(file.lines().take(100).map(text));
    }
    texts
}

#[test]
fn a_sentence_piece_vocabulary_gives_the_ids_of_its_tokenizer_json() {
    let Some(folder) = shared("models/stories260K-hf") else { return };
    let hf = Checkpoint::open_folder(&folder).unwrap();
    let (_keep, path) = temporary();
    write(&path, "llama", (&hf.config, &hf.weights), GgmlDType::F16, &sentence_piece(&folder));
    let gguf = Checkpoint::open_gguf(&path).unwrap();
    assert_eq!((gguf.config.bos, &gguf.config.eos[..]), (Some(1), &[2, 1][..]));
    let (ours, theirs) = (gguf.tokenizer().unwrap(), hf.tokenizer().unwrap());
    assert_eq!(ours.chat_template(), Some("{{ messages }}"));
    assert_eq!(ours.chat_templates["tool_use"], "{{ tools }}");
    assert_eq!(ours.special_tokens["eos_token"], ours.eos.clone().unwrap());
    for text in texts() {
        let ids = theirs.encode_prompt(&text).unwrap();
        assert_eq!(ours.encode_prompt(&text).unwrap(), ids, "{text}");
        assert_eq!(ours.decode(&ids), theirs.decode(&ids));
    }
}

/// Metadata of the byte-level tokenizer in a tokenizer.json.
fn byte_level(folder: &Path, pre: &str) -> Vec<(&'static str, Meta)> {
    let text = std::fs::read_to_string(folder.join("tokenizer.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let vocab = json["model"]["vocab"].as_object().unwrap();
    let added = json["added_tokens"].as_array().unwrap();
    let mut tokens = vec![(String::new(), 5); vocab.len() + added.len()];
    for (token, id) in vocab {
        tokens[id.as_u64().unwrap() as usize] = (token.clone(), 1);
    }
    for token in added {
        tokens[token["id"].as_u64().unwrap() as usize] =
            (token["content"].as_str().unwrap().into(), 3);
    }
    let merge = |merge: &serde_json::Value| match merge {
        serde_json::Value::Array(pair) => {
            format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap())
        }
        text => text.as_str().unwrap().to_owned(),
    };
    let merges = json["model"]["merges"].as_array().unwrap().iter().map(|m| Meta::String(merge(m)));
    vec![
        ("tokenizer.ggml.model", Meta::String("gpt2".into())),
        ("tokenizer.ggml.pre", Meta::String(pre.into())),
        ("tokenizer.ggml.merges", Meta::Array(merges.collect())),
        (
            "tokenizer.ggml.token_type",
            Meta::Array(tokens.iter().map(|(_, kind)| Meta::I32(*kind)).collect()),
        ),
        (
            "tokenizer.ggml.tokens",
            Meta::Array(tokens.into_iter().map(|(text, _)| Meta::String(text)).collect()),
        ),
    ]
}

#[test]
fn a_byte_level_vocabulary_gives_the_ids_of_its_tokenizer_json() {
    let (Some(folder), Some(stories)) =
        (shared("models/gpt2-tokenizer"), shared("models/stories260K-hf"))
    else {
        return;
    };
    let theirs = Tokenizer::open(&folder).unwrap().unwrap();
    let hf = Checkpoint::open_folder(&stories).unwrap();
    let with = |pre: &str| {
        let (_keep, path) = temporary();
        write(&path, "llama", (&hf.config, &hf.weights), GgmlDType::F32, &byte_level(&folder, pre));
        Checkpoint::open_gguf(&path).map(|checkpoint| checkpoint.tokenizer.unwrap())
    };
    let ours = with("gpt-2").unwrap();
    for text in texts() {
        assert_eq!(
            ours.encode_prompt(&text).unwrap(),
            theirs.encode_prompt(&text).unwrap(),
            "{text}"
        );
    }
    assert_eq!(ours.encode("a<|endoftext|>").unwrap(), [64, 50256]);
    // The same merges after other cuts: digits alone, in threes, and as GPT-2's runs.
    let digits = |pre: &str| with(pre).unwrap().encode("2024 2024").unwrap().len();
    assert_eq!((digits("gpt-2"), digits("smollm"), digits("qwen2")), (3, 9, 9));
    assert_eq!(digits("llama-bpe"), 5);
}

#[test]
fn damage_anywhere_in_the_directory_is_an_error_and_never_a_panic() {
    let Some(folder) = shared("models/stories260K-hf") else { return };
    let hf = Checkpoint::open_folder(&folder).unwrap();
    let (_keep, path) = temporary();
    // A small file, so that every byte of its directory can be tried.
    let mut config = hf.config.clone();
    config.layers = 1;
    config.blocks.truncate(1);
    let short = |list: &Meta| match list {
        Meta::Array(list) => Meta::Array(list[..list.len().min(300)].to_vec()),
        other => other.clone(),
    };
    let vocabulary: Vec<_> =
        sentence_piece(&folder).iter().map(|(key, value)| (*key, short(value))).collect();
    write(&path, "llama", (&config, &hf.weights), GgmlDType::F32, &vocabulary);
    let whole = std::fs::read(&path).unwrap();
    let directory =
        Gguf::open(&path).unwrap().tensors().values().map(|t| t.bytes.start).min().unwrap();
    let open = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Checkpoint::open_gguf(&path).map(|checkpoint| {
            let wanted = wanted(&config);
            for (name, shape) in wanted.iter().take(3) {
                let _ = checkpoint.weights.tensor(name, shape);
            }
        })
    };
    open(&whole).unwrap();
    for length in
        (0..directory).step_by(23).chain(directory..directory + 3).chain([whole.len() - 40])
    {
        let error = open(&whole[..length]).expect_err("cut files are refused").to_string();
        assert!(error.contains("model.gguf"), "{length}: {error}");
    }
    for at in (0..directory).step_by(17) {
        for flip in [0x01, 0x80, 0xFF] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            let _ = open(&bytes);
        }
    }
}

#[test] // the published file, where LLMPR_SMOLLM2 names it
fn smollm2_is_read_whole() {
    let Some(path) = std::env::var_os("LLMPR_SMOLLM2") else {
        return skipped("smollm2_is_read_whole", "LLMPR_SMOLLM2 names no file");
    };
    let checkpoint = Checkpoint::open_gguf(Path::new(&path)).unwrap();
    let config = &checkpoint.config;
    assert_eq!(
        (config.layers, config.hidden, config.heads, config.kv_heads, config.vocab),
        (30, 576, 9, 3, 49152)
    );
    assert_eq!(
        (config.tied, config.norm_eps, config.bos, &config.eos[..]),
        (true, 1e-5, Some(1), &[2, 4, 0][..])
    );
    assert_eq!((checkpoint.dtype.as_str(), checkpoint.weights.parameters()), ("q4_1", 134_515_008));
    for (name, shape) in wanted(config) {
        let tensor = checkpoint.weights.tensor(&name, &shape).unwrap();
        let total = tensor.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(total.is_finite() && total > 0.0, "{name}");
    }
    let tokenizer = checkpoint.tokenizer().unwrap();
    assert_eq!(
        (tokenizer.bos.as_deref(), tokenizer.eos.as_deref()),
        (Some("<|im_start|>"), Some("<|im_end|>"))
    );
    assert_eq!(tokenizer.vocab_size(), 49152);
    let ids = tokenizer.encode_prompt("<|im_start|>user\nHello 42<|im_end|>\n").unwrap();
    assert_eq!((ids[0], ids.contains(&2)), (1, true));
    assert_eq!(tokenizer.decode(&ids), "user\nHello 42\n");
    if let Some(out) = std::env::var_os("LLMPR_SMOLLM2_IDS") {
        let ids: Vec<_> = texts().iter().map(|text| tokenizer.encode(text).unwrap()).collect();
        std::fs::write(out, serde_json::to_string(&(texts(), ids)).unwrap()).unwrap();
    }
}

#[test]
fn what_cannot_be_computed_is_refused_by_name() {
    let (config, weights) = wide();
    let message = |arch: &str, more: &[(&str, Meta)]| {
        let (_keep, path) = temporary();
        write(&path, arch, (&config, &weights), GgmlDType::F32, more);
        Checkpoint::open_gguf(&path).err().expect(arch).to_string()
    };
    assert!(message("mamba", &[]).contains("the architecture `mamba` is not supported"));
    for (key, value, says) in [
        ("llama.expert_count", Meta::U32(1), "experts that a token uses"),
        ("llama.rope.scaling.type", Meta::String("ntk".into()), "ntk"),
        ("llama.attention.max_alibi_bias", Meta::F32(8.0), "alibi"),
        (
            "llama.attention.sharpness",
            Meta::F32(2.0),
            "`llama.attention.sharpness` = 2.0 may change",
        ),
        ("llama.attn_logit_softcapping", Meta::F32(50.0), "softcapping"),
        ("general.alignment", Meta::U32(0), "alignment"),
        ("tokenizer.ggml.tokens", Meta::U32(0), "not a list of texts"),
    ] {
        let message = message("llama", &[(key, value)]);
        assert!(message.contains(says), "{key}: {message}");
    }
    let (_keep, path) = temporary();
    std::fs::write(&path, b"PK\x03\x04 a zip file, not a model").unwrap();
    let message = Checkpoint::open_gguf(&path).err().unwrap().to_string();
    assert!(message.ends_with("not a GGUF file: it does not begin with `GGUF`"), "{message}");
}
