//! The journal's second ring: samples, packed into blocks of fixed size in one preallocated file.
//!
//! Verdicts have a ring of their own, so that samples can never push one out. A process is written
//! out in full once in a block and by its number after that, which makes a sample of some thirty
//! processes about 300 bytes. Records are only ever appended to a block, each with a checksum of its
//! own: a crash or a power cut costs the record being written and no other. Integers are
//! little-endian, those of a record's body in LEB128:
//!
//! | bytes of a block | what |
//! |---|---|
//! | 0..4 | `HRS1` |
//! | 4..8 | CRC-32 (IEEE) of bytes 8..24 |
//! | 8..16 | the block's number, from 1 |
//! | 16..24 | wall-clock time of its first sample, milliseconds since 1970 |
//! | 24.. | records, up to one of length 0 |
//!
//! | bytes of a record | what |
//! |---|---|
//! | 0..2 | length of the body |
//! | 2..6 | CRC-32 of the block's number and the body, so that what an older block left is not believed |
//! | 6.. | the body: the form's version, then the sample |

mod body;
mod decode;
mod encode;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use headroom_core::sample::Sample;

pub use decode::Blocks;
pub use encode::{Encoder, Place};

/// Bytes of a block.
pub const BLOCK: usize = 16 * 1024;

const MAGIC: &[u8; 4] = b"HRS1";
/// Bytes before a block's first record.
pub const HEADER: usize = 24;
/// Bytes before a record's body.
const RECORD: usize = 6;
/// The largest file that is taken for a ring of samples.
const LONGEST: u64 = 1 << 30;

/// What a block says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// From 1; the greatest is the newest.
    pub number: u64,
    /// The time of its first sample.
    pub unix_ms: i64,
}

impl Head {
    /// The first bytes of a block.
    #[must_use]
    pub fn encode(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0..4].copy_from_slice(MAGIC);
        bytes[8..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.unix_ms.to_le_bytes());
        let sum = crc32fast::hash(&bytes[8..24]);
        bytes[4..8].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads a block's first bytes; `None` when they do not check.
    #[must_use]
    pub fn decode(block: &[u8]) -> Option<Self> {
        let number = |at: usize| block.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        let sum = block.get(4..8)?.try_into().ok().map(u32::from_le_bytes)?;
        if block.get(0..4)? != MAGIC || crc32fast::hash(block.get(8..24)?) != sum {
            return None;
        }
        Some(Self { number: number(8)?, unix_ms: number(16)?.cast_signed() })
    }
}

fn checksum(block: u64, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&block.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

/// What a ring of samples holds beside the samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The time of the oldest sample, in milliseconds since 1970.
    pub oldest_ms: Option<i64>,
    /// The time of the newest.
    pub newest_ms: Option<i64>,
    /// How many samples were read.
    pub samples: u64,
    /// Records, or whole blocks, that were torn or corrupt and left out.
    pub skipped: u64,
}

/// Reads all samples from the oldest to the newest, one at a time. Blocks whose samples all come
/// before `since_ms` are passed over. What does not check is skipped and counted.
///
/// # Errors
///
/// What the file says.
pub fn read(path: &Path, since_ms: i64, each: &mut dyn FnMut(&Sample)) -> io::Result<Extent> {
    let mut file = File::open(path)?;
    let mut extent = Extent::default();
    let heads = heads(&mut file, &mut extent.skipped)?;
    extent.oldest_ms = heads.first().map(|(head, _)| head.unix_ms);
    let mut block = vec![0; BLOCK];
    for (n, (head, at)) in heads.iter().enumerate() {
        // Its samples end where the next block's begin.
        if heads.get(n + 1).is_some_and(|(next, _)| next.unix_ms < since_ms) {
            continue;
        }
        file.seek(SeekFrom::Start(*at))?;
        read_block(&mut file, &mut block)?;
        let mut samples = Blocks::new(*head, &block);
        for sample in samples.by_ref() {
            extent.newest_ms = Some(sample.unix_ms);
            if sample.unix_ms >= since_ms {
                extent.samples += 1;
                each(&sample);
            }
        }
        extent.skipped += samples.skipped;
    }
    Ok(extent)
}

/// The blocks in their order, each with its place.
fn heads(file: &mut File, skipped: &mut u64) -> io::Result<Vec<(Head, u64)>> {
    let mut heads = Vec::new();
    let mut block = vec![0; BLOCK];
    let step = BLOCK as u64;
    let end = file.metadata()?.len().min(LONGEST);
    for at in (0..end).step_by(BLOCK) {
        file.seek(SeekFrom::Start(at))?;
        read_block(file, &mut block[..HEADER])?;
        match Head::decode(&block) {
            Some(head) if at + step <= end => heads.push((head, at)),
            _ if block[..HEADER].iter().any(|b| *b != 0) => *skipped += 1,
            _ => {}
        }
    }
    heads.sort_by_key(|(head, _)| head.number);
    Ok(heads)
}

/// Fills `into`; what the file does not have reads as zeros.
fn read_block(file: &mut File, into: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < into.len() {
        match file.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    into[filled..].fill(0);
    Ok(())
}

#[cfg(test)]
mod tests;
