//! GGUF files: metadata and tensors in one file, as llama.cpp writes them.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::lm::LmError;

#[cfg(test)]
mod block_tests;
mod config;
mod cut;
#[cfg(test)]
mod gpt2_tests;
mod model;
mod names;
mod roles;
mod tensor;
#[cfg(test)]
pub(crate) mod tests;
mod vocabulary;
#[cfg(test)]
mod vocabulary_tests;

pub use tensor::{Kind, TensorInfo};

/// A metadata value; the file's widths of numbers are not kept.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Value {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    List(Vec<Value>),
}

impl Value {
    /// A whole number that is not negative.
    pub fn whole(&self) -> Option<u64> {
        match *self {
            Self::Unsigned(n) => Some(n),
            Self::Signed(n) => u64::try_from(n).ok(),
            _ => None,
        }
    }

    /// Any number.
    pub fn number(&self) -> Option<f64> {
        match *self {
            Self::Float(x) => Some(x),
            Self::Unsigned(n) => Some(n as f64),
            Self::Signed(n) => Some(n as f64),
            _ => None,
        }
    }

    /// A text.
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// A mapped GGUF file whose directory has been read and checked against its length.
pub struct Gguf {
    path: PathBuf,
    map: Arc<memmap2::Mmap>,
    metadata: HashMap<String, Value>,
    tensors: BTreeMap<String, TensorInfo>,
}

impl Gguf {
    /// Maps a file and reads its directory.
    ///
    /// # Errors
    ///
    /// [`LmError::Read`] and [`LmError::BadFile`]: not GGUF, cut short, sizes that lie, a tensor type
    /// that is not supported.
    pub fn open(path: &Path) -> Result<Self, LmError> {
        let map = map(path)?;
        let mut reader = Reader { bytes: &map, at: 0 };
        let directory = reader.directory();
        let (metadata, tensors) = directory
            .map_err(|what| LmError::BadFile { path: path.display().to_string(), what })?;
        Ok(Self { path: path.to_owned(), map: Arc::new(map), metadata, tensors })
    }

    /// A metadata value.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// The tensors by the file's own names.
    pub fn tensors(&self) -> &BTreeMap<String, TensorInfo> {
        &self.tensors
    }

    fn bad(&self, what: impl Into<String>) -> LmError {
        LmError::BadFile { path: self.path.display().to_string(), what: what.into() }
    }

    /// A value that must be of one kind where it is there at all.
    fn optional<'a, T>(
        &'a self,
        key: &str,
        wanted: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, LmError> {
        let wrong = || self.bad(format!("the metadata value `{key}` is not {wanted}"));
        self.get(key).map(|value| read(value).ok_or_else(wrong)).transpose()
    }
}

#[expect(unsafe_code, reason = "memory-mapping weights")]
fn map(path: &Path) -> Result<memmap2::Mmap, LmError> {
    let failed = |source| LmError::Read { path: path.display().to_string(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(failed(std::io::ErrorKind::IsADirectory.into()));
    }
    // SAFETY: the mapping is read-only and private to the process, and every access goes through
    // bounds-checked slices. A file that another process cuts short while it is mapped ends this one
    // with SIGBUS, as for every program that maps files.
    unsafe { memmap2::Mmap::map(&file) }.map_err(failed)
}

/// Reads little-endian values off a slice; every length is checked against what is left.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

type Directory = (HashMap<String, Value>, BTreeMap<String, TensorInfo>);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else {
            let (at, size) = (self.at, self.bytes.len());
            return Err(format!("cut short: {length} bytes are wanted at byte {at} of {size}"));
        };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_le_bytes)
    }

    /// A count of things that take at least `each` bytes, refused where the file cannot hold them.
    fn count(&mut self, what: &str, each: usize) -> Result<usize, String> {
        let count = self.u64()?;
        let left = self.bytes.len() - self.at;
        let fits =
            usize::try_from(count).ok().filter(|n| n.checked_mul(each).is_some_and(|n| n <= left));
        fits.ok_or_else(|| format!("claims {count} {what} and has {left} bytes left for them"))
    }

    fn text(&mut self) -> Result<String, String> {
        let length = self.count("characters of text", 1)?;
        let bytes = self.take(length)?;
        // Some writers end texts with NUL, and some vocabularies hold bytes that are not UTF-8.
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        Ok(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }

    fn value(&mut self, kind: u32, depth: usize) -> Result<Value, String> {
        Ok(match kind {
            0 => Value::Unsigned(u64::from(self.array::<1>()?[0])),
            1 => Value::Signed(i64::from(i8::from_le_bytes(self.array()?))),
            2 => Value::Unsigned(u64::from(u16::from_le_bytes(self.array()?))),
            3 => Value::Signed(i64::from(i16::from_le_bytes(self.array()?))),
            4 => Value::Unsigned(u64::from(self.u32()?)),
            5 => Value::Signed(i64::from(i32::from_le_bytes(self.array()?))),
            6 => Value::Float(f64::from(f32::from_le_bytes(self.array()?))),
            7 => Value::Bool(self.array::<1>()?[0] != 0),
            8 => Value::Text(self.text()?),
            9 if depth >= 2 => return Err("lists of lists of lists in the metadata".into()),
            9 => {
                let kind = self.u32()?;
                let each = match kind {
                    0 | 1 | 7 => 1,
                    2 | 3 => 2,
                    4..=6 => 4,
                    9 => 12,
                    _ => 8,
                };
                let count = self.count("list items", each)?;
                Value::List(
                    (0..count).map(|_| self.value(kind, depth + 1)).collect::<Result<_, _>>()?,
                )
            }
            10 => Value::Unsigned(self.u64()?),
            11 => Value::Signed(i64::from_le_bytes(self.array()?)),
            12 => Value::Float(f64::from_le_bytes(self.array()?)),
            other => return Err(format!("metadata type {other} is none of GGUF's")),
        })
    }

    fn directory(&mut self) -> Result<Directory, String> {
        if self.take(4).ok() != Some(b"GGUF") {
            return Err("not a GGUF file: it does not begin with `GGUF`".into());
        }
        match self.u32()? {
            2 | 3 => {}
            version if version.swap_bytes() <= 3 => return Err("a big-endian GGUF file".into()),
            version => {
                return Err(format!("GGUF version {version}; versions 2 and 3 are supported"));
            }
        }
        let tensor_count = self.count("tensors", 24)?;
        let value_count = self.count("metadata values", 13)?;
        let mut metadata = HashMap::new();
        for _ in 0..value_count {
            let key = self.text()?;
            let kind = self.u32()?;
            let value = self.value(kind, 0).map_err(|e| format!("metadata value `{key}`: {e}"))?;
            if metadata.insert(key.clone(), value).is_some() {
                return Err(format!("the metadata value `{key}` is there twice"));
            }
        }
        let mut infos = Vec::new();
        for _ in 0..tensor_count {
            infos.push((self.text()?, TensorInfo::read(self)?));
        }
        let alignment = match metadata.get("general.alignment") {
            None => 32,
            Some(value) => match value.whole() {
                Some(n) if n.is_power_of_two() && (8..=1 << 20).contains(&n) => n as usize,
                _ => return Err("general.alignment is not a power of two from 8".into()),
            },
        };
        let start = self.at.next_multiple_of(alignment);
        let mut tensors = BTreeMap::new();
        for (name, mut info) in infos {
            info.place(start, alignment, self.bytes.len())
                .map_err(|e| format!("tensor `{name}`: {e}"))?;
            if tensors.insert(name.clone(), info).is_some() {
                return Err(format!("the tensor `{name}` is there twice"));
            }
        }
        Ok((metadata, tensors))
    }
}
