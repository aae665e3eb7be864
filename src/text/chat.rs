//! Chat templates: from turns to the text that a model was tuned on.

use minijinja::{Environment, Error, ErrorKind, Value, value::Kwargs};
use serde::Serialize;

use super::prompt::{Body, Message};

/// Why a chat template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum ChatError {
    /// The template itself is wrong.
    #[error("the model's chat template does not parse, line {line}: {what}")]
    Syntax { line: usize, what: String },
    /// The template refuses these turns.
    #[error("the model's chat template refuses the prompt: {what}")]
    Refused { what: String },
    /// The template fails on these turns.
    #[error("the model's chat template fails, line {line}: {what}")]
    Render { line: usize, what: String },
    /// `--chat always` without a template.
    #[error(
        "`{model}` has no chat template; use --chat never, or a model that was tuned on conversations"
    )]
    Missing { model: String },
    /// A word that is no [`ChatMode`].
    #[error("`{word}` is no chat mode; use auto, never or always")]
    NoMode { word: String },
    /// A word that is no [`Date`].
    #[error("`{word}` is no date; write it as 2024-07-26")]
    NoDate { word: String },
}

/// When prompts go through the model's chat template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChatMode {
    /// Where the model has one.
    #[default]
    Auto,
    /// Never.
    Never,
    /// Always; a model without is an error.
    Always,
}

impl std::str::FromStr for ChatMode {
    type Err = ChatError;

    fn from_str(word: &str) -> Result<Self, ChatError> {
        match word {
            "auto" => Ok(Self::Auto),
            "never" => Ok(Self::Never),
            "always" => Ok(Self::Always),
            _ => Err(ChatError::NoMode { word: word.to_owned() }),
        }
    }
}

impl ChatMode {
    /// Whether the template is used for `model`, which has one or not.
    ///
    /// # Errors
    ///
    /// [`ChatError::Missing`].
    pub fn applies(self, has_template: bool, model: &str) -> Result<bool, ChatError> {
        match self {
            Self::Always if !has_template => Err(ChatError::Missing { model: model.to_owned() }),
            Self::Always => Ok(true),
            Self::Never => Ok(false),
            Self::Auto => Ok(has_template),
        }
    }
}

/// A parsed chat template of a model.
///
/// Rendered text holds the special tokens itself, so it is encoded without adding any.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    bos: Option<String>,
    eos: Option<String>,
}

const NAME: &str = "chat";

impl ChatTemplate {
    /// Parses `source`, as found in `tokenizer_config.json`, `chat_template.jinja` or a GGUF file.
    ///
    /// `bos` and `eos` are the texts of the special tokens, which templates write themselves.
    ///
    /// # Errors
    ///
    /// [`ChatError::Syntax`].
    pub fn new(source: &str, bos: Option<&str>, eos: Option<&str>) -> Result<Self, ChatError> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_keep_trailing_newline(false);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, format!("{REFUSED}{message}")))
        });
        environment.add_filter("tojson", tojson);
        environment.add_template_owned(NAME, without_generation(source)).map_err(|error| {
            ChatError::Syntax { line: error.line().unwrap_or(1), what: reason(&error) }
        })?;
        let own = |token: Option<&str>| token.map(str::to_owned);
        Ok(Self { environment, bos: own(bos), eos: own(eos) })
    }

    /// The text of `messages`, ready for the model to answer.
    ///
    /// `date` is what `strftime_now` tells templates that write a date.
    ///
    /// # Errors
    ///
    /// [`ChatError::Refused`] with the template's own words, [`ChatError::Render`].
    pub fn render(&self, messages: &[Message], date: Date) -> Result<String, ChatError> {
        let failed = |error: Error| {
            let message = reason(&error);
            match message.split_once(REFUSED) {
                Some((_, what)) => ChatError::Refused { what: what.to_owned() },
                None => ChatError::Render { line: error.line().unwrap_or(1), what: message },
            }
        };
        let template = self.environment.get_template(NAME).map_err(failed)?;
        let strftime = Value::from_function(move |format: String| date.format(&format));
        template
            .render(minijinja::context! {
                messages => messages,
                bos_token => self.bos,
                eos_token => self.eos,
                add_generation_prompt => true,
                strftime_now => strftime,
            })
            .map_err(failed)
    }

    /// The text of a prompt: the turns rendered and the start of the answer behind them, or the plain
    /// text as it is.
    ///
    /// # Errors
    ///
    /// Those of [`ChatTemplate::render`].
    pub fn prompt(&self, body: &Body, date: Date) -> Result<String, ChatError> {
        match body {
            Body::Plain(text) => Ok(text.clone()),
            Body::Chat { messages, start } => Ok(self.render(messages, date)? + start),
        }
    }
}

/// Marks what a template itself refuses.
const REFUSED: &str = "\u{1}refused: ";

fn reason(error: &Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}

/// The template without `{% generation %}` marks, which only tell trainers what the model wrote.
fn without_generation(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let Some(end) = rest[at..].find("%}").map(|end| at + end + 2) else { break };
        let tag = rest[at + 2..end - 2].trim_matches(['-', '+']).trim();
        out.push_str(&rest[..at]);
        if tag == "generation" || tag == "endgeneration" {
            // Another statement in its place keeps what the tag trims around itself.
            let other = if tag == "generation" { "if true" } else { "endif" };
            out.push_str(&rest[at..end].replace(tag, other));
        } else {
            out.push_str(&rest[at..end]);
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// Hugging Face's `tojson`: as `json.dumps` writes, letters beyond ASCII as they are, nothing escaped for HTML.
fn tojson(value: Value, kwargs: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = kwargs.get("indent")?;
    for ignored in ["ensure_ascii", "sort_keys", "separators"] {
        let _: Option<Value> = kwargs.get(ignored)?;
    }
    kwargs.assert_all_used()?;
    let bad = |error: serde_json::Error| Error::new(ErrorKind::BadSerialization, error.to_string());
    let json = serde_json::to_value(&value).map_err(bad)?;
    Ok(match indent {
        Some(indent) => {
            let mut out = Vec::new();
            let spaces = " ".repeat(indent);
            let formatter = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
            json.serialize(&mut serde_json::Serializer::with_formatter(&mut out, formatter))
                .map_err(bad)?;
            String::from_utf8_lossy(&out).into_owned()
        }
        None => spaced(&json),
    })
}

/// `json.dumps` puts a space after `,` and `:`.
fn spaced(json: &serde_json::Value) -> String {
    match json {
        serde_json::Value::Array(items) => {
            format!("[{}]", items.iter().map(spaced).collect::<Vec<_>>().join(", "))
        }
        serde_json::Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| {
                format!("{}: {}", serde_json::Value::from(name.as_str()), spaced(value))
            });
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        leaf => leaf.to_string(),
    }
}

/// A calendar day, as templates that write a date see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// Such as 2024.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

impl Default for Date {
    /// 26 July 2024, the day that Llama 3's own template falls back to: prompts do not change daily.
    fn default() -> Self {
        Self { year: 2024, month: 7, day: 26 }
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl std::str::FromStr for Date {
    type Err = ChatError;

    /// `2024-07-26`.
    fn from_str(word: &str) -> Result<Self, ChatError> {
        let no = || ChatError::NoDate { word: word.to_owned() };
        let mut parts = word.split('-');
        let mut number = || parts.next().and_then(|part| part.parse::<u16>().ok());
        let (Some(year), Some(month @ 1..=12), Some(day @ 1..=31), None) =
            (number(), number(), number(), number())
        else {
            return Err(no());
        };
        Ok(Self { year, month: month as u8, day: day as u8 })
    }
}

impl Date {
    /// C's `strftime` for the letters that templates use: `%d %b %B %m %Y %y %H %M %S %-d`.
    fn format(self, format: &str) -> String {
        let month = MONTHS[usize::from(self.month.clamp(1, 12)) - 1];
        let mut out = String::new();
        let mut letters = format.chars();
        while let Some(c) = letters.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            match letters.next() {
                Some('d') => out.push_str(&format!("{:02}", self.day)),
                Some('b') => out.push_str(&month[..3]),
                Some('B') => out.push_str(month),
                Some('m') => out.push_str(&format!("{:02}", self.month)),
                Some('Y') => out.push_str(&self.year.to_string()),
                Some('y') => out.push_str(&format!("{:02}", self.year % 100)),
                Some('H' | 'M' | 'S') => out.push_str("00"),
                Some('-') => match letters.next() {
                    Some('d') => out.push_str(&self.day.to_string()),
                    Some('m') => out.push_str(&self.month.to_string()),
                    other => out.extend(['%', '-'].into_iter().chain(other)),
                },
                other => out.extend(std::iter::once('%').chain(other)),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests;
