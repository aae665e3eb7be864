//! Tables as Parquet: typed columns that pandas, polars, DuckDB and Arrow read without being told how.

use std::sync::Arc;

use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as Physical},
    data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type},
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::types::Type,
};

use super::entry::Entry;

/// A Parquet file that is made in memory, group of rows by group of rows.
pub struct Table {
    writer: SerializedFileWriter<Vec<u8>>,
}

impl Table {
    /// A table whose columns have the kinds of `row`; every value may be undefined.
    ///
    /// # Errors
    ///
    /// [`ParquetError`] for two columns of one name.
    pub fn new(header: &[String], row: &[Entry]) -> Result<Self, ParquetError> {
        let field = |(name, entry): (&String, &Entry)| {
            let (physical, logical) = match entry {
                Entry::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
                Entry::Real(_) => (Physical::DOUBLE, None),
                Entry::Whole(_) => (Physical::INT64, None),
                Entry::Flag(_) => (Physical::BOOLEAN, None),
            };
            let builder = Type::primitive_type_builder(name, physical)
                .with_logical_type(logical)
                .with_repetition(Repetition::OPTIONAL);
            builder.build().map(Arc::new)
        };
        let fields = header.iter().zip(row).map(field).collect::<Result<Vec<_>, _>>()?;
        let schema = Type::group_type_builder("llmpr").with_fields(fields).build()?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("llmpr ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let (schema, properties) = (Arc::new(schema), Arc::new(properties));
        Ok(Self { writer: SerializedFileWriter::new(Vec::new(), schema, properties)? })
    }

    /// Adds rows as a group, which is compressed and read by itself.
    ///
    /// # Errors
    ///
    /// [`ParquetError`] where a row has other kinds than the first.
    pub fn group(&mut self, rows: &[Vec<Entry>]) -> Result<(), ParquetError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        let mut at = 0;
        while let Some(mut column) = group.next_column()? {
            let here = at;
            at += 1;
            let cells = rows.iter().map(|row| &row[here]);
            let other = || ParquetError::General(format!("column {at} has values of two kinds"));
            match rows[0][here] {
                Entry::Text(_) => {
                    let of = |entry: &Entry| match entry {
                        Entry::Text(text) => Some(text.as_deref().map(ByteArray::from)),
                        _ => None,
                    };
                    let (values, there) = parted(cells.map(of)).ok_or_else(other)?;
                    column.typed::<ByteArrayType>().write_batch(&values, Some(&there), None)?;
                }
                Entry::Real(_) => {
                    let of = |entry: &Entry| match entry {
                        Entry::Real(value) => Some(value.filter(|value| !value.is_nan())),
                        _ => None,
                    };
                    let (values, there) = parted(cells.map(of)).ok_or_else(other)?;
                    column.typed::<DoubleType>().write_batch(&values, Some(&there), None)?;
                }
                Entry::Whole(_) => {
                    let of = |entry: &Entry| match entry {
                        Entry::Whole(value) => Some(*value),
                        _ => None,
                    };
                    let (values, there) = parted(cells.map(of)).ok_or_else(other)?;
                    column.typed::<Int64Type>().write_batch(&values, Some(&there), None)?;
                }
                Entry::Flag(_) => {
                    let of = |entry: &Entry| match entry {
                        Entry::Flag(value) => Some(*value),
                        _ => None,
                    };
                    let (values, there) = parted(cells.map(of)).ok_or_else(other)?;
                    column.typed::<BoolType>().write_batch(&values, Some(&there), None)?;
                }
            }
            column.close()?;
        }
        group.close()?;
        Ok(())
    }

    /// The file.
    ///
    /// # Errors
    ///
    /// [`ParquetError`].
    pub fn bytes(self) -> Result<Vec<u8>, ParquetError> {
        self.writer.into_inner()
    }
}

/// A table of one group.
///
/// # Errors
///
/// Those of [`Table::new`] and [`Table::group`].
pub fn table(header: &[String], rows: &[Vec<Entry>]) -> Result<Vec<u8>, ParquetError> {
    let none = Vec::new();
    let mut table = Table::new(header, rows.first().unwrap_or(&none))?;
    table.group(rows)?;
    table.bytes()
}

/// The values that are there, and for every row whether one is; `None` where a row has another kind.
fn parted<T>(cells: impl Iterator<Item = Option<Option<T>>>) -> Option<(Vec<T>, Vec<i16>)> {
    let (mut values, mut there) = (Vec::new(), Vec::new());
    for cell in cells {
        let cell = cell?;
        there.push(i16::from(cell.is_some()));
        values.extend(cell);
    }
    Some((values, there))
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};

    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_undefined_is_null() {
        let header = ["word", "x", "n", "yes"].map(str::to_owned);
        let rows = [
            vec![
                Entry::text("zwölf"),
                Entry::Real(Some(0.1)),
                Entry::count(3),
                Entry::Flag(Some(true)),
            ],
            vec![
                Entry::Text(None),
                Entry::Real(Some(f64::NAN)),
                Entry::Whole(None),
                Entry::Flag(None),
            ],
            vec![
                Entry::text(""),
                Entry::Real(Some(f64::INFINITY)),
                Entry::count(0),
                Entry::Flag(Some(false)),
            ],
        ];
        let bytes = table(&header, &rows).unwrap();
        assert_eq!(bytes, table(&header, &rows).unwrap(), "the same bytes whenever it is done");
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        let read: Vec<String> =
            reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        let expected = [
            r#"{word: "zwölf", x: 0.1, n: 3, yes: true}"#,
            "{word: null, x: null, n: null, yes: null}",
            r#"{word: "", x: inf, n: 0, yes: false}"#,
        ];
        assert_eq!(read, expected);
        let odd = [vec![Entry::count(1)], vec![Entry::text("a")]];
        assert!(table(&header[..1], &odd).unwrap_err().to_string().contains("two kinds"));
    }
}
