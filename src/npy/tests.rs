use std::{fs, io::Write, path::PathBuf};

use super::*;

fn scratch(name: &str, bytes: &[u8]) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    (folder, path.to_str().unwrap().to_owned())
}

fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let fortran = if fortran { "True" } else { "False" };
    let header =
        format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn failure(name: &str, bytes: &[u8]) -> String {
    let (_folder, path) = scratch(name, bytes);
    read_features(&path).unwrap_err().to_string()
}

#[test]
fn every_type_and_order_gives_the_same_matrix() {
    let values = [1.0f32, -2.0, 0.5, 4.0, 8.0, -0.25];
    let columns = [1.0f32, 4.0, -2.0, 8.0, 0.5, -0.25];
    let f16 = |v: f32| match v {
        1.0 => 0x3c00u16,
        -2.0 => 0xc000,
        0.5 => 0x3800,
        4.0 => 0x4400,
        8.0 => 0x4800,
        _ => 0xb400,
    };
    let cases = [
        npy("<f4", false, "(2, 3)", &values.map(f32::to_le_bytes).concat()),
        npy(">f4", false, "(2, 3)", &values.map(f32::to_be_bytes).concat()),
        npy("<f4", true, "(2, 3)", &columns.map(f32::to_le_bytes).concat()),
        npy("<f8", false, "(2, 3)", &values.map(|v| f64::from(v).to_le_bytes()).concat()),
        npy(">f8", true, "(2, 3)", &columns.map(|v| f64::from(v).to_be_bytes()).concat()),
        npy("<f2", false, "(2, 3)", &values.map(|v| f16(v).to_le_bytes()).concat()),
        npy(">f2", false, "(2, 3)", &values.map(|v| f16(v).to_be_bytes()).concat()),
    ];
    for bytes in cases {
        let (_folder, path) = scratch("x.npy", &bytes);
        let matrix = read_features(&path).unwrap();
        assert_eq!((matrix.rows(), matrix.cols(), matrix.as_slice()), (2, 3, &values[..]));
    }
}

#[test]
fn one_axis_is_one_column() {
    let (_folder, path) = scratch("x.npy", &npy("<f4", false, "(3,)", &[0; 12]));
    let matrix = read_features(&path).unwrap();
    assert_eq!((matrix.rows(), matrix.cols()), (3, 1));
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let matrix = Matrix::new(3, vec![0.1, -2.0, 1e-30, 3.0, 4.5, f32::MAX]).unwrap();
    let (npy, safe) = (folder.path().join("x.npy"), folder.path().join("x.safetensors"));
    write_npy(&npy, &matrix).unwrap();
    write_safetensors(&safe, &matrix, &[("model", "toy")]).unwrap();
    for path in [&npy, &safe] {
        assert_eq!(read_features(path.to_str().unwrap()).unwrap(), matrix);
    }
    let header_and_values = fs::read(&npy).unwrap();
    assert_eq!((header_and_values.len() - 24) % 64, 0, "values are aligned");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file is left");
}

#[test]
fn tensors_are_picked_by_name() {
    let header = r#"{"__metadata__":{"a":"b"},
        "b":{"dtype":"BF16","shape":[1,2],"data_offsets":[4,8]},
        "a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let data = [1.5f32.to_le_bytes(), [0x80, 0x3f, 0x00, 0x40]].concat();
    let (_folder, path) = scratch("x.safetensors", &safetensors(header, &data));
    assert_eq!(read_features(&format!("{path}:b")).unwrap().as_slice(), [1.0, 2.0]);
    assert_eq!(read_features(&format!("{path}:a")).unwrap().as_slice(), [1.5]);
    let error = |path: &str| read_features(path).unwrap_err().to_string();
    assert_eq!(error(&path), "name one array as FILE:KEY: it holds `a`, `b`");
    assert_eq!(error(&format!("{path}:c")), "there is no array `c`: it holds `a`, `b`");
}

#[test]
fn archives_hold_stored_and_deflated_arrays() {
    let mut zipped = std::io::Cursor::new(Vec::new());
    let mut archive = zip::ZipWriter::new(&mut zipped);
    for (name, method) in
        [("p.npy", zip::CompressionMethod::Stored), ("q.npy", zip::CompressionMethod::Deflated)]
    {
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        archive.start_file(name, options).unwrap();
        let value = if name == "p.npy" { 1.0f32 } else { 2.0 };
        let data = std::iter::repeat_n(value.to_le_bytes(), 4000).collect::<Vec<_>>().concat();
        archive.write_all(&npy("<f4", false, "(2000, 2)", &data)).unwrap();
    }
    archive.finish().unwrap();
    let (_folder, path) = scratch("x.npz", zipped.get_ref());
    for (key, value) in [("p", 1.0), ("q", 2.0)] {
        let matrix = read_features(&format!("{path}:{key}")).unwrap();
        assert_eq!(matrix.as_slice(), [value; 4000]);
    }
    let error = read_features(&path).unwrap_err().to_string();
    assert_eq!(error, "name one array as FILE:KEY: it holds `p`, `q`");
    let cut = &zipped.get_ref()[..zipped.get_ref().len() / 2];
    assert!(failure("x.npz", cut).starts_with("not a .npz file: "));
}

#[test]
fn counts_are_integers_of_any_width() {
    let cases = [
        npy("<i8", false, "(3,)", &[3i64, 0, 7].map(i64::to_le_bytes).concat()),
        npy(">i4", false, "(3,)", &[3i32, 0, 7].map(i32::to_be_bytes).concat()),
        npy("|u1", false, "(1, 3)", &[3, 0, 7]),
        npy("<u2", true, "(3, 1)", &[3u16, 0, 7].map(u16::to_le_bytes).concat()),
    ];
    for bytes in cases {
        let (_folder, path) = scratch("x.npy", &bytes);
        assert!(is_histogram(&path).unwrap());
        assert_eq!(read_histogram(&path).unwrap(), [3, 0, 7]);
    }
    let (_folder, path) = scratch("x.npy", &npy("|i1", false, "(2,)", &[1, 0xfe]));
    let error = read_histogram(&path).unwrap_err().to_string();
    assert_eq!(error, "bin 1 holds -2; counts start at 0");
}

#[test]
fn a_bad_array_is_told_in_one_sentence() {
    let nan = [0.0f32, 1.0, 2.0, f32::NAN].map(f32::to_le_bytes).concat();
    let huge = [0.0, 1e300].map(f64::to_le_bytes).concat();
    let cases = [
        (
            npy("<f4", false, "(2, 2)", &nan),
            "row 1, column 1 holds NaN, which is not a finite number",
        ),
        (
            npy("<f8", true, "(2, 1)", &huge),
            "row 1, column 0 holds 1e300, which is beyond the range of f32",
        ),
        (
            npy("<f4", false, "(1000000, 4000000)", &[0; 8]),
            "the header promises 16000000000000 bytes of values, but only 8 follow it",
        ),
        (
            npy("<f4", false, "(18446744073709551615, 2)", &[]),
            "the array has shape [18446744073709551615, 2]; rows and columns (or one axis) are needed",
        ),
        (
            npy("<f4", false, "(1, 2, 3)", &[0; 24]),
            "the array has shape [1, 2, 3]; rows and columns (or one axis) are needed",
        ),
        (
            npy("<f4", false, "()", &[0; 4]),
            "the array has shape []; rows and columns (or one axis) are needed",
        ),
        (npy("<f4", false, "(-1,)", &[]), "not a .npy file: its `shape` is (-1,)"),
        (
            npy("<c8", false, "(1,)", &[0; 8]),
            "the values are of type <c8; features are f16, bf16, f32 or f64",
        ),
        (
            npy("|O", false, "(1,)", &[0; 8]),
            "the values are of type |O; features are f16, bf16, f32 or f64",
        ),
        (
            npy("<i8", false, "(1,)", &[0; 8]),
            "the values are of type <i8; features are f16, bf16, f32 or f64",
        ),
        (npy("é4", false, "(1,)", &[0; 8]), "not a .npy file: it has an unknown type `é4`"),
        (npy("", false, "(1,)", &[0; 8]), "not a .npy file: it has an unknown type ``"),
        (b"\x93NUMPY\x01".to_vec(), "not a .npy file: it ends within its header"),
        (b"PK\x03\x04----".to_vec(), "not a .npy file: it does not start with \\x93NUMPY"),
        (Vec::new(), "not a .npy file: it ends within its header"),
    ];
    for (bytes, message) in cases {
        assert_eq!(failure("x.npy", &bytes), message);
    }
    assert!(failure("x.npz", b"nothing").starts_with("not a .npz file: "));
    assert_eq!(
        read_features("x.txt").unwrap_err().to_string(),
        "`x.txt` is not named .npy, .npz or .safetensors"
    );
}

#[test]
fn a_bad_tensor_is_told_in_one_sentence() {
    let one = |entry: &str| format!(r#"{{"x":{entry}}}"#);
    let cases = [
        (
            safetensors(&one(r#"{"dtype":"F32","shape":[2,2],"data_offsets":[0,8]}"#), &[0; 8]),
            "not a .safetensors file: [2, 2] of F32 does not span bytes 0..8",
        ),
        (
            safetensors(
                &one(r#"{"dtype":"F32","shape":[4000000000,4000000000],"data_offsets":[0,8]}"#),
                &[0; 8],
            ),
            "not a .safetensors file: [4000000000, 4000000000] of F32 does not span bytes 0..8",
        ),
        (
            safetensors(&one(r#"{"dtype":"F32","shape":[2,2],"data_offsets":[8,0]}"#), &[0; 8]),
            "not a .safetensors file: [2, 2] of F32 does not span bytes 8..0",
        ),
        (
            safetensors(&one(r#"{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}"#), &[0; 8]),
            "the header promises 16 bytes of values, but only 8 follow it",
        ),
        (
            safetensors(&one(r#"{"dtype":"I64","shape":[1],"data_offsets":[0,8]}"#), &[0; 8]),
            "the values are of type I64; features are f16, bf16, f32 or f64",
        ),
        (safetensors("{}", &[]), "name one array as FILE:KEY: it holds no arrays"),
        (
            u64::MAX.to_le_bytes().to_vec(),
            "not a .safetensors file: its header claims 18446744073709551615 bytes, but it holds 8",
        ),
        (vec![1, 2], "not a .safetensors file: it ends within its header"),
    ];
    for (bytes, message) in cases {
        assert_eq!(failure("x.safetensors", &bytes), message);
    }
    assert!(failure("x.safetensors", &safetensors("{", &[])).contains("its header: "));
}

#[test]
fn names_are_split_at_the_extension() {
    for path in ["a.npy", "b/c.NPZ", "d.npz:key", "c:/d.safetensors:h.0:1", "e.safetensors"] {
        assert!(is_feature_path(path), "{path}");
    }
    for path in ["a.jsonl", "a.npy:key", "npy", "a.jsonl:text", "-"] {
        assert!(!is_feature_path(path), "{path}");
    }
}

#[test]
fn a_header_with_any_byte_changed_never_panics() {
    let arrays = [
        ("x.npy", npy("<f4", false, "(2, 2)", &[0; 16])),
        (
            "x.safetensors",
            safetensors(r#"{"x":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#, &[0; 16]),
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in arrays {
        let path = folder.path().join(name);
        for at in 0..bytes.len() - 16 {
            for byte in [0, b'9', b'(', b'\'', 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = byte;
                fs::write(&path, bytes).unwrap();
                let _ = read_features(path.to_str().unwrap());
                let _ = read_histogram(path.to_str().unwrap());
            }
        }
    }
}
