//! Files of columns, where this build reads them.

use std::path::Path;

#[cfg(feature = "parquet")]
mod arrow;
#[cfg(feature = "parquet")]
mod dataset;
#[cfg(feature = "parquet")]
mod extent;
#[cfg(feature = "parquet")]
mod parquet;

#[cfg(feature = "parquet")]
pub(super) use self::{
    arrow::texts as arrow, dataset::texts as dataset, parquet::texts as parquet,
};

#[cfg(not(feature = "parquet"))]
pub(super) use self::absent::{arrow, dataset, parquet};

/// Whether a folder is what `save_to_disk` of Hugging Face `datasets` writes.
pub(super) fn is_dataset(path: &str) -> bool {
    ["state.json", "dataset_dict.json"].iter().any(|name| Path::new(path).join(name).exists())
}

#[cfg(not(feature = "parquet"))]
mod absent {
    use crate::text::read::{Reading, TextError, source::Source};

    fn none(path: &str) -> Result<Reading, TextError> {
        let what = "this llmpr was built without the feature `parquet`".to_owned();
        Err(TextError::Columns { path: path.to_owned(), what })
    }

    pub(in super::super) fn arrow(
        path: &str,
        _: Option<&str>,
        _: Source<'_>,
    ) -> Result<Reading, TextError> {
        none(path)
    }

    pub(in super::super) fn dataset(path: &str, _: Option<&str>) -> Result<Reading, TextError> {
        none(path)
    }

    pub(in super::super) fn parquet(
        path: &str,
        _: Option<&str>,
        _: Vec<u8>,
    ) -> Result<Reading, TextError> {
        none(path)
    }
}

#[cfg(all(test, feature = "parquet"))]
mod tests;
