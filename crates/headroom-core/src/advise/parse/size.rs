//! Sizes as each program's configuration writes them.

use crate::units::Kib;

/// What the letters after a number stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `16M`, powers of 1024: MySQL, PHP, systemd, the JVM, Varnish.
    Binary,
    /// Redis: `256mb` is a power of 1024, `256m` one of 1000.
    Redis,
}

/// Bytes of a text such as `512M`, `1073741824`, `256mb`; `None` for what is no size. A negative number
/// is none either: `-1` means that there is no limit wherever it is allowed.
#[must_use]
pub fn bytes(text: &str, form: Form) -> Option<u64> {
    let text = text.trim().trim_matches(['"', '\'']);
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let unit = unit.trim();
    let power = match unit.chars().next().map(|c| c.to_ascii_lowercase()) {
        None | Some('b') => 0,
        Some('k') => 1,
        Some('m') => 2,
        Some('g') => 3,
        Some('t') => 4,
        Some(_) => return None,
    };
    let rest = unit.get(1..).unwrap_or_default().to_ascii_lowercase();
    if !matches!(rest.as_str(), "" | "b" | "ib") {
        return None;
    }
    let base: u64 = if form == Form::Redis && rest.is_empty() && power > 0 { 1000 } else { 1024 };
    number.checked_mul(base.checked_pow(power)?)
}

/// The same as a size, rounded up to a KiB.
#[must_use]
pub fn size(text: &str, form: Form) -> Option<Kib> {
    bytes(text, form).map(|bytes| Kib(bytes.div_ceil(1024)))
}

/// A size in the words of a configuration file, never less than it: `512M`, `2G`.
#[must_use]
pub fn written(size: Kib) -> alloc::string::String {
    let mib = size.0.div_ceil(1024);
    if mib > 0 && mib.is_multiple_of(1024) {
        alloc::format!("{}G", mib / 1024)
    } else {
        alloc::format!("{mib}M")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_each_programs_own_letters() {
        for (text, form, expected) in [
            ("512M", Form::Binary, Some(512 << 20)),
            (" 2g ", Form::Binary, Some(2 << 30)),
            ("1073741824", Form::Binary, Some(1 << 30)),
            ("\"64KiB\"", Form::Binary, Some(64 << 10)),
            ("256mb", Form::Redis, Some(256 << 20)),
            ("256m", Form::Redis, Some(256_000_000)),
            ("-1", Form::Binary, None),
            ("", Form::Binary, None),
            ("12 apples", Form::Binary, None),
            ("99999999999999999999", Form::Binary, None),
            ("99999999999T", Form::Binary, None),
        ] {
            assert_eq!(bytes(text, form), expected, "{text}");
        }
    }

    #[test]
    fn a_size_is_written_as_people_would() {
        assert_eq!(written(Kib::from_mib(512)), "512M");
        assert_eq!(written(Kib::from_mib(2048)), "2G");
        assert_eq!(written(Kib(1)), "1M");
    }
}
