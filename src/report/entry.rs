//! A value in a table, which is written as text or as a typed column.

use super::number::exact;

/// A value in a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// Words; `None` where there are none.
    Text(Option<String>),
    /// A number; `None` and NaN are undefined.
    Real(Option<f64>),
    /// A whole number.
    Whole(Option<i64>),
    /// Yes or no.
    Flag(Option<bool>),
}

impl Entry {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Some(text.into()))
    }

    /// A count.
    pub fn count(count: usize) -> Self {
        Self::Whole(i64::try_from(count).ok())
    }

    /// As spreadsheets read it: undefined values are empty, numbers the shortest that read back as the same.
    pub fn csv(&self) -> String {
        match self {
            Self::Text(text) => text.clone().unwrap_or_default(),
            Self::Real(value) => value.map(exact).unwrap_or_default(),
            Self::Whole(value) => value.map(|value| value.to_string()).unwrap_or_default(),
            Self::Flag(value) => value.map(|value| value.to_string()).unwrap_or_default(),
        }
    }
}

/// A table as CSV.
pub fn csv<'a>(header: &[String], rows: impl IntoIterator<Item = &'a Vec<Entry>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing into memory cannot fail, and every row has the header's length.
    let _ = writer.write_record(header);
    for row in rows {
        let _ = writer.write_record(row.iter().map(Entry::csv));
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
