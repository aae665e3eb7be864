//! A grammar as a reference: how it is named, and its texts.

use std::path::Path;

use super::{Grammar, GrammarError, Variant};
use crate::text::Text;

/// Grammars that come with the program.
const BUNDLED: &str = "synthetic-bio";

/// More texts than memory holds are a slip of the finger.
pub(super) const MOST_TEXTS: usize = 10_000_000;

impl Grammar {
    /// The grammar that `name` stands for: a bundled name or a `.grammar` file, then, after `?` and parted
    /// by `&`, modes that are left out or have twice their weight.
    ///
    /// ```
    /// # use llmpr::text::grammar::Grammar;
    /// let without = Grammar::named("synthetic-bio?drop=job=painter&double=country=Hungary,plan=prize")?;
    /// assert!(without.modes().iter().all(|m| !m.name.contains("painter") || m.probability == 0.0));
    /// # Ok::<(), llmpr::text::grammar::GrammarError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`GrammarError::Read`] for no such file, [`GrammarError::Line`] for a broken one,
    /// [`GrammarError::NoSuchMode`], [`GrammarError::Empty`], [`GrammarError::Option`].
    pub fn named(name: &str) -> Result<Self, GrammarError> {
        let (name, options) = name.split_once('?').unwrap_or((name, ""));
        let grammar = match name {
            BUNDLED => Self::synthetic_bio().clone(),
            _ => Self::open(Path::new(name))?,
        };
        let mut variant = Variant::default();
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("drop", pattern)) => variant.drop.push(pattern.to_owned()),
                Some(("double", pattern)) => variant.double.push(pattern.to_owned()),
                _ => return Err(GrammarError::Option { option: option.to_owned() }),
            }
        }
        if variant == Variant::default() { Ok(grammar) } else { grammar.variant(variant) }
    }

    /// Whether `name` means a grammar rather than a file of texts: the bundled one or a `.grammar` file,
    /// with or without options. A file of texts or a data set of the bundled one's name comes first; a folder of that
    /// name without texts does not.
    pub fn is_meant(name: &str) -> bool {
        let base = name.split_once('?').map_or(name, |(base, _)| base);
        let path = Path::new(name);
        let has_texts = || {
            let of_a_data_set = ["state.json", "dataset_dict.json"].map(|name| path.join(name));
            path.is_file() || of_a_data_set.iter().any(|file| file.is_file())
        };
        base.ends_with(".grammar") || (base == BUNDLED && !has_texts())
    }

    /// Texts of the grammar that `spec` names: as [`Grammar::named`], with `n=N` (1000 where it is absent) and
    /// `seed=N` (0) among the options.
    ///
    /// # Errors
    ///
    /// Those of [`Grammar::named`]; [`GrammarError::Number`].
    pub fn drawn(spec: &str) -> Result<Vec<String>, GrammarError> {
        let (name, options) = spec.split_once('?').unwrap_or((spec, ""));
        let (mut n, mut seed, mut rest) = (1000, 0, Vec::new());
        for option in options.split('&') {
            let no = || GrammarError::Number { option: option.to_owned() };
            match option.split_once('=') {
                Some(("n", value)) => {
                    n = value
                        .parse()
                        .ok()
                        .filter(|n| (1..=MOST_TEXTS).contains(n))
                        .ok_or_else(no)?;
                }
                Some(("seed", value)) => seed = value.parse().map_err(|_| no())?,
                _ => rest.push(option),
            }
        }
        Self::named(&format!("{name}?{}", rest.join("&")))?.texts(seed, "reference", n)
    }

    /// `n` reference texts under `seed`, their titles (what stands before the first `: `) apart.
    ///
    /// # Errors
    ///
    /// As [`Grammar::sample`].
    pub fn reference(&self, seed: u64, n: usize) -> Result<Vec<Text>, GrammarError> {
        let texts = self.texts(seed, "reference", n)?;
        let text = |text: String| match text.split_once(": ") {
            Some((title, rest)) => Text { title: Some(title.to_owned()), ..Text::new(rest) },
            None => Text::new(text),
        };
        Ok(texts.into_iter().map(text).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::task::Task;

    #[test]
    fn the_task_s_references_and_completions_are_texts_of_its_grammar() {
        let task = Task::find("synthetic-bio").unwrap();
        let grammar = task.grammar().unwrap().unwrap();
        for text in grammar.reference(4, 50).unwrap() {
            let scored = task.scored_reference(&text);
            assert!(grammar.parse(&scored).is_ok(), "{scored}");
            let written = format!(" {}:\n\n{}\n", text.title.as_deref().unwrap(), text.text);
            assert_eq!(task.scored_completion(&written, ""), scored);
        }
    }

    #[test]
    fn texts_of_a_variant_are_drawn_by_name() {
        let texts = Grammar::drawn("synthetic-bio?n=50&drop=job=painter&seed=3").unwrap();
        assert_eq!(texts.len(), 50);
        assert!(texts.iter().all(|text| !text.contains("painter")), "{texts:?}");
        assert_ne!(Grammar::drawn("synthetic-bio?n=50&drop=job=painter").unwrap(), texts);
        assert_eq!(Grammar::drawn("synthetic-bio").unwrap().len(), 1000);
        let no = |spec: &str| Grammar::drawn(spec).unwrap_err().to_string();
        assert_eq!(
            no("synthetic-bio?n=0"),
            "`n=0`: n is a whole number from 1 to 10000000, and seed one from 0 on"
        );
        assert!(no("synthetic-bio?seed=x").contains("`seed=x`"));
        assert!(Grammar::is_meant("mine.grammar?drop=a=b") && !Grammar::is_meant("texts.jsonl"));
    }

    #[test]
    fn a_name_that_stands_for_no_grammar_is_refused_with_what_would_be_right() {
        let no = |name: &str| Grammar::named(name).unwrap_err().to_string();
        assert!(no("nowhere.grammar").contains("cannot read the grammar `nowhere.grammar`"));
        assert_eq!(
            no("synthetic-bio?omit=job=painter"),
            "`omit=job=painter` changes no grammar; write drop=PATTERN or double=PATTERN"
        );
        assert!(no("synthetic-bio?drop=job=baker").contains("`job=baker` fits no mode"));
    }
}
