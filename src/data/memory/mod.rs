//! A limit on main memory: what is large lies in files, and their pages leave the process again.
//!
//! Below a limit nothing changes. Once large buffers fill a quarter of it, further ones lie in a scratch file without a
//! name ([`Spilling`], where a program has it as its allocator), and rows of feature files stay where they are
//! ([`map`]). Computations read and write both as any other memory; a thread watches how much of the process is
//! resident, and tells the system to drop pages before the limit is reached. The system keeps dropped pages in its own
//! cache while nothing else needs that memory, and reads them again from the files otherwise. No value depends on it.

mod allocator;
mod available;
mod regions;

use std::{
    fmt,
    str::FromStr,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

pub use allocator::Spilling;
pub use available::{available, installed};
pub use regions::{Held, map};

/// The limit in bytes; 0 where there is none.
static LIMIT: AtomicUsize = AtomicUsize::new(0);

/// Ends the process where a scratch file has no room.
static FULL: OnceLock<fn(&str) -> !> = OnceLock::new();

/// A number of bytes as people write it: `2G`, `1.5GiB`, `500M`. Units are powers of 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("`{text}` is no size; write 2G, 1.5G, 500M or a number of bytes");
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let shift = match unit.trim_start().to_ascii_uppercase().as_str() {
            "" | "B" => 0,
            "K" | "KB" | "KIB" => 10,
            "M" | "MB" | "MIB" => 20,
            "G" | "GB" | "GIB" => 30,
            "T" | "TB" | "TIB" => 40,
            _ => return Err(refused()),
        };
        let number: f64 = number.parse().map_err(|_| refused())?;
        let bytes = number * (1u64 << shift) as f64;
        if !(1.0..=2f64.powi(60)).contains(&bytes) {
            return Err(refused());
        }
        Ok(Self(bytes.round() as u64))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as f64;
        match self.0 {
            0..0x400 => write!(f, "{bytes} B"),
            0x400..0x10_0000 => write!(f, "{:.0} KiB", bytes / 1024.0),
            0x10_0000..0x4000_0000 => write!(f, "{:.0} MiB", bytes / 1_048_576.0),
            _ => write!(f, "{:.1} GiB", bytes / 1_073_741_824.0),
        }
    }
}

/// The limit that holds now, if any.
pub fn limit() -> Option<Bytes> {
    Some(Bytes(LIMIT.load(Ordering::Relaxed) as u64)).filter(|limit| limit.0 > 0)
}

/// A limit that holds until it is dropped.
#[derive(Debug)]
pub struct Limited {
    over: Arc<AtomicBool>,
    watcher: Option<JoinHandle<()>>,
}

impl Limited {
    /// Keeps what this process has in main memory to about `most` from here on.
    ///
    /// Buffers below 4 MiB stay in memory whatever they add up to. `full` ends the process, with a sentence that it is
    /// given: what an allocator cannot put into a file, nobody else can take care of.
    ///
    /// # Errors
    ///
    /// Where the system has no pages of files that a process could give back, or no thread for the watch.
    pub fn to(most: Bytes, full: fn(&str) -> !) -> std::io::Result<Self> {
        if !cfg!(unix) {
            return Err(std::io::ErrorKind::Unsupported.into());
        }
        let most = usize::try_from(most.0).unwrap_or(usize::MAX);
        let over = Arc::new(AtomicBool::new(false));
        let ends = over.clone();
        let watcher =
            std::thread::Builder::new().name("memory".to_owned()).spawn(move || watch(&ends))?;
        // The first that is named stays: it is the program's.
        let _ = FULL.set(full);
        LIMIT.store(most, Ordering::Relaxed);
        Ok(Self { over, watcher: Some(watcher) })
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        LIMIT.store(0, Ordering::Relaxed);
        self.over.store(true, Ordering::Relaxed);
        // A watcher that panicked has nothing left to do.
        let _ = self.watcher.take().map(JoinHandle::join);
    }
}

/// How much of a limit is left free, for pages that come while others are on their way out.
pub const fn reserve(most: Bytes) -> Bytes {
    let (quarter, least) = (most.0 / 4, 64 << 20);
    Bytes(if quarter > least { quarter } else { least })
}

/// Looks after the limit until it is over, in loops that do not do so themselves, too.
fn watch(over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        keep();
        std::thread::sleep(PAUSE);
    }
}

/// Between two looks of the watch: memory fills by some ten megabytes where rows are read one after the other.
const PAUSE: Duration = Duration::from_millis(2);

/// Between two looks of loops: rows read here and there map two megabytes each, where the system caches files in large
/// pages. A look takes some microseconds.
const LEAST_PAUSE: Duration = Duration::from_micros(100);

/// Gives pages back where the limit is near; long loops call this once a block, as a thread of its own comes late where
/// processors are busy. Nothing, below no limit.
#[inline]
pub fn keep() {
    if LIMIT.load(Ordering::Relaxed) > 0 {
        keep_to_limit();
    }
}

#[cold]
fn keep_to_limit() {
    /// The last look, and what may be resident at the next.
    static LAST: Mutex<Option<(Instant, u64)>> = Mutex::new(None);
    // Another thread is looking.
    let Ok(mut last) = LAST.try_lock() else { return };
    let (now, Some(limit)) = (Instant::now(), limit()) else { return };
    if last.is_some_and(|(last, _)| now - last < LEAST_PAUSE) {
        return;
    }
    let usual = limit.0.saturating_sub(reserve(limit).0);
    let mut mark = last.map_or(usual, |(_, mark)| mark);
    // Where the system does not say, pages are given back at every look.
    if resident().is_none_or(|now| now > mark) {
        regions::release();
        // What stays is no page of a file; without room for some, each would be read again and again.
        mark = usual.max(resident().unwrap_or(0) + limit.0 / 16);
    }
    *last = Some((now, mark));
}

/// Bytes of this process in main memory.
fn resident() -> Option<u64> {
    static PAGE: OnceLock<Option<u64>> = OnceLock::new();
    let page = (*PAGE.get_or_init(page))?;
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split_whitespace().nth(1)?.parse::<u64>().ok()? * page)
}

/// Bytes of a page, from what the kernel tells a process at its start.
fn page() -> Option<u64> {
    /// `AT_PAGESZ`.
    const SIZE: usize = 6;
    let auxiliary = std::fs::read("/proc/self/auxv").ok()?;
    let (words, _) = auxiliary.as_chunks::<{ size_of::<usize>() }>();
    let words: Vec<usize> = words.iter().map(|&word| usize::from_ne_bytes(word)).collect();
    let (pairs, _) = words.as_chunks::<2>();
    pairs.iter().find(|[key, _]| *key == SIZE).map(|&[_, bytes]| bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let read = |text: &str| text.parse::<Bytes>().map(|bytes| bytes.0);
        assert_eq!(read("2G"), Ok(2 << 30));
        assert_eq!(read("1.5 GiB"), Ok(3 << 29));
        assert_eq!(read("500m"), Ok(500 << 20));
        assert_eq!(read("4096"), Ok(4096));
        for wrong in ["", "G", "2X", "-1G", "0", "1e9", "NaN", "9999999T", "1.2.3M"] {
            let said = read(wrong).unwrap_err();
            assert!(said.contains("is no size; write 2G"), "{wrong}: {said}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")] // which says the same in two places
    fn what_is_resident_is_what_the_system_says() {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib: u64 = line.split_whitespace().next().unwrap().parse().unwrap();
        let (said, own) = ((kib << 10) as f64, resident().unwrap() as f64);
        assert!((own / said - 1.0).abs() < 0.5, "{own} {said}");
        assert!(page().unwrap().is_power_of_two());
    }

    #[test]
    fn sizes_are_told_in_the_largest_unit_that_they_fill() {
        let told = |bytes: u64| Bytes(bytes).to_string();
        assert_eq!([told(700), told(5 << 10), told(9 << 20)], ["700 B", "5 KiB", "9 MiB"]);
        assert_eq!([told(3 << 29), told(5_120_000_000)], ["1.5 GiB", "4.8 GiB"]);
    }
}
