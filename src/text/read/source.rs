//! The bytes of a file as they come: unpacked, and in blocks of whole lines.

use std::{
    cell::Cell,
    io::{self, Read},
    rc::Rc,
};

/// Bytes by which a file's kind is known.
const HEAD: usize = 1 << 16;

/// Bytes of whole lines that are read at once; what is in memory beside the texts is a few times this.
const BLOCK: usize = 4 << 20;

/// Bytes that anything may unpack to.
const UNPACKED: u64 = 64 << 20;

/// How many times its size a packed file may unpack to beyond that.
const RATIO: u64 = 1000;

/// A stream whose first bytes can be looked at.
pub(super) struct Source<'a> {
    /// The first bytes, [`HEAD`] of them or all there are.
    pub(super) head: Vec<u8>,
    rest: Box<dyn Read + 'a>,
}

impl<'a> Source<'a> {
    /// Reads the first bytes, and unpacks what is packed by gzip or zstd.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    pub(super) fn new(stream: impl Read + 'a) -> io::Result<Self> {
        let source = Self::looked_at(Box::new(stream))?;
        let is_gzip = source.head.starts_with(&[0x1f, 0x8b]);
        let is_packed = is_gzip || (cfg!(feature = "parquet") && is_zstd(&source.head));
        if !is_packed {
            return Ok(source);
        }
        let packed = Rc::new(Cell::new(0));
        let counted = Counted { stream: source, bytes: packed.clone() };
        #[cfg(feature = "parquet")]
        if !is_gzip {
            let stream = zstd::stream::read::Decoder::new(counted)?;
            return Self::looked_at(Box::new(Bounded { stream, packed, bytes: 0 }));
        }
        let counted = io::BufReader::with_capacity(HEAD, counted);
        let stream = flate2::bufread::MultiGzDecoder::new(counted);
        Self::looked_at(Box::new(Bounded { stream, packed, bytes: 0 }))
    }

    fn looked_at(mut rest: Box<dyn Read + 'a>) -> io::Result<Self> {
        let mut head = Vec::new();
        (&mut rest).take(HEAD as u64).read_to_end(&mut head)?;
        Ok(Self { head, rest })
    }

    /// All of it.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    pub(super) fn whole(self) -> io::Result<Vec<u8>> {
        let Self { head: mut bytes, mut rest } = self;
        rest.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Blocks of whole lines; the last one ends where the stream does.
    pub(super) fn blocks(self) -> Blocks<'a> {
        Blocks { source: self, carried: Vec::new(), ended: false }
    }
}

/// Whether bytes are packed by zstd: a frame, or one that is skipped, with which parallel packers begin.
pub(super) fn is_zstd(bytes: &[u8]) -> bool {
    matches!(bytes, [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// A stream whose bytes are counted.
struct Counted<R> {
    stream: R,
    bytes: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(into)?;
        self.bytes.set(self.bytes.get() + n as u64);
        Ok(n)
    }
}

/// What is unpacked, up to a size that texts do not reach.
struct Bounded<R> {
    stream: R,
    packed: Rc<Cell<u64>>,
    bytes: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(into)?;
        self.bytes += n as u64;
        if self.bytes > UNPACKED && self.bytes / RATIO > self.packed.get() {
            let why = format!(
                "it unpacks to more than {RATIO} times its size, which texts do not; unpack it first"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(n)
    }
}

impl Read for Source<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.head.is_empty() {
            return self.rest.read(into);
        }
        let n = self.head.len().min(into.len());
        into[..n].copy_from_slice(&self.head[..n]);
        self.head.drain(..n);
        Ok(n)
    }
}

/// See [`Source::blocks`].
pub(super) struct Blocks<'a> {
    source: Source<'a>,
    /// The beginning of a line that the last block did not hold the end of.
    carried: Vec<u8>,
    ended: bool,
}

impl Iterator for Blocks<'_> {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut block = std::mem::take(&mut self.carried);
        while !self.ended {
            let before = block.len();
            match (&mut self.source).take(BLOCK as u64).read_to_end(&mut block) {
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
                Ok(0) => self.ended = true,
                Ok(_) => {
                    let end = block[before..].iter().rposition(|&byte| byte == b'\n');
                    if let Some(end) = end {
                        self.carried = block.split_off(before + end + 1);
                        return Some(Ok(block));
                    }
                }
            }
        }
        (!block.is_empty()).then_some(Ok(block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_whole_lines_and_lose_nothing() {
        let line = |n: usize| format!("{}\n", "x".repeat(n * 7919 % 300_000));
        let text: String = (0..200).map(line).collect::<String>() + "the end";
        let blocks: Vec<Vec<u8>> =
            Source::new(text.as_bytes()).unwrap().blocks().map(Result::unwrap).collect();
        assert!(blocks.len() > 5);
        assert!(blocks[..blocks.len() - 1].iter().all(|block| block.ends_with(b"\n")));
        assert!(blocks.iter().all(|block| block.len() < BLOCK + 600_000));
        assert_eq!(blocks.concat(), text.as_bytes());
        assert_eq!(Source::new(&b""[..]).unwrap().blocks().count(), 0);
    }

    #[test]
    fn what_unpacks_to_a_thousand_times_its_size_is_refused() {
        use std::io::Write;
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let zeros = vec![b' '; 1 << 20];
        for _ in 0..80 {
            packer.write_all(&zeros).unwrap();
        }
        let bytes = packer.finish().unwrap();
        let read = Source::new(bytes.as_slice()).unwrap().whole();
        assert!(read.unwrap_err().to_string().contains("1000 times its size"));
    }

    #[cfg(feature = "parquet")]
    #[test]
    fn frames_that_are_skipped_may_come_first() {
        let skipped = [
            &[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4],
            &zstd::encode_all(&b"a"[..], 1).unwrap()[..],
        ]
        .concat();
        assert_eq!(Source::new(skipped.as_slice()).unwrap().whole().unwrap(), b"a");
    }

    #[test]
    fn a_line_longer_than_a_block_stays_whole() {
        let text = "y".repeat(2 * BLOCK + 5) + "\nz\n";
        let blocks: Vec<Vec<u8>> =
            Source::new(text.as_bytes()).unwrap().blocks().map(Result::unwrap).collect();
        assert_eq!(blocks.concat(), text.as_bytes());
        assert!(blocks[0].len() > 2 * BLOCK);
    }
}
