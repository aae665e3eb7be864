use super::*;

const LLAMA: &str = r#"{"model_type": "llama", "vocab_size": 8, "hidden_size": 8, "num_attention_heads": 2,
    "num_hidden_layers": 2, "intermediate_size": 16, "max_position_embeddings": 32"#;

fn llama(more: &str) -> Result<ModelConfig, String> {
    ModelConfig::from_json(&format!("{LLAMA}{more}}}"), None).map_err(|e| e.to_string())
}

#[test]
fn a_plain_llama_has_the_defaults_of_its_class() {
    let config = llama("").unwrap();
    assert_eq!(
        (config.kv_heads, config.head_dim, config.tied, config.qkv_bias),
        (2, 4, false, false)
    );
    assert_eq!(config.ropes, [Rope::plain(1e4, config.head_dim)]);
    assert_eq!((config.norm_eps, &config.eos[..], config.bos), (1e-6, &[][..], None));
    assert_eq!(config.attention_scale(1), 0.5);
}

#[test]
fn both_styles_of_rope_say_the_same() {
    let old = llama(
        r#", "rope_theta": 5e5, "rope_scaling": {"type": "llama3", "factor": 8, "low_freq_factor": 1,
        "high_freq_factor": 4, "original_max_position_embeddings": 16}"#,
    );
    let new = llama(
        r#", "rope_parameters": {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0,
        "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16}"#,
    );
    assert_eq!(old, new);
    assert!(matches!(old.unwrap().ropes[0].scaling, RopeScaling::Llama3 { high: 4.0, .. }));
}

#[test]
fn llama3_keeps_fast_pairs_divides_slow_ones_and_ramps_between() {
    let scaling = RopeScaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 8192.0 };
    let rope = Rope { scaling, ..Rope::plain(5e5, 128) };
    let plain = Rope::plain(5e5, 128);
    let (scaled, plain) = (rope.frequencies(), plain.frequencies());
    assert_eq!((scaled[0], scaled[10]), (plain[0], plain[10]));
    assert_eq!(scaled[63], plain[63] / 8.0);
    let ratios: Vec<f64> = scaled.iter().zip(&plain).map(|(s, p)| s / p).collect();
    assert!(ratios.windows(2).all(|pair| pair[1] <= pair[0] + 1e-15), "{ratios:?}");
    assert!(ratios.iter().any(|r| (0.2..0.9).contains(r)), "{ratios:?}");
}

#[test]
fn what_would_change_results_is_refused_by_name() {
    for (more, says) in [
        (r#", "rope_scaling": {"rope_type": "ntk", "factor": 4.0}"#, "ntk"),
        (r#", "rope_scaling": {"type": "dynamic", "factor": 0.5}"#, "factor of 0.5"),
        (r#", "rope_parameters": {"full_attention": {"rope_type": "default"}}"#, "full_attention"),
        (r#", "attn_logit_softcapping": 50.0"#, "attn_logit_softcapping"),
        (r#", "partial_rotary_factor": 0.5"#, "partial_rotary_factor"),
        (r#", "rope_parameters": {"partial_rotary_factor": 0.5}"#, "partial_rotary_factor"),
        (r#", "sliding_window": 16"#, "sliding_window"),
        (r#", "hidden_act": "xielu""#, "xielu"),
        (r#", "quantization_config": {"quant_method": "awq"}"#, "awq"),
        (r#", "num_local_experts": 8"#, "num_local_experts"),
        (r#", "head_dim": 3"#, "even"),
        (r#", "num_key_value_heads": 3"#, "3 key heads"),
        (r#", "rms_norm_eps": 0"#, "epsilon"),
        (r#", "rope_theta": "fast""#, "should be a number"),
        (r#", "eos_token_id": 1.5"#, "token id"),
    ] {
        let error = llama(more).expect_err(more);
        assert!(error.contains(says), "{more}: {error}");
    }
    let error = ModelConfig::from_json(r#"{"model_type": "mamba"}"#, None).unwrap_err();
    let message = error.to_string();
    let start = "the architecture `mamba` is not supported; supported are gpt2, ";
    assert!(message.starts_with(start) && message.ends_with(" and gpt_oss"), "{message}");
    assert!(ModelConfig::from_json("[1]", None).is_err());
    let huge = LLAMA.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 4000000000") + "}";
    assert!(ModelConfig::from_json(&huge, None).is_err());
}

/// Each layer's window.
fn windows(config: &ModelConfig) -> Vec<Option<usize>> {
    config.blocks.iter().map(|block| block.sees.window()).collect()
}

#[test]
fn what_speaks_of_arithmetic_and_nobody_reads_is_refused_by_name() {
    for (more, says) in [
        (r#", "attention_sharpness": 2"#, "`attention_sharpness` = 2 may change results"),
        (r#", "rope_scaling": {"type": "linear", "factor": 2, "beta_fast": 3}"#, "beta_fast"),
        (r#", "rope_parameters": {"rope_type": "default", "rotary_twist": 1}"#, "rotary_twist"),
        (r#", "use_qk_norm": true"#, "use_qk_norm"),
    ] {
        let error = llama(more).expect_err(more);
        assert!(error.contains(says), "{more}: {error}");
    }
    let harmless = r#", "attention_dropout": 0.1, "unsloth_fixed": true, "use_qk_norm": false,
        "initializer_range": 0.02, "router_aux_loss_coef": 0.1, "attn_logit_softcapping": null,
        "quantized_by": "nobody", "torch_dtype": "bfloat16", "auto_map": {"AutoConfig": "x.Y"}"#;
    assert!(llama(harmless).is_ok(), "{:?}", llama(harmless));
}

#[test]
fn layers_without_rope_and_layers_that_slide_are_named_or_counted() {
    let read = |family: &str, more: &str| {
        let text = LLAMA
            .replace("llama", family)
            .replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 4");
        let heads = r#", "num_key_value_heads": 2"#;
        ModelConfig::from_json(&(text + heads + more + "}"), None).unwrap()
    };
    let ropes = |config: &ModelConfig| config.blocks.iter().map(|b| b.rope).collect::<Vec<_>>();
    let smol = read("smollm3", "");
    assert_eq!(ropes(&smol), [Some(0), Some(0), Some(0), None]);
    let listed = read("smollm3", r#", "no_rope_layers": [0, 1, 1, 0]"#);
    assert_eq!(ropes(&listed), [None, Some(0), Some(0), None]);
    let cohere = read("cohere2", "");
    assert_eq!(ropes(&cohere), [Some(0), Some(0), Some(0), None]);
    assert_eq!(windows(&cohere), [Some(4096), Some(4096), Some(4096), None]);
    let gemma = read("gemma3_text", r#", "sliding_window_pattern": 2, "sliding_window": 8"#);
    assert_eq!(ropes(&gemma), [Some(1), Some(0), Some(1), Some(0)]);
    assert_eq!(windows(&gemma), [Some(8), None, Some(8), None]);
    assert_eq!((gemma.ropes[0].theta, gemma.ropes[1].theta), (1e6, 1e4));
}

#[test]
fn qwen_slides_only_where_it_says_so() {
    let qwen = |more: &str| {
        let text = LLAMA.replace("llama", "qwen2") + r#", "sliding_window": 4"# + more + "}";
        windows(&ModelConfig::from_json(&text, None).unwrap())
    };
    assert_eq!(qwen(""), [None, None]);
    assert_eq!(qwen(r#", "use_sliding_window": false, "max_window_layers": 0"#), [None, None]);
    assert_eq!(qwen(r#", "use_sliding_window": true, "max_window_layers": 1"#), [None, Some(4)]);
    let listed =
        r#", "use_sliding_window": true, "layer_types": ["sliding_attention", "full_attention"]"#;
    assert_eq!(qwen(listed), [Some(4), None]);
    let mistral = |more: &str| {
        let text = LLAMA.replace("llama", "mistral") + more + "}";
        windows(&ModelConfig::from_json(&text, None).unwrap())
    };
    assert_eq!(mistral(""), [Some(4096); 2]);
    assert_eq!(mistral(r#", "sliding_window": null"#), [None; 2]);
}

#[test]
fn the_generation_config_decides_where_texts_end() {
    let config = format!("{LLAMA}, \"eos_token_id\": 2}}");
    let eos = |generation| ModelConfig::from_json(&config, generation).unwrap().eos;
    assert_eq!(eos(None), [2]);
    assert_eq!(eos(Some(r#"{"eos_token_id": [3, 4]}"#)), [3, 4]);
    assert_eq!(eos(Some("{}")), [2]);
}

#[test]
fn gpt2_can_scale_its_scores_three_ways() {
    let gpt2 = |more: &str| {
        let text = r#"{"model_type": "gpt2", "vocab_size": 8, "n_embd": 8, "n_head": 2, "n_layer": 2, "n_positions": 4"#;
        ModelConfig::from_json(&format!("{text}{more}}}"), None).unwrap()
    };
    assert_eq!(
        (gpt2("").attention_scale(1), gpt2("").intermediate, gpt2("").tied),
        (0.5, 32, true)
    );
    assert_eq!(gpt2(r#", "scale_attn_weights": false"#).attention_scale(1), 1.0);
    assert_eq!(gpt2(r#", "scale_attn_by_inverse_layer_idx": true"#).attention_scale(1), 0.25);
}

#[test]
fn phi3_slides_where_it_gives_a_width_and_has_one_rope() {
    let phi3 = |more: &str| {
        let text = LLAMA.replace("llama", "phi3") + more + "}";
        ModelConfig::from_json(&text, None).map_err(|e| e.to_string())
    };
    let plain = phi3("").unwrap();
    assert_eq!((windows(&plain), plain.norm_eps), (vec![None; 2], 1e-5));
    assert_eq!(windows(&phi3(r#", "sliding_window": 2047"#).unwrap()), [Some(2047); 2]);
    let long = r#", "original_max_position_embeddings": 8, "max_position_embeddings": 32,
        "rope_scaling": {"type": "longrope", "short_factor": [2, 4], "long_factor": [8, 8]}"#;
    let long = phi3(long).unwrap();
    // Beyond its first context every position would turn otherwise.
    assert_eq!(long.max_positions, 8);
    assert_eq!(long.ropes[0].scaling, RopeScaling::Factors(vec![2.0, 4.0]));
    assert_eq!(long.ropes[0].amplitude, (1.0 + 4f64.ln() / 8f64.ln()).sqrt());
    assert_eq!(phi3(r#", "partial_rotary_factor": 0.5"#).unwrap().ropes[0].width, 2);
    for (more, says) in [
        (r#", "rope_scaling": {"type": "longrope", "long_factor": [2]}"#, "short_factor"),
        (r#", "rope_scaling": {"type": "linear", "factor": 2}"#, "rope_scaling"),
        (r#", "partial_rotary_factor": 0.75"#, "even width"),
        (r#", "attention_bias": true"#, "attention_bias"),
    ] {
        let error = phi3(more).expect_err(more);
        assert!(error.contains(says), "{more}: {error}");
    }
}

#[test]
fn attention_in_chunks_of_nothing_is_refused() {
    let config = include_str!("../../../../tests/checkpoints/llama4/config.json");
    assert!(ModelConfig::from_json(config, None).is_ok());
    let chunk =
        config.find("\"attention_chunk_size\": ").unwrap() + "\"attention_chunk_size\": ".len();
    let end = chunk + config[chunk..].find(',').unwrap();
    let nothing = format!("{}0{}", &config[..chunk], &config[end..]);
    let error = ModelConfig::from_json(&nothing, None).unwrap_err().to_string();
    assert_eq!(error, "a sliding window of 0 sees nothing");
}
