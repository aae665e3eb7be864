use std::sync::{
    Barrier,
    atomic::{AtomicUsize, Ordering},
};

use super::*;
use crate::run::progress::Quiet;

const PATIENCE: Duration = Duration::from_millis(400);

/// A process of a machine of its own, on a file system whose locks do nothing.
fn on(host: &str, run: &Path) -> Arc<Alive> {
    let holder =
        Holder { host: host.into(), boot: host.into(), token: String::new(), ..Holder::here() };
    let holder = Holder { token: format!("{host}-{}", Holder::here().token), ..holder };
    let rules = Rules { patience: PATIENCE, kernel: false };
    Arc::new(Alive::begin_as(&run.join("alive"), holder, rules).unwrap())
}

fn here(run: &Path) -> Arc<Alive> {
    let rules = Rules { patience: PATIENCE, kernel: true };
    Arc::new(Alive::begin_as(&run.join("alive"), Holder::here(), rules).unwrap())
}

fn acquire(path: &Path, alive: &Arc<Alive>) -> Result<Lock, LockError> {
    let stop = Stop::never();
    let waiting = Waiting { busy: Duration::ZERO, stop: &stop, progress: &Quiet };
    Lock::acquire(path, alive, waiting)
}

/// The lock of a process of another machine that ended without a word, and its last sign of life.
fn left_by_a_dead_one(run: &Path, path: &Path) -> Holder {
    let holder = Holder {
        pid: 7,
        host: "gone".into(),
        token: Holder::here().token,
        boot: "another".into(),
        ..Holder::default()
    };
    let json = serde_json::to_string(&Content { holder: holder.clone(), number: 0 }).unwrap();
    std::fs::write(path, json).unwrap();
    std::fs::create_dir_all(run.join("alive")).unwrap();
    std::fs::write(watch::sign(&run.join("alive"), &holder.token), "7\n").unwrap();
    holder
}

#[test]
fn a_second_holder_is_told_who_the_first_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let first = acquire(&path, &here(dir.path())).unwrap();
    let message = acquire(&path, &here(dir.path())).unwrap_err().to_string();
    assert!(message.contains(&format!("process {} on", std::process::id())), "{message}");
    drop(first);
    assert!(!path.exists() && !dir.path().join("alive").exists());
    assert!(acquire(&path, &here(dir.path())).unwrap().taken_over.is_none());
}

#[test]
fn a_dead_process_of_this_machine_is_succeeded_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let dead = Holder { pid: u32::MAX, ..Holder::here() };
    std::fs::write(&path, serde_json::to_string(&dead).unwrap()).unwrap();
    let started = Instant::now();
    assert_eq!(acquire(&path, &here(dir.path())).unwrap().taken_over, Some(dead));
    assert!(started.elapsed() < PATIENCE);
}

#[test]
fn a_dead_process_of_another_machine_is_succeeded_after_the_time_once_for_all_its_locks() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let dead = left_by_a_dead_one(dir.path(), &path);
    let cells: Vec<PathBuf> = (0..5).map(|i| dir.path().join(format!("cell{i}"))).collect();
    cells.iter().for_each(|cell| {
        std::fs::copy(&path, cell).unwrap();
    });
    let alive = on("b", dir.path());
    let started = Instant::now();
    assert!(matches!(Lock::attempt(&path, &alive).unwrap(), Attempt::Unsure(_)));
    let lock = acquire(&path, &alive).unwrap();
    assert_eq!(lock.taken_over, Some(dead));
    assert!(started.elapsed() >= PATIENCE);
    for cell in &cells {
        assert!(matches!(Lock::attempt(cell, &alive).unwrap(), Attempt::Taken(_)));
    }
    assert!(started.elapsed() < 2 * PATIENCE, "{:?}", started.elapsed());
    // Nor does a third machine wait.
    let third = dir.path().join("third");
    std::fs::write(&third, serde_json::to_string(&lock.taken_over).unwrap()).unwrap();
    let attempt = Lock::attempt(&third, &on("c", dir.path())).unwrap();
    assert!(matches!(attempt, Attempt::Taken(_)), "{attempt:?}");
}

#[test]
fn two_that_live_exclude_one_another_where_kernels_locks_do_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let lock = acquire(&path, &on("a", dir.path())).unwrap();
    let other = on("b", dir.path());
    let message = acquire(&path, &other).unwrap_err().to_string();
    assert!(message.contains("on a; wait until it ends"), "{message}");
    drop(lock);
    assert!(acquire(&path, &other).unwrap().taken_over.is_none());
}

#[test]
fn an_earlier_attempt_of_the_same_job_is_succeeded_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let job = |restarts| Some(Job { cluster: "c".into(), id: "12_3".into(), restarts });
    let before = left_by_a_dead_one(dir.path(), &path);
    let before = Holder { job: job(0), ..before };
    std::fs::write(&path, serde_json::to_string(&before).unwrap()).unwrap();
    let rules = Rules { patience: Duration::from_secs(600), kernel: false };
    let again = Holder { job: job(1), ..Holder::here() };
    let alive = Alive::begin_as(&dir.path().join("alive"), again, rules).unwrap();
    assert_eq!(acquire(&path, &Arc::new(alive)).unwrap().taken_over, Some(before));
}

#[test]
fn a_kernel_s_lock_that_can_be_had_shows_that_its_holder_is_dead_whatever_the_host_is_called() {
    let dir = tempfile::tempdir().unwrap();
    if Reach::of(dir.path()) == Reach::Nobody {
        crate::shared_data::skipped("locks", "the temporary folder's locks exclude nobody");
        return;
    }
    let path = dir.path().join("lock");
    let renamed = Holder { host: "renamed".into(), reach: Reach::Machine, ..Holder::here() };
    std::fs::write(&path, serde_json::to_string(&renamed).unwrap()).unwrap();
    std::fs::create_dir(dir.path().join("alive")).unwrap();
    let sign = std::fs::File::create(watch::sign(&dir.path().join("alive"), &renamed.token));
    let sign = sign.unwrap();
    sign.try_lock().unwrap();
    let alive = here(dir.path());
    assert!(matches!(Lock::attempt(&path, &alive).unwrap(), Attempt::Busy(_)));
    drop(sign);
    assert!(matches!(Lock::attempt(&path, &alive).unwrap(), Attempt::Taken(_)));
}

#[test]
fn of_many_that_take_over_at_once_exactly_one_holds_at_a_time() {
    for round in 0..12 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let dead = left_by_a_dead_one(dir.path(), &path);
        if round % 2 == 1 {
            // One that died between its link and its lock.
            let link = after(&path, &dead);
            let next = left_by_a_dead_one(dir.path(), &link);
            assert_ne!(next, dead);
        }
        let (inside, turns, start) = (AtomicUsize::new(0), AtomicUsize::new(0), Barrier::new(8));
        let work = |i: usize| {
            let alive = on(&format!("node{i}"), dir.path());
            alive.watch.judge(&dead);
            start.wait();
            std::thread::sleep(PATIENCE / 2);
            let give_up = Instant::now() + Duration::from_secs(60);
            while Instant::now() < give_up {
                let Attempt::Taken(lock) = Lock::attempt(&path, &alive).unwrap() else {
                    std::thread::yield_now();
                    continue;
                };
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two holders");
                std::thread::yield_now();
                lock.check().unwrap();
                inside.fetch_sub(1, Ordering::SeqCst);
                turns.fetch_add(1, Ordering::SeqCst);
                return;
            }
        };
        std::thread::scope(|scope| {
            for i in 0..8 {
                scope.spawn(move || work(i));
            }
        });
        assert_eq!(turns.into_inner(), 8);
        let names = std::fs::read_dir(dir.path()).unwrap().flatten().map(|e| e.file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["alive"], "round {round}");
    }
}

#[test]
fn a_writer_that_was_taken_over_writes_no_more_and_leaves_the_new_lock_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let slow = on("slow", dir.path());
    let lock = acquire(&path, &slow).unwrap();
    let other = on("quick", dir.path());
    other.watch.bury(slow.holder()).unwrap();
    let Attempt::Taken(new) = Lock::attempt(&path, &other).unwrap() else { panic!("not taken") };
    std::thread::sleep(PATIENCE);
    let message = lock.check().unwrap_err().to_string();
    assert!(
        message.contains("taken for dead, and process") && message.contains("on quick goes on")
    );
    drop(lock);
    new.check().unwrap();
    assert!(path.exists());
}

#[test]
fn a_lock_of_version_0_1_of_another_host_is_left_alone_and_one_of_a_dead_process_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let alive = here(dir.path());
    std::fs::write(&path, r#"{"pid":1,"host":"elsewhere.example"}"#).unwrap();
    let message = acquire(&path, &alive).unwrap_err().to_string();
    assert!(message.contains("process 1 on elsewhere.example"), "{message}");
    assert!(message.contains("delete that file"), "{message}");
    std::fs::write(&path, format!(r#"{{"pid":{},"host":"{}"}}"#, u32::MAX, host())).unwrap();
    assert_eq!(acquire(&path, &alive).unwrap().taken_over.clone().unwrap().pid, u32::MAX);
}

#[test]
fn a_half_written_lock_of_nobody_is_taken_after_the_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    std::fs::write(&path, r#"{"pid":1,"ho"#).unwrap();
    let started = Instant::now();
    acquire(&path, &here(dir.path())).unwrap();
    assert!(started.elapsed() >= PATIENCE);
}

#[test]
fn a_lock_that_cannot_be_made_is_an_error_and_no_lock_of_another() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    assert!(make(&path, b"1").unwrap());
    assert!(make(&path, b"1").unwrap(), "an answer that was lost");
    assert!(!make(&path, b"2").unwrap());
    let error = make(&path.join("below"), b"1").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotADirectory);
}
