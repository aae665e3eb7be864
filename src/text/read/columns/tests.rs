use std::{path::Path, sync::Arc};

use arrow_array::{
    ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray, StructArray, types::Int32Type,
};
use arrow_ipc::{
    CompressionType,
    writer::{FileWriter, IpcWriteOptions, StreamWriter},
};
use arrow_schema::{DataType, Field};

use crate::text::{Gaps, parse_texts, read, read_texts};

/// Rows `from` and those after it, with the columns `id`, `body` and `doc {query}`.
fn batch(from: i32) -> RecordBatch {
    let bodies: DictionaryArray<Int32Type> = ["one", "zwölf", "one"].into_iter().collect();
    let query = Arc::new(StringArray::from(vec!["q"; 3])) as ArrayRef;
    let doc =
        StructArray::from(vec![(Arc::new(Field::new("query", DataType::Utf8, false)), query)]);
    let columns: [(&str, ArrayRef); 3] = [
        ("id", Arc::new(Int32Array::from(vec![from, from + 1, from + 2]))),
        ("body", Arc::new(bodies)),
        ("doc", Arc::new(doc)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn stream(batches: &[RecordBatch]) -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batches[0].schema()).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.into_inner().unwrap()
}

fn file(batches: &[RecordBatch], compression: Option<CompressionType>) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let schema = batches[0].schema();
    let mut writer = FileWriter::try_new_with_options(Vec::new(), &schema, options).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn files_and_streams_of_arrow_hold_the_same_texts() {
    let batches = [batch(7), batch(10)];
    let expected = parse_texts("t.arrow", Some("body"), stream(&batches)).unwrap();
    assert_eq!((expected.len(), expected[4].text.as_str()), (6, "zwölf"));
    assert_eq!(expected[4].id.as_deref(), Some("11"));
    for compression in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
        let bytes = file(&batches, compression);
        assert_eq!(parse_texts("t.feather", Some("body"), bytes.clone()).unwrap(), expected);
        assert_eq!(parse_texts("-", Some("body"), bytes).unwrap(), expected);
    }
    let queries = parse_texts("t.arrow", Some("doc.query"), stream(&batches)).unwrap();
    assert!(queries.iter().all(|text| text.text == "q"));
    let why = parse_texts("t.arrow", None, stream(&batches)).unwrap_err().to_string();
    assert!(
        why.starts_with("`t.arrow`: row 1: no text field; there are `id`, `body`, `doc`"),
        "{why}"
    );
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused_by_name() {
    let whole = file(&[batch(0)], Some(CompressionType::ZSTD));
    for length in 0..whole.len() {
        let Err(error) = parse_texts("t.arrow", Some("body"), whole[..length].to_vec()) else {
            panic!("{length} of {} bytes are read as if they were whole", whole.len());
        };
        assert!(error.to_string().contains("`t.arrow`"), "{error}");
    }
    // Between two batches, too.
    let whole = stream(&[batch(0), batch(3)]);
    for length in 0..whole.len() {
        let read = parse_texts("t.arrow", Some("body"), whole[..length].to_vec());
        let why = read.expect_err(&format!("{length} of {} bytes", whole.len())).to_string();
        assert!(length == 0 || why.starts_with("`t.arrow`: "), "{why}");
    }
}

#[test]
fn damaged_bytes_are_a_sentence_or_other_texts_and_no_panic() {
    let packed = Some(CompressionType::ZSTD);
    for whole in [stream(&[batch(0), batch(3)]), file(&[batch(0)], None), file(&[batch(0)], packed)]
    {
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            if let Err(error) = parse_texts("t.arrow", Some("body"), bytes) {
                assert!(error.to_string().contains("t.arrow"), "{error}");
            }
        }
    }
}

/// A folder as `save_to_disk` leaves it, of two files.
fn saved(folder: &Path, from: i32) {
    std::fs::create_dir_all(folder).unwrap();
    let names = ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"];
    for (name, from) in names.into_iter().zip([from, from + 3]) {
        std::fs::write(folder.join(name), stream(&[batch(from)])).unwrap();
    }
    let files: Vec<_> = names.iter().map(|name| serde_json::json!({"filename": name})).collect();
    let state = serde_json::json!({"_data_files": files, "_indices_files": null, "_split": null});
    std::fs::write(folder.join("state.json"), state.to_string()).unwrap();
}

#[test]
fn folders_of_save_to_disk_are_read_and_of_several_splits_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| format!("{}{name}", dir.path().display());
    saved(&dir.path().join("alone"), 0);
    saved(&dir.path().join("both/train"), 0);
    saved(&dir.path().join("both/test"), 20);
    std::fs::write(dir.path().join("both/dataset_dict.json"), r#"{"splits": ["train", "test"]}"#)
        .unwrap();
    let ids = |spec: &str| -> Vec<String> {
        read_texts(spec).unwrap().into_iter().filter_map(|text| text.id).collect()
    };
    assert_eq!(ids(&at("/alone:body")), ["0", "1", "2", "3", "4", "5"]);
    assert_eq!(ids(&at("/both/test:body")), ["20", "21", "22", "23", "24", "25"]);
    let why = |spec: &str| read(spec, Gaps::default()).unwrap_err().to_string();
    assert!(why(&at("/both:test")).contains("no text field; there are `id`, `body`, `doc`"));
    assert!(why(&at("/both")).ends_with(
        "of several splits: train, test; name one, as FOLDER:SPLIT or FOLDER/SPLIT:FIELD"
    ));
    assert!(why(&at("/both:dev")).contains("train, test"));
    assert!(why(&at("")).ends_with("is a folder, not a file of texts"));
    std::fs::write(
        dir.path().join("alone/state.json"),
        r#"{"_data_files": [{"filename": "../x.arrow"}]}"#,
    )
    .unwrap();
    assert!(why(&at("/alone:body")).contains("`../x.arrow`, which is not in it"));
}
