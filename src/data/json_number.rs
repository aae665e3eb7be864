//! Numbers in JSON: `"inf"` and `"-inf"` for the infinities, `null` for what is undefined.
//!
//! For fields: `#[serde(with = "crate::data::json_number")]`; lists: `#[serde(with = "crate::data::json_number::list")]`.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

enum Json {
    Number(f64),
    Null,
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not by trying one form after another: results hold millions of numbers.
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = Json;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a number, inf, -inf or null")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Json, E> {
        match word {
            "inf" => Ok(Json::Number(f64::INFINITY)),
            "-inf" => Ok(Json::Number(f64::NEG_INFINITY)),
            "nan" => Ok(Json::Number(f64::NAN)),
            _ => Err(E::custom(format!("`{word}` is neither a number nor inf, -inf or null"))),
        }
    }
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

fn read(json: Json) -> f64 {
    match json {
        Json::Number(value) => value,
        Json::Null => f64::NAN,
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
    Json::deserialize(deserializer).map(read)
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
        Ok(Vec::<Json>::deserialize(deserializer)?.into_iter().map(read).collect())
    }
}

/// The same for what may be absent.
pub mod option {
    use super::{Deserialize, Deserializer, Json, Serialize, Serializer, out};

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
        Ok(match Json::deserialize(d)? {
            Json::Null => None,
            Json::Number(value) => Some(value),
        })
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
        let back: Row = serde_json::from_str(r#"{"x":-3,"xs":[7,1e300,"nan"]}"#).unwrap();
        assert_eq!((back.x, &back.xs[..2]), (-3.0, &[7.0, 1e300][..]));
        for (x, wrong) in [("\"big\"", "`big` is neither"), ("[]", "expected a number, inf")] {
            let text = format!(r#"{{"x":{x},"xs":[]}}"#);
            let message = serde_json::from_str::<Row>(&text).unwrap_err().to_string();
            assert!(message.contains(wrong), "{message}");
        }
    }
}
