//! The experts of a block, from whichever of three stores a checkpoint has.

use candle_core::Tensor;

use super::{LinearParts, MlpParts, mxfp4, stored, weight};
use crate::lm::{
    LmError, Weights,
    arch::{
        config::{Experts, ModelConfig},
        layout::{ExpertNames, ExpertStore, GGUF_EXPERTS},
    },
    checkpoint::matrix::Matrix,
};

/// One expert; gate above up.
pub type ExpertParts = MlpParts;

/// The experts of a block and what chooses among them.
pub struct ExpertsParts {
    /// `count × hidden`, with a bias where there is one.
    pub router: LinearParts,
    /// As many as the configuration says.
    pub each: Vec<ExpertParts>,
    /// What every token uses.
    pub shared: Option<MlpParts>,
    /// `1 × hidden`: its sigmoid weighs the shared expert.
    pub shared_gate: Option<LinearParts>,
}

fn names(c: &ModelConfig) -> &ExpertNames {
    match &c.layout.experts {
        Some(names) => names,
        None => unreachable!("a family with experts names them"),
    }
}

/// Reads the experts of block `layer`.
pub(super) fn read(
    c: &ModelConfig,
    e: &Experts,
    w: &Weights,
    layer: usize,
) -> Result<ExpertsParts, LmError> {
    let names = names(c);
    let router = stored::one(&names.router, e.count, c.hidden, e.biased);
    let shared = match (&names.shared, e.shared) {
        (Some(mlp), Some(inner)) => {
            let [up, down] = stored::mlp(mlp, c.hidden, inner);
            Some(MlpParts { up: up.read(c, w, layer)?, down: down.read(c, w, layer)? })
        }
        _ => None,
    };
    let gate = names.shared_gate.filter(|_| shared.is_some());
    let gate = gate.map(|gate| stored::one(&gate, 1, c.hidden, false).read(c, w, layer));
    // GGUF files stack what Hugging Face writes one by one.
    let gguf = prefixed(c, layer, GGUF_EXPERTS[0]);
    let each = match &names.store {
        _ if w.has(&weight(&gguf)) => stacked(c, e, w, layer)?,
        ExpertStore::Each { folder, names } => (0..e.count)
            .map(|i| single(c, e, w, layer, (folder, names, i)))
            .collect::<Result<_, _>>()?,
        ExpertStore::Stacked { up, down, alternating } => {
            transposed(c, e, w, layer, (up, down, *alternating))?
        }
    };
    Ok(ExpertsParts {
        router: router.read(c, w, layer)?,
        each,
        shared,
        shared_gate: gate.transpose()?,
    })
}

fn prefixed(c: &ModelConfig, layer: usize, rest: &str) -> String {
    format!("{}.{layer}.{rest}", c.layout.blocks)
}

fn single(
    c: &ModelConfig,
    e: &Experts,
    w: &Weights,
    layer: usize,
    (folder, [gate, up, down], i): (&str, &[&str; 3], usize),
) -> Result<ExpertParts, LmError> {
    let read = |part: &str, shape: [usize; 2]| {
        w.matrix(&prefixed(c, layer, &format!("{folder}.{i}.{part}.weight")), shape, false)
    };
    let wide = [e.width, c.hidden];
    let weights = vec![read(gate, wide)?, read(up, wide)?];
    let up = LinearParts { weights, biases: Vec::new() };
    let down = vec![read(down, [c.hidden, e.width])?];
    Ok(MlpParts { up, down: LinearParts { weights: down, biases: Vec::new() } })
}

/// `experts × outputs × inputs`, gate and up apart, as in GGUF files.
fn stacked(
    c: &ModelConfig,
    e: &Experts,
    w: &Weights,
    layer: usize,
) -> Result<Vec<ExpertParts>, LmError> {
    let read = |part: &str, shape: &[usize]| w.tensor(&prefixed(c, layer, part), shape);
    let all = |part: &str, shape| w.matrices(&prefixed(c, layer, &weight(part)), shape);
    let wide = [e.count, e.width, c.hidden];
    let [gate, up, down] = GGUF_EXPERTS;
    let matrices = [all(gate, wide)?, all(up, wide)?, all(down, [e.count, c.hidden, e.width])?];
    let biases = match e.biased {
        true => Some([
            read(&format!("{gate}.bias"), &[e.count, e.width])?,
            read(&format!("{up}.bias"), &[e.count, e.width])?,
            read(&format!("{down}.bias"), &[e.count, c.hidden])?,
        ]),
        false => None,
    };
    let [gates, ups, downs] = matrices;
    let each = gates.into_iter().zip(ups).zip(downs).enumerate();
    let expert = |(i, ((gate, up), down))| -> Result<ExpertParts, LmError> {
        let (mut wide, mut narrow) = (Vec::new(), Vec::new());
        if let Some([gate, up, down]) = &biases {
            wide = vec![gate.get(i)?, up.get(i)?];
            narrow = vec![down.get(i)?];
        }
        Ok(MlpParts {
            up: LinearParts { weights: vec![gate, up], biases: wide },
            down: LinearParts { weights: vec![down], biases: narrow },
        })
    };
    each.map(expert).collect()
}

/// `experts × inputs × outputs`, gate and up in one, or packed.
fn transposed(
    c: &ModelConfig,
    e: &Experts,
    w: &Weights,
    layer: usize,
    (up, down, alternating): (&str, &str, bool),
) -> Result<Vec<ExpertParts>, LmError> {
    let read = |part: &str, shape: &[usize]| w.tensor(&prefixed(c, layer, part), shape);
    // Packed ones are rows of outputs already.
    let packed = mxfp4::is_packed(w, &prefixed(c, layer, up));
    let (wide, narrow) = match packed {
        true => (
            mxfp4::read(w, &prefixed(c, layer, up), [e.count, 2 * e.width, c.hidden])?,
            mxfp4::read(w, &prefixed(c, layer, down), [e.count, c.hidden, e.width])?,
        ),
        false => (
            read(up, &[e.count, c.hidden, 2 * e.width])?,
            read(down, &[e.count, e.width, c.hidden])?,
        ),
    };
    let rows = |matrix: Tensor| match packed {
        true => Ok(matrix),
        false => matrix.t()?.contiguous(),
    };
    let biases = match e.biased {
        true => Some((
            read(&format!("{up}_bias"), &[e.count, 2 * e.width])?,
            read(&format!("{down}_bias"), &[e.count, c.hidden])?,
        )),
        false => None,
    };
    // Rows of a matrix or numbers of a bias, gate above up.
    let apart = |tensor: Tensor| -> candle_core::Result<Tensor> {
        if !alternating {
            return Ok(tensor);
        }
        let rows: Vec<u32> =
            (0..2).flat_map(|half| (0..e.width).map(move |i| (2 * i + half) as u32)).collect();
        super::order::pick(&tensor, &rows)
    };
    let expert = |i: usize| -> Result<ExpertParts, LmError> {
        let up = apart(rows(wide.get(i)?)?)?;
        let down = rows(narrow.get(i)?)?;
        let (mut up_bias, mut down_bias) = (Vec::new(), Vec::new());
        if let Some((up, down)) = &biases {
            up_bias.push(apart(up.get(i)?)?);
            down_bias.push(down.get(i)?);
        }
        Ok(MlpParts {
            up: LinearParts { weights: vec![Matrix::Numbers(up)], biases: up_bias },
            down: LinearParts { weights: vec![Matrix::Numbers(down)], biases: down_bias },
        })
    };
    (0..e.count).map(expert).collect()
}

/// Names and shapes of the experts of block `layer`, as a Hugging Face checkpoint has them.
pub(super) fn tensors(c: &ModelConfig, e: &Experts, layer: usize) -> Vec<(String, Vec<usize>)> {
    let names = names(c);
    let mut all = stored::one(&names.router, e.count, c.hidden, e.biased).tensors(c, layer);
    if let (Some(mlp), Some(inner)) = (&names.shared, e.shared) {
        stored::mlp(mlp, c.hidden, inner)
            .iter()
            .for_each(|part| all.extend(part.tensors(c, layer)));
        let gate = names.shared_gate.iter();
        all.extend(gate.flat_map(|gate| stored::one(gate, 1, c.hidden, false).tensors(c, layer)));
    }
    let mut add =
        |rest: String, shape: &[usize]| all.push((prefixed(c, layer, &rest), shape.to_vec()));
    match &names.store {
        ExpertStore::Each { folder, names: [gate, up, down] } => {
            for i in 0..e.count {
                for part in [gate, up] {
                    add(format!("{folder}.{i}.{part}.weight"), &[e.width, c.hidden]);
                }
                add(format!("{folder}.{i}.{down}.weight"), &[c.hidden, e.width]);
            }
        }
        ExpertStore::Stacked { up, down, .. } => {
            add((*up).into(), &[e.count, c.hidden, 2 * e.width]);
            add((*down).into(), &[e.count, e.width, c.hidden]);
            if e.biased {
                add(format!("{up}_bias"), &[e.count, 2 * e.width]);
                add(format!("{down}_bias"), &[e.count, c.hidden]);
            }
        }
    }
    all
}
