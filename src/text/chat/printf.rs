//! `%`, which formats where its left side is a string.

use minijinja::{Error, ErrorKind, Value, value::ValueKind};

use super::text_of::{repr, str};

fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, what.to_owned())
}

/// `left % right`, where `right` are the members of a tuple or the one operand.
///
/// # Errors
///
/// What Python refuses: operands that are neither, too few or too many values, an unknown directive.
pub(super) fn remainder(left: &Value, right: &Value) -> Result<Value, Error> {
    let values: Vec<Value> = right.try_iter()?.collect();
    if let Some(format) = left.as_str() {
        return printf(format, &values).map(Value::from);
    }
    let [right] = values.as_slice() else {
        return Err(invalid("% of a number takes one number"));
    };
    let refused = || {
        let what = format!("tried to use % on a {} and a {}", left.kind(), right.kind());
        Error::new(ErrorKind::InvalidOperation, what)
    };
    if let (Ok(a), Ok(b)) = (i64::try_from(left.clone()), i64::try_from(right.clone()))
        && (left.is_integer() || left.kind() == ValueKind::Bool)
    {
        let rest = a.checked_rem(b).ok_or_else(|| invalid("integer modulo by zero"))?;
        return Ok(Value::from(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }));
    }
    let number = |value: &Value| f64::try_from(value.clone()).map_err(|_| refused());
    let (a, b) = (number(left)?, number(right)?);
    let rest = a % b;
    Ok(Value::from(if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }))
}

/// `format % values`.
///
/// # Errors
///
/// As [`remainder`].
pub(super) fn printf(format: &str, values: &[Value]) -> Result<String, Error> {
    let mut out = String::new();
    let mut rest = format;
    let mut next = values.iter();
    let mut named = false;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let mut key = None;
        if let Some(tail) = rest.strip_prefix('(') {
            let (name, after) =
                tail.split_once(')').ok_or_else(|| invalid("incomplete format key"))?;
            key = Some(name);
            named = true;
            rest = after;
        }
        let directive = Directive::read(&mut rest)?;
        if directive.kind == '%' {
            out.push('%');
            continue;
        }
        let value = match key {
            Some(name) => values.first().and_then(|map| map.get_attr(name).ok()),
            None => next.next().cloned(),
        };
        let value = value.ok_or_else(|| invalid("not enough arguments for format string"))?;
        out.push_str(&directive.write(&value)?);
    }
    // A dict that no directive names is not left over.
    if !named && next.next().is_some_and(|value| value.kind() != ValueKind::Map) {
        return Err(invalid("not all arguments converted during string formatting"));
    }
    out.push_str(rest);
    Ok(out)
}

/// What stands behind a `%`.
struct Directive {
    left: bool,
    zeros: bool,
    sign: Option<char>,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
    kind: char,
}

impl Directive {
    fn read(rest: &mut &str) -> Result<Self, Error> {
        let flags = rest.len() - rest.trim_start_matches(['-', '0', '+', ' ', '#']).len();
        let (flags, mut tail) = rest.split_at(flags);
        let mut number = || {
            let digits = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
            let (digits, after) = tail.split_at(digits);
            tail = after;
            digits.parse::<usize>().ok().map(|n| n.min(10_000))
        };
        let width = number().unwrap_or(0);
        let mut precision = None;
        if let Some(after) = tail.strip_prefix('.') {
            let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
            precision = Some(after[..digits].parse::<usize>().unwrap_or(0).min(10_000));
            tail = &after[digits..];
        }
        let tail = tail.trim_start_matches(['l', 'h', 'L']);
        let kind = tail.chars().next().ok_or_else(|| invalid("incomplete format"))?;
        *rest = &tail[kind.len_utf8()..];
        let sign = ['+', ' '].into_iter().find(|sign| flags.contains(*sign));
        let (left, zeros, alternate) =
            (flags.contains('-'), flags.contains('0'), flags.contains('#'));
        Ok(Self { left, zeros, sign, alternate, width, precision, kind })
    }

    fn write(&self, value: &Value) -> Result<String, Error> {
        let real = || {
            let refused = || invalid("must be real number, not another value");
            f64::try_from(value.clone()).map_err(|_| refused())
        };
        let whole = || real().map(|number| number.trunc() as i128);
        let precision = self.precision.unwrap_or(6);
        let (sign, body) = match self.kind {
            's' | 'r' | 'a' | 'c' => {
                let text = if matches!(self.kind, 's' | 'c') { str(value) } else { repr(value) };
                ("", text.chars().take(self.precision.unwrap_or(usize::MAX)).collect())
            }
            'd' | 'i' | 'u' => signed(whole()? < 0, whole()?.unsigned_abs().to_string()),
            'x' | 'X' | 'o' => {
                let n = whole()?;
                let (mark, digits) = match self.kind {
                    'x' => ("0x", format!("{:x}", n.unsigned_abs())),
                    'X' => ("0X", format!("{:X}", n.unsigned_abs())),
                    _ => ("0o", format!("{:o}", n.unsigned_abs())),
                };
                signed(n < 0, if self.alternate { mark.to_owned() + &digits } else { digits })
            }
            'f' | 'F' => {
                let n = real()?;
                signed(n < 0.0, format!("{:.precision$}", n.abs()))
            }
            'e' | 'E' => {
                let n = real()?;
                signed(n < 0.0, exponential(n.abs(), precision))
            }
            'g' | 'G' => {
                let n = real()?;
                signed(n < 0.0, general(n.abs(), precision.max(1)))
            }
            _ => return Err(invalid("unsupported format character")),
        };
        let body = if self.kind.is_uppercase() { body.to_uppercase() } else { body };
        let numeric = !matches!(self.kind, 's' | 'r' | 'a' | 'c');
        let sign = match self.sign {
            Some(plus) if numeric && sign.is_empty() => plus.to_string(),
            _ => sign.to_owned(),
        };
        let room = self.width.saturating_sub(sign.len() + body.chars().count());
        Ok(match (self.left, self.zeros && numeric) {
            (true, _) => sign + &body + &" ".repeat(room),
            (false, true) => sign + &"0".repeat(room) + &body,
            (false, false) => " ".repeat(room) + &sign + &body,
        })
    }
}

fn signed(negative: bool, digits: String) -> (&'static str, String) {
    (if negative { "-" } else { "" }, digits)
}

fn exponential(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// C's `%g`: as many digits as `precision`, zeros at the end left out.
fn general(number: f64, precision: usize) -> String {
    let scientific = exponential(number, precision - 1);
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let bare = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if number == 0.0 || (-4..precision as i32).contains(&exponent) {
        let decimals = (precision as i32 - 1 - exponent).max(0) as usize;
        return bare(&format!("{number:.decimals$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", bare(digits), exponent.abs())
}
