//! Memory that is mapped from files.
#![cfg_attr(unix, expect(unsafe_code, reason = "memory-mapping files and advice on their pages"))]

use memmap2::{Mmap, MmapMut, MmapOptions};
use std::{
    fs::File,
    io::{self, Write},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Values that somebody else holds and that stay where they are, such as those of an array of another language.
pub type Held = Arc<dyn AsRef<[f32]> + Send + Sync>;

/// All that is mapped.
static REGIONS: Mutex<Regions> = Mutex::new(Regions { scratch: Vec::new(), files: Vec::new() });

/// How many buffers lie in scratch files: where none does, no buffer has to be looked up.
static SCRATCH: AtomicUsize = AtomicUsize::new(0);

struct Regions {
    scratch: Vec<MmapMut>,
    files: Vec<Weak<Mmap>>,
}

fn regions() -> MutexGuard<'static, Regions> {
    REGIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells the system that no page of what is mapped is needed now.
pub(super) fn release() {
    #[cfg(unix)]
    {
        use memmap2::UncheckedAdvice::DontNeed;
        let mut regions = regions();
        for scratch in &regions.scratch {
            // SAFETY: the mapping is shared with its file, whose pages hold what was written and are mapped again at
            // the next access. A refusal leaves them where they are.
            let _ = unsafe { scratch.unchecked_advise(DontNeed) };
        }
        regions.files.retain(|file| {
            // SAFETY: the mapping is read-only, so that its pages are read again with the same bytes.
            file.upgrade().is_some_and(|file| unsafe { file.unchecked_advise(DontNeed) }.is_ok())
        });
    }
}

/// `size` zeros in a scratch file of the folder for temporary files; its room on the disk is taken at once.
///
/// # Errors
///
/// Where the file cannot be made, grow that large or be mapped.
pub(super) fn scratch(size: usize) -> io::Result<*mut u8> {
    static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
    let mut file = without_a_name()?;
    // A file that only claims its size would end the process at the first page that the disk has no room for.
    let mut left = size;
    while left > 0 {
        let some = left.min(ZEROS.len());
        file.write_all(&ZEROS[..some])?;
        left -= some;
    }
    // SAFETY: the file has no name and belongs to this process alone, so that nobody cuts it short.
    let mut mapped = unsafe { MmapOptions::new().len(size).map_mut(&file) }?;
    let at = mapped.as_mut_ptr();
    regions().scratch.push(mapped);
    SCRATCH.fetch_add(1, Ordering::Relaxed);
    Ok(at)
}

/// Whether a buffer in a scratch file starts at `at`.
pub(super) fn is_scratch(at: *const u8) -> bool {
    SCRATCH.load(Ordering::Relaxed) > 0
        && regions().scratch.iter().any(|mapped| mapped.as_ptr() == at)
}

/// Ends the buffer in a scratch file that starts at `at`; whether there is one.
pub(super) fn forget(at: *const u8) -> bool {
    if SCRATCH.load(Ordering::Relaxed) == 0 {
        return false;
    }
    let mut regions = regions();
    let found = regions.scratch.iter().position(|mapped| mapped.as_ptr() == at);
    let gone = found.map(|at| regions.scratch.swap_remove(at));
    drop(regions);
    SCRATCH.fetch_sub(gone.is_some().into(), Ordering::Relaxed);
    gone.is_some()
}

/// A new file whose name is gone before anybody can use it.
fn without_a_name() -> io::Result<File> {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let folder = std::env::temp_dir();
    loop {
        let name = format!("llmpr-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let path = folder.join(name);
        match File::options().read(true).write(true).create_new(true).open(&path) {
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(file);
            }
            // Of an earlier process with this number that was killed in between.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Values of a file, read where they are.
struct Values(Arc<Mmap>);

impl AsRef<[f32]> for Values {
    fn as_ref(&self) -> &[f32] {
        // SAFETY: any four bytes are a value.
        let (before, values, _) = unsafe { self.0.align_to::<f32>() };
        debug_assert!(before.is_empty(), "a mapping starts where `map` checked that it may");
        values
    }
}

/// `count` little-endian `f32` of `file` from byte `from` on, left in the file; `None` where they do not lie as this
/// processor reads them.
///
/// # Errors
///
/// Where the file cannot be mapped.
pub fn map(file: &File, from: u64, count: usize) -> io::Result<Option<Held>> {
    if cfg!(target_endian = "big") || !from.is_multiple_of(4) || count == 0 {
        return Ok(None);
    }
    let Some(len) = count.checked_mul(4) else { return Ok(None) };
    // SAFETY: the mapping is read-only, and the file holds these bytes. A file that another process cuts short while
    // it is mapped ends this one with SIGBUS, as for every program that maps files.
    let mapped = Arc::new(unsafe { MmapOptions::new().offset(from).len(len).map(file) }?);
    regions().files.push(Arc::downgrade(&mapped));
    Ok(Some(Arc::new(Values(mapped))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_file_are_those_that_stand_there_before_and_after_their_pages_were_given_back() {
        let mut file = without_a_name().unwrap();
        file.write_all(b"head").unwrap();
        let written: Vec<f32> = (0..5000).map(|i| i as f32 / 3.0).collect();
        written.iter().for_each(|x| file.write_all(&x.to_le_bytes()).unwrap());
        assert!(map(&file, 2, 4).unwrap().is_none(), "they start between two words");
        let held = map(&file, 4, 5000).unwrap().unwrap();
        assert_eq!((*held).as_ref(), written);
        release();
        assert_eq!((*held).as_ref(), written);
    }
}
