//! Tokens that are found in a text before it is cut: turns' marks, runs of spaces, tags.

/// A stretch of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fragment<'a> {
    /// Text that is still to be cut.
    Text(&'a str),
    /// A token that was written out.
    Token(u32),
}

/// Whose the spaces beside a token are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trims {
    /// The text's.
    Nothing,
    /// The token's, where they are in front of it.
    Before,
    /// The token's, where they are behind it.
    Behind,
}

/// The tokens to look for, longest first.
///
/// Each token in its turn takes all its places in what longer ones have left, from the left. That is
/// llama.cpp's order; it differs from the leftmost longest match where two tokens overlap.
#[derive(Debug)]
pub(crate) struct First {
    tokens: Vec<(String, u32, Trims)>,
    by_byte: Vec<Vec<usize>>,
}

impl First {
    /// `tokens` are texts with their ids.
    pub fn new(mut tokens: Vec<(String, u32, Trims)>) -> Self {
        tokens.retain(|(text, _, _)| !text.is_empty());
        tokens.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then(a.1.cmp(&b.1)));
        let mut by_byte = vec![Vec::new(); 256];
        for (place, (text, _, _)) in tokens.iter().enumerate() {
            by_byte[usize::from(text.as_bytes()[0])].push(place);
        }
        Self { tokens, by_byte }
    }

    /// The text in fragments.
    pub(super) fn split<'a>(&self, text: &'a str) -> Vec<Fragment<'a>> {
        let bytes = text.as_bytes();
        let mut found = Vec::new();
        for (at, byte) in bytes.iter().enumerate() {
            let fits = |place: &&usize| bytes[at..].starts_with(self.tokens[**place].0.as_bytes());
            let here = self.by_byte[usize::from(*byte)].iter().filter(fits);
            found.extend(here.map(|place| (*place, at)));
        }
        if found.is_empty() {
            return if text.is_empty() { Vec::new() } else { vec![Fragment::Text(text)] };
        }
        found.sort_unstable();
        let mut free = vec![true; bytes.len()];
        let mut taken = Vec::new();
        for (place, mut start) in found {
            let (token, id, trims) = &self.tokens[place];
            let mut end = start + token.len();
            if free[start..end].contains(&false) {
                continue;
            }
            let space = |at: usize| free[at] && matches!(bytes[at], b' ' | b'\t'..=b'\r');
            while *trims == Trims::Behind && end < bytes.len() && space(end) {
                end += 1;
            }
            while *trims == Trims::Before && start > 0 && space(start - 1) {
                start -= 1;
            }
            free[start..end].fill(false);
            taken.push((start, end, *id));
        }
        taken.sort_unstable();
        let mut fragments = Vec::new();
        let mut at = 0;
        for (start, end, id) in taken {
            if at < start {
                fragments.push(Fragment::Text(&text[at..start]));
            }
            fragments.push(Fragment::Token(id));
            at = end;
        }
        if at < text.len() {
            fragments.push(Fragment::Text(&text[at..]));
        }
        fragments
    }
}

#[cfg(test)]
mod tests {
    use super::{Fragment::*, *};

    fn first(tokens: &[(&str, Trims)]) -> First {
        let numbered = tokens.iter().zip(0..);
        First::new(numbered.map(|((text, trims), id)| ((*text).to_owned(), id, *trims)).collect())
    }

    #[test] // by hand
    fn longer_tokens_take_their_places_first() {
        let plain = ["ab", "bcd", "  ", " ", ""].map(|text| (text, Trims::Nothing));
        let first = first(&plain);
        assert_eq!(first.split("abcd"), [Text("a"), Token(1)]);
        assert_eq!(first.split("abab x"), [Token(0), Token(0), Token(3), Text("x")]);
        assert_eq!(first.split("   "), [Token(2), Token(3)]);
        assert_eq!(first.split("none"), [Text("none")]);
        assert!(first.split("").is_empty());
    }

    #[test] // by hand
    fn a_token_may_take_the_spaces_beside_it() {
        let first =
            first(&[("<a>", Trims::Behind), ("<b>", Trims::Nothing), ("<c>", Trims::Before)]);
        assert_eq!(first.split("<a> \n\tx <b> y"), [Token(0), Text("x "), Token(1), Text(" y")]);
        assert_eq!(first.split("<a>  <a>é"), [Token(0), Token(0), Text("é")]);
        assert_eq!(first.split("x \n<c> y"), [Text("x"), Token(2), Text(" y")]);
        assert_eq!(first.split("<a>  <c>"), [Token(0), Token(2)]);
    }
}
