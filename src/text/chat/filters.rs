//! Jinja's filters where minijinja has others or none.

use minijinja::{
    Environment, Error, ErrorKind, Value,
    value::{Kwargs, Rest, ValueKind},
};

use super::{methods, printf, text_of};

/// Adds the filters that minijinja lacks or has otherwise.
pub(super) fn add(environment: &mut Environment<'static>) {
    environment
        .add_filter("tojson", |value: Value, options: Kwargs| text_of::tojson(&value, options));
    environment.add_filter("string", |value: Value| text_of::str(&value));
    environment.add_filter("format", |format: &str, values: Rest<Value>, named: Kwargs| {
        let by_name: Vec<(String, Value)> = named
            .args()
            .map(|name| Ok((name.to_owned(), named.get(name)?)))
            .collect::<Result<_, Error>>()?;
        match by_name.is_empty() {
            true => printf::printf(format, &values),
            false => printf::printf(format, &[Value::from_iter(by_name)]),
        }
    });
    environment.add_filter("trim", |text: Value, set: Option<String>| {
        let inside =
            |c: char| set.as_ref().map_or_else(|| methods::is_space(c), |set| set.contains(c));
        text_of::str(&text).trim_matches(inside).to_owned()
    });
    environment.add_filter("join", join);
    environment.add_filter("length", length);
    environment.add_filter("count", length);
    environment.add_filter("int", |value: Value, default: Option<i64>, base: Option<u32>| {
        let number = || match value.as_str() {
            Some(text) => whole(text.trim(), base.unwrap_or(10)),
            None => f64::try_from(value.clone()).ok().map(|number| number.trunc() as i64),
        };
        let exact = i64::try_from(value.clone()).ok().filter(|_| value.as_str().is_none());
        exact.or_else(number).unwrap_or(default.unwrap_or(0))
    });
    environment.add_filter("float", |value: Value, default: Option<f64>| {
        let number = match value.as_str() {
            Some(text) => text.trim().parse().ok(),
            None => f64::try_from(value.clone()).ok(),
        };
        number.unwrap_or(default.unwrap_or(0.0))
    });
    // An attribute of a dict is none of its keys.
    environment.add_filter("attr", |value: Value, name: &str| match value.kind() {
        ValueKind::Map => Ok(Value::UNDEFINED),
        _ => value.get_attr(name),
    });
    environment.add_filter("wordcount", |text: Value| {
        let inside = |c: char| c.is_alphanumeric() || c == '_';
        text_of::str(&text).split(|c| !inside(c)).filter(|word| !word.is_empty()).count()
    });
    environment.add_filter("title", |text: Value| title(&text_of::str(&text)));
    environment.add_filter("center", |text: Value, width: Option<usize>| {
        let text = text_of::str(&text);
        methods::centered(&text, width.unwrap_or(80), " ")
    });
    environment.add_filter("round", round);
    environment.add_filter("indent", indent);
    environment.add_filter("sum", |values: Value, options: Kwargs| {
        let attribute: Option<Value> = options.get("attribute")?;
        let start: Option<Value> = options.get("start")?;
        options.assert_all_used()?;
        let mut sum = start.unwrap_or_else(|| Value::from(0));
        for value in values.try_iter()? {
            let value =
                attribute.as_ref().map_or(Ok(value.clone()), |name| value.get_item(name))?;
            sum = add_numbers(&sum, &value)?;
        }
        Ok::<_, Error>(sum)
    });
}

fn add_numbers(a: &Value, b: &Value) -> Result<Value, Error> {
    if let (true, true, Ok(a), Ok(b)) =
        (a.is_integer(), b.is_integer(), i64::try_from(a.clone()), i64::try_from(b.clone()))
        && let Some(sum) = a.checked_add(b)
    {
        return Ok(Value::from(sum));
    }
    Ok(Value::from(f64::try_from(a.clone())? + f64::try_from(b.clone())?))
}

/// Jinja's `title`: words begin behind spaces, dashes and opening brackets, not behind apostrophes.
fn title(text: &str) -> String {
    let mut begins = true;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match begins {
            true => out.extend(c.to_uppercase()),
            false => out.extend(c.to_lowercase()),
        }
        begins = methods::is_space(c) || "-({[<".contains(c);
    }
    out
}

/// Python's `round`, which takes halves to even numbers.
fn round(value: Value, precision: Option<i32>) -> Result<Value, Error> {
    let precision = precision.unwrap_or(0);
    let number = f64::try_from(value.clone())?;
    let rounded = match usize::try_from(precision) {
        Ok(precision) => format!("{number:.*}", precision.min(300)).parse().unwrap_or(number),
        Err(_) => {
            let unit = 10f64.powi(-precision);
            (number / unit).round_ties_even() * unit
        }
    };
    Ok(if value.is_integer() { Value::from(rounded as i64) } else { Value::from(rounded) })
}

/// Jinja's `indent`: by so many spaces or by a text; blank lines and the first stay unless asked for.
fn indent(
    text: Value,
    width: Option<Value>,
    first: Option<bool>,
    blank: Option<bool>,
    named: Kwargs,
) -> Result<String, Error> {
    let width = width.map_or_else(|| named.get("width"), |width| Ok(Some(width)))?;
    let first = first.map_or_else(|| named.get("first"), |first| Ok(Some(first)))?.unwrap_or(false);
    let blank = blank.map_or_else(|| named.get("blank"), |blank| Ok(Some(blank)))?.unwrap_or(false);
    named.assert_all_used()?;
    let by = match width {
        None => " ".repeat(4),
        Some(width) => match width.as_str() {
            Some(by) => by.to_owned(),
            None => " ".repeat(usize::try_from(width)?.min(1000)),
        },
    };
    let text = text_of::str(&text);
    let mut out = String::new();
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            out.push('\n');
        }
        if if at == 0 { first } else { blank || !line.is_empty() } {
            out.push_str(&by);
        }
        out.push_str(line);
    }
    Ok(out)
}

fn length(value: Value) -> Result<usize, Error> {
    let refused = || {
        let what = format!("object of type {} has no len()", value.kind());
        Error::new(ErrorKind::InvalidOperation, what)
    };
    if value.is_undefined() { Ok(0) } else { value.len().ok_or_else(refused) }
}

/// What `int(text, base)` of Python reads, and for decimals what is before the point.
fn whole(text: &str, base: u32) -> Option<i64> {
    let decimal = || text.parse::<f64>().ok().filter(|n| n.is_finite()).map(|n| n.trunc() as i64);
    let base = if (2..=36).contains(&base) { base } else { 10 };
    i64::from_str_radix(&text.replace('_', ""), base).ok().or_else(decimal)
}

/// Jinja's `join`, with its `attribute`.
fn join(values: Value, by: Option<String>, options: Kwargs) -> Result<String, Error> {
    let by = by.map_or_else(|| options.get("d"), |by| Ok(Some(by)))?;
    let attribute: Option<Value> = options.get("attribute")?;
    options.assert_all_used()?;
    let text = |value: Value| {
        let value = match attribute.as_ref() {
            Some(name) => value.get_item(name)?,
            None => value,
        };
        Ok(text_of::str(&value))
    };
    let texts: Vec<String> = values.try_iter()?.map(text).collect::<Result<_, Error>>()?;
    Ok(texts.join(&by.unwrap_or_default()))
}
