//! Kills, stops and torn lines: nothing is lost, nothing is drawn twice, the numbers are the same.

use std::{
    io::Write,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{World, csv, done, ran, samples, session};

fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// How many whole lines of completions there are.
fn lines(out: &Path) -> usize {
    samples(out).values().map(Vec::len).sum()
}

#[test]
fn a_sweep_killed_again_and_again_ends_as_if_it_had_not_been() {
    let Some(world) = World::new() else { return };
    let more = ["-n", "40", "--max-new-tokens", "40"];
    let started = Instant::now();
    done(&mut world.sweep("whole", &more));
    let whole = started.elapsed();
    let out = world.out("killed");
    // Anywhere between before the first file and the last: a golden-ratio walk over the run's length.
    for i in 1..=6u32 {
        let mut child = start(&mut world.sweep("killed", &more));
        std::thread::sleep(whole.mul_f64(0.9 * (f64::from(i) * 0.618).fract()));
        child.kill().unwrap();
        child.wait().unwrap();
        let before = lines(&out);
        assert!(before <= 80, "{before}");
    }
    done(&mut world.sweep("killed", &more));
    assert_eq!(samples(&out), samples(&world.out("whole")));
    assert_eq!(csv(&out), csv(&world.out("whole")));
    let json = |name: &str| std::fs::read(world.out(name).join("results.json")).unwrap();
    assert_eq!(json("killed"), json("whole"));
}

#[test]
fn a_stop_signal_keeps_what_is_finished_and_says_how_to_go_on() {
    let Some(world) = World::new() else { return };
    // Eight rows at a time: the first are finished long before the last.
    let more = ["-n", "200", "--batch", "8", "--metrics", "support"];
    let out = world.out("a");
    let mut command = world.sweep("a", &more);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let patience = Instant::now();
    while lines(&out) == 0 && patience.elapsed() < Duration::from_secs(300) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(75), "{stderr}");
    assert!(stderr.contains("stopped; what is finished is in"), "{stderr}");
    assert_eq!(session(&out)["outcome"], "stopped");
    let kept = lines(&out);
    assert!(kept > 0 && !out.join("lock").exists());
    done(&mut world.sweep("a", &more));
    assert_eq!(session(&out)["completions"], 400 - kept);
}

#[test]
fn a_cell_that_was_killed_before_it_was_sorted_is_sorted_by_the_next_run() {
    let Some(world) = World::new() else { return };
    done(&mut world.sweep("a", &[]));
    let out = world.out("a");
    let before = samples(&out);
    for id in before.keys() {
        let path = out.join("cells").join(id).join("samples.jsonl");
        let mut lines = before[id].clone();
        lines.reverse();
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    }
    done(&mut world.sweep("a", &[]));
    assert_eq!(session(&out)["completions"], 0);
    assert_eq!(samples(&out), before);
}

#[test]
fn a_torn_last_line_is_cut_counted_and_drawn_again() {
    let Some(world) = World::new() else { return };
    done(&mut world.sweep("a", &[]));
    let out = world.out("a");
    let (before, table) = (samples(&out), csv(&out));
    let id = before.keys().next().unwrap();
    let path = out.join("cells").join(id).join("samples.jsonl");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 25]).unwrap();
    let ran = done(&mut world.sweep("a", &[]));
    assert!(ran.stderr.contains("cut 1 torn last line(s)"), "{}", ran.stderr);
    let session = session(&out);
    assert_eq!((&session["torn_lines"], &session["completions"]), (&1.into(), &1.into()));
    assert_eq!((samples(&out), csv(&out)), (before, table));
}

#[test]
fn a_damaged_line_in_the_middle_is_named() {
    let Some(world) = World::new() else { return };
    done(&mut world.sweep("a", &[]));
    let out = world.out("a");
    let id = samples(&out).keys().next().unwrap().clone();
    let path = out.join("cells").join(id).join("samples.jsonl");
    let text = std::fs::read_to_string(&path).unwrap().replacen('{', "[", 1);
    std::fs::write(&path, text).unwrap();
    let ran = ran(&mut world.sweep("a", &[]));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("samples.jsonl`, line 1:"), "{}", ran.stderr);
}

#[test]
fn a_second_writer_is_refused_and_a_dead_one_s_lock_is_taken_over() {
    let Some(world) = World::new() else { return };
    let out = world.out("a");
    std::fs::create_dir(&out).unwrap();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let mut lock = std::fs::File::create(out.join("lock")).unwrap();
    let holder = format!(r#"{{"pid":{},"host":"{}"}}"#, std::process::id(), host.trim());
    lock.write_all(holder.as_bytes()).unwrap();
    lock.try_lock().unwrap();
    let refused = ran(&mut world.sweep("a", &[]));
    assert_eq!(refused.code, 1);
    let wanted = format!("is held by process {} on", std::process::id());
    assert!(refused.stderr.contains(&wanted), "{}", refused.stderr);
    lock.unlock().unwrap();
    drop(lock);
    done(&mut world.sweep("a", &[]));
}

#[test]
fn a_run_that_0_1_0_signed_is_compared_with_a_word_and_signed_anew_when_it_goes_on() {
    let Some(world) = World::new() else { return };
    done(&mut world.sweep("a", &[]));
    let out = world.out("a");
    let (drawn, table) = (samples(&out), csv(&out));
    let aged = |score: &mut serde_json::Value| {
        let own = score["signature"].as_str().unwrap().to_owned();
        let shared = |fact: &&str| {
            !["emb:", "tok:", "pool:", "cut:", "prec:", "ref:", "prompts:"]
                .iter()
                .any(|name| fact.starts_with(name))
        };
        let mut facts: Vec<&str> = own.split('|').filter(shared).collect();
        facts.insert(1, "emb:gpt2-tinystories-own-hf");
        score["signature"] = facts.join("|").into();
    };
    let rewrite = |path: &Path, change: &dyn Fn(&mut serde_json::Value)| {
        let mut json = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        change(&mut json);
        std::fs::write(path, json.to_string()).unwrap();
    };
    rewrite(&out.join("results.json"), &|json| {
        json["cells"].as_array_mut().unwrap().iter_mut().for_each(|cell| aged(&mut cell["score"]));
    });
    for id in drawn.keys() {
        rewrite(&out.join("cells").join(id).join("scores.json"), &|json| {
            aged(&mut json["score"]);
            json["inputs"] = "of another version".into();
        });
    }
    let run = out.to_str().unwrap();
    let word = "nothing shows that the two are comparable";
    let old = done(&mut world.command(&["compare", run]));
    assert_eq!(old.stderr.matches(word).count(), 1, "{}", old.stderr);
    done(&mut world.command(&["report", run]));
    done(&mut world.sweep("a", &[]));
    assert_eq!(session(&out)["completions"], 0);
    assert_eq!((samples(&out), csv(&out)), (drawn, table));
    let new = done(&mut world.command(&["compare", run]));
    assert!(!new.stderr.contains(word), "{}", new.stderr);
}
