//! Colors, coordinates and text as SVG writes them.

use super::Look;

/// The class of a color: `c` and its number, `r` on the ramp, or gray.
pub(super) fn class(look: Look) -> String {
    match look.color {
        Look::GRAY => "gray".to_owned(),
        color @ 50..100 => format!("r{}", (color - 50) % Look::RAMP),
        color => format!("c{}", color % Look::COLORS),
    }
}

/// A coordinate with at most one decimal.
pub(super) fn n(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0")
        .map_or(text.clone(), |whole| if whole == "-0" { "0".to_owned() } else { whole.to_owned() })
}

/// Text that is safe in XML and HTML, attributes included.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // XML has no such characters, not even escaped.
            c if c.is_control() && !matches!(c, '\n' | '\t' | '\r') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
