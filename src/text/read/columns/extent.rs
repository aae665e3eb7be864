//! Whether an Arrow file or stream is whole and claims no more than it can hold, before it is read.
//!
//! Its reader takes the lengths in it at their word: it would make room for any number of bytes that a damaged
//! file names, and takes a stream that was cut between two batches for a shorter one.

use arrow_ipc::{Block, Message, RecordBatch, root_as_footer, root_as_message};

/// How many times its packed size a buffer may have unpacked, beside [`SPARE`].
const MOST: u64 = 4096;
/// Bytes that any buffer may have unpacked.
const SPARE: u64 = 1 << 20;

const CUT: &str = "breaks off; it was cut, so copy or write it again";

/// Follows a stream from message to message to the mark of its end, which pyarrow, arrow-rs and polars write.
///
/// # Errors
///
/// What is wrong, as a part of a sentence.
pub(super) fn check_stream(bytes: &[u8]) -> Result<(), String> {
    let mut at = 0;
    loop {
        let (length, from) = match word(bytes, at).ok_or(CUT)? {
            u32::MAX => (word(bytes, at + 4).ok_or(CUT)?, at + 8),
            // Before Arrow 0.15 the length stood alone.
            length => (length, at + 4),
        };
        if length == 0 {
            return Ok(());
        }
        at = check_message(bytes, from, length as usize)?;
    }
}

/// Looks at all that the footer of a file lists.
///
/// # Errors
///
/// What is wrong, as a part of a sentence.
pub(super) fn check_file(bytes: &[u8]) -> Result<(), String> {
    let end = bytes.len().checked_sub(10).ok_or(CUT)?;
    if !bytes.ends_with(b"ARROW1") {
        return Err(CUT.to_owned());
    }
    let length = word(bytes, end).ok_or(CUT)? as usize;
    let footer = end.checked_sub(length).and_then(|from| bytes.get(from..end)).ok_or(CUT)?;
    let footer = root_as_footer(footer).map_err(|error| format!("damaged ({error})"))?;
    let lists = [footer.dictionaries(), footer.recordBatches()];
    for block in lists.into_iter().flatten().flatten() {
        check_block(bytes, block)?;
    }
    Ok(())
}

fn check_block(bytes: &[u8], block: &Block) -> Result<(), String> {
    let from = usize::try_from(block.offset()).map_err(|_| CUT)?;
    let length = usize::try_from(block.metaDataLength()).map_err(|_| CUT)?;
    let prefix = if word(bytes, from) == Some(u32::MAX) { 8 } else { 4 };
    let length = length.checked_sub(prefix).ok_or(CUT)?;
    let end = check_message(bytes, from + prefix, length)?;
    let claimed = usize::try_from(block.bodyLength()).ok();
    let claimed = claimed.and_then(|body| (from + prefix + length).checked_add(body));
    if claimed.is_some_and(|claimed| claimed <= bytes.len().max(end)) {
        return Ok(());
    }
    Err(CUT.to_owned())
}

/// Looks at the message whose description lies at `from`, `length` bytes long; where its body ends.
fn check_message(bytes: &[u8], from: usize, length: usize) -> Result<usize, String> {
    let body = from.checked_add(length).ok_or(CUT)?;
    let message = bytes.get(from..body).ok_or(CUT)?;
    let message = root_as_message(message).map_err(|error| format!("damaged ({error})"))?;
    let end =
        usize::try_from(message.bodyLength()).ok().and_then(|length| body.checked_add(length));
    let body = end.and_then(|end| bytes.get(body..end)).ok_or(CUT)?;
    if let Some(batch) = rows_of(&message) {
        // Even truth values take a bit each.
        let rows = u64::try_from(batch.length()).unwrap_or(u64::MAX);
        if rows > 8 * bytes.len() as u64 {
            return Err(format!("damaged: {rows} rows in {} bytes", bytes.len()));
        }
        if batch.compression().is_some() {
            check_packed(&batch, body)?;
        }
    }
    end.ok_or_else(|| CUT.to_owned())
}

fn rows_of<'a>(message: &Message<'a>) -> Option<RecordBatch<'a>> {
    let dictionary = || message.header_as_dictionary_batch()?.data();
    message.header_as_record_batch().or_else(dictionary)
}

/// Each packed buffer begins with the size that it has unpacked.
fn check_packed(batch: &RecordBatch<'_>, body: &[u8]) -> Result<(), String> {
    for buffer in batch.buffers().into_iter().flatten() {
        let from = usize::try_from(buffer.offset()).map_err(|_| CUT)?;
        let packed = u64::try_from(buffer.length()).map_err(|_| CUT)?;
        let Some(size) = body.get(from..).and_then(|rest| rest.first_chunk::<8>()) else {
            continue;
        };
        // −1 says that the buffer is not packed after all.
        let Ok(size) = u64::try_from(i64::from_le_bytes(*size)) else { continue };
        if packed > 0 && size > packed.saturating_mul(MOST).saturating_add(SPARE) {
            return Err(format!("damaged: {packed} bytes that claim to unpack to {size}"));
        }
    }
    Ok(())
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|word| u32::from_le_bytes(*word))
}
