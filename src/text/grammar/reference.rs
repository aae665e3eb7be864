//! A grammar as a reference: how it is named, and its texts.

use std::path::Path;

use super::{Grammar, GrammarError, Variant};
use crate::text::Text;

/// Grammars that come with the program.
const BUNDLED: &str = "synthetic-bio";

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
