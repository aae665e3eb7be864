//! The order of rows of queries, keys and values: query heads, key heads, value heads, and in each head the halves that
//! turn together.

use candle_core::{Device, Result, Tensor};

use crate::lm::arch::{config::ModelConfig, layout::Qkv};

/// Rows of a tensor in another order.
pub(super) fn pick(tensor: &Tensor, rows: &[u32]) -> Result<Tensor> {
    tensor.index_select(&Tensor::new(rows, &Device::Cpu)?, 0)
}

/// For `heads` heads of a checkpoint whose neighbors turn together, which stored row stands where.
pub(super) fn of_heads(c: &ModelConfig, heads: usize) -> Option<Vec<u32>> {
    let rope = c.ropes.iter().find(|rope| rope.interleaved)?;
    let (d, width) = (c.head_dim, rope.width);
    let row = |i: usize| match i {
        _ if i < width / 2 => 2 * i,
        _ if i < width => 2 * (i - width / 2) + 1,
        _ => i,
    };
    Some((0..heads * d).map(|at| (at / d * d + row(at % d)) as u32).collect())
}

/// For each matrix of queries, keys and values the order of its rows, where it is not that of the file.
pub(super) fn of_qkv(c: &ModelConfig) -> Vec<Option<Vec<u32>>> {
    let (d, heads, kv_heads) = (c.head_dim, c.heads, c.kv_heads);
    let same = |rows: usize| (0..rows as u32).collect::<Vec<_>>();
    let turned = |heads: usize| of_heads(c, heads).unwrap_or_else(|| same(heads * d));
    let is_turned = c.ropes.iter().any(|rope| rope.interleaved);
    // Rows of queries, then of keys, then of values, each numbered from 0.
    let apart = || [turned(heads), turned(kv_heads), same(kv_heads * d)];
    match c.layout.qkv {
        Qkv::Apart(_) => {
            let [q, k, _] = apart();
            vec![is_turned.then_some(q), is_turned.then_some(k), None]
        }
        Qkv::Fused(_) if !is_turned => vec![None],
        Qkv::Fused(_) => {
            let starts = [0, heads * d, (heads + kv_heads) * d];
            let parts = apart().into_iter().zip(starts);
            let rows =
                parts.flat_map(|(rows, start)| rows.into_iter().map(move |r| r + start as u32));
            vec![Some(rows.collect())]
        }
        Qkv::FusedByHead(_) => {
            let parts = apart().into_iter().enumerate();
            let place = move |part: usize, row: u32| {
                let (head, i) = (row as usize / d, row as usize % d);
                ((head * 3 + part) * d + i) as u32
            };
            let rows =
                parts.flat_map(|(part, rows)| rows.into_iter().map(move |row| place(part, row)));
            vec![Some(rows.collect())]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lm::arch::config::Rope;

    fn config(json: &str) -> ModelConfig {
        ModelConfig::from_json(json, None).unwrap()
    }

    #[test]
    fn a_fused_matrix_by_heads_comes_apart() {
        let c = config(
            r#"{"model_type": "gpt_neox", "vocab_size": 8, "hidden_size": 8, "intermediate_size": 8,
            "num_attention_heads": 2, "num_hidden_layers": 1, "max_position_embeddings": 8, "rotary_pct": 0.5}"#,
        );
        let [Some(rows)] = &of_qkv(&c)[..] else { panic!("one matrix") };
        let q = [0, 1, 2, 3, 12, 13, 14, 15];
        let all: Vec<u32> = [0, 4, 8].iter().flat_map(|part| q.map(|row| row + part)).collect();
        assert_eq!(*rows, all);
    }

    #[test]
    fn neighbors_that_turn_together_become_halves_and_the_rest_stays() {
        let c = config(
            r#"{"model_type": "llama", "vocab_size": 8, "hidden_size": 12, "intermediate_size": 8,
            "num_attention_heads": 2, "num_key_value_heads": 1, "num_hidden_layers": 1, "max_position_embeddings": 8}"#,
        );
        assert_eq!(of_qkv(&c), [None, None, None]);
        let rope = Rope { interleaved: true, ..Rope::plain(1e4, 4) };
        let c = ModelConfig { ropes: vec![rope], ..c };
        let head = vec![0, 2, 1, 3, 4, 5];
        assert_eq!(of_qkv(&c)[1].as_ref(), Some(&head));
        assert_eq!(of_heads(&c, 2).unwrap()[6..], [6, 8, 7, 9, 10, 11]);
    }
}
