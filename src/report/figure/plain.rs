//! The figures' styles without variables, for programs that know only the CSS of SVG.

use std::{collections::HashMap, fmt::Write, sync::OnceLock};

/// Colors and type of figures, light and dark; they follow what the reader's system prefers.
pub const STYLE: &str = include_str!("figure.css");

/// [`STYLE`] in light colors, every variable put in: what editors, converters and typesetters read.
pub(super) fn style() -> &'static str {
    static PLAIN: OnceLock<String> = OnceLock::new();
    PLAIN.get_or_init(|| resolve(STYLE))
}

/// Puts the variables of the first rules into the others; media rules are left out.
fn resolve(style: &str) -> String {
    let lines = style.lines().filter(|line| !line.starts_with('@'));
    let rules: Vec<(&str, &str)> = lines
        .flat_map(|line| line.split_terminator('}'))
        .filter_map(|rule| rule.trim().split_once('{'))
        .collect();
    let declarations = || {
        rules.iter().flat_map(|(selector, body)| {
            body.split(';').filter_map(move |d| Some((*selector, d.split_once(':')?)))
        })
    };
    // `--ink` and its like stand at the root; `--c` is the color of a class of marks.
    let mut variables: HashMap<&str, &str> = HashMap::new();
    let mut classes: Vec<(&str, &str)> = Vec::new();
    for (selector, (name, value)) in declarations() {
        match name {
            "--c" => classes.push((selector.trim_start_matches(".figure "), value)),
            _ if name.starts_with("--") => drop(variables.insert(name, value)),
            _ => {}
        }
    }
    let value_of = |text: &str| match text.strip_prefix("var(").and_then(|t| t.strip_suffix(')')) {
        Some(name) => variables.get(name).copied().unwrap_or("currentColor").to_owned(),
        None => text.to_owned(),
    };
    let mut out = String::new();
    for (selector, (name, value)) in declarations() {
        match value {
            _ if name.starts_with("--") => {}
            "var(--c)" => {
                for (class, color) in &classes {
                    let _ = writeln!(out, "{selector}{class}{{{name}:{}}}", value_of(color));
                }
            }
            value => {
                let _ = writeln!(out, "{selector}{{{name}:{}}}", value_of(value));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in_class_by_class() {
        let css = ".figure{--ink:#111;font-size:12px}\n.figure{--c0:#00f;--c1:#f00}\n\
                   @media print{.figure{--ink:#000}}\n\
                   .figure text{fill:var(--ink)}.figure .l{fill:none;stroke:var(--c)}\n\
                   .figure .c0{--c:var(--c0)}.figure .c1{--c:var(--c1)}\n";
        let plain = ".figure{font-size:12px}\n.figure text{fill:#111}\n.figure .l{fill:none}\n\
                     .figure .l.c0{stroke:#00f}\n.figure .l.c1{stroke:#f00}\n";
        assert_eq!(resolve(css), plain);
    }

    #[test]
    fn no_variable_is_left() {
        assert!(!style().contains("var(") && !style().contains("--"), "{}", style());
        assert!(style().contains(".figure .l.c0{stroke:#0b5cad}"), "{}", style());
    }
}
