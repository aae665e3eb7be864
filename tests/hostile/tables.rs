//! Columns: Parquet, Arrow, data sets as `save_to_disk` writes them.
#![cfg(feature = "parquet")]

use std::sync::Arc;

use arrow_array::{
    ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray, types::Int32Type,
};
use arrow_ipc::{
    CompressionType,
    writer::{FileWriter, IpcWriteOptions, StreamWriter},
};
use llmpr::text::{Gaps, parse_texts, read};
use parquet::{
    basic::{Compression, ZstdLevel},
    data_type::{ByteArray, ByteArrayType, Int32Type as ParquetInt32},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};

use super::trial::{Form, Kind, folder, hostile};

fn batch() -> RecordBatch {
    let words: DictionaryArray<Int32Type> = ["one", "zwölf", "one"].into_iter().collect();
    let columns: [(&str, ArrayRef); 3] = [
        ("id", Arc::new(Int32Array::from(vec![7, 8, 9]))),
        ("text", Arc::new(StringArray::from(vec!["a", "b", "c"]))),
        ("body", Arc::new(words)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn stream() -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch().schema()).unwrap();
    writer.write(&batch()).unwrap();
    writer.write(&batch()).unwrap();
    writer.into_inner().unwrap()
}

fn file(compression: Option<CompressionType>) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let mut writer =
        FileWriter::try_new_with_options(Vec::new(), &batch().schema(), options).unwrap();
    writer.write(&batch()).unwrap();
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

fn parquet(compression: Compression) -> Vec<u8> {
    let schema = "message m { required int32 id; required binary text (UTF8); }";
    let mut bytes = Vec::new();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
    let mut file = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
    let mut rows = file.next_row_group().unwrap();
    let mut ids = rows.next_column().unwrap().unwrap();
    ids.typed::<ParquetInt32>().write_batch(&[7, 8, 9], None, None).unwrap();
    ids.close().unwrap();
    let mut texts = rows.next_column().unwrap().unwrap();
    let values = ["one", "zwölf", "one"].map(ByteArray::from);
    texts.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
    texts.close().unwrap();
    rows.close().unwrap();
    file.close().unwrap();
    bytes
}

#[test]
fn parquet_files() {
    let zstd = Compression::ZSTD(ZstdLevel::try_new(1).unwrap());
    let seeds = [Compression::UNCOMPRESSED, Compression::SNAPPY, zstd, Compression::LZ4_RAW]
        .map(parquet)
        .to_vec();
    let kind = Kind { name: "parquet", seeds, words: &["PAR1", "text"], ..Kind::default() };
    hostile(&kind, |bytes| drop(parse_texts("x.parquet", None, bytes.to_vec())));
}

#[test]
fn arrow_files_and_streams() {
    let seeds = vec![
        stream(),
        file(None),
        file(Some(CompressionType::ZSTD)),
        file(Some(CompressionType::LZ4_FRAME)),
    ];
    let kind = Kind { name: "arrow", seeds, words: &["ARROW1", "\u{0}\u{0}"], ..Kind::default() };
    hostile(&kind, |bytes| {
        for field in [None, Some("body")] {
            let _ = parse_texts("x.arrow", field, bytes.to_vec());
        }
    });
}

#[test]
fn data_sets_stay_in_their_folder() {
    let dir = folder();
    let folder = dir.path().join("saved");
    for at in ["saved", "saved/train"] {
        std::fs::create_dir_all(dir.path().join(at)).unwrap();
        std::fs::write(dir.path().join(at).join("data-0.arrow"), stream()).unwrap();
    }
    // Whoever leaves the folder finds another text.
    let mut outside = stream();
    let at = outside.windows(3).position(|w| w == b"abc").unwrap();
    outside[at..at + 3].copy_from_slice(b"XXX");
    std::fs::write(dir.path().join("outside.arrow"), outside).unwrap();
    let absolute = dir.path().join("outside.arrow").display().to_string();
    let words = [
        "../outside.arrow",
        "data-0.arrow",
        &absolute,
        "_data_files",
        "filename",
        "splits",
        "train",
        "..",
        "../saved",
    ];
    let seeds = [
        r#"{"_data_files":[{"filename":"data-0.arrow"}],"_split":null,"_indices_files":null}"#,
        r#"{"splits":["train"],"_data_files":[{"filename":"data-0.arrow"},{"filename":"data-0.arrow"}]}"#,
    ];
    let seeds = seeds.map(|seed| seed.as_bytes().to_vec()).to_vec();
    let kind = Kind { name: "dataset", seeds, form: Form::Json, words: &words, ..Kind::default() };
    hostile(&kind, |bytes| {
        for name in ["state.json", "dataset_dict.json", "train/state.json"] {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
        for spec in ["", ":train", ":text"] {
            let read = read(&format!("{}{spec}", folder.display()), Gaps::default());
            let texts = read.map(|reading| reading.texts).unwrap_or_default();
            assert!(texts.iter().all(|text| text.text != "X"), "a file outside was read");
        }
    });
}
