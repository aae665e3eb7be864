use std::{collections::HashSet, fmt::Write, path::Path};

use super::*;

fn both<T: Clone>(value: T) -> Sides<T> {
    Sides { reference: value.clone(), model: value }
}

#[test]
fn good_data_gets_no_warning() {
    assert_eq!(duplicates(both((1000, 1000)), &[]), None);
    assert_eq!(unequal_n(1000, 1000, true), None);
    assert_eq!(too_few(1000, 1000), None);
    assert_eq!(length_mismatch(both(&[5, 6, 7][..])), None);
    assert_eq!(over_dispersion(0.64, Some(0.65), 1.01, 0.0), None);
    // Half of the reference copied: 0.5 + 0.5 · 0.6 is recalled at the ceiling.
    assert_eq!(over_dispersion(0.81, Some(0.6), 1.0, 0.5), None);
    assert!(over_dispersion(0.83, Some(0.6), 1.0, 0.5).is_some());
    assert_eq!(outliers(both(1.5)), None);
    assert_eq!(saturated_frontier(0.9, Some(0.966), 0.004), None);
    assert_eq!(dominated_spectrum(0.1, 50), None);
    assert_eq!(truncated_texts(both((1, 100))), None);
    assert_eq!(ties("precision", 0.5, 0.5), None);
}

#[test]
fn copies_are_counted_and_the_deduplicated_value_stands_beside() {
    let rows = Sides { reference: (100, 100), model: (100, 7) };
    let got = duplicates(rows, &[("recall", 0.99, 0.2)]).unwrap();
    assert_eq!(got.code, Code::Duplicates);
    assert_eq!(
        got.message,
        "100 of 100 reference rows and 7 of 100 model rows are distinct; copies set radii to 0 and \
         move precision and recall either way; without copies: recall 0.200 (0.990 with them)"
    );
}

#[test] // by hand: 3 of 4 pairs longer, one equal
fn the_length_auc_counts_pairs() {
    let lengths = Sides { reference: &[1, 3][..], model: &[3, 4][..] };
    assert_eq!(length_auc(lengths), Some(3.5 / 4.0));
    assert_eq!(length_auc(Sides { reference: &[][..], model: &[1][..] }), None);
    assert!(length_mismatch(lengths).unwrap().message.contains("AUC 0.875"));
}

#[test]
fn each_end_of_a_frontier_has_a_code_of_its_own() {
    for ceiling in [Some(0.96), Some(0.01), None] {
        let least = saturated_frontier(0.0041, ceiling, 0.004).unwrap();
        assert_eq!(least.code, Code::FrontierFloor);
        assert!(least.message.contains("no overlap"), "{}", least.message);
        assert!(!least.code.meaning().contains("ceiling"), "{}", least.code.meaning());
    }
    let most = saturated_frontier(0.961, Some(0.966), 0.004).unwrap();
    assert_eq!(most.code, Code::SaturatedFrontier);
    assert!(most.message.contains("itself"), "{}", most.message);
}

#[test] // by hand: 18 permutations give 1/19 = 0.053 at least, 19 give 0.05
fn p_values_that_cannot_reach_a_twentieth_are_called_coarse() {
    let of = |permutations, most| {
        let options = ScoreOptions { permutations, ..ScoreOptions::default() };
        of_draws(Sides { reference: 50, model: 50 }, most, &options)
    };
    let got = of(18, 100);
    assert_eq!(got[0].code, Code::CoarsePValues);
    assert_eq!(
        got[0].message,
        "18 permutations allow no p-value below 1/19 = 0.053, whatever the texts: use --permutations 19 \
         or more to reach 0.05, 999 to reach 0.001"
    );
    assert_eq!(of(19, 100), []);
    assert_eq!(of(0, 100), []);
    // Where none are drawn, that is what there is to say.
    assert_eq!(of(18, 99)[0].code, Code::NotDrawn);
}

#[test]
fn words_and_letters_tell_all_codes_apart() {
    let words: HashSet<&str> = Code::ALL.iter().map(Code::word).collect();
    let mut letters: HashSet<char> = Code::ALL.iter().map(Code::letter).collect();
    assert_eq!(words.len(), Code::ALL.len());
    assert_eq!(letters.len(), Code::ALL.len());
    assert!(letters.insert(Code::Other(String::new()).letter()), "`?` is for other versions");
}

#[test]
fn every_code_is_written_as_its_word_and_read_back() {
    for code in Code::ALL {
        let json = serde_json::to_string(code).unwrap();
        assert_eq!(json, format!("\"{}\"", code.word()));
        assert_eq!(&serde_json::from_str::<Code>(&json).unwrap(), code);
    }
}

#[test]
fn a_warning_of_another_version_is_written_as_it_was_read() {
    let json = r#"{"code":"hollow","message":"a side has a hole"}"#;
    let warning: Warning = serde_json::from_str(json).unwrap();
    assert_eq!(warning.code, Code::Other("hollow".to_owned()));
    assert_eq!(warning.code.letter(), '?');
    assert_eq!(serde_json::to_string(&warning).unwrap(), json);
}

#[test] // LLMPR_UPDATE_DOCS=1 writes the page
fn the_page_of_warnings_lists_every_code() {
    let mut page = String::from(
        "# Warnings\n\nWhat makes a number misleading. `llmpr score` prints each with a sentence that has the \
         figures;\nthe table of `llmpr sweep` shows the letters, `results.csv` the codes. A code never changes \
         its meaning.\n\n| code | letter | what it says |\n|---|---|---|\n",
    );
    for code in Code::ALL {
        let _ = writeln!(page, "| `{code}` | `{}` | {} |", code.letter(), code.meaning());
    }
    let _ = writeln!(page, "\n`?` stands for {}.", Code::Other(String::new()).meaning());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/warnings.md");
    if std::env::var_os("LLMPR_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, page, "LLMPR_UPDATE_DOCS=1 writes docs/warnings.md anew");
}
