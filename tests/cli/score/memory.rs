//! `llmpr score --memory`: rows beyond a limit, the same digits within it.

use std::{
    fs::File,
    io::Read,
    process::{Command, Stdio},
    time::Duration,
};

use super::{
    bad_input::{assert_says, npy_header, scattered, write_rows},
    llmpr,
};

/// What `llmpr` printed, and the most MiB that were resident.
fn with_peak(args: &[&str]) -> (String, u64) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_llmpr"))
        .args(args)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        // The high-water mark only grows; at the end there is none to read.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = mark.and_then(|mark| mark.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) >> 10);
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    assert!(ended.success(), "{args:?}");
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    (out, peak)
}

#[test]
fn rows_beyond_the_limit_have_the_same_digits_within_it() {
    let folder = tempfile::tempdir().unwrap();
    // 293 MiB, and 20 MiB.
    let big = write_rows(&folder.path().join("big.npy"), 300_000, 256, scattered);
    let other = |i: usize| scattered(i + (1 << 30));
    let small = write_rows(&folder.path().join("small.npy"), 20_000, 256, other);
    let distances = ["--metrics", "sliced_w_approx", "--unequal", "keep"];
    // Lengths of rows are not changed and none is drawn: measures read the file itself.
    let in_place = [&distances[..], &["--normalize", "none", "--pca", "none", "--resamples", "0"]];
    // Rows of length 1, to 48 bits, are twice as large: they lie in scratch files.
    let scaled = [&distances[..], &["--pca", "none", "--resamples", "0"]];
    for more in [in_place.concat(), scaled.concat()] {
        let args = ["score", "--reference", &big, "--samples", &small, "--format", "json"];
        let args = [&args[..], &more].concat();
        let (free, free_peak) = with_peak(&args);
        // Where others keep the processors busy, pages leave late: the least of three runs is the program's own.
        let mut peak = u64::MAX;
        for _ in 0..3 {
            if peak > 224 {
                let (limited, found) = with_peak(&[&args[..], &["--memory", "224M"]].concat());
                assert_eq!(limited, free, "{more:?}");
                peak = peak.min(found);
            }
        }
        if cfg!(target_os = "linux") {
            assert!(free_peak > 293, "without a limit all rows are in memory: {free_peak} MiB");
            assert!(peak <= 224, "{more:?}: {peak} MiB");
        }
    }

    let nowhere = folder.path().join("nowhere");
    let ran = Command::new(env!("CARGO_BIN_EXE_llmpr"))
        .args(["score", "--reference", &big, "--samples", &small, "--memory", "224M"])
        .args(scaled.concat())
        .env("TMPDIR", &nowhere)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{said}");
    assert_says(
        &said,
        &["llmpr: cannot keep", "nowhere", "set TMPDIR to a folder", "raise --memory"],
    );
}

#[test]
fn what_a_limit_cannot_hold_is_refused_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let rows = write_rows(&folder.path().join("rows.npy"), 50, 4, scattered);
    let both = ["score", "--reference", &rows, "--samples", &rows];
    let said = |more: &[&str]| {
        let ran = llmpr(&[&both[..], more].concat());
        assert_ne!(ran.code, 0, "{more:?}: {}", ran.stdout);
        ran
    };
    let little = said(&["--memory", "50M"]);
    assert_eq!(little.code, 1);
    assert_says(
        &little.stderr,
        &["--memory 50 MiB is too little", "128 MiB", "give --memory 256M"],
    );
    for wrong in ["much", "0", "-1G", "2X"] {
        let wrong = said(&[&format!("--memory={wrong}")]);
        assert_eq!(wrong.code, 2);
        assert_says(&wrong.stderr, &["is no size; write 2G"]);
    }

    // 8 GiB that nobody wrote, and that nobody reads.
    let sparse = folder.path().join("sparse.npy");
    let header = npy_header(2_097_152, 1024);
    std::fs::write(&sparse, &header).unwrap();
    let file = File::options().write(true).open(&sparse).unwrap();
    file.set_len(header.len() as u64 + (8 << 30)).unwrap();
    let sparse = sparse.display().to_string();
    let args = ["score", "--reference", &sparse, "--samples", &sparse, "--memory", "1G"];
    let ran = llmpr(&args);
    assert_eq!(ran.code, 1);
    let lists = "--memory 1.0 GiB is too little: lists for 2097152 and 2097152 rows take";
    assert_says(&ran.stderr, &[lists, "--resamples 0 --permutations 0"]);
}
