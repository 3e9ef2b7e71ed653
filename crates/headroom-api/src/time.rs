//! Times on the wire: RFC 3339 with offset, in UTC.

use jiff::Timestamp;

/// A wall-clock time in milliseconds since 1970 as RFC 3339, `2026-11-24T03:09:20.125Z`; `None` for
/// one no calendar has.
#[must_use]
pub fn rfc3339(unix_ms: i64) -> Option<String> {
    Timestamp::from_millisecond(unix_ms).ok().map(|t| t.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_with_their_offset() {
        assert_eq!(rfc3339(1_527_508_741_000).as_deref(), Some("2018-05-28T11:59:01Z"));
        assert_eq!(rfc3339(i64::MAX), None);
    }
}
