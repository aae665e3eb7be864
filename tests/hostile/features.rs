//! Features and histograms: `.npy`, `.npz`, `.safetensors`.

use std::io::{Cursor, Write};

use llmpr::npy::{is_histogram, read_features, read_histogram};

use super::trial::{Form, Kind, folder, hostile};

/// An array's file.
pub fn npy(descr: &str, fortran: bool, shape: &str, version: u8, values: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    let before = if version == 1 { 10 } else { 12 };
    header += &" ".repeat(63 - (before + header.len()) % 64);
    header.push('\n');
    let mut file = b"\x93NUMPY".to_vec();
    file.extend([version, 0]);
    match version {
        1 => file.extend((header.len() as u16).to_le_bytes()),
        _ => file.extend((header.len() as u32).to_le_bytes()),
    }
    [&file[..], header.as_bytes(), values].concat()
}

fn floats(n: usize) -> Vec<u8> {
    (0..n).flat_map(|i| (i as f32 * 0.37 - 2.0).to_le_bytes()).collect()
}

pub fn arrays() -> Vec<Vec<u8>> {
    let doubles: Vec<u8> = (0..12).flat_map(|i| f64::from(i).to_be_bytes()).collect();
    let counts: Vec<u8> = (0..9i64).flat_map(|i| (i * i).to_le_bytes()).collect();
    let bytes: Vec<u8> = (0..24u8).collect();
    vec![
        npy("<f4", false, "(5, 3)", 1, &floats(15)),
        npy("<f4", true, "(3, 4)", 2, &floats(12)),
        npy(">f8", false, "(4, 3)", 1, &doubles),
        npy("<f2", false, "(4, 3)", 3, &bytes),
        npy("<i8", false, "(9,)", 1, &counts),
        npy("|u1", false, "(2, 12)", 1, &bytes),
        npy("<f4", false, "(15,)", 1, &floats(15)),
    ]
}

const WORDS: [&str; 16] = [
    "<f4",
    ">f8",
    "<f2",
    "|b1",
    "<i8",
    "|O",
    "<U8",
    "<c8",
    "True",
    "False",
    "(0, 4)",
    "(4294967296, 4294967296)",
    "()",
    "(1,)",
    "'shape'",
    "'descr'",
];

/// Reads what is at `path` in every way there is.
fn read(path: &str) {
    let _ = is_histogram(path);
    let _ = read_histogram(path);
    if let Ok(features) = read_features(path) {
        assert!((0..features.rows()).all(|row| features.row(row).iter().all(|x| x.is_finite())));
    }
}

#[test]
fn arrays_of_numpy() {
    let dir = folder();
    let path = dir.path().join("x.npy");
    let kind = Kind { name: "npy", seeds: arrays(), words: &WORDS, ..Kind::default() };
    hostile(&kind, |bytes| {
        std::fs::write(&path, bytes).unwrap();
        read(path.to_str().unwrap());
    });
}

/// An archive of one array, or of two; every second is deflated.
fn archive(array: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let names = if array.len().is_multiple_of(3) { &["a.npy", "b/c.npy"][..] } else { &["a.npy"] };
    for (at, name) in names.iter().enumerate() {
        let method = match (array.len() + at) % 2 {
            0 => zip::CompressionMethod::Stored,
            _ => zip::CompressionMethod::Deflated,
        };
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        archive.start_file(*name, options).unwrap();
        archive.write_all(array).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn archives_of_numpy() {
    let dir = folder();
    let path = dir.path().join("x.npz");
    let path = path.to_str().unwrap();
    let kind = Kind {
        name: "npz",
        seeds: arrays(),
        words: &WORDS,
        pack: Some(&archive),
        ..Kind::default()
    };
    hostile(&kind, |bytes| {
        std::fs::write(path, bytes).unwrap();
        read(path);
        read(&format!("{path}:b/c"));
    });
}

/// A header and 4096 bytes of numbers behind it.
pub fn with_header(header: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header, &floats(1024)].concat()
}

pub fn headers() -> Vec<Vec<u8>> {
    [
        r#"{"a":{"dtype":"F32","shape":[32,32],"data_offsets":[0,4096]}}"#,
        r#"{"a":{"dtype":"F16","shape":[16,32],"data_offsets":[0,1024]},"b":{"dtype":"BF16","shape":[3,512],"data_offsets":[1024,4096]}}"#,
        r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F64","shape":[512],"data_offsets":[0,4096]}}"#,
        r#"{"a":{"dtype":"U8","shape":[0,7],"data_offsets":[0,0]},"b":{"dtype":"I64","shape":[512],"data_offsets":[0,4096]}}"#,
        r#"{"model.layers.0.w":{"dtype":"F32","shape":[1,1,1024],"data_offsets":[0,4096]}}"#,
    ]
    .map(|header| header.as_bytes().to_vec())
    .to_vec()
}

pub const TENSOR_WORDS: [&str; 12] = [
    "F32",
    "F64",
    "BF16",
    "F8_E4M3",
    "I64",
    "BOOL",
    "dtype",
    "shape",
    "data_offsets",
    "__metadata__",
    "a",
    "lm_head.weight",
];

#[test]
fn features_of_safetensors() {
    let dir = folder();
    let path = dir.path().join("x.safetensors");
    let path = path.to_str().unwrap();
    let kind = Kind {
        name: "safetensors",
        seeds: headers(),
        form: Form::Json,
        words: &TENSOR_WORDS,
        pack: Some(&with_header),
        ..Kind::default()
    };
    hostile(&kind, |bytes| {
        std::fs::write(path, bytes).unwrap();
        read(path);
        read(&format!("{path}:b"));
    });
}
