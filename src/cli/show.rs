//! `llmpr show`: the texts of a cell, each with what is known of it.

use std::{fmt::Write, path::PathBuf};

use anyhow::bail;

use super::flags::{FactsFlag, FactsFormat, OutFlag};
use crate::{
    report::{
        attribution::{COPY, Shared},
        number::number,
    },
    run::show::{Missed, Near, Shown, TextShown, Which, Wish, cells, show},
};

/// Letters of a text that are shown without `--whole`.
const LETTERS: usize = 240;
/// Letters of a text that is only mentioned.
const MENTIONED: usize = 90;
/// Fewer words that two texts share are no news, unless they are half of a text.
const NEWS: usize = 5;

/// Arguments of `llmpr show`.
#[derive(clap::Args)]
pub struct Args {
    /// The run's folder
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The cell: its id or the beginning of it, or settings that are its own alone, such as `T=0.7 shots=0`; without it
    /// the cells are listed
    #[arg(value_name = "CELL", num_args = 0..)]
    cell: Vec<String>,
    /// Texts outside of the reference's support, the least realistic first
    #[arg(long, group = "which", requires = "cell")]
    outside: bool,
    /// Texts that share half of their words or more, in one run, with another completion, with a reference or with their
    /// prompt and its examples: the largest share first
    #[arg(long, group = "which", requires = "cell")]
    copies: bool,
    /// References outside of the model's support, those that the fewest cells of the run reach first
    #[arg(long, group = "which", requires = "cell")]
    uncovered: bool,
    /// How many texts are shown
    #[arg(short = 'n', value_name = "N", default_value_t = 5)]
    texts: usize,
    /// Nearest texts of the other side that are named for each
    #[arg(long, value_name = "N", default_value_t = 3)]
    nearest: usize,
    /// Show texts from beginning to end; json always has them whole
    #[arg(long)]
    whole: bool,
    #[command(flatten)]
    format: FactsFlag,
    #[command(flatten)]
    out: OutFlag,
}

impl Args {
    fn wish(&self) -> Wish {
        let which = match (self.outside, self.copies, self.uncovered) {
            (true, ..) => Which::Outside,
            (_, true, _) => Which::Copies,
            (.., true) => Which::Uncovered,
            _ => Which::Any,
        };
        Wish { which, texts: self.texts, nearest: self.nearest }
    }
}

/// Runs it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let json = args.format.format == FactsFormat::Json;
    args.out.check(&[])?;
    if args.cell.is_empty() {
        if json {
            bail!("name a cell of `{}`; llmpr status --format json lists them", args.run.display());
        }
        let known = cells(&args.run)?;
        let lines = known.iter().map(|cell| format!("{}  {}\n", cell.id, cell.label()));
        return args.out.write(&lines.collect::<String>());
    }
    let shown = show(&args.run, &args.cell.join(" "), args.wish())?;
    args.out.write(&match json {
        true => serde_json::to_string_pretty(&shown)? + "\n",
        false => table(&shown, args),
    })
}

fn table(shown: &Shown, args: &Args) -> String {
    let mut out = format!("{} ({}): {} completions", shown.label, shown.cell, shown.n);
    if let Some(inside) = shown.inside {
        let _ = write!(out, ", {inside} in the support of the reference");
    }
    if let Some(uncovered) = shown.uncovered {
        let reached = shown.references - uncovered;
        let _ = write!(out, "; {reached} of {} references in theirs", shown.references);
    }
    let _ = writeln!(
        out,
        "; {} share {:.0} % of their words or more, in one run, with another text",
        shown.copies,
        COPY * 100.0
    );
    if shown.texts.is_empty() && shown.missed.is_empty() {
        let of = match args.wish().which {
            Which::Outside => "no completion is outside",
            Which::Copies => "no completion is such a copy",
            Which::Uncovered => "every reference is reached",
            Which::Any => "nothing is shown",
        };
        let _ = writeln!(out, "\n{of}");
    }
    let letters = if args.whole { usize::MAX } else { LETTERS };
    shown.texts.iter().for_each(|text| of_text(&mut out, text, letters));
    shown.missed.iter().for_each(|missed| of_reference(&mut out, missed, shown.cells, letters));
    out
}

fn of_text(out: &mut String, text: &TextShown, letters: usize) {
    let mut facts = Vec::new();
    facts.extend(text.inside.map(|inside| match (inside, text.balls) {
        (true, Some(1)) => "inside, in the ball of 1 reference".to_owned(),
        (true, Some(balls)) => format!("inside, in the balls of {balls} references"),
        (true, None) => "inside".to_owned(),
        (false, _) => "outside".to_owned(),
    }));
    let realism = text.realism.filter(|realism| !realism.is_nan());
    facts.extend(realism.map(|realism| format!("realism {}", number(realism))));
    facts.push(format!("{} tokens, {}", text.tokens, text.finish_reason));
    facts.extend(text.logprob.map(|nats| format!("{nats:.2} nats a token")));
    let _ = writeln!(out, "\n{}: {}", text.id, facts.join("; "));
    let _ = writeln!(out, "  {}", clipped(&text.text, letters));
    near(out, "nearest reference", &text.nearest);
    for Shared { with, of, words, all, text } in &text.shares {
        let copy = *words as f64 >= COPY * *all as f64;
        if *words < NEWS && !copy {
            continue;
        }
        let copied = if copy { ", a copy" } else { "" };
        let run = clipped(text, MENTIONED);
        let _ = writeln!(out, "  shares {words} of {all} words with {with} {of}{copied}: {run}");
    }
    if let Some(place) = &text.leaves_grammar {
        let _ = writeln!(out, "  leaves the grammar {place}");
    }
}

fn of_reference(out: &mut String, missed: &Missed, cells: usize, letters: usize) {
    let reached = match (&missed.first_reached, missed.reached_by) {
        (Some(first), n) => format!("{n} of {cells} cells reach it, the coolest {first}"),
        (None, _) => format!("none of {cells} cells reaches it"),
    };
    let _ = writeln!(out, "\nreference {}: {reached}", missed.index);
    let _ = writeln!(out, "  {}", clipped(&missed.text, letters));
    near(out, "nearest completion", &missed.nearest);
}

fn near(out: &mut String, what: &str, all: &[Near]) {
    for Near { of, distance, text } in all {
        let text = clipped(text, MENTIONED);
        let _ = writeln!(out, "  {what} {of} at {}: {text}", number(*distance));
    }
}

/// The first letters of a text in one line, with what a terminal might obey written out.
fn clipped(text: &str, letters: usize) -> String {
    let short: String = text.chars().take(letters).collect();
    let more = if short.len() < text.len() { " …" } else { "" };
    format!("{short:?}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_speak_to_the_terminal_and_is_cut_between_letters() {
        assert_eq!(clipped("a\u{1b}[31m\nb", 40), r#""a\u{1b}[31m\nb""#);
        assert_eq!(clipped("żółw", 2), "\"żó\" …");
    }

    #[test]
    fn what_is_known_of_a_text_stands_under_it() {
        let text = TextShown {
            id: "3-0".into(),
            prompt_id: "bio/0/3".into(),
            text: "She was born in Oslo.".into(),
            tokens: 7,
            finish_reason: "eos".into(),
            logprob: Some(-0.5),
            inside: Some(false),
            balls: Some(0),
            realism: Some(0.25),
            nearest: vec![Near { of: "17".into(), distance: 0.5, text: "He was born.".into() }],
            shares: vec![
                Shared {
                    with: "reference",
                    of: "17".into(),
                    words: 3,
                    all: 5,
                    text: "was born in".into(),
                },
                Shared { with: "prompt", of: "p".into(), words: 1, all: 5, text: "in".into() },
            ],
            leaves_grammar: None,
        };
        let mut out = String::new();
        of_text(&mut out, &text, 10);
        let expected = "\n3-0: outside; realism 0.2500; 7 tokens, eos; -0.50 nats a token\n  \"She was bo\" …\n  \
                        nearest reference 17 at 0.5000: \"He was born.\"\n  \
                        shares 3 of 5 words with reference 17, a copy: \"was born in\"\n";
        assert_eq!(out, expected);
    }
}
