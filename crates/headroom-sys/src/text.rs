//! The few shapes in which the kernel writes numbers, read from bytes without allocating.

use headroom_core::units::Kib;

/// A number in decimal digits and nothing else.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// A number in decimal digits, with a minus in front of it or not.
pub(crate) fn signed(text: &[u8]) -> Option<i64> {
    match text.split_first() {
        Some((b'-', digits)) => i64::try_from(decimal(digits)?).ok().map(i64::wrapping_neg),
        _ => i64::try_from(decimal(text)?).ok(),
    }
}

/// A number in hexadecimal digits, without a prefix.
pub(crate) fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        value.checked_mul(16)?.checked_add(u64::from(digit))
    })
}

/// A share as `12.34`, in hundredths of what it counts.
pub(crate) fn hundredths(text: &[u8]) -> Option<u32> {
    let point = text.iter().position(|byte| *byte == b'.')?;
    let (whole, fraction) = (text.get(..point)?, text.get(point + 1..)?);
    if fraction.len() != 2 {
        return None;
    }
    let value = decimal(whole)?.checked_mul(100)?.checked_add(decimal(fraction)?)?;
    u32::try_from(value).ok()
}

/// What stands between white space.
pub(crate) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// A line `key: value`, taken apart.
pub(crate) fn keyed(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((line.get(..colon)?, line.get(colon + 1..)?))
}

/// A line `key value`, as the flat files of vmstat and cgroups have it.
pub(crate) fn counter(line: &[u8]) -> Option<(&[u8], u64)> {
    let mut words = words(line);
    Some((words.next()?, decimal(words.next()?)?))
}

/// The value of a line that ends in ` kB`, which in the kernel's files are 1024 bytes.
pub(crate) fn kib(value: &[u8]) -> Option<Kib> {
    words(value).next().and_then(decimal).map(Kib)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_that_fit_are_numbers() {
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(decimal(b"18446744073709551616"), None);
        assert_eq!(decimal(b""), None);
        assert_eq!(decimal(b"1a"), None);
        assert_eq!(decimal(b"-1"), None);
        assert_eq!(signed(b"-1000"), Some(-1000));
        assert_eq!(signed(b"-"), None);
        assert_eq!(hexadecimal(b"0000000000000100"), Some(0x100));
        assert_eq!(hexadecimal(b"10000000000000000"), None);
    }

    #[test]
    fn shares_keep_their_two_digits() {
        assert_eq!(hundredths(b"0.00"), Some(0));
        assert_eq!(hundredths(b"12.34"), Some(1234));
        assert_eq!(hundredths(b"100.00"), Some(10_000));
        assert_eq!(hundredths(b"1.2"), None);
        assert_eq!(hundredths(b"1"), None);
    }
}
