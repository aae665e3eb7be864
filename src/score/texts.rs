//! What a score needs to know of texts beside their features.

/// One side's texts, row `i` of each list beside row `i` of the features.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextFacts {
    /// Token ids of each text, of one tokenizer on both sides.
    pub tokens: Vec<Vec<u32>>,
    /// Whether each text was cut at a token limit; empty where that is not known.
    pub cut: Vec<bool>,
    /// Whether each text has no word; empty where that is not known. Embedders may put a token in its place.
    pub blank: Vec<bool>,
    /// Which prompt each text answers; empty where there is no prompt. Half-samples keep the texts
    /// of one prompt together.
    pub prompts: Vec<u64>,
}

impl TextFacts {
    /// The facts of the rows named by `indices`, in that order.
    pub fn select(&self, indices: &[usize]) -> Self {
        fn pick<T: Clone>(of: &[T], indices: &[usize]) -> Vec<T> {
            indices.iter().filter_map(|&i| of.get(i)).cloned().collect()
        }
        Self {
            tokens: pick(&self.tokens, indices),
            cut: pick(&self.cut, indices),
            blank: pick(&self.blank, indices),
            prompts: pick(&self.prompts, indices),
        }
    }

    /// Token ids of `texts` where no tokenizer is at hand: words, numbered as they come up in the
    /// reference and then in the samples.
    pub fn of_words(
        texts: crate::data::sides::Sides<&[String]>,
    ) -> crate::data::sides::Sides<Self> {
        let mut numbers = std::collections::HashMap::new();
        texts.map(|texts| {
            let words = |text: &String| {
                text.split_whitespace()
                    .map(|word| {
                        let next = numbers.len() as u32;
                        *numbers.entry(word.to_owned()).or_insert(next)
                    })
                    .collect()
            };
            Self { tokens: texts.iter().map(words).collect(), ..Self::default() }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::sides::Sides;

    #[test]
    fn a_word_has_one_number_on_both_sides() {
        let texts = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let (p, q) = (texts(&["a b a"]), texts(&["b c", ""]));
        let facts = TextFacts::of_words(Sides { reference: &p, model: &q });
        assert_eq!(facts.reference.tokens, [vec![0, 1, 0]]);
        assert_eq!(facts.model.tokens, [vec![1, 2], vec![]]);
    }
}
