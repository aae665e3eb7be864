//! What bad input gets: a sentence and exit code 1, or 2 where the command line is wrong.

use std::{io::Write, path::Path};

use super::{Ran, llmpr, number, score_json};

/// Writes rows as a `.npy` of f32.
/// What stands before the values of a `.npy` file of f32.
pub(super) fn npy_header(rows: usize, cols: usize) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {cols}), }}");
    let padding = 64 - (10 + header.len() + 1) % 64;
    let header = format!("{header}{}\n", " ".repeat(padding));
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat()
}

pub(super) fn write_rows(
    path: &Path,
    rows: usize,
    cols: usize,
    value: impl Fn(usize) -> f32,
) -> String {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    file.write_all(&npy_header(rows, cols)).unwrap();
    (0..rows * cols).for_each(|i| file.write_all(&value(i).to_le_bytes()).unwrap());
    file.flush().unwrap();
    path.to_str().unwrap().to_owned()
}

/// Numbers without a pattern that balls could see.
pub(super) fn scattered(i: usize) -> f32 {
    ((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32 / (1u64 << 24) as f32
}

fn complaint(reference: &str, samples: &str, more: &[&str]) -> String {
    let mut args = vec!["score", "--reference", reference, "--samples", samples];
    args.extend(more);
    let Ran { code, stdout, stderr } = llmpr(&args);
    assert_eq!((code, stdout.as_str()), (1, ""), "{args:?}: {stderr}");
    assert!(stderr.starts_with("llmpr: ") && stderr.trim_end().lines().count() == 1, "{stderr}");
    stderr
}

pub(super) fn assert_says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "`{word}` is missing in: {said}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let said = complaint("no.npy", "no.npy", &[]);
    assert_says(&said, &["no.npy", "No such file or directory"]);
    let said = complaint("no.jsonl", "no.jsonl", &[]);
    assert_says(&said, &["no.jsonl", "No such file or directory"]);
}

#[test]
fn features_that_cannot_be_compared_get_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let good = write_rows(&at("good.npy"), 30, 4, scattered);
    let wide = write_rows(&at("wide.npy"), 30, 5, scattered);
    let said = complaint(&good, &wide, &[]);
    assert_says(&said, &["reference rows have 4 dimensions and model rows 5"]);

    let nan = write_rows(&at("nan.npy"), 30, 4, |i| if i == 13 { f32::NAN } else { 0.5 });
    assert_says(&complaint(&nan, &good, &[]), &["nan.npy", "row 3, column 1 holds NaN"]);

    let infinite = |i| if i == 6 { f32::INFINITY } else { 0.5 };
    let infinite = write_rows(&at("infinite.npy"), 30, 4, infinite);
    assert_says(&complaint(&good, &infinite, &[]), &["infinite.npy", "row 1, column 2 holds inf"]);

    let empty = write_rows(&at("empty.npy"), 0, 4, scattered);
    assert_says(&complaint(&good, &empty, &[]), &["empty.npy", "no rows"]);

    let one = write_rows(&at("one.npy"), 1, 4, scattered);
    for (files, side) in [((&one, &good), "reference"), ((&good, &one), "model")] {
        let said = complaint(files.0, files.1, &[]);
        let rows = format!("the {side} set has n = 1 row");
        assert_says(&said, &["one.npy`: k = 4 needs 1 ≤ k < n", &rows]);
        assert!(!said.contains("good.npy"), "{said}");
    }

    assert_says(&complaint(&good, &good, &["--k", "30"]), &["k = 30 needs 1 ≤ k < n"]);
    assert_says(&complaint(&good, &good, &["--k", "0"]), &["k = 0 is outside"]);

    std::fs::write(at("cut.npy"), b"\x93NUMPY\x01\x00v\x00{'descr'").unwrap();
    assert_says(&complaint(at("cut.npy").to_str().unwrap(), &good, &[]), &["cut.npy"]);
    assert_says(&complaint("-", "-", &[]), &["only one of --reference and --samples"]);
}

#[test]
fn texts_that_cannot_be_read_are_named_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = write("good.jsonl", b"{\"text\": \"a\"}\n{\"text\": \"b\"}\n");
    let bad = write("bad.jsonl", b"{\"text\": \"a\"}\n{\"text\": \n{\"text\": \"c\"}\n");
    assert_says(&complaint(&bad, &good, &[]), &["bad.jsonl", "2"]);
    let latin = write("latin.txt", b"caf\xe9\n");
    assert_says(&complaint(&latin, &good, &[]), &["latin.txt", "UTF-8"]);
    let empty = write("empty.jsonl", b"");
    assert_says(&complaint(&empty, &good, &[]), &["empty.jsonl"]);
    assert_says(&complaint(&good, &good, &[]), &["--embedder"]);
    let features = write_rows(&folder.path().join("f.npy"), 9, 2, scattered);
    assert_says(&complaint(&features, &good, &[]), &["both sides must be of one kind"]);
}

#[test]
fn measures_are_asked_for_by_name_and_planned() {
    let folder = tempfile::tempdir().unwrap();
    let good = write_rows(&folder.path().join("good.npy"), 60, 4, scattered);
    let other = write_rows(&folder.path().join("other.npy"), 60, 4, |i| scattered(i + 1000));
    let of = |metrics: &str| {
        let args = ["--reference", &good, "--samples", &other, "--metrics", metrics];
        score_json(&[&args[..], &["--resamples", "20", "--permutations", "19"]].concat())
    };
    let (named, families) = (of("mauve,precision,recall"), of("support,frontier"));
    let names: Vec<&String> = named["metrics"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["precision", "recall", "mauve"]);
    for name in names {
        assert_eq!(named["metrics"][name], families["metrics"][name], "{name}");
    }
    assert!(named["curves"]["frontier"].is_null() && !families["curves"]["frontier"].is_null());

    let said = complaint(&good, &other, &["--metrics", "precision,self_bleu_4"]);
    assert_says(&said, &["self_bleu_4 is measured on texts, and these are features alone"]);

    let args = ["score", "--reference", &good, "--samples", &other, "--explain"];
    let Ran { code, stdout, stderr } = llmpr(&args);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_says(&stdout, &["GF", "MiB", "8 × ceilings from halves", "5 × clusterings for MAUVE"]);
    let (passes, memory) = stdout.split_once("memory: ").unwrap();
    assert_says(memory, &["2 KiB of rows as they are read", "KiB of lists"]);
    let shares = passes.lines().map(|line| line.trim().split(' ').next().unwrap());
    let all: f64 = shares.map(|share| share.parse::<f64>().unwrap()).sum();
    assert!((all - 100.0).abs() < 10.0, "{stdout}");
}

#[test]
fn a_wrong_command_line_exits_with_two() {
    for (args, word) in [
        (
            &["--metrics", "precison,mauve"][..],
            "there is no measure or family `precison`; the nearest names are precision, p_precision",
        ),
        (&["--pca", "1.5"], "a share in (0, 1)"),
        (&["--clusters", "1"], "auto"),
        (&["--format", "xml"], "table"),
        (&["--k", "four"], "is no whole number from 0 up"),
    ] {
        let mut all = vec!["score", "--reference", "a.npy", "--samples", "b.npy"];
        all.extend(args);
        let ran = llmpr(&all);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert_says(&ran.stderr, &[word]);
    }
}

#[test]
fn odd_clouds_get_numbers_or_null_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let cases = [
        ("identical rows", write_rows(&at("same.npy"), 40, 3, |i| (i % 3) as f32)),
        ("one column", write_rows(&at("line.npy"), 40, 1, scattered)),
        ("zeros", write_rows(&at("zero.npy"), 40, 3, |_| 0.0)),
        ("fewer rows than columns", write_rows(&at("flat.npy"), 12, 50, scattered)),
    ];
    let good = |cols| write_rows(&at("good.npy"), 40, cols, |i| scattered(i + 1000));
    for (case, file) in &cases {
        let cols = match *case {
            "one column" => 1,
            "fewer rows than columns" => 50,
            _ => 3,
        };
        for normalize in ["l2", "none"] {
            for pair in [[file, file], [file, &good(cols)], [&good(cols), file]] {
                let score = score_json(&[
                    "--reference",
                    pair[0],
                    "--samples",
                    pair[1],
                    "--normalize",
                    normalize,
                    "--resamples",
                    "8",
                    "--permutations",
                    "19",
                    "--metrics",
                    "all",
                ]);
                let reasons = score["warnings"].to_string();
                for (name, metric) in score["metrics"].as_object().unwrap() {
                    let explained = reasons.contains(name.as_str());
                    let defined = !number(&metric["value"]).is_nan();
                    assert!(defined || explained, "{case}: {name} lacks a reason: {reasons}");
                }
            }
        }
    }
}

#[test] // at length 1 the rows differ by rounding alone, which would pass for neighborhoods
fn rows_along_one_direction_are_one_point_at_length_one() {
    let folder = tempfile::tempdir().unwrap();
    let along = |i: usize| (1.0 + scattered(i / 3)) * [0.1, 0.2, 0.7][i % 3];
    let ray = write_rows(&folder.path().join("ray.npy"), 40, 3, along);
    let line = write_rows(&folder.path().join("line.npy"), 40, 1, |i| 1.0 + scattered(i));
    for file in [&ray, &line] {
        let args = ["--reference", file, "--samples", file, "--resamples", "4"];
        let score = score_json(&[&args[..], &["--permutations", "9"]].concat());
        let warnings = score["warnings"].to_string();
        assert_says(&warnings, &["constant_features", "--normalize none"]);
        assert_eq!(score["reference"]["unique"], 1, "{score}");
        let kept =
            score_json(&[&args[..], &["--permutations", "9", "--normalize", "none"]].concat());
        assert!(!kept["warnings"].to_string().contains("constant_features"));
        assert!(number(&kept["metrics"]["density"]["value"]) > 0.0, "{kept}");
    }
}

#[test]
fn blank_texts_are_scored_with_a_warning_and_one_text_gets_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, lines: &[String]| {
        let path = folder.path().join(name);
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        path.to_str().unwrap().to_owned()
    };
    let line = |text: String| format!("{{\"text\": \"{text}\"}}");
    let good: Vec<String> =
        (0..20).map(|i| line(format!("text number {i} of {}", i * i))).collect();
    let blank = write("blank.jsonl", &vec![line(String::new()); 20]);
    let good = write("good.jsonl", &good);
    let small = ["--embedder", "tiny-gpt2", "--resamples", "4", "--permutations", "9"];
    for pair in [[&good, &blank], [&blank, &good], [&blank, &blank]] {
        let args = ["--reference", pair[0], "--samples", pair[1], "--metrics", "all"];
        let score = score_json(&[&args[..], &small].concat());
        let warnings = score["warnings"].to_string();
        assert_says(&warnings, &["blank_texts"]);
        for (name, metric) in score["metrics"].as_object().unwrap() {
            let defined = !number(&metric["value"]).is_nan();
            assert!(defined || warnings.contains(name.as_str()), "{name} lacks a reason");
        }
    }
    let one = write("one.jsonl", &[line("alone".to_owned())]);
    let ran = llmpr(&[&["score", "--reference", &one, "--samples", &good][..], &small].concat());
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
    let last = ran.stderr.lines().last().unwrap();
    assert_says(last, &["llmpr: ", "k = 4 needs 1 ≤ k < n", "n = 1"]);
}

#[test]
fn histograms_over_different_bins_get_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, counts: &[i64]| {
        let path = folder.path().join(name);
        let header =
            format!("{{'descr': '<i8', 'fortran_order': False, 'shape': ({},), }}\n", counts.len());
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        counts.iter().for_each(|count| bytes.extend(count.to_le_bytes()));
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (two, three) = (write("two.npy", &[1, 2]), write("three.npy", &[1, 2, 3]));
    let said = complaint(&two, &three, &[]);
    assert_says(&said, &["2 bins", "3", "must count the same bins"]);
    let nothing = write("nothing.npy", &[0, 0]);
    assert_says(&complaint(&two, &nothing, &[]), &["counts nothing"]);
    let negative = write("negative.npy", &[1, -2]);
    assert_says(&complaint(&two, &negative, &[]), &["negative.npy", "-2"]);
    let said = complaint(&two, &two, &["--metrics", "support"]);
    assert_says(&said, &["histograms have the families frontier, curve and divergence"]);
}
