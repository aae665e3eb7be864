//! Templates of tasks: text with names in braces.

/// The template with its `{names}` replaced; `{{` and `}}` are braces. Values are not looked into.
pub(super) fn fill(template: &str, fields: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let tail = &rest[at..];
        out.push_str(&rest[..at]);
        rest = tail;
        if tail.starts_with("{{") || tail.starts_with("}}") {
            out.push_str(&tail[..1]);
            rest = &tail[2..];
            continue;
        }
        // Templates are checked when a task is read; what is no placeholder stands as it is.
        let Some(end) = tail.find('}') else { break };
        let field =
            tail.get(1..end).and_then(|name| fields.iter().find(|(known, _)| *known == name));
        out.push_str(field.map_or(&tail[..=end], |(_, value)| value));
        rest = &tail[end + 1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_once_and_doubled_braces_stay_as_one() {
        let fields = [("title", "{text}"), ("text", "b")];
        assert_eq!(fill("{title}, {text}, {{text}}", &fields), "{text}, b, {text}");
    }

    #[test]
    fn what_is_no_placeholder_stands_as_it_is() {
        assert_eq!(fill("{other} and {", &[("text", "b")]), "{other} and {");
    }
}
