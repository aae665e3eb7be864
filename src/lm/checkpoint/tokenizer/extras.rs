//! What stands beside a folder's vocabulary: special tokens and chat templates.

use indexmap::IndexMap;
use serde_json::{Map, Value};
use std::path::Path;

use super::DEFAULT_TEMPLATE;
use crate::lm::{LmError, read_text};

/// The special tokens that chat templates know by name.
pub(crate) const SPECIAL_TOKENS: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// What tokenizer_config.json and its relatives, or a GGUF file, say beside the vocabulary.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extras {
    /// Texts of [`SPECIAL_TOKENS`], as far as there are any.
    pub special_tokens: IndexMap<String, String>,
    /// Jinja sources by name.
    pub chat_templates: IndexMap<String, String>,
    /// Whether a text begins with the first special token; `None` leaves it to the post-processor.
    pub adds_bos: Option<bool>,
}

impl Extras {
    /// Those of a Hugging Face folder; of special tokens tokenizer_config.json goes first.
    ///
    /// # Errors
    ///
    /// [`LmError::Read`] and [`LmError::BadFile`] when a file is there and cannot be used.
    pub(super) fn open(folder: &Path) -> Result<Self, LmError> {
        let config = object(folder, "tokenizer_config.json")?;
        let specials = object(folder, "special_tokens_map.json")?;
        let special = |name: &&str| {
            let text = [&config, &specials].into_iter().find_map(|fields| {
                let token = fields.get(*name)?;
                let text = if token.is_object() { token.get("content")? } else { token };
                text.as_str().map(str::to_owned)
            });
            Some(((*name).to_owned(), text?))
        };
        // Python rebuilds the post-processor of these classes from the flag; other classes ignore it.
        let class = config.get("tokenizer_class").and_then(Value::as_str).unwrap_or_default();
        let flag = config.get("add_bos_token").and_then(Value::as_bool);
        let adds_bos =
            flag.filter(|_| class.starts_with("LlamaTokenizer") || class.starts_with("CodeLlama"));
        Ok(Self {
            special_tokens: SPECIAL_TOKENS.iter().filter_map(special).collect(),
            chat_templates: chat_templates(folder, &config)?,
            adds_bos,
        })
    }
}

/// A file of the folder that holds an object; empty where there is no such file.
fn object(folder: &Path, name: &str) -> Result<Map<String, Value>, LmError> {
    let path = folder.join(name);
    if !path.exists() {
        return Ok(Map::new());
    }
    let bad = |e| LmError::BadFile {
        path: path.display().to_string(),
        what: format!("not a JSON object: {e}"),
    };
    serde_json::from_str(&read_text(&path)?).map_err(bad)
}

/// The templates of a folder by name, where transformers looks for them: chat_template.jinja and
/// `additional_chat_templates/NAME.jinja`; without these, those of tokenizer_config.json; without any, that
/// of a processor's chat_template.json.
fn chat_templates(
    folder: &Path,
    config: &Map<String, Value>,
) -> Result<IndexMap<String, String>, LmError> {
    let mut templates = IndexMap::new();
    let file = folder.join("chat_template.jinja");
    if file.exists() {
        templates.insert(DEFAULT_TEMPLATE.to_owned(), read_text(&file)?);
    }
    let more = std::fs::read_dir(folder.join("additional_chat_templates"));
    let mut more: Vec<_> = more.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    more.sort();
    for file in more.iter().filter(|file| file.extension().is_some_and(|e| e == "jinja")) {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        templates.insert(name, read_text(file)?);
    }
    if templates.is_empty() {
        templates = named(config.get("chat_template"));
    }
    if templates.is_empty() {
        templates = named(object(folder, "chat_template.json")?.get("chat_template"));
    }
    Ok(templates)
}

/// One template as text, or a list of `{name, template}`.
fn named(value: Option<&Value>) -> IndexMap<String, String> {
    let text = |entry: &Value, field: &str| Some(entry.get(field)?.as_str()?.to_owned());
    match value {
        Some(Value::String(text)) => IndexMap::from([(DEFAULT_TEMPLATE.to_owned(), text.clone())]),
        Some(Value::Array(list)) => {
            let pair = |entry: &Value| Some((text(entry, "name")?, text(entry, "template")?));
            list.iter().filter_map(pair).collect()
        }
        _ => IndexMap::new(),
    }
}
