//! Numbers in JSON: `"inf"` and `"-inf"` for the infinities, `null` for what is undefined.
//!
//! For fields: `#[serde(with = "crate::data::json_number")]`; lists: `#[serde(with = "crate::data::json_number::list")]`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Deserialize)]
#[serde(untagged)]
enum Json {
    Number(f64),
    Word(String),
    Null(()),
}

#[derive(Serialize)]
#[serde(untagged)]
enum Out {
    Number(f64),
    Word(&'static str),
    Null(()),
}

fn out(value: f64) -> Out {
    match value {
        _ if value.is_nan() => Out::Null(()),
        f64::INFINITY => Out::Word("inf"),
        f64::NEG_INFINITY => Out::Word("-inf"),
        _ => Out::Number(value),
    }
}

fn read<E: serde::de::Error>(json: Json) -> Result<f64, E> {
    match json {
        Json::Number(value) => Ok(value),
        Json::Null(()) => Ok(f64::NAN),
        Json::Word(word) => match word.as_str() {
            "inf" => Ok(f64::INFINITY),
            "-inf" => Ok(f64::NEG_INFINITY),
            "nan" => Ok(f64::NAN),
            _ => Err(E::custom(format!("`{word}` is neither a number nor inf, -inf or null"))),
        },
    }
}

/// Writes a finite number, `"inf"`, `"-inf"` or `null`.
///
/// # Errors
///
/// Those of the serializer.
pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    out(*value).serialize(serializer)
}

/// Reads what [`serialize`] writes; `null` is NaN.
///
/// # Errors
///
/// Another word than those.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    read(Json::deserialize(deserializer)?)
}

/// The same for lists.
pub mod list {
    use super::{Deserialize, Deserializer, Json, Serializer, out, read};

    /// Writes each as [`super::serialize`] does.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|&v| out(v)))
    }

    /// Reads each as [`super::deserialize`] does.
    ///
    /// # Errors
    ///
    /// A value that is no number.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        Vec::<Json>::deserialize(deserializer)?.into_iter().map(read).collect()
    }
}

/// The same for what may be absent.
pub mod option {
    use super::{Deserialize, Deserializer, Json, Serialize, Serializer, out, read};

    /// Writes the number as [`super::serialize`] does, or `null`.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(out).serialize(serializer)
    }

    /// Reads `null` as `None`.
    ///
    /// # Errors
    ///
    /// A value that is no number.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<f64>, D::Error> {
        match Json::deserialize(d)? {
            Json::Null(()) => Ok(None),
            json => read(json).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Row {
        #[serde(with = "crate::data::json_number")]
        x: f64,
        #[serde(with = "crate::data::json_number::list")]
        xs: Vec<f64>,
    }

    #[test]
    fn infinities_are_words_and_undefined_is_null() {
        let row = Row { x: f64::INFINITY, xs: vec![1.5, f64::NAN, f64::NEG_INFINITY] };
        let json = serde_json::to_string(&row).unwrap();
        assert_eq!(json, r#"{"x":"inf","xs":[1.5,null,"-inf"]}"#);
        let back: Row = serde_json::from_str(&json).unwrap();
        assert_eq!(back.x, f64::INFINITY);
        assert!(back.xs[1].is_nan());
    }
}
