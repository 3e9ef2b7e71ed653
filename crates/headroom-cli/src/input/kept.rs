//! What came through a pipe, kept for the second look at it: surroundings are looked for once the
//! incidents are known, and a pipe can be read only once.

use std::cell::RefCell;
use std::io::{self, Read};
use std::rc::Rc;

/// A longer log is not kept: what there is to say of its events is said without what lies near them.
const LONGEST: usize = 16 * 1024 * 1024;

/// The bytes that went by, all of them or none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept(Rc<RefCell<Option<Vec<u8>>>>);

impl Kept {
    pub(super) fn new() -> Self {
        Self(Rc::new(RefCell::new(Some(Vec::new()))))
    }

    /// Takes the bytes out; `None` when there were too many.
    pub(crate) fn take(&self) -> Option<Vec<u8>> {
        self.0.borrow_mut().take()
    }

    fn add(&self, bytes: &[u8]) {
        let mut kept = self.0.borrow_mut();
        if kept.as_ref().is_some_and(|kept| kept.len() + bytes.len() > LONGEST) {
            *kept = None;
        }
        if let Some(kept) = kept.as_mut() {
            kept.extend_from_slice(bytes);
        }
    }
}

/// A reader whose bytes are kept.
pub(super) struct Keeping {
    pub(super) reader: Box<dyn Read>,
    pub(super) kept: Kept,
}

impl Read for Keeping {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(into)?;
        self.kept.add(into.get(..count).unwrap_or_default());
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_log_is_kept_whole_and_a_long_one_not_at_all() {
        for (length, expected) in [(5, Some(5)), (LONGEST, Some(LONGEST)), (LONGEST + 1, None)] {
            let kept = Kept::new();
            let reader = Box::new(io::repeat(b'x').take(u64::try_from(length).unwrap_or(0)));
            let mut keeping = Keeping { reader, kept: kept.clone() };
            io::copy(&mut keeping, &mut io::sink()).expect("read");
            assert_eq!(kept.take().map(|bytes| bytes.len()), expected);
        }
    }
}
