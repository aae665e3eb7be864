use candle_core::{Device, quantized::GgmlDType};

use super::*;
use crate::lm::{
    Checkpoint, Lm,
    checkpoint::gguf::tests::{temporary, wide, write},
    engine::{
        device::DtypeChoice,
        kv::{Piece, Span, Want},
        network::{Depth, Session},
    },
};

/// A small Llama in blocks of `kind`, in a file that stays while the folder does.
fn checkpoint(kind: GgmlDType) -> (tempfile::TempDir, Checkpoint) {
    let (config, weights) = wide();
    let (folder, path) = temporary();
    write(&path, "llama", (&config, &weights), kind, &[]);
    (folder, Checkpoint::open_gguf(&path).unwrap())
}

/// Logits after every token.
fn logits(lm: &Lm, tokens: &[u32]) -> Vec<f32> {
    let mut session = Session::new(lm.network());
    let own = Piece { id: session.kv.allocate(16).unwrap(), used: 0 };
    let span = Span { tokens, prefix: &[], own, want: Want::All };
    let states = lm.network().forward(&mut session, &[span], Depth::Full).unwrap();
    let mut out = Vec::new();
    lm.network().logits(&mut session, &states.data, &mut out).unwrap();
    out
}

const BLOCKS: [GgmlDType; 8] = [
    GgmlDType::Q4_0,
    GgmlDType::Q4_1,
    GgmlDType::Q5_0,
    GgmlDType::Q5_1,
    GgmlDType::Q8_0,
    GgmlDType::Q4K,
    GgmlDType::Q5K,
    GgmlDType::Q6K,
];

#[test] // the bound: 16 bits of activations, a few products deep
fn a_model_in_blocks_gives_the_logits_of_its_widened_weights_in_their_memory() {
    for kind in BLOCKS {
        let (_folder, file) = checkpoint(kind);
        let stored: usize = file.weights.files()[0].metadata().unwrap().len() as usize;
        let load = |dtype| {
            let (_folder, file) = checkpoint(kind);
            Lm::load(file, &Device::Cpu, dtype).unwrap()
        };
        let (blocks, wide) = (load(DtypeChoice::Auto), load(DtypeChoice::F32));
        assert_eq!((blocks.precision(), wide.precision()), ("cpu-i16", "cpu-f32"));
        // The embedding has 8 rows and takes a whole panel of 32.
        let spare = 24 * 256 * 9 / 8;
        assert!(blocks.network().weight_bytes() < stored * 23 / 20 + spare, "{kind:?}");
        assert!(wide.network().weight_bytes() > 3 * blocks.network().weight_bytes());
        let tokens = [1, 5, 3, 2, 7];
        let (a, b) = (logits(&blocks, &tokens), logits(&wide, &tokens));
        let largest = b.iter().fold(0f32, |most, x| most.max(x.abs()));
        let off = a.iter().zip(&b).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
        assert!(off > 0.0 && off < 3e-4 * largest, "{kind:?}: {off} of {largest}");
    }
}

#[test]
fn types_without_a_product_are_widened() {
    let (_folder, file) = checkpoint(GgmlDType::Q3K);
    assert_eq!(Lm::load(file, &Device::Cpu, DtypeChoice::Auto).unwrap().precision(), "cpu-f32");
}

#[test]
fn matrices_of_two_types_are_one_layer() {
    let (_folder, file) = checkpoint(GgmlDType::Q4K);
    let matrix = |name: &str, rows| {
        let name = format!("layers.0.self_attn.{name}_proj.weight");
        file.weights.matrix(&name, [rows, 256], false).unwrap()
    };
    let layer = |names: &[(&str, usize)]| {
        let weights = names.iter().map(|(name, rows)| matrix(name, *rows)).collect();
        Linear::new(&LinearParts { weights, biases: Vec::new() }, Keep::Blocks).unwrap()
    };
    let names = [("q", 256), ("k", 128), ("v", 128)];
    let whole = layer(&names);
    assert_eq!((whole.weight.parts.len(), whole.outputs()), (2, 512));
    let x: Vec<f32> = (0..3 * 256).map(|i| (i % 37) as f32 - 18.0).collect();
    let (mut work, isa) = (Workspace::default(), Isa::best());
    let mut y = vec![0.0; 3 * 512];
    whole.forward(isa, &mut work, &x, 3, &mut y);
    let mut first = 0;
    for part in names {
        let (alone, rows) = (layer(&[part]), part.1);
        let mut own = vec![0.0; 3 * rows];
        alone.forward(isa, &mut work, &x, 3, &mut own);
        for (y, own) in y.chunks_exact(512).zip(own.chunks_exact(rows)) {
            assert_eq!(y[first..first + rows], *own, "{part:?}");
        }
        let (mut a, mut b) = (vec![0.0; 256], vec![1.0; 256]);
        whole.weight().row(first + 5, &mut a);
        alone.weight().row(5, &mut b);
        assert_eq!(a, b, "{part:?}");
        first += rows;
    }
    // Columns that begin in one part and end in the other.
    let mut some = vec![-1.0; 3 * 512];
    whole.forward_columns(isa, &mut work, &x, 3, 352..416, &mut some);
    for (y, some) in y.chunks_exact(512).zip(some.chunks_exact(512)) {
        assert_eq!((&some[352..416], some[0], some[511]), (&y[352..416], -1.0, -1.0));
    }
}
