//! What llama.cpp's converters call tensors and did to them, and how that is undone.

use candle_core::{Result, Tensor};

use crate::lm::{
    ModelConfig,
    arch::{
        Family,
        config::NormKind,
        layout::{ExpertStore, GGUF_EXPERTS, Layout, Name, Qkv, Up},
    },
};

/// What a converter did to a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// Rows of each of so many heads interleaved: rows `j` and `j + d/2` became `2j` and `2j + 1`.
    Unpermute(usize),
    /// Turned from GPT-2's `[in, out]` to `[out, in]`.
    Transpose,
    /// Query, key and value of so many heads parted: the first head's three now stand together again.
    Regroup(usize),
    /// Put below others: rows `from..from + rows` of `of` are the tensor.
    Slice { from: usize, rows: usize, of: usize, heads: Option<usize> },
    /// A matrix of one row flattened.
    Flatten,
}

impl Change {
    /// How many rows the tensor must have in the file.
    pub fn rows(self, config: &ModelConfig) -> Option<usize> {
        match self {
            Self::Unpermute(heads) => Some(heads * config.head_dim),
            Self::Regroup(heads) => Some(3 * heads * config.head_dim),
            Self::Slice { of, .. } => Some(of),
            Self::None | Self::Transpose | Self::Flatten => None,
        }
    }

    /// The shape after [`undo`](Self::undo).
    pub fn shape(self, stored: &[usize]) -> Vec<usize> {
        let mut shape = stored.to_vec();
        match self {
            Self::Transpose => shape.reverse(),
            Self::Slice { rows, .. } => shape[0] = rows,
            Self::Flatten if shape.len() == 1 => shape.insert(0, 1),
            Self::None | Self::Unpermute(_) | Self::Regroup(_) | Self::Flatten => {}
        }
        shape
    }

    /// For each row as Hugging Face has it the file's, of `rows`; `None` where rows stay.
    pub fn order(self, rows: usize) -> Option<Vec<u32>> {
        let halves = |heads: usize, rows: usize, from: usize| {
            let width = rows / heads;
            let of = move |row: usize| {
                let (head, j) = (row / width * width, row % width);
                (from + head + 2 * (j % (width / 2)) + j / (width / 2)) as u32
            };
            (0..rows).map(of).collect()
        };
        match self {
            Self::None | Self::Transpose | Self::Flatten => None,
            Self::Unpermute(heads) => Some(halves(heads, rows, 0)),
            Self::Regroup(heads) => {
                let width = rows / heads / 3;
                let of = |row: usize| {
                    let (head, part, i) = (row / width / 3, row / width % 3, row % width);
                    ((part * heads + head) * width + i) as u32
                };
                Some((0..rows).map(of).collect())
            }
            Self::Slice { from, rows, heads: None, .. } => {
                Some((from as u32..(from + rows) as u32).collect())
            }
            Self::Slice { from, rows, heads: Some(heads), .. } => Some(halves(heads, rows, from)),
        }
    }

    /// The tensor as Hugging Face has it.
    pub fn undo(self, tensor: Tensor) -> Result<Tensor> {
        let dims = tensor.dims().to_vec();
        let columns = dims.iter().skip(1).product::<usize>();
        match self {
            Self::None => Ok(tensor),
            Self::Transpose => tensor.t()?.contiguous(),
            Self::Flatten => tensor.reshape(self.shape(&dims)),
            Self::Unpermute(heads) => {
                let pairs = dims[0] / heads / 2;
                let split = tensor.reshape((heads, pairs, 2, columns))?;
                split.transpose(1, 2)?.contiguous()?.reshape(dims)
            }
            Self::Regroup(heads) => {
                let split = tensor.reshape((3, heads, dims[0] / heads / 3, columns))?;
                split.transpose(0, 1)?.contiguous()?.reshape(dims)
            }
            Self::Slice { from, rows, heads, .. } => {
                let part = tensor.narrow(0, from, rows)?.contiguous()?;
                heads.map_or(Self::None, Self::Unpermute).undo(part)
            }
        }
    }
}

/// The tensor's names in a Hugging Face checkpoint, and what is to be undone; none for a stranger.
pub(super) fn rename(name: &str, family: &Family, config: &ModelConfig) -> Vec<(String, Change)> {
    let layout = config.layout;
    let Some((stem, suffix)) = name.rsplit_once('.') else { return Vec::new() };
    if suffix != "weight" && suffix != "bias" {
        return Vec::new();
    }
    if let Some(own) = layout.ends().find(|own| own.gguf == stem) {
        let biased = own == layout.norm && family.norm == NormKind::Layer || own == layout.head;
        let known = suffix == "weight" || biased;
        return known.then(|| (format!("{}.{suffix}", own.hf), Change::None)).into_iter().collect();
    }
    let block = stem.strip_prefix("blk.").and_then(|rest| rest.split_once('.'));
    let Some((layer, part)) = block else { return Vec::new() };
    let Some(layer) = layer.parse().ok().filter(|layer: &usize| *layer < config.layers) else {
        return Vec::new();
    };
    let full = |rest: String| format!("{}.{layer}.{rest}", layout.blocks);
    if layout.sinks.is_some_and(|sinks| sinks.gguf == part) {
        return layout.sinks.iter().map(|own| (full(own.hf.into()), Change::None)).collect();
    }
    let parts = match (fused(part, family, config), whole(part, suffix, family, config)) {
        (parts, _) if !parts.is_empty() => parts,
        (_, Some(found)) => vec![found],
        _ => expert(part, layout).into_iter().collect(),
    };
    parts.into_iter().map(|(hf, change)| (full(format!("{hf}.{suffix}")), change)).collect()
}

/// A tensor that has one name here as well.
fn whole(
    part: &str,
    suffix: &str,
    family: &Family,
    config: &ModelConfig,
) -> Option<(String, Change)> {
    let layout = config.layout;
    let norm = layout.norms().find(|own| own.gguf == part);
    let matrix = layout.matrices().find(|own| own.gguf == part);
    let interleaved = family.gguf.interleaved;
    let change = match (matrix, layout.qkv) {
        (Some(_), _) if layout.transposed && suffix == "weight" => Change::Transpose,
        (Some(own), Qkv::FusedByHead(qkv)) if own == qkv => Change::Regroup(config.heads),
        (Some(own), Qkv::Apart([q, _, _])) if interleaved && own == q => {
            Change::Unpermute(config.heads)
        }
        (Some(own), Qkv::Apart([_, k, _])) if interleaved && own == k => {
            Change::Unpermute(config.kv_heads)
        }
        _ => Change::None,
    };
    norm.or(matrix).map(|own| (own.hf.to_owned(), change))
}

/// A matrix that is several here: queries, keys and values in one.
fn fused(part: &str, family: &Family, config: &ModelConfig) -> Vec<(String, Change)> {
    let Qkv::Apart(names) = config.layout.qkv else { return Vec::new() };
    if part != "attn_qkv" {
        return Vec::new();
    }
    let (d, heads, kv_heads) = (config.head_dim, config.heads, config.kv_heads);
    let of = (heads + 2 * kv_heads) * d;
    let turned = |heads: usize| family.gguf.interleaved.then_some(heads);
    let parts = [
        (0, heads, turned(heads)),
        (heads, kv_heads, turned(kv_heads)),
        (heads + kv_heads, kv_heads, None),
    ];
    let slice = |(name, (from, rows, heads)): (Name, (usize, usize, Option<usize>))| {
        (name.hf.to_owned(), Change::Slice { from: from * d, rows: rows * d, of, heads })
    };
    names.into_iter().zip(parts).map(slice).collect()
}

/// A tensor of the experts: all in one under llama.cpp's own names, the router, the shared one, or one of very old files.
fn expert(part: &str, layout: &Layout) -> Option<(String, Change)> {
    let names = layout.experts?;
    if GGUF_EXPERTS.contains(&part) {
        return Some((part.to_owned(), Change::None));
    }
    if names.router.gguf == part {
        return Some((names.router.hf.into(), Change::None));
    }
    if let Some(gate) = names.shared_gate.filter(|gate| gate.gguf == part) {
        return Some((gate.hf.into(), Change::Flatten));
    }
    if let Some(mlp) = names.shared {
        let up = match &mlp.up {
            Up::Plain(name) | Up::Fused(name) => std::slice::from_ref(name),
            Up::Apart(names) => names,
        };
        if let Some(own) = up.iter().chain([&mlp.down]).find(|own| own.gguf == part) {
            return Some((own.hf.into(), Change::None));
        }
    }
    let (kind, number) = part.rsplit_once('.')?;
    let number: usize = number.parse().ok()?;
    let at = ["ffn_gate", "ffn_up", "ffn_down"].iter().position(|own| *own == kind)?;
    match names.store {
        ExpertStore::Each { folder, names } => {
            Some((format!("{folder}.{number}.{}", names[at]), Change::None))
        }
        ExpertStore::Stacked { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn rows_of_blocks_are_those_of_the_numbers() {
        let slice = |heads| Change::Slice { from: 4, rows: 8, of: 24, heads };
        let all = [Change::Unpermute(2), Change::Regroup(2), slice(None), slice(Some(2))];
        for change in all {
            let numbered =
                Tensor::arange(0u32, 24, &Device::Cpu).unwrap().reshape((24, 1)).unwrap();
            let undone = change.undo(numbered).unwrap().flatten_all().unwrap();
            assert_eq!(Some(undone.to_vec1::<u32>().unwrap()), change.order(24), "{change:?}");
        }
    }
}
