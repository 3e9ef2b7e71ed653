//! Text as Windows' programs write it: `dmesg > file` in PowerShell.

use std::io::{self, Read};

/// Turns UTF-16 into UTF-8.
pub(super) struct Utf16<R> {
    reader: R,
    big_endian: bool,
    /// Bytes read that are not a whole unit yet.
    rest: Vec<u8>,
    /// The first half of a character of two units.
    half: Option<u16>,
    /// Text that found no room yet.
    ready: Vec<u8>,
}

impl<R: Read> Utf16<R> {
    pub(super) fn new(reader: R, big_endian: bool) -> Self {
        Self { reader, big_endian, rest: Vec::new(), half: None, ready: Vec::new() }
    }

    fn decode(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        let whole = self.rest.len() / 2 * 2;
        let units = self.rest[..whole].as_chunks::<2>().0.iter().map(|pair| {
            if self.big_endian { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) }
        });
        let mut units: Vec<u16> = self.half.take().into_iter().chain(units).collect();
        if units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) {
            self.half = units.pop();
        }
        for c in char::decode_utf16(units) {
            let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
            self.ready.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        self.rest.drain(..whole);
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut block = [0; 16 * 1024];
        while self.ready.is_empty() {
            let count = self.reader.read(&mut block)?;
            if count == 0 {
                return Ok(0);
            }
            self.decode(&block[..count]);
        }
        let count = self.ready.len().min(into.len());
        into[..count].copy_from_slice(&self.ready[..count]);
        self.ready.drain(..count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_the_same_in_either_order_of_bytes() {
        let text = "a\r\nü八😀 \u{feff}end";
        for big_endian in [false, true] {
            let bytes: Vec<u8> = text
                .encode_utf16()
                .flat_map(|unit| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect();
            for step in [1, 2, 3, 7, 100] {
                let mut utf16 = Utf16::new(&bytes[..0], big_endian);
                for part in bytes.chunks(step) {
                    utf16.decode(part);
                }
                assert_eq!(utf16.ready, text.as_bytes());
            }
        }
    }
}
