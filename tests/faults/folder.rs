//! Folders that cannot be written, were moved, come from another time, or have two writers.

use std::{
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::Stdio,
    time::{Duration, SystemTime},
};

use super::{assert_same, copy, done, outcome, program, ran, sweep};

/// Somebody who owns nothing.
const NOBODY: u32 = 65534;

/// Calls `f` with every path below, the deepest first, and the folder itself.
fn each(folder: &Path, f: &dyn Fn(&Path)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { each(&path, f) } else { f(&path) }
    }
    f(folder);
}

/// Whether another user may run the program here.
fn can_be_nobody() -> bool {
    let mut command = program();
    let can = command
        .arg("--version")
        .stdout(Stdio::null())
        .uid(NOBODY)
        .status()
        .is_ok_and(|status| status.success());
    if !can {
        crate::common::skipped("read-only files", "the program cannot be run as another user here");
    }
    can
}

#[test]
fn what_cannot_be_written_is_named_and_nothing_is_changed() {
    if !can_be_nobody() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let run = dir.path().join("run");
    done(&mut sweep(&run, &[]));
    let before = outcome(&run);
    each(&run, &|path| {
        let mode = if path.is_dir() { 0o555 } else { 0o444 };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    });
    for more in [&[][..], &["--temps", "0.5,1,1.5"]] {
        let words: Vec<String> =
            sweep(&run, &[]).get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        let words: Vec<&str> = words
            .iter()
            .map(|word| if word == "0.5,1" && !more.is_empty() { more[1] } else { word })
            .collect();
        let mut command = program();
        let (code, said) =
            ran(command.args(words).env("XDG_CACHE_HOME", "/nonexistent").uid(NOBODY));
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("Permission denied"), "{said}");
        assert!(said.contains(run.to_str().unwrap()) && said.contains("another --out"), "{said}");
    }
    assert_same(&outcome(&run), &before, "read-only");
    // Whoever may only look may report, elsewhere.
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::set_permissions(elsewhere.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    for words in [&["report"][..], &["status"]] {
        let mut command = program();
        command.args(words).arg(&run).uid(NOBODY);
        if words[0] == "report" {
            command.arg("--out").arg(elsewhere.path().join("page"));
        }
        done(&mut command);
    }
}

#[test]
fn a_run_that_was_moved_goes_on_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let [whole, old, new] = ["whole", "old", "some where/new"].map(|name| dir.path().join(name));
    done(&mut sweep(&whole, &[]));
    done(&mut sweep(&old, &["--shard", "0/2"]));
    std::fs::create_dir(dir.path().join("some where")).unwrap();
    std::fs::rename(&old, &new).unwrap();
    done(&mut sweep(&new, &[]));
    assert_same(&outcome(&new), &outcome(&whole), "moved");
    assert!(!old.exists());
}

#[test]
fn a_clock_that_jumps_moves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let [whole, run] = ["whole", "run"].map(|name| dir.path().join(name));
    done(&mut sweep(&whole, &[]));
    let wanted = outcome(&whole);
    let year = Duration::from_secs(31_557_600);
    for at in [SystemTime::UNIX_EPOCH + Duration::from_secs(1), SystemTime::now() + 20 * year] {
        // Killed somewhere, and what it left is of another time.
        let mut child =
            sweep(&run, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(600));
        child.kill().unwrap();
        child.wait().unwrap();
        let set = |path: &Path| {
            if path.is_file() {
                std::fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
            }
        };
        if run.exists() {
            each(&run, &set);
        }
        done(sweep(&run, &[]).env("SOURCE_DATE_EPOCH", "1"));
        assert_same(&outcome(&run), &wanted, "another time");
        each(&run, &set);
        done(&mut sweep(&run, &[]));
        assert_same(&outcome(&run), &wanted, "another time, finished");
        std::fs::remove_dir_all(&run).unwrap();
    }
}

#[test]
fn of_many_writers_one_goes_on_and_the_others_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let [whole, run] = ["whole", "run"].map(|name| dir.path().join(name));
    done(&mut sweep(&whole, &[]));
    let all: Vec<_> = (0..4)
        .map(|_| sweep(&run, &[]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
        .collect();
    let mut ended = 0;
    for child in all {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => ended += 1,
            Some(1) => assert!(said.contains("is held by process"), "{said}"),
            other => panic!("{other:?}: {said}"),
        }
    }
    assert!(ended > 0);
    assert_same(&outcome(&run), &outcome(&whole), "four writers");
    // Two copies of one run are two runs.
    let copied = dir.path().join("copied");
    copy(&run, &copied);
    done(&mut sweep(&copied, &[]));
    assert_same(&outcome(&copied), &outcome(&whole), "a copy");
}
