//! A reference text as what a model could have written.

use std::borrow::Cow;

use super::{Text, prompt::Prompt, task::Task, template::fill};

impl Task {
    /// The completion of `prompt` that would be compared as the reference text `text` is; `None` where there is none,
    /// because the prompt has begun otherwise than the text or nothing of the text is left.
    ///
    /// It is written as the task's examples are, without the words with which the prompt ends. A task whose prompts begin with
    /// words of a text needs the prompt that begins with those of this one.
    pub fn continuation(&self, text: &Text, prompt: &Prompt) -> Option<String> {
        let wanted = self.scored_reference(text);
        let title = text.title.as_deref().unwrap_or_default();
        let own = self.cut(text.text.trim());
        let shot = self.shot.as_deref().map(|shot| fill(shot, &[("title", title), ("text", &own)]));
        let behind = shot.as_deref().and_then(|shot| shot.strip_prefix(prompt.cue.as_str()));
        // What stands before and behind a completion when it is scored.
        let scored = fill(&self.scored, &[("completion", "\0"), ("prefix", &prompt.prefix)]);
        let inside = scored.split_once('\0').and_then(|(before, after)| {
            own.strip_prefix(before.trim_start())?.strip_suffix(after.trim_end())
        });
        let titled = self.title_end.as_ref().map(|end| format!(" {title}{end} {own}"));
        let candidates = [
            behind.map(Cow::from),
            inside.map(Cow::from),
            titled.map(Cow::from),
            Some((&*own).into()),
        ];
        let is_it = |text: &Cow<'_, str>| {
            !text.trim().is_empty() && self.scored_completion(text, &prompt.prefix) == wanted
        };
        candidates.into_iter().flatten().find(is_it).map(Cow::into_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::prompt::{Pools, Style, render};

    fn of(task: &str, style: Style, title: Option<&str>, text: &str) -> Option<String> {
        let task = Task::find(task).unwrap();
        let text = Text { title: title.map(str::to_owned), ..Text::new(text) };
        let pools = Pools { prefixes: vec![text.clone()], ..Pools::default() };
        task.continuation(&text, &render(&task, style, 0, 0, 0, &pools).unwrap())
    }

    #[test]
    fn a_biography_goes_on_behind_the_cue_as_the_examples_do() {
        for style in [Style::Plain, Style::Chat] {
            let got = of("wikipedia-bio", style, Some("Ada Byron"), " Ada: she counted.\n");
            assert_eq!(got.as_deref(), Some(" Ada Byron:\n\nAda: she counted."), "{style:?}");
        }
    }

    #[test]
    fn a_text_goes_on_behind_its_own_first_words() {
        let text = "one two three four five six seven eight nine ten eleven twelve";
        for style in [Style::Plain, Style::Chat] {
            assert_eq!(of("webtext", style, None, text).as_deref(), Some(" eleven twelve"));
        }
        // The tenth word is the first one, too, with which a chat's answer begins.
        let again = text.replace("ten", "one");
        assert_eq!(of("webtext", Style::Chat, None, &again).as_deref(), Some(" eleven twelve"));
        assert_eq!(of("webtext", Style::Plain, None, "one two three"), None, "nothing is left");
        let long = "word ".repeat(400);
        let words = of("webtext", Style::Plain, None, &long).unwrap().split_whitespace().count();
        assert_eq!(words, 360, "what is compared ends after 370 words");
    }

    #[test]
    fn a_prompt_that_begins_otherwise_has_no_continuation() {
        let story = |text: &str| of("tinystories", Style::Plain, None, text);
        assert_eq!(
            story("Once upon a time there was a cat.").as_deref(),
            Some(" there was a cat.")
        );
        assert_eq!(story("Lily had a cat."), None);
        assert_eq!(story(" "), None);
    }

    #[test]
    fn a_chat_that_is_asked_for_the_text_alone_is_read_without_a_heading() {
        for style in [Style::Plain, Style::Chat] {
            assert_eq!(of("news", style, None, "It rained.").as_deref(), Some("It rained."));
        }
    }

    #[test]
    fn a_task_without_examples_names_the_title_in_the_line() {
        let source = "name = \"t\"\nversion = 1\ndescription = \"d\"\ncue = \"- Life of\"\ntitle_end = \":\"\n\
                      reference = \"{title}: {text}\"";
        let task = Task::parse("t.toml", source).unwrap();
        let text = Text { title: Some("Ada".into()), ..Text::new("She counted.") };
        let prompt = render(&task, Style::Plain, 0, 0, 0, &Pools::default()).unwrap();
        assert_eq!(task.continuation(&text, &prompt).as_deref(), Some(" Ada: She counted."));
    }
}
