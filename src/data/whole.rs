//! Files that appear whole or not at all, and what stands under a name that is no plain file.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

/// A file on its way: nothing stands at its place before [`Whole::finish`], and nothing is left of it without.
///
/// It is a temporary beside the place, synced and renamed, so that readers see the old file or the new one, never a
/// part; the permissions of an old one are kept. A link leads to the file that is replaced and stays. A device, a
/// pipe or what else is no plain file cannot be replaced, for its name would then mean another thing to everybody
/// (`/dev/null` an ordinary file): it is written to as it is, as is what `/dev/stdout` and other names of open files
/// lead to.
#[derive(Debug)]
pub struct Whole {
    file: BufWriter<File>,
    /// The temporary and the place that it is for; none where the place itself is written to.
    replaces: Option<(PathBuf, PathBuf)>,
}

impl Whole {
    /// A file that shall stand at `path`.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn create(path: &Path) -> io::Result<Self> {
        let replaces = place_of(path)?.map(|place| (temporary_beside(&place), place));
        let file = match &replaces {
            Some((temporary, _)) => File::create(temporary)?,
            // Behind the name of an open file others may have written already.
            None => File::options().append(true).create(true).open(path)?,
        };
        Ok(Self { file: BufWriter::with_capacity(BUFFER, file), replaces })
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    ///
    /// Those of the file system; an old file is then still there.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.flush()?;
        let Some((temporary, place)) = &self.replaces else { return Ok(()) };
        if let Ok(old) = fs::metadata(place) {
            self.file.get_ref().set_permissions(old.permissions())?;
        }
        self.file.get_ref().sync_all()?;
        fs::rename(temporary, place)?;
        sync_folder(place);
        self.replaces = None;
        Ok(())
    }
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if let Some((temporary, _)) = &self.replaces {
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Puts `bytes` at `path` as a [`Whole`] file.
///
/// # Errors
///
/// Those of the file system; an old file is then still there.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = Whole::create(path)?;
    file.write_all(bytes)?;
    file.finish()
}

/// Whether a plain file at `path` holds these bytes already.
pub fn holds(path: &Path, bytes: &[u8]) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() == bytes.len() as u64)
        && fs::read(path).is_ok_and(|old| old == bytes)
}

/// Whether a plain file at `path` holds already what `write` writes; asked without holding either as a whole.
///
/// # Errors
///
/// Those of `write`, where they are its own.
pub fn holds_written(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<Compared>) -> io::Result<()>,
) -> io::Result<bool> {
    let plain = fs::metadata(path).is_ok_and(|file| file.is_file());
    let Some(old) = plain.then(|| File::open(path).ok()).flatten() else { return Ok(false) };
    let compared = Compared { old: BufReader::with_capacity(BUFFER, old), same: true };
    let mut compared = BufWriter::with_capacity(BUFFER, compared);
    let written = write(&mut compared).and_then(|()| compared.flush());
    let same = compared.get_ref().same;
    written.or_else(|error| if same { Err(error) } else { Ok(()) })?;
    let (mut compared, _) = compared.into_parts();
    Ok(same && compared.old.fill_buf().is_ok_and(<[u8]>::is_empty))
}

/// Bytes that are written or compared at a time.
const BUFFER: usize = 1 << 16;

/// An old file, beside which a new one is written to see whether they are the same; the first difference is an error.
#[derive(Debug)]
pub struct Compared {
    old: BufReader<File>,
    same: bool,
}

impl Write for Compared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let old = self.old.fill_buf().unwrap_or_default();
        let count = old.len().min(bytes.len());
        self.same &= count > 0 && old[..count] == bytes[..count];
        if !self.same {
            return Err(io::Error::other("the old file differs"));
        }
        self.old.consume(count);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The plain file that `path` leads to, which may not exist yet; none where it leads to something else, or
/// through a link to nothing.
fn place_of(path: &Path) -> io::Result<Option<PathBuf>> {
    // Names of open files: behind `/dev/stdout` may be a file that the shell goes on writing to. Runs may lie in
    // `/dev/shm`.
    let open = ["/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/fd", "/proc"];
    if open.iter().any(|root| path.starts_with(root)) {
        return Ok(None);
    }
    if path.file_name().is_none() {
        let what = format!("{} names no file", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    match fs::metadata(path) {
        // The system says best what is wrong with a folder.
        Ok(old) if !old.is_file() => Ok(None),
        Ok(_) if path.is_symlink() => fs::canonicalize(path).map(Some),
        Err(_) if path.is_symlink() => Ok(None),
        Ok(_) | Err(_) => Ok(Some(path.to_path_buf())),
    }
}

/// A temporary name in the same folder that nobody else takes: numbers of processes are those of one machine,
/// and a folder may be several machines'.
pub fn temporary_beside(path: &Path) -> PathBuf {
    use std::hash::{BuildHasher, RandomState};
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let chance = RandomState::new().hash_one(());
    path.with_file_name(format!(".{name}.{}-{chance:016x}.tmp", std::process::id()))
}

/// Makes a rename survive a power cut; not every file system can, and then it is left to it.
fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn put(path: &Path, text: &str) -> io::Result<()> {
        replace(path, text.as_bytes())
    }

    #[test]
    fn a_file_is_replaced_with_its_permissions_and_nothing_lies_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        put(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        put(&path, "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(holds(&path, b"new") && !holds(&path, b"old"));
        let mut torn = Whole::create(&path).unwrap();
        torn.write_all(b"to").unwrap();
        drop(torn);
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_holds_what_is_written_if_it_is_that_to_the_last_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.json");
        let long = "0123456789".repeat(BUFFER);
        let same = |text: &str| {
            // In pieces that no buffer ends with.
            let written = holds_written(&path, |file| {
                text.as_bytes().chunks(777).try_for_each(|part| file.write_all(part))
            });
            written.unwrap()
        };
        assert!(!same(""), "there is no file");
        for old in ["", "text", &long] {
            put(&path, old).unwrap();
            assert!(same(old));
            assert!(
                !same(&format!("{old}x")) && !same(&old.replace('9', "8").replace('t', "d"))
                    || old.is_empty()
            );
            assert!(old.is_empty() || !same(&old[..old.len() - 1]));
        }
        let failed = holds_written(&path, |_| Err(io::Error::other("no value")));
        assert_eq!(failed.unwrap_err().to_string(), "no value");
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link, nowhere] =
            ["far.json", "near.json", "new.json"].map(|name| folder.path().join(name));
        fs::write(&file, "old").unwrap();
        symlink(&file, &link).unwrap();
        put(&link, "new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        fs::remove_file(&link).unwrap();
        symlink(&nowhere, &link).unwrap();
        put(&link, "first").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&nowhere).unwrap(), "first");
    }

    #[test]
    fn a_pipe_is_written_to_and_a_folder_refused() {
        use std::{io::Read, os::unix::fs::FileTypeExt, process::Command, thread};
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(!holds(&pipe, b"text"));
        let reader = thread::spawn({
            let pipe = pipe.clone();
            move || {
                let mut text = String::new();
                File::open(pipe).unwrap().read_to_string(&mut text).unwrap();
                text
            }
        });
        put(&pipe, "text").unwrap();
        assert_eq!(reader.join().unwrap(), "text");
        assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
        assert!(put(folder.path(), "text").is_err());
        assert!(put(Path::new("/"), "text").is_err());
    }

    #[test]
    fn a_device_is_never_replaced_and_a_file_in_memory_is() {
        for path in ["/dev/null", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
            assert_eq!(place_of(Path::new(path)).unwrap(), None, "{path}");
        }
        let shared = Path::new("/dev/shm/llmpr of no run/results.csv");
        assert_eq!(place_of(shared).unwrap().as_deref(), Some(shared));
    }

    #[test]
    fn what_stands_behind_the_name_of_an_open_file_stays() {
        use std::os::fd::AsRawFd;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = File::options().append(true).create(true).open(&path).unwrap();
        log.write_all(b"before ").unwrap();
        put(Path::new(&format!("/proc/self/fd/{}", log.as_raw_fd())), "table ").unwrap();
        log.write_all(b"after").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "before table after");
    }
}
