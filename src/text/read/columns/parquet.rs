//! Columns of a Parquet file.

use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
};
use serde_json::{Map, Value};

use crate::{
    data::panics::caught,
    text::read::{Reading, TextError, object},
};

/// The texts of a file's rows.
///
/// # Errors
///
/// [`TextError::Columns`].
pub fn texts(path: &str, field: Option<&str>, bytes: Vec<u8>) -> Result<Reading, TextError> {
    let wrong = |what: String| TextError::Columns { path: path.to_owned(), what };
    caught(|| rows(path, field, bytes))
        .unwrap_or_else(|panic| Err(wrong(format!("a damaged file ({panic})"))))
}

fn rows(path: &str, field: Option<&str>, bytes: Vec<u8>) -> Result<Reading, TextError> {
    let wrong = |what: String| TextError::Columns { path: path.to_owned(), what };
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes))
        .map_err(|error| wrong(error.to_string()))?;
    let rows = reader.get_row_iter(None).map_err(|error| wrong(error.to_string()))?;
    let mut texts = object::Reader::new(field);
    for (index, row) in rows.enumerate() {
        let row = row.map_err(|error| wrong(format!("row {}: {error}", index + 1)))?;
        let object: Map<String, Value> =
            row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect();
        texts
            .read(Value::Object(object))
            .map_err(|what| wrong(format!("row {}: {what}", index + 1)))?;
    }
    Ok(texts.done())
}

fn value(field: &Field) -> Value {
    match field {
        Field::Str(s) => Value::from(s.as_str()),
        Field::Byte(n) => Value::from(*n),
        Field::Short(n) => Value::from(*n),
        Field::Int(n) => Value::from(*n),
        Field::Long(n) => Value::from(*n),
        Field::UByte(n) => Value::from(*n),
        Field::UShort(n) => Value::from(*n),
        Field::UInt(n) => Value::from(*n),
        Field::ULong(n) => Value::from(*n),
        Field::Float(x) => Value::from(*x),
        Field::Double(x) => Value::from(*x),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        Field::Group(row) => {
            row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect()
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::{
        data_type::{ByteArray, ByteArrayType, Int32Type},
        file::writer::SerializedFileWriter,
        schema::parser::parse_message_type,
    };

    use crate::text::parse_texts;

    fn file() -> Vec<u8> {
        let schema = "message m { required int32 id; required binary body (UTF8); }";
        let mut bytes = Vec::new();
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let mut file = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).unwrap();
        let mut rows = file.next_row_group().unwrap();
        let mut ids = rows.next_column().unwrap().unwrap();
        ids.typed::<Int32Type>().write_batch(&[7, 8], None, None).unwrap();
        ids.close().unwrap();
        let mut texts = rows.next_column().unwrap().unwrap();
        let values = [ByteArray::from("one"), ByteArray::from("zwölf")];
        texts.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
        texts.close().unwrap();
        rows.close().unwrap();
        file.close().unwrap();
        bytes
    }

    #[test]
    fn rows_are_objects_of_their_columns() {
        let texts = parse_texts("t.parquet", Some("body"), file()).unwrap();
        assert_eq!((texts[1].text.as_str(), texts[1].id.as_deref()), ("zwölf", Some("8")));
    }

    #[test]
    fn a_missing_column_and_a_cut_file_are_said() {
        let error = parse_texts("t.parquet", None, file()).unwrap_err().to_string();
        assert!(
            error.starts_with("`t.parquet`: row 1: no text field; there are `id`, `body`"),
            "{error}"
        );
        for length in [0, 4, 40, file().len() - 3] {
            let cut = file()[..length].to_vec();
            assert!(parse_texts("t.parquet", Some("body"), cut).is_err(), "{length}");
        }
    }
}
