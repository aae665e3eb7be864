//! The facts behind a number, in one line that can be quoted beside it.

use sha2::{Digest, Sha256};

use super::hex::hex;

/// `llmpr:0.1.0|emb:5d0c…|ref:91aa…|l2|pca:0.9(57)|k:4|ties:strict|n:2000/2000|seed:0`.
///
/// Facts keep the order in which they were added. Whatever a number was made of stands there by its
/// content ([`content`]), never by a name or a path, so two numbers with one signature are comparable.
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

    /// Adds facts that are joined already: `emb:5d0c…|pool:mean`.
    #[must_use]
    pub fn joined(mut self, facts: &str) -> Self {
        self.0.push_str(&format!("|{facts}"));
        self
    }
}

impl std::fmt::Display for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hexadecimal digits of a hash that stand in a signature: 48 bits.
const DIGITS: usize = 12;

/// A hash as signatures show it: its first twelve digits.
pub fn short(hash: &str) -> &str {
    hash.get(..DIGITS).unwrap_or(hash)
}

/// What stands in a signature for parts by their content. The length of each goes in before its bytes, so
/// that no two lists of parts read alike.
pub fn content(parts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    short(&hex(hasher.finalize())).to_owned()
}

/// Facts that keep two numbers apart where they differ, with a word for each.
const APART: [(&str, &str); 18] = [
    ("ref", "reference"),
    ("emb", "embedder"),
    ("tok", "tokenizer"),
    ("pool", "pooling"),
    ("cut", "token limit"),
    ("prec", "number type"),
    ("prompts", "prompts"),
    ("P", "first model"),
    ("task", "task"),
    ("bins", "number of bins"),
    ("pca", "reduction"),
    ("k", "neighbor rank"),
    ("ties", "rule for ties"),
    ("n", "sizes"),
    ("c", "scaling of MAUVE"),
    ("clusters", "clusters"),
    ("mauve-clusters", "clusters of MAUVE"),
    ("kind", "kind of rows"),
];

/// A fact in which two signatures differ.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Difference {
    /// What it is about, in words: `reference`.
    pub what: &'static str,
    /// What both say, where they say anything.
    pub values: [Option<String>; 2],
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b] = self.values.each_ref().map(|value| value.as_deref().unwrap_or("unsaid"));
        write!(f, "{} ({a} and {b})", self.what)
    }
}

/// Whether a signature says what the reference was. Those of version 0.1.0 do not, and call an embedder by
/// its name or path.
pub fn identifies(signature: &str) -> bool {
    fact(signature, "ref").is_some()
}

/// Why numbers of two signatures cannot be held against each other; empty where they can.
///
/// What is compared may differ (`Q`, the seed of draws), and so may how intervals were made. What one of
/// them does not say is a difference only where it decides the rows: a family of measures that one score
/// lacks is not compared in any case.
pub fn differences(a: &str, b: &str) -> Vec<Difference> {
    let old = identifies(a) != identifies(b);
    let of = |&(name, what): &(&'static str, &'static str)| {
        let values = [a, b].map(|signature| known(signature, name));
        let apart = match &values {
            [Some(a), Some(b)] => a != b,
            [None, None] => false,
            // Texts without a prompt were drawn from whatever prompt.
            _ => ["ref", "emb", "tok", "pool", "prec", "P"].contains(&name),
        };
        apart.then_some(Difference { what, values })
    };
    // An old signature names what a new one hashes: all of it differs, and only one thing is to be said.
    let asked = APART.iter().filter(|(name, _)| {
        !old || !["emb", "tok", "pool", "cut", "prec", "prompts", "P"].contains(name)
    });
    asked.filter_map(of).collect()
}

/// The value of a fact as it is compared; what it depends on beside settings is left out.
fn known(signature: &str, name: &str) -> Option<String> {
    match name {
        // How many components hold the share depends on the rows.
        "pca" => {
            fact(signature, name).map(|value| value.split('(').next().unwrap_or("").to_owned())
        }
        "kind" => {
            let flags = signature.split('|').filter(|fact| !fact.contains(':'));
            Some(flags.collect::<Vec<_>>().join(" ")).filter(|flags| !flags.is_empty())
        }
        _ => fact(signature, name).map(str::to_owned),
    }
}

fn fact<'a>(signature: &'a str, name: &str) -> Option<&'a str> {
    signature.split('|').find_map(|fact| fact.strip_prefix(name)?.strip_prefix(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_stand_in_the_order_they_were_added() {
        let s = Signature::default().flag("l2").with("k", 4).with("emb", "a|b").joined("c:1|d:2");
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(s.to_string(), format!("llmpr:{version}|l2|k:4|emb:a/b|c:1|d:2"));
    }

    #[test] // sha256 of two little-endian lengths of 1 and the two bytes, by Python's hashlib
    fn content_is_told_by_twelve_digits_and_knows_where_parts_end() {
        let of = |parts: &[&str]| content(parts);
        assert_eq!(of(&["a", "b"]), "cf6ab613e394");
        assert_ne!(of(&["a", "b"]), of(&["ab"]));
        assert_ne!(of(&["a", ""]), of(&["a"]));
        assert_eq!(short("0123456789abcdef"), "0123456789ab");
    }

    const NEW: &str = "llmpr:0.1.0|emb:e1|tok:t1|pool:mean|cut:64|prec:cpu-f32|ref:r1|prompts:p1|l2|\
                       pca:0.9(57)|k:4|ties:strict|n:100/100|resamples:200x50|c:5|clusters:20x5|seed:0";
    const OLD: &str =
        "llmpr:0.1.0|emb:/home/me/gpt2|l2|pca:0.9(57)|k:4|ties:strict|n:100/100|seed:0";

    fn words(a: &str, b: &str) -> Vec<&'static str> {
        differences(a, b).iter().map(|difference| difference.what).collect()
    }

    #[test]
    fn every_fact_that_decides_a_number_keeps_two_apart() {
        for (from, to, what) in [
            ("ref:r1", "ref:r2", "reference"),
            ("emb:e1", "emb:e2", "embedder"),
            ("tok:t1", "tok:t2", "tokenizer"),
            ("pool:mean", "pool:last", "pooling"),
            ("cut:64", "cut:128", "token limit"),
            ("prec:cpu-f32", "prec:cuda-bf16", "number type"),
            ("prompts:p1", "prompts:p2", "prompts"),
            ("|l2|", "|unscaled|", "kind of rows"),
            ("pca:0.9(57)", "pca:none", "reduction"),
            ("k:4", "k:5", "neighbor rank"),
            ("strict", "inclusive", "rule for ties"),
            ("n:100/100", "n:90/90", "sizes"),
            ("c:5", "c:1", "scaling of MAUVE"),
            ("clusters:20x5", "clusters:19x5", "clusters"),
        ] {
            assert_eq!(words(NEW, &NEW.replace(from, to)), [what], "{from}");
        }
    }

    #[test]
    fn what_moves_no_expectation_keeps_none_apart() {
        for (from, to) in [
            ("seed:0", "seed:1"),
            ("resamples:200x50", "resamples:20x50"),
            ("pca:0.9(57)", "pca:0.9(58)"),
            ("|prompts:p1", ""),
            ("|c:5|clusters:20x5", ""),
        ] {
            assert_eq!(words(NEW, &NEW.replace(from, to)), [""; 0], "{from}");
        }
    }

    #[test]
    fn a_signature_of_0_1_0_is_comparable_with_its_like_alone() {
        assert!(!identifies(OLD) && identifies(NEW));
        assert_eq!(words(OLD, OLD), [""; 0]);
        assert_eq!(words(OLD, &OLD.replace("gpt2", "bert")), ["embedder"]);
        assert_eq!(words(OLD, NEW), ["reference"]);
        assert_eq!(differences(OLD, NEW)[0].to_string(), "reference (unsaid and r1)");
    }
}
