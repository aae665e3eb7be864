//! Jinja as transformers sets it up: Python's values, its own `tojson`, and functions that templates call.

use minijinja::{
    Environment, Error, ErrorKind, Output, State, Value,
    value::{Rest, ValueKind},
};

use super::{bounds, filters, methods, printf, source, text_of};

/// Marks what a template itself refuses.
pub(super) const REFUSED: &str = "\u{1}refused: ";

/// An environment without templates.
pub(super) fn python_like() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_keep_trailing_newline(false);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_unknown_method_callback(methods::call);
    environment.set_formatter(print);
    environment.add_function("raise_exception", |message: Value| -> Result<Value, Error> {
        let message = text_of::str(&message);
        Err(Error::new(ErrorKind::InvalidOperation, format!("{REFUSED}{message}")))
    });
    environment.add_function(source::REMAINDER, |left: Value, right: Value| {
        printf::remainder(&left, &right)
    });
    environment.add_function(source::ITERABLE, iterable);
    environment.add_function(source::KEPT, bounds::kept);
    environment.add_function("joiner", minijinja_contrib::globals::joiner);
    environment
        .add_function("cycler", |items: Rest<Value>| minijinja_contrib::globals::cycler(items.0));
    filters::add(&mut environment);
    environment.add_test("number", |value: &Value| {
        matches!(value.kind(), ValueKind::Number | ValueKind::Bool)
    });
    environment.add_test("sequence", |value: &Value| {
        use ValueKind::{Map, Seq, String, Undefined};
        matches!(value.kind(), Seq | String | Map | Undefined)
    });
    environment.add_test("iterable", |value: &Value| iterable(value.clone()).is_ok());
    environment.add_test("callable", |value: &Value| value.kind() == ValueKind::Plain);
    environment
}

/// What a loop goes through: a string's letters, and everything else but what Python cannot loop over.
fn iterable(value: Value) -> Result<Value, Error> {
    let kind = match value.kind() {
        ValueKind::None => "NoneType",
        ValueKind::Bool => "bool",
        ValueKind::Number if value.is_integer() => "int",
        ValueKind::Number => "float",
        ValueKind::String => {
            let letters = value.as_str().unwrap_or_default().chars();
            return Ok(letters.map(|letter| Value::from(letter.to_string())).collect());
        }
        _ => return Ok(value),
    };
    let what = format!("'{kind}' object is not iterable");
    Err(Error::new(ErrorKind::InvalidOperation, what))
}

/// What `{{ value }}` writes.
fn print(out: &mut Output, _: &State, value: &Value) -> Result<(), Error> {
    let written = match value.as_str() {
        Some(text) => {
            bounds::count(text.len())?;
            out.write_str(text)
        }
        None => {
            let text = text_of::str(value);
            bounds::count(text.len())?;
            out.write_str(&text)
        }
    };
    written.map_err(|_| Error::new(ErrorKind::WriteFailure, "cannot write"))
}
