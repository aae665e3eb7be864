//! NumPy's `.npy` format, versions 1 to 3, and archives of them.

use std::io::{Read, Seek};

use super::{FeatureError, float::Dtype};
use crate::data::matrix::Matrix;

/// Longest header that is read; NumPy's own are 128 bytes, and it refuses more than 10 000.
const MAX_HEADER: u32 = 1 << 20;

/// Most that one byte of a deflate stream can expand to.
const MAX_EXPANSION: u64 = 1032;

/// An array whose header has been read and whose values come next.
pub(super) struct Npy<R> {
    source: R,
    layout: Layout,
    /// Where in the source the values start.
    start: u64,
}

struct Layout {
    dtype: Dtype,
    /// NumPy's own name of the type, for messages.
    name: String,
    big_endian: bool,
    column_major: bool,
    rows: usize,
    cols: usize,
}

fn malformed(why: impl Into<String>) -> FeatureError {
    FeatureError::Format { format: ".npy", why: why.into() }
}

impl<R: Read> Npy<R> {
    /// Reads the header; `held` bounds the bytes of the whole file.
    pub(super) fn read_header(mut source: R, held: u64) -> Result<Self, FeatureError> {
        let mut fixed = [0; 8];
        let short = |_| malformed("it ends within its header");
        source.read_exact(&mut fixed).map_err(short)?;
        if fixed[..6] != *b"\x93NUMPY" {
            return Err(malformed("it does not start with \\x93NUMPY"));
        }
        let (length, before) = match fixed[6] {
            1 => {
                let mut bytes = [0; 2];
                source.read_exact(&mut bytes).map_err(short)?;
                (u32::from(u16::from_le_bytes(bytes)), 10)
            }
            2 | 3 => {
                let mut bytes = [0; 4];
                source.read_exact(&mut bytes).map_err(short)?;
                (u32::from_le_bytes(bytes), 12)
            }
            version => return Err(malformed(format!("its version is {version}, not 1, 2 or 3"))),
        };
        if length > MAX_HEADER {
            return Err(malformed(format!("its header claims {length} bytes")));
        }
        let mut header = vec![0; length as usize];
        source.read_exact(&mut header).map_err(short)?;
        let header = String::from_utf8_lossy(&header);
        let layout = Layout::parse(&header)?;
        let start = before + u64::from(length);
        let held = held.saturating_sub(start);
        let promised = layout.rows as u128 * layout.cols as u128 * layout.dtype.size() as u128;
        if promised > u128::from(held) {
            return Err(FeatureError::Truncated { promised, held });
        }
        Ok(Self { source, layout, start })
    }

    /// Whether the values are integers.
    pub(super) fn holds_integers(&self) -> bool {
        matches!(self.layout.dtype, Dtype::Int { .. })
    }

    /// Rows and columns.
    pub(super) fn shape(&self) -> (usize, usize) {
        (self.layout.rows, self.layout.cols)
    }

    /// Where the values start, if they are rows of `f32` as this crate keeps them.
    pub(super) fn plain(&self) -> Option<u64> {
        let Layout { dtype, big_endian, column_major, .. } = self.layout;
        (dtype == Dtype::F32 && !big_endian && !column_major).then_some(self.start)
    }

    /// The values as rows of `f32`.
    pub(super) fn into_matrix(mut self) -> Result<Matrix, FeatureError> {
        if self.holds_integers() {
            return Err(FeatureError::NotFloat { dtype: self.layout.name });
        }
        let Layout { dtype, rows, cols, big_endian, column_major, .. } = self.layout;
        let at = |i: usize| if column_major { (i % rows, i / rows) } else { (i / cols, i % cols) };
        let values = read_floats(&mut self.source, dtype, big_endian, rows * cols, at)?;
        let values = if column_major { transposed(&values, rows, cols) } else { values };
        Ok(Matrix::new(cols, values)?)
    }

    /// The values as counts.
    pub(super) fn into_counts(mut self) -> Result<Vec<u64>, FeatureError> {
        let Layout { dtype, name, big_endian, column_major, rows, cols } = self.layout;
        let Dtype::Int { bytes, signed } = dtype else {
            return Err(FeatureError::NotInteger { dtype: name });
        };
        if rows > 1 && cols > 1 {
            return Err(FeatureError::NotBins { rows, cols, dtype: name });
        }
        let mut counts = Vec::new();
        let mut buffer = [0; 8];
        for i in 0..rows * cols {
            let value = &mut buffer[..bytes];
            self.source.read_exact(value)?;
            if big_endian {
                value.reverse();
            }
            let negative = signed && value[bytes - 1] >> 7 == 1;
            buffer[bytes..].fill(if negative { 0xff } else { 0 });
            if negative {
                let bin = if column_major { i % rows * cols + i / rows } else { i };
                return Err(FeatureError::NegativeCount { bin, count: i64::from_le_bytes(buffer) });
            }
            counts.push(u64::from_le_bytes(buffer));
        }
        Ok(if column_major { transposed(&counts, rows, cols) } else { counts })
    }
}

/// The next `count` values, as `f32`; `at` says where value `i` belongs, for messages.
pub(super) fn read_floats(
    source: &mut impl Read,
    dtype: Dtype,
    big_endian: bool,
    count: usize,
    at: impl Fn(usize) -> (usize, usize),
) -> Result<Vec<f32>, FeatureError> {
    let size = dtype.size();
    // The vector grows with what arrives: in an archive the promised size may be a lie.
    let mut values = Vec::with_capacity(count.min(1 << 24));
    let mut buffer = vec![0; size * 8192];
    while values.len() < count {
        let chunk = size * (count - values.len()).min(8192);
        source.read_exact(&mut buffer[..chunk])?;
        if dtype == Dtype::F32 && !big_endian {
            values
                .extend(buffer[..chunk].as_chunks().0.iter().map(|&four| f32::from_le_bytes(four)));
            continue;
        }
        for bytes in buffer[..chunk].chunks_exact_mut(size) {
            if big_endian {
                bytes.reverse();
            }
            let value = dtype.float(bytes);
            if value.is_finite() && (value as f32).is_infinite() {
                let (row, col) = at(values.len());
                return Err(FeatureError::TooLarge { row, col, value });
            }
            values.push(value as f32);
        }
    }
    Ok(values)
}

/// Row-major `rows × cols` from column-major.
fn transposed<T: Copy>(values: &[T], rows: usize, cols: usize) -> Vec<T> {
    (0..rows * cols).map(|i| values[i % cols * rows + i / cols]).collect()
}

impl Layout {
    /// Reads the Python dictionary `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }`.
    fn parse(header: &str) -> Result<Self, FeatureError> {
        let field = |name: &str| {
            let after = header
                .split_once(&format!("'{name}'"))
                .or_else(|| header.split_once(&format!("\"{name}\"")))
                .and_then(|(_, rest)| rest.trim_start().strip_prefix(':'));
            after
                .map(str::trim_start)
                .ok_or_else(|| malformed(format!("its header has no `{name}`")))
        };
        let descr = field("descr")?;
        let quote = descr.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let Some(name) = quote.and_then(|quote| descr[1..].split(quote).next()) else {
            return Err(FeatureError::NotFloat { dtype: "a structure".to_owned() });
        };
        let (order, kind) =
            name.split_at(name.len().min(name.chars().next().map_or(0, char::len_utf8)));
        let big_endian = match order {
            ">" => true,
            "<" | "|" => false,
            "=" => cfg!(target_endian = "big"),
            _ => return Err(malformed(format!("it has an unknown type `{name}`"))),
        };
        let dtype = match kind {
            "f2" => Dtype::F16,
            "f4" => Dtype::F32,
            "f8" => Dtype::F64,
            "i1" | "i2" | "i4" | "i8" | "u1" | "u2" | "u4" | "u8" => Dtype::Int {
                bytes: usize::from(kind.as_bytes()[1] - b'0'),
                signed: kind.starts_with('i'),
            },
            _ => return Err(FeatureError::NotFloat { dtype: name.to_owned() }),
        };
        let order = field("fortran_order")?;
        let column_major = match (order.starts_with("True"), order.starts_with("False")) {
            (true, _) => true,
            (_, true) => false,
            _ => return Err(malformed("its `fortran_order` is neither True nor False")),
        };
        let shape = field("shape")?
            .strip_prefix('(')
            .and_then(|rest| rest.split_once(')'))
            .ok_or_else(|| malformed("its `shape` is no tuple"))?
            .0;
        let shape = shape
            .split(',')
            .map(str::trim)
            .filter(|axis| !axis.is_empty())
            .map(|axis| axis.trim_end_matches('L').parse::<u64>())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| malformed(format!("its `shape` is ({shape})")))?;
        let (rows, cols) = rows_and_columns(&shape)?;
        Ok(Self { dtype, name: name.to_owned(), big_endian, column_major, rows, cols })
    }
}

/// Rows and columns of an array with one or two axes.
pub(super) fn rows_and_columns(shape: &[u64]) -> Result<(usize, usize), FeatureError> {
    let refused = || FeatureError::Shape { shape: shape.to_vec() };
    let (rows, cols) = match *shape {
        [rows] => (rows, 1),
        [rows, cols] => (rows, cols),
        _ => return Err(refused()),
    };
    // Either axis may lie where the other is 0, so each must be an index of its own.
    let axis = |n: u64| u32::try_from(n).map(|n| n as usize).map_err(|_| refused());
    Ok((axis(rows)?, axis(cols)?))
}

/// `f` of the array `key` of the `.npz` archive, or of its only array.
pub(super) fn in_archive<T>(
    file: impl Read + Seek,
    key: Option<&str>,
    f: impl FnOnce(Npy<&mut dyn Read>) -> Result<T, FeatureError>,
) -> Result<T, FeatureError> {
    let zipped =
        |why: zip::result::ZipError| FeatureError::Format { format: ".npz", why: why.to_string() };
    let mut archive = zip::ZipArchive::new(std::io::BufReader::new(file)).map_err(zipped)?;
    let mut names: Vec<String> = archive
        .file_names()
        .filter_map(|name| Some(name.ok()?.strip_suffix(".npy")?.to_owned()))
        .collect();
    names.sort();
    let name = match (key, names.as_slice()) {
        (None, [only]) => only.clone(),
        (Some(key), _) if names.iter().any(|name| name == key) => key.to_owned(),
        _ => return Err(FeatureError::Key { key: key.map(str::to_owned), names }),
    };
    let mut entry = archive.by_name(&format!("{name}.npy")).map_err(zipped)?;
    let held = entry.size().min(entry.compressed_size().saturating_mul(MAX_EXPANSION));
    Npy::read_header(&mut entry as &mut dyn Read, held).and_then(f)
}
