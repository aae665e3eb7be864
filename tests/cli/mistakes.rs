//! What people get wrong at any command: one sentence, the documented exit code, and nothing lost.

use std::{
    fs::File,
    path::Path,
    process::{Command, Stdio},
};

use super::score::{Ran, llmpr};

/// Asserts that `args` fail with this code and a sentence that holds all of `words`.
fn refused(code: i32, args: &[&str], words: &[&str]) {
    let Ran { code: got, stdout, stderr } = llmpr(args);
    assert_eq!((got, stdout.as_str()), (code, ""), "{args:?}: {stderr}");
    assert!(code == 2 || stderr.trim_end().lines().count() == 1, "{args:?}: {stderr}");
    for word in words {
        assert!(stderr.contains(word), "{args:?}: `{word}` is missing in: {stderr}");
    }
}

/// A file in `folder` that holds `bytes`.
fn file(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The bytes of a `.npy` of `type`, shape and values.
fn npy(kind: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", length.as_slice(), header.as_bytes(), values].concat()
}

/// A `.npy` of 30 × 2 different numbers.
fn features(folder: &Path, name: &str) -> String {
    let values: Vec<u8> = (0..60u16).flat_map(|i| f32::from(i * i % 61).to_le_bytes()).collect();
    file(folder, name, &npy("<f4", "(30, 2)", &values))
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmpr"));
    command.args(args).stdin(Stdio::null());
    command
}

#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let p = features(folder.path(), "p.npy");
    let score = ["score", "--reference", &p, "--samples", &p, "--metrics", "precision"];
    let no_score = ["score", "--reference", "no.npy", "--samples", "no.npy"];
    let cases: [(&[&str], i32); 7] = [
        (&["completions", "bash"], 0),
        (&["man"], 0),
        (&["models", "list"], 0),
        (&["models", "inspect", "tiny-bio"], 0),
        (&score, 0),
        (&no_score, 1),
        (&["texts", "synthetic-bio?n=9"], 0),
    ];
    for (args, code) in cases {
        let mut child =
            command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().unwrap().code(), Some(code), "{args:?}");
    }
}

#[test]
#[cfg(target_os = "linux")] // only there a device is always full
fn a_stream_that_cannot_be_written_ends_with_a_sentence_or_is_done_without() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    for args in [&["completions", "zsh"][..], &["man"], &["schema"], &["models", "list"]] {
        let ran = command(args).stdout(full()).output().unwrap();
        let said = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.starts_with("llmpr: cannot write to stdout: "), "{args:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let sample = ["sample", "--model", "tiny-bio", "--prompt", "x", "--max-new-tokens", "2"];
    for (args, code) in [(&sample[..], 0), (&["texts", "no.txt"], 1), (&["models", "list"], 0)] {
        let ran = command(args).stderr(full()).output().unwrap();
        assert_eq!(ran.status.code(), Some(code), "{args:?}");
    }
}

#[test]
fn output_takes_no_place_of_what_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (p, q) = (features(folder.path(), "p.npy"), features(folder.path(), "q.npy"));
    let texts = file(folder.path(), "t.jsonl", b"{\"body\": \"a\"}\n{\"body\": \"b\"}\n");
    let body = format!("{texts}:body");
    let sides = ["--reference", &p, "--samples", &q];
    let cases: [(Vec<&str>, &str, &str); 4] = [
        ([&["score"], &sides[..], &["-o", &q]].concat(), &q, &q),
        ([&["score", "--format", "json"], &sides[..], &["-o", &p]].concat(), &p, &p),
        ([&["refine", "--budget", "2"], &sides[..], &["-o", &q]].concat(), &q, &q),
        (vec!["texts", &body, "-o", &texts], &texts, &body),
    ];
    for (args, out, input) in cases {
        let before = std::fs::read(out).unwrap();
        let said = format!("`{out}` would overwrite `{input}`, which is read; name another file");
        refused(1, &args, &[&said]);
        assert_eq!(std::fs::read(out).unwrap(), before, "{args:?}");
    }
}

#[test]
fn a_place_that_cannot_be_written_is_refused_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().to_str().unwrap();
    let (here, nowhere) = (format!("{at}/f.npy"), format!("{at}/no/x.npy"));
    std::fs::create_dir(&here).unwrap();
    let embed = ["embed", "synthetic-bio?n=3", "--embedder", "tiny-gpt2", "-o"];
    let ids = file(folder.path(), "ids.jsonl", b"[1, 2]\n");
    let check = ["models", "check", "tiny-bio", "--token-ids", &ids, "--logits"];
    let p = features(folder.path(), "p.npy");
    let score = ["score", "--reference", &p, "--samples", &p, "-o"];
    for command in [&embed[..], &check, &score] {
        let said = format!("cannot write `{here}`: it is a folder; name a file in it");
        refused(1, &[command, &[&here]].concat(), &[&said]);
        let said = format!("cannot write `{nowhere}`: there is no folder `{at}/no`");
        refused(1, &[command, &[&nowhere]].concat(), &[&said]);
    }
    refused(1, &check[..5], &["name one of them"]);
}

#[test] // its one line without an end would pass for a line that a kill tore
fn sample_adds_to_no_file_of_somebody_else() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in
        [("notes", &b"my only notes"[..]), ("c.json", b"{\"a\": 1}"), ("n", b"a\nb")]
    {
        let path = file(folder.path(), name, bytes);
        let args = ["sample", "--model", "tiny-bio", "--prompt", "x", "-o", &path];
        refused(1, &args, &["holds other things than completions; choose another -o"]);
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn integers_in_rows_and_columns_are_no_histogram() {
    let folder = tempfile::tempdir().unwrap();
    let table = file(folder.path(), "t.npy", &npy("|u1", "(2, 3)", &[1, 2, 3, 4, 5, 6]));
    let args = ["score", "--reference", &table, "--samples", &table];
    refused(1, &args, &["t.npy`: 2 × 3 values of type |u1: a histogram has one axis"]);
}

#[test]
fn a_flag_that_would_do_nothing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let p = features(folder.path(), "p.npy");
    let score = ["score", "--reference", &p, "--samples", &p];
    for (flag, value) in [("--shots", "2"), ("--task", "webtext"), ("-n", "9"), ("--prompt", "x")] {
        refused(2, &[&score[..], &[flag, value]].concat(), &["cannot be used with", "'--samples"]);
    }
    refused(2, &[&score[..], &["--reference-nll-at", "1"]].concat(), &["--samples"]);
    let shots = "--shots 2 puts examples before a task's prompts, and these are given";
    let sample = ["sample", "--model", "tiny-bio", "--prompt", "x", "--shots", "2"];
    refused(1, &sample, &[shots, "name a --task"]);
    refused(1, &["prompt", "tiny-bio", "--prompt", "x", "--shots", "2"], &[shots]);
}

#[test]
fn a_number_that_is_none_is_told_what_one_is() {
    let score = ["score", "--reference", "p.npy", "--samples", "q.npy"];
    let cases = [
        ("--k", "-1", "invalid value '-1' for '--k <K>': `-1` is no whole number from 0 up"),
        ("--k", "4.5", "`4.5` is no whole number from 0 up"),
        ("--seed", "x", "invalid value 'x' for '--seed <SEED>': `x` is no whole number from 0 up"),
        ("--resamples", "18446744073709551616", "is too large for a whole number"),
        ("--lambdas", "1,b", "`b` is no number"),
        ("--pca", "-0.5", "pca `-0.5` is neither a share in (0, 1)"),
        ("--clusters", "-3", "clusters `-3` is neither `auto` nor a number from 2 up"),
    ];
    for (flag, value, said) in cases {
        refused(2, &[&score[..], &[flag, value]].concat(), &[said]);
    }
    refused(2, &["sweep", "--temps", "-1", "--dry-run"], &["`-1` is negative; use 0 or more"]);
    refused(2, &["texts", "t.txt", "--first", "-1"], &["`-1` is no whole number from 0 up"]);
    let sample = ["sample", "--model", "tiny-bio", "--prompt", "x", "--temperature", "-1"];
    refused(1, &sample, &["temperature = -1 is outside [0, ∞)"]);
    refused(2, &["tune", "RUN", "--require", "precision>=nan"], &["is no requirement"]);
}

#[test]
fn nothing_of_something_is_refused() {
    refused(1, &["sweep", "--prefixes", "0", "--dry-run"], &["use 1 or more"]);
    refused(1, &["sweep", "--prompt-count", "0", "--dry-run"], &["use 1 or more"]);
    refused(1, &["slurm", "--cpus", "0", "--", "--temps", "1"], &["use 1 or more"]);
    refused(1, &["slurm", "--at-a-time", "0", "--", "--temps", "1"], &["use 1 or more"]);
    for flag in ["--rows", "--prompt-tokens", "--new-tokens"] {
        refused(1, &["models", "bench", "tiny-bio", flag, "0"], &[flag, "use 1 or more"]);
    }
    refused(1, &["report", "RUN", "--blind", "T=1", "T=2", "--pairs", "0"], &["use 1 or more"]);
    refused(1, &["texts", "synthetic-bio?n=99999999999"], &["from 1 to 10000000"]);
}

#[test]
fn a_form_that_a_command_does_not_write_is_not_in_its_help() {
    for args in
        [&["texts", "t.txt"][..], &["show", "RUN"], &["prompt", "tiny-bio", "--prompt", "x"]]
    {
        refused(2, &[args, &["--format", "csv"]].concat(), &["[possible values: table, json]"]);
    }
    let status = ["status", "RUN", "--format", "markdown"];
    refused(2, &status, &["[possible values: table, json, csv]"]);
}

#[test]
fn a_file_of_another_kind_is_named_by_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    let p = features(folder.path(), "p.npy");
    refused(1, &["texts", &p], &["p.npy` is an array of NumPy; name a file of texts"]);
    let model = file(folder.path(), "m.gguf", b"GGUF\x03\0\0\0");
    refused(1, &["texts", &model], &["m.gguf` is a model (GGUF)"]);
    let pdf = file(folder.path(), "d.pdf", b"%PDF-1.4\n");
    refused(1, &["texts", &pdf], &["d.pdf` is a PDF", "pdftotext"]);
    let at = folder.path().to_str().unwrap();
    let named = format!("{at}/f.npy");
    std::fs::create_dir(&named).unwrap();
    refused(1, &["score", "--reference", &named, "--samples", &p], &["f.npy`: is a directory"]);
}

#[test]
fn a_folder_that_is_no_finished_run_is_told_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().to_str().unwrap();
    file(folder.path(), "run.json", b"{}");
    for command in ["status", "show", "report"] {
        refused(1, &[command, run], &["run.json` is not of llmpr: it has no `schema`"]);
    }
    refused(1, &["compare", run], &["is a run without results.json", "`llmpr sweep` again"]);
    refused(1, &["tune", run], &["results.json`: its sweep writes it at its end"]);
    let scores = file(folder.path(), "s.json", b"nothing");
    refused(1, &["compare", &scores], &["s.json` holds no score of llmpr"]);
    refused(1, &["sample", "--model", "tiny-boi", "--prompt", "x"], &["did you mean `tiny-bio`?"]);
    let said = llmpr(&["sample", "--model", "tiny-boi", "--prompt", "x"]).stderr;
    assert_eq!(said.matches("model `tiny-boi`").count(), 1, "{said}");
}

#[test]
fn what_cannot_come_to_anything_is_refused_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let p = features(folder.path(), "p.npy");
    let none = ["refine", "--reference", &p, "--samples", &p, "--budget", "1000"];
    refused(1, &none, &["one in 1000 of 30 completions is none: give --budget a number below 30"]);
    // An embedder that is not there would be named if it were opened first.
    let few = file(folder.path(), "few.jsonl", b"{\"text\": \"a\"}\n{\"text\": \"b\"}\n");
    let score = ["score", "--reference", &few, "--samples", &few, "--embedder", "./none"];
    refused(1, &score, &[&few, "2 rows"]);
    for wrong in ["lots", "-1", "1.5G", "G", ""] {
        let slurm = ["slurm", &format!("--mem={wrong}"), "--", "--models", "tiny-bio"];
        refused(2, &slurm, &["sbatch takes a whole number of megabytes"]);
    }
}
