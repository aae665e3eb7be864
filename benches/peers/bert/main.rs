//! Hidden states of random networks by llmpr's BERT and by candle-transformers': the same bits.

#[path = "../../../src/lm/encoder/bert.rs"]
mod bert;

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::BertModel;

/// Width, heads, layers, positions and activation of a network.
type Size = (usize, usize, usize, usize, &'static str);

const SIZES: [Size; 4] = [
    (8, 2, 2, 16, "gelu"),
    (48, 2, 2, 16, "geluapproximate"),
    (130, 2, 2, 40, "relu"),
    (384, 12, 6, 256, "gelu"), // all-MiniLM-L6-v2
];

fn main() -> Result<()> {
    for size in SIZES {
        let (config, tensors) = (config(size), random(size)?);
        let parse = |error: serde_json::Error| candle_core::Error::wrap(error);
        let ours = bert::Bert::new(&serde_json::from_str(&config).map_err(parse)?, &tensors)?;
        let theirs = BertModel::load(tensors, &serde_json::from_str(&config).map_err(parse)?)?;
        for tokens in [1, 2, 7, 16, 33, 200].into_iter().filter(|n| *n <= size.3 as u32) {
            let ids: Vec<u32> = (0..tokens).map(|i| (i * i + 3 * i + tokens) % 8).collect();
            let input = Tensor::new(&ids[..], &Device::Cpu)?.unsqueeze(0)?;
            let expected = bits(&theirs.forward(&input, &input.zeros_like()?, None)?)?;
            assert_eq!(bits(&ours.forward(&ids)?)?, expected, "{size:?}, {tokens} tokens");
        }
        println!("{size:?}: the same bits");
    }
    Ok(())
}

fn bits(states: &Tensor) -> Result<Vec<u32>> {
    Ok(states.flatten_all()?.to_vec1::<f32>()?.iter().map(|x| x.to_bits()).collect())
}

fn config((width, heads, layers, positions, activation): Size) -> String {
    let inner = 4 * width;
    format!(
        r#"{{"model_type": "bert", "vocab_size": 8, "hidden_size": {width}, "num_hidden_layers": {layers},
        "num_attention_heads": {heads}, "intermediate_size": {inner}, "hidden_act": "{activation}",
        "hidden_dropout_prob": 0.1, "max_position_embeddings": {positions}, "type_vocab_size": 2,
        "initializer_range": 0.02, "layer_norm_eps": 1e-12, "pad_token_id": 0}}"#
    )
}

fn random((width, _, layers, positions, _): Size) -> Result<VarBuilder<'static>> {
    let mut state = 7u32;
    let mut tensors = HashMap::new();
    let mut draw = |name: String, shape: &[usize]| -> Result<()> {
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 - 0.5
        };
        let values: Vec<f32> = (0..shape.iter().product::<usize>()).map(next).collect();
        tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu)?);
        Ok(())
    };
    for (table, rows) in
        [("word_embeddings", 8), ("position_embeddings", positions), ("token_type_embeddings", 2)]
    {
        draw(format!("embeddings.{table}.weight"), &[rows, width])?;
    }
    let mut norms = vec!["embeddings".to_owned()];
    for layer in (0..layers).map(|layer| format!("encoder.layer.{layer}")) {
        for (name, out, into) in [
            ("attention.self.query", width, width),
            ("attention.self.key", width, width),
            ("attention.self.value", width, width),
            ("attention.output.dense", width, width),
            ("intermediate.dense", 4 * width, width),
            ("output.dense", width, 4 * width),
        ] {
            draw(format!("{layer}.{name}.weight"), &[out, into])?;
            draw(format!("{layer}.{name}.bias"), &[out])?;
        }
        norms.extend([format!("{layer}.attention.output"), format!("{layer}.output")]);
    }
    for norm in norms {
        draw(format!("{norm}.LayerNorm.weight"), &[width])?;
        draw(format!("{norm}.LayerNorm.bias"), &[width])?;
    }
    Ok(VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu))
}
