//! Small steps over a line: each takes text and gives back what it read and the rest.

/// Reads a decimal number at the front.
pub(crate) fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let value = text.get(..end)?.parse().ok()?;
    Some((value, &text[end..]))
}

/// Reads a number of exactly `digits` digits.
pub(crate) fn fixed(text: &str, digits: usize) -> Option<(u64, &str)> {
    let front = text.get(..digits)?;
    if !front.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((front.parse().ok()?, &text[digits..]))
}

/// Reads a decimal number with an optional sign at the front.
pub(super) fn signed(text: &str) -> Option<(i64, &str)> {
    match text.strip_prefix('-') {
        Some(rest) => {
            number(rest).and_then(|(n, rest)| Some((i64::try_from(n).ok()?.checked_neg()?, rest)))
        }
        None => number(text).and_then(|(n, rest)| Some((i64::try_from(n).ok()?, rest))),
    }
}

/// Reads the digits of a fraction as microseconds: `5` is half a second.
pub(super) fn fraction_us(text: &str) -> Option<(u64, &str)> {
    let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    if end == 0 {
        return None;
    }
    let mut value = 0;
    for place in 0..6 {
        let digit = text.as_bytes().get(place).filter(|_| place < end).map_or(0, |b| b - b'0');
        value = value * 10 + u64::from(digit);
    }
    Some((value, &text[end..]))
}

/// The number that follows `key` anywhere in the text.
pub(crate) fn number_after(text: &str, key: &str) -> Option<u64> {
    let start = text.find(key)? + key.len();
    number(text.get(start..)?.trim_start()).map(|(n, _)| n)
}

/// The size that follows `key` anywhere in the text, if its unit `kB` is there too: in a line that
/// was cut the number before the cut is not to be trusted.
pub(super) fn kb_after(text: &str, key: &str) -> Option<u64> {
    let start = text.find(key)? + key.len();
    let (value, rest) = number(text.get(start..)?.trim_start())?;
    (rest.starts_with("kB") || rest.starts_with("KB")).then_some(value)
}

/// The text between `open` and the next `close`.
pub(crate) fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let start = text.find(open)? + open.len();
    let rest = text.get(start..)?;
    rest.find(close).map(|end| &rest[..end])
}
