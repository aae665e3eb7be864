//! Columns of a Parquet file.

use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
};
use serde_json::{Map, Value};

use super::{TextError, object};
use crate::text::Text;

pub(super) fn texts(
    path: &str,
    field: Option<&str>,
    bytes: Vec<u8>,
) -> Result<Vec<Text>, TextError> {
    let wrong = |what: String| TextError::Parquet { path: path.to_owned(), what };
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
