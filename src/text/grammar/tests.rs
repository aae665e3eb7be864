use std::collections::{HashMap, HashSet};

use super::*;
use crate::rng::Draw;

fn small(source: &str) -> Result<Grammar, GrammarError> {
    Grammar::parse_source(source, "small.grammar")
}

fn complaint(source: &str) -> String {
    small(source).unwrap_err().to_string()
}

const BIRTHS: &str = "start text
modes sex
table sex (he, He)
    3 * she | She
    1 * he | He
number born
    1900..1901
number died
    born+1..2
table name
    [sex=she] Ada / Eva
    [sex=he] Bo
rule text
    3 * {name}, {born}. {sex.He} died in {died}.
    1 * {name}, dead at {died-born}.
";

#[test]
fn probabilities_are_products_of_shares_and_hidden_draws_are_summed_over() {
    let grammar = small(BIRTHS).unwrap();
    let p = |text: &str| grammar.parse(text).unwrap().probability;
    // she 3/4, Ada 1/2, first body 3/4, born 1/2, died 1/2
    assert_eq!(p("Ada, 1900. She died in 1902."), 0.75 * 0.5 * 0.75 * 0.5 * 0.5);
    // second body 1/4; two births and one death each lead to the age of 1
    assert_eq!(p("Bo, dead at 1."), 0.25 * 0.25 * 0.5);
    let parse = grammar.parse("Bo, 1901. He died in 1902.").unwrap();
    assert_eq!(grammar.modes()[parse.mode()].name, "he");
    assert!(parse.derivations[0].facts.contains(&("died".to_owned(), "1902".to_owned())));
    assert_eq!(parse.derivations[0].rules, [("text".to_owned(), 14)]);
}

#[test]
fn a_text_outside_the_language_is_rejected_where_it_leaves_it() {
    let grammar = small(BIRTHS).unwrap();
    let rejection = |text: &str| grammar.parse(text).unwrap_err().to_string();
    assert_eq!(
        rejection("Ada, 1900. He died in 1902."),
        "not in the language from byte 11: expected `She`"
    );
    assert_eq!(
        rejection("Ada, 1900. She died in 1903."),
        "not in the language from byte 23: expected died in 1901..1902"
    );
    assert_eq!(
        rejection("Ada, 1900. She died in 1902. Or"),
        "not in the language from byte 28: expected the end"
    );
    let modes = |text: &str| grammar.parse(text).unwrap_err().modes;
    assert_eq!(
        (modes("Ada, 1900. He died"), modes("Bo, 1902"), modes("Cy")),
        (vec![0], vec![1], vec![0, 1])
    );
    assert_eq!(rejection(""), "not in the language from byte 0: expected `Ada` or `Bo` or `Eva`");
    assert_eq!(grammar.log_probability("Ädä"), f64::NEG_INFINITY);
}

#[test] // property
fn a_rejected_text_names_the_modes_whose_texts_begin_as_it_does() {
    let grammar = Grammar::synthetic_bio();
    let texts = grammar.texts(21, "test", 150).unwrap();
    let mode = |text: &String| grammar.parse(text).unwrap().mode();
    for (index, text) in texts.iter().enumerate() {
        // Cut anywhere and spoiled by a byte that no text has: what is left open is what begins so.
        let cut = text.len() * (index % 15) / 15;
        let rejection = grammar.parse(&format!("{}#", &text[..cut])).unwrap_err();
        assert!(rejection.offset <= cut && rejection.modes.contains(&mode(text)), "{text} {cut}");
        let begins = |other: &&String| other.starts_with(&text[..cut]);
        for other in texts.iter().filter(begins) {
            assert!(rejection.modes.contains(&mode(other)), "{text} {cut} {other}");
        }
        if let Some(settled) = rejection.mode() {
            assert_eq!(settled, mode(text));
        }
    }
    let whole = format!("{}#", texts[0]);
    assert_eq!(grammar.parse(&whole).unwrap_err().mode(), Some(mode(&texts[0])));
    assert_eq!(grammar.parse("#").unwrap_err().modes.len(), 160);
}

#[test]
fn ambiguous_texts_have_the_sum_of_their_derivations() {
    let grammar =
        small("start s\nrule s\n    {a}{b}\nrule a\n    x\n    xx\nrule b\n    x\n    xx\n")
            .unwrap();
    let parse = grammar.parse("xxx").unwrap();
    assert_eq!((parse.derivations.len(), parse.probability), (2, 0.5));
}

#[test]
fn drawn_frequencies_are_the_exact_probabilities() {
    let grammar = small(BIRTHS).unwrap();
    let n = 20_000;
    let mut counts: HashMap<String, usize> = HashMap::new();
    for text in grammar.texts(7, "test", n).unwrap() {
        *counts.entry(text).or_default() += 1;
    }
    let total: f64 = counts.keys().map(|text| grammar.parse(text).unwrap().probability).sum();
    assert!((total - 1.0).abs() < 1e-12, "all texts were drawn, yet their sum is {total}");
    let chi2: f64 = counts
        .iter()
        .map(|(text, &count)| {
            let expected = n as f64 * grammar.parse(text).unwrap().probability;
            (count as f64 - expected).powi(2) / expected
        })
        .sum();
    // 18 texts: 17 degrees of freedom, 99.99 % below 47.
    assert!(counts.len() == 18 && chi2 < 47.0, "{} texts, chi² {chi2}", counts.len());
}

#[test]
fn a_variant_drops_and_doubles_modes_in_samples_and_probabilities_alike() {
    let grammar = small(BIRTHS).unwrap();
    let of = |drop: &[&str], double: &[&str]| {
        let own = |patterns: &[&str]| patterns.iter().map(|&p| p.to_owned()).collect();
        grammar.variant(Variant { drop: own(drop), double: own(double) })
    };
    let women = of(&["sex=he"], &[]).unwrap();
    assert!(women.texts(1, "test", 200).unwrap().iter().all(|text| !text.contains("Bo")));
    assert_eq!(women.parse("Bo, dead at 1.").unwrap().probability, 0.0);
    let even = of(&[], &["sex=he"]).unwrap(); // 3 : 1 becomes 3 : 2
    assert!((even.modes()[1].probability - 0.4).abs() < 1e-12);
    assert!((even.parse("Bo, dead at 1.").unwrap().probability - 0.4 * 0.125).abs() < 1e-12);
    assert_ne!(even.hash(), grammar.hash());
    let bad = of(&["sex=it"], &[]).unwrap_err().to_string();
    assert_eq!(
        bad,
        "`sex=it` fits no mode; write table=row[,table=row] with the tables sex and their rows"
    );
    assert!(matches!(of(&["sex=he", "sex=she"], &[]), Err(GrammarError::Empty)));
}

#[test]
fn a_broken_grammar_is_named_with_file_and_line() {
    let text = "start text\nrule text\n";
    let cases = [
        ("rule text\n    x\n", "line 1: no `start NAME` line"),
        ("start nothing\n", "line 1: `nothing` is defined nowhere"),
        (text, "line 2: `text` has no alternatives"),
        (&format!("{text}    {{who}}\n"), "line 3: `who` is defined nowhere"),
        (&format!("{text}    -1 * x\n"), "line 3: `-1` is no weight; use a number > 0"),
        (&format!("{text}    0 * x\n"), "line 3: `0` is no weight; use a number > 0"),
        (&format!("{text}    {{who\n"), "line 3: braces that do not pair"),
        (
            &format!("{text}    x\nrule idle\n    y\n"),
            "line 4: `idle` cannot be reached from the start rule `text`",
        ),
        (
            &format!("{text}    {{a}}\nrule a\n    {{b}}\nrule b\n    {{a}}\n"),
            "line 4: `a` is recursive: a needs b needs a",
        ),
        (
            &format!("{text}    {{n}}\nnumber n\n    9..3\n"),
            "line 5: `9..3` is no range; use 1900..1940 or other+3..14",
        ),
        (
            &format!("{text}    {{t}}\ntable t (a, b)\n    x\n"),
            "line 5: row `x` has 1 cells; the table has 2 columns, none empty",
        ),
        (
            &format!("{text}    {{t.c}}\ntable t (a)\n    x\n"),
            "line 3: table `t` has no column `c`; it has a",
        ),
        (&format!("{text}    [t=y] {{t}}\ntable t\n    x\n"), "line 3: table `t` has no row `y`"),
        (
            &format!("{text}    x\nrule text\n    y\n"),
            "line 4: `text` is defined already, on line 2",
        ),
        ("begin text\n", "line 1: `begin` begins no line; use start, modes, table, number or rule"),
        ("    x\n", "line 1: an alternative before any table, number or rule"),
    ];
    for (source, expected) in cases {
        assert_eq!(complaint(source), format!("`small.grammar` {expected}"), "for {source:?}");
    }
    let dead =
        small("start s\ntable t\n    x / y\nrule s\n    {t}{r}\nrule r\n    [t=x] z\n").unwrap();
    let error = (0..20).find_map(|i| dead.sample(0, Draw { prompt: 0, sample: i }).err());
    let message = error.map(|error| error.to_string());
    assert_eq!(message.as_deref(), Some("`small.grammar` line 6: `r` has no alternative for t=y"));
}

#[test]
fn every_biography_parses_with_one_derivation_and_has_thirty_to_ninety_words() {
    let grammar = Grammar::synthetic_bio();
    let texts = grammar.texts(3, "test", 500).unwrap();
    let distinct: HashSet<&String> = texts.iter().collect();
    assert!(distinct.len() == 500, "{} distinct", distinct.len());
    for text in &texts {
        let parse = grammar.parse(text).unwrap_or_else(|rejection| panic!("{rejection}: {text}"));
        assert_eq!(parse.derivations.len(), 1, "{text}");
        let words = text.split_whitespace().count();
        assert!((30..=90).contains(&words), "{words} words: {text}");
    }
}

#[test]
fn the_biographies_have_160_modes_whose_frequencies_are_their_probabilities() {
    let grammar = Grammar::synthetic_bio();
    let modes = grammar.modes();
    let total: f64 = modes.iter().map(|mode| mode.probability).sum();
    assert!(modes.len() == 160 && (total - 1.0).abs() < 1e-12, "{} modes, {total}", modes.len());
    let n = 3000;
    let mut counts = vec![0.0; modes.len()];
    for text in grammar.texts(5, "test", n).unwrap() {
        counts[grammar.parse(&text).unwrap().mode()] += 1.0;
    }
    let chi2: f64 = counts
        .iter()
        .zip(modes)
        .map(|(count, mode)| {
            let expected = n as f64 * mode.probability;
            (count - expected) * (count - expected) / expected
        })
        .sum();
    // 159 degrees of freedom: 99.99 % below 235.
    assert!(chi2 < 235.0, "chi² {chi2}");
}

#[test]
fn a_wrong_year_pronoun_or_place_is_outside_the_language() {
    let grammar = Grammar::synthetic_bio();
    let texts = grammar.texts(11, "test", 300).unwrap();
    for (from, to) in
        [(" She ", " He "), ("Dublin", "Oslo"), (" her ", " his "), (" in 19", " in 18")]
    {
        let changed: Vec<String> = texts
            .iter()
            .filter(|text| text.contains(from))
            .map(|text| text.replacen(from, to, 1))
            .collect();
        let refused = changed.iter().filter(|text| grammar.parse(text).is_err()).count();
        assert!(refused == changed.len() && refused > 20, "{from}: {refused} of {}", changed.len());
    }
}

#[test]
fn what_could_not_be_gone_through_is_refused_with_its_line() {
    let why = |source: &str| Grammar::parse_source(source, "x.grammar").unwrap_err().to_string();
    // A chain of rules, each inside of the one before.
    let chain: String = (0..5000).map(|i| format!("rule r{i}\n    {{r{}}}\n", i + 1)).collect();
    let deep = why(&format!("start r0\n{chain}rule r5000\n    x\n"));
    assert!(deep.contains("stands inside of 200 other names"), "{deep}");
    // Modes that are more than anybody counts.
    let rows = (0..100).map(|i| format!("row{i}")).collect::<Vec<_>>().join(" / ");
    let tables: String = (0..5).map(|i| format!("table t{i} (name)\n    {rows}\n")).collect();
    let many = why(&format!("start r\nmodes t0 t1 t2 t3 t4\n{tables}rule r\n    {{t0}}\n"));
    assert!(many.contains("10000000000 ways together"), "{many}");
    let wide = why("start r\nnumber n\n    0..4294967295\nnumber m\n    n+1..2\nrule r\n    {m}\n");
    assert!(wide.contains("`x.grammar` line 4: n can be drawn in 4294967296 ways"), "{wide}");
}

#[test]
fn a_text_without_end_and_modes_that_no_guard_leaves_are_errors() {
    let draw = |source: &str| {
        let grammar = Grammar::parse_source(source, "x.grammar").unwrap();
        grammar.sample(0, crate::rng::Draw { prompt: 0, sample: 0 }).unwrap_err().to_string()
    };
    let doubled: String =
        (0..60).map(|i| format!("rule r{i}\n    {{r{0}}}{{r{0}}}\n", i + 1)).collect();
    let endless = draw(&format!("start r0\n{doubled}rule r60\n    x\n"));
    assert!(endless.contains("goes beyond 1048576 bytes or 100000 rules"), "{endless}");
    let none = "start r\nmodes a b\ntable a (name)\n    x\n    y\ntable b (name)\n    [a=y] z\nrule r\n    {a} {b}\n";
    assert!(
        complaint(none).contains("line 3: the guards of the mode tables leave no row"),
        "{}",
        complaint(none)
    );
    assert!(complaint("start r\nrule r\n    1e308 * x\n").contains("`1e308` is no weight"));
}
