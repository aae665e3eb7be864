//! Arrow's files and streams, as Feather, `datasets` and dataframe libraries write them.

use std::io::Cursor;

use arrow_array::{
    Array, RecordBatch,
    cast::AsArray,
    types::{
        Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
        UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    },
};
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, DataType};
use serde_json::{Map, Value};

use super::extent;
use crate::{
    data::panics::caught,
    text::read::{Reading, TextError, object, source::Source},
};

/// What a file begins with; a stream begins with its first message.
const MAGIC: &[u8] = b"ARROW1";

/// The texts of a file or stream.
///
/// # Errors
///
/// Those of [`read_into`].
pub fn texts(path: &str, field: Option<&str>, source: Source<'_>) -> Result<Reading, TextError> {
    let mut texts = object::Reader::new(field);
    read_into(&mut texts, path, source)?;
    Ok(texts.done())
}

/// Adds the rows of a file or stream to `texts`.
///
/// # Errors
///
/// [`TextError::Columns`] for what is no such file, or a row without a text.
pub(super) fn read_into(
    texts: &mut object::Reader<'_>,
    path: &str,
    source: Source<'_>,
) -> Result<(), TextError> {
    let wrong = |what: String| TextError::Columns { path: path.to_owned(), what };
    let mut row = 0;
    let mut each = |batch: Result<RecordBatch, ArrowError>| -> Result<(), TextError> {
        let batch = batch.map_err(|error| wrong(said(&error)))?;
        for at in 0..batch.num_rows() {
            row += 1;
            texts
                .read(Value::Object(object_at(&batch, at)))
                .map_err(|what| wrong(format!("row {row}: {what}")))?;
        }
        Ok(())
    };
    let open = |source| TextError::Open { path: path.to_owned(), source };
    let bytes = source.whole().map_err(open)?;
    let read = || -> Result<(), TextError> {
        if bytes.starts_with(MAGIC) {
            extent::check_file(&bytes).map_err(&wrong)?;
            let file = FileReader::try_new(Cursor::new(bytes), None);
            return file.map_err(|error| wrong(said(&error)))?.try_for_each(&mut each);
        }
        extent::check_stream(&bytes).map_err(&wrong)?;
        let stream = StreamReader::try_new(Cursor::new(bytes), None);
        stream.map_err(|error| wrong(said(&error)))?.try_for_each(&mut each)
    };
    caught(read).unwrap_or_else(|panic| Err(wrong(format!("damaged ({panic})"))))
}

fn said(error: &ArrowError) -> String {
    format!("no whole Arrow file ({error})")
}

fn object_at(batch: &RecordBatch, row: usize) -> Map<String, Value> {
    let schema = batch.schema_ref();
    let columns = schema.fields().iter().zip(batch.columns());
    columns.map(|(field, column)| (field.name().clone(), value(column, row))).collect()
}

/// An element as JSON has it; null for types that are no part of a text.
fn value(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    let list = |items: &dyn Array| (0..items.len()).map(|item| value(items, item)).collect();
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).into(),
        DataType::Utf8View => array.as_string_view().value(row).into(),
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().value(row).into(),
        DataType::UInt16 => array.as_primitive::<UInt16Type>().value(row).into(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(row).into(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).into(),
        DataType::Float16 => array.as_primitive::<Float16Type>().value(row).to_f32().into(),
        DataType::Float32 => array.as_primitive::<Float32Type>().value(row).into(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).into(),
        DataType::List(_) => list(&array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row)),
        DataType::ListView(_) => list(&array.as_list_view::<i32>().value(row)),
        DataType::LargeListView(_) => list(&array.as_list_view::<i64>().value(row)),
        DataType::FixedSizeList(_, _) => list(&array.as_fixed_size_list().value(row)),
        DataType::Struct(fields) => {
            let parts = fields.iter().zip(array.as_struct().columns());
            let part = |(field, column): (&arrow_schema::FieldRef, &arrow_array::ArrayRef)| {
                (field.name().clone(), value(column, row))
            };
            Value::Object(parts.map(part).collect())
        }
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            value(dictionary.values(), dictionary.normalized_keys()[row])
        }
        _ => Value::Null,
    }
}
