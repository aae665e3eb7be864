//! Blocks of bits: their values, and matrices of them.

use candle_core::{
    Device,
    quantized::{GgmlDType, QStorage, QTensor, gguf_file},
};
use std::{fs::File, path::Path};

use super::{
    Gguf,
    tests::{temporary, wide, write},
};
use crate::lm::{
    Checkpoint,
    checkpoint::{matrix::Matrix, weights::tests::wanted},
};

#[test] // golden: `gguf` 0.19.0 (Python), gguf.quants.dequantize on the same bytes
fn blocks_of_bits_mean_what_llama_cpp_means() {
    let cases: [(GgmlDType, u32, &[usize], f64, f64); 10] = [
        (GgmlDType::Q4_0, 1000, &[0], -31.59228515625, -8174.00390625),
        (GgmlDType::Q4_1, 1001, &[0, 2], 430.1929931640625, 110714.76232910156),
        (GgmlDType::Q5_0, 1002, &[0], 7.8980712890625, 4286.2532958984375),
        (GgmlDType::Q5_1, 1003, &[0, 2], 815.998779296875, 206731.7149658203),
        (GgmlDType::Q8_0, 1004, &[0], 199.951171875, 3794.873291015625),
        (GgmlDType::Q2K, 1005, &[80, 82], 190.7711181640625, 43012.36962890625),
        (GgmlDType::Q3K, 1006, &[108], -27.2933349609375, -4842.1175537109375),
        (GgmlDType::Q4K, 1007, &[0, 2], 10792.521118164062, 2893148.5395507812),
        (GgmlDType::Q5K, 1008, &[0, 2], 18411.356811523438, 4921304.2646484375),
        (GgmlDType::Q6K, 1009, &[208], -531.0703125, 180107.01782226562),
    ];
    for (kind, mut state, scales, sum, weighted) in cases {
        let mut draw = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let (count, size) = (512 / kind.block_size(), kind.type_size());
        let mut bytes: Vec<u8> = (0..count * size).map(|_| draw()).collect();
        for block in bytes.chunks_exact_mut(size) {
            for (j, at) in scales.iter().enumerate() {
                (block[*at], block[at + 1]) = (0x66, 0x2E - j as u8);
            }
        }
        let (_keep, path) = temporary();
        let storage = QStorage::from_data(bytes.into(), &Device::Cpu, kind).unwrap();
        let tensor = QTensor::new(storage, (1, 512)).unwrap();
        let theirs = tensor.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap();
        gguf_file::write(&mut File::create(&path).unwrap(), &[], &[("t", &tensor)]).unwrap();
        let file = Gguf::open(&path).unwrap();
        let read = file.tensors()["t"].tensor(&file.map).unwrap().flatten_all().unwrap();
        let (read, theirs) = (read.to_vec1::<f32>().unwrap(), theirs.to_vec1::<f32>().unwrap());
        assert_eq!(read, theirs, "{kind:?}: bit for bit those of candle");
        let values: Vec<f64> = read.iter().map(|x| f64::from(*x)).collect();
        let got: f64 = values.iter().sum();
        let got_weighted: f64 = values.iter().zip(1..).map(|(x, i)| x * f64::from(i)).sum();
        // f32 products in another order: a few units in the last place of terms up to a hundred.
        assert!(
            (got - sum).abs() < 1e-3 && (got_weighted - weighted).abs() < 0.1,
            "{kind:?}: {got} {got_weighted}"
        );
    }
}

/// A file with one tensor `t` of `1 × 512` in the type of that number.
fn one_tensor(path: &Path, number: u32, bytes: &[u8]) {
    let mut file = b"GGUF".to_vec();
    file.extend(3u32.to_le_bytes());
    [1u64, 0, 1].iter().for_each(|n| file.extend(n.to_le_bytes()));
    file.extend(b"t");
    file.extend(2u32.to_le_bytes());
    [512u64, 1].iter().for_each(|n| file.extend(n.to_le_bytes()));
    file.extend(number.to_le_bytes());
    file.extend(0u64.to_le_bytes());
    file.resize(file.len().next_multiple_of(32), 0);
    file.extend(bytes);
    std::fs::write(path, file).unwrap();
}

#[test] // golden: `gguf` 0.19.0 (Python), gguf.quants.dequantize on the same bytes
fn tables_of_values_are_those_of_llama_cpp() {
    for (number, name, mut state, size, sum, weighted, first) in [
        (20, "iq4_nl", 1010u32, 18, -440.7923583984375, -134467.1630859375, 11.297241),
        (39, "mxfp4", 1011, 17, -69.61328125, -29879.67578125, -5.877_471_8e-39),
    ] {
        let mut bytes: Vec<u8> = Vec::new();
        for _ in 0..16 * size {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            bytes.push((state >> 24) as u8);
        }
        for (i, block) in bytes.chunks_exact_mut(size).enumerate() {
            match number {
                20 => (block[0], block[1]) = (0x66, 0x2E),
                _ => block[0] = if i < 4 { i as u8 } else { 116 + i as u8 },
            }
        }
        let (_keep, path) = temporary();
        one_tensor(&path, number, &bytes);
        let file = Gguf::open(&path).unwrap();
        assert_eq!(file.tensors()["t"].kind_name(), name);
        let read = file.tensors()["t"].tensor(&file.map).unwrap().flatten_all().unwrap();
        let read = read.to_vec1::<f32>().unwrap();
        let values = || read.iter().map(|x| f64::from(*x));
        assert_eq!(read[0], first as f32);
        assert_eq!(values().sum::<f64>(), sum, "{name}");
        assert_eq!(values().zip(1..).map(|(x, i)| x * f64::from(i)).sum::<f64>(), weighted);
    }
    let (_keep, path) = temporary();
    one_tensor(&path, 19, &[0; 512]);
    let error = Gguf::open(&path).err().unwrap().to_string();
    assert!(error.contains("tensor type number 19 is not supported; supported are"), "{error}");
}

#[test]
fn rows_of_blocks_are_the_rows_of_the_widened_matrix() {
    let (config, weights) = wide();
    for kind in [GgmlDType::Q4_0, GgmlDType::Q4_1, GgmlDType::Q8_0, GgmlDType::Q4K, GgmlDType::Q5K]
    {
        let (_keep, path) = temporary();
        write(&path, "llama", (&config, &weights), kind, &[]);
        let read = Checkpoint::open_gguf(&path).unwrap().weights;
        assert!(read.in_blocks());
        for (name, shape) in wanted(&config).into_iter().filter(|(_, shape)| shape.len() == 2) {
            let matrix = read.matrix(&name, [shape[0], shape[1]], false).unwrap();
            let whole = read.tensor(&name, &shape).unwrap().to_vec2::<f32>().unwrap();
            // Queries and keys are stored with the rows of their heads interleaved.
            assert_eq!(matrix.tensor().unwrap().to_vec2::<f32>().unwrap(), whole, "{name}");
            let Matrix::Blocks(blocks) = matrix else { panic!("{name} is kept in blocks") };
            blocks.release();
            let mut row = vec![0.0; shape[1]];
            for (i, whole) in whole.iter().enumerate() {
                blocks.format.widen(blocks.row(i), &mut row);
                assert_eq!(row, *whole, "{kind:?} {name} row {i}");
            }
        }
        let error = read.matrix("embed_tokens.weight", [9, 256], false).err().unwrap();
        assert!(error.to_string().contains("shape [8, 256]"), "{error}");
    }
}
