//! The numbers of a record's body: LEB128, so that the small ones, which are most, take a byte.

/// Appends numbers to a body.
pub(super) trait Put {
    fn put(&mut self, value: u64);
    fn put_signed(&mut self, value: i64);
    fn put_optional(&mut self, value: Option<u64>);
    fn put_bytes(&mut self, bytes: &[u8]);
}

impl Put for Vec<u8> {
    fn put(&mut self, mut value: u64) {
        loop {
            let low = u8::try_from(value & 0x7f).unwrap_or(0);
            value >>= 7;
            if value == 0 {
                return self.push(low);
            }
            self.push(low | 0x80);
        }
    }

    /// Zigzag, so that small negative ones are small too.
    fn put_signed(&mut self, value: i64) {
        self.put((value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned());
    }

    /// Unknown is 0, a number is one more than it is; the greatest loses one.
    fn put_optional(&mut self, value: Option<u64>) {
        self.put(value.map_or(0, |value| value.saturating_add(1)));
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        self.put(bytes.len() as u64);
        self.extend_from_slice(bytes);
    }
}

/// Takes numbers from a body; `None` where it ends too early.
pub(super) struct Take<'a>(pub(super) &'a [u8]);

impl<'a> Take<'a> {
    pub(super) fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn small<T: TryFrom<u64>>(&mut self) -> Option<T> {
        T::try_from(self.number()?).ok()
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        let value = self.number()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// The outer `None` is a body that ends, the inner one a number that is unknown.
    pub(super) fn optional(&mut self) -> Option<Option<u64>> {
        Some(self.number()?.checked_sub(1))
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.small()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_were() {
        let mut body = Vec::new();
        let numbers = [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX];
        let signed = [0, -1, 1, -1000, i64::MIN, i64::MAX];
        numbers.iter().for_each(|n| body.put(*n));
        signed.iter().for_each(|n| body.put_signed(*n));
        body.put_optional(None);
        body.put_optional(Some(0));
        body.put_bytes(b"php");
        let mut take = Take(&body);
        for number in numbers {
            assert_eq!(take.number(), Some(number));
        }
        for number in signed {
            assert_eq!(take.signed(), Some(number));
        }
        assert_eq!((take.optional(), take.optional()), (Some(None), Some(Some(0))));
        assert_eq!(take.bytes(), Some(&b"php"[..]));
        assert_eq!((take.number(), take.bytes()), (None, None));
    }

    #[test]
    fn a_body_that_lies_about_its_lengths_ends() {
        assert_eq!(Take(&[0x80; 20]).number(), None);
        assert_eq!(Take(&[200, 1, 2]).bytes(), None);
    }
}
