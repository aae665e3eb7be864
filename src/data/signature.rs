//! The facts behind a number, in one line that can be quoted beside it.

/// `llmpr:0.1.0|emb:gpt2|l2|pca:0.9(57)|k:4|ties:strict|n:2000/2000|seed:0`.
///
/// Facts keep the order in which they were added; two numbers with one signature are comparable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature(String);

impl Default for Signature {
    fn default() -> Self {
        Self(concat!("llmpr:", env!("CARGO_PKG_VERSION")).to_owned())
    }
}

impl Signature {
    /// Adds `name:value`. A `|` in the value would read as the end of the fact and becomes `/`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.0.push_str(&format!("|{name}:{}", value.to_string().replace('|', "/")));
        self
    }

    /// Adds a fact that is its own name, such as `l2`.
    #[must_use]
    pub fn flag(mut self, name: &str) -> Self {
        self.0.push_str(&format!("|{name}"));
        self
    }
}

impl std::fmt::Display for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_stand_in_the_order_they_were_added() {
        let s = Signature::default().flag("l2").with("k", 4).with("emb", "a|b");
        assert_eq!(s.to_string(), format!("llmpr:{}|l2|k:4|emb:a/b", env!("CARGO_PKG_VERSION")));
    }
}
