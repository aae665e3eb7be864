//! Inputs of a kind, one after another, and what is asked of each.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    os::unix::fs::FileExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use super::{
    json, memory,
    mutate::{Chance, mutated},
};

/// How a kind is written, which says what can be done to it.
#[derive(Clone, Copy, PartialEq)]
pub enum Form {
    Bytes,
    Json,
    Lines,
}

/// Makes the file of what is in it.
pub type Pack = dyn Fn(&[u8]) -> Vec<u8>;

/// A kind of file.
pub struct Kind<'a> {
    pub name: &'a str,
    /// Valid files.
    pub seeds: Vec<Vec<u8>>,
    pub form: Form,
    /// Words that its readers know.
    pub words: &'a [&'a str],
    /// One in so many inputs is tried: what takes long gets fewer.
    pub share: u64,
    /// Bytes that reading may take beside those of the file: a template may make long strings.
    pub spare: usize,
    /// What packs the file; half of the changes are made before, half after.
    pub pack: Option<&'a Pack>,
}

impl Default for Kind<'_> {
    fn default() -> Self {
        Self {
            name: "",
            seeds: Vec::new(),
            form: Form::Bytes,
            words: &[],
            share: 1,
            spare: 0,
            pack: None,
        }
    }
}

/// Inputs of each kind that are tried unless `LLMPR_HOSTILE` says another number.
const USUAL: u64 = 250;
/// Bytes that reading anything may take, and how many for each byte of the file.
const SPARE: usize = 64 << 20;
const EACH: usize = 100;
/// The longest that one input may take on a busy machine, unoptimized.
const LONGEST: Duration = Duration::from_secs(10);
/// Failures of a kind that are told apart.
const TOLD: usize = 12;

/// Memory is counted for the process: one trial at a time.
pub fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder in memory where there is one: thousands of small files are written.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

thread_local! {
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps what a panic says and where it was, instead of printing it.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let at = info.location().map(ToString::to_string).unwrap_or_default();
            let panic = info.payload();
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let what = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            SAID.with_borrow_mut(|said| *said = format!("panic at {at}: {what}"));
            if STARTED.load(Relaxed) == 0 {
                usual(info);
            }
        }));
    });
}

/// Milliseconds since the first trial at which the input in work began; 0 where none is.
static STARTED: AtomicU64 = AtomicU64::new(0);

fn now() -> u64 {
    static ZERO: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    1 + ZERO.get_or_init(Instant::now).elapsed().as_millis() as u64
}

/// Ends the process where an input does not come to an end; the file that names it is there.
fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::thread::spawn(|| {
            loop {
                std::thread::sleep(Duration::from_secs(1));
                let started = STARTED.load(Relaxed);
                if started > 0 && now() > started + 20 * LONGEST.as_millis() as u64 {
                    eprintln!(
                        "an input does not end: see {}/hostile-*.now",
                        env!("CARGO_TARGET_TMPDIR")
                    );
                    std::process::abort();
                }
            }
        });
    });
}

/// The input of a number.
fn input(kind: &Kind<'_>, number: u64) -> Vec<u8> {
    let mut chance = Chance::new(kind.name, number);
    let seed = chance.one_of(&kind.seeds).clone();
    let packed = |bytes: &[u8]| kind.pack.map_or_else(|| bytes.to_vec(), |pack| pack(bytes));
    if let Some(pack) = kind.pack
        && chance.once_in(2)
    {
        let packed: Vec<Vec<u8>> = kind.seeds.iter().map(|seed| pack(seed)).collect();
        return mutated(&mut chance, &pack(&seed), &packed, kind.words);
    }
    let tree = kind.form != Form::Bytes && !chance.once_in(3);
    let bytes = match kind.form {
        Form::Json if tree => json::mutated(&mut chance, &seed, kind.words),
        Form::Lines if tree => json::line_mutated(&mut chance, &seed, kind.words),
        _ => mutated(&mut chance, &seed, &kind.seeds, kind.words),
    };
    packed(&bytes)
}

/// Reads every valid file and then the mutated ones by `read`, which panics where something is wrong.
pub fn hostile(kind: &Kind<'_>, mut read: impl FnMut(&[u8])) {
    let _alone = alone();
    listen();
    watch();
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let first = number("LLMPR_HOSTILE_FROM").unwrap_or(0);
    let count = (number("LLMPR_HOSTILE").unwrap_or(USUAL) / kind.share).max(10);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let _ = std::fs::create_dir_all(folder);
    let note = folder.join(format!("hostile-{}.now", kind.name.replace(' ', "-")));
    let now_trying = std::fs::File::create(&note).ok();
    for seed in &kind.seeds {
        let bytes = kind.pack.map_or_else(|| seed.clone(), |pack| pack(seed));
        // What grows once, such as pools of threads and tables, is there before anything is counted.
        read(&bytes);
    }
    let mut failures: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let begun = Instant::now();
    for number in first..first + count {
        let bytes = input(kind, number);
        // An abort leaves nothing else behind.
        let _ =
            now_trying.as_ref().map(|file| file.write_at(format!("{number:<20}\n").as_bytes(), 0));
        let started = Instant::now();
        STARTED.store(now(), Relaxed);
        let mut failure = None;
        let used = memory::most(|| {
            let result = catch_unwind(AssertUnwindSafe(|| read(&bytes)));
            failure = result.err().map(|_| SAID.with_borrow(Clone::clone));
        });
        STARTED.store(0, Relaxed);
        let most = SPARE + kind.spare + EACH * bytes.len();
        if used > most {
            failure.get_or_insert(format!("{} MiB for {} KiB", used >> 20, bytes.len() >> 10));
        }
        if started.elapsed() > LONGEST {
            failure.get_or_insert("it takes long".to_owned());
        }
        if let Some(failure) = failure {
            let full = failures.len() >= TOLD && !failures.contains_key(&failure);
            let failure = if full { "others".to_owned() } else { failure };
            let (times, at) = failures.entry(failure).or_insert((0, number));
            *times += 1;
            if *times == 1 && *at == number {
                let name = format!("hostile-{}-{number}", kind.name.replace(' ', "-"));
                let _ = std::fs::write(folder.join(name), &bytes);
            }
        }
    }
    let _ = std::fs::remove_file(&note);
    let seconds = begun.elapsed().as_secs_f64();
    println!("hostile: {count} inputs of {} in {seconds:.1} s", kind.name);
    let told: Vec<String> = failures
        .iter()
        .map(|(what, (times, at))| format!("{what} ({times} times, first input {at})"))
        .collect();
    assert!(told.is_empty(), "{}, kept in {}:\n{}", kind.name, folder.display(), told.join("\n"));
}
