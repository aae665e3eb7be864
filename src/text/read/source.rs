//! The bytes of a file as they come: unpacked, and in blocks of whole lines.

use std::io::{self, Read};

/// Bytes by which a file's kind is known.
const HEAD: usize = 1 << 16;

/// Bytes of whole lines that are read at once; what is in memory beside the texts is a few times this.
const BLOCK: usize = 4 << 20;

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
        if source.head.starts_with(&[0x1f, 0x8b]) {
            let packed = io::BufReader::with_capacity(HEAD, source);
            return Self::looked_at(Box::new(flate2::bufread::MultiGzDecoder::new(packed)));
        }
        #[cfg(feature = "parquet")]
        if source.head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            return Self::looked_at(Box::new(zstd::stream::read::Decoder::new(source)?));
        }
        Ok(source)
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
    fn a_line_longer_than_a_block_stays_whole() {
        let text = "y".repeat(2 * BLOCK + 5) + "\nz\n";
        let blocks: Vec<Vec<u8>> =
            Source::new(text.as_bytes()).unwrap().blocks().map(Result::unwrap).collect();
        assert_eq!(blocks.concat(), text.as_bytes());
        assert!(blocks[0].len() > 2 * BLOCK);
    }
}
