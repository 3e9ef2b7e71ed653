//! What a receiver took, noted faster than the store can.
//!
//! Between a mail server's "taken" and the store's knowing of it lie the store's other work and the disk,
//! tens of milliseconds in which an agent that is killed would not know that it must not send again. So
//! the channel's thread first writes down the message in a file of its own: one write into the page
//! cache, microseconds. The store's next `recover` believes it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Bytes of the one record a file holds: it is always written whole.
const RECORD: usize = 256;

const PREFIX: &str = "notify-";
const SUFFIX: &str = ".receipt";

/// A channel's file.
#[derive(Debug)]
pub(super) struct Receipt(Option<File>);

/// A message that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) seq: i64,
    /// Numbers begin anew with a new store; ids do not.
    pub(super) notice_id: String,
}

impl Receipt {
    /// Opens it, as it was left. Without it a message may come twice where it need not, and that is all.
    pub(super) fn open(state_dir: &Path, channel: &str) -> io::Result<Self> {
        let path = state_dir.join(format!("{PREFIX}{channel}{SUFFIX}"));
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        Ok(Self(Some(file)))
    }

    /// One that keeps nothing.
    pub(super) const fn none() -> Self {
        Self(None)
    }

    /// Notes that it was taken.
    pub(super) fn note(&self, seq: i64, notice_id: &str) {
        let Some(file) = &self.0 else { return };
        let mut record = format!("{seq} {notice_id}\n").into_bytes();
        if record.len() <= RECORD {
            record.resize(RECORD, b' ');
            // A full disk costs what it would cost without it.
            let _ = file.write_all_at(&record, 0);
        }
    }
}

/// What the files of an earlier run say.
pub(super) fn read_all(state_dir: &Path) -> Vec<Taken> {
    let Ok(entries) = std::fs::read_dir(state_dir) else { return Vec::new() };
    let is_receipt = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(PREFIX) && name.ends_with(SUFFIX)
    };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path()).filter(is_receipt);
    paths.filter_map(|path| parse(&std::fs::read(path).ok()?)).collect()
}

fn parse(record: &[u8]) -> Option<Taken> {
    let (line, _) = std::str::from_utf8(record).ok()?.split_once('\n')?;
    let (seq, notice_id) = line.split_once(' ')?;
    Some(Taken { seq: seq.parse().ok()?, notice_id: notice_id.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_message_that_was_taken_is_known_after_a_death() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read_all(dir.path()).is_empty());
        let receipt = Receipt::open(dir.path(), "smtp").unwrap();
        assert!(read_all(dir.path()).is_empty());
        receipt.note(17, "2026-11-24T14:00:00Z-7/ongoing/12");
        receipt.note(18, "2026-11-24T14:00:00Z-7/closed");
        drop(receipt);
        let reopened = Receipt::open(dir.path(), "smtp").unwrap();
        let taken = Taken { seq: 18, notice_id: "2026-11-24T14:00:00Z-7/closed".into() };
        assert_eq!(read_all(dir.path()), [taken]);
        reopened.note(19, &"x".repeat(RECORD));
        assert_eq!(read_all(dir.path())[0].seq, 18, "one that is too long is not half written");
    }

    #[test]
    fn what_is_no_record_is_none() {
        for bytes in [&b""[..], b"17", b"x y\n", b"17\n", &[0xff; RECORD]] {
            assert_eq!(parse(bytes), None);
        }
    }
}
